/* t_web - the HTTP server over real sockets: what it answers, what it refuses, what it survives, and
 * who is served while others wait. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/server.h"
#include "sys/thread.h"
#include "talk.h"

#define RECEIVE_NS (30 * NS_PER_S)	/* nobody is too slow for it … */
#define HASTY_NS (2 * NS_PER_S)		/* … but whoever a test means to be */
#define KEPT 4

/* --- handlers ---------------------------------------------------------------------------- */

static atomic_bool gate;
static atomic_uint inside;

static enum err_code
echo(void *arg, struct web_request *r, struct err *err)
{
	struct text body = web_body(r);
	bool given;
	char q[32];

	(void)arg;
	enum err_code code = router_query(web_query_text(r), "q", q, sizeof q, &given, err);
	if (code != ERR_OK)
		return code;
	web_set_header(r, "X-A", web_param(r, "a"));
	web_set_header(r, "X-Q", given ? q : "none");
	web_reply(r, 200, "text/plain", body);
	return ERR_OK;
}

static enum err_code
waits(void *arg, struct web_request *r, struct err *err)
{
	(void)arg;
	atomic_fetch_add(&inside, 1);
	while (!atomic_load(&gate) && !web_stopping(r))
		thread_pause(NS_PER_MS);
	atomic_fetch_sub(&inside, 1);
	return err_set(err, ERR_TIMEOUT, "nobody came: \"%s\"", "\xff");
}

static enum err_code
streams(void *arg, struct web_request *r, struct err *err)
{
	(void)arg;
	(void)err;
	web_stream_begin(r);
	while (!web_stopping(r) && web_stream_write(r, text_of(":\n\n")))
		thread_pause(5 * NS_PER_MS);
	return ERR_OK;
}

static const struct web_route routes[] = {
	{ "POST", "/echo/{a}", WEB_QUICK, 1000, echo, .about = "gives back" },
	{ "GET", "/echo/{a}", WEB_QUICK, 0, echo, .about = "gives nothing back" },
	{ "GET", "/waits", WEB_WAITS, 0, waits, .about = "waits for the gate" },
	{ "GET", "/streams", WEB_STREAMS, 0, streams, .about = "goes on" },
};

static enum err_code
admit(void *arg, struct web_request *r, const struct web_route *route, struct err *err)
{
	const char *told = web_header(r, "Authorization");

	(void)arg;
	(void)route;
	return told != NULL && strcmp(told, "no") == 0 ? err_set(err, ERR_UNAUTHENTICATED, "no") : ERR_OK;
}

/* --- the server -------------------------------------------------------------------------- */

static struct web_server *
serve(const char *listen, unsigned max_waiting, unsigned max_streams, int64_t receive_ns)
{
	struct err err = { ERR_OK, "" };
	struct web_server *s = web_server_new(&(struct web_server_opts){
		.listen = &listen, .nlisten = 1, .routes = routes, .nroutes = COUNT_OF(routes), .admit = admit, .max_waiting = max_waiting,
		.max_streams = max_streams, .max_kept = KEPT, .receive_ns = receive_ns,
	}, &err);

	if (s == NULL)
		print_error("%s\n", err.text);
	return s;
}

static int
begin_with(int64_t receive_ns)
{
	atomic_store(&gate, false);
	server = serve("127.0.0.1:0", 2, 2, receive_ns);
	return server == NULL;
}

static int
begin(void **state)
{
	(void)state;
	return begin_with(RECEIVE_NS);
}

static int
begin_hasty(void **state)
{
	(void)state;
	return begin_with(HASTY_NS);
}

static int
end(void **state)
{
	(void)state;
	atomic_store(&gate, true);
	web_server_free(server);
	server = NULL;
	return atomic_load(&inside) != 0;
}

/* --- tests ------------------------------------------------------------------------------- */

