/* man.c - manual pages (man(7) roff) from the same rows as --help. */
#include <stdio.h>
#include <string.h>

#include "help.h"
#include "version.h"

/* roff: text in which a dash is a dash and nothing at a line's start is a request. */
static void
roff(struct str *out, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if ((text[i] == '.' || text[i] == '\'') && (i == 0 || text[i - 1] == '\n'))
			str_puts(out, "\\&");
		if (text[i] == '-')
			str_puts(out, "\\-");
		else if (text[i] == '\\')
			str_puts(out, "\\e");
		else if (text[i] == '\'')
			str_puts(out, "\\(aq");
		else if (text[i] == '`')
			str_puts(out, "\\(ga");
		else
			str_putc(out, text[i]);
	}
}

static void
puts_roff(struct str *out, const char *text)
{
	roff(out, text, strlen(text));
}

static void
paragraph(void *arg, const char *line, size_t n)
{
	struct str *out = arg;

	if (n == 0) {
		str_puts(out, ".PP\n");
		return;
	}
	roff(out, line, n);
	str_putc(out, '\n');
}

static void
example(void *arg, const char *line, size_t n)
{
	struct str *out = arg;

	str_puts(out, ".PP\n.EX\n");
	roff(out, line, n);
	str_puts(out, "\n.EE\n");
}

static void
option(struct str *out, const struct opt *row)
{
	struct str text = STR_INIT;

	str_puts(out, ".TP\n.B ");
	help_names(row, &text);
	const char *names = str_text(&text);
	puts_roff(out, names + strspn(names, " "));
	str_putc(out, '\n');
	puts_roff(out, row->help);
	str_clear(&text);
	help_details(row, &text);
	if (text.len > 0) {
		str_puts(out, " (");
		puts_roff(out, str_text(&text));
		str_putc(out, ')');
	}
	str_puts(out, ".\n");
	str_release(&text);
}

static void
of_command(struct str *out, const struct command *c, bool alone)
{
	struct str usage = STR_INIT, name = STR_INIT;
	const char *up = alone ? ".SH" : ".SS";

	command_usage(c, &usage);
	command_name(c, &name);
	if (alone) {
		str_puts(out, ".SH SYNOPSIS\n.B ");
		puts_roff(out, str_text(&usage));
		str_puts(out, "\n.SH DESCRIPTION\n");
	} else {
		str_puts(out, ".SH \"");
		puts_roff(out, str_text(&name));
		str_puts(out, "\"\n.B ");
		puts_roff(out, str_text(&usage));
		str_puts(out, "\n.PP\n");
	}
	help_lines(c->text, paragraph, out);
	for (const struct opts_table *t = c->form->tables; t->title != NULL; t++) {
		str_printf(out, "%s \"%s\"\n", up, t->title);
		for (const struct opt *row = t->rows; row->name != NULL; row++)
			if (!row->hidden)
				option(out, row);
	}
	str_printf(out, "%s EXAMPLES\n", up);
	help_lines(c->examples, example, out);
	str_release(&usage);
	str_release(&name);
}

static void
of_all(struct str *out)
{
	str_puts(out, ".SH SYNOPSIS\n.B aegis COMMAND\n[options] ...\n.SH COMMANDS\n");
	for (size_t i = 0; i < nnouns; i++) {
		str_puts(out, ".TP\n.B ");
		puts_roff(out, nouns[i].name);
		str_putc(out, '\n');
		puts_roff(out, nouns[i].summary);
		str_putc(out, '\n');
	}
	for (size_t i = 0; i < ncommands; i++) {
		if (commands[i].verb != NULL || (commands[i].flags & CMD_HIDDEN) != 0)
			continue;
		str_puts(out, ".TP\n.B ");
		puts_roff(out, commands[i].noun);
		str_putc(out, '\n');
		puts_roff(out, commands[i].summary);
		str_putc(out, '\n');
	}
}

static void
exit_status(struct str *out)
{
	struct str code = STR_INIT, meaning = STR_INIT;

	str_puts(out, ".SH \"EXIT STATUS\"\n");
	for (size_t i = 0; help_exit_row(i, &code, &meaning); i++) {
		str_printf(out, ".TP\n.B \"%s\"\n", str_text(&code));
		puts_roff(out, str_text(&meaning));
		str_puts(out, ".\n");
	}
	str_release(&code);
	str_release(&meaning);
}

static const char *
summary_of(const char *noun)
{
	if (noun == NULL)
		return "registry, discovery, calls and supervision for services on NATS";
	for (size_t i = 0; i < nnouns; i++)
		if (strcmp(nouns[i].name, noun) == 0)
			return nouns[i].summary;
	return command_find(noun, NULL)->summary;
}

void
man_write(const char *noun, struct str *out)
{
	struct str page = STR_INIT;

	str_printf(&page, "aegis%s%s", noun != NULL ? "-" : "", noun != NULL ? noun : "");
	str_puts(out, ".TH \"");
	puts_roff(out, str_text(&page));
	/* The commit's date, not today's: one commit gives one text. */
	str_printf(out, "\" 1 \"%.10s\" \"aegis %s\" \"aegis manual\"\n.SH NAME\n", AEGIS_COMMIT_DATE, AEGIS_VERSION);
	puts_roff(out, str_text(&page));
	str_puts(out, " \\- ");
	puts_roff(out, summary_of(noun));
	str_putc(out, '\n');
	if (noun == NULL)
		of_all(out);
	for (size_t i = 0; noun != NULL && i < ncommands; i++)
		if (strcmp(commands[i].noun, noun) == 0)
			of_command(out, &commands[i], commands[i].verb == NULL);
	exit_status(out);
	str_puts(out, ".SH \"SEE ALSO\"\n");
	str_puts(out, noun != NULL ? ".BR aegis (1)\n" : "The pages of the commands, such as\n.BR aegis\\-call (1).\n");
	str_release(&page);
}
