/* drill_work.h - inside lib/app: the program that runs under a drill member's lease, with a guardian as any wrapped
 * program has (runner/guardian.h).
 *
 * The program does one thing: every 2 ms it writes into the history that it lives, so that the judge sees
 * one that outlives its lease, whatever has become of member and guardian. */
#ifndef APP_DRILL_WORK_H
#define APP_DRILL_WORK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "sys/gate.h"

struct drill_work;
struct loop;

/* The word behind DRILL_VERB that makes a process that program; drill_work_main does not return. */
#define DRILL_WORK_WORD "work"
_Noreturn void drill_work_main(int argc, char **argv);

struct drill_work_opts {
	struct loop *loop;
	const char *id, *history;	/* "-": it lives in silence; both outlive it */
	void (*gone)(void *arg);	/* nothing of it is left */
	void (*lapsed)(void *arg);	/* the guardian ended it, or is about to */
	void *arg;
};

/* drill_work_new(o, err): nothing runs yet.  It lives as long as the process. */
struct drill_work *drill_work_new(const struct drill_work_opts *o, struct err *err);
gate_word *drill_work_word(struct drill_work *w);	/* for the lease; guardians read it */

/* drill_work_start(w, nonce, epoch, lease_ns): unless it runs.  drill_work_kill(w): all of it, and at once. */
void drill_work_start(struct drill_work *w, const char *nonce, uint64_t epoch, int64_t lease_ns);
void drill_work_kill(struct drill_work *w);

bool drill_work_runs(const struct drill_work *w);
pid_t drill_work_pid(const struct drill_work *w);		/* the program's; 0: none yet */
pid_t drill_work_guardian(const struct drill_work *w);		/* 0: none */

#endif
