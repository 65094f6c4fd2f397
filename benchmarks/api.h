/* api.h - a `serve-api` that looks at many living instances, for the programs that measure it.
 *
 * The instances are real records that are written again every ten seconds, and beat as real ones do, so
 * that every answer is of a state a moment old.  One after the other; whatever fails ends the program, as bench.h says. */
#ifndef API_H
#define API_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* api_start(instances): returns once it is ready and has heard of all of them what they told.
 * api_stop(): ends it and them. */
void api_start(unsigned instances);
void api_stop(void);

pid_t api_pid(void);
uint16_t api_port(void);

/* api_link(role): a link that logs in a browser, once; the caller's to mem_free. */
char *api_link(const char *role);

/* api_ask(fd, path): sends a GET, as a viewer, on a connection of the caller's.
 * api_head(fd, length, extra): reads up to the end of the answer's head; its status, 0 when it ended early; the
 * body's length, and how much of it came along. */
void api_ask(int fd, const char *path);
int api_head(int fd, size_t *length, size_t *extra);

#endif
