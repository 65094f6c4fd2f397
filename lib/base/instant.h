/* instant.h - time as types: a unit slip or a wrong clock is a compile error.
 *
 *	mono	durations and timers; stands still while the machine is suspended
 *	boot	leases; goes on through suspend
 *	wall	for people and for the wire; may jump, so nothing is decided by it
 *
 * All are nanoseconds since an origin of their own and come from sys/clock.h.  A
 * difference is a plain int64_t whose name says _ns.  Deadlines are stored, not
 * intervals. */
#ifndef BASE_INSTANT_H
#define BASE_INSTANT_H

#include <stdbool.h>
#include <stdint.h>

struct mono { int64_t ns; };
struct boot { int64_t ns; };
struct wall { int64_t ns; };	/* since 1970-01-01 UTC */

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

/* ns_seconds(ns): as people and other programs write a time. */
static inline double
ns_seconds(int64_t ns)
{
	return (double)ns / (double)NS_PER_S;
}

/* "Never", for deadlines. */
#define MONO_NEVER ((struct mono){ INT64_MAX })

static inline struct mono
mono_after(struct mono t, int64_t ns)
{
	return (struct mono){ t.ns > INT64_MAX - (ns > 0 ? ns : 0) ? INT64_MAX : t.ns + ns };
}

static inline bool
mono_reached(struct mono now, struct mono deadline)
{
	return now.ns >= deadline.ns;
}

/* mono_since(now, then): how long ago `then` was, in ns; negative when it is to come. */
static inline int64_t
mono_since(struct mono now, struct mono then)
{
	return now.ns - then.ns;
}

#define BOOT_NEVER ((struct boot){ INT64_MAX })		/* will not come */
#define BOOT_LONG_AGO ((struct boot){ INT64_MIN })	/* never happened */

/* boot_after(t, ns): BOOT_NEVER and BOOT_LONG_AGO stay what they are; ns >= 0. */
static inline struct boot
boot_after(struct boot t, int64_t ns)
{
	if (t.ns == INT64_MIN)
		return t;
	return (struct boot){ t.ns > INT64_MAX - ns ? INT64_MAX : t.ns + ns };
}

static inline bool
boot_reached(struct boot now, struct boot deadline)
{
	return now.ns >= deadline.ns;
}

static inline struct boot
boot_min(struct boot a, struct boot b)
{
	return a.ns < b.ns ? a : b;
}

static inline struct boot
boot_max(struct boot a, struct boot b)
{
	return a.ns > b.ns ? a : b;
}

static inline struct mono
mono_min(struct mono a, struct mono b)
{
	return a.ns < b.ns ? a : b;
}

#endif
