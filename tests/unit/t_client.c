/* t_client - the public interface against a real server: serving, calling, values. */
#include "handle.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/magic.h"
#include "codec/codec.h"
#include "nats/conn.h"
#include "registry/registry.h"

static aegis *caller;			/* MessagePack */

/* --- a service --------------------------------------------------------------------------- */

/* look: everything that can be seen of a request, as a result. */
static void
look(void *arg, aegis_request *r)
{
	aegis_out *out = aegis_out_new();
	int64_t i = -1;
	double d = -1;
	bool b = false;

	aegis_out_text(out, "arg", arg);
	aegis_out_text(out, "method", aegis_request_method(r));
	aegis_out_text(out, "trace_id", aegis_request_trace_id(r));
	aegis_out_text(out, "source", aegis_request_source(r));
	aegis_out_text(out, "text", aegis_param_text(r, "text"));
	aegis_out_bool(out, "has_int", aegis_param_int(r, "int", &i));
	aegis_out_int(out, "int", i);
	aegis_out_bool(out, "has_real", aegis_param_real(r, "real", &d));
	aegis_out_real(out, "real", d);
	aegis_out_bool(out, "has_bool", aegis_param_bool(r, "bool", &b));
	aegis_out_bool(out, "bool", b);
	aegis_out_int(out, "count", (int64_t)aegis_param_count(r, "list"));
	aegis_out_list(out, "list");
	for (size_t k = 0; k <= aegis_param_count(r, "list"); k++)
		aegis_out_text(out, NULL, aegis_param_text_at(r, "list", k));
	aegis_out_end(out);
	aegis_out_bool(out, "null_given", aegis_param_given(r, "null"));
	aegis_out_bool(out, "text_given", aegis_param_given(r, "text"));
	aegis_out_bool(out, "absent_given", aegis_param_given(r, "absent"));
	assert_int_equal(aegis_out_json(out, "params", aegis_params_json(r), NULL), AEGIS_OK);
	aegis_reply(r, out);
}

static void
refuse(void *arg, aegis_request *r)
{
	(void)arg;
	aegis_fail(r, aegis_param_text(r, "why"));
}

static void
nothing(void *arg, aegis_request *r)
{
	(void)arg;
	aegis_reply(r, NULL);
}

static atomic_int bad_reply;

static void
unsendable(void *arg, aegis_request *r)
{
	aegis_out *out = aegis_out_new();

	(void)arg;
	aegis_out_text(out, "text", "\xff\xfe");
	atomic_store(&bad_reply, aegis_reply(r, out));
}

static void
too_large(void *arg, aegis_request *r)
{
	size_t n = 2 << 20;
	char *text = malloc(n + 1);
	aegis_out *out = aegis_out_new();

	(void)arg;
	memset(text, 'x', n);
	text[n] = '\0';
	aegis_out_text(out, "text", text);
	free(text);
	atomic_store(&bad_reply, aegis_reply(r, out));
}

/* nest: n maps in the outermost one. */
static aegis_out *
nest(int n)
{
	aegis_out *out = aegis_out_new();

	for (int i = 0; i < n; i++) {
		aegis_out_map(out, "m");
		aegis_out_list(out, "l");
		aegis_out_text(out, NULL, "x");
		aegis_out_end(out);
	}
	for (int i = 0; i < n; i++)
		aegis_out_end(out);
	return out;
}

static void
too_deep(void *arg, aegis_request *r)
{
	(void)arg;
	atomic_store(&bad_reply, aegis_reply(r, nest(20)));
}

/* kept: requests that are answered when the test wants. */
static _Atomic(aegis_request *) kept[8];
static atomic_uint nkept;

static void
keep(void *arg, aegis_request *r)
{
	(void)arg;
	atomic_store(&kept[atomic_fetch_add(&nkept, 1)], r);
}

