/* t_manage - the management API beside definitions, on a real server: instances, lists, health, figures, groups, and days
 * without NATS. */
#include "expect.h"

#include "api/manage_inner.h"
#include "api/manage_kept.h"
#include "audit/audit.h"
#include "base/magic.h"
#include "bus.h"
#include "codec/codec.h"
#include "discovery/discovery.h"
#include "election/groups.h"
#include "electors.h"
#include "http/server.h"
#include "managed.h"
#include "monitor/monitor.h"
#include "nats/conn.h"
#include "registry/registry.h"
#include "sys/loop.h"
#include "sys/thread.h"

static int64_t
now_ns(void)
{
	return clock_mono(clock_system()).ns;
}

/* --- instances ---------------------------------------------------------------------------- */

static void
put_instance(const char *service, const char *id, enum instance_status status, int64_t age_s)
{
	struct instance i = {
		.service = (char *)(uintptr_t)service, .id = (char *)(uintptr_t)id, .version = (char *)(uintptr_t)"1.2.3",
		.status = status, .metadata = (char *)(uintptr_t)"{\"zone\":\"a\"}",
		.last_heartbeat = { clock_wall(clock_system()).ns - age_s * NS_PER_S },
	};
	uint64_t revision;

	assert_int_equal(registry_put_instance(w.registry, &i, 2 * STALE_S, REGISTRY_ANY, &revision, &w.err), ERR_OK);
}

/* told: the snapshot has so many instances, stale ones included. */
static bool
told(size_t n)
{
	for (int i = 0; i < 20000; i++) {
		const struct directory *d = discovery_take(w.manage.discovery);
		bool is = d != NULL && d->instances == n;
		discovery_drop(d);
		if (is)
			return true;
		thread_pause(NS_PER_MS);
	}
	return false;
}

static void
instances_are_listed(void **state)
{
	(void)state;
	expect(200, "GET /api/instances", NULL, NULL, "\r\n\r\n[]");
	expect(200, "GET /api/instances/health/summary", NULL, NULL, "\r\n\r\n{\"total\":0,\"active\":0,\"unhealthy\":0,\"standby\":0}");
	put_instance("order", "zz", INSTANCE_ACTIVE, 0);
	put_instance("order-x", "aa", INSTANCE_STANDBY, 0);
	put_instance("billing", "b1", INSTANCE_UNHEALTHY, 0);
	put_instance("billing", "b2", INSTANCE_ACTIVE, 3600);
	assert_true(told(4));
	expect(200, "GET /api/instances", NULL, NULL, "\r\n\r\n[{\"serviceName\":\"billing\",\"instanceId\":\"b1\",\"version\":\"1.2.3\","
	    "\"status\":\"UNHEALTHY\",\"lastHeartbeat\":\"", "+00:00\",\"stickyActiveGroup\":null,\"metadata\":{\"zone\":\"a\"}},",
	    "\"instanceId\":\"zz\"", "\"instanceId\":\"aa\"");
	assert_null(strstr(body_of(), "b2"));
	expect(200, "GET /api/instances/billing", NULL, NULL, "b1");
	expect(200, "GET /api/instances/nosuch", NULL, NULL, "\r\n\r\n[]");
	expect(200, "GET /api/instances/order/zz", NULL, NULL, "\r\n\r\n{\"serviceName\":\"order\",\"instanceId\":\"zz\"", "ETag: \"");
	expect(404, "GET /api/instances/billing/b2", NULL, NULL, "HTTP_404", "\"details\":null");
	expect(404, "GET /api/instances/order/nosuch", NULL, NULL, "HTTP_404");
	expect(200, "GET /api/instances/health/summary", NULL, NULL, "\r\n\r\n{\"total\":3,\"active\":1,\"unhealthy\":1,\"standby\":1}");
	expect(200, "GET /api/instances/status/STANDBY", NULL, NULL, "\r\n\r\n[{\"serviceName\":\"order-x\"");
	expect(200, "GET /api/instances/status/ACTIVE", NULL, NULL, "\r\n\r\n[{\"serviceName\":\"order\"");
	expect(400, "GET /api/instances/status/active", NULL, NULL, "HTTP_400", "\"details\":null");
	expect(400, "GET /api/instances/status/SHUTDOWN", NULL, NULL, "HTTP_400");
}

