/* t_web_routes - what the server answers by what the routes say: methods, media types, who may, and on
 * which condition. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "sys/thread.h"
#include "talk.h"

struct who {
	char name[16];
	unsigned access;
};

/* --- handlers ---------------------------------------------------------------------------- */

/* thing: is at state "7", and at most changed on a condition. */
static enum err_code
thing(void *arg, struct web_request *r, struct err *err)
{
	const struct who *who = web_note(r);
	char cookie[32];

	(void)arg;
	if (strcmp(web_method(r), "PUT") == 0) {
		bool there = strcmp(web_param(r, "name"), "new") != 0;
		enum err_code code = web_precondition(r, there ? "7" : NULL, web_header(r, "X-Careless") == NULL, err);
		if (code == ERR_OK)
			web_reply(r, web_header(r, "X-Later") != NULL ? 202 : 204, NULL, (struct text){ NULL, 0 });
		return code;
	}
	web_set_header(r, "X-Who", who->name);
	web_set_header(r, "x-policy", "of the handler");
	if (web_cookie(r, "session", cookie, sizeof cookie))
		web_set_header(r, "X-Cookie", cookie);
	web_add_header(r, "Set-Cookie", "a=1");
	web_add_header(r, "Set-Cookie", "b=2");
	web_set_header(r, "X-Peer", web_peer(r));
	web_set_header(r, "X-Secure", web_secure(r) ? "yes" : "no");
	web_set_header(r, "X-Path", web_path(r));
	web_reply_etag(r, 200, "application/json", text_of("{}"), "7");
	return ERR_OK;
}

static enum err_code
fails(void *arg, struct web_request *r, struct err *err)
{
	static const struct problem_error errors[] = { { "/a/b", "is \xff none" }, { "", "all of it" } };

	(void)arg;
	(void)err;
	web_set_header(r, "Retry-After", "7");
	web_fail(r, &(struct problem){ .status = 429, .detail = "slower", .errors = errors, .nerrors = 2,
	    .details = { DATA_JSON, "{\"wait_seconds\":7}", 18 } });
	return ERR_OK;
}

enum { EVERYBODY, ADMINS };

static const struct web_route routes[] = {
	{ "GET", "/things/{name}", WEB_QUICK, 0, thing, .name = "getThing", .gives = "application/json" },
	{ "PUT", "/things/{name}", WEB_QUICK, 100, thing, .name = "putThing" },
	{ "PATCH", "/things/{name}", WEB_QUICK, 100, fails, .takes = "application/merge-patch+json, application/json" },
	{ "GET", "/admins", WEB_QUICK, 0, fails, .access = ADMINS },
};

static enum err_code
admit(void *arg, struct web_request *r, const struct web_route *route, struct err *err)
{
	struct who *who = web_note(r);

	(void)arg;
	assert_int_equal((uintptr_t)who % 16, 0);
	assert_int_equal(who->name[0], 0);		/* nothing of an earlier request */
	snprintf(who->name, sizeof who->name, "%s", route != NULL && route->name != NULL ? route->name : "nobody");
	if (web_header(r, "X-Own") != NULL) {
		web_fail(r, &(struct problem){ .status = 418, .detail = "an answer of its own" });
		return ERR_DENIED;
	}
	return route != NULL && route->access == ADMINS ? err_set(err, ERR_DENIED, "for admins") : ERR_OK;
}

static void
policy(void *arg, struct web_request *r)
{
	(void)arg;
	web_set_header(r, "X-Policy", "of the server");
}

static size_t nlisten;

static int
begin(void **state)
{
	static const char *const listen[] = { "127.0.0.1:0", "http://localhost:0", "http://[::1]:0" };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	struct err err = { ERR_OK, "" };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	/* Where the system has no IPv6, there is nothing to be tested of it. */
	nlisten = COUNT_OF(listen) - (fd < 0 || bind(fd, (const struct sockaddr *)&six, sizeof six) != 0);
	if (fd >= 0)
		close(fd);
	server = web_server_new(&(struct web_server_opts){ .listen = listen, .nlisten = nlisten, .routes = routes,
	    .nroutes = COUNT_OF(routes), .admit = admit, .headers = policy }, &err);
	if (server == NULL)
		print_error("%s\n", err.text);
	return server == NULL;
}

/* --- tests ------------------------------------------------------------------------------- */

static void
tells_handlers_what_was_asked(void **state)
{
	(void)state;
	assert_int_equal(ask("GET /things/a%20b?x=1 HTTP/1.1\r\n" HOST "Cookie: x=1; session=abc\r\n\r\n"), 200);
	assert_true(heard("X-Who: getThing\r\n") && heard("X-Cookie: abc\r\n") && heard("X-Peer: 127.0.0.1\r\n"));
	assert_true(heard("X-Secure: no\r\n") && heard("X-Path: /things/a%20b\r\n") && heard("ETag: \"7\"\r\n"));
	assert_true(heard("Set-Cookie: a=1\r\n") && heard("Set-Cookie: b=2\r\n") && heard("Cache-Control: no-store\r\n"));
	assert_true(heard("x-policy: of the handler\r\n") || heard("X-Policy: of the handler\r\n"));
	assert_false(heard("of the server"));
}

