/* t_client_retry - what is tried again, against members that refuse, keep silent, or come late; and
 * what the requests of the attempts say. */
#include "handle.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/magic.h"
#include "codec/codec.h"
#include "nats/conn.h"

static aegis *caller;
static struct sub *flip;
static struct conn *peer;		/* of members that are not ours */

/* What the member does with each request in turn; the last word counts for all that follow. */
enum word { ANSWER, OUTER, NESTED, ELECTING, FAIL, SILENCE };
static _Atomic(const enum word *) script;
static atomic_uint heard;

/* What the last requests said. */
static struct {
	char id[64], trace[64], source[64], parent[64], deadline[32], idempotent[8];
	double timeout_s;
} seen[8];

static void
note(const struct msg *m, const struct value *v, unsigned n)
{
	static const char *const headers[] = { "traceparent", "Aegis-Deadline", "Aegis-Idempotent" };
	char *const to[] = { seen[n].parent, seen[n].deadline, seen[n].idempotent };
	const size_t room[] = { sizeof seen[n].parent, sizeof seen[n].deadline, sizeof seen[n].idempotent };
	struct text t;

	for (size_t i = 0; i < COUNT_OF(headers); i++) {
		const char *h = msg_header(m, headers[i]);
		snprintf(to[i], room[i], "%s", h != NULL ? h : "");
	}
	MUST(value_text(value_field(v, "message_id"), &t));
	snprintf(seen[n].id, sizeof seen[n].id, "%.*s", (int)t.n, t.p);
	MUST(value_text(value_field(v, "trace_id"), &t));
	snprintf(seen[n].trace, sizeof seen[n].trace, "%.*s", (int)t.n, t.p);
	bool named = value_text(value_field(v, "source"), &t);
	snprintf(seen[n].source, sizeof seen[n].source, "%.*s", named ? (int)t.n : 0, named ? t.p : "");
	MUST(value_real(value_field(v, "timeout"), &seen[n].timeout_s));
}

static void
on_request(void *arg, struct msg *m)
{
	static const char *const words[] = {
		[ANSWER] = "true,\"result\":{\"n\":1},\"error\":null",
		[OUTER] = "false,\"result\":null,\"error\":\"member 7 is NOT_ACTIVE\"",
		[NESTED] = "true,\"result\":{\"success\":false,\"error\":\"NOT_ACTIVE\",\"message\":\"standby\",\"result\":null},"
		    "\"error\":null",
		[ELECTING] = "false,\"result\":null,\"error\":\"ELECTING\"",
		[FAIL] = "false,\"result\":null,\"error\":\"boom\"",
	};
	struct value v;
	char text[512];
	unsigned n = atomic_load(&heard);
	const enum word *at = atomic_load(&script);
	enum word word = *at;

	(void)arg;
	MUST(codec_parse(codec_mine(), (struct data){ DATA_JSON, msg_data(m), msg_size(m) }, &v, NULL) == ERR_OK);
	note(m, &v, n % COUNT_OF(seen));
	if (word != SILENCE && word != ANSWER && word != FAIL)
		atomic_store(&script, at + 1);
	else if (word == SILENCE && at[1] != SILENCE)
		atomic_store(&script, at + 1);
	atomic_store(&heard, n + 1);
	if (word != SILENCE) {
		snprintf(text, sizeof text, "{\"message_id\":\"m2\",\"trace_id\":\"t2\",\"correlation_id\":\"m1\",\"timestamp\":"
		    "\"2025-01-01T00:00:00+00:00\",\"source\":null,\"target\":null,\"success\":%s}", words[word]);
		conn_publish(peer, &(struct conn_msg){ .subject = msg_reply(m), .data = text, .n = strlen(text) }, NULL);
	}
	msg_free(m);
}

static struct sub *
member(const char *subject)
{
	struct err err;
	struct sub *s = sub_new(&(struct sub_opts){ .conn = peer, .subject = subject, .handler = on_request }, &err);

	assert_non_null(s);
	expect_ok(conn_flush(peer, NS_PER_S, &err), &err);
	return s;
}

static int
set_up(void **state)
{
	struct err err;

	(void)state;
	if (!bus_start(&bus))
		return -1;
	peer = conn_new(&(struct conn_opts){ .servers = bus_url(&bus) }, &err);
	caller = aegis_connect(&(aegis_options){ .servers = bus_url(&bus), .json = true, .source = "cli-7" }, &e);
	flip = peer != NULL ? member("rpc.flip-service.x") : NULL;
	return flip == NULL || caller == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	aegis_close(caller);
	sub_free(flip);
	conn_free(peer);
	bus_end(&bus);
	return 0;
}

