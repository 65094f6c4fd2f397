/* t_settings - what a central document may say, what is in force under it, and what differs.  Pure. */
#include "expect.h"

#include <stdlib.h>

#include "base/instant.h"
#include "base/magic.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "settings/effective.h"
#include "settings/settings.h"

struct target {
	const char *name, *budget, *shell, *url, *secret;
	int64_t beat_ns, ttl_ns;
	uint64_t most, slots;
	bool strict;
	int level;
	struct opts_list tags;
};

static const char *const levels[] = { "debug", "info", "warning", NULL };
static const struct opt rows[] = {
	OPT_TEXT(struct target, name, "name", 0, "NAME", "what it is called", .env = true),
	OPT_DURATION(struct target, beat_ns, "beat-interval", 0, "how often it beats", .def = "10s", .min = NS_PER_S,
	    .max = 60 * NS_PER_S, .env = true, .live = true, .central = true),
	OPT_DURATION(struct target, ttl_ns, "record-ttl", 0, "how long its record lives", .def = "30s", .env = true, .live = true,
	    .central = true),
	OPT_UINT(struct target, most, "max-inflight", 0, "N", "how much it does at once", .def = "64", .min = 1, .max = 1000,
	    .env = true, .live = true, .central = true),
	OPT_UINT(struct target, slots, "slots", 0, "N", "how many places there are", .def = "4", .env = true, .central = true),
	OPT_FLAG(struct target, strict, "strict", 0, "whether it is strict about it", .env = true, .central = true),
	OPT_CHOICE(struct target, level, "log-level", 0, levels, "how much it says", .def = "info", .env = true, .live = true,
	    .central = true),
	OPT_TEXT(struct target, budget, "budget", 0, "TEXT", "how much it may spend", .env = true, .central = true),
	OPT_TEXT(struct target, shell, "ready-cmd", 0, "SHELL", "a command that tells", .env = true),
	OPT_TEXT(struct target, url, "server", 0, "URL", "where it connects to", .env = true),
	OPT_SECRET(struct target, secret, "password-file", "where the password stands", .env = true),
	OPT_LIST(struct target, tags, "tag", 0, "TAG", "what it is tagged with", .env = true),
	OPTS_END
};
static const struct opts_table tables[] = { { "Options", "own", rows, 0 }, { .title = NULL } };

static enum err_code
check(const void *opts, struct err *err)
{
	const struct target *t = opts;

	return t->beat_ns < t->ttl_ns ? ERR_OK : err_set(err, ERR_CONFIG, "--beat-interval must be shorter than --record-ttl");
}

static const struct settings_rules rules = { tables, sizeof(struct target), check };
static struct codec *codec;
static struct err err;

static enum err_code
judged(const char *json, struct settings_culprit *culprit)
{
	struct value v;

	expect_ok(codec_parse(codec, (struct data){ DATA_JSON, json, strlen(json) }, &v, &err), &err);
	return settings_check(&rules, &v, culprit, &err);
}

static void
what_is_allowed(void **state)
{
	static const char *const good[] = {
		"{}", "{\"beat_interval\":\"5s\"}", "{\"max_inflight\":8,\"strict\":true,\"log_level\":\"DEBUG\"}", "{\"max_inflight\":\"8\"}",
		"{\"workload\":{}}", "{\"workload\":{\"pool.size\":20,\"deep\":{\"any thing\":[1,null]}}}",
		"{\"beat_interval\":\"40s\",\"record_ttl\":\"50s\"}",
	};
	static const struct { const char *json, *culprit, *says; } bad[] = {
		{ "[]", "", "must be an object" },
		{ "{\"beat_intervall\":\"5s\"}", "beat_intervall", "did you mean 'beat_interval'?" },
		{ "{\"beat-interval\":\"5s\"}", "beat-interval", "did you mean 'beat_interval'?" },
		{ "{\"wholly_other\":1}", "wholly_other", "unknown key 'wholly_other'" },
		{ "{\"\":1}", "", "unknown key ''" },
		{ "{\"name\":\"x\"}", "name", "give it there as --name, AEGIS_NAME or in a configuration file" },
		{ "{\"ready_cmd\":\"rm -rf /\"}", "ready_cmd", "is no central setting" },
		{ "{\"password_file\":\"/x\"}", "password_file", "is no central setting" },
		{ "{\"tag\":[\"x\"]}", "tag", "is no central setting" },
		{ "{\"beat_interval\":5}", "beat_interval", "settings: beat_interval: '5' is no duration" },
		{ "{\"beat_interval\":\"1ms\"}", "beat_interval", "is too small; allowed is 1s to 1m" },
		{ "{\"beat_interval\":null}", "beat_interval", "leave the key out" },
		{ "{\"beat_interval\":{}}", "beat_interval", "type duration is wanted, not map" },
		{ "{\"max_inflight\":0}", "max_inflight", "too small" },
		{ "{\"max_inflight\":1.5}", "max_inflight", "is no whole number" },
		{ "{\"log_level\":\"loud\"}", "log_level", "use debug, info or warning" },
		{ "{\"budget\":\"a\\u0000b\"}", "budget", "type text is wanted" },
		{ "{\"workload\":[]}", "workload", "must be an object" },
		{ "{\"workload\":{\"a b\":1}}", "workload/a b", "'a b' is no key" },
		{ "{\"workload\":{\"\":1}}", "workload/", "is no key" },
		{ "{\"beat_interval\":\"30s\"}", "", "settings: --beat-interval must be shorter than --record-ttl" },
	};
	struct settings_culprit culprit;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++)
		expect_ok(judged(good[i], &culprit), &err);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		expect_refusal(judged(bad[i].json, &culprit), &err, ERR_INVALID, bad[i].says);
		assert_string_equal(culprit.key, bad[i].culprit);
	}
	expect_refusal(judged(bad[1].json, NULL), &err, ERR_INVALID, bad[1].says);
}

