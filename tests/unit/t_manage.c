/* t_manage - the management API's definitions and instances on a real server, status by status, header by
 * header: as the Python API answers (wire.md §11), and beyond it. */
#include "expect.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "api/manage_inner.h"
#include "api/manage_kept.h"
#include "audit/audit.h"
#include "base/magic.h"
#include "base/wall.h"
#include "bus.h"
#include "codec/codec.h"
#include "discovery/discovery.h"
#include "election/groups.h"
#include "electors.h"
#include "http/server.h"
#include "messaging/janitor.h"
#include "monitor/monitor.h"
#include "nats/conn.h"
#include "registry/registry.h"
#include "sys/loop.h"
#include "sys/loop_thread.h"
#include "sys/thread.h"

/* What one test puts there, those behind it look for: it must neither grow old nor expire meanwhile. */
#define STALE_S 1800

static struct world {
	struct bus bus;
	struct loop *loop;
	struct loop_thread thread;
	struct conn *conn;
	struct registry *registry;
	struct manage manage;
	struct web_server *web;
	struct web_route *routes;
	struct err err;
} w;

/* Everybody may do everything here: who may what is another test's business. */
static enum err_code
admit(void *arg, struct web_request *r, const struct web_route *route, struct err *err)
{
	(void)arg;
	(void)r;
	(void)route;
	(void)err;
	return ERR_OK;
}

static int64_t
now_ns(void)
{
	return clock_mono(clock_system()).ns;
}

static bool
synced(void)
{
	for (int i = 0; i < 20000 && !discovery_state(w.manage.discovery).synced; i++)
		thread_pause(NS_PER_MS);
	return discovery_state(w.manage.discovery).synced;
}

static void
serve(void)
{
	size_t n = manage_routes_count();

	w.routes = mem_array(n, sizeof *w.routes);
	for (size_t i = 0; i < n; i++)
		w.routes[i] = *manage_web_route(i);
	w.web = web_server_new(&(struct web_server_opts){
		.listen = (const char *const[]){ "127.0.0.1:0" }, .nlisten = 1, .routes = w.routes, .nroutes = n,
		.admit = admit, .done = manage_done, .arg = &w.manage,
	}, &w.err);
	if (w.web == NULL)
		fail_msg("%s", w.err.text);
	w.manage.web = w.web;
}

static int
begin(void **state)
{
	(void)state;
	if (!bus_start(&w.bus) || (w.loop = loop_new(clock_system(), 1024, &w.err)) == NULL)
		return 1;
	w.conn = conn_new(&(struct conn_opts){ .servers = bus_url(&w.bus), .name = "t_manage", .timeout_ns = 10 * NS_PER_S }, &w.err);
	if (w.conn == NULL)
		return 1;
	w.registry = registry_new(&(struct registry_opts){ .conn = w.conn, .create = true, .terse = true }, &w.err);
	w.manage = (struct manage){ .magic = MANAGE_MAGIC, .conn = w.conn, .version = "9.8.7", .base_path = "",
		.environment = "staging", .deployment = "v2", .loop = w.loop, .began = clock_mono(clock_system()) };
	w.manage.meter = manage_meter_new();
	w.manage.kept = manage_kept_new();
	w.manage.janitor = janitor_new(w.conn, w.loop, &w.err);
	w.manage.registry = w.registry;
	w.manage.discovery = discovery_new(&(struct discovery_opts){ .loop = w.loop, .conn = w.conn, .stale_ns = STALE_S * NS_PER_S });
	w.manage.monitor = monitor_new(&(struct monitor_opts){ .loop = w.loop, .conn = w.conn, .discovery = w.manage.discovery }, &w.err);
	w.manage.groups = groups_new(&(struct groups_opts){ .conn = w.conn }, &w.err);
	w.manage.auth = auth_new(&(struct auth_opts){ .conn = w.conn, .create = true }, &w.err);
	w.manage.audit = audit_new(&(struct audit_opts){ .conn = w.conn, .loop = w.loop }, &w.err);
	w.manage.answered = w.manage.turned = INT64_MAX / 2;	/* all is well, until a test says otherwise */
	if (w.registry == NULL || w.manage.janitor == NULL || w.manage.monitor == NULL || loop_thread_start(&w.thread, w.loop, &w.err) != ERR_OK ||
	    discovery_start(w.manage.discovery, &w.err) != ERR_OK)
		return 1;
	serve();
	return !synced();
}

