/* codec.c - what reading and writing one message costs, in time and in allocations.
 *
 * The message is the 241-byte RPC request of the reference vectors.  Each figure is the best
 * of several rounds, because everything that disturbs a round only adds to it.  A warm codec
 * that allocates is a miss.
 *
 * To be linked dynamically: the functions below stand before those of the C library. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "allocations.h"
#include "base/instant.h"
#include "base/magic.h"
#include "bench.h"
#include "codec/envelope.h"

/* --- the operations ----------------------------------------------------------------------- */

static const char request[] =
    "{\"message_id\":\"0d51ab73-c892-4bf7-9183-f57455223201\","
    "\"trace_id\":\"1f12b4bb-5f96-4117-af91-0d6ae3111090\",\"correlation_id\":null,"
    "\"timestamp\":\"2026-11-20T05:00:00.994010+00:00\",\"source\":\"py-client-deeb99b1\","
    "\"target\":\"echo-svc\",\"method\":\"add\",\"params\":{\"a\":20,\"b\":22},\"timeout\":3.0}";

struct bench {
	struct codec *codec;
	struct str in[2], out;		/* in: one for each format */
	struct envelope e;		/* decoded from in[DATA_MSGPACK] with a codec of its own */
	struct wall now;
};

static bool
decode(struct bench *b, enum data_format format)
{
	struct envelope e;
	enum data_format seen;

	return envelope_decode(b->codec, ENVELOPE_REQUEST, b->in[format].p, b->in[format].len, &e, &seen,
	    NULL) == ERR_OK;
}

static bool
encode(struct bench *b, enum data_format format)
{
	str_clear(&b->out);
	return envelope_encode(&b->e, format, b->now, &b->out, NULL) == ERR_OK;
}

static bool
encode_fresh(struct bench *b, enum data_format format)
{
	struct envelope e = b->e;

	e.message_id = e.trace_id = e.timestamp = (struct text){ NULL, 0 };
	str_clear(&b->out);
	return envelope_encode(&e, format, b->now, &b->out, NULL) == ERR_OK;
}

/* both: what one request costs all who touch it once: made with fresh ids and time, and read. */
static bool
both(struct bench *b, enum data_format format)
{
	return decode(b, format) && encode_fresh(b, format);
}

/* --- measuring ---------------------------------------------------------------------------- */

#define ROUNDS 15
#define OPS 100000

static int64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

struct result { double ns, mallocs; };

static struct result
measure(struct bench *b, bool (*op)(struct bench *, enum data_format), enum data_format format)
{
	struct result best = { 1e18, 0 };

	for (int round = -1; round < ROUNDS; round++) {		/* round -1 warms up */
		unsigned long before = allocations;
		int64_t t = now_ns();
		for (int i = 0; i < OPS; i++) {
			if (!op(b, format))
				abort();
		}
		double ns = (double)(now_ns() - t) / OPS;
		if (round >= 0 && ns < best.ns)
			best.ns = ns;
		if (round >= 0)
			best.mallocs += (double)(allocations - before) / OPS / ROUNDS;
	}
	return best;
}

static const struct {
	const char *name, *what;
	bool (*op)(struct bench *, enum data_format);
	double limit;			/* ns; 0: for information */
} ops[] = {
	{ "decode", "read", decode, 0 },
	{ "encode", "write", encode, 0 },
	{ "both", "write with fresh ids, and read", both, 1500 },
};

static void
tell(struct bench *b, size_t op, enum data_format format, double *mallocs)
{
	static const char *const formats[] = { "msgpack", "json" };
	struct result r = measure(b, ops[op].op, format);
	char id[48], what[96], detail[64];

	snprintf(id, sizeof id, "codec_%s_%s", ops[op].name, formats[format]);
	snprintf(what, sizeof what, "RPC request, %s: %s", formats[format], ops[op].what);
	snprintf(detail, sizeof detail, "%zu bytes, %g allocations", b->in[format].len, r.mallocs);
	*mallocs += r.mallocs;
	bench_figure(&(struct bench_figure){
		.id = id, .what = what, .unit = "ns", .value = r.ns, .limit = ops[op].limit, .detail = detail,
		.sense = format == DATA_MSGPACK && ops[op].limit > 0 ? BENCH_AT_MOST : BENCH_INFO,
	});
}

int
main(int argc, char **argv)
{
	bench_begin("codec", argc, argv);
	struct bench b = { .codec = codec_new(), .now = { 1795150800000000000 } };
	struct codec *keep = codec_new();
	enum data_format seen;
	struct err err;
	double mallocs = 0;

	str_puts(&b.in[DATA_JSON], request);
	bench_must(codec_convert((struct data){ DATA_JSON, request, sizeof request - 1 }, DATA_MSGPACK, PACK_COMPACT,
	    &b.in[DATA_MSGPACK], &err), &err);
	bench_must(envelope_decode(keep, ENVELOPE_REQUEST, b.in[DATA_MSGPACK].p, b.in[DATA_MSGPACK].len, &b.e, &seen, &err),
	    &err);
	for (enum data_format f = DATA_MSGPACK; f <= DATA_JSON; f++)
		for (size_t i = 0; i < COUNT_OF(ops); i++)
			tell(&b, i, f, &mallocs);
	bench_figure(&(struct bench_figure){
		.id = "codec_mallocs", .what = "allocations per message, all of these", .unit = "", .value = mallocs, .limit = 0,
		.sense = BENCH_AT_MOST,
	});
	for (int f = 0; f < 2; f++)
		str_release(&b.in[f]);
	str_release(&b.out);
	codec_free(b.codec);
	codec_free(keep);
	return bench_end();
}
