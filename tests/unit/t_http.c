/* t_http - the client of a workload against servers made here: well-behaved and not.
 *
 * Each server is a thread that follows a script: how to answer each request of each
 * connection, then what to do with the connection. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sched.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/magic.h"
#include "base/mem.h"
#include "net/http.h"
#include "server.h"
#include "sys/thread.h"
#include "until.h"

static struct loop *loop;

/* --- a server ---------------------------------------------------------------------------- */

/* read_request: the head and as much body as it announces; false at the end. */
static bool
read_request(int fd, char *buf, size_t max)
{
	size_t n = 0, want = 0;
	char *body, *length;

	for (;;) {
		ssize_t got = recv(fd, buf + n, max - n - 1, 0);
		if (got <= 0)
			return false;
		n += (size_t)got;
		buf[n] = '\0';
		if ((body = strstr(buf, "\r\n\r\n")) == NULL)
			continue;
		if ((length = strcasestr(buf, "content-length: ")) != NULL)
			want = strtoul(length + 16, NULL, 10);
		if (n >= (size_t)(body + 4 - buf) + want)
			return true;
	}
}

static void
send_answer(struct server *s, int fd, unsigned number)
{
	char text[4096];
	const char *mark = strstr(s->answer, "{n}");
	size_t n, done = 0;

	if (mark != NULL)
		snprintf(text, sizeof text, "%.*s%03u%s", (int)(mark - s->answer), s->answer, number, mark + 3);
	const char *p = mark != NULL ? text : s->answer;
	n = strlen(p);
	if (s->cut > 0 && s->cut < n)
		n = s->cut;
	while (done < n) {
		ssize_t w = send(fd, p + done, n - done, MSG_NOSIGNAL);
		if (w <= 0)
			return;
		done += (size_t)w;
	}
}

static void
server_serve(struct server *s, int fd)
{
	char *buf = mem_new(SERVER_REQUEST_MAX);

	while (read_request(fd, buf, SERVER_REQUEST_MAX)) {
		server_heard(s, buf);
		send_answer(s, fd, atomic_fetch_add(&s->requests, 1) + 1);
		if (s->closes || s->cut > 0)
			break;
	}
	mem_free(buf);
}

/* --- calls ------------------------------------------------------------------------------- */

struct result {
	bool is_done;
	enum err_code code;
	int status;
	char body[256], why[200];
	size_t nbody;
	bool maybe_executed;
};

static void
on_done(void *arg, const struct http_answer *a)
{
	struct result *r = arg;

	assert_false(r->is_done);
	r->is_done = true;
	r->code = a->code;
	r->status = a->status;
	r->nbody = a->body.n;
	r->maybe_executed = a->maybe_executed;
	snprintf(r->body, sizeof r->body, "%.*s", (int)(a->body.n < 255 ? a->body.n : 255), a->body.p);
	snprintf(r->why, sizeof r->why, "%s", a->why);
}

static bool
is_done(void *r)
{
	return ((struct result *)r)->is_done;
}

static struct http_call *
post(struct http *h, const char *body, struct result *r)
{
	struct http_header head[] = { { "Aegis-Message-Id", text_of("m-1") }, { "X-Evil", text_of("a\r\nInjected: b") } };
	struct http_request q = {
		.method = "POST", .path = "/rpc/add", .headers = head, .nheaders = 2, .type = "application/json",
		.body = text_of(body),
	};
	struct str bytes = STR_INIT;

	memset(r, 0, sizeof *r);
	http_compose(&bytes, &q);
	struct http_call *c = http_send(h, &bytes, on_done, r);
	assert_false(r->is_done);
	str_release(&bytes);
	return c;
}

static void
call(struct http *h, const char *body, struct result *r)
{
	assert_non_null(post(h, body, r));
	assert_true(until(loop, is_done, r));
}

static struct http *
client(const struct server *s, unsigned conns)
{
	return http_new(loop, &(struct http_opts){ .target = s->target, .max_conns = conns, .max_body = 1000 });
}

#define OK_3 "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{n}"

/* --- tests ------------------------------------------------------------------------------- */