/* comes: whether the list of instances has that now; asked again until it has, or has not. */
static bool
comes(const char *part, bool there)
{
	for (int i = 0; i < 20000; i++) {
		if (ask("GET /api/instances", NULL, NULL) == 200 && (strstr(body_of(), part) != NULL) == there)
			return true;
		thread_pause(NS_PER_MS);
	}
	return false;
}

static void
lists_are_rendered_once(void **state)
{
	char tag[128];

	(void)state;
	expect(200, "GET /api/instances", NULL, NULL, "");
	snprintf(tag, sizeof tag, "%s", if_match("If-None-Match"));
	uint64_t made = manage_kept_made(w.manage.kept);
	for (int i = 0; i < 5; i++) {
		expect(200, "GET /api/instances", NULL, NULL, "\"instanceId\":\"zz\"");
		expect(304, "GET /api/instances", tag, NULL, "");
	}
	assert_int_equal(manage_kept_made(w.manage.kept), made);
	expect(200, "GET /api/instances?limit=1", NULL, NULL, "\"b1\"");
	assert_null(strstr(body_of(), "zz"));
	expect(200, "GET /api/services", NULL, NULL, "");
	made = manage_kept_made(w.manage.kept);
	expect(200, "GET /api/services", NULL, NULL, "");
	assert_int_equal(manage_kept_made(w.manage.kept), made);
	/* Another state of the registry is another list; and so is the passing of time. */
	put_instance("order", "zz", INSTANCE_UNHEALTHY, 0);
	assert_true(comes("\"zz\",\"version\":\"1.2.3\",\"status\":\"UNHEALTHY\"", true));
	put_instance("order", "zz", INSTANCE_ACTIVE, STALE_S - 5);
	assert_true(comes("\"zz\",\"version\":\"1.2.3\",\"status\":\"ACTIVE\"", true));
	assert_true(comes("\"zz\"", false));
	put_instance("order", "zz", INSTANCE_ACTIVE, 0);
	assert_true(comes("\"zz\"", true));
}

/* pages: walks all pages; the ids in the order in which they came. */
static void
pages(const char *query, char *out, size_t max)
{
	char line[6000];
	size_t n = 0;

	snprintf(line, sizeof line, "GET /api/instances?%s", query);
	for (int i = 0; i < 10; i++) {
		expect(200, line, NULL, NULL, "");
		for (const char *at = body_of(); (at = strstr(at, "\"instanceId\":\"")) != NULL; at++)
			n += (size_t)snprintf(out + n, max - n, "%.*s ", (int)strcspn(at + 14, "\""), at + 14);
		const char *link = header("Link");
		if (link[0] == '\0')
			return;
		assert_non_null(strstr(link, ">; rel=\"next\""));
		snprintf(line, sizeof line, "GET %.*s", (int)strcspn(link + 1, ">"), link + 1);
	}
	fail_msg("the pages do not end: %s", out);
}

static void
pages_follow_each_other(void **state)
{
	static const struct { const char *query, *ids; } rows[] = {
		{ "limit=1000", "b1 zz aa " }, { "limit=1", "b1 zz aa " }, { "limit=2", "b1 zz aa " },
		{ "limit=1&sort=instanceId", "aa b1 zz " }, { "limit=1&sort=-instanceId", "zz b1 aa " },
		{ "limit=2&sort=-version", "b1 zz aa " }, { "limit=1&filter=serviceName:order*", "zz aa " },
		{ "filter=serviceName:order", "zz " }, { "filter=status:ACTIVE,serviceName:b*", "" },
	};
	char ids[256];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		ids[0] = '\0';
		pages(rows[i].query, ids, sizeof ids);
		assert_string_equal(ids, rows[i].ids);
	}
	/* What went between two pages is neither missed nor makes others be. */
	expect(200, "GET /api/instances?limit=2", NULL, NULL, "");
	char next[5000];
	snprintf(next, sizeof next, "GET %.*s", (int)strcspn(header("Link") + 1, ">"), header("Link") + 1);
	assert_int_equal(registry_remove_instance(w.registry, "order", "zz", REGISTRY_ANY, &w.err), ERR_OK);
	assert_true(told(3));
	expect(200, next, NULL, NULL, "\"instanceId\":\"aa\"");
}

