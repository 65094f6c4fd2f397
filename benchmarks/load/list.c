/* list.c - `aegis registry ls` of ten thousand instances, and what it leaves behind.
 *
 * The instances are real records of a hundred services.  Each run is a process of its own,
 * measured from spawn to reaped; afterwards the bucket must have no consumer. */
#include <stdio.h>
#include <string.h>

#include "base/instant.h"
#include "base/mem.h"
#include "base/wall.h"
#include "bench.h"
#include "codec/subject.h"
#include "nats/conn.h"
#include "nats/stream.h"
#include "registry/registry.h"
#include "sys/clock.h"

#define INSTANCES 10000
#define SERVICES 100
#define RUNS 15
#define TTL_S 3600

static void
fill(struct registry *r)
{
	struct err err;
	uint64_t revision;

	for (int i = 0; i < INSTANCES; i++) {
		struct instance one;
		instance_init(&one);
		one.service = mem_printf("service-%02d", i % SERVICES);
		one.id = mem_printf("service-%02d-%08x", i % SERVICES, (unsigned)i);
		one.version = mem_text("1.0.0");
		one.last_heartbeat = clock_wall(clock_system());
		mem_free(one.metadata);
		one.metadata = mem_text("{\"rpc\":{\"direct\":true},\"service_type\":\"service\"}");
		bench_must(registry_put_instance(r, &one, TTL_S, REGISTRY_NEW, &revision, &err), &err);
		instance_release(&one);
	}
}

/* lines: how many of the file begin with what every instance's id contains. */
static int
lines(const char *name)
{
	char *path = mem_printf("%s/%s", bench_dir(), name), line[1024];
	FILE *f = fopen(path, "re");
	int n = 0;

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		n += strstr(line, "service-") != NULL;
	if (f != NULL)
		fclose(f);
	mem_free(path);
	return n;
}

static double
list_ms(const char *binary)
{
	/* Stale ones too: filling may take longer than the age check allows. */
	const char *argv[] = { binary, "registry", "ls", "--instances", "--all", "--server", bench_nats(), NULL };
	int64_t start = bench_now();
	int code = bench_reap(bench_spawn(argv, "list"));
	double ms = (double)(bench_now() - start) / 1e6;

	if (code != 0 || lines("list") != INSTANCES)
		bench_die("registry ls: exit code %d, %d of %d instances", code, lines("list"), INSTANCES);
	return ms;
}

int
main(int argc, char **argv)
{
	struct samples ms = { NULL, 0, 0 };
	struct bucket_state state;
	struct err err;
	char detail[96];

	bench_begin("list", argc, argv);
	char *binary = bench_beside("../aegis");
	struct conn *c = conn_new(&(struct conn_opts){ .servers = bench_nats(), .name = "bench list" }, &err);
	if (c == NULL)
		bench_die("%s", err.text);
	struct registry *r = registry_new(&(struct registry_opts){ .conn = c, .create = true }, &err);
	if (r == NULL)
		bench_die("%s", err.text);
	fill(r);
	list_ms(binary);		/* warm-up */
	for (int i = 0; i < RUNS; i++)
		samples_add(&ms, list_ms(binary));
	bench_must(bucket_inspect(c, REGISTRY_BUCKET, &state, &err), &err);
	snprintf(detail, sizeof detail, "min %.0f, p90 %.0f ms of %d; %llu consumers left", samples_at(&ms, 0),
	    samples_at(&ms, 90), RUNS, (unsigned long long)state.consumers);
	/* A consumer that stays is a miss however fast it was. */
	bench_figure(&(struct bench_figure){
		.id = "list_10000_p50", .what = "registry ls of 10,000 instances, p50", .unit = "ms",
		.value = samples_at(&ms, 50), .limit = state.consumers == 0 ? 300 : 0, .sense = BENCH_AT_MOST,
		.detail = detail, .spread = &ms,
	});
	samples_release(&ms);
	registry_free(r);
	conn_free(c);
	mem_free(binary);
	return bench_end();
}
