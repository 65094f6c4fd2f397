/* failover.c - what the election promises, by running `aegis bench failover` as anybody would and holding its
 * outages to limits.  Ten rounds of each fault by default; with --long 300 or 100, as the promises are meant. */
#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "base/magic.h"
#include "bench.h"

#define SHORT_ROUNDS "10"

/* kept: that many of the rounds, in percent, in which the lead did not move. */
struct wanted {
	const char *figure;		/* of the answer's "failover", or "kept" */
	const char *id, *what, *unit;
	double limit;
	enum bench_sense sense;
};

struct fault {
	const char *args[6], *rounds;	/* rounds: with --long */
	struct wanted wanted[3];
};

static const struct fault faults[] = {
	{ { "--kill", "leader" }, "300", {
		{ "p50_ms", "failover_leader_p50", "leader killed, p50", "ms", 400, BENCH_AT_MOST },
		{ "p99_ms", "failover_leader_p99", "leader killed, p99", "ms", 800, BENCH_AT_MOST },
	} },
	{ { "--kill", "leader+nats" }, "100", {
		{ "p99_ms", "failover_leader_nats_p99", "leader and its NATS node killed, p99", "ms", 1000, BENCH_AT_MOST },
	} },
	{ { "--kill", "nats" }, "100", {
		{ "kept", "failover_nats_kept", "NATS node killed, leader elsewhere: lead kept", "%", 99, BENCH_AT_LEAST },
		{ "lost", "failover_nats_lost", "NATS node killed, leader elsewhere: calls lost", "", 0, BENCH_AT_MOST },
	} },
	{ { "--kill", "nats-stop" }, "100", {
		{ "kept", "failover_nats_stop_kept", "NATS node frozen, leader elsewhere: lead kept", "%", 99, BENCH_AT_LEAST },
		{ "lost", "failover_nats_stop_lost", "NATS node frozen, leader elsewhere: calls lost", "", 0, BENCH_AT_MOST },
	} },
	{ { "--kill", "graceful" }, "300", {
		{ "p99_ms", "failover_graceful_p99", "leader hands over, p99", "ms", 50, BENCH_AT_MOST },
		{ "queue_failed", "failover_graceful_failed", "leader hands over: calls failed at 5,000/s", "", 0, BENCH_AT_MOST },
	} },
	{ { "--kill", "crash" }, "100", {
		{ "p99_ms", "failover_crash_p99", "program under the lease killed, p99", "ms", 100, BENCH_AT_MOST },
	} },
	{ { "--kill", "partition" }, "100", {
		{ "p99_ms", "failover_partition_p99", "leader cut off, p99", "ms", 800, BENCH_AT_MOST },
	} },
	{ { "--kill", "leader", "--nodes", "1" }, "100", {
		{ "p99_ms", "failover_single_p99", "one nats-server: leader killed, p99", "ms", 800, BENCH_AT_MOST },
	} },
};

static double
figure_of(const struct value *f, const char *name)
{
	if (strcmp(name, "kept") == 0)
		return 100 * (1 - answer_number(f, "changes") / answer_number(f, "rounds"));
	return answer_number(f, name);
}

static void
tell(const struct value *f, const struct wanted *w)
{
	char detail[160];
	int n = snprintf(detail, sizeof detail, "%.0f rounds, p50 %.1f, max %.1f ms, two active %.0f times", answer_number(f, "rounds"),
	    answer_number(f, "p50_ms"), answer_number(f, "max_ms"), answer_number(f, "overlap") + answer_number(f, "findings"));
	if (answer_number(f, "unprovoked") > 0)
		n += snprintf(detail + n, sizeof detail - (size_t)n, "; %.0f changes without a fault", answer_number(f, "unprovoked"));
	if (strcmp(w->figure, "queue_failed") == 0)
		snprintf(detail + n, sizeof detail - (size_t)n, "; of %.0f calls", answer_number(f, "queue_calls"));
	bench_figure(&(struct bench_figure){ .id = w->id, .what = w->what, .unit = w->unit, .value = figure_of(f, w->figure),
	    .limit = w->limit, .sense = w->sense, .detail = detail });
}

static void
measure(const struct fault *k)
{
	const char *args[16] = { "failover" };
	size_t n = 1;

	for (size_t i = 0; k->args[i] != NULL; i++)
		args[n++] = k->args[i];
	args[n++] = "--rounds";
	args[n++] = bench_long() ? k->rounds : SHORT_ROUNDS;
	struct answer *a = answer_new(args);
	const struct value *f = value_field(answer_run(a, NULL), "failover");
	for (size_t i = 0; i < COUNT_OF(k->wanted) && k->wanted[i].id != NULL; i++)
		tell(f, &k->wanted[i]);
	answer_free(a);
}

int
main(int argc, char **argv)
{
	bench_begin("failover", argc, argv);
	for (size_t i = 0; i < COUNT_OF(faults); i++)
		measure(&faults[i]);
	return bench_end();
}
