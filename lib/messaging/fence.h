/* fence.h - what a leader publishes, refused by the stream itself once somebody newer leads (election.md §6, level stream).
 *
 * In the stream of events each lane of a group has a subject whose last message names the epoch that may publish.  A new
 * leader writes it; whoever publishes expects it to be the very message that it knows.  So an event that a frozen
 * leader had under way when it lost the lead is not stored when it thaws, whatever its clock says.
 * One event at a time is under way in a lane; with one lane they are stored in the order in which they were begun. */
#ifndef MESSAGING_FENCE_H
#define MESSAGING_FENCE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "messaging/events.h"
#include "model/lease.h"

struct conn;
struct fence;
struct gate;
struct publisher;

#define FENCE_LANES LEASE_LANES

struct fence_opts {
	struct conn *conn;
	struct publisher *publisher;
	const struct gate *gate;	/* asked before each attempt; all three outlive its close */
	const char *gid, *instance;	/* copied */
	unsigned lanes;			/* 1..FENCE_LANES; the same for all members of the group */
};

/* fence_new(o): one reference, the caller's, who says fence_close before gate, connection or publisher go: after that nothing is
 * published, and threads that are in fence_publish need nothing of them but the publisher.  NULL is fine for unref. */
struct fence *fence_new(const struct fence_opts *o);
struct fence *fence_ref(struct fence *f);
void fence_unref(struct fence *f);
void fence_close(struct fence *f);

/* fence_deposed(f): the highest epoch beyond the hold's own that a lane showed: somebody newer leads; 0: none did.
 * fence_rejects(f): events that were refused for want of the lead.  Any thread. */
uint64_t fence_deposed(const struct fence *f);
uint64_t fence_rejects(const struct fence *f);

/* fence_hold(f, epoch): a hold began, whose lanes are to be raised; 0: it is over, and who waits for a lane is refused.  Any
 * thread; does not wait. */
void fence_hold(struct fence *f, uint64_t epoch);

/* fence_raise(f, timeout_ns, err): writes the epoch of the hold into every lane that does not show it.  Blocks.
 * ERR_NOT_ACTIVE: there is no hold, or somebody newer has. */
enum err_code fence_raise(struct fence *f, int64_t timeout_ns, struct err *err);

/* fence_publish(f, e, ack, err): as event_publish_wait, under the hold, which must be the one that e names, if it names one.  ERR_NOT_ACTIVE: certainly not stored, because there is no
 * hold or a newer one; ERR_OUTCOME_UNKNOWN: nobody knows.  Blocks; any thread but the loop's. */
enum err_code fence_publish(struct fence *f, const struct event_out *e, struct pub_ack *ack, struct err *err);

#endif
