/* metrics.h - inside lib/app: GET /metrics of a wrapper, `aegis elect` and `run-service` alike.
 *
 * Tells Prometheus of the wrapped program, the connection, and the election if there is one:
 * names, types and help stand in metrics.def (election.md §8).  Answered by threads of the web server, which
 * read what any thread may: the gate, the elector's picture, counters.  All functions are the loop's. */
#ifndef APP_METRICS_H
#define APP_METRICS_H

#include <stdbool.h>

#include "base/err.h"
#include "runner/runner.h"

struct central;
struct conn;
struct elector;
struct exclusive_counters;
struct loop;
struct metrics;

struct metrics_opts {
	const char *listen;		/* "ADDR:PORT"; PORT 0: the system chooses, the log tells */
	const char *version;		/* of aegis */
	struct loop *loop;
	const struct conn *conn;	/* outlives it, as do all here */
	struct runner *runner;
	struct elector *elector;	/* NULL: there is no election */
	const struct central *central;	/* NULL: it follows no central settings */
	const char *election;		/* its name, as on command lines; the label of its samples */
	const struct exclusive_counters *exclusive;	/* of the calls that pass the gate; NULL: none do */
};

/* metrics_new(o, err): listens and answers at once.  ERR_CONFIG when it cannot listen there. */
struct metrics *metrics_new(const struct metrics_opts *o, struct err *err);

/* metrics_program(m, status): how the program is from now on.  NULL is fine. */
void metrics_program(struct metrics *m, enum runner_status status);

/* metrics_free(m): first of all that it reads.  NULL is fine. */
void metrics_free(struct metrics *m);

#endif
