/* nemesis.c - the faults of chaos: everything that may happen to a member, a link or a node without
 * being worth a figure of its own. */
#include <signal.h>
#include <sys/wait.h>

#include "bench/failover_inner.h"
#include "sys/child.h"

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

/* --- what may happen ----------------------------------------------------------------------- */

#define CHAOS .chaos = true
const struct fault chaos_faults[] = {
	{ "nats-stop", "a NATS node is frozen", FAULT_KEEPS, .cluster = true, CHAOS,
	    .does = ACTS(NODE_FREEZE(ACT_OTHER)), .undoes = ACTS(NODE_THAW(ACT_OTHER)) },
	{ "nats-term", "a NATS node ends in an orderly way", FAULT_KEEPS, .cluster = true, CHAOS,
	    .does = ACTS(NODE_END(ACT_OTHER, SIGTERM)), .undoes = ACTS(NODE_START(ACT_OTHER)) },
	/* It comes back with an empty register, which a live group repairs (R6). */
	{ "nats-wipe", "a NATS node is killed and loses its data", FAULT_KEEPS, .cluster = true, CHAOS,
	    .does = ACTS(NODE_END(ACT_OTHER, SIGKILL), NODE_WIPE(ACT_OTHER)), .undoes = ACTS(NODE_START(ACT_OTHER)) },
	{ "leaders-nats", "the NATS node that the leader is connected to is killed", FAULT_EITHER, .cluster = true, CHAOS,
	    .does = ACTS(NODE_END(ACT_ITS, SIGKILL)), .undoes = ACTS(NODE_START(ACT_ITS)) },
	{ "standby", "a standby is killed", FAULT_KEEPS, CHAOS,
	    .does = ACTS(SIGNAL(ACT_STANDBY, SIGKILL)), .undoes = ACTS(RENEW(ACT_STANDBY)) },
	{ "standby-term", "a standby ends", FAULT_KEEPS, CHAOS,
	    .does = ACTS(SIGNAL(ACT_STANDBY, SIGTERM)), .undoes = ACTS(RENEW(ACT_STANDBY)) },
	{ "standby-stop", "a standby is frozen", FAULT_KEEPS, CHAOS,
	    .does = ACTS(SIGNAL(ACT_STANDBY, SIGSTOP)), .undoes = ACTS(SIGNAL(ACT_STANDBY, SIGCONT)) },
	{ "two", "leader and a standby are killed", FAULT_CHANGES, CHAOS,
	    .does = ACTS(SIGNAL(ACT_LEADER, SIGKILL), SIGNAL(ACT_STANDBY, SIGKILL)),
	    .undoes = ACTS(RENEW(ACT_LEADER), RENEW(ACT_STANDBY)) },
	{ "cut-one", "the leader is cut off from one node", FAULT_KEEPS, .cluster = true, .proxied = true, CHAOS,
	    .does = ACTS(CUT(ACT_LEADER, ACT_OTHER, PROXY_BOTH)), .undoes = ACTS(JOIN(ACT_LEADER)) },
	{ "cut-two", "the leader is cut off from two of three nodes", FAULT_CHANGES, .cluster = true, .proxied = true, CHAOS,
	    .does = ACTS(CUT(ACT_LEADER, ACT_ITS, PROXY_BOTH), CUT(ACT_LEADER, ACT_OTHER, PROXY_BOTH)), .undoes = ACTS(JOIN(ACT_LEADER)) },
	{ "cut-up", "nothing of the leader gets through", FAULT_CHANGES, .proxied = true, CHAOS,
	    .does = ACTS(CUT(ACT_LEADER, ACT_NODES, PROXY_UP)), .undoes = ACTS(JOIN(ACT_LEADER)) },
	{ "cut-down", "nothing gets through to the leader", FAULT_CHANGES, .proxied = true, CHAOS,
	    .does = ACTS(CUT(ACT_LEADER, ACT_NODES, PROXY_DOWN)), .undoes = ACTS(JOIN(ACT_LEADER)) },
	{ "delay", "everything to and from the leader is late", FAULT_EITHER, .proxied = true, CHAOS,
	    .does = ACTS(LATE(ACT_LEADER, PROXY_BOTH, 0, 150)), .undoes = ACTS(IN_TIME(ACT_LEADER)) },	/* by up to 2D */
	/* Acknowledgements are late by half an L, then nothing of the leader gets through: who counted its lease from the
	 * acknowledgement would believe in it for longer than others wait.  In steps, so that the lease is not lost on the
	 * way: each is less than D - g - P. */
	{ "late-acks", "acknowledgements to the leader are late, then nothing of it gets through", FAULT_EITHER, .proxied = true, CHAOS,
	    .does = ACTS(LATE(ACT_LEADER, PROXY_DOWN, 30, 30), PAUSE, LATE(ACT_LEADER, PROXY_DOWN, 55, 55), PAUSE,
		CUT(ACT_LEADER, ACT_NODES, PROXY_UP)), .undoes = ACTS(IN_TIME(ACT_LEADER), JOIN(ACT_LEADER)) },
	/* Each standby may believe to be the first. */
	{ "confusion", "what the standbys see is late by chance, and the leader is killed", FAULT_CHANGES, .proxied = true, CHAOS,
	    .does = ACTS(LATE(ACT_STANDBYS, PROXY_DOWN, 0, 50), PAUSE, SIGNAL(ACT_LEADER, SIGKILL)),
	    .undoes = ACTS(IN_TIME(ACT_MEMBERS), RENEW(ACT_LEADER)) },
	/* They must not overwrite a leader that goes on. */
	{ "deaf", "the standbys hear nothing more, though their links look up", FAULT_KEEPS, .proxied = true, CHAOS,
	    .does = ACTS(CUT(ACT_STANDBYS, ACT_NODES, PROXY_DOWN)), .undoes = ACTS(JOIN(ACT_MEMBERS)) },
	{ "reset", "every connection of the leader is reset", FAULT_EITHER, .proxied = true, CHAOS, .does = ACTS(RESET(ACT_LEADER)) },
	{ "truncate", "one stream of the leader ends in the middle", FAULT_EITHER, .proxied = true, CHAOS, .inject = truncate_one },
	{ "hog", "eight programs want the processor for themselves", FAULT_EITHER, CHAOS, .inject = hog, .heal = unhog },
	{ "clock-ahead", "the leader's wall clock is set an hour ahead, then right", FAULT_KEEPS, CHAOS,
	    .does = ACTS(SIGNAL(ACT_LEADER, DRILL_AHEAD)), .undoes = ACTS(SIGNAL(ACT_LEADER, DRILL_RIGHT)) },
	{ "clock-behind", "the leader's wall clock is set an hour back, then right", FAULT_KEEPS, CHAOS,
	    .does = ACTS(SIGNAL(ACT_LEADER, DRILL_BEHIND)), .undoes = ACTS(SIGNAL(ACT_LEADER, DRILL_RIGHT)) },
	/* The next leader's clock is an hour behind the one that just set its epoch by it. */
	{ "clock-and-kill", "a standby's wall clock is set an hour ahead, and the leader is killed", FAULT_CHANGES, CHAOS,
	    .does = ACTS(SIGNAL(ACT_STANDBY, DRILL_AHEAD), SIGNAL(ACT_LEADER, SIGKILL)),
	    .undoes = ACTS(SIGNAL(ACT_STANDBY, DRILL_RIGHT), RENEW(ACT_LEADER)) },
	{ .name = NULL },
};
