/* manage.c - the management API's table of routes, and its life. */
#include "api/manage.h"

#include <arpa/inet.h>
#include <string.h>

#include "api/manage_inner.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/num.h"

/* A schema is of JSON, a media type is itself, and of a star nothing is known: the compiler looks. */
#define HAS(text, c) (__builtin_strchr((text) != NULL ? (text) : "", (c)) != NULL)
#define GIVES(response) ((response) == NULL || HAS(response, '*') ? NULL : HAS(response, '/') ? (response) : "application/json")

static const struct web_route routes[] = {
#define ROUTE(c_method, c_path, operation, who, reach, c_kind, bytes, fn, query, request, status, response, sentence) \
	{ .method = c_method, .path = c_path, .kind = WEB_##c_kind, .max_body = bytes, .handler = fn, .about = sentence, \
	    .name = operation, .access = MANAGE_##who, .gives = GIVES(response) },
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

	if (code == ERR_OK && route != NULL && m->read_only && strcmp(route->method, "GET") != 0 &&
	    strcmp(route->path, SESSION) != 0)
		return err_set(err, ERR_DENIED, "this server only reads: it was started with --read-only");
	return code;
}

/* --- where it listens -------------------------------------------------------------------- */

#define SCHEME "http://"

enum err_code
manage_check(const char *where, struct err *err)
{
	const char *host = where + strlen(SCHEME), *colon = strrchr(where, ':');
	struct in_addr addr;
	uint64_t port;

	if (strncmp(where, SCHEME, strlen(SCHEME)) != 0 || colon < host || !num_uint(colon + 1, &port) || port > 65535)
		return err_set(err, ERR_CONFIG, "'%s' is no address to listen on; write one such as " SCHEME "127.0.0.1:8100", where);
	char *name = mem_text_n(host, (size_t)(colon - host));
	bool loopback = inet_pton(AF_INET, name, &addr) == 1 && ntohl(addr.s_addr) >> 24 == 127;
	mem_free(name);
	return loopback ? ERR_OK : err_set(err, ERR_CONFIG, "'%s' is not an address of the loopback interface; write one such as "
	    SCHEME "127.0.0.1:8100", where);
}

/* serve_at: m->web or m->health, by the option's name. */
static enum err_code
serve_at(struct manage *m, const char *option, const struct web_server_opts *o, struct web_server **out, struct err *err)
{
	struct web_server_opts mine = *o;
	enum err_code code = ERR_OK;

	for (size_t i = 0; i < o->nlisten && code == ERR_OK; i++)
		code = manage_check(o->listen[i], err);
	mine.headers = manage_policy;
	mine.done = manage_done;
	mine.arg = m;
	if (code == ERR_OK && (*out = web_server_new(&mine, err)) == NULL)
		code = ERR_CONFIG;
	if (code != ERR_OK)
		err_prefix(err, "%s", option);
	for (size_t i = 0; code == ERR_OK && web_server_address(*out, i) != NULL; i++)
		log_info(EV_PROCESS_START, LOG_NONE, "%s is served at %s", *out == m->web ? "the management API" : "health",
		    web_server_address(*out, i));
	return code;
}

/* --- its life ---------------------------------------------------------------------------- */

enum err_code
manage_start(struct manage *m, const struct manage_opts *o, struct err *err)
{
	struct web_server_opts web = {
		.listen = o->listen, .nlisten = o->nlisten, .routes = routes, .nroutes = COUNT_OF(routes), .admit = admit,
	};
	struct web_server_opts health = {
		.listen = &o->health_listen, .nlisten = 1, .routes = health_routes, .nroutes = COUNT_OF(health_routes),
	};
	enum err_code code;

	m->magic = MANAGE_MAGIC;
	m->meter = manage_meter_new();
	if ((code = serve_at(m, "--listen", &web, &m->web, err)) != ERR_OK || o->health_listen == NULL)
		return code;
	return serve_at(m, "--health-listen", &health, &m->health, err);
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
}