static void
asks_and_is_answered_over_one_connection(void **state)
{
	struct server *s = server_new(OK_3);
	struct http *h = client(s, 4);
	struct result r;
	char want[8];

	(void)state;
	server_start(s);
	for (unsigned i = 1; i <= 50; i++) {
		call(h, "{\"a\":1}", &r);
		assert_int_equal(r.code, ERR_OK);
		assert_int_equal(r.status, 200);
		snprintf(want, sizeof want, "%03u", i);
		assert_string_equal(r.body, want);
	}
	assert_int_equal(s->accepted, 1);
	assert_int_equal(http_connections(h), 1);
	assert_non_null(strstr(server_last(s), "POST /rpc/add HTTP/1.1\r\nHost: localhost\r\n"));
	assert_non_null(strstr(server_last(s), "\r\nAegis-Message-Id: m-1\r\n"));
	assert_non_null(strstr(server_last(s), "\r\nContent-Type: application/json\r\nContent-Length: 7\r\n"));
	assert_non_null(strstr(server_last(s), "\r\n\r\n{\"a\":1}"));
	assert_null(strstr(server_last(s), "\r\nInjected"));
	assert_non_null(strstr(server_last(s), "X-Evil: a??Injected: b"));
	http_free(h);
	server_free(s);
}

static void
understands_every_way_to_end_a_body(void **state)
{
	static const struct { const char *answer, *body; int status; } rows[] = {
		{ "HTTP/1.1 204 No Content\r\n\r\n", "", 204 },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n", "abcdefg", 200 },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi", 200 },
		{ "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope", "nope", 404 },
		{ "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold", "old", 200 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct server *s = server_new(rows[i].answer);
		struct http *h = client(s, 1);
		struct result r;
		server_start(s);
		for (int k = 0; k < 2; k++) {
			call(h, "1", &r);
			assert_int_equal(r.code, ERR_OK);
			assert_int_equal(r.status, rows[i].status);
			assert_string_equal(r.body, rows[i].body);
		}
		/* HTTP/1.0 closes by default, the others stay. */
		assert_int_equal(s->accepted, strstr(rows[i].answer, "HTTP/1.0") != NULL ? 2 : 1);
		http_free(h);
		server_free(s);
	}
}

static void
a_body_may_end_with_the_connection(void **state)
{
	struct server *s = server_new("HTTP/1.1 200 OK\r\n\r\nuntil the end");
	struct http *h = client(s, 1);
	struct result r;

	(void)state;
	s->closes = true;
	server_start(s);
	call(h, "1", &r);
	assert_int_equal(r.code, ERR_OK);
	assert_string_equal(r.body, "until the end");
	assert_int_equal(http_connections(h), 0);
	http_free(h);
	server_free(s);
}

static void
no_listener_means_not_executed(void **state)
{
	struct server *s = server_new(OK_3);
	struct http *h = client(s, 1);
	struct result r;

	(void)state;
	close(s->fd);
	call(h, "1", &r);
	assert_int_equal(r.code, ERR_UNAVAILABLE);
	assert_false(r.maybe_executed);
	assert_non_null(strstr(r.why, "refused"));
	http_free(h);
	mem_free(s);
}

static void
a_connection_that_closes_instead_of_answering_is_not_tried_again(void **state)
{
	struct server *s = server_new(OK_3);
	struct http *h = client(s, 1);
	struct result r;

	(void)state;
	s->cut = 1;
	s->answer = "HTTP/1.1 200";
	server_start(s);
	call(h, "1", &r);
	assert_int_equal(r.code, ERR_CLOSED);
	assert_true(r.maybe_executed);
	assert_int_equal(s->requests, 1);
	assert_int_equal(s->accepted, 1);
	http_free(h);
	server_free(s);
}

