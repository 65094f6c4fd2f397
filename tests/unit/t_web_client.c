/* t_web_client - whom the HTTP server believes about who asks: ids of requests, proxies, and the base before
 * every path. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "sys/thread.h"
#include "talk.h"

static enum err_code
tells(void *arg, struct web_request *r, struct err *err)
{
	(void)arg;
	(void)err;
	web_set_header(r, "X-Peer", web_peer(r));
	web_set_header(r, "X-Secure", web_secure(r) ? "yes" : "no");
	web_set_header(r, "X-Host", web_host(r));
	web_set_header(r, "X-Path", web_path(r));
	web_reply(r, 200, "text/plain", text_of("told"));
	return ERR_OK;
}

static const struct web_route routes[] = {
	{ "GET", "/who", WEB_QUICK, 0, tells, .about = "tells who asks" },
};

static int
begin(void **state)
{
	static const char *const listen[] = { "127.0.0.1:0" };
	struct web_server_opts o = { .listen = listen, .nlisten = 1, .routes = routes, .nroutes = COUNT_OF(routes), .base = "/a/b" };

	(void)state;
	if (proxies_add(&o.proxies, "127.0.0.1", NULL) != ERR_OK || proxies_add(&o.proxies, "10.0.0.0/8", NULL) != ERR_OK)
		return 1;
	server = web_server_new(&o, NULL);
	return server == NULL;
}

/* who: asks from 127.0.0.N with these headers. */
static int
who(unsigned char n, const char *path, const char *headers)
{
	char request[2000];
	int fd = dial_from(n, web_server_address(server, 0));

	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: me:80\r\n%s\r\n", path, headers);
	say(fd, request);
	int status = hear(fd);
	close(fd);
	return status;
}

static void
takes_ids_that_are_plain(void **state)
{
	static const char *const bad[] = { "a b", "a\"b", "a<b>", "a,b", "a;b", "a\\n",
	    "12345678901234567890123456789012345678901234567890123456789012345" };
	static const char *const good[] = { "7", "0190f1b2-1111-7000-8000-000000000000", "Root=1-67891233-abcdef012345678912345678",
	    "1234567890123456789012345678901234567890123456789012345678901234" };
	char header[200], told[200];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		snprintf(header, sizeof header, "X-Request-Id: %s\r\n", good[i]);
		assert_int_equal(who(1, "/a/b/who", header), 200);
		assert_true(heard(header));
		assert_int_equal(who(1, "/a/b/none", header), 404);
		snprintf(told, sizeof told, "\"request_id\":\"%s\"", good[i]);
		assert_true(heard(header) && heard(told));
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		snprintf(header, sizeof header, "X-Request-Id: %s\r\n", bad[i]);
		assert_int_equal(who(1, "/a/b/who", header), 200);
		assert_false(heard(header));
		assert_int_equal(strcspn(strstr(got, "X-Request-Id: ") + 14, "\r"), 36);
	}
}

static void
believes_named_proxies(void **state)
{
	static const char forwarded[] = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 203.0.113.9, 10.1.1.1\r\n"
	    "X-Forwarded-Proto: http, https\r\nX-Forwarded-Host: evil.example, aegis.example\r\n";

	(void)state;
	assert_int_equal(who(1, "/a/b/who", ""), 200);
	assert_true(heard("X-Peer: 127.0.0.1\r\n") && heard("X-Secure: no\r\n") && heard("X-Host: me:80\r\n"));
	assert_int_equal(who(1, "/a/b/who", forwarded), 200);
	assert_true(heard("X-Peer: 203.0.113.9\r\n") && heard("X-Secure: yes\r\n") && heard("X-Host: aegis.example\r\n"));
	/* Somebody else may say what he likes. */
	assert_int_equal(who(2, "/a/b/who", forwarded), 200);
	assert_true(heard("X-Peer: 127.0.0.2\r\n") && heard("X-Secure: no\r\n") && heard("X-Host: me:80\r\n"));
	/* And garbage is no address. */
	assert_int_equal(who(1, "/a/b/who", "X-Forwarded-For: <script>\r\nX-Forwarded-Proto: \r\nX-Forwarded-Host: ,\r\n"), 200);
	assert_true(heard("X-Peer: 127.0.0.1\r\n") && heard("X-Secure: no\r\n") && heard("X-Host: me:80\r\n"));
}

static void
wants_the_base(void **state)
{
	static const char *const without[] = { "/who", "/a/bwho", "/a", "/a/b", "/a/c/who", "/A/b/who", "/a%2fb/who", "/a/b/a/b/who" };

	(void)state;
	assert_int_equal(who(1, "/a/b/who", ""), 200);
	assert_true(heard("X-Path: /a/b/who\r\n"));
	for (size_t i = 0; i < COUNT_OF(without); i++)
		assert_int_equal(who(1, without[i], ""), 404);
	assert_int_equal(who(1, "/who", ""), 404);
	assert_true(heard("paths begin with /a/b/ here"));
	assert_int_equal(ask("POST /a/b/who HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n"), 405);
	assert_true(heard("Allow: GET, HEAD, OPTIONS\r\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_ids_that_are_plain),
		cmocka_unit_test(believes_named_proxies),
		cmocka_unit_test(wants_the_base),
	};

	thread_block_signals();
	return cmocka_run_group_tests_name("t_web_client", tests, begin, server_end);
}
