/* t_runner_health - a wrapped server: reachable when it listens, healthy as long as it says so.
 *
 * Role: "serve" (an HTTP server on a Unix socket). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lives.h"

/* --- the role ------------------------------------------------------------------------------ */

static bool
file_exists(const char *name)
{
	char path[160];

	snprintf(path, sizeof path, "%s/%s", getenv("D"), name);
	return access(path, F_OK) == 0;
}

/* answer: one request; false at the end of the connection. */
static bool
answer(int fd)
{
	char buf[4096], body[256], out[600], *path, *end;
	ssize_t n = recv(fd, buf, sizeof buf - 1, 0);
	int status = 200;

	if (n <= 0)
		return false;
	buf[n] = '\0';
	path = strchr(buf, ' ') + 1;
	end = strchr(path, ' ');
	*end = '\0';
	if (strcmp(path, "/rpc/die") == 0)
		_exit(4);
	if (strcmp(path, "/health") == 0) {
		while (file_exists("hang"))
			usleep(10000);
		status = file_exists("bad") ? 500 : 200;
	}
	snprintf(body, sizeof body, "\"%.200s\"", path);
	n = snprintf(out, sizeof out, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
	return send(fd, out, (size_t)n, MSG_NOSIGNAL) == n && strstr(end + 1, "Connection: close") == NULL;
}

static int
serve(const char *path, const char *gate)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), c;

	while (gate[0] != '\0' && !file_exists(gate))
		usleep(1000);
	memcpy(un.sun_path, path, strlen(path) + 1);
	if (bind(fd, (struct sockaddr *)&un, sizeof un) == -1 || listen(fd, 8) == -1)
		return 1;
	while ((c = accept(fd, NULL, NULL)) != -1) {
		while (answer(c))
			continue;
		close(c);
	}
	return 1;
}

/* --- health ------------------------------------------------------------------------------ */

/* What a command leaves behind when it ends by itself goes as well. */
static void
a_probe_leaves_nothing_behind(void **state)
{
	struct runner_opts o = sh("exec sleep 1000");
	struct life l;

	(void)state;
	o.health = (struct runner_probe){ .kind = RUNNER_PROBE_CMD,
	    .target = "test -e $D/left && exit 0; sleep 777 & echo $! >$D/left.tmp; mv $D/left.tmp $D/left; exit 0" };
	o.probe_interval_ns = 20 * NS_PER_MS;
	o.probe_timeout_ns = 10 * NS_PER_S;
	run(&l, o);
	pid_t left = pid_in("left");
	assert_true(until(loop, is_dead, &left));
	end_life(&l);
}

static struct runner_opts
server(const char *socket, const char *gate)
{
	static const char *argv[5];

	argv[0] = child_self();
	argv[1] = "serve";
	argv[2] = socket;
	argv[3] = gate;		/* it listens when that file is there; "": at once */
	return (struct runner_opts){
		.name = "server", .argv = argv, .app = RUNNER_APP_SOCKET, .app_socket = socket, .kill_after_ns = 10 * NS_PER_S,
	};
}

static void
ready_when_the_app_socket_accepts_and_callable_then(void **state)
{
	struct life l;

	(void)state;
	run(&l, server(in_dir("socket"), "go"));
	expect_told(&l, "s");
	expect_call(&l, "x", "down the program is not ready");
	touch("go");
	expect_told(&l, "sr");
	expect_call(&l, "hello", "ok \"/rpc/hello\"");
	expect_call(&l, "die", "down the connection was closed before the answer was complete");
	expect_gone(&l, 4, 0);
	runner_free(l.r);
}

static void
health_turns_and_returns(void **state)
{
	struct runner_opts o = server(in_dir("socket"), "");
	struct life l;

	(void)state;
	o.ready = (struct runner_probe){ .kind = RUNNER_PROBE_HTTP, .target = "/health" };
	o.health = (struct runner_probe){ .kind = RUNNER_PROBE_HTTP, .target = "/health" };
	o.probe_interval_ns = 10 * NS_PER_MS;
	o.probe_timeout_ns = 2 * NS_PER_S;		/* three of them no machine keeps from answering */
	run(&l, o);
	expect_told(&l, "sr");
	for_a_while(loop, 60 * NS_PER_MS);
	assert_string_equal(l.told, "sr");
	touch("bad");
	expect_told(&l, "sru");
	assert_non_null(strstr(l.why, "3 health checks in a row failed, the last: HTTP 500"));
	assert_true(counters(&l).probe_failures >= 3);
	/* Unhealthy is not down: it can still be called. */
	expect_call(&l, "hello", "ok \"/rpc/hello\"");
	unlink(in_dir("bad"));
	expect_told(&l, "srur");
	/* A server that hangs is as bad as one that says so. */
	touch("hang");
	expect_told(&l, "sruru");
	assert_non_null(strstr(l.why, "no answer within 2000 ms"));
	runner_stop(l.r);
	expect_gone(&l, 143, SIGTERM);
	runner_free(l.r);
}

static void
health_by_tcp_notices_a_closed_listener(void **state)
{
	struct runner_opts o = server(in_dir("socket"), "");
	struct life l;
	char target[160];

	(void)state;
	snprintf(target, sizeof target, "unix:%s", in_dir("socket"));
	o.health = (struct runner_probe){ .kind = RUNNER_PROBE_TCP, .target = target };
	o.probe_interval_ns = 10 * NS_PER_MS;
	run(&l, o);
	expect_told(&l, "sr");
	unlink(in_dir("socket"));
	expect_told(&l, "sru");
	end_life(&l);
}

/* --- all together -------------------------------------------------------------------------- */

static int
set_up(void **state)
{
	(void)state;
	return folder_make("t_runner_health");
}

int
main(int argc, char **argv)
{
	LIVES_SHIM(argc, argv);
	if (argc > 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2], argv[3]);

#define TEST(f) cmocka_unit_test_setup(f, folder_clean)
	const struct CMUnitTest tests[] = {
		TEST(a_probe_leaves_nothing_behind),
		TEST(ready_when_the_app_socket_accepts_and_callable_then),
		TEST(health_turns_and_returns),
		TEST(health_by_tcp_notices_a_closed_listener),
	};

	thread_block_signals();
	return cmocka_run_group_tests(tests, set_up, folder_remove);
}
