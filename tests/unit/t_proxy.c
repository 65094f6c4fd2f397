/* t_proxy - a proxy between two real sockets: it is transparent, and each way of misbehaving does
 * what its name says to both ends. */
#include "expect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "until.h"

#include "base/magic.h"
#include "sys/proxy.h"

#define MS(n) ((int64_t)(n) * NS_PER_MS)

static struct err err;

/* A listening socket, the proxy before it, and a connection through. */
struct rig {
	struct loop *loop;
	struct proxy *proxy;
	int listener, client, server;
	char got[4096];
	size_t n, want;
	int from;
	bool ended, reset;
};

static int
dial(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
	return fd;
}

static bool
accepted(void *arg)
{
	struct rig *r = arg;

	r->server = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	return r->server >= 0;
}

static void
rig_connect(struct rig *r)
{
	r->client = dial(proxy_port(r->proxy));
	assert_true(until(r->loop, accepted, r));
}

static int
setup(void **state)
{
	struct rig *r = calloc(1, sizeof *r);
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof at;

	r->loop = loop_new(clock_system(), 64, &err);
	r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(r->listener, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(r->listener, 16), 0);
	assert_int_equal(getsockname(r->listener, (struct sockaddr *)&at, &n), 0);
	r->proxy = proxy_new(r->loop, ntohs(at.sin_port), 1, &err);
	assert_non_null(r->proxy);
	rig_connect(r);
	*state = r;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *r = *state;

	close(r->client);
	close(r->server);
	close(r->listener);
	proxy_free(r->proxy);
	loop_free(r->loop);
	free(r);
	return 0;
}

/* arrived: want bytes from an end, or its end. */
static bool
arrived(void *arg)
{
	struct rig *r = arg;
	ssize_t n = recv(r->from, r->got + r->n, sizeof r->got - r->n, MSG_DONTWAIT);

	r->n += n > 0 ? (size_t)n : 0;
	r->reset = n < 0 && errno == ECONNRESET;
	r->ended = n == 0 || r->reset;
	return r->ended || r->n >= r->want;
}

static void
expect_from(struct rig *r, int fd, const char *text)
{
	r->from = fd;
	r->n = 0;
	r->want = strlen(text);
	assert_true(until(r->loop, arrived, r));
	assert_int_equal(r->n, r->want);
	assert_memory_equal(r->got, text, r->n);
}

static void
expect_nothing(struct rig *r, int fd, int64_t ns)
{
	r->from = fd;
	r->n = 0;
	r->want = 1;
	for_a_while(r->loop, ns);
	assert_false(arrived(r));
}

static void
expect_end(struct rig *r, int fd, bool reset)
{
	r->from = fd;
	r->n = 0;
	r->want = sizeof r->got;
	assert_true(until(r->loop, arrived, r));
	assert_true(r->ended);
	assert_int_equal(r->reset, reset);
}

static void
say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void
bytes_go_both_ways_and_so_does_the_end(void **state)
{
	struct rig *r = *state;

	say(r->client, "ping");
	expect_from(r, r->server, "ping");
	say(r->server, "pong");
	expect_from(r, r->client, "pong");
	assert_int_equal(proxy_counters(r->proxy).bytes[0], 4);
	assert_int_equal(proxy_counters(r->proxy).bytes[1], 4);
	say(r->client, "last");
	shutdown(r->client, SHUT_RDWR);
	expect_from(r, r->server, "last");
	expect_end(r, r->server, false);
	assert_int_equal(proxy_counters(r->proxy).open, 0);
}

/* more than every buffer between the ends: nothing is lost, and what waits is bounded. */
struct flood {
	struct rig *r;
	size_t sent, got;
};

