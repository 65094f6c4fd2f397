/* nemesis.c - the faults of chaos: everything that may happen to a member, a link or a node without
 * being worth a figure of its own. */
#include <signal.h>
#include <sys/wait.h>

#include "bench/failover_inner.h"
#include "sys/child.h"

static enum err_code
nothing(struct failover *f, struct err *err)
{
	(void)f;
	(void)err;
	return ERR_OK;
}

/* --- nodes ------------------------------------------------------------------------------- */

static enum err_code
freeze_node(struct failover *f, struct err *err)
{
	(void)err;
	nats_cluster_freeze(arena_cluster(f->arena), f->other, true);
	return ERR_OK;
}

static enum err_code
thaw_node(struct failover *f, struct err *err)
{
	(void)err;
	nats_cluster_freeze(arena_cluster(f->arena), f->other, false);
	return ERR_OK;
}

static enum err_code
end_node(struct failover *f, struct err *err)
{
	(void)err;
	nats_cluster_end(arena_cluster(f->arena), f->other, SIGTERM);
	return ERR_OK;
}

static enum err_code
start_node(struct failover *f, struct err *err)
{
	return nats_cluster_start(arena_cluster(f->arena), f->other, err);
}

/* Its disk is gone with it: it comes back with an empty register, which a live group repairs (R6). */
static enum err_code
empty_node(struct failover *f, struct err *err)
{
	nats_cluster_end(arena_cluster(f->arena), f->other, SIGKILL);
	return nats_cluster_wipe(arena_cluster(f->arena), f->other, err);
}

static enum err_code
kill_leaders_node(struct failover *f, struct err *err)
{
	(void)err;
	nats_cluster_end(arena_cluster(f->arena), f->node, SIGKILL);
	return ERR_OK;
}

static enum err_code
start_leaders_node(struct failover *f, struct err *err)
{
	return nats_cluster_start(arena_cluster(f->arena), f->node, err);
}

/* --- members ----------------------------------------------------------------------------- */

static enum err_code
kill_standby(struct failover *f, struct err *err)
{
	(void)err;
	arena_signal(f->arena, f->standby, SIGKILL);
	return ERR_OK;
}

static enum err_code
end_standby(struct failover *f, struct err *err)
{
	(void)err;
	arena_signal(f->arena, f->standby, SIGTERM);
	return ERR_OK;
}

static enum err_code
renew_standby(struct failover *f, struct err *err)
{
	arena_reap(f->arena, f->standby);
	return arena_start(f->arena, f->standby, err);
}

static enum err_code
stop_standby(struct failover *f, struct err *err)
{
	(void)err;
	arena_signal(f->arena, f->standby, SIGSTOP);
	return ERR_OK;
}

static enum err_code
continue_standby(struct failover *f, struct err *err)
{
	(void)err;
	arena_signal(f->arena, f->standby, SIGCONT);
	return ERR_OK;
}

static enum err_code
kill_two(struct failover *f, struct err *err)
{
	(void)err;
	arena_signal(f->arena, f->leader, SIGKILL);
	arena_signal(f->arena, f->standby, SIGKILL);
	return ERR_OK;
}

static enum err_code
renew_two(struct failover *f, struct err *err)
{
	arena_reap(f->arena, f->leader);
	enum err_code code = arena_start(f->arena, f->leader, err);
	return code != ERR_OK ? code : renew_standby(f, err);
}

/* --- links of the leader ------------------------------------------------------------------ */

static void
freeze(struct proxy *p, void *ways)
{
	proxy_freeze(p, *(unsigned *)ways);
}

static enum err_code
cut(struct failover *f, int node, unsigned ways)
{
	arena_proxy(f->arena, (int)f->leader, node, freeze, &ways);
	return ERR_OK;
}

static enum err_code
cut_one(struct failover *f, struct err *err)
{
	(void)err;
	return cut(f, (int)f->other, PROXY_BOTH);
}

static enum err_code
cut_two(struct failover *f, struct err *err)
{
	(void)err;
	cut(f, (int)f->node, PROXY_BOTH);
	return cut(f, (int)f->other, PROXY_BOTH);
}

static enum err_code
cut_up(struct failover *f, struct err *err)
{
	(void)err;
	return cut(f, -1, PROXY_UP);
}

static enum err_code
cut_down(struct failover *f, struct err *err)
{
	(void)err;
	return cut(f, -1, PROXY_DOWN);
}

static enum err_code
join(struct failover *f, struct err *err)
{
	(void)err;
	return cut(f, -1, 0);
}

/* Two times of a delay, and the way it is for. */
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

static enum err_code
delay(struct failover *f, struct err *err)
{
	struct lateness l = { PROXY_BOTH, 0, f->o->l_ns * 3 / 2 };	/* 2D */

	(void)err;
	arena_proxy(f->arena, (int)f->leader, -1, late, &l);
	return ERR_OK;
}

