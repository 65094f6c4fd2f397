/* manage.c - the management service with a thousand living instances: GET /api/metrics by sixteen clients,
 * its memory, and its memory with five hundred open streams.
 *
 * The instances are real records that are written again every ten seconds, and beat as real ones do, so
 * that every answer is of a state a moment old.  The clients share the machine with the service;
 * what they receive they look at the head of and drop. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "bench.h"
#include "bench/fleet.h"
#include "codec/broadcast.h"
#include "codec/subject.h"
#include "nats/conn.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define SERVICE "bench-fleet"
#define INSTANCES 1000
#define CLIENTS 16
#define STREAMS 500
#define SECONDS 8
#define WARM_SECONDS 2

struct beats {
	pthread_t thread;
	struct conn *conn;
	atomic_bool ending;
};

struct client {
	pthread_t thread;
	int fd;
	int64_t until, from;
	struct samples ms;		/* of each answer since `from` */
	double bytes;
};

static struct {
	uint16_t port;
	char token[128];
} api;

/* --- instances ---------------------------------------------------------------------------- */

static void
beat(struct conn *c, unsigned i, uint64_t round)
{
	const struct broadcast_counter counters[] = {
		{ "services.registered", 1 }, { "heartbeats.sent", round }, { "rpc." SERVICE ".quote.success", round * 1000 },
		{ "rpc." SERVICE ".quote.error", round }, { "rpc." SERVICE ".book.success", round * 10 },
		{ "rpc." SERVICE ".book.error", 0 }, { "events.errors", 0 }, { "commands.errors", 0 },
	};
	const struct broadcast_gauge gauges[] = {
		{ "nats.connections", 1 }, { "rpc." SERVICE ".quote.in_flight", 3 }, { "rpc." SERVICE ".quote.queue_depth", 1 },
	};
	const struct broadcast_summary summaries[] = {
		{ "rpc." SERVICE ".quote", round * 1001, 1.2, 0.1, 80, 1.1, 3.2, 9.5 + (double)(i % 7) },
		{ "rpc." SERVICE ".book", round * 10, 12, 1, 800, 11, 32, 95 },
	};
	struct str text = STR_INIT;
	char id[64];

	snprintf(id, sizeof id, SERVICE "-%05u", i + 1);
	broadcast_heartbeat(id, clock_wall(clock_system()), &(struct broadcast_metrics){
		10.0 * (double)round, counters, COUNT_OF(counters), gauges, COUNT_OF(gauges), summaries, COUNT_OF(summaries),
	}, &text);
	conn_publish(c, &(struct conn_msg){ .subject = subject_heartbeat(SERVICE).s, .data = text.p, .n = text.len }, NULL);
	str_release(&text);
}

/* run_beats: all at once at first, then spread over ten seconds. */
static void *
run_beats(void *arg)
{
	struct beats *b = arg;

	for (unsigned i = 0; i < INSTANCES; i++)
		beat(b->conn, i, 1);
	for (uint64_t n = 0; !atomic_load(&b->ending); n++) {
		beat(b->conn, (unsigned)(n % INSTANCES), 2 + n / INSTANCES);
		thread_pause(10 * NS_PER_S / INSTANCES);
	}
	return NULL;
}

/* --- HTTP --------------------------------------------------------------------------------- */

static int
dial(unsigned host)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001 + host) };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(api.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof from) != 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
		bench_die("connecting to the API: %m");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

static void
request(int fd, const char *path)
{
	char text[512];
	int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n", path, api.token);

	if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		bench_die("asking for %s: %m", path);
}

/* head: reads up to the end of the head; returns the status, *length the body's, *extra how much of it came. */
static int
head(int fd, size_t *length, size_t *extra)
{
	char in[4096];
	size_t n = 0;
	char *end = NULL, *at;

	while (end == NULL) {
		ssize_t got = n < sizeof in - 1 ? recv(fd, in + n, sizeof in - 1 - n, 0) : 0;
		if (got <= 0)
			return 0;
		n += (size_t)got;
		in[n] = '\0';
		end = strstr(in, "\r\n\r\n");
	}
	*extra = n - (size_t)(end + 4 - in);
	at = strstr(in, "Content-Length: ");
	*length = at != NULL ? strtoul(at + 16, NULL, 10) : 0;
	return (int)strtol(in + 9, NULL, 10);
}

