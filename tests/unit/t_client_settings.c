/* t_client_settings - a member in a C program says what it runs with, as long as it is there, and changes nothing when
 * its service gets central settings. */
#include "handle.h"

#include "base/magic.h"
#include "nats/conn.h"

static struct conn *peer;

static int
begin(void **state)
{
	struct err err;

	(void)state;
	if (!bus_start(&bus))
		return 1;
	peer = conn_new(&(struct conn_opts){ .servers = bus_url(&bus), .name = "t_client_settings", .timeout_ns = 2 * NS_PER_S }, &err);
	return peer == NULL;
}

static int
end(void **state)
{
	(void)state;
	conn_free(peer);
	bus_end(&bus);
	return 0;
}

/* asked: what the instance answers; NULL when nobody listens there. */
static const char *
asked(const char *subject)
{
	static char text[4096];
	struct msg *reply;
	struct err err;
	enum err_code code = conn_request(peer, &(struct conn_msg){ .subject = subject, .data = "", .n = 0 }, 2 * NS_PER_S, &reply, &err);

	if (code == ERR_NO_MEMBER)
		return NULL;
	expect_ok(code, &err);
	snprintf(text, sizeof text, "%.*s", (int)msg_size(reply), (const char *)msg_data(reply));
	msg_free(reply);
	return text;
}

static void
holds(const char *text, const char *part)
{
	if (text == NULL || strstr(text, part) == NULL)
		fail_msg("no %s in %s", part, text != NULL ? text : "silence");
}

static void
says_what_it_runs_with(void **state)
{
	static const char where[] = "aegis.ctl.orders.one.settings";

	(void)state;
	assert_null(asked(where));
	aegis *a = connect_as(&(aegis_options){ .timeout_ms = 2500, .validation = AEGIS_VALIDATE_WARN });
	ok(aegis_serve(a, "echo", echo, NULL, 0, &e));
	assert_null(asked(where));
	ok(aegis_register(a, &(aegis_identity){ .service = "orders", .instance = "one", .heartbeat_ms = 1500 }, &e));
	const char *text = asked(where);
	holds(text, "{\"service\":\"orders\",\"instance\":\"one\",\"revision\":null,\"applied_revision\":null,\"refused\":null,\"pending\":[],\"settings\":[");
	holds(text, "{\"key\":\"heartbeat_interval\",\"value\":\"1s500ms\",\"origin\":\"flag\",\"source\":\"the program\",\"pending\":false,\"live\":false,"
	    "\"secret\":false}");
	holds(text, "{\"key\":\"registry_ttl\",\"value\":\"30s\",\"origin\":\"default\",\"source\":null,");
	holds(text, "{\"key\":\"timeout\",\"value\":\"2s500ms\",\"origin\":\"flag\",");
	holds(text, "{\"key\":\"validate\",\"value\":\"warn\",\"origin\":\"flag\",");
	aegis_close(a);
	assert_null(asked(where));
}

/* After a twin the handle may have another name; then the first one is nobody's. */
static void
goes_by_its_last_name(void **state)
{
	(void)state;
	aegis *first = connect_as(NULL), *second = connect_as(NULL);
	ok(enrol(first, "twins", "one"));
	fails(enrol(second, "twins", "one"), AEGIS_TWIN, "one");
	ok(enrol(second, "twins", "two"));
	holds(asked("aegis.ctl.twins.two.settings"), "\"instance\":\"two\"");
	aegis_close(first);
	assert_null(asked("aegis.ctl.twins.one.settings"));
	aegis_close(second);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_it_runs_with),
		cmocka_unit_test(goes_by_its_last_name),
	};

	BUS_SHIM(argc, argv);
	int failed = cmocka_run_group_tests(tests, begin, end);
	conn_library_close();
	return failed;
}