static int
end(void **state)
{
	(void)state;
	monitor_leave(w.manage.monitor);
	web_server_free(w.web);
	loop_thread_stop(&w.thread);
	monitor_free(w.manage.monitor);
	audit_free(w.manage.audit);
	auth_free(w.manage.auth);
	janitor_free(w.manage.janitor);
	manage_meter_free(w.manage.meter);
	manage_kept_free(w.manage.kept);
	groups_free(w.manage.groups);
	discovery_free(w.manage.discovery);
	registry_free(w.registry);
	conn_free(w.conn);
	loop_free(w.loop);
	bus_end(&w.bus);
	mem_free(w.routes);
	return 0;
}

/* --- a client ---------------------------------------------------------------------------- */

static char got[1 << 20];	/* the last answer, from its first line on */

static int
ask(const char *line, const char *headers, const char *body)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t n = 0;
	ssize_t k;

	to.sin_port = htons((uint16_t)strtol(strrchr(web_server_address(w.web, 0), ':') + 1, NULL, 10));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	dprintf(fd, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s", line, headers != NULL ? headers : "");
	if (body != NULL)
		dprintf(fd, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
	else
		dprintf(fd, "\r\n");
	while ((k = recv(fd, got + n, sizeof got - 1 - n, 0)) > 0)
		n += (size_t)k;
	got[n] = '\0';
	close(fd);
	return strncmp(got, "HTTP/1.1 ", 9) == 0 ? (int)strtol(got + 9, NULL, 10) : 0;
}

static const char *
body_of(void)
{
	const char *at = strstr(got, "\r\n\r\n");

	return at != NULL ? at + 4 : "";
}

/* header: the value of a header of the last answer; "" when there is none. */
static const char *
header(const char *name)
{
	static char value[4096];
	char line[64];

	snprintf(line, sizeof line, "\r\n%s: ", name);
	const char *at = strstr(got, line);
	value[0] = '\0';
	if (at != NULL)
		snprintf(value, sizeof value, "%.*s", (int)strcspn(at + strlen(line), "\r"), at + strlen(line));
	return value;
}

/* expect: the request, its status, and parts of the answer that must stand in it. */
#define expect(status, line, headers, body, ...) \
	expect_at(__LINE__, status, line, headers, body, (const char *const[]){ __VA_ARGS__ __VA_OPT__(,) NULL })
static void
expect_at(int at, int status, const char *line, const char *headers, const char *body, const char *const *parts)
{
	int is = ask(line, headers, body);

	if (is != status)
		fail_msg("line %d: %s: %d, not %d: %s", at, line, is, status, got);
	for (; *parts != NULL; parts++)
		if (strstr(got, *parts) == NULL)
			fail_msg("line %d: %s: no %s in %s", at, line, *parts, got);
}

/* if_match: the header that names the last answer's tag. */
static const char *
if_match(const char *name)
{
	static char text[128];

	snprintf(text, sizeof text, "%s: %s\r\n", name, header("ETag"));
	return text;
}

/* --- definitions -------------------------------------------------------------------------- */

#define ORDERS "{\"service_name\":\"order-service\",\"owner\":\"me\",\"description\":\"d\",\"version\":\"1.0.0\",\"else\":1}"

static void
definitions_live_and_die(void **state)
{
	(void)state;
	expect(200, "GET /api/services", NULL, NULL, "\r\n\r\n[]");
	expect(201, "POST /api/services", NULL, ORDERS, "\r\nLocation: /api/services/order-service\r\n", "\"owner\":\"me\"", "+08:00\"}");
	assert_null(strstr(body_of(), "else"));
	expect(409, "POST /api/services", NULL, ORDERS, "\"code\":\"SERVICE_ALREADY_EXISTS\"",
	    "\"details\":{\"service_name\":\"order-service\"}");
	expect(200, "GET /api/services", NULL, NULL, "[{\"service_name\":\"order-service\",\"owner\":\"me\",\"description\":\"d\","
	    "\"version\":\"1.0.0\",\"created_at\":\"");
	expect(200, "GET /api/services/order-service", NULL, NULL, "{\"service_name\":\"order-service\"", "ETag: \"1\"");
	expect(200, "GET /api/services/order-service/revision", NULL, NULL, "{\"service\":{\"service_name\"", "},\"revision\":1}");
	expect(200, "PUT /api/services/order-service", NULL, "{\"owner\":\"you\",\"version\":null}", "\"owner\":\"you\"",
	    "\"version\":\"1.0.0\"", "ETag: \"2\"");
	expect(200, "GET /api/services", NULL, NULL, "\"owner\":\"you\"");
	expect(409, "PUT /api/services/order-service", NULL, "{\"owner\":\"x\",\"revision\":1}", "CONCURRENT_UPDATE",
	    "\"details\":{\"service_name\":\"order-service\"}");
	expect(200, "PUT /api/services/order-service", NULL, "{\"owner\":\"x\",\"revision\":2}", "\"owner\":\"x\"");
	expect(204, "DELETE /api/services/order-service", NULL, NULL, "");
	assert_string_equal(body_of(), "");
	expect(200, "GET /api/services", NULL, NULL, "\r\n\r\n[]");
	static const char *const gone[] = {
		"GET /api/services/order-service", "DELETE /api/services/order-service", "GET /api/services/order-service/revision",
	};
	for (size_t i = 0; i < COUNT_OF(gone); i++)
		expect(404, gone[i], NULL, NULL, "\"code\":\"SERVICE_NOT_FOUND\"", "\"details\":{\"service_name\":\"order-service\"}");
	expect(404, "PUT /api/services/order-service", NULL, "{\"owner\":\"x\"}", "SERVICE_NOT_FOUND");
	expect(404, "GET /api/services/Not%20A%20Name%2f", NULL, NULL, "SERVICE_NOT_FOUND");
	expect(404, "GET /api/services/a.*", NULL, NULL, "SERVICE_NOT_FOUND");
}

/* What is wrong is said field by field, in both shapes. */
static void
bad_bodies_are_told(void **state)
{
	static const struct { const char *line, *body, *field, *type; } rows[] = {
		{ "POST /api/services", "", "body", "missing" },
		{ "POST /api/services", "{\"a\":", "body.5", "json_invalid" },
		{ "POST /api/services", "[]", "body", "model_attributes_type" },
		{ "POST /api/services", "{}", "body.service_name", "missing" },
		{ "POST /api/services", "{\"service_name\":1,\"owner\":\"o\",\"description\":\"d\",\"version\":\"1.0.0\"}", "body.service_name",
		    "string_type" },
		{ "POST /api/services", "{\"service_name\":null,\"owner\":\"o\",\"description\":\"d\",\"version\":\"1.0.0\"}", "body.service_name",
		    "string_type" },
		{ "POST /api/services", "{\"service_name\":\"Order\",\"owner\":\"o\",\"description\":\"d\",\"version\":\"1.0.0\"}", "body.service_name",
		    "string_pattern_mismatch" },
		{ "POST /api/services", "{\"service_name\":\"ab\",\"owner\":\"o\",\"description\":\"d\",\"version\":\"1.0.0\"}", "body.service_name",
		    "string_pattern_mismatch" },
		{ "POST /api/services", "{\"service_name\":\"a--b\",\"owner\":\"o\",\"description\":\"d\",\"version\":\"1.0.0\"}", "service_name",
		    "value_error" },
		{ "POST /api/services", "{\"service_name\":\"status\",\"owner\":\"o\",\"description\":\"d\",\"version\":\"1.0.0\"}", "service_name",
		    "value_error" },
		{ "POST /api/services", "{\"service_name\":\"abc\",\"owner\":\"o\",\"description\":\"d\",\"version\":\"1.0\"}", "body.version",
		    "string_pattern_mismatch" },
		{ "POST /api/services", "{\"service_name\":\"abc\",\"owner\":\"o\",\"description\":\"d\",\"version\":\"01.0.0\"}", "version",
		    "value_error" },
		{ "POST /api/services", "{\"service_name\":\"abc\",\"owner\":\"\",\"description\":\"d\",\"version\":\"1.0.0\"}", "body.owner",
		    "string_too_short" },
		{ "POST /api/services?dry_run=perhaps", "{}", "query.dry_run", "bool_parsing" },
		{ "PUT /api/services/abc", "{\"owner\":7}", "body.owner", "string_type" },
		{ "PUT /api/services/abc", "{\"owner\":\"o\",\"revision\":\"1\"}", "body.revision", "int_type" },
		{ "GET /api/services?limit=0", NULL, "query.limit", "int_parsing" },
		{ "GET /api/services?limit=1001", NULL, "query.limit", "int_parsing" },
		{ "GET /api/services?sort=nosuch", NULL, "query.sort", "value_error" },
		{ "GET /api/services?filter=nosuch:1", NULL, "query.filter", "value_error" },
		{ "GET /api/services?filter=owner", NULL, "query.filter", "value_error" },
		{ "GET /api/services?cursor=zz", NULL, "query.cursor", "value_error" },
	};
	char part[160];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		snprintf(part, sizeof part, "\"details\":{\"field\":\"%s\",\"error_type\":\"%s\",\"errors\":[{\"field\":\"%s\",\"message\":\"",
		    rows[i].field, rows[i].type, rows[i].field);
		expect(422, rows[i].line, NULL, rows[i].body, "\"code\":\"VALIDATION_ERROR\"", part);
	}
	expect(422, "POST /api/services", NULL, "{\"service_name\":\"A\"}", "\"errors\":[{\"pointer\":\"/service_name\",\"detail\":\"",
	    "{\"pointer\":\"/owner\",\"detail\":\"is missing\"}", "{\"field\":\"body.version\",\"message\":\"is missing\",\"type\":\"missing\"}");
	expect(400, "PUT /api/services/abc", NULL, "{\"owner\":null,\"else\":1}", "\"code\":\"HTTP_400\"", "\"details\":null");
	expect(415, "POST /api/services", "Content-Type: text/plain\r\nContent-Length: 2\r\n", NULL, "HTTP_415");
	expect(405, "POST /api/services/abc", NULL, "{}", "Allow: GET, HEAD, PUT, PATCH, DELETE", "HTTP_405");
	expect(404, "GET /api/nosuch", NULL, NULL, "HTTP_404", "\"instance\":\"/api/nosuch\"");
	expect(406, "GET /api/services", "Accept: text/html\r\n", NULL, "HTTP_406");
	expect(422, "POST /api/services", "Accept: application/problem+json, application/json\r\n", "{}",
	    "Content-Type: application/problem+json");
}

