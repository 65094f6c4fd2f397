/* t_opts - options from the command line and the environment: forms, bounds, precedence,
 * suggestions, secrets. */
#include "expect.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/instant.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/opts.h"

enum colour { RED, GREEN, BLUE };

struct part {
	bool flag, inverted;
	const char *text, *secret;
	int64_t number, wait_ns;
	uint64_t count, size;
	enum colour colour;
	struct opts_list list;
};

struct target {
	int before;
	struct part part;
};

static const char *const colours[] = { "red", "green", "blue", NULL };

static const char *
made_from(opts_getenv *get, void *arg, struct str *buf, const char **variable)
{
	const char *host = get(arg, "HOST");

	*variable = "HOST";
	if (host == NULL)
		return NULL;
	str_printf(buf, "tcp://%s", host);
	return str_text(buf);
}

static const struct opt rows[] = {
	OPT_FLAG(struct part, flag, "flag", 'f', "a flag that stands alone", .env = true),
	OPT_FLAG(struct part, inverted, "no-thing", 0, "leave the thing out", .env = true, .inherit_inverted = true,
	    .inherit = (const char *const[]){ "ENABLE_THING", NULL }),
	OPT_TEXT(struct part, text, "text", 't', "TEXT", "some text to keep", .def = "none", .env = true,
	    .inherit_make = made_from, .inherit = (const char *const[]){ "OLD_TEXT", "OLDER_TEXT", NULL }),
	OPT_INT(struct part, number, "number", 'n', "N", "a number with bounds", .def = "7", .min = -5, .max = 100),
	OPT_UINT(struct part, count, "count", 0, "N", "a count without bounds"),
	OPT_DURATION(struct part, wait_ns, "wait-time", 'w', "how long to wait", .def = "10s", .min = NS_PER_S,
	    .max = 300 * NS_PER_S, .env = true, .inherit = (const char *const[]){ "WAIT", NULL }, .inherit_seconds = true),
	OPT_SIZE(struct part, size, "size", 0, "how large it is", .min = 1024, .max = INT64_MAX),
	OPT_CHOICE(struct part, colour, "colour", 'c', colours, "which colour it has", .def = "green", .env = true),
	OPT_LIST(struct part, list, "item", 'i', "ITEM", "one more of them", .env = true),
	OPT_SECRET(struct part, secret, "word-file", "the secret word", .env = true,
	    .inherit = (const char *const[]){ "OLD_WORD", NULL }),
	OPT_SECRET_FD(struct part, secret, "word-fd", "the secret word from a descriptor"),
	OPTS_END
};

static const struct opts_table tables[] = {
	{ "Options", "area", rows, offsetof(struct target, part) }, { .title = NULL },
};

static struct target t;
static struct opts o;
static struct opts_words words;
static struct err err;

static int
fresh(void **state)
{
	(void)state;
	memset(&t, 0, sizeof t);
	err_clear(&err);
	opts_init(&o, tables, &t);
	return 0;
}

static int
release(void **state)
{
	(void)state;
	opts_release(&o);
	return 0;
}

#define PARSE(...) opts_parse(&o, (const char *const[]){ __VA_ARGS__, NULL }, &words, &err)

/* An environment of name, value, name, value, NULL. */
static const char *
pairs(void *arg, const char *name)
{
	for (const char *const *p = arg; *p != NULL; p += 2)
		if (strcmp(p[0], name) == 0)
			return p[1];
	return NULL;
}
#define ENV(...) opts_env(&o, pairs, (void *)(const char *const[]){ __VA_ARGS__, NULL }, &err)

static void
defaults_are_there(void **state)
{
	(void)state;
	assert_false(t.part.flag);
	assert_string_equal(t.part.text, "none");
	assert_int_equal(t.part.number, 7);
	assert_int_equal(t.part.wait_ns, 10 * NS_PER_S);
	assert_int_equal(t.part.colour, GREEN);
	assert_int_equal(opts_mark(&o, "text")->origin, OPTS_DEFAULT);
	assert_int_equal(t.before, 0);
}

static void
every_form_of_an_option(void **state)
{
	(void)state;
	assert_int_equal(PARSE("one", "--text=a=b", "-n", "-3", "two", "--count", "4", "-fcblue", "-w1m30s",
	    "--size", "64KiB", "-", "--item", "x,y", "-i", "z"), ERR_OK);
	assert_string_equal(t.part.text, "a=b");
	assert_int_equal(t.part.number, -3);
	assert_int_equal(t.part.count, 4);
	assert_true(t.part.flag);
	assert_int_equal(t.part.colour, BLUE);
	assert_int_equal(t.part.wait_ns, 90 * NS_PER_S);
	assert_int_equal(t.part.size, 65536);
	assert_int_equal(t.part.list.n, 2);
	assert_string_equal(t.part.list.v[0], "x,y");
	assert_string_equal(t.part.list.v[1], "z");
	assert_int_equal(words.n, 3);
	assert_string_equal(words.v[0], "one");
	assert_string_equal(words.v[1], "two");
	assert_string_equal(words.v[2], "-");
	assert_null(words.wrapped);
	assert_string_equal(opts_mark(&o, "text")->source, "--text");
}

