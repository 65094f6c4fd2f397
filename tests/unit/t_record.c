/* t_record - instances and definitions: the exact bytes, what readers refuse, ownership. */
#include "decoder.h"
#include "expect.h"

#include "base/magic.h"
#include "base/mem.h"
#include "base/wall.h"
#include "codec/record.h"
#include "model/names.h"

/* --- instances ---------------------------------------------------------------------------- */

/* The record of wire.md §8.2, as the Python SDK writes it. */
#define PYTHON_RECORD "{\"serviceName\":\"echo-svc\",\"instanceId\":\"echo-svc-aaaa1111\"," \
	"\"version\":\"1.2.3\",\"status\":\"ACTIVE\",\"lastHeartbeat\":\"2026-11-20T04:57:09.113950+00:00\"," \
	"\"stickyActiveGroup\":null,\"metadata\":{\"start_time\":\"2026-11-20T04:57:09.113912+00:00\"}}"

#define FRONT "{\"serviceName\":\"s\",\"instanceId\":\"i\",\"version\":\"1.0.0\",\"status\":\"STANDBY\"," \
	"\"lastHeartbeat\":\"2026-11-20T05:00:00Z\""

static enum err_code
read_instance(const char *json, struct instance *i, struct err *err)
{
	return instance_decode(codec, json, strlen(json), i, err);
}

static void
the_reference_record_comes_back_unchanged(void **state)
{
	struct str out = STR_INIT;
	struct instance i;
	struct wall when;
	struct err err;

	(void)state;
	expect_ok(read_instance(PYTHON_RECORD, &i, &err), &err);
	assert_string_equal(i.service, "echo-svc");
	assert_string_equal(i.id, "echo-svc-aaaa1111");
	assert_string_equal(i.version, "1.2.3");
	assert_int_equal(i.status, INSTANCE_ACTIVE);
	assert_true(wall_parse("2026-11-20T04:57:09.113950Z", 27, &when) && when.ns == i.last_heartbeat.ns);
	assert_null(i.group);
	assert_int_equal(i.sticky, STICKY_NONE);
	assert_null(i.nonce);
	assert_false(i.direct_rpc);
	assert_int_equal(i.epoch, 0);
	instance_encode(&i, &out);
	expect_str(&out, PYTHON_RECORD);
	str_release(&out);
	instance_release(&i);
}

static void
what_readers_need_is_taken_out_of_the_metadata(void **state)
{
	struct instance i;
	struct err err;

	(void)state;
	expect_ok(read_instance(FRONT ",\"stickyActiveGroup\":\"default\","
	    "\"metadata\":{\"nonce\":\"ab12\",\"direct_rpc\":true,"
	    "\"epoch\":1795150629860,\"text\":\"\xc3\xa9\"},\"stickyActiveStatus\":\"ELECTING\","
	    "\"later\":[1]}", &i, &err), &err);
	assert_string_equal(i.group, "default");
	assert_int_equal(i.sticky, STICKY_ELECTING);
	assert_string_equal(i.nonce, "ab12");
	assert_true(i.direct_rpc);
	assert_true(i.epoch == UINT64_C(1795150629860));
	assert_string_equal(i.metadata, "{\"nonce\":\"ab12\",\"direct_rpc\":true,\"epoch\":1795150629860,"
	    "\"text\":\"\xc3\xa9\"}");
	instance_release(&i);
	/* Of the wrong type they count as absent. */
	expect_ok(read_instance(FRONT ",\"metadata\":{\"nonce\":5,\"direct_rpc\":1,\"epoch\":-1}}", &i,
	    &err), &err);
	assert_null(i.nonce);
	assert_false(i.direct_rpc);
	assert_int_equal(i.epoch, 0);
	instance_release(&i);
	expect_ok(read_instance(FRONT ",\"metadata\":{\"nonce\":\"a\\u0000b\",\"epoch\":\"7\"}}", &i,
	    &err), &err);
	assert_null(i.nonce);
	instance_release(&i);
	/* So do absent metadata. */
	expect_ok(read_instance(FRONT "}", &i, &err), &err);
	assert_string_equal(i.metadata, "{}");
	instance_release(&i);
}

