/* t_workload - calls into programs: a shell script that speaks lines of JSON, and an HTTP
 * server made here; both also behave badly. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/magic.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "runner/workload.h"
#include "server.h"
#include "sys/child.h"
#include "sys/thread.h"
#include "until.h"

static struct loop *loop;
static char dir[] = "/tmp/t_workload.XXXXXX";

/* --- calls ------------------------------------------------------------------------------- */

struct result {
	unsigned done;
	enum workload_outcome outcome;
	char text[512];
	size_t ntext;
	int http_status;
	bool maybe_executed;
	unsigned order;			/* the how manieth end it was */
};

static unsigned ends;

static void
on_done(void *arg, const struct workload_result *res)
{
	struct result *r = arg;

	r->done++;
	r->outcome = res->outcome;
	r->http_status = res->http_status;
	r->maybe_executed = res->maybe_executed;
	r->order = ++ends;
	assert_non_null(res->text.p);
	r->ntext = res->text.n;
	snprintf(r->text, sizeof r->text, "%.*s", (int)(res->text.n < 511 ? res->text.n : 511), res->text.p);
}

static bool
is_done(void *r)
{
	return ((struct result *)r)->done > 0;
}

static bool may_run = true;

static bool
may(void *arg)
{
	(void)arg;
	return may_run;
}

static void
begin_with(struct workload *w, const char *method, const char *id, const char *params, int64_t timeout_ns,
    struct result *r)
{
	struct workload_header h[] = {
		{ "Aegis-Message-Id", text_of(id) }, { "Aegis-Trace-Id", text_of("t-1") },
		{ "Aegis-Source", text_of("s\xff\n1") }, { "traceparent", text_of("00-ab-cd-01") },
	};
	struct workload_request q = {
		.method = method, .message_id = text_of(id), .params = text_of(params), .headers = h, .nheaders = COUNT_OF(h),
		.deadline = mono_after(clock_mono(clock_system()), timeout_ns), .may = may,
	};

	memset(r, 0, sizeof *r);
	workload_call(w, &q, on_done, r);
}

static void
begin(struct workload *w, const char *method, struct result *r)
{
	static unsigned n;
	char id[32];

	snprintf(id, sizeof id, "m-%u", ++n);
	begin_with(w, method, id, "{\"a\":1}", UNTIL_NS, r);
}

static void
expect(struct result *r, enum workload_outcome o, const char *part)
{
	if (!until(loop, is_done, r))
		fail_msg("no end, expected %s", workload_outcome_name(o));
	if (r->outcome != o || strstr(r->text, part) == NULL)
		fail_msg("%s '%s', not %s '%s'", workload_outcome_name(r->outcome), r->text, workload_outcome_name(o), part);
	assert_int_equal(r->done, 1);
}

static void
call(struct workload *w, const char *method, enum workload_outcome o, const char *part)
{
	struct result r;

	begin(w, method, &r);
	expect(&r, o, part);
}

static struct workload_counters
counters(const struct workload *w)
{
	struct workload_counters c;

	workload_count(w, &c);
	return c;
}

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