static void
two_dashes_end_options(void **state)
{
	(void)state;
	assert_int_equal(PARSE("a", "-f", "--", "--text", "x", "--", "y"), ERR_OK);
	assert_int_equal(words.n, 1);
	assert_string_equal(words.wrapped[0], "--text");
	assert_string_equal(words.wrapped[2], "--");
	assert_null(words.wrapped[4]);
	assert_string_equal(t.part.text, "none");
}

static void
last_one_counts(void **state)
{
	(void)state;
	assert_int_equal(PARSE("-t", "a", "--text", "b", "--flag", "--flag=no"), ERR_OK);
	assert_string_equal(t.part.text, "b");
	assert_false(t.part.flag);
}

static void
refuse(const char *sentence)
{
	assert_int_equal(err.code, ERR_USAGE);
	assert_string_equal(err.text, sentence);
}

static void
mistakes_name_option_value_and_remedy(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--txet", "x"), ERR_USAGE);
	refuse("unknown option '--txet'; did you mean --text?");
	assert_int_equal(PARSE("--fla"), ERR_USAGE);		/* no abbreviations, but a hint */
	refuse("unknown option '--fla'; did you mean --flag?");
	assert_int_equal(PARSE("--qqqqqq"), ERR_USAGE);
	refuse("unknown option '--qqqqqq'");
	assert_int_equal(PARSE("-fz"), ERR_USAGE);
	refuse("unknown option '-z' in '-fz'");
	assert_int_equal(PARSE("--text"), ERR_USAGE);
	refuse("--text needs a value: --text TEXT");
	assert_int_equal(PARSE("-n", "--"), ERR_USAGE);
	refuse("-n needs a value: -n N");
	assert_int_equal(PARSE("-n", "101"), ERR_USAGE);
	refuse("-n: 101 is too large; allowed is -5 to 100");
	assert_int_equal(PARSE("--number=x"), ERR_USAGE);
	refuse("--number: 'x' is no whole number; write one such as 3");
	assert_int_equal(PARSE("--wait-time", "10"), ERR_USAGE);	/* bare seconds only where inherited */
	refuse("--wait-time: '10' is no duration; write one such as 250ms, 2s or 1m30s");
	assert_int_equal(PARSE("--wait-time", "6m"), ERR_USAGE);
	refuse("--wait-time: 6m is too large; allowed is 1s to 5m");
	assert_int_equal(PARSE("--size", "1B"), ERR_USAGE);
	refuse("--size: 1B is too small; allowed is at least 1KiB");
	assert_int_equal(PARSE("--colour", "pink"), ERR_USAGE);
	refuse("--colour: 'pink' is not known; use red, green or blue");
	assert_int_equal(PARSE("--flag=perhaps"), ERR_USAGE);
	refuse("--flag: 'perhaps' is no yes or no; write true or false");
	assert_int_equal(t.part.number, 7);
}

static void
environment_is_weaker_than_options(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--text", "line"), ERR_OK);
	assert_int_equal(ENV("AEGIS_TEXT", "env", "AEGIS_WAIT_TIME", "2s", "WAIT", "3", "AEGIS_COLOUR", "",
	    "AEGIS_ITEM", "a,b,,c"), ERR_OK);
	assert_string_equal(t.part.text, "line");
	assert_int_equal(t.part.wait_ns, 2 * NS_PER_S);
	assert_int_equal(t.part.colour, GREEN);			/* empty counts as unset */
	assert_int_equal(t.part.list.n, 3);
	assert_string_equal(t.part.list.v[2], "c");
	assert_string_equal(opts_mark(&o, "wait-time")->source, "AEGIS_WAIT_TIME");
	assert_int_equal(opts_mark(&o, "wait-time")->origin, OPTS_ENV);
}

