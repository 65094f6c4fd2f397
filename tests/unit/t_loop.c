/* t_loop - timers, descriptors, signals, mails and synchronous calls of the core loop. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "sys/loop.h"
#include "sys/thread.h"

#define BOX 256

static struct loop *l;
static char trace[64];
static size_t ntrace;

static int
set_up(void **state)
{
	(void)state;
	memset(trace, 0, sizeof trace);
	ntrace = 0;
	l = loop_new(clock_system(), BOX, NULL);
	return l == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	loop_free(l);
	return 0;
}

static void
mark(void *arg)
{
	trace[ntrace++ % (sizeof trace - 1)] = *(const char *)arg;
}

static void
stop(void *arg)
{
	(void)arg;
	loop_stop(l);
}

static void
stop_on_signal(void *arg, int signo)
{
	(void)signo;
	stop(arg);
}

/* A test that hangs ends here, with a word, instead of waiting for ever. */
static void
too_late(void *arg)
{
	fail_msg("the loop did not get to %s within 60 s", (const char *)arg);
}

static struct loop_timer guard;

static void
run(const char *what)
{
	loop_timer_set(l, &guard, mono_after(clock_mono(clock_system()), 60 * NS_PER_S), too_late, (void *)what);
	loop_run(l);
	loop_timer_cancel(l, &guard);
}

static struct mono
in_ms(int64_t ms)
{
	return mono_after(clock_mono(clock_system()), ms * NS_PER_MS);
}

/* --- timers ---------------------------------------------------------------------------- */

static void
timers_fire_once_in_order_of_deadlines(void **state)
{
	struct loop_timer a = { 0 }, b = { 0 }, c = { 0 }, never = { 0 }, end = { 0 };

	(void)state;
	struct mono now = in_ms(0);
	loop_timer_set(l, &c, mono_after(now, 6 * NS_PER_MS), mark, "c");
	loop_timer_set(l, &a, mono_after(now, 2 * NS_PER_MS), mark, "a");
	loop_timer_set(l, &b, mono_after(now, 4 * NS_PER_MS), mark, "b");
	loop_timer_set(l, &never, MONO_NEVER, mark, "n");
	loop_timer_set(l, &end, mono_after(now, 8 * NS_PER_MS), stop, NULL);
	assert_true(loop_timer_pending(&a));
	run("the last timer");
	assert_string_equal(trace, "abc");
	assert_false(loop_timer_pending(&a));
	assert_true(loop_timer_pending(&never));
	loop_timer_cancel(l, &never);
	loop_timer_cancel(l, &never);		/* twice is fine */
	assert_false(loop_timer_pending(&never));
}

static void
a_timer_does_not_fire_early_and_hardly_late(void **state)
{
	struct loop_timer end = { 0 };
	struct mono enough = in_ms(60000);
	int64_t best = INT64_MAX;

	(void)state;
	/* Milliseconds would be late by 0.7 ms each time, however long it is tried; that once in a while nobody else
	 * has the processor at that moment tells them apart. */
	for (int i = 0; i < 20 || (best >= 600 * NS_PER_US && !mono_reached(in_ms(0), enough)); i++) {
		struct mono at = mono_after(clock_mono(clock_system()), 300 * NS_PER_US);
		loop_timer_set(l, &end, at, stop, NULL);
		run("a timer");
		int64_t late = mono_since(clock_mono(clock_system()), at);
		assert_true(late >= 0);
		assert_true(mono_since(loop_now(l), at) >= 0);
		best = late < best ? late : best;
	}
	assert_true(best < 600 * NS_PER_US);
}

/* Stands before the C library's: a kernel or a container without the call. */
static int missing_errno;

int
epoll_pwait2(int epoll, struct epoll_event *ev, int n, const struct timespec *timeout, const sigset_t *mask)
{
	if (missing_errno != 0) {
		errno = missing_errno;
		return -1;
	}
	return (int)syscall(SYS_epoll_pwait2, epoll, ev, n, timeout, mask, _NSIG / 8);
}

