/* loop_thread.h - a loop that turns on a thread of its own, for whoever is not the loop's thread.
 *
 * What lives on the loop is made before the start and freed after the stop: then the caller's thread
 * is the loop's.  The loop itself stays the caller's. */
#ifndef SYS_LOOP_THREAD_H
#define SYS_LOOP_THREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "base/err.h"
#include "sys/mailbox.h"

struct loop;

struct loop_thread {		/* zeroed at first */
	struct loop *loop;
	pthread_t thread;
	bool runs;
	struct mail stop;
};

/* loop_thread_start(t, loop, err): ERR_SYSTEM when there is no thread. */
enum err_code loop_thread_start(struct loop_thread *t, struct loop *loop, struct err *err);

/* loop_thread_stop(t): after the mails that are there already; waits for the thread.  Fine when it was
 * never started; it may be started again. */
void loop_thread_stop(struct loop_thread *t);

#endif
