/* nemesis_work.c - the faults of chaos that hit the program under the lease and its guardian, alone and together with
 * their member.  However they fall, the program is dead before another member leads.
 *
 * Not here: member and guardian frozen while the program goes on.  Nobody is left who could end it; what it
 * does is refused by whoever checks the epoch. */
#include <signal.h>

#include "bench/failover_inner.h"

static enum err_code
nothing(struct failover *f, struct err *err)
{
	(void)f;
	(void)err;
	return ERR_OK;
}

/* hit: each gets its signal, if it gets one: who is to be frozen before whoever would notice. */
static enum err_code
hit(struct failover *f, int work, int guardian, int member, struct err *err)
{
	const struct drill_state *s = arena_state(f->arena, f->leader);

	if (s == NULL || s->work <= 0 || s->guardian <= 0)
		return err_set(err, ERR_HANDLER, "the leader runs no program that could be hit");
	f->work = s->work;
	f->guardian = s->guardian;
	if (work != 0)
		kill(s->work, work);
	if (guardian != 0)
		kill(s->guardian, guardian);
	if (member != 0)
		arena_signal(f->arena, f->leader, member);
	return ERR_OK;
}

static enum err_code
kill_guardian(struct failover *f, struct err *err)
{
	return hit(f, 0, SIGKILL, 0, err);
}

static enum err_code
stop_guardian(struct failover *f, struct err *err)
{
	return hit(f, 0, SIGSTOP, 0, err);
}

static enum err_code
kill_guardian_and_leader(struct failover *f, struct err *err)
{
	return hit(f, 0, SIGKILL, SIGKILL, err);
}

/* The kernel lets a stopped guardian go on when its group is orphaned. */
static enum err_code
stop_guardian_kill_leader(struct failover *f, struct err *err)
{
	return hit(f, 0, SIGSTOP, SIGKILL, err);
}

static enum err_code
kill_guardian_stop_leader(struct failover *f, struct err *err)
{
	return hit(f, 0, SIGKILL, SIGSTOP, err);
}

static enum err_code
stop_work(struct failover *f, struct err *err)
{
	return hit(f, SIGSTOP, 0, 0, err);
}

static enum err_code
stop_work_and_leader(struct failover *f, struct err *err)
{
	return hit(f, SIGSTOP, 0, SIGSTOP, err);
}

static enum err_code
kill_work_and_leader(struct failover *f, struct err *err)
{
	return hit(f, SIGKILL, 0, SIGKILL, err);
}

static enum err_code
freeze_group(struct failover *f, struct err *err)
{
	return hit(f, SIGSTOP, SIGSTOP, SIGSTOP, err);
}

/* Five seconds are beyond every time-out of the election, and below what kills a wrapper that hangs. */
static enum err_code
stop_leader_for_long(struct failover *f, struct err *err)
{
	enum err_code code = hit(f, 0, 0, SIGSTOP, err);

	arena_pause(f->arena, 5 * NS_PER_S);
	return code;
}

static enum err_code
renew_leader(struct failover *f, struct err *err)
{
	arena_reap(f->arena, f->leader);
	return arena_start(f->arena, f->leader, err);
}

static enum err_code
continue_leader(struct failover *f, struct err *err)
{
	(void)err;
	arena_signal(f->arena, f->leader, SIGCONT);
	return ERR_OK;
}

static enum err_code
continue_guardian(struct failover *f, struct err *err)
{
	(void)err;
	if (f->guardian > 0)
		kill(f->guardian, SIGCONT);
	return ERR_OK;
}

static enum err_code
continue_work(struct failover *f, struct err *err)
{
	(void)err;
	if (f->work > 0)
		kill(f->work, SIGCONT);
	return ERR_OK;
}

/* The program first: what it does before its guardian runs again is what has to be harmless. */
static enum err_code
thaw_group(struct failover *f, struct err *err)
{
	continue_work(f, err);
	continue_guardian(f, err);
	return continue_leader(f, err);
}

#define WORK .work = true, .chaos = true
const struct fault work_faults[] = {
	{ "guardian", "the guardian of the leader's program is killed", FAULT_CHANGES, WORK, .inject = kill_guardian, .heal = nothing },
	{ "guardian-stop", "the guardian of the leader's program is frozen", FAULT_KEEPS, WORK,
	    .inject = stop_guardian, .heal = continue_guardian },
	{ "guardian+leader", "leader and guardian are killed", FAULT_CHANGES, WORK,
	    .inject = kill_guardian_and_leader, .heal = renew_leader },
	{ "leader-alone", "the leader is killed while its guardian is frozen", FAULT_CHANGES, WORK,
	    .inject = stop_guardian_kill_leader, .heal = renew_leader },
	{ "stop-alone", "the leader is frozen, and its guardian is killed", FAULT_CHANGES, WORK,
	    .inject = kill_guardian_stop_leader, .heal = continue_leader },
	{ "stop-long", "the leader is frozen for 5 s, its guardian is not", FAULT_CHANGES, WORK,
	    .inject = stop_leader_for_long, .heal = continue_leader },
	{ "stop-work", "leader and program are frozen, the guardian is not", FAULT_CHANGES, WORK,
	    .inject = stop_work_and_leader, .heal = continue_leader },
	{ "freeze-group", "leader, guardian and program are frozen, and thaw", FAULT_CHANGES, WORK,
	    .inject = freeze_group, .heal = thaw_group },
	{ "work-stop", "the program under the lease is frozen", FAULT_KEEPS, WORK, .inject = stop_work, .heal = continue_work },
	{ "work+leader", "leader and program are killed", FAULT_CHANGES, WORK, .inject = kill_work_and_leader, .heal = renew_leader },
	{ .name = NULL },
};
