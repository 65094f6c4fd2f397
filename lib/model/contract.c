/* contract.c - schemas by part and name, sorted, so that one look-up is a binary search. */
#include "model/contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "model/names.h"
#include "model/schema_inner.h"

struct clause {
	char *name;
	struct schema *schema;
};

struct part {
	struct clause *v;
	size_t n, cap;
};

struct contract {
	struct part parts[CONTRACT_PARTS];
};

/* Which section holds what: one row per part of an entry; no key: the entry is the schema. */
static const struct section_row {
	const char *section, *key;
	enum contract_part part;
	enum name_kind name;
} rows[] = {
	{ "methods", "params", CONTRACT_PARAMS, NAME_METHOD_CALLED },
	{ "methods", "result", CONTRACT_RESULT, NAME_METHOD_CALLED },
	{ "events", NULL, CONTRACT_EVENT, NAME_EVENT_TYPE },
	{ "commands", "params", CONTRACT_COMMAND, NAME_COMMAND },
	{ "commands", "result", CONTRACT_COMMAND_RESULT, NAME_COMMAND },
};

const char *
contract_part_name(enum contract_part part)
{
	static const char *const names[] = {
		[CONTRACT_PARAMS] = "parameters of method", [CONTRACT_RESULT] = "result of method",
		[CONTRACT_EVENT] = "payload of event", [CONTRACT_COMMAND] = "payload of command",
		[CONTRACT_COMMAND_RESULT] = "result of command",
	};

	return names[part];
}

static bool
wrong(const struct place *at, struct err *err, const char *what)
{
	char where[PLACE_TEXT_MAX];

	place_text(at, where);
	err_set(err, ERR_INVALID, "at %s: %s", where, what);
	return false;
}

static bool
add(struct contract *c, enum contract_part part, struct text name, const struct value *v, const struct place *at,
    struct err *err)
{
	struct part *p = &c->parts[part];
	struct schema *s = schema_new(v, err);
	char where[PLACE_TEXT_MAX];

	if (s == NULL) {
		place_text(at, where);
		err_prefix(err, "in the schema %s", where);
		return false;
	}
	mem_grow(&p->v, &p->cap, p->n + 1, sizeof *p->v);
	p->v[p->n++] = (struct clause){ mem_text_n(name.p, name.n), s };
	return true;
}

/* check_name: events are DOMAIN.TYPE, the rest one name of its kind. */
static bool
check_name(const struct section_row *row, struct text key, const struct place *at, struct err *err)
{
	char *name = mem_text_n(key.p, key.n), *dot = strchr(name, '.');
	struct err why = { ERR_OK, "" };
	enum err_code code;

	if (row->part != CONTRACT_EVENT) {
		code = name_check(row->name, name, &why);
	} else if (dot == NULL) {
		code = err_set(&why, ERR_INVALID, "the name of an event is DOMAIN.TYPE, such as order.created");
	} else {
		*dot = '\0';
		code = name_check(NAME_DOMAIN, name, &why);
		if (code == ERR_OK)
			code = name_check(NAME_EVENT_TYPE, dot + 1, &why);
	}
	mem_free(name);
	return code == ERR_OK || wrong(at, err, why.text);
}

/* read_entry: one method or command. */
static bool
read_entry(struct contract *c, const struct section_row *row, const struct value_pair *entry,
    const struct place *at, struct err *err)
{
	if (entry->value.type != VALUE_MAP)
		return wrong(at, err, "must be an object with \"params\", \"result\" or both");
	for (uint32_t i = 0; i < entry->value.n; i++) {
		const struct value_pair *pair = &entry->value.u.pairs[i];
		struct place here = { at, pair->key, 0 };
		bool known = text_is(pair->key, "description");
		if (member_of(&entry->value, pair->key) != &pair->value)
			return wrong(&here, err, "is there twice");
		for (size_t k = 0; k < COUNT_OF(rows); k++) {
			if (strcmp(rows[k].section, row->section) != 0 || !text_is(pair->key, rows[k].key))
				continue;
			known = true;
			if (!add(c, rows[k].part, entry->key, &pair->value, &here, err))
				return false;
		}
		if (!known)
			return wrong(&here, err, "no member of an entry; there are params, result and description");
	}
	return true;
}

static bool
read_section(struct contract *c, const struct section_row *row, const struct value *v, const struct place *at,
    struct err *err)
{
	if (v->type != VALUE_MAP)
		return wrong(at, err, "must be an object whose members are names");
	for (uint32_t i = 0; i < v->n; i++) {
		const struct value_pair *pair = &v->u.pairs[i];
		struct place here = { at, pair->key, 0 };
		if (member_of(v, pair->key) != &pair->value)
			return wrong(&here, err, "is there twice");
		if (!check_name(row, pair->key, &here, err))
			return false;
		if (row->key == NULL ? !add(c, row->part, pair->key, &pair->value, &here, err)
		    : !read_entry(c, row, pair, &here, err))
			return false;
	}
	return true;
}

static bool
read_all(struct contract *c, const struct value *v, struct err *err)
{
	if (v->type != VALUE_MAP)
		return wrong(NULL, err, "a contract is an object with methods, events and commands");
	for (uint32_t i = 0; i < v->n; i++) {
		const struct value_pair *pair = &v->u.pairs[i];
		struct place here = { NULL, pair->key, 0 };
		const struct section_row *row = NULL;
		for (size_t k = 0; k < COUNT_OF(rows) && row == NULL; k++)
			row = text_is(pair->key, rows[k].section) ? &rows[k] : NULL;
		if (row == NULL)
			return wrong(&here, err, "no member of a contract; there are methods, events and commands");
		if (member_of(v, pair->key) != &pair->value)
			return wrong(&here, err, "is there twice");
		if (!read_section(c, row, &pair->value, &here, err))
			return false;
	}
	return true;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct clause *)a)->name, ((const struct clause *)b)->name);
}

struct contract *
contract_new(const struct value *v, struct err *err)
{
	struct contract *c = mem_new(sizeof *c);

	if (!read_all(c, v, err)) {
		contract_free(c);
		return NULL;
	}
	for (size_t i = 0; i < CONTRACT_PARTS; i++)
		if (c->parts[i].n > 0)
			qsort(c->parts[i].v, c->parts[i].n, sizeof *c->parts[i].v, by_name);
	return c;
}

void
contract_free(struct contract *c)
{
	for (size_t i = 0; c != NULL && i < CONTRACT_PARTS; i++) {
		for (size_t k = 0; k < c->parts[i].n; k++) {
			mem_free(c->parts[i].v[k].name);
			schema_free(c->parts[i].v[k].schema);
		}
		mem_free(c->parts[i].v);
	}
	mem_free(c);
}

static int
compare(const void *key, const void *clause)
{
	const struct text *t = key;
	const char *name = ((const struct clause *)clause)->name;
	int diff = strncmp(t->p, name, t->n);

	return diff != 0 ? diff : name[t->n] != '\0' ? -1 : 0;
}

const struct schema *
contract_find(const struct contract *c, enum contract_part part, struct text name)
{
	const struct part *p = &c->parts[part];
	const struct clause *found = p->n == 0 || name.p == NULL ? NULL
	    : bsearch(&name, p->v, p->n, sizeof *p->v, compare);

	return found != NULL ? found->schema : NULL;
}

size_t
contract_count(const struct contract *c, enum contract_part part)
{
	return c->parts[part].n;
}
