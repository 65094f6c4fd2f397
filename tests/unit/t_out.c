/* t_out - answers: tables, JSON, lines of JSON, colours, widths, broken pipes. */
#include "expect.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/magic.h"
#include "out.h"

static const struct out_column columns[] = {
	{ .name = "NAME" }, { .name = "N", .right = true }, { .name = "ABOUT", .shrinks = true },
};

static int fds[2];
static struct str got;
static struct err err;

static int
fresh(void **state)
{
	(void)state;
	str_clear(&got);
	return pipe2(fds, O_CLOEXEC | O_NONBLOCK);
}

static int
release(void **state)
{
	(void)state;
	close(fds[0]);
	if (fds[1] >= 0)
		close(fds[1]);
	str_release(&got);
	return 0;
}

/* drain: what was written so far; the pipe holds all of it. */
static const char *
drain(void)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(fds[0], buf, sizeof buf)) > 0)
		str_add(&got, buf, (size_t)n);
	return str_text(&got);
}

static struct out *
open_out(enum out_format format, int width)
{
	return out_new(&(struct out_opts){ .format = format, .colour = OUT_COLOUR_NEVER }, fds[1], width);
}

static void
two_rows(struct out *out)
{
	out_list(out, columns, COUNT_OF(columns));
	out_row(out, (const struct out_cell[]){ { "a", 0 }, { "7", 0 }, { "some words about it", 0 } }, "{\"name\":\"a\"}");
	out_row(out, (const struct out_cell[]){ { "long-name", 0 }, { "1234", 0 }, { NULL, 0 } }, "{\"name\":\"b\"}");
}

static void
ends_as(struct out *out, const char *want)
{
	assert_int_equal(out_end(out, &err), ERR_OK);
	out_free(out);
	assert_string_equal(drain(), want);
}

static void
table_is_aligned(void **state)
{
	(void)state;
	struct out *out = open_out(OUT_TABLE, 0);
	two_rows(out);
	ends_as(out, "NAME          N  ABOUT\na             7  some words about it\nlong-name  1234  -\n");
}

static void
narrow_table_cuts_only_what_shrinks(void **state)
{
	(void)state;
	struct out *out = open_out(OUT_TABLE, 28);
	two_rows(out);
	ends_as(out, "NAME          N  ABOUT\na             7  some words\u2026\nlong-name  1234  -\n");
	str_clear(&got);
	out = open_out(OUT_TABLE, 10);		/* too narrow: names stay whole, the line is long */
	two_rows(out);
	ends_as(out, "NAME          N  ABOUT\na             7  some wo\u2026\nlong-name  1234  -\n");
}

static void
json_is_an_array(void **state)
{
	(void)state;
	struct out *out = open_out(OUT_JSON, 0);
	assert_false(out_look(out));
	two_rows(out);
	ends_as(out, "[\n{\"name\":\"a\"},\n{\"name\":\"b\"}\n]\n");
}

static void
ndjson_is_lines(void **state)
{
	(void)state;
	struct out *out = open_out(OUT_NDJSON, 0);
	two_rows(out);
	ends_as(out, "{\"name\":\"a\"}\n{\"name\":\"b\"}\n");
}

