/* t_table - changes in, groups out: each branch by itself, then any seeded sequence of
 * changes and resyncs against a model that is too simple to be wrong. */
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "discovery/table.h"

static struct table *t;
static char replay[32];			/* what a failure prints besides */

static int
set_up(void **state)
{
	(void)state;
	t = table_new();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	table_free(t);
	return 0;
}

static struct instance *
record(const char *service, const char *id)
{
	struct instance *i = mem_new(sizeof *i);

	instance_init(i);
	i->service = mem_text(service);
	i->id = mem_text(id);
	i->version = mem_text("1.0.0");
	return i;
}

static void
put(const char *key, const char *service, const char *id, uint64_t revision)
{
	table_instance(t, key, record(service, id), revision);
}

static void
define(const char *name, uint64_t revision)
{
	struct definition *d = mem_new(sizeof *d);

	d->service = mem_text(name);
	d->owner = mem_printf("team %llu", (unsigned long long)revision);
	table_definition(t, name, d, revision);
}

static void
drop(struct service_group **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		group_unref(v[i]);
	mem_free(v);
}

/* shows: the groups as text: "a: x@1 y@2; b: z@3". */
static void
shows(const char *want)
{
	struct service_group **v;
	struct str got = STR_INIT;
	size_t n = table_groups(t, &v);

	for (size_t i = 0; i < n; i++) {
		str_printf(&got, "%s%s:", i > 0 ? "; " : "", v[i]->name);
		for (size_t k = 0; k < v[i]->n; k++)
			str_printf(&got, " %s@%llu", v[i]->v[k]->instance->id, (unsigned long long)v[i]->v[k]->revision);
	}
	drop(v, n);
	if (strcmp(str_text(&got), want) != 0)
		fail_msg("groups '%s' are not '%s'; %s", str_text(&got), want, replay);
	str_release(&got);
}

static void
defines(const char *want)
{
	struct defined **v;
	struct str got = STR_INIT;
	size_t n = table_defined(t, &v);

	for (size_t i = 0; i < n; i++) {
		str_printf(&got, "%s%s", i > 0 ? " " : "", v[i]->name);
		defined_unref(v[i]);
	}
	mem_free(v);
	assert_string_equal(str_text(&got), want);
	str_release(&got);
}

static void
groups_are_ordered_by_name_and_id(void **state)
{
	(void)state;
	shows("");
	assert_false(table_changed(t));
	put("k3", "b", "z", 1);
	put("k2", "a", "y", 2);
	put("k1", "a", "x", 3);
	put("k4", "a", "zz", 4);
	assert_true(table_changed(t));
	assert_int_equal(table_instances(t), 4);
	shows("a: x@3 y@2 zz@4; b: z@1");
	assert_false(table_changed(t));
}

static void
an_older_or_equal_revision_is_ignored(void **state)
{
	(void)state;
	put("k", "a", "x", 5);
	shows("a: x@5");
	put("k", "a", "x", 5);
	put("k", "a", "x", 4);
	assert_false(table_changed(t));
	table_gone(t, "k", 5);
	table_gone(t, "k", 4);
	assert_false(table_changed(t));
	put("k", "a", "x", 6);
	assert_true(table_changed(t));
	assert_int_equal(table_instances(t), 1);
	shows("a: x@6");
	table_gone(t, "k", 7);
	assert_true(table_changed(t));
	assert_int_equal(table_instances(t), 0);
	shows("");
	table_gone(t, "k", 8);				/* nobody knows it any more */
	assert_false(table_changed(t));
}

static void
definitions_are_names_and_no_groups(void **state)
{
	(void)state;
	define("orders", 4);
	define("billing", 5);
	define("orders", 6);
	define("orders", 3);				/* old news */
	defines("billing orders");
	shows("");
	table_gone(t, "orders", 9);
	defines("billing");
	assert_int_equal(table_instances(t), 0);
}

static void
a_key_whose_record_names_another_instance_moves(void **state)
{
	(void)state;
	put("k", "a", "x", 1);
	put("k", "b", "x", 2);
	shows("b: x@2");
	put("k", "b", "y", 3);
	shows("b: y@3");
	assert_int_equal(table_instances(t), 1);
}

static void
of_two_keys_for_one_instance_the_last_told_counts(void **state)
{
	(void)state;
	put("new", "a", "x", 1);
	put("legacy", "a", "x", 2);
	shows("a: x@2");
	table_gone(t, "new", 3);
	shows("a: x@2");
	put("new", "a", "x", 4);
	shows("a: x@4");
	table_gone(t, "new", 5);
	/* The legacy record is known but has lost the place until it is told again. */
	shows("");
	assert_int_equal(table_instances(t), 1);
	table_gone(t, "legacy", 6);
	shows("");
	assert_int_equal(table_instances(t), 0);
}

