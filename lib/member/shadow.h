/* shadow.h - the leader key that Python observers read (wire.md §9), written beside the lease.
 *
 * Never read to decide who leads.  The holder writes it once a second by compare-and-set and
 * purges it when it lets go; nobody purges another's.  A standby only looks: a value without
 * metadata.epoch that is younger than 60 s is a Python member that leads, which no lease excludes, so
 * nobody here may lead then.  That compares two wall clocks, which Python forces on us.
 *
 * The loop's thread; what blocks runs on the pool. */
#ifndef MEMBER_SHADOW_H
#define MEMBER_SHADOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/instant.h"

struct conn;
struct loop;
struct pool;
struct shadow;
struct traffic;

struct shadow_opts {
	struct loop *loop;
	struct pool *pool;		/* freed before the shadow */
	struct conn *conn;
	struct traffic *traffic;	/* where writes and purges are counted; outlives the shadow */
	const char *service, *group, *instance;	/* copied */
	/* foreign(arg, who): a Python member leads; NULL: it does not any more.  At the first look, whose
	 * end looked(arg) tells, and at every change. */
	void (*foreign)(void *arg, const char *who);
	void (*looked)(void *arg);
	void *arg;
};

/* shadow_new(o): looks at once, and then every second. */
struct shadow *shadow_new(const struct shadow_opts *o);
void shadow_free(struct shadow *s);	/* NULL is fine; leaves the key alone */

/* shadow_hold(s, epoch, since, lease_ms): this member leads: writes from now on. */
void shadow_hold(struct shadow *s, uint64_t epoch, struct wall since, int64_t lease_ms);

/* shadow_release(s): it does not any more; purges what is its own. */
void shadow_release(struct shadow *s);

#endif
