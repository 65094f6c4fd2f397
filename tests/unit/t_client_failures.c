/* t_client_failures - the public interface against a real server: what handlers, names, members and time-outs make of a
 * call. */
#include "handle.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/magic.h"
#include "codec/codec.h"
#include "look.h"
#include "nats/conn.h"
#include "registry/registry.h"

/* --- failures ---------------------------------------------------------------------------- */

static int
call(const char *service, const char *method, const aegis_call_options *o)
{
	aegis_result *r = NULL;

	e = (aegis_error){ 0 };
	int code = aegis_call(caller, service, method, NULL, o, &r, &e);
	assert_true((code == AEGIS_OK) == (r != NULL));
	aegis_result_free(r);
	return code;
}

static void
a_handlers_error_arrives_as_it_is(void **state)
{
	aegis_result *r = NULL;

	(void)state;
	e = (aegis_error){ 0 };
	fails(aegis_call_json(caller, "test-service", "refuse", "{\"why\":\"no stock of \xc3\xa4pples\"}", NULL, &r, &e),
	    AEGIS_HANDLER, "no stock of \xc3\xa4pples");
	assert_string_equal(e.text, "no stock of \xc3\xa4pples");
	assert_null(r);
	/* Also when its words look like ours. */
	fails(aegis_call_json(caller, "test-service", "refuse", "{\"why\":\"TIMEOUT: the printer\"}", NULL, &r, &e),
	    AEGIS_HANDLER, "TIMEOUT: the printer");
	fails(aegis_call_json(caller, "test-service", "refuse", "{\"why\":\"NOT_ACTIVE\"}", NULL, &r, &e), AEGIS_HANDLER,
	    "NOT_ACTIVE");
	/* The code counts without a place for the sentence, too. */
	assert_int_equal(aegis_call_json(caller, "test-service", "refuse", "{\"why\":\"x\"}", NULL, &r, NULL), AEGIS_HANDLER);
}

static void
an_answer_that_cannot_be_sent_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(call("test-service", "unsendable", NULL), AEGIS_HANDLER);
	WAIT_FOR(atomic_load(&bad_reply) != 0);
	atomic_store(&bad_reply, 0);
	fails(call("test-service", "too_large", NULL), AEGIS_HANDLER, "larger than");
	WAIT_FOR(atomic_load(&bad_reply) == AEGIS_TOO_LARGE);
	fails(call("test-service", "too_deep", NULL), AEGIS_HANDLER, "16 deep");
	WAIT_FOR(atomic_load(&bad_reply) == AEGIS_INVALID);
}

static void
a_request_that_cannot_be_sent_is_an_error(void **state)
{
	aegis_out *o = aegis_out_new();
	char *text = calloc(1, (2 << 20) + 1);

	(void)state;
	memset(text, 'x', 2 << 20);
	aegis_out_text(o, "text", text);
	free(text);
	fails(aegis_call(caller, "test-service", "echo", o, NULL, NULL, &e), AEGIS_TOO_LARGE, "larger than");
	o = aegis_out_new();
	aegis_out_text(o, "text", "\xff");
	assert_int_not_equal(aegis_call(caller, "test-service", "echo", o, NULL, NULL, &e), AEGIS_OK);
	assert_int_not_equal(aegis_call_json(caller, "test-service", "echo", "{\"a\":", NULL, NULL, &e), AEGIS_OK);
	assert_int_not_equal(aegis_call_json(caller, "test-service", "echo", "[1]", NULL, NULL, &e), AEGIS_OK);
	fails(call("Bad Service", "echo", NULL), AEGIS_INVALID, "Bad Service");
	fails(call("test-service", "bad method", NULL), AEGIS_INVALID, "bad method");
	fails(call("test-service", "echo", &(aegis_call_options){ .instance = "a.b" }), AEGIS_INVALID, "a.b");
}

