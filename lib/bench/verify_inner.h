/* verify_inner.h - inside lib/bench: what the two halves of the checker share. */
#ifndef BENCH_VERIFY_INNER_H
#define BENCH_VERIFY_INNER_H

#include "bench/verify.h"

struct verify {
	const struct history *h;
	const struct verify_opts *o;
	struct verify_report *r;
};

/* verify_wrong(v, c, fmt, ...): counts it; the first of a check is told. */
void verify_wrong(struct verify *v, enum verify_check c, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The members' half (C1, C2's first sentence, C4) and the clients' (the rest). */
void verify_members(struct verify *v);
void verify_clients(struct verify *v);

#endif
