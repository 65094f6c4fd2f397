/* dir.c - mkdir -p and rm -r. */
#include "sys/dir.h"

#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define OPEN_AT_ONCE 16

enum err_code
dir_make(const char *path, struct err *err)
{
	char *p = mem_text(path);
	enum err_code code = ERR_OK;

	for (char *at = p + 1; code == ERR_OK; at++) {
		char was = *at;
		if (was != '/' && was != '\0')
			continue;
		*at = '\0';
		if (mkdir(p, 0700) != 0 && errno != EEXIST)
			code = err_errno(err, ERR_CONFIG, errno, "directory '%s'", p);
		*at = was;
		if (was == '\0')
			break;
	}
	mem_free(p);
	return code;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

enum err_code
dir_remove(const char *path, struct err *err)
{
	if (access(path, F_OK) != 0)
		return ERR_OK;
	if (nftw(path, remove_one, OPEN_AT_ONCE, FTW_DEPTH | FTW_PHYS) != 0)
		return err_errno(err, ERR_CONFIG, errno, "directory '%s' cannot be removed", path);
	return ERR_OK;
}
