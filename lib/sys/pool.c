/* pool.c - one queue in, one list out, a mail that wakes the loop.
 *
 * Finished jobs go back over a list of the pool's own and not each in a mail, so that
 * pool_free can call every done itself: a job that came back out of the mailbox later
 * would meet owners that are gone.  Only the wake-up may still lie in the mailbox then;
 * it is a struct of its own that learns that its pool has ended. */
#include "sys/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/magic.h"
#include "base/mem.h"
#include "sys/thread.h"

#define DONE_PER_MAIL 64	/* as many as mails in a turn of the loop */

void (*pool_thread_end)(void);

struct wake {
	struct mail mail;
	struct pool *pool;		/* NULL: it has ended */
};

struct jobs {
	struct pool_job *first, **end;
};

struct pool {
	struct loop *loop;
	struct wake *wake;
	pthread_t *threads;
	unsigned n;
	size_t cap;			/* jobs at once, the running ones included */
	bool is_calling_done;		/* the loop's thread only */

	pthread_mutex_t lock;		/* locks.def: pool; guards what follows */
	pthread_cond_t work_or_stop;
	struct jobs waiting, finished;
	size_t jobs;			/* between pool_run and done */
	bool is_posted;			/* wake is in the mailbox */
	bool stop;
};

static void
jobs_init(struct jobs *q)
{
	q->first = NULL;
	q->end = &q->first;
}

static void
jobs_put(struct jobs *q, struct pool_job *j)
{
	j->next = NULL;
	*q->end = j;
	q->end = &j->next;
}

static struct pool_job *
jobs_take(struct jobs *q)
{
	struct pool_job *j = q->first;

	if (j != NULL && (q->first = j->next) == NULL)
		q->end = &q->first;
	return j;
}

/* wake_post: the loop is to look at p->finished.  Vital mails are never refused, and
 * there is one of these per pool. */
static void
wake_post(struct pool *p)
{
	MUST(loop_post(p->loop, &p->wake->mail) == ERR_OK);
}

static void
finished(struct pool *p, struct pool_job *j)
{
	pthread_mutex_lock(&p->lock);
	jobs_put(&p->finished, j);
	bool post = !p->is_posted;
	p->is_posted = true;
	pthread_mutex_unlock(&p->lock);
	if (post)
		wake_post(p);
}

static void *
worker(void *arg)
{
	struct pool *p = arg;
	struct pool_job *j;

	for (;;) {
		pthread_mutex_lock(&p->lock);
		while (!p->stop && p->waiting.first == NULL)
			pthread_cond_wait(&p->work_or_stop, &p->lock);
		j = p->stop ? NULL : jobs_take(&p->waiting);
		pthread_mutex_unlock(&p->lock);
		if (j == NULL)
			break;
		j->work(j);
		finished(p, j);
	}
	if (pool_thread_end != NULL)
		pool_thread_end();
	return NULL;
}

/* hand_back: calls done for the next job of q; false when there is none. */
static bool
hand_back(struct pool *p, struct jobs *q)
{
	pthread_mutex_lock(&p->lock);
	struct pool_job *j = jobs_take(q);
	p->jobs -= j != NULL;
	pthread_mutex_unlock(&p->lock);
	if (j == NULL)
		return false;
	p->is_calling_done = true;
	j->done(j);
	p->is_calling_done = false;
	return true;
}

static void
wake_deliver(struct mail *m)
{
	struct wake *w = CONTAINER_OF(m, struct wake, mail);
	struct pool *p = w->pool;

	if (p == NULL) {
		mem_free(w);
		return;
	}
	for (unsigned i = 0; i < DONE_PER_MAIL; i++)
		if (!hand_back(p, &p->finished))
			break;
	pthread_mutex_lock(&p->lock);
	p->is_posted = p->finished.first != NULL;
	bool post = p->is_posted;
	pthread_mutex_unlock(&p->lock);
	if (post)
		wake_post(p);
}

/* The loop ends with the wake-up still in its mailbox; the pool has ended before. */
static void
wake_discard(struct mail *m)
{
	struct wake *w = CONTAINER_OF(m, struct wake, mail);

	MUST(w->pool == NULL);
	mem_free(w);
}

static void
stop_threads(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->work_or_stop);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n; i++)
		pthread_join(p->threads[i], NULL);
}

struct pool *
pool_new(struct loop *l, unsigned threads, size_t cap, struct err *err)
{
	struct pool *p = mem_new(sizeof *p);
	char name[16];

	MUST(threads > 0);
	p->loop = l;
	p->cap = cap + threads;
	p->wake = mem_new(sizeof *p->wake);
	p->wake->mail = (struct mail){ .deliver = wake_deliver, .discard = wake_discard, .vital = true };
	p->wake->pool = p;
	p->threads = mem_array(threads, sizeof *p->threads);
	jobs_init(&p->waiting);
	jobs_init(&p->finished);
	MUST(pthread_mutex_init(&p->lock, NULL) == 0);
	MUST(pthread_cond_init(&p->work_or_stop, NULL) == 0);
	for (; p->n < threads; p->n++) {
		snprintf(name, sizeof name, "work-%u", p->n);
		if (thread_start(&p->threads[p->n], name, worker, p, err) != ERR_OK) {
			pool_free(p);
			return NULL;
		}
	}
	return p;
}

void
pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	MUST(!p->is_calling_done);
	stop_threads(p);
	while (hand_back(p, &p->finished) || hand_back(p, &p->waiting))
		;
	if (p->is_posted)
		p->wake->pool = NULL;	/* the mailbox has it; whoever takes it out frees it */
	else
		mem_free(p->wake);
	pthread_cond_destroy(&p->work_or_stop);
	pthread_mutex_destroy(&p->lock);
	mem_free(p->threads);
	mem_free(p);
}

enum err_code
pool_run(struct pool *p, struct pool_job *job)
{
	pthread_mutex_lock(&p->lock);
	bool fits = !p->stop && p->jobs < p->cap;
	if (fits) {
		p->jobs++;
		jobs_put(&p->waiting, job);
		pthread_cond_signal(&p->work_or_stop);
	}
	bool is_closed = p->stop;
	pthread_mutex_unlock(&p->lock);
	return fits ? ERR_OK : is_closed ? ERR_CLOSED : ERR_BUSY;
}