static void
conditions_hold(void **state)
{
	char tag[128];

	(void)state;
	expect(201, "POST /api/services", NULL, ORDERS, "");
	snprintf(tag, sizeof tag, "%s", if_match("If-Match"));
	expect(200, "PUT /api/services/order-service", tag, "{\"owner\":\"one\"}", "\"owner\":\"one\"");
	expect(412, "PUT /api/services/order-service", tag, "{\"owner\":\"two\"}", "\"code\":\"CONCURRENT_UPDATE\"",
	    "\"details\":{\"service_name\":\"order-service\"}", "ETag: \"");
	expect(412, "DELETE /api/services/order-service", tag, NULL, "CONCURRENT_UPDATE");
	expect(200, "GET /api/services/order-service", NULL, NULL, "\"owner\":\"one\"");
	expect(304, "GET /api/services/order-service", if_match("If-None-Match"), NULL, "");
	assert_string_equal(body_of(), "");
	expect(200, "GET /api/services", NULL, NULL, "");
	snprintf(tag, sizeof tag, "%s", if_match("If-None-Match"));
	expect(304, "GET /api/services", tag, NULL, "");
	expect(200, "PUT /api/services/order-service", NULL, "{\"owner\":\"three\"}", "");
	expect(200, "GET /api/services", tag, NULL, "\"owner\":\"three\"");
	expect(200, "PUT /api/services/order-service?dry_run=true", NULL, "{\"owner\":\"four\"}", "\"owner\":\"four\"");
	expect(200, "POST /api/services?dry_run", NULL, "{\"service_name\":\"abc\",\"owner\":\"o\",\"description\":\"d\",\"version\":\"1.0.0\"}", "");
	expect(204, "DELETE /api/services/order-service?dry_run=1", NULL, NULL, "");
	expect(200, "GET /api/services", NULL, NULL, "\r\n\r\n[{\"service_name\":\"order-service\",\"owner\":\"three\"", "}]");
	expect(204, "DELETE /api/services/order-service", "If-Match: *\r\n", NULL, "");
}

