/* t_workload_stdio - calls into programs that speak lines of JSON: a shell script that also behaves badly. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/wait.h>

#include "base/magic.h"
#include "base/mem.h"
#include "calls.h"
#include "codec/codec.h"
#include "runner/workload.h"
#include "sys/child.h"
#include "sys/thread.h"
#include "until.h"

static char dir[] = "/tmp/t_workload.XXXXXX";

/* --- a program that speaks over stdin and stdout ------------------------------------------ */

static const char script[] =
    "say() { printf '%s\\n' \"$1\"; }\n"
    "say hello\n"
    "while IFS= read -r line; do\n"
    "  id=${line#'{\"id\":\"'}; id=${id%%'\"'*}\n"
    "  m=${line#*'\"name\":\"'}; m=${m%%'\"'*}\n"
    "  case $m in\n"
    "  show) say \"{\\\"id\\\":\\\"$id\\\",\\\"result\\\":$line}\";;\n"
    "  null) say \"{\\\"result\\\": null, \\\"error\\\": null, \\\"id\\\": \\\"$id\\\"}\";;\n"
    "  fail) say \"{\\\"id\\\":\\\"$id\\\",\\\"error\\\":\\\"no stock\\\"}\";;\n"
    "  failmap) say \"{\\\"id\\\":\\\"$id\\\",\\\"error\\\":{\\\"code\\\":7}}\";;\n"
    "  progress) say \"{\\\"id\\\":\\\"$id\\\",\\\"progress\\\":50,\\\"status\\\":\\\"half\\\"}\"\n"
    "     say \"{\\\"id\\\":\\\"$id\\\",\\\"result\\\":\\\"whole\\\"}\";;\n"
    "  neither) say \"{\\\"id\\\":\\\"$id\\\"}\";;\n"
    "  talk) say 'loading model'; say '{\"no\":\"id\"}'; say '{broken'; say '[1]'; say ''\n"
    "     printf '{\"id\":\"%s\",\"result\":1}\\r\\n' \"$id\";;\n"
    "  later) (while ! test -e ${0%/*}/go && test -e $0; do sleep 0.01; done; say \"{\\\"id\\\":\\\"$id\\\",\\\"result\\\":1}\") & ;;\n"
    "  never) ;;\n"
    "  flood) i=0; while [ $i -lt 20000 ]; do echo 'a line of noise that nobody wants to read at all'; i=$((i+1)); done\n"
    "     say \"{\\\"id\\\":\\\"$id\\\",\\\"result\\\":\\\"dry\\\"}\";;\n"
    "  long) printf '{\"id\":\"%s\",\"result\":\"' \"$id\"; head -c 1100000 /dev/zero | tr '\\0' x; say '\"}';;\n"
    "  longtail) printf '{\"result\":\"'; head -c 1100000 /dev/zero | tr '\\0' x; say \"\\\",\\\"id\\\":\\\"$id\\\"}\";;\n"
    "  wide) printf '{\"id\":\"%s\",\"result\":\"' \"$id\"; head -c 1000000 /dev/zero | tr '\\0' x; say '\"}';;\n"
    "  bye) say \"{\\\"id\\\":\\\"$id\\\",\\\"result\\\":\\\"last words\\\"}\"; exit 3;;\n"
    "  die) kill -9 $$;;\n"
    "  mute) exec >&-; sleep 1000;;\n"
    "  deaf) exec <&-; say noted; sleep 1000;;\n"
    "  esac\n"
    "done\n";

static pid_t program;

