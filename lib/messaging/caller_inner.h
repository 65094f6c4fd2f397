/* caller_inner.h - inside lib/messaging: between one attempt at a call (caller.c) and all of them
 * (caller_attempts.c). */
#ifndef MESSAGING_CALLER_INNER_H
#define MESSAGING_CALLER_INNER_H

#include "base/instant.h"
#include "messaging/caller.h"

#define CALLER_TIMEOUT_NS (5 * NS_PER_S)

static inline int64_t
caller_timeout(const struct call_spec *s)
{
	return s->timeout_ns > 0 ? s->timeout_ns : CALLER_TIMEOUT_NS;
}

/* caller_once(c, s, reply, sent, err): one attempt, for a thread that is inside (caller_call).  *sent
 * after a failure: the request may have left. */
enum err_code caller_once(struct caller *c, const struct call_spec *s, struct call_reply *reply, bool *sent,
    struct err *err);

/* caller_pause(c, ns): waits; false when the caller was closed, before or meanwhile. */
bool caller_pause(struct caller *c, int64_t ns);

void caller_count_retry(struct caller *c);

/* caller_attempts(c, s, began, reply, err): the first attempt, and those that spec and deadline allow.
 * began: when the call came in, from which its time counts. */
enum err_code caller_attempts(struct caller *c, const struct call_spec *s, struct mono began,
    struct call_reply *reply, struct err *err);

#endif