static bool
flooded(void *arg)
{
	struct flood *f = arg;
	static char block[65536];
	ssize_t n;

	if (f->sent < 8 * 1024 * 1024 && (n = send(f->r->client, block, sizeof block, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		f->sent += (size_t)n;
	if ((n = recv(f->r->server, block, sizeof block, MSG_DONTWAIT)) > 0)
		f->got += (size_t)n;
	return f->got == f->sent && f->sent >= 8 * 1024 * 1024;
}

static void
a_flood_arrives_whole(void **state)
{
	struct flood f = { .r = *state };

	assert_true(until(f.r->loop, flooded, &f));
	assert_int_equal(proxy_counters(f.r->proxy).bytes[0], f.got);
}

static void
a_frozen_way_keeps_everything_the_other_goes_on(void **state)
{
	struct rig *r = *state;

	proxy_freeze(r->proxy, PROXY_UP);
	say(r->client, "held");
	say(r->server, "through");
	expect_from(r, r->client, "through");
	expect_nothing(r, r->server, MS(50));
	proxy_freeze(r->proxy, 0);
	expect_from(r, r->server, "held");

	proxy_freeze(r->proxy, PROXY_DOWN);
	say(r->server, "late");
	shutdown(r->server, SHUT_RDWR);
	expect_nothing(r, r->client, MS(50));		/* neither bytes nor the end */
	proxy_freeze(r->proxy, 0);
	expect_from(r, r->client, "late");
	expect_end(r, r->client, false);
}

static void
a_new_connection_is_frozen_too(void **state)
{
	struct rig *r = *state;

	proxy_freeze(r->proxy, PROXY_BOTH);
	close(r->client);
	close(r->server);
	rig_connect(r);
	say(r->client, "x");
	expect_nothing(r, r->server, MS(50));
	proxy_freeze(r->proxy, 0);
	expect_from(r, r->server, "x");
}

static void
a_delay_keeps_the_order(void **state)
{
	struct rig *r = *state;
	struct mono start = clock_mono(clock_system());

	proxy_delay(r->proxy, PROXY_BOTH, MS(40), MS(80));
	say(r->client, "one");
	for_a_while(r->loop, MS(5));
	say(r->client, "two");
	expect_from(r, r->server, "onetwo");
	assert_true(mono_since(clock_mono(clock_system()), start) >= MS(40));
	proxy_delay(r->proxy, PROXY_BOTH, 0, 0);
	say(r->client, "x");
	expect_from(r, r->server, "x");
}

static void
a_reset_reaches_both_ends(void **state)
{
	struct rig *r = *state;

	proxy_reset(r->proxy);
	expect_end(r, r->client, true);
	expect_end(r, r->server, true);
	assert_int_equal(proxy_counters(r->proxy).resets, 1);
	close(r->client);
	close(r->server);
	rig_connect(r);					/* and the next one works */
	say(r->client, "x");
	expect_from(r, r->server, "x");
}

static void
a_truncated_stream_ends_at_that_byte(void **state)
{
	struct rig *r = *state;

	proxy_truncate(r->proxy, PROXY_UP, 5);
	say(r->server, "down is not counted");
	expect_from(r, r->client, "down is not counted");
	say(r->client, "0123456789");
	expect_end(r, r->server, true);
	assert_true(r->n <= 5);				/* a reset may overtake what was not read yet */
	assert_int_equal(proxy_counters(r->proxy).bytes[0], 5);
	expect_end(r, r->client, true);
	close(r->client);
	close(r->server);
	rig_connect(r);
	say(r->client, "0123456789");
	expect_from(r, r->server, "0123456789");
}

static bool
was_refused(void *arg)
{
	return proxy_counters(((struct rig *)arg)->proxy).refused > 0;
}

static void
refused_clients_are_reset(void **state)
{
	struct rig *r = *state;

	proxy_refuse(r->proxy, true);
	int fd = dial(proxy_port(r->proxy));
	assert_true(until(r->loop, was_refused, r));
	expect_end(r, fd, true);
	close(fd);
	say(r->client, "x");
	expect_from(r, r->server, "x");			/* the one before stays */
	proxy_refuse(r->proxy, false);
}

static void
a_server_that_is_gone_ends_the_client(void **state)
{
	struct rig *r = *state;

	close(r->listener);
	r->listener = -1;
	int fd = dial(proxy_port(r->proxy));
	expect_end(r, fd, false);
	close(fd);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(bytes_go_both_ways_and_so_does_the_end),
		RIG_TEST(a_flood_arrives_whole),
		RIG_TEST(a_frozen_way_keeps_everything_the_other_goes_on),
		RIG_TEST(a_new_connection_is_frozen_too),
		RIG_TEST(a_delay_keeps_the_order),
		RIG_TEST(a_reset_reaches_both_ends),
		RIG_TEST(a_truncated_stream_ends_at_that_byte),
		RIG_TEST(refused_clients_are_reset),
		RIG_TEST(a_server_that_is_gone_ends_the_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
