/* t_live - when readers are told: what is urgent within a moment, however soon it follows on something else;
 * what is not with the next waking. */
#include "expect.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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
	atomic_int tid;
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

	atomic_store(&r->tid, gettid());
	while ((n = live_read(l, &c, v, COUNT_OF(v), mono_after(clock_mono(clock_system()), PATIENCE_NS), &missed, &lost)) > 0) {
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

/* naps: how often a reader that sleeps has fallen asleep; 0 when it does not sleep now. */
static unsigned long
naps(const struct reader *r)
{
	static const char key[] = "voluntary_ctxt_switches:";
	char path[64], line[128];
	unsigned long n = 0;
	bool asleep = false;

	snprintf(path, sizeof path, "/proc/self/task/%d/status", atomic_load(&r->tid));
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL) {
		asleep |= strncmp(line, "State:\tS", 8) == 0;
		if (strncmp(line, key, sizeof key - 1) == 0)
			n = strtoul(line + sizeof key - 1, NULL, 10);
	}
	fclose(f);
	return asleep ? n : 0;
}

/* all_sleep: until all of them have slept through longer than an interval.  A reader that had no processor yet for
 * going to sleep would see what comes next without having been woken. */
static void
all_sleep(struct reader *r)
{
	bool slept;

	do {
		unsigned long before[READERS];
		slept = true;
		for (int i = 0; i < READERS; i++)
			before[i] = naps(&r[i]);
		thread_pause(3 * LIVE_WAKE_NS);
		for (int i = 0; i < READERS; i++)
			slept &= before[i] != 0 && naps(&r[i]) == before[i];
	} while (!slept);
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
	/* Not how often they read: who comes late finds something without having been woken. */
	assert_in_range(live_counters(l).wakings, 1, 1 + took / LIVE_WAKE_NS);
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
	all_sleep(r);
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
