/* gate.c - what it costs to ask whether one still leads: the way in, the second look before the reply, the way
 * out, as every exclusive call does them, on a gate that is open (sys/gate.h). */
#include <stdatomic.h>
#include <stdio.h>

#include "bench.h"
#include "sys/clock.h"
#include "sys/gate.h"

#define OPS 200000
#define ROUNDS 15
#define LIMIT_NS 100.0
#define EPOCH 4711

static double
round_ns(struct gate *g, uint64_t epoch)
{
	int64_t start = bench_now();

	for (int i = 0; i < OPS; i++) {
		uint64_t pass;
		if (gate_enter(g, epoch, &pass) != GATE_OPEN || !gate_still(g, pass))
			bench_die("an open gate is shut");
		gate_leave(g);
	}
	return (double)(bench_now() - start) / OPS;
}

/* look_ns: one look alone, as the local API and fences take it. */
static double
look_ns(const struct gate *g)
{
	int64_t start = bench_now();

	for (int i = 0; i < OPS; i++)
		if (gate_look(g->word, g->clock) == 0)
			bench_die("an open gate is shut");
	return (double)(bench_now() - start) / OPS;
}

static void
tell(const char *id, const char *what, struct samples *ns, double limit, enum bench_sense sense)
{
	bench_figure(&(struct bench_figure){ .id = id, .what = what, .unit = "ns", .value = samples_at(ns, 50), .limit = limit,
	    .sense = sense, .spread = ns });
	samples_release(ns);
}

int
main(int argc, char **argv)
{
	gate_word word = 0;
	struct gate g;
	struct samples whole = { NULL, 0, 0 }, one = { NULL, 0, 0 };

	bench_begin("gate", argc, argv);
	gate_init(&g, &word, clock_system());
	gate_set_epochs(&g, EPOCH, EPOCH);
	gate_set(&g, boot_after(clock_boot(clock_system()), 3600 * NS_PER_S), 1);
	gate_admit(&g, true);
	round_ns(&g, EPOCH);
	for (int i = 0; i < ROUNDS; i++) {
		samples_add(&whole, round_ns(&g, EPOCH));
		samples_add(&one, look_ns(&g));
	}
	tell("gate_look", "gate: one look", &one, LIMIT_NS, BENCH_AT_MOST);
	tell("gate_call", "gate: in, second look, out, with the epoch", &whole, 0, BENCH_INFO);
	return bench_end();
}
