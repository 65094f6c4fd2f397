/* gate.c - the word, and the way of a call past it. */
#include "sys/gate.h"

#include "base/magic.h"

#define HOLD_BITS 12
#define HOLD_MASK ((UINT64_C(1) << HOLD_BITS) - 1)

uint64_t
gate_pack(struct boot until, uint32_t hold)
{
	if (until.ns < NS_PER_US)
		return 0;
	MUST(until.ns != INT64_MAX);
	return (uint64_t)(until.ns / NS_PER_US) << HOLD_BITS | (hold & HOLD_MASK);
}

struct boot
gate_until(uint64_t bits)
{
	return (struct boot){ (int64_t)(bits >> HOLD_BITS) * NS_PER_US };
}

uint32_t
gate_hold(uint64_t bits)
{
	return (uint32_t)(bits & HOLD_MASK);
}

bool
gate_open_at(uint64_t bits, struct boot now)
{
	return now.ns < gate_until(bits).ns;
}

uint64_t
gate_look(const gate_word *word, const struct clock *clock)
{
	/* R4: the word first.  The fence keeps the clock from being read before it. */
	uint64_t bits = atomic_load_explicit(word, memory_order_acquire);

	atomic_thread_fence(memory_order_seq_cst);
	return gate_open_at(bits, clock_boot(clock)) ? bits : 0;
}

void
gate_init(struct gate *g, gate_word *word, const struct clock *clock)
{
	atomic_store(word, 0);
	g->word = word;
	g->clock = clock;
	atomic_store(&g->opening, 0);
	atomic_store(&g->target, 0);
	atomic_store(&g->in_flight, 0);
	atomic_store(&g->admits, false);
	atomic_store(&g->barred, 0);
}

void
gate_set(struct gate *g, struct boot until, uint32_t hold)
{
	atomic_store(g->word, gate_pack(until, hold));
}

void
gate_set_epochs(struct gate *g, uint64_t opening, uint64_t target)
{
	/* A raise widens the range upwards only; a new hold lies above the old one.  Either order of
	 * looking gives an empty range or one of the two. */
	atomic_store(&g->target, target);
	atomic_store(&g->opening, opening);
}

void
gate_admit(struct gate *g, bool on)
{
	atomic_store(&g->admits, on);
}

void
gate_bar(struct gate *g, unsigned why, bool on)
{
	if (on)
		atomic_fetch_or(&g->barred, why);
	else
		atomic_fetch_and(&g->barred, ~why);
}

uint64_t
gate_in_flight(const struct gate *g)
{
	return atomic_load(&g->in_flight);
}

static enum gate_answer
judge(const struct gate *g, uint64_t epoch, uint64_t *pass)
{
	bool admits = atomic_load(&g->admits);
	bool known = epoch == 0 || (epoch >= atomic_load(&g->opening) && epoch <= atomic_load(&g->target));
	uint64_t bits = gate_look(g->word, g->clock);

	if (bits == 0)
		return GATE_SHUT;
	if (atomic_load(&g->barred) != 0 || !known)
		return GATE_OLD;
	if (!admits)
		return GATE_WAIT;
	*pass = bits & HOLD_MASK;
	return GATE_OPEN;
}

enum gate_answer
gate_enter(struct gate *g, uint64_t epoch, uint64_t *pass)
{
	atomic_fetch_add(&g->in_flight, 1);
	enum gate_answer answer = judge(g, epoch, pass);
	if (answer != GATE_OPEN)
		gate_leave(g);
	return answer;
}

bool
gate_still(const struct gate *g, uint64_t pass)
{
	uint64_t bits = gate_look(g->word, g->clock);

	return bits != 0 && (bits & HOLD_MASK) == pass;
}

void
gate_leave(struct gate *g)
{
	MUST(atomic_fetch_sub(&g->in_flight, 1) > 0);
}
