/* broadcast.c - what an instance tells everybody: that it came, lives and goes. */
#include "codec/broadcast.h"

#include <math.h>

#include "base/magic.h"
#include "base/mem.h"
#include "codec/codec.h"

/* epoch: seconds since 1970 as Python's time.time() has them.  Whole microseconds fit a
 * double exactly, so the text has six decimals and no noise behind them. */
static double
epoch(struct wall now)
{
	return (double)(now.ns / 1000) / 1e6;
}

/* rounded: to two digits; what is no number counts as 0, because JSON has none for it. */
static double
rounded(double v)
{
	return isfinite(v) ? round(v * 100) / 100 : 0;
}

void
broadcast_presence(const char *service, const char *instance, struct wall now, struct str *out)
{
	char *lower = mem_text(service);
	struct pack p;

	for (char *c = lower; *c != '\0'; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	}
	pack_init(&p, out, DATA_JSON, PACK_PYTHON);
	pack_map(&p, 3);
	pack_key_puts(&p, "service_name", lower);
	pack_key_puts(&p, "instance_id", instance);
	pack_key_real(&p, "timestamp", epoch(now));
	MUST(pack_end(&p, NULL) == ERR_OK);
	mem_free(lower);
}

static void
summary_pack(struct pack *p, const struct broadcast_summary *s)
{
	const struct { const char *key; double v; } rows[] = {
		{ "average", s->average }, { "min", s->min }, { "max", s->max },
		{ "p50", s->p50 }, { "p90", s->p90 }, { "p99", s->p99 },
	};

	pack_key_map(p, s->name, 1 + COUNT_OF(rows));
	pack_key_uint(p, "count", s->count);
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		pack_key_real(p, rows[i].key, rounded(rows[i].v));
}

static void
metrics_pack(struct pack *p, const struct broadcast_metrics *m)
{
	pack_map(p, 4);
	pack_key_real(p, "uptime_seconds", rounded(m->uptime_s));
	pack_key_map(p, "counters", (uint32_t)m->ncounters);
	for (size_t i = 0; i < m->ncounters; i++)
		pack_key_uint(p, m->counters[i].name, m->counters[i].value);
	pack_key_map(p, "gauges", (uint32_t)m->ngauges);
	for (size_t i = 0; i < m->ngauges; i++)
		pack_key_real(p, m->gauges[i].name, isfinite(m->gauges[i].value) ? m->gauges[i].value : 0);
	pack_key_map(p, "summaries", (uint32_t)m->nsummaries);
	for (size_t i = 0; i < m->nsummaries; i++)
		summary_pack(p, &m->summaries[i]);
}

void
broadcast_heartbeat(const char *instance, struct wall now, const struct broadcast_metrics *m,
    struct str *out)
{
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_PYTHON);
	pack_map(&p, 3);
	pack_key_puts(&p, "instance_id", instance);
	pack_key_real(&p, "timestamp", epoch(now));
	pack_key(&p, "metrics");
	metrics_pack(&p, m);
	MUST(pack_end(&p, NULL) == ERR_OK);
}
