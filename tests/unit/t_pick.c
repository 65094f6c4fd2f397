/* t_pick - the four strategies over groups of fit and unfit members. */
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/magic.h"
#include "base/mem.h"
#include "discovery/pick.h"

#define STALE (35 * NS_PER_S)
#define MOST 64

static const struct wall now = { 1000000 * NS_PER_S };
static struct service_group *g;
static struct instance instances[MOST];
static struct member_entry entries[MOST];
static struct peer peers[MOST];
static struct turn turn;
static char ids[MOST][24];

/* A group of n fit members m00, m01, …, ordered by id as the table keeps them. */
static void
make(size_t n)
{
	free(g);
	g = calloc(1, sizeof *g + n * sizeof g->v[0]);
	memset(entries, 0, sizeof entries);
	memset(peers, 0, sizeof peers);
	memset(&turn, 0, sizeof turn);
	g->turn = &turn;
	g->n = n;
	for (size_t i = 0; i < n; i++) {
		snprintf(ids[i], sizeof ids[i], "m%02zu", i);
		instances[i] = (struct instance){ .id = ids[i], .status = INSTANCE_ACTIVE, .last_heartbeat = now };
		entries[i].instance = &instances[i];
		entries[i].peer = &peers[i];
		g->v[i] = &entries[i];
	}
}

static int
tear_down(void **state)
{
	(void)state;
	free(g);
	g = NULL;
	return 0;
}

static void
unfit(size_t i)
{
	if (i % 2 == 0)
		instances[i].status = INSTANCE_UNHEALTHY;
	else
		instances[i].last_heartbeat.ns = now.ns - STALE - 1;
}

static bool
is_fit(size_t i)
{
	return instances[i].status != INSTANCE_UNHEALTHY && now.ns - instances[i].last_heartbeat.ns <= STALE;
}

/* choose: the number of the member that was picked, -1 for none. */
static int
choose(enum pick_strategy s, const char *preferred, uint64_t chance)
{
	struct pick_opts o = { .strategy = s, .preferred = preferred, .now = now, .stale_ns = STALE, .chance = chance };
	const struct member_entry *e = pick(g, &o);

	return e != NULL ? (int)(e - entries) : -1;
}

static const enum pick_strategy all[] = { PICK_ROUND_ROBIN, PICK_RANDOM, PICK_STICKY, PICK_LEAST_INFLIGHT };

static void
nothing_is_picked_from_nothing(void **state)
{
	(void)state;
	struct pick_opts o = { .now = now, .stale_ns = STALE };
	assert_null(pick(NULL, &o));
	for (size_t s = 0; s < COUNT_OF(all); s++) {
		make(0);
		assert_int_equal(choose(all[s], "m00", 3), -1);
		for (size_t n = 1; n <= 20; n++) {
			make(n);
			for (size_t i = 0; i < n; i++)
				unfit(i);
			assert_int_equal(choose(all[s], "m00", 12345 * n), -1);
		}
	}
}

static void
standby_is_callable_unhealthy_and_stale_are_not(void **state)
{
	(void)state;
	for (size_t s = 0; s < COUNT_OF(all); s++) {
		make(1);
		instances[0].status = INSTANCE_STANDBY;
		assert_int_equal(choose(all[s], NULL, 0), 0);
		instances[0].status = INSTANCE_UNHEALTHY;
		assert_int_equal(choose(all[s], NULL, 0), -1);
		instances[0].status = INSTANCE_ACTIVE;
		instances[0].last_heartbeat.ns = now.ns - STALE - 1;
		assert_int_equal(choose(all[s], NULL, 0), -1);
		instances[0].last_heartbeat.ns = now.ns + 5 * STALE;	/* its clock is ahead */
		assert_int_equal(choose(all[s], NULL, 0), 0);
	}
}

/* Whatever the strategy: only fit members, and one whenever there is one. */
static void
only_the_fit_are_picked(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (size_t round = 0; round < 2000; round++) {
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		make(1 + (seed >> 33) % MOST);
		size_t left = g->n;
		for (size_t i = 0; i < g->n; i++) {
			seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			if ((seed >> 40) % 3 != 0) {
				unfit(i);
				left--;
			}
		}
		for (size_t s = 0; s < COUNT_OF(all); s++) {
			int got = choose(all[s], ids[(seed >> 20) % g->n], seed >> 7);
			assert_true((got >= 0) == (left > 0));
			assert_true(got < 0 || is_fit((size_t)got));
		}
	}
}

