/* live.h - the hub between the threads that change states and those that stream them.
 *
 * One lock around one hub.  Writers put; readers wait for what is behind their cursor.  Readers are woken
 * at most every 50 ms, so that a storm of changes costs five hundred readers twenty wakings a second
 * and not one for each change; the first change after a quiet time is told at once. */
#ifndef MONITOR_LIVE_H
#define MONITOR_LIVE_H

#include "base/err.h"
#include "base/instant.h"
#include "monitor/hub.h"

struct live;

#define LIVE_WAKE_NS (50 * NS_PER_MS)

struct live *live_new(void);
void live_free(struct live *l);			/* no reader is left; NULL is fine */

/* Writers; any thread.  live_put(l, s, urgent): as hub_put; urgent wakes readers as above, the others
 * wait for the next waking.  live_wake(l): now, if anything waits for it. */
void live_put(struct live *l, const struct hub_state *s, bool urgent);
void live_forget(struct live *l, enum hub_topic topic, const char *key);
void live_bucket(struct live *l, uint64_t incarnation, uint64_t since);
void live_reached(struct live *l, uint64_t revision);
void live_doubt(struct live *l, bool doubtful);
void live_wake(struct live *l);

/* live_data(l, topic, key): the item as it is, with a reference; NULL when there is none. */
struct hub_item *live_data(struct live *l, enum hub_topic topic, const char *key);

/* --- readers; each has a cursor of its own --- */

/* live_begin(l, position, c, patience_ns): where c begins.  True: it resumes where position says.  False: with
 * live_all.  position may be NULL.  Blocks at most that long for a replica that is a little behind. */
bool live_begin(struct live *l, const char *position, struct hub_cursor *c, int64_t patience_ns);
size_t live_all(struct live *l, struct hub_cursor *c, struct hub_item ***out);

/* live_read(l, c, out, max, until, missed, lost): as hub_read, and waits for something to read until then. */
size_t live_read(struct live *l, struct hub_cursor *c, struct hub_item **out, size_t max, struct mono until,
    uint64_t *missed, bool *lost);
void live_position(struct live *l, const struct hub_cursor *c, char out[HUB_POSITION_MAX]);

/* live_stop(l): nobody waits any more, now and from now on. */
void live_stop(struct live *l);

struct live_counters {
	uint64_t changes, lagged, resyncs;
	uint64_t wakings;		/* of all who wait, for a change */
};
void live_lagged(struct live *l, uint64_t missed, bool resync);
struct live_counters live_counters(struct live *l);

#endif
