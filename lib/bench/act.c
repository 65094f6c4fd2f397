/* act.c - the acts of faults: each finds whom it hits, and does one thing to them. */
#include "bench/act.h"

#include <sys/types.h>

#include "bench/failover_inner.h"

enum err_code
acts_run(struct failover *f, const struct act *acts, struct err *err)
{
	enum err_code code = ERR_OK;

	for (unsigned i = 0; i < ACTS_MAX && acts[i].run != NULL && code == ERR_OK; i++)
		code = acts[i].run(f, &acts[i], err);
	return code;
}

/* --- members ----------------------------------------------------------------------------- */

static unsigned
member(const struct failover *f, const struct act *a)
{
	return a->whom == ACT_STANDBY ? f->standby : f->leader;
}

enum err_code
act_signal(struct failover *f, const struct act *a, struct err *err)
{
	pid_t pid = a->whom == ACT_WORK ? f->work : f->guardian;

	if (a->whom != ACT_WORK && a->whom != ACT_GUARDIAN)
		arena_signal(f->arena, member(f, a), a->signo);
	else if (pid <= 0)
		return err_set(err, ERR_HANDLER, "the leader runs no program that could be hit");
	else
		kill(pid, a->signo);
	return ERR_OK;
}

enum err_code
act_renew(struct failover *f, const struct act *a, struct err *err)
{
	arena_reap(f->arena, member(f, a));
	return arena_start(f->arena, member(f, a), err);
}

enum err_code
act_pause(struct failover *f, const struct act *a, struct err *err)
{
	(void)a;
	(void)err;
	arena_pause(f->arena, 2 * f->o->l_ns);
	return ERR_OK;
}

enum err_code
act_wait(struct failover *f, const struct act *a, struct err *err)
{
	(void)err;
	arena_pause(f->arena, a->min * NS_PER_MS);
	return ERR_OK;
}

/* --- nodes ------------------------------------------------------------------------------- */

static unsigned
node(const struct failover *f, const struct act *a)
{
	return a->node == ACT_ITS ? f->node : f->other;
}

enum err_code
act_node_end(struct failover *f, const struct act *a, struct err *err)
{
	(void)err;
	nats_cluster_end(arena_cluster(f->arena), node(f, a), a->signo);
	return ERR_OK;
}

enum err_code
act_node_wipe(struct failover *f, const struct act *a, struct err *err)
{
	return nats_cluster_wipe(arena_cluster(f->arena), node(f, a), err);
}

enum err_code
act_node_start(struct failover *f, const struct act *a, struct err *err)
{
	struct nats_cluster *c = arena_cluster(f->arena);

	/* It runs when what should have ended it failed before. */
	return nats_cluster_pid(c, node(f, a)) > 0 ? ERR_OK : nats_cluster_start(c, node(f, a), err);
}

enum err_code
act_node_freeze(struct failover *f, const struct act *a, struct err *err)
{
	(void)err;
	nats_cluster_freeze(arena_cluster(f->arena), node(f, a), true);
	return ERR_OK;
}

enum err_code
act_node_thaw(struct failover *f, const struct act *a, struct err *err)
{
	(void)err;
	nats_cluster_freeze(arena_cluster(f->arena), node(f, a), false);
	return ERR_OK;
}

/* --- links ------------------------------------------------------------------------------- */

/* each_link: fn to every proxy between whom and what the act is about. */
static enum err_code
each_link(struct failover *f, const struct act *a, void (*fn)(struct proxy *p, void *arg), void *arg)
{
	int to = a->node == ACT_NODES ? -1 : (int)node(f, a);

	if (a->whom != ACT_STANDBYS)
		arena_proxy(f->arena, a->whom == ACT_MEMBERS ? -1 : (int)member(f, a), to, fn, arg);
	for (unsigned i = 0; a->whom == ACT_STANDBYS && i < arena_members(f->arena); i++)
		if (i != f->leader)
			arena_proxy(f->arena, (int)i, to, fn, arg);
	return ERR_OK;
}

static void
freeze(struct proxy *p, void *ways)
{
	proxy_freeze(p, *(unsigned *)ways);
}

enum err_code
act_cut(struct failover *f, const struct act *a, struct err *err)
{
	unsigned ways = a->ways;

	(void)err;
	return each_link(f, a, freeze, &ways);
}

/* A delay, and the ways it is for. */
struct lateness {
	unsigned ways;
	int64_t min_ns, max_ns;
};

static void
late(struct proxy *p, void *arg)
{
	const struct lateness *l = arg;

	proxy_delay(p, l->ways, l->min_ns, l->max_ns);
}

enum err_code
act_late(struct failover *f, const struct act *a, struct err *err)
{
	struct lateness l = { a->ways, f->o->l_ns * a->min / 100, f->o->l_ns * a->max / 100 };

	(void)err;
	return each_link(f, a, late, &l);
}

static void
reset(struct proxy *p, void *arg)
{
	(void)arg;
	proxy_reset(p);
}

enum err_code
act_reset(struct failover *f, const struct act *a, struct err *err)
{
	(void)err;
	return each_link(f, a, reset, NULL);
}