/* call: its code; *attempts on success. */
static int
call(const char *service, const enum word *words, const aegis_call_options *o, unsigned *attempts)
{
	aegis_result *r = NULL;

	atomic_store(&script, words);
	atomic_store(&heard, 0);
	e = (aegis_error){ 0 };
	int code = aegis_call(caller, service, "x", NULL, o, &r, &e);
	if (code == AEGIS_OK)
		*attempts = aegis_result_attempts(r);
	aegis_result_free(r);
	return code;
}

static void
a_refusal_is_tried_again_in_all_its_forms(void **state)
{
	static const enum word words[] = { OUTER, NESTED, ELECTING, ANSWER };
	unsigned attempts = 0;

	(void)state;
	struct mono began = clock_mono(clock_system());
	assert_int_equal(call("flip-service", words, NULL, &attempts), AEGIS_OK);
	int64_t took = mono_since(clock_mono(clock_system()), began);
	assert_int_equal(attempts, 4);
	assert_int_equal(atomic_load(&heard), 4);
	assert_true(took >= 630 * NS_PER_MS);		/* 100, 200 and 400 ms, less a tenth */
	/* Each is a call of its own, and carries what is left. */
	assert_string_not_equal(seen[0].id, seen[1].id);
	assert_true(seen[0].timeout_s == 5.0 && seen[1].timeout_s < 4.92 && seen[3].timeout_s < 4.4);
}

/* attempts_told: how many the last error speaks of. */
static unsigned
attempts_told(void)
{
	const char *n = strstr(e.text, "after ");

	return n != NULL ? (unsigned)strtoul(n + strlen("after "), NULL, 10) : 1;
}

static void
the_last_refusal_is_told_when_the_time_is_over(void **state)
{
	static const enum word words[] = { NESTED, NESTED, NESTED, NESTED, NESTED, NESTED, NESTED, NESTED, NESTED, NESTED };

	(void)state;
	/* How often in how much time is t_retry's matter.  The last attempt has some 50 ms at least: where the machine
	 * is busy its refusal comes too late, and that it was not heard is what is told. */
	int code = call("flip-service", words, &(aegis_call_options){ .timeout_ms = 2000 }, NULL);
	fails(code, code == AEGIS_TIMEOUT ? AEGIS_TIMEOUT : AEGIS_NOT_ACTIVE,
	    code == AEGIS_TIMEOUT ? "attempts: no answer" : "attempts: NOT_ACTIVE: standby");
	WAIT_FOR(atomic_load(&heard) == attempts_told());
	assert_true(atomic_load(&heard) >= 2);
	fails(call("flip-service", words, &(aegis_call_options){ .max_retries = 1 }, NULL), AEGIS_NOT_ACTIVE,
	    "after 2 attempts");
	assert_int_equal(atomic_load(&heard), 2);
	fails(call("flip-service", words, &(aegis_call_options){ .retry = AEGIS_RETRY_NONE }, NULL), AEGIS_NOT_ACTIVE,
	    "standby");
	assert_int_equal(atomic_load(&heard), 1);
}

static void
what_was_executed_is_not_tried_again(void **state)
{
	static const enum word failing[] = { FAIL }, silent[] = { SILENCE, SILENCE }, then[] = { NESTED, FAIL };
	aegis_call_options o = { .timeout_ms = 20000, .retry = AEGIS_RETRY_PATIENT };

	(void)state;
	fails(call("flip-service", failing, &o, NULL), AEGIS_HANDLER, "boom");
	assert_int_equal(atomic_load(&heard), 1);
	o.timeout_ms = 250;
	fails(call("flip-service", silent, &o, NULL), AEGIS_TIMEOUT, "may have been executed");
	assert_null(strstr(e.text, "attempts"));
	WAIT_FOR(atomic_load(&heard) == 1);
	/* A handler's words are its own, however many attempts it took. */
	o.timeout_ms = 20000;
	fails(call("flip-service", then, &o, NULL), AEGIS_HANDLER, "boom");
	assert_string_equal(e.text, "boom");
}

static long
ms_of(const char *text)
{
	return strtol(text, NULL, 10);
}

