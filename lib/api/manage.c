/* manage.c - the management API's table of routes, and its life. */
#include "api/manage.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "api/manage_inner.h"
#include "api/manage_kept.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/num.h"

/* A schema is of JSON, a media type is itself, and of a star nothing is known: the compiler looks. */
#define HAS(text, c) (__builtin_strchr((text) != NULL ? (text) : "", (c)) != NULL)
#define GIVES(response) ((response) == NULL || HAS(response, '*') ? NULL : HAS(response, '/') ? (response) : "application/json")

/* What changes a part may say so by its own type (RFC 7396). */
#define TAKES(method) ((method)[1] == 'A' ? "application/json, application/merge-patch+json" : NULL)

static const struct web_route routes[] = {
#define ROUTE(c_method, c_path, operation, who, reach, c_kind, bytes, fn, query, request, status, response, sentence) \
	{ .method = c_method, .path = c_path, .kind = WEB_##c_kind, .max_body = bytes, .handler = fn, .about = sentence, \
	    .name = operation, .access = MANAGE_##who, .takes = TAKES(c_method), .gives = GIVES(response) },
#include "api/manage_routes.def"
#undef ROUTE
};

static const struct manage_route ours[] = {
#define ROUTE(method, path, operation, who, c_reach, kind, bytes, fn, c_query, c_request, c_status, c_response, sentence) \
	{ .reach = MANAGE_##c_reach, .query = c_query, .request = c_request, .status = c_status, .response = c_response },
#include "api/manage_routes.def"
#undef ROUTE
};

/* The health routes alone, for --health-listen: full workers of the other never fail a probe. */
static const struct web_route health_routes[] = {
	{ .method = "GET", .path = "/livez", .handler = manage_livez, .about = "whether the process is alive" },
	{ .method = "GET", .path = "/readyz", .handler = manage_readyz, .about = "whether it can serve" },
	{ .method = "GET", .path = "/startupz", .handler = manage_startupz, .about = "whether its start is over" },
};

size_t
manage_routes_count(void)
{
	return COUNT_OF(routes);
}

const struct manage_route *
manage_route_at(size_t i)
{
	MUST(i < COUNT_OF(ours));
	return &ours[i];
}

const struct web_route *
manage_web_route(size_t i)
{
	MUST(i < COUNT_OF(routes));
	return &routes[i];
}

const struct manage_route *
manage_route_of(const struct web_route *w)
{
	MUST(w >= routes && w < routes + COUNT_OF(routes));
	return &ours[w - routes];
}

/* --- who may ------------------------------------------------------------------------------ */

#define SESSION "/api/session"	/* logging in and out changes nothing but one's own session */

static enum err_code
admit(void *arg, struct web_request *r, const struct web_route *route, struct err *err)
{
	const struct manage *m = arg;
	enum err_code code = manage_admit(arg, r, route, err);

	if (code == ERR_OK && route != NULL && !manage_query_known(r, route))
		return ERR_INVALID;		/* it was answered */
	if (code == ERR_OK && route != NULL && m->read_only && strcmp(route->method, "GET") != 0 &&
	    strcmp(route->path, SESSION) != 0)
		return err_set(err, ERR_DENIED, "this server only reads: it was started with --read-only");
	return code;
}

/* --- where it listens -------------------------------------------------------------------- */

/* is_loopback: whether only this machine reaches the address of n bytes. */
static bool
is_loopback(const char *p, size_t n)
{
	char host[64];
	struct in_addr addr;

	snprintf(host, sizeof host, "%.*s", (int)(n < sizeof host ? n : 0), p);
	if (strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
		return true;
	return inet_pton(AF_INET, host, &addr) == 1 && ntohl(addr.s_addr) >> 24 == 127;
}

static enum err_code
check_listener(const struct manage_opts *o, const char *option, const char *where, bool open, struct err *err)
{
	bool secure = strncmp(where, "https://", 8) == 0, plain = strncmp(where, "http://", 7) == 0;
	const char *host = where + (secure ? 8 : 7), *colon = strrchr(where, ':');
	uint64_t port;

	if ((!secure && !plain) || colon <= host || !num_uint(colon + 1, &port) || port > 65535)
		return err_set(err, ERR_CONFIG, "%s: '%s' is no address to listen on; write one such as http://127.0.0.1:8100", option,
		    where);
	if (secure && o->tls_cert == NULL)
		return err_set(err, ERR_CONFIG, "%s: '%s' needs a certificate; name its file with --http-tls-cert", option, where);
	if (plain && !open && !is_loopback(host, (size_t)(colon - host)))
		return err_set(err, ERR_CONFIG, "%s: '%s' can be reached from elsewhere, and credentials would pass in the clear; use "
		    "https:// with --http-tls-cert, an address such as http://127.0.0.1:8100, or --no-tls-needed if something "
		    "before it speaks TLS", option, where);
	return ERR_OK;
}

static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

enum err_code
manage_check_base(const char *path, struct err *err)
{
	const char *at = path;

	while (*at == '/' && at[1] != '.' && strspn(at + 1, plain) > 0)
		at += 1 + strspn(at + 1, plain);
	if (*at == '\0' && at - path <= 128)
		return ERR_OK;
	return err_set(err, ERR_CONFIG, "--base-path: '%.140s' is no path; write one such as /aegis, of letters, digits and -_., without a "
	    "slash at its end", path);
}

enum err_code
manage_check_origin(const char *origin, struct err *err)
{
	size_t scheme = strncmp(origin, "https://", 8) == 0 ? 8 : strncmp(origin, "http://", 7) == 0 ? 7 : 0, n = strlen(origin);

	if (scheme > 0 && n > scheme && n <= 260 &&
	    strspn(origin + scheme, "abcdefghijklmnopqrstuvwxyz0123456789-_.:[]") == n - scheme)
		return ERR_OK;
	return err_set(err, ERR_CONFIG, "--cors-origin: '%.100s' is no origin; write one such as https://desk.example.com, as browsers do: in small "
	    "letters, without a path", origin);
}

static enum err_code
take_proxies(const struct manage_opts *o, struct proxies *out, struct err *err)
{
	struct err own;

	for (size_t i = 0; i < o->nproxies; i++)
		if (proxies_add(out, o->proxies[i], &own) != ERR_OK)
			return err_set(err, own.code, "--trusted-proxy: %s", own.text);
	return ERR_OK;
}

enum err_code
manage_check(const struct manage_opts *o, struct err *err)
{
	struct proxies none = { 0 };
	enum err_code code = take_proxies(o, &none, err);

	for (size_t i = 0; i < o->nlisten && code == ERR_OK; i++)
		code = check_listener(o, "--listen", o->listen[i], o->no_tls_needed, err);
	/* Probes carry no credentials. */
	if (code == ERR_OK && o->health_listen != NULL)
		code = check_listener(o, "--health-listen", o->health_listen, true, err);
	return code;
}

static enum err_code
serve_at(struct manage *m, const char *what, const struct manage_opts *o, struct web_server_opts *w, struct web_server **out,
    struct err *err)
{
	w->tls_cert = o->tls_cert;
	w->tls_key = o->tls_key;
	w->tls_client_ca = o->tls_client_ca;
	w->headers = manage_policy;
	w->arg = m;
	if ((*out = web_server_new(w, err)) == NULL)
		return ERR_CONFIG;
	for (size_t i = 0; web_server_address(*out, i) != NULL; i++)
		log_info(EV_PROCESS_START, LOG_NONE, "%s is served at %s", what, web_server_address(*out, i));
	return ERR_OK;
}

/* --- its life ---------------------------------------------------------------------------- */

enum err_code
manage_start(struct manage *m, const struct manage_opts *o, struct err *err)
{
	struct web_server_opts web = {
		.listen = o->listen, .nlisten = o->nlisten, .routes = routes, .nroutes = COUNT_OF(routes), .admit = admit, .done = manage_done,
		.max_connections = o->max_connections, .max_per_peer = o->max_per_peer, .max_streams = o->max_streams,
	};
	struct web_server_opts health = {
		.listen = &o->health_listen, .nlisten = 1, .routes = health_routes, .nroutes = COUNT_OF(health_routes),
	};
	enum err_code code = manage_check(o, err);

	if (code == ERR_OK)
		code = take_proxies(o, &web.proxies, err);
	web.base = m->base_path;
	m->magic = MANAGE_MAGIC;
	m->meter = manage_meter_new();
	m->kept = manage_kept_new();
	if (code == ERR_OK)
		code = serve_at(m, "the management API", o, &web, &m->web, err);
	if (code == ERR_OK && o->health_listen != NULL)
		code = serve_at(m, "health", o, &health, &m->health, err);
	return code;
}

enum err_code
manage_reload(struct manage *m, struct err *err)
{
	enum err_code code = web_server_reload(m->web, err);

	return code == ERR_OK && m->health != NULL ? web_server_reload(m->health, err) : code;
}

void
manage_stop(struct manage *m)
{
	if (m->web != NULL)
		web_server_leave(m->web);
	web_server_free(m->web);
	web_server_free(m->health);
	m->web = m->health = NULL;
	manage_meter_free(m->meter);
	m->meter = NULL;
	manage_kept_free(m->kept);
	m->kept = NULL;
}
