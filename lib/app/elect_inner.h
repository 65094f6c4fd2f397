/* elect_inner.h - inside `aegis elect`: what the loop and the metrics share. */
#ifndef APP_ELECT_INNER_H
#define APP_ELECT_INNER_H

#include <stdatomic.h>

#include "app/elect.h"
#include "base/str.h"
#include "election/elector.h"

/* What the threads that answer GET /metrics may read of the program. */
struct elect_figures {
	_Atomic bool up, healthy;
	_Atomic uint64_t restarts, reaped;
};

struct elect_view {
	struct elector *elector;
	const struct conn *conn;
	const char *group, *version;
	struct elect_figures program;
};

/* elect_register_name(n, i): the bucket of register i of n (election.md §3). */
static inline const char *
elect_register_name(unsigned n, unsigned i)
{
	static const char *const names[] = { "AEGIS_L0", "AEGIS_L1", "AEGIS_L2", "AEGIS_L3" };

	return names[n == 1 ? 0 : i + 1];
}

/* elect_metrics(v, out): everything as Prometheus text 0.0.4.  Any thread. */
void elect_metrics(struct elect_view *v, struct str *out);

#endif