static const struct { const char *path, *answer; } pages[] = {
	{ "/rpc/sum ", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"sum\":3}" },
	{ "/rpc/none ", "HTTP/1.1 204 No Content\r\n\r\n" },
	{ "/rpc/empty ", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" },
	{ "/rpc/fail ", "HTTP/1.1 422 Unprocessable\r\nContent-Length: 10\r\n\r\nno stock\r\n" },
	{ "/rpc/bare ", "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n" },
	{ "/rpc/latin ", "HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\ncaf\xe9!" },
	{ "/rpc/text ", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" },
	{ "/rpc/two ", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n1 2" },
	{ "/rpc/moved ", "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n" },
	{ "/rpc/huge ", "HTTP/1.1 200 OK\r\nContent-Length: 16777217\r\n\r\n" },
	{ "/rpc/noise ", "noise\r\n\r\n" },
	{ "/rpc/a%20b ", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue" },
	{ "/rpc/hang ", "" },
	{ "/rpc/cut ", NULL },
};

static void
server_serve(struct server *s, int fd)
{
	char buf[8192];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof buf - 1, 0)) > 0) {
		buf[n] = '\0';
		server_heard(s, buf);
		atomic_fetch_add(&s->requests, 1);
		size_t i = 0;
		while (i < COUNT_OF(pages) && strncmp(buf + 5, pages[i].path, strlen(pages[i].path)) != 0)
			i++;
		MUST(i < COUNT_OF(pages));
		if (pages[i].answer == NULL)
			break;
		if (send(fd, pages[i].answer, strlen(pages[i].answer), MSG_NOSIGNAL) < 0)
			break;
	}
}

/* serving: one that answers by its pages. */
static struct server *
serving(void)
{
	struct server *s = server_new(NULL);

	server_start(s);
	return s;
}

static struct workload *
http_up(const struct server *s, unsigned inflight, unsigned queue)
{
	struct workload_opts o = {
		.kind = WORKLOAD_PORT, .port = s->port, .max_inflight = inflight, .max_queue = queue, .name = "server",
	};
	struct workload *w = workload_new(loop, &o, NULL);

	assert_non_null(w);
	workload_up(w);
	return w;
}

static void
http_answers_are_judged(void **state)
{
	struct server *s = serving();
	struct workload *w = http_up(s, 0, 0);
	static const struct { const char *method; enum workload_outcome o; const char *text; int status; } rows[] = {
		{ "sum", WORKLOAD_OK, "{\"sum\":3}", 200 }, { "none", WORKLOAD_OK, "null", 204 },
		{ "empty", WORKLOAD_OK, "null", 200 }, { "fail", WORKLOAD_APP_ERROR, "no stock", 422 },
		{ "bare", WORKLOAD_APP_ERROR, "HTTP 503", 503 }, { "latin", WORKLOAD_APP_ERROR, "caf?!", 500 },
		{ "a b", WORKLOAD_OK, "true", 200 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct result r;
		begin(w, rows[i].method, &r);
		expect(&r, rows[i].o, "");
		assert_string_equal(r.text, rows[i].text);
		assert_int_equal(r.http_status, rows[i].status);
		assert_true(r.maybe_executed);
	}
	call(w, "text", WORKLOAD_BAD_ANSWER, "not JSON");
	call(w, "two", WORKLOAD_BAD_ANSWER, "not JSON");
	call(w, "moved", WORKLOAD_BAD_ANSWER, "302");
	call(w, "huge", WORKLOAD_BAD_ANSWER, "larger than");
	call(w, "noise", WORKLOAD_BAD_ANSWER, "no HTTP");
	call(w, "cut", WORKLOAD_DOWN, "closed before");
	call(w, "sum", WORKLOAD_OK, "3");
	assert_int_equal(s->requests, COUNT_OF(rows) + 7);
	workload_free(w);
	server_free(s);
}

static void
http_requests_look_as_documented(void **state)
{
	struct server *s = serving();
	struct workload *w = http_up(s, 0, 0);
	struct result r;

	(void)state;
	/* However long the loop's turn has lasted, nobody is promised more time than there is. */
	thread_pause(30 * NS_PER_MS);
	begin_with(w, "sum", "id-9", "{\"a\":[1,2]}", UNTIL_NS, &r);
	expect(&r, WORKLOAD_OK, "3");
	assert_non_null(strstr(server_last(s), "POST /rpc/sum HTTP/1.1\r\n"));
	assert_non_null(strstr(server_last(s), "\r\nAegis-Message-Id: id-9\r\n"));
	assert_non_null(strstr(server_last(s), "\r\nAegis-Trace-Id: t-1\r\n"));
	assert_non_null(strstr(server_last(s), "\r\ntraceparent: 00-ab-cd-01\r\n"));
	const char *left = strstr(server_last(s), "\r\nAegis-Deadline: ");
	assert_non_null(left);
	assert_in_range(strtol(left + strlen("\r\nAegis-Deadline: "), NULL, 10), 30000, 60000);
	assert_non_null(strstr(server_last(s), "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(server_last(s), "\r\n\r\n{\"a\":[1,2]}"));

	/* A time that the header has no digits for, as commands may have. */
	begin_with(w, "sum", "id-10", "{}", 366 * 24 * 3600 * NS_PER_S, &r);
	expect(&r, WORKLOAD_OK, "3");
	assert_non_null(strstr(server_last(s), "\r\nAegis-Deadline: 9999999999\r\n"));
	workload_free(w);
	server_free(s);
}

static void
http_time_out_frees_the_place(void **state)
{
	struct server *s = serving();
	struct workload *w = http_up(s, 1, 1);
	struct result r, next;

	(void)state;
	begin_with(w, "hang", "x", "1", NS_PER_S, &r);
	begin(w, "sum", &next);
	expect(&r, WORKLOAD_TIMEOUT, "in time");
	assert_true(r.maybe_executed);
	expect(&next, WORKLOAD_OK, "3");
	workload_free(w);
	server_free(s);
}

static void
http_back_pressure_and_the_end_of_the_program(void **state)
{
	struct server *s = serving();
	struct workload *w = http_up(s, 4, 8);
	struct result r[13];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(r); i++)
		begin(w, "hang", &r[i]);
	assert_int_equal(r[12].outcome, WORKLOAD_BUSY);
	assert_int_equal(r[12].done, 1);
	assert_int_equal(counters(w).inflight, 4);
	assert_int_equal(counters(w).waiting, 8);
	while (s->requests < 4)
		for_a_while(loop, NS_PER_MS);
	workload_down(w);
	for (size_t i = 0; i < 12; i++) {
		assert_int_equal(r[i].done, 1);
		assert_int_equal(r[i].outcome, WORKLOAD_DOWN);
		assert_int_equal(r[i].maybe_executed, i < 4);
	}
	workload_free(w);
	server_free(s);
}

static void
http_many_calls_in_and_out(void **state)
{
	struct server *s = serving();
	struct workload *w = http_up(s, 16, 1000);
	enum { N = 800 };
	struct result *r = mem_array(N, sizeof *r);

	(void)state;
	for (size_t i = 0; i < N; i++)
		begin(w, i % 3 == 0 ? "fail" : "sum", &r[i]);
	for (size_t i = 0; i < N; i++)
		expect(&r[i], i % 3 == 0 ? WORKLOAD_APP_ERROR : WORKLOAD_OK, "");
	assert_int_equal(s->requests, N);
	assert_int_equal(counters(w).calls, N);
	mem_free(r);
	workload_free(w);
	server_free(s);
}

static void
http_without_a_listener_nothing_was_executed(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof in;
	struct result r;

	(void)state;
	/* Its port is nobody else's, and nobody listens. */
	assert_int_equal(bind(fd, (const struct sockaddr *)&in, sizeof in), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	struct workload *w = http_up(&(struct server){ .port = ntohs(in.sin_port) }, 0, 0);
	begin(w, "sum", &r);
	expect(&r, WORKLOAD_DOWN, "refused");
	assert_false(r.maybe_executed);
	workload_free(w);
	close(fd);
}

/* What ends a call may call again, at once; a row of those must neither nest nor stall. */
struct chain {
	struct workload *w;
	unsigned left;
};

static void
on_link(void *arg, const struct workload_result *res)
{
	struct chain *c = arg;
	struct workload_request q = { .method = "sum", .deadline = mono_after(clock_mono(clock_system()), UNTIL_NS) };

	assert_int_equal(res->outcome, WORKLOAD_OK);
	if (--c->left > 0)
		workload_call(c->w, &q, on_link, c);
}

static bool
chain_ended(void *c)
{
	return ((struct chain *)c)->left == 0;
}

static void
http_the_end_of_a_call_may_call_again(void **state)
{
	struct server *s = serving();
	struct chain c = { http_up(s, 1, 1), 500 };

	(void)state;
	on_link(&c, &(struct workload_result){ .outcome = WORKLOAD_OK });
	assert_true(until(loop, chain_ended, &c));
	workload_free(c.w);
	server_free(s);
}

static void
without_an_address_there_is_nobody_to_call(void **state)
{
	struct workload *w = workload_new(loop, &(struct workload_opts){ .kind = WORKLOAD_NONE }, NULL);
	struct err err = { 0 };
	char path[200];

	(void)state;
	workload_up(w);
	call(w, "x", WORKLOAD_DOWN, "");
	workload_free(w);
	memset(path, 'p', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	assert_null(workload_new(loop, &(struct workload_opts){ .kind = WORKLOAD_SOCKET, .socket = path }, &err));
	assert_int_equal(err.code, ERR_CONFIG);
}

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
		cmocka_unit_test(http_answers_are_judged),
		cmocka_unit_test(http_requests_look_as_documented),
		cmocka_unit_test(http_time_out_frees_the_place),
		cmocka_unit_test(http_back_pressure_and_the_end_of_the_program),
		cmocka_unit_test(http_many_calls_in_and_out),
		cmocka_unit_test(http_without_a_listener_nothing_was_executed),
		cmocka_unit_test(http_the_end_of_a_call_may_call_again),
		cmocka_unit_test(without_an_address_there_is_nobody_to_call),
	};

	thread_block_signals();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