static void
a_resync_forgets_what_was_not_told_again(void **state)
{
	(void)state;
	put("k1", "a", "x", 1);
	put("k2", "a", "y", 2);
	put("k3", "b", "z", 3);
	define("orders", 4);
	define("billing", 5);
	table_sync_begin(t);
	put("k2", "a", "y", 2);
	define("billing", 5);
	put("k4", "c", "w", 9);
	table_sync_end(t);
	shows("a: y@2; c: w@9");
	defines("billing");
	assert_int_equal(table_instances(t), 2);
	table_sync_begin(t);
	table_sync_end(t);
	shows("");
	defines("");
}

/* The bucket was made again, and counts from the beginning. */
static void
a_resync_may_name_older_revisions(void **state)
{
	(void)state;
	put("k1", "a", "x", 100);
	put("k2", "a", "y", 101);
	table_sync_begin(t);
	put("k1", "a", "x", 1);
	shows("a: x@1 y@101");
	put("k1", "a", "x", 1);
	assert_false(table_changed(t));
	table_gone(t, "k2", 2);
	table_sync_end(t);
	shows("a: x@1");
	put("k1", "a", "x", 3);
	shows("a: x@3");
}

/* A resync that was broken off says nothing; the next one does. */
static void
a_broken_resync_forgets_nothing(void **state)
{
	(void)state;
	put("k1", "a", "x", 1);
	put("k2", "a", "y", 2);
	table_sync_begin(t);
	put("k1", "a", "x", 1);
	shows("a: x@1 y@2");
	table_sync_begin(t);
	put("k2", "a", "y", 2);
	table_sync_end(t);
	shows("a: y@2");
}

static void
groups_that_did_not_change_are_shared(void **state)
{
	struct service_group **v, **w;

	(void)state;
	put("k1", "a", "x", 1);
	put("k2", "b", "y", 2);
	assert_int_equal(table_groups(t, &v), 2);
	put("k2", "b", "y", 3);
	assert_int_equal(table_groups(t, &w), 2);
	assert_ptr_equal(v[0], w[0]);
	assert_ptr_not_equal(v[1], w[1]);
	/* Calls in flight and turns live on over versions of a record. */
	assert_ptr_equal(v[1]->v[0]->peer, w[1]->v[0]->peer);
	assert_ptr_equal(v[1]->turn, w[1]->turn);
	assert_int_equal(v[1]->v[0]->revision, 2);
	assert_int_equal(w[1]->v[0]->revision, 3);
	drop(v, 2);
	drop(w, 2);
}

static void
readers_may_keep_a_group_longer_than_the_table(void **state)
{
	struct service_group **v;

	(void)state;
	put("k1", "a", "x", 1);
	assert_int_equal(table_groups(t, &v), 1);
	table_gone(t, "k1", 2);
	table_free(t);
	t = NULL;
	assert_string_equal(v[0]->name, "a");
	assert_string_equal(v[0]->v[0]->instance->id, "x");
	drop(v, 1);
	group_unref(NULL);
}

/* --- against a model --------------------------------------------------------------------- */

#define KEYS 24
#define SERVICES 4
#define IDS 3			/* so that two keys often name one instance */
#define NAMES 6

struct known {
	bool there, told;		/* told: since the resync began */
	uint64_t revision;
	int service, id;
};

struct model {
	struct known key[KEYS];
	bool defined[NAMES], defined_told[NAMES];
	int place[SERVICES][IDS];	/* the key that was told last, -1: none */
	uint64_t revision;
	bool syncing;
};

static uint64_t seed;

static int
draw(int below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (int)((seed >> 11) % (uint64_t)below);
}

static const char *
key_name(int k)
{
	static char name[16];

	snprintf(name, sizeof name, "key%d", k);
	return name;
}

static void
model_leave(struct model *m, int k)
{
	struct known *one = &m->key[k];

	if (m->place[one->service][one->id] == k)
		m->place[one->service][one->id] = -1;
}

/* is_old: a new resync is believed whatever it counts. */
static bool
is_old(const struct known *one, uint64_t revision)
{
	return one->told ? revision <= one->revision : revision == one->revision;
}

