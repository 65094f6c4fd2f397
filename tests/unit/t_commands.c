/* t_commands - the table of commands as a whole: what no single row can get wrong alone. */
#include "expect.h"

#include <ctype.h>

#include "base/magic.h"
#include "base/mem.h"
#include "cmd.h"
#include "codec/codec.h"

static struct err err;

static void
every_form_is_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < ncommands; i++) {
		const struct cmd_form *f = commands[i].form;
		assert_true(f->size >= sizeof(struct cmd_general));
		assert_null(f->tables[COUNT_OF(f->tables) - 1].title);
		bool general = false;
		for (const struct opts_table *t = f->tables; t->title != NULL; t++) {
			general = general || t->rows == general_rows;
			for (const struct opt *row = t->rows; row->name != NULL; row++)
				assert_true(t->base + row->at < f->size);
		}
		assert_true(general);
		expect_ok(opts_lint(f->tables, &err), &err);
	}
}

/* --instances takes a number in `bench`, and none in `registry ls`: behind its noun each is clear. */
static bool
differs_by_noun(const char *name)
{
	return strcmp(name, "--instances") == 0;
}

/* The words are found before the verb is known, so under one noun an option must have one
 * meaning; in front of the noun it has that of most. */
static void
options_mean_the_same_everywhere(void **state)
{
	(void)state;
	assert_int_equal(command_arity("bench", "--instances"), 1);
	assert_int_equal(command_arity("registry", "--instances"), 0);
	assert_int_equal(command_arity("call", "--instances"), command_arity(NULL, "--instances"));
	assert_int_equal(command_arity("no-such-noun", "--json"), 0);
	for (size_t i = 0; i < ncommands; i++) {
		for (const struct opts_table *t = commands[i].form->tables; t->title != NULL; t++) {
			for (const struct opt *row = t->rows; row->name != NULL; row++) {
				char name[OPTS_NAME_MAX + 2], letter[3] = { '-', row->letter, '\0' };
				snprintf(name, sizeof name, "--%s", row->name);
				int arity = row->type == OPTS_FLAG ? 0 : 1;
				if (command_arity(commands[i].noun, name) != arity ||
				    (!differs_by_noun(name) && command_arity(NULL, name) != arity))
					fail_msg("%s of %s takes another number of values elsewhere", name, commands[i].noun);
				if (row->letter != 0 && command_arity(NULL, letter) != arity)
					fail_msg("%s of %s takes another number of values elsewhere", letter, commands[i].noun);
			}
		}
	}
}

static void
sentences_keep_the_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < ncommands; i++) {
		const struct command *c = &commands[i];
		assert_true(islower((unsigned char)c->summary[0]));
		assert_true(c->summary[strlen(c->summary) - 1] != '.');
		assert_true(strlen(c->summary) < 60);
		for (const struct opts_table *t = c->form->tables; t->title != NULL; t++) {
			for (const struct opt *row = t->rows; row->name != NULL; row++) {
				if (row->help[strlen(row->help) - 1] == '.')
					fail_msg("the help of --%s ends with a full stop", row->name);
				if (row->type != OPTS_FLAG && row->type != OPTS_CHOICE)
					assert_non_null(row->value);
			}
		}
	}
}

/* split: words of a shell line with single quotes, as examples have them; redirections end it. */
static size_t
split(char *line, const char **out, size_t max)
{
	size_t n = 0;

	while (*line != '\0' && n + 1 < max) {
		char end = *line == '\'' ? '\'' : ' ';
		if (*line == '<' || *line == '>')
			break;
		line += *line == '\'';
		out[n++] = line;
		line += strcspn(line, end == '\'' ? "'" : " ");
		if (*line != '\0')
			*line++ = '\0';
		while (*line == ' ')
			line++;
	}
	out[n] = NULL;
	return n;
}

static void
check_example(const struct command *c, const char *text)
{
	char *line = mem_text(text);
	const char *words[32];
	struct opts_words operands;
	struct opts o;
	size_t skip = c->verb != NULL ? 3 : 2;

	size_t n = split(line, words, COUNT_OF(words));
	assert_true(n >= skip);
	assert_string_equal(words[0], "aegis");
	assert_string_equal(words[1], c->noun);
	if (c->verb != NULL)
		assert_string_equal(words[2], c->verb);
	void *target = mem_new(c->form->size);
	opts_init(&o, c->form->tables, target);
	expect_ok(opts_parse(&o, words + skip, &operands, &err), &err);
	if (operands.n < c->min || operands.n > c->max)
		fail_msg("'%s' has %zu operands", text, operands.n);
	if ((c->flags & CMD_MAY_WRAP) == 0)
		assert_int_equal((c->flags & CMD_WRAPS) != 0, operands.wrapped != NULL);
	opts_release(&o);
	mem_free(target);
	mem_free(line);
}

