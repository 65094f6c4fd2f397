/* start.c - how long programs take to begin, and how little they hold when idle.
 *
 * `aegis version` from spawn to reaped; `run-service` from spawn to the moment at which a
 * watch in this process is told of the instance, with a program that is ready at once; and
 * the resident memory of such a wrapper when nothing happens. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/instant.h"
#include "base/magic.h"
#include "base/mem.h"
#include "bench.h"
#include "nats/conn.h"
#include "registry/feed.h"
#include "registry/registry.h"
#include "sys/procfs.h"

#define VERSIONS 60
#define STARTS 25
#define IDLE_NS (1 * NS_PER_S)		/* a wrapper that was registered that long has nothing to do */
#define RSS_LOOKS 10

/* --- version ----------------------------------------------------------------------------- */

static double
run_ms(const char *const *argv)
{
	int64_t start = bench_now();

	if (bench_reap(bench_spawn(argv, NULL)) != 0)
		bench_die("'%s' failed", argv[0]);
	return (double)(bench_now() - start) / 1e6;
}

static void
version(const char *binary)
{
	struct samples ours = { NULL, 0, 0 }, theirs = { NULL, 0, 0 };
	char detail[96];

	for (int i = 0; i < VERSIONS; i++) {
		samples_add(&ours, run_ms((const char *const[]){ binary, "version", NULL }));
		samples_add(&theirs, run_ms((const char *const[]){ "/bin/true", NULL }));
	}
	snprintf(detail, sizeof detail, "/bin/true beside it %.2f ms, p90 %.2f : %.2f", samples_at(&theirs, 50),
	    samples_at(&ours, 90), samples_at(&theirs, 90));
	bench_figure(&(struct bench_figure){
		.id = "version_p50", .what = "aegis version, start to exit, p50", .unit = "ms", .value = samples_at(&ours, 50),
		.limit = 5, .sense = BENCH_AT_MOST, .detail = detail, .spread = &ours,
	});
	samples_release(&ours);
	samples_release(&theirs);
}

/* --- start to visible -------------------------------------------------------------------- */

struct seen {
	pthread_mutex_t lock;		/* leaf: all */
	char instance[64];		/* who is expected */
	int64_t at;			/* when it was told; 0: not yet */
	bool synced;
};

static void
on_feed(void *arg, struct feed_event *ev)
{
	struct seen *s = arg;
	int64_t now = bench_now();

	pthread_mutex_lock(&s->lock);
	if (ev->what == FEED_SYNC_END)
		s->synced = true;
	if (ev->what == FEED_INSTANCE && s->at == 0 && strcmp(ev->instance->id, s->instance) == 0)
		s->at = now;
	pthread_mutex_unlock(&s->lock);
	if (ev->what == FEED_INSTANCE)
		instance_free(ev->instance);
}

static bool
is_synced(void *arg)
{
	struct seen *s = arg;

	pthread_mutex_lock(&s->lock);
	bool yes = s->synced;
	pthread_mutex_unlock(&s->lock);
	return yes;
}

static bool
is_told(void *arg)
{
	struct seen *s = arg;

	pthread_mutex_lock(&s->lock);
	bool yes = s->at != 0;
	pthread_mutex_unlock(&s->lock);
	return yes;
}

static pid_t
start_one(const char *binary, const char *instance)
{
	return bench_spawn((const char *const[]){ binary, "run-service", "--name", "bench-start", "--instance-id", instance,
	    "--server", bench_nats(), "--log-level", "warning", "--", "/bin/sleep", "600", NULL }, NULL);
}

/* visible_ms: one start; the wrapper's pid is the caller's to stop. */
static double
visible_ms(const char *binary, struct seen *s, int i, pid_t *pid)
{
	pthread_mutex_lock(&s->lock);
	snprintf(s->instance, sizeof s->instance, "start-%d", i);
	s->at = 0;
	pthread_mutex_unlock(&s->lock);
	int64_t start = bench_now();
	*pid = start_one(binary, s->instance);
	bench_await("the instance in the watch", is_told, s);
	return (double)(s->at - start) / 1e6;
}

/* rss: of the wrapper, and what its helper process holds besides; the program's own not. */
static void
rss(pid_t wrapper)
{
	struct samples kb = { NULL, 0, 0 };
	char detail[96] = "";
	pid_t below[16];
	long guardian = 0;

	nanosleep(&(struct timespec){ .tv_sec = IDLE_NS / NS_PER_S }, NULL);
	for (int i = 0; i < RSS_LOOKS; i++) {
		samples_add(&kb, (double)bench_rss_kb(wrapper) / 1e3);
		nanosleep(&(struct timespec){ .tv_nsec = 20 * NS_PER_MS }, NULL);
	}
	size_t n = procfs_descendants(wrapper, below, COUNT_OF(below));
	for (size_t i = 0; i < n; i++)
		if (bench_same_program(below[i], wrapper))
			guardian += bench_rss_kb(below[i]);
	snprintf(detail, sizeof detail, "its guardian process besides: %.1f MB", (double)guardian / 1e3);
	bench_figure(&(struct bench_figure){
		.id = "rss_run_service", .what = "idle run-service, resident", .unit = "MB", .value = samples_at(&kb, 100),
		.limit = 10, .sense = BENCH_AT_MOST, .detail = detail, .spread = &kb,
	});
	samples_release(&kb);
}

static void
visible(const char *binary)
{
	struct seen seen = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct samples ms = { NULL, 0, 0 };
	struct err err;
	char detail[96];
	pid_t pid;
	struct conn *c = conn_new(&(struct conn_opts){ .servers = bench_nats(), .name = "bench watch" }, &err);

	if (c == NULL)
		bench_die("%s", err.text);
	struct registry *r = registry_new(&(struct registry_opts){ .conn = c, .create = true }, &err);
	struct feed *f = r != NULL ? feed_new(c, on_feed, &seen, &err) : NULL;
	if (f == NULL)
		bench_die("%s", err.text);
	bench_await("the first listing", is_synced, &seen);
	for (int i = -1; i < STARTS; i++) {			/* -1 warms up */
		double one = visible_ms(binary, &seen, i, &pid);
		if (i >= 0)
			samples_add(&ms, one);
		if (i < STARTS - 1)
			bench_stop(pid);
	}
	snprintf(detail, sizeof detail, "min %.0f, p90 %.0f, max %.0f ms of %d", samples_at(&ms, 0), samples_at(&ms, 90),
	    samples_at(&ms, 100), STARTS);
	bench_figure(&(struct bench_figure){
		.id = "visible_p50", .what = "run-service, start to visible elsewhere, p50", .unit = "ms",
		.value = samples_at(&ms, 50), .limit = 60, .sense = BENCH_AT_MOST, .detail = detail, .spread = &ms,
	});
	samples_release(&ms);
	rss(pid);
	bench_stop(pid);
	feed_free(f);
	registry_free(r);
	conn_free(c);
}

int
main(int argc, char **argv)
{
	bench_begin("start", argc, argv);
	char *binary = bench_beside("../aegis");

	version(binary);
	visible(binary);
	mem_free(binary);
	return bench_end();
}
