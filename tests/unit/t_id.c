/* t_id - the form of identifiers, that they differ, also after a fork. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/id.h"
#include "base/map.h"

static void
assert_hex(const char *s, size_t n)
{
	assert_int_equal(strspn(s, "0123456789abcdef"), n);
	assert_int_equal(strlen(s), n);
}

static void
a_uuid_has_its_version_and_variant(void **state)
{
	char u[ID_UUID_MAX];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		id_uuid4(u);
		assert_int_equal(strlen(u), 36);
		for (size_t k = 0; k < 36; k++) {
			bool dash = k == 8 || k == 13 || k == 18 || k == 23;
			assert_true(dash ? u[k] == '-' : strchr("0123456789abcdef", u[k]) != NULL);
		}
		assert_int_equal(u[14], '4');
		assert_non_null(strchr("89ab", u[19]));
	}
}

static void
no_two_are_the_same(void **state)
{
	char n[ID_NONCE_MAX];
	struct map seen;

	(void)state;
	map_init(&seen);
	for (int i = 0; i < 20000; i++) {
		id_nonce(n);
		assert_hex(n, 32);
		assert_null(map_set(&seen, n, n));
	}
	map_release(&seen);
	assert_int_not_equal(id_random(), id_random());
}

static void
hex_has_as_many_digits_as_asked(void **state)
{
	static const size_t lengths[] = { 0, 1, 2, 7, 63, 64, 65, 200, 1500 };
	char out[1600];

	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		memset(out, '!', sizeof out);
		id_hex(out, lengths[i]);
		assert_hex(out, lengths[i]);
		assert_int_equal(out[lengths[i] + 1], '!');
	}
}

static void
digits_are_even(void **state)
{
	static const char digits[] = "0123456789abcdef";
	unsigned count[16] = { 0 };
	char out[1025];

	(void)state;
	for (int i = 0; i < 16; i++) {
		id_hex(out, 1024);
		for (int k = 0; k < 1024; k++)
			count[strchr(digits, out[k]) - digits]++;
	}
	/* 1024 each on average, +-31 by chance; ten times that is no chance. */
	for (int i = 0; i < 16; i++)
		assert_in_range(count[i], 700, 1350);
}

static void
a_forked_child_draws_its_own(void **state)
{
	uint64_t ours, theirs;
	int p[2], status;

	(void)state;
	id_random();			/* a reserve that both could spend */
	assert_int_equal(pipe(p), 0);
	pid_t pid = fork();
	if (pid == 0) {
		ours = id_random();
		_exit(write(p[1], &ours, sizeof ours) != sizeof ours);
	}
	ours = id_random();
	assert_int_equal(read(p[0], &theirs, sizeof theirs), sizeof theirs);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_not_equal(ours, theirs);
	close(p[0]);
	close(p[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_uuid_has_its_version_and_variant),
		cmocka_unit_test(no_two_are_the_same),
		cmocka_unit_test(hex_has_as_many_digits_as_asked),
		cmocka_unit_test(digits_are_even),
		cmocka_unit_test(a_forked_child_draws_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
