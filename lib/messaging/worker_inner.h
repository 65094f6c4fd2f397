/* worker_inner.h - inside lib/messaging: a worker and its jobs from within.
 *
 * worker.c is a worker's life and what cancels, worker_queue.c what comes from the stream and what
 * keeps it from coming, worker_job.c one job from its first step to its last.
 *
 * A job has up to three owners, each with a reference: the loop until the delivery is settled,
 * the handler until it answers, and the publisher while it buries.  Only the loop touches the
 * attempt; the others post. */
#ifndef MESSAGING_WORKER_INNER_H
#define MESSAGING_WORKER_INNER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/str.h"
#include "codec/subject.h"
#include "messaging/attempt.h"
#include "messaging/window.h"
#include "messaging/worker.h"
#include "model/envelope.h"
#include "nats/consumer.h"
#include "sys/loop.h"
#include "sys/pool.h"

#define WORKER_MAGIC 0x30b50001u
#define JOB_MAGIC 0x30b50002u
#define CANCELS_KEPT 256		/* wishes for commands that are not here yet */

struct worker {
	unsigned magic;
	atomic_long refs;		/* its owner's and one for each job */
	struct worker_opts o;		/* strings are ours */
	struct subject subject, durable, python;
	struct consumer *consumer;
	struct sub *cancels;
	struct window window;
	struct job *jobs;		/* not settled; the loop's */
	unsigned running;		/* jobs that the handler has */
	bool leaving, ended;
	char *early[CANCELS_KEPT];	/* ids that were cancelled before they came; a ring */
	unsigned nearly;
	struct worker_counters n;

	struct pool_job asking;		/* streams, or the other worker */
	bool is_asking, conflict;	/* conflict: what to ask for */
	struct loop_timer look;		/* while there is one */
	struct str said;		/* of it, so that only news is told */
	struct consumer_facts facts;
	enum err_code found;
	struct err why;

	pthread_mutex_t lock;		/* leaf: open */
	pthread_cond_t idle;
	unsigned open;			/* jobs that are not settled */
};

struct job {
	unsigned magic;
	atomic_int refs;
	struct worker *worker;
	struct job *next, *prev;
	struct window_item item;
	struct attempt attempt;
	struct loop_timer timer;
	struct delivery *delivery;	/* NULL once settled */
	struct mail arrival, answer, burial;

	enum data_format format;
	enum priority priority;
	struct str id, trace_id, source, payload;
	bool has_source, mute;		/* mute: its id is no subject token */
	bool with_handler;		/* the loop's */
	atomic_bool cancelled;
	struct mono began, deadline;
	void *user;

	enum attempt_event verdict;	/* the handler's answer */
	struct str completion;		/* encoded, of DONE; the handler's, as the next */
	struct str text;		/* why it failed */
	struct str notice;		/* the completion that the loop itself composes */
	bool buried;
};

/* worker_ref, worker_unref: any thread. */
struct worker *worker_ref(struct worker *w);
void worker_unref(struct worker *w);

/* worker_pump(w): gives the handler what it may have.  The loop's thread. */
void worker_pump(struct worker *w);

/* worker_gauge(w): tells how many of its commands run and wait.  The loop's thread. */
void worker_gauge(const struct worker *w);

/* worker_ask_store(w, conflict): on the pool: makes the streams when they are missing, or looks at
 * who else takes the commands.  Once at a time.  The loop's thread. */
void worker_ask_store(struct worker *w, bool conflict);

/* worker_open_queue(w, err): the consumer.  All that is fetched and not settled is said to be in
 * work, also what only waits here.  The loop's thread, or before the loop runs. */
enum err_code worker_open_queue(struct worker *w, struct err *err);

/* job_step(j, ev): the one place where an attempt goes on; j may be gone afterwards.  The loop's
 * thread. */
void job_step(struct job *j, enum attempt_event ev);
void job_unref(struct job *j);

#endif