static void
examples_can_be_typed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ncommands; i++) {
		for (const char *p = commands[i].examples; *p != '\0'; ) {
			size_t n = strcspn(p, "\n");
			char *line = mem_text_n(p, n);
			if (strncmp(line, "source <(", 9) == 0) {	/* the shell's own words around ours */
				line[strlen(line) - 1] = '\0';
				check_example(&commands[i], line + 9);
			} else {
				check_example(&commands[i], line);
			}
			mem_free(line);
			p += n + (p[n] == '\n');
		}
	}
}

static void
nouns_and_commands_fit(void **state)
{
	(void)state;
	for (size_t i = 0; i < ncommands; i++) {
		const struct command *c = &commands[i];
		assert_int_equal(noun_has_verbs(c->noun), c->verb != NULL);
		assert_ptr_equal(command_find(c->noun, c->verb), c);
	}
	assert_null(command_find("registry", NULL));
	assert_null(command_find("registry", "reset"));
	assert_null(command_find("nothing", NULL));
}

static void
help_is_made_for_everything(void **state)
{
	struct str text = STR_INIT;

	(void)state;
	for (size_t i = 0; i < ncommands; i++) {
		str_clear(&text);
		help_write(commands[i].noun, commands[i].verb, 80, false, &text);
		const char *examples = strstr(str_text(&text), "\nExamples:\n"), *usage = strstr(str_text(&text), "\nUsage:\n");
		assert_non_null(examples);
		assert_non_null(usage);
		assert_true(examples < usage);
		assert_non_null(strstr(str_text(&text), "--config FILE"));
	}
	str_clear(&text);
	help_write(NULL, NULL, 80, false, &text);
	for (size_t i = 0; i < ncommands; i++) {
		char *line = mem_printf("\n  %s ", commands[i].noun);
		assert_int_equal(strstr(str_text(&text), line) != NULL, (commands[i].flags & CMD_HIDDEN) == 0);
		mem_free(line);
	}
	str_release(&text);
}

static void
help_json_is_json(void **state)
{
	struct str text = STR_INIT;
	struct codec *c = codec_new();
	struct value v;

	(void)state;
	help_json(&text);
	expect_ok(codec_parse(c, (struct data){ DATA_JSON, str_text(&text), text.len }, &v, &err), &err);
	const struct value *list = value_field(&v, "commands");
	size_t shown = 0;
	for (size_t i = 0; i < ncommands; i++)
		shown += (commands[i].flags & CMD_HIDDEN) == 0;
	assert_non_null(list);
	assert_int_equal(list->n, shown);
	assert_null(strstr(str_text(&text), "__complete"));
	codec_free(c);
	str_release(&text);
}

static void
man_pages_hide_no_request(void **state)
{
	struct str text = STR_INIT;

	(void)state;
	for (size_t i = 0; i < ncommands; i++)
		if (commands[i].verb == NULL)
			man_write(commands[i].noun, &text);
	man_write("registry", &text);
	man_write(NULL, &text);
	/* Every line that begins with a dot is a request that man(7) knows. */
	for (const char *p = str_text(&text); *p != '\0'; p += strcspn(p, "\n"), p += *p == '\n') {
		static const char *const requests[] = { ".TH ", ".SH ", ".SS ", ".TP\n", ".B ", ".BR ", ".PP\n", ".EX\n", ".EE\n" };
		bool known = p[0] != '.' && p[0] != '\'';
		for (size_t k = 0; k < COUNT_OF(requests) && !known; k++)
			known = strncmp(p, requests[k], strlen(requests[k])) == 0;
		if (!known)
			fail_msg("'%.40s' is no request of man(7)", p);
	}
	str_release(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_is_sound),
		cmocka_unit_test(options_mean_the_same_everywhere),
		cmocka_unit_test(sentences_keep_the_form),
		cmocka_unit_test(examples_can_be_typed),
		cmocka_unit_test(nouns_and_commands_fit),
		cmocka_unit_test(help_is_made_for_everything),
		cmocka_unit_test(help_json_is_json),
		cmocka_unit_test(man_pages_hide_no_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
