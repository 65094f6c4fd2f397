/* discovery.c - how long until a change of the registry is in the snapshot that callers pick from,
 * and how long picking takes; the first against a bare put and watch of one key. */
#include "discovery/discovery.h"

#include <stdio.h>

#include "base/id.h"
#include "base/mem.h"
#include "bench/fleet.h"
#include "bench/node.h"
#include "bench/side.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define SEE_NS (10 * NS_PER_S)
#define CHANGE_NS (5 * NS_PER_S)
#define LOOK_NS (5 * NS_PER_US)		/* the resolution of `seen` */
#define PICKS 100			/* at once: reading the clock takes as long as one */
#define INSTANCES 100

struct discovery_side {
	struct node node;
	struct fleet *fleet;
	char name[SIDE_NAME_MAX];
};

/* newest: the revision that the directory has of the fleet's first instance. */
static uint64_t
newest(struct discovery_side *s)
{
	const struct directory *dir = discovery_take(s->node.discovery);
	const struct service_group *g = directory_find(dir, s->name);
	uint64_t revision = g != NULL && g->n > 0 ? g->v[0]->revision : 0;

	discovery_drop(dir);
	return revision;
}

static enum err_code
see_change(void *arg, struct mono *ended, struct err *err)
{
	struct discovery_side *s = arg;
	uint64_t revision;
	enum err_code code = fleet_touch(s->fleet, &revision, err);
	struct mono until = mono_after(clock_mono(clock_system()), CHANGE_NS);

	(void)ended;
	while (code == ERR_OK && newest(s) < revision) {
		if (mono_reached(clock_mono(clock_system()), until))
			return err_set(err, ERR_TIMEOUT, "the snapshot did not show the change within 5 s");
		thread_pause(LOOK_NS);
	}
	return code;
}

static enum err_code
pick_some(void *arg, struct mono *ended, struct err *err)
{
	struct discovery_side *s = arg;
	struct pick_opts o = { .strategy = PICK_ROUND_ROBIN, .now = clock_wall(clock_system()),
	    .stale_ns = discovery_stale_ns(s->node.discovery), .chance = discovery_offset(s->node.discovery) };

	(void)ended;
	for (int i = 0; i < PICKS; i++) {
		const struct directory *dir = discovery_take(s->node.discovery);
		const struct service_group *g = directory_find(dir, s->name);
		bool found = g != NULL && pick(g, &o) != NULL;
		discovery_drop(dir);
		if (!found)
			return err_set(err, ERR_NO_MEMBER, "no instance of '%s' to pick from", s->name);
	}
	return ERR_OK;
}

static void
close_side(void *arg)
{
	struct discovery_side *s = arg;

	fleet_free(s->fleet);
	node_close(&s->node);
	mem_free(s);
}

static const struct bench_ops seen_ops = { .once = see_change, .close = close_side };
static const struct bench_ops pick_ops = { .once = pick_some, .close = close_side, .batch = PICKS };

static enum err_code
open_ours(const struct bench_env *env, const struct bench_ops *ops, struct bench_side *out, struct err *err)
{
	struct discovery_side *s = mem_new(sizeof *s);
	unsigned n = env->instances > 0 ? env->instances : INSTANCES;
	enum err_code code;

	side_name(env, BENCH_OURS, s->name);
	if ((code = node_open(&s->node, env->conn, 0, err)) == ERR_OK && (code = node_run(&s->node, err)) == ERR_OK &&
	    (s->fleet = fleet_new(env->conn, s->name, n, err)) == NULL)
		code = err->code;
	if (code == ERR_OK)
		code = fleet_come(s->fleet, err);
	if (code == ERR_OK && !fleet_seen(s->node.discovery, s->name, n, SEE_NS))
		code = err_set(err, ERR_TIMEOUT, "%u instances did not show in discovery within 10 s", n);
	if (code != ERR_OK)
		close_side(s);
	else
		*out = (struct bench_side){ ops, s };
	return code;
}

enum err_code
seen_side_open(const struct bench_env *env, enum bench_which which, struct bench_side *out, struct err *err)
{
	return which == BENCH_RAW ? watch_side_open(env, which, out, err) : open_ours(env, &seen_ops, out, err);
}

enum err_code
pick_side_open(const struct bench_env *env, enum bench_which which, struct bench_side *out, struct err *err)
{
	(void)which;			/* has no baseline: pattern.c says so */
	return open_ours(env, &pick_ops, out, err);
}
