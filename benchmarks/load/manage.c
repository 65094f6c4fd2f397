/* manage.c - the management service with a thousand living instances: GET /api/metrics by sixteen clients,
 * its memory, and its memory with five hundred open streams.
 *
 * The clients share the machine with the service; what they receive they look at the head of and drop. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api.h"
#include "bench.h"
#include "nats/conn.h"
#include "sys/thread.h"

#define INSTANCES 1000
#define CLIENTS 16
#define STREAMS 500
#define SECONDS 8
#define WARM_SECONDS 2

struct client {
	pthread_t thread;
	int fd;
	int64_t until, from;
	struct samples ms;		/* of each answer since `from` */
	double bytes;
};

/* --- HTTP --------------------------------------------------------------------------------- */

static int
dial(unsigned host)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001 + host) };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(api_port()), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof from) != 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
		bench_die("connecting to the API: %m");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

/* get: one answer, its body dropped by the kernel. */
static size_t
get(int fd, const char *path)
{
	size_t length, extra;

	api_ask(fd, path);
	int status = api_head(fd, &length, &extra);
	if (status != 200)
		bench_die("%s: status %d", path, status);
	for (size_t left = length - extra; left > 0;) {
		ssize_t got = recv(fd, NULL, left, MSG_TRUNC);
		if (got <= 0)
			bench_die("%s: the answer ends early", path);
		left -= (size_t)got;
	}
	return length;
}

static void *
run_client(void *arg)
{
	struct client *c = arg;

	while (bench_now() < c->until) {
		int64_t start = bench_now();
		size_t n = get(c->fd, "/api/metrics");
		int64_t end = bench_now();
		if (start < c->from)
			continue;
		samples_add(&c->ms, (double)(end - start) / 1e6);
		c->bytes = (double)n;
	}
	return NULL;
}

/* --- the figures -------------------------------------------------------------------------- */

static void
measure_metrics(void)
{
	static struct client clients[CLIENTS];
	struct samples all = { 0 };
	int64_t now = bench_now();
	struct err err;
	double bytes = 0;
	char detail[96];

	for (int i = 0; i < CLIENTS; i++) {
		clients[i].fd = dial(0);
		clients[i].from = now + WARM_SECONDS * NS_PER_S;
		clients[i].until = clients[i].from + SECONDS * NS_PER_S;
		bench_must(thread_start(&clients[i].thread, "client", run_client, &clients[i], &err), &err);
	}
	for (int i = 0; i < CLIENTS; i++) {
		pthread_join(clients[i].thread, NULL);
		close(clients[i].fd);
		for (size_t k = 0; k < clients[i].ms.n; k++)
			samples_add(&all, clients[i].ms.v[k]);
		samples_release(&clients[i].ms);
		bytes = clients[i].bytes;
	}
	snprintf(detail, sizeof detail, "%zu answers of %.0f KB in %d s", all.n, bytes / 1e3, SECONDS);
	bench_figure(&(struct bench_figure){ "manage_metrics_rate", "GET /api/metrics of 1000 instances, 16 clients",
		(double)all.n / SECONDS, 2000, "/s", BENCH_AT_LEAST, detail, NULL });
	bench_figure(&(struct bench_figure){ "manage_metrics_p99", "the same, p99", samples_at(&all, 99), 25, "ms", BENCH_AT_MOST, detail, &all });
	samples_release(&all);
}

/* measure_streams: each has had its snapshot, and reads on. */
static void
measure_streams(pid_t pid)
{
	static int fds[STREAMS];
	static char in[65536];
	int64_t until;

	for (unsigned i = 0; i < STREAMS; i++) {
		fds[i] = dial(2 + i / 100);		/* a hundred from each address: there is a limit for one */
		api_ask(fds[i], "/api/events");
		if (recv(fds[i], in, 12, 0) != 12 || memcmp(in, "HTTP/1.1 200", 12) != 0)
			bench_die("stream %u: %.12s", i, in);
	}
	until = bench_now() + 5 * NS_PER_S;
	while (bench_now() < until) {
		for (unsigned i = 0; i < STREAMS; i++)
			while (recv(fds[i], in, sizeof in, MSG_DONTWAIT) > 0)
				continue;
		thread_pause(5 * NS_PER_MS);
	}
	bench_figure(&(struct bench_figure){ "manage_streams_rss", "resident memory with 500 open streams",
		(double)bench_rss_kb(pid) / 1024, 60, "MB", BENCH_AT_MOST, "1000 instances that beat, all read", NULL });
	for (unsigned i = 0; i < STREAMS; i++)
		close(fds[i]);
}

int
main(int argc, char **argv)
{
	bench_begin("manage", argc, argv);
	thread_block_signals();
	api_start(INSTANCES);
	thread_pause(12 * NS_PER_S);		/* each has beaten once more, and nobody asked */
	bench_figure(&(struct bench_figure){ "manage_rss", "resident memory with 1000 instances",
		(double)bench_rss_kb(api_pid()) / 1024, 24, "MB", BENCH_AT_MOST, "each beats every 10 s", NULL });
	measure_metrics();
	measure_streams(api_pid());
	api_stop();
	conn_library_close();
	return bench_end();
}