static void
works_in_milliseconds_where_the_kernel_knows_no_finer(void **state)
{
	static const int refusals[] = { ENOSYS, EPERM };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(refusals); i++) {
		struct loop_timer end = { 0 };
		struct mono at = mono_after(clock_mono(clock_system()), 300 * NS_PER_US);
		missing_errno = refusals[i];
		loop_timer_set(l, &end, at, stop, NULL);
		run("a timer");
		assert_true(mono_since(clock_mono(clock_system()), at) >= 0);
		/* Without any timer it waits for a descriptor alone. */
		kill(getpid(), SIGUSR2);
		assert_int_equal(loop_signal(l, SIGUSR2, stop_on_signal, NULL, NULL), ERR_OK);
		loop_run(l);
		missing_errno = 0;
		loop_free(l);
		assert_int_equal(set_up(NULL), 0);
	}
}

static void
setting_a_timer_again_moves_it_and_cancelling_stops_it(void **state)
{
	struct loop_timer a = { 0 }, b = { 0 }, end = { 0 };

	(void)state;
	loop_timer_set(l, &a, in_ms(1), mark, "x");
	loop_timer_set(l, &a, in_ms(5), mark, "a");
	loop_timer_set(l, &b, in_ms(2), mark, "b");
	loop_timer_cancel(l, &b);
	loop_timer_set(l, &end, in_ms(8), stop, NULL);
	run("the last timer");
	assert_string_equal(trace, "a");
}

static void
stop_at_once(void *arg, unsigned got)
{
	(void)got;
	stop(arg);
}

static struct loop_timer restless, victim;
static int restless_fired;

static void
again_at_once(void *arg)
{
	(void)arg;
	restless_fired++;
	loop_timer_set(l, &restless, loop_now(l), again_at_once, NULL);
}

static void
a_timer_that_is_always_due_starves_nobody(void **state)
{
	int p[2];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(write(p[1], "x", 1), 1);
	struct loop_fd *f = loop_fd_add(l, p[0], LOOP_READ, stop_at_once, NULL, NULL);
	restless_fired = 0;
	loop_timer_set(l, &restless, loop_now(l), again_at_once, NULL);
	run("the pipe");
	assert_true(restless_fired >= 1);
	loop_timer_cancel(l, &restless);
	loop_fd_del(f);
	close(p[0]);
	close(p[1]);
}

/* However many others are set for later, it has its one place in each turn. */
static void
a_timer_that_is_always_due_fires_once_in_a_turn(void **state)
{
	static struct loop_timer later[100];
	int p[2];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(write(p[1], "x", 1), 1);
	struct loop_fd *f = loop_fd_add(l, p[0], LOOP_READ, stop_at_once, NULL, NULL);
	for (size_t i = 0; i < COUNT_OF(later); i++)
		loop_timer_set(l, &later[i], MONO_NEVER, mark, "n");
	restless_fired = 0;
	loop_timer_set(l, &restless, loop_now(l), again_at_once, NULL);
	run("the pipe");
	assert_int_equal(restless_fired, 1);
	loop_timer_cancel(l, &restless);
	for (size_t i = 0; i < COUNT_OF(later); i++)
		loop_timer_cancel(l, &later[i]);
	loop_fd_del(f);
	close(p[0]);
	close(p[1]);
}

static void
cancel_victim(void *arg)
{
	mark(arg);
	loop_timer_cancel(l, &victim);
}

static void
a_timer_may_cancel_one_that_is_due_as_well(void **state)
{
	struct loop_timer a = { 0 }, end = { 0 };
	struct mono at = in_ms(1);

	(void)state;
	loop_timer_set(l, &a, at, cancel_victim, "a");
	loop_timer_set(l, &victim, mono_after(at, 1), mark, "v");
	loop_timer_set(l, &end, in_ms(3), stop, NULL);
	run("the end");
	assert_string_equal(trace, "a");
}

