/* figures.h - what successive heartbeats say an instance does now.  Pure.
 *
 * Counters become rates by their differences.  A process that began anew counts from 0 again: what it
 * counted since is the difference then.
 * The quantiles of an instance are those of all its calls since the last beat: each method counts by
 * the calls it had, and is taken as spread evenly between its own smallest, p50, p90, p99 and largest
 * value.  An average of quantiles would be none: one slow method that is hardly called would spoil it,
 * or vanish in it. */
#ifndef MONITOR_FIGURES_H
#define MONITOR_FIGURES_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/instant.h"
#include "model/heartbeat.h"

/* Each NAN while unknown: rates before the second beat, latencies and errors without a call since. */
struct figures {
	float calls_per_second, p50_ms, p90_ms, p99_ms, error_rate;	/* error_rate: 0 to 1 */
	float queue_depth, in_flight, uptime_s;
};

#define FIGURES_NONE ((struct figures){ NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN })

/* What is kept of the last beat: zeroed is "none". */
struct past {
	struct mono at;
	double uptime_s;
	bool known;
	size_t n;
	struct past_method { uint64_t key, calls, errors; } *v;
};

void past_release(struct past *p);

/* figures_next(p, h, now, started_anew, out): the figures that h brings, heard at `now`, and p becomes h's.
 * started_anew: it is known from elsewhere (another nonce) that this is another process.  True when it
 * is. */
bool figures_next(struct past *p, const struct heartbeat *h, struct mono now, bool started_anew, struct figures *out);

#endif
