/* opts_lint.c - what no compiler sees in a table of options; the tests look at every table. */
#include "base/opts_inner.h"

#include <string.h>

#include "base/magic.h"
#include "base/mem.h"

/* Variables that aegis sets for the programs it runs (design.md §7): an option may not
 * read them, or a wrapper inside a wrapper would take its parent's for its own. */
static const char *const reserved[] = {
	"AEGIS_SERVICE", "AEGIS_INSTANCE", "AEGIS_ROLE", "AEGIS_EPOCH", "AEGIS_API",
	"AEGIS_API_TOKEN", "AEGIS_CONFIG_FILE",
};

static enum err_code
lint_row(const struct opts *o, size_t at, struct err *err)
{
	const struct opt *row = o->marks[at].row;
	char name[OPTS_NAME_MAX];

	for (size_t i = 0; i < at; i++) {
		if (strcmp(o->marks[i].row->name, row->name) == 0)
			return err_set(err, ERR_CONFIG, "--%s stands twice", row->name);
		if (row->letter != 0 && o->marks[i].row->letter == row->letter)
			return err_set(err, ERR_CONFIG, "-%c is --%s and --%s", row->letter,
			    o->marks[i].row->name, row->name);
	}
	if ((row->type == OPTS_CHOICE) != (row->choices != NULL))
		return err_set(err, ERR_CONFIG, "--%s: choices do not fit its type", row->name);
	if (row->type == OPTS_SECRET && strstr(row->name, "-file") == NULL)
		return err_set(err, ERR_CONFIG, "--%s: a secret's name ends in -file", row->name);
	if (row->central && (!row->env || row->type == OPTS_LIST || row->type == OPTS_FILE || row->type == OPTS_SECRET ||
	    row->type == OPTS_SECRET_FD))
		return err_set(err, ERR_CONFIG, "--%s: a central setting is one value of configuration files, no list, path or secret",
		    row->name);
	if (row->live && !row->central)
		return err_set(err, ERR_CONFIG, "--%s: only a central setting can change while it is in use", row->name);
	opts_env_name(row, name);
	for (size_t i = 0; row->env && i < COUNT_OF(reserved); i++)
		if (strcmp(name, reserved[i]) == 0)
			return err_set(err, ERR_CONFIG, "--%s: %s is reserved for workloads", row->name, name);
	return ERR_OK;
}

enum err_code
opts_lint(const struct opts_table *tables, struct err *err)
{
	enum err_code code = ERR_OK;
	size_t size = 0;

	for (const struct opts_table *t = tables; t->title != NULL; t++)
		for (const struct opt *row = t->rows; row->name != NULL; row++)
			if (t->base + row->at + sizeof(struct opts_list) > size)
				size = t->base + row->at + sizeof(struct opts_list);
	struct opts o = { .tables = tables, .target = mem_new(size + 1), .n = opts_count_rows(tables) };
	o.marks = mem_array(o.n + 1, sizeof *o.marks);
	size_t n = 0;
	for (const struct opts_table *t = tables; t->title != NULL; t++) {
		for (const struct opt *row = t->rows; row->name != NULL && code == ERR_OK; row++) {
			o.marks[n] = (struct opts_mark){ .row = row, .table = t, .source = "" };
			if ((code = lint_row(&o, n, err)) == ERR_OK && row->def != NULL)
				code = opts_set(&o, &o.marks[n], OPTS_DEFAULT, row->name, row->def, err);
			n++;
		}
	}
	o.n = n;
	char *target = o.target;
	opts_release(&o);
	mem_free(target);
	return code;
}
