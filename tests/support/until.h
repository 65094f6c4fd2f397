/* until.h - turning a loop until something is the case, and looking after processes. */
#ifndef SUPPORT_UNTIL_H
#define SUPPORT_UNTIL_H

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/loop.h"

#define UNTIL_NS (60 * NS_PER_S)	/* far beyond what anything takes, even sanitized and loaded */

struct until {
	struct loop *loop;
	struct loop_timer timer;
	bool (*holds)(void *arg);
	void *arg;
	struct mono deadline;
	bool held;
};

static inline void
until_look(void *p)
{
	struct until *u = p;
	struct mono now = clock_mono(clock_system());

	u->held = u->holds(u->arg);
	if (u->held || mono_reached(now, u->deadline))
		loop_stop(u->loop);
	else
		loop_timer_set(u->loop, &u->timer, mono_after(now, NS_PER_MS), until_look, u);
}

/* until(loop, holds, arg): turns the loop until holds(arg); false when it never did. */
static inline bool
until(struct loop *l, bool (*holds)(void *arg), void *arg)
{
	struct until u = { .loop = l, .holds = holds, .arg = arg };

	u.deadline = mono_after(clock_mono(clock_system()), UNTIL_NS);
	loop_timer_set(l, &u.timer, clock_mono(clock_system()), until_look, &u);
	loop_run(l);
	return u.held;
}

/* for_a_while(loop, ns): turns it so long; for showing that something does not happen. */
static inline bool
until_never(void *arg)
{
	(void)arg;
	return false;
}

static inline void
for_a_while(struct loop *l, int64_t ns)
{
	struct until u = { .loop = l, .holds = until_never };

	u.deadline = mono_after(clock_mono(clock_system()), ns);
	loop_timer_set(l, &u.timer, clock_mono(clock_system()), until_look, &u);
	loop_run(l);
}

/* is_alive(pid): exists and is no zombie. */
static inline bool
is_alive(pid_t pid)
{
	char path[48], line[512], *p;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	if (pid <= 0 || (f = fopen(path, "re")) == NULL)
		return false;
	size_t n = fread(line, 1, sizeof line - 1, f);
	fclose(f);
	line[n] = '\0';
	p = strrchr(line, ')');
	return p != NULL && p[1] == ' ' && p[2] != 'Z' && p[2] != 'X';
}

/* read_pid(path): the number in a file, 0 when it is not there (yet). */
static inline pid_t
read_pid(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[32] = "";
	long pid;

	if (f == NULL)
		return 0;
	/* A line without its end is still being written. */
	char *got = fgets(line, sizeof line, f);
	fclose(f);
	pid = got != NULL && strchr(line, '\n') != NULL ? strtol(line, NULL, 10) : 0;
	return pid > 0 ? (pid_t)pid : 0;
}

/* empty_dir(path): removes the files in it. */
static inline void
empty_dir(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		closedir(d);
}

#endif