/* --- health and metrics ------------------------------------------------------------------- */

static double
number_after(const char *text)
{
	const char *at = strstr(body_of(), text);

	if (at == NULL)
		fail_msg("no %s in %s", text, body_of());
	return strtod(at + strlen(text), NULL);
}

static void
health_is_true(void **state)
{
	char url[96];

	(void)state;
	w.manage.rtt_ns = 1500000;
	put_instance("order", "zz", INSTANCE_ACTIVE, 0);
	assert_true(told(4));
	snprintf(url, sizeof url, "\"nats_url\":\"%s\"}", bus_url(&w.bus));
	expect(200, "GET /health", NULL, NULL, "{\"status\":\"healthy\",\"service\":\"", "\"version\":\"9.8.7\"", url);
	expect(200, "GET /ready", NULL, NULL, "\r\n\r\n{\"status\":\"ready\"}");
	expect(200, "GET /status", NULL, NULL, "{\"timestamp\":\"20", "\"environment\":\"staging\"", "\"deployment_version\":\"v2\"}");
	assert_true(number_after("\"connected_services\":") == 3);
	assert_true(number_after("\"uptime_seconds\":") > 0 && number_after("\"uptime_seconds\":") < 600);
	expect(200, "GET /health/detailed", NULL, NULL, "\"dependencies\":{\"nats\":{\"status\":\"healthy\",\"latency_ms\":1.5}}}");
	assert_true(number_after("\"cpu_percent\":") >= 0 && number_after("\"cpu_percent\":") <= 100);
	assert_true(number_after("\"memory_percent\":") > 0 && number_after("\"disk_usage_percent\":") > 0);
	w.manage.draining = true;
	expect(503, "GET /ready", NULL, NULL, "SERVICE_UNAVAILABLE", "\"details\":null");
	expect(503, "GET /readyz?verbose", NULL, NULL, "[-] draining");
	w.manage.draining = false;
}

/* answers: the request is answered with that status, soon with text in it. */
static bool
answers(int status, const char *line, const char *text)
{
	return ask(line, NULL, NULL) == status && strstr(got, text) != NULL;
}

static void
figures_are_told(void **state)
{
	(void)state;
	expect(422, "GET /api/services?limit=0", NULL, NULL, "");
	expect(404, "GET /api/nosuch", NULL, NULL, "");
	WAIT_FOR(answers(200, "GET /metrics", "{method=\"_none\",route=\"_none\",code=\"404\"} "));	/* counted behind its answer */
	expect(200, "GET /metrics", NULL, NULL, "aegis_build_info{version=\"9.8.7\"} 1\n", "\nprocess_open_fds ", "aegis_registry_resyncs_total{reason=\"start\"} 1\n", "\naegis_nats_connected 1\n",
	    "\naegis_nats_rtt_seconds 0.0015\n", "\naegis_registry_instances{service=\"order\",status=\"ACTIVE\"} 1\n",
	    "\naegis_registry_instances{service=\"billing\",status=\"ACTIVE\"} 0\n",
	    "aegis_http_request_duration_seconds_count{method=\"GET\",route=\"/api/instances/{service}/{instance}\",code=\"404\"} 2\n",
	    "code=\"422\"", "\naegis_http_connections_idle 0\n", "\naegis_http_closed_total{why=\"late\"} 0\n", "{method=\"_none\",route=\"_none\",code=\"404\"} ");
}