static void
what_is_a_document(void **state)
{
	static const char *const bad[] = { "", "x", "[]", "{}", "{\"settings\":1}", "{\"settings\":null}", "{\"settings\":{}", "null" };
	struct settings_content content;
	struct value root;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		expect_refusal(settings_read(codec, bad[i], strlen(bad[i]), &root, &content, &err), &err, ERR_CORRUPT, "the document");
	const char *good = "{\"settings\":{\"a\":1},\"updated_by\":\"me\",\"later\":2}";
	expect_ok(settings_read(codec, good, strlen(good), &root, &content, &err), &err);
	assert_int_equal(content.settings->n, 1);
	assert_true(text_is(content.by, "me"));
	char *large = mem_new(SETTINGS_MAX_BYTES + 2);
	memset(large, ' ', SETTINGS_MAX_BYTES + 1);
	expect_refusal(settings_read(codec, large, SETTINGS_MAX_BYTES + 1, &root, &content, &err), &err, ERR_CORRUPT, "64 KiB");
	mem_free(large);
}

/* --- what is in force --------------------------------------------------------------------- */

struct life {
	struct target target;
	struct opts base;
	struct opts_words words;
	struct effective *e;
};

static const char *const told[] = { "--slots", "9", "--server", "nats://u:pw@h", "--ready-cmd", "curl secret", "--tag", "a", "--tag", "b",
	"--name", "n", NULL };

static void
begin(struct life *l)
{
	memset(l, 0, sizeof *l);
	opts_init(&l->base, tables, &l->target);
	expect_ok(opts_parse(&l->base, told, &l->words, &err), &err);
	expect_ok(opts_set(&l->base, opts_mark(&l->base, "log-level"), OPTS_ENV, "AEGIS_LOG_LEVEL", "warning", &err), &err);
	l->e = effective_new(&rules, &l->base);
}

static void
finish(struct life *l)
{
	effective_free(l->e);
	opts_release(&l->base);
}

static enum err_code
take(struct life *l, const char *settings, uint64_t revision)
{
	char *text = settings != NULL ? mem_printf("{\"settings\":%s}", settings) : NULL;
	enum err_code code = effective_take(l->e, text, text != NULL ? strlen(text) : 0, revision, &err);

	mem_free(text);
	return code;
}

static const struct target *
now(const struct life *l)
{
	return effective_running(l->e);
}

static void
lists(size_t (*what)(const struct effective *, struct str *), const struct life *l, const char *expected)
{
	struct str out = STR_INIT;

	what(l->e, &out);
	assert_string_equal(str_text(&out), expected);
	str_release(&out);
}

static void
live_rows_follow_and_others_wait(void **state)
{
	struct life l;

	(void)state;
	begin(&l);
	assert_int_equal(now(&l)->most, 64);
	expect_ok(take(&l, "{\"max_inflight\":8,\"strict\":true,\"beat_interval\":\"2s\",\"budget\":\"x\"}", 3), &err);
	assert_int_equal(now(&l)->most, 8);
	assert_int_equal(now(&l)->beat_ns, 2 * NS_PER_S);
	assert_false(now(&l)->strict);
	assert_null(now(&l)->budget);
	lists(effective_changed, &l, "beat_interval, max_inflight");
	lists(effective_pending, &l, "strict, budget");
	/* The same in other words is no change; what is taken back waits no more. */
	expect_ok(take(&l, "{\"max_inflight\":\"8\",\"beat_interval\":\"2000ms\"}", 4), &err);
	lists(effective_changed, &l, "");
	lists(effective_pending, &l, "");
	/* No document: the defaults again. */
	expect_ok(take(&l, NULL, 5), &err);
	lists(effective_changed, &l, "beat_interval, max_inflight");
	assert_int_equal(now(&l)->most, 64);
	assert_int_equal(effective_revision(l.e), 5);
	assert_int_equal(effective_applied(l.e), 5);
	finish(&l);
}