static void
round_robin_takes_turns(void **state)
{
	(void)state;
	make(5);
	for (int i = 0; i < 15; i++)
		assert_int_equal(choose(PICK_ROUND_ROBIN, NULL, 0), i % 5);
	unfit(3);
	int counts[5] = { 0 };
	for (int i = 0; i < 50; i++)
		counts[choose(PICK_ROUND_ROBIN, NULL, 0)]++;
	assert_int_equal(counts[3], 0);
	for (int i = 0; i < 5; i++)
		assert_true(i == 3 || counts[i] >= 10);
}

static void
round_robin_begins_where_it_is_told(void **state)
{
	(void)state;
	for (uint64_t offset = 0; offset < 12; offset++) {
		make(5);
		for (uint64_t i = 0; i < 10; i++)
			assert_int_equal(choose(PICK_ROUND_ROBIN, NULL, offset), (offset + i) % 5);
	}
	make(5);
	atomic_store(&turn.next, UINT32_MAX);		/* the counter wraps, the place stays in bounds */
	assert_true(choose(PICK_ROUND_ROBIN, NULL, UINT64_MAX) >= 0);
	assert_true(choose(PICK_ROUND_ROBIN, NULL, UINT64_MAX) >= 0);
}

static void
random_follows_the_chance(void **state)
{
	(void)state;
	make(7);
	for (uint64_t i = 0; i < 30; i++)
		assert_int_equal(choose(PICK_RANDOM, NULL, i), i % 7);
	unfit(2);
	assert_int_equal(choose(PICK_RANDOM, NULL, 2), 3);
	unfit(6);
	assert_int_equal(choose(PICK_RANDOM, NULL, 6), 0);
}

static void
sticky_keeps_to_the_preferred_one(void **state)
{
	(void)state;
	make(9);
	for (int i = 0; i < 9; i++)
		assert_int_equal(choose(PICK_STICKY, ids[i], 0), i);
	assert_int_equal(choose(PICK_STICKY, NULL, 0), 0);
	assert_int_equal(choose(PICK_STICKY, "a", 0), 0);	/* before all, between, behind all */
	assert_int_equal(choose(PICK_STICKY, "m045", 0), 0);
	assert_int_equal(choose(PICK_STICKY, "z", 0), 0);
	unfit(4);
	assert_int_equal(choose(PICK_STICKY, "m04", 0), 0);
	unfit(0);
	assert_int_equal(choose(PICK_STICKY, "m04", 0), 1);
}

static void
least_inflight_finds_the_least_of_a_small_group(void **state)
{
	(void)state;
	for (size_t n = 1; n <= 8; n++) {
		for (size_t least = 0; least < n; least++) {
			make(n);
			for (size_t i = 0; i < n; i++)
				atomic_store(&peers[i].inflight, i == least ? 3 : 4 + (unsigned)i);
			for (uint64_t chance = 0; chance < 20; chance++)
				assert_int_equal(choose(PICK_LEAST_INFLIGHT, NULL, chance), (int)least);
			if (n == 1)
				continue;
			unfit(least);			/* the least of the others, then */
			assert_int_equal(choose(PICK_LEAST_INFLIGHT, NULL, 1), least == 0 ? 1 : 0);
		}
	}
}

static void
least_inflight_lets_equals_take_turns(void **state)
{
	bool seen[8] = { false };

	(void)state;
	make(8);
	for (uint64_t chance = 0; chance < 8; chance++)
		seen[choose(PICK_LEAST_INFLIGHT, NULL, chance)] = true;
	for (size_t i = 0; i < 8; i++)
		assert_true(seen[i]);
}

static void
least_inflight_avoids_the_busy_of_a_large_group(void **state)
{
	int busy = 0;
	bool seen[MOST] = { false };

	(void)state;
	make(MOST);
	for (size_t i = 0; i < MOST; i += 2)
		atomic_store(&peers[i].inflight, 100);
	for (uint64_t chance = 1; chance <= 4000; chance++) {
		int got = choose(PICK_LEAST_INFLIGHT, NULL, chance * UINT64_C(0x9e3779b97f4a7c15));
		seen[got] = true;
		busy += got % 2 == 0;
	}
	/* Half are busy; all four draws hit busy ones about once in sixteen. */
	assert_true(busy < 4000 / 8);
	for (size_t i = 1; i < MOST; i += 2)
		assert_true(seen[i]);
	for (size_t i = 0; i + 1 < MOST; i++)		/* one fit member, found without a lucky draw */
		unfit(i);
	for (uint64_t chance = 0; chance < 200; chance++)
		assert_int_equal(choose(PICK_LEAST_INFLIGHT, NULL, chance), MOST - 1);
}

