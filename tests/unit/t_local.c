/* t_local - the local API without a bus: where it may be, whom it lets in, what requests may say, and
 * what it tells of its instance. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/local.h"
#include "base/magic.h"
#include "base/str.h"
#include "bus.h"
#include "sys/thread.h"

static char dir[32];
static struct local *local;
static struct err err;

/* --- its progress ------------------------------------------------------------------------- */

static char told[64];

static enum err_code
on_progress(void *arg, const char *id, double percent, const char *status, struct err *e)
{
	(void)arg;
	if (strcmp(id, "mine") != 0)
		return err_set(e, ERR_NOT_FOUND, "no such command");
	snprintf(told, sizeof told, "%g %s", percent, status);
	return ERR_OK;
}

static struct local *
open_at(const char *where)
{
	err_clear(&err);
	return local_new(&(struct local_opts){
		.where = where, .directory = dir, .service = "porter", .instance = "p-1", .version = "1.2.3",
		.progress = on_progress,
	}, &err);
}

/* --- a client ---------------------------------------------------------------------------- */

static int
dial(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static char got[8192];

/* more: what comes, until text is in it. */
static void
more(int fd, const char *text)
{
	size_t n = strlen(got);

	while (text == NULL || strstr(got, text) == NULL) {
		ssize_t k = recv(fd, got + n, sizeof got - 1 - n, 0);
		if (k <= 0)
			break;
		got[n += (size_t)k] = '\0';
	}
}

/* ask: a request with the token and these headers; its status. */
static int
ask(const char *line, const char *headers, const char *body)
{
	int fd = dial(local_address(local) + strlen("unix:"));

	got[0] = '\0';
	dprintf(fd, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer %s\r\n%sContent-Length: %zu\r\n\r\n%s",
	    line, local_token(local), headers, strlen(body), body);
	more(fd, NULL);
	close(fd);
	return strncmp(got, "HTTP/1.1 ", 9) == 0 ? (int)strtol(got + 9, NULL, 10) : 0;
}

static int
begin(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/t_local.XXXXXX");
	return mkdtemp(dir) == NULL || (local = open_at("unix")) == NULL;
}

static int
end(void **state)
{
	(void)state;
	local_free(local);
	local = NULL;
	return rmdir(dir);		/* nothing is left in it */
}

/* --- tests ------------------------------------------------------------------------------- */

static void
knows_its_places(void **state)
{
	static const char *const good[] = { "unix", "http", "unix:/run/x", "http://127.0.0.1:8080" };
	static const char *const bad[] = {
		"", "auto", "unix:", "unix:x", "http://127.0.0.1:0", "http://127.0.0.1:65536", "http://127.0.0.1:", "http://0.0.0.0:80",
		"https://127.0.0.1:80", "127.0.0.1:80",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++)
		assert_int_equal(local_check(good[i], &err), ERR_OK);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(local_check(bad[i], &err), ERR_CONFIG);
		assert_null(open_at(bad[i]));
	}
	struct local *web = open_at("http");
	assert_non_null(web);
	assert_memory_equal(local_address(web), "http://127.0.0.1:", 17);
	assert_string_not_equal(local_token(web), local_token(local));
	local_free(web);
}

static void
lets_its_user_in_alone(void **state)
{
	char path[128];
	struct stat st;

	(void)state;
	snprintf(path, sizeof path, "%s", local_address(local) + strlen("unix:"));
	*strrchr(path, '/') = '\0';
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(strlen(local_token(local)), 64);
	assert_int_equal(ask("GET /v1/status", "", ""), 200);
	int fd = dial(local_address(local) + strlen("unix:"));
	dprintf(fd, "GET /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer %.63s\r\n\r\n", local_token(local));
	got[0] = '\0';
	more(fd, NULL);
	close(fd);
	assert_non_null(strstr(got, " 401 "));
	assert_null(strstr(got, local_token(local)));
}

static void
listen_on(const char *path, int *fd)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	*fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(*fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(*fd, 1), 0);
}

/* left: a directory as a wrapper makes it, with a socket, that old. */
static void
left(char *path, size_t max, const char *name, int64_t age_s, int *fd)
{
	char at[160];
	struct timespec when[2];

	snprintf(path, max, "%s/aegis-api-%s", dir, name);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(at, sizeof at, "%s/api.sock", path);
	listen_on(at, fd);
	clock_gettime(CLOCK_REALTIME, &when[0]);
	when[0].tv_sec -= age_s;
	when[1] = when[0];
	assert_int_equal(utimensat(AT_FDCWD, path, when, 0), 0);
}

static void
sweeps_what_the_killed_left(void **state)
{
	char dead[128], young[128], alive[128];
	int fd[3];

	(void)state;
	left(dead, sizeof dead, "dead00", 3600, &fd[0]);
	left(young, sizeof young, "young0", 1, &fd[1]);
	left(alive, sizeof alive, "alive0", 3600, &fd[2]);
	close(fd[0]);
	close(fd[1]);
	struct local *next = open_at("unix");
	assert_non_null(next);
	assert_int_equal(access(dead, F_OK), -1);
	assert_int_equal(access(young, F_OK), 0);
	assert_int_equal(access(alive, F_OK), 0);
	local_free(next);
	close(fd[2]);
	assert_int_equal(dir_remove(young, NULL), ERR_OK);
	assert_int_equal(dir_remove(alive, NULL), ERR_OK);
}

