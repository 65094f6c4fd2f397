/* http_echo.c - the workload of http.c: answers every POST with the body that it got.
 *
 * One thread, epoll, connections kept alive: the least that an HTTP program can cost.  Binds
 * to the port of 127.0.0.1 that is its only argument; 0 takes a free one.  Prints the port
 * once it listens. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/num.h"

#define REQUEST_MAX 65536

struct peer {
	int fd;
	size_t n;
	char in[REQUEST_MAX + 1];
};

static size_t
body_length(const char *head)
{
	for (const char *p = head; (p = strstr(p, "\r\n")) != NULL;) {
		p += 2;
		if (strncasecmp(p, "content-length:", 15) == 0)
			return (size_t)strtoul(p + 15, NULL, 10);
	}
	return 0;
}

/* answer_one: false when the request in p->in is not complete or p is gone. */
static bool
answer_one(struct peer *p)
{
	char head[128];

	p->in[p->n] = '\0';
	char *end = strstr(p->in, "\r\n\r\n");
	if (end == NULL)
		return false;
	*end = '\0';
	size_t body = body_length(p->in), whole = (size_t)(end + 4 - p->in) + body;
	*end = '\r';
	if (whole > REQUEST_MAX || p->n < whole)
		return false;
	int n = snprintf(head, sizeof head,
	    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", body);
	struct iovec v[] = { { head, (size_t)n }, { end + 4, body } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = COUNT_OF(v) };
	if (sendmsg(p->fd, &m, MSG_NOSIGNAL) != (ssize_t)((size_t)n + body))
		return false;
	memmove(p->in, p->in + whole, p->n - whole);
	p->n -= whole;
	return p->n > 0;
}

static void
serve(struct peer *p)
{
	ssize_t got = recv(p->fd, p->in + p->n, REQUEST_MAX - p->n, 0);

	if (got <= 0) {
		close(p->fd);
		mem_free(p);
		return;
	}
	p->n += (size_t)got;
	while (answer_one(p))
		continue;
}

static int
listen_on(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
	    bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 64) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) != 0)
		return -1;
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	return fd;
}

static void
welcome(int ep, int listening)
{
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC), on = 1;

	if (fd < 0)
		return;
	struct peer *p = mem_new(sizeof *p);
	p->fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &(struct epoll_event){ .events = EPOLLIN, .data.ptr = p });
}

int
main(int argc, char **argv)
{
	uint64_t port;

	if (argc != 2 || !num_uint(argv[1], &port) || port > 65535) {
		fprintf(stderr, "http_echo: the one argument is a port; 0 for a free one\n");
		return 2;
	}
	int listening = listen_on((uint16_t)port), ep = epoll_create1(EPOLL_CLOEXEC);
	if (listening < 0 || ep < 0) {
		fprintf(stderr, "http_echo: port %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	epoll_ctl(ep, EPOLL_CTL_ADD, listening, &(struct epoll_event){ .events = EPOLLIN, .data.ptr = NULL });
	for (struct epoll_event ev[16];;) {
		int n = epoll_wait(ep, ev, COUNT_OF(ev), -1);
		for (int i = 0; i < n; i++) {
			if (ev[i].data.ptr == NULL)
				welcome(ep, listening);
			else
				serve(ev[i].data.ptr);
		}
	}
}