/* answer_kept: the one that was kept, which may still be on its way, though its caller has given up. */
static void
answer_kept(void)
{
	WAIT_FOR(atomic_load(&kept[0]) != NULL);
	for (size_t i = 0; i < COUNT_OF(kept); i++) {
		aegis_request *r = atomic_exchange(&kept[i], NULL);
		if (r != NULL)
			aegis_reply_json(r, "{\"late\":true}");
	}
	atomic_store(&nkept, 0);
}

static atomic_bool gate;		/* open: wait_at_gate goes on */
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

static aegis *server;

static void
serve(const char *method, aegis_handler *fn, unsigned flags)
{
	ok(aegis_serve(server, method, fn, "the argument", flags, &e));
}

static int
set_up_all(void **state)
{
	(void)state;
	if (!bus_start(&bus))
		return -1;
	server = connect_as(NULL);
	serve("echo", echo, 0);
	serve("echo_inline", echo, AEGIS_INLINE);
	serve("look", look, 0);
	serve("look_inline", look, AEGIS_INLINE);
	serve("refuse", refuse, 0);
	serve("nothing", nothing, AEGIS_INLINE);
	serve("unsendable", unsendable, 0);
	serve("too_large", too_large, 0);
	serve("too_deep", too_deep, 0);
	serve("keep", keep, 0);
	serve("gate", wait_at_gate, 0);
	ok(enrol(server, "test-service", "test-1"));
	caller = connect_as(&(aegis_options){ .timeout_ms = 60000 });
	return 0;
}

static int
tear_down_all(void **state)
{
	(void)state;
	aegis_close(caller);
	aegis_close(server);
	bus_end(&bus);
	return 0;
}

/* result_of: the answer as JSON; the caller's (free). */
static char *
result_of(aegis *a, const char *method, const char *params, const aegis_call_options *o)
{
	aegis_result *r = NULL;

	ok(aegis_call_json(a, "test-service", method, params, o, &r, &e));
	char *json = strdup(aegis_result_json(r));
	aegis_result_free(r);
	return json;
}

static void
answers(aegis *a, const char *method, const char *params, const char *want)
{
	char *json = result_of(a, method, params, NULL);

	assert_string_equal(json, want);
	free(json);
}

/* --- serving and calling ----------------------------------------------------------------- */

static void
values_travel_unchanged_in_both_formats(void **state)
{
	static const char *const values[] = {
		"{}", "{\"a\":1}", "{\"a\":-9223372036854775808,\"b\":18446744073709551615}",
		"{\"r\":2.5,\"w\":5.0,\"t\":true,\"f\":false,\"n\":null}",
		"{\"deep\":[[],[1,[2,[3]]],{\"x\":{\"y\":[null]}}],\"text\":\"\xc3\xa4 \\\" \\\\ \\n \xe2\x82\xac\"}",
	};
	aegis *json = connect_as(&(aegis_options){ .json = true });

	(void)state;
	for (size_t i = 0; i < COUNT_OF(values); i++) {
		answers(caller, "echo", values[i], values[i]);
		answers(caller, "echo_inline", values[i], values[i]);
		answers(json, "echo", values[i], values[i]);
		answers(json, "echo_inline", values[i], values[i]);
	}
	answers(caller, "echo", NULL, "{}");
	answers(caller, "nothing", NULL, "null");
	answers(json, "nothing", NULL, "null");
	aegis_close(json);
}

