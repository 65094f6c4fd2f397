/* web.c - what our HTTP server costs beyond civetweb, and what a thousand slow clients cost others.
 *
 * 64 clients on connections kept alive ask for something small, as fast as they are answered, by turns of
 * our server and of civetweb with a bare handler, each a process of its own; the figure is the median of
 * the rounds' ratios.  Then 1,000 sockets of another address say a header drop by drop, while one client
 * asks on a fresh connection each time. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "bench.h"
#include "web.h"

#define CLIENTS 64
#define ROUNDS 15
#define ROUND_NS 400000000
#define AT_LEAST 0.8
#define SLOW 1000
#define ASKED 600
#define AT_MOST_MS 100.0

static const char request[] = "GET " WEB_PATH " HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\r\n";

/* --- servers and connections ------------------------------------------------------------- */

struct side {
	const char *name;
	pid_t pid;
	uint16_t port;
	int fd[CLIENTS];
};

static bool
told_port(void *arg)
{
	struct side *s = arg;
	char path[300], text[16] = "";

	snprintf(path, sizeof path, "%s/%s.port", bench_dir(), s->name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool whole = read(fd, text, sizeof text - 1) > 0 && strchr(text, '\n') != NULL;
	close(fd);
	s->port = (uint16_t)strtoul(text, NULL, 10);
	return whole;
}

static void
begin(struct side *s, const char *program, const char *name, const char *arg)
{
	char *path = bench_beside(program), out[32];
	const char *argv[] = { path, arg, NULL };

	s->name = name;
	snprintf(out, sizeof out, "%s.port", name);
	s->pid = bench_spawn(argv, out);
	bench_await("the port of a server", told_port, s);
	mem_free(path);
}

/* dial: from the loopback address 127.0.0.N; -1 when it is refused. */
static int
dial(const struct side *s, unsigned n)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + n) };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(s->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		bench_die("socket: %m");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&from, sizeof from) == 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	close(fd);
	return -1;
}

static void
ask(int fd)
{
	if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != sizeof request - 1)
		bench_die("request: %m");
}

/* hear: one whole answer; each comes in one piece, because it is smaller than a segment and written at once. */
static void
hear(int fd)
{
	char in[2048];
	ssize_t n = recv(fd, in, sizeof in, 0);
	size_t body = sizeof WEB_BODY - 1;

	if (n < (ssize_t)body || memcmp(in, "HTTP/1.1 200", 12) != 0 || memcmp(in + n - body, WEB_BODY, body) != 0)
		bench_die("another answer than it should be: %.*s", (int)(n > 0 ? n : 0), in);
}

/* --- the rate ---------------------------------------------------------------------------- */

static double
rate(struct side *s)
{
	struct epoll_event ready[CLIENTS];
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	uint64_t answers = 0;

	for (int i = 0; i < CLIENTS; i++) {
		struct epoll_event e = { .events = EPOLLIN, .data.fd = s->fd[i] };
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd[i], &e) != 0)
			bench_die("epoll: %m");
	}
	int64_t start = bench_now(), end = start + ROUND_NS, now = start;
	int open = CLIENTS;
	for (int i = 0; i < CLIENTS; i++)
		ask(s->fd[i]);
	while (open > 0) {
		int n = epoll_wait(epoll, ready, CLIENTS, 5000);
		if (n <= 0)
			bench_die("no answer in 5 s");
		now = bench_now();
		for (int i = 0; i < n; i++) {
			hear(ready[i].data.fd);
			answers++;
			if (now < end)
				ask(ready[i].data.fd);
			else
				open--;
		}
	}
	close(epoll);
	return (double)answers / ((double)(now - start) / 1e9);
}

