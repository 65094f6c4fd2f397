/* commands.c - the table of commands, made from commands.def, and looking into it. */
#include <string.h>

#include "base/magic.h"
#include "cmd.h"

/* A row without its sentence does not compile. */
#define SENTENCE(s) (("" s) + 0 * sizeof(char[sizeof("" s) > 8 ? 1 : -1]))

const struct command commands[] = {
#define NOUN(name, summary)
#define COMMAND(id, c_noun, c_verb, c_operands, c_min, c_max, c_access, c_flags, c_summary, c_text, c_examples) \
	{ c_noun, c_verb, c_operands, c_min, c_max, c_access, c_flags, SENTENCE(c_summary), \
	    SENTENCE(c_text), SENTENCE(c_examples), &id##_form, cmd_##id##_run },
#include "commands.def"
#undef COMMAND
#undef NOUN
};
const size_t ncommands = COUNT_OF(commands);

const struct noun nouns[] = {
#define NOUN(name, summary) { name, SENTENCE(summary) },
#define COMMAND(...)
#include "commands.def"
#undef COMMAND
#undef NOUN
};
const size_t nnouns = COUNT_OF(nouns);

const struct command *
command_find(const char *noun, const char *verb)
{
	for (size_t i = 0; i < ncommands; i++) {
		const struct command *c = &commands[i];
		if (strcmp(c->noun, noun) != 0)
			continue;
		if (c->verb == NULL ? verb == NULL : verb != NULL && strcmp(c->verb, verb) == 0)
			return c;
	}
	return NULL;
}

bool
noun_has_verbs(const char *noun)
{
	for (size_t i = 0; i < nnouns; i++)
		if (strcmp(nouns[i].name, noun) == 0)
			return true;
	return false;
}

const struct opts_table *const *
command_tables(void)
{
	static const struct opts_table *all[COUNT_OF(commands) + 1];

	for (size_t i = 0; i < ncommands; i++)
		all[i] = commands[i].form->tables;
	return all;
}

int
command_arity(const char *noun, const char *arg)
{
	int arity = -2;

	/* Under one noun an option means the same in every command that has it, and nearly always
	 * everywhere (a test sees to that), so the first one that knows it decides. */
	for (size_t i = 0; i < ncommands && arity == -2; i++)
		if (noun == NULL || strcmp(commands[i].noun, noun) == 0)
			arity = opts_arity(commands[i].form->tables, arg);
	return arity == -2 && noun != NULL ? command_arity(NULL, arg) : arity;
}

void
command_name(const struct command *c, struct str *out)
{
	str_puts(out, c->noun);
	if (c->verb != NULL)
		str_printf(out, " %s", c->verb);
}

void
command_usage(const struct command *c, struct str *out)
{
	str_puts(out, "aegis ");
	command_name(c, out);
	str_puts(out, " [options]");
	if (c->operands[0] != '\0')
		str_printf(out, " %s", c->operands);
}
