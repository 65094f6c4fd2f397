/* guardian.h - the second process: parent of the wrapped program, its last resort.
 *
 * The wrapper can be killed or stopped at any moment; what it wraps must not survive it.
 * So the program's parent is a guardian, a small single-threaded process of this same
 * binary: a child subreaper, deaf to signals, that does nothing but start the program,
 * pass signals on, report the exit and, when the wrapper's end of their socket closes,
 * kill everything below itself until nothing is left.  One guardian per run.
 *
 *	wrapper  --SIGNAL n, KILL-->  guardian  --fork-->  program --> its descendants
 *	         <--STARTED, FAILED, EXITED, EMPTY, LAPSED--
 *	         --page: gate word, turns, eases-->
 *
 * Under a lease (guardian_opts.terms) it also reads the gate word and acts on it alone: D/4
 * before the end it warns the program, at the end it kills everything, within the kill window
 * of election.md §3.3, whatever has become of the wrapper.  It kills a wrapper that hangs.
 *
 * If the guardian dies first, the kernel kills the program (PDEATHSIG), everything else
 * falls to the wrapper (subreaper too), which kills and reaps it and reports LOST.
 *
 * This side (struct guardian) belongs to the loop's thread and never blocks. */
#ifndef RUNNER_GUARDIAN_H
#define RUNNER_GUARDIAN_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "runner/tether.h"
#include "sys/loop.h"

/* The hidden verb: main calls it when argv[1] is GUARDIAN_VERB, before it has made any
 * thread; does not return. */
#define GUARDIAN_VERB "__guardian"
_Noreturn void guardian_main(int argc, char **argv);

struct guardian;

enum guardian_event_kind {
	GUARDIAN_STARTED,	/* pid: the program's, and its process group */
	GUARDIAN_FAILED,	/* code, text: it could not be executed; nothing runs, the last event */
	GUARDIAN_EXITED,	/* wstatus: the program ended; descendants may live on */
	GUARDIAN_EMPTY,		/* nothing of the run is left; the last event */
	GUARDIAN_LOST,		/* the guardian died; nothing of the run is left; the last event */
	GUARDIAN_LAPSED,	/* the lease ran low: the program was warned or killed; may come before STARTED
				   or FAILED, and twice */
};

struct guardian_event {
	enum guardian_event_kind kind;
	pid_t pid;
	int wstatus;
	enum err_code code;		/* ERR_NO_COMMAND, ERR_NOT_EXECUTABLE, ERR_WRAPPER */
	const char *text;		/* valid during the callback */
};

struct guardian_opts {
	const char *const *argv;
	char *const *env;		/* NULL: this process's */
	int in, out, err;		/* the program's 0, 1, 2; -1 = those of this process */
	int ready_fd;			/* a descriptor of ours for the program, -1 = none … */
	int ready_number;		/* … and the number that it has there, 3 or more */
	struct tether_terms terms;	/* of the lease under which it runs; without a tether: none */
	void (*event)(void *arg, const struct guardian_event *e);
	void *arg;
};

/* guardian_new(loop, o, err): starts a guardian, which starts the program.  Everything in
 * o is only read during the call; the descriptors stay the caller's, who closes its copies.
 * sys/reaper must have been started on this loop.  NULL when no process or descriptor is to
 * be had; then no event follows.  Events come from the loop, never from within this call. */
struct guardian *guardian_new(struct loop *loop, const struct guardian_opts *o, struct err *err);

/* guardian_free(g): NULL is fine.  After a last event: just memory; fine from its callback.
 * Before: the guardian is let go, kills everything at once and ends by itself. */
void guardian_free(struct guardian *g);

/* guardian_signal(g, signo): to the program's whole process group.  ERR_BUSY when the
 * guardian does not take orders (it is stopped or swamped). */
enum err_code guardian_signal(struct guardian *g, int signo);

/* guardian_kill(g): KILL to the group and to all descendants, repeated until none is left.
 * A guardian that does not take the order is killed itself, which ends in LOST. */
void guardian_kill(struct guardian *g);

/* guardian_kill_hard(g): the guardian ignores us: kill it, and let the wrapper do the rest. */
void guardian_kill_hard(struct guardian *g);

pid_t guardian_pid(const struct guardian *g);		/* the guardian's own */
uint64_t guardian_reaped(const struct guardian *g);	/* orphans that it collected, as of the last event */

#endif