static void
what_was_overtaken_is_shown_so(void **state)
{
	struct str out = STR_INIT;
	struct instance i;
	struct pack p;
	struct err err;

	(void)state;
	expect_ok(read_instance(FRONT ",\"stickyActiveGroup\":\"default\",\"metadata\":{\"sticky_active_status\":\"ACTIVE\",\"epoch\":7}"
	    ",\"stickyActiveStatus\":\"ACTIVE\"}", &i, &err), &err);
	instance_demote(&i);
	pack_init(&p, &out, DATA_JSON, PACK_COMPACT);
	instance_pack_metadata(&p, &i);
	expect_ok(pack_end(&p, &err), &err);
	expect_str(&out, "{\"sticky_active_status\":\"STANDBY\",\"epoch\":7}");
	instance_release(&i);
	str_release(&out);
}

static void
the_sticky_status_has_two_spellings_but_not_both(void **state)
{
	struct instance i;
	struct err err;

	(void)state;
	expect_ok(read_instance(FRONT ",\"sticky_active_status\":\"ACTIVE\"}", &i, &err), &err);
	assert_int_equal(i.sticky, STICKY_ACTIVE);
	instance_release(&i);
	expect_ok(read_instance(FRONT ",\"stickyActiveStatus\":null}", &i, &err), &err);
	assert_int_equal(i.sticky, STICKY_NONE);
	instance_release(&i);
	expect_refusal(read_instance(FRONT ",\"stickyActiveStatus\":\"ACTIVE\","
	    "\"sticky_active_status\":\"ACTIVE\"}", &i, &err),
	    &err, ERR_INVALID, "stickyActiveStatus: stands there twice");
}

static void
the_sticky_status_is_written_twice(void **state)
{
	struct str out = STR_INIT;
	struct instance i;
	struct err err;

	(void)state;
	expect_ok(read_instance(FRONT ",\"metadata\":{\"a\":\"\xc3\xa9\"}}", &i, &err), &err);
	i.sticky = STICKY_STANDBY;
	i.group = mem_text("g");
	instance_encode(&i, &out);
	expect_str(&out, "{\"serviceName\":\"s\",\"instanceId\":\"i\",\"version\":\"1.0.0\","
	    "\"status\":\"STANDBY\","
	    "\"lastHeartbeat\":\"2026-11-20T05:00:00.000000+00:00\",\"stickyActiveGroup\":\"g\","
	    "\"metadata\":{\"a\":\"\\u00e9\",\"sticky_active_status\":\"STANDBY\"},"
	    "\"stickyActiveStatus\":\"STANDBY\"}");
	instance_release(&i);
	/* Read back and changed, the older value is replaced in its place. */
	char *record = str_steal(&out);
	expect_ok(read_instance(record, &i, &err), &err);
	i.sticky = STICKY_ACTIVE;
	instance_encode(&i, &out);
	assert_non_null(strstr(out.p, "{\"a\":\"\\u00e9\",\"sticky_active_status\":\"ACTIVE\"},"
	    "\"stickyActiveStatus\":\"ACTIVE\"}"));
	instance_release(&i);
	mem_free(record);
	str_release(&out);
}

