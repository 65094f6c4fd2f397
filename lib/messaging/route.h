/* route.h - inside lib/messaging: where one call goes, and what its answer means. */
#ifndef MESSAGING_ROUTE_H
#define MESSAGING_ROUTE_H

#include <stdbool.h>

#include "base/err.h"
#include "codec/subject.h"
#include "messaging/caller.h"

/* Names and no subjects: it is copied with every call, and those are made in no time. */
struct route {
	bool direct;			/* to the instance's own subject, else to the service's */
	bool demanded;			/* the caller wants this instance and no other */
	struct peer *peer;		/* whose calls in flight we count; NULL: nobody's */
	char service[132], instance[132], method[132];	/* what names.h allows, and its end */
};

/* route_find(d, s, r, err): picks an instance from the current directory.  A service that
 * the registry does not know is tried on its queue subject: it may serve unregistered.
 * Fails when it is certain that nobody can answer; then nothing is to be released. */
enum err_code route_find(struct discovery *d, const struct call_spec *s, struct route *r, struct err *err);
void route_release(struct route *r);	/* the call is over */

/* route_subject(r): where it is to be sent. */
struct subject route_subject(const struct route *r);

/* route_note(r, m, err): what came of a call (m: its answer; NULL when err says why there is none), for
 * the breaker of the instance that was asked; before route_release.  Which way it turned; logged. */
enum breaker_turn route_note(const struct route *r, const struct msg *m, const struct err *err);

/* route_nobody(r, d, err): the sentence for "no responders": no such service (with near
 * names), or nobody of it listens. */
enum err_code route_nobody(const struct route *r, struct discovery *d, struct err *err);

/* route_read_reply(m, reply, err): the result in m, or the error that it carries, be it in the
 * result (an exclusive method's NOT_ACTIVE: ERR_NOT_ACTIVE, EXECUTION_ERROR: ERR_HANDLER, or
 * ERR_OUTCOME_UNKNOWN when its message says so).  The nested form of a success is a result like
 * any other. */
enum err_code route_read_reply(struct msg *m, struct call_reply *reply, struct err *err);

#endif