static void
an_idempotent_call_is_repeated_under_one_id(void **state)
{
	static const enum word words[] = { SILENCE, ANSWER }, silent[] = { SILENCE, SILENCE }, failing[] = { FAIL };
	aegis_call_options o = { .idempotent = true, .attempt_timeout_ms = 400, .timeout_ms = 60000 };
	unsigned attempts = 0;

	(void)state;
	assert_int_equal(call("flip-service", words, &o, &attempts), AEGIS_OK);
	/* Where the machine is busy, an answer may come later than an attempt waits. */
	assert_true(attempts >= 2);
	assert_int_equal(atomic_load(&heard), attempts);
	for (unsigned i = 0; i < attempts && i < COUNT_OF(seen); i++) {
		assert_string_equal(seen[i].id, seen[0].id);
		assert_string_equal(seen[i].idempotent, "1");
	}
	assert_true(ms_of(seen[0].deadline) > 0 && ms_of(seen[0].deadline) <= 400);
	assert_true(seen[0].timeout_s == 0.4);
	/* It ends in time all the same: its attempts together take no more, however many find room; 1 ms each at least. */
	o.timeout_ms = 1000;
	fails(call("flip-service", silent, &o, NULL), AEGIS_TIMEOUT, "may have been executed");
	attempts = attempts_told();
	assert_in_range(attempts, 1, 4);
	WAIT_FOR(atomic_load(&heard) == attempts);
	double all_s = 0;
	for (unsigned i = 0; i < attempts; i++) {
		assert_string_equal(seen[i].id, seen[0].id);
		all_s += seen[i].timeout_s;
	}
	assert_true(all_s <= 1.0 + 0.001 * attempts);
	/* As often as it was told at most; and a handler's error is an answer. */
	o = (aegis_call_options){ .idempotent = true, .attempt_timeout_ms = 100, .timeout_ms = 60000, .max_retries = 1 };
	fails(call("flip-service", silent, &o, NULL), AEGIS_TIMEOUT, "after 2 attempts");
	WAIT_FOR(atomic_load(&heard) == 2);
	o.attempt_timeout_ms = 0;
	fails(call("flip-service", failing, &o, NULL), AEGIS_HANDLER, "boom");
	assert_int_equal(atomic_load(&heard), 1);
}

static void
patience_waits_for_a_service_to_come(void **state)
{
	static const enum word words[] = { ANSWER };
	/* Not to the end of its time: an attempt of the last moment may be over before anybody can say no. */
	aegis_call_options o = { .retry = AEGIS_RETRY_PATIENT, .max_retries = 2 };

	(void)state;
	fails(call("no-such-service", words, NULL, NULL), AEGIS_SERVICE_UNKNOWN, "no service 'no-such-service'");
	assert_null(strstr(e.text, "attempts"));
	fails(call("no-such-service", words, &o, NULL), AEGIS_SERVICE_UNKNOWN, "after 3 attempts: no service");
}

#define UUID "0af76519-16cd-43dd-8448-eb211c80319c"
#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void
a_call_says_who_it_is_for(void **state)
{
	static const enum word words[] = { ANSWER };
	unsigned attempts;

	(void)state;
	assert_int_equal(call("flip-service", words, NULL, &attempts), AEGIS_OK);
	assert_string_equal(seen[0].source, "cli-7");
	assert_string_equal(seen[0].parent, "");		/* nobody's trace: the envelope says it all */
	assert_string_equal(seen[0].deadline, "");
	assert_int_equal(call("flip-service", words, &(aegis_call_options){ .trace_id = UUID }, &attempts), AEGIS_OK);
	assert_string_equal(seen[0].trace, UUID);
	assert_memory_equal(seen[0].parent, PARENT, 36);
	assert_true(ms_of(seen[0].deadline) > 400 && ms_of(seen[0].deadline) <= 5000);
	assert_string_equal(seen[0].idempotent, "");
	assert_int_equal(call("flip-service", words, &(aegis_call_options){ .traceparent = PARENT }, &attempts), AEGIS_OK);
	assert_string_equal(seen[0].trace, UUID);
	assert_string_equal(seen[0].parent, PARENT);
	/* A trace id that is no UUID has no parent. */
	assert_int_equal(call("flip-service", words, &(aegis_call_options){ .trace_id = "t-1" }, &attempts), AEGIS_OK);
	assert_string_equal(seen[0].trace, "t-1");
	assert_string_equal(seen[0].parent, "");
	fails(call("flip-service", words, &(aegis_call_options){ .traceparent = "00-1-2-01" }, NULL), AEGIS_INVALID,
	    "traceparent '00-1-2-01'");
	assert_int_equal(atomic_load(&heard), 0);
}