static void
a_handler_sees_its_request(void **state)
{
	static const char params[] =
	    "{\"text\":\"t\xc3\xbc\",\"int\":7,\"real\":0.5,\"bool\":true,\"list\":[\"a\",1,\"c\"],\"null\":null}";
	static const char want[] =
	    "{\"arg\":\"the argument\",\"method\":\"%s\",\"trace_id\":\"trace-7\",\"source\":null,\"text\":\"t\xc3\xbc\","
	    "\"has_int\":true,\"int\":7,\"has_real\":true,\"real\":0.5,\"has_bool\":true,\"bool\":true,\"count\":3,"
	    "\"list\":[\"a\",null,\"c\",null],\"null_given\":false,\"text_given\":true,\"absent_given\":false,"
	    "\"params\":%s}";
	static const char *const methods[] = { "look", "look_inline" };
	aegis_call_options o = { .trace_id = "trace-7" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(methods); i++) {
		char *got = result_of(caller, methods[i], params, &o), *full = mem_printf(want, methods[i], params);
		assert_string_equal(got, full);
		mem_free(full);
		free(got);
	}
}

static void
a_parameter_of_another_type_counts_as_absent(void **state)
{
	(void)state;
	char *got = result_of(caller, "look",
	    "{\"text\":1,\"int\":\"7\",\"real\":\"x\",\"bool\":1,\"list\":\"abc\"}", &(aegis_call_options){ .trace_id = "x" });
	assert_non_null(strstr(got, "\"text\":null,\"has_int\":false,\"int\":-1,\"has_real\":false,\"real\":-1.0,"
	    "\"has_bool\":false,\"bool\":false,\"count\":0,\"list\":[null]"));
	free(got);
	/* A whole real is an integer, and an integer is a real. */
	got = result_of(caller, "look", "{\"int\":3.0,\"real\":4}", NULL);
	assert_non_null(strstr(got, "\"has_int\":true,\"int\":3,\"has_real\":true,\"real\":4.0"));
	free(got);
}

static void
a_registered_caller_is_named_and_every_call_has_a_trace(void **state)
{
	aegis *a = connect_as(NULL);
	aegis_result *r = NULL;

	(void)state;
	ok(enrol(a, "asking-service", "asker-1"));
	ok(aegis_call(a, "test-service", "look", NULL, NULL, &r, &e));
	assert_string_equal(aegis_result_text(r, "source"), "asker-1");
	assert_true(strlen(aegis_result_text(r, "trace_id")) > 8);
	aegis_result_free(r);
	aegis_close(a);
}

static void
a_result_is_read_by_type(void **state)
{
	aegis_result *r = NULL, *other = NULL;
	int64_t i = 0;
	double d = 0;
	bool b = false;

	(void)state;
	ok(aegis_call_json(caller, "test-service", "echo",
	    "{\"t\":\"x\",\"i\":5,\"r\":1.25,\"b\":true,\"l\":[1]}", NULL, &r, &e));
	/* It stays as it is while its thread goes on calling. */
	ok(aegis_call_json(caller, "test-service", "echo", "{\"t\":\"y\"}", NULL, &other, &e));
	assert_string_equal(aegis_result_text(r, "t"), "x");
	assert_string_equal(aegis_result_text(other, "t"), "y");
	assert_true(aegis_result_int(r, "i", &i) && i == 5);
	assert_true(aegis_result_real(r, "r", &d) && d == 1.25);
	assert_true(aegis_result_bool(r, "b", &b) && b);
	assert_null(aegis_result_text(r, "i"));
	assert_null(aegis_result_text(r, "absent"));
	assert_false(aegis_result_int(r, "t", &i) || aegis_result_real(r, "l", &d) || aegis_result_bool(r, "i", &b));
	assert_string_equal(aegis_result_json(r), "{\"t\":\"x\",\"i\":5,\"r\":1.25,\"b\":true,\"l\":[1]}");
	assert_ptr_equal(aegis_result_json(r), aegis_result_json(r));
	assert_string_equal(aegis_result_instance(r), "test-1");
	assert_true(aegis_result_latency_ms(r) > 0 && aegis_result_latency_ms(r) < 5000);
	aegis_result_free(r);
	aegis_result_free(other);
	aegis_result_free(NULL);
	ok(aegis_call(caller, "test-service", "echo", NULL, NULL, NULL, &e));	/* nobody wants the answer */
}

