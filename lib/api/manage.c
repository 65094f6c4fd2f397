/* manage.c - the management API's table of routes, and its life. */
#include "api/manage.h"

#include <arpa/inet.h>
#include <string.h>

#include "api/manage_inner.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/num.h"

static const struct web_route routes[] = {
#define ROUTE(method, path, operation, access_, reach, kind, max_body, handler, about_) \
	{ method, path, WEB_##kind, max_body, handler, .about = about_, .name = operation, .access = MANAGE_##access_ },
#include "api/manage_routes.def"
#undef ROUTE
};

static const struct manage_route ours[] = {
#define ROUTE(method, path, operation, access, reach, kind, max_body, handler, about) \
	{ operation, MANAGE_##access, MANAGE_##reach },
#include "api/manage_routes.def"
#undef ROUTE
};

/* The health routes alone, for --health-listen: full workers of the other never fail a probe. */
static const struct web_route health_routes[] = {
	{ "GET", "/livez", WEB_QUICK, 0, manage_livez, .about = "whether the process is alive" },
	{ "GET", "/readyz", WEB_QUICK, 0, manage_readyz, .about = "whether it can serve" },
	{ "GET", "/startupz", WEB_QUICK, 0, manage_startupz, .about = "whether its start is over" },
};

const struct manage_route *
manage_route_at(size_t i)
{
	MUST(i < COUNT_OF(ours));
	return &ours[i];
}

size_t
manage_routes_count(void)
{
	return COUNT_OF(ours);
}

/* Until credentials are looked at, nothing that wants one may be listed. */
enum {
#define ROUTE(method, path, operation, access, reach, kind, max_body, handler, about) + (MANAGE_##access != MANAGE_PUBLIC)
	PRIVATE_ROUTES = 0
#include "api/manage_routes.def"
#undef ROUTE
};
_Static_assert(PRIVATE_ROUTES == 0, "a route wants a credential that nobody asks for");

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

static enum err_code
serve_at(struct manage *m, const char *option, const char *where, const struct web_route *v, size_t n,
    struct web_server **out, struct err *err)
{
	enum err_code code = manage_check(where, err);

	if (code == ERR_OK && (*out = web_server_new(&(struct web_server_opts){
		.listen = &where, .nlisten = 1, .routes = v, .nroutes = n, .headers = manage_policy, .arg = m,
	}, err)) == NULL)
		code = ERR_CONFIG;
	if (code != ERR_OK)
		err_prefix(err, "%s", option);
	return code;
}

/* --- its life ---------------------------------------------------------------------------- */

enum err_code
manage_start(struct manage *m, const struct manage_opts *o, struct err *err)
{
	enum err_code code;

	m->magic = MANAGE_MAGIC;
	if ((code = serve_at(m, "--listen", o->listen, routes, COUNT_OF(routes), &m->web, err)) != ERR_OK)
		return code;
	log_info(EV_PROCESS_START, LOG_NONE, "the management API is at %s", web_server_address(m->web, 0));
	if (o->health_listen == NULL)
		return ERR_OK;
	if ((code = serve_at(m, "--health-listen", o->health_listen, health_routes, COUNT_OF(health_routes), &m->health, err)) !=
	    ERR_OK)
		return code;
	log_info(EV_PROCESS_START, LOG_NONE, "health is at %s as well", web_server_address(m->health, 0));
	return ERR_OK;
}

void
manage_stop(struct manage *m)
{
	if (m->web != NULL)
		web_server_leave(m->web);
	web_server_free(m->web);
	web_server_free(m->health);
	m->web = m->health = NULL;
}