static void
stronger_origins_win(void **state)
{
	struct life l;

	(void)state;
	begin(&l);
	expect_ok(take(&l, "{\"slots\":2,\"log_level\":\"debug\"}", 1), &err);
	assert_int_equal(now(&l)->slots, 9);
	assert_int_equal(now(&l)->level, 2);
	lists(effective_changed, &l, "");
	lists(effective_pending, &l, "");	/* a restart would change nothing */
	finish(&l);
}

static void
a_start_takes_everything(void **state)
{
	static const char text[] = "{\"settings\":{\"strict\":true,\"budget\":\"x\",\"max_inflight\":8,\"workload\":{\"k\":1}}}";
	struct life l;

	(void)state;
	begin(&l);
	expect_ok(effective_start(l.e, text, strlen(text), 7, &err), &err);
	assert_true(now(&l)->strict);
	assert_string_equal(now(&l)->budget, "x");
	assert_string_equal(effective_workload(l.e), "{\"k\":1}");
	lists(effective_pending, &l, "");
	expect_ok(take(&l, "{\"budget\":\"x\"}", 8), &err);
	lists(effective_pending, &l, "strict");
	assert_true(now(&l)->strict);
	lists(effective_changed, &l, "max_inflight");
	assert_true(effective_workload_changed(l.e));
	assert_string_equal(effective_workload(l.e), "{}");
	finish(&l);
}

static void
what_is_refused_changes_nothing(void **state)
{
	struct life l;

	(void)state;
	begin(&l);
	expect_ok(take(&l, "{\"max_inflight\":8,\"workload\":{\"k\":1}}", 1), &err);
	expect_refusal(take(&l, "{\"max_inflight\":9,\"unknown\":1,\"workload\":{\"k\":2}}", 2), &err, ERR_INVALID, "settings, revision 2: unknown key");
	expect_refusal(effective_take(l.e, "garbage", 7, 3, &err), &err, ERR_CORRUPT, "settings, revision 3: the document cannot be read");
	expect_refusal(take(&l, "{\"beat_interval\":\"30s\"}", 4), &err, ERR_INVALID, "shorter than");
	assert_int_equal(now(&l)->most, 8);
	assert_int_equal(now(&l)->beat_ns, 10 * NS_PER_S);
	assert_string_equal(effective_workload(l.e), "{\"k\":1}");
	assert_false(effective_workload_changed(l.e));
	assert_int_equal(effective_revision(l.e), 4);
	assert_int_equal(effective_applied(l.e), 1);
	assert_non_null(effective_refused(l.e));
	expect_ok(take(&l, "{}", 5), &err);
	assert_null(effective_refused(l.e));
	finish(&l);
}

static const struct value *
setting(const struct value *answer, const char *key)
{
	const struct value *list = value_field(answer, "settings");

	for (uint32_t i = 0; i < list->n; i++) {
		struct text t = { NULL, 0 };
		value_text(value_field(&list->u.items[i], "key"), &t);
		if (text_is(t, key))
			return &list->u.items[i];
	}
	fail_msg("there is no %s", key);
	return NULL;
}

static void
has(const struct value *answer, const char *key, const char *member, const char *json)
{
	struct str out = STR_INIT;
	struct pack p;

	pack_init(&p, &out, DATA_JSON, PACK_COMPACT);
	pack_value(&p, value_field(setting(answer, key), member));
	expect_ok(pack_end(&p, &err), &err);
	assert_string_equal(str_text(&out), json);
	str_release(&out);
}

static void
what_is_told(void **state)
{
	struct str out = STR_INIT;
	struct life l;
	struct value v;

	(void)state;
	begin(&l);
	expect_ok(take(&l, "{\"max_inflight\":8,\"strict\":true,\"workload\":{\"pool\":20,\"db_password\":\"pw\"}}", 6), &err);
	effective_write(l.e, "svc", "i-1", false, &out);
	assert_null(strstr(str_text(&out), "pw"));
	assert_null(strstr(str_text(&out), "curl"));
	expect_ok(codec_parse(codec, (struct data){ DATA_JSON, out.p, out.len }, &v, &err), &err);
	has(&v, "max_inflight", "value", "8");
	has(&v, "max_inflight", "origin", "\"central\"");
	has(&v, "slots", "value", "9");
	has(&v, "slots", "origin", "\"flag\"");
	has(&v, "log_level", "origin", "\"env\"");
	has(&v, "log_level", "source", "\"AEGIS_LOG_LEVEL\"");
	has(&v, "beat_interval", "value", "\"10s\"");
	has(&v, "beat_interval", "origin", "\"default\"");
	has(&v, "strict", "pending", "true");
	has(&v, "strict", "wanted", "true");
	has(&v, "strict", "value", "false");
	has(&v, "strict", "live", "false");
	has(&v, "server", "value", "null");
	has(&v, "server", "secret", "true");
	has(&v, "ready_cmd", "secret", "true");
	has(&v, "password_file", "secret", "true");
	has(&v, "tag", "value", "[\"a\",\"b\"]");
	has(&v, "workload.pool", "value", "20");
	has(&v, "workload.db_password", "value", "null");
	assert_non_null(strstr(str_text(&out), "\"pending\":[\"strict\"]"));
	str_clear(&out);
	effective_write(l.e, "svc", "i-1", true, &out);
	assert_non_null(strstr(str_text(&out), "\"workload\":{\"pool\":20,\"db_password\":\"pw\"}"));
	finish(&l);
	str_release(&out);
}

