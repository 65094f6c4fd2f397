/* t_clock - the system's clocks, the manual one, and sums of instants. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <time.h>

#include "sys/clock.h"

static int64_t
read_ns(clockid_t id)
{
	struct timespec ts;

	assert_int_equal(clock_gettime(id, &ts), 0);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void
the_system_clocks_are_those_of_the_kernel(void **state)
{
	const struct clock *c = clock_system();
	int64_t before, now;

	(void)state;
	before = read_ns(CLOCK_MONOTONIC);
	now = clock_mono(c).ns;
	assert_true(before <= now && now <= read_ns(CLOCK_MONOTONIC));
	before = read_ns(CLOCK_BOOTTIME);
	now = clock_boot(c).ns;
	assert_true(before <= now && now <= read_ns(CLOCK_BOOTTIME));
	/* The wall clock may be set while we look: a minute tells it from the others. */
	now = clock_wall(c).ns - read_ns(CLOCK_REALTIME);
	assert_true(now > -60 * NS_PER_S && now < 60 * NS_PER_S);
}

static void
the_manual_clock_moves_when_told(void **state)
{
	struct clock_manual c;

	(void)state;
	clock_manual_init(&c, (struct wall){ 1000 * NS_PER_S });
	struct mono m = clock_mono(&c.clock);
	struct boot b = clock_boot(&c.clock);
	assert_int_equal(clock_mono(&c.clock).ns, m.ns);
	assert_int_not_equal(m.ns, b.ns);
	clock_manual_advance(&c, 5 * NS_PER_MS);
	assert_int_equal(clock_mono(&c.clock).ns, m.ns + 5 * NS_PER_MS);
	assert_int_equal(clock_boot(&c.clock).ns, b.ns + 5 * NS_PER_MS);
	assert_int_equal(clock_wall(&c.clock).ns, 1000 * NS_PER_S + 5 * NS_PER_MS);
	/* Each may be moved alone, as a suspended machine or an administrator does. */
	c.boot.ns += NS_PER_S;
	c.wall.ns -= NS_PER_S;
	assert_int_equal(clock_mono(&c.clock).ns, m.ns + 5 * NS_PER_MS);
	assert_int_equal(clock_boot(&c.clock).ns, b.ns + NS_PER_S + 5 * NS_PER_MS);
	assert_int_equal(clock_wall(&c.clock).ns, 999 * NS_PER_S + 5 * NS_PER_MS);
}

static void
a_rate_moves_all_three_and_back(void **state)
{
	static const int64_t ppm[] = { 10000, -10000, 7 };
	const struct clock *c = clock_system();

	(void)state;
	for (unsigned i = 0; i < sizeof ppm / sizeof *ppm; i++) {
		/* Since a thousand seconds: a clock that is 1 % too fast is ahead by ten. */
		struct clock_rate r = { .ppm = ppm[i], .mono = { read_ns(CLOCK_MONOTONIC) - 1000 * NS_PER_S },
			.boot = { read_ns(CLOCK_BOOTTIME) - 1000 * NS_PER_S }, .wall = { read_ns(CLOCK_REALTIME) - 1000 * NS_PER_S } };
		int64_t ahead = 1000 * ppm[i] * NS_PER_US, mono = read_ns(CLOCK_MONOTONIC), boot = read_ns(CLOCK_BOOTTIME),
		    wall = read_ns(CLOCK_REALTIME);
		clock_set_rate(&r);
		struct mono m = clock_mono(c);
		struct boot b = clock_boot(c);
		assert_true(m.ns >= mono + ahead - NS_PER_MS);
		assert_true(b.ns >= boot + ahead - NS_PER_MS);
		assert_true(clock_wall(c).ns >= wall + ahead - NS_PER_MS);
		/* And back, but for a rounding. */
		assert_true(clock_machine_mono(m).ns >= mono - 10 && clock_machine_mono(m).ns <= read_ns(CLOCK_MONOTONIC) + 10);
		assert_true(clock_machine_boot(b).ns >= boot - 10 && clock_machine_boot(b).ns <= read_ns(CLOCK_BOOTTIME) + 10);
		assert_int_equal(clock_machine_boot(BOOT_NEVER).ns, INT64_MAX);
		assert_int_equal(clock_machine_boot(BOOT_LONG_AGO).ns, INT64_MIN);
		clock_set_rate(&(struct clock_rate){ .ppm = 0 });
	}
	assert_int_equal(clock_machine_mono((struct mono){ 5 }).ns, 5);
}

static void
sums_of_instants_end_at_never(void **state)
{
	struct mono t = { 100 };

	(void)state;
	assert_int_equal(mono_after(t, 5).ns, 105);
	assert_int_equal(mono_after(t, -5).ns, 95);
	assert_int_equal(mono_after(t, INT64_MAX).ns, INT64_MAX);
	assert_int_equal(mono_after(MONO_NEVER, 1).ns, INT64_MAX);
	assert_true(mono_reached(t, t));
	assert_true(mono_reached((struct mono){ 101 }, t));
	assert_false(mono_reached((struct mono){ 99 }, t));
	assert_false(mono_reached(t, MONO_NEVER));
	assert_int_equal(mono_since(t, (struct mono){ 30 }), 70);
	assert_int_equal(mono_since((struct mono){ 30 }, t), -70);
	assert_int_equal(mono_min(t, MONO_NEVER).ns, 100);
	assert_int_equal(mono_min(MONO_NEVER, t).ns, 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_system_clocks_are_those_of_the_kernel),
		cmocka_unit_test(the_manual_clock_moves_when_told),
		cmocka_unit_test(a_rate_moves_all_three_and_back),
		cmocka_unit_test(sums_of_instants_end_at_never),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
