/* dial.c - parsing targets, connecting without waiting. */
#include "net/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/num.h"

void
dial_port(uint16_t port, struct dial_target *t)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*t = (struct dial_target){ .len = sizeof in };
	memcpy(&t->addr, &in, sizeof in);
}

enum err_code
dial_unix(const char *path, struct dial_target *t, struct err *err)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (*path == '\0')
		return err_set(err, ERR_CONFIG, "the path of the socket is empty");
	if (strlen(path) >= sizeof un.sun_path)
		return err_set(err, ERR_CONFIG, "the socket path '%s' has %zu bytes, but at most %zu fit: use a shorter one",
		    path, strlen(path), sizeof un.sun_path - 1);
	memcpy(un.sun_path, path, strlen(path) + 1);
	*t = (struct dial_target){ .len = sizeof un };
	memcpy(&t->addr, &un, sizeof un);
	return ERR_OK;
}

static bool
set_ip(const char *host, uint16_t port, struct dial_target *t)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	if (inet_pton(AF_INET, host, &in.sin_addr) == 1) {
		*t = (struct dial_target){ .len = sizeof in };
		memcpy(&t->addr, &in, sizeof in);
		return true;
	}
	if (inet_pton(AF_INET6, host, &in6.sin6_addr) == 1) {
		*t = (struct dial_target){ .len = sizeof in6 };
		memcpy(&t->addr, &in6, sizeof in6);
		return true;
	}
	return false;
}

enum err_code
dial_parse(const char *text, struct dial_target *t, struct err *err)
{
	char host[64] = "";
	uint64_t port;

	if (strncmp(text, "unix:", 5) == 0)
		return dial_unix(text + 5, t, err);
	const char *colon = strrchr(text, ':'), *digits = colon != NULL ? colon + 1 : text;
	size_t n = colon != NULL ? (size_t)(colon - text) : 0;
	if (!num_uint(digits, &port) || port < 1 || port > 65535)
		return err_set(err, ERR_CONFIG, "'%s' has no port from 1 to 65535: use HOST:PORT, PORT or unix:PATH", text);
	if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	}
	if (n == 0) {
		dial_port((uint16_t)port, t);
		return ERR_OK;
	}
	if (n < sizeof host)
		memcpy(host, text, n);
	if (strcmp(host, "localhost") == 0) {
		dial_port((uint16_t)port, t);
		return ERR_OK;
	}
	if (set_ip(host, (uint16_t)port, t))
		return ERR_OK;
	return err_set(err, ERR_CONFIG, "'%.*s' is not a numeric address: names are not looked up here, "
	    "use 127.0.0.1, [::1] or localhost", (int)n, text);
}

int
dial_start(const struct dial_target *t, int *errnum)
{
	int fd = socket(t->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	if (fd == -1) {
		*errnum = errno;
		return -1;
	}
	if (t->addr.ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, (const struct sockaddr *)&t->addr, t->len) == 0 || errno == EINPROGRESS)
		return fd;
	*errnum = errno;
	close(fd);
	return -1;
}

int
dial_result(int fd)
{
	int e = 0;
	socklen_t n = sizeof e;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &n) == -1 ? errno : e;
}
