/* rules_schema.c - rows as JSON Schema, and their values as JSON. */
#include <string.h>

#include "base/magic.h"
#include "base/num.h"
#include "codec/codec.h"
#include "settings/rules.h"

void
settings_pack(struct pack *p, const struct opt *row, const char *text)
{
	int64_t number;
	bool on;

	if (row->type == OPTS_FLAG)
		pack_bool(p, text != NULL && num_bool(text, &on) && on);
	else if (text != NULL && (row->type == OPTS_INT || row->type == OPTS_UINT) && num_int(text, &number))
		pack_int(p, number);
	else
		pack_puts(p, text);
}

/* put_help: the sentence, with bounds that no number can say. */
static void
put_help(struct pack *p, const struct opt *row)
{
	struct str text = STR_INIT, bounds = STR_INIT;

	str_puts(&text, row->help);
	opts_bounds_text(row, &bounds);
	if (bounds.len > 0)
		str_printf(&text, " (%s)", str_text(&bounds));
	pack_key_puts(p, "description", str_text(&text));
	str_release(&text);
	str_release(&bounds);
}

static bool
is_number(const struct opt *row)
{
	return row->type == OPTS_INT || row->type == OPTS_UINT;
}

static bool
has_bounds(const struct opt *row)
{
	return is_number(row) && row->max > row->min;
}

static void
put_choices(struct pack *p, const struct opt *row)
{
	uint32_t n = 0;

	while (row->choices[n] != NULL)
		n++;
	pack_key_array(p, "enum", n);
	for (uint32_t i = 0; i < n; i++)
		pack_puts(p, row->choices[i]);
}

/* pattern_of: what num_duration and num_size take. */
static const char *
pattern_of(const struct opt *row)
{
	if (row->type == OPTS_DURATION)
		return "^(0|([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h|d))+)$";
	return row->type == OPTS_SIZE ? "^[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)$" : NULL;
}

static void
put_type(struct pack *p, const struct opt *row)
{
	pack_key(p, "type");
	if (row->type == OPTS_LIST) {
		pack_array(p, 3);
		pack_puts(p, "array");
		pack_puts(p, "object");
		pack_puts(p, "string");
	} else {
		pack_puts(p, row->type == OPTS_FLAG ? "boolean" : is_number(row) ? "integer" : "string");
	}
}

void
settings_property(struct pack *p, const struct opt *row)
{
	bool has_default = row->def != NULL && row->type != OPTS_LIST;
	const char *pattern = pattern_of(row);

	pack_map(p, 3 + (row->type == OPTS_CHOICE) + (pattern != NULL) + 2 * has_bounds(row) + has_default);
	put_type(p, row);
	put_help(p, row);
	pack_key_puts(p, "x-applies", row->live ? "at once" : "at restart");
	if (row->type == OPTS_CHOICE)
		put_choices(p, row);
	if (pattern != NULL)
		pack_key_puts(p, "pattern", pattern);
	if (has_bounds(row)) {
		pack_key_int(p, "minimum", row->min);
		pack_key_int(p, "maximum", row->max);
	}
	if (has_default) {
		pack_key(p, "default");
		settings_pack(p, row, row->def);
	}
}

static uint32_t
count(const struct settings_rules *rules)
{
	uint32_t n = 0;

	for (const struct opts_table *t = rules->tables; t->title != NULL; t++)
		for (const struct opt *row = t->rows; row->name != NULL; row++)
			n += row->central;
	return n;
}

void
settings_schema(const struct settings_rules *rules, struct str *out)
{
	char key[OPTS_NAME_MAX];
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 5);
	pack_key_puts(&p, "$schema", "https://json-schema.org/draft/2020-12/schema");
	pack_key_puts(&p, "title", "settings of a service");
	pack_key_puts(&p, "type", "object");
	pack_key_bool(&p, "additionalProperties", false);
	pack_key_map(&p, "properties", count(rules) + 1);
	for (const struct opts_table *t = rules->tables; t->title != NULL; t++)
		for (const struct opt *row = t->rows; row->name != NULL; row++)
			if (row->central) {
				opts_key_name(row, key);
				pack_key(&p, key);
				settings_property(&p, row);
			}
	pack_key_map(&p, SETTINGS_WORKLOAD, 3);
	pack_key_puts(&p, "type", "object");
	pack_key_puts(&p, "description", "keys of the program's own; it finds them in $AEGIS_CONFIG_FILE and at GET /v1/config of its local API");
	pack_key_puts(&p, "x-applies", "at once");
	MUST(pack_end(&p, NULL) == ERR_OK);
}
