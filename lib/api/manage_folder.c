/* manage_folder.c - files of a folder, and none beyond it. */
#include "api/manage_folder.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/magic.h"

#define FILE_MAX_BYTES (8 << 20)
#define READ 65536

static const struct { const char *ending, *type; } types[] = {
	{ ".html", "text/html; charset=utf-8" }, { ".js", "text/javascript; charset=utf-8" }, { ".css", "text/css; charset=utf-8" },
	{ ".svg", "image/svg+xml" }, { ".map", "application/json" },
};

static const char *
type_of(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < COUNT_OF(types); i++) {
		size_t e = strlen(types[i].ending);
		if (n > e && strcmp(name + n - e, types[i].ending) == 0)
			return types[i].type;
	}
	return NULL;
}

/* open_in: the file of that name; -1. */
static int
open_in(const char *dir, const char *sub, const char *name)
{
	int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), inner = at, fd;

	if (at == -1)
		return -1;
	if (sub != NULL) {
		inner = openat(at, sub, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(at);
	}
	if (inner == -1)
		return -1;
	fd = openat(inner, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	close(inner);
	return fd;
}

static bool
read_all(int fd, struct str *out)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX_BYTES)
		return false;
	while ((n = read(fd, str_room(out, READ), READ)) > 0 && out->len <= FILE_MAX_BYTES) {
		out->len += (size_t)n;
		str_end(out);
	}
	return n == 0;
}

enum err_code
folder_read(const char *dir, const char *sub, const char *name, const char **type, struct str *out, struct err *err)
{
	int fd = -1;

	*type = type_of(name);
	if (*type != NULL && name[0] != '.' && strchr(name, '/') == NULL)
		fd = open_in(dir, sub, name);
	if (fd != -1 && read_all(fd, out)) {
		close(fd);
		return ERR_OK;
	}
	if (fd != -1)
		close(fd);
	str_clear(out);
	return err_set(err, ERR_NOT_FOUND, "the folder of the page has no file '%.100s'", name);
}

enum err_code
folder_check(const char *dir, struct err *err)
{
	struct str text = STR_INIT;
	const char *type;
	enum err_code code = folder_read(dir, NULL, "index.html", &type, &text, NULL);

	str_release(&text);
	return code == ERR_OK ? ERR_OK : err_set(err, ERR_CONFIG, "--ui-dir: '%s' has no index.html that can be read; make one by "
	    "node assets/ui/build.mjs %s", dir, dir);
}
