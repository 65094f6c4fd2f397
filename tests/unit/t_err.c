/* t_err - sentences, contexts, and the table behind the codes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ctype.h>
#include <errno.h>

#include "base/err.h"

static void
a_sentence_gets_its_contexts_in_front(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(err_set(&e, ERR_REVISION, "revision is %d, not %d", 42, 41), ERR_REVISION);
	assert_int_equal(err_prefix(&e, "put '%s'", "orders"), ERR_REVISION);
	assert_int_equal(err_prefix(&e, "registry"), ERR_REVISION);
	assert_string_equal(e.text, "registry: put 'orders': revision is 42, not 41");
	assert_int_equal(e.code, ERR_REVISION);
	err_set(&e, ERR_BUSY, "other");
	assert_string_equal(e.text, "other");
	err_clear(&e);
	assert_int_equal(e.code, ERR_OK);
	assert_string_equal(e.text, "");
}

static void
a_new_sentence_may_quote_the_old_one(void **state)
{
	struct err e = { 0 };

	(void)state;
	err_set(&e, ERR_BUSY, "inner");
	err_set(&e, ERR_WRAPPER, "outer (%s) again %s", e.text, e.text);
	assert_string_equal(e.text, "outer (inner) again inner");
	err_prefix(&e, "'%s'", e.text);
	assert_string_equal(e.text, "'outer (inner) again inner': outer (inner) again inner");
}

static void
the_words_of_the_system_follow(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(err_errno(&e, ERR_SYSTEM, ENOENT, "open '%s'", "x"), ERR_SYSTEM);
	assert_string_equal(e.text, "open 'x': No such file or directory");
	err_errno(&e, ERR_SYSTEM, 99999, "open");
	assert_string_equal(e.text, "open: unknown error");
}

static void
long_sentences_are_cut_and_the_context_stays(void **state)
{
	char huge[2000];
	struct err e = { 0 };

	(void)state;
	memset(huge, 'x', sizeof huge - 1);
	huge[sizeof huge - 1] = '\0';
	err_set(&e, ERR_BUSY, "%s", huge);
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	err_prefix(&e, "context");
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	assert_memory_equal(e.text, "context: xxx", 12);
	err_prefix(&e, "%s", huge);
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	assert_string_equal(e.text + sizeof e.text - 4, "x: ");
	err_errno(&e, ERR_SYSTEM, ENOENT, "%s", huge);
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
}

static void
nobody_has_to_want_the_sentence(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, ERR_BUSY, "x"), ERR_BUSY);
	assert_int_equal(err_errno(NULL, ERR_SYSTEM, ENOENT, "x"), ERR_SYSTEM);
	assert_int_equal(err_prefix(NULL, "x"), ERR_OK);
	err_clear(NULL);
}

static void
every_code_has_all_its_columns(void **state)
{
	(void)state;
	assert_string_equal(err_name(ERR_OK), "OK");
	assert_int_equal(err_http(ERR_OK), 200);
	assert_int_equal(err_exit(ERR_OK), 0);
	for (int c = 1; c < ERR_COUNT; c++) {
		enum err_code code = (enum err_code)c;
		assert_true(strlen(err_name(code)) > 0);
		assert_true(strlen(err_wire(code)) > 0);
		for (const char *p = err_wire(code); *p != '\0'; p++)
			assert_true(isupper((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '_');
		assert_true(strlen(err_text(code)) > 0);
		assert_in_range(err_http(code), 400, 599);
		assert_in_range(err_exit(code), 1, 127);
		/* What may succeed later is never the caller's fault, but for his haste. */
		if (err_retry(code) && err_http(code) != 429)
			assert_in_range(err_http(code), 500, 599);
		for (int other = 0; other < c; other++)
			assert_string_not_equal(err_name(code), err_name((enum err_code)other));
	}
	assert_string_equal(err_name(ERR_SERVICE_UNKNOWN), "SERVICE_UNKNOWN");
	assert_string_equal(err_wire(ERR_SERVICE_UNKNOWN), "SERVICE_NOT_FOUND");
	assert_int_equal(err_exit(ERR_NO_COMMAND), 127);
	assert_int_equal(err_exit(ERR_NOT_EXECUTABLE), 126);
	assert_true(err_retry(ERR_TIMEOUT));
}

static void
a_code_from_elsewhere_reads_as_a_failure_of_the_system(void **state)
{
	(void)state;
	assert_string_equal(err_name((enum err_code)ERR_COUNT), err_name(ERR_SYSTEM));
	assert_string_equal(err_name((enum err_code)9999), err_name(ERR_SYSTEM));
	assert_int_equal(err_exit((enum err_code)9999), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sentence_gets_its_contexts_in_front),
		cmocka_unit_test(a_new_sentence_may_quote_the_old_one),
		cmocka_unit_test(the_words_of_the_system_follow),
		cmocka_unit_test(long_sentences_are_cut_and_the_context_stays),
		cmocka_unit_test(nobody_has_to_want_the_sentence),
		cmocka_unit_test(every_code_has_all_its_columns),
		cmocka_unit_test(a_code_from_elsewhere_reads_as_a_failure_of_the_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
