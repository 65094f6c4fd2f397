/* demo_ticker.c - a condition on the monotonic clock, so that a stop does not wait for a pause. */
#include "demo_ticker.h"

#include <time.h>

/* pause_once: false when it is over. */
static bool
pause_once(struct demo_ticker *t)
{
	int64_t ms = t->pause_ms(t->arg);
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	int64_t ns = until.tv_nsec + ms % 1000 * 1000000;
	until.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
	until.tv_nsec = (long)(ns % 1000000000);
	pthread_mutex_lock(&t->lock);
	while (!t->stop && pthread_cond_timedwait(&t->changed, &t->lock, &until) == 0)
		continue;
	bool go_on = !t->stop;
	pthread_mutex_unlock(&t->lock);
	return go_on;
}

static void *
run(void *arg)
{
	struct demo_ticker *t = arg;

	while (pause_once(t))
		t->tick(t->arg);
	return NULL;
}

void
demo_ticker_start(struct demo_ticker *t, const char *name, int64_t (*pause_ms)(void *), void (*tick)(void *),
    void *arg)
{
	pthread_condattr_t mono;

	*t = (struct demo_ticker){ .pause_ms = pause_ms, .tick = tick, .arg = arg };
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&mono);
	pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	pthread_cond_init(&t->changed, &mono);
	pthread_condattr_destroy(&mono);
	t->running = pthread_create(&t->thread, NULL, run, t) == 0;
	if (t->running)
		pthread_setname_np(t->thread, name);
}

void
demo_ticker_stop(struct demo_ticker *t)
{
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
	if (t->running)
		pthread_join(t->thread, NULL);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
}
