/* t_thread - names, the mask of new threads, and what main blocks. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/magic.h"
#include "sys/thread.h"

struct seen {
	char name[16];
	sigset_t mask;
};

static void *
look(void *arg)
{
	struct seen *s = arg;

	prctl(PR_GET_NAME, s->name);
	pthread_sigmask(SIG_SETMASK, NULL, &s->mask);
	return s;
}

static void
a_thread_has_its_name_and_mask_from_its_first_line_on(void **state)
{
	sigset_t before, after;
	struct seen s = { 0 };
	pthread_t t;
	void *got;

	(void)state;
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	assert_int_equal(thread_start(&t, "a-name-longer-than-15", look, &s, NULL), ERR_OK);
	pthread_join(t, &got);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	assert_ptr_equal(got, &s);
	assert_string_equal(s.name, "a-name-longer-t");
	assert_true(sigismember(&s.mask, SIGTERM) && sigismember(&s.mask, SIGCHLD));
	assert_true(sigismember(&s.mask, SIGALRM) && sigismember(&s.mask, SIGRTMIN));
	/* Faults must reach a crash report. */
	assert_false(sigismember(&s.mask, SIGSEGV) || sigismember(&s.mask, SIGABRT));
	for (int i = 1; i < NSIG; i++)
		assert_int_equal(sigismember(&before, i), sigismember(&after, i));
}

static void
main_blocks_what_loops_handle_and_ignores_broken_pipes(void **state)
{
	static const int ours[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGCHLD, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP };
	sigset_t mask;
	int p[2];

	(void)state;
	thread_block_signals();
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	for (size_t i = 0; i < COUNT_OF(ours); i++)
		assert_true(sigismember(&mask, ours[i]));
	assert_false(sigismember(&mask, SIGSEGV));
	assert_int_equal(pipe(p), 0);
	close(p[0]);
	assert_int_equal(write(p[1], "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	close(p[1]);
}

static void
says_when_the_system_refuses(void **state)
{
	struct err err = { 0 };
	struct seen s;
	pthread_t t;

	(void)state;
	/* Nobody has room for a stack like this. */
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	assert_int_equal(pthread_attr_setstacksize(&attr, (size_t)1 << 46), 0);
	assert_int_equal(pthread_setattr_default_np(&attr), 0);
	enum err_code rc = thread_start(&t, "huge", look, &s, &err);
	pthread_attr_setstacksize(&attr, 1 << 20);
	assert_int_equal(pthread_setattr_default_np(&attr), 0);
	pthread_attr_destroy(&attr);
	assert_int_equal(rc, ERR_SYSTEM);
	assert_memory_equal(err.text, "thread: cannot start 'huge': ", 29);
	assert_int_equal(thread_start(&t, "fine", look, &s, &err), ERR_OK);
	pthread_join(t, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_has_its_name_and_mask_from_its_first_line_on),
		cmocka_unit_test(main_blocks_what_loops_handle_and_ignores_broken_pipes),
		cmocka_unit_test(says_when_the_system_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
