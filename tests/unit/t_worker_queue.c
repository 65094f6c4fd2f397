/* t_worker_queue - commands that wait: cancelled, put first, left over by who ended, sent without waiting; and what
 * becomes of their queue. */
#include "handle.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/magic.h"
#include "messaging/janitor.h"
#include "nats/conn.h"
#include "nats/consumer.h"
#include "nats/stream.h"
#include "sys/loop.h"
#include "sys/loop_thread.h"
#include "sys/thread.h"
#include "work.h"

/* --- a service --------------------------------------------------------------------------- */

/* A thread that sends. */
struct sending {
	pthread_t thread;
	aegis *a;
	const char *service, *command, *payload;
	aegis_send_options o;
	atomic_bool over;
	int code;
	aegis_error e;
	aegis_result *result;
};

static void *
send_thread(void *arg)
{
	struct sending *s = arg;

	s->code = aegis_send_json(s->a, s->service, s->command, s->payload, &s->o, &s->result, &s->e);
	atomic_store(&s->over, true);
	return NULL;
}

static void
start(struct sending *s)
{
	assert_int_equal(thread_start(&s->thread, "sender", send_thread, s, &err), ERR_OK);
}

static int
finish(struct sending *s)
{
	pthread_join(s->thread, NULL);
	aegis_result_free(s->result);
	e = s->e;
	return s->code;
}

/* --- cancelling, order ------------------------------------------------------------------- */

static void
running_queued_and_future_commands_are_cancelled(void **state)
{
	aegis *a = worker_of("stop-service");
	struct sending s[3] = {
		{ .a = sender, .service = "stop-service", .command = "gate", .o = { .id = "running" } },
		{ .a = json_sender, .service = "stop-service", .command = "gate", .o = { .id = "queued" } },
		{ .a = sender, .service = "stop-service", .command = "gate", .o = { .id = "future" } },
	};

	(void)state;
	forget();
	atomic_store(&hold, true);
	start(&s[0]);
	WAIT_FOR(atomic_load(&runs) == 1);
	start(&s[1]);
	WAIT_FOR(stored("COMMANDS") == 2);
	ok(aegis_cancel(sender, "queued", "enough", &e));
	fails(finish(&s[1]), AEGIS_CANCELLED, "cancelled");
	ok(aegis_cancel(sender, "future", NULL, &e));
	ok(aegis_cancel(sender, "running", NULL, &e));
	fails(finish(&s[0]), AEGIS_CANCELLED, "cancelled");
	start(&s[2]);
	fails(finish(&s[2]), AEGIS_CANCELLED, "cancelled");
	saw("running ");
	WAIT_FOR(stored("COMMANDS") == 0);
	atomic_store(&hold, false);
	aegis_close(a);
}

static uint64_t
unacked(const char *durable)
{
	struct consumer_facts f;

	return consumer_inspect(conn, "COMMANDS", durable, &f, &err) == ERR_OK ? f.unacked : 0;
}

static void
critical_comes_before_low(void **state)
{
	static const struct { const char *id; enum aegis_priority p; } rows[] = {
		{ "first", AEGIS_LOW }, { "low1", AEGIS_LOW }, { "low2", AEGIS_LOW }, { "normal", AEGIS_NORMAL },
		{ "high", AEGIS_HIGH }, { "critical1", AEGIS_CRITICAL }, { "critical2", AEGIS_CRITICAL },
	};
	aegis *a = worker_of("order-service");

	(void)state;
	forget();
	atomic_store(&hold, true);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		ok(aegis_send_json(sender, "order-service", "gate", NULL, &(aegis_send_options){ .id = rows[i].id,
		    .priority = rows[i].p, .forget = true }, NULL, &e));
		if (i == 0)
			WAIT_FOR(atomic_load(&runs) == 1);
	}
	/* All are in the window once one that was sent after them is known there: it can be cancelled. */
	struct sending last = { .a = sender, .service = "order-service", .command = "gate",
	    .o = { .id = "last", .wait_ms = 60000 } };
	start(&last);
	WAIT_FOR(unacked("order-service__gate") == COUNT_OF(rows) + 1);
	ok(aegis_cancel(sender, "last", NULL, &e));
	assert_int_equal(finish(&last), AEGIS_CANCELLED);
	atomic_store(&hold, false);
	WAIT_FOR(atomic_load(&runs) == COUNT_OF(rows));
	saw("first critical1 critical2 high normal low1 low2 ");
	aegis_close(a);
}

/* --- the end of a worker ----------------------------------------------------------------- */

static void *
close_thread(void *arg)
{
	aegis_close(arg);
	return NULL;
}

