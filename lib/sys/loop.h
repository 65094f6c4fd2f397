/* loop.h - the core loop: one thread that owns all domain state of a process.
 *
 * It waits in one epoll call for descriptors, timers, signals and its mailbox, and calls
 * back.  Callbacks run on the loop's thread, must not block, and may add or remove
 * anything, themselves included.  Other threads reach the loop by loop_post or
 * loop_call only; every other function belongs to the loop's thread (or to the thread
 * that will run it, before loop_run). */
#ifndef SYS_LOOP_H
#define SYS_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/heap.h"
#include "base/instant.h"
#include "sys/clock.h"
#include "sys/mailbox.h"

struct loop;
struct loop_fd;

#define LOOP_READ 1u
#define LOOP_WRITE 2u
#define LOOP_HANGUP 4u		/* reported, never asked for; together with what was asked for */

/* loop_new(clock, mailbox_cap, err): NULL when the system is out of descriptors.  clock
 * is only read and must outlive the loop. */
struct loop *loop_new(const struct clock *clock, size_t mailbox_cap, struct err *err);
void loop_free(struct loop *l);		/* not while it runs; NULL is fine; undelivered mails are discarded */

/* loop_run(l): turns until loop_stop; afterwards it may be run again. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);		/* loop's thread; ends after the current turn */

struct mono loop_now(const struct loop *l);	/* time at the start of this turn */
const struct clock *loop_clock(const struct loop *l);
bool loop_is_mine(const struct loop *l);	/* true on the thread that runs it */

/* Timers: the struct is the caller's, zero-initialised once, then set and cancelled at
 * will.  A timer fires once, at or after its deadline, in order of deadlines. */
struct loop_timer {
	struct heap_node node;
	void (*fire)(void *arg);
	void *arg;
};
void loop_timer_set(struct loop *l, struct loop_timer *t, struct mono at,
    void (*fire)(void *arg), void *arg);
void loop_timer_cancel(struct loop *l, struct loop_timer *t);
bool loop_timer_pending(const struct loop_timer *t);

/* loop_fd_add(l, fd, want, ready, arg, err): calls ready(arg, got) while fd is ready.
 * The descriptor stays the caller's; loop_fd_del before closing it. */
struct loop_fd *loop_fd_add(struct loop *l, int fd, unsigned want,
    void (*ready)(void *arg, unsigned got), void *arg, struct err *err);
void loop_fd_want(struct loop_fd *f, unsigned want);
void loop_fd_del(struct loop_fd *f);		/* NULL is fine; f may be in its own callback */

/* loop_signal(l, signo, caught, arg): from now on signo, which the caller has blocked in
 * every thread, arrives here.  One handler per signal; NULL removes it. */
enum err_code loop_signal(struct loop *l, int signo, void (*caught)(void *arg, int signo),
    void *arg, struct err *err);

/* loop_post(l, m): any thread; see mailbox_post. */
enum err_code loop_post(struct loop *l, struct mail *m);

/* loop_take(l, m): takes a mail back that was not delivered yet (mailbox_take), before what it
 * sits in is freed.  False when it is not on its way. */
bool loop_take(struct loop *l, struct mail *m);

/* loop_discard(l, deliver): discards the undelivered mails of one kind (mailbox_discard), before
 * what they lead to is freed. */
void loop_discard(struct loop *l, void (*deliver)(struct mail *m));

/* loop_call(l, fn, arg, timeout_ns, err): runs fn(arg) on the loop's thread and waits for
 * it; never from a loop callback.  ERR_TIMEOUT when the loop did not get to it in time,
 * ERR_BUSY when its mailbox is full, ERR_CLOSED when it was freed meanwhile: then fn did
 * not run and will not.  Once fn runs it is waited for, past the time-out too. */
enum err_code loop_call(struct loop *l, void (*fn)(void *arg), void *arg, int64_t timeout_ns,
    struct err *err);

/* loop_mailbox(l): for its depth and counters. */
const struct mailbox *loop_mailbox(const struct loop *l);

#endif
