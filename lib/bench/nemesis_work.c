/* nemesis_work.c - the faults of chaos that hit the program under the lease and its guardian, alone and together with
 * their member.  However they fall, the program is dead before another member leads.
 *
 * Not here: member and guardian frozen while the program goes on.  Nobody is left who could end it; what it
 * does is refused by whoever checks the epoch. */
#include "bench/failover_inner.h"

#define WORK .work = true, .chaos = true
const struct fault work_faults[] = {
	{ "work-term", "the program under the lease ends", FAULT_CHANGES, WORK, .does = ACTS(SIGNAL(ACT_WORK, SIGTERM)) },
	{ "work-stop", "the program under the lease is frozen", FAULT_KEEPS, WORK,
	    .does = ACTS(SIGNAL(ACT_WORK, SIGSTOP)), .undoes = ACTS(SIGNAL(ACT_WORK, SIGCONT)) },
	{ "work+leader", "leader and program are killed", FAULT_CHANGES, WORK,
	    .does = ACTS(SIGNAL(ACT_WORK, SIGKILL), SIGNAL(ACT_LEADER, SIGKILL)), .undoes = ACTS(RENEW(ACT_LEADER)) },
	{ "guardian", "the guardian of the leader's program is killed", FAULT_CHANGES, WORK, .does = ACTS(SIGNAL(ACT_GUARDIAN, SIGKILL)) },
	/* It is deaf to all that can be ignored. */
	{ "guardian-term", "the guardian of the leader's program is asked to end", FAULT_KEEPS, WORK,
	    .does = ACTS(SIGNAL(ACT_GUARDIAN, SIGTERM)) },
	{ "guardian-stop", "the guardian of the leader's program is frozen", FAULT_KEEPS, WORK,
	    .does = ACTS(SIGNAL(ACT_GUARDIAN, SIGSTOP)), .undoes = ACTS(SIGNAL(ACT_GUARDIAN, SIGCONT)) },
	{ "guardian+leader", "leader and guardian are killed", FAULT_CHANGES, WORK,
	    .does = ACTS(SIGNAL(ACT_GUARDIAN, SIGKILL), SIGNAL(ACT_LEADER, SIGKILL)), .undoes = ACTS(RENEW(ACT_LEADER)) },
	/* The kernel lets a stopped guardian go on when its group is orphaned. */
	{ "leader-alone", "the leader is killed while its guardian is frozen", FAULT_CHANGES, WORK,
	    .does = ACTS(SIGNAL(ACT_GUARDIAN, SIGSTOP), SIGNAL(ACT_LEADER, SIGKILL)), .undoes = ACTS(RENEW(ACT_LEADER)) },
	{ "stop-alone", "the leader is frozen, and its guardian is killed", FAULT_CHANGES, WORK,
	    .does = ACTS(SIGNAL(ACT_GUARDIAN, SIGKILL), SIGNAL(ACT_LEADER, SIGSTOP)), .undoes = ACTS(SIGNAL(ACT_LEADER, SIGCONT)) },
	/* Beyond every time-out of the election, and below what kills a wrapper that hangs. */
	{ "stop-long", "the leader is frozen for 5 s, its guardian is not", FAULT_CHANGES, WORK,
	    .does = ACTS(SIGNAL(ACT_LEADER, SIGSTOP), WAIT(5000)), .undoes = ACTS(SIGNAL(ACT_LEADER, SIGCONT)) },
	{ "stop-work", "leader and program are frozen, the guardian is not", FAULT_CHANGES, WORK,
	    .does = ACTS(SIGNAL(ACT_WORK, SIGSTOP), SIGNAL(ACT_LEADER, SIGSTOP)), .undoes = ACTS(SIGNAL(ACT_LEADER, SIGCONT)) },
	/* Thawed, the program comes first: what it does before its guardian runs again is what has to be harmless. */
	{ "freeze-group", "leader, guardian and program are frozen, and thaw", FAULT_CHANGES, WORK,
	    .does = ACTS(SIGNAL(ACT_WORK, SIGSTOP), SIGNAL(ACT_GUARDIAN, SIGSTOP), SIGNAL(ACT_LEADER, SIGSTOP)),
	    .undoes = ACTS(SIGNAL(ACT_WORK, SIGCONT), SIGNAL(ACT_GUARDIAN, SIGCONT), SIGNAL(ACT_LEADER, SIGCONT)) },
	{ .name = NULL },
};