static const struct { const char *json; enum err_code code; const char *says; } refused[] = {
	{ "", ERR_SYNTAX, "empty" }, { "{", ERR_SYNTAX, "byte 1" }, { "[]", ERR_SYNTAX,
	    "a record must be a map, not list" },
	{ "\x80", ERR_SYNTAX, "byte 0" },
	{ "{}", ERR_INVALID, "serviceName: is missing" },
	{ "{\"serviceName\":5}", ERR_INVALID, "serviceName: must be text, not integer" },
	{ "{\"serviceName\":null}", ERR_INVALID, "serviceName: must be text, not null" },
	{ "{\"serviceName\":\"a b\"}", ERR_INVALID, "serviceName: service name 'a b': a blank" },
	{ "{\"serviceName\":\"a\\u0000b\"}", ERR_INVALID, "serviceName: holds a NUL character" },
	{ "{\"serviceName\":\"s\"}", ERR_INVALID, "instanceId: is missing" },
	{ "{\"serviceName\":\"s\",\"instanceId\":\"a.b\"}", ERR_INVALID, "instanceId: instance id 'a.b'" },
	{ "{\"serviceName\":\"s\",\"instanceId\":\"i\",\"version\":\"1.0\"}", ERR_INVALID,
	    "version: version '1.0'" },
	{ "{\"serviceName\":\"s\",\"instanceId\":\"i\",\"version\":\"1.0.0\"}", ERR_INVALID,
	    "status: is missing" },
	{ "{\"serviceName\":\"s\",\"instanceId\":\"i\",\"version\":\"1.0.0\",\"status\":\"SHUTDOWN\"}",
	    ERR_INVALID,
	    "status: SHUTDOWN is none of ACTIVE, STANDBY, UNHEALTHY" },
	{ "{\"serviceName\":\"s\",\"instanceId\":\"i\",\"version\":\"1.0.0\",\"status\":\"active\"}",
	    ERR_INVALID, "status: active" },
	{ "{\"serviceName\":\"s\",\"instanceId\":\"i\",\"version\":\"1.0.0\",\"status\":null}",
	    ERR_INVALID, "status: null is none" },
	{ "{\"serviceName\":\"s\",\"instanceId\":\"i\",\"version\":\"1.0.0\",\"status\":"
	    "\"1234567890123456789012345678901234567890123456789012345678901234XYZ\"}", ERR_INVALID,
	    "234 is none" },
	{ "{\"serviceName\":\"s\",\"instanceId\":\"i\",\"version\":\"1.0.0\",\"status\":\"ACTIVE\"}",
	    ERR_INVALID,
	    "lastHeartbeat: is missing" },
	{ "{\"serviceName\":\"s\",\"instanceId\":\"i\",\"version\":\"1.0.0\",\"status\":\"ACTIVE\","
	    "\"lastHeartbeat\":1795150629}",
	    ERR_INVALID, "lastHeartbeat: must be a time as text, not integer" },
	{ "{\"serviceName\":\"s\",\"instanceId\":\"i\",\"version\":\"1.0.0\",\"status\":\"ACTIVE\","
	    "\"lastHeartbeat\":\"noon\"}",
	    ERR_INVALID, "lastHeartbeat: 'noon' is no ISO 8601 time" },
	{ "{\"serviceName\":\"s\",\"instanceId\":\"i\",\"version\":\"1.0.0\",\"status\":\"ACTIVE\","
	    "\"lastHeartbeat\":"
	    "\"1234567890123456789012345678901234567890123456789012345678901234XYZ\"}", ERR_INVALID,
	    "234' is no ISO" },
	{ FRONT ",\"stickyActiveGroup\":7}", ERR_INVALID, "stickyActiveGroup: must be text, not integer" },
	{ FRONT ",\"metadata\":null}", ERR_INVALID, "metadata: must be a map, not null" },
	{ FRONT ",\"metadata\":[]}", ERR_INVALID, "metadata: must be a map, not list" },
	{ FRONT ",\"stickyActiveStatus\":\"NONE\"}", ERR_INVALID, "stickyActiveStatus: is none of ACTIVE" },
	{ FRONT ",\"stickyActiveStatus\":1}", ERR_INVALID, "stickyActiveStatus: is none of ACTIVE" },
};

static void
unreadable_records_are_refused_and_leave_nothing(void **state)
{
	struct instance i;
	struct err err;

	(void)state;
	for (size_t k = 0; k < COUNT_OF(refused); k++) {
		expect_refusal(read_instance(refused[k].json, &i, &err), &err, refused[k].code,
		    refused[k].says);
		assert_null(i.service);
		assert_null(i.metadata);
	}
}

static void
heartbeats_carry_any_offset(void **state)
{
	static const char *const times[] = {
		"2026-11-20T05:00:00Z", "2026-11-20T13:00:00+08:00", "2026-11-20T05:00:00",
		    "2026-11-20T05:00:00.000000+00:00",
	};
	struct instance i;
	struct err err;
	int64_t first = 0;

	(void)state;
	for (size_t k = 0; k < COUNT_OF(times); k++) {
		char *json = mem_printf("{\"serviceName\":\"s\",\"instanceId\":\"i\","
		    "\"version\":\"1.0.0\",\"status\":\"UNHEALTHY\","
		    "\"lastHeartbeat\":\"%s\"}", times[k]);
		expect_ok(read_instance(json, &i, &err), &err);
		first = k == 0 ? i.last_heartbeat.ns : first;
		assert_true(i.last_heartbeat.ns == first);
		instance_release(&i);
		mem_free(json);
	}
}

static void
a_record_fits_into_a_larger_answer(void **state)
{
	struct str out = STR_INIT;
	struct instance i;
	struct pack p;
	struct err err;

	(void)state;
	expect_ok(read_instance(FRONT "}", &i, &err), &err);
	pack_init(&p, &out, DATA_JSON, PACK_PYTHON);
	pack_array(&p, 1);
	instance_pack(&p, &i);
	expect_ok(pack_end(&p, &err), &err);
	expect_str(&out, "[{\"serviceName\": \"s\", \"instanceId\": \"i\", \"version\": \"1.0.0\","
	    " \"status\": \"STANDBY\", "
	    "\"lastHeartbeat\": \"2026-11-20T05:00:00.000000+00:00\", \"stickyActiveGroup\": null,"
	    " \"metadata\": {}}]");
	instance_release(&i);
	str_release(&out);
}