static void
built_values_nest(void **state)
{
	aegis_out *o = aegis_out_new();
	aegis_result *r = NULL;

	(void)state;
	aegis_out_text(o, "text", "x");
	aegis_out_text(o, "none", NULL);
	aegis_out_list(o, "list");
	aegis_out_int(o, NULL, 1);
	aegis_out_list(o, NULL);
	aegis_out_end(o);
	aegis_out_map(o, NULL);
	aegis_out_map(o, "m");
	aegis_out_list(o, "l");
	aegis_out_real(o, NULL, 2);
	aegis_out_bool(o, NULL, false);
	aegis_out_text(o, NULL, NULL);
	aegis_out_end(o);
	aegis_out_end(o);
	aegis_out_end(o);
	assert_int_equal(aegis_out_json(o, NULL, "[{\"j\":0}]", &e), AEGIS_OK);
	aegis_out_end(o);
	fails(aegis_out_json(o, "bad", "{\"j\":}", &e), AEGIS_SYNTAX, "byte");
	aegis_out_int(o, "last", INT64_MIN);
	ok(aegis_call(caller, "test-service", "echo", o, NULL, &r, &e));
	assert_string_equal(aegis_result_json(r), "{\"text\":\"x\",\"none\":null,\"list\":[1,[],{\"m\":{\"l\":[2.0,false,null]}},"
	    "[{\"j\":0}]],\"last\":-9223372036854775808}");
	aegis_result_free(r);

	o = aegis_out_new();			/* nobody takes it over */
	aegis_out_list(o, "open");
	aegis_out_text(o, NULL, "x");
	aegis_out_free(o);
	aegis_out_free(NULL);
}

/* How deep a value goes may come from data, so it is an error and no bug. */
static void
values_that_nest_too_deep_are_refused(void **state)
{
	aegis_result *r = NULL;
	atomic_int unused = 0;

	(void)state;
	ok(aegis_call(caller, "test-service", "echo", nest(14), NULL, &r, &e));
	aegis_result_free(r);
	for (int n = 15; n <= 40; n += 5) {
		r = NULL;
		e = (aegis_error){ 0 };
		fails(aegis_call(caller, "test-service", "echo", nest(n), NULL, &r, &e), AEGIS_INVALID, "16 deep");
		assert_null(r);
	}
	fails(aegis_call_start(caller, "test-service", "echo", nest(15), NULL, NULL, &unused, &e), AEGIS_INVALID, "16 deep");
}

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

/* --- choosing ---------------------------------------------------------------------------- */

static const char *
who(const char *service, const aegis_call_options *o)
{
	static char name[104];
	aegis_result *r = NULL;

	if (aegis_call(caller, service, "echo", NULL, o, &r, &e) != AEGIS_OK)
		return "";
	snprintf(name, sizeof name, "%s", aegis_result_instance(r));
	aegis_result_free(r);
	return name;
}

static void
strategies_choose_among_the_instances(void **state)
{
	static const char *const ids[] = { "pair-a", "pair-b" };
	aegis *a[2];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		a[i] = connect_as(NULL);
		ok(aegis_serve(a[i], "echo", echo, NULL, 0, &e));
		ok(enrol(a[i], "pair-service", ids[i]));
	}
	for (size_t i = 0; i < 2; i++)
		WAIT_FOR(strcmp(who("pair-service", &(aegis_call_options){ .instance = ids[i] }), ids[i]) == 0);
	for (size_t i = 0; i < 10; i++) {
		aegis_call_options o = { .strategy = AEGIS_PREFER, .instance = ids[i % 2] };
		assert_string_equal(who("pair-service", &o), ids[i % 2]);
	}
	char first[104], second[104];
	snprintf(first, sizeof first, "%s", who("pair-service", NULL));
	snprintf(second, sizeof second, "%s", who("pair-service", NULL));
	assert_string_not_equal(first, second);
	for (int i = 0; i < 10; i++)
		assert_string_equal(who("pair-service", NULL), i % 2 == 0 ? first : second);
	bool seen[2][2] = { { false } };
	for (int i = 0; i < 200; i++) {
		seen[0][who("pair-service", &(aegis_call_options){ .strategy = AEGIS_RANDOM })[5] - 'a'] = true;
		seen[1][who("pair-service", &(aegis_call_options){ .strategy = AEGIS_LEAST_INFLIGHT })[5] - 'a'] = true;
	}
	assert_true(seen[0][0] && seen[0][1] && seen[1][0] && seen[1][1]);
	/* The preferred one went: the other one does. */
	aegis_close(a[0]);
	WAIT_FOR(strcmp(who("pair-service", &(aegis_call_options){ .strategy = AEGIS_PREFER, .instance = ids[0] }), ids[1]) == 0);
	aegis_close(a[1]);
}