static void
repeated_posts_are_one(void **state)
{
	(void)state;
	expect(201, "POST /api/services", "Idempotency-Key: k1\r\n", ORDERS, "");
	expect(201, "POST /api/services", "Idempotency-Key: k1\r\n", ORDERS, "Location: /api/services/order-service");
	expect(409, "POST /api/services", "Idempotency-Key: k2\r\n", ORDERS, "");
	expect(422, "POST /api/services", "Idempotency-Key: k1\r\n",
	    "{\"service_name\":\"abc\",\"owner\":\"o\",\"description\":\"d\",\"version\":\"1.0.0\"}", "Idempotency-Key");
	expect(422, "POST /api/services", "Idempotency-Key: a b\r\n", ORDERS, "Idempotency-Key");
	expect(404, "GET /api/services/abc", NULL, NULL, "");
	expect(204, "DELETE /api/services/order-service", NULL, NULL, "");
}

static void
the_past_comes_back(void **state)
{
	char first[32], revert[64], tag[128];

	(void)state;
	expect(404, "GET /api/services/past-service/history", NULL, NULL, "SERVICE_NOT_FOUND");
	expect(201, "POST /api/services", NULL, "{\"service_name\":\"past-service\",\"owner\":\"one\",\"description\":\"d\",\"version\":\"1.0.0\"}", "");
	snprintf(first, sizeof first, "%.*s", (int)strcspn(header("ETag") + 1, "\""), header("ETag") + 1);
	expect(200, "PUT /api/services/past-service", NULL, "{\"owner\":\"two\"}", "");
	expect(200, "GET /api/services/past-service/history", NULL, NULL, "[{\"revision\":", "\"owner\":\"two\"", "\"deleted\":false,\"service\":{");
	assert_true(strstr(body_of(), "\"two\"") < strstr(body_of(), "\"one\""));
	snprintf(tag, sizeof tag, "%s", if_match("If-Match"));
	snprintf(revert, sizeof revert, "{\"revision\":%s}", first);
	expect(428, "POST /api/services/past-service/revert", NULL, revert, "HTTP_428");
	expect(412, "POST /api/services/past-service/revert", "If-Match: \"1\"\r\n", revert, "CONCURRENT_UPDATE");
	expect(422, "POST /api/services/past-service/revert", tag, "{\"revision\":1,\"Else\":2}", "extra_forbidden", "body.Else");
	expect(422, "POST /api/services/past-service/revert", tag, "{}", "body.revision");
	expect(404, "POST /api/services/past-service/revert", tag, "{\"revision\":999999}", "HTTP_404");
	expect(200, "POST /api/services/past-service/revert?dry_run=true", tag, revert, "\"owner\":\"one\"");
	expect(200, "POST /api/services/past-service/revert", tag, revert, "\"owner\":\"one\"");
	expect(200, "GET /api/services/past-service", NULL, NULL, "\"owner\":\"one\"");
	expect(204, "DELETE /api/services/past-service", NULL, NULL, "");
	expect(200, "GET /api/services/past-service/history", NULL, NULL, "\"deleted\":true,\"service\":null}");
	expect(412, "POST /api/services/past-service/revert", tag, revert, "");
	expect(200, "POST /api/services/past-service/revert", "If-None-Match: *\r\n", revert, "\"owner\":\"one\"");
	expect(204, "DELETE /api/services/past-service", NULL, NULL, "");
}