static void
unknown_names_are_told_with_near_ones(void **state)
{
	(void)state;
	WAIT_FOR(call("test-service", "echo", &(aegis_call_options){ .instance = "test-1" }) == AEGIS_OK);
	fails(call("test-servce", "echo", NULL), AEGIS_SERVICE_UNKNOWN, "did you mean 'test-service'");
	fails(call("something-else", "echo", NULL), AEGIS_SERVICE_UNKNOWN, "'something-else'");
	fails(call("test-service", "ecko", NULL), AEGIS_NO_MEMBER, "none listens for method 'ecko'");
	fails(call("test-service", "echo", &(aegis_call_options){ .instance = "test-2" }), AEGIS_INSTANCE_UNKNOWN,
	    "did you mean 'test-1'");
	fails(call("something-else", "echo", &(aegis_call_options){ .instance = "test-2" }), AEGIS_INSTANCE_UNKNOWN,
	    "test-2");
}

/* put_record: of an instance that is not there. */
static void
put_record(const char *service, const char *id, int64_t age_s)
{
	struct err err;
	struct conn *c = conn_new(&(struct conn_opts){ .servers = bus_url(&bus) }, &err);
	struct registry *r = registry_new(&(struct registry_opts){ .conn = c, .create = true }, &err);
	struct instance i;

	instance_init(&i);
	i.service = mem_text(service);
	i.id = mem_text(id);
	i.version = mem_text("1.0.0");
	i.last_heartbeat = clock_wall(clock_system());
	i.last_heartbeat.ns -= age_s * NS_PER_S;
	mem_free(i.metadata);
	i.metadata = mem_text("{\"nonce\":\"abc\",\"direct_rpc\":true}");
	uint64_t rev;
	expect_ok(registry_put_instance(r, &i, 300, REGISTRY_NEW, &rev, &err), &err);
	instance_release(&i);
	registry_free(r);
	conn_free(c);
}

static void
of_instances_that_are_gone_is_told_when_they_were_seen(void **state)
{
	(void)state;
	put_record("dead-service", "dead-1", 90);
	put_record("mute-service", "mute-1", 1);
	WAIT_FOR(call("dead-service", "x", NULL) == AEGIS_NO_MEMBER);
	fails(call("dead-service", "x", NULL), AEGIS_NO_MEMBER, "'dead-1' was seen last, 1m3");
	fails(call("dead-service", "x", &(aegis_call_options){ .instance = "dead-1" }), AEGIS_NO_MEMBER, "was seen 1m3");
	/* Registered a second ago, but nobody listens. */
	WAIT_FOR(call("mute-service", "x", NULL) == AEGIS_NO_MEMBER);
	fails(call("mute-service", "x", NULL), AEGIS_NO_MEMBER, "none listens");
	fails(call("mute-service", "x", &(aegis_call_options){ .instance = "mute-1" }), AEGIS_NO_MEMBER, "does not listen");
}

/* A service that is not ours: it answers with the words of its request's `say`, as bytes. */
static void
say(void *arg, struct msg *m)
{
	struct value v, payload;
	struct text words;
	struct data d = { DATA_JSON, msg_data(m), msg_size(m) };

	MUST(codec_parse(codec_mine(), d, &v, NULL) == ERR_OK);
	payload = *value_field(&v, "params");
	MUST(value_text(value_field(&payload, "say"), &words));
	conn_publish(arg, &(struct conn_msg){ .subject = msg_reply(m), .data = words.p, .n = words.n }, NULL);
	msg_free(m);
}

/* told: what a call makes of an answer whose success, result and error are these. */
static int
told(aegis *a, const char *success, const char *result, const char *error)
{
	aegis_result *r = NULL;
	aegis_out *params = aegis_out_new();
	char text[512];

	snprintf(text, sizeof text, "{\"message_id\":\"m2\",\"trace_id\":\"t2\",\"correlation_id\":\"m1\","
	    "\"timestamp\":\"2025-01-01T00:00:00+00:00\",\"source\":null,\"target\":null,\"success\":%s,\"result\":%s,"
	    "\"error\":%s}", success, result, error);
	aegis_out_text(params, "say", text);
	e = (aegis_error){ 0 };
	int code = aegis_call(a, "foreign-service", "say", params, &(aegis_call_options){ .retry = AEGIS_RETRY_NONE },
	    &r, &e);
	if (code == AEGIS_OK)
		assert_string_equal(aegis_result_json(r), result);
	aegis_result_free(r);
	return code;
}