/* --- members of ours --------------------------------------------------------------------- */

static atomic_bool gate;
static atomic_uint at_gate;

static void
wait_at_gate(void *arg, aegis_request *r)
{
	(void)arg;
	atomic_fetch_add(&at_gate, 1);
	while (!atomic_load(&gate))
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	aegis_reply_json(r, "{}");
}

static void
tell(void *arg, aegis_request *r)
{
	aegis_out *out = aegis_out_new();

	(void)arg;
	aegis_out_text(out, "parent", aegis_request_traceparent(r));
	aegis_out_text(out, "source", aegis_request_source(r));
	aegis_out_int(out, "left_ms", aegis_request_left_ms(r));
	aegis_reply(r, out);
}

static aegis *
serve(const char *service, const char *id, const aegis_options *o)
{
	aegis_options own = *o;

	own.servers = bus_url(&bus);
	aegis *a = aegis_connect(&own, &e);
	assert_non_null(a);
	assert_int_equal(aegis_serve(a, "x", wait_at_gate, NULL, 0, &e), AEGIS_OK);
	assert_int_equal(aegis_serve(a, "tell", tell, NULL, 0, &e), AEGIS_OK);
	assert_int_equal(aegis_register(a, &(aegis_identity){ .service = service, .instance = id }, &e), AEGIS_OK);
	return a;
}

static bool
is_there(const char *service, const char *id)
{
	return aegis_call(caller, service, "tell", NULL, &(aegis_call_options){ .instance = id }, NULL, &e) == AEGIS_OK;
}

struct asked {
	const char *service;
	int code;
};

static void *
ask(void *arg)
{
	struct asked *a = arg;

	a->code = aegis_call(caller, a->service, "x", NULL, &(aegis_call_options){ .instance = "full-1", .timeout_ms = 20000 },
	    NULL, NULL);
	return NULL;
}

/* sees: the caller's directory has both. */
static bool
sees(const char *service)
{
	aegis_call(caller, service, "tell", NULL, &(aegis_call_options){ .instance = "full-9" }, NULL, &e);
	return strstr(e.text, "'full-1'") != NULL && strstr(e.text, "'full-2'") != NULL;
}

/* sees_one: the second has gone from it. */
static bool
sees_one(const char *service)
{
	aegis_call(caller, service, "tell", NULL, &(aegis_call_options){ .instance = "full-9" }, NULL, &e);
	return strstr(e.text, "'full-1'") != NULL && strstr(e.text, "'full-2'") == NULL;
}

static void
what_one_instance_refuses_another_takes(void **state)
{
	aegis *a = serve("full-service", "full-1", &(aegis_options){ .workers = 1, .max_queue = 1 });
	aegis *b = serve("full-service", "full-2", &(aegis_options){ .workers = 1 });
	aegis_call_options prefer = { .strategy = AEGIS_PREFER, .instance = "full-1" };
	struct asked asked[2] = { { "full-service", -1 }, { "full-service", -1 } };
	pthread_t t[2];
	unsigned elsewhere = 0;

	(void)state;
	WAIT_FOR(is_there("full-service", "full-1") && is_there("full-service", "full-2"));
	WAIT_FOR(sees("full-service"));
	atomic_store(&gate, false);
	for (size_t i = 0; i < 2; i++)		/* one runs, one waits; then there is no room */
		assert_int_equal(pthread_create(&t[i], NULL, ask, &asked[i]), 0);
	WAIT_FOR(atomic_load(&at_gate) == 1);
	WAIT_FOR(aegis_call(caller, "full-service", "tell", NULL, &(aegis_call_options){ .instance = "full-1",
	    .timeout_ms = 100, .retry = AEGIS_RETRY_NONE }, NULL, &e) == AEGIS_BUSY);
	for (int i = 0; i < 5; i++) {
		aegis_result *r = NULL;
		assert_int_equal(aegis_call(caller, "full-service", "tell", NULL, &prefer, &r, &e), AEGIS_OK);
		assert_string_equal(aegis_result_instance(r), "full-2");
		elsewhere += aegis_result_attempts(r) > 1;
		aegis_result_free(r);
	}
	assert_int_equal(elsewhere, 5);
	/* Who demands the instance waits for it. */
	fails(aegis_call(caller, "full-service", "tell", NULL, &(aegis_call_options){ .instance = "full-1", .max_retries = 2 },
	    NULL, &e), AEGIS_BUSY, "after 3 attempts");
	atomic_store(&gate, true);
	for (size_t i = 0; i < 2; i++) {
		pthread_join(t[i], NULL);
		assert_int_equal(asked[i].code, AEGIS_OK);
	}
	aegis_close(a);
	aegis_close(b);
}

