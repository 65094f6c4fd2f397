/* t_shadow - the leader key that Python observers read: its bytes, and what a value found there means. */
#include "expect.h"

#include "member/shadow_value.h"

static const struct wall now = { INT64_C(1795150631860589000) };

static void
bucket_and_key_are_named_as_python_names_them(void **state)
{
	struct str s = STR_INIT;

	(void)state;
	shadow_bucket("Order-svc", &s);
	expect_str(&s, "election_Order_svc");
	str_clear(&s);
	shadow_key("Order-svc", "eu-1", &s);
	expect_str(&s, "sticky-active__order-svc__eu-1__leader");
	str_release(&s);
}

static void
the_value_has_floats_and_keeps_what_is_ours_inside_metadata(void **state)
{
	struct str s = STR_INIT;

	(void)state;
	shadow_encode(&(struct shadow_value){ .instance = "excl-1", .elected = { INT64_C(1795150629000000000) },
	    .started = { INT64_C(1795150629000000000) }, .epoch = 1795150629861, .lease_ms = 320 }, now, &s);
	expect_str(&s, "{\"instance_id\":\"excl-1\",\"elected_at\":1795150629.0,\"last_heartbeat\":1795150631.860589,"
	    "\"metadata\":{\"start_time\":\"2026-11-20T04:57:09.000000+00:00\",\"epoch\":1795150629861,\"lease_ms\":320}}");
	str_release(&s);
}

static enum shadow_kind
judge(const char *text, uint64_t epoch, char who[132])
{
	who[0] = '\0';
	return shadow_judge(text, strlen(text), epoch, now, who);
}

static void
only_a_fresh_value_without_an_epoch_is_a_foreign_leader(void **state)
{
	char who[132];

	(void)state;
	assert_int_equal(judge("{\"instance_id\":\"py-1\",\"elected_at\":1.5,\"last_heartbeat\":1795150600.5,\"metadata\":{}}", 7, who),
	    SHADOW_FOREIGN);
	assert_string_equal(who, "py-1");
	assert_int_equal(judge("{\"instance_id\":\"py-1\",\"last_heartbeat\":1795150571.5,\"metadata\":{}}", 7, who), SHADOW_NONE);
	assert_int_equal(judge("{\"instance_id\":\"py-1\",\"last_heartbeat\":1795150571.9,\"metadata\":{}}", 7, who), SHADOW_FOREIGN);
	assert_int_equal(judge("{\"last_heartbeat\":1795150630.5,\"metadata\":{\"epoch\":0}}", 7, who), SHADOW_FOREIGN);
	assert_string_equal(who, "?");
}

static void
epochs_say_whose_past_a_value_is(void **state)
{
	char who[132];

	(void)state;
	assert_int_equal(judge("{\"instance_id\":\"a\",\"last_heartbeat\":1.5,\"metadata\":{\"epoch\":7}}", 7, who), SHADOW_MINE);
	assert_int_equal(judge("{\"instance_id\":\"a\",\"last_heartbeat\":1.5,\"metadata\":{\"epoch\":6}}", 7, who), SHADOW_OLDER);
	assert_int_equal(judge("{\"instance_id\":\"a\",\"last_heartbeat\":1.5,\"metadata\":{\"epoch\":8}}", 7, who), SHADOW_NEWER);
	assert_int_equal(judge("", 7, who), SHADOW_NONE);
	assert_int_equal(judge("{", 7, who), SHADOW_NONE);
	assert_int_equal(judge("[1]", 7, who), SHADOW_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bucket_and_key_are_named_as_python_names_them),
		cmocka_unit_test(the_value_has_floats_and_keeps_what_is_ours_inside_metadata),
		cmocka_unit_test(only_a_fresh_value_without_an_epoch_is_a_foreign_leader),
		cmocka_unit_test(epochs_say_whose_past_a_value_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
