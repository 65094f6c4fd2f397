/* announce.h - the events sticky_active.LeaderElected and LeaderLost (wire.md §6, election.md §8).
 *
 * Published after the fact, in the background, tried again for a while, never waited for: nobody's
 * lead depends on them.  Bound: the last 8 that wait; an older one is dropped, and said so. */
#ifndef MEMBER_ANNOUNCE_H
#define MEMBER_ANNOUNCE_H

#include <stdint.h>

#include "base/instant.h"

struct announce;
struct conn;
struct loop;
struct pool;
struct publisher;

struct announce_opts {
	struct loop *loop;
	struct pool *pool;		/* freed before the announcer */
	struct conn *conn;
	struct publisher *publisher;
	const char *service, *group;	/* copied */
};

struct announce *announce_new(const struct announce_opts *o);
void announce_free(struct announce *a);		/* NULL is fine; what waits is not told */

/* announce_elected(a, instance, epoch, previous, at): previous: who led before, NULL when nobody did.
 * announce_lost(a, instance, epoch, reason, at): reason as the lease names it.  Loop. */
void announce_elected(struct announce *a, const char *instance, uint64_t epoch, const char *previous, struct wall at);
void announce_lost(struct announce *a, const char *instance, uint64_t epoch, const char *reason, struct wall at);

#endif