static void
do_put(struct model *m, int k)
{
	struct known *one = &m->key[k], next = { true, true, 0, draw(SERVICES), draw(IDS) };
	char service[16], id[16];

	if (one->there && draw(2) == 0) {
		next.service = one->service;
		next.id = one->id;
	}
	/* Mostly news; sometimes the same once more, sometimes older. */
	next.revision = !one->there || draw(3) != 0 ? ++m->revision : one->revision - (uint64_t)draw(2);
	snprintf(service, sizeof service, "s%d", next.service);
	snprintf(id, sizeof id, "i%d", next.id);
	put(key_name(k), service, id, next.revision);
	bool old = one->there && is_old(one, next.revision);
	one->told = true;
	if (old)
		return;
	if (one->there)
		model_leave(m, k);
	*one = next;
	m->place[next.service][next.id] = k;
}

static void
do_gone(struct model *m, int k)
{
	struct known *one = &m->key[k];
	uint64_t revision = draw(4) != 0 ? ++m->revision : one->revision;

	table_gone(t, key_name(k), revision);
	if (!one->there || is_old(one, revision))
		return;
	model_leave(m, k);
	one->there = false;
}

static void
do_definition(struct model *m, int n)
{
	char name[16];

	snprintf(name, sizeof name, "name%d", n);
	if (draw(3) == 0) {
		table_gone(t, name, ++m->revision);
		m->defined[n] = false;
	} else {
		define(name, ++m->revision);
		m->defined[n] = m->defined_told[n] = true;
	}
}

static void
do_sync(struct model *m)
{
	/* A begin may come again without an end: the connection broke in between. */
	if (!m->syncing || draw(4) == 0) {
		table_sync_begin(t);
		m->syncing = true;
		for (int k = 0; k < KEYS; k++)
			m->key[k].told = false;
		for (int n = 0; n < NAMES; n++)
			m->defined_told[n] = false;
		return;
	}
	table_sync_end(t);
	m->syncing = false;
	for (int k = 0; k < KEYS; k++) {
		if (!m->key[k].there || m->key[k].told)
			continue;
		model_leave(m, k);
		m->key[k].there = false;
	}
	for (int n = 0; n < NAMES; n++)
		m->defined[n] = m->defined[n] && m->defined_told[n];
}

static void
compare(const struct model *m)
{
	struct str groups = STR_INIT, names = STR_INIT;
	size_t there = 0;

	for (int s = 0; s < SERVICES; s++) {
		bool first = true;
		for (int i = 0; i < IDS; i++) {
			int k = m->place[s][i];
			if (k < 0)
				continue;
			if (first)
				str_printf(&groups, "%ss%d:", groups.len > 0 ? "; " : "", s);
			first = false;
			str_printf(&groups, " i%d@%llu", i, (unsigned long long)m->key[k].revision);
		}
	}
	for (int n = 0; n < NAMES; n++)
		if (m->defined[n])
			str_printf(&names, "%sname%d", names.len > 0 ? " " : "", n);
	for (int k = 0; k < KEYS; k++)
		there += m->key[k].there;
	shows(str_text(&groups));
	defines(str_text(&names));
	assert_int_equal(table_instances(t), there);
	str_release(&groups);
	str_release(&names);
}

static void
who_is_silent_for_long_is_forgotten(void **state)
{
	static const struct { const char *key, *id; int64_t heard; } rows[] = {
		{ "k1", "old", 100 }, { "k2", "at-the-edge", 200 }, { "k3", "young", 300 },
	};
	struct service_group **groups;

	(void)state;
	table_sync_begin(t);
	define("orders", 1);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct instance *one = record("orders", rows[i].id);
		one->last_heartbeat = (struct wall){ rows[i].heard };
		table_instance(t, rows[i].key, one, i + 1);
	}
	table_sync_end(t);
	table_forget(t, (struct wall){ 200 });
	assert_int_equal(table_instances(t), 2);
	assert_int_equal(table_groups(t, &groups), 1);
	assert_int_equal(groups[0]->n, 2);
	assert_string_equal(groups[0]->v[0]->instance->id, "at-the-edge");
	group_unref(groups[0]);
	mem_free(groups);
	/* Whoever is heard of again is there again; a definition is not forgotten. */
	table_instance(t, "k1", record("orders", "old"), 9);
	assert_int_equal(table_instances(t), 3);
	defines("orders");
}

/* note: news as text, "+x" new, "~x" changed, "-x" gone, with the reason behind. */
static void
note(void *arg, const struct table_news *n)
{
	static const char *const why[] = { [TABLE_TOLD] = "", [TABLE_UNTOLD] = "?", [TABLE_SILENT] = "!" };
	bool there = n->now != NULL || n->defined != NULL, was = n->before != NULL || n->undefined != NULL;

	str_printf(arg, "%s%s%s@%llu ", !was ? "+" : there ? "~" : "-", n->key, why[n->why],
	    (unsigned long long)n->revision);
}