static enum err_code
undelay(struct failover *f, struct err *err)
{
	struct lateness l = { PROXY_BOTH, 0, 0 };

	(void)err;
	arena_proxy(f->arena, (int)f->leader, -1, late, &l);
	return ERR_OK;
}

static void
reset(struct proxy *p, void *arg)
{
	(void)arg;
	proxy_reset(p);
}

static enum err_code
reset_all(struct failover *f, struct err *err)
{
	(void)err;
	arena_proxy(f->arena, (int)f->leader, -1, reset, NULL);
	return ERR_OK;
}

static void
truncate_soon(struct proxy *p, void *bytes)
{
	proxy_truncate(p, PROXY_UP, *(uint64_t *)bytes);
}

static enum err_code
truncate_one(struct failover *f, struct err *err)
{
	uint64_t bytes = 1 + fault_random(f, 2000);

	(void)err;
	arena_proxy(f->arena, (int)f->leader, (int)f->other, truncate_soon, &bytes);
	return ERR_OK;
}

/* Acknowledgements are late by half an L, then nothing of the leader gets through: who counted its lease from the
 * acknowledgement would believe in it for longer than others wait. */
static enum err_code
late_then_cut(struct failover *f, struct err *err)
{
	/* In steps, so that the lease is not lost on the way: each is less than D - g - P. */
	const int64_t step_ns[] = { f->o->l_ns * 3 / 10, f->o->l_ns * 11 / 20 };

	(void)err;
	for (unsigned i = 0; i < 2; i++) {
		struct lateness l = { PROXY_DOWN, step_ns[i], step_ns[i] };
		arena_proxy(f->arena, (int)f->leader, -1, late, &l);
		arena_pause(f->arena, 2 * f->o->l_ns);
	}
	return cut(f, -1, PROXY_UP);
}

static enum err_code
join_in_time(struct failover *f, struct err *err)
{
	undelay(f, err);
	return join(f, err);
}

/* What the standbys see is late by chance, so that each may believe to be the first. */
static enum err_code
confuse_standbys(struct failover *f, struct err *err)
{
	struct lateness l = { PROXY_DOWN, 0, f->o->l_ns / 2 };

	(void)err;
	for (int i = 0; i < (int)arena_members(f->arena); i++)
		if (i != (int)f->leader)
			arena_proxy(f->arena, i, -1, late, &l);
	arena_pause(f->arena, 2 * f->o->l_ns);
	arena_signal(f->arena, f->leader, SIGKILL);
	return ERR_OK;
}

/* The standbys hear nothing more, though their links look up; they must not overwrite a leader that goes on. */
static enum err_code
deafen_standbys(struct failover *f, struct err *err)
{
	unsigned ways = PROXY_DOWN;

	(void)err;
	for (int i = 0; i < (int)arena_members(f->arena); i++)
		if (i != (int)f->leader)
			arena_proxy(f->arena, i, -1, freeze, &ways);
	return ERR_OK;
}

static enum err_code
undeafen(struct failover *f, struct err *err)
{
	unsigned ways = 0;

	(void)err;
	arena_proxy(f->arena, -1, -1, freeze, &ways);
	return ERR_OK;
}

static enum err_code
clear_up(struct failover *f, struct err *err)
{
	struct lateness l = { PROXY_BOTH, 0, 0 };

	arena_proxy(f->arena, -1, -1, late, &l);
	arena_reap(f->arena, f->leader);
	return arena_start(f->arena, f->leader, err);
}

/* --- the processor ------------------------------------------------------------------------ */

#define HOGS 8
static pid_t hogs[HOGS];

static enum err_code
hog(struct failover *f, struct err *err)
{
	static const char *const argv[] = { "sh", "-c", "while :; do :; done", NULL };
	enum err_code code = ERR_OK;

	(void)f;
	for (int i = 0; i < HOGS && code == ERR_OK; i++)
		code = child_spawn(&(struct child_opts){ .argv = argv, .own_group = true, .dies_with_parent = true }, &hogs[i], err);
	return code;
}

static enum err_code
unhog(struct failover *f, struct err *err)
{
	(void)f;
	(void)err;
	for (int i = 0; i < HOGS; i++) {
		if (hogs[i] > 0) {
			kill(hogs[i], SIGKILL);
			waitpid(hogs[i], NULL, 0);
		}
		hogs[i] = 0;
	}
	return ERR_OK;
}

/* --- clocks ------------------------------------------------------------------------------ */

static enum err_code
set_ahead(struct failover *f, struct err *err)
{
	(void)err;
	arena_signal(f->arena, f->leader, DRILL_AHEAD);
	return ERR_OK;
}