static void
order_of_sources_does_not_matter(void **state)
{
	(void)state;
	assert_int_equal(ENV("AEGIS_TEXT", "env", "AEGIS_ITEM", "a"), ERR_OK);
	assert_int_equal(opts_set(&o, opts_mark(&o, "text"), OPTS_USER_FILE, "f:1:1", "file", &err), ERR_OK);
	assert_string_equal(t.part.text, "env");
	assert_int_equal(PARSE("--text", "line", "-i", "b"), ERR_OK);
	assert_string_equal(t.part.text, "line");
	assert_int_equal(t.part.list.n, 1);			/* a stronger list replaces the weaker */
	assert_string_equal(t.part.list.v[0], "b");
	assert_int_equal(opts_set(&o, opts_mark(&o, "number"), OPTS_SYSTEM_FILE, "s", "1", &err), ERR_OK);
	assert_int_equal(opts_set(&o, opts_mark(&o, "number"), OPTS_USER_FILE, "u", "2", &err), ERR_OK);
	assert_int_equal(opts_set(&o, opts_mark(&o, "number"), OPTS_SELECTED, "c", "3", &err), ERR_OK);
	assert_int_equal(t.part.number, 2);
	assert_string_equal(opts_origin_name(opts_mark(&o, "number")->origin), "file");
}

static void
inherited_variables(void **state)
{
	(void)state;
	assert_int_equal(ENV("WAIT", "12.5", "ENABLE_THING", "false", "OLDER_TEXT", "older", "OLD_TEXT", "old"), ERR_OK);
	assert_int_equal(t.part.wait_ns, 12500 * NS_PER_MS);
	assert_true(t.part.inverted);
	assert_string_equal(t.part.text, "old");
	assert_string_equal(opts_mark(&o, "text")->source, "OLD_TEXT");
	assert_int_equal(opts_mark(&o, "text")->origin, OPTS_INHERITED);
}

static void
inherited_may_be_made_up(void **state)
{
	(void)state;
	assert_int_equal(ENV("HOST", "h", "OLD_TEXT", "old"), ERR_OK);
	assert_string_equal(t.part.text, "tcp://h");
	assert_string_equal(opts_mark(&o, "text")->source, "HOST");
}

static void
bad_variables_are_named(void **state)
{
	(void)state;
	assert_int_equal(ENV("WAIT", "301"), ERR_CONFIG);
	assert_string_equal(err.text, "WAIT: 301 is too large; allowed is 1s to 5m");
	assert_int_equal(ENV("WAIT", "soon"), ERR_CONFIG);
	assert_string_equal(err.text, "WAIT: 'soon' is no time; write seconds such as 10 or a duration such as 10s");
	assert_int_equal(ENV("AEGIS_WAIT_TIME", "10"), ERR_CONFIG);
	assert_string_equal(err.text, "AEGIS_WAIT_TIME: '10' is no duration; write one such as 250ms, 2s or 1m30s");
}

/* A file with text in it; the path is static. */
static const char *
file_with(const char *text)
{
	static char path[] = "/tmp/t_opts.XXXXXX";

	memcpy(path + strlen(path) - 6, "XXXXXX", 6);
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return path;
}

static void
secret_from_a_file(void **state)
{
	(void)state;
	const char *path = file_with("s3cret\n");
	assert_int_equal(PARSE("--word-file", path), ERR_OK);
	assert_string_equal(t.part.secret, "s3cret");
	assert_null(opts_mark(&o, "word-file")->text);		/* never kept where it could be shown */
	assert_int_equal(o.warnings.n, 0);
	/* A weaker secret of the other row does not replace it. */
	assert_int_equal(ENV("AEGIS_WORD", "plain"), ERR_OK);
	assert_string_equal(t.part.secret, "s3cret");
	unlink(path);
	assert_int_equal(PARSE("--word-file", path), ERR_USAGE);
	assert_non_null(strstr(err.text, "cannot be opened"));
}

static void
secret_from_a_descriptor(void **state)
{
	int fds[2];
	char number[16];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(write(fds[1], "by fd", 5), 5);
	close(fds[1]);
	snprintf(number, sizeof number, "%d", fds[0]);
	assert_int_equal(PARSE("--word-fd", number), ERR_OK);
	close(fds[0]);
	assert_string_equal(t.part.secret, "by fd");
}

static void
secret_in_plain_sight_warns(void **state)
{
	(void)state;
	assert_int_equal(ENV("OLD_WORD", "plain"), ERR_OK);
	assert_string_equal(t.part.secret, "plain");
	assert_int_equal(o.warnings.n, 1);
	assert_string_equal(o.warnings.v[0], "OLD_WORD holds a secret in plain sight; use OLD_WORD_FILE instead");
}

static void
secret_twin_is_stronger(void **state)
{
	(void)state;
	const char *path = file_with("twin");
	assert_int_equal(ENV("AEGIS_WORD", "plain", "AEGIS_WORD_FILE", path), ERR_OK);
	unlink(path);
	assert_string_equal(t.part.secret, "twin");
	assert_int_equal(o.warnings.n, 0);
}

