/* help.c - `aegis help` and --help as text for people.
 *
 * Everything comes from commands.def, the option tables and errcodes.def; there is no
 * sentence here that could go stale. */
#include "help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/near.h"

#define INDENT 2
#define COLUMN 30			/* where the sentences of options begin */
#define WIDTH 80			/* where nobody tells */
#define WIDTH_MAX 100			/* longer lines are hard to read */

struct page {
	struct str *out;
	int width;
	bool colour;
};

/* --- one option ------------------------------------------------------------------------- */

void
help_value(const struct opt *row, struct str *out)
{
	if (row->type == OPTS_FLAG)
		return;
	if (row->type != OPTS_CHOICE) {
		str_puts(out, row->value);
		return;
	}
	for (size_t i = 0; row->choices[i] != NULL; i++)
		str_printf(out, "%s%s", i > 0 ? "|" : "", row->choices[i]);
}

void
help_names(const struct opt *row, struct str *out)
{
	if (row->letter != 0)
		str_printf(out, "-%c, ", row->letter);
	else
		str_puts(out, "    ");
	str_printf(out, "--%s", row->name);
	if (row->type != OPTS_FLAG) {
		str_putc(out, ' ');
		help_value(row, out);
	}
}

static void
variable(struct str *out, const char *name, const char *suffix)
{
	str_printf(out, "%s%s%s", out->len > 0 ? ", " : "", name, suffix);
}

void
help_variables(const struct opt *row, struct str *out)
{
	const char *suffix = row->type == OPTS_SECRET ? "_FILE" : "";
	struct str list = STR_INIT;
	char name[OPTS_NAME_MAX];

	if (row->env) {
		opts_env_name(row, name);
		variable(&list, name, "");
	}
	if (row->inherit_note != NULL)
		variable(&list, row->inherit_note, "");
	for (size_t i = 0; row->inherit != NULL && row->inherit[i] != NULL; i++)
		variable(&list, row->inherit[i], suffix);
	str_puts(out, str_text(&list));
	str_release(&list);
}

static void
detail(struct str *out, const char *between, const char *text)
{
	str_printf(out, "%s%s", out->len > 0 ? between : "", text);
}

void
help_details(const struct opt *row, struct str *out)
{
	struct str list = STR_INIT, part = STR_INIT;
	const char *def = row->def_text != NULL ? row->def_text : row->def;

	if (row->type == OPTS_LIST)
		detail(&list, "; ", "may be repeated");
	else if (row->type != OPTS_FLAG && row->type != OPTS_CHOICE && row->type != OPTS_TEXT)
		detail(&list, "; ", opts_type_name(row->type));
	opts_bounds_text(row, &part);
	if (part.len > 0)
		detail(&list, ", ", str_text(&part));
	str_clear(&part);
	if (def != NULL) {
		str_printf(&part, "default %s", def);
		detail(&list, "; ", str_text(&part));
	}
	str_clear(&part);
	help_variables(row, &part);
	if (part.len > 0)
		detail(&list, "; ", str_text(&part));
	str_puts(out, str_text(&list));
	str_release(&list);
	str_release(&part);
}

/* --- laying out ------------------------------------------------------------------------- */

void
help_lines(const char *text, void (*fn)(void *arg, const char *line, size_t n), void *arg)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");
		fn(arg, text, n);
		text += n + (text[n] == '\n');
	}
}

/* fill: words of text from column `at` on, broken at the page's width, indented by indent. */
static void
fill(struct page *p, const char *text, size_t n, int at, int indent)
{
	const char *end = text + n;

	while (text < end) {
		while (text < end && *text == ' ')
			text++;
		const char *word = text;
		while (text < end && *text != ' ')
			text++;
		int len = (int)(text - word);
		if (len == 0)
			break;
		if (at > indent && at + 1 + len > p->width) {
			str_printf(p->out, "\n%*s", indent, "");
			at = indent;
		} else if (at > indent) {
			str_putc(p->out, ' ');
			at++;
		}
		str_add(p->out, word, (size_t)len);
		at += len;
	}
	str_putc(p->out, '\n');
}

static void
heading(struct page *p, const char *text)
{
	str_printf(p->out, "\n%s%s:%s\n", p->colour ? "\033[1m" : "", text, p->colour ? "\033[0m" : "");
}

static void
example(void *arg, const char *line, size_t n)
{
	struct page *p = arg;

	str_printf(p->out, "%*s%.*s\n", INDENT, "", (int)n, line);
}

static void
paragraph(void *arg, const char *line, size_t n)
{
	struct page *p = arg;

	if (n == 0)
		str_putc(p->out, '\n');
	else
		fill(p, line, n, 0, 0);
}

static void
entry(struct page *p, const char *name, const char *sentence)
{
	int width = INDENT + out_width(name);

	str_printf(p->out, "%*s%s", INDENT, "", name);
	if (width >= COLUMN - 1) {
		str_printf(p->out, "\n%*s", COLUMN, "");
		width = COLUMN;
	} else {
		str_printf(p->out, "%*s", COLUMN - width, "");
	}
	fill(p, sentence, strlen(sentence), COLUMN, COLUMN);
}

