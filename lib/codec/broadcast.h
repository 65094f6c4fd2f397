/* broadcast.h - the messages of wire.md §10: always JSON in Python's own style. */
#ifndef CODEC_BROADCAST_H
#define CODEC_BROADCAST_H

#include "base/instant.h"
#include "base/str.h"
#include <stddef.h>
#include <stdint.h>

/* One summary of the heartbeat: a timer in ms, rounded to two digits when written. */
struct broadcast_summary {
	const char *name;
	uint64_t count;
	double average, min, max, p50, p90, p99;
};

struct broadcast_counter { const char *name; uint64_t value; };
struct broadcast_gauge { const char *name; double value; };

struct broadcast_metrics {
	double uptime_s;
	const struct broadcast_counter *counters; size_t ncounters;
	const struct broadcast_gauge *gauges; size_t ngauges;
	const struct broadcast_summary *summaries; size_t nsummaries;
};

/* broadcast_presence(service, instance, now, out): internal.registry.register and
 * .unregister; service lower-cased. */
void broadcast_presence(const char *service, const char *instance, struct wall now, struct str *out);

/* broadcast_heartbeat(instance, now, metrics, out): internal.heartbeat.{service}. */
void broadcast_heartbeat(const char *instance, struct wall now, const struct broadcast_metrics *m,
    struct str *out);

#endif
