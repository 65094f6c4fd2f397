/* traffic.h - what a process counts of its calls, events and commands, under the names of wire.md §13;
 * the calls that it serves are counted in methods.h.
 *
 * Of each kind 64 names are told apart, the rest is "_other".  Counting is atomic and never blocks,
 * once a name is known; any thread.  Everything but traffic_new takes NULL for "nobody counts". */
#ifndef MESSAGING_TRAFFIC_H
#define MESSAGING_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct hist;
struct traffic;

struct traffic *traffic_new(void);
void traffic_free(struct traffic *t);	/* whoever counted in it is gone */

/* What happened once.  ns: how long it took; less than 0: it never began. */
void traffic_called(struct traffic *t, const char *service, const char *method, enum err_code code, int64_t ns);
void traffic_retried(struct traffic *t, const char *service, const char *method, unsigned attempts, enum err_code code);
/* An attempt of a call to whoever leads; resumed: a call whose first attempt failed was answered after all, ns after it began. */
void traffic_sticky(struct traffic *t, const char *service, const char *method, enum err_code code, int64_t ns);
void traffic_resumed(struct traffic *t, const char *service, const char *method, int64_t ns);
void traffic_breaker(struct traffic *t, bool opened);		/* an instance fell silent, or answered again */
void traffic_published(struct traffic *t, const char *domain, const char *type, bool stored, int64_t ns);
void traffic_event(struct traffic *t, const char *domain, const char *type);	/* handled */
void traffic_event_failed(struct traffic *t);			/* a handler could not, or nobody could read it */
void traffic_sent(struct traffic *t, const char *service, const char *command, int64_t ns);

/* An execution of a command ended; failed: it brought nothing. */
void traffic_worked(struct traffic *t, const char *service, const char *command, int64_t ns);
void traffic_command(struct traffic *t, const char *service, const char *command);	/* completed */
void traffic_command_failed(struct traffic *t);
void traffic_contract_broken(struct traffic *t);		/* a message breaks the contract of the service */

/* How things stand: events with their handlers, one more or less; commands of a kind with the handler,
 * and fetched and waiting. */
void traffic_events_open(struct traffic *t, int by);
void traffic_commands(struct traffic *t, const char *service, const char *command, unsigned running, unsigned waiting);

/* How a member of a group fares: what became of its leads, and of the calls that only a leader executes.
 * Told from the first of them on.  add counts one more, set says how many there were. */
#define TRAFFIC_MARKS(X) \
	X(ACQUIRED, "election.leadership.acquired") \
	X(TAKEN_OVER, "election.leadership.acquired.takeover")	/* from one whose lease had run out */ \
	X(EXISTS, "election.leadership.exists")			/* somebody else took a lead that this one stood by for */ \
	X(ERROR, "election.leadership.error")			/* writes to the lease's registers that nobody answered */ \
	X(UPDATED, "election.leadership.updated")		/* the leader key, once a second by who leads */ \
	X(UPDATE_FAILED, "election.leadership.update_error") \
	X(RELEASED, "election.leadership.released") \
	X(RELEASE_FAILED, "election.leadership.release_error")	/* the leader key could not be removed */ \
	X(WON, "sticky_active.election.won") \
	X(BEAT, "sticky_active.heartbeat.success")		/* as UPDATED, which is what Python beats by */ \
	X(BEAT_FAILED, "sticky_active.heartbeat.error") \
	X(NOT_WON, "sticky_active.election.lost")		/* as EXISTS */ \
	X(FAILED_OVER, "sticky_active.failover.success") \
	X(OUTRUN, "sticky_active.failover.lost")		/* as EXISTS, after a lease that had run out */ \
	X(LOST, "sticky_active.leader.lost")			/* without having let it go */ \
	X(NOT_ACTIVE, "sticky_active.rpc.not_active") \
	X(PROCESSED, "sticky_active.rpc.processed")
#define X(id, name) TRAFFIC_##id,
enum traffic_mark { TRAFFIC_MARKS(X) TRAFFIC_MARK_COUNT };
#undef X
void traffic_mark_add(struct traffic *t, enum traffic_mark m);
void traffic_mark_set(struct traffic *t, enum traffic_mark m, uint64_t n);

/* traffic_report(t, r): tells all of it to r, by name; names live during the call. */
struct traffic_reader {
	void (*counter)(void *arg, const char *name, uint64_t value);
	void (*gauge)(void *arg, const char *name, double value);
	void (*summary)(void *arg, const char *name, const struct hist *h);
	void *arg;
};
void traffic_report(const struct traffic *t, const struct traffic_reader *r);

#endif
