/* opts.c - options as a struct that several sources fill: names, origins, and who wins.
 *
 * Every source ends in opts_set, which decides by origin whether the value counts and
 * then by the row's type what it means (opts_value.c).  So the sources may be read in any
 * order: the command line in opts_parse.c, variables in opts_env.c, files above this floor. */
#include "base/opts_inner.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"

static const char *const type_names[] = {
	[OPTS_FLAG] = "flag", [OPTS_TEXT] = "text", [OPTS_FILE] = "file", [OPTS_INT] = "int",
	[OPTS_UINT] = "uint", [OPTS_DURATION] = "duration", [OPTS_SIZE] = "size",
	[OPTS_CHOICE] = "choice", [OPTS_LIST] = "list", [OPTS_SECRET] = "secret file",
	[OPTS_SECRET_FD] = "secret descriptor",
};

static const char *const origin_names[] = {
	[OPTS_DEFAULT] = "default", [OPTS_SELECTED] = "selected context", [OPTS_CENTRAL] = "central",
	[OPTS_SYSTEM_FILE] = "system file", [OPTS_USER_FILE] = "file", [OPTS_CONTEXT] = "context",
	[OPTS_INHERITED] = "inherited environment", [OPTS_ENV] = "environment", [OPTS_LINE] = "option",
};

static bool
is_secret(const struct opt *row)
{
	return row->type == OPTS_SECRET || row->type == OPTS_SECRET_FD;
}

void
opts_list_add(struct opts_list *l, const char *text)
{
	l->v = mem_resize(l->v, l->n + 1, sizeof *l->v);
	l->v[l->n++] = text;
}

const char *
opts_own(struct opts *o, char *text)
{
	opts_list_add(&o->owned, text);
	return text;
}

/* --- names ----------------------------------------------------------------------------- */

void
opts_name_with(const char *prefix, const char *name, size_t n, bool upper, char out[OPTS_NAME_MAX])
{
	size_t at = strlen(prefix);

	MUST(at + n < OPTS_NAME_MAX);
	memcpy(out, prefix, at);
	for (size_t i = 0; i < n; i++) {
		char c = name[i] == '-' ? '_' : name[i];
		out[at++] = upper ? (char)toupper((unsigned char)c) : c;
	}
	out[at] = '\0';
}

void
opts_env_name(const struct opt *row, char out[OPTS_NAME_MAX])
{
	opts_name_with("AEGIS_", row->name, strlen(row->name), true, out);
}

void
opts_secret_name(const struct opt *row, char out[OPTS_NAME_MAX])
{
	const char *tail = strstr(row->name, "-file");

	opts_name_with("AEGIS_", row->name, tail != NULL ? (size_t)(tail - row->name) : strlen(row->name), true, out);
}

void
opts_key_name(const struct opt *row, char out[OPTS_NAME_MAX])
{
	opts_name_with("", row->name, strlen(row->name), false, out);
}

const char *
opts_type_name(enum opts_type type)
{
	return type_names[type];
}

const char *
opts_origin_name(enum opts_origin origin)
{
	return origin_names[origin];
}

/* --- one value, whatever its source ------------------------------------------------------ */

enum opts_origin
opts_strongest(const struct opts *o, const struct opts_mark *m)
{
	enum opts_origin origin = m->origin;

	for (size_t i = 0; i < o->n; i++)
		if (o->marks[i].row != NULL && opts_member(o, &o->marks[i]) == opts_member(o, m) &&
		    o->marks[i].origin > origin)
			origin = o->marks[i].origin;
	return origin;
}

enum err_code
opts_set(struct opts *o, struct opts_mark *m, enum opts_origin origin, const char *source,
    const char *text, struct err *err)
{
	struct err why = { .code = ERR_OK };

	if (origin < opts_strongest(o, m))
		return ERR_OK;
	if (opts_assign(o, m, origin, text, &why) != ERR_OK)
		return err_set(err, origin == OPTS_LINE ? ERR_USAGE : ERR_CONFIG, "%s: %s", source, why.text);
	m->origin = origin;
	m->source = opts_own(o, mem_text(source));
	m->text = is_secret(m->row) ? NULL : opts_own(o, mem_text(text));
	return ERR_OK;
}

void
opts_set_secret(struct opts *o, struct opts_mark *m, enum opts_origin origin, const char *source,
    const char *value)
{
	MUST(is_secret(m->row));
	if (origin < opts_strongest(o, m))
		return;
	*(const char **)opts_member(o, m) = opts_own(o, mem_text(value));
	m->origin = origin;
	m->source = opts_own(o, mem_text(source));
	m->text = NULL;
}

