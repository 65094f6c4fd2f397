/* t_workload_http - calls into programs that serve HTTP: a server made here, which also behaves badly. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <sys/socket.h>

#include "base/magic.h"
#include "base/mem.h"
#include "calls.h"
#include "runner/workload.h"
#include "server.h"
#include "sys/thread.h"
#include "until.h"

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
	(void)state;
	loop = loop_new(clock_system(), 16, NULL);
	return loop == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
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