static void
clones_own_their_memory(void **state)
{
	struct instance i, *c;
	struct str a = STR_INIT, b = STR_INIT;
	struct err err;

	(void)state;
	expect_ok(read_instance(FRONT ",\"stickyActiveGroup\":\"g\",\"metadata\":{\"nonce\":\"n\"},"
	    "\"stickyActiveStatus\":\"ACTIVE\"}",
	    &i, &err), &err);
	c = instance_clone(&i);
	instance_encode(&i, &a);
	instance_release(&i);
	assert_null(i.service);
	instance_encode(c, &b);
	expect_str(&b, a.p);
	assert_string_equal(c->nonce, "n");
	instance_free(c);
	instance_free(NULL);
	instance_init(&i);
	assert_string_equal(i.metadata, "{}");
	instance_release(&i);
	str_release(&a);
	str_release(&b);
}

static void
fresh_means_heard_from_within_the_threshold(void **state)
{
	const int64_t limit = STALE_AFTER_S * NS_PER_S;
	struct wall now = { INT64_C(1795150629) * NS_PER_S };
	struct instance i = { .last_heartbeat = now };

	(void)state;
	assert_true(instance_is_fresh(&i, now, limit));
	i.last_heartbeat.ns = now.ns - limit;
	assert_true(instance_is_fresh(&i, now, limit));
	i.last_heartbeat.ns--;
	assert_false(instance_is_fresh(&i, now, limit));
	i.last_heartbeat.ns = now.ns + 3600 * NS_PER_S;		/* from the future */
	assert_true(instance_is_fresh(&i, now, limit));
	i.last_heartbeat.ns = INT64_MIN;
	assert_false(instance_is_fresh(&i, now, limit));
	now.ns = -NS_PER_S * 3;
	i.last_heartbeat.ns = INT64_MAX;
	assert_true(instance_is_fresh(&i, now, limit));
}

static void
usable_means_active_or_standby(void **state)
{
	static const struct { const char *name; bool usable; } rows[] = {
		[INSTANCE_ACTIVE] = { "ACTIVE", true }, [INSTANCE_STANDBY] = { "STANDBY", true },
		[INSTANCE_UNHEALTHY] = { "UNHEALTHY", false },
	};
	enum instance_status status = INSTANCE_ACTIVE;
	enum sticky_status sticky = STICKY_ACTIVE;

	(void)state;
	for (enum instance_status s = INSTANCE_ACTIVE; s <= INSTANCE_UNHEALTHY; s++) {
		assert_string_equal(instance_status_name(s), rows[s].name);
		assert_true(instance_status_parse(text_of(rows[s].name), &status));
		assert_int_equal(status, s);
		assert_int_equal(instance_is_usable(&(struct instance){ .status = s }), rows[s].usable);
	}
	assert_false(instance_status_parse(text_of(""), &status));
	for (enum sticky_status s = STICKY_ACTIVE; s <= STICKY_ELECTING; s++) {
		assert_true(sticky_status_parse(text_of(sticky_status_name(s)), &sticky));
		assert_int_equal(sticky, s);
	}
	assert_null(sticky_status_name(STICKY_NONE));
	assert_false(sticky_status_parse(text_of("NONE"), &sticky));
	assert_false(sticky_status_parse(text_of(NULL), &sticky));
}

/* --- definitions -------------------------------------------------------------------------- */

/* The record of wire.md §8.3. */
#define DEFINITION "{\"service_name\":\"order-service\",\"owner\":\"team-a\",\"description\":\"d\"," \
	"\"version\":\"1.0.0\",\"created_at\":\"2025-08-08T09:00:00.000001+08:00\"," \
	"\"updated_at\":\"2025-08-08T09:00:00.000001+08:00\"}"

static enum err_code
read_definition(const char *json, struct definition *d, struct err *err)
{
	return definition_decode(codec, json, strlen(json), d, err);
}

static void
the_reference_definition_comes_back_unchanged(void **state)
{
	struct str out = STR_INIT;
	struct definition d;
	struct wall when;
	struct err err;

	(void)state;
	expect_ok(read_definition(DEFINITION, &d, &err), &err);
	assert_string_equal(d.service, "order-service");
	assert_string_equal(d.owner, "team-a");
	assert_true(wall_parse("2025-08-08T01:00:00.000001Z", 27, &when) && when.ns == d.created_at.ns);
	expect_ok(definition_check(&d, &err), &err);
	definition_encode(&d, &out);
	expect_str(&out, DEFINITION);
	str_release(&out);
	definition_release(&d);
	assert_null(d.service);
}