static void
an_answer_cut_short_is_an_error(void **state)
{
	struct server *s = server_new("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
	struct http *h = client(s, 1);
	struct result r;

	(void)state;
	s->closes = true;
	server_start(s);
	call(h, "1", &r);
	assert_int_equal(r.code, ERR_CLOSED);
	assert_int_equal(r.nbody, 0);
	http_free(h);
	server_free(s);
}

static bool
nothing_open(void *h)
{
	return http_connections(h) == 0;
}

/* The server closes after each answer without saying so: whether we have seen that before
 * the next request or not, no call may fail and none may arrive twice. */
static void
a_stale_connection_costs_nothing(void **state)
{
	struct server *s = server_new(OK_3);
	struct http *h = client(s, 1);
	struct result r;

	(void)state;
	s->closes = true;
	server_start(s);
	for (unsigned i = 1; i <= 20; i++) {
		call(h, "1", &r);
		assert_int_equal(r.code, ERR_OK);
		assert_int_equal(s->requests, i);
		/* Every second time the loop gets to see the end of the connection, else it is there
		 * and the next request is the first to meet it. */
		if (i % 2 == 0)
			assert_true(until(loop, nothing_open, h));
		else
			while (s->closed < i)
				sched_yield();
	}
	http_free(h);
	server_free(s);
}

static void
garbage_is_named(void **state)
{
	static const char *const rows[] = {
		"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: minus\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\r\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct server *s = server_new(rows[i]);
		struct http *h = client(s, 1);
		struct result r;
		server_start(s);
		call(h, "1", &r);
		if (r.code != ERR_CORRUPT)
			fail_msg("'%s': %s", rows[i], err_name(r.code));
		assert_non_null(strstr(r.why, "no HTTP"));
		http_free(h);
		server_free(s);
	}
}

static void
bytes_behind_the_answer_end_the_connection(void **state)
{
	struct server *s = server_new("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi and more");
	struct http *h = client(s, 1);
	struct result r;

	(void)state;
	server_start(s);
	call(h, "1", &r);
	assert_int_equal(r.code, ERR_OK);
	assert_string_equal(r.body, "hi");
	assert_true(until(loop, nothing_open, h));
	http_free(h);
	server_free(s);
}

static void
an_answer_that_is_too_large_is_refused_early(void **state)
{
	static char chunked[4000];
	static const char *const announced = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx";
	const char *const rows[] = { announced, chunked };

	(void)state;
	int n = snprintf(chunked, sizeof chunked, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n");
	memset(chunked + n, 'x', 2000);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct server *s = server_new(rows[i]);
		struct http *h = client(s, 1);
		struct result r;
		server_start(s);
		call(h, "1", &r);
		assert_int_equal(r.code, ERR_TOO_LARGE);
		assert_non_null(strstr(r.why, "1000 bytes"));
		http_free(h);
		server_free(s);
	}
}

static void
many_at_once_never_share_a_connection(void **state)
{
	struct server *s = server_new(OK_3);
	struct http *h = client(s, 32);
	struct result r[32], more;

	(void)state;
	server_start(s);
	for (unsigned round = 0; round < 20; round++) {
		for (size_t i = 0; i < COUNT_OF(r); i++)
			assert_non_null(post(h, "1", &r[i]));
		assert_null(post(h, "1", &more));
		for (size_t i = 0; i < COUNT_OF(r); i++) {
			assert_true(until(loop, is_done, &r[i]));
			assert_int_equal(r[i].code, ERR_OK);
		}
	}
	assert_int_equal(s->requests, 20 * 32);
	/* Kept from one burst to the next. */
	assert_in_range(http_dialled(h), 32, 96);
	http_free(h);
	server_free(s);
}

/* A server of one connection at a time, and four calls: whoever has finished makes room. */
static void
a_server_of_one_connection_at_a_time_serves_all(void **state)
{
	struct server *s = server_new(OK_3);
	struct http *h = client(s, 4);
	struct result r[4];

	(void)state;
	s->serial = true;
	server_start(s);
	for (size_t i = 0; i < COUNT_OF(r); i++)
		assert_non_null(post(h, "1", &r[i]));
	for (size_t i = 0; i < COUNT_OF(r); i++) {
		assert_true(until(loop, is_done, &r[i]));
		assert_int_equal(r[i].code, ERR_OK);
	}
	http_free(h);
	server_free(s);
}

/* The first caller never pauses, so its connection is never idle when one looks. */
struct chain {
	struct http *h;
	bool stop;
};

static void
on_link(void *arg, const struct http_answer *a)
{
	struct chain *c = arg;
	struct http_request q = { .method = "GET", .path = "/" };
	struct str bytes = STR_INIT;

	assert_int_equal(a->code, ERR_OK);
	if (c->stop)
		return;
	http_compose(&bytes, &q);
	assert_non_null(http_send(c->h, &bytes, on_link, c));
	str_release(&bytes);
}

static void
a_busy_caller_does_not_shut_others_out(void **state)
{
	struct server *s = server_new(OK_3);
	struct chain c = { .h = client(s, 3) };
	struct result r;

	(void)state;
	s->serial = true;
	server_start(s);
	on_link(&c, &(struct http_answer){ .code = ERR_OK });
	for_a_while(loop, 20 * NS_PER_MS);
	call(c.h, "1", &r);
	assert_int_equal(r.code, ERR_OK);
	c.stop = true;
	http_free(c.h);
	server_free(s);
}

static void
a_cancelled_call_is_never_told_and_its_connection_not_reused(void **state)
{
	struct server *s = server_new(OK_3);
	struct http *h = client(s, 1);
	struct result r, other;

	(void)state;
	server_start(s);
	struct http_call *c = post(h, "1", &r);
	http_cancel(c);
	assert_int_equal(http_connections(h), 0);
	call(h, "1", &other);
	assert_int_equal(other.code, ERR_OK);
	assert_false(r.is_done);
	http_free(h);
	server_free(s);
}

static void
a_large_request_goes_out_in_pieces(void **state)
{
	struct server *s = server_new(OK_3);
	struct http *h = client(s, 1);
	char *big = mem_new(60001);
	struct result r;
	int small = 4096;

	(void)state;
	memset(big, 'b', 60000);
	/* A small window on the other side, so that one write cannot take it all. */
	setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	server_start(s);
	call(h, big, &r);
	assert_int_equal(r.code, ERR_OK);
	assert_int_equal(strlen(strstr(server_last(s), "\r\n\r\n") + 4), 60000);
	http_free(h);
	server_free(s);
	mem_free(big);
}

static void
speaks_over_unix_sockets_and_waits_for_a_full_backlog(void **state)
{
	char path[] = "/tmp/t_http.XXXXXX/s";
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct server *s = mem_new(sizeof *s);
	struct result r[8];

	(void)state;
	path[strlen(path) - 2] = '\0';
	assert_non_null(mkdtemp(path));
	path[strlen(path)] = '/';
	memcpy(un.sun_path, path, sizeof path);
	s->answer = OK_3;
	pthread_mutex_init(&s->lock, NULL);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&un, sizeof un), 0);
	assert_int_equal(listen(s->fd, 1), 0);
	assert_int_equal(dial_unix(path, &s->target, NULL), ERR_OK);
	struct http *h = client(s, 8);
	for (size_t i = 0; i < COUNT_OF(r); i++)
		assert_non_null(post(h, "1", &r[i]));
	for_a_while(loop, 20 * NS_PER_MS);
	server_start(s);
	for (size_t i = 0; i < COUNT_OF(r); i++) {
		assert_true(until(loop, is_done, &r[i]));
		assert_int_equal(r[i].code, ERR_OK);
	}
	http_free(h);
	server_free(s);
	unlink(path);
	path[strlen(path) - 2] = '\0';
	rmdir(path);
}

