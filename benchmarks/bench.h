/* bench.h - what the benchmark programs share: a private NATS, samples, figures with limits.
 *
 * A program measures a few figures, each against a limit, and prints one row for each; with
 * --record it also appends one JSON line to a file, which scripts/benchrun makes part of its own.
 * Absolute times
 * of two moments do not compare on a virtual machine, so what is measured against something
 * else is measured beside it: rounds of both by turns, and the median of the rounds' ratios.
 * Whatever cannot be measured ends the program at once with the reason and code 2. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct nats_server;

/* --- the program ------------------------------------------------------------------------- */

/* bench_begin(name, argc, argv): first statement of main.  Options: --record FILE (appends the
 * record, one line of JSON), --json (the record on stdout instead of rows), --long (what takes
 * minutes, too).  bench_end(): stops and removes what
 * bench_begin and the functions below made, writes the record; the exit code: 1 when a
 * figure missed its limit, else 0. */
void bench_begin(const char *name, int argc, char **argv);
int bench_end(void);
bool bench_long(void);

_Noreturn void bench_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void bench_must(enum err_code code, const struct err *err);	/* dies with its sentence */

/* bench_dir(): a scratch directory, removed by bench_end. */
const char *bench_dir(void);

/* bench_nats(): the URL of a private nats-server, started at the first call; or what the
 * variable BENCH_NATS says, for profilers that cannot follow children. */
const char *bench_nats(void);

/* bench_free_port(): of the loopback interface; one that nobody had a moment ago. */
uint16_t bench_free_port(void);

/* --- time and samples -------------------------------------------------------------------- */

int64_t bench_now(void);		/* ns, monotonic */

/* Numbers in the order they came; sorted in place by samples_at.  Grows as needed. */
struct samples {
	double *v;
	size_t n, cap;
};

void samples_add(struct samples *s, double v);
void samples_add_ns(struct samples *s, const int64_t *ns, size_t n);
double samples_at(struct samples *s, double percent);	/* 50 is the median; n > 0 */
void samples_clear(struct samples *s);
void samples_release(struct samples *s);

/* --- figures ----------------------------------------------------------------------------- */

enum bench_sense { BENCH_AT_MOST, BENCH_AT_LEAST, BENCH_INFO };

struct bench_figure {
	const char *id;			/* "rpc_one_p50": stays the same from record to record */
	const char *what;		/* for people */
	double value, limit;
	const char *unit;		/* "ms", "ns", "x"; of both */
	enum bench_sense sense;
	const char *detail;		/* how it came about, e.g. "131 us : 121 us"; may be NULL */
	struct samples *spread;		/* for p50, p90, p99, min, max in the record; may be NULL */
};

void bench_figure(const struct bench_figure *f);

/* --- processes --------------------------------------------------------------------------- */

/* bench_beside(name): the path of a program that lies beside this one ("http_echo") or above
 * ("../aegis"); the caller's to mem_free. */
char *bench_beside(const char *name);

/* bench_spawn(argv, out): starts it with no input; its output goes to the file out, relative
 * to bench_dir (NULL: /dev/null), its errors to {dir}/stderr. 
 * bench_reap(pid): waits; its exit code as a shell would show it.  bench_stop: SIGTERM first. */
pid_t bench_spawn(const char *const *argv, const char *out);
int bench_reap(pid_t pid);
int bench_stop(pid_t pid);

/* bench_await(what, holds, arg): returns once holds(arg); dies, naming what, after 20 s. */
void bench_await(const char *what, bool (*holds)(void *arg), void *arg);

/* bench_rss_kb(pid): resident memory of a process, VmRSS. */
long bench_rss_kb(pid_t pid);

/* bench_same_program(a, b): both processes execute the same file. */
bool bench_same_program(pid_t a, pid_t b);

#endif
