/* help_json.c - the tree of commands and options for tools: `aegis help --json`. */
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "help.h"
#include "version.h"

static void
pack_variables(struct pack *p, const struct opt *row)
{
	char name[OPTS_NAME_MAX];
	uint32_t n = 0;

	opts_env_name(row, name);
	pack_key_puts(p, "env", row->env ? name : NULL);
	while (row->inherit != NULL && row->inherit[n] != NULL)
		n++;
	pack_key(p, "inherited_env");
	if (row->inherit_note != NULL) {
		const char *list = row->inherit_note;
		uint32_t notes = 1;
		for (const char *c = list; *c != '\0'; c++)
			notes += *c == ',';
		pack_array(p, notes);
		for (uint32_t i = 0; i < notes; i++) {
			size_t len = strcspn(list, ",");
			pack_text(p, (struct text){ list, len });
			list += len + strspn(list + len, ", ");
		}
		return;
	}
	pack_array(p, n);
	for (uint32_t i = 0; i < n; i++) {
		char *twin = mem_printf("%s%s", row->inherit[i], row->type == OPTS_SECRET ? "_FILE" : "");
		pack_puts(p, twin);
		mem_free(twin);
	}
}

static void
pack_option(struct pack *p, const struct opts_table *t, const struct opt *row)
{
	char key[OPTS_NAME_MAX], letter[2] = { row->letter, '\0' };
	struct str bounds = STR_INIT;
	uint32_t n = 0;

	opts_key_name(row, key);
	opts_bounds_text(row, &bounds);
	pack_map(p, 16);
	pack_key_puts(p, "name", row->name);
	pack_key_puts(p, "letter", row->letter != 0 ? letter : NULL);
	pack_key_puts(p, "type", opts_type_name(row->type));
	pack_key_puts(p, "value", row->value);
	pack_key_puts(p, "default", row->def);
	pack_key_puts(p, "default_text", row->def_text);
	pack_key_puts(p, "bounds", bounds.len > 0 ? str_text(&bounds) : NULL);
	while (row->choices != NULL && row->choices[n] != NULL)
		n++;
	pack_key_array(p, "choices", n);
	for (uint32_t i = 0; i < n; i++)
		pack_puts(p, row->choices[i]);
	pack_key_bool(p, "repeatable", row->type == OPTS_LIST);
	pack_variables(p, row);
	pack_key_puts(p, "config_area", row->env ? t->area : NULL);
	pack_key_puts(p, "config_key", row->env && t->area != NULL ? key : NULL);
	pack_key_puts(p, "applies", row->live ? "at once" : "at start");
	pack_key_bool(p, "central", row->central);
	pack_key_puts(p, "help", row->help);
	str_release(&bounds);
}

static uint32_t
count_lines(const char *text)
{
	uint32_t n = 1;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

static void
pack_line(void *arg, const char *line, size_t n)
{
	pack_text(arg, (struct text){ line, n });
}

static uint32_t
count_options(const struct command *c)
{
	uint32_t n = 0;

	for (const struct opts_table *t = c->form->tables; t->title != NULL; t++)
		for (const struct opt *row = t->rows; row->name != NULL; row++)
			n += !row->hidden;
	return n;
}

static void
pack_command(struct pack *p, const struct command *c)
{
	struct str text = STR_INIT;

	pack_map(p, 10);
	pack_key_puts(p, "noun", c->noun);
	pack_key_puts(p, "verb", c->verb);
	command_usage(c, &text);
	pack_key_puts(p, "usage", str_text(&text));
	pack_key_puts(p, "operands", c->operands);
	pack_key_puts(p, "summary", c->summary);
	pack_key_puts(p, "description", c->text);
	pack_key_array(p, "examples", count_lines(c->examples));
	help_lines(c->examples, pack_line, p);
	pack_key_puts(p, "access", c->access == CMD_READS ? "reads" : "writes");
	pack_key_bool(p, "wraps", (c->flags & CMD_WRAPS) != 0);
	pack_key_array(p, "options", count_options(c));
	for (const struct opts_table *t = c->form->tables; t->title != NULL; t++)
		for (const struct opt *row = t->rows; row->name != NULL; row++)
			if (!row->hidden)
				pack_option(p, t, row);
	str_release(&text);
}

static void
pack_exit_codes(struct pack *p)
{
	struct str code = STR_INIT, meaning = STR_INIT;
	uint32_t n = 0;

	while (help_exit_row(n, &code, &meaning))
		n++;
	pack_array(p, n);
	for (uint32_t i = 0; help_exit_row(i, &code, &meaning); i++) {
		pack_map(p, 2);
		pack_key_puts(p, "code", str_text(&code));
		pack_key_puts(p, "meaning", str_text(&meaning));
	}
	str_release(&code);
	str_release(&meaning);
}

void
help_json(struct str *out)
{
	uint32_t n = 0;
	struct pack p;

	for (size_t i = 0; i < ncommands; i++)
		n += (commands[i].flags & CMD_HIDDEN) == 0;
	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 5);
	pack_key_int(&p, "schema_version", 1);
	pack_key_puts(&p, "name", "aegis");
	pack_key_puts(&p, "version", AEGIS_VERSION);
	pack_key_array(&p, "commands", n);
	for (size_t i = 0; i < ncommands; i++)
		if ((commands[i].flags & CMD_HIDDEN) == 0)
			pack_command(&p, &commands[i]);
	pack_key(&p, "exit_codes");
	pack_exit_codes(&p);
	MUST(pack_end(&p, NULL) == ERR_OK);
}
