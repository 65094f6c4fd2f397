/* patterns.c - what the release promises against bare nats.c, by running `aegis bench` as
 * anybody would and holding its ratios to limits. */
#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "base/magic.h"
#include "bench.h"

#define ARGS_MAX 20

struct wanted {
	const char *pattern;
	const char *figure;		/* "p50" or "throughput" of the ratio; NULL: p50_us, for information */
	const char *id, *what;
	double limit;
	enum bench_sense sense;
};

struct run {
	const char *args[ARGS_MAX];	/* of `aegis bench` */
	struct wanted wanted[4];
};

static const struct run runs[] = {
	{ { "rpc", "--against", "raw", "--duration", "1500ms", "--repeat", "7" }, {
		{ "one", "p50", "rpc_one_p50", "RPC, one at a time, p50 : raw nats.c", 1.15, BENCH_AT_MOST },
		{ "one", "p99", "rpc_one_p99", "RPC, one at a time, p99 : raw nats.c", 1.15, BENCH_AT_MOST },
		{ "many", "throughput", "rpc_64_rate", "RPC, 64 in flight, rate : raw nats.c", 0.80, BENCH_AT_LEAST },
	} },
	{ { "rpc", "one", "--instances", "50", "--against", "no-instances", "--duration", "4s", "--repeat", "3" }, {
		{ "one", "p99", "rpc_50_instances_p99", "RPC p99 beside 50 live instances : beside none", 1.10, BENCH_AT_MOST },
	} },
	{ { "rpc", "one", "--instances", "1000", "--against", "no-instances", "--duration", "4s", "--repeat", "3" }, {
		{ "one", "p99", "rpc_1000_instances_p99", "RPC p99 beside 1,000 live instances : beside none", 1.10,
		    BENCH_AT_MOST },
	} },
	{ { "event", "--against", "raw", "--duration", "1500ms", "--repeat", "5" }, {
		{ "publish", "p50", "event_publish_p50", "event stored, one at a time, p50 : raw JetStream", 1.15, BENCH_AT_MOST },
		{ "pipelined", "throughput", "event_pipelined_rate", "event stored, 64 in flight, rate : raw JetStream", 0.85,
		    BENCH_AT_LEAST },
		{ "handler", "p50", "event_handler_p50", "event to another process, p50 : raw JetStream", 1.2, BENCH_AT_MOST },
	} },
	{ { "command", "--against", "raw", "--duration", "1500ms", "--repeat", "5" }, {
		{ "completion", "p50", "command_p50", "command sent to completed, p50 : raw request", 3, BENCH_AT_MOST },
	} },
	{ { "kv", "--against", "raw", "--duration", "500ms", "--repeat", "3" }, {
		{ "put", "p50", "kv_put_p50", "key-value put, p50 : raw nats.c", 0, BENCH_INFO },
		{ "get", "p50", "kv_get_p50", "key-value get, p50 : raw nats.c", 0, BENCH_INFO },
		{ "watch", "p50", "kv_watch_p50", "key-value put to watch, p50 : raw nats.c", 0, BENCH_INFO },
	} },
	{ { "discovery", "--duration", "500ms", "--repeat", "3" }, {
		{ "seen", NULL, "discovery_seen_p50", "registry change to snapshot, p50", 0, BENCH_INFO },
	} },
};

/* spread_of: the same figure of every round. */
static void
spread_of(const struct value *run, const char *key, struct samples *out)
{
	const struct value *rounds = value_field(run, "rounds");

	for (uint32_t i = 0; rounds != NULL && rounds->type == VALUE_ARRAY && i < rounds->n; i++)
		samples_add(out, answer_number(&rounds->u.items[i], key));
}

static void
tell(const struct answer *a, const struct wanted *w)
{
	const struct value *run = answer_run(a, w->pattern), *base = value_field(run, "baseline");
	struct samples spread = { NULL, 0, 0 };
	char detail[160], key[32];

	if (answer_number(run, "errors") > 0)
		bench_die("'%s': %g operations failed", w->pattern, answer_number(run, "errors"));
	snprintf(key, sizeof key, w->figure != NULL ? "ratio_%s" : "p50_us", w->figure);
	spread_of(run, key, &spread);
	if (w->figure == NULL)
		snprintf(detail, sizeof detail, "p99 %.0f us", answer_number(run, "p99_us"));
	else if (strcmp(w->figure, "throughput") == 0)
		snprintf(detail, sizeof detail, "%.0f : %.0f k/s; rounds p10 to p90 %.2f to %.2f", answer_number(run, "per_second") / 1e3,
		    answer_number(base, "per_second") / 1e3, samples_at(&spread, 10), samples_at(&spread, 90));
	else
		snprintf(detail, sizeof detail, "p50 %.0f : %.0f us, p99 %.0f : %.0f us; rounds p10 to p90 %.2f to %.2f",
		    answer_number(run, "p50_us"), answer_number(base, "p50_us"), answer_number(run, "p99_us"), answer_number(base, "p99_us"),
		    samples_at(&spread, 10), samples_at(&spread, 90));
	bench_figure(&(struct bench_figure){
		.id = w->id, .what = w->what, .unit = w->figure != NULL ? "x" : "us", .limit = w->limit, .sense = w->sense,
		.value = w->figure != NULL ? answer_number(value_field(run, "ratio"), w->figure) : answer_number(run, "p50_us"),
		.detail = detail, .spread = &spread,
	});
	samples_release(&spread);
}

static void
measure(const struct run *r)
{
	const char *args[ARGS_MAX + 3];
	size_t n = 0;

	for (; r->args[n] != NULL; n++)
		args[n] = r->args[n];
	args[n++] = "--server";
	args[n++] = bench_nats();
	args[n] = NULL;
	struct answer *a = answer_new(args);
	for (size_t i = 0; i < COUNT_OF(r->wanted) && r->wanted[i].id != NULL; i++)
		tell(a, &r->wanted[i]);
	answer_free(a);
}

int
main(int argc, char **argv)
{
	bench_begin("patterns", argc, argv);
	for (size_t i = 0; i < COUNT_OF(runs); i++)
		measure(&runs[i]);
	return bench_end();
}