static void
empty_lists(void **state)
{
	static const struct { enum out_format format; const char *want; } all[] = {
		{ OUT_TABLE, "" }, { OUT_JSON, "[]\n" }, { OUT_NDJSON, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		struct out *out = open_out(all[i].format, 0);
		str_clear(&got);
		out_list(out, columns, COUNT_OF(columns));
		ends_as(out, all[i].want);
	}
}

static void
json_flag_is_stronger(void **state)
{
	(void)state;
	struct out *out = out_new(&(struct out_opts){ .format = OUT_TABLE, .json = true }, fds[1], 0);
	assert_false(out_is_table(out));
	out_list(out, columns, COUNT_OF(columns));
	ends_as(out, "[]\n");
}

static void
object_in_every_format(void **state)
{
	static const char *const names[] = { "name", "version" };
	static const struct out_cell cells[] = { { "x", OUT_PLAIN }, { "1.0.0", OUT_PLAIN } };
	static const struct { enum out_format format; const char *want; } all[] = {
		{ OUT_TABLE, "name     x\nversion  1.0.0\n" }, { OUT_JSON, "{\"a\":1}\n" }, { OUT_NDJSON, "{\"a\":1}\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		struct out *out = open_out(all[i].format, 0);
		str_clear(&got);
		out_object(out, names, cells, 2, "{\"a\":1}");
		ends_as(out, all[i].want);
	}
}

static void
watched_rows_come_at_once(void **state)
{
	static const enum out_format formats[] = { OUT_JSON, OUT_NDJSON };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(formats); i++) {
		struct out *out = open_out(formats[i], 0);
		str_clear(&got);
		out_watch(out, columns, COUNT_OF(columns));
		out_row(out, (const struct out_cell[]){ { "a", 0 }, { "7", 0 }, { "x", 0 } }, "{\"n\":1}");
		assert_string_equal(drain(), "{\"n\":1}\n");
		ends_as(out, "{\"n\":1}\n");
	}
	struct out *out = open_out(OUT_TABLE, 0);
	str_clear(&got);
	out_watch(out, columns, COUNT_OF(columns));
	out_row(out, (const struct out_cell[]){ { "abcdefgh", 0 }, { "7", 0 }, { "x", 0 } }, "{}");
	assert_string_equal(drain(), "NAME  N  ABOUT\nabcdefgh  7  x\n");
	ends_as(out, "NAME  N  ABOUT\nabcdefgh  7  x\n");
}

static void
cells_hold_no_escapes(void **state)
{
	struct str clean = STR_INIT;

	(void)state;
	out_clean("a\033[31mb\nc\u202ed\x80\xc2\x9b", &clean);
	assert_string_equal(str_text(&clean), "a?[31mb c?d??");
	str_release(&clean);
	struct out *out = open_out(OUT_TABLE, 0);
	out_list(out, columns, COUNT_OF(columns));
	out_row(out, (const struct out_cell[]){ { "\033]0;x\007", 0 }, { "1", 0 }, { "y", 0 } }, "{}");
	ends_as(out, "NAME    N  ABOUT\n?]0;x?  1  y\n");
}

static void
widths_of_text(void **state)
{
	(void)state;
	assert_int_equal(out_width("abc"), 3);
	assert_int_equal(out_width("\u00e9t\u00e9"), 3);
	assert_int_equal(out_width("\u670d\u52a1"), 4);
	assert_int_equal(out_width("e\u0301"), 1);
	assert_int_equal(out_width("\xff"), 1);
}

static const char *
pairs(void *arg, const char *name)
{
	for (const char *const *p = arg; *p != NULL; p += 2)
		if (strcmp(p[0], name) == 0)
			return p[1];
	return NULL;
}
#define COLOURED(o, ...) out_coloured(&(o), fds[1], pairs, (void *)(const char *const[]){ __VA_ARGS__, NULL })

static void
colour_rules(void **state)
{
	struct out_opts automatic = { .colour = OUT_COLOUR_AUTO }, always = { .colour = OUT_COLOUR_ALWAYS },
	    never = { .colour = OUT_COLOUR_NEVER }, no = { .no_colour = true };

	(void)state;
	assert_false(COLOURED(automatic, "TERM", "xterm"));	/* a pipe */
	assert_true(COLOURED(automatic, "FORCE_COLOR", "1"));
	assert_false(COLOURED(automatic, "FORCE_COLOR", "1", "NO_COLOR", "1"));
	assert_true(COLOURED(automatic, "FORCE_COLOR", "1", "NO_COLOR", ""));
	assert_false(COLOURED(automatic, "FORCE_COLOR", "0"));
	assert_true(COLOURED(always, "NO_COLOR", "1", "TERM", "dumb"));
	assert_false(COLOURED(never, "FORCE_COLOR", "1"));
	assert_false(COLOURED(no, "FORCE_COLOR", "1"));
}

static void
colours_are_where_they_belong(void **state)
{
	(void)state;
	struct out *out = out_new(&(struct out_opts){ .colour = OUT_COLOUR_ALWAYS }, fds[1], 0);
	out_object(out, (const char *const[]){ "s" }, (const struct out_cell[]){ { "ok", OUT_GOOD } }, 1, "{}");
	ends_as(out, "\033[2ms\033[0m  \033[32mok\033[0m\n");
}

static void
reader_that_left_is_quiet(void **state)
{
	(void)state;
	struct out *out = open_out(OUT_NDJSON, 0);
	int ours = dup(fds[1]);
	close(fds[0]);
	fds[0] = ours;		/* something to close in the end */
	assert_true(out_look(out));
	out_text(out, "x\n");
	assert_int_equal(out_end(out, &err), ERR_CLOSED);
	assert_true(out_reader_left(out));
	out_free(out);
}

static void
failed_write_is_told(void **state)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_true(full >= 0);
	struct out *out = out_new(&(struct out_opts){ .format = OUT_TABLE }, full, 0);
	out_text(out, "x\n");
	expect_refusal(out_end(out, &err), &err, ERR_OUTPUT, "standard output cannot be written");
	assert_int_equal(out_end(out, &err), ERR_OUTPUT);	/* for ever */
	assert_false(out_reader_left(out));
	out_free(out);
	close(full);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, release)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(table_is_aligned),
		TEST(narrow_table_cuts_only_what_shrinks),
		TEST(json_is_an_array),
		TEST(ndjson_is_lines),
		TEST(empty_lists),
		TEST(json_flag_is_stronger),
		TEST(object_in_every_format),
		TEST(watched_rows_come_at_once),
		TEST(cells_hold_no_escapes),
		TEST(widths_of_text),
		TEST(colour_rules),
		TEST(colours_are_where_they_belong),
		TEST(reader_that_left_is_quiet),
		TEST(failed_write_is_told),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
