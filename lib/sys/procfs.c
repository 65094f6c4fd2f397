/* procfs.c - the tree of processes, breadth first, in the caller's array.
 *
 * The kernel lists children per thread in /proc/PID/task/TID/children when it was built
 * with CONFIG_PROC_CHILDREN; that touches our own subtree alone.  Elsewhere every
 * process of the machine is read once and the tree is put together from their parents. */
#include "sys/procfs.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* What /proc/PID/stat says; `is_alive` is false for zombies. */
struct stat_line {
	pid_t parent;
	bool is_alive;
};

static bool
stat_read(pid_t pid, struct stat_line *out)
{
	char path[48], line[1024], state;
	int parent, threads;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	if ((f = fopen(path, "re")) == NULL)
		return false;
	size_t n = fread(line, 1, sizeof line - 1, f);
	fclose(f);
	line[n] = '\0';
	/* The name stands in brackets and may hold anything, brackets included. */
	char *p = strrchr(line, ')');
	if (p == NULL || sscanf(p + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d",
	    &state, &parent, &threads) != 3)
		return false;
	out->parent = parent;
	/* A process whose first thread ended shows as Z too, but others of its threads run. */
	out->is_alive = (state != 'Z' || threads > 1) && state != 'X' && state != 'x';
	return true;
}

/* What was found so far.  It is the queue of the search at the same time: everything
 * before `done` has had its children looked up. */
struct found {
	pid_t *pid;
	size_t n, max, done;
};

static void
found_add(struct found *f, pid_t pid)
{
	/* A process whose parent ends while we look may show up below its grandparent too. */
	for (size_t i = 0; i < f->n; i++)
		if (f->pid[i] == pid)
			return;
	if (f->n < f->max)
		f->pid[f->n++] = pid;
}

static void
add_if_alive(struct found *f, pid_t pid)
{
	struct stat_line s;

	if (stat_read(pid, &s) && s.is_alive)
		found_add(f, pid);
}

static void
children_of_thread(struct found *f, pid_t pid, const char *tid)
{
	char path[80];
	int child;
	FILE *in;

	snprintf(path, sizeof path, "/proc/%d/task/%.20s/children", (int)pid, tid);
	if ((in = fopen(path, "re")) == NULL)
		return;
	while (fscanf(in, "%d", &child) == 1)
		add_if_alive(f, child);
	fclose(in);
}

static void
children_of(struct found *f, pid_t pid)
{
	char path[48];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	if ((d = opendir(path)) == NULL)
		return;		/* gone; its children are somebody else's now */
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			children_of_thread(f, pid, e->d_name);
	closedir(d);
}

static void
by_children(struct found *f, pid_t root)
{
	for (children_of(f, root); f->done < f->n; f->done++)
		children_of(f, f->pid[f->done]);
}

struct kin {
	pid_t pid, parent;
};

/* everybody: the living processes of the machine; the caller frees *v. */
static size_t
everybody(struct kin **v)
{
	size_t n = 0, cap = 0;
	struct stat_line s;
	struct dirent *e;
	DIR *d;

	*v = NULL;
	if ((d = opendir("/proc")) == NULL)
		return 0;
	while ((e = readdir(d)) != NULL) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		if (pid <= 0 || !stat_read(pid, &s) || !s.is_alive)
			continue;
		mem_grow(v, &cap, n + 1, sizeof **v);
		(*v)[n++] = (struct kin){ pid, s.parent };
	}
	closedir(d);
	return n;
}

static void
by_scan(struct found *f, pid_t root)
{
	struct kin *all;
	size_t n = everybody(&all);

	for (pid_t parent = root;; parent = f->pid[f->done++]) {
		for (size_t i = 0; i < n; i++)
			if (all[i].parent == parent)
				found_add(f, all[i].pid);
		if (f->done == f->n)
			break;
	}
	mem_free(all);
}

size_t
procfs_descendants(pid_t root, pid_t *out, size_t max)
{
	struct found f = { out, 0, max, 0 };

	if (access("/proc/thread-self/children", R_OK) == 0)
		by_children(&f, root);
	else
		by_scan(&f, root);
	return f.n;
}

/* thread_runs: whether it may execute anything; one that ended may not. */
static bool
thread_runs(pid_t pid, const char *tid)
{
	char path[80], line[1024];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/task/%.20s/stat", (int)pid, tid);
	if ((f = fopen(path, "re")) == NULL)
		return false;
	size_t n = fread(line, 1, sizeof line - 1, f);
	fclose(f);
	line[n] = '\0';
	const char *p = strrchr(line, ')');
	return p != NULL && p[1] != '\0' && strchr("TtZXx", p[2]) == NULL;
}

bool
procfs_stands_still(pid_t pid)
{
	char path[48];
	bool runs = false;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	if ((d = opendir(path)) == NULL)
		return true;
	while (!runs && (e = readdir(d)) != NULL)
		runs = e->d_name[0] != '.' && thread_runs(pid, e->d_name);
	closedir(d);
	return !runs;
}
