/* t_config - configuration files: what they set, what they refuse and where they say it is. */
#include "expect.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/config.h"
#include "base/instant.h"
#include "base/magic.h"
#include "base/mem.h"

struct target {
	const char *server;
	int64_t beat_ns, count;
	bool flag;
	struct opts_list items;
};

static const struct opt link_rows[] = {
	OPT_TEXT(struct target, server, "server", 's', "URL", "where to connect to", .def = "here", .env = true),
	OPTS_END
};
static const struct opt own_rows[] = {
	OPT_DURATION(struct target, beat_ns, "beat-interval", 0, "how often it beats", .env = true, .min = NS_PER_S,
	    .max = 60 * NS_PER_S),
	OPT_INT(struct target, count, "count", 0, "N", "how many there are", .env = true),
	OPT_FLAG(struct target, flag, "flag", 0, "whether it is so", .env = true),
	OPT_LIST(struct target, items, "item", 0, "ITEM", "one of them", .env = true),
	OPT_TEXT(struct target, server, "operand", 0, "TEXT", "not for files, as it has no variable"),
	OPTS_END
};
static const struct opt other_rows[] = {
	OPT_TEXT(struct target, server, "elsewhere", 0, "TEXT", "an option of another command", .env = true), OPTS_END
};

static const struct opts_table mine[] = {
	{ "Connection", "connection", link_rows, 0 }, { "Own", "own", own_rows, 0 }, { .title = NULL },
};
static const struct opts_table others[] = { { "Other", "other", other_rows, 0 }, { .title = NULL } };
static const struct opts_table *const known[] = { mine, others, NULL };

static struct target t;
static struct opts o;
static struct err err;

static int
fresh(void **state)
{
	(void)state;
	memset(&t, 0, sizeof t);
	err_clear(&err);
	opts_init(&o, mine, &t);
	return 0;
}

static int
release(void **state)
{
	(void)state;
	opts_release(&o);
	return 0;
}

static enum err_code
apply(const char *text)
{
	return config_apply(&o, known, "f.json", OPTS_USER_FILE, text, strlen(text), &err);
}

static void
values_arrive(void **state)
{
	(void)state;
	expect_ok(apply("// a comment, and trailing commas\n"
	    "{ \"connection\": { \"server\": \"nats://x\" },\n"
	    "  \"own\": { \"beat_interval\": \"5s\", \"count\": -3, \"flag\": true, \"item\": [\"a\", 2, ], },\n"
	    "  \"other\": { \"elsewhere\": \"ignored here\" }, }\n"), &err);
	assert_string_equal(t.server, "nats://x");
	assert_int_equal(t.beat_ns, 5 * NS_PER_S);
	assert_int_equal(t.count, -3);
	assert_true(t.flag);
	assert_int_equal(t.items.n, 2);
	assert_string_equal(t.items.v[1], "2");
	assert_string_equal(opts_mark(&o, "server")->source, "f.json:2:19");
	assert_string_equal(opts_mark(&o, "flag")->source, "f.json:3:48");
}

static void
map_fills_a_list_of_pairs(void **state)
{
	(void)state;
	expect_ok(apply("{\"own\":{\"item\":{\"zone\":\"a\",\"n\":1}}}"), &err);
	assert_int_equal(t.items.n, 2);
	assert_string_equal(t.items.v[0], "zone=a");
	assert_string_equal(t.items.v[1], "n=1");
}

static void
null_leaves_the_default(void **state)
{
	(void)state;
	expect_ok(apply("{\"connection\":{\"server\":null}}"), &err);
	assert_string_equal(t.server, "here");
	assert_int_equal(opts_mark(&o, "server")->origin, OPTS_DEFAULT);
}