/* Many at once change one definition without a condition: each says what to change, so each succeeds. */
#define WRITERS 4
static void *
write_often(void *arg)
{
	struct web_server *s = w.web;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char answer[4096], body[64];
	intptr_t good = 0;

	to.sin_port = htons((uint16_t)strtol(strrchr(web_server_address(s, 0), ':') + 1, NULL, 10));
	for (int i = 0; i < 10; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		snprintf(body, sizeof body, "{\"%s\":\"by %d\"}", (intptr_t)arg % 2 == 0 ? "owner" : "description", i);
		if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) {
			dprintf(fd, "PUT /api/services/busy-service HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
			    strlen(body), body);
			ssize_t n = recv(fd, answer, sizeof answer - 1, MSG_WAITALL);
			good += n > 12 && strncmp(answer, "HTTP/1.1 200", 12) == 0;
		}
		close(fd);
	}
	return (void *)good;
}

static void
writers_do_not_lose_each_other(void **state)
{
	pthread_t threads[WRITERS];
	intptr_t good = 0;

	(void)state;
	expect(201, "POST /api/services", NULL, "{\"service_name\":\"busy-service\",\"owner\":\"o\",\"description\":\"d\",\"version\":\"1.0.0\"}", "");
	for (intptr_t i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_often, (void *)i), 0);
	for (int i = 0; i < WRITERS; i++) {
		void *n;
		pthread_join(threads[i], &n);
		good += (intptr_t)n;
	}
	assert_int_equal(good, WRITERS * 10);
	expect(200, "GET /api/services/busy-service", NULL, NULL, "\"owner\":\"by 9\"", "\"description\":\"by 9\"");
	expect(204, "DELETE /api/services/busy-service", NULL, NULL, "");
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

