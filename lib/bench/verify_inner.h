/* verify_inner.h - inside lib/bench: what the two halves of the checker share, and what each keeps from piece to piece. */
#ifndef BENCH_VERIFY_INNER_H
#define BENCH_VERIFY_INNER_H

#include "bench/verify.h"

/* Who did something from … to …. */
struct span {
	struct boot from, to;
	uint64_t epoch;
	char src[HISTORY_NAME_MAX], nonce[33];
};

struct spans {
	struct span *v;
	size_t n, cap;
};

/* One call, from the lines about it. */
struct op {
	uint64_t req, epoch, count;
	struct boot invoked, ended;
	enum history_event outcome;	/* HISTORY_unknown while nothing was heard */
	bool stores, over;
};

struct ops {
	struct op *v;			/* by req */
	size_t n, cap;
};

/* What is kept of a call that stores something, and of what was stored, until the end. */
struct fate {
	uint64_t req, effects;
	enum history_event outcome;
};

struct effect {
	uint64_t seq, epoch, req;
};

#define VERIFY_CLIENTS 8		/* each goes by the newest epoch that it knows itself */

struct verify {
	const struct history *h;	/* the piece */
	bool ending;			/* there is no other piece */
	bool waived;			/* some effects are not known */
	struct verify_opts o;
	struct verify_report r;
	struct boot last;		/* line's time */

	struct spans gates;		/* the newest of each nonce */
	struct spans stops, freezes;	/* of processes, as far as they may still explain something */
	struct history begun;		/* serve_begin without an end yet */
	struct span far;		/* what was served and reaches farthest; src "": nothing was */
	char opener[HISTORY_NAME_MAX], opener_nonce[33];	/* of the largest epoch; "": nobody */
	uint64_t opened;

	struct ops ops;			/* that are not over, and the piece's */
	struct op most;			/* with the largest count; 0: none */
	struct { char src[HISTORY_NAME_MAX]; uint64_t epoch; } knows[VERIFY_CLIENTS];
	struct { struct fate *v; size_t n, cap; } fates;
	struct { struct effect *v; size_t n, cap; } effects;
	struct { struct outage_run *v; size_t n, cap; } running;	/* outages that are not over */
	size_t outages_cap;
	struct boot answered;		/* last ok; BOOT_LONG_AGO: none */
	struct boot quiet, healed;	/* since when there was no fault; an ok is owed since */
	char recent[HISTORY_NAME_MAX];	/* the last fault that was made or healed, and when */
	struct boot recently;
	unsigned faults;
	bool led;
};

/* verify_wrong(v, c, fmt, ...): counts it; the first of a check is told. */
void verify_wrong(struct verify *v, enum verify_check c, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The members' half (C1, C2's first sentence, C4) and the clients' (the rest), of one piece. */
void verify_members(struct verify *v);
void verify_clients(struct verify *v);

/* verify_close(v): what is judged at the end.  Both free what they kept. */
void verify_members_release(struct verify *v);
void verify_clients_close(struct verify *v);

#endif