static void
mistakes_have_line_and_column(void **state)
{
	static const struct { const char *text, *sentence; } bad[] = {
		{ "{\n  \"own\": {\n    \"count\": 1,\n    \"beat_intervall\": \"5s\" } }",
		    "f.json:4:5: unknown key 'beat_intervall' in 'own'; did you mean 'beat_interval'?" },
		{ "{ \"conection\": {} }", "f.json:1:3: unknown key 'conection'; did you mean 'connection'?" },
		{ "{ \"server\": \"x\" }", "f.json:1:3: 'server' belongs into \"connection\": { … }" },
		{ "{ \"own\": { \"server\": \"x\" } }",
		    "f.json:1:12: unknown key 'server' in 'own'; it belongs into 'connection'" },
		{ "{ \"own\": { \"operand\": \"x\" } }", "f.json:1:12: unknown key 'operand' in 'own'" },
		{ "{ \"own\": 5 }", "f.json:1:3: 'own' must be an object { … }, not integer" },
		{ "{ /* \"own\": { */ \"own\": {\"flag\":true, // \"count\"\n \"beat_interval\":\"2m\"}}",
		    "f.json:2:2: 2m is too large; allowed is 1s to 1m" },
		{ "{\"own\":{\"beat_interval\":5}}",
		    "f.json:1:9: '5' is no duration; write one such as 250ms, 2s or 1m30s" },
		{ "{\"own\":{\"count\":[1]}}", "f.json:1:9: count: type int is wanted, not list" },
		{ "{\"own\":{\"item\":[[1]]}}", "f.json:1:9: item: items are texts or numbers, not list" },
		{ "[]", "f.json: must be an object { … }, not list" },
		/* Keys and brackets inside of strings and of values deeper down are no keys. */
		{ "{\"other\":{\"elsewhere\":\"{\\\"x\\\":[\"},\"own\":{\"item\":[\"}\",\"b\"],\n\n   \"x\":1}}",
		    "f.json:3:4: unknown key 'x' in 'own'" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(apply(bad[i].text), ERR_CONFIG);
		assert_string_equal(err.text, bad[i].sentence);
	}
	assert_int_equal(apply("{\n \"own\": }"), ERR_CONFIG);
	assert_non_null(strstr(err.text, "f.json"));
	assert_non_null(strstr(err.text, "2"));
}

static void
keys_of_other_commands_are_known(void **state)
{
	(void)state;
	expect_ok(apply("{\"other\":{\"elsewhere\":\"x\"}}"), &err);
	expect_refusal(apply("{\"other\":{\"elsewere\":\"x\"}}"), &err, ERR_CONFIG, "did you mean 'elsewhere'?");
}

/* --- files ------------------------------------------------------------------------------ */

static char dir[] = "/tmp/t_config.XXXXXX";

static const char *
home_only(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "XDG_CONFIG_HOME") == 0 ? dir : NULL;
}

static char *
write_file(const char *name, const char *text)
{
	char *path = mem_printf("%s/%s", dir, name);
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return path;
}

static void
files_are_found(void **state)
{
	(void)state;
	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	assert_non_null(mkdtemp(dir));
	char *sub = mem_printf("%s/aegis", dir);

	/* Nothing there is nothing wrong; a file that was asked for must exist. */
	expect_ok(config_load(&o, known, NULL, home_only, NULL, &err), &err);
	expect_refusal(config_load(&o, known, "/nonexistent/x.json", home_only, NULL, &err), &err, ERR_CONFIG,
	    "'/nonexistent/x.json' cannot be opened");
	mkdir(sub, 0700);
	char *user = write_file("aegis/aegis.json", "{\"own\":{\"count\":5}}");
	expect_ok(config_load(&o, known, NULL, home_only, NULL, &err), &err);
	assert_int_equal(t.count, 5);
	char *own = write_file("own.json", "{\"own\":{\"flag\":true}}");
	expect_ok(config_load(&o, known, own, home_only, NULL, &err), &err);
	assert_true(t.flag);
	unlink(user);
	unlink(own);
	rmdir(sub);
	rmdir(dir);
	mem_free(user);
	mem_free(own);
	mem_free(sub);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, release)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(values_arrive),
		TEST(map_fills_a_list_of_pairs),
		TEST(null_leaves_the_default),
		TEST(mistakes_have_line_and_column),
		TEST(keys_of_other_commands_are_known),
		TEST(files_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
