/* caller_wait.c - one attempt at a call, for the thread that waits for its answer.
 *
 * A semaphore and no timer: arming one takes a virtual machine longer than the rest of the wait, and the
 * caller's sweep looks at every call anyway. */
#include "messaging/caller_inner.h"

#include <semaphore.h>
#include <stdatomic.h>

#include "base/magic.h"
#include "messaging/route.h"

struct wait {
	sem_t news;			/* it is over, or it is time to ask whether waiting is useless */
	atomic_bool over;
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
	atomic_store(&w->over, true);
	MUST(sem_post(&w->news) == 0);
}

static void
nudge(void *arg)
{
	struct wait *w = arg;

	MUST(sem_post(&w->news) == 0);
}

/* wait_over: until the answer is there; false when `useless` said so first. */
static bool
wait_over(struct wait *w, bool (*useless)(void *arg), void *arg)
{
	while (!atomic_load(&w->over)) {
		while (sem_wait(&w->news) != 0)
			continue;	/* a signal */
		if (!atomic_load(&w->over) && useless != NULL && useless(arg))
			return false;
	}
	return true;
}

enum err_code
caller_once_unless(struct caller *c, const struct call_spec *s, bool (*useless)(void *arg), void *arg,
    struct call_reply *reply, bool *sent, struct err *err)
{
	struct wait w = { .reply = { .msg = NULL } };
	struct caller_end end = { .done = wake, .nudge = useless != NULL ? nudge : NULL, .arg = &w, .unread = true };
	uint32_t number;

	MUST(sem_init(&w.news, 0, 0) == 0);
	enum err_code code = caller_begin(c, s, &end, sent, &number, err);
	if (code != ERR_OK)
		return code;
	if (!wait_over(&w, useless, arg)) {
		if (caller_abandon(c, number))
			return err_set(err, ERR_OUTCOME_UNKNOWN, "the leader that had the call was lost before it answered");
		wait_over(&w, NULL, NULL);	/* its end is on its way in spite of all */
	}
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
