/* acked.c - a ring of bits by sequence, and beside each block of them the times that it has seen.
 *
 * The ring covers (top - SPAN, top] by whole blocks; going on to a higher top wipes the blocks that
 * are entered anew. */
#include "nats/acked.h"

#include <string.h>

#include "base/mem.h"

#define BLOCKS (ACKED_SPAN / ACKED_BLOCK)
#define WORDS (ACKED_BLOCK / 64)

struct block {
	uint64_t bits[WORDS];
	int64_t first_ns, last_ns;	/* of what is noted here */
	bool used;
};

struct acked {
	uint64_t top;			/* the highest that is noted; 0: nothing is */
	int64_t top_ns;
	struct block blocks[BLOCKS];
};

struct acked *
acked_new(void)
{
	return mem_new(sizeof(struct acked));
}

void
acked_free(struct acked *a)
{
	mem_free(a);
}

void
acked_clear(struct acked *a)
{
	memset(a, 0, sizeof *a);
}

static struct block *
block_of(struct acked *a, uint64_t seq)
{
	return &a->blocks[seq / ACKED_BLOCK % BLOCKS];
}

/* covered: the ring has a place for it that is not taken by a later sequence. */
static bool
covered(const struct acked *a, uint64_t seq)
{
	return seq / ACKED_BLOCK + BLOCKS > a->top / ACKED_BLOCK;
}

/* is_stranger: stored after a higher sequence, or before a lower one: not of the same stream. */
static bool
is_stranger(const struct acked *a, uint64_t seq, int64_t stored_ns)
{
	return a->top != 0 && (seq < a->top ? stored_ns > a->top_ns :
	    seq > a->top ? stored_ns < a->top_ns : stored_ns != a->top_ns);
}

/* go_on: seq is the highest now. */
static void
go_on(struct acked *a, uint64_t seq)
{
	uint64_t from = a->top / ACKED_BLOCK, to = seq / ACKED_BLOCK;

	for (uint64_t n = to - from < BLOCKS ? to - from : BLOCKS; n > 0; n--)
		memset(&a->blocks[(to - n + 1) % BLOCKS], 0, sizeof a->blocks[0]);
	a->top = seq;
}

void
acked_note(struct acked *a, uint64_t seq, int64_t stored_ns)
{
	if (is_stranger(a, seq, stored_ns))
		acked_clear(a);
	if (seq > a->top) {
		go_on(a, seq);
		a->top_ns = stored_ns;
	} else if (!covered(a, seq)) {
		return;
	}
	struct block *b = block_of(a, seq);
	if (!b->used || stored_ns < b->first_ns)
		b->first_ns = stored_ns;
	if (!b->used || stored_ns > b->last_ns)
		b->last_ns = stored_ns;
	b->used = true;
	b->bits[seq % ACKED_BLOCK / 64] |= UINT64_C(1) << seq % 64;
}

bool
acked_has(struct acked *a, uint64_t seq, int64_t stored_ns)
{
	if (is_stranger(a, seq, stored_ns)) {
		acked_clear(a);
		return false;
	}
	if (seq > a->top || !covered(a, seq))
		return false;
	const struct block *b = block_of(a, seq);
	return (b->bits[seq % ACKED_BLOCK / 64] >> seq % 64 & 1) != 0 && stored_ns >= b->first_ns && stored_ns <= b->last_ns;
}
