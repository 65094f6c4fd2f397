/* api.c - the service, its instances, and as much HTTP as measuring needs. */
#include "api.h"

#include <arpa/inet.h>
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
#define TOLD_BYTES 700		/* an instance takes more than this in an answer once it has told its figures */

static struct {
	char *binary;
	unsigned instances;
	struct conn_opts access;
	struct fleet *fleet;
	struct conn *conn;		/* of the beats */
	pthread_t thread;
	atomic_bool ending;
	pid_t pid;
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
	(void)arg;
	for (unsigned i = 0; i < api.instances; i++)
		beat(api.conn, i, 1);
	for (uint64_t n = 0; !atomic_load(&api.ending); n++) {
		beat(api.conn, (unsigned)(n % api.instances), 2 + n / api.instances);
		thread_pause(10 * NS_PER_S / api.instances);
	}
	return NULL;
}

/* --- HTTP --------------------------------------------------------------------------------- */

void
api_ask(int fd, const char *path)
{
	char text[512];
	int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n", path, api.token);

	if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		bench_die("asking for %s: %m", path);
}

int
api_head(int fd, size_t *length, size_t *extra)
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

/* --- credentials -------------------------------------------------------------------------- */

/* made: a word of a new credential, which begins so. */
static char *
made(const char *role, const char *option, const char *value, const char *key, const char *beginning)
{
	const char *argv[] = { api.binary, "token", "create", "--name", "bench", "--role", role, "--json", "--server", bench_nats(),
		option, value, NULL };
	char *path = mem_printf("%s/token", bench_dir()), line[1024] = "";

	if (bench_reap(bench_spawn(argv, "token")) != 0)
		bench_die("no credential could be made");
	FILE *f = fopen(path, "re");
	size_t n = f != NULL ? fread(line, 1, sizeof line - 1, f) : 0;
	line[n] = '\0';
	/* The beginning of a token stands there, too. */
	const char *at = strstr(line, key);
	if (at == NULL || (at = strstr(at, beginning)) == NULL)
		bench_die("no credential in '%s'", line);
	if (f != NULL)
		fclose(f);
	mem_free(path);
	return mem_printf("%.*s", (int)strcspn(at, "\""), at);
}

char *
api_link(const char *role)
{
	char *where = mem_printf("http://127.0.0.1:%u", api.port);
	char *link = made(role, "--link", where, "\"link\"", "http");

	mem_free(where);
	return link;
}

/* --- the service -------------------------------------------------------------------------- */

/* kill_service: it must not outlive a measurement that could not be made. */
static void
kill_service(void)
{
	if (api.pid > 0)
		kill(api.pid, SIGKILL);
}

static void
start(void)
{
	api.port = bench_free_port();
	char *where = mem_printf("http://127.0.0.1:%u", api.port);
	const char *argv[] = { api.binary, "serve-api", "--listen", where, "--server", bench_nats(), "--log-level", "warning", NULL };
	api.pid = bench_spawn(argv, NULL);
	atexit(kill_service);
	mem_free(where);
}

static int
status_of(const char *path, size_t *length)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(api.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), status = 0;
	size_t extra;

	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0) {
		api_ask(fd, path);
		status = api_head(fd, length, &extra);
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
	return status_of("/api/metrics", &n) == 200 && n > (size_t)api.instances * TOLD_BYTES;
}

pid_t
api_pid(void)
{
	return api.pid;
}

uint16_t
api_port(void)
{
	return api.port;
}

void
api_start(unsigned instances)
{
	struct err err;

	api.binary = bench_beside("../aegis");
	api.instances = instances;
	atomic_store(&api.ending, false);
	api.access = (struct conn_opts){ .servers = bench_nats(), .name = "bench instances", .timeout_ns = 5 * NS_PER_S };
	if ((api.fleet = fleet_new(&api.access, SERVICE, instances, &err)) == NULL)
		bench_die("%s", err.text);
	bench_must(fleet_come(api.fleet, &err), &err);
	char *token = made("viewer", NULL, NULL, "\"token\"", "aeg_");
	snprintf(api.token, sizeof api.token, "%s", token);
	mem_free(token);
	start();
	bench_await("the API to be ready", is_ready, NULL);
	if ((api.conn = conn_new(&api.access, &err)) == NULL)
		bench_die("%s", err.text);
	bench_must(thread_start(&api.thread, "beats", run_beats, NULL, &err), &err);
	bench_await("all heartbeats to be heard", has_beats, NULL);
}

void
api_stop(void)
{
	atomic_store(&api.ending, true);
	pthread_join(api.thread, NULL);
	conn_free(api.conn);
	int code = bench_stop(api.pid);
	api.pid = 0;
	if (code != 0)
		bench_die("serve-api ended with %d", code);
	fleet_free(api.fleet);
	mem_free(api.binary);
}
