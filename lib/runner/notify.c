/* notify.c - reading and passing on the datagrams of sd_notify(3). */
#include "runner/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/id.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/systemd.h"

#define NOTIFY_MAGIC 0x40711f70u
#define DATAGRAM_MAX 4096	/* what systemd takes as well */
#define NAME_MAX_BYTES 48
#define PER_TURN 16

struct notify {
	unsigned magic;
	struct loop *loop;
	int fd;
	struct loop_fd *lf;
	char name[NAME_MAX_BYTES];
	char *upward;
	void (*told)(void *arg, const struct notify_news *n);
	void *arg;
};

/* What concerns the service as a whole goes up.  MAINPID, stored descriptors and barriers
 * are between a program and its own manager, which for it is us. */
static const char *const passed[] = {
	"READY=", "STATUS=", "RELOADING=", "STOPPING=", "WATCHDOG=", "MONOTONIC_USEC=", "EXTEND_TIMEOUT_USEC=", "ERRNO=",
};

static void
send_up(const struct notify *n, const struct str *lines)
{
	struct err err;

	if (systemd_send(n->upward, lines->p, lines->len, &err) != ERR_OK)
		log_warning(EV_CONFIG_NOTE, LOG_F(LOG_S("socket", n->upward)),
		    "the program's notification could not be passed on: %s", err.text);
}

static bool
goes_up(const char *line)
{
	for (size_t i = 0; i < COUNT_OF(passed); i++)
		if (strncmp(line, passed[i], strlen(passed[i])) == 0)
			return true;
	return false;
}

/* take: the lines of one datagram; text is cut up in place. */
static void
take(struct notify *n, char *text)
{
	struct notify_news news = { 0 };
	struct str up = STR_INIT;
	char *next;

	for (char *line = text; line != NULL; line = next) {
		if ((next = strchr(line, '\n')) != NULL)
			*next++ = '\0';
		if (strcmp(line, "READY=1") == 0)
			news.is_ready = true;
		else if (strncmp(line, "STATUS=", 7) == 0)
			news.status = line + 7;
		if (n->upward != NULL && goes_up(line)) {
			str_puts(&up, line);
			str_putc(&up, '\n');
		}
	}
	if (up.len > 0)
		send_up(n, &up);
	str_release(&up);
	if (news.is_ready || news.status != NULL)
		n->told(n->arg, &news);
}

union control {
	struct cmsghdr align;
	char p[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(16 * sizeof(int))];
};

/* sender: the credentials, and the end of descriptors that came along; closing them is
 * also the right answer to BARRIER=1. */
static bool
sender(struct msghdr *m, struct ucred *who)
{
	bool found = false;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
			memcpy(who, CMSG_DATA(c), sizeof *who);
			found = true;
		} else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			size_t nfds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			for (size_t i = 0; i < nfds; i++) {
				int fd;
				memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
				close(fd);
			}
		}
	}
	return found;
}

static bool
receive(struct notify *n)
{
	char text[DATAGRAM_MAX + 1];
	struct iovec v = { text, DATAGRAM_MAX };
	union control control;
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	struct ucred who = { 0 };
	ssize_t got = recvmsg(n->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (got == -1)
		return errno == EINTR;
	text[got] = '\0';
	bool is_known = sender(&m, &who);
	if (!is_known || (who.uid != geteuid() && who.uid != 0)) {
		log_warning(EV_CONFIG_NOTE, LOG_F(LOG_N("pid", who.pid), LOG_N("uid", who.uid)),
		    "a notification from process %d of user %d is ignored: let the program send it as user %d",
		    (int)who.pid, (int)who.uid, (int)geteuid());
		return true;
	}
	if (!(m.msg_flags & MSG_TRUNC))
		take(n, text);
	return true;
}

static void
on_readable(void *arg, unsigned got)
{
	struct notify *n = arg;

	(void)got;
	MAGIC_CHECK(n, NOTIFY_MAGIC);
	for (unsigned i = 0; i < PER_TURN && receive(n); i++)
		continue;
}

struct notify *
notify_new(struct loop *loop, const char *upward, void (*told)(void *arg, const struct notify_news *n),
    void *arg, struct err *err)
{
	struct notify *n = mem_new(sizeof *n);
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char nonce[ID_NONCE_MAX];
	int on = 1;

	*n = (struct notify){ .magic = NOTIFY_MAGIC, .loop = loop, .told = told, .arg = arg };
	id_nonce(nonce);
	snprintf(n->name, sizeof n->name, "@aegis-%s", nonce);
	if ((n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) == -1) {
		err_errno(err, ERR_WRAPPER, errno, "cannot make a socket for notifications");
		goto err0;
	}
	size_t named = strlen(n->name);
	memcpy(un.sun_path + 1, n->name + 1, named - 1);	/* '@' stands for the first byte, which is 0 */
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + named);
	if (setsockopt(n->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == -1 ||
	    bind(n->fd, (const struct sockaddr *)&un, len) == -1) {
		err_errno(err, ERR_WRAPPER, errno, "cannot prepare the socket for notifications");
		goto err1;
	}
	if ((n->lf = loop_fd_add(loop, n->fd, LOOP_READ, on_readable, n, err)) == NULL)
		goto err1;
	n->upward = mem_text(upward);
	return n;
err1:
	close(n->fd);
err0:
	MAGIC_WIPE(n);
	mem_free(n);
	return NULL;
}

void
notify_free(struct notify *n)
{
	if (n == NULL)
		return;
	MAGIC_CHECK(n, NOTIFY_MAGIC);
	loop_fd_del(n->lf);
	close(n->fd);
	mem_free(n->upward);
	MAGIC_WIPE(n);
	mem_free(n);
}

const char *
notify_address(const struct notify *n)
{
	return n->name;
}
