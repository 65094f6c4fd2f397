/* claim.h - a tenure by hand, for its tests: a clock that is a number, and one event at a time. */
#ifndef SUPPORT_CLAIM_H
#define SUPPORT_CLAIM_H

#include "member/tenure.h"

#define BEAT (10 * NS_PER_S)

#define EV(k) TENURE_EV_##k

static struct mono now;

static inline void
fresh(struct tenure *t)
{
	tenure_init(t, &(struct tenure_opts){ .heartbeat_ns = BEAT, .seed = 42 });
	now = (struct mono){ 1000 * NS_PER_S };
}

#endif