#define DEF(name, owner, description, version, created, updated) "{\"service_name\":" name \
	",\"owner\":" owner ",\"description\":" description ",\"version\":" version \
	",\"created_at\":" created ",\"updated_at\":" updated "}"
#define T1 "\"2025-08-08T01:00:00Z\""
#define T2 "\"2025-08-08T09:00:00+08:00\""

static const struct { const char *json, *says; } bad_definitions[] = {
	{ "{}", "service_name: is missing" },
	{ DEF("\"a b\"", "\"o\"", "\"d\"", "\"1.0.0\"", T1, T2), "service_name: service name 'a b'" },
	{ DEF("\"abc\"", "1", "\"d\"", "\"1.0.0\"", T1, T2), "owner: must be text, not integer" },
	{ DEF("\"abc\"", "\"o\"", "null", "\"1.0.0\"", T1, T2), "description: must be text, not null" },
	{ DEF("\"abc\"", "\"o\"", "\"d\"", "\"1.0.01\"", T1, T2),
	    "version: version '1.0.01': '01' has a leading zero" },
	{ DEF("\"abc\"", "\"o\"", "\"d\"", "\"1.0.0\"", "1", T2),
	    "created_at: must be a time as text, not integer" },
	{ DEF("\"abc\"", "\"o\"", "\"d\"", "\"1.0.0\"", "\"2025-08-08 01:00:00Z\"", T2),
	    "created_at: '2025-08-08 01:00:00Z' needs a T" },
	{ DEF("\"abc\"", "\"o\"", "\"d\"", "\"1.0.0\"", T1, "\"2025-08-08\""),
	    "updated_at: '2025-08-08' needs a T" },
	{ DEF("\"abc\"", "\"o\"", "\"d\"", "\"1.0.0\"", T1, "\"2025-08-07T01:00:00Z\""),
	    "updated_at: is before created_at" },
};

static void
unreadable_definitions_are_refused_and_leave_nothing(void **state)
{
	struct definition d;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad_definitions); i++) {
		expect_refusal(read_definition(bad_definitions[i].json, &d, &err), &err, ERR_INVALID,
		    bad_definitions[i].says);
		assert_null(d.service);
	}
	expect_refusal(read_definition("7", &d, &err), &err, ERR_SYNTAX,
	    "a record must be a map, not integer");
	expect_refusal(read_definition("", &d, &err), &err, ERR_SYNTAX, "empty");
	/* What Python may define is read, also what aegis would not create; unknown members are ignored. */
	expect_ok(read_definition(DEF("\"health\"", "\"\"", "\"d\"", "\"1.0.0\"", T1, T2 ",\"x\":1"), &d,
	    &err), &err);
	definition_release(&d);
}

/* written: what a person wrote. */
static enum err_code
written(const char *json, struct definition *d, struct err *err)
{
	struct value v;

	expect_ok(codec_parse_lenient(codec, json, strlen(json), &v, err), err);
	return definition_from_value(&v, d, err);
}

