/* workload_file.c - one small file, replaced by rename. */
#include "app/workload_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/dir.h"

#define PREFIX "aegis-config-"
#define NAME "config.json"

struct workload_file {
	char *directory, *path, *next;
	int lock;			/* the directory, held as long as we live; not the program's */
};

/* sweep: a directory of ours that nobody holds belongs to a wrapper that was killed. */
static void
sweep(const char *below)
{
	DIR *d = opendir(below);

	if (d == NULL)
		return;
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		struct stat st;
		if (strncmp(e->d_name, PREFIX, sizeof PREFIX - 1) != 0 ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
			continue;
		int fd = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		/* One that is empty may be about to be locked. */
		if (fd >= 0 && faccessat(fd, NAME, F_OK, 0) == 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
			unlinkat(fd, NAME, 0);
			unlinkat(fd, NAME ".new", 0);
			unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
		}
		if (fd >= 0)
			close(fd);
	}
	closedir(d);
}

struct workload_file *
workload_file_new(const char *below, struct err *err)
{
	struct workload_file *f = mem_new(sizeof *f);

	sweep(below);
	f->lock = -1;
	f->directory = mem_printf("%s/" PREFIX "XXXXXX", below);
	if (mkdtemp(f->directory) == NULL) {
		err_errno(err, ERR_CONFIG, errno, "the file of the program's settings needs a directory '%s'; set XDG_RUNTIME_DIR or TMPDIR "
		    "to one where it may be made", f->directory);
		mem_free(f->directory);
		mem_free(f);
		return NULL;
	}
	f->path = mem_printf("%s/" NAME, f->directory);
	f->next = mem_printf("%s.new", f->path);
	f->lock = open(f->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->lock >= 0 && flock(f->lock, LOCK_EX | LOCK_NB) == 0 && workload_file_write(f, "{}", err) == ERR_OK)
		return f;
	if (f->lock < 0)
		err_errno(err, ERR_CONFIG, errno, "'%s' cannot be opened", f->directory);
	workload_file_free(f);
	return NULL;
}

const char *
workload_file_path(const struct workload_file *f)
{
	return f->path;
}

enum err_code
workload_file_write(struct workload_file *f, const char *json, struct err *err)
{
	int fd = open(f->next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char *line = mem_printf("%s\n", json);
	size_t n = strlen(line);
	bool good = fd >= 0 && write(fd, line, n) == (ssize_t)n;

	mem_free(line);
	if (fd >= 0 && close(fd) != 0)
		good = false;
	if (good && rename(f->next, f->path) == 0)
		return ERR_OK;
	err_errno(err, ERR_SYSTEM, errno, "'%s' cannot be written", f->path);
	unlink(f->next);
	return ERR_SYSTEM;
}

void
workload_file_free(struct workload_file *f)
{
	if (f == NULL)
		return;
	dir_remove(f->directory, NULL);
	if (f->lock >= 0)
		close(f->lock);
	mem_free(f->directory);
	mem_free(f->path);
	mem_free(f->next);
	mem_free(f);
}