static void
what_a_closed_handle_had_goes_to_another(void **state)
{
	aegis *a = worker_of("pass-service");
	struct sending s[2] = {
		{ .a = sender, .service = "pass-service", .command = "gate", .o = { .id = "p1" } },
		{ .a = sender, .service = "pass-service", .command = "gate", .o = { .id = "p2" } },
	};

	(void)state;
	forget();
	atomic_store(&hold, true);
	start(&s[0]);
	WAIT_FOR(atomic_load(&runs) == 1);
	start(&s[1]);
	WAIT_FOR(unacked("pass-service__gate") == 2);
	aegis *b = worker_of("pass-service");
	pthread_t closer;
	/* What waited in a's window is given back while its running job is waited for. */
	atomic_store(&hold, true);
	assert_int_equal(thread_start(&closer, "closer", close_thread, a, &err),
	    ERR_OK);
	WAIT_FOR(atomic_load(&runs) == 2);
	atomic_store(&hold, false);
	ok(finish(&s[0]));
	ok(finish(&s[1]));
	pthread_join(closer, NULL);
	WAIT_FOR(stored("COMMANDS") == 0);
	saw("p1 p2 ");
	aegis_close(b);
}

static void
a_sender_that_is_closed_stops_waiting(void **state)
{
	aegis *a = connect_as(NULL);
	struct sending s = { .a = a, .service = "nobody-service", .command = "work", .o = { .id = "alone" } };

	(void)state;
	start(&s);
	WAIT_FOR(stored("COMMANDS") == 1);
	assert_false(atomic_load(&s.over));
	aegis_close(a);
	fails(finish(&s), AEGIS_CLOSED, "closed");
	fails(aegis_send_json(sender, "nobody-service", "work", NULL, &(aegis_send_options){ .wait_ms = 50 }, NULL, &e),
	    AEGIS_TIMEOUT, "stored");
	/* They are worked off once somebody comes. */
	aegis *b = worker_of("nobody-service");
	WAIT_FOR(stored("COMMANDS") == 0);
	aegis_close(b);
}

static void
ask(const char *subject, const char *body)
{
	struct msg *m;

	expect_ok(conn_request(conn, &(struct conn_msg){ .subject = subject, .data = body, .n = strlen(body) }, WAIT_NS,
	    &m, &err), &err);
	if (memmem(msg_data(m), msg_size(m), "\"error\"", 7) != NULL)
		fail_msg("%.*s", (int)msg_size(m), (const char *)msg_data(m));
	msg_free(m);
}

/* --- without waiting --------------------------------------------------------------------- */

#define STARTED 300

static struct {
	atomic_uint done, completed, other;
	char text[504];			/* of the last that was no completion */
	int code;
} ends;

static void
on_end(void *arg, const char *id, const aegis_result *r, const aegis_error *why)
{
	int64_t n = -1;

	(void)arg;
	if (r != NULL) {
		assert_null(why);
		assert_string_equal(aegis_result_id(r), id);
		aegis_result_int(r, "n", &n);
		if (n >= 0 && n <= STARTED)
			atomic_fetch_add(&ends.completed, 1);
	} else {
		snprintf(ends.text, sizeof ends.text, "%s", why->text);
		ends.code = why->code;
		atomic_fetch_add(&ends.other, 1);
	}
	atomic_fetch_add(&ends.done, 1);
}

static void
send_started(const char *service, const char *command, int n, const aegis_send_options *o)
{
	aegis_out *out = aegis_out_new();

	aegis_out_int(out, "n", n);
	ok(aegis_send_start(sender, service, command, out, o, on_end, NULL, &e));
}

static void
ended(unsigned n, int code, const char *part)
{
	WAIT_FOR(atomic_load(&ends.done) == n);
	e.code = ends.code;
	snprintf(e.text, sizeof e.text, "%s", ends.text);
	fails(ends.code, code, part);
	memset(&ends, 0, sizeof ends);
}

static void
many_are_sent_without_waiting(void **state)
{
	(void)state;
	aegis *a = worker_of("start-service");
	heard[0] = '\0';
	for (int i = 0; i < STARTED; i++)
		send_started("start-service", "work", i, i == 0 ? &(aegis_send_options){ .progress = on_progress } : NULL);
	WAIT_FOR(atomic_load(&ends.done) == STARTED);
	assert_int_equal(atomic_load(&ends.completed), STARTED);
	assert_string_equal(heard, "50:half 100: ");
	memset(&ends, 0, sizeof ends);
	send_started("start-service", "fail", 0, &(aegis_send_options){ .max_retries = -1 });
	ended(1, AEGIS_HANDLER, "no \"stock\"");
	send_started("start-service", "absent", 0, &(aegis_send_options){ .wait_ms = 50, .id = "late-start" });
	ended(1, AEGIS_TIMEOUT, "late-start is stored");
	send_started("start-service", "absent", 0, &(aegis_send_options){ .id = "given-up" });
	ok(aegis_cancel(sender, "given-up", NULL, &e));	/* nobody has it; its sender hears of the close */
	send_started("start-service", "absent", 0, &(aegis_send_options){ .forget = true });
	WAIT_FOR(atomic_load(&ends.done) == 1);
	memset(&ends, 0, sizeof ends);
	fails(aegis_send_start(sender, "start-service", "a.b", NULL, NULL, on_end, NULL, &e), AEGIS_INVALID, "command");
	fails(aegis_send_start(sender, "start-service", "work", NULL, &(aegis_send_options){ .traceparent = "00-1" }, on_end, NULL, &e),
	    AEGIS_INVALID, "traceparent");
	fails(aegis_send_start(sender, "start-service", "work", NULL, &(aegis_send_options){ .id = "*" }, on_end, NULL, &e),
	    AEGIS_INVALID, "'*'");
	aegis_close(sender);
	ended(1, AEGIS_CLOSED, "closed");
	sender = connect_as(NULL);
	forget();
	aegis_close(a);
	ask("$JS.API.STREAM.PURGE.COMMANDS", "{\"filter\":\"commands.start-service.absent\"}");
}

