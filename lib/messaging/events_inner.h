/* events_inner.h - inside lib/messaging: subscriptions and events from within.
 *
 * events.c keeps the subscriptions and their consumers, event.c what becomes of one delivery,
 * event_publish.c is the other end.  An event outlives the callback that brought it, and may
 * outlive the subscription: both are counted references. */
#ifndef MESSAGING_EVENTS_INNER_H
#define MESSAGING_EVENTS_INNER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/id.h"
#include "base/str.h"
#include "messaging/events.h"
#include "nats/conn.h"
#include "sys/loop.h"
#include "sys/pool.h"

/* event_encode(o, id, out, err): checks and encodes; id is what deduplicates it where o has none of its own. */
enum err_code event_encode(const struct event_out *o, char id[ID_UUID_MAX], struct str *out, struct err *err);

#define EVENTS_MAGIC 0xe0e40001u
#define EVENT_CRASHES 3		/* deliveries beyond the attempts, for workers that died with it */

struct subscription {
	struct events *ev;
	char *pattern, *durable;
	enum event_mode mode;
	unsigned max_attempts;
	int64_t ack_wait_ns, run_ns, retry_ns;
	void (*handler)(void *, struct event *);
	void *arg;
	struct consumer *consumer;
	struct sub *core;		/* mixed wildcards: no consumer, no acknowledgements */
};

struct events {
	unsigned magic;
	atomic_int refs;		/* the owner's, and each event's */
	struct conn *conn;
	struct loop *loop;
	struct pool *pool;
	struct publisher *publisher;
	struct traffic *traffic;
	struct guard *guard;
	char *service, *instance;
	struct subscription *subs[EVENTS_MAX];
	size_t n;
	atomic_ulong done, failed, dead, bad, refused;

	/* The loop's thread only. */
	bool left, for_good, making;
	struct pool_job make;
	struct err make_err;

	pthread_mutex_t lock;		/* leaf: all of the following */
	pthread_cond_t idle;
	unsigned open;
	struct event *kept, **kept_end;	/* refused, the one that waits longest first */
	unsigned kept_core;		/* of those, without a consumer's window to bound them */
	bool closed;			/* nothing is kept any more */
	bool arranging;			/* the mail is on its way, or the timer runs */

	struct mail arrange;
	struct loop_timer again;	/* the loop's */
};

void events_unref(struct events *ev);		/* any thread */

/* event_on_delivery, event_on_core: handlers of consumer.h and conn.h, for a subscription: one
 * message becomes an event. */
void event_on_delivery(void *subscription, struct delivery *d);
void event_on_core(void *subscription, struct msg *m);

/* event_arrange, event_arrange_not: the mail that sets the timer of kept events, which has a reference.  event_let_go(ev): what is kept goes
 * back to the stream, and so does what is refused from now on.  The loop's thread. */
void event_arrange(struct mail *m);
void event_arrange_not(struct mail *m);
void event_let_go(struct events *ev);

#endif