static void
answers_of_others_are_read_by_their_words(void **state)
{
	aegis *a = connect_as(&(aegis_options){ .json = true });
	struct err err;
	struct conn *c = conn_new(&(struct conn_opts){ .servers = bus_url(&bus) }, &err);
	struct sub *s = sub_new(&(struct sub_opts){
		.conn = c, .subject = "rpc.foreign-service.say", .queue = "rpc.foreign-service", .handler = say, .arg = c,
	}, &err);

	(void)state;
	assert_non_null(s);
	expect_ok(conn_flush(c, NS_PER_S, &err), &err);
	fails(told(a, "false", "null", "\"TIMEOUT: the disk\""), AEGIS_TIMEOUT, "TIMEOUT: the disk");
	fails(told(a, "false", "null", "\"NOT_ACTIVE\""), AEGIS_NOT_ACTIVE, "NOT_ACTIVE");
	fails(told(a, "false", "null", "\"this member is NOT_ACTIVE now\""), AEGIS_NOT_ACTIVE, "is NOT_ACTIVE now");
	fails(told(a, "false", "null", "\"ELECTING\""), AEGIS_NOT_ACTIVE, "ELECTING");
	fails(told(a, "false", "null", "\"OUTCOME_UNKNOWN: the holder went\""), AEGIS_OUTCOME_UNKNOWN, "the holder went");
	fails(told(a, "false", "null", "\"TIMEOUTS happen\""), AEGIS_HANDLER, "TIMEOUTS happen");
	fails(told(a, "false", "null", "\"a TIMEOUT: no\""), AEGIS_HANDLER, "a TIMEOUT: no");
	/* The reply of an exclusive method lies in the result. */
	fails(told(a, "true", "{\"success\":false,\"error\":\"NOT_ACTIVE\",\"message\":\"standby\",\"result\":null}", "null"),
	    AEGIS_NOT_ACTIVE, "NOT_ACTIVE: standby");
	fails(told(a, "true", "{\"success\":false,\"error\":\"NOT_ACTIVE\",\"message\":null,\"result\":null}", "null"),
	    AEGIS_NOT_ACTIVE, "NOT_ACTIVE");
	fails(told(a, "true", "{\"success\":false,\"error\":\"EXECUTION_ERROR\",\"message\":\"boom\",\"result\":null}",
	    "null"), AEGIS_HANDLER, "boom");
	fails(told(a, "true", "{\"success\":false,\"error\":\"EXECUTION_ERROR\",\"message\":null,\"result\":null}",
	    "null"), AEGIS_HANDLER, "EXECUTION_ERROR");
	fails(told(a, "true", "{\"success\":false,\"error\":\"EXECUTION_ERROR\",\"message\":\"OUTCOME_UNKNOWN: lost\","
	    "\"result\":null}", "null"), AEGIS_OUTCOME_UNKNOWN, "lost");
	/* Whatever is not exactly that is a result. */
	ok(told(a, "true", "{\"success\":true,\"error\":null,\"message\":null,\"result\":{\"data\":42}}", "null"));
	ok(told(a, "true", "{\"success\":false,\"error\":\"NOT_ACTIVE\",\"message\":null}", "null"));
	ok(told(a, "true", "{\"success\":false,\"error\":\"NOT_ACTIVE\",\"message\":null,\"result\":null,\"more\":1}", "null"));
	ok(told(a, "true", "{\"success\":false,\"error\":\"OTHER\",\"message\":null,\"result\":null}", "null"));
	ok(told(a, "true", "{\"success\":false,\"error\":\"NOT_ACTIVE\",\"message\":1,\"result\":null}", "null"));
	aegis_close(a);
	sub_free(s);
	conn_free(c);
}

/* Each is asked for what only the other has, as often as the turn comes to it. */
static void
members_of_one_service_may_have_different_methods(void **state)
{
	aegis *a = connect_as(NULL), *b = connect_as(NULL);

	(void)state;
	ok(aegis_serve(a, "left", echo, NULL, 0, &e));
	ok(aegis_serve(b, "right", echo, NULL, 0, &e));
	ok(enrol(a, "mixed-service", "mixed-a"));
	ok(enrol(b, "mixed-service", "mixed-b"));
	WAIT_FOR(call("mixed-service", "left", &(aegis_call_options){ .instance = "mixed-a" }) == AEGIS_OK);
	WAIT_FOR(call("mixed-service", "right", &(aegis_call_options){ .instance = "mixed-b" }) == AEGIS_OK);
	for (int i = 0; i < 20; i++) {
		ok(call("mixed-service", "left", NULL));
		ok(call("mixed-service", "right", NULL));
	}
	fails(call("mixed-service", "left", &(aegis_call_options){ .instance = "mixed-b" }), AEGIS_NO_MEMBER, "does not listen");
	fails(call("mixed-service", "up", NULL), AEGIS_NO_MEMBER, "none listens");
	aegis_close(a);
	aegis_close(b);
}

