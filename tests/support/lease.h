/* lease.h - one lease core in the hands of a test: a clock that is a number, the shell's answers
 * as calls, and a look at what the last step asked for. */
#ifndef SUPPORT_LEASE_H
#define SUPPORT_LEASE_H

#include "expect.h"

#include "base/magic.h"
#include "election/lease.h"

#define MS NS_PER_MS
#define P 60
#define D 240
#define G 20
#define L 320

static struct lease lease;
static struct lease_actions out;
static int64_t now_ms, wall_ms;

static const struct lease_nonce me = { 1, 1 }, other = { 2, 2 }, third = { 3, 3 };

static inline void
step(const struct lease_event *ev)
{
	lease_step(&lease, ev, (struct lease_now){ { now_ms * MS }, { wall_ms * MS } }, &out);
}

#define STEP(k, ...) step(&(struct lease_event){ .kind = LEASE_EV_##k, __VA_ARGS__ })

static inline void
after(int64_t ms)
{
	now_ms += ms;
	STEP(TICK);
}

/* did: the n-th action of this kind (and register, unless 9), or NULL. */
static inline const struct lease_action *
did(enum lease_action_kind kind, unsigned reg)
{
	for (unsigned i = 0; i < out.n; i++)
		if (out.list[i].kind == kind && (reg == 9 || out.list[i].reg == reg))
			return &out.list[i];
	return NULL;
}

#define DID(kind) (did(LEASE_DO_##kind, 9) != NULL)
#define WROTE(r) (did(LEASE_DO_WRITE, (r)) != NULL)

static inline bool
alarmed(enum lease_alarm a)
{
	for (unsigned i = 0; i < out.n; i++)
		if (out.list[i].kind == LEASE_DO_ALARM && out.list[i].alarm == a)
			return true;
	return false;
}

static inline struct lease_value
value(enum lease_mark mark, struct lease_nonce who, uint64_t epoch)
{
	return (struct lease_value){ .mark = mark, .nonce = who, .epoch = epoch, .counter = 1000000, .d_ms = D, .l_ms = L };
}

/* The shell's answers. */
static inline void
up(unsigned r)
{
	STEP(LINK_UP, .reg = (uint8_t)r, .server = 100 + r);
}

static inline void
see(unsigned r, uint64_t rev, struct lease_value v)
{
	STEP(VIEW, .reg = (uint8_t)r, .rev = rev, .value = v, .sent = { now_ms * MS });
}

static inline void
blank(unsigned r)
{
	see(r, 0, (struct lease_value){ 0 });
}

static inline void
watch(unsigned r, uint64_t rev, struct lease_value v)
{
	STEP(VIEW, .reg = (uint8_t)r, .rev = rev, .value = v, .sent = BOOT_LONG_AGO);
}

static inline void
group(enum lease_group g, uint64_t epoch)
{
	STEP(GROUP, .group = g, .epoch = epoch, .sent = { now_ms * MS });
}

static inline void
unreadable(unsigned r, uint64_t rev)
{
	STEP(VIEW, .reg = (uint8_t)r, .rev = rev, .unreadable = true, .sent = { now_ms * MS });
}

static inline uint64_t
last_id(unsigned r)
{
	uint64_t id = 0;

	for (unsigned i = 0; i < PROFILE_HEDGE; i++)
		if (lease.reg[r].flight[i].id > id)
			id = lease.reg[r].flight[i].id;
	return id;
}

static inline void
ack(unsigned r, uint64_t rev)
{
	STEP(ACK, .reg = (uint8_t)r, .id = last_id(r), .rev = rev);
}

static inline struct lease_opts
opts(unsigned n)
{
	return (struct lease_opts){ .registers = n, .profile = profile_make(P, D, L, 1), .nonce = me, .group = 7, .seed = 3,
		.drain_ns = 500 * MS };
}

static inline void
fresh_with(struct lease_opts o)
{
	now_ms = 1000;
	wall_ms = 0;
	lease_init(&lease, &o);
	STEP(ELIGIBLE, .on = true);
	for (unsigned r = 0; r < o.registers; r++)
		up(r);
}

static inline void
fresh(unsigned n)
{
	fresh_with(opts(n));
}

/* released_to_us: all registers known, released by another one with this epoch, waits over. */
static inline void
released_to_us(unsigned n, uint64_t epoch)
{
	fresh(n);
	for (unsigned r = 0; r < n; r++)
		see(r, 10, value(LEASE_MARK_RELEASED, other, epoch));
	after(L);
	assert_int_equal(lease.state, LEASE_CAMPAIGN);
}

static inline void
lead(unsigned n)
{
	released_to_us(n, 5);
	for (unsigned r = 0; r < n; r++)
		ack(r, 11);
	assert_int_equal(lease.state, LEASE_ACTIVE);
	assert_int_equal(lease.opening, 6);
}

#endif