static void
an_instance_that_keeps_silent_is_passed_over(void **state)
{
	aegis *a = serve("quiet-service", "full-1", &(aegis_options){ .workers = 8 });
	aegis *b = serve("quiet-service", "full-2", &(aegis_options){ .workers = 1 });
	aegis_call_options o = { .strategy = AEGIS_PREFER, .instance = "full-1", .timeout_ms = 60 };
	aegis_result *r = NULL;

	(void)state;
	WAIT_FOR(is_there("quiet-service", "full-1") && is_there("quiet-service", "full-2"));
	WAIT_FOR(sees("quiet-service"));
	atomic_store(&gate, false);
	for (int i = 0; i < 5; i++)
		assert_int_equal(aegis_call(caller, "quiet-service", "x", NULL, &o, NULL, &e), AEGIS_TIMEOUT);
	atomic_store(&gate, true);
	o.timeout_ms = 3000;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(aegis_call(caller, "quiet-service", "tell", NULL, &o, &r, &e), AEGIS_OK);
		assert_string_equal(aegis_result_instance(r), "full-2");
		aegis_result_free(r);
	}
	/* Who demands it gets it, and its answer brings it back for all. */
	WAIT_FOR(is_there("quiet-service", "full-1"));
	assert_int_equal(aegis_call(caller, "quiet-service", "tell", NULL, &o, &r, &e), AEGIS_OK);
	assert_string_equal(aegis_result_instance(r), "full-1");
	aegis_result_free(r);
	/* When nobody else is left, the silent one is asked all the same. */
	aegis_close(b);
	WAIT_FOR(sees_one("quiet-service"));
	o.timeout_ms = 60;
	atomic_store(&gate, false);
	for (int i = 0; i < 6; i++)
		assert_int_equal(aegis_call(caller, "quiet-service", "x", NULL, &o, NULL, &e), AEGIS_TIMEOUT);
	atomic_store(&gate, true);
	o.timeout_ms = 3000;
	assert_int_equal(aegis_call(caller, "quiet-service", "tell", NULL, &o, &r, &e), AEGIS_OK);
	assert_string_equal(aegis_result_instance(r), "full-1");
	aegis_result_free(r);
	aegis_close(a);
}

static void
a_handler_can_pass_on_trace_and_time(void **state)
{
	aegis *a = serve("tell-service", "tell-1", &(aegis_options){ .workers = 1 });
	aegis_result *r = NULL;
	int64_t left = 0;

	(void)state;
	WAIT_FOR(is_there("tell-service", "tell-1"));
	assert_int_equal(aegis_call(caller, "tell-service", "tell", NULL, &(aegis_call_options){ .traceparent = PARENT,
	    .timeout_ms = 3000 }, &r, &e), AEGIS_OK);
	assert_string_equal(aegis_result_text(r, "parent"), PARENT);
	assert_string_equal(aegis_result_text(r, "source"), "cli-7");
	assert_true(aegis_result_int(r, "left_ms", &left) && left > 0 && left <= 3000);
	aegis_result_free(r);
	assert_int_equal(aegis_call(caller, "tell-service", "tell", NULL, NULL, &r, &e), AEGIS_OK);
	assert_null(aegis_result_text(r, "parent"));
	aegis_result_free(r);
	aegis_close(a);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_is_tried_again_in_all_its_forms),
		cmocka_unit_test(the_last_refusal_is_told_when_the_time_is_over),
		cmocka_unit_test(what_was_executed_is_not_tried_again),
		cmocka_unit_test(an_idempotent_call_is_repeated_under_one_id),
		cmocka_unit_test(patience_waits_for_a_service_to_come),
		cmocka_unit_test(a_call_says_who_it_is_for),
		cmocka_unit_test(what_one_instance_refuses_another_takes),
		cmocka_unit_test(an_instance_that_keeps_silent_is_passed_over),
		cmocka_unit_test(a_handler_can_pass_on_trace_and_time),
	};

	BUS_SHIM(argc, argv);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