/* --- merging, comparing, describing ------------------------------------------------------- */

static void
merges(void **state)
{
	static const struct { const char *was, *change, *is; } all[] = {
		{ NULL, "{\"a\":1,\"b\":null}", "{\"a\":1}" },
		{ "{\"a\":1,\"b\":2}", "{\"a\":null,\"c\":3}", "{\"b\":2,\"c\":3}" },
		{ "{\"workload\":{\"x\":1,\"y\":2}}", "{\"workload\":{\"x\":null,\"z\":[1]}}", "{\"workload\":{\"y\":2,\"z\":[1]}}" },
		{ "{\"workload\":1}", "{\"workload\":{\"z\":{\"q\":null,\"r\":1}}}", "{\"workload\":{\"z\":{\"r\":1}}}" },
		{ "{\"a\":{\"b\":1}}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":1}", "{}", "{\"a\":1}" },
	};
	struct str out = STR_INIT;
	struct value v;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		str_clear(&out);
		expect_ok(codec_parse(codec, (struct data){ DATA_JSON, all[i].change, strlen(all[i].change) }, &v, &err), &err);
		expect_ok(settings_merge(all[i].was, &v, &out, &err), &err);
		assert_string_equal(str_text(&out), all[i].is);
	}
	str_release(&out);
}

static void
note(void *arg, const char *key, const char *from, const char *to)
{
	str_printf(arg, "%s:%s>%s ", key, from != NULL ? from : "", to != NULL ? to : "");
}

static void
differences(void **state)
{
	struct str out = STR_INIT;

	(void)state;
	expect_ok(settings_diff("{\"a\":1,\"b\":2,\"workload\":{\"x\":1,\"y\":2}}", "{\"b\":3,\"workload\":{\"x\":1,\"z\":\"q\"},\"c\":true}", note,
	    &out, &err), &err);
	assert_string_equal(str_text(&out), "a:1> b:2>3 workload.y:2> workload.z:>\"q\" c:>true ");
	str_clear(&out);
	expect_ok(settings_diff(NULL, "{\"workload\":{\"x\":1}}", note, &out, &err), &err);
	expect_ok(settings_diff("{\"workload\":{\"x\":1}}", NULL, note, &out, &err), &err);
	assert_string_equal(str_text(&out), "workload.x:>1 workload.x:1> ");
	expect_refusal(settings_diff("{", NULL, note, &out, &err), &err, ERR_SYNTAX, "");
	str_release(&out);
}

static void
the_schema_is_json_and_says_what_is_live(void **state)
{
	struct str out = STR_INIT;
	struct value v;
	struct text t;

	(void)state;
	settings_schema(&rules, &out);
	expect_ok(codec_parse(codec, (struct data){ DATA_JSON, out.p, out.len }, &v, &err), &err);
	const struct value *all = value_field(&v, "properties");
	assert_int_equal(all->n, 8);		/* seven rows and the program's own */
	assert_true(value_text(value_field(value_field(all, "beat_interval"), "x-applies"), &t) && text_is(t, "at once"));
	assert_true(value_text(value_field(value_field(all, "slots"), "x-applies"), &t) && text_is(t, "at restart"));
	assert_non_null(value_field(value_field(all, "log_level"), "enum"));
	assert_null(value_field(all, "ready_cmd"));
	str_release(&out);
}

static int
setup(void **state)
{
	(void)state;
	codec = codec_new();
	err_clear(&err);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	codec_free(codec);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_allowed), TEST(what_is_a_document), TEST(live_rows_follow_and_others_wait), TEST(stronger_origins_win),
		TEST(a_start_takes_everything), TEST(what_is_refused_changes_nothing), TEST(what_is_told), TEST(merges),
		TEST(differences), TEST(the_schema_is_json_and_says_what_is_live),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
