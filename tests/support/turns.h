/* turns.h - a loop that each test has anew, and a trace of what it called. */
#ifndef SUPPORT_TURNS_H
#define SUPPORT_TURNS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/socket.h>

#include "sys/loop.h"

#define BOX 256

static struct loop *l;
static char trace[64];
static size_t ntrace;

static inline int
set_up(void **state)
{
	(void)state;
	memset(trace, 0, sizeof trace);
	ntrace = 0;
	l = loop_new(clock_system(), BOX, NULL);
	return l == NULL;
}

static inline int
tear_down(void **state)
{
	(void)state;
	loop_free(l);
	return 0;
}

static inline void
mark(void *arg)
{
	trace[ntrace++ % (sizeof trace - 1)] = *(const char *)arg;
}

static inline void
stop(void *arg)
{
	(void)arg;
	loop_stop(l);
}

/* A test that hangs ends here, with a word, instead of waiting for ever. */
static inline void
too_late(void *arg)
{
	fail_msg("the loop did not get to %s within 60 s", (const char *)arg);
}

static struct loop_timer guard;

static inline void
run(const char *what)
{
	loop_timer_set(l, &guard, mono_after(clock_mono(clock_system()), 60 * NS_PER_S), too_late, (void *)what);
	loop_run(l);
	loop_timer_cancel(l, &guard);
}

static inline struct mono
in_ms(int64_t ms)
{
	return mono_after(clock_mono(clock_system()), ms * NS_PER_MS);
}

/* --- descriptors ----------------------------------------------------------------------- */

struct peer {
	int fd, other;
	struct loop_fd *f;
	unsigned got;
	int calls;
	void (*then)(struct peer *);
};

static inline void
on_peer(void *arg, unsigned got)
{
	struct peer *p = arg;

	p->got = got;
	p->calls++;
	if (p->then != NULL)
		p->then(p);
}

static inline void
peer_open(struct peer *p, unsigned want, void (*then)(struct peer *))
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd), 0);
	*p = (struct peer){ .fd = fd[0], .other = fd[1], .then = then };
	p->f = loop_fd_add(l, p->fd, want, on_peer, p, NULL);
	assert_non_null(p->f);
}

/* --- life ------------------------------------------------------------------------------ */

#define LOOP_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
