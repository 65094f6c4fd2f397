/* systemd.h - telling the service manager how this process is (sd_notify(3), Type=notify).
 *
 * One datagram each, to the socket that the manager named; without one nothing is told.  One thread. */
#ifndef SYS_SYSTEMD_H
#define SYS_SYSTEMD_H

#include <stdint.h>

#include "base/err.h"
#include "base/instant.h"

/* systemd_send(socket, lines, n, err): lines with newlines between, as sd_notify takes them, to a path or
 * "@NAME".  ERR_SYSTEM when they could not be sent.  Never blocks. */
enum err_code systemd_send(const char *socket, const char *lines, size_t n, struct err *err);

struct systemd {
	const char *socket;		/* $NOTIFY_SOCKET; NULL: nobody is told */
	int64_t watchdog_ns;		/* how often it wants to hear that we are alive; 0: not */
	struct mono told;		/* when it was told last */
};

/* systemd_watchdog(usec, pid): $WATCHDOG_USEC and $WATCHDOG_PID, each may be NULL, as watchdog_ns: 0 when they are none or
 * meant for another process. */
int64_t systemd_watchdog(const char *usec, const char *pid);

/* systemd_ready(s, status): the start, or a reload, is over; status is a sentence for people, or NULL.
 * systemd_reloading, systemd_stopping: have begun.  What cannot be sent is logged, and that is all. */
void systemd_ready(struct systemd *s, const char *status);
void systemd_reloading(struct systemd *s, struct mono now);
void systemd_stopping(struct systemd *s);

/* systemd_alive(s, now): to be called whenever whatever the watchdog is to guard has shown that it lives; tells so
 * three times as often as is wanted, and not more. */
void systemd_alive(struct systemd *s, struct mono now);

#endif