static void
the_unhealthy_are_passed_over_until_they_recover(void **state)
{
	aegis *a = connect_as(NULL);

	(void)state;
	ok(aegis_serve(a, "echo", echo, NULL, 0, &e));
	aegis_set_healthy(a, false);		/* before registering it means nothing */
	ok(enrol(a, "ill-service", "ill-1"));
	WAIT_FOR(call("ill-service", "echo", &(aegis_call_options){ .instance = "ill-1" }) == AEGIS_OK);
	aegis_set_healthy(a, false);
	aegis_set_healthy(a, false);
	WAIT_FOR(call("ill-service", "echo", NULL) == AEGIS_NO_MEMBER);
	fails(call("ill-service", "echo", NULL), AEGIS_NO_MEMBER, "all UNHEALTHY");
	aegis_set_healthy(a, true);
	WAIT_FOR(call("ill-service", "echo", NULL) == AEGIS_OK);
	aegis_close(a);
	WAIT_FOR(call("ill-service", "echo", NULL) == AEGIS_SERVICE_UNKNOWN);
}

static void
a_call_ends_at_its_time_out_and_a_late_answer_harms_nobody(void **state)
{
	(void)state;
	struct mono began = clock_mono(clock_system());
	fails(call("test-service", "keep", &(aegis_call_options){ .timeout_ms = 100 }), AEGIS_TIMEOUT, "may have been executed");
	assert_true(mono_since(clock_mono(clock_system()), began) >= 100 * NS_PER_MS);
	answer_kept();
	for (int i = 0; i < 20; i++)
		answers(caller, "echo", "{\"i\":1}", "{\"i\":1}");
}

struct asked {
	atomic_uint *ended;
	int code;
};

static void *
ask(void *arg)
{
	struct asked *s = arg;

	/* A probing call of the test may have taken the place. */
	do
		s->code = aegis_call(caller, "busy-service", "gate", NULL, &(aegis_call_options){ .timeout_ms = 60000 },
		    NULL, NULL);
	while (s->code == AEGIS_BUSY);
	atomic_fetch_add(s->ended, s->code == AEGIS_OK);
	return NULL;
}

