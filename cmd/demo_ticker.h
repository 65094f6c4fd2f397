/* demo_ticker.h - a thread that does something again and again, until it is told to end. */
#ifndef CMD_DEMO_TICKER_H
#define CMD_DEMO_TICKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct demo_ticker {
	pthread_mutex_t lock;		/* leaf: stop */
	pthread_cond_t changed;
	bool stop;
	pthread_t thread;
	bool running;
	int64_t (*pause_ms)(void *arg);	/* until the next time */
	void (*tick)(void *arg);
	void *arg;
};

/* demo_ticker_start(t, name, pause_ms, tick, arg): both run on the new thread, pause_ms first.
 * Without the thread there is less to see, and nothing else is missing.
 * demo_ticker_stop(t): waits for a tick that runs.  After demo_ticker_start only, and once. */
void demo_ticker_start(struct demo_ticker *t, const char *name, int64_t (*pause_ms)(void *arg),
    void (*tick)(void *arg), void *arg);
void demo_ticker_stop(struct demo_ticker *t);

#endif
