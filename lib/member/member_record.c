/* member_record.c - the registry record and the heartbeat, from what the member knows. */
#include "member/member_record.h"

#include <stdio.h>
#include <string.h>

#include "base/hist.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/wall.h"
#include "codec/broadcast.h"
#include "codec/codec.h"
#include "messaging/methods.h"

#define METRIC_NAME_MAX 256

static bool
is_ours(struct text key)
{
	return text_is(key, "start_time") || text_is(key, "nonce") || text_is(key, "direct_rpc");
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

static char *
metadata_of(const struct member_record_opts *o)
{
	struct value v = { .type = VALUE_MAP };
	struct str out = STR_INIT;
	struct pack p;
	char when[WALL_TEXT_MAX];
	uint32_t n = 3;

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
	pack_key(&p, "start_time");
	pack_puts(&p, when);
	pack_key(&p, "nonce");
	pack_puts(&p, o->nonce);
	pack_key(&p, "direct_rpc");
	pack_bool(&p, true);
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
	return i;
}

/* --- metrics ----------------------------------------------------------------------------- */

struct metrics {
	const struct member_metrics_opts *o;
	struct broadcast_counter counters[2 * (METHODS_MAX + 1) + 2];
	struct broadcast_gauge gauges[2 * (METHODS_MAX + 1) + 1];
	struct broadcast_summary summaries[METHODS_MAX + 1];
	size_t ncounters, ngauges, nsummaries;
	char *names[5 * (METHODS_MAX + 1)];
	size_t nnames;
};

/* name: "rpc.{service}.{method}{suffix}", kept until the broadcast is composed. */
static const char *
name(struct metrics *m, const struct method *one, const char *suffix)
{
	char *s = mem_printf("rpc.%s.%s%s", m->o->service, one->name, suffix);

	m->names[m->nnames++] = s;
	return s;
}

static void
add_counter(struct metrics *m, const char *key, uint64_t v)
{
	m->counters[m->ncounters++] = (struct broadcast_counter){ key, v };
}

static void
add_gauge(struct metrics *m, const char *key, double v)
{
	m->gauges[m->ngauges++] = (struct broadcast_gauge){ key, v };
}

static void
add_method(void *arg, struct method *one)
{
	struct metrics *m = arg;
	uint64_t calls = atomic_load(&one->calls), errors = atomic_load(&one->errors);
	const struct hist *h = one->latency;

	add_counter(m, name(m, one, ".success"), calls - errors);
	add_counter(m, name(m, one, ".error"), errors);
	add_gauge(m, name(m, one, ".in_flight"), atomic_load(&one->inflight));
	add_gauge(m, name(m, one, ".queue_depth"), atomic_load(&one->waiting));
	m->summaries[m->nsummaries++] = (struct broadcast_summary){
		.name = name(m, one, ""), .count = hist_count(h), .average = hist_mean_ms(h),
		.min = hist_min_ms(h), .max = hist_max_ms(h), .p50 = hist_quantile_ms(h, 50),
		.p90 = hist_quantile_ms(h, 90), .p99 = hist_quantile_ms(h, 99),
	};
}

void
member_metrics(const struct member_metrics_opts *o, struct wall now, struct str *out)
{
	struct metrics *m = mem_new(sizeof *m);

	m->o = o;
	add_counter(m, "services.registered", 1);
	add_counter(m, "heartbeats.sent", o->heartbeats);
	add_gauge(m, "nats.connections", o->connected ? 1 : 0);
	methods_each(o->methods, add_method, m);
	broadcast_heartbeat(o->instance, now, &(struct broadcast_metrics){
		.uptime_s = o->uptime_s,
		.counters = m->counters, .ncounters = m->ncounters,
		.gauges = m->gauges, .ngauges = m->ngauges,
		.summaries = m->summaries, .nsummaries = m->nsummaries,
	}, out);
	for (size_t i = 0; i < m->nnames; i++)
		mem_free(m->names[i]);
	mem_free(m);
}
