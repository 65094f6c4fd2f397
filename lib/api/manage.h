/* manage.h - the management API: what its handlers share, and its life (wire.md §11, conventions.md §3).
 *
 * Routes are rows of manage_routes.def; each noun has a file of handlers of its own.  A handler reads
 * snapshots and asks the stores; nothing here belongs to one thread, except the life at the end.
 * Several processes may serve the same NATS: none keeps what the others do not see there. */
#ifndef API_MANAGE_H
#define API_MANAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/instant.h"
#include "monitor/monitor.h"

struct audit;
struct auth;
struct conn;
struct discovery;
struct groups;
struct janitor;
struct loop;
struct manage_kept;
struct manage_meter;
struct registry;
struct settings;
struct settings_rules;
struct str;
struct web_request;
struct web_route;
struct web_server;

/* Who may use a route; each may use what those before it may, but METRICS opens /metrics alone. */
enum manage_access { MANAGE_PUBLIC, MANAGE_METRICS, MANAGE_VIEWER, MANAGE_OPERATOR, MANAGE_ADMIN };

/* What a credential that is bound to one service may do with it. */
enum manage_reach {
	MANAGE_GLOBAL,		/* nothing */
	MANAGE_SERVICE,		/* {service} or {name} of the path must be its own */
	MANAGE_LIST,		/* the handler leaves out what belongs to others */
};

/* One row of manage_routes.def, besides what the server knows of it (router.h). */
struct manage_route {
	enum manage_reach reach;
	const char *query;		/* names of its parameters, with blanks between; NULL: none */
	const char *request, *response;	/* schemas, for the reference */
	int status;			/* of success */
};

struct manage {
	unsigned magic;
	struct loop *loop;			/* all outlive it */
	struct conn *conn;
	struct discovery *discovery;
	struct janitor *janitor;
	struct groups *groups;
	struct auth *auth;
	struct monitor *monitor;
	struct audit *audit;
	const struct settings_rules *settings_rules;
	_Atomic(struct settings *) settings;	/* NULL until their bucket could be looked at; stays then */
	_Atomic(struct registry *) registry;	/* NULL until the bucket could be looked at; stays then */
	const char *version;			/* of aegis */
	const char *base_path;			/* before all paths but those of health_listen, without a slash at its end; "": none */
	bool read_only;				/* nothing is changed through it */
	bool no_page;				/* it serves programs alone */
	const char *ui_dir;			/* the folder that the page comes from; NULL: from the program */
	const char *const *cors;		/* origins whose pages may read answers; NULL-terminated, or NULL */
	const char *environment, *deployment;	/* for GET /status (wire.md §12) */
	struct mono began;

	/* What the process tells, by clock_mono in ns; any thread. */
	_Atomic int64_t turned;			/* when the loop last turned */
	_Atomic int64_t answered;		/* when NATS last answered a ping; 0: never */
	_Atomic int64_t rtt_ns;			/* how long that took */
	atomic_bool draining;			/* asked to stop */

	_Atomic int64_t refusals_minute;	/* of logins: the minute that is counted, */
	_Atomic uint64_t refusals;		/* and how many there were in it */
	_Atomic uint64_t cpu_busy, cpu_total;	/* of the machine, when it was last asked */

	struct web_server *web, *health;	/* manage_start's, as what follows */
	struct manage_meter *meter;		/* of answered requests */
	struct manage_kept *kept;		/* lists that were rendered */
};

#define MANAGE_MAGIC 0xae619001u

#define MANAGE_LOOP_NS (5 * NS_PER_S)		/* a loop that stands still for longer is dead */
#define MANAGE_NATS_NS (1500 * NS_PER_MS)	/* NATS that is silent for longer is away */

/* Row i of manage_routes.def, as we know it and as the server does; of manage_routes_count().
 * manage_route_of(w): the first for the second, which is one of ours. */
size_t manage_routes_count(void);
const struct manage_route *manage_route_at(size_t i);
const struct web_route *manage_web_route(size_t i);
const struct manage_route *manage_route_of(const struct web_route *w);

/* manage_up(m, err): NATS answers and the registry is followed; else ERR_UNAVAILABLE with what is
 * missing.  Does not block: the first statement of what reads or writes data. */
enum err_code manage_up(struct manage *m, struct err *err);

/* manage_answers(m): NATS answered a moment ago. */
bool manage_answers(struct manage *m);

/* --- its life ----------------------------------------------------------------------------- */

struct manage_opts {
	/* "http://ADDR:PORT" or "https://ADDR:PORT"; PORT 0: the system chooses.  Beyond the loopback
	 * interface without TLS only if no_tls_needed. */
	const char *const *listen;
	size_t nlisten;
	bool no_tls_needed;
	const char *health_listen;	/* one more, for the health routes alone, anywhere; NULL: none */
	const char *tls_cert, *tls_key, *tls_client_ca;		/* as of web_server_opts, which knows the limits, too */
	const char *const *proxies;	/* networks whose X-Forwarded-* count */
	size_t nproxies;
	unsigned max_connections, max_per_peer, max_streams;
};

/* manage_check(o, err): ERR_CONFIG for listeners and proxies that may not be, before anything is opened. */
enum err_code manage_check(const struct manage_opts *o, struct err *err);

/* manage_check_base(path, err): ERR_CONFIG unless it is "" or "/NAME", or several such, of plain letters.
 * manage_check_origin(origin, err): unless it is one such as "https://desk.example.com". */
enum err_code manage_check_base(const char *path, struct err *err);
enum err_code manage_check_origin(const char *origin, struct err *err);

/* manage_reload(m, err): certificates anew, for the connections that come; on failure the old ones stay. */
enum err_code manage_reload(struct manage *m, struct err *err);

/* manage_start(m, o, err): serves from now on; m was zeroed and its outside members filled in. */
enum err_code manage_start(struct manage *m, const struct manage_opts *o, struct err *err);

/* manage_stop(m): no more requests; returns when the last handler has.  Whoever they wait for was
 * stopped before.  Also after a start that failed. */
void manage_stop(struct manage *m);

/* manage_groups_tell(m, each, to): every group that m->groups knows, as GET /api/groups shows it; any thread. */
void manage_groups_tell(struct manage *m, monitor_group *each, void *to);

/* manage_openapi_write(m, out): appends the reference, as GET /openapi.json answers it. */
void manage_openapi_write(const struct manage *m, struct str *out);

#endif
