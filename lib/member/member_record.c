/* member_record.c - the registry record and the heartbeat, from what the member knows. */
#include "member/member_record.h"

#include <stdio.h>
#include <string.h>

#include "base/hist.h"
#include "base/magic.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/wall.h"
#include "codec/broadcast.h"
#include "codec/codec.h"
#include "messaging/methods.h"
#include "messaging/traffic.h"

#define METRIC_NAME_MAX 400		/* a service and a method at their longest */

static bool
is_ours(struct text key)
{
	static const char *const names[] = { "start_time", "nonce", "direct_rpc", "epoch", "since", "exclusive" };

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (text_is(key, names[i]))
			return true;
	return false;
}

static enum err_code
parse_map(const char *metadata, struct value *v, struct err *err)
{
	struct data d = { DATA_JSON, metadata, strlen(metadata) };
	enum err_code code = codec_parse(codec_mine(), d, v, err);

	if (code == ERR_OK && v->type != VALUE_MAP)
		code = err_set(err, ERR_INVALID, "metadata is a %s, not a map", value_type_name(v->type));
	return code;
}

enum err_code
member_record_check(const char *metadata, struct err *err)
{
	struct value v;

	return metadata == NULL ? ERR_OK : parse_map(metadata, &v, err);
}

/* What a member of a group says besides; the first of the two counts what the second writes. */

static uint32_t
count_lead(const struct member_record_opts *o)
{
	if (o->group == NULL)
		return 0;
	return (o->lead.epoch > 0) + (o->lead.status == STICKY_ACTIVE) + (o->exclusive != NULL);
}

static void
pack_lead(struct pack *p, const struct member_record_opts *o)
{
	char when[WALL_TEXT_MAX];
	uint32_t n = 0;

	if (o->group == NULL)
		return;
	if (o->lead.epoch > 0)
		pack_key_uint(p, "epoch", o->lead.epoch);
	if (o->lead.status == STICKY_ACTIVE) {
		wall_utc(o->lead.since, when);
		pack_key_puts(p, "since", when);
	}
	if (o->exclusive == NULL)
		return;
	while (o->exclusive[n] != NULL)
		n++;
	pack_key_array(p, "exclusive", n);
	for (uint32_t i = 0; i < n; i++)
		pack_puts(p, o->exclusive[i]);
}

static char *
metadata_of(const struct member_record_opts *o)
{
	struct value v = { .type = VALUE_MAP };
	struct str out = STR_INIT;
	struct pack p;
	char when[WALL_TEXT_MAX];
	uint32_t n = 3 + count_lead(o);

	if (o->metadata != NULL)
		MUST(parse_map(o->metadata, &v, NULL) == ERR_OK);
	for (uint32_t i = 0; i < v.n; i++)
		n += !is_ours(v.u.pairs[i].key);
	wall_utc(o->started, when);
	pack_init(&p, &out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, n);
	for (uint32_t i = 0; i < v.n; i++) {
		if (is_ours(v.u.pairs[i].key))
			continue;
		pack_key_n(&p, v.u.pairs[i].key);
		pack_value(&p, &v.u.pairs[i].value);
	}
	pack_key_puts(&p, "start_time", when);
	pack_key_puts(&p, "nonce", o->nonce);
	pack_key_bool(&p, "direct_rpc", true);
	pack_lead(&p, o);
	MUST(pack_end(&p, NULL) == ERR_OK);
	return str_steal(&out);
}

struct instance *
member_record(const struct member_record_opts *o, struct wall now)
{
	struct instance *i = mem_new(sizeof *i);

	instance_init(i);
	i->service = mem_text(o->service);
	i->id = mem_text(o->instance);
	i->version = mem_text(o->version);
	i->status = o->status;
	i->last_heartbeat = now;
	mem_free(i->metadata);
	i->metadata = metadata_of(o);
	i->nonce = mem_text(o->nonce);
	i->direct_rpc = true;
	i->group = mem_text(o->group);
	i->sticky = o->group != NULL ? o->lead.status : STICKY_NONE;
	i->epoch = o->lead.epoch;
	return i;
}

/* --- metrics ----------------------------------------------------------------------------- */

