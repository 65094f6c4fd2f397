/* hub.h - the states that pages show, in the order in which they last changed.  Pure: no lock, no clock.
 *
 * There is no queue for each reader.  What changes are states, each under a key, so all of them stand in one
 * list by the place of their last change, and a reader is a cursor: it takes what stands behind its place.
 * Who is slow finds each state once, the newest, however often it changed: that is the coalescing, the
 * bound is the number of keys, and a thousand readers cost nothing but their cursors.  What is gone leaves a
 * marker; markers are bounded, and a reader whose place lies before a dropped one begins anew.
 *
 * A position is text that any replica understands.  Here it is the place in this list.  Elsewhere it is the
 * registry's own sequence: that replica sends what changed since, and what it does not have from the
 * registry. */
#ifndef MONITOR_HUB_H
#define MONITOR_HUB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/value.h"

#define HUB_TOPICS(X) \
	X(INSTANCES, "instances") X(SERVICES, "services") X(GROUPS, "groups") X(METRICS, "metrics") \
	X(CONFIG, "config") X(OVERVIEW, "overview")
#define X(id, name) HUB_##id##_BIT,
enum { HUB_TOPICS(X) HUB_TOPIC_COUNT };
#undef X
#define X(id, name) HUB_##id = 1 << HUB_##id##_BIT,
enum hub_topic { HUB_TOPICS(X) HUB_ALL = (1 << HUB_TOPIC_COUNT) - 1 };
#undef X

#define HUB_MARKERS 1024
#define HUB_LAG 1024		/* changes behind which a reader is told that it was too slow */
#define HUB_POSITION_MAX 96

/* hub_topics(text, out): "instances,groups"; false for a name that is none.  Empty: all. */
bool hub_topics(struct text list, unsigned *out);

/* One state: immutable, shared by the list and by readers; hub_item_unref. */
struct hub_item {
	atomic_long refs;
	enum hub_topic topic;
	bool gone;
	uint64_t place;
	char *service;			/* whose; "" for nobody's */
	const char *event;		/* its name, a literal */
	size_t n;
	char data[];			/* JSON, terminated */
};
void hub_item_unref(struct hub_item *i);	/* any thread; NULL is fine */

struct hub;

struct hub *hub_new(uint64_t replica);		/* a number that no other process has */
void hub_free(struct hub *h);

struct hub_state {
	enum hub_topic topic;
	const char *event;
	const char *key;		/* one for each topic and thing */
	const char *service;
	struct text data;
	uint64_t revision;		/* of the registry, when it was changed there; else 0 */
	bool own;			/* (also) made of what the registry does not say */
	bool gone;
};

/* hub_put(h, s): the state of its key from now on; copies.  Gone for what is not there is no news. */
void hub_put(struct hub *h, const struct hub_state *s);

/* hub_forget(h, topic, key): without a word to anybody. */
void hub_forget(struct hub *h, enum hub_topic topic, const char *key);

/* hub_data(h, topic, key): the item, without a reference; NULL when there is none or it is gone. */
const struct hub_item *hub_data(const struct hub *h, enum hub_topic topic, const char *key);

/* What is known of the registry: which incarnation of the bucket (0: unknown) and how far it was followed.
 * Removals up to `since` may have been missed.  doubtful: some instance may have ended by age, which no
 * sequence tells; then positions of here do not resume elsewhere. */
void hub_bucket(struct hub *h, uint64_t incarnation, uint64_t since);
void hub_reached(struct hub *h, uint64_t revision);
void hub_doubt(struct hub *h, bool doubtful);
uint64_t hub_place(const struct hub *h);	/* of the last change */

/* --- readers --- */

struct hub_cursor {
	unsigned topics;		/* of enum hub_topic */
	const char *service;		/* only what is this service's; "" or NULL: everything */
	uint64_t place, reach;		/* set by the hub */
	uint64_t since;			/* while `foreign`: the registry's sequence to begin behind */
	bool foreign;			/* it comes from another replica, and has not read yet */
	bool doubtful;
};

enum hub_resume {
	HUB_RESUMED,
	HUB_AHEAD,			/* this replica has not heard of that yet: try again soon, or begin anew */
	HUB_TOO_OLD,			/* or from nowhere: begin anew, by hub_all */
};
enum hub_resume hub_resume(const struct hub *h, const char *position, struct hub_cursor *c);

/* hub_position(h, c, out): where c stands, as text. */
void hub_position(const struct hub *h, const struct hub_cursor *c, char out[HUB_POSITION_MAX]);

/* hub_read(h, c, out, max, missed): at most max items that c has not seen, oldest change first, each with a
 * reference; c moves behind them.  *missed: states that changed more than once since, when c was more than
 * HUB_LAG changes behind; else 0.  *lost: markers were dropped that c has not seen, so that it must begin
 * anew; nothing is read then. */
size_t hub_read(const struct hub *h, struct hub_cursor *c, struct hub_item **out, size_t max, uint64_t *missed, bool *lost);

/* hub_all(h, c, out): everything that is there, with references, in an array of the caller's; c stands
 * behind it. */
size_t hub_all(const struct hub *h, struct hub_cursor *c, struct hub_item ***out);

#endif
