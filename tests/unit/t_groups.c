/* t_groups - every group at once: surveyed, and kept current at a bounded price. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "codec/codec.h"
#include "election/election_check.h"
#include "election/groups.h"
#include "electors.h"
#include "nats/kv.h"
#include "nats/stream.h"
#include "sys/thread.h"


static struct conn *
plain_conn(void)
{
	struct conn *c = conn_new(&(struct conn_opts){ .servers = bus_url(&bus), .timeout_ns = 30 * NS_PER_S }, NULL);

	assert_non_null(c);
	return c;
}

static void
start(struct member *m, const char *instance, const char *group)
{
	*m = (struct member){ .servers = bus_url(&bus), .instance = instance, .group = group, .profile = STEADY_PROFILE };
	member_start(m);
}

/* is: the group as the picture has it. */
static bool
is(struct groups *g, const char *group, bool led, const char *instance)
{
	const struct groups_list *l = groups_take(g);
	const struct observed *s = groups_list_find(l, ELECT_SERVICE, group);
	bool yes = s != NULL && s->certain && s->led == led && strcmp(s->instance, instance) == 0;

	groups_drop(l);
	return yes;
}

static void
where_none_was_held_there_are_none(void **state)
{
	struct conn *c = plain_conn();
	struct err err = { ERR_OK, "" };
	const struct groups_list *l = groups_survey(c, 30 * NS_PER_S, &err);

	(void)state;
	assert_non_null(l);
	assert_int_equal(err.code, ERR_OK);
	assert_int_equal(l->n, 0);
	assert_false(l->held);
	groups_drop(l);
	struct groups *g = groups_new(&(struct groups_opts){ .conn = c }, &err);
	assert_non_null(g);
	l = groups_take(g);
	assert_int_equal(l->n, 0);
	groups_drop(l);
	groups_free(g);
	conn_free(c);
}

static void
a_survey_is_certain_of_each(void **state)
{
	static struct member m[3];
	struct conn *c = plain_conn();
	char word[GROUP_WORD_MAX];

	(void)state;
	start(&m[0], "a", "led");
	start(&m[1], "b", "orphan");
	start(&m[2], "c", "left");
	for (int i = 0; i < 3; i++)
		WAIT_FOR(member_leads(&m[i]));
	uint64_t epoch = member_epoch(&m[0]);
	member_kill(&m[1]);
	member_stop(&m[2]);
	/* Changes are written in the background. */
	const struct groups_list *l = NULL;
	do {
		groups_drop(l);
		l = groups_survey(c, 30 * NS_PER_S, NULL);
		assert_non_null(l);
	} while (l->n < 3);
	assert_true(l->held && l->followed);
	assert_int_equal(l->n, 3);
	assert_string_equal(l->v[0].group, "led");		/* ordered */
	assert_string_equal(l->v[1].group, "left");
	assert_true(l->v[0].certain && l->v[0].led);
	assert_string_equal(l->v[0].instance, "a");
	assert_true(l->v[0].epoch == epoch);
	assert_true(l->v[1].certain && !l->v[1].led);
	assert_int_equal(l->v[1].obstacle, LEASE_WHY_NOT_ELIGIBLE);
	assert_true(l->v[2].certain && !l->v[2].led);
	assert_string_equal(l->v[2].instance, "b");		/* the last one known */
	group_word(&l->v[0], word);
	assert_string_equal(word, "led");
	assert_null(groups_list_find(l, "other", "led"));
	groups_drop(l);
	member_stop(&m[0]);
	conn_free(c);
}

static void
count_change(void *arg)
{
	atomic_fetch_add((_Atomic unsigned *)arg, 1);
}

static void
changes_are_followed(void **state)
{
	static struct member m[2];
	static _Atomic unsigned changes;
	struct conn *c = plain_conn();
	struct groups *g = groups_new(&(struct groups_opts){ .conn = c, .changed = count_change, .arg = &changes }, NULL);

	(void)state;
	assert_non_null(g);
	start(&m[0], "one", "moving");		/* a group that nobody knew when the watch began */
	WAIT_FOR(member_leads(&m[0]));
	WAIT_FOR(is(g, "moving", true, "one"));
	const struct groups_list *l = groups_take(g), *later;
	unsigned before = atomic_load(&changes);
	assert_true(before > 0);
	start(&m[1], "two", "moving");
	WAIT_FOR(atomic_load(&m[1].holder_epoch) != 0);
	member_kill(&m[0]);
	WAIT_FOR(is(g, "moving", true, "two"));
	later = groups_take(g);
	assert_true(later->version > l->version);
	assert_true(groups_list_find(later, ELECT_SERVICE, "moving")->epoch > groups_list_find(l, ELECT_SERVICE, "moving")->epoch);
	assert_true(atomic_load(&changes) > before);
	groups_drop(l);
	groups_drop(later);
	member_kill(&m[1]);
	WAIT_FOR(is(g, "moving", false, "two"));
	groups_free(g);
	conn_free(c);
}

