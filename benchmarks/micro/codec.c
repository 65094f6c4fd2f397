/* codec.c - what reading and writing one message costs, in time and in allocations.
 *
 * The message is the 241-byte RPC request of the reference vectors.  Each figure is the best
 * of several rounds, because everything that disturbs a round only adds to it.  One JSON
 * line per operation; `--assert NS` ends with 1 when reading and writing it as MessagePack
 * together take longer than NS, or when the warm codec allocates.
 *
 * To be linked dynamically: the functions below stand before those of the C library. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/instant.h"
#include "base/num.h"
#include "codec/envelope.h"

/* --- counting allocations ----------------------------------------------------------------- */

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

static unsigned long allocations;

void *
malloc(size_t n)
{
	allocations++;
	return __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	allocations++;
	return __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	allocations++;
	return __libc_realloc(p, n);
}

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

static bool
both(struct bench *b, enum data_format format)
{
	return decode(b, format) && encode(b, format);
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

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		bool (*op)(struct bench *, enum data_format);
	} ops[] = {
		{ "decode", decode }, { "encode", encode }, { "encode_fresh", encode_fresh },
		{ "both", both },
	};
	static const char *const formats[] = { "msgpack", "json" };
	struct bench b = { .codec = codec_new(), .now = { 1795150800000000000 } };
	struct codec *keep = codec_new();
	enum data_format seen;
	double limit = 0, both_ns = 0, mallocs = 0;

	if (argc != 1 && (argc != 3 || strcmp(argv[1], "--assert") != 0 || !num_real(argv[2], &limit))) {
		fprintf(stderr, "usage: %s [--assert NANOSECONDS]\n", argv[0]);
		return 2;
	}
	str_puts(&b.in[DATA_JSON], request);
	if (codec_convert((struct data){ DATA_JSON, request, sizeof request - 1 }, DATA_MSGPACK, PACK_COMPACT,
	    &b.in[DATA_MSGPACK], NULL) != ERR_OK ||
	    envelope_decode(keep, ENVELOPE_REQUEST, b.in[DATA_MSGPACK].p, b.in[DATA_MSGPACK].len, &b.e, &seen,
	    NULL) != ERR_OK)
		abort();
	for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
		for (enum data_format f = DATA_MSGPACK; f <= DATA_JSON; f++) {
			struct result r = measure(&b, ops[i].op, f);
			printf("{\"name\":\"codec_%s_%s\",\"bytes\":%zu,\"ns_per_op\":%.1f,"
			    "\"mallocs_per_op\":%g}\n",
			    ops[i].name, formats[f], b.in[f].len, r.ns, r.mallocs);
			mallocs += r.mallocs;
			if (ops[i].op == both && f == DATA_MSGPACK)
				both_ns = r.ns;
		}
	}
	for (int f = 0; f < 2; f++)
		str_release(&b.in[f]);
	str_release(&b.out);
	codec_free(b.codec);
	codec_free(keep);
	return limit > 0 && (both_ns > limit || mallocs > 0);
}
