/* t_names - each rule of wire.md §1: what passes, what does not, and what the refusal says. */
#include "expect.h"

#include "base/magic.h"
#include "base/mem.h"
#include "model/names.h"

/* of: n times c. */
static const char *
of(char c, size_t n)
{
	static char text[512];

	memset(text, c, n);
	text[n] = '\0';
	return text;
}

static const struct { enum name_kind kind; const char *name; } good[] = {
	{ NAME_SERVICE, "abc" }, { NAME_SERVICE, "order-service" }, { NAME_SERVICE, "a1b" },
	{ NAME_SERVICE, "a-1" }, { NAME_SERVICE, "unknown-x" }, { NAME_SERVICE, "a-deadbee" },
	{ NAME_SERVICE, "a-deadbeefx" }, { NAME_SERVICE, "a-xdeadbeef" }, { NAME_SERVICE, "deadbeef-svc" },
	{ NAME_SERVICE_CALLED, "A" }, { NAME_SERVICE_CALLED, "Order_1-" }, { NAME_SERVICE_CALLED, "health" },
	{ NAME_SERVICE_CALLED, "a--b" },
	{ NAME_INSTANCE, "1" }, { NAME_INSTANCE, "echo-svc-aaaa1111" }, { NAME_INSTANCE, "a_b-" },
	{ NAME_INSTANCE_CALLED, "a__b" }, { NAME_INSTANCE_CALLED, "Z_" },
	{ NAME_METHOD, "add" }, { NAME_METHOD, "get_2_" },
	{ NAME_METHOD_CALLED, "getOrder" }, { NAME_METHOD_CALLED, "X" },
	{ NAME_GROUP, "default" }, { NAME_GROUP, "9-a_b" },
	{ NAME_VERSION, "1.2.3" }, { NAME_VERSION, "01.2.3" }, { NAME_VERSION, "0.0.0" },
	{ NAME_VERSION_DEFINED, "10.20.30" }, { NAME_VERSION_DEFINED, "0.0.0" },
	{ NAME_VERSION_EVENT, "1.0" }, { NAME_VERSION_EVENT, "1.0.12" },
	{ NAME_BUCKET, "service_registry" }, { NAME_BUCKET, "_A1" },
	{ NAME_KEY, "service-instances__a__b" }, { NAME_KEY, "a=b\xc3\xa9" }, { NAME_KEY, "-" },
	{ NAME_DOMAIN, "order" }, { NAME_DOMAIN, "O-_9" },
	{ NAME_EVENT_TYPE, "created" }, { NAME_EVENT_TYPE, "line.created.X-1" },
	{ NAME_COMMAND, "work" }, { NAME_COMMAND, "Re-Index_1" },
};