static void
answers(void **state)
{
	(void)state;
	int fd = dial(server);
	for (int i = 0; i < 3; i++) {		/* on one connection */
		say(fd, "POST /echo/a%20b?q=%c3%a9 HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello");
		assert_int_equal(hear(fd), 200);
		assert_true(heard("X-A: a b\r\n") && heard("X-Q: \xc3\xa9\r\n") && heard("Connection: keep-alive"));
		assert_string_equal(strstr(got, "\r\n\r\n") + 4, "hello");
	}
	say(fd, "GET /echo/x HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	assert_int_equal(hear(fd), 200);
	assert_true(heard("Connection: close"));
	assert_int_equal(hear(fd), 0);		/* closed */
	close(fd);
	assert_int_equal(ask("HEAD /echo/x HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"), 200);
	assert_int_equal(ask("GET /echo/x HTTP/1.0\r\n\r\n"), 200);
	assert_true(heard("Connection: close"));
	assert_int_equal(ask("POST /echo/x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), 200);
	assert_string_equal(strstr(got, "\r\n\r\n") + 4, "abcde");
}

static void
waits_for_continue(void **state)
{
	(void)state;
	int fd = dial(server);
	say(fd, "POST /echo/x HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
	size_t n = 0;
	while (n < 25)
		n += (size_t)recv(fd, got + n, 25 - n, 0);
	assert_memory_equal(got, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	say(fd, "ok");
	assert_int_equal(hear(fd), 200);
	close(fd);
}

static void
refuses_by_name(void **state)
{
	char large[20000];

	(void)state;
	assert_int_equal(ask("GET /nothing HTTP/1.1\r\n" HOST "\r\n"), 404);
	assert_true(heard("\"code\":\"HTTP_404\"") && heard("\"instance\":\"/nothing\"") && heard("\"request_id\":\""));
	assert_int_equal(ask("DELETE /echo/x HTTP/1.1\r\n" HOST "\r\n"), 405);
	assert_true(heard("Allow: POST, GET, HEAD, OPTIONS\r\n") && heard("\"code\":\"HTTP_405\""));
	assert_int_equal(ask("GET /echo/%00 HTTP/1.1\r\n" HOST "\r\n"), 422);
	assert_int_equal(ask("GET /echo/x?q=%zz HTTP/1.1\r\n" HOST "\r\n"), 422);
	assert_int_equal(ask("GET /echo/x HTTP/1.1\r\n" HOST "Authorization: no\r\n\r\n"), 401);
	assert_true(heard("WWW-Authenticate: Bearer"));
	assert_int_equal(ask("GET /echo/x HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx"), 413);
	assert_int_equal(ask("POST /echo/x HTTP/1.1\r\n" HOST "Content-Type: text/xml\r\nContent-Length: 1\r\n\r\nx"), 415);
	assert_int_equal(ask("POST /echo/x HTTP/1.1\r\n" HOST "Content-Length: 1001\r\n\r\n"), 413);
	assert_int_equal(ask("POST /echo/x HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n"), 413);
	assert_int_equal(ask("POST /echo/x HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n"), 411);
	assert_int_equal(ask("POST /echo/x HTTP/1.1\r\n" HOST "Content-Length: 1x\r\n\r\nx"), 400);
	assert_int_equal(ask("POST /echo/x HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy"), 400);
	assert_int_equal(ask("POST /echo/x HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400);
	struct str many = STR_INIT;
	str_puts(&many, "GET /echo/x HTTP/1.1\r\n" HOST);
	for (int i = 0; i < 70; i++)
		str_puts(&many, "X: y\r\n");
	str_puts(&many, "\r\n");
	assert_int_equal(ask(many.p), 400);
	str_release(&many);
	memset(large, 'x', sizeof large);
	snprintf(large, 200, "POST /echo/x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n4000\r\n");
	large[strlen(large)] = 'x';
	large[sizeof large - 1] = '\0';
	assert_int_equal(ask(large), 413);
	assert_int_equal(ask("GET /echo/x HTTP/1.1\r\n" HOST "Accept: application/problem+json\r\nAuthorization: no\r\n\r\n"), 401);
	assert_true(heard("Content-Type: application/problem+json"));
}

static void
survives_garbage(void **state)
{
	static const char *const garbage[] = {
		"\r\n\r\n", "hello\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
		"GET /echo/x HTTP/1.1\r\nno colon\r\n\r\n", "GET http://elsewhere/echo/x HTTP/1.1\r\n\r\n", "GET echo HTTP/1.1\r\n\r\n",
		"GET * HTTP/1.1\r\n\r\n", "POST /echo/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
		"POST /echo/x HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nabc", "\xff\xfe\xfd\r\n\r\n",
	};
	char head[20000];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(garbage); i++) {
		int status = ask(garbage[i]);
		if (status != 0 && (status < 400 || status == 500))
			fail_msg("garbage %zu: %d", i, status);
	}
	memset(head, 'x', sizeof head);
	memcpy(head, "GET /echo/x HTTP/1.1\r\nX: ", 25);
	head[sizeof head - 1] = '\0';
	int status = ask(head);
	assert_true(status == 0 || status == 413 || status == 431 || status == 400);
	assert_int_equal(ask("GET /echo/x HTTP/1.1\r\n" HOST "\r\n"), 200);
	assert_true(web_counters(server).malformed > 0);
}

/* Silent ones, and those that stop in the middle, are let go; others are served meanwhile. */
static void
survives_slowness(void **state)
{
	static const char *const begun[] = {
		"", "GET /ec", "GET /echo/x HTTP/1.1\r\n", "POST /echo/x HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nabc",
		"POST /echo/x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nab",
	};
	int fd[COUNT_OF(begun)];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(begun); i++) {
		fd[i] = dial(server);
		say(fd[i], begun[i]);
	}
	assert_int_equal(ask("GET /echo/x HTTP/1.1\r\n" HOST "\r\n"), 200);
	for (size_t i = 0; i < COUNT_OF(begun); i++) {
		int status = hear(fd[i]);
		assert_true(status == 0 || (status >= 400 && status < 500));
		close(fd[i]);
	}
	/* One that left in the middle. */
	int gone = dial(server);
	say(gone, begun[3]);
	close(gone);
	/* One that brings its chunks drop by drop is not waited for until its end. */
	int drops = dial(server);
	say(drops, "POST /echo/x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	struct pollfd p = { drops, POLLIN, 0 };
	unsigned n = 0;
	for (; n < 900 && poll(&p, 1, 10) == 0; n++)
		say(drops, "1\r\nx\r\n");
	assert_true(n < 900);
	assert_int_equal(hear(drops), 400);
	close(drops);
	/* Nor is one whose body has a length. */
	drops = dial(server);
	p.fd = drops;
	say(drops, "POST /echo/x HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n");
	for (n = 0; n < 900 && poll(&p, 1, 10) == 0; n++)
		say(drops, "x");
	assert_true(n < 900);
	assert_int_equal(hear(drops), 400);
	close(drops);
	WAIT_FOR(web_counters(server).connections == 0);
}

/* threads: how many of this process serve connections. */
static unsigned
threads(void)
{
	DIR *d = opendir("/proc/self/task");
	char path[300], name[32];
	unsigned n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		snprintf(path, sizeof path, "/proc/self/task/%s/comm", e->d_name);
		FILE *f = fopen(path, "r");
		if (f == NULL)
			continue;
		n += fgets(name, sizeof name, f) != NULL && strncmp(name, "http-", 5) == 0;
		fclose(f);
	}
	closedir(d);
	return n;
}

static void
threads_come_with_requests(void **state)
{
	int fd[20];

	(void)state;
	assert_in_range(threads(), 0, 1);		/* the first may still have its old name */
	for (int i = 0; i < 3; i++)
		assert_int_equal(ask("GET /echo/x HTTP/1.1\r\n" HOST "\r\n"), 200);
	assert_in_range(threads(), 1, 4);		/* at most one more for each: who goes is not idle at once */
	for (size_t i = 0; i < COUNT_OF(fd); i++)
		fd[i] = dial(server);
	/* Those that were served have their places until the server has seen that they left. */
	WAIT_FOR(web_counters(server).idle == COUNT_OF(fd) && web_counters(server).connections == COUNT_OF(fd));
	assert_in_range(threads(), 1, 4);		/* who says nothing has none */
	for (size_t i = 0; i < COUNT_OF(fd); i++)
		say(fd[i], "GET /echo/x HTTP/1.1\r\n" HOST "\r\n");
	unsigned stay = 0;
	for (size_t i = 0; i < COUNT_OF(fd); i++) {
		assert_int_equal(hear(fd[i]), 200);
		stay += heard("Connection: keep-alive");
	}
	assert_int_equal(stay, KEPT);			/* a waiting connection keeps a thread: there are places for so many */
	for (size_t i = 0; i < COUNT_OF(fd); i++)
		close(fd[i]);
	WAIT_FOR(web_counters(server).connections == 0);
	int again = dial(server);			/* a place that was left is free again */
	say(again, "GET /echo/x HTTP/1.1\r\n" HOST "\r\n");
	assert_int_equal(hear(again), 200);
	assert_true(heard("Connection: keep-alive"));
	close(again);
}

static void
keeps_kinds_apart(void **state)
{
	int fd[4];

	(void)state;
	for (int i = 0; i < 2; i++) {
		fd[i] = dial(server);
		say(fd[i], "GET /waits HTTP/1.1\r\n" HOST "\r\n");
		fd[2 + i] = dial(server);
		say(fd[2 + i], "GET /streams HTTP/1.1\r\n" HOST "\r\n");
		assert_int_equal(hear(fd[2 + i]), 200);
	}
	WAIT_FOR(web_counters(server).waiting == 2 && web_counters(server).streams == 2);
	assert_int_equal(ask("GET /waits HTTP/1.1\r\n" HOST "\r\n"), 503);
	assert_true(heard("Retry-After: ") && heard("\"code\":\"SERVICE_UNAVAILABLE\""));
	assert_int_equal(ask("GET /streams HTTP/1.1\r\n" HOST "\r\n"), 503);
	assert_int_equal(ask("GET /echo/x HTTP/1.1\r\n" HOST "\r\n"), 200);
	assert_int_equal(web_counters(server).refused, 2);
	atomic_store(&gate, true);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(hear(fd[i]), 504);
		assert_true(heard("nobody came: \\\"\\\""));	/* what is no text is left out */
		close(fd[i]);
		close(fd[2 + i]);	/* a stream's reader leaves */
	}
	WAIT_FOR(web_counters(server).streams == 0 && web_counters(server).waiting == 0);
}

static void
ends_while_they_wait(void **state)
{
	(void)state;
	int w = dial(server), s = dial(server), idle[24];
	say(w, "GET /waits HTTP/1.1\r\n" HOST "\r\n");
	say(s, "GET /streams HTTP/1.1\r\n" HOST "\r\n");
	WAIT_FOR(web_counters(server).waiting == 1 && web_counters(server).streams == 1);
	for (size_t i = 0; i < COUNT_OF(idle); i++)
		idle[i] = dial(server);		/* more than there are threads: the last are taken by none */
	web_server_free(server);
	server = NULL;
	hear(w);
	hear(s);
	for (size_t i = 0; i < COUNT_OF(idle); i++) {
		assert_int_equal(hear(idle[i]), 0);
		close(idle[i]);
	}
	close(w);
	close(s);
}

static void
says_where_it_cannot_listen(void **state)
{
	const char *at;
	struct web_server_opts o = { .listen = &at, .nlisten = 1, .routes = routes, .nroutes = COUNT_OF(routes) };
	char dir[] = "/tmp/t_web.XXXXXX", where[64];
	struct err err;

	(void)state;
	at = web_server_address(server, 0) + strlen("http://");
	assert_null(web_server_new(&o, &err));
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(strstr(err.text, at));
	at = "http://127.0.0.1";
	assert_null(web_server_new(&o, &err));
	assert_non_null(strstr(err.text, "no address"));
	at = "http://127.0.0.1:65536";
	assert_null(web_server_new(&o, &err));
	at = "https://127.0.0.1:0";
	assert_null(web_server_new(&o, &err));
	assert_non_null(strstr(err.text, "certificate"));
	at = "unix:/tmp/01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/x";
	assert_null(web_server_new(&o, &err));
	assert_non_null(strstr(err.text, "too long"));

	struct web_server *tcp = server;
	assert_non_null(mkdtemp(dir));
	snprintf(where, sizeof where, "unix:%s/s", dir);
	assert_non_null(server = serve(where, 1, 1, RECEIVE_NS));
	assert_string_equal(web_server_address(server, 0), where);
	assert_int_equal(ask("GET /echo/x HTTP/1.1\r\n" HOST "\r\n"), 200);
	web_server_free(server);
	server = tcp;
	assert_int_equal(access(where + 5, F_OK), -1);
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers, begin, end),
		cmocka_unit_test_setup_teardown(waits_for_continue, begin, end),
		cmocka_unit_test_setup_teardown(refuses_by_name, begin, end),
		cmocka_unit_test_setup_teardown(survives_garbage, begin_hasty, end),
		cmocka_unit_test_setup_teardown(survives_slowness, begin_hasty, end),
		cmocka_unit_test_setup_teardown(threads_come_with_requests, begin, end),
		cmocka_unit_test_setup_teardown(keeps_kinds_apart, begin, end),
		cmocka_unit_test_setup_teardown(ends_while_they_wait, begin, end),
		cmocka_unit_test_setup_teardown(says_where_it_cannot_listen, begin, end),
	};

	thread_block_signals();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