/* --- without waiting --------------------------------------------------------------------- */

struct started {
	atomic_uint done;
	int code;
	char json[64], text[504];
};

static void
on_done(void *arg, const aegis_result *r, const aegis_error *err)
{
	struct started *s = arg;

	s->code = err != NULL ? err->code : AEGIS_OK;
	assert_true((r == NULL) == (err != NULL));
	if (r != NULL)
		snprintf(s->json, sizeof s->json, "%s", aegis_result_json(r));
	else
		snprintf(s->text, sizeof s->text, "%s", err->text);
	atomic_fetch_add(&s->done, 1);
}

static int
begin(struct started *s, const char *service, const char *method, int64_t n, int64_t timeout_ms)
{
	aegis_out *o = aegis_out_new();

	*s = (struct started){ .code = -1 };
	aegis_out_int(o, "n", n);
	return aegis_call_start(caller, service, method, o, &(aegis_call_options){ .timeout_ms = timeout_ms }, on_done, s, &e);
}

static void
started_calls_end_each_exactly_once(void **state)
{
	struct started s[64];
	char want[64];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(s); i++)
		ok(begin(&s[i], "test-service", i % 2 == 0 ? "echo" : "echo_inline", (int64_t)i, 0));
	for (size_t i = 0; i < COUNT_OF(s); i++) {
		WAIT_FOR(atomic_load(&s[i].done) == 1);
		snprintf(want, sizeof want, "{\"n\":%zu}", i);
		assert_int_equal(s[i].code, AEGIS_OK);
		assert_string_equal(s[i].json, want);
	}
}

static void
started_calls_fail_in_their_own_ways(void **state)
{
	struct started late, refused, nowhere;

	(void)state;
	ok(begin(&late, "test-service", "keep", 1, 150));
	ok(begin(&refused, "test-service", "refuse", 1, 0));
	ok(begin(&nowhere, "nowhere-service", "x", 1, 0));
	WAIT_FOR(atomic_load(&refused.done) == 1);
	assert_int_equal(refused.code, AEGIS_HANDLER);
	WAIT_FOR(atomic_load(&nowhere.done) == 1);
	assert_int_equal(nowhere.code, AEGIS_SERVICE_UNKNOWN);
	WAIT_FOR(atomic_load(&late.done) == 1);
	assert_int_equal(late.code, AEGIS_TIMEOUT);
	answer_kept();
	answers(caller, "echo", NULL, "{}");
	assert_int_equal(atomic_load(&late.done), 1);
	e = (aegis_error){ 0 };
	fails(begin(&late, "Bad Name", "x", 1, 0), AEGIS_INVALID, "Bad Name");
	assert_int_equal(atomic_load(&late.done), 0);
}

#define THREADS 4
#define CALLS 150

