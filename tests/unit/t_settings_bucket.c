/* t_settings_bucket - documents in a real bucket: conditional writes, history, what others left there; and
 * following one through changes, deletions, gaps and a restart of the server. */
#include "expect.h"

#include "base/magic.h"
#include "bus.h"
#include "codec/codec.h"
#include "codec/subject.h"
#include "nats/conn.h"
#include "nats/kv.h"
#include "nats/stream.h"
#include "settings/follower.h"
#include "settings/settings.h"
#include "sys/loop.h"
#include "sys/pool.h"
#include "until.h"

struct target { uint64_t most; };
static const struct opt rows[] = {
	OPT_UINT(struct target, most, "max-inflight", 0, "N", "how much it does at once", .def = "64", .min = 1, .max = 1000, .env = true,
	    .live = true, .central = true),
	OPTS_END
};
static const struct opts_table tables[] = { { "Options", "own", rows, 0 }, { .title = NULL } };
static const struct settings_rules rules = { tables, sizeof(struct target), NULL };

static struct conn *conn;
static struct settings *all;
static struct codec *codec;
static struct err err;

static struct value
value(const char *json)
{
	struct value v;

	expect_ok(codec_parse(codec, (struct data){ DATA_JSON, json, strlen(json) }, &v, &err), &err);
	return v;
}

static enum err_code
put(const char *service, const char *json, uint64_t expect, uint64_t *rev)
{
	struct value v = value(json);

	return settings_put(all, service, &v, "tester", expect, NULL, rev, &err);
}

static void
raw(const char *service, const char *text, uint64_t *rev)
{
	struct kv kv = { conn, CONFIG_BUCKET };

	expect_ok(kv_put(&kv, &(struct kv_put){ .key = service, .value = text, .n = strlen(text), .expect = KV_ANY }, rev, &err), &err);
}

/* Each test has a server of its own: one that makes a bucket right after it removed one of that name may bring its
 * messages back. */
static int
setup(void **state)
{
	struct conn_opts o = { .timeout_ns = WAIT_NS };

	(void)state;
	bus = (struct bus){ .port = 0 };
	if (!bus_start(&bus))
		return -1;
	err_clear(&err);
	o.servers = bus_url(&bus);
	codec = codec_new();
	conn = conn_new(&o, &err);
	if (conn == NULL || (all = settings_new(&(struct settings_opts){ .conn = conn, .rules = &rules }, &err)) == NULL) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	settings_free(all);
	conn_free(conn);
	codec_free(codec);
	bus_end(&bus);
	return 0;
}

/* --- the bucket --------------------------------------------------------------------------- */

static void
count_one(void *arg, const struct settings_document *d)
{
	(void)d;
	++*(int *)arg;
}

static void
a_missing_bucket_is_empty_and_made_by_the_first_write(void **state)
{
	struct settings_document d;
	struct bucket_state bucket;
	uint64_t rev;
	int n = 0;

	(void)state;
	expect_refusal(settings_get(all, "svc", &d, &err), &err, ERR_NOT_FOUND, "aegis config set --service svc");
	settings_document_release(&d);
	expect_ok(settings_list(all, count_one, &n, &err), &err);
	expect_refusal(settings_history(all, "svc", count_one, &n, &err), &err, ERR_NOT_FOUND, "never had");
	expect_refusal(settings_at(all, "svc", 1, &d, &err), &err, ERR_NOT_FOUND, "no kept revision 1");
	settings_document_release(&d);
	assert_int_equal(n, 0);
	expect_ok(put("svc", "{\"max_inflight\":5}", KV_ABSENT, &rev), &err);
	expect_ok(bucket_inspect(conn, CONFIG_BUCKET, &bucket, &err), &err);
	assert_int_equal(bucket.history, 10);
	assert_string_equal(bucket.republish, "aegis.config.>");
	assert_true(settings_tells(all));
	expect_ok(settings_get(all, "svc", &d, &err), &err);
	assert_string_equal(d.json, "{\"max_inflight\":5}");
	assert_string_equal(d.by, "tester");
	assert_int_equal(d.revision, rev);
	settings_document_release(&d);
}