static void
option(struct page *p, const struct opt *row)
{
	struct str names = STR_INIT, text = STR_INIT, details = STR_INIT;

	help_names(row, &names);
	help_details(row, &details);
	str_puts(&text, row->help);
	if (details.len > 0)
		str_printf(&text, " (%s)", str_text(&details));
	entry(p, str_text(&names), str_text(&text));
	str_release(&names);
	str_release(&text);
	str_release(&details);
}

static void
of_command(struct page *p, const struct command *c)
{
	struct str text = STR_INIT;

	command_name(c, &text);
	str_printf(p->out, "aegis %s - %s\n", str_text(&text), c->summary);
	heading(p, "Examples");
	help_lines(c->examples, example, p);
	heading(p, "Usage");
	str_clear(&text);
	command_usage(c, &text);
	str_printf(p->out, "%*s%s\n\n", INDENT, "", str_text(&text));
	help_lines(c->text, paragraph, p);
	for (const struct opts_table *t = c->form->tables; t->title != NULL; t++) {
		heading(p, t->title);
		for (const struct opt *row = t->rows; row->name != NULL; row++)
			if (!row->hidden)
				option(p, row);
		if (t->area != NULL)
			str_printf(p->out, "%*sIn configuration files: \"%s\": { \"name_of_option\": value }\n",
			    INDENT, "", t->area);
	}
	str_release(&text);
}

static void
of_noun(struct page *p, const struct noun *n)
{
	str_printf(p->out, "aegis %s - %s\n", n->name, n->summary);
	heading(p, "Examples");
	for (size_t i = 0; i < ncommands; i++)
		if (strcmp(commands[i].noun, n->name) == 0)
			example(p, commands[i].examples, strcspn(commands[i].examples, "\n"));
	heading(p, "Usage");
	str_printf(p->out, "%*saegis %s VERB [options] ...\n", INDENT, "", n->name);
	heading(p, "Verbs");
	for (size_t i = 0; i < ncommands; i++)
		if (strcmp(commands[i].noun, n->name) == 0)
			entry(p, commands[i].verb, commands[i].summary);
	str_printf(p->out, "\n`aegis help %s VERB` explains one.\n", n->name);
}

static void
of_all(struct page *p)
{
	str_puts(p->out, "aegis - registry, discovery, calls and supervision for services on NATS\n");
	heading(p, "Examples");
	for (size_t i = 0; i < ncommands; i++)
		if ((commands[i].flags & CMD_HIDDEN) == 0 && (commands[i].verb == NULL || strcmp(commands[i].verb, "ls") == 0))
			example(p, commands[i].examples, strcspn(commands[i].examples, "\n"));
	heading(p, "Usage");
	str_printf(p->out, "%*saegis COMMAND [options] ...\n", INDENT, "");
	heading(p, "Commands");
	for (size_t i = 0; i < nnouns; i++)
		entry(p, nouns[i].name, nouns[i].summary);
	for (size_t i = 0; i < ncommands; i++)
		if (commands[i].verb == NULL && (commands[i].flags & CMD_HIDDEN) == 0)
			entry(p, commands[i].noun, commands[i].summary);
	str_puts(p->out, "\n`aegis help COMMAND` explains one, `aegis help exit-codes` the exit codes.\n");
}

static int
default_width(void)
{
	struct winsize size;

	if (!isatty(1) || ioctl(1, TIOCGWINSZ, &size) != 0 || size.ws_col < 40)
		return WIDTH;
	return size.ws_col < WIDTH_MAX ? size.ws_col : WIDTH_MAX;
}

void
help_write(const char *noun, const char *verb, int width, bool colour, struct str *out)
{
	struct page p = { out, width > 0 ? width : default_width(), colour };
	const struct command *c = noun != NULL ? command_find(noun, verb) : NULL;

	if (c != NULL) {
		of_command(&p, c);
		return;
	}
	for (size_t i = 0; noun != NULL && i < nnouns; i++) {
		if (strcmp(nouns[i].name, noun) == 0) {
			of_noun(&p, &nouns[i]);
			return;
		}
	}
	of_all(&p);
}

/* --- exit codes ------------------------------------------------------------------------- */

bool
help_exit_row(size_t i, struct str *code, struct str *meaning)
{
	static const struct { const char *code, *meaning; } others[] = {
		{ "128+N", "the wrapped command, or aegis itself, was ended by signal N" },
		{ "any other", "that of the wrapped command, unchanged" },
	};
	static const int numbers[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 125, 126, 127 };

	str_clear(code);
	str_clear(meaning);
	if (i >= COUNT_OF(numbers)) {
		if (i >= COUNT_OF(numbers) + COUNT_OF(others))
			return false;
		str_puts(code, others[i - COUNT_OF(numbers)].code);
		str_puts(meaning, others[i - COUNT_OF(numbers)].meaning);
		return true;
	}
	str_printf(code, "%d", numbers[i]);
	for (int k = ERR_OK; k < ERR_COUNT; k++) {
		const char *text = err_text((enum err_code)k);
		if (err_exit((enum err_code)k) == numbers[i] && strstr(str_text(meaning), text) == NULL)
			str_printf(meaning, "%s%s", meaning->len > 0 ? "; " : "", text);
	}
	return true;
}

