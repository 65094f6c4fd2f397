/* urgent.c - scheduling classes, by system calls of our own: the C library has no words for slices. */
#include "sys/urgent.h"

#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/instant.h"

#define FLAG_RESET_ON_FORK 1u
#define SLICE_NS 100000u		/* the least that the kernel takes */
#define MOST_PERCENT 25

/* As the kernel has it, in its first version. */
struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static bool
set(uint32_t policy, uint32_t priority, uint64_t slice, bool heirs)
{
	struct attr a = { .size = sizeof a };

	/* The nice value stays what somebody made it. */
	if (syscall(SYS_sched_getattr, 0, &a, sizeof a, 0) != 0)
		return false;
	a.size = sizeof a;
	a.policy = policy;
	a.priority = priority;
	a.runtime = slice;
	a.deadline = a.period = 0;
	a.flags = heirs ? 0 : FLAG_RESET_ON_FORK;
	return syscall(SYS_sched_setattr, 0, &a, 0) == 0;
}

/* slice: older kernels take it without a word, and do nothing. */
static enum urgency
slice(bool heirs)
{
	struct attr a = { .size = sizeof a };

	if (!set(SCHED_OTHER, 0, SLICE_NS, heirs) || syscall(SYS_sched_getattr, 0, &a, sizeof a, 0) != 0 ||
	    a.runtime != SLICE_NS)
		return URGENCY_NONE;
	return URGENCY_SLICE;
}

enum urgency
urgent_ask(bool heirs)
{
	return set(SCHED_RR, (uint32_t)sched_get_priority_min(SCHED_RR), 0, heirs) ? URGENCY_REALTIME : slice(heirs);
}

static int64_t
clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

enum urgency
urgent_judge(struct urgent *u)
{
	int64_t used = clock_ns(CLOCK_THREAD_CPUTIME_ID), at = clock_ns(CLOCK_MONOTONIC);
	bool first = !u->asked, busy = !first && (used - u->used_ns) * 100 > (at - u->at_ns) * MOST_PERCENT;

	u->asked = true;
	u->used_ns = used;
	u->at_ns = at;
	if (busy && u->now == URGENCY_REALTIME)
		u->now = slice(false);
	else if (first || (!busy && u->now == URGENCY_SLICE))
		u->now = urgent_ask(false);
	return u->now;
}