static const struct { enum name_kind kind; const char *name, *says; } bad[] = {
	{ NAME_SERVICE, "", "service name: is empty; use a-z first" },
	{ NAME_SERVICE, "ab", "service name 'ab': has 2 characters; use 3 to 64" },
	{ NAME_SERVICE, "Order", "service name 'Order': 'O' is not allowed at the start; use a-z" },
	{ NAME_SERVICE, "1abc", "'1' is not allowed at the start; use a-z" },
	{ NAME_SERVICE, "order_1", "service name 'order_1': '_' is not allowed at position 6; use a-z,"
	    " 0-9, '-'" },
	{ NAME_SERVICE, "order-", "'-' is not allowed at the end; use a-z, 0-9" },
	{ NAME_SERVICE, "orde_", "'_' is not allowed at position 5" },
	{ NAME_SERVICE, "a--b", "service name 'a--b': '--' at position 2 is not allowed; use a single '-'" },
	{ NAME_SERVICE, "health", "service name 'health': the word is reserved; choose another" },
	{ NAME_SERVICE, "progress", "reserved" }, { NAME_SERVICE, "callback", "reserved" },
	{ NAME_SERVICE, "cancel", "reserved" }, { NAME_SERVICE, "unknown", "reserved" },
	{ NAME_SERVICE, "status", "reserved" },
	{ NAME_SERVICE, "order-deadbeef", "ends like an instance id" },
	{ NAME_SERVICE, "order-0123456789", "ends like an instance id, in 8 or more hex digits" },
	{ NAME_SERVICE, "deadbeef", "ends like an instance id" },
	{ NAME_SERVICE, "or\xc3\xa9", "'\xc3\xa9' is not allowed at position 3" },
	{ NAME_SERVICE, "or\xe2\x82\xac", "'\xe2\x82\xac' is not allowed at position 3" },
	{ NAME_SERVICE, "or\xf0\x9f\x98\x80", "'\xf0\x9f\x98\x80' is not allowed at position 3" },
	{ NAME_SERVICE, "or\x80", "the byte 0x80 is not allowed" },
	{ NAME_SERVICE, "or\xe2\x82", "the byte 0xe2 is not allowed" },
	{ NAME_SERVICE, "or\x7f", "service name 'or?': the byte 0x7f is not allowed" },
	{ NAME_SERVICE, "a b", "a blank is not allowed at position 2" },
	{ NAME_SERVICE, "a\nb", "service name 'a?b': the byte 0x0a is not allowed" },
	{ NAME_SERVICE_CALLED, "", "is empty" }, { NAME_SERVICE_CALLED, "1a", "use a-z, A-Z" },
	{ NAME_SERVICE_CALLED, "a.b", "'.' is not allowed at position 2; use a-z, A-Z, 0-9, '-', '_'" },
	{ NAME_INSTANCE, "_a", "instance id '_a': '_' is not allowed at the start" },
	{ NAME_INSTANCE, "a__b", "'__' at position 2 is not allowed; use a single '_'" },
	{ NAME_INSTANCE, "a.b", "'.' is not allowed" },
	{ NAME_INSTANCE_CALLED, "-a", "'-' is not allowed at the start" },
	{ NAME_METHOD, "Add", "method name 'Add': 'A' is not allowed at the start; use a-z" },
	{ NAME_METHOD, "add-x", "'-' is not allowed at position 4; use a-z, 0-9, '_'" },
	{ NAME_METHOD_CALLED, "inst.add", "'.' is not allowed" },
	{ NAME_GROUP, "a__b", "group 'a__b'" }, { NAME_GROUP, "-a", "group '-a'" },
	{ NAME_VERSION, "1.0", "version '1.0': has 2 numbers; use three, as in 1.0.0" },
	{ NAME_VERSION, "1.0.0.0", "has 4 numbers" }, { NAME_VERSION, "1..0",
	    "a number is missing at position 3" },
	{ NAME_VERSION, "v1.0.0", "'v' is not allowed at the start; use 0-9" },
	{ NAME_VERSION, "1.0.", "'.' is not allowed at the end; use 0-9" },
	{ NAME_VERSION, "1.0.0-rc1", "'-' is not allowed at position 6; use 0-9, '.'" },
	{ NAME_VERSION_DEFINED, "1.02.3", "version '1.02.3': '02' has a leading zero; leave it out" },
	{ NAME_VERSION_EVENT, "1", "has 1 numbers; use two or three, as in 1.0" },
	{ NAME_VERSION_EVENT, "1.2.3.4", "has 4 numbers" },
	{ NAME_BUCKET, "a-b", "bucket name 'a-b'" },
	{ NAME_KEY, "a.b", "key 'a.b': '.' is not allowed at position 2" },
	{ NAME_KEY, "*", "'*' is not allowed at the start" }, { NAME_KEY, "a>", "'>'" }, { NAME_KEY,
	    "a/b", "'/'" },
	{ NAME_KEY, "a\\b", "'\\'" }, { NAME_KEY, "a:b", "anything but blanks . * > / \\ :" },
	{ NAME_KEY, "a b", "a blank" }, { NAME_KEY, "a\tb", "the byte 0x09" },
	{ NAME_DOMAIN, "a.b", "event domain 'a.b'" }, { NAME_DOMAIN, "9", "at the start" },
	{ NAME_EVENT_TYPE, ".a", "event type '.a': '.' is not allowed at the start" },
	{ NAME_EVENT_TYPE, "a.", "'.' is not allowed at position 2" },
	{ NAME_EVENT_TYPE, "a..b", "'.' is not allowed at position 3" },
	{ NAME_EVENT_TYPE, "a.9", "'9' is not allowed at position 3; use a-z, A-Z,"
	    " and single dots between names" },
	{ NAME_EVENT_TYPE, "a.*", "'*' is not allowed at position 3" },
	{ NAME_COMMAND, "1", "command name '1'" },
};

