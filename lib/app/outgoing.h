/* outgoing.h - inside lib/app: what the wrapped program may do by itself: the local API and what
 * stands behind it, as one part of the wrapper's life. */
#ifndef APP_OUTGOING_H
#define APP_OUTGOING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct central;
struct conn;
struct fence;
struct gate;
struct guard;
struct handoff;
struct local_state;
struct loop;
struct outgoing;
struct pool;
struct publisher;
struct traffic;

struct outgoing_opts {
	struct loop *loop;
	struct conn *conn;
	struct pool *pool;		/* gone before the outgoing is freed */
	struct publisher *publisher;	/* outlives it */
	struct handoff *handoff;	/* likewise; for progress */
	struct guard *guard;		/* likewise; judges published events; NULL: none */
	struct traffic *traffic;	/* likewise; where it is counted */
	const struct gate *gate;	/* likewise; as of local.h */
	struct fence *fence;		/* likewise; as of local.h */
	struct central *central;	/* likewise; what GET /v1/config tells */
	const char *where;		/* as of local.h, or "auto": unix, else http */
	const char *directory;
	const char *service, *instance, *version;
	unsigned max_waiting;
};

/* outgoing_new(o, err): serves at once.  The loop's thread, or the one that will run it. */
struct outgoing *outgoing_new(const struct outgoing_opts *o, struct err *err);

const char *outgoing_address(const struct outgoing *g);
const char *outgoing_token(const struct outgoing *g);

/* outgoing_tell(g, program, phase, registered): constants; the loop's thread.  g may be NULL. */
void outgoing_tell(struct outgoing *g, const char *program, const char *phase, bool registered);

/* outgoing_role(g, role, epoch): likewise. */
void outgoing_role(struct outgoing *g, const char *role, uint64_t epoch);

/* outgoing_calls(g, timeout_ns, retry): as local_calls; likewise. */
void outgoing_calls(struct outgoing *g, int64_t timeout_ns, int retry);

/* outgoing_free(g): stops the publisher, too: who waits for it is let go.  When the loop does not run
 * any more.  NULL is fine. */
void outgoing_free(struct outgoing *g);

#endif