static void
figures_are_told(void **state)
{
	(void)state;
	expect(200, "GET /metrics", NULL, NULL, "aegis_build_info{version=\"9.8.7\"} 1\n", "\nprocess_open_fds ", "aegis_registry_resyncs_total{reason=\"start\"} 1\n", "\naegis_nats_connected 1\n",
	    "\naegis_nats_rtt_seconds 0.0015\n", "\naegis_registry_instances{service=\"order\",status=\"ACTIVE\"} 1\n",
	    "\naegis_registry_instances{service=\"billing\",status=\"ACTIVE\"} 0\n",
	    "aegis_http_request_duration_seconds_count{method=\"GET\",route=\"/api/instances/{service}/{instance}\",code=\"404\"} 2\n",
	    "code=\"422\"", "\naegis_http_connections_idle 0\n", "\naegis_http_closed_total{why=\"late\"} 0\n", "{method=\"_none\",route=\"_none\",code=\"404\"} ");
}

/* --- groups ---------------------------------------------------------------------------------- */

/* answers: the request is answered with that status, soon with text in it. */
static bool
answers(int status, const char *line, const char *text)
{
	return ask(line, NULL, NULL) == status && strstr(got, text) != NULL;
}

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
		cmocka_unit_test(definitions_live_and_die),
		cmocka_unit_test(bad_bodies_are_told),
		cmocka_unit_test(conditions_hold),
		cmocka_unit_test(repeated_posts_are_one),
		cmocka_unit_test(the_past_comes_back),
		cmocka_unit_test(writers_do_not_lose_each_other),
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
