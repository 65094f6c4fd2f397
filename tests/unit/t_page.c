/* t_page - how the page is served: packed as the reader can unpack it, kept as long as it may be, and
 * with the policy that keeps foreign scripts out.  What it does is for tests/ui. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "api/manage_folder.h"
#include "api/manage_inner.h"
#include "sys/dir.h"
#include "sys/thread.h"
#include "talk.h"

static const struct web_route routes[] = {
	{ "GET", "/", WEB_QUICK, 0, .handler = manage_page },
	{ "GET", "/services/{service}/{instance}", WEB_QUICK, 0, .handler = manage_page },
	{ "GET", "/assets/{file}", WEB_QUICK, 0, .handler = manage_asset },
};

static struct manage manage = { .magic = MANAGE_MAGIC, .base_path = "" };

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

static void
put_file(const char *dir, const char *name, const char *text)
{
	char path[200];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
comes_from_a_folder(void **state)
{
	static const char *const beyond[] = { "..%2findex.html", "%2e%2e%2findex.html", "link.js", "sub.js", ".hidden.js", "plain.txt", "x%00.js", "none.js",
	    "main.js.br" };
	char dir[] = "/tmp/t_page-XXXXXX", assets[100], path[200];
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(folder_check(dir, &err), ERR_CONFIG);
	assert_non_null(strstr(err.text, "--ui-dir"));
	put_file(dir, "index.html", "<a href=\"/x\">mine</a>");
	assert_int_equal(folder_check(dir, &err), ERR_OK);
	snprintf(assets, sizeof assets, "%s/assets", dir);
	assert_int_equal(mkdir(assets, 0700), 0);
	put_file(assets, "main.js", "let mine = '=\"/';");
	put_file(assets, ".hidden.js", "no");
	put_file(assets, "plain.txt", "no");
	put_file(assets, "main.js.br", "no");
	snprintf(path, sizeof path, "%s/link.js", assets);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	snprintf(path, sizeof path, "%s/sub.js", assets);
	assert_int_equal(mkdir(path, 0700), 0);

	manage.ui_dir = dir;
	manage.base_path = "/b";
	assert_int_equal(get("/", ""), 200);
	assert_true(heard("<a href=\"/b/x\">mine</a>") && heard("Cache-Control: no-cache\r\n"));
	assert_int_equal(get("/assets/main.js", ""), 200);
	assert_true(heard("let mine = '=\"/';") && heard("text/javascript"));
	for (size_t i = 0; i < COUNT_OF(beyond); i++) {
		snprintf(path, sizeof path, "/assets/%s", beyond[i]);
		int status = get(path, "");
		assert_true(status == 404 || status == 400 || status == 422);
	}
	manage.ui_dir = NULL;
	manage.base_path = "";
	assert_int_equal(dir_remove(dir, &err), ERR_OK);
}

static void
stands_behind_a_base(void **state)
{
	(void)state;
	manage.base_path = "/a/b";
	assert_int_equal(get("/", "Accept-Encoding: br\r\n"), 200);
	assert_true(heard("content=\"/a/b/\"") && heard("src=\"/a/b/assets/") && heard("href=\"/a/b/assets/"));
	assert_false(heard("=\"/assets") || heard("Content-Encoding"));
	manage.base_path = "";
	struct err err;
	static const char *const good[] = { "", "/a", "/a/b", "/aegis-1/x_y.z" }, *const bad[] = { "a", "/", "/a/", "//a", "/a//b", "/..", "/a/../b", "/a b",
	    "/a\"b", "/a?b", "/%2f" };
	for (size_t i = 0; i < COUNT_OF(good); i++)
		assert_int_equal(manage_check_base(good[i], &err), ERR_OK);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(manage_check_base(bad[i], &err), ERR_CONFIG);
}

static void
lets_listed_origins_read(void **state)
{
	static const char *const listed[] = { "https://desk.example.com", NULL };
	struct err err;

	(void)state;
	assert_int_equal(get("/", "Origin: https://desk.example.com\r\n"), 200);
	assert_false(heard("Access-Control"));
	manage.cors = listed;
	assert_int_equal(get("/nothing", "Origin: https://desk.example.com\r\n"), 404);
	assert_true(heard("Access-Control-Allow-Origin: https://desk.example.com\r\n") && heard("Vary: Origin\r\n"));
	assert_int_equal(ask("OPTIONS / HTTP/1.1\r\n" HOST "Connection: close\r\nOrigin: https://desk.example.com\r\n"
	    "Access-Control-Request-Method: GET\r\n\r\n"), 204);
	assert_true(heard("Access-Control-Allow-Headers: Authorization,") && heard("Access-Control-Max-Age: "));
	assert_false(heard("Allow-Credentials"));
	assert_int_equal(get("/", "Origin: https://desk.example.com.evil.org\r\n"), 200);
	assert_false(heard("Access-Control"));
	manage.cors = NULL;
	static const char *const good[] = { "https://a.b", "http://localhost:3000", "http://[::1]:80" }, *const bad[] = { "*", "null", "", "https://",
	    "https://a/b", "https://A.b", "ftp://a", "a.b", "https://a b" };
	for (size_t i = 0; i < COUNT_OF(good); i++)
		assert_int_equal(manage_check_origin(good[i], &err), ERR_OK);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(manage_check_origin(bad[i], &err), ERR_CONFIG);
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
		cmocka_unit_test(comes_from_a_folder),
		cmocka_unit_test(stands_behind_a_base),
		cmocka_unit_test(lets_listed_origins_read),
	};

	thread_block_signals();
	return cmocka_run_group_tests(tests, begin, server_end);
}
