/* t_source - a name that changes while others read it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "messaging/source.h"

static void
the_last_name_counts_and_earlier_ones_stay_readable(void **state)
{
	struct source s = { NULL };

	(void)state;
	assert_null(source_text(&s));
	source_set(&s, NULL);
	assert_null(source_text(&s));
	source_set(&s, "first");
	const char *first = source_text(&s);
	source_set(&s, "first");
	assert_ptr_equal(source_text(&s), first);	/* the same once more is no news */
	source_set(&s, "second");
	source_set(&s, NULL);
	assert_string_equal(source_text(&s), "second");
	assert_string_equal(first, "first");
	source_release(&s);
	assert_null(source_text(&s));
	source_release(&s);
}

static struct source shared;

static void *
change(void *arg)
{
	static const char *const names[] = { "one-00000001", "two-00000002" };

	for (int i = 0; i < 2000; i++)
		source_set(&shared, names[(i + (arg != NULL)) % 2]);
	return NULL;
}

static void
readers_see_whole_names(void **state)
{
	pthread_t t[2];

	(void)state;
	source_set(&shared, "one-00000001");
	assert_int_equal(pthread_create(&t[0], NULL, change, NULL), 0);
	assert_int_equal(pthread_create(&t[1], NULL, change, &shared), 0);
	for (int i = 0; i < 20000; i++) {
		const char *name = source_text(&shared);
		assert_true(strcmp(name, "one-00000001") == 0 || strcmp(name, "two-00000002") == 0);
	}
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	source_release(&shared);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_name_counts_and_earlier_ones_stay_readable),
		cmocka_unit_test(readers_see_whole_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
