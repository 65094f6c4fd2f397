/* thread.h - threads with names, and the process-wide signal rule. */
#ifndef SYS_THREAD_H
#define SYS_THREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/instant.h"

/* thread_start(t, name, fn, arg, err): a joinable thread, named (15 bytes) for ps -T, with
 * every signal blocked: signals belong to the loop. */
enum err_code thread_start(pthread_t *t, const char *name, void *(*fn)(void *), void *arg,
    struct err *err);

/* thread_block_signals(): blocks what loops handle (TERM, INT, HUP, CHLD, …) in the calling
 * thread; main calls it before any thread exists.  SIGPIPE is ignored process-wide. */
void thread_block_signals(void);

/* thread_cond_init(c): a condition whose timed waits use the monotonic clock. */
void thread_cond_init(pthread_cond_t *c);

/* thread_cond_wait(c, lock, until): waits with lock held; false when the time is over.  As
 * with every condition: look again at what you wait for, and call again. */
bool thread_cond_wait(pthread_cond_t *c, pthread_mutex_t *lock, struct mono until);

/* thread_pause(ns): this thread does nothing for that long; not on the loop. */
void thread_pause(int64_t ns);

#endif
