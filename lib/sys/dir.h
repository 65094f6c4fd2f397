/* dir.h - directories that we make and remove as a whole. */
#ifndef SYS_DIR_H
#define SYS_DIR_H

#include "base/err.h"

/* dir_make(path, err): mkdir -p, for this user alone (0700).  ERR_CONFIG names the part that
 * failed.  Nothing is undone then. */
enum err_code dir_make(const char *path, struct err *err);

/* dir_remove(path, err): rm -r, without following links; fine when there is none. */
enum err_code dir_remove(const char *path, struct err *err);

#endif