/* --- groups ---------------------------------------------------------------------------------- */

static void
groups_are_told_and_led(void **state)
{
	static struct member m[2];
	char text[200];

	(void)state;
	expect(200, "GET /api/groups", NULL, NULL, "\r\n\r\n[]");
	expect(404, "GET /api/groups/ELECT/jobs", NULL, NULL, "HTTP_404", "nobody ever took part");
	expect(404, "POST /api/groups/ELECT/jobs/step-down", NULL, "{}", "HTTP_404");
	for (int i = 0; i < 2; i++) {
		m[i] = (struct member){ .servers = bus_url(&w.bus), .instance = i == 0 ? "one" : "two", .group = "jobs",
			.profile = "wan" };		/* a busy machine does not take the lead from it */
		member_start(&m[i]);
		if (i == 0)
			WAIT_FOR(member_leads(&m[0]));
	}
	WAIT_FOR(atomic_load(&m[1].holder_epoch) != 0);
	WAIT_FOR(answers(200, "GET /api/groups", "\"leader\":{\"instance\":\"one\""));
	expect(200, "GET /api/groups", NULL, NULL, "[{\"service\":\"ELECT\",\"group\":\"jobs\"", "\"obstacle\":null,\"warnings\":[],"
	    "\"profile\":\"wan\",\"lease_ms\":5500,\"members\":[]}");
	expect(200, "GET /api/groups?filter=leader:two", NULL, NULL, "\r\n\r\n[]");
	snprintf(text, sizeof text, "\"epoch\":%llu,", (unsigned long long)member_epoch(&m[0]));
	WAIT_FOR(answers(200, "GET /api/groups/ELECT/jobs", "\"changes\":[{\"at\":\""));	/* told after the lead itself */
	expect(200, "GET /api/groups/ELECT/jobs", NULL, NULL, text, "\"registers\":[{\"number\":0,\"bucket\":\"AEGIS_L0\",\"node\":\"aegis\",\"reached\":true,\"problem\":null,"
	    "\"state\":\"held\"", "\"owner\":\"one\"", "\"changes\":[{\"at\":\"", "\"reason\":\"first\"");
	/* A tag that holds as long as nobody gains or loses the lead. */
	expect(200, "GET /api/groups", NULL, NULL, "");
	expect(304, "GET /api/groups", if_match("If-None-Match"), NULL, "");
	/* Stepping down: what is wrong is told, and then another one leads. */
	expect(422, "POST /api/groups/ELECT/jobs/step-down", NULL, "{\"who\":\"two\"}", "body.who");
	expect(422, "POST /api/groups/ELECT/jobs/step-down", NULL, "{\"to\":7}", "body.to");
	expect(422, "POST /api/groups/ELECT/jobs/step-down", NULL, "{\"to\":\"a b\"}", "body.to");
	/* 503 is said when the leader does not answer within two seconds. */
	WAIT_FOR(ask("POST /api/groups/ELECT/jobs/step-down", NULL, "{\"to\":\"nobody\"}") != 503);
	assert_non_null(strstr(got, "HTTP/1.1 409 "));
	assert_non_null(strstr(got, "no live member 'nobody'"));
	/* The beat of the other may not have come yet. */
	WAIT_FOR(ask("POST /api/groups/ELECT/jobs/step-down", NULL, "{\"to\":\"two\"}") == 200);
	/* The answer waits two seconds for who leads then, and no longer. */
	WAIT_FOR(answers(200, "GET /api/groups/ELECT/jobs", "\"leader\":{\"instance\":\"two\""));
	WAIT_FOR(member_leads(&m[1]));
	member_stop(&m[0]);
	member_stop(&m[1]);
	WAIT_FOR(answers(200, "GET /api/groups", "\"leader\":null,\"obstacle\":\"the registers are well"));
	expect(503, "POST /api/groups/ELECT/jobs/step-down", NULL, "{}", "nobody leads group 'jobs'");
}

