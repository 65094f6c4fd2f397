/* manage_folder.h - the page from a folder instead of the program (--ui-dir): for who works on it.
 *
 * The folder is what assets/ui/build.mjs makes: index.html, and assets/ beside it. */
#ifndef API_MANAGE_FOLDER_H
#define API_MANAGE_FOLDER_H

#include "base/err.h"
#include "base/str.h"

/* folder_check(dir, err): ERR_CONFIG unless it has an index.html that can be read. */
enum err_code folder_check(const char *dir, struct err *err);

/* folder_read(dir, sub, name, type, out, err): the file `name` of the folder, or of the folder sub in it unless that is
 * NULL, in out, which is empty, and its media type.  A name is one plain name, and no link is followed behind
 * dir: nothing beyond it is ever read.  ERR_NOT_FOUND for everything else, also for what is no file of
 * a page or has more than 8 MiB.  Blocks for the disk. */
enum err_code folder_read(const char *dir, const char *sub, const char *name, const char **type, struct str *out,
    struct err *err);

#endif