static void
good_names_pass(void **state)
{
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		expect_ok(name_check(good[i].kind, good[i].name, &err), &err);
		assert_true(name_ok(good[i].kind, good[i].name, strlen(good[i].name)));
	}
}

static void
bad_names_are_refused_by_a_sentence_with_the_culprit(void **state)
{
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		expect_refusal(name_check(bad[i].kind, bad[i].name, &err), &err, ERR_INVALID, bad[i].says);
		assert_false(name_ok(bad[i].kind, bad[i].name, strlen(bad[i].name)));
		assert_int_equal(name_check(bad[i].kind, bad[i].name, NULL), ERR_INVALID);
	}
}

static void
the_longest_names_pass_and_one_more_does_not(void **state)
{
	static const struct { enum name_kind kind; size_t max; } rows[] = {
		{ NAME_SERVICE, 64 }, { NAME_SERVICE_CALLED, 128 }, { NAME_INSTANCE, 100 },
		{ NAME_INSTANCE_CALLED, 128 }, { NAME_METHOD, 128 }, { NAME_METHOD_CALLED, 128 },
		    { NAME_GROUP, 64 },
		{ NAME_BUCKET, 200 }, { NAME_KEY, 255 }, { NAME_DOMAIN, 128 }, { NAME_EVENT_TYPE, 200 },
		{ NAME_COMMAND, 128 },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		expect_ok(name_check(rows[i].kind, of('x', rows[i].max), &err), &err);
		expect_refusal(name_check(rows[i].kind, of('x', rows[i].max + 1), &err), &err, ERR_INVALID,
		    "characters; use");
	}
	/* The quoted name is cut. */
	assert_non_null(strstr(err.text, "xxx...'"));
	assert_true(strlen(err.text) < 160);
}

static void
ok_looks_at_so_many_bytes_and_no_more(void **state)
{
	(void)state;
	assert_true(name_ok(NAME_METHOD, "add.x", 3));
	assert_false(name_ok(NAME_METHOD, "add\0", 4));
	assert_false(name_ok(NAME_METHOD, "add", 0));
	assert_false(name_ok(NAME_SERVICE_CALLED, "a\xe2\x82\xac", 2));
}

static void
sanitizing_makes_an_instance_id_of_anything(void **state)
{
	static const struct { const char *from, *to; } rows[] = {
		{ "pod-7", "pod-7" }, { "host.example.org", "host-example-org" }, { "-x", "ix" }, { "_x",
		    "ix" },
		{ "a__b___c", "a_-b_-_c" }, { "a b\xc3\xa9", "a-b--" }, { ".", "i" }, { "", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char *name = mem_text(rows[i].from);
		name_sanitize_instance(name);
		assert_string_equal(name, rows[i].to);
		assert_int_equal(name_ok(NAME_INSTANCE, name, strlen(name)), *name != '\0');
		mem_free(name);
	}
	char *name = mem_text(of('x', 101));
	name_sanitize_instance(name);
	assert_int_equal(strlen(name), 100);
	mem_free(name);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_names_pass),
		cmocka_unit_test(bad_names_are_refused_by_a_sentence_with_the_culprit),
		cmocka_unit_test(the_longest_names_pass_and_one_more_does_not),
		cmocka_unit_test(ok_looks_at_so_many_bytes_and_no_more),
		cmocka_unit_test(sanitizing_makes_an_instance_id_of_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
