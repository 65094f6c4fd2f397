/* t_guard - a handle of the C API with validation: what it serves, publishes and works off is held
 * against the contract that lies in a real bucket, as it changes. */
#include "expect.h"

#include <stdatomic.h>

#include "base/magic.h"
#include "bus.h"
#include "client/aegis.h"
#include "codec/codec.h"
#include "messaging/guard.h"
#include "nats/conn.h"
#include "registry/contracts.h"

#define CONTRACT "{\"methods\":{\"get\":{\"params\":{\"required\":[\"id\"]},\"result\":{\"required\":[\"qty\"]}}}," \
	"\"events\":{\"order.created\":{\"required\":[\"id\"]}}}"

static atomic_uint served;

static void
get(void *arg, aegis_request *r)
{
	int64_t qty;

	(void)arg;
	atomic_fetch_add(&served, 1);
	aegis_reply_json(r, aegis_param_int(r, "qty", &qty) ? "{\"qty\":1}" : "{}");
}

static aegis *
open_handle(enum aegis_validation v)
{
	aegis_error e = { .text = "" };
	aegis_options o = { .servers = bus_url(&bus), .validation = v, .log_level = "critical", .timeout_ms = 60000 };
	aegis *a = aegis_connect(&o, &e);

	if (a == NULL)
		fail_msg("%s", e.text);
	assert_int_equal(aegis_serve(a, "get", get, NULL, AEGIS_INLINE, &e), AEGIS_OK);
	if (aegis_register(a, &(aegis_identity){ .service = "order-service" }, &e) != AEGIS_OK)
		fail_msg("%s", e.text);
	return a;
}

/* store: the contract, or none for NULL. */
static void
store(const char *json)
{
	struct err err = { ERR_OK, "" };
	struct conn *conn = conn_new(&(struct conn_opts){ .servers = bus_url(&bus), .name = "t", .timeout_ns = 30 * NS_PER_S }, &err);
	struct contracts *all = conn != NULL ? contracts_new(conn, true, &err) : NULL;
	struct value v;
	uint64_t revision;

	if (all == NULL)
		fail_msg("%s", err.text);
	if (json == NULL) {
		char *was;
		size_t n;
		expect_ok(contracts_get(all, "order-service", &was, &n, &revision, &err), &err);
		mem_free(was);
		expect_ok(contracts_remove(all, "order-service", revision, &err), &err);
	} else {
		expect_ok(codec_parse(codec_mine(), (struct data){ DATA_JSON, json, strlen(json) }, &v, &err), &err);
		expect_ok(contracts_put(all, "order-service", &v, 0, &revision, &err), &err);
	}
	contracts_free(all);
	conn_free(conn);
}

static int
call(aegis *a, const char *params, aegis_error *e)
{
	aegis_result *r = NULL;
	int code = aegis_call_json(a, "order-service", "get", params, NULL, &r, e);

	aegis_result_free(r);
	return code;
}

static void
enforced(void **state)
{
	aegis_error e;
	aegis *a = open_handle(AEGIS_VALIDATE_ENFORCE);

	(void)state;
	WAIT_FOR(call(a, "{}", NULL) == AEGIS_OK);		/* no bucket, no contract */
	store(CONTRACT);
	WAIT_FOR(call(a, "{}", NULL) == AEGIS_CONTRACT);
	unsigned before = atomic_load(&served);
	assert_int_equal(call(a, "{\"qty\":1}", &e), AEGIS_CONTRACT);
	assert_non_null(strstr(e.text, "parameters of method 'get': the value has no member 'id' (required)"));
	assert_int_equal(atomic_load(&served), before);
	assert_int_equal(call(a, "{\"id\":1,\"qty\":1}", &e), AEGIS_OK);
	assert_int_equal(call(a, "{\"id\":1}", &e), AEGIS_HANDLER);
	assert_non_null(strstr(e.text, "INTERNAL_ERROR: result of method 'get': the value has no member 'qty'"));
	assert_int_equal(aegis_publish_json(a, "order", "created", "{\"nr\":1}", NULL, &e), AEGIS_CONTRACT);
	assert_non_null(strstr(e.text, "payload of event 'order.created'"));
	assert_int_equal(aegis_publish_json(a, "order", "created", "{\"id\":1}", NULL, &e), AEGIS_OK);
	assert_int_equal(aegis_publish_json(a, "order", "paid", "{}", NULL, &e), AEGIS_OK);
	store(NULL);
	WAIT_FOR(call(a, "{}", NULL) == AEGIS_OK);
	aegis_close(a);
}

static void
warned_and_off(void **state)
{
	aegis_error e;

	(void)state;
	store(CONTRACT);
	for (int v = AEGIS_VALIDATE_OFF; v <= AEGIS_VALIDATE_WARN; v++) {
		aegis *a = open_handle((enum aegis_validation)v);
		assert_int_equal(call(a, "{}", &e), AEGIS_OK);
		assert_int_equal(aegis_publish_json(a, "order", "created", "{}", NULL, &e), AEGIS_OK);
		aegis_close(a);
	}
	assert_null(aegis_connect(&(aegis_options){ .servers = bus_url(&bus), .validation = (enum aegis_validation)3 }, &e));
	assert_int_equal(e.code, AEGIS_INVALID);
	store(NULL);
}

/* Before anything is known: enforce lets nothing pass, warn everything. */
static void
unread(void **state)
{
	struct err err = { ERR_OK, "" };
	struct conn *conn = conn_new(&(struct conn_opts){
		.servers = "nats://127.0.0.1:1", .name = "t", .timeout_ns = NS_PER_S, .wait = true,
	}, &err);
	struct value v = { .type = VALUE_NULL };

	(void)state;
	assert_non_null(conn);
	for (int mode = GUARD_WARN; mode <= GUARD_ENFORCE; mode++) {
		struct guard *g = guard_new(&(struct guard_opts){
			.conn = conn, .service = "order-service", .mode = (enum guard_mode)mode,
		}, &err);
		assert_non_null(g);
		enum err_code code = guard_value(g, CONTRACT_PARAMS, text_of("get"), &v, &err);
		assert_int_equal(code, mode == GUARD_ENFORCE ? ERR_BUSY : ERR_OK);
		assert_int_equal(guard_broken(g), 0);
		guard_free(g);
	}
	assert_int_equal(guard_value(NULL, CONTRACT_PARAMS, text_of("get"), &v, &err), ERR_OK);
	assert_int_equal(guard_event(NULL, "order", "created", &v, &err), ERR_OK);
	conn_free(conn);
}

int
main(int argc, char **argv)
{
	BUS_SHIM(argc, argv);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enforced),
		cmocka_unit_test(warned_and_off),
		cmocka_unit_test(unread),
	};

	return cmocka_run_group_tests(tests, bus_set_up, bus_tear_down);
}
