/* t_beat - beats, the request to step down, and what a register's leader answers, as bytes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "codec/beat.h"
#include "codec/lease.h"
#include "codec/register.h"

static void
a_beat_comes_back_as_it_was(void **state)
{
	struct beat b = { .group = "g", .state = "ACTIVE", .hot = true, .epoch = 7, .nonce = { 1, 2 }, .before = 5,
		.how = "expired", .seq = 9 }, got;
	struct str text = STR_INIT;

	(void)state;
	beat_encode(&b, &text);
	assert_string_equal(text.p, "{\"g\":\"g\",\"st\":\"ACTIVE\",\"hot\":true,\"e\":7,\"n\":\"00000000000000010000000000000002\","
	    "\"prev\":{\"e\":5,\"how\":\"expired\"},\"seq\":9}");
	assert_int_equal(beat_decode(text.p, text.len, &got, NULL), ERR_OK);
	assert_memory_equal(&got.nonce, &b.nonce, sizeof b.nonce);
	assert_string_equal(got.group, "g");
	assert_string_equal(got.state, "ACTIVE");
	assert_string_equal(got.how, "expired");
	assert_true(got.hot && got.epoch == 7 && got.before == 5 && got.seq == 9);
	str_release(&text);
}

static void
what_is_no_beat_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "[]", "{", "{}", "{\"g\":\"g\",\"st\":\"ACTIVE\"}", "{\"g\":\"g\",\"st\":\"ACTIVE\",\"n\":\"12\"}",
		"{\"st\":\"ACTIVE\",\"n\":\"00000000000000010000000000000002\"}",
		"{\"g\":7,\"st\":\"ACTIVE\",\"n\":\"00000000000000010000000000000002\"}",
	};
	struct beat b;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (beat_decode(bad[i], strlen(bad[i]), &b, NULL) == ERR_OK)
			fail_msg("'%s' was taken", bad[i]);
}

static void
a_request_to_step_down_and_its_answer(void **state)
{
	struct stepdown ask = { .group = "g", .to = "i" }, got;
	struct str text = STR_INIT;
	struct err err;

	(void)state;
	stepdown_encode(&ask, &text);
	assert_string_equal(text.p, "{\"group\":\"g\",\"to\":\"i\"}");
	assert_int_equal(stepdown_decode(text.p, text.len, &got, &err), ERR_OK);
	assert_string_equal(got.group, "g");
	assert_string_equal(got.to, "i");
	assert_int_equal(stepdown_decode("", 0, &got, &err), ERR_OK);
	assert_string_equal(got.group, "");
	assert_int_not_equal(stepdown_decode("7", 1, &got, &err), ERR_OK);
	str_clear(&text);
	stepdown_answer_encode(NULL, &text);
	assert_int_equal(stepdown_answer_decode(text.p, text.len, &err), ERR_OK);
	str_clear(&text);
	stepdown_answer_encode("not me", &text);
	assert_int_equal(stepdown_answer_decode(text.p, text.len, &err), ERR_NOT_ACTIVE);
	assert_string_equal(err.text, "not me");
	str_release(&text);
}

static enum register_reading
reading(const char *text, struct register_reply *r)
{
	register_reply_parse(text, strlen(text), r);
	return r->reading;
}

static void
only_the_leaders_word_makes_a_register_blank(void **state)
{
	struct register_reply r;

	(void)state;
	assert_int_equal(reading("", &r), REGISTER_LOST);
	assert_int_equal(reading("{", &r), REGISTER_LOST);
	assert_int_equal(reading("{}", &r), REGISTER_LOST);
	assert_int_equal(reading("{\"error\":{\"code\":503,\"err_code\":10008}}", &r), REGISTER_LOST);
	assert_int_equal(reading("{\"error\":{\"code\":404,\"err_code\":10059}}", &r), REGISTER_LOST);
	assert_int_equal(reading("{\"error\":{\"code\":404,\"err_code\":10037}}", &r), REGISTER_BLANK);
	/* "{}", which is no lease; and no base64 at all. */
	assert_int_equal(reading("{\"message\":{\"seq\":7,\"data\":\"e30=\"}}", &r), REGISTER_UNREADABLE);
	assert_int_equal(reading("{\"message\":{\"seq\":7,\"data\":\"e30 \"}}", &r), REGISTER_UNREADABLE);
	assert_int_equal(reading("{\"message\":{\"seq\":7}}", &r), REGISTER_UNREADABLE);
	assert_true(r.rev == 7);
	assert_int_equal(reading("{\"message\":{\"seq\":0,\"data\":\"e30=\"}}", &r), REGISTER_LOST);
	assert_int_equal(reading("{\"message\":{\"seq\":9,\"data\":\"eyJ2IjoxLCJlIjo1LCJzIjoiaGVsZCIsImgiOiJhIiwibiI6IjAwMDAwMDAw"
	    "MDAwMDAwMDEwMDAwMDAwMDAwMDAwMDAyIiwiYyI6MSwiRCI6MjQwLCJMIjozMjB9\"}}", &r), REGISTER_VALUE);
	assert_true(r.rev == 9 && r.record.value.epoch == 5 && r.record.value.nonce.lo == 2);
	assert_string_equal(r.record.holder, "a");
}

static void
base64_has_an_alphabet(void **state)
{
	unsigned char out[16];

	(void)state;
	assert_int_equal(base64_decode("", 0, out), 0);
	assert_int_equal(base64_decode("YQ==", 4, out), 1);
	assert_int_equal(out[0], 'a');
	assert_int_equal(base64_decode("+/8=", 4, out), 2);
	assert_int_equal(out[0], 0xfb);
	assert_int_equal(base64_decode("Y", 1, out), -1);
	assert_int_equal(base64_decode("Y-==", 4, out), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_beat_comes_back_as_it_was),
		cmocka_unit_test(what_is_no_beat_is_refused),
		cmocka_unit_test(a_request_to_step_down_and_its_answer),
		cmocka_unit_test(only_the_leaders_word_makes_a_register_blank),
		cmocka_unit_test(base64_has_an_alphabet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
