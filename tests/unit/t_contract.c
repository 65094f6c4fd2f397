/* t_contract - what a contract is, what it says about which name, and what is refused. */
#include "expect.h"

#include "base/magic.h"
#include "codec/codec.h"
#include "model/contract.h"

static struct contract *
make(const char *json, struct err *err)
{
	struct codec *c = codec_new();
	struct value v;

	expect_ok(codec_parse(c, (struct data){ DATA_JSON, json, strlen(json) }, &v, err), err);
	struct contract *made = contract_new(&v, err);
	codec_free(c);
	return made;
}

static void
parts(void **state)
{
	struct err err = { ERR_OK, "" };
	struct value text = { .type = VALUE_TEXT, .u.text = { "x", 1 } };
	struct contract *c = make("{\"methods\":{\"get\":{\"params\":{\"type\":\"object\"},\"result\":{\"type\":\"string\"},"
	    "\"description\":\"\"},\"get_all\":{\"result\":true},\"ge\":{\"params\":false},\"none\":{}},"
	    "\"events\":{\"order.created\":{\"type\":\"object\"},\"order.item.added\":true},"
	    "\"commands\":{\"ship\":{\"params\":true,\"result\":{\"type\":\"null\"}}}}", &err);

	(void)state;
	if (c == NULL)
		fail_msg("%s", err.text);
	assert_int_equal(contract_count(c, CONTRACT_PARAMS), 2);
	assert_int_equal(contract_count(c, CONTRACT_RESULT), 2);
	assert_int_equal(contract_count(c, CONTRACT_EVENT), 2);
	assert_int_equal(contract_count(c, CONTRACT_COMMAND), 1);
	assert_int_equal(contract_count(c, CONTRACT_COMMAND_RESULT), 1);
	expect_refusal(schema_check(contract_find(c, CONTRACT_PARAMS, text_of("get")), &text, &err), &err, ERR_INVALID, "object");
	expect_refusal(schema_check(contract_find(c, CONTRACT_PARAMS, text_of("ge")), &text, &err), &err, ERR_INVALID, "not allowed");
	expect_ok(schema_check(contract_find(c, CONTRACT_RESULT, text_of("get")), &text, &err), &err);
	assert_non_null(contract_find(c, CONTRACT_RESULT, text_of("get_all")));
	assert_non_null(contract_find(c, CONTRACT_EVENT, text_of("order.item.added")));
	assert_non_null(contract_find(c, CONTRACT_COMMAND, text_of("ship")));
	assert_null(contract_find(c, CONTRACT_PARAMS, text_of("get_all")));
	assert_null(contract_find(c, CONTRACT_PARAMS, text_of("g")));
	assert_null(contract_find(c, CONTRACT_PARAMS, text_of("getx")));
	assert_null(contract_find(c, CONTRACT_PARAMS, text_of("ship")));
	assert_null(contract_find(c, CONTRACT_EVENT, text_of("order")));
	assert_non_null(contract_find(c, CONTRACT_PARAMS, (struct text){ "getter", 3 }));
	contract_free(c);
	c = make("{}", &err);
	assert_null(contract_find(c, CONTRACT_EVENT, text_of("order.created")));
	contract_free(c);
	contract_free(NULL);
}

static void
refused(void **state)
{
	static const struct { const char *contract, *says; } rows[] = {
		{ "[]", "a contract is an object" },
		{ "{\"method\":{}}", "at '/method': no member of a contract" },
		{ "{\"methods\":{},\"methods\":{}}", "at '/methods': is there twice" },
		{ "{\"methods\":[]}", "at '/methods': must be an object" },
		{ "{\"methods\":{\"get\":true}}", "at '/methods/get': must be an object with \"params\"" },
		{ "{\"methods\":{\"get\":{\"parms\":{}}}}", "at '/methods/get/parms': no member of an entry" },
		{ "{\"methods\":{\"get\":{\"params\":{},\"params\":{}}}}", "is there twice" },
		{ "{\"methods\":{\"a b\":{}}}", "at '/methods/a b'" },
		{ "{\"methods\":{\"get\":{\"params\":{\"properties\":{\"n\":{\"typ\":\"x\"}}}}}}",
		  "in the schema '/methods/get/params': at '/properties/n/typ'" },
		{ "{\"events\":{\"order\":true}}", "DOMAIN.TYPE" },
		{ "{\"events\":{\"Order!.created\":true}}", "'/events/Order!.created'" },
		{ "{\"events\":{\"order.\":true}}", "'/events/order.'" },
		{ "{\"events\":{\"order.created\":{\"$ref\":\"other.json\"}}}", "in the schema '/events/order.created': at '/$ref'" },
		{ "{\"commands\":{\"ship it\":{}}}", "'/commands/ship it'" },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct contract *c = make(rows[i].contract, &err);
		if (c != NULL)
			fail_msg("%s was accepted", rows[i].contract);
		expect_refusal(err.code, &err, ERR_INVALID, rows[i].says);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
