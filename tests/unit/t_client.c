/* t_client - the public interface against a real server: serving, calling, values and their types, choosing, calls that
 * are not waited for. */
#include "handle.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/magic.h"
#include "look.h"
#include "nats/conn.h"

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
