/* worker.h - the serving side of commands (wire.md §7): fetch, order, run, report, settle.
 *
 * One worker serves one command of a service through the durable pull consumer
 * {service}__{command}, which all instances share.  At most `window` deliveries are fetched and not
 * finished (policy beyond: they stay in the stream); at most `max_running` of them are with
 * the handler.  What happens to each is decided by attempt.h, all of it on the loop.
 *
 * A Python worker that holds the queue is never displaced: the worker waits, and says so. */
#ifndef MESSAGING_WORKER_H
#define MESSAGING_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/instant.h"
#include "model/value.h"

struct conn;
struct guard;
struct loop;
struct pool;
struct publisher;
struct traffic;
struct worker;
struct job;

#define WORKER_WINDOW_MAX 1024

struct worker_opts {
	struct conn *conn;
	struct loop *loop;
	struct pool *pool;		/* for what asks the store */
	struct publisher *publisher;	/* for dead letters */
	struct guard *guard;		/* judges payloads and results; outlives the jobs; NULL: none */
	struct traffic *traffic;	/* where jobs are counted; NULL: nowhere; must outlive the loop */
	const char *service, *instance, *command;
	unsigned max_running;		/* 0: 8 */
	unsigned window;		/* 0: twice max_running, at least 16 */
	int64_t ack_wait_ns;		/* after which a dead worker's deliveries are repeated; 0: 30 s */
	int64_t backoff_ns, backoff_max_ns;	/* between attempts; 0: 1 s, doubling up to 5 min */
	bool replace_unbound;		/* the operator's word: remove the consumer of a Python worker that
					   nobody is bound to; its commands stay in the stream */

	/* handler(arg, job): runs the job, on the loop: it must not block; it answers, or passes the job
	 * on.  stop(arg, job): the job was cancelled or took too long; whoever has it may end early.
	 * On the loop, only while the handler has the job, and it still has to answer it.  May be
	 * NULL. */
	void (*handler)(void *arg, struct job *job);
	void (*stop)(void *arg, struct job *job);
	void *arg;
};

/* worker_new(o, err): strings are copied.  The loop's thread, or before the loop runs. */
struct worker *worker_new(const struct worker_opts *o, struct err *err);

/* worker_leave(w): takes nothing new and gives back what waits; what runs may end.  The loop's
 * thread.  Once is enough. */
void worker_leave(struct worker *w);

/* worker_drain(w, timeout_ns): after worker_leave: waits until nothing runs; how many still do.
 * Blocks; not on the loop. */
unsigned worker_drain(struct worker *w, int64_t timeout_ns);

/* worker_free(w): lets go of what still runs, so that it is delivered again elsewhere.  The
 * loop's thread, or when the loop does not run; before the pool, the publisher and the loop are
 * freed.  Jobs that a handler still has may be answered until the loop is freed.  NULL is fine. */
void worker_free(struct worker *w);

struct worker_counters {
	uint64_t completed, cancelled, failed_attempts, buried, unreadable;
	unsigned running, waiting;	/* now */
};
void worker_count(const struct worker *w, struct worker_counters *out);		/* the loop's thread */

/* What a handler sees of its job, until it answers; any thread. */
const char *job_command(const struct job *j);
const char *job_id(const struct job *j);		/* message_id */
const char *job_trace_id(const struct job *j);
const char *job_source(const struct job *j);		/* NULL when the sender named none */
const char *job_header(const struct job *j, const char *name);	/* handler's run only; NULL when absent */
uint64_t job_deliveries(const struct job *j);		/* 1 at the first attempt */
const char *job_payload_json(const struct job *j);
struct mono job_deadline(const struct job *j);		/* when the attempt counts as failed */
bool job_cancelled(const struct job *j);		/* nobody waits for more: cancelled, or too late */
void *job_user(const struct job *j);			/* what job_set_user kept with it; NULL at first */
void job_set_user(struct job *j, void *user);

/* job_progress(j, percent, status): tells the sender; percent is brought into 0 to 100, status
 * may be NULL. */
void job_progress(struct job *j, double percent, const char *status);

/* Exactly one of these answers the job, which is gone then: it is done, with a result of either
 * format (absent: null); it failed, with words for the sender and the dead letters; what ran it
 * died (perhaps executed); it was not begun, and is to be tried again soon.  Any thread. */
void job_done(struct job *j, struct data result);
void job_fail(struct job *j, const char *text);
void job_died(struct job *j, const char *text);
void job_bounce(struct job *j);

#endif
