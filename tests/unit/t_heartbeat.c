/* t_heartbeat - reading what instances say of themselves, whoever wrote it. */
#include "expect.h"

#include <stdlib.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "codec/heartbeat.h"

static struct heartbeat h;
static struct str rest;

static int
release(void **state)
{
	(void)state;
	str_release(&rest);
	return 0;
}

static enum err_code
decode(const char *subject, const char *text, struct err *err)
{
	return heartbeat_decode(subject, text, strlen(text), &h, &rest, err);
}

static void
the_reference_is_read(void **state)
{
	struct str again = STR_INIT;

	(void)state;
	/* The vector of wire.md §10, as Python writes it. */
	assert_int_equal(decode("internal.heartbeat.echo-svc",
	    "{\"instance_id\": \"echo-svc-aaaa1111\", \"timestamp\": 1795150803.0678458, \"metrics\": {\"uptime_seconds\": 0.0, "
	    "\"counters\": {\"services.registered\": 1, \"rpc.echo-svc.add.success\": 2, \"rpc.echo-svc.add.error\": 1}, "
	    "\"gauges\": {\"nats.connections\": 1.0}, \"summaries\": {\"rpc.echo-svc.add\": {\"count\": 2, \"average\": 0.13, "
	    "\"min\": 0.07, \"max\": 0.19, \"p50\": 0.19, \"p90\": 0.19, \"p99\": 0.19}}}}", NULL), ERR_OK);
	assert_string_equal(h.instance, "echo-svc-aaaa1111");
	assert_int_equal(h.n, 1);
	assert_int_equal(h.v[0].calls, 3);
	assert_int_equal(h.v[0].errors, 1);
	assert_true(h.v[0].timed && h.v[0].p99 > 0.18 && h.v[0].p99 < 0.2);
	assert_true(h.uptime_s == 0 && h.queue_depth < 0 && h.in_flight < 0);
	heartbeat_metrics(str_text(&rest), 6.014, &again);
	expect_str(&again, "{\"uptime_seconds\":6.01,\"counters\":{\"services.registered\":1,\"rpc.echo-svc.add.success\":2,"
	    "\"rpc.echo-svc.add.error\":1},\"gauges\":{\"nats.connections\":1.0},\"summaries\":{\"rpc.echo-svc.add\":{\"count\":2,"
	    "\"average\":0.13,\"min\":0.07,\"max\":0.19,\"p50\":0.19,\"p90\":0.19,\"p99\":0.19}}}");
	str_release(&again);
}

static void
only_what_the_service_serves_counts(void **state)
{
	(void)state;
	assert_int_equal(decode("internal.heartbeat.client",
	    "{\"instance_id\":\"i\",\"metrics\":{\"uptime_seconds\":5,\"counters\":{\"rpc.Client.a.success\":1,"
	    "\"rpc.client.other.m.success\":10,\"rpc.other.a.success\":100,\"rpc.client.b.error\":1000,\"commands.errors\":7},"
	    "\"gauges\":{\"rpc.client.a.in_flight\":2,\"commands.client.c.in_flight\":3,\"events.in_flight\":4,"
	    "\"rpc.client.a.queue_depth\":5.5,\"nats.connections\":9}}}", NULL), ERR_OK);
	assert_int_equal(h.n, 2);
	assert_int_equal(h.v[0].calls, 1);
	assert_int_equal(h.v[1].calls, 1000);
	assert_true(h.uptime_s == 5 && h.in_flight == 9 && h.queue_depth == 5.5);
}

static void
what_is_odd_is_left_out_and_what_is_nobodys_refused(void **state)
{
	static const struct { const char *text; enum err_code code; } rows[] = {
		{ "", ERR_SYNTAX },
		{ "{", ERR_SYNTAX },
		{ "[]", ERR_INVALID },
		{ "{}", ERR_INVALID },
		{ "{\"instance_id\":7}", ERR_INVALID },
		{ "{\"instance_id\":\"\"}", ERR_INVALID },
		{ "{\"instance_id\":\"a\\u0000b\"}", ERR_INVALID },
		{ "{\"instance_id\":\"i\"}", ERR_OK },
		{ "{\"instance_id\":\"i\",\"metrics\":null}", ERR_OK },
		{ "{\"instance_id\":\"i\",\"metrics\":[1]}", ERR_OK },
		{ "{\"instance_id\":\"i\",\"metrics\":{\"uptime_seconds\":\"x\",\"counters\":[],\"gauges\":3,\"summaries\":null}}", ERR_OK },
		{ "{\"instance_id\":\"i\",\"metrics\":{\"counters\":{\"rpc.s.a.success\":-3,\"rpc.s.b.success\":1e300,"
		  "\"rpc.s.success\":1,\".success\":1}}}", ERR_OK },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (decode("internal.heartbeat.s", rows[i].text, &err) != rows[i].code)
			fail_msg("'%s' is not %d: %s", rows[i].text, (int)rows[i].code, err.text);
		/* Numbers that are no counts count nothing; a name without a method is none. */
		for (size_t k = 0; rows[i].code == ERR_OK && k < h.n; k++)
			assert_int_equal(h.v[k].calls, 0);
	}
	char *big = mem_new(HEARTBEAT_MAX + 2);
	memset(big, ' ', HEARTBEAT_MAX + 1);
	assert_int_equal(decode("internal.heartbeat.s", big, &err), ERR_TOO_LARGE);
	mem_free(big);
}

static void
methods_beyond_the_bound_are_counted_only(void **state)
{
	struct str text = STR_INIT;

	(void)state;
	str_puts(&text, "{\"instance_id\":\"i\",\"metrics\":{\"counters\":{");
	for (int i = 0; i < 200; i++)
		str_printf(&text, "%s\"rpc.s.m%d.success\":1", i > 0 ? "," : "", i);
	str_puts(&text, "}}}");
	assert_int_equal(decode("internal.heartbeat.s", str_text(&text), NULL), ERR_OK);
	assert_int_equal(h.n, HEARTBEAT_METHODS);
	assert_int_equal(h.left_out, 200 - HEARTBEAT_METHODS);
	str_release(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reference_is_read),
		cmocka_unit_test(only_what_the_service_serves_counts),
		cmocka_unit_test(what_is_odd_is_left_out_and_what_is_nobodys_refused),
		cmocka_unit_test(methods_beyond_the_bound_are_counted_only),
	};

	return cmocka_run_group_tests(tests, NULL, release);
}