static void
people_write_definitions_without_times(void **state)
{
	static const struct { const char *json, *says; } rows[] = {
		{ "[]", "a definition must be a map, not list" },
		{ "{}", "service_name: is missing" },
		{ "{\"service_name\":\"abc\",\"onwer\":\"o\"}",
		    "onwer: no such member; did you mean 'owner'?" },
		{ "{\"service_name\":\"abc\",\"xyzzyxyzzyxyzzy\":\"o\"}", "xyzzyxyzzyxyzzy: no such member" },
		{ "{\"123456789012345678901234567890123456789012345678901234567890123456789\":1}",
		    "no such member" },
		{ "{\"service_name\":\"Abc\"}", "service_name: service name 'Abc'" },
		{ "{\"service_name\":\"abc\",\"owner\":\"o\"}", "description: is missing" },
		{ "{\"service_name\":\"abc\",\"description\":\"o\"}", "owner: is missing" },
		{ "{\"service_name\":\"abc\",\"owner\":\"o\",\"description\":\"d\",\"version\":\"1\"}",
		    "version: version '1'" },
		{ "{\"service_name\":\"abc\",\"owner\":\"o\",\"description\":\"d\",\"version\":\"1.0.0\","
		    "\"created_at\":7}",
		    "created_at: must be a time" },
		{ "{\"service_name\":\"abc\",\"owner\":\"o\",\"description\":\"d\",\"version\":\"1.0.0\","
		    "\"updated_at\":\"x\"}",
		    "updated_at: 'x' is no ISO" },
	};
	struct definition d;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		expect_refusal(written(rows[i].json, &d, &err), &err, ERR_INVALID, rows[i].says);
		assert_null(d.service);
	}
	expect_refusal(definition_from_value(NULL, &d, &err), &err, ERR_INVALID,
	    "a definition must be a map, not nothing");
	expect_ok(written("{\n// mine\n\"service_name\":\"abc\",\"owner\":\"o\",\"description\":\"d\","
	    "\"version\":\"1.0.0\",}", &d, &err),
	    &err);
	assert_int_equal(d.created_at.ns, 0);
	assert_int_equal(d.updated_at.ns, 0);
	definition_release(&d);
	expect_ok(written(DEF("\"abc\"", "\"o\"", "\"d\"", "\"1.0.0\"", T1, "\"2025-08-08\""), &d, &err),
	    &err);
	assert_true(d.created_at.ns > 0 && d.updated_at.ns > 0);
	definition_release(&d);
}

static void
the_check_names_the_field(void **state)
{
	static char long_text[1200];
	struct definition good = { "abc", "o", "d", "1.0.0", { 5 }, { 5 } }, d;
	struct err err;

	(void)state;
	expect_ok(definition_check(&good, &err), &err);
	d = good, d.service = NULL;
	expect_refusal(definition_check(&d, &err), &err, ERR_INVALID, "service_name: is missing");
	d = good, d.service = "health";
	expect_refusal(definition_check(&d, &err), &err, ERR_INVALID, "service_name: service name 'health'");
	d = good, d.owner = NULL;
	expect_refusal(definition_check(&d, &err), &err, ERR_INVALID,
	    "owner: is missing; give 1 to 100 characters");
	d = good, d.owner = "";
	expect_refusal(definition_check(&d, &err), &err, ERR_INVALID,
	    "owner: is empty; give 1 to 100 characters");
	d = good, d.owner = "a\xff";
	expect_refusal(definition_check(&d, &err), &err, ERR_INVALID, "owner: is not valid UTF-8");
	d = good, d.version = NULL;
	expect_refusal(definition_check(&d, &err), &err, ERR_INVALID, "version: is missing");
	d = good, d.version = "1.0";
	expect_refusal(definition_check(&d, &err), &err, ERR_INVALID, "version: version '1.0'");
	d = good, d.updated_at.ns = 4;
	expect_refusal(definition_check(&d, &err), &err, ERR_INVALID, "updated_at: is before created_at");
	/* Characters are counted, not bytes: 500 of two bytes each. */
	for (size_t i = 0; i < 500; i++)
		memcpy(long_text + 2 * i, "\xc3\xa9", 2);
	d = good, d.description = long_text;
	expect_ok(definition_check(&d, &err), &err);
	long_text[1000] = 'x';
	expect_refusal(definition_check(&d, &err), &err, ERR_INVALID,
	    "description: has 501 characters; at most 500 are allowed");
	d = good, d.owner = long_text + 1000 - 200;
	expect_refusal(definition_check(&d, &err), &err, ERR_INVALID,
	    "owner: has 101 characters; at most 100");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reference_record_comes_back_unchanged),
		cmocka_unit_test(what_readers_need_is_taken_out_of_the_metadata),
		cmocka_unit_test(what_was_overtaken_is_shown_so), cmocka_unit_test(the_sticky_status_has_two_spellings_but_not_both),
		cmocka_unit_test(the_sticky_status_is_written_twice),
		cmocka_unit_test(unreadable_records_are_refused_and_leave_nothing),
		cmocka_unit_test(heartbeats_carry_any_offset),
		cmocka_unit_test(a_record_fits_into_a_larger_answer),
		cmocka_unit_test(clones_own_their_memory),
		cmocka_unit_test(fresh_means_heard_from_within_the_threshold),
		cmocka_unit_test(usable_means_active_or_standby),
		cmocka_unit_test(the_reference_definition_comes_back_unchanged),
		cmocka_unit_test(unreadable_definitions_are_refused_and_leave_nothing),
		cmocka_unit_test(people_write_definitions_without_times),
		cmocka_unit_test(the_check_names_the_field),
	};

	return cmocka_run_group_tests(tests, open_codec, close_codec);
}