/* get: one answer, its body dropped by the kernel. */
static size_t
get(int fd, const char *path)
{
	size_t length, extra;

	request(fd, path);
	int status = head(fd, &length, &extra);
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

/* --- the service -------------------------------------------------------------------------- */

static void
make_token(const char *binary)
{
	const char *argv[] = { binary, "token", "create", "--name", "bench", "--role", "viewer", "--json", "--server", bench_nats(), NULL };
	char *path = mem_printf("%s/token", bench_dir()), line[1024] = "";

	if (bench_reap(bench_spawn(argv, "token")) != 0)
		bench_die("no token could be made");
	FILE *f = fopen(path, "re");
	size_t n = f != NULL ? fread(line, 1, sizeof line - 1, f) : 0;
	line[n] = '\0';
	/* Its beginning stands there, too. */
	const char *at = strstr(line, "\"token\"");
	if (at == NULL || (at = strstr(at, "aeg_")) == NULL)
		bench_die("no token in '%s'", line);
	snprintf(api.token, sizeof api.token, "%.*s", (int)strcspn(at, "\""), at);
	if (f != NULL)
		fclose(f);
	mem_free(path);
}

static uint16_t
free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || getsockname(fd, (struct sockaddr *)&a, &len) != 0)
		bench_die("no free port: %m");
	close(fd);
	return ntohs(a.sin_port);
}

static pid_t
start_api(const char *binary)
{
	char *where = NULL;

	api.port = free_port();
	where = mem_printf("http://127.0.0.1:%u", api.port);
	const char *argv[] = { binary, "serve-api", "--listen", where, "--server", bench_nats(), "--log-level", "warning", NULL };
	pid_t pid = bench_spawn(argv, NULL);
	mem_free(where);
	return pid;
}

static int
status_of(const char *path, size_t *length)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(api.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), status = 0;
	size_t extra;

	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0) {
		request(fd, path);
		status = head(fd, length, &extra);
	}
	close(fd);
	return status;
}

static bool
is_ready(void *arg)
{
	size_t n;

	(void)arg;
	return status_of("/readyz", &n) == 200;
}

/* has_beats: every instance is in the answer, with what it told, which is most of it. */
static bool
has_beats(void *arg)
{
	size_t n = 0;

	(void)arg;
	return status_of("/api/metrics", &n) == 200 && n > (size_t)INSTANCES * 700;
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
		request(fds[i], "/api/events");
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
	struct beats beats = { .ending = false };
	struct err err;

	bench_begin("manage", argc, argv);
	thread_block_signals();
	char *binary = bench_beside("../aegis");
	const struct conn_opts access = { .servers = bench_nats(), .name = "bench manage", .timeout_ns = 5 * NS_PER_S };
	struct fleet *fleet = fleet_new(&access, SERVICE, INSTANCES, &err);
	if (fleet == NULL)
		bench_die("%s", err.text);
	bench_must(fleet_come(fleet, &err), &err);
	make_token(binary);
	pid_t pid = start_api(binary);
	bench_await("the API to be ready", is_ready, NULL);
	if ((beats.conn = conn_new(&access, &err)) == NULL)
		bench_die("%s", err.text);
	bench_must(thread_start(&beats.thread, "beats", run_beats, &beats, &err), &err);
	bench_await("all heartbeats to be heard", has_beats, NULL);
	thread_pause(12 * NS_PER_S);		/* each has beaten once more, and nobody asked */
	bench_figure(&(struct bench_figure){ "manage_rss", "resident memory with 1000 instances",
		(double)bench_rss_kb(pid) / 1024, 24, "MB", BENCH_AT_MOST, "each beats every 10 s", NULL });
	measure_metrics();
	measure_streams(pid);
	atomic_store(&beats.ending, true);
	pthread_join(beats.thread, NULL);
	conn_free(beats.conn);
	int code = bench_stop(pid);
	if (code != 0)
		bench_die("serve-api ended with %d", code);
	fleet_free(fleet);
	mem_free(binary);
	conn_library_close();
	return bench_end();
}