static void
paths_are_escaped(void **state)
{
	struct str out = STR_INIT;

	(void)state;
	http_escape(&out, "add_2-.~/ ?\r\n\xc3\xa9");
	assert_string_equal(str_text(&out), "add_2-.~%2F%20%3F%0D%0A%C3%A9");
	str_release(&out);
}

static void
targets_are_read_and_refused_with_a_reason(void **state)
{
	static const struct { const char *text, *says; } bad[] = {
		{ "127.0.0.1", "no port" }, { "127.0.0.1:0", "no port" }, { "127.0.0.1:65536", "no port" },
		{ "example.com:80", "not a numeric address" }, { ":", "no port" }, { "", "no port" }, { "unix:", "empty" },
	};
	static const char *const good[] = { "127.0.0.1:80", "[::1]:80", "::1:80", "localhost:80", ":80", "80", "unix:/x" };
	struct dial_target t;
	char path[200] = "unix:";

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++)
		assert_int_equal(dial_parse(good[i], &t, NULL), ERR_OK);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct err err = { 0 };
		assert_int_equal(dial_parse(bad[i].text, &t, &err), ERR_CONFIG);
		if (strstr(err.text, bad[i].says) == NULL)
			fail_msg("'%s': %s", bad[i].text, err.text);
	}
	memset(path + 5, 'p', 150);
	assert_int_equal(dial_parse(path, &t, NULL), ERR_CONFIG);
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
		cmocka_unit_test(asks_and_is_answered_over_one_connection),
		cmocka_unit_test(understands_every_way_to_end_a_body),
		cmocka_unit_test(a_body_may_end_with_the_connection),
		cmocka_unit_test(no_listener_means_not_executed),
		cmocka_unit_test(a_connection_that_closes_instead_of_answering_is_not_tried_again),
		cmocka_unit_test(an_answer_cut_short_is_an_error),
		cmocka_unit_test(a_stale_connection_costs_nothing),
		cmocka_unit_test(garbage_is_named),
		cmocka_unit_test(bytes_behind_the_answer_end_the_connection),
		cmocka_unit_test(an_answer_that_is_too_large_is_refused_early),
		cmocka_unit_test(many_at_once_never_share_a_connection),
		cmocka_unit_test(a_server_of_one_connection_at_a_time_serves_all),
		cmocka_unit_test(a_busy_caller_does_not_shut_others_out),
		cmocka_unit_test(a_cancelled_call_is_never_told_and_its_connection_not_reused),
		cmocka_unit_test(a_large_request_goes_out_in_pieces),
		cmocka_unit_test(speaks_over_unix_sockets_and_waits_for_a_full_backlog),
		cmocka_unit_test(paths_are_escaped),
		cmocka_unit_test(targets_are_read_and_refused_with_a_reason),
	};

	thread_block_signals();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