static void
writes_are_conditional_and_checked(void **state)
{
	struct settings_culprit culprit;
	uint64_t first, second, other;

	(void)state;
	expect_ok(put("svc", "{\"max_inflight\":5}", KV_ABSENT, &first), &err);
	expect_refusal(put("svc", "{}", KV_ABSENT, &other), &err, ERR_EXISTS, "has settings already");
	expect_ok(put("svc", "{\"max_inflight\":6}", first, &second), &err);
	expect_refusal(put("svc", "{\"max_inflight\":7}", first, &other), &err, ERR_REVISION, "somebody else changed them");
	expect_refusal(settings_remove(all, "svc", first, &err), &err, ERR_REVISION, "somebody else");
	struct value bad = value("{\"max_inflight\":0}");
	expect_refusal(settings_put(all, "svc", &bad, "x", second, &culprit, &other, &err), &err, ERR_INVALID, "allowed is 1 to 1000");
	assert_string_equal(culprit.key, "max_inflight");
	char *large = mem_new(SETTINGS_MAX_BYTES + 64);
	memset(large, 'x', SETTINGS_MAX_BYTES);
	struct value_pair pair = { { "k", 1 }, { .type = VALUE_TEXT, .u.text = { large, SETTINGS_MAX_BYTES } } };
	struct value_pair own = { { "workload", 8 }, { .type = VALUE_MAP, .n = 1, .u.pairs = &pair } };
	struct value map = { .type = VALUE_MAP, .n = 1, .u.pairs = &own };
	expect_refusal(settings_put(all, "svc", &map, "x", second, NULL, &other, &err), &err, ERR_TOO_LARGE, "settings may have");
	mem_free(large);
	expect_ok(settings_remove(all, "svc", second, &err), &err);
	/* Over the marker. */
	expect_ok(put("svc", "{}", KV_ABSENT, &other), &err);
}

struct seen { uint64_t revisions[16]; size_t n, deleted, bad; };

static void
see(void *arg, const struct settings_document *d)
{
	struct seen *s = arg;

	s->revisions[s->n++] = d->revision;
	s->deleted += d->deleted;
	s->bad += d->why != NULL;
}

static void
history_is_kept_with_what_others_wrote(void **state)
{
	struct settings_document d;
	struct seen seen = { .n = 0 };
	uint64_t a, b, c, e;

	(void)state;
	expect_ok(put("svc", "{\"max_inflight\":5}", KV_ABSENT, &a), &err);
	raw("svc", "{\"no\":\"document\"}", &b);
	expect_refusal(settings_get(all, "svc", &d, &err), &err, ERR_CORRUPT, "settings of 'svc', revision");
	assert_int_equal(d.revision, b);
	assert_non_null(d.why);
	settings_document_release(&d);
	expect_ok(put("other", "{}", KV_ABSENT, &c), &err);
	expect_ok(settings_remove(all, "svc", b, &err), &err);
	expect_ok(put("svc", "{\"max_inflight\":7}", KV_ABSENT, &e), &err);
	expect_ok(settings_history(all, "svc", see, &seen, &err), &err);
	assert_int_equal(seen.n, 4);
	assert_int_equal(seen.deleted, 1);
	assert_int_equal(seen.bad, 1);
	assert_int_equal(seen.revisions[0], a);
	assert_int_equal(seen.revisions[3], e);
	expect_ok(settings_at(all, "svc", a, &d, &err), &err);
	assert_string_equal(d.json, "{\"max_inflight\":5}");
	settings_document_release(&d);
	expect_refusal(settings_at(all, "svc", b, &d, &err), &err, ERR_CORRUPT, "no object");
	settings_document_release(&d);
	seen.n = 0;
	expect_ok(settings_list(all, see, &seen, &err), &err);
	assert_int_equal(seen.n, 2);
}

