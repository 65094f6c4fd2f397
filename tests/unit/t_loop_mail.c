/* t_loop_mail - mails and synchronous calls of the core loop, and its own life. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "sys/loop.h"
#include "sys/thread.h"
#include "turns.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
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
