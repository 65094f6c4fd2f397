/* folder.h - a folder of one test program's own, which its scripts know as $D, a loop, and the
 * processes that hide: what tests of wrapped programs share.
 *
 * A program calls folder_make in its group's set-up, folder_clean before each test, and
 * folder_remove at the end. */
#ifndef SUPPORT_FOLDER_H
#define SUPPORT_FOLDER_H

#include "sys/procfs.h"
#include "until.h"

static char dir[32];
static struct loop *loop;

static inline char *
in_dir(const char *name)
{
	static char path[8][128];
	static unsigned n;

	snprintf(path[++n % 8], sizeof path[0], "%s/%s", dir, name);
	return path[n % 8];
}

static inline void
touch(const char *name)
{
	close(open(in_dir(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static inline bool
has_pid(void *name)
{
	return read_pid(in_dir(name)) != 0;
}

/* pid_in: waits for the file that a script writes its pid to. */
static inline pid_t
pid_in(const char *name)
{
	if (!until(loop, has_pid, (void *)(uintptr_t)name))
		fail_msg("no %s", in_dir(name));
	return read_pid(in_dir(name));
}

static inline bool
is_dead(void *pid)
{
	return !is_alive(*(pid_t *)pid);
}

/* Hides as well as a process can: own session, deaf to everything it can be deaf to. */
#define HIDDEN "setsid sh -c 'trap \"\" TERM INT HUP; echo $$ >$D/hidden.tmp; mv $D/hidden.tmp $D/hidden; " \
    "while :; do sleep 0.05; done' </dev/null >/dev/null 2>&1 & "

static inline int
folder_clean(void **state)
{
	(void)state;
	empty_dir(dir);
	return 0;
}

static inline bool
no_child_is_left(void *arg)
{
	pid_t left[8];

	(void)arg;
	return procfs_descendants(getpid(), left, 8) == 0;
}

/* folder_make: the folder and the loop; 0, as cmocka wants it, when they are there. */
static inline int
folder_make(const char *program)
{
	snprintf(dir, sizeof dir, "/tmp/%s.XXXXXX", program);
	if (mkdtemp(dir) == NULL)
		return 1;
	setenv("D", dir, 1);
	loop = loop_new(clock_system(), 16, NULL);
	return loop == NULL;
}

/* folder_remove: also guardians that were let go must have ended by now. */
static inline int
folder_remove(void **state)
{
	bool empty = until(loop, no_child_is_left, NULL);

	folder_clean(state);
	loop_free(loop);
	return rmdir(dir) != 0 || !empty;
}

#endif
