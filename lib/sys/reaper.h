/* reaper.h - the end of every child of this process: its own, and those it adopted.
 *
 * A wrapper is a child subreaper and may be PID 1, so processes that it never started
 * become its children.  Reaping them all is one job for one place, as whoever else waited
 * for "any child" would take away somebody's exit code.  Own children are watched by pid;
 * whatever else ends is an orphan, collected and counted.
 *
 * The table is process-wide, because children are.  Everything belongs to the thread of
 * the loop that reaper_start was given; nothing blocks. */
#ifndef SYS_REAPER_H
#define SYS_REAPER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "sys/loop.h"

/* reaper_start(l, err): this process becomes a child subreaper and SIGCHLD (blocked by the
 * caller in every thread) arrives on l.  Counted: the last reaper_stop gives the signal
 * back.  All calls name the same loop. */
enum err_code reaper_start(struct loop *l, struct err *err);
void reaper_stop(struct loop *l);

/* reaper_watch(w, pid, ended, arg): pid is a child of ours; ended(arg, wstatus) is called
 * once it has ended and was reaped.  Call it in the same turn as the spawn.  w is the
 * caller's and must stay until then or until reaper_unwatch. */
struct reaper_watch {
	struct reaper_watch *next;
	pid_t pid;
	void (*ended)(void *arg, int wstatus);
	void *arg;
};
void reaper_watch(struct reaper_watch *w, pid_t pid, void (*ended)(void *arg, int wstatus), void *arg);

/* reaper_unwatch(w): fine when it is not watched.  The child is reaped as an orphan once
 * it ends, but not killed as one while it lives. */
void reaper_unwatch(struct reaper_watch *w);

/* reaper_keep(pid), reaper_release(pid): a child of ours whose owner waits for it himself:
 * neither reaped nor taken for an orphan in between. */
void reaper_keep(pid_t pid);
void reaper_release(pid_t pid);

/* reaper_kill_adopted(): KILL to every adopted child and everything below it; returns how
 * many lived.  A snapshot: repeat until it returns 0. */
size_t reaper_kill_adopted(void);

uint64_t reaper_orphans(void);		/* collected since the process began */

#endif
