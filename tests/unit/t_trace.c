/* t_trace - traceparent and trace_id are two spellings of one thing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "messaging/trace.h"

#define UUID "0af76519-16cd-43dd-8448-eb211c80319c"
#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void
a_parent_is_passed_on_as_it_is(void **state)
{
	char out[TRACE_PARENT_MAX] = "";

	(void)state;
	assert_string_equal(trace_parent(PARENT, "0d51ab73-c892-4bf7-9183-f57455223201", out), PARENT);
	assert_string_equal(trace_parent("whatever", NULL, out), "whatever");
	assert_string_equal(out, "");
}

static void
without_one_it_is_made_of_a_uuid(void **state)
{
	char a[TRACE_PARENT_MAX], b[TRACE_PARENT_MAX];

	(void)state;
	assert_ptr_equal(trace_parent(NULL, UUID, a), a);
	assert_true(trace_parent_valid(a));
	assert_memory_equal(a, PARENT, 36);
	assert_non_null(trace_parent(NULL, UUID, b));
	assert_string_not_equal(a, b);			/* each has a span of its own */
}

static void
other_ids_have_none(void **state)
{
	static const char *const ids[] = {
		NULL, "", "trace-7", "0af7651916cd43dd8448eb211c80319c", "0AF76519-16cd-43dd-8448-eb211c80319c",
		"0af76519-16cd-43dd-8448-eb211c80319", "0af76519-16cd-43dd-8448-eb211c80319cc",
		"0af76519x16cd-43dd-8448-eb211c80319c", "0af76519-16cd-43dd-8448-eb211c80319g",
	};
	char out[TRACE_PARENT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
		assert_null(trace_parent(NULL, ids[i], out));
}

static void
what_is_no_parent_is_told_apart(void **state)
{
	static const char *const bad[] = {
		"", "00-1-2-01", PARENT "0", "01" "-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
		"00-0af7651916cd43dd8448eb211c80319C-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333g-01",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331_01",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-g1",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1g",
	};

	(void)state;
	assert_true(trace_parent_valid(PARENT));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(trace_parent_valid(bad[i]));
}

static void
a_parent_names_its_trace(void **state)
{
	char id[ID_UUID_MAX];

	(void)state;
	trace_id_of(PARENT, id);
	assert_string_equal(id, UUID);
	id[0] = '\0';
	assert_string_equal(trace_id_told(NULL, PARENT, id), UUID);
	assert_string_equal(trace_id_told("t-1", PARENT, id), "t-1");
	assert_null(trace_id_told(NULL, NULL, id));
}

static void
a_wrong_one_is_named(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(trace_parent_check(NULL, NULL), ERR_OK);
	assert_int_equal(trace_parent_check(PARENT, NULL), ERR_OK);
	assert_int_equal(trace_parent_check("00-1-2-01", &err), ERR_INVALID);
	assert_non_null(strstr(err.text, "'00-1-2-01'"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_parent_is_passed_on_as_it_is),
		cmocka_unit_test(without_one_it_is_made_of_a_uuid),
		cmocka_unit_test(other_ids_have_none),
		cmocka_unit_test(what_is_no_parent_is_told_apart),
		cmocka_unit_test(a_parent_names_its_trace),
		cmocka_unit_test(a_wrong_one_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
