/* t_mem - memory that is there or ends the program, and the assertions that end it too. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"

static void
is_zeroed_and_its_own(void **state)
{
	char *p = mem_new(100);
	int *v = mem_array(10, sizeof *v);

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(v[i], 0);
	v = mem_resize(v, 1000, sizeof *v);
	v[999] = 7;
	mem_free(p);
	mem_free(v);
	mem_free(NULL);
	/* Nothing is something too: a pointer that can be freed. */
	void *none[] = { mem_new(0), mem_array(0, 4), mem_array(4, 0), mem_resize(NULL, 0, 1), mem_resize(NULL, 1, 0) };
	for (size_t i = 0; i < COUNT_OF(none); i++) {
		assert_non_null(none[i]);
		mem_free(none[i]);
	}
}

static void
copies_text(void **state)
{
	char *a = mem_text("abc"), *b = mem_text_n("abcdef", 4), *c = mem_printf("%d-%s", 5, "x");

	(void)state;
	assert_string_equal(a, "abc");
	assert_string_equal(b, "abcd");
	assert_string_equal(c, "5-x");
	assert_null(mem_text(NULL));
	mem_free(a);
	mem_free(b);
	mem_free(c);
}

static void
copies_a_list_of_texts(void **state)
{
	static const char *const list[] = { "a", "", "bc", NULL }, *const empty[] = { NULL };
	const char *const *copy = mem_texts(list), *const *nothing = mem_texts(empty);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(copy[i], list[i]);
		assert_ptr_not_equal(copy[i], list[i]);
	}
	assert_null(copy[3]);
	assert_null(nothing[0]);
	assert_null(mem_texts(NULL));
	mem_texts_free(copy);
	mem_texts_free(nothing);
	mem_texts_free(NULL);
}

static void
grows_at_least_by_doubling(void **state)
{
	size_t cap = 0, moves = 0;
	int *v = NULL;

	(void)state;
	for (size_t n = 0; n < 10000; n++) {
		size_t was = cap;
		mem_grow(&v, &cap, n + 1, sizeof *v);
		moves += cap != was;
		v[n] = (int)n;
	}
	assert_true(moves < 15);
	for (size_t n = 0; n < 10000; n++)
		assert_int_equal(v[n], n);
	mem_grow(&v, &cap, 100000, sizeof *v);
	assert_int_equal(cap, 100000);
	mem_free(v);
}

struct thing {
	unsigned magic;
	int value;
};
#define THING_MAGIC 0x7419u
#define OTHER_MAGIC 0x0743u

/* Under the sanitizers an allocation fails as it does without them; read by them alone. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

const char *
__tsan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void
runs_out_of_memory(void)
{
	volatile size_t half = SIZE_MAX / 2;	/* the compiler need not see how much this is */

	mem_free(mem_array(half, 1));
}

static void
multiplies_too_much(void)
{
	volatile size_t half = SIZE_MAX / 2;

	mem_free(mem_resize(NULL, half, 4));
}

static void
breaks_a_must(void)
{
	volatile int two = 2;

	MUST(two == 3);
}

static void
takes_one_thing_for_another(void)
{
	struct thing t = { OTHER_MAGIC, 0 };

	MAGIC_CHECK(&t, THING_MAGIC);
}

static void
uses_a_thing_that_is_gone(void)
{
	struct thing t = { THING_MAGIC, 0 };

	MAGIC_WIPE(&t);
	MAGIC_CHECK(&t, THING_MAGIC);
}

static void
uses_no_thing_at_all(void)
{
	struct thing *volatile none = NULL;

	MAGIC_CHECK(none, THING_MAGIC);
}

/* assert_ends: a forked copy that does this is ended by abort, with that line. */
static void
assert_ends(void (*does)(void), const char *line)
{
	char said[4096] = "";
	int p[2], status;

	assert_int_equal(pipe(p), 0);
	pid_t pid = fork();
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		/* The test library has handlers of its own for a crash; here they are not wanted. */
		signal(SIGABRT, SIG_DFL);
		dup2(p[1], 2);
		does();
		_exit(0);
	}
	close(p[1]);
	size_t n = 0;
	for (ssize_t got; n < sizeof said - 1 && (got = read(p[0], said + n, sizeof said - 1 - n)) > 0;)
		n += (size_t)got;
	close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	if (strstr(said, line) == NULL)
		fail_msg("it said '%s'", said);
}

static void
bugs_end_the_program_with_their_name(void **state)
{
	struct thing t = { THING_MAGIC, 0 };

	(void)state;
	MUST(t.value == 0);
	MAGIC_CHECK(&t, THING_MAGIC);
	assert_ptr_equal(CONTAINER_OF(&t.value, struct thing, value), &t);
	assert_ends(breaks_a_must, "aegis: bug: not true: two == 3 (tests/unit/t_mem.c:");
	assert_ends(takes_one_thing_for_another, "aegis: bug: not true: &t is a THING_MAGIC (");
	assert_ends(uses_a_thing_that_is_gone, "aegis: bug: not true: &t is a THING_MAGIC (");
	assert_ends(uses_no_thing_at_all, "aegis: bug: not true: none is a THING_MAGIC (");
}

static void
too_much_memory_ends_the_program(void **state)
{
	(void)state;
	assert_ends(runs_out_of_memory, "aegis: out of memory\n");
	assert_ends(multiplies_too_much, "aegis: out of memory\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_zeroed_and_its_own),
		cmocka_unit_test(copies_text),
		cmocka_unit_test(copies_a_list_of_texts),
		cmocka_unit_test(grows_at_least_by_doubling),
		cmocka_unit_test(bugs_end_the_program_with_their_name),
		cmocka_unit_test(too_much_memory_ends_the_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
