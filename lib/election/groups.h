/* groups.h - every group of the site, without taking part: looked at once, or kept current.
 *
 * AEGIS_META tells which groups there are and who led them, at the price of one watch; the registers are
 * looked at in turn, at most GROUPS_LOOKS groups in a second, whatever their number.  So with 20 groups each
 * is looked at every second, with 1,000 every 50 s, but one whose lead changes is always next. */
#ifndef ELECTION_GROUPS_H
#define ELECTION_GROUPS_H

#include "election/observe.h"
#include "sys/snapshot.h"

#define GROUPS_MAX 1024			/* those beyond are counted, not shown */
#define GROUPS_LOOKS 20

struct conn;
struct groups;

/* One immutable picture, ordered by service and group. */
struct groups_list {
	struct snapshot snapshot;	/* first: how it is shared */
	uint64_t version;		/* grows when somebody gains or loses a lead, or a group comes or goes */
	struct wall at;			/* when AEGIS_META was last known to be followed */
	bool held;			/* an election was ever held here */
	bool followed;			/* AEGIS_META is followed right now */
	size_t n, beyond;
	const struct observed *v;	/* one not certain yet has `certain` false and its last leader */
};

/* groups_list_find(l, service, group): NULL when there is none.  l may be NULL. */
const struct observed *groups_list_find(const struct groups_list *l, const char *service, const char *group);
void groups_drop(const struct groups_list *l);	/* NULL is fine */

/* groups_survey(c, patience_ns, err): looks at all until each is certain, or the patience is over; blocks.  NULL when
 * NATS does not answer; groups_drop. */
const struct groups_list *groups_survey(struct conn *c, int64_t patience_ns, struct err *err);

struct groups_opts {
	struct conn *conn;		/* outlives the groups */
	void (*changed)(void *arg);	/* a new version is there; on a thread of its own, must not block; may be NULL */
	void *arg;
};

/* groups_new(o, err): follows from now on, on two threads (watch, groups).  NULL: no thread.  groups_free waits for a
 * look under way, at most some seconds; NULL is fine. */
struct groups *groups_new(const struct groups_opts *o, struct err *err);
void groups_free(struct groups *g);

/* groups_take(g): the current picture (groups_drop), never NULL, or empty before the first.  Any thread. */
const struct groups_list *groups_take(struct groups *g);

/* groups_hurry(g, service, group): look at this one next. */
void groups_hurry(struct groups *g, const char *service, const char *group);

#endif
