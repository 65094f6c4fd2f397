/* t_value - looking into decoded trees; texts and their absence. */
#include "expect.h"

#include <math.h>

#include "base/magic.h"
#include "model/value.h"

static struct value_pair pairs[] = {
	{ { "a", 1 }, { .type = VALUE_INT, .u.integer = 1 } },
	{ { "ab", 2 }, { .type = VALUE_BOOL, .u.boolean = true } },
	{ { "", 0 }, { .type = VALUE_NULL } },
	{ { "a", 1 }, { .type = VALUE_INT, .u.integer = 2 } },
};
static const struct value map = { .type = VALUE_MAP, .n = COUNT_OF(pairs), .u.pairs = pairs };

static void
field_finds_the_last_of_doubled_keys(void **state)
{
	(void)state;
	assert_ptr_equal(value_field(&map, "a"), &pairs[3].value);
	assert_ptr_equal(value_field(&map, "ab"), &pairs[1].value);
	assert_ptr_equal(value_field(&map, ""), &pairs[2].value);
	assert_null(value_field(&map, "b"));
}

static void
field_of_what_is_no_map_is_none(void **state)
{
	(void)state;
	assert_null(value_field(NULL, "a"));
	assert_null(value_field(&pairs[0].value, "a"));
	assert_null(value_field(&(struct value){ .type = VALUE_MAP }, "a"));
}

static void
text_is_text_alone(void **state)
{
	struct value v = { .type = VALUE_TEXT, .u.text = { "x", 1 } };
	struct text t = { "untouched", 9 };

	(void)state;
	assert_false(value_text(NULL, &t));
	assert_false(value_text(&map, &t));
	v.type = VALUE_BYTES;
	assert_false(value_text(&v, &t));
	expect_text(t, "untouched");
	v.type = VALUE_TEXT;
	assert_true(value_text(&v, &t));
	expect_text(t, "x");
}

static void
integral_reals_count_as_integers(void **state)
{
	static const struct { double real; bool ok; int64_t want; } rows[] = {
		{ 5.0, true, 5 }, { -5.0, true, -5 }, { 0.0, true, 0 }, { 5.5, false, 0 },
		{ -0x1p63, true, INT64_MIN }, { 0x1p63, false, 0 }, { -0x1.8p63, false, 0 },
		{ INFINITY, false, 0 }, { NAN, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct value v = { .type = VALUE_REAL, .u.real = rows[i].real };
		int64_t out = -77;
		assert_int_equal(value_int(&v, &out), rows[i].ok);
		assert_int_equal(out, rows[i].ok ? rows[i].want : -77);
	}
}

static void
integers_are_integers(void **state)
{
	struct value v = { .type = VALUE_INT, .u.integer = INT64_MIN };
	int64_t out = -77;

	(void)state;
	assert_true(value_int(&v, &out));
	assert_true(out == INT64_MIN);
	out = -77;
	assert_false(value_int(NULL, &out));
	v = (struct value){ .type = VALUE_UINT, .u.natural = UINT64_MAX };
	assert_false(value_int(&v, &out));
	v = (struct value){ .type = VALUE_TEXT, .u.text = { "1", 1 } };
	assert_false(value_int(&v, &out));
	v = (struct value){ .type = VALUE_BOOL, .u.boolean = true };
	assert_false(value_int(&v, &out));
	assert_int_equal(out, -77);
}

static void
every_number_counts_as_real(void **state)
{
	struct value v = { .type = VALUE_INT, .u.integer = -3 };
	double out = 0.5;

	(void)state;
	assert_true(value_real(&v, &out) && out == -3);
	v = (struct value){ .type = VALUE_UINT, .u.natural = UINT64_C(1) << 63 };
	assert_true(value_real(&v, &out) && out == 0x1p63);
	v = (struct value){ .type = VALUE_REAL, .u.real = 0.25 };
	assert_true(value_real(&v, &out) && out == 0.25);
	v = (struct value){ .type = VALUE_BOOL, .u.boolean = true };
	assert_false(value_real(&v, &out));
	assert_false(value_real(NULL, &out));
	assert_true(out == 0.25);
}

static void
only_true_and_false_are_boolean(void **state)
{
	struct value v = { .type = VALUE_BOOL, .u.boolean = true };
	bool out = false;

	(void)state;
	assert_true(value_bool(&v, &out) && out);
	v = (struct value){ .type = VALUE_INT, .u.integer = 0 };
	assert_false(value_bool(&v, &out));
	assert_false(value_bool(NULL, &out));
	assert_true(out);
}

static void
every_type_has_a_name_for_people(void **state)
{
	(void)state;
	for (enum value_type t = VALUE_NULL; t <= VALUE_RAW; t++)
		assert_true(strlen(value_type_name(t)) >= 3);
	assert_string_equal(value_type_name(VALUE_MAP), "map");
	assert_string_equal(value_type_name(VALUE_UINT), value_type_name(VALUE_INT));
}

static void
absent_text_equals_nothing(void **state)
{
	(void)state;
	assert_true(text_is(text_of("abc"), "abc"));
	assert_false(text_is(text_of("abc"), "ab"));
	assert_false(text_is(text_of("abc"), "abd"));
	assert_true(text_is(text_of(""), ""));
	assert_false(text_is(text_of(NULL), ""));
	assert_null(text_of(NULL).p);
	assert_int_equal(text_of(NULL).n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(field_finds_the_last_of_doubled_keys),
		cmocka_unit_test(field_of_what_is_no_map_is_none),
		cmocka_unit_test(text_is_text_alone),
		cmocka_unit_test(integral_reals_count_as_integers),
		cmocka_unit_test(integers_are_integers),
		cmocka_unit_test(every_number_counts_as_real),
		cmocka_unit_test(only_true_and_false_are_boolean),
		cmocka_unit_test(every_type_has_a_name_for_people),
		cmocka_unit_test(absent_text_equals_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