/* let_later_go: `later` answers from now on, until stdio_down. */
static void
let_later_go(void)
{
	char path[64];

	snprintf(path, sizeof path, "%s/go", dir);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static void
hold_later(void)
{
	char path[64];

	snprintf(path, sizeof path, "%s/go", dir);
	unlink(path);
}

static struct workload *
stdio_up(unsigned inflight, unsigned queue)
{
	const char *argv[] = { "/bin/sh", NULL, NULL };
	struct workload_opts o = { .kind = WORKLOAD_STDIO, .max_inflight = inflight, .max_queue = queue, .name = "script" };
	char path[64];
	int in[2], out[2];

	snprintf(path, sizeof path, "%s/script", dir);
	argv[1] = path;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	struct child_fd fds[] = { { in[0], 0 }, { out[1], 1 } };
	assert_int_equal(child_spawn(&(struct child_opts){ .argv = argv, .fds = fds, .nfds = 2, .own_group = true },
	    &program, NULL), ERR_OK);
	close(in[0]);
	close(out[1]);
	struct workload *w = workload_new(loop, &o, NULL);
	assert_non_null(w);
	workload_attach(w, in[1], out[0]);
	workload_up(w);
	return w;
}

static void
stdio_down(struct workload *w)
{
	kill(-program, SIGKILL);
	workload_free(w);
	assert_int_equal(waitpid(program, NULL, 0), program);
	hold_later();
}

static void
stdio_answers_and_errors_come_back(void **state)
{
	struct workload *w = stdio_up(0, 0);

	(void)state;
	call(w, "null", WORKLOAD_OK, "null");
	call(w, "fail", WORKLOAD_APP_ERROR, "no stock");
	call(w, "failmap", WORKLOAD_APP_ERROR, "{\"code\":7}");
	call(w, "progress", WORKLOAD_OK, "\"whole\"");
	call(w, "neither", WORKLOAD_BAD_ANSWER, "neither result nor error");
	assert_int_equal(counters(w).ok, 2);
	assert_int_equal(counters(w).app_errors, 2);
	assert_int_equal(counters(w).bad_answers, 1);
	stdio_down(w);
}

static void
stdio_requests_look_as_documented(void **state)
{
	struct workload *w = stdio_up(0, 0);
	struct codec *c = codec_new();
	struct result r;
	struct value v;
	int64_t n;
	struct text t;

	(void)state;
	/* Line breaks between tokens must not end the message, those inside are escaped. */
	for_a_while(loop, NS_PER_MS);
	begin_with(w, "show", "id-7", "{\n \"a\": [1,\r\n2],\n \"b\": \"x\\ny\" }", UNTIL_NS, &r);
	expect(&r, WORKLOAD_OK, "id-7");
	assert_int_equal(codec_parse(c, (struct data){ DATA_JSON, r.text, strlen(r.text) }, &v, NULL), ERR_OK);
	assert_int_equal(v.n, 6);
	assert_true(value_text(value_field(&v, "id"), &t) && text_is(t, "id-7"));
	assert_true(value_text(value_field(&v, "kind"), &t) && text_is(t, "rpc"));
	assert_true(value_text(value_field(&v, "name"), &t) && text_is(t, "show"));
	assert_true(value_int(value_field(&v, "deadline_ms"), &n) && n > 30000 && n <= 60000);
	assert_true(value_text(value_field(value_field(&v, "params"), "b"), &t) && text_is(t, "x\ny"));
	const struct value *h = value_field(&v, "headers");
	assert_true(value_text(value_field(h, "traceparent"), &t) && text_is(t, "00-ab-cd-01"));
	assert_true(value_text(value_field(h, "Aegis-Source"), &t) && text_is(t, "s?\n1"));
	begin_with(w, "null", "x", "{not json", UNTIL_NS, &r);
	expect(&r, WORKLOAD_BAD_ANSWER, "not JSON");
	assert_false(r.maybe_executed);
	codec_free(c);
	stdio_down(w);
}

static void
stdio_keeps_calls_with_the_same_id_apart(void **state)
{
	struct workload *w = stdio_up(0, 0);
	struct result a, b, c, d;

	(void)state;
	begin_with(w, "later", "same", "1", UNTIL_NS, &a);
	begin_with(w, "null", "same", "1", UNTIL_NS, &b);
	begin_with(w, "null", "", "1", UNTIL_NS, &c);
	begin_with(w, "null", "quo\"te\xff", "1", UNTIL_NS, &d);
	expect(&b, WORKLOAD_OK, "null");
	expect(&c, WORKLOAD_OK, "null");
	expect(&d, WORKLOAD_OK, "null");
	assert_int_equal(a.done, 0);
	let_later_go();
	expect(&a, WORKLOAD_OK, "1");
	stdio_down(w);
}

static bool
was_late(void *w)
{
	return counters(w).late == 1;
}

static void
stdio_time_out_and_the_late_answer(void **state)
{
	struct workload *w = stdio_up(0, 0);
	struct result r;

	(void)state;
	begin_with(w, "later", "slow", "1", NS_PER_S, &r);
	expect(&r, WORKLOAD_TIMEOUT, "in time");
	assert_true(r.maybe_executed);
	let_later_go();
	assert_true(until(loop, was_late, w));
	assert_int_equal(r.done, 1);
	begin_with(w, "null", "x", "1", -60 * NS_PER_S, &r);
	assert_int_equal(r.done, 1);
	assert_int_equal(r.outcome, WORKLOAD_TIMEOUT);
	assert_false(r.maybe_executed);
	stdio_down(w);
}

static void
stdio_other_lines_are_counted(void **state)
{
	struct workload *w = stdio_up(0, 0);

	(void)state;
	call(w, "talk", WORKLOAD_OK, "1");
	assert_int_equal(counters(w).stray_lines, 6);	/* "hello" and the five */
	stdio_down(w);
}

static unsigned ticks;

static void
tick(void *arg)
{
	struct loop_timer *t = arg;

	ticks++;
	loop_timer_set(loop, t, mono_after(clock_mono(clock_system()), NS_PER_MS), tick, t);
}

static void
stdio_a_flood_does_not_stop_the_loop(void **state)
{
	struct workload *w = stdio_up(0, 0);
	struct loop_timer t = { 0 };

	(void)state;
	ticks = 0;
	tick(&t);
	call(w, "flood", WORKLOAD_OK, "dry");
	loop_timer_cancel(loop, &t);
	assert_int_equal(counters(w).stray_lines, 20001);
	assert_true(ticks > 5);
	call(w, "null", WORKLOAD_OK, "null");
	stdio_down(w);
}

static void
stdio_a_line_too_long_fails_its_call_and_no_other(void **state)
{
	struct workload *w = stdio_up(0, 0);
	struct result before;

	(void)state;
	begin(w, "never", &before);
	call(w, "long", WORKLOAD_BAD_ANSWER, "1 MiB");
	call(w, "null", WORKLOAD_OK, "null");
	call(w, "longtail", WORKLOAD_BAD_ANSWER, "1 MiB");
	call(w, "null", WORKLOAD_OK, "null");
	struct result r;
	begin(w, "wide", &r);
	expect(&r, WORKLOAD_OK, "\"xxx");
	assert_int_equal(r.ntext, 1000002);
	assert_int_equal(before.done, 0);
	stdio_down(w);
	assert_int_equal(before.outcome, WORKLOAD_DOWN);
}

static void
stdio_a_dead_program_ends_every_call(void **state)
{
	struct workload *w = stdio_up(2, 10);
	struct result r[5], more;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(r); i++)
		begin(w, i == 0 ? "die" : "never", &r[i]);
	expect(&r[0], WORKLOAD_DOWN, "closed");
	workload_down(w);
	for (size_t i = 1; i < COUNT_OF(r); i++) {
		expect(&r[i], WORKLOAD_DOWN, "");
		assert_int_equal(r[i].maybe_executed, i < 2);
	}
	begin(w, "null", &more);
	assert_int_equal(more.done, 1);
	assert_int_equal(more.outcome, WORKLOAD_DOWN);
	assert_false(more.maybe_executed);
	assert_int_equal(counters(w).inflight + counters(w).waiting, 0);
	stdio_down(w);
}