/* What is collected until the broadcast is composed; names are ours. */
struct metrics {
	const struct member_metrics_opts *o;
	struct broadcast_counter *counters;
	struct broadcast_gauge *gauges;
	struct broadcast_summary *summaries;
	size_t ncounters, ngauges, nsummaries;
};

static void
add_counter(void *arg, const char *name, uint64_t v)
{
	struct metrics *m = arg;

	m->counters = mem_resize(m->counters, m->ncounters + 1, sizeof *m->counters);
	m->counters[m->ncounters++] = (struct broadcast_counter){ mem_text(name), v };
}

static void
add_gauge(void *arg, const char *name, double v)
{
	struct metrics *m = arg;

	m->gauges = mem_resize(m->gauges, m->ngauges + 1, sizeof *m->gauges);
	m->gauges[m->ngauges++] = (struct broadcast_gauge){ mem_text(name), v };
}

static void
add_summary(void *arg, const char *name, const struct hist *h)
{
	struct metrics *m = arg;
	struct hist *mark = map_get(m->o->told, name), *recent = hist_new();
	const struct hist *all = h;

	if (mark == NULL)
		map_set(m->o->told, name, mark = hist_new());
	hist_since(h, mark, recent);
	if (hist_count(recent) > 0)
		h = recent;
	m->summaries = mem_resize(m->summaries, m->nsummaries + 1, sizeof *m->summaries);
	m->summaries[m->nsummaries++] = (struct broadcast_summary){
		.name = mem_text(name), .count = hist_count(all), .average = hist_mean_ms(h),
		.min = hist_min_ms(h), .max = hist_max_ms(h), .p50 = hist_quantile_ms(h, 50),
		.p90 = hist_quantile_ms(h, 90), .p99 = hist_quantile_ms(h, 99),
	};
	hist_free(recent);
}

static void
add_method(void *arg, struct method *one)
{
	struct metrics *m = arg;
	uint64_t errors = atomic_load(&one->errors), calls = atomic_load(&one->calls);
	char name[METRIC_NAME_MAX + 16];
	int n = snprintf(name, METRIC_NAME_MAX, "rpc.%s.%s", m->o->service, one->name);
	char *end = name + (n < METRIC_NAME_MAX ? n : METRIC_NAME_MAX - 1);

	add_summary(m, name, one->latency);
	snprintf(end, 16, ".success");
	add_counter(m, name, calls - errors);
	snprintf(end, 16, ".error");
	add_counter(m, name, errors);
	snprintf(end, 16, ".in_flight");
	add_gauge(m, name, atomic_load(&one->inflight));
	snprintf(end, 16, ".queue_depth");
	add_gauge(m, name, atomic_load(&one->waiting));
}

static void
metrics_release(struct metrics *m)
{
	for (size_t i = 0; i < m->ncounters; i++)
		mem_free((char *)(uintptr_t)m->counters[i].name);
	for (size_t i = 0; i < m->ngauges; i++)
		mem_free((char *)(uintptr_t)m->gauges[i].name);
	for (size_t i = 0; i < m->nsummaries; i++)
		mem_free((char *)(uintptr_t)m->summaries[i].name);
	mem_free(m->counters);
	mem_free(m->gauges);
	mem_free(m->summaries);
}

void
member_metrics(const struct member_metrics_opts *o, struct wall now, struct str *out)
{
	struct metrics m = { .o = o };

	add_counter(&m, "services.registered", 1);
	add_counter(&m, "heartbeats.sent", o->heartbeats);
	add_gauge(&m, "nats.connections", o->connected ? 1 : 0);
	methods_each(o->methods, add_method, &m);
	traffic_report(o->traffic, &(struct traffic_reader){ add_counter, add_gauge, add_summary, &m });
	broadcast_heartbeat(o->instance, now, &(struct broadcast_metrics){
		.uptime_s = o->uptime_s,
		.counters = m.counters, .ncounters = m.ncounters,
		.gauges = m.gauges, .ngauges = m.ngauges,
		.summaries = m.summaries, .nsummaries = m.nsummaries,
	}, out);
	metrics_release(&m);
}
