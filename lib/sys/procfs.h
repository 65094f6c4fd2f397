/* procfs.h - what /proc tells about processes. */
#ifndef SYS_PROCFS_H
#define SYS_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* procfs_descendants(root, out, max): pids of every living process below root, also those
 * that left its group or session, parents before children; returns how many were found,
 * at most max.  Zombies are left out.  A snapshot: callers repeat until nothing is found. */
size_t procfs_descendants(pid_t root, pid_t *out, size_t max);

/* procfs_stands_still(pid): whether each of its threads has stopped.  SIGSTOP is only sent when kill
 * returns; on a busy machine a process goes on for many milliseconds.  True for one that is gone. */
bool procfs_stands_still(pid_t pid);

#endif
