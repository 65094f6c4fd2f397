/* t_live - when readers are told: what is urgent within a moment, however soon it follows on something else;
 * what is not with the next waking. */
#include "expect.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/magic.h"
#include "monitor/live.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define READERS 3
#define CHANGES 40
#define PATIENCE_NS (60 * NS_PER_S)	/* a reader that nobody wakes sleeps that long, and fails the test */

static struct live *l;

struct reader {
	pthread_t thread;
	atomic_int seen;		/* the number of the last change */
	atomic_int wakings;
};

static void
put(int number, bool urgent)
{
	char data[16];

	snprintf(data, sizeof data, "%d", number);
	live_put(l, &(struct hub_state){
		.topic = HUB_INSTANCES, .event = "e", .key = "k", .service = "s", .data = text_of(data), .own = true,
	}, urgent);
}

static void *
run_reader(void *arg)
{
	struct reader *r = arg;
	struct hub_cursor c = { .topics = HUB_ALL };
	struct hub_item *v[4];
	uint64_t missed;
	bool lost;
	size_t n;

	while ((n = live_read(l, &c, v, COUNT_OF(v), mono_after(clock_mono(clock_system()), PATIENCE_NS), &missed, &lost)) > 0) {
		atomic_fetch_add(&r->wakings, 1);
		atomic_store(&r->seen, (int)strtol(v[n - 1]->data, NULL, 10));
		for (size_t i = 0; i < n; i++)
			hub_item_unref(v[i]);
	}
	return NULL;
}

/* all_see: within a third of what a reader would sleep. */
static bool
all_see(struct reader *r, int number)
{
	struct mono end = mono_after(clock_mono(clock_system()), PATIENCE_NS / 3);

	for (int i = 0; i < READERS; i++)
		while (atomic_load(&r[i].seen) < number) {
			if (mono_reached(clock_mono(clock_system()), end))
				return false;
			thread_pause(NS_PER_MS);
		}
	return true;
}

static void
start(struct reader *r)
{
	l = live_new();
	for (int i = 0; i < READERS; i++)
		assert_int_equal(thread_start(&r[i].thread, "reader", run_reader, &r[i], NULL), ERR_OK);
}

static void
stop(struct reader *r)
{
	live_stop(l);
	for (int i = 0; i < READERS; i++)
		pthread_join(r[i].thread, NULL);
	live_free(l);
}

static void
one_change_right_after_another_is_told_as_well(void **state)
{
	struct reader r[READERS] = { 0 };

	(void)state;
	start(r);
	for (int i = 1; i <= CHANGES; i++) {
		put(i, true);
		assert_true(all_see(r, i));
	}
	stop(r);
}

static void
a_storm_wakes_nobody_more_than_it_may(void **state)
{
	struct reader r[READERS] = { 0 };
	struct mono begin = clock_mono(clock_system());
	int n = 0;

	(void)state;
	start(r);
	while (mono_since(clock_mono(clock_system()), begin) < NS_PER_S) {
		put(++n, true);
		thread_pause(NS_PER_MS);
	}
	assert_true(all_see(r, n));
	int64_t took = mono_since(clock_mono(clock_system()), begin);
	for (int i = 0; i < READERS; i++)
		assert_in_range(atomic_load(&r[i].wakings), 1, 2 + 2 * took / LIVE_WAKE_NS);
	stop(r);
}

static void
what_is_not_urgent_waits_for_the_next_waking(void **state)
{
	struct reader r[READERS] = { 0 };

	(void)state;
	start(r);
	put(1, true);
	assert_true(all_see(r, 1));
	thread_pause(3 * LIVE_WAKE_NS);		/* all of them sleep, and no interval runs */
	put(2, false);
	thread_pause(3 * LIVE_WAKE_NS);		/* nothing happens in that time */
	for (int i = 0; i < READERS; i++)
		assert_int_equal(atomic_load(&r[i].seen), 1);
	live_wake(l);
	assert_true(all_see(r, 2));
	stop(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_change_right_after_another_is_told_as_well),
		cmocka_unit_test(a_storm_wakes_nobody_more_than_it_may),
		cmocka_unit_test(what_is_not_urgent_waits_for_the_next_waking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
