/* healthcheck.h - one GET of a health route, for images without a shell (conventions.md §4). */
#ifndef APP_HEALTHCHECK_H
#define APP_HEALTHCHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct healthcheck {
	int status;			/* of the answer */
	char text[400];			/* its first line */
};

/* healthcheck(url, timeout_ns, out, err): "http://ADDR:PORT[/PATH]", of which ADDR is numeric or localhost; without a path
 * /readyz.  ERR_USAGE: no such URL.  ERR_UNAVAILABLE, ERR_TIMEOUT: no answer; ERR_CORRUPT: none of HTTP.  Any
 * status is an answer.  Blocks; makes a loop of its own. */
enum err_code healthcheck(const char *url, int64_t timeout_ns, struct healthcheck *out, struct err *err);

#endif
