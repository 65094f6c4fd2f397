/* t_sender - what a sender makes of commands that ended while it had no connection: it looks whether
 * they are still queued, and says that the outcome is unknown of those that are not. */
#include "expect.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/magic.h"
#include "bus.h"
#include "client/aegis.h"
#include "nats/conn.h"
#include "nats/stream.h"
#include "sys/thread.h"

static aegis_error e;

static void
ok(int code)
{
	if (code != AEGIS_OK)
		fail_msg("%s: %s", aegis_code_name(code), e.text);
}

static void
on_job(void *arg, aegis_job *j)
{
	(void)arg;
	aegis_job_done_json(j, "{\"done\": true}");
}

static aegis *
worker_at(const struct bus *b, const char *command)
{
	aegis *a = aegis_connect(&(aegis_options){ .servers = bus_url(b), .wait = true }, &e);

	assert_non_null(a);
	ok(aegis_work(a, command, on_job, NULL, &(aegis_work_options){ .ack_wait_ms = 1000 }, &e));
	ok(aegis_register(a, &(aegis_identity){ .service = "slow-service" }, &e));
	return a;
}

/* One that is sent without waiting, or by a thread that waits. */
struct sent {
	aegis *a;
	const char *command, *id;
	pthread_t thread;
	atomic_int code;		/* -1: under way */
	char text[sizeof e.text];
};

static void
on_end(void *arg, const char *id, const aegis_result *r, const aegis_error *error)
{
	struct sent *s = arg;

	(void)id;
	if (r == NULL)
		snprintf(s->text, sizeof s->text, "%s", error->text);
	atomic_store(&s->code, r != NULL ? AEGIS_OK : error->code);
}

static void *
send_and_wait(void *arg)
{
	struct sent *s = arg;
	aegis_error error = { 0 };
	int code = aegis_send_json(s->a, "slow-service", s->command, NULL,
	    &(aegis_send_options){ .id = s->id, .wait_ms = 60000 }, NULL, &error);

	snprintf(s->text, sizeof s->text, "%s", error.text);
	atomic_store(&s->code, code);
	return NULL;
}

static uint64_t
queued(const struct bus *b)
{
	struct err err;
	struct stream_state s;
	struct conn *c = conn_new(&(struct conn_opts){ .servers = bus_url(b), .name = "t_sender", .timeout_ns = WAIT_NS }, &err);
	uint64_t n = c != NULL && stream_look(c, "COMMANDS", &s, &err) == ERR_OK ? s.messages : UINT64_MAX;

	conn_free(c);
	return n;
}

/* work_off_elsewhere: the data are served under another port for a while, where `command` finds its
 * worker and the sender does not find the server. */
static void
work_off_elsewhere(const char *command, uint64_t left)
{
	struct bus other = { .port = 0 };

	memcpy(other.dir, bus.dir, sizeof other.dir);
	bus_stop(&bus);
	assert_true(bus_start(&other));
	aegis *worker = worker_at(&other, command);
	WAIT_FOR(queued(&other) == left);
	aegis_close(worker);
	bus_stop(&other);
	assert_true(bus_start(&bus));
}

static void
expect_unknown(struct sent *s)
{
	WAIT_FOR(atomic_load(&s->code) != -1);
	assert_int_equal(atomic_load(&s->code), AEGIS_OUTCOME_UNKNOWN);
	assert_non_null(strstr(s->text, "ended while the connection was lost"));
	assert_non_null(strstr(s->text, s->id));
}

static void
what_ended_unheard_has_an_unknown_outcome(void **state)
{
	aegis *a = aegis_connect(&(aegis_options){ .servers = bus_url(&bus) }, &e);
	struct sent started = { a, "step", "started", 0, -1, "" }, waiting = { a, "step", "waiting", 0, -1, "" };
	struct sent staying = { a, "other", "staying", 0, -1, "" };
	struct err err;

	(void)state;
	assert_non_null(a);
	aegis_close(worker_at(&bus, "nothing"));	/* the streams are there */
	ok(aegis_send_start(a, "slow-service", "step", NULL, &(aegis_send_options){ .id = "started", .wait_ms = 60000 },
	    on_end, &started, &e));
	ok(aegis_send_start(a, "slow-service", "other", NULL, &(aegis_send_options){ .id = "staying", .wait_ms = 60000 },
	    on_end, &staying, &e));
	assert_int_equal(thread_start(&waiting.thread, "sender", send_and_wait, &waiting, &err), ERR_OK);
	WAIT_FOR(queued(&bus) == 3);
	work_off_elsewhere("step", 1);
	expect_unknown(&started);
	expect_unknown(&waiting);
	pthread_join(waiting.thread, NULL);
	/* What is still queued is waited for, and its end is heard. */
	assert_int_equal(atomic_load(&staying.code), -1);
	aegis *worker = worker_at(&bus, "other");
	WAIT_FOR(atomic_load(&staying.code) == AEGIS_OK);
	aegis_close(worker);
	aegis_close(a);
}

/* lose_quietly: the queue lets go of all commands, and nobody tells of an end: as when the worker's own
 * connection was away at that moment. */
static void
lose_quietly(void)
{
	struct err err;
	struct conn *c = conn_new(&(struct conn_opts){ .servers = bus_url(&bus), .name = "t_sender", .timeout_ns = WAIT_NS }, &err);

	assert_non_null(c);
	assert_int_equal(stream_purge(c, "COMMANDS", "commands.slow-service.>", &err), ERR_OK);
	conn_free(c);
}

/* The first look found the command still queued, or had no answer. */
static void
one_look_is_not_all(void **state)
{
	aegis *a = aegis_connect(&(aegis_options){ .servers = bus_url(&bus) }, &e);
	struct sent started = { a, "step", "late-start", 0, -1, "" }, waiting = { a, "step", "late-wait", 0, -1, "" };
	struct err err;

	(void)state;
	assert_non_null(a);
	ok(aegis_send_start(a, "slow-service", "step", NULL, &(aegis_send_options){ .id = "late-start", .wait_ms = 60000 },
	    on_end, &started, &e));
	assert_int_equal(thread_start(&waiting.thread, "sender", send_and_wait, &waiting, &err), ERR_OK);
	WAIT_FOR(queued(&bus) == 2);
	bus_stop(&bus);
	assert_true(bus_start(&bus));
	thread_pause(2 * NS_PER_S);		/* the time is the point: the first look is over */
	assert_int_equal(atomic_load(&started.code), -1);
	assert_int_equal(atomic_load(&waiting.code), -1);
	lose_quietly();
	expect_unknown(&started);
	expect_unknown(&waiting);
	pthread_join(waiting.thread, NULL);
	aegis_close(a);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_ended_unheard_has_an_unknown_outcome),
		cmocka_unit_test(one_look_is_not_all),
	};

	BUS_SHIM(argc, argv);
	if (!bus_start(&bus))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	conn_library_close();
	bus_end(&bus);
	return failed;
}