/* --- descriptors ----------------------------------------------------------------------- */

struct peer {
	int fd, other;
	struct loop_fd *f;
	unsigned got;
	int calls;
	void (*then)(struct peer *);
};

static void
on_peer(void *arg, unsigned got)
{
	struct peer *p = arg;

	p->got = got;
	p->calls++;
	if (p->then != NULL)
		p->then(p);
}

static void
peer_open(struct peer *p, unsigned want, void (*then)(struct peer *))
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd), 0);
	*p = (struct peer){ .fd = fd[0], .other = fd[1], .then = then };
	p->f = loop_fd_add(l, p->fd, want, on_peer, p, NULL);
	assert_non_null(p->f);
}

static void
peer_close(struct peer *p)
{
	loop_fd_del(p->f);
	close(p->fd);
	if (p->other != -1)
		close(p->other);
}

static void
stop_by_peer(struct peer *p)
{
	(void)p;
	loop_stop(l);
}

static void
reports_what_is_wanted_and_ready(void **state)
{
	struct peer p;

	(void)state;
	peer_open(&p, LOOP_READ, stop_by_peer);
	assert_int_equal(write(p.other, "x", 1), 1);
	run("a byte");
	assert_int_equal(p.got, LOOP_READ);
	loop_fd_want(p.f, LOOP_READ | LOOP_WRITE);
	run("both");
	assert_int_equal(p.got, LOOP_READ | LOOP_WRITE);
	loop_fd_want(p.f, LOOP_WRITE);
	loop_fd_want(p.f, LOOP_WRITE);
	run("room to write");
	assert_int_equal(p.got, LOOP_WRITE);
	peer_close(&p);
}

static void
a_hang_up_comes_with_what_was_wanted(void **state)
{
	struct peer p;

	(void)state;
	peer_open(&p, LOOP_READ, stop_by_peer);
	close(p.other);
	p.other = -1;
	run("the hang-up");
	assert_int_equal(p.got, LOOP_HANGUP | LOOP_READ);
	peer_close(&p);
}

static void
a_hang_up_that_nobody_waits_for_does_not_turn_the_loop_for_ever(void **state)
{
	struct loop_timer end = { 0 };
	struct peer p;

	(void)state;
	peer_open(&p, 0, NULL);
	close(p.other);
	p.other = -1;
	loop_timer_set(l, &end, in_ms(20), stop, NULL);
	run("the end");
	assert_int_equal(p.calls, 1);
	assert_int_equal(p.got, LOOP_HANGUP);
	peer_close(&p);
}

static struct peer twin[2];

static void
remove_both(struct peer *p)
{
	(void)p;
	for (int i = 0; i < 2; i++) {
		loop_fd_del(twin[i].f);
		close(twin[i].fd);
	}
	loop_stop(l);
}

static void
what_is_removed_within_a_turn_is_not_called_in_it(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		peer_open(&twin[i], LOOP_READ, remove_both);
		assert_int_equal(write(twin[i].other, "x", 1), 1);
	}
	run("one of the two");
	assert_int_equal(twin[0].calls + twin[1].calls, 1);
	close(twin[0].other);
	close(twin[1].other);
}

static void
want_less_of_the_other(struct peer *p)
{
	loop_fd_want((p == &twin[0] ? &twin[1] : &twin[0])->f, LOOP_WRITE);
	loop_fd_want(p->f, 0);
	loop_stop(l);
}

static void
what_is_no_longer_wanted_is_not_reported_in_the_same_turn(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		peer_open(&twin[i], LOOP_READ, want_less_of_the_other);
		assert_int_equal(write(twin[i].other, "x", 1), 1);
	}
	run("one of the two");
	assert_int_equal(twin[0].calls + twin[1].calls, 1);
	peer_close(&twin[0]);
	peer_close(&twin[1]);
}

