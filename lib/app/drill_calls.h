/* drill_calls.h - inside lib/app: the method of a drill's member that only the leader executes, served the way
 * every exclusive method is: by the queue, passed on, parked (messaging/exclusive.h).
 *
 * All functions are the loop's. */
#ifndef APP_DRILL_CALLS_H
#define APP_DRILL_CALLS_H

#include "election/elector.h"

struct conn;
struct drill_calls;
struct loop;

/* drill_calls_new(loop, conn, instance, gate, err): serves at once; nobody is known to lead. */
struct drill_calls *drill_calls_new(struct loop *loop, struct conn *conn, const char *instance, struct gate *gate, struct err *err);

/* drill_calls_role, drill_calls_holder: as of elector_opts.  drill_calls_pause_after: D, once it is known. */
void drill_calls_role(struct drill_calls *c, const struct elector_role *role);
void drill_calls_holder(struct drill_calls *c, const struct elector_holder *holder);
void drill_calls_pause_after(struct drill_calls *c, int64_t d_ns);

/* drill_calls_drain(c, done, arg): takes no more; once all that was taken is answered, or after 6 s: done(arg). */
void drill_calls_drain(struct drill_calls *c, void (*done)(void *arg), void *arg);

#endif
