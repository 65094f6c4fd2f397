/* t_router - paths, escapes and queries: what fits, what it holds, and what is refused with words. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/magic.h"
#include "http/router.h"

static const struct web_route routes[] = {
	{ "GET", "/", WEB_QUICK, 0, NULL, .about = "the root" },
	{ "GET", "/items", WEB_QUICK, 0, NULL, .about = "all" },
	{ "POST", "/items", WEB_QUICK, 10, NULL, .about = "one more" },
	{ "GET", "/items/{id}", WEB_QUICK, 0, NULL, .about = "one" },
	{ "DELETE", "/items/{id}", WEB_QUICK, 0, NULL, .about = "none" },
	{ "POST", "/call/{service}/{method}", WEB_WAITS, 10, NULL, .about = "two values" },
	{ "GET", "/a/{x}/b/{y}/c", WEB_QUICK, 0, NULL, .about = "values between words" },
};

static struct router_match m;
static struct err err;

static enum err_code
match(const char *method, const char *path)
{
	err_clear(&err);
	return router_match(routes, COUNT_OF(routes), method, path, &m, &err);
}

static void
finds_its_route(void **state)
{
	(void)state;
	assert_int_equal(match("GET", "/"), ERR_OK);
	assert_string_equal(m.route->about, "the root");
	assert_int_equal(match("POST", "/items"), ERR_OK);
	assert_string_equal(m.route->about, "one more");
	assert_int_equal(match("GET", "/items/7"), ERR_OK);
	assert_string_equal(router_param(&m, "id"), "7");
	assert_null(router_param(&m, "i"));
	assert_null(router_param(&m, "idx"));
	assert_int_equal(match("POST", "/call/order-service/create_order"), ERR_OK);
	assert_string_equal(router_param(&m, "service"), "order-service");
	assert_string_equal(router_param(&m, "method"), "create_order");
	assert_int_equal(match("GET", "/a/1/b/2/c"), ERR_OK);
	assert_string_equal(router_param(&m, "x"), "1");
	assert_string_equal(router_param(&m, "y"), "2");
	assert_int_equal(match("HEAD", "/items/7"), ERR_OK);
	assert_string_equal(m.route->method, "GET");
}

static void
tells_apart_no_path_and_no_method(void **state)
{
	static const char *const nowhere[] = {
		"", "items", "/item", "/items/", "/items/7/", "/items//", "/call/x", "/call//m", "/call/a/b/c", "/a/1/b/2/d", "//",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(nowhere); i++) {
		assert_int_equal(match("GET", nowhere[i]), ERR_NOT_FOUND);
		assert_int_equal(m.methods, 0);
	}
	assert_int_equal(match("PUT", "/items/7"), ERR_NOT_FOUND);
	assert_int_equal(m.methods, 2);
	assert_null(m.route);
	assert_non_null(strstr(err.text, "PUT"));
	assert_int_equal(match("HEAD", "/call/a/b"), ERR_NOT_FOUND);
	assert_int_equal(m.methods, 1);
	assert_int_equal(match("get", "/items"), ERR_NOT_FOUND);
}

static void
decodes_after_cutting(void **state)
{
	(void)state;
	assert_int_equal(match("GET", "/items/a%2Fb%20c"), ERR_OK);
	assert_string_equal(router_param(&m, "id"), "a/b c");
	assert_int_equal(match("GET", "/items/%e6%97%A5+"), ERR_OK);
	assert_string_equal(router_param(&m, "id"), "\xe6\x97\xa5+");
	assert_int_equal(match("GET", "/items/.."), ERR_OK);
	assert_string_equal(router_param(&m, "id"), "..");
	/* An escaped name is a value, never a word of the template. */
	assert_int_equal(match("GET", "/%69tems"), ERR_NOT_FOUND);
}

static void
refuses_what_is_no_text(void **state)
{
	static const char *const bad[] = {
		"/items/%", "/items/%4", "/items/%zz", "/items/%00", "/items/%0a", "/items/%7f", "/items/%ff", "/items/%c3", "/items/\x01",
		"/items/%4g",
	};
	char path[ROUTER_PATH_MAX + 2];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(match("GET", bad[i]), ERR_INVALID);
		assert_true(err.text[0] != '\0');
	}
	memset(path, 'x', sizeof path);
	memcpy(path, "/items/", 7);
	path[ROUTER_PATH_MAX - 1] = '\0';
	assert_int_equal(match("GET", path), ERR_OK);
	assert_int_equal(strlen(router_param(&m, "id")), ROUTER_PATH_MAX - 1 - 7);
	path[ROUTER_PATH_MAX - 1] = 'x';
	path[ROUTER_PATH_MAX] = '\0';
	assert_int_equal(match("GET", path), ERR_INVALID);
}

static void
reads_queries(void **state)
{
	char v[8];
	bool given = true;

	(void)state;
	assert_int_equal(router_query(NULL, "a", v, sizeof v, &given, &err), ERR_OK);
	assert_false(given);
	assert_int_equal(router_query("aa=1&b&&c=%41+x&c=2&d=", "a", v, sizeof v, &given, &err), ERR_OK);
	assert_false(given);
	assert_int_equal(router_query("aa=1&b&&c=%41+x&c=2&d=", "c", v, sizeof v, &given, &err), ERR_OK);
	assert_true(given);
	assert_string_equal(v, "A x");
	assert_int_equal(router_query("aa=1&b", "b", v, sizeof v, &given, &err), ERR_OK);
	assert_true(given);
	assert_string_equal(v, "");
	assert_int_equal(router_query("a=12345678", "a", v, sizeof v, &given, &err), ERR_INVALID);
	assert_non_null(strstr(err.text, "'a'"));
	assert_int_equal(router_query("a=1234567", "a", v, sizeof v, &given, &err), ERR_OK);
	assert_int_equal(router_query("a=%f", "a", v, sizeof v, &given, &err), ERR_INVALID);
	assert_int_equal(router_query("a=%0d%0a", "a", v, sizeof v, &given, &err), ERR_INVALID);
}

static void
knows_its_queries(void **state)
{
	static const char *const names[] = { "timeout", "wait", NULL };

	(void)state;
	assert_int_equal(router_query_known(NULL, names, &err), ERR_OK);
	assert_int_equal(router_query_known("", names, &err), ERR_OK);
	assert_int_equal(router_query_known("wait=1&timeout=2&", names, &err), ERR_OK);
	assert_int_equal(router_query_known("wait=1&timeuot=2", names, &err), ERR_INVALID);
	assert_non_null(strstr(err.text, "'timeuot'"));
	assert_int_equal(router_query_known("=x", names, &err), ERR_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_its_route), cmocka_unit_test(tells_apart_no_path_and_no_method),
		cmocka_unit_test(decodes_after_cutting), cmocka_unit_test(refuses_what_is_no_text),
		cmocka_unit_test(reads_queries), cmocka_unit_test(knows_its_queries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
