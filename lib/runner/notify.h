/* notify.h - the socket behind NOTIFY_SOCKET: READY=1 and STATUS= from the program.  Private
 * to runner.
 *
 * The address is abstract: nothing to clean up, reachable in every working directory.
 * Anybody on the machine may send to it, so the kernel's word for the sender's user counts:
 * ours, or root. */
#ifndef RUNNER_NOTIFY_H
#define RUNNER_NOTIFY_H

#include <stdbool.h>

#include "base/err.h"
#include "sys/loop.h"

struct notify;

struct notify_news {
	bool is_ready;			/* READY=1 */
	const char *status;		/* STATUS=, NULL when there was none */
};

/* notify_new(loop, upward, told, arg, err): upward is our own NOTIFY_SOCKET, where what the
 * program says about itself is repeated, or NULL; copied. */
struct notify *notify_new(struct loop *loop, const char *upward,
    void (*told)(void *arg, const struct notify_news *n), void *arg, struct err *err);
void notify_free(struct notify *n);		/* NULL is fine; not from told */

const char *notify_address(const struct notify *n);	/* value of NOTIFY_SOCKET: "@aegis-…" */

#endif