static void
takes_no_path_from_others(void **state)
{
	char path[64], where[80];
	int fd;

	(void)state;
	snprintf(path, sizeof path, "%s/s", dir);
	snprintf(where, sizeof where, "unix:%s", path);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_null(open_at(where));
	assert_non_null(strstr(err.text, "no socket"));
	assert_int_equal(unlink(path), 0);
	listen_on(path, &fd);
	assert_null(open_at(where));
	assert_non_null(strstr(err.text, "somebody else"));
	close(fd);
	struct local *mine = open_at(where);		/* its listener is gone */
	assert_non_null(mine);
	local_free(mine);
	assert_int_equal(access(path, F_OK), -1);
}

static void
reads_what_requests_say(void **state)
{
	static const struct { const char *line, *headers, *body; int status; const char *says; } rows[] = {
		{ "POST /v1/progress/mine", "", "{\"progress\":12.5,\"status\":\"half\"}", 204, NULL },
		{ "POST /v1/progress/mine?timeout=2s", "", "{\"progress\":0}", 204, NULL },
		{ "POST /v1/progress/mine", "", "{\"progress\":100,\"status\":null}", 204, NULL },
		{ "POST /v1/progress/other", "", "{\"progress\":1}", 404, "no such command" },
		{ "POST /v1/progress/mine", "", "", 422, "body" },
		{ "POST /v1/progress/mine", "", "{\"progress\":-1}", 422, "'progress'" },
		{ "POST /v1/progress/mine", "", "{\"progress\":1,\"status\":7}", 422, "'status'" },
		{ "POST /v1/progress/mine", "", "[]", 422, "'progress'" },
		{ "POST /v1/progress/mine?wait=1s", "", "{\"progress\":1}", 422, "'wait'" },
		{ "POST /v1/progress/mine?timeout=0s", "", "{\"progress\":1}", 422, "timeout" },
		{ "POST /v1/progress/mine?timeout=61m", "", "{\"progress\":1}", 422, "timeout" },
		{ "POST /v1/progress/mine", "Aegis-Deadline: 1.5\r\n", "{\"progress\":1}", 422, "Aegis-Deadline" },
		{ "POST /v1/progress/mine", "Aegis-Deadline: 0\r\n", "{\"progress\":1}", 504, "nothing was begun" },
		{ "POST /v1/progress/mine", "Aegis-Deadline: 99999999999\r\n", "{\"progress\":1}", 204, NULL },
		{ "POST /v1/progress/mine", "Idempotency-Key: a b\r\n", "{\"progress\":1}", 422, "Idempotency-Key" },
		{ "POST /v1/progress/mine", "Idempotency-Key: a-b_9\r\n", "{\"progress\":1}", 204, NULL },
		{ "POST /v1/progress/mine", "Aegis-Trace-Id: t-1\r\n", "{\"progress\":1}", 204, "Aegis-Trace-Id: t-1\r\n" },
		{ "POST /v1/progress/mine", "Aegis-Trace-Id: \xff\r\n", "{\"progress\":1}", 422, "Aegis-Trace-Id" },
		{ "POST /v1/progress/mine", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n", "{\"progress\":1}", 204,
		    "Aegis-Trace-Id: 0af76519-16cd-43dd-8448-eb211c80319c\r\n" },
		{ "POST /v1/progress/mine", "traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01\r\n", "{\"progress\":1}", 204,
		    "-4" },	/* none: a fresh one */
		{ "POST /v1/progress/mine", "traceparent: 00-XYf7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n", "{\"progress\":1}", 204, "-4" },
		{ "PUT /v1/status", "", "", 405, "Allow: GET, HEAD, OPTIONS\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int status = ask(rows[i].line, rows[i].headers, rows[i].body);
		if (status != rows[i].status || (rows[i].says != NULL && strstr(got, rows[i].says) == NULL))
			fail_msg("row %zu: %d: %s", i, status, got);
	}
	assert_int_equal(ask("POST /v1/progress/mine", "", rows[0].body), 204);
	assert_string_equal(told, "12.5 half");
}

static void
tells_its_state(void **state)
{
	(void)state;
	assert_int_equal(ask("GET /v1/status", "", ""), 200);
	assert_non_null(strstr(got, "{\"service\":\"porter\",\"instance\":\"p-1\",\"version\":\"1.2.3\",\"program\":\"starting\","
	    "\"phase\":\"starting\",\"registered\":false,\"connected\":false}"));
	int fd = dial(local_address(local) + strlen("unix:"));
	dprintf(fd, "GET /v1/watch HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", local_token(local));
	got[0] = '\0';
	more(fd, "\"connected\":false}\n\n");
	assert_non_null(strstr(got, "Content-Type: text/event-stream\r\n"));
	assert_non_null(strstr(got, "id: 1\nevent: status\n"));
	local_tell(local, &(struct local_state){ .program = "ready", .phase = "running", .registered = true, .connected = true });
	more(fd, "\"connected\":true}\n\n");
	assert_non_null(strstr(got, "id: 2\nevent: status\n"));
	local_tell(local, &(struct local_state){ .program = "ready", .phase = "running", .registered = true, .connected = true });	/* no change: nothing is sent */
	local_tell(local, &(struct local_state){ .program = "ready", .phase = "stopping", .registered = true, .connected = true });
	more(fd, "stopping");
	assert_non_null(strstr(got, "id: 3\n"));
	local_stop(local);		/* ends the stream */
	more(fd, NULL);
	assert_null(strstr(got, "id: 4\n"));
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(knows_its_places, begin, end),
		cmocka_unit_test_setup_teardown(lets_its_user_in_alone, begin, end),
		cmocka_unit_test_setup_teardown(sweeps_what_the_killed_left, begin, end),
		cmocka_unit_test_setup_teardown(takes_no_path_from_others, begin, end),
		cmocka_unit_test_setup_teardown(reads_what_requests_say, begin, end),
		cmocka_unit_test_setup_teardown(tells_its_state, begin, end),
	};

	thread_block_signals();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