/* --- without NATS -------------------------------------------------------------------------- */

static void
data_wants_nats(void **state)
{
	static const struct { const char *line, *body; } rows[] = {
		{ "GET /api/services", NULL }, { "GET /api/services/abc", NULL }, { "GET /api/services/abc/revision", NULL },
		{ "GET /api/services/abc/history", NULL }, { "POST /api/services", ORDERS }, { "PUT /api/services/abc", "{\"owner\":\"o\"}" },
		{ "DELETE /api/services/abc", NULL }, { "POST /api/services/abc/revert", "{\"revision\":1}" }, { "GET /api/instances", NULL },
		{ "GET /api/instances/abc", NULL }, { "GET /api/instances/abc/a", NULL }, { "GET /api/instances/health/summary", NULL },
		{ "GET /api/instances/status/ACTIVE", NULL }, { "GET /api/groups", NULL }, { "GET /api/groups/ELECT/jobs", NULL },
		{ "POST /api/groups/ELECT/jobs/step-down", "{}" },
	};

	(void)state;
	for (int frozen = 1; frozen >= 0; frozen--) {
		if (frozen)
			w.manage.answered = now_ns() - MANAGE_NATS_NS - NS_PER_MS;
		else
			bus_stop(&w.bus);
		for (int i = 0; i < 20000 && !frozen && conn_state(w.conn) == CONN_UP; i++)
			thread_pause(NS_PER_MS);
		for (size_t i = 0; i < COUNT_OF(rows); i++) {
			/* Within a second, unless others have the machine just then. */
			int64_t began, took = INT64_MAX;
			for (int k = 0; k < 20 && took >= NS_PER_S; k++) {
				began = now_ns();
				expect(503, rows[i].line, NULL, rows[i].body, "\"code\":\"SERVICE_UNAVAILABLE\"", "Retry-After: ");
				took = now_ns() - began;
			}
			assert_true(took < NS_PER_S);
		}
		expect(503, "GET /health", NULL, NULL, "\"code\":\"HEALTH_CHECK_FAILED\"", "\"details\":null");
		expect(503, "GET /ready", NULL, NULL, "SERVICE_UNAVAILABLE");
		expect(200, "GET /health/detailed", NULL, NULL, "\"status\":\"unhealthy\",\"service\"",
		    "{\"nats\":{\"status\":\"unhealthy\",\"latency_ms\":null}}");
		expect(200, "GET /livez", NULL, NULL, "ok");
		w.manage.answered = INT64_MAX / 2;
	}
}

static void
routes_are_told_as_openapi(void **state)
{
	struct value v;

	(void)state;
	expect(200, "GET /openapi.json", NULL, NULL, "\"openapi\":\"3.1.0\"", "\"version\":\"9.8.7\"");
	assert_int_equal(codec_parse(codec_mine(), (struct data){ DATA_JSON, body_of(), strlen(body_of()) }, &v, &w.err), ERR_OK);
	const struct value *paths = value_field(&v, "paths");
	for (size_t i = 0; i < manage_routes_count(); i++) {
		const struct web_route *r = manage_web_route(i);
		char method[8] = "";
		for (size_t k = 0; r->method[k] != '\0'; k++)
			method[k] = (char)(r->method[k] | 0x20);
		if (value_field(value_field(paths, r->path), method) == NULL)
			fail_msg("%s %s is not told", r->method, r->path);
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instances_are_listed),
		cmocka_unit_test(lists_are_rendered_once),
		cmocka_unit_test(pages_follow_each_other),
		cmocka_unit_test(health_is_true),
		cmocka_unit_test(figures_are_told),
		cmocka_unit_test_teardown(groups_are_told_and_led, members_end),
		cmocka_unit_test(routes_are_told_as_openapi),
		cmocka_unit_test(data_wants_nats),	/* the last: NATS is gone afterwards */
	};

	BUS_SHIM(argc, argv);
	return cmocka_run_group_tests(tests, begin, end);
}
