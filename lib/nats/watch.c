/* watch.c - open, read, distrust, open again.
 *
 * A consumer survives some interruptions, but not all: a bucket that is deleted and made
 * again leaves it silent for ever (platform.md §8).  The two cases look alike, so every
 * doubt costs a new listing: cheap, and the only proof. */
#include "nats/watch.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "nats/kv_reader.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define WATCH_MAGIC 0xc0110003u
#define TURN_MS 200			/* how long a doubt or a stop may wait */
#define SYNC_PATIENCE_MS 10000		/* a listing that stands still that long is begun anew */
#define RETRY_MIN_MS 50
#define RETRY_MAX_MS 2000

struct watch {
	unsigned magic;
	struct conn *conn;
	char *bucket, *filter;
	void (*handler)(void *, const struct watch_event *);
	void *arg;
	pthread_t thread;
	pthread_mutex_t lock;		/* leaf: stop, doubt, open, interrupted */
	pthread_cond_t changed;
	bool stop;
	natsSubscription *open;		/* the one being read, so that watch_free can end its wait */
	bool interrupted;		/* watch_free is at it, so it must not be closed yet */
	const char *doubt;		/* why the next reader is opened; NULL = all is well */
	bool lost;			/* thread only: the owner was told */
};

static void
tell(struct watch *w, enum watch_what what, const struct kv_entry *e, const char *reason)
{
	w->handler(w->arg, &(struct watch_event){ what, e, reason });
}

static void
on_conn(void *arg, enum conn_event ev)
{
	struct watch *w = arg;

	MAGIC_CHECK(w, WATCH_MAGIC);
	pthread_mutex_lock(&w->lock);
	w->doubt = ev == CONN_EVENT_GAP ? "gap" : "reconnect";
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

/* pause_ms: waits; returns early when there is news.  False when it is time to end. */
static bool
pause_ms(struct watch *w, int64_t ms)
{
	struct mono until = mono_after(clock_mono(clock_system()), ms * NS_PER_MS);

	pthread_mutex_lock(&w->lock);
	if (!w->stop && w->doubt == NULL)
		thread_cond_wait(&w->changed, &w->lock, until);
	bool go = !w->stop;
	pthread_mutex_unlock(&w->lock);
	return go;
}

/* take_doubt: what made us distrust the reader since the last call, if anything. */
static const char *
take_doubt(struct watch *w, bool *stop)
{
	pthread_mutex_lock(&w->lock);
	const char *d = w->doubt;
	w->doubt = NULL;
	*stop = w->stop;
	pthread_mutex_unlock(&w->lock);
	return d;
}

static void
lose(struct watch *w)
{
	if (!w->lost)
		tell(w, WATCH_LOST, NULL, NULL);
	w->lost = true;
}

/* expose: lets watch_free interrupt the thread's wait; with NULL, not any more.  False when
 * it is time to end. */
static bool
expose(struct watch *w, natsSubscription *open)
{
	pthread_mutex_lock(&w->lock);
	w->open = open;
	while (open == NULL && w->interrupted)
		pthread_cond_wait(&w->changed, &w->lock);
	bool go = !w->stop;
	pthread_mutex_unlock(&w->lock);
	return go;
}

static bool
open_reader(struct watch *w, struct kv_reader *r, bool *absent)
{
	struct kv_reader_opts o = { .conn = w->conn, .bucket = w->bucket, .filter = w->filter };
	jsErrCode js = 0;

	memset(r, 0, sizeof *r);
	*absent = false;
	if (conn_state(w->conn) != CONN_UP)
		return false;
	natsStatus s = kv_reader_open(r, &o, &js);
	*absent = s != NATS_OK && js == JSStreamNotFoundErr;
	return s == NATS_OK;
}

/* follow: reads one reader's entries until something makes it doubtful.  Returns the reason for the
 * next one, NULL when the watch is to end. */
static const char *
follow(struct watch *w, struct kv_reader *r, const char *reason)
{
	bool synced = false, stop = false;
	int silent_ms = 0;

	tell(w, WATCH_SYNC_BEGIN, NULL, reason);
	for (;;) {
		struct kv_entry e;
		natsStatus s = kv_reader_next(r, &e, TURN_MS);
		const char *doubt = take_doubt(w, &stop);
		if (s == NATS_OK && e.key != NULL)
			tell(w, WATCH_ENTRY, &e, NULL);
		if (stop || doubt != NULL)
			return stop ? NULL : doubt;
		if (s == NATS_OK && e.key == NULL) {
			tell(w, WATCH_SYNC_END, NULL, NULL);
			synced = true;
			w->lost = false;
		}
		if (s != NATS_OK && s != NATS_TIMEOUT)
			return "gap";
		silent_ms = s == NATS_OK ? 0 : silent_ms + TURN_MS;
		if (!synced && silent_ms >= SYNC_PATIENCE_MS)
			return "retry";
	}
}

static void *
run(void *arg)
{
	struct watch *w = arg;
	const char *reason = "start";
	int64_t wait_ms = RETRY_MIN_MS;
	bool stop, absent;

	while (reason != NULL) {
		struct kv_reader r;
		/* What came before this reader does not concern it; what comes while it is opened may. */
		take_doubt(w, &stop);
		if (stop)
			break;
		if (open_reader(w, &r, &absent)) {
			wait_ms = RETRY_MIN_MS;
			reason = expose(w, r.sub) ? follow(w, &r, reason) : NULL;
			expose(w, NULL);
			if (reason != NULL)
				lose(w);
		} else {
			lose(w);
			if (absent)
				tell(w, WATCH_ABSENT, NULL, NULL);
			if (!pause_ms(w, wait_ms))
				reason = NULL;
			wait_ms = wait_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : wait_ms * 2;
		}
		kv_reader_close(&r);
	}
	nats_ReleaseThreadMemory();
	return NULL;
}

struct watch *
watch_new(struct conn *conn, const char *bucket,
    void (*handler)(void *arg, const struct watch_event *ev), void *arg, struct err *err)
{
	return watch_new_key(conn, bucket, ">", handler, arg, err);
}

struct watch *
watch_new_key(struct conn *conn, const char *bucket, const char *key,
    void (*handler)(void *arg, const struct watch_event *ev), void *arg, struct err *err)
{
	struct watch *w = mem_new(sizeof *w);

	w->magic = WATCH_MAGIC;
	w->conn = conn;
	w->bucket = mem_text(bucket);
	w->filter = mem_text(key);
	w->handler = handler;
	w->arg = arg;
	pthread_mutex_init(&w->lock, NULL);
	thread_cond_init(&w->changed);
	conn_listen(conn, on_conn, w);
	if (thread_start(&w->thread, "watch", run, w, err) == ERR_OK)
		return w;
	conn_unlisten(conn, on_conn, w);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	mem_free(w->bucket);
	mem_free(w->filter);
	mem_free(w);
	return NULL;
}

void
watch_free(struct watch *w)
{
	if (w == NULL)
		return;
	MAGIC_CHECK(w, WATCH_MAGIC);
	conn_unlisten(w->conn, on_conn, w);
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	natsSubscription *open = w->open;
	w->interrupted = open != NULL;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	if (open != NULL) {
		/* Asks the server, which may take its time: nothing of ours is locked meanwhile. */
		kv_reader_interrupt(open);
		pthread_mutex_lock(&w->lock);
		w->interrupted = false;
		pthread_cond_signal(&w->changed);
		pthread_mutex_unlock(&w->lock);
	}
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	mem_free(w->bucket);
	mem_free(w->filter);
	MAGIC_WIPE(w);
	mem_free(w);
}
