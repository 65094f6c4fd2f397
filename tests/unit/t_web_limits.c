/* t_web_limits - hostile, slow and silent clients of the HTTP server: what each is refused by, and that others
 * are served meanwhile. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/resource.h>

#include "base/mem.h"
#include "sys/thread.h"
#include "talk.h"

#define RECEIVE_NS (120 * NS_PER_S)	/* nobody is too slow for it … */
#define HASTY_NS (2 * NS_PER_S)		/* … but whoever a test means to be */

/* --- the server -------------------------------------------------------------------------- */

static enum err_code
told(void *arg, struct web_request *r, struct err *err)
{
	char text[80];

	(void)arg;
	(void)err;
	snprintf(text, sizeof text, "%zu bytes to %.40s", web_body(r).n, web_param(r, "name"));
	web_reply(r, 200, "text/plain", text_of(text));
	return ERR_OK;
}

/* pours: a stream that its readers cannot drink up. */
static enum err_code
pours(void *arg, struct web_request *r, struct err *err)
{
	static char much[512];		/* half a second at the slowest rate */

	(void)arg;
	(void)err;
	memset(much, ':', sizeof much);
	web_stream_begin(r);
	while (!web_stopping(r) && web_stream_write(r, (struct text){ much, sizeof much }))
		;
	return ERR_OK;
}

/* drips: a stream that says little. */
static enum err_code
drips(void *arg, struct web_request *r, struct err *err)
{
	(void)arg;
	(void)err;
	web_stream_begin(r);
	while (!web_stopping(r) && web_stream_write(r, text_of(":\n\n")))
		thread_pause(5 * NS_PER_MS);
	return ERR_OK;
}

static const struct web_route routes[] = {
	{ "GET", "/to/{name}", WEB_QUICK, .handler = told },
	{ "POST", "/to/{name}", WEB_WAITS, 1 << 20, told, .takes = "text/plain" },
	{ "GET", "/pours", WEB_STREAMS, .handler = pours },
	{ "GET", "/drips", WEB_STREAMS, .handler = drips },
};

static void
start(struct web_server_opts o)
{
	static const char *const listen[] = { "127.0.0.1:0" };
	struct err err = { ERR_OK, "" };

	o.listen = listen;
	o.nlisten = 1;
	o.routes = routes;
	o.nroutes = COUNT_OF(routes);
	o.receive_ns = o.receive_ns > 0 ? o.receive_ns : RECEIVE_NS;
	server = web_server_new(&o, &err);
	if (server == NULL)
		fail_msg("%s", err.text);
}

static int
end(void **state)
{
	(void)state;
	web_server_free(server);
	server = NULL;
	return 0;
}

static int
from(unsigned char n)
{
	return dial_from(n, web_server_address(server, 0));
}

#define GET "GET /to/x HTTP/1.1\r\n" HOST "\r\n"

/* --- tests ------------------------------------------------------------------------------- */

