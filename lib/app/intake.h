/* intake.h - inside lib/app: the commands and events that a wrapper takes for its program, as one
 * part of its life.  Calls come through the member instead.
 *
 * All on the loop's thread, or when the loop does not run, but for intake_drain. */
#ifndef APP_INTAKE_H
#define APP_INTAKE_H

#include "base/err.h"
#include "base/instant.h"

struct conn;
struct guard;
struct handoff;
struct intake;
struct loop;
struct pool;
struct publisher;
struct run_service_opts;
struct traffic;

struct intake_opts {
	const struct run_service_opts *service;	/* names commands and events; outlives the intake, as all here */
	const char *instance;
	struct conn *conn;
	struct loop *loop;
	struct pool *pool;
	struct publisher *publisher;	/* of dead letters */
	struct handoff *handoff;	/* where they go */
	struct guard *guard;		/* NULL: none */
	struct traffic *traffic;
};

struct intake *intake_new(const struct intake_opts *o);

/* intake_ready(t): the program can take them.  The first time, and after intake_yield, workers begin; events do each time.
 * What cannot begin is told in the log. */
void intake_ready(struct intake *t);

/* intake_pause(t): it cannot: its events go to other members, or wait in the stream, since handing
 * them out only to take them back would use up their attempts.  Commands wait with the workers. */
void intake_pause(struct intake *t);

/* intake_yield(t): it runs elsewhere from now on: commands that were fetched and not begun go back, too, and none is taken before
 * intake_ready.  What runs may end. */
void intake_yield(struct intake *t);

/* intake_leave(t): takes no more; what was handed over may be finished.  intake_drain(t, end): waits
 * until it is; how many are not.  Blocks; any thread but the loop's, after intake_leave. */
void intake_leave(struct intake *t);
unsigned intake_drain(struct intake *t, struct mono end);

/* intake_close(t): no event comes any more; before the handoff is closed.  intake_free(t): after the
 * runner, which may hold commands, and before the pool.  NULL is fine for both. */
void intake_close(struct intake *t);
void intake_free(struct intake *t);

#endif
