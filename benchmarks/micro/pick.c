/* pick.c - choosing an instance: what every call pays before anything is sent.
 *
 * As a caller does it: take the current directory from its cell, find the service, pick,
 * drop the directory.  The locks and allocations that happen meanwhile are counted by
 * standing in front of the C library's own functions. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "allocations.h"
#include "base/instant.h"
#include "base/magic.h"
#include "base/mem.h"
#include "bench.h"
#include "discovery/directory_build.h"
#include "discovery/table.h"
#include "sys/clock.h"

#define INSTANCES 1000
#define OPS 200000
#define ROUNDS 15
#define LIMIT_NS 300.0

static unsigned long locks;

int
pthread_mutex_lock(pthread_mutex_t *m)
{
	static int (*real)(pthread_mutex_t *);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "pthread_mutex_lock");
	locks++;
	return real(m);
}

/* fill: INSTANCES live members of one service, and 99 other services with one each. */
static void
fill(struct table *t, struct wall now)
{
	char key[64];

	for (int i = 0; i < INSTANCES + 99; i++) {
		struct instance *one = mem_new(sizeof *one);
		instance_init(one);
		one->service = i < INSTANCES ? mem_text("orders") : mem_printf("other-%d", i - INSTANCES);
		one->id = mem_printf("%s-%04d", one->service, i);
		one->version = mem_text("1.0.0");
		one->last_heartbeat = now;
		one->metadata = mem_text("{}");
		one->direct_rpc = true;
		snprintf(key, sizeof key, "instance-%d", i);
		table_instance(t, key, one, (uint64_t)i + 1);
	}
}

struct run {
	struct snapshot_cell cell;
	struct pick_opts opts;
};

static double
round_ns(struct run *r)
{
	int64_t start = bench_now();

	for (int i = 0; i < OPS; i++) {
		struct snapshot *s = snapshot_take(&r->cell);
		const struct directory *d = CONTAINER_OF(s, struct directory, snapshot);
		const struct member_entry *e = pick(directory_find(d, "orders"), &r->opts);
		if (e == NULL)
			bench_die("nobody was picked");
		r->opts.chance += e->revision;	/* so that no pick can be left out */
		snapshot_drop(s);
	}
	return (double)(bench_now() - start) / OPS;
}

static void
measure(struct run *r, enum pick_strategy strategy)
{
	char id[48], what[64], detail[80];
	struct samples ns = { NULL, 0, 0 };
	unsigned long locked = 0, allocated = 0;

	r->opts.strategy = strategy;
	round_ns(r);			/* warm-up */
	for (int i = 0; i < ROUNDS; i++) {
		unsigned long l = locks, a = allocations;
		double one = round_ns(r);
		locked += locks - l;
		allocated += allocations - a;
		samples_add(&ns, one);
	}
	snprintf(id, sizeof id, "pick_%s", pick_strategy_name(strategy));
	snprintf(what, sizeof what, "pick of %d instances, %s", INSTANCES, pick_strategy_name(strategy));
	snprintf(detail, sizeof detail, "%lu locks, %lu allocations in %d picks", locked, allocated, OPS * ROUNDS);
	/* A lock or an allocation on the way is a miss however fast it was. */
	bench_figure(&(struct bench_figure){
		.id = mem_text(id), .what = what, .unit = "ns", .value = samples_at(&ns, 50),
		.limit = locked + allocated == 0 ? LIMIT_NS : 0, .sense = BENCH_AT_MOST, .detail = detail, .spread = &ns,
	});
	samples_release(&ns);
}

int
main(int argc, char **argv)
{
	bench_begin("pick", argc, argv);
	struct wall now = clock_wall(clock_system());
	struct table *t = table_new();
	struct run r = { .opts = { .preferred = "orders-0777", .now = now, .stale_ns = STALE_AFTER_S * NS_PER_S,
	    .chance = 1 } };

	fill(t, now);
	snapshot_cell_init(&r.cell);
	snapshot_publish(&r.cell, &directory_build(t, 1)->snapshot);
	for (int s = PICK_ROUND_ROBIN; s <= PICK_LEAST_INFLIGHT; s++)
		measure(&r, (enum pick_strategy)s);
	snapshot_publish(&r.cell, NULL);
	table_free(t);
	return bench_end();
}
