/* t_str - the growing buffer. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"

static void
is_empty_text_before_anything_was_written(void **state)
{
	struct str s = STR_INIT;
	char *p;

	(void)state;
	assert_string_equal(str_text(&s), "");
	str_clear(&s);
	assert_null(s.p);
	p = str_steal(&s);
	assert_string_equal(p, "");
	mem_free(p);
	str_release(&s);
}

static void
appends_and_stays_terminated(void **state)
{
	struct str s;

	(void)state;
	str_init(&s);
	str_puts(&s, "");
	assert_string_equal(s.p, "");
	str_puts(&s, "one");
	str_putc(&s, ' ');
	str_add(&s, "two\0three", 9);
	str_add(&s, NULL, 0);
	assert_int_equal(s.len, 13);
	assert_memory_equal(s.p, "one two\0three", 14);
	str_clear(&s);
	assert_string_equal(s.p, "");
	assert_int_equal(s.len, 0);
	str_release(&s);
	assert_null(s.p);
	assert_int_equal(s.cap, 0);
}

static void
prints(void **state)
{
	struct str s = STR_INIT;

	(void)state;
	str_printf(&s, "%s", "");
	assert_string_equal(s.p, "");
	str_printf(&s, "%d-%s", 42, "x");
	str_printf(&s, "%500s", "y");
	assert_int_equal(s.len, 504);
	assert_memory_equal(s.p, "42-x ", 5);
	assert_string_equal(s.p + 503, "y");
	str_release(&s);
}

static void
keeps_its_memory_when_cleared(void **state)
{
	struct str s = STR_INIT;

	(void)state;
	str_printf(&s, "%1000s", "");
	char *p = s.p;
	size_t cap = s.cap;
	for (int i = 0; i < 100; i++) {
		str_clear(&s);
		str_printf(&s, "%1000s", "");
	}
	assert_ptr_equal(s.p, p);
	assert_int_equal(s.cap, cap);
	str_release(&s);
}

static void
grows_by_doubling(void **state)
{
	struct str s = STR_INIT;
	size_t moves = 0, cap = 0;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		str_putc(&s, 'x');
		moves += s.cap != cap;
		cap = s.cap;
	}
	assert_true(moves < 20);
	assert_int_equal(strlen(s.p), 100000);
	str_release(&s);
}

static void
room_can_be_written_directly(void **state)
{
	struct str s = STR_INIT;

	(void)state;
	str_puts(&s, "ab");
	memcpy(str_room(&s, 3), "cde", 3);
	s.len += 3;
	str_end(&s);
	assert_string_equal(str_text(&s), "abcde");
	char *p = str_steal(&s);
	assert_null(s.p);
	assert_int_equal(s.len, 0);
	assert_string_equal(p, "abcde");
	mem_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_empty_text_before_anything_was_written),
		cmocka_unit_test(appends_and_stays_terminated),
		cmocka_unit_test(prints),
		cmocka_unit_test(keeps_its_memory_when_cleared),
		cmocka_unit_test(grows_by_doubling),
		cmocka_unit_test(room_can_be_written_directly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
