/* t_worker - commands against a real server, through the public interface: there and back, and what fails on the way. */
#include "handle.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/magic.h"
#include "messaging/dlq.h"
#include "nats/conn.h"
#include "nats/consumer.h"
#include "nats/stream.h"
#include "sys/loop.h"
#include "work.h"

/* --- the way there and back -------------------------------------------------------------- */

static void
progress_and_result_come_in_both_encodings(void **state)
{
	aegis *a = worker_of("way-service"), *senders[] = { sender, json_sender };
	aegis_result *r = NULL;
	int64_t n = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(senders); i++) {
		heard[0] = '\0';
		aegis_send_options o = { .progress = on_progress, .trace_id = "trace-1", .priority = AEGIS_HIGH };
		aegis_out *out = aegis_out_new();
		aegis_out_int(out, "n", 41);
		aegis_out_text(out, "text", "évènement");
		ok(aegis_send(senders[i], "way-service", "work", out, &o, &r, &e));
		assert_true(aegis_result_int(r, "n", &n) && n == 42);
		assert_true(aegis_result_int(r, "deliveries", &n) && n == 1);
		assert_string_equal(aegis_result_text(r, "text"), "évènement");
		assert_string_equal(aegis_result_text(r, "command"), "work");
		assert_string_equal(aegis_result_text(r, "trace_id"), "trace-1");
		assert_int_equal(strlen(aegis_result_id(r)), 36);
		assert_string_equal(heard, "50:half 100: ");
		aegis_result_free(r);
	}
	WAIT_FOR(stored("COMMANDS") == 0);	/* and nothing of progress or completions */
	aegis_close(a);
}

static void
the_same_id_is_stored_once(void **state)
{
	aegis *a = worker_of("once-service");

	(void)state;
	forget();
	aegis_send_options o = { .id = "same-id" };
	ok(aegis_send_json(sender, "once-service", "work", NULL, &o, NULL, &e));
	o.forget = true;
	ok(aegis_send_json(sender, "once-service", "work", NULL, &o, NULL, &e));
	ok(aegis_send_json(sender, "once-service", "work", "{}", NULL, NULL, &e));
	assert_int_equal(atomic_load(&runs), 2);
	aegis_close(a);
}

static void
what_is_no_command_is_refused(void **state)
{
	(void)state;
	fails(aegis_send_json(sender, "bad service", "work", NULL, NULL, NULL, &e), AEGIS_INVALID, "service");
	fails(aegis_send_json(sender, "a-service", "a.b", NULL, NULL, NULL, &e), AEGIS_INVALID, "command");
	fails(aegis_send_json(sender, "a-service", "work", "[1]", NULL, NULL, &e), AEGIS_INVALID, "payload");
	fails(aegis_send_json(sender, "a-service", "work", NULL, &(aegis_send_options){ .id = "a.b" }, NULL, &e),
	    AEGIS_INVALID, "a.b");
	fails(aegis_cancel(sender, "a b", NULL, &e), AEGIS_INVALID, "a b");
	fails(aegis_work(sender, "a.b", on_work, NULL, NULL, &e), AEGIS_INVALID, "command");
}

/* --- failing ----------------------------------------------------------------------------- */

static void
always_failing_runs_thrice_and_is_buried(void **state)
{
	aegis *a = worker_of("fail-service"), *senders[] = { sender, json_sender };
	struct letter l;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(senders); i++) {
		forget();
		fails(aegis_send_json(senders[i], "fail-service", "fail", "{\"a\":1}",
		    &(aegis_send_options){ .max_retries = 2 }, NULL, &e), AEGIS_HANDLER, "no \"stock\"");
		saw("1 2 3 ");
		/* It was buried before it was told. */
		assert_int_equal(dlq_next(conn, STREAM_COMMANDS_DLQ, "commands.fail-service.fail", i + 1, &l, &err), ERR_OK);
		assert_string_equal(l.subject, "commands.fail-service.fail");
		assert_string_equal(l.error, "no \"stock\"");
		assert_string_equal(l.instance, aegis_instance(a));
		assert_int_equal(l.deliveries, 3);
		msg_free(l.stored.msg);
		WAIT_FOR(stored("COMMANDS") == 0);
	}
	aegis_close(a);
}

