/* serve_api.h - `aegis serve-api`: the management API as a process.
 *
 * Owns what the API reads: the connection, the registry, discovery, the janitor of commands.  Several
 * replicas may run on the same NATS; none is special.  NATS need not be there at the start: the
 * process serves, says that it is not ready, and goes on trying. */
#ifndef APP_SERVE_API_H
#define APP_SERVE_API_H

#include <stdbool.h>
#include <stdint.h>

#include "api/manage.h"
#include "base/err.h"
#include "nats/conn.h"
#include "sys/systemd.h"

struct settings_rules;

struct serve_api_opts {
	struct conn_opts conn;
	const char *version;		/* of aegis */
	const char *environment;	/* where it runs, for GET /status: "development", "local-k8s", … */
	const char *deployment;		/* which deployment, for the same */
	const struct settings_rules *settings_rules;	/* what central settings may say */
	int64_t stale_ns;
	bool read_only;			/* refuse to change anything */
	bool no_page;			/* serve programs alone */
	const char *base_path, *ui_dir;	/* as of struct manage */
	const char *const *cors;
	struct systemd manager;		/* who is told how we are */
	struct manage_opts api;
};

/* serve_api(o, err): serves until a signal asks to stop; the calling thread, with signals blocked,
 * becomes the core loop.  An error only for what failed before it served. */
enum err_code serve_api(const struct serve_api_opts *o, struct err *err);

#endif
