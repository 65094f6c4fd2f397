/* opts_parse.c - options as they stand on a command line.
 *
 * Only the shape is read here; a value goes to opts_set with "--name" or "-n" as its source. */
#include "base/opts_inner.h"

#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/near.h"

struct parser {
	struct opts *o;
	const char *const *argv;	/* the next argument */
	struct opts_words *words;
	struct err *err;
};

static struct opts_mark *
by_name(struct opts *o, const char *name, size_t n)
{
	for (size_t i = 0; i < o->n; i++)
		if (strlen(o->marks[i].row->name) == n && strncmp(o->marks[i].row->name, name, n) == 0)
			return &o->marks[i];
	return NULL;
}

static struct opts_mark *
by_letter(struct opts *o, char letter)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->marks[i].row->letter == letter)
			return &o->marks[i];
	return NULL;
}

static enum err_code
unknown_name(struct parser *p, const char *name)
{
	const char **names = mem_array(p->o->n + 1, sizeof *names), *near[3];
	struct str say = STR_INIT;
	size_t n = 0;

	for (size_t i = 0; i < p->o->n; i++)
		if (!p->o->marks[i].row->hidden)
			names[n++] = p->o->marks[i].row->name;
	size_t found = near_pick(name, names, n, near, COUNT_OF(near));
	while (found > 1 && near_distance(name, near[found - 1]) > near_distance(name, near[0]))
		found--;
	for (size_t i = 0; i < found; i++)
		str_printf(&say, "%s--%s", i == 0 ? "; did you mean " : " or ", near[i]);
	err_set(p->err, ERR_USAGE, "unknown option '--%s'%s%s", name, str_text(&say), found > 0 ? "?" : "");
	str_release(&say);
	mem_free(names);
	return ERR_USAGE;
}

static enum err_code
missing_value(struct parser *p, const char *shown, const struct opt *row)
{
	struct str values = STR_INIT;

	for (int i = 0; row->choices != NULL && row->choices[i] != NULL; i++)
		str_printf(&values, "%s%s", i == 0 ? "" : "|", row->choices[i]);
	err_set(p->err, ERR_USAGE, "%s needs a value: %s %s", shown, shown,
	    row->choices != NULL ? str_text(&values) : row->value != NULL ? row->value : opts_type_name(row->type));
	str_release(&values);
	return ERR_USAGE;
}

/* take_value: the text behind the option, which has none of its own. */
static const char *
take_value(struct parser *p)
{
	if (*p->argv == NULL || strcmp(*p->argv, "--") == 0)
		return NULL;
	return *p->argv++;
}

static enum err_code
parse_long(struct parser *p, const char *arg)
{
	const char *name = arg + 2, *value = strchr(name, '=');
	size_t n = value != NULL ? (size_t)(value - name) : strlen(name);
	struct opts_mark *m = by_name(p->o, name, n);
	char shown[OPTS_NAME_MAX + 2];

	if (m == NULL) {
		char *bare = mem_text_n(name, n);
		enum err_code code = unknown_name(p, bare);
		mem_free(bare);
		return code;
	}
	snprintf(shown, sizeof shown, "--%s", m->row->name);
	if (value != NULL)
		value++;
	else if (m->row->type == OPTS_FLAG)
		value = "true";
	else if ((value = take_value(p)) == NULL)
		return missing_value(p, shown, m->row);
	return opts_set(p->o, m, OPTS_LINE, shown, value, p->err);
}

static enum err_code
parse_letters(struct parser *p, const char *arg)
{
	char shown[] = "-?";

	for (const char *c = arg + 1; *c != '\0'; c++) {
		struct opts_mark *m = by_letter(p->o, *c);
		const char *value = "true";

		shown[1] = *c;
		if (m == NULL)
			return err_set(p->err, ERR_USAGE, "unknown option '%s'%s%s%s", shown,
			    c > arg + 1 ? " in '" : "", c > arg + 1 ? arg : "", c > arg + 1 ? "'" : "");
		if (m->row->type != OPTS_FLAG) {
			value = c[1] != '\0' ? c + 1 : take_value(p);
			if (value == NULL)
				return missing_value(p, shown, m->row);
		}
		enum err_code code = opts_set(p->o, m, OPTS_LINE, shown, value, p->err);
		if (code != ERR_OK || m->row->type != OPTS_FLAG)
			return code;
	}
	return ERR_OK;
}

enum err_code
opts_parse(struct opts *o, const char *const *argv, struct opts_words *words, struct err *err)
{
	struct parser p = { .o = o, .argv = argv, .words = words, .err = err };
	enum err_code code = ERR_OK;
	size_t n = 0;

	while (argv[n] != NULL)
		n++;
	const char **v = o->words = mem_resize(o->words, n + 1, sizeof *v);
	*words = (struct opts_words){ .v = v, .n = 0, .wrapped = NULL };
	while (code == ERR_OK && *p.argv != NULL) {
		const char *arg = *p.argv++;
		if (strcmp(arg, "--") == 0) {
			words->wrapped = p.argv;
			break;
		}
		if (arg[0] != '-' || arg[1] == '\0')
			v[words->n++] = arg;
		else if (arg[1] == '-')
			code = parse_long(&p, arg);
		else
			code = parse_letters(&p, arg);
	}
	return code;
}

int
opts_arity(const struct opts_table *tables, const char *arg)
{
	if (arg[0] != '-' || arg[1] == '\0' || strcmp(arg, "--") == 0)
		return -1;
	bool is_long = arg[1] == '-';
	size_t n = strcspn(arg + 2, "=");
	for (const struct opts_table *t = tables; t->title != NULL; t++) {
		for (const struct opt *row = t->rows; row->name != NULL; row++) {
			bool hit = is_long ? strlen(row->name) == n && strncmp(row->name, arg + 2, n) == 0
			    : row->letter == arg[1];
			if (!hit)
				continue;
			if (row->type == OPTS_FLAG && !is_long && arg[2] != '\0') {
				char rest[OPTS_NAME_MAX];
				snprintf(rest, sizeof rest, "-%s", arg + 2);
				return opts_arity(tables, rest);
			}
			return row->type == OPTS_FLAG || (is_long ? arg[2 + n] == '=' : arg[2] != '\0') ? 0 : 1;
		}
	}
	return -2;
}