static void
what_waits_beyond_the_bound_is_refused(void **state)
{
	aegis *a = connect_as(&(aegis_options){ .workers = 1, .max_queue = 2 });
	atomic_uint ended = 0;
	struct asked asked[3];
	pthread_t t[3];

	(void)state;
	atomic_store(&gate, false);
	atomic_store(&at_gate, 0);
	ok(aegis_serve(a, "gate", wait_at_gate, NULL, 0, &e));
	ok(enrol(a, "busy-service", "busy-1"));
	for (size_t i = 0; i < 3; i++) {
		asked[i] = (struct asked){ &ended, -1 };
		assert_int_equal(pthread_create(&t[i], NULL, ask, &asked[i]), 0);
	}
	WAIT_FOR(atomic_load(&at_gate) == 1);
	/* One runs and two wait, or will in a moment; then there is no room. */
	WAIT_FOR(call("busy-service", "gate", &(aegis_call_options){ .timeout_ms = 200,
	    .retry = AEGIS_RETRY_NONE }) == AEGIS_BUSY);
	fails(call("busy-service", "gate", &(aegis_call_options){ .retry = AEGIS_RETRY_NONE }), AEGIS_BUSY, "too many calls wait");
	atomic_store(&gate, true);
	for (size_t i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(atomic_load(&ended), 3);
	WAIT_FOR(call("busy-service", "gate", NULL) == AEGIS_OK);
	aegis_close(a);
}

static void *
ask_limited(void *arg)
{
	struct asked *s = arg;

	s->code = aegis_call(caller, "limited-service", "gate", NULL, &(aegis_call_options){ .timeout_ms = 60000,
	    .retry = AEGIS_RETRY_NONE }, NULL, NULL);
	atomic_fetch_add(s->ended, 1);
	return NULL;
}

static void
a_method_may_be_limited_and_leaves_workers_to_the_others(void **state)
{
	aegis *a = connect_as(&(aegis_options){ .workers = 8 });
	atomic_uint ended = 0;
	struct asked asked[6];
	pthread_t t[6];
	unsigned done = 0;

	(void)state;
	atomic_store(&gate, false);
	atomic_store(&at_gate, 0);
	ok(aegis_serve_with(a, "gate", wait_at_gate, NULL, &(aegis_serve_options){ .concurrency = 2, .max_queue = 3 }, &e));
	ok(aegis_serve_with(a, "echo", echo, NULL, NULL, &e));
	fails(aegis_serve_with(a, "echo", echo, NULL, NULL, &e), AEGIS_EXISTS, "served already");
	ok(enrol(a, "limited-service", "limited-1"));
	WAIT_FOR(call("limited-service", "echo", &(aegis_call_options){ .instance = "limited-1" }) == AEGIS_OK);
	for (size_t i = 0; i < 6; i++) {
		asked[i] = (struct asked){ &ended, -1 };
		assert_int_equal(pthread_create(&t[i], NULL, ask_limited, &asked[i]), 0);
	}
	/* Two run side by side, three wait, one is refused; six workers have nothing to do. */
	WAIT_FOR(atomic_load(&ended) == 1 && atomic_load(&at_gate) == 2);
	ok(call("limited-service", "echo", NULL));
	fails(call("limited-service", "gate", &(aegis_call_options){ .retry = AEGIS_RETRY_NONE }), AEGIS_BUSY,
	    "calls of this method");
	assert_int_equal(atomic_load(&at_gate), 2);
	atomic_store(&gate, true);
	for (size_t i = 0; i < 6; i++) {
		pthread_join(t[i], NULL);
		done += asked[i].code == AEGIS_OK;
	}
	assert_int_equal(done, 5);
	ok(call("limited-service", "gate", NULL));
	aegis_close(a);
}

static void
calls_of_one_method_run_side_by_side(void **state)
{
	atomic_uint ended = 0;
	struct asked asked[4];
	pthread_t t[4];
	aegis *a = connect_as(&(aegis_options){ .workers = 4 });

	(void)state;
	atomic_store(&gate, false);
	atomic_store(&at_gate, 0);
	ok(aegis_serve(a, "gate", wait_at_gate, NULL, 0, &e));
	ok(enrol(a, "limited-service", "limited-2"));
	for (size_t i = 0; i < 4; i++) {
		asked[i] = (struct asked){ &ended, -1 };
		assert_int_equal(pthread_create(&t[i], NULL, ask_limited, &asked[i]), 0);
	}
	WAIT_FOR(atomic_load(&at_gate) == 4);
	atomic_store(&gate, true);
	for (size_t i = 0; i < 4; i++) {
		pthread_join(t[i], NULL);
		assert_int_equal(asked[i].code, AEGIS_OK);
	}
	aegis_close(a);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handlers_error_arrives_as_it_is),
		cmocka_unit_test(an_answer_that_cannot_be_sent_is_an_error),
		cmocka_unit_test(a_request_that_cannot_be_sent_is_an_error),
		cmocka_unit_test(unknown_names_are_told_with_near_ones),
		cmocka_unit_test(of_instances_that_are_gone_is_told_when_they_were_seen),
		cmocka_unit_test(answers_of_others_are_read_by_their_words),
		cmocka_unit_test(members_of_one_service_may_have_different_methods),
		cmocka_unit_test(the_unhealthy_are_passed_over_until_they_recover),
		cmocka_unit_test(a_call_ends_at_its_time_out_and_a_late_answer_harms_nobody),
		cmocka_unit_test(what_waits_beyond_the_bound_is_refused),
		cmocka_unit_test(a_method_may_be_limited_and_leaves_workers_to_the_others),
		cmocka_unit_test(calls_of_one_method_run_side_by_side),
	};

	BUS_SHIM(argc, argv);
	int failed = cmocka_run_group_tests(tests, set_up_all, tear_down_all);
	conn_library_close();
	return failed;
}
