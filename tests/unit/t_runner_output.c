/* t_runner_output - what a wrapped program writes: answers, and lines for the log. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lives.h"

static void
a_stdio_program_is_called_over_its_pipes(void **state)
{
	struct runner_opts o = sh("while IFS= read -r line; do id=${line#'{\"id\":\"'}; id=${id%%'\"'*}\n"
	    "case $line in *'\"name\":\"die\"'*) exit 2;; esac\n"
	    "echo \"{\\\"id\\\":\\\"$id\\\",\\\"result\\\":7}\"; done");
	struct life l;

	(void)state;
	o.app = RUNNER_APP_STDIO;
	o.restart = (struct restart_policy){ .when = RESTART_ON_FAILURE };
	run(&l, o);
	expect_told(&l, "sr");
	expect_call(&l, "x", "ok 7");
	/* Either end may be noticed first. */
	struct workload_request q = { .method = "die", .deadline = mono_after(clock_mono(clock_system()), 15 * NS_PER_S) };
	struct str out = STR_INIT;
	workload_call(runner_workload(l.r), &q, on_result, &out);
	assert_true(until(loop, has_text, &out));
	assert_memory_equal(str_text(&out), "down ", 5);
	str_release(&out);
	expect_told(&l, "srdsr");
	expect_call(&l, "x", "ok 7");
	end_life(&l);
}

/* with_stdout: a runner whose stdout is the pipe `to`. */
static void
make_with_stdout(struct life *l, struct runner_opts o, int to)
{
	int saved = fcntl(1, F_DUPFD_CLOEXEC, 3);

	fflush(stdout);
	assert_int_equal(dup2(to, 1), 1);
	make(l, o);
	assert_int_equal(dup2(saved, 1), 1);
	close(saved);
}

static void
lines_get_the_name_in_front(void **state)
{
	struct runner_opts o = sh("echo one; printf 'tw'; sleep 0.05; echo o; printf 'no end'");
	struct life l;
	char text[256];
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	o.log_prefix = true;
	make_with_stdout(&l, o, ends[1]);
	close(ends[1]);
	runner_start(l.r);
	expect_gone(&l, 0, 0);
	assert_int_equal(counters(&l).output_bytes, 14);
	runner_free(l.r);
	ssize_t n = read(ends[0], text, sizeof text - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, "job | one\njob | two\njob | no end\n");
	close(ends[0]);
}

static uint64_t bytes_then;

static bool
output_stands_still(void *arg)
{
	struct life *l = arg;
	uint64_t now = counters(l).output_bytes;
	bool same = now == bytes_then && now > 0;

	bytes_then = now;
	return same;
}

/* Nobody reads our stdout: the program waits, the loop does not, memory stays bounded. */
static void
a_flood_with_a_slow_reader_holds_up_nobody_but_the_program(void **state)
{
	struct runner_opts o = sh("exec yes");
	const int64_t patience = UNTIL_NS;
	struct life l;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	o.log_prefix = true;
	o.kill_after_ns = patience;
	make_with_stdout(&l, o, ends[1]);
	runner_start(l.r);
	expect_told(&l, "sr");
	bytes_then = 0;
	do {
		for_a_while(loop, 30 * NS_PER_MS);
	} while (!output_stands_still(&l));
	/* What our buffer and the pipe hold: "y" costs eight bytes with its prefix. */
	assert_true(bytes_then < 256 * 1024);
	assert_true(is_alive(runner_pid(l.r)));
	struct mono then = clock_mono(clock_system());
	runner_stop(l.r);
	expect_gone(&l, 143, SIGTERM);
	assert_true(mono_since(clock_mono(clock_system()), then) < patience / 2);
	runner_free(l.r);
	close(ends[0]);
	close(ends[1]);
}

static void
a_closed_stdout_does_not_hurt(void **state)
{
	struct runner_opts o = sh("i=0; while [ $i -lt 2000 ]; do echo line; i=$((i+1)); done; exit 3");
	struct life l;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	o.log_prefix = true;
	make_with_stdout(&l, o, ends[1]);
	close(ends[0]);
	close(ends[1]);
	runner_start(l.r);
	expect_gone(&l, 3, 0);
	runner_free(l.r);
}

/* --- all together -------------------------------------------------------------------------- */

static int
set_up(void **state)
{
	(void)state;
	return folder_make("t_runner_output");
}

int
main(int argc, char **argv)
{
	LIVES_SHIM(argc, argv);

#define TEST(f) cmocka_unit_test_setup(f, folder_clean)
	const struct CMUnitTest tests[] = {
		TEST(a_stdio_program_is_called_over_its_pipes),
		TEST(lines_get_the_name_in_front),
		TEST(a_flood_with_a_slow_reader_holds_up_nobody_but_the_program),
		TEST(a_closed_stdout_does_not_hurt),
	};

	thread_block_signals();
	return cmocka_run_group_tests(tests, set_up, folder_remove);
}
