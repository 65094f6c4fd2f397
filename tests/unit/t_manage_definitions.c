/* t_manage_definitions - definitions over HTTP on a real server, status by status, header by header: as the Python API
 * answers (wire.md §11), and beyond it. */
#include "expect.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "api/manage_inner.h"
#include "audit/audit.h"
#include "base/magic.h"
#include "bus.h"
#include "discovery/discovery.h"
#include "election/groups.h"
#include "electors.h"
#include "http/server.h"
#include "managed.h"
#include "monitor/monitor.h"
#include "nats/conn.h"
#include "sys/loop.h"

/* --- definitions -------------------------------------------------------------------------- */

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
	};

	BUS_SHIM(argc, argv);
	return cmocka_run_group_tests(tests, begin, end);
}