static void *
call_many(void *arg)
{
	atomic_uint *good = arg;
	aegis_error own;

	for (int64_t i = 0; i < CALLS; i++) {
		aegis_out *o = aegis_out_new();
		aegis_result *r = NULL;
		int64_t n = -1;
		aegis_out_int(o, "n", i);
		if (aegis_call(caller, "test-service", i % 2 == 0 ? "echo" : "echo_inline", o, NULL, &r, &own) == AEGIS_OK)
			*good += aegis_result_int(r, "n", &n) && n == i;
		aegis_result_free(r);
	}
	return NULL;
}

static void
one_handle_serves_many_threads(void **state)
{
	pthread_t t[THREADS];
	atomic_uint good = 0;

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, call_many, &good), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(atomic_load(&good), THREADS * CALLS);
}

/* --- serving and registering wrongly ----------------------------------------------------- */

static void
what_cannot_be_served_or_registered_is_told(void **state)
{
	aegis *a = connect_as(NULL);

	(void)state;
	assert_string_equal(aegis_instance(a), "");
	fails(aegis_serve(a, "no good", echo, NULL, 0, &e), AEGIS_INVALID, "no good");
	ok(aegis_serve(a, "echo", echo, NULL, 0, &e));
	fails(aegis_serve(a, "echo", echo, NULL, 0, &e), AEGIS_EXISTS, "'echo'");
	fails(aegis_register(a, &(aegis_identity){ .service = NULL }, &e), AEGIS_INVALID, "service");
	fails(aegis_register(a, &(aegis_identity){ .service = "No" }, &e), AEGIS_INVALID, "No");
	fails(aegis_register(a, &(aegis_identity){ .service = "a-service", .instance = "a b" }, &e), AEGIS_INVALID, "a b");
	fails(aegis_register(a, &(aegis_identity){ .service = "a-service", .version = "1" }, &e), AEGIS_INVALID, "1");
	fails(aegis_register(a, &(aegis_identity){ .service = "a-service", .metadata = "[]" }, &e), AEGIS_INVALID, "map");
	assert_int_not_equal(aegis_register(a, &(aegis_identity){ .service = "a-service", .metadata = "{" }, &e), AEGIS_OK);
	/* None of it spoilt the handle. */
	ok(aegis_register(a, &(aegis_identity){ .service = "a-service", .metadata = "{\"zone\":\"x\"}" }, &e));
	assert_int_equal(strncmp(aegis_instance(a), "a-service-", 10), 0);
	assert_int_equal(strlen(aegis_instance(a)), 18);
	fails(aegis_register(a, &(aegis_identity){ .service = "a-service" }, &e), AEGIS_EXISTS, "registered already");
	fails(aegis_serve(a, "more", echo, NULL, 0, &e), AEGIS_INVALID, "serve first");
	aegis_close(a);
}

static void
codes_have_names(void **state)
{
	(void)state;
	assert_string_equal(aegis_code_name(AEGIS_OK), "OK");
	assert_string_equal(aegis_code_name(AEGIS_NO_MEMBER), "NO_MEMBER");
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_travel_unchanged_in_both_formats),
		cmocka_unit_test(a_handler_sees_its_request),
		cmocka_unit_test(a_parameter_of_another_type_counts_as_absent),
		cmocka_unit_test(a_registered_caller_is_named_and_every_call_has_a_trace),
		cmocka_unit_test(a_result_is_read_by_type),
		cmocka_unit_test(built_values_nest),
		cmocka_unit_test(values_that_nest_too_deep_are_refused),
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
		cmocka_unit_test(strategies_choose_among_the_instances),
		cmocka_unit_test(started_calls_end_each_exactly_once),
		cmocka_unit_test(started_calls_fail_in_their_own_ways),
		cmocka_unit_test(one_handle_serves_many_threads),
		cmocka_unit_test(what_cannot_be_served_or_registered_is_told),
		cmocka_unit_test(codes_have_names),
	};

	BUS_SHIM(argc, argv);
	int failed = cmocka_run_group_tests(tests, set_up_all, tear_down_all);
	conn_library_close();
	return failed;
}
