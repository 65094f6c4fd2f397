/* central.h - inside lib/app: what the central settings of its service are to one process.
 *
 * Reads them before anything is started, so that all of them count; follows them while it runs, so that those
 * count that can change; keeps the program's own keys in a file and ready for its local API; and answers
 * aegis.ctl.{service}.{instance}.settings with what is in force and where it comes from.  A document that is
 * refused changes nothing and is told.  Without NATS the process starts with what it was told otherwise. */
#ifndef APP_CENTRAL_H
#define APP_CENTRAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "nats/conn.h"
#include "settings/rules.h"

struct central;
struct loop;
struct pool;

struct central_opts {
	const struct conn_opts *conn;		/* connects in the background, and goes on trying */
	const struct settings_rules *rules;	/* outlives it, as does base */
	struct opts *base;			/* how the process was told to run */
	const char *service, *instance;		/* copied */
	const char *directory;			/* below which the file of the program's keys gets its own */
};

/* central_new(o, err): waits for a moment for NATS and the document, and sets what it says in base, where nothing
 * stronger stands.  Blocks for a second or two at most.  Fails when the connection can never be made. */
struct central *central_new(const struct central_opts *o, struct err *err);
struct conn *central_conn(struct central *c);		/* the process's; central_free ends it */
const char *central_file(const struct central *c);	/* for AEGIS_CONFIG_FILE; NULL: there is none */

/* central_follow(c, loop, pool, applied, arg, err): from now on.  applied(arg, running, own) after each change of
 * something that can change: running is the struct that the rows fill, own says whether the program's keys
 * are others.  On the loop. */
enum err_code central_follow(struct central *c, struct loop *loop, struct pool *pool,
    void (*applied)(void *arg, const void *running, bool own), void *arg, struct err *err);

/* central_tell(c, out): what GET /v1/config answers: everything, the program's own keys as they are.  Any thread. */
void central_tell(struct central *c, struct str *out);

/* For metrics; any thread. */
struct central_figures {
	uint64_t revision;			/* that is applied; 0: none */
	unsigned pending;			/* settings that wait for a restart */
	bool refused;				/* the newest document is */
};
struct central_figures central_figures(const struct central *c);

/* central_close(c): nothing is applied any more.  central_free: closes first; the pool is gone, and so is all that used
 * the connection.  NULL is fine for both. */
void central_close(struct central *c);
void central_free(struct central *c);

#endif
