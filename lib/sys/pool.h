/* pool.h - worker threads for what may block: store round trips, name look-ups.
 *
 * A job is the caller's struct.  pool_run hands it over; work(job) runs on a worker, then
 * done(job) on the loop, which gets it back.  Bound: `cap` jobs besides one per thread,
 * counted from pool_run to done; beyond that pool_run refuses with ERR_BUSY and the job
 * stays the caller's. */
#ifndef SYS_POOL_H
#define SYS_POOL_H

#include "base/err.h"
#include "sys/loop.h"

struct pool;

struct pool_job {
	struct pool_job *next;		/* the pool's */
	void (*work)(struct pool_job *job);
	void (*done)(struct pool_job *job);
};

/* pool_new: NULL when the system is out of threads.  Free the pool before the loop. */
struct pool *pool_new(struct loop *l, unsigned threads, size_t cap, struct err *err);

/* pool_free(p): waits for the jobs that run; those still waiting are not worked on.  done
 * is called for each, on this (the loop's) thread, so that nothing leaks: when pool_free
 * returns, no job is left anywhere.  Not from a done function; NULL is fine. */
void pool_free(struct pool *p);

/* pool_run(p, job): any thread, until pool_free begins (ERR_CLOSED during it). */
enum err_code pool_run(struct pool *p, struct pool_job *job);

/* pool_thread_end: called by every worker before it ends; a library that keeps memory
 * per thread hooks its clean-up here.  Set once, before the first pool. */
extern void (*pool_thread_end)(void);

#endif
