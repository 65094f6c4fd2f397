/* t_page - how the page is served: packed as the reader can unpack it, kept as long as it may be, and
 * with the policy that keeps foreign scripts out.  What it does is for tests/ui. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "api/manage_inner.h"
#include "sys/thread.h"
#include "talk.h"

static const struct web_route routes[] = {
	{ "GET", "/", WEB_QUICK, 0, .handler = manage_page },
	{ "GET", "/services/{service}/{instance}", WEB_QUICK, 0, .handler = manage_page },
	{ "GET", "/assets/{file}", WEB_QUICK, 0, .handler = manage_asset },
};

static struct manage manage = { .magic = MANAGE_MAGIC };

static int
begin(void **state)
{
	static const char *const listen[] = { "127.0.0.1:0" };

	(void)state;
	server = web_server_new(&(struct web_server_opts){ .listen = listen, .nlisten = 1, .routes = routes,
	    .nroutes = COUNT_OF(routes), .headers = manage_policy, .arg = &manage }, NULL);
	return server == NULL;
}

static int
end(void **state)
{
	(void)state;
	web_server_free(server);
	return 0;
}

static int
get(const char *path, const char *headers)
{
	char request[1000];

	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" HOST "Connection: close\r\n%s\r\n", path, headers);
	return ask(request);
}

/* cut: what stands between two texts of the last answer. */
static void
cut(const char *before, const char *behind, char *out, size_t max)
{
	const char *at = strstr(got, before);

	assert_non_null(at);
	at += strlen(before);
	const char *to = strstr(at, behind);
	assert_non_null(to);
	assert_true((size_t)(to - at) < max);
	snprintf(out, max, "%.*s", (int)(to - at), at);
}

static void
answers_one_document_everywhere(void **state)
{
	char one[100], other[100];

	(void)state;
	assert_int_equal(get("/", ""), 200);
	assert_true(heard("Content-Type: text/html; charset=utf-8\r\n") && heard("Cache-Control: no-cache\r\n") && heard("<!doctype html>"));
	assert_false(heard("Content-Encoding"));
	cut("ETag: ", "\r\n", one, sizeof one);
	assert_int_equal(get("/services/a%2fb/c", ""), 200);
	cut("ETag: ", "\r\n", other, sizeof other);
	assert_string_equal(one, other);
}

static void
packs_as_the_reader_can_unpack(void **state)
{
	static const struct { const char *accept, *coding; } rows[] = {
		{ "gzip, deflate, br", "br" }, { "gzip", "gzip" }, { "br;q=0, gzip", "gzip" }, { "GZIP;q=0.5", "gzip" },
		{ "identity", NULL }, { "", NULL }, { "br;q=0, gzip;q=0", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char header[100], told[100], again[300];
		snprintf(header, sizeof header, "Accept-Encoding: %s\r\n", rows[i].accept);
		assert_int_equal(get("/", header), 200);
		assert_true(heard("Vary: Accept-Encoding\r\n"));
		if (rows[i].coding == NULL) {
			assert_false(heard("Content-Encoding"));
			continue;
		}
		cut("Content-Encoding: ", "\r\n", told, sizeof told);
		assert_string_equal(told, rows[i].coding);
		cut("ETag: ", "\r\n", told, sizeof told);
		snprintf(again, sizeof again, "%sIf-None-Match: %s\r\n", header, told);
		assert_int_equal(get("/", again), 304);
		/* One coding's tag is not another's. */
		snprintf(again, sizeof again, "Accept-Encoding: identity\r\nIf-None-Match: %s\r\n", told);
		assert_int_equal(get("/", again), 200);
	}
}

static void
keeps_what_its_name_tells_apart(void **state)
{
	char script[200];

	(void)state;
	assert_int_equal(get("/", ""), 200);
	cut("src=\"", "\"", script, sizeof script);
	assert_int_equal(get(script, "Accept-Encoding: br\r\n"), 200);
	assert_true(heard("Content-Type: text/javascript; charset=utf-8\r\n") && heard("immutable\r\n") && heard("Content-Encoding: br\r\n"));
	assert_int_equal(get(script, ""), 200);
	assert_true(heard("Content-Encoding: gzip\r\n"));
	/* A large file is kept packed only, and nobody gets what he says that he cannot read. */
	assert_int_equal(get(script, "Accept-Encoding: identity\r\n"), 406);
	assert_int_equal(get("/assets/main-00000000.js", ""), 404);
	assert_true(heard("main-00000000.js"));
	assert_int_equal(get("/assets/..%2findex.html", ""), 404);
}

static void
lets_no_foreign_script_in(void **state)
{
	(void)state;
	assert_int_equal(get("/", ""), 200);
	assert_true(heard("default-src 'none'") && heard("script-src 'self';") && heard("frame-ancestors 'none'"));
	assert_true(heard("require-trusted-types-for 'script'; trusted-types aegis\r\n"));
	assert_true(heard("X-Content-Type-Options: nosniff\r\n") && heard("Referrer-Policy: no-referrer\r\n"));
	/* Which would forbid these to the page itself. */
	assert_false(heard("<style") || heard(" style=") || heard("onload=") || heard("<script>"));
	assert_int_equal(get("/nothing", ""), 404);
	assert_true(heard("Content-Security-Policy: default-src 'none'"));
}

static void
serves_programs_alone_if_told(void **state)
{
	(void)state;
	manage.no_page = true;
	assert_int_equal(get("/", ""), 404);
	assert_true(heard("--no-ui") && heard("/openapi.json"));
	assert_int_equal(get("/assets/main.js", ""), 404);
	assert_true(heard("--no-ui"));
	manage.no_page = false;
	assert_int_equal(get("/", ""), 200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_one_document_everywhere),
		cmocka_unit_test(packs_as_the_reader_can_unpack),
		cmocka_unit_test(keeps_what_its_name_tells_apart),
		cmocka_unit_test(lets_no_foreign_script_in),
		cmocka_unit_test(serves_programs_alone_if_told),
	};

	thread_block_signals();
	return cmocka_run_group_tests(tests, begin, end);
}