static bool
is_overlaid(const struct opts_mark *m, enum opts_origin above)
{
	return m->origin > above && m->text != NULL && m->row->type != OPTS_LIST;
}

void
opts_overlay(struct opts *o, const struct opts *from, enum opts_origin above)
{
	struct err err;

	MUST(o->n == from->n);
	for (size_t i = 0; i < o->n; i++) {
		const struct opts_mark *m = &from->marks[i];
		/* It was taken before, so it is taken again. */
		if (is_overlaid(m, above))
			MUST(opts_set(o, &o->marks[i], m->origin, m->source, m->text, &err) == ERR_OK);
	}
}

bool
opts_same(const struct opts *a, const struct opts *b, size_t i)
{
	const void *one = opts_member(a, &a->marks[i]), *other = opts_member(b, &b->marks[i]);
	const char *text, *second;

	MUST(a->marks[i].row == b->marks[i].row);
	switch (a->marks[i].row->type) {
	case OPTS_FLAG:
		return *(const bool *)one == *(const bool *)other;
	case OPTS_CHOICE:
		return *(const int *)one == *(const int *)other;
	case OPTS_INT:
	case OPTS_UINT:
	case OPTS_DURATION:
	case OPTS_SIZE:
		return *(const int64_t *)one == *(const int64_t *)other;
	case OPTS_TEXT:
	case OPTS_FILE:
	case OPTS_SECRET:
	case OPTS_SECRET_FD:
		text = *(const char *const *)one;
		second = *(const char *const *)other;
		return text == second || (text != NULL && second != NULL && strcmp(text, second) == 0);
	case OPTS_LIST:
		break;
	}
	MUST(!"a row with one value");
	return false;
}

/* --- life ------------------------------------------------------------------------------ */

size_t
opts_count_rows(const struct opts_table *tables)
{
	size_t n = 0;

	for (; tables->title != NULL; tables++)
		for (const struct opt *row = tables->rows; row->name != NULL; row++)
			n++;
	return n;
}

void
opts_init(struct opts *o, const struct opts_table *tables, void *target)
{
	struct err err;
	size_t n = 0;

	*o = (struct opts){ .tables = tables, .target = target, .n = opts_count_rows(tables) };
	o->marks = mem_array(o->n + 1, sizeof *o->marks);
	for (const struct opts_table *t = tables; t->title != NULL; t++) {
		for (const struct opt *row = t->rows; row->name != NULL; row++) {
			struct opts_mark *m = &o->marks[n++];
			*m = (struct opts_mark){ .row = row, .table = t, .origin = OPTS_DEFAULT, .source = "" };
			/* opts_lint has looked at every default in the tests. */
			if (row->def != NULL)
				MUST(opts_set(o, m, OPTS_DEFAULT, "", row->def, &err) == ERR_OK);
		}
	}
}

void
opts_release(struct opts *o)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->marks[i].row->type == OPTS_LIST)
			mem_free(((struct opts_list *)opts_member(o, &o->marks[i]))->v);
	for (size_t i = 0; i < o->owned.n; i++) {
		char *text = (char *)o->owned.v[i];
		explicit_bzero(text, strlen(text));
		mem_free(text);
	}
	for (size_t i = 0; i < o->warnings.n; i++)
		mem_free((char *)o->warnings.v[i]);
	mem_free(o->warnings.v);
	mem_free(o->owned.v);
	mem_free(o->words);
	mem_free(o->marks);
	*o = (struct opts){ .tables = o->tables };
}

void
opts_warn(struct opts *o, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	opts_list_add(&o->warnings, mem_text(text));
}

const char *
opts_keep(struct opts *o, const char *text)
{
	return opts_own(o, mem_text(text));
}

struct opts_mark *
opts_mark(const struct opts *o, const char *name)
{
	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->marks[i].row->name, name) == 0)
			return &o->marks[i];
	MUST(!"an option of this command");
	return NULL;
}

struct opts_mark *
opts_find(struct opts *o, const char *area, const char *key)
{
	char name[OPTS_NAME_MAX];

	for (size_t i = 0; i < o->n; i++) {
		struct opts_mark *m = &o->marks[i];
		if (!m->row->env || m->table->area == NULL || strcmp(m->table->area, area) != 0)
			continue;
		opts_key_name(m->row, name);
		if (strcmp(name, key) == 0)
			return m;
	}
	return NULL;
}
