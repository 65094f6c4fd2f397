/* told.h - inside lib/messaging: what a request says in headers beside its envelope.
 *
 * Aegis-Deadline (what is left, in ms), traceparent, Aegis-Idempotent, Aegis-Epoch (conventions.md §8).  A call that
 * is part of nobody's trace and may not be repeated has none but the epoch: its deadline and its trace are in
 * the envelope, and each header is work for three processes. */
#ifndef MESSAGING_TOLD_H
#define MESSAGING_TOLD_H

#include <stdint.h>

#include "base/num.h"
#include "messaging/caller.h"
#include "messaging/trace.h"
#include "nats/conn.h"

struct told {
	bool any;			/* there are some */
	bool timed, idempotent;		/* timed: the deadline, too */
	uint64_t epoch;			/* Aegis-Epoch (election.md §6); 0: none */
	char parent[TRACE_PARENT_MAX];	/* or "" */
};

/* told_set(t, s, err): ERR_INVALID for a traceparent that is none. */
enum err_code told_set(struct told *t, const struct call_spec *s, struct err *err);

struct told_headers {
	struct conn_header v[5];
	char left[NUM_TEXT_MAX], epoch[NUM_TEXT_MAX];
};

/* told_headers(t, left_ns, h): the headers, ended as conn_msg wants them; they lie in h and t. */
const struct conn_header *told_headers(const struct told *t, int64_t left_ns, struct told_headers *h);

#endif