static void
stdio_last_words_count(void **state)
{
	struct workload *w = stdio_up(0, 0);
	struct result r;

	(void)state;
	begin(w, "bye", &r);
	/* It has answered and is gone before the loop turns once. */
	siginfo_t who;
	assert_int_equal(waitid(P_PID, (id_t)program, &who, WEXITED | WNOWAIT), 0);
	workload_down(w);
	assert_int_equal(r.done, 1);
	assert_int_equal(r.outcome, WORKLOAD_OK);
	assert_string_equal(r.text, "\"last words\"");
	stdio_down(w);
}

static void
stdio_a_program_that_closes_its_ends_is_down(void **state)
{
	struct workload *w = stdio_up(0, 0);
	struct result r;

	(void)state;
	call(w, "mute", WORKLOAD_DOWN, "standard output");
	stdio_down(w);
	w = stdio_up(0, 0);
	begin(w, "deaf", &r);
	expect(&r, WORKLOAD_DOWN, "standard input");
	call(w, "null", WORKLOAD_DOWN, "standard input");
	stdio_down(w);
}

static void
stdio_back_pressure(void **state)
{
	struct workload *w = stdio_up(2, 3);
	struct result r[6];

	(void)state;
	ends = 0;
	for (size_t i = 0; i < COUNT_OF(r); i++)
		begin(w, i < 2 ? "later" : "null", &r[i]);
	assert_int_equal(counters(w).inflight, 2);
	assert_int_equal(counters(w).waiting, 3);
	let_later_go();
	assert_int_equal(r[5].done, 1);
	assert_int_equal(r[5].outcome, WORKLOAD_BUSY);
	assert_false(r[5].maybe_executed);
	for (size_t i = 0; i < 5; i++)
		expect(&r[i], WORKLOAD_OK, "");
	/* What waited came in its order. */
	assert_true(r[2].order < r[3].order && r[3].order < r[4].order);
	assert_int_equal(counters(w).busy, 1);
	stdio_down(w);
}

static void
stdio_what_waits_times_out_too(void **state)
{
	struct workload *w = stdio_up(1, 3);
	struct result a, b;

	(void)state;
	begin(w, "never", &a);
	begin_with(w, "null", "x", "1", NS_PER_S, &b);
	expect(&b, WORKLOAD_TIMEOUT, "waited");
	assert_false(b.maybe_executed);
	assert_int_equal(counters(w).waiting, 0);
	stdio_down(w);
	assert_int_equal(a.outcome, WORKLOAD_DOWN);
}