/* A request that others might cut elsewhere is answered 400, and nothing behind it is read. */
static void
refuses_what_is_read_in_two_ways(void **state)
{
	static const char *const heads[] = {
		"POST /to/x HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
		"POST /to/x HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
		"POST /to/x HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n",
		"POST /to/x HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n",
		"POST /to/x HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n",
		"POST /to/x HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		"POST /to/x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
		"POST /to/x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
		"POST /to/x HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n",
		"POST /to/x HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n",
		"POST /to/x HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET /to/x HTTP/1.1\r\n" HOST HOST "\r\n",
		"GET /to/x HTTP/1.1\r\n\r\n",
		"GET /to/x HTTP/1.1\r\n" HOST "Authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n",
		"GET /to/x HTTP/1.1\r\n" HOST "Cookie: a=b\r\nCookie: a=c\r\n\r\n",
		"POST /to/x HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n",
		"POST /to/x HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n chunked\r\n\r\n",
		"POST /to/x HTTP/1.1\r\n" HOST "X: y\r\n Content-Length: 5\r\n\r\n",
		"POST /to/x HTTP/1.1\r\n" HOST "X: y\nContent-Length: 5\r\n\r\n",
		"POST /to/x HTTP/1.1\r\n" HOST "X: y\rContent-Length: 5\r\n\r\n",
		"POST /to/x HTTP/1.1\n" HOST "Content-Length: 5\r\n\r\n",
		"GET /to/x HTTP/1.1\n\n",
		"GET /to/x HTTP/1.1\r\nX: \x01\r\n\r\n",
		"GET /to/x y HTTP/1.1\r\n" HOST "\r\n",
		"GET /to/\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n",
	};

	(void)state;
	start((struct web_server_opts){ .max_waiting = 2 });
	for (size_t i = 0; i < COUNT_OF(heads); i++) {
		int fd = dial(server);
		say(fd, heads[i]);
		say(fd, "5\r\nabcde\r\n0\r\n\r\n" GET);
		int status = hear(fd);
		if (status < 400 || status > 499 || !heard("Connection: close"))
			fail_msg("row %zu: %s", i, got);
		assert_int_equal(hear(fd), 0);
		close(fd);
	}
	/* What only one of them reads, too: nothing waits for an answer to an expectation that nobody meets. */
	assert_int_equal(ask("POST /to/x HTTP/1.1\r\n" HOST "Expect: 200-ok\r\nContent-Length: 1\r\n\r\nx"), 417);
	/* NUL ends no text here. */
	static const char nul[] = "GET /to/x\0 HTTP/1.1\r\nHost: x\r\n\r\n", field[] = "GET /to/x HTTP/1.1\r\nX: \0y\r\n\r\n";
	int fd = dial(server);
	assert_int_equal(send(fd, nul, sizeof nul - 1, MSG_NOSIGNAL), sizeof nul - 1);
	assert_int_equal(hear(fd), 400);
	close(fd);
	fd = dial(server);
	assert_int_equal(send(fd, field, sizeof field - 1, MSG_NOSIGNAL), sizeof field - 1);
	assert_int_equal(hear(fd), 400);
	close(fd);
	assert_int_equal(ask(GET), 200);
}

static void
leads_no_path_elsewhere(void **state)
{
	static const struct { const char *path; int status; } rows[] = {
		{ "/to/../to/x", 404 }, { "/to/x/..", 404 }, { "//to/x", 404 }, { "/to//x", 404 }, { "/to/./x", 404 }, { "/./to/x", 404 },
		{ "/to%2fx", 404 }, { "/%74o/x", 404 }, { "/to/x/", 404 }, { "/to\\x", 404 }, { "/to/x;y", 200 }, { "/to/x%00", 422 },
		{ "/to/%c0%af", 422 }, { "/to/%e0%80%af", 422 }, { "/to/%c0%ae%c0%ae", 422 }, { "/to/%ed%a0%80", 422 }, { "/to/%ff", 422 },
		{ "/to/%", 422 }, { "/to/%2", 422 }, { "/to/%zz", 422 }, { "/to/%0d%0aX:%20y", 422 }, { "http://elsewhere/to/x", 400 },
		{ "*", 400 }, { "to/x", 400 }, { "", 400 },
		/* Escaped, they are text of a name, and no path. */
		{ "/to/%2e%2e", 200 }, { "/to/..%2f..%2fetc", 200 }, { "/to/..", 200 },
	};

	(void)state;
	start((struct web_server_opts){ .max_waiting = 2 });
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char request[200];
		snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", rows[i].path);
		int status = ask(request);
		if (status != rows[i].status && !(rows[i].status == 400 && status == 0))
			fail_msg("row %zu, %s: %s", i, rows[i].path, got);
	}
}