static void
says_when_it_answered(void **state)
{
	struct tm tm = { 0 };
	(void)state;
	time_t before = time(NULL);
	assert_int_equal(ask("GET /things/a HTTP/1.1\r\n" HOST "\r\n"), 200);
	const char *date = strstr(got, "\r\nDate: ");
	assert_non_null(date);
	const char *end = strptime(date + 8, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	assert_non_null(end);
	assert_memory_equal(end, "\r\n", 2);
	assert_in_range(timegm(&tm), before, time(NULL));
}

static void
listens_in_several_places(void **state)
{
	(void)state;
	assert_non_null(strstr(web_server_address(server, 0), "http://127.0.0.1:"));
	assert_non_null(strstr(web_server_address(server, 1), "http://localhost:"));
	if (nlisten == 3)
		assert_non_null(strstr(web_server_address(server, 2), "http://[::1]:"));
	assert_null(web_server_address(server, nlisten));
	for (size_t i = 0; i < nlisten; i++) {
		int fd = dial_at(web_server_address(server, i));
		say(fd, "GET /things/x HTTP/1.1\r\n" HOST "\r\n");
		assert_int_equal(hear(fd), 200);
		close(fd);
	}
}

static void
answers_by_its_routes(void **state)
{
	static const struct { const char *request; int status; const char *says; } rows[] = {
		{ "OPTIONS /things/x", 204, "Allow: GET, HEAD, PUT, PATCH, OPTIONS\r\n" },
		{ "OPTIONS /nothing", 404, "\"code\":\"HTTP_404\"" },
		{ "DELETE /things/x", 405, "Allow: GET, HEAD, PUT, PATCH, OPTIONS\r\n" },
		{ "HEAD /things/x", 200, "ETag: \"7\"\r\n" },
		{ "GET /things/x|Accept: text/html", 406, "\"code\":\"HTTP_406\"" },
		{ "GET /things/x|Accept: text/html, */*;q=0.1", 200, "" },
		{ "PATCH /things/x|Content-Type: application/xml|Content-Length: 2", 415, "application/merge-patch+json" },
		{ "PATCH /things/x|Content-Length: 101", 413, "\"code\":\"HTTP_413\"" },
		{ "GET /admins", 403, "for admins" },
		{ "GET /things/x|X-Own: yes", 418, "an answer of its own" },
		{ "GET /nothing", 404, "X-Policy: of the server\r\n" },
		{ "GET /things/x|If-None-Match: W/\"7\"", 304, "ETag: \"7\"\r\n" },
		{ "GET /things/x|If-None-Match: *", 304, "ETag: \"7\"\r\n" },
		{ "GET /things/x|If-None-Match: \"6\"", 200, "" },
		{ "PUT /things/x", 428, "\"code\":\"HTTP_428\"" },
		{ "PUT /things/x|X-Careless: yes", 204, "" },
		{ "PUT /things/x|If-Match: \"7\"", 204, "" },
		{ "PUT /things/x|If-Match: \"7\"|X-Later: yes", 202, "Content-Length: 0\r\n" },
		{ "PUT /things/x|If-Match: \"6\"", 412, "ETag: \"7\"\r\n" },
		{ "PUT /things/x|If-Match: \"6\"", 412, "\"code\":\"CONCURRENT_UPDATE\"" },
		{ "PUT /things/x|If-Match: W/\"7\"", 412, "" },
		{ "PUT /things/x|If-Match: 7", 422, "If-Match" },
		{ "PUT /things/x|If-None-Match: *", 412, "ETag: \"7\"\r\n" },
		{ "PUT /things/new|If-None-Match: *", 204, "" },
		{ "PUT /things/new|If-Match: *", 412, "it is not there" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char request[300];
		size_t n = 0, line = strcspn(rows[i].request, "|");
		n += (size_t)snprintf(request, sizeof request, "%.*s HTTP/1.1\r\n" HOST, (int)line, rows[i].request);
		for (const char *h = rows[i].request + line; *h == '|'; h += line + 1) {
			line = strcspn(h + 1, "|");
			n += (size_t)snprintf(request + n, sizeof request - n, "%.*s\r\n", (int)line, h + 1);
		}
		snprintf(request + n, sizeof request - n, "Connection: close\r\n\r\n");
		int status = ask(request);
		if (status != rows[i].status || !heard(rows[i].says))
			fail_msg("row %zu, %s: %s", i, rows[i].request, got);
	}
}

static void
tells_all_of_a_problem(void **state)
{
	(void)state;
	assert_int_equal(ask("PATCH /things/x HTTP/1.1\r\n" HOST "Content-Type: application/merge-patch+json\r\nContent-Length: 2\r\n\r\n{}"), 429);
	assert_true(heard("Retry-After: 7\r\n") && heard("HTTP/1.1 429 Too Many Requests\r\n"));
	assert_true(heard("\"errors\":[{\"pointer\":\"/a/b\",\"detail\":\"is  none\"},{\"pointer\":\"\",\"detail\":\"all of it\"}]"));
	assert_true(heard("\"code\":\"HTTP_429\"") && heard("\"details\":{\"wait_seconds\":7}"));
	/* What is no request gets the policy, too. */
	assert_int_equal(ask("nonsense\r\n\r\n"), 400);
	assert_true(heard("X-Policy: of the server\r\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_handlers_what_was_asked),
		cmocka_unit_test(says_when_it_answered),
		cmocka_unit_test(listens_in_several_places),
		cmocka_unit_test(answers_by_its_routes),
		cmocka_unit_test(tells_all_of_a_problem),
	};

	thread_block_signals();
	return cmocka_run_group_tests(tests, begin, server_end);
}
