/* caller_wait.c - one attempt at a call, for the thread that waits for its answer. */
#include "messaging/caller_inner.h"

#include <pthread.h>

#include "messaging/route.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define LOOK_NS (10 * NS_PER_MS)	/* how late it is noticed that waiting is useless */

struct wait {
	pthread_mutex_t lock;		/* leaf: over */
	pthread_cond_t changed;
	bool over;
	struct call_reply reply;	/* not read yet */
	struct err err;
};

static void
wake(void *arg, const struct call_reply *reply, const struct err *err)
{
	struct wait *w = arg;

	if (err != NULL)
		w->err = *err;
	if (reply != NULL) {
		w->reply = *reply;
		((struct call_reply *)(uintptr_t)reply)->msg = NULL;	/* the waiter's now */
	}
	pthread_mutex_lock(&w->lock);
	w->over = true;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

/* wait_over: under w's lock: until the answer is there; false when `useless` said so first. */
static bool
wait_over(struct wait *w, bool (*useless)(void *arg), void *arg)
{
	while (!w->over && useless == NULL)
		pthread_cond_wait(&w->changed, &w->lock);
	while (!w->over) {
		if (thread_cond_wait(&w->changed, &w->lock, mono_after(clock_mono(clock_system()), LOOK_NS)))
			continue;
		pthread_mutex_unlock(&w->lock);		/* the question has a lock of its own */
		bool stop = useless(arg);
		pthread_mutex_lock(&w->lock);
		if (stop)
			break;
	}
	return w->over;
}

enum err_code
caller_once_unless(struct caller *c, const struct call_spec *s, bool (*useless)(void *arg), void *arg,
    struct call_reply *reply, bool *sent, struct err *err)
{
	struct wait w = { .lock = PTHREAD_MUTEX_INITIALIZER };
	uint32_t number;

	thread_cond_init(&w.changed);
	enum err_code code = caller_begin(c, s, wake, &w, true, sent, &number, err);
	if (code != ERR_OK)
		return code;
	pthread_mutex_lock(&w.lock);
	bool over = wait_over(&w, useless, arg);
	pthread_mutex_unlock(&w.lock);
	if (!over && caller_abandon(c, number))
		return err_set(err, ERR_OUTCOME_UNKNOWN, "the leader that had the call was lost before it answered");
	/* Its end is on its way in spite of all. */
	pthread_mutex_lock(&w.lock);
	wait_over(&w, NULL, NULL);
	pthread_mutex_unlock(&w.lock);
	if (w.err.code != ERR_OK) {
		if (err != NULL)
			*err = w.err;
		return w.err.code;
	}
	*reply = w.reply;
	return route_read_reply(reply->msg, reply, err);
}

enum err_code
caller_once(struct caller *c, const struct call_spec *s, struct call_reply *reply, bool *sent, struct err *err)
{
	return caller_once_unless(c, s, NULL, NULL, reply, sent, err);
}