static void
a_callback_may_replace_its_own_descriptor(struct peer *p)
{
	loop_fd_del(p->f);
	close(p->fd);
	p->fd = p->other;		/* often the same place in epoll, under a new loop_fd */
	p->other = -1;
	p->then = stop_by_peer;
	p->f = loop_fd_add(l, p->fd, LOOP_READ, on_peer, p, NULL);
}

static void
descriptors_come_and_go_in_callbacks(void **state)
{
	struct peer p;

	(void)state;
	peer_open(&p, LOOP_READ, a_callback_may_replace_its_own_descriptor);
	assert_int_equal(write(p.other, "x", 1), 1);
	run("the hang-up of the other end");
	assert_int_equal(p.calls, 2);
	assert_true(p.got & LOOP_HANGUP);
	peer_close(&p);
	loop_fd_del(NULL);
}

static void
refuses_what_cannot_be_waited_for(void **state)
{
	struct err err = { 0 };
	struct peer p;

	(void)state;
	assert_null(loop_fd_add(l, -1, LOOP_READ, on_peer, NULL, &err));
	assert_int_equal(err.code, ERR_SYSTEM);
	assert_string_equal(err.text, "loop: cannot wait for descriptor -1: Bad file descriptor");
	peer_open(&p, LOOP_READ, NULL);
	assert_null(loop_fd_add(l, p.fd, LOOP_READ, on_peer, NULL, &err));
	peer_close(&p);
}

/* --- signals --------------------------------------------------------------------------- */

static void
caught(void *arg, int signo)
{
	mark(arg);
	if (signo == SIGUSR2)
		loop_stop(l);
}

static void
caught_and_removed(void *arg, int signo)
{
	caught(arg, signo);
	assert_int_equal(loop_signal(l, SIGHUP, NULL, NULL, NULL), ERR_OK);
}

static void
signals_arrive_on_the_loop(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(loop_signal(l, SIGUSR1, caught, "1", &err), ERR_OK);
	assert_int_equal(loop_signal(l, SIGUSR2, caught, "2", &err), ERR_OK);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR2);
	run("the signals");
	assert_string_equal(trace, "12");
	assert_int_equal(loop_signal(l, SIGUSR1, NULL, NULL, &err), ERR_OK);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR2);
	run("the second signal");
	assert_string_equal(trace, "122");
	/* The first one still waits, blocked; whoever asks again gets it. */
	assert_int_equal(loop_signal(l, SIGUSR1, caught, "1", &err), ERR_OK);
	kill(getpid(), SIGUSR2);
	run("the first signal");
	assert_string_equal(trace, "12212");
}

static void
a_handler_may_remove_itself(void **state)
{
	(void)state;
	assert_int_equal(loop_signal(l, SIGHUP, caught_and_removed, "h", NULL), ERR_OK);
	assert_int_equal(loop_signal(l, SIGUSR2, caught, "2", NULL), ERR_OK);
	kill(getpid(), SIGHUP);
	kill(getpid(), SIGUSR2);
	run("both signals");
	assert_string_equal(trace, "h2");
}

static void
refuses_signals_that_nobody_can_catch(void **state)
{
	static const int bad[] = { 0, -1, 65, SIGKILL, SIGSTOP };
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(loop_signal(l, bad[i], caught, "x", &err), ERR_INVALID);
	assert_string_equal(err.text, "loop: signal 19 cannot be caught");
}

/* --- mails and calls ------------------------------------------------------------------- */

struct letter {
	struct mail mail;
	const char *text;
};

static void
read_letter(struct mail *m)
{
	struct letter *t = CONTAINER_OF(m, struct letter, mail);

	if (*t->text == '.')
		loop_stop(l);
	else
		mark((void *)t->text);
	mem_free(t);
}

static void
throw_away(struct mail *m)
{
	mem_free(CONTAINER_OF(m, struct letter, mail));
}

