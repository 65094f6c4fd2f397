/* http.c - an RPC through run-service into an HTTP program, against its two parts.
 *
 * The parts are a bare nats.c request-reply and a direct POST to the same program over a
 * connection kept alive.  All three take turns in rounds; the figure is what the wrapper adds
 * to their sum: the median over rounds of the difference of medians. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "bench.h"
#include "client/aegis.h"
#include "nats/raw.h"

#define SERVICE "bench-http"
#define PARAMS "{\"a\":20,\"b\":22}"
#define ROUNDS 21
#define CALLS 200
#define LIMIT_US 60.0

struct parts {
	aegis *client;
	struct raw *raw;
	int http;
};

/* --- the program under the wrapper ------------------------------------------------------- */

static pid_t
start_wrapper(const char *port)
{
	char *binary = bench_beside("../aegis"), *echo = bench_beside("http_echo");
	const char *argv[] = { binary, "run-service", "--name", SERVICE, "--server", bench_nats(), "--app-port", port,
	    "--ready-tcp", port, "--log-level", "warning", "--", echo, port, NULL };

	pid_t pid = bench_spawn(argv, NULL);
	mem_free(binary);
	mem_free(echo);
	return pid;
}

static bool
answers(void *arg)
{
	aegis_result *r = NULL;

	if (aegis_call_json(arg, SERVICE, "echo", PARAMS, NULL, &r, NULL) != AEGIS_OK)
		return false;
	aegis_result_free(r);
	return true;
}

/* --- the three paths --------------------------------------------------------------------- */

static int
connect_http(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
		bench_die("port %u: %m", port);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

static void
post(int fd)
{
	static const char request[] = "POST /rpc/echo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
	    "Content-Length: 15\r\n\r\n" PARAMS;
	char in[1024];
	size_t n = 0;

	_Static_assert(sizeof PARAMS - 1 == 15, "the length above");
	if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != sizeof request - 1)
		bench_die("direct call: %m");
	/* The answer ends with our own parameters. */
	while (n < 15 || memcmp(in + n - 15, PARAMS, 15) != 0) {
		ssize_t got = n < sizeof in ? recv(fd, in + n, sizeof in - n, 0) : 0;
		if (got <= 0)
			bench_die("direct call: no answer");
		n += (size_t)got;
	}
}

static void
wrapped(struct parts *p, int64_t *ns)
{
	for (int i = 0; i < CALLS; i++) {
		aegis_result *r = NULL;
		aegis_error err;
		int64_t a = 0, start = bench_now();
		if (aegis_call_json(p->client, SERVICE, "echo", PARAMS, NULL, &r, &err) != AEGIS_OK)
			bench_die("call: %s", err.text);
		ns[i] = bench_now() - start;
		if (!aegis_result_int(r, "a", &a) || a != 20)
			bench_die("call: another answer than the program's: %s", aegis_result_json(r));
		aegis_result_free(r);
	}
}

static void
direct(struct parts *p, int64_t *ns)
{
	for (int i = 0; i < CALLS; i++) {
		int64_t start = bench_now();
		post(p->http);
		ns[i] = bench_now() - start;
	}
}

static void
bare(struct parts *p, int64_t *ns)
{
	struct err err;

	bench_must(raw_each(p->raw, CALLS, ns, &err), &err);
}

static double
median_us(const int64_t *ns, struct samples *all)
{
	struct samples one = { NULL, 0, 0 };

	for (int i = 0; i < CALLS; i++) {
		samples_add(&one, (double)ns[i] / 1e3);
		samples_add(all, (double)ns[i] / 1e3);
	}
	double m = samples_at(&one, 50);
	samples_release(&one);
	return m;
}

static void
measure(struct parts *p)
{
	static void (*const path[])(struct parts *, int64_t *) = { wrapped, bare, direct };
	static int64_t ns[3][CALLS];
	struct samples all[3] = { { NULL, 0, 0 } }, added = { NULL, 0, 0 };
	char detail[128];

	for (int round = -1; round < ROUNDS; round++) {		/* round -1 warms up */
		double m[3];
		for (int i = 0; i < 3; i++) {
			int which = (i + round + 3) % 3;
			path[which](p, ns[which]);
		}
		for (int i = 0; i < 3 && round >= 0; i++)
			m[i] = median_us(ns[i], &all[i]);
		if (round >= 0)
			samples_add(&added, m[0] - m[1] - m[2]);
	}
	snprintf(detail, sizeof detail, "p50 %.0f us - nats %.0f - http %.0f, p99 %.0f", samples_at(&all[0], 50),
	    samples_at(&all[1], 50), samples_at(&all[2], 50), samples_at(&all[0], 99));
	bench_figure(&(struct bench_figure){
		.id = "http_added_p50", .what = "RPC through run-service - raw nats.c - direct HTTP", .unit = "us",
		.value = samples_at(&added, 50), .limit = LIMIT_US, .sense = BENCH_AT_MOST, .detail = detail, .spread = &added,
	});
	for (int i = 0; i < 3; i++)
		samples_release(&all[i]);
	samples_release(&added);
}

int
main(int argc, char **argv)
{
	char port[8], payload[241] = "";
	aegis_error err;
	struct err e;
	struct parts p;

	bench_begin("http", argc, argv);
	uint16_t number = bench_free_port();
	snprintf(port, sizeof port, "%u", number);
	pid_t wrapper = start_wrapper(port);
	p.client = aegis_connect(&(aegis_options){ .servers = bench_nats(), .timeout_ms = 1000 }, &err);
	if (p.client == NULL)
		bench_die("%s", err.text);
	bench_await("an answer through the wrapper", answers, p.client);
	p.http = connect_http(number);
	/* About what our envelopes measure; its content does not matter to the server. */
	p.raw = raw_new(&(struct raw_opts){ .servers = bench_nats(), .request = payload, .nrequest = sizeof payload,
	    .reply = payload, .nreply = sizeof payload }, &e);
	if (p.raw == NULL)
		bench_die("%s", e.text);
	measure(&p);
	raw_free(p.raw);
	close(p.http);
	aegis_close(p.client);
	bench_stop(wrapper);
	return bench_end();
}
