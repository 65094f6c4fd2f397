/* caller_inner.h - inside lib/messaging: between one attempt at a call (caller.c) and all of them
 * (caller_attempts.c). */
#ifndef MESSAGING_CALLER_INNER_H
#define MESSAGING_CALLER_INNER_H

#include "base/instant.h"
#include "messaging/caller.h"
#include "sys/gate.h"

#define CALLER_TIMEOUT_NS (5 * NS_PER_S)

static inline int64_t
caller_timeout(const struct call_spec *s)
{
	return s->timeout_ns > 0 ? s->timeout_ns : CALLER_TIMEOUT_NS;
}

/* caller_may(s): its hold is not over, or it has none. */
static inline bool
caller_may(const struct call_spec *s)
{
	return s->gate == NULL || gate_still(s->gate, s->pass);
}

/* caller_once(c, s, reply, sent, err): one attempt, for a thread that is inside (caller_call).  *sent
 * after a failure: the request may have left. */
enum err_code caller_once(struct caller *c, const struct call_spec *s, struct call_reply *reply, bool *sent,
    struct err *err);

/* caller_once_unless: likewise, until useless(arg) says that no answer will come or count: then
 * ERR_OUTCOME_UNKNOWN.  It is asked every few milliseconds; NULL: never. */
enum err_code caller_once_unless(struct caller *c, const struct call_spec *s, bool (*useless)(void *arg), void *arg,
    struct call_reply *reply, bool *sent, struct err *err);

/* How a call ends: through done, once; unread: that gets the reply as it came.  nudge, unless NULL, is called
 * every few milliseconds of a call that takes long, by the loop, under the caller's lock: no lock, no wait. */
typedef void caller_done(void *arg, const struct call_reply *reply, const struct err *err);
struct caller_end {
	caller_done *done;
	void (*nudge)(void *arg);
	void *arg;
	bool unread;
};

/* caller_begin(c, s, end, sent, number, err): what all of them begin with.  *sent on failure: the request may
 * have left all the same.  *number, unless NULL, is the call's.  caller_abandon(c, number): it is forgotten, done
 * is not called; false when its end was faster. */
enum err_code caller_begin(struct caller *c, const struct call_spec *s, const struct caller_end *end, bool *sent,
    uint32_t *number, struct err *err);
bool caller_abandon(struct caller *c, uint32_t number);

struct leaders *caller_leaders(struct caller *c);
struct traffic *caller_traffic(struct caller *c);	/* NULL: nobody counts */
struct discovery *caller_discovery(struct caller *c);

/* caller_pause(c, ns): waits; false when the caller was closed, before or meanwhile. */
bool caller_pause(struct caller *c, int64_t ns);

/* caller_attempts(c, s, began, reply, err): the first attempt, and those that spec and deadline allow.
 * began: when the call came in, from which its time counts. */
enum err_code caller_attempts(struct caller *c, const struct call_spec *s, struct mono began,
    struct call_reply *reply, struct err *err);

/* caller_sticky: the same, to whoever leads (sticky.h). */
enum err_code caller_sticky(struct caller *c, const struct call_spec *s, struct mono began,
    struct call_reply *reply, struct err *err);

#endif
