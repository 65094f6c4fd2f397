/* systemd.c - datagrams to the service manager. */
#include "sys/systemd.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"

/* address: "@name" is abstract, anything else a path; 0 when it does not fit. */
static socklen_t
address(const char *name, struct sockaddr_un *un)
{
	size_t n = strlen(name);

	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (n < 2 || n >= sizeof un->sun_path)
		return 0;
	memcpy(un->sun_path, name, n);
	if (name[0] == '@') {
		un->sun_path[0] = '\0';
		return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	}
	return sizeof *un;
}

enum err_code
systemd_send(const char *to, const char *lines, size_t n, struct err *err)
{
	struct sockaddr_un un;
	socklen_t len = address(to, &un);

	if (len == 0)
		return err_set(err, ERR_SYSTEM, "'%.100s' is no address of a socket", to);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return err_errno(err, ERR_SYSTEM, errno, "cannot make a socket");
	ssize_t sent = sendto(fd, lines, n, MSG_NOSIGNAL, (const struct sockaddr *)&un, len);
	int why = errno;
	close(fd);
	return sent != -1 ? ERR_OK : err_errno(err, ERR_SYSTEM, why, "cannot send to '%.100s'", to);
}

int64_t
systemd_watchdog(const char *usec, const char *pid)
{
	uint64_t us, who;

	if (usec == NULL || !num_uint(usec, &us) || us > INT64_MAX / NS_PER_US)
		return 0;
	if (pid != NULL && (!num_uint(pid, &who) || who != (uint64_t)getpid()))
		return 0;
	return (int64_t)us * NS_PER_US;
}

static void
tell(struct systemd *s, const char *lines)
{
	struct err err;

	if (s->socket != NULL && systemd_send(s->socket, lines, strlen(lines), &err) != ERR_OK)
		log_warning(EV_CONFIG_NOTE, LOG_F(LOG_S("socket", s->socket)), "the service manager could not be told: %s", err.text);
}

void
systemd_ready(struct systemd *s, const char *status)
{
	char lines[300];

	snprintf(lines, sizeof lines, "READY=1%s%s", status != NULL ? "\nSTATUS=" : "", status != NULL ? status : "");
	tell(s, lines);
}

void
systemd_reloading(struct systemd *s, struct mono now)
{
	char lines[80];

	snprintf(lines, sizeof lines, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)(now.ns / NS_PER_US));
	tell(s, lines);
}

void
systemd_stopping(struct systemd *s)
{
	tell(s, "STOPPING=1");
}

void
systemd_alive(struct systemd *s, struct mono now)
{
	if (s->watchdog_ns == 0 || (s->told.ns != 0 && mono_since(now, s->told) < s->watchdog_ns / 3))
		return;
	s->told = now;
	tell(s, "WATCHDOG=1");
}
