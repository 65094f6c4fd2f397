/* clock.c - the three clocks of Linux, and the manual one. */
#include "sys/clock.h"

#include <stdatomic.h>
#include <time.h>

#include "base/magic.h"

#define MILLION INT64_C(1000000)

static _Atomic int64_t shift_ns;	/* of the wall clock */
static struct clock_rate rate;

void
clock_shift_wall(int64_t ns)
{
	atomic_store(&shift_ns, ns);
}

void
clock_set_rate(const struct clock_rate *r)
{
	rate = *r;
}

/* ours: the machine's time as ours; theirs: back.  What never comes, and what never was, stays what it is. */
static int64_t
ours(int64_t t, int64_t base)
{
	return rate.ppm == 0 ? t : t + (t - base) / MILLION * rate.ppm + (t - base) % MILLION * rate.ppm / MILLION;
}

static int64_t
theirs(int64_t t, int64_t base)
{
	int64_t part = MILLION + rate.ppm;

	if (rate.ppm == 0 || t == INT64_MAX || t == INT64_MIN)
		return t;
	return base + (t - base) / part * MILLION + (t - base) % part * MILLION / part;
}

struct boot
clock_machine_boot(struct boot t)
{
	return (struct boot){ theirs(t.ns, rate.boot.ns) };
}

struct mono
clock_machine_mono(struct mono t)
{
	return (struct mono){ theirs(t.ns, rate.mono.ns) };
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
	return (struct mono){ ours(read_ns(CLOCK_MONOTONIC), rate.mono.ns) };
}

static struct boot
system_boot(const struct clock *c)
{
	(void)c;
	return (struct boot){ ours(read_ns(CLOCK_BOOTTIME), rate.boot.ns) };
}

static struct wall
system_wall(const struct clock *c)
{
	(void)c;
	return (struct wall){ ours(read_ns(CLOCK_REALTIME), rate.wall.ns) + atomic_load_explicit(&shift_ns, memory_order_relaxed) };
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
