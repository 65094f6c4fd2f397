/* workload_file.h - inside lib/app: a file that the wrapped program finds its own keys in (AEGIS_CONFIG_FILE).
 *
 * It lies in a directory that only its user can enter, and is replaced as a whole, so that a reader sees the
 * old keys or the new ones.  A lock on the directory says that its wrapper lives; what killed ones left behind
 * the next one removes. */
#ifndef APP_WORKLOAD_FILE_H
#define APP_WORKLOAD_FILE_H

#include "base/err.h"

struct workload_file;

/* workload_file_new(below, err): makes the directory below that one, and in it the file, which says "{}". */
struct workload_file *workload_file_new(const char *below, struct err *err);
const char *workload_file_path(const struct workload_file *f);

/* workload_file_write(f, json, err): writes a line; on failure the old one stays. */
enum err_code workload_file_write(struct workload_file *f, const char *json, struct err *err);

/* workload_file_free(f): removes both.  NULL is fine. */
void workload_file_free(struct workload_file *f);

#endif
