/* t_broadcast - the two messages of wire.md §10, byte by byte. */
#include "expect.h"

#include <math.h>

#include "base/magic.h"
#include "codec/broadcast.h"

static struct str out;

static int
release(void **state)
{
	(void)state;
	str_release(&out);
	return 0;
}

static void
presence_is_the_reference(void **state)
{
	(void)state;
	str_clear(&out);
	broadcast_presence("Echo-SVC", "echo-svc-aaaa1111", (struct wall){ INT64_C(1795150629114628000) },
	    &out);
	expect_str(&out, "{\"service_name\": \"echo-svc\", \"instance_id\": \"echo-svc-aaaa1111\", "
	    "\"timestamp\": 1795150629.114628}");
	str_clear(&out);
	broadcast_presence("a[z", "Id", (struct wall){ INT64_C(1795150629000000999) }, &out);
	expect_str(&out, "{\"service_name\": \"a[z\", \"instance_id\": \"Id\", \"timestamp\": 1795150629.0}");
}

static void
heartbeat_is_the_reference(void **state)
{
	static const struct broadcast_counter counters[] = {
		{ "services.registered", 1 }, { "rpc.echo-svc.add.success", 2 },
	};
	static const struct broadcast_gauge gauges[] = { { "nats.connections", 1 } };
	static const struct broadcast_summary summaries[] = {
		{ "rpc.echo-svc.add", 2, 0.1314, 0.0749, 0.19, 0.186, 0.194, 0.1949 },
	};
	const struct broadcast_metrics m = {
		6.0149, counters, COUNT_OF(counters), gauges, COUNT_OF(gauges), summaries,
		    COUNT_OF(summaries),
	};

	(void)state;
	str_clear(&out);
	broadcast_heartbeat("echo-svc-aaaa1111", (struct wall){ INT64_C(1795150803067845000) }, &m, &out);
	expect_str(&out, "{\"instance_id\": \"echo-svc-aaaa1111\", \"timestamp\": 1795150803.067845,"
	    " \"metrics\": "
	    "{\"uptime_seconds\": 6.01, \"counters\": {\"services.registered\": 1,"
	    " \"rpc.echo-svc.add.success\": 2}, "
	    "\"gauges\": {\"nats.connections\": 1.0}, \"summaries\": {\"rpc.echo-svc.add\": {\"count\": 2, "
	    "\"average\": 0.13, \"min\": 0.07, \"max\": 0.19, \"p50\": 0.19, \"p90\": 0.19,"
	    " \"p99\": 0.19}}}}");
}

static void
no_metrics_and_no_numbers_are_fine(void **state)
{
	static const struct broadcast_gauge gauges[] = { { "g", NAN }, { "h", 0.12345 } };
	static const struct broadcast_summary summaries[] = { { "s", 0, NAN, INFINITY, -INFINITY, 0, 0, 0 } };
	struct broadcast_metrics m = { .uptime_s = 0 };

	(void)state;
	str_clear(&out);
	broadcast_heartbeat("i", (struct wall){ 0 }, &m, &out);
	expect_str(&out, "{\"instance_id\": \"i\", \"timestamp\": 0.0,"
	    " \"metrics\": {\"uptime_seconds\": 0.0, "
	    "\"counters\": {}, \"gauges\": {}, \"summaries\": {}}}");
	m = (struct broadcast_metrics){ INFINITY, NULL, 0, gauges, COUNT_OF(gauges), summaries,
	    COUNT_OF(summaries) };
	str_clear(&out);
	broadcast_heartbeat("i", (struct wall){ 0 }, &m, &out);
	expect_str(&out, "{\"instance_id\": \"i\", \"timestamp\": 0.0,"
	    " \"metrics\": {\"uptime_seconds\": 0.0, "
	    "\"counters\": {}, \"gauges\": {\"g\": 0.0, \"h\": 0.12345},"
	    " \"summaries\": {\"s\": {\"count\": 0, "
	    "\"average\": 0.0, \"min\": 0.0, \"max\": 0.0, \"p50\": 0.0, \"p90\": 0.0, \"p99\": 0.0}}}}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(presence_is_the_reference),
		cmocka_unit_test(heartbeat_is_the_reference),
		cmocka_unit_test(no_metrics_and_no_numbers_are_fine),
	};

	return cmocka_run_group_tests(tests, NULL, release);
}