static void
bounds_heads(void **state)
{
	char head[9000];

	(void)state;
	start((struct web_server_opts){ .max_waiting = 2 });
	int n = snprintf(head, sizeof head, "GET /to/x HTTP/1.1\r\n" HOST "Connection: close\r\nX: ");
	memset(head + n, 'y', sizeof head - (size_t)n);
	snprintf(head + 8000, 5, "\r\n\r\n");
	assert_int_equal(ask(head), 200);
	memcpy(head + 8000, "yyyyy", 5);
	snprintf(head + 8900, 5, "\r\n\r\n");
	assert_int_equal(ask(head), 431);
	assert_true(heard("HTTP/1.1 431 Request Header Fields Too Large") && heard("\"code\":\"HTTP_431\""));
	head[8900] = '\0';
	assert_int_equal(ask(head), 431);		/* one that has no end is not waited for */
	assert_int_equal(web_counters(server).late, 0);
}

static void
bounds_slowness(void **state)
{
	struct pollfd p = { -1, POLLIN, 0 };
	unsigned n = 0;

	(void)state;
	start((struct web_server_opts){ .max_waiting = 2, .receive_ns = HASTY_NS });
	/* A head drop by drop takes no thread, and its time is over in the end. */
	int drops = dial(server);
	for (p.fd = drops; n < 900 && poll(&p, 1, 10) == 0; n++)
		say(drops, n == 0 ? "GET /to/x HTTP/1.1\r\n" : "X: y\r\n");
	assert_in_range(n, 2, 899);		/* few, where the machine is busy */
	assert_int_equal(hear(drops), 0);
	close(drops);
	assert_int_equal(web_counters(server).late, 1);
	/* So is that of a second one, on a connection that was served. */
	drops = dial(server);
	say(drops, GET);
	assert_int_equal(hear(drops), 200);
	assert_true(heard("keep-alive"));
	for (n = 0, p.fd = drops; n < 900 && poll(&p, 1, 10) == 0; n++)
		say(drops, n == 0 ? "GET /to/x HTTP/1.1\r\n" : "X: y\r\n");
	assert_in_range(n, 2, 899);
	close(drops);
	/* A body may take longer than its first moment when it comes fast enough: 4000 bytes within 2 + 3.9 s. */
	int slow = dial(server);
	say(slow, "POST /to/x HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\nContent-Length: 4000\r\n\r\n");
	for (n = 0; n < 40; n++) {
		char part[101];
		memset(part, 'x', 100);
		part[100] = '\0';
		say(slow, part);
		thread_pause(60 * NS_PER_MS);
	}
	assert_int_equal(hear(slow), 200);
	assert_true(heard("4000 bytes to x"));
	close(slow);
	/* One that stops is not waited for; nor one that ends too early. */
	slow = dial(server);
	say(slow, "POST /to/x HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\nContent-Length: 4000\r\n\r\nxxx");
	assert_int_equal(hear(slow), 400);
	close(slow);
	slow = dial(server);
	say(slow, "POST /to/x HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\nContent-Length: 4000\r\n\r\nxxx");
	assert_int_equal(shutdown(slow, SHUT_WR), 0);
	assert_int_equal(hear(slow), 400);
	close(slow);
}

static void
bounds_each_address(void **state)
{
	int fd[6];

	(void)state;
	start((struct web_server_opts){ .max_waiting = 2, .max_per_peer = 5 });
	for (size_t i = 0; i < 5; i++)
		fd[i] = from(2);
	WAIT_FOR(web_counters(server).connections == 5);
	fd[5] = from(2);
	say(fd[5], GET);
	assert_int_equal(hear(fd[5]), 0);		/* closed before anything was looked at */
	close(fd[5]);
	assert_int_equal(web_counters(server).crowded, 1);
	assert_int_equal(ask(GET), 200);		/* another address */
	say(fd[0], GET);				/* those that are there are served, and count while they are */
	assert_int_equal(hear(fd[0]), 200);
	fd[5] = from(2);
	assert_int_equal(hear(fd[5]), 0);
	close(fd[5]);
	close(fd[0]);
	close(fd[1]);
	WAIT_FOR(web_counters(server).connections == 3);
	fd[0] = from(2);
	say(fd[0], GET);
	assert_int_equal(hear(fd[0]), 200);
	for (size_t i = 0; i < 5; i++)
		if (i != 1)
			close(fd[i]);
	WAIT_FOR(web_counters(server).connections == 0);
}