static void
a_bucket_of_others_may_tell_nothing(void **state)
{
	struct bucket_state made;

	(void)state;
	expect_ok(bucket_ensure(conn, &(struct bucket_opts){ .name = CONFIG_BUCKET, .history = 1 }, &made, &err), &err);
	struct settings *s = settings_new(&(struct settings_opts){ .conn = conn, .rules = &rules, .create = true }, &err);
	assert_non_null(s);
	assert_false(settings_tells(s));
	settings_free(s);
}

/* --- following ---------------------------------------------------------------------------- */

struct follows {
	struct loop *loop;
	struct pool *pool;
	struct follower *f;
	char text[256];			/* the last that was told; "-" for none */
	uint64_t revision;
	unsigned told, none;		/* of those, how many told of no document */
	const char *wanted;
};

static void
on_told(void *arg, const struct follower_news *n)
{
	struct follows *w = arg;

	snprintf(w->text, sizeof w->text, "%.*s", n->text != NULL ? (int)n->n : 1, n->text != NULL ? n->text : "-");
	w->revision = n->revision;
	w->told++;
	w->none += n->text == NULL;
}

static bool
is_told(void *arg)
{
	const struct follows *w = arg;

	return strstr(w->text, w->wanted) != NULL;
}

static void
expect_told(struct follows *w, const char *wanted)
{
	w->wanted = wanted;
	if (!until(w->loop, is_told, w))
		fail_msg("'%s' was told, not '%s'", w->text, wanted);
}

static void
follow(struct follows *w)
{
	*w = (struct follows){ .wanted = "" };
	w->loop = loop_new(clock_system(), 64, &err);
	w->pool = pool_new(w->loop, 1, 4, &err);
	w->f = follower_new(&(struct follower_opts){
		.conn = conn, .loop = w->loop, .pool = w->pool, .service = "svc", .told = on_told, .arg = w,
	}, &err);
	assert_non_null(w->f);
}

static void
unfollow(struct follows *w)
{
	follower_close(w->f);
	pool_free(w->pool);
	follower_free(w->f);
	loop_free(w->loop);
}

static void
changes_are_told_once_each(void **state)
{
	struct follows w;
	uint64_t rev;

	(void)state;
	follow(&w);
	expect_told(&w, "-");
	assert_int_equal(w.told, 1);
	/* The bucket is made, and the first document told, in one go. */
	expect_ok(put("svc", "{\"max_inflight\":5}", KV_ABSENT, &rev), &err);
	expect_told(&w, ":5}");
	assert_int_equal(w.revision, rev);
	expect_ok(put("other", "{}", KV_ABSENT, &rev), &err);
	for (unsigned i = 6; i < 16; i++) {
		char json[48];
		snprintf(json, sizeof json, "{\"max_inflight\":%u}", i);
		expect_ok(put("svc", json, w.revision, &rev), &err);
		snprintf(json, sizeof json, ":%u}", i);
		expect_told(&w, json);
		assert_int_equal(w.revision, rev);
	}
	assert_int_equal(w.told, 12);
	raw("svc", "garbage", &rev);
	expect_told(&w, "garbage");
	expect_ok(settings_remove(all, "svc", rev, &err), &err);
	expect_told(&w, "-");
	assert_int_equal(w.told, 14);
	unfollow(&w);
}

