/* discovery.h - who is there: one watch, one table, one snapshot for all readers.
 *
 * The table belongs to the core loop; readers on any thread take the current directory and
 * never wait.  The watch is opened at the first need, not at start (wire.md §8.1).  While
 * NATS is away the last-known directory goes on being served, and says how old it is. */
#ifndef DISCOVERY_DISCOVERY_H
#define DISCOVERY_DISCOVERY_H

#include "base/err.h"
#include "discovery/directory.h"

struct conn;
struct loop;
struct discovery;

struct discovery_opts {
	struct loop *loop;
	struct conn *conn;
	int64_t stale_ns;		/* 0: STALE_AFTER_S */
};

struct discovery *discovery_new(const struct discovery_opts *o);
void discovery_free(struct discovery *d);	/* the loop's thread, or when it does not run */

/* discovery_listen(d, l): l hears, on the loop's thread, each change of the table (table.h) as it is
 * applied, and when the watch begins or ceases to follow the bucket; inside a resync the changes
 * come before its synced(true).  One listener, set before discovery_start; *l is copied. */
struct table_news;
struct discovery_listener {
	void (*news)(void *arg, const struct table_news *n);
	void (*synced)(void *arg, bool synced);
	void *arg;
};
void discovery_listen(struct discovery *d, const struct discovery_listener *l);

/* discovery_start(d, err): opens the watch if nobody did; any thread, cheap when open. */
enum err_code discovery_start(struct discovery *d, struct err *err);

/* discovery_wait(d, timeout_ns): starts, then blocks until the first listing is complete, or
 * there is nothing to list (no bucket, no JetStream), or the time is over; true when it is
 * complete.  Any thread but the loop's. */
bool discovery_wait(struct discovery *d, int64_t timeout_ns);

/* discovery_stop(d): nobody waits any more: discovery_wait returns at once, now and from now on.
 * The directory stays readable.  Any thread. */
void discovery_stop(struct discovery *d);

/* discovery_take(d): the current directory with a reference (snapshot_drop), or NULL
 * before the first listing.  Any thread, no lock. */
const struct directory *discovery_take(struct discovery *d);
void discovery_drop(const struct directory *dir);

/* Why the whole registry was read: "start", "reconnect", … (nats/watch.h). */
#define DISCOVERY_REASONS 4
extern const char *const discovery_reasons[DISCOVERY_REASONS];

struct discovery_state {
	bool started, synced;		/* synced: the watch follows the bucket right now */
	int64_t age_ns;			/* how long it has not, 0 while synced */
	uint64_t resyncs, changes;
	uint64_t because[DISCOVERY_REASONS];	/* the resyncs by discovery_reasons */
};
struct discovery_state discovery_state(struct discovery *d);

int64_t discovery_stale_ns(const struct discovery *d);

/* discovery_offset(d): where round robin begins, drawn once: else all the processes that make
 * a single call would make it at the first instance. */
uint64_t discovery_offset(const struct discovery *d);

#endif
