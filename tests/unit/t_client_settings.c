/* t_client_settings - a member in a C program says what it runs with, as long as it is there, and goes by the central
 * settings of its service where it was not told otherwise. */
#include <stdatomic.h>

#include "handle.h"

#include "base/magic.h"
#include "base/mem.h"
#include "codec/subject.h"
#include "nats/conn.h"
#include "nats/kv.h"
#include "settings/settings.h"

static struct conn *peer;

static int
begin(void **state)
{
	struct err err;

	(void)state;
	if (!bus_start(&bus))
		return 1;
	peer = conn_new(&(struct conn_opts){ .servers = bus_url(&bus), .name = "t_client_settings", .timeout_ns = 30 * NS_PER_S }, &err);
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

/* is_mute: nobody listens there.  Who has just gone may be there to the server for a moment, and does not answer. */
static bool
is_mute(const char *subject)
{
	struct msg *reply;
	enum err_code code = conn_request(peer, &(struct conn_msg){ .subject = subject, .data = "", .n = 0 }, NS_PER_S, &reply, NULL);

	if (code == ERR_OK)
		msg_free(reply);
	return code == ERR_NO_MEMBER;
}

/* asked: what the instance answers; NULL when nobody listens there. */
static const char *
asked(const char *subject)
{
	static char text[4096];
	struct msg *reply;
	struct err err;
	enum err_code code = conn_request(peer, &(struct conn_msg){ .subject = subject, .data = "", .n = 0 }, 30 * NS_PER_S, &reply, &err);

	if (code == ERR_NO_MEMBER)
		return NULL;
	expect_ok(code, &err);
	snprintf(text, sizeof text, "%.*s", (int)msg_size(reply), (const char *)msg_data(reply));
	msg_free(reply);
	return text;
}

/* awaited: what it answers, once it is there: who has just registered may not be heard of yet. */
static const char *
awaited(const char *subject)
{
	const char *text = NULL;

	WAIT_FOR((text = asked(subject)) != NULL);
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
	const char *text = awaited(where);
	holds(text, "{\"service\":\"orders\",\"instance\":\"one\",\"revision\":null,\"applied_revision\":null,\"refused\":null,\"pending\":[],\"settings\":[");
	holds(text, "{\"key\":\"heartbeat_interval\",\"value\":\"1s500ms\",\"origin\":\"flag\",\"source\":\"the program\",\"pending\":false,\"live\":true,"
	    "\"secret\":false}");
	holds(text, "{\"key\":\"registry_ttl\",\"value\":\"30s\",\"origin\":\"default\",\"source\":null,");
	holds(text, "{\"key\":\"timeout\",\"value\":\"2s500ms\",\"origin\":\"flag\",");
	holds(text, "{\"key\":\"validate\",\"value\":\"warn\",\"origin\":\"flag\",");
	aegis_close(a);
	WAIT_FOR(is_mute(where));
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
	holds(awaited("aegis.ctl.twins.two.settings"), "\"instance\":\"two\"");
	aegis_close(first);
	WAIT_FOR(is_mute("aegis.ctl.twins.one.settings"));
	aegis_close(second);
}

/* write_down: a document as the bucket has it, checked by nobody. */
static uint64_t
write_down(const char *service, const char *settings)
{
	struct kv kv = { peer, CONFIG_BUCKET };
	char text[600];
	uint64_t revision;
	struct err err;

	snprintf(text, sizeof text, "{\"settings\":%s,\"updated_by\":\"me\"}", settings);
	expect_ok(kv_put(&kv, &(struct kv_put){ .key = service, .value = text, .n = strlen(text), .expect = KV_ANY }, &revision, &err), &err);
	return revision;
}

static bool
says(const char *where, const char *part)
{
	const char *text = asked(where);

	return text != NULL && strstr(text, part) != NULL;
}

#define HEARTBEAT(value, origin) "{\"key\":\"heartbeat_interval\",\"value\":\"" value "\",\"origin\":\"" origin "\","
#define RPC(value, origin) "{\"key\":\"rpc_timeout\",\"value\":\"" value "\",\"origin\":\"" origin "\","

static void
count(void *arg, struct msg *m)
{
	atomic_fetch_add((atomic_int *)arg, 1);
	msg_free(m);
}

static void
goes_by_the_central_settings(void **state)
{
	static const char where[] = "aegis.ctl.prices.one.settings";
	struct kv kv = { peer, CONFIG_BUCKET };
	atomic_int beats = 0;
	struct err err;

	(void)state;
	expect_ok(settings_make(peer, &err), &err);
	assert_int_equal(write_down("prices", "{\"heartbeat_interval\":\"30s\",\"registry_ttl\":\"60s\",\"max_inflight\":3,\"workload\":{}}"), 1);
	aegis *a = connect_as(&(aegis_options){ .timeout_ms = 5000 });	/* what a program says that says nothing */
	ok(enrol(a, "prices", "one"));
	WAIT_FOR(says(where, HEARTBEAT("30s", "central")));
	holds(asked(where), "\"source\":\"settings, revision 1\",\"pending\":false,\"live\":true,");
	holds(asked(where), "\"revision\":1,\"applied_revision\":1,\"refused\":\"a C program has no max_inflight, workload; the others count\"");

	/* Changed while it runs: so often its heartbeats come, and so long its calls wait. */
	struct sub *sub = sub_new(&(struct sub_opts){ .conn = peer, .subject = "internal.heartbeat.prices", .handler = count, .arg = &beats }, &err);
	assert_non_null(sub);
	write_down("prices", "{\"heartbeat_interval\":\"500ms\",\"rpc_timeout\":\"300ms\"}");
	WAIT_FOR(says(where, HEARTBEAT("500ms", "central")));
	holds(asked(where), RPC("300ms", "central"));
	holds(asked(where), "\"refused\":null");
	WAIT_FOR(atomic_load(&beats) >= 3);
	sub_free(sub);
	sub = sub_new(&(struct sub_opts){ .conn = peer, .subject = "rpc.prices.one.silent", .handler = count, .arg = &beats }, &err);
	assert_non_null(sub);
	expect_ok(conn_flush(peer, WAIT_NS, &err), &err);
	aegis_result *r = NULL;
	/* Known to itself: else the service is asked, and nobody of it listens. */
	WAIT_FOR(aegis_call(a, "prices", "silent", NULL, &(aegis_call_options){ .instance = "one" }, NULL, &e) == AEGIS_TIMEOUT);
	fails(aegis_call(a, "prices", "silent", NULL, NULL, &r, &e), AEGIS_TIMEOUT, "no answer to rpc.prices.silent within ");
	assert_true(strtod(strstr(e.text, "within ") + 7, NULL) < 4);	/* s, of 5 by default */
	sub_free(sub);

	/* What cannot stand together, or is none, changes nothing and is told. */
	write_down("prices", "{\"heartbeat_interval\":\"20s\",\"registry_ttl\":\"10s\"}");
	WAIT_FOR(says(where, "\"revision\":3,\"applied_revision\":2,\"refused\":\"heartbeat_interval must be shorter"));
	holds(asked(where), HEARTBEAT("500ms", "central"));
	write_down("prices", "{\"heartbeat_interval\":\"soon\"}");
	WAIT_FOR(says(where, "\"revision\":4,\"applied_revision\":2,\"refused\":\"heartbeat_interval: 'soon' is no duration"));
	holds(asked(where), RPC("300ms", "central"));

	expect_ok(kv_remove(&kv, "prices", KV_ANY, true, 0, &err), &err);
	WAIT_FOR(says(where, HEARTBEAT("10s", "default")));
	holds(asked(where), "\"revision\":null,\"applied_revision\":null,\"refused\":null");
	aegis_close(a);
}

static void
what_the_program_says_is_stronger(void **state)
{
	static const char where[] = "aegis.ctl.prices.two.settings";

	(void)state;
	uint64_t revision = write_down("prices", "{\"heartbeat_interval\":\"3s\",\"registry_ttl\":\"40s\",\"rpc_timeout\":\"1s\"}");
	aegis *a = connect_as(&(aegis_options){ .timeout_ms = 2500 });
	ok(aegis_register(a, &(aegis_identity){ .service = "prices", .instance = "two", .heartbeat_ms = 1500 }, &e));
	char *taken = mem_printf("\"applied_revision\":%llu,", (unsigned long long)revision);
	WAIT_FOR(says(where, taken));
	mem_free(taken);
	holds(asked(where), HEARTBEAT("1s500ms", "flag"));
	holds(asked(where), RPC("2s500ms", "flag"));
	holds(asked(where), "{\"key\":\"registry_ttl\",\"value\":\"40s\",\"origin\":\"central\",");
	aegis_close(a);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_it_runs_with),
		cmocka_unit_test(goes_by_its_last_name),
		cmocka_unit_test(goes_by_the_central_settings),
		cmocka_unit_test(what_the_program_says_is_stronger),
	};

	BUS_SHIM(argc, argv);
	int failed = cmocka_run_group_tests(tests, begin, end);
	conn_library_close();
	return failed;
}
