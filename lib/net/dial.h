/* dial.h - addresses of neighbours, and connections to them that never block.
 *
 * Numeric addresses, "localhost" and Unix paths only: the loop cannot wait for a name
 * server, and a workload is on this machine. */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

struct dial_target {
	struct sockaddr_storage addr;
	socklen_t len;
};

/* dial_parse(text, t, err): "127.0.0.1:80", "[::1]:80", "localhost:80", ":80", "80",
 * "unix:/run/x.sock".  ERR_CONFIG with the sentence. */
enum err_code dial_parse(const char *text, struct dial_target *t, struct err *err);
void dial_port(uint16_t port, struct dial_target *t);		/* on 127.0.0.1 */
enum err_code dial_unix(const char *path, struct dial_target *t, struct err *err);

/* dial_start(t, &errnum): a non-blocking, close-on-exec socket whose connection is made
 * or under way (then it becomes writable, and dial_result tells).  -1 and the reason when
 * it failed at once; EAGAIN: a Unix listener whose backlog is full, worth another try soon.
 * The descriptor is the caller's. */
int dial_start(const struct dial_target *t, int *errnum);
int dial_result(int fd);	/* 0, or the errno of the attempt */

#endif