void
help_exit_codes(struct str *out)
{
	struct str code = STR_INIT, meaning = STR_INIT;
	struct page p = { out, default_width(), false };

	str_puts(out, "Exit codes of aegis:\n\n");
	for (size_t i = 0; help_exit_row(i, &code, &meaning); i++) {
		str_printf(out, "%*s%-10s  ", INDENT, "", str_text(&code));
		fill(&p, str_text(&meaning), meaning.len, INDENT + 12, INDENT + 12);
	}
	str_release(&code);
	str_release(&meaning);
}

/* --- showing it ------------------------------------------------------------------------- */

static bool
is_long(const char *text)
{
	struct winsize size;
	int lines = 0;

	if (!isatty(1) || !isatty(0) || ioctl(1, TIOCGWINSZ, &size) != 0)
		return false;
	for (; *text != '\0'; text++)
		lines += *text == '\n';
	return lines >= size.ws_row;
}

void
help_show(struct out *out, const char *text)
{
	const char *pager = getenv("PAGER");
	FILE *f;

	if (pager == NULL)
		pager = "less -FRX";
	if (pager[0] == '\0' || strcmp(pager, "cat") == 0 || !is_long(text) || (f = popen(pager, "we")) == NULL) {
		out_text(out, text);
		return;
	}
	fputs(text, f);
	/* 127: there is no such pager; then nothing was shown yet. */
	int ended = pclose(f);
	if (ended == 127 << 8)
		out_text(out, text);
}

/* --- the command ------------------------------------------------------------------------ */

struct help_opts {
	struct cmd_general general;
	bool man;
	bool pages;
};

static const struct opt help_rows[] = {
	OPT_FLAG(struct help_opts, man, "man", 0, "print the manual page of the command, as roff", .hidden = true),
	OPT_FLAG(struct help_opts, pages, "pages", 0, "name the manual pages that there are", .hidden = true),
	OPTS_END
};

const struct cmd_form help_form = {
	sizeof(struct help_opts),
	{
		{ "Options", NULL, help_rows, 0 },
		FORM_OUTPUT(struct help_opts),
		FORM_GENERAL(struct help_opts),
	},
};

static void
list_pages(struct out *out)
{
	out_text(out, "aegis\n");
	for (size_t i = 0; i < nnouns; i++) {
		out_text(out, "aegis-");
		out_text(out, nouns[i].name);
		out_text(out, "\n");
	}
	for (size_t i = 0; i < ncommands; i++) {
		if (commands[i].verb != NULL || (commands[i].flags & CMD_HIDDEN) != 0)
			continue;
		out_text(out, "aegis-");
		out_text(out, commands[i].noun);
		out_text(out, "\n");
	}
}

static enum err_code
no_such_topic(const struct cmd *c, struct err *err)
{
	const char *names[64], *near[1];
	size_t n = 0;

	names[n++] = "exit-codes";
	for (size_t i = 0; i < nnouns; i++)
		names[n++] = nouns[i].name;
	for (size_t i = 0; i < ncommands && n < COUNT_OF(names); i++)
		if ((commands[i].flags & CMD_HIDDEN) == 0)
			names[n++] = c->nwords > 1 && commands[i].verb != NULL ? commands[i].verb : commands[i].noun;
	const char *word = c->nwords > 1 && noun_has_verbs(c->words[0]) ? c->words[1] : c->words[0];
	if (near_pick(word, names, n, near, 1) == 1)
		return err_set(err, ERR_USAGE, "there is no command '%s'; did you mean '%s'?", word, near[0]);
	return err_set(err, ERR_USAGE, "there is no command '%s'; `aegis help` lists them", word);
}

enum err_code
cmd_help_run(struct cmd *c, struct err *err)
{
	const struct help_opts *o = c->opts;
	const char *noun = c->words[0], *verb = noun != NULL ? c->words[1] : NULL;
	struct str text = STR_INIT;

	if (noun != NULL && strncmp(noun, "aegis-", 6) == 0)
		noun += 6;
	if (noun != NULL && strcmp(noun, "aegis") == 0)
		noun = NULL;
	bool topic = noun != NULL && strcmp(noun, "exit-codes") == 0;
	bool whole = noun != NULL && verb == NULL && noun_has_verbs(noun);
	if (noun != NULL && !topic && !whole && command_find(noun, verb) == NULL)
		return no_such_topic(c, err);
	if (o->pages)
		list_pages(c->out);
	else if (o->man)
		man_write(noun, &text);
	else if (!out_is_table(c->out))
		help_json(&text);
	else if (topic)
		help_exit_codes(&text);
	else
		help_write(noun, verb, 0, out_coloured(&o->general.out, 1, out_getenv, NULL), &text);
	if (!o->man && !o->pages && out_is_table(c->out))
		help_show(c->out, str_text(&text));
	else if (o->man)
		out_text(c->out, str_text(&text));
	else if (!o->pages)
		out_value(c->out, str_text(&text));
	str_release(&text);
	return ERR_OK;
}
