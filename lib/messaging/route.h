/* route.h - inside lib/messaging: where one call goes, and what its answer means. */
#ifndef MESSAGING_ROUTE_H
#define MESSAGING_ROUTE_H

#include <stdbool.h>

#include "base/err.h"
#include "codec/subject.h"
#include "messaging/caller.h"

struct route {
	struct subject direct_to;	/* the instance's own subject, while `direct` */
	struct subject queue;		/* the service's */
	bool direct;			/* sent, or to be sent, to direct_to */
	bool demanded;			/* the caller wants this instance and no other */
	struct peer *peer;		/* whose calls in flight we count; NULL: nobody's */
	char service[136], instance[104];
};

/* route_find(d, s, r, err): picks an instance from the current directory.  A service that
 * the registry does not know is tried on its queue subject: it may serve unregistered.
 * Fails when it is certain that nobody can answer; then nothing is to be released. */
enum err_code route_find(struct discovery *d, const struct call_spec *s, struct route *r, struct err *err);
void route_release(struct route *r);	/* the call is over */

/* route_nobody(r, d, err): the sentence for "no responders": no such service (with near
 * names), or nobody of it listens. */
enum err_code route_nobody(const struct route *r, struct discovery *d, struct err *err);

/* route_read_reply(m, reply, err): the result in m, or the error that it carries. */
enum err_code route_read_reply(struct msg *m, struct call_reply *reply, struct err *err);

#endif