/* --- with breakers ------------------------------------------------------------------------- */

static const struct mono early = { 100 * NS_PER_S };

/* silent: its breaker opens at that time. */
static void
silent(size_t i, struct mono when)
{
	for (unsigned n = 0; n < BREAKER_FAILURES; n++)
		breaker_note(&peers[i].breaker, BREAKER_BAD, when);
}

static int
around(enum pick_strategy s, size_t first, const char *avoid, struct mono when)
{
	struct pick_opts o = { .strategy = s, .now = now, .stale_ns = STALE };

	return (int)(pick_admitted(g, &o, &entries[first], avoid, when) - entries);
}

static void
the_silent_are_passed_over_for_the_next_that_answers(void **state)
{
	(void)state;
	make(5);
	assert_int_equal(around(PICK_ROUND_ROBIN, 3, NULL, early), 3);
	silent(3, early);
	assert_int_equal(around(PICK_ROUND_ROBIN, 3, NULL, early), 4);
	silent(4, early);
	assert_int_equal(around(PICK_ROUND_ROBIN, 3, NULL, early), 0);
	unfit(0);
	assert_int_equal(around(PICK_STICKY, 3, NULL, early), 1);
	/* The least busy of those that answer. */
	atomic_store(&peers[1].inflight, 2);
	assert_int_equal(around(PICK_LEAST_INFLIGHT, 3, NULL, early), 2);
}

static void
who_refused_is_avoided_while_there_are_others(void **state)
{
	(void)state;
	make(3);
	assert_int_equal(around(PICK_ROUND_ROBIN, 1, "m01", early), 2);
	assert_int_equal(around(PICK_ROUND_ROBIN, 1, "m02", early), 1);
	silent(1, early);
	assert_int_equal(around(PICK_ROUND_ROBIN, 1, "m02", early), 0);
	silent(0, early);
	assert_int_equal(around(PICK_ROUND_ROBIN, 2, "m02", early), 0);	/* rather a silent one */
	make(1);
	assert_int_equal(around(PICK_ROUND_ROBIN, 0, "m00", early), 0);	/* there is no other */
}

static void
when_all_are_silent_the_one_whose_pause_ends_first_is_asked(void **state)
{
	struct mono later = mono_after(early, NS_PER_S), due = mono_after(early, BREAKER_FIRST_NS);

	(void)state;
	make(3);
	silent(0, later);
	silent(1, early);
	silent(2, later);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(around(PICK_ROUND_ROBIN, i, NULL, later), 1);
	/* Its pause is over: one call goes there as a probe, the next ones do not. */
	assert_int_equal(around(PICK_ROUND_ROBIN, 1, NULL, due), 1);
	assert_int_equal(breaker_view(atomic_load(&peers[1].breaker.word)).state, BREAKER_PROBING);
	assert_int_equal(around(PICK_ROUND_ROBIN, 1, NULL, due), 2);
}

static void
strategies_have_names(void **state)
{
	enum pick_strategy s = PICK_RANDOM;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		assert_true(pick_strategy_parse(pick_strategy_name(all[i]), &s));
		assert_int_equal(s, all[i]);
	}
	assert_false(pick_strategy_parse("Random", &s));
	assert_false(pick_strategy_parse("", &s));
	assert_int_equal(s, PICK_LEAST_INFLIGHT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(nothing_is_picked_from_nothing, tear_down),
		cmocka_unit_test_teardown(standby_is_callable_unhealthy_and_stale_are_not, tear_down),
		cmocka_unit_test_teardown(only_the_fit_are_picked, tear_down),
		cmocka_unit_test_teardown(round_robin_takes_turns, tear_down),
		cmocka_unit_test_teardown(round_robin_begins_where_it_is_told, tear_down),
		cmocka_unit_test_teardown(random_follows_the_chance, tear_down),
		cmocka_unit_test_teardown(sticky_keeps_to_the_preferred_one, tear_down),
		cmocka_unit_test_teardown(least_inflight_finds_the_least_of_a_small_group, tear_down),
		cmocka_unit_test_teardown(least_inflight_lets_equals_take_turns, tear_down),
		cmocka_unit_test_teardown(least_inflight_avoids_the_busy_of_a_large_group, tear_down),
		cmocka_unit_test_teardown(the_silent_are_passed_over_for_the_next_that_answers, tear_down),
		cmocka_unit_test_teardown(who_refused_is_avoided_while_there_are_others, tear_down),
		cmocka_unit_test_teardown(when_all_are_silent_the_one_whose_pause_ends_first_is_asked, tear_down),
		cmocka_unit_test(strategies_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