/* What waited is asked about once more, and what comes, too; what runs is not. */
static void
stdio_what_may_not_run_any_more_is_not_sent(void **state)
{
	struct workload *w = stdio_up(1, 3);
	struct result r[4];

	(void)state;
	begin(w, "later", &r[0]);
	for (size_t i = 1; i < 3; i++)
		begin(w, "null", &r[i]);
	may_run = false;
	let_later_go();
	expect(&r[0], WORKLOAD_OK, "1");
	expect(&r[1], WORKLOAD_BUSY, "not have it any more");
	expect(&r[2], WORKLOAD_BUSY, "");
	begin(w, "null", &r[3]);
	expect(&r[3], WORKLOAD_BUSY, "");
	assert_false(r[1].maybe_executed || r[3].maybe_executed);
	may_run = true;
	assert_int_equal(counters(w).inflight + counters(w).waiting, 0);
	call(w, "null", WORKLOAD_OK, "null");
	stdio_down(w);
}

static void
stdio_a_program_that_does_not_read_costs_a_bounded_buffer(void **state)
{
	enum { N = 60, BYTES = 100000 };
	struct workload *w = stdio_up(N, 1);
	struct result r[N];
	char *params = mem_new(BYTES + 3);
	unsigned busy = 0;

	(void)state;
	memset(params, 'p', BYTES + 2);
	params[0] = params[BYTES + 1] = '"';
	call(w, "null", WORKLOAD_OK, "null");
	kill(program, SIGSTOP);
	for (size_t i = 0; i < N; i++) {
		begin_with(w, "null", "", params, UNTIL_NS, &r[i]);
		busy += r[i].done && r[i].outcome == WORKLOAD_BUSY;
	}
	/* 4 MiB of 100 kB each, and what the pipe holds. */
	assert_in_range(busy, N - 44, N - 40);
	kill(program, SIGCONT);
	/* The first few show that it goes on; a shell reads too slowly to wait for all. */
	for (size_t i = 0; i < 3; i++)
		expect(&r[i], WORKLOAD_OK, "null");
	stdio_down(w);
	for (size_t i = 3; i < N; i++)
		assert_int_equal(r[i].done, 1);
	mem_free(params);
}

/* A second run of the program: nothing of the first may leak into it. */
static void
stdio_a_new_program_begins_afresh(void **state)
{
	struct workload *w = stdio_up(0, 0);
	const char *argv[] = { "/bin/sh", NULL, NULL };
	char path[64];
	struct result r;
	int in[2], out[2];

	(void)state;
	snprintf(path, sizeof path, "%s/script", dir);
	argv[1] = path;
	begin(w, "die", &r);
	expect(&r, WORKLOAD_DOWN, "");
	workload_down(w);
	assert_int_equal(waitpid(program, NULL, 0), program);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	struct child_fd fds[] = { { in[0], 0 }, { out[1], 1 } };
	assert_int_equal(child_spawn(&(struct child_opts){ .argv = argv, .fds = fds, .nfds = 2, .own_group = true },
	    &program, NULL), ERR_OK);
	close(in[0]);
	close(out[1]);
	workload_attach(w, in[1], out[0]);
	call(w, "null", WORKLOAD_DOWN, "not ready");
	workload_up(w);
	call(w, "null", WORKLOAD_OK, "null");
	stdio_down(w);
}

/* --- a program that serves HTTP ------------------------------------------------------------ */

static int
set_up(void **state)
{
	char path[64];
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/script", dir);
	assert_non_null(f = fopen(path, "we"));
	assert_true(fputs(script, f) >= 0 && fclose(f) == 0);
	loop = loop_new(clock_system(), 16, NULL);
	return loop == NULL;
}

static int
tear_down(void **state)
{
	char path[64];

	(void)state;
	loop_free(loop);
	snprintf(path, sizeof path, "%s/script", dir);
	unlink(path);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stdio_answers_and_errors_come_back),
		cmocka_unit_test(stdio_requests_look_as_documented),
		cmocka_unit_test(stdio_keeps_calls_with_the_same_id_apart),
		cmocka_unit_test(stdio_time_out_and_the_late_answer),
		cmocka_unit_test(stdio_other_lines_are_counted),
		cmocka_unit_test(stdio_a_flood_does_not_stop_the_loop),
		cmocka_unit_test(stdio_a_line_too_long_fails_its_call_and_no_other),
		cmocka_unit_test(stdio_a_dead_program_ends_every_call),
		cmocka_unit_test(stdio_last_words_count),
		cmocka_unit_test(stdio_a_program_that_closes_its_ends_is_down),
		cmocka_unit_test(stdio_back_pressure),
		cmocka_unit_test(stdio_what_waits_times_out_too),
		cmocka_unit_test(stdio_what_may_not_run_any_more_is_not_sent),
		cmocka_unit_test(stdio_a_program_that_does_not_read_costs_a_bounded_buffer),
		cmocka_unit_test(stdio_a_new_program_begins_afresh),
	};

	thread_block_signals();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