static void
a_long_run_is_a_failed_attempt(void **state)
{
	aegis *a = worker_of("late-service");

	(void)state;
	forget();
	atomic_store(&hold, true);	/* the handler ends when it sees that nobody waits */
	fails(aegis_send_json(sender, "late-service", "gate", NULL, &(aegis_send_options){ .id = "late", .timeout_ms = 1000,
	    .max_retries = 1, .wait_ms = 60000 }, NULL, &e), AEGIS_HANDLER, "TIMEOUT");
	saw("late late ");
	atomic_store(&hold, false);
	aegis_close(a);
}

static void
what_cannot_be_read_is_buried_once(void **state)
{
	static const char *const bodies[] = { "hello", "{}", "", "{\"command\":\"work\",\"priority\":\"HIGH\"}" };
	uint64_t before = stored("COMMANDS_DLQ");
	aegis *a = worker_of("odd-service");
	struct letter l;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bodies); i++)
		conn_publish(conn, &(struct conn_msg){ .subject = "commands.odd-service.work", .data = bodies[i],
		    .n = strlen(bodies[i]) }, NULL);
	WAIT_FOR(stored("COMMANDS_DLQ") == before + COUNT_OF(bodies));
	WAIT_FOR(stored("COMMANDS") == 0);
	assert_int_equal(dlq_next(conn, STREAM_COMMANDS_DLQ, "commands.odd-service.work", 1, &l, &err), ERR_OK);
	assert_string_equal(l.error, "INVALID_REQUEST");
	assert_int_equal(l.deliveries, 1);
	assert_memory_equal(msg_data(l.stored.msg), "hello", 5);
	msg_free(l.stored.msg);
	aegis_close(a);
}

static void
odd_ids_run_without_a_word(void **state)
{
	static const char *const ids[] = { "a.b", "", "*" };
	aegis *a = worker_of("mute-service");
	struct sub *sub = sub_new(&(struct sub_opts){ .conn = conn, .subject = "commands.*.>", .handler = on_told }, &err);
	char body[200];

	(void)state;
	forget();
	atomic_store(&told, 0);
	for (size_t i = 0; i < COUNT_OF(ids); i++) {
		int n = snprintf(body, sizeof body, "{\"message_id\":\"%s\",\"command\":\"work\"}", ids[i]);
		conn_publish(conn, &(struct conn_msg){ .subject = "commands.mute-service.work", .data = body, .n = (size_t)n }, NULL);
	}
	WAIT_FOR(atomic_load(&runs) == 3);
	WAIT_FOR(stored("COMMANDS") == 0);
	/* What was published before the acks was routed before this. */
	conn_publish(conn, &(struct conn_msg){ .subject = "commands.progress.last", .data = "", .n = 0,
	    .headers = (const struct conn_header[]){ { "Nats-Expected-Stream", "-" }, { NULL, NULL } } }, NULL);
	WAIT_FOR(atomic_load(&marked));
	assert_int_equal(atomic_load(&told), 4);	/* the commands themselves, and the last */
	sub_free(sub);
	aegis_close(a);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(progress_and_result_come_in_both_encodings),
		cmocka_unit_test(the_same_id_is_stored_once),
		cmocka_unit_test(what_is_no_command_is_refused),
		cmocka_unit_test(always_failing_runs_thrice_and_is_buried),
		cmocka_unit_test(a_long_run_is_a_failed_attempt),
		cmocka_unit_test(what_cannot_be_read_is_buried_once),
		cmocka_unit_test(odd_ids_run_without_a_word),
	};

	BUS_SHIM(argc, argv);
	return cmocka_run_group_tests(tests, begin, end);
}
