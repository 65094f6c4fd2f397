/* pattern.h - what `aegis bench` can measure: a table of patterns, and how one is measured.
 *
 * A measurement is a number of repeats, each with connections of its own, because a set of connections
 * falls into a rhythm and keeps it; each repeat is warmed up and then measured in rounds, ours
 * and the baseline by turns: benchmarks/README.md tells what was learned about measuring. */
#ifndef BENCH_PATTERN_H
#define BENCH_PATTERN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "bench/result.h"
#include "model/value.h"
#include "nats/conn.h"

struct peer;

enum bench_against { AGAINST_NONE, AGAINST_RAW, AGAINST_NO_INSTANCES };

struct bench_pattern {
	const char *bench, *name;	/* "rpc", "one" */
	const char *what;		/* for people */
	unsigned in_flight;		/* unless another number is asked for */
	bool serial;			/* one at a time by its nature */
	bool no_baseline;		/* there is nothing bare to compare it with */
	bool handler;			/* needs the processes of bench_opts.peers */
};

/* bench_pattern(bench, i): the i-th of a benchmark, NULL behind the last.  bench_find(bench, name). */
const struct bench_pattern *bench_pattern(const char *bench, size_t i);
const struct bench_pattern *bench_find(const char *bench, const char *name);

struct bench_opts {
	const struct conn_opts *conn;
	enum bench_against against;
	int64_t warmup_ns, duration_ns;	/* of one repeat, for each side */
	uint64_t count;			/* instead of the duration; 0: that */
	unsigned repeats;
	double rate;			/* per second; 0: closed loop */
	unsigned in_flight;		/* 0: the pattern's own */
	size_t size;
	enum data_format format;
	unsigned instances;
	const char *service, *method, *params;	/* of --target; NULL: a service of our own */
	struct peer *peers[2];		/* ours, bare */
	const atomic_bool *stop;
	void (*progress)(void *arg, const struct bench_pattern *p, double share);
	void *arg;
};

/* bench_measure(p, o, out, err): out must be initialised; it holds what there is on failure, too.
 * When o->stop becomes true it ends early, out->interrupted.  Leaves nothing behind in any
 * case that lets it reach the server.  Blocks. */
enum err_code bench_measure(const struct bench_pattern *p, const struct bench_opts *o, struct bench_result *out,
    struct err *err);

#endif
