/* clock.c - the three clocks of Linux, and the manual one. */
#include "sys/clock.h"

#include <stdatomic.h>
#include <time.h>

#include "base/magic.h"

static _Atomic int64_t shift_ns;	/* of the wall clock */

void
clock_shift_wall(int64_t ns)
{
	atomic_store(&shift_ns, ns);
}

static int64_t
read_ns(clockid_t id)
{
	struct timespec ts;

	MUST(clock_gettime(id, &ts) == 0);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static struct mono
system_mono(const struct clock *c)
{
	(void)c;
	return (struct mono){ read_ns(CLOCK_MONOTONIC) };
}

static struct boot
system_boot(const struct clock *c)
{
	(void)c;
	return (struct boot){ read_ns(CLOCK_BOOTTIME) };
}

static struct wall
system_wall(const struct clock *c)
{
	(void)c;
	return (struct wall){ read_ns(CLOCK_REALTIME) + atomic_load_explicit(&shift_ns, memory_order_relaxed) };
}

const struct clock *
clock_system(void)
{
	static const struct clock system = { system_mono, system_boot, system_wall };

	return &system;
}

static struct mono
manual_mono(const struct clock *c)
{
	return CONTAINER_OF(c, const struct clock_manual, clock)->mono;
}

static struct boot
manual_boot(const struct clock *c)
{
	return CONTAINER_OF(c, const struct clock_manual, clock)->boot;
}

static struct wall
manual_wall(const struct clock *c)
{
	return CONTAINER_OF(c, const struct clock_manual, clock)->wall;
}

void
clock_manual_init(struct clock_manual *c, struct wall start)
{
	/* Origins that differ, so that mixing up two clocks shows in a test. */
	*c = (struct clock_manual){
		{ manual_mono, manual_boot, manual_wall }, { NS_PER_S }, { 3 * NS_PER_S }, start,
	};
}

void
clock_manual_advance(struct clock_manual *c, int64_t ns)
{
	c->mono.ns += ns;
	c->boot.ns += ns;
	c->wall.ns += ns;
}