static void
secret_of_systemd(void **state)
{
	char dir[] = "/tmp/t_opts.XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(dir));
	char *path = mem_printf("%s/aegis-word", dir);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "unit", 4), 4);
	close(fd);
	assert_int_equal(ENV("CREDENTIALS_DIRECTORY", dir), ERR_OK);
	assert_string_equal(t.part.secret, "unit");
	unlink(path);
	rmdir(dir);
	mem_free(path);
}

static void
empty_secret_is_refused(void **state)
{
	(void)state;
	const char *path = file_with("\n");
	assert_int_equal(ENV("AEGIS_WORD_FILE", path), ERR_CONFIG);
	unlink(path);
	assert_non_null(strstr(err.text, "is empty"));
}

static void
arity_as_a_scanner_needs_it(void **state)
{
	(void)state;
	assert_int_equal(opts_arity(tables, "word"), -1);
	assert_int_equal(opts_arity(tables, "-"), -1);
	assert_int_equal(opts_arity(tables, "--"), -1);
	assert_int_equal(opts_arity(tables, "--flag"), 0);
	assert_int_equal(opts_arity(tables, "--text"), 1);
	assert_int_equal(opts_arity(tables, "--text=x"), 0);
	assert_int_equal(opts_arity(tables, "-t"), 1);
	assert_int_equal(opts_arity(tables, "-tx"), 0);
	assert_int_equal(opts_arity(tables, "-ft"), 1);
	assert_int_equal(opts_arity(tables, "-ff"), 0);
	assert_int_equal(opts_arity(tables, "--nothing"), -2);
}

static void
names_follow_from_one(void **state)
{
	char name[OPTS_NAME_MAX];

	(void)state;
	opts_env_name(opts_mark(&o, "wait-time")->row, name);
	assert_string_equal(name, "AEGIS_WAIT_TIME");
	opts_key_name(opts_mark(&o, "wait-time")->row, name);
	assert_string_equal(name, "wait_time");
	opts_secret_name(opts_mark(&o, "word-file")->row, name);
	assert_string_equal(name, "AEGIS_WORD");
	assert_ptr_equal(opts_find(&o, "area", "wait_time"), opts_mark(&o, "wait-time"));
	assert_null(opts_find(&o, "other", "wait_time"));
	assert_null(opts_find(&o, "area", "number"));		/* has no environment name, so no key */
}

static void
lint_finds_what_compilers_do_not(void **state)
{
	static const struct opt twice[] = {
		OPT_FLAG(struct part, flag, "flag", 'f', "first of its name"),
		OPT_FLAG(struct part, flag, "flag", 0, "second of its name"), OPTS_END };
	static const struct opt letters[] = {
		OPT_FLAG(struct part, flag, "one", 'f', "first of its letter"),
		OPT_FLAG(struct part, flag, "two", 'f', "second of its letter"), OPTS_END };
	static const struct opt wrong[] = {
		OPT_INT(struct part, number, "number", 0, "N", "default out of bounds", .def = "9", .min = 1, .max = 3),
		OPTS_END };
	static const struct opt taken[] = {
		OPT_TEXT(struct part, text, "api-token", 0, "T", "a reserved variable", .env = true), OPTS_END };
	static const struct { const struct opt *rows; const char *part; } bad[] = {
		{ twice, "--flag stands twice" }, { letters, "-f is --one and --two" },
		{ wrong, "9 is too large" }, { taken, "AEGIS_API_TOKEN is reserved" },
	};

	(void)state;
	assert_int_equal(opts_lint(tables, &err), ERR_OK);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		const struct opts_table one[] = { { "X", NULL, bad[i].rows, 0 }, { .title = NULL } };
		assert_int_equal(opts_lint(one, &err), ERR_CONFIG);
		assert_non_null(strstr(err.text, bad[i].part));
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, release)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults_are_there),
		TEST(every_form_of_an_option),
		TEST(two_dashes_end_options),
		TEST(last_one_counts),
		TEST(mistakes_name_option_value_and_remedy),
		TEST(environment_is_weaker_than_options),
		TEST(order_of_sources_does_not_matter),
		TEST(inherited_variables),
		TEST(inherited_may_be_made_up),
		TEST(bad_variables_are_named),
		TEST(secret_from_a_file),
		TEST(secret_from_a_descriptor),
		TEST(secret_in_plain_sight_warns),
		TEST(secret_twin_is_stronger),
		TEST(secret_of_systemd),
		TEST(empty_secret_is_refused),
		TEST(arity_as_a_scanner_needs_it),
		TEST(names_follow_from_one),
		TEST(lint_finds_what_compilers_do_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
