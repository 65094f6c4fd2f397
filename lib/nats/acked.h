/* acked.h - which messages of a stream were settled here, in fixed memory.  Pure.
 *
 * One bit for each of the last 2^20 sequences, so a stream that keeps no more (EVENTS and COMMANDS
 * keep 100,000 and 10,000 unless somebody changed them) is remembered wholly.  Below that nothing is
 * known, and unknown means: not settled.
 *
 * A sequence alone says little, because a stream that is made anew counts from 1 again.  So a bit
 * counts only where the time of storing fits: sequences and times of one stream grow together.  What
 * contradicts that is of another stream, and empties the memory; the price of a mistake (the server's
 * clock went back) is an event handled twice, never one that is lost.  Whoever knows that the stream
 * is another says so (acked_clear). */
#ifndef NATS_ACKED_H
#define NATS_ACKED_H

#include <stdbool.h>
#include <stdint.h>

#define ACKED_SPAN (1u << 20)		/* sequences remembered, up to the highest */
#define ACKED_BLOCK (1u << 10)		/* of these share a range of times */

struct acked;

struct acked *acked_new(void);		/* 144 KB */
void acked_free(struct acked *a);	/* NULL is fine */
void acked_clear(struct acked *a);

/* acked_note(a, seq, stored_ns): it is settled.  acked_has(a, seq, stored_ns): it is known to be;
 * a stranger among the times empties the memory in both. */
void acked_note(struct acked *a, uint64_t seq, int64_t stored_ns);
bool acked_has(struct acked *a, uint64_t seq, int64_t stored_ns);

#endif