static struct mail *
letter(const char *text)
{
	struct letter *t = mem_new(sizeof *t);

	*t = (struct letter){ { .deliver = read_letter, .discard = throw_away }, text };
	return &t->mail;
}

static void
mails_are_delivered_in_order(void **state)
{
	(void)state;
	assert_int_equal(loop_post(l, letter("a")), ERR_OK);
	assert_int_equal(loop_post(l, letter("b")), ERR_OK);
	assert_int_equal(loop_post(l, letter(".")), ERR_OK);
	assert_int_equal(mailbox_depth(loop_mailbox(l)), 3);
	run("the mails");
	assert_string_equal(trace, "ab");
	assert_int_equal(loop_post(l, letter("never read")), ERR_OK);
}

static int mails_left, mails_at_timer;
static struct loop_timer between;

static void
note_mails(void *arg)
{
	(void)arg;
	mails_at_timer = mails_left;
}

static void
count_mail(struct mail *m)
{
	mem_free(CONTAINER_OF(m, struct letter, mail));
	if (mails_left == BOX)
		loop_timer_set(l, &between, loop_now(l), note_mails, NULL);
	if (--mails_left == 0)
		loop_stop(l);
}

static void
many_mails_leave_room_for_timers(void **state)
{
	(void)state;
	mails_left = BOX;
	mails_at_timer = -1;
	for (int i = 0; i < BOX; i++) {
		struct mail *m = letter("");
		m->deliver = count_mail;
		assert_int_equal(loop_post(l, m), ERR_OK);
	}
	/* The first mail sets a timer that is due at once: it comes after one helping of
	 * mails, not after all of them. */
	run("all mails");
	assert_in_range(mails_at_timer, BOX - 64, BOX - 1);
}

static void
is_mine(void *arg)
{
	*(bool *)arg = loop_is_mine(l);
	loop_stop(l);
}

static void
knows_its_thread(void **state)
{
	struct loop_timer t = { 0 };
	bool mine = false;

	(void)state;
	assert_false(loop_is_mine(l));
	loop_timer_set(l, &t, loop_now(l), is_mine, &mine);
	run("the timer");
	assert_true(mine);
	assert_false(loop_is_mine(l));
	assert_ptr_equal(loop_clock(l), clock_system());
}

static void *
run_in_thread(void *arg)
{
	loop_run(arg);
	return NULL;
}

struct sum {
	int a, b, result;
	bool on_loop;
};

static void
add(void *arg)
{
	struct sum *s = arg;

	s->result = s->a + s->b;
	s->on_loop = loop_is_mine(l);
}

static void
a_call_is_answered_by_the_loop(void **state)
{
	pthread_t t;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(thread_start(&t, "loop", run_in_thread, l, NULL), ERR_OK);
	for (int i = 0; i < 1000; i++) {
		struct sum s = { i, 1, 0, false };
		assert_int_equal(loop_call(l, add, &s, 20 * NS_PER_S, &err), ERR_OK);
		assert_int_equal(s.result, i + 1);
		assert_true(s.on_loop);
	}
	assert_int_equal(loop_call(l, stop, NULL, 20 * NS_PER_S, &err), ERR_OK);
	pthread_join(t, NULL);
}

static void
a_call_that_timed_out_is_never_made(void **state)
{
	struct sum s = { 1, 1, 0, false };
	struct loop_timer end = { 0 };
	struct err err = { 0 };

	(void)state;
	/* The loop does not run at all. */
	assert_int_equal(loop_call(l, add, &s, NS_PER_MS, &err), ERR_TIMEOUT);
	assert_string_equal(err.text, "loop: did not get to it within 1 ms");
	assert_int_equal(mailbox_depth(loop_mailbox(l)), 1);
	loop_timer_set(l, &end, in_ms(1), stop, NULL);
	run("the end");
	assert_int_equal(mailbox_depth(loop_mailbox(l)), 0);
	assert_int_equal(s.result, 0);
	assert_int_equal(loop_call(l, add, &s, NS_PER_MS, &err), ERR_TIMEOUT);	/* left to loop_free */
}