/* --- the queue itself -------------------------------------------------------------------- */

static void
the_janitor_removes_litter_and_nothing_else(void **state)
{
	static const char *const litter[] = { "commands.progress.x", "commands.callback.x", "commands.cancel.x",
		"commands.callback.a.b" };
	struct loop *loop = loop_new(clock_system(), 64, &err);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(litter); i++)
		conn_publish(conn, &(struct conn_msg){ .subject = litter[i], .data = "{}", .n = 2 }, NULL);
	ok(aegis_send_json(sender, "later-service", "work", NULL, &(aegis_send_options){ .forget = true }, NULL, &e));
	WAIT_FOR(stored("COMMANDS") == COUNT_OF(litter) + 1);
	struct janitor *two[] = { janitor_new(conn, loop, &err), janitor_new(conn, loop, &err) };
	struct loop_thread t;
	assert_int_equal(loop_thread_start(&t, loop, &err), ERR_OK);
	WAIT_FOR(janitor_removed(two[0]) + janitor_removed(two[1]) == COUNT_OF(litter));
	WAIT_FOR(stored("COMMANDS") == 1);
	loop_thread_stop(&t);
	janitor_free(two[0]);
	janitor_free(two[1]);
	loop_free(loop);
	aegis *a = worker_of("later-service");
	WAIT_FOR(stored("COMMANDS") == 0);
	aegis_close(a);
}

static void
a_bound_python_worker_is_not_displaced(void **state)
{
	static const char config[] = "{\"stream_name\":\"COMMANDS\",\"config\":{\"durable_name\":\"py-service-work\","
	    "\"deliver_subject\":\"py.inbox\",\"filter_subject\":\"commands.py-service.work\",\"ack_policy\":\"explicit\"}}";
	struct sub *bound = sub_new(&(struct sub_opts){ .conn = conn, .subject = "py.inbox", .handler = on_told }, &err);

	(void)state;
	forget();
	atomic_store(&told, 0);
	ask("$JS.API.CONSUMER.DURABLE.CREATE.COMMANDS.py-service-work", config);
	aegis *a = worker_of("py-service");
	ok(aegis_send_json(sender, "py-service", "work", NULL, &(aegis_send_options){ .forget = true }, NULL, &e));
	WAIT_FOR(atomic_load(&told) >= 1);
	assert_int_equal(atomic_load(&runs), 0);
	/* Its commands, unacked, come here when it is gone. */
	expect_ok(consumer_remove(conn, "COMMANDS", "py-service-work", &err), &err);
	WAIT_FOR(atomic_load(&runs) == 1);
	sub_free(bound);
	aegis_close(a);
}

static void
a_full_queue_refuses(void **state)
{
	(void)state;
	WAIT_FOR(stored("COMMANDS") == 0);
	ask("$JS.API.STREAM.UPDATE.COMMANDS", "{\"name\":\"COMMANDS\",\"subjects\":[\"commands.>\"],\"retention\":\"workqueue\","
	    "\"max_msgs\":10,\"storage\":\"file\",\"num_replicas\":1,\"discard\":\"old\",\"duplicate_window\":120000000000,"
	    "\"allow_direct\":true,\"max_consumers\":100000}");
	int code = AEGIS_OK;
	for (int i = 0; i < 200 && code == AEGIS_OK; i++)
		code = aegis_send_json(sender, "full-service", "work", NULL, &(aegis_send_options){ .forget = true }, NULL, &e);
	fails(code, AEGIS_BUSY, "nearly full (9 of 10");
	assert_int_equal(stored("COMMANDS"), 9);
	send_started("full-service", "work", 0, NULL);
	ended(1, AEGIS_BUSY, "nearly full (9 of 10");
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(running_queued_and_future_commands_are_cancelled),
		cmocka_unit_test(critical_comes_before_low),
		cmocka_unit_test(what_a_closed_handle_had_goes_to_another),
		cmocka_unit_test(a_sender_that_is_closed_stops_waiting),
		cmocka_unit_test(many_are_sent_without_waiting),
		cmocka_unit_test(the_janitor_removes_litter_and_nothing_else),
		cmocka_unit_test(a_bound_python_worker_is_not_displaced),
		cmocka_unit_test(a_full_queue_refuses),
	};

	BUS_SHIM(argc, argv);
	return cmocka_run_group_tests(tests, begin, end);
}
