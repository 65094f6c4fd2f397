/* talk.h - what the tests of the HTTP server share: a client that says on a bare socket whatever it is
 * told, and hears one answer at a time. */
#ifndef TALK_H
#define TALK_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/magic.h"
#include "http/server.h"
#include "bus.h"

#define HOST "Host: x\r\n"

static struct web_server *server;
static char got[65536];

/* server_end: the end of a test, or of all, that made `server`. */
static inline int
server_end(void **state)
{
	(void)state;
	web_server_free(server);
	server = NULL;
	return 0;
}

/* dial_from: a connection to one of a server's addresses (names are those of this machine), from the
 * loopback address 127.0.0.N. */
static inline int
dial_from(unsigned char n, const char *address)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK - 1 + n) } };

	uint16_t port = htons((uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10));
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = port, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = in6addr_loopback };
	const struct sockaddr *to = (const struct sockaddr *)&four;
	socklen_t len = sizeof four;

	if (strncmp(address, "unix:", 5) == 0) {
		snprintf(local.sun_path, sizeof local.sun_path, "%s", address + 5);
		to = (const struct sockaddr *)&local;
		len = sizeof local;
	} else if (strchr(address, '[') != NULL) {
		to = (const struct sockaddr *)&six;
		len = sizeof six;
	}
	int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	if (n != 1)
		assert_int_equal(bind(fd, (const struct sockaddr *)&from, sizeof from), 0);
	assert_int_equal(connect(fd, to, len), 0);
	return fd;
}

static inline int
dial_at(const char *address)
{
	return dial_from(1, address);
}

static inline int
dial(const struct web_server *s)
{
	return dial_at(web_server_address(s, 0));
}

static inline void
say(int fd, const char *text)
{
	size_t n = strlen(text);

	while (n > 0) {
		ssize_t sent = send(fd, text, n, MSG_NOSIGNAL);
		if (sent <= 0)
			return;		/* it closed before it had heard all */
		text += sent;
		n -= (size_t)sent;
	}
}

/* hear: one whole answer, or what comes until the end; its status, 0 when there was none. */
static inline int
hear(int fd)
{
	size_t n = 0, want = sizeof got;
	struct mono end = mono_after(clock_mono(clock_system()), WAIT_NS);

	got[0] = '\0';
	while (n < want && n + 1 < sizeof got) {
		struct pollfd p = { fd, POLLIN, 0 };
		assert_false(mono_reached(clock_mono(clock_system()), end));
		if (poll(&p, 1, 100) == 0)
			continue;
		ssize_t more = recv(fd, got + n, sizeof got - 1 - n, 0);
		if (more <= 0)
			break;
		n += (size_t)more;
		got[n] = '\0';
		const char *body = strstr(got, "\r\n\r\n"), *length = strcasestr(got, "content-length: ");
		if (body != NULL && strstr(got, "100 Continue") == NULL)
			want = (size_t)(body + 4 - got) + (length != NULL ? strtoul(length + 16, NULL, 10) : 0);
	}
	return strncmp(got, "HTTP/1.1 ", 9) == 0 ? (int)strtol(got + 9, NULL, 10) : 0;
}

/* ask: one request on a connection of its own. */
static inline int
ask(const char *request)
{
	int fd = dial(server);

	say(fd, request);
	int status = hear(fd);
	close(fd);
	return status;
}

static inline bool
heard(const char *text)
{
	return strstr(got, text) != NULL;
}

#endif