static void
a_gap_is_read_over(void **state)
{
	struct follows w;
	uint64_t rev;

	(void)state;
	expect_ok(put("svc", "{\"max_inflight\":5}", KV_ABSENT, &rev), &err);
	uint64_t first = rev;
	follow(&w);
	expect_told(&w, ":5}");
	/* A message whose predecessor is unknown is no news by itself: the bucket is asked. */
	struct conn_header lost[] = { { "Nats-Sequence", "99" }, { "Nats-Last-Sequence", "98" }, { NULL, NULL } };
	static const char invented[] = "{\"settings\":{\"invented\":1}}";
	struct subject s = subject_config("svc");
	expect_ok(conn_publish(conn, &(struct conn_msg){ .subject = s.s, .headers = lost, .data = invented, .n = strlen(invented) }, &err), &err);
	expect_ok(conn_publish(conn, &(struct conn_msg){ .subject = s.s, .data = "x", .n = 1 }, &err), &err);
	for_a_while(w.loop, 50 * NS_PER_MS);
	assert_int_equal(w.told, 1);
	/* A bucket that was made anew counts from the beginning: the same number is another document. */
	expect_ok(bucket_remove(conn, CONFIG_BUCKET, &err), &err);
	settings_free(all);
	all = settings_new(&(struct settings_opts){ .conn = conn, .rules = &rules, .create = true }, &err);
	assert_non_null(all);
	expect_ok(put("svc", "{\"max_inflight\":7}", KV_ABSENT, &rev), &err);
	assert_int_equal(rev, first);
	expect_told(&w, ":7}");
	expect_ok(put("svc", "{\"max_inflight\":8}", rev, &rev), &err);
	expect_told(&w, ":8}");
	/* The question may have come while there was no bucket. */
	assert_int_equal(w.told - w.none, 3);
	assert_in_range(w.none, 0, 1);
	unfollow(&w);
}

static void
a_restart_of_the_server_is_read_over(void **state)
{
	struct conn_opts o = { .timeout_ns = WAIT_NS };
	struct follows w;
	uint64_t rev;

	(void)state;
	expect_ok(put("svc", "{\"max_inflight\":5}", KV_ABSENT, &rev), &err);
	follow(&w);
	expect_told(&w, ":5}");
	bus_stop(&bus);
	WAIT_FOR(conn_state(conn) != CONN_UP);
	assert_true(bus_start(&bus));
	o.servers = bus_url(&bus);
	/* Somebody else is back earlier than the follower, and writes. */
	struct conn *early = conn_new(&o, &err);
	assert_non_null(early);
	struct settings *s = settings_new(&(struct settings_opts){ .conn = early, .rules = &rules }, &err);
	assert_non_null(s);
	struct value v = value("{\"max_inflight\":8}");
	expect_ok(settings_put(s, "svc", &v, "early", rev, NULL, &rev, &err), &err);
	settings_free(s);
	conn_free(early);
	expect_told(&w, ":8}");
	unfollow(&w);
}

static void
a_start_reads_once(void **state)
{
	struct conn_opts away = { .servers = "nats://127.0.0.1:1", .wait = true, .timeout_ns = NS_PER_S };
	uint64_t rev, seen = 1;
	char *text;
	size_t n;

	(void)state;
	expect_ok(follower_read(conn, "svc", WAIT_NS, WAIT_NS, &text, &n, &seen, &err), &err);
	assert_null(text);
	assert_int_equal(seen, 0);
	expect_ok(put("svc", "{\"max_inflight\":5}", KV_ABSENT, &rev), &err);
	expect_ok(follower_read(conn, "svc", WAIT_NS, WAIT_NS, &text, &n, &seen, &err), &err);
	assert_non_null(strstr(text, ":5}"));
	assert_int_equal(seen, rev);
	mem_free(text);
	struct conn *c = conn_new(&away, &err);
	struct mono before = clock_mono(clock_system());
	assert_int_equal(follower_read(c, "svc", 50 * NS_PER_MS, 50 * NS_PER_MS, &text, &n, &seen, &err), ERR_UNAVAILABLE);
	assert_null(text);
	assert_true(mono_since(clock_mono(clock_system()), before) < WAIT_NS / 2);
	conn_free(c);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_missing_bucket_is_empty_and_made_by_the_first_write), TEST(writes_are_conditional_and_checked),
		TEST(history_is_kept_with_what_others_wrote), TEST(a_bucket_of_others_may_tell_nothing),
		TEST(changes_are_told_once_each), TEST(a_gap_is_read_over), TEST(a_restart_of_the_server_is_read_over),
		TEST(a_start_reads_once),
	};

	BUS_SHIM(argc, argv);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	conn_library_close();
	return failed;
}