static void
a_listener_hears_each_change_once(void **state)
{
	struct str got = STR_INIT;

	(void)state;
	table_listen(t, note, &got);
	put("k1", "a", "x", 1);
	put("k1", "a", "x", 2);
	put("k1", "a", "x", 2);				/* no news */
	define("orders", 3);
	define("orders", 4);
	put("k2", "a", "y", 5);
	table_gone(t, "k2", 6);
	table_gone(t, "k2", 7);
	put("k3", "a", "z", 8);
	table_sync_begin(t);
	put("k1", "a", "x", 2);
	define("orders", 4);
	table_sync_end(t);
	table_forget(t, (struct wall){ 1 });
	assert_string_equal(str_text(&got), "+k1@1 ~k1@2 +orders@3 ~orders@4 +k2@5 -k2@6 +k3@8 -k3?@0 -k1!@0 ");
	str_release(&got);
}

static void
any_sequence_of_changes_equals_the_model(void **state)
{
	struct service_group **held = NULL;
	size_t nheld = 0;

	(void)state;
	for (uint64_t n = 1; n <= 150; n++) {
		struct model m = { .revision = 10 };
		snprintf(replay, sizeof replay, "seed %llu", (unsigned long long)n);
		memset(m.place, -1, sizeof m.place);
		seed = n * UINT64_C(0x9e3779b97f4a7c15);
		t = table_new();
		for (int i = 0; i < 400; i++) {
			int what = draw(20);
			if (what < 12)
				do_put(&m, draw(KEYS));
			else if (what < 15)
				do_gone(&m, draw(KEYS));
			else if (what < 18)
				do_definition(&m, draw(NAMES));
			else
				do_sync(&m);
			if (draw(3) == 0)
				compare(&m);
			if (draw(50) == 0) {	/* a reader that takes its time */
				drop(held, nheld);
				nheld = table_groups(t, &held);
			}
		}
		compare(&m);
		table_free(t);
	}
	for (size_t i = 0; i < nheld; i++)
		assert_true(held[i]->n > 0 && held[i]->v[0]->instance->id[0] == 'i');
	drop(held, nheld);
}

static void
lead(const char *id, const char *group, uint64_t epoch, uint64_t revision)
{
	struct instance *i = record("orders", id);

	i->group = mem_text(group);
	i->sticky = STICKY_ACTIVE;
	i->epoch = epoch;
	table_instance(t, id, i, revision);
}

/* says_active: the members that are shown as ACTIVE, in order of their ids. */
static void
says_active(const char *want)
{
	struct service_group **v;
	char got[64] = "";
	size_t n = table_groups(t, &v);

	assert_int_equal(n, 1);
	for (size_t i = 0; i < v[0]->n; i++) {
		const struct instance *one = v[0]->v[i]->instance;
		if (one->status == INSTANCE_ACTIVE)
			snprintf(got + strlen(got), sizeof got - strlen(got), "%s", one->id);
		assert_int_equal(one->sticky, one->status == INSTANCE_ACTIVE ? STICKY_ACTIVE : STICKY_STANDBY);
	}
	assert_string_equal(got, want);
	drop(v, n);
}

/* The record of a leader that was killed stands beside the next one's until it is too old. */
static void
of_a_group_only_the_highest_epoch_is_active(void **state)
{
	(void)state;
	lead("a", "main", 7, 1);
	says_active("a");
	lead("b", "main", 9, 2);
	says_active("b");
	lead("c", "other", 3, 3);		/* of another group */
	says_active("bc");
	lead("a", "main", 7, 4);		/* a heartbeat that came late changes nothing */
	says_active("bc");
	lead("a", "main", 12, 5);
	says_active("ac");
	table_gone(t, "a", 6);
	says_active("bc");			/* what it knows, it knows still */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(groups_are_ordered_by_name_and_id, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_older_or_equal_revision_is_ignored, set_up, tear_down),
		cmocka_unit_test_setup_teardown(definitions_are_names_and_no_groups, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_key_whose_record_names_another_instance_moves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_two_keys_for_one_instance_the_last_told_counts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_resync_forgets_what_was_not_told_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_resync_may_name_older_revisions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_broken_resync_forgets_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(groups_that_did_not_change_are_shared, set_up, tear_down),
		cmocka_unit_test_setup_teardown(readers_may_keep_a_group_longer_than_the_table, set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_a_group_only_the_highest_epoch_is_active, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_is_silent_for_long_is_forgotten, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_listener_hears_each_change_once, set_up, tear_down),
		cmocka_unit_test(any_sequence_of_changes_equals_the_model),
	};

	table_free(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