static void
without_nats_the_last_picture_stays(void **state)
{
	static struct member m;
	struct conn *c = plain_conn();
	struct groups *g = groups_new(&(struct groups_opts){ .conn = c }, NULL);

	(void)state;
	start(&m, "steady", "kept");
	WAIT_FOR(is(g, "kept", true, "steady"));
	bus_stop(&bus);
	WAIT_FOR(conn_state(c) != CONN_UP);
	const struct groups_list *l;
	bool followed;
	do {
		l = groups_take(g);
		followed = l->followed;
		groups_drop(l);
		thread_pause(5 * NS_PER_MS);
	} while (followed);
	assert_true(is(g, "kept", true, "steady"));
	assert_true(bus_start(&bus));
	WAIT_FOR(member_leads(&m));
	do {
		l = groups_take(g);
		const struct observed *s = groups_list_find(l, ELECT_SERVICE, "kept");
		followed = l->followed && s != NULL && s->led && s->epoch == member_epoch(&m);
		groups_drop(l);
		thread_pause(5 * NS_PER_MS);
	} while (!followed);
	groups_free(g);
	member_kill(&m);
	conn_free(c);
}

static void
groups_outlive_their_records(void **state)
{
	static struct member m;
	struct conn *c = plain_conn();

	(void)state;
	start(&m, "stays", "unrecorded");
	WAIT_FOR(member_leads(&m));
	struct groups *g = groups_new(&(struct groups_opts){ .conn = c }, NULL);
	WAIT_FOR(is(g, "unrecorded", true, "stays"));
	/* As a deletion by somebody: of the records, not of the set. */
	assert_int_equal(stream_purge(c, "KV_AEGIS_META", "$KV.AEGIS_META.group__ELECT__unrecorded", NULL), ERR_OK);
	assert_int_equal(stream_purge(c, "KV_AEGIS_META", "$KV.AEGIS_META.changes__ELECT__unrecorded", NULL), ERR_OK);
	const struct groups_list *l = groups_survey(c, 30 * NS_PER_S, NULL);
	const struct observed *s = groups_list_find(l, ELECT_SERVICE, "unrecorded");
	assert_non_null(s);
	assert_true(s->led && !s->known);
	assert_string_equal(s->instance, "stays");
	groups_drop(l);
	groups_free(g);
	g = groups_new(&(struct groups_opts){ .conn = c }, NULL);
	WAIT_FOR(is(g, "unrecorded", true, "stays"));
	groups_free(g);
	member_kill(&m);
	conn_free(c);
}

/* asked: how many requests JetStream has answered so far. */
static int64_t
asked(struct conn *c)
{
	struct msg *reply;
	struct value v;
	int64_t n = -1;

	assert_int_equal(conn_request(c, &(struct conn_msg){ .subject = "$JS.API.INFO" }, WAIT_NS, &reply, NULL), ERR_OK);
	assert_int_equal(codec_parse(codec_mine(), (struct data){ DATA_JSON, msg_data(reply), msg_size(reply) }, &v, NULL), ERR_OK);
	assert_true(value_int(value_field(value_field(&v, "api"), "total"), &n));
	msg_free(reply);
	return n;
}

#define MANY 300

static void
many_groups_cost_no_more(void **state)
{
	struct conn *c = plain_conn();
	struct kv kv = { c, "AEGIS_META" };
	struct groups *g = groups_new(&(struct groups_opts){ .conn = c }, NULL);
	const struct groups_list *l;
	char key[64];
	size_t n;

	(void)state;
	static const char record[] = "{\"v\":1,\"state\":\"live\",\"profile\":\"default\",\"fence\":\"gate\",\"epoch\":1}";
	for (int i = 0; i < MANY; i++) {
		snprintf(key, sizeof key, "group__svc__g%d", i);
		assert_int_equal(kv_put(&kv, &(struct kv_put){ .key = key, .value = record, .n = strlen(record), .expect = KV_ANY }, NULL,
		    NULL), ERR_OK);
	}
	do {
		l = groups_take(g);
		n = l->n;
		groups_drop(l);
		thread_pause(NS_PER_MS);
	} while (n < MANY);
	struct mono begin = clock_mono(clock_system());
	int64_t before = asked(c), requests, own = 0;
	do {
		thread_pause(2 * NS_PER_S);		/* the rate is the point */
		requests = asked(c) - before - ++own;
		int64_t took = mono_since(clock_mono(clock_system()), begin);
		int64_t most = took * (GROUPS_LOOKS + 1) / NS_PER_S + 10;	/* one register each; the streams */
		if (requests > most)
			fail_msg("%lld requests in %lld ms, at most %lld", (long long)requests, (long long)(took / NS_PER_MS), (long long)most);
	} while (requests <= 10 && own < 20);
	assert_true(requests > 10);
	groups_free(g);
	conn_free(c);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_none_was_held_there_are_none),
		cmocka_unit_test_teardown(a_survey_is_certain_of_each, members_end),
		cmocka_unit_test_teardown(changes_are_followed, members_end),
		cmocka_unit_test_teardown(without_nats_the_last_picture_stays, members_end),
		cmocka_unit_test_teardown(groups_outlive_their_records, members_end),
		cmocka_unit_test(many_groups_cost_no_more),
	};

	BUS_SHIM(argc, argv);
	return cmocka_run_group_tests(tests, bus_set_up, bus_tear_down);
}