static atomic_bool call_runs, call_may_end;

static void
slow(void *arg)
{
	atomic_store(&call_runs, true);
	while (!atomic_load(&call_may_end))
		thread_pause(NS_PER_MS);
	*(int *)arg = 1;
	loop_stop(l);
}

#define CALL_NS (2 * NS_PER_S)		/* within it the loop has to get to the call */

static void *
ask_slow(void *arg)
{
	struct err err = { 0 };

	return (void *)(uintptr_t)loop_call(l, slow, arg, CALL_NS, &err);
}

static void
a_call_that_runs_is_waited_for_past_its_time(void **state)
{
	pthread_t asker, runner;
	void *rc;
	int done = 0;

	(void)state;
	atomic_store(&call_runs, false);
	atomic_store(&call_may_end, false);
	assert_int_equal(thread_start(&runner, "loop", run_in_thread, l, NULL), ERR_OK);
	assert_int_equal(thread_start(&asker, "asker", ask_slow, &done, NULL), ERR_OK);
	while (!atomic_load(&call_runs))
		thread_pause(NS_PER_MS);
	thread_pause(CALL_NS + 50 * NS_PER_MS);		/* the time is the point: the call's is over */
	atomic_store(&call_may_end, true);
	pthread_join(asker, &rc);
	pthread_join(runner, NULL);
	assert_int_equal((uintptr_t)rc, ERR_OK);
	assert_int_equal(done, 1);
}

static void *
ask_dead(void *arg)
{
	struct err err = { 0 };

	(void)arg;
	enum err_code rc = loop_call(l, add, &(struct sum){ 1, 1, 0, false }, 20 * NS_PER_S, &err);
	return (void *)(uintptr_t)(rc == err.code ? rc : ERR_OK);
}

static void
a_call_to_a_loop_that_ends_is_told_so(void **state)
{
	pthread_t asker;
	void *rc;

	assert_int_equal(thread_start(&asker, "asker", ask_dead, NULL, NULL), ERR_OK);
	while (mailbox_depth(loop_mailbox(l)) == 0)
		sched_yield();
	loop_free(l);
	pthread_join(asker, &rc);
	assert_int_equal((uintptr_t)rc, ERR_CLOSED);
	assert_int_equal(set_up(state), 0);
}

static void
a_call_to_a_full_mailbox_is_refused(void **state)
{
	struct err err = { 0 };
	struct sum s = { 1, 1, 0, false };

	(void)state;
	for (int i = 0; i < BOX; i++)
		assert_int_equal(loop_post(l, letter("x")), ERR_OK);
	assert_int_equal(loop_call(l, add, &s, NS_PER_S, &err), ERR_BUSY);
	assert_string_equal(err.text, "loop: 256 messages wait already");
}

/* --- life ------------------------------------------------------------------------------ */

static void
a_manual_clock_decides_what_is_due(void **state)
{
	struct clock_manual c;
	struct loop_timer early = { 0 }, late = { 0 };
	struct loop *was = l;

	(void)state;
	clock_manual_init(&c, (struct wall){ 0 });
	l = loop_new(&c.clock, 4, NULL);
	loop_timer_set(l, &late, mono_after(loop_now(l), 60 * NS_PER_S), mark, "late");
	loop_timer_set(l, &early, mono_after(loop_now(l), 3600 * NS_PER_S), mark, "never");
	loop_timer_set(l, &early, mono_after(loop_now(l), 30 * NS_PER_S), stop, NULL);
	clock_manual_advance(&c, 30 * NS_PER_S);
	loop_run(l);
	assert_int_equal(loop_now(l).ns, clock_mono(&c.clock).ns);
	assert_int_equal(ntrace, 0);
	assert_true(loop_timer_pending(&late));
	loop_free(l);
	l = was;
	loop_free(NULL);
}