static void
bounds_all(void **state)
{
	int fd[6];

	(void)state;
	start((struct web_server_opts){ .max_waiting = 2, .max_connections = 5, .max_streams = 10 });
	for (size_t i = 0; i < 5; i++) {
		fd[i] = from((unsigned char)(2 + i));
		WAIT_FOR(web_counters(server).connections == i + 1);
	}
	assert_int_equal(ask(GET), 200);		/* whoever was silent longest went */
	assert_int_equal(hear(fd[0]), 0);
	close(fd[0]);
	for (size_t i = 1; i < 5; i++)
		say(fd[i], "GET /drips HTTP/1.1\r\n" HOST "\r\n");
	WAIT_FOR(web_counters(server).streams == 4 && web_counters(server).connections == 4);
	fd[0] = from(2);
	say(fd[0], "GET /drips HTTP/1.1\r\n" HOST "\r\n");
	WAIT_FOR(web_counters(server).streams == 5);
	assert_int_equal(ask(GET), 0);			/* nobody to send away */
	for (size_t i = 0; i < 5; i++)
		close(fd[i]);
	WAIT_FOR(web_counters(server).connections == 0);
	assert_int_equal(ask(GET), 200);
}

static void
drops_who_does_not_read(void **state)
{
	int fd[3];

	(void)state;
	start((struct web_server_opts){ .max_waiting = 2, .max_streams = 3, .send_ns = NS_PER_S });
	for (size_t i = 0; i < 3; i++) {
		fd[i] = dial(server);
		say(fd[i], "GET /pours HTTP/1.1\r\n" HOST "\r\n");
		assert_int_equal(hear(fd[i]), 200);	/* its head, and no more */
	}
	assert_int_equal(ask(GET), 200);
	WAIT_FOR(web_counters(server).streams == 0);	/* though the readers are still there */
	for (size_t i = 0; i < 3; i++)
		close(fd[i]);
}

/* 2,000 that are silent and 1,000 that drip, from another address: who asks is answered. */
static void
serves_beside_a_crowd(void **state)
{
	enum { SILENT = 2000, SLOW = 1000 };
	static int fd[SILENT + SLOW];
	struct rlimit files;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = files.rlim_max < 16384 ? files.rlim_max : 16384;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	if (files.rlim_cur < 2 * COUNT_OF(fd) + 200)
		skip();
	start((struct web_server_opts){ .max_per_peer = COUNT_OF(fd) });
	for (size_t i = 0; i < COUNT_OF(fd); i++) {
		fd[i] = from(2);
		if (i >= SILENT)
			say(fd[i], "GET /to/x HTTP/1.1\r\nX: ");
	}
	WAIT_FOR(web_counters(server).idle == COUNT_OF(fd));
	for (unsigned round = 0; round < 20; round++) {
		for (size_t i = SILENT; i < COUNT_OF(fd); i++)
			say(fd[i], "y");
		assert_int_equal(ask(GET), 200);
	}
	assert_int_equal(web_counters(server).idle, COUNT_OF(fd));
	for (size_t i = 0; i < COUNT_OF(fd); i++)
		close(fd[i]);
	WAIT_FOR(web_counters(server).connections == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(refuses_what_is_read_in_two_ways, end),
		cmocka_unit_test_teardown(leads_no_path_elsewhere, end),
		cmocka_unit_test_teardown(bounds_heads, end),
		cmocka_unit_test_teardown(bounds_slowness, end),
		cmocka_unit_test_teardown(bounds_each_address, end),
		cmocka_unit_test_teardown(bounds_all, end),
		cmocka_unit_test_teardown(drops_who_does_not_read, end),
		cmocka_unit_test_teardown(serves_beside_a_crowd, end),
	};

	thread_block_signals();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