static enum err_code
set_behind(struct failover *f, struct err *err)
{
	(void)err;
	arena_signal(f->arena, f->leader, DRILL_BEHIND);
	return ERR_OK;
}

static enum err_code
set_right(struct failover *f, struct err *err)
{
	(void)err;
	arena_signal(f->arena, f->leader, DRILL_RIGHT);
	return ERR_OK;
}

/* The next leader's clock is an hour behind the one that just set its epoch by it. */
static enum err_code
set_ahead_and_kill(struct failover *f, struct err *err)
{
	(void)err;
	arena_signal(f->arena, f->standby, DRILL_AHEAD);
	arena_signal(f->arena, f->leader, SIGKILL);
	return ERR_OK;
}

static enum err_code
right_and_renew(struct failover *f, struct err *err)
{
	arena_signal(f->arena, f->standby, DRILL_RIGHT);
	arena_reap(f->arena, f->leader);
	return arena_start(f->arena, f->leader, err);
}

#define CHAOS .chaos = true
const struct fault chaos_faults[] = {
	{ "nats-stop", "a NATS node is frozen", FAULT_KEEPS, .cluster = true, CHAOS, .inject = freeze_node, .heal = thaw_node },
	{ "nats-term", "a NATS node ends in an orderly way", FAULT_KEEPS, .cluster = true, CHAOS, .inject = end_node, .heal = start_node },
	{ "nats-wipe", "a NATS node is killed and loses its data", FAULT_KEEPS, .cluster = true, CHAOS,
	    .inject = empty_node, .heal = start_node },
	{ "leaders-nats", "the NATS node that the leader is connected to is killed", FAULT_EITHER, .cluster = true, CHAOS,
	    .inject = kill_leaders_node, .heal = start_leaders_node },
	{ "standby", "a standby is killed", FAULT_KEEPS, CHAOS, .inject = kill_standby, .heal = renew_standby },
	{ "standby-term", "a standby ends", FAULT_KEEPS, CHAOS, .inject = end_standby, .heal = renew_standby },
	{ "standby-stop", "a standby is frozen", FAULT_KEEPS, CHAOS, .inject = stop_standby, .heal = continue_standby },
	{ "two", "leader and a standby are killed", FAULT_CHANGES, CHAOS, .inject = kill_two, .heal = renew_two },
	{ "cut-one", "the leader is cut off from one node", FAULT_KEEPS, .cluster = true, .proxied = true, CHAOS,
	    .inject = cut_one, .heal = join },
	{ "cut-two", "the leader is cut off from two of three nodes", FAULT_CHANGES, .cluster = true, .proxied = true, CHAOS,
	    .inject = cut_two, .heal = join },
	{ "cut-up", "nothing of the leader gets through", FAULT_CHANGES, .proxied = true, CHAOS, .inject = cut_up, .heal = join },
	{ "cut-down", "nothing gets through to the leader", FAULT_CHANGES, .proxied = true, CHAOS, .inject = cut_down, .heal = join },
	{ "delay", "everything to and from the leader is late", FAULT_EITHER, .proxied = true, CHAOS, .inject = delay, .heal = undelay },
	{ "late-acks", "acknowledgements to the leader are late, then nothing of it gets through", FAULT_EITHER, .proxied = true, CHAOS,
	    .inject = late_then_cut, .heal = join_in_time },
	{ "confusion", "what the standbys see is late by chance, and the leader is killed", FAULT_CHANGES, .proxied = true, CHAOS,
	    .inject = confuse_standbys, .heal = clear_up },
	{ "deaf", "the standbys hear nothing more, though their links look up", FAULT_KEEPS, .proxied = true, CHAOS,
	    .inject = deafen_standbys, .heal = undeafen },
	{ "reset", "every connection of the leader is reset", FAULT_EITHER, .proxied = true, CHAOS, .inject = reset_all, .heal = nothing },
	{ "truncate", "one stream of the leader ends in the middle", FAULT_EITHER, .proxied = true, CHAOS,
	    .inject = truncate_one, .heal = nothing },
	{ "hog", "eight programs want the processor for themselves", FAULT_EITHER, CHAOS, .inject = hog, .heal = unhog },
	{ "clock-ahead", "the leader's wall clock is set an hour ahead, then right", FAULT_KEEPS, CHAOS, .inject = set_ahead, .heal = set_right },
	{ "clock-behind", "the leader's wall clock is set an hour back, then right", FAULT_KEEPS, CHAOS, .inject = set_behind, .heal = set_right },
	{ "clock-and-kill", "a standby's wall clock is set an hour ahead, and the leader is killed", FAULT_CHANGES, CHAOS,
	    .inject = set_ahead_and_kill, .heal = right_and_renew },
	{ .name = NULL },
};
