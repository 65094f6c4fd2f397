/* consumer_inner.h - inside lib/nats: a consumer from within.
 *
 * consumer.c looks for the durable, makes it, and doubts; delivery.c asks for deliveries, hands
 * them out and settles them.  The loop owns what step we are at; the delivering thread and whoever
 * finishes a delivery share the counts with it, under the lock. */
#ifndef NATS_CONSUMER_INNER_H
#define NATS_CONSUMER_INNER_H

#include <pthread.h>
#include <stdatomic.h>

#include "nats/acked.h"
#include "nats/conn.h"
#include "nats/consumer.h"
#include "sys/clock.h"
#include "sys/loop.h"

#define CONSUMER_MAGIC 0xc0110004u
#define HEARTBEAT_NS (5 * NS_PER_S)	/* how often a pull that waits is told that it is alive */
#define PULLS 16			/* whose size is remembered */

enum step { STEP_AWAY, STEP_PAUSE, STEP_LOOKING, STEP_MAKING, STEP_RUNNING };

struct consumer {
	unsigned magic;
	atomic_int refs;		/* the owner's, and each delivery's */
	struct consumer_opts o;		/* strings are ours */
	char inbox[CONN_INBOX_MAX];
	size_t ninbox;
	struct sub *sub, *pushed;
	atomic_int state;
	atomic_ulong foreign, repeats;

	pthread_mutex_t lock;		/* leaf: up to the blank line */
	bool stop, pulling;
	bool doubt, link_changed;	/* for the loop to look at */
	bool kicked;			/* the mail is on its way */
	struct delivery *oldest, *newest;	/* in somebody's hands, by their last sign of life */
	struct acked *acked;		/* what was settled for good; NULL: nothing yet */
	uint64_t furthest;		/* the highest sequence that was handed out */
	uint64_t tick;			/* of saying that they are in work */
	int64_t every_ns;
	unsigned asked, unfinished;	/* deliveries that were asked for; that are in somebody's hands */
	uint64_t pull, first_pull;	/* the last one; older ones than first_pull do not count any more */
	unsigned batch[PULLS];
	struct mono heard;
	uint64_t question;		/* whose answer is awaited; 0: none */
	struct msg *answer;
	char drift[256];

	/* The loop's thread only. */
	enum step step;
	struct loop_timer timer, working;
	struct mail kick;
	int64_t retry_ns;
	uint64_t questions;
	char deliver_subject[160], deliver_group[160];	/* of the push consumer we joined */
	struct err why;
	char created[40];		/* when the durable was made; another time, another durable */
};

static inline struct mono
consumer_now(void)
{
	return clock_mono(clock_system());
}

/* consumer_unref, consumer_kick (the loop is to look at what changed): any thread. */
void consumer_unref(struct consumer *c);
void consumer_kick(struct consumer *c);

/* consumer_pull(c): asks for as many deliveries as the window has room for, if they are worth a
 * message.  Any thread, without the lock. */
void consumer_pull(struct consumer *c);

/* consumer_deliver(c, m): one message of the stream, into the handler's hands; m is taken.
 * consumer_on_status(c, m, number): a word about pull `number`; m is taken.  The delivering thread. */
void consumer_deliver(struct consumer *c, struct msg *m);
void consumer_on_status(struct consumer *c, struct msg *m, uint64_t number);

/* consumer_unremember(c): the durable is made anew, so what it delivers again is meant; the lock is
 * held.  What is in somebody's hands stays there all the same. */
void consumer_unremember(struct consumer *c);

/* consumer_still_working(c): a loop timer's function: says that what is in somebody's hands is in
 * work, now and again. */
void consumer_still_working(void *consumer);

#endif
