/* bench.h - what the verbs of `aegis bench` share. */
#ifndef CMD_BENCH_H
#define CMD_BENCH_H

#include <stdatomic.h>

#include "bench/pattern.h"
#include "bench/report.h"
#include "cmd.h"

#define BENCH_PATTERNS_MAX 8		/* of one verb */
#define BENCH_ASSERTIONS_MAX 32

struct bench_cli {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	int64_t warmup_ns, duration_ns;
	uint64_t count, rate, concurrency, size, repeat, instances;
	enum data_format encoding;
	enum bench_against against;
	struct opts_list assertions;
	const char *hgrm, *junit, *target, *data;
	bool no_progress;
};

/* One run of one verb. */
struct benching {
	struct cmd *c;
	const struct bench_cli *o;
	const char *bench;		/* the verb */
	const struct bench_pattern *patterns[BENCH_PATTERNS_MAX];
	struct bench_result results[BENCH_PATTERNS_MAX];
	size_t npatterns, nresults;
	struct assertion assertions[BENCH_ASSERTIONS_MAX];
	struct bench_verdict verdicts[BENCH_ASSERTIONS_MAX * BENCH_PATTERNS_MAX];
	size_t nverdicts;
	struct bench_opts opts;
	struct machine machine;
	struct wall at;
	bool drawing;			/* a progress bar stands on stderr */
	struct mono next_bar;		/* it is drawn at most 4 times a second */
	void (*table)(struct benching *b);	/* how it is shown to people; NULL: the usual way */
};

/* bench_read_assertions(b, err): those of the options, about b->patterns.  bench_judge(b, err): every one of every
 * pattern that it is about into b->verdicts; ERR_HANDLER with the misses in one sentence. */
enum err_code bench_read_assertions(struct benching *b, struct err *err);
enum err_code bench_judge(struct benching *b, struct err *err);

/* bench_hear_signals(): INT, TERM and HUP: the first makes what this returns true, the second ends the process. */
const atomic_bool *bench_hear_signals(void);

/* bench_wants_bar(o): progress is to be drawn. */
bool bench_wants_bar(const struct bench_cli *o);

/* bench_machine(b, out): appends the line of where it was measured. */
void bench_machine(const struct benching *b, struct str *out);

extern const struct opt bench_output_rows[];

/* bench_show(b, err): the answer on stdout, and the files that were asked for. */
enum err_code bench_show(struct benching *b, struct err *err);

/* bench_progress: a bench_opts.progress; arg is the benching.  bench_progress_end: wipes the bar. */
void bench_progress(void *arg, const struct bench_pattern *p, double share);
void bench_progress_end(struct benching *b);

#endif