static void
says_what_ran_out_when_there_are_no_descriptors(void **state)
{
	struct rlimit was, few;
	struct err err = { 0 };
	int made = 0;

	(void)state;
	int next = dup(0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	/* An epoll, a signal and a mailbox descriptor: room for 0, 1, 2, and then for all. */
	for (int room = 0; room < 4; room++) {
		few = was;
		few.rlim_cur = (rlim_t)(next + room);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		struct loop *x = loop_new(clock_system(), 1, &err);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
		if (x == NULL)
			assert_int_equal(err.code, ERR_SYSTEM);
		made += x != NULL;
		loop_free(x);
	}
	assert_int_equal(made, 1);
	assert_string_equal(err.text, "mailbox: no eventfd: Too many open files");
	int check = dup(0);
	assert_int_equal(check, next);		/* nothing leaked on any of the ways out */
	close(check);
}

static void
freeing_forgets_descriptors_that_were_left_in(void **state)
{
	struct peer p;

	(void)state;
	peer_open(&p, LOOP_READ, NULL);
	loop_free(l);
	assert_int_equal(write(p.other, "x", 1), 1);	/* the descriptor is still ours */
	close(p.fd);
	close(p.other);
	assert_int_equal(set_up(state), 0);
}

static void
stopping_before_running_ends_the_next_run_at_once(void **state)
{
	(void)state;
	loop_stop(l);
	run("nothing");
	assert_int_equal(loop_post(l, letter(".")), ERR_OK);
	run("a mail");
}

#define LOOP_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(timers_fire_once_in_order_of_deadlines),
		LOOP_TEST(a_timer_does_not_fire_early_and_hardly_late),
		LOOP_TEST(works_in_milliseconds_where_the_kernel_knows_no_finer),
		LOOP_TEST(setting_a_timer_again_moves_it_and_cancelling_stops_it),
		LOOP_TEST(a_timer_that_is_always_due_starves_nobody),
		LOOP_TEST(a_timer_that_is_always_due_fires_once_in_a_turn),
		LOOP_TEST(a_timer_may_cancel_one_that_is_due_as_well),
		LOOP_TEST(reports_what_is_wanted_and_ready),
		LOOP_TEST(a_hang_up_comes_with_what_was_wanted),
		LOOP_TEST(a_hang_up_that_nobody_waits_for_does_not_turn_the_loop_for_ever),
		LOOP_TEST(what_is_removed_within_a_turn_is_not_called_in_it),
		LOOP_TEST(what_is_no_longer_wanted_is_not_reported_in_the_same_turn),
		LOOP_TEST(descriptors_come_and_go_in_callbacks),
		LOOP_TEST(refuses_what_cannot_be_waited_for),
		LOOP_TEST(signals_arrive_on_the_loop),
		LOOP_TEST(a_handler_may_remove_itself),
		LOOP_TEST(refuses_signals_that_nobody_can_catch),
		LOOP_TEST(mails_are_delivered_in_order),
		LOOP_TEST(many_mails_leave_room_for_timers),
		LOOP_TEST(knows_its_thread),
		LOOP_TEST(a_call_is_answered_by_the_loop),
		LOOP_TEST(a_call_that_timed_out_is_never_made),
		LOOP_TEST(a_call_that_runs_is_waited_for_past_its_time),
		LOOP_TEST(a_call_to_a_loop_that_ends_is_told_so),
		LOOP_TEST(a_call_to_a_full_mailbox_is_refused),
		LOOP_TEST(a_manual_clock_decides_what_is_due),
		LOOP_TEST(says_what_ran_out_when_there_are_no_descriptors),
		LOOP_TEST(freeing_forgets_descriptors_that_were_left_in),
		LOOP_TEST(stopping_before_running_ends_the_next_run_at_once),
	};

	thread_block_signals();
	alarm(300);		/* TERM is blocked; a test that hangs ends by this */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