static void
compare(void)
{
	struct samples ratio = { NULL, 0, 0 }, ours = { NULL, 0, 0 }, bare = { NULL, 0, 0 };
	struct side s[2];
	char detail[128];

	begin(&s[0], "web_ours", "ours", NULL);
	begin(&s[1], "web_bare", "bare", NULL);
	for (int side = 0; side < 2; side++)
		for (int i = 0; i < CLIENTS; i++)
			if ((s[side].fd[i] = dial(&s[side], 1)) < 0)
				bench_die("%s: %m", s[side].name);
	for (int round = -1; round < ROUNDS; round++) {		/* round -1 warms up */
		double r[2];
		for (int i = 0; i < 2; i++) {
			int which = (i + round + 2) % 2;
			r[which] = rate(&s[which]);
		}
		if (round < 0)
			continue;
		samples_add(&ours, r[0]);
		samples_add(&bare, r[1]);
		samples_add(&ratio, r[0] / r[1]);
	}
	snprintf(detail, sizeof detail, "%.0f : %.0f /s, rounds %.2f-%.2f", samples_at(&ours, 50), samples_at(&bare, 50),
	    samples_at(&ratio, 10), samples_at(&ratio, 90));
	bench_figure(&(struct bench_figure){
		.id = "web_get_rate", .what = "small GET, 64 keep-alive clients, / bare civetweb", .unit = "x",
		.value = samples_at(&ratio, 50), .limit = AT_LEAST, .sense = BENCH_AT_LEAST, .detail = detail, .spread = &ratio,
	});
	for (int side = 0; side < 2; side++) {
		for (int i = 0; i < CLIENTS; i++)
			close(s[side].fd[i]);
		bench_stop(s[side].pid);
	}
	samples_release(&ratio);
	samples_release(&ours);
	samples_release(&bare);
}

/* --- slow clients ------------------------------------------------------------------------ */

/* drip: one more byte of each of these; who was closed comes again. */
static void
drip(const struct side *s, int *fd, size_t n, unsigned *closed)
{
	static const char head[] = "GET / HTTP/1.1\r\nX: ";

	for (size_t i = 0; i < n; i++) {
		if (fd[i] >= 0 && send(fd[i], "y", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1)
			continue;
		if (fd[i] >= 0) {
			close(fd[i]);
			++*closed;
		}
		if ((fd[i] = dial(s, 2)) >= 0 && send(fd[i], head, sizeof head - 1, MSG_NOSIGNAL) < 0)
			++*closed;
	}
}

static void
beside_slow_ones(const char *id, const char *what, const char *per_peer)
{
	static int fd[SLOW];
	struct samples ms = { NULL, 0, 0 };
	struct side s;
	char detail[128];
	unsigned closed = 0;

	begin(&s, "web_ours", id, per_peer);
	for (size_t i = 0; i < SLOW; i++)
		fd[i] = -1;
	drip(&s, fd, SLOW, &closed);
	for (int i = 0; i < ASKED; i++) {
		drip(&s, fd + (size_t)i % 10 * (SLOW / 10), SLOW / 10, &closed);
		int64_t start = bench_now();
		int own = dial(&s, 1);
		if (own < 0)
			bench_die("no connection beside the slow ones: %m");
		ask(own);
		hear(own);
		samples_add(&ms, (double)(bench_now() - start) / 1e6);
		close(own);
	}
	snprintf(detail, sizeof detail, "p50 %.2f ms, max %.2f; %u of the slow were closed and came again", samples_at(&ms, 50),
	    samples_at(&ms, 100), closed);
	bench_figure(&(struct bench_figure){
		.id = id, .what = what, .unit = "ms", .value = samples_at(&ms, 99), .limit = AT_MOST_MS, .sense = BENCH_AT_MOST,
		.detail = detail, .spread = &ms,
	});
	for (size_t i = 0; i < SLOW; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	bench_stop(s.pid);
	samples_release(&ms);
}

int
main(int argc, char **argv)
{
	struct rlimit files;

	bench_begin("web", argc, argv);
	compare();
	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_max < 4 * SLOW)
		bench_die("1,000 slow clients want %d descriptors", 4 * SLOW);
	files.rlim_cur = 4 * SLOW;
	if (setrlimit(RLIMIT_NOFILE, &files) != 0)
		bench_die("setrlimit: %m");
	beside_slow_ones("web_slow_p99", "GET beside 1,000 slow clients of one address, p99", NULL);
	beside_slow_ones("web_crowd_p99", "the same, were one address to have so many", "2000");
	return bench_end();
}
