/* schema.c - schemas as people write them, made into rules.
 *
 * One row of a table per keyword: what it is called, how its value is read, and which member of
 * a rule it fills.  A keyword without a row is refused. */
#include "model/schema.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/near.h"
#include "model/schema_inner.h"

#define DRAFT "https://json-schema.org/draft/2020-12/schema"

struct schema_memory {
	struct schema_memory *next;
	max_align_t data[];
};

struct definition_rule {
	struct text name;
	struct rule *rule;
};

struct compiler {
	struct schema *s;
	struct definition_rule *defs;	/* of the root's $defs, known before any of them is read */
	uint32_t ndefs;
	struct err *err;
};

struct keyword {
	const char *name;
	bool (*read)(struct compiler *c, const struct keyword *k, struct rule *r, const struct value *v,
	    const struct place *at);	/* NULL: a note */
	size_t member;			/* of struct rule */
};

static void *
keep(struct schema *s, size_t n, size_t size)
{
	struct schema_memory *m = mem_new(sizeof *m + n * size);

	m->next = s->kept;
	s->kept = m;
	return m->data;
}

static bool
wrong(struct compiler *c, const struct place *at, const char *what)
{
	char where[PLACE_TEXT_MAX];

	place_text(at, where);
	err_set(c->err, ERR_INVALID, "at %s: %s", where, what);
	return false;
}

/* --- copies of values -------------------------------------------------------------------- */

static struct text
copy_text(struct schema *s, struct text t)
{
	char *p = keep(s, t.n + 1, 1);

	if (t.n > 0)
		memcpy(p, t.p, t.n);
	return (struct text){ p, t.n };
}

static void
copy_value(struct schema *s, const struct value *from, struct value *to)
{
	*to = *from;
	switch (from->type) {
	case VALUE_TEXT:
	case VALUE_BYTES:
		to->u.text = copy_text(s, from->u.text);
		break;
	case VALUE_ARRAY:
		to->u.items = keep(s, from->n, sizeof *to->u.items);
		for (uint32_t i = 0; i < from->n; i++)
			copy_value(s, &from->u.items[i], &to->u.items[i]);
		break;
	case VALUE_MAP:
		to->u.pairs = keep(s, from->n, sizeof *to->u.pairs);
		for (uint32_t i = 0; i < from->n; i++) {
			to->u.pairs[i].key = copy_text(s, from->u.pairs[i].key);
			copy_value(s, &from->u.pairs[i].value, &to->u.pairs[i].value);
		}
		break;
	default:
		break;
	}
}

static const struct value *
kept_value(struct schema *s, const struct value *v)
{
	struct value *own = keep(s, 1, sizeof *own);

	copy_value(s, v, own);
	return own;
}

/* --- one reader for each kind of keyword -------------------------------------------------- */

#define MEMBER(type, r, k) ((type *)(void *)((char *)(r) + (k)->member))
#define READER(name) static bool name(struct compiler *c, const struct keyword *k, struct rule *r, \
	const struct value *v, const struct place *at)

static struct rule *compile(struct compiler *c, const struct value *v, const struct place *at);

READER(read_schema)
{
	return (*MEMBER(struct rule *, r, k) = compile(c, v, at)) != NULL;
}

READER(read_items)
{
	if (v->type == VALUE_ARRAY)
		return wrong(c, at, "a list of schemas is called prefixItems since draft 2020-12; items is one schema, for the rest");
	return read_schema(c, k, r, v, at);
}

READER(read_schemas)
{
	struct rule_list *list = MEMBER(struct rule_list, r, k);

	if (v->type != VALUE_ARRAY || v->n == 0)
		return wrong(c, at, "must be a list of one or more schemas");
	list->v = keep(c->s, v->n, sizeof *list->v);
	for (list->n = 0; list->n < v->n; list->n++) {
		struct place here = { at, { NULL, 0 }, list->n };
		if ((list->v[list->n] = compile(c, &v->u.items[list->n], &here)) == NULL)
			return false;
	}
	return true;
}

/* once: a name that is there twice would leave open which of the two is meant. */
static bool
once(struct compiler *c, const struct value *map, uint32_t i, const struct place *at)
{
	return member_of(map, map->u.pairs[i].key) == &map->u.pairs[i].value || wrong(c, at, "is there twice");
}

/* read_members: properties and patternProperties; *n counts what of *out is filled. */
static bool
read_members(struct compiler *c, const struct value *v, const struct place *at, bool patterns,
    struct member_rule **out, uint32_t *n)
{
	if (v->type != VALUE_MAP)
		return wrong(c, at, "must be an object whose members are schemas");
	*out = keep(c->s, v->n, sizeof **out);
	for (uint32_t i = 0; i < v->n; i++) {
		const struct value_pair *pair = &v->u.pairs[i];
		struct place here = { at, pair->key, 0 };
		struct member_rule *m = &(*out)[i];
		struct err why;
		*n = i + 1;
		if (!once(c, v, i, &here))
			return false;
		m->name = copy_text(c->s, pair->key);
		if (patterns && (m->pattern = regex_new(pair->key, &why)) == NULL)
			return wrong(c, &here, why.text);
		if ((m->rule = compile(c, &pair->value, &here)) == NULL)
			return false;
	}
	return true;
}

READER(read_properties)
{
	(void)k;
	return read_members(c, v, at, false, &r->properties, &r->nproperties);
}

READER(read_patterns)
{
	(void)k;
	return read_members(c, v, at, true, &r->patterns, &r->npatterns);
}

READER(read_pattern)
{
	struct err why;

	(void)k;
	if (v->type != VALUE_TEXT)
		return wrong(c, at, "must be a string");
	r->pattern = regex_new(v->u.text, &why);
	return r->pattern != NULL || wrong(c, at, why.text);
}

static unsigned
type_bit(struct text t)
{
	static const struct { const char *name; unsigned bit; } types[] = {
		{ "array", TYPE_ARRAY }, { "boolean", TYPE_BOOLEAN }, { "integer", TYPE_INTEGER }, { "null", TYPE_NULL },
		{ "number", TYPE_NUMBER }, { "object", TYPE_OBJECT }, { "string", TYPE_STRING },
	};

	for (size_t i = 0; i < COUNT_OF(types); i++)
		if (text_is(t, types[i].name))
			return types[i].bit;
	return 0;
}

READER(read_type)
{
	const struct value *items = v->type == VALUE_ARRAY ? v->u.items : v;
	uint32_t n = v->type == VALUE_ARRAY ? v->n : 1;

	(void)k;
	for (uint32_t i = 0; i < n; i++) {
		unsigned bit = items[i].type == VALUE_TEXT ? type_bit(items[i].u.text) : 0;
		if (bit == 0)
			return wrong(c, at, "must be array, boolean, integer, null, number, object or string, or a list of them");
		r->types |= (uint8_t)bit;
	}
	return n > 0 || wrong(c, at, "must name at least one type");
}

READER(read_constant)
{
	(void)at;
	*MEMBER(const struct value *, r, k) = kept_value(c->s, v);
	return true;
}

READER(read_choices)
{
	if (v->type != VALUE_ARRAY || v->n == 0)
		return wrong(c, at, "must be a list of one or more values");
	return read_constant(c, k, r, v, at);
}

READER(read_required)
{
	bool names = v->type == VALUE_ARRAY;

	for (uint32_t i = 0; names && i < v->n; i++)
		names = v->u.items[i].type == VALUE_TEXT;
	return names ? read_constant(c, k, r, v, at) : wrong(c, at, "must be a list of names");
}

READER(read_bound)
{
	struct bound *b = MEMBER(struct bound, r, k);

	b->given = number_of(v, &b->n);
	if (!b->given)
		return wrong(c, at, "must be a number");
	if (b == &r->multiple && !(b->n > 0))
		return wrong(c, at, "must be greater than 0");
	return true;
}

READER(read_count)
{
	long double n;

	if (!number_of(v, &n) || n < 0 || n != floorl(n) || n > 0x1p53L)
		return wrong(c, at, "must be a whole number, 0 or greater");
	*MEMBER(uint64_t, r, k) = (uint64_t)n;
	return true;
}

READER(read_unique)
{
	(void)k;
	return value_bool(v, &r->unique) || wrong(c, at, "must be true or false");
}

/* is_named: a token of a JSON Pointer, in which ~1 is '/' and ~0 is '~', is this name. */
static bool
is_named(struct text name, struct text token)
{
	size_t n = 0;

	for (size_t i = 0; i < token.n; i++, n++) {
		char c = token.p[i];
		if (c == '~' && i + 1 < token.n)
			c = token.p[++i] == '1' ? '/' : '~';
		if (n >= name.n || name.p[n] != c)
			return false;
	}
	return n == name.n;
}

READER(read_ref)
{
	static const char begin[] = "#/$defs/";
	struct text to = { NULL, 0 };

	(void)k;
	value_text(v, &to);
	if (text_is(to, "#")) {
		r->ref = c->s->root;
		return true;
	}
	if (to.n < sizeof begin || memcmp(to.p, begin, sizeof begin - 1) != 0)
		return wrong(c, at, "only \"#\" and \"#/$defs/NAME\" can be referred to");
	to = (struct text){ to.p + sizeof begin - 1, to.n - (sizeof begin - 1) };
	for (uint32_t i = 0; i < c->ndefs && r->ref == NULL; i++)
		if (is_named(c->defs[i].name, to))
			r->ref = c->defs[i].rule;
	return r->ref != NULL || wrong(c, at, "the root's $defs has no such name");
}

READER(read_root_only)
{
	(void)k;
	(void)v;
	return r == c->s->root || wrong(c, at, "belongs to the schema's root; move it there");
}

READER(read_draft)
{
	struct text t = { NULL, 0 };

	(void)k;
	(void)r;
	value_text(v, &t);
	if (t.n > 0 && t.p[t.n - 1] == '#')
		t.n--;
	return text_is(t, DRAFT) || wrong(c, at, "must be \"" DRAFT "\", the draft that is understood here");
}

#define FILLS(member) offsetof(struct rule, member)

static const struct keyword keywords[] = {
	{ "$comment", NULL, 0 },
	{ "$defs", read_root_only, 0 },
	{ "$id", read_root_only, 0 },
	{ "$ref", read_ref, 0 },
	{ "$schema", read_draft, 0 },
	{ "additionalProperties", read_schema, FILLS(additional) },
	{ "allOf", read_schemas, FILLS(all) },
	{ "anyOf", read_schemas, FILLS(any) },
	{ "const", read_constant, FILLS(constant) },
	{ "contentEncoding", NULL, 0 },
	{ "contentMediaType", NULL, 0 },
	{ "default", NULL, 0 },
	{ "deprecated", NULL, 0 },
	{ "description", NULL, 0 },
	{ "else", read_schema, FILLS(else_) },
	{ "enum", read_choices, FILLS(choices) },
	{ "examples", NULL, 0 },
	{ "exclusiveMaximum", read_bound, FILLS(below) },
	{ "exclusiveMinimum", read_bound, FILLS(above) },
	{ "format", NULL, 0 },
	{ "if", read_schema, FILLS(if_) },
	{ "items", read_items, FILLS(items) },
	{ "maxItems", read_count, FILLS(items_count.most) },
	{ "maxLength", read_count, FILLS(length.most) },
	{ "maxProperties", read_count, FILLS(members.most) },
	{ "maximum", read_bound, FILLS(maximum) },
	{ "minItems", read_count, FILLS(items_count.least) },
	{ "minLength", read_count, FILLS(length.least) },
	{ "minProperties", read_count, FILLS(members.least) },
	{ "minimum", read_bound, FILLS(minimum) },
	{ "multipleOf", read_bound, FILLS(multiple) },
	{ "not", read_schema, FILLS(not_) },
	{ "oneOf", read_schemas, FILLS(one) },
	{ "pattern", read_pattern, 0 },
	{ "patternProperties", read_patterns, 0 },
	{ "prefixItems", read_schemas, FILLS(prefix) },
	{ "properties", read_properties, 0 },
	{ "propertyNames", read_schema, FILLS(names) },
	{ "readOnly", NULL, 0 },
	{ "required", read_required, FILLS(required) },
	{ "then", read_schema, FILLS(then_) },
	{ "title", NULL, 0 },
	{ "type", read_type, 0 },
	{ "uniqueItems", read_unique, 0 },
	{ "writeOnly", NULL, 0 },
};

/* --- schemas ----------------------------------------------------------------------------- */

static const struct keyword *
keyword_of(struct text name)
{
	for (size_t i = 0; i < COUNT_OF(keywords); i++)
		if (text_is(name, keywords[i].name))
			return &keywords[i];
	return NULL;
}

static bool
unknown(struct compiler *c, struct text name, const struct place *at)
{
	const char *all[COUNT_OF(keywords)], *near[1];
	char what[200], given[64];

	for (size_t i = 0; i < COUNT_OF(keywords); i++)
		all[i] = keywords[i].name;
	snprintf(given, sizeof given, "%.*s", (int)(name.n < 60 ? name.n : 60), name.p);
	if (near_pick(given, all, COUNT_OF(all), near, 1) > 0)
		snprintf(what, sizeof what, "no keyword that is supported; did you mean '%s'?", near[0]);
	else
		snprintf(what, sizeof what, "no keyword that is supported, so the schema would mean less than it says; "
		    "leave it out, or call it x-… if it is a note");
	return wrong(c, at, what);
}

static struct rule *
rule_new(struct compiler *c, const struct place *at)
{
	static const struct limits none = { 0, UINT64_MAX };

	if (++c->s->nrules > SCHEMA_RULES_MAX) {
		wrong(c, at, "more than 4096 schemas in this schema");
		return NULL;
	}
	struct rule *r = keep(c->s, 1, sizeof *r);
	r->length = r->items_count = r->members = none;
	r->next = c->s->rules;
	c->s->rules = r;
	return r;
}

/* fill: r from what was written; r exists before, so that $ref can lead to it. */
static bool
fill(struct compiler *c, struct rule *r, const struct value *v, const struct place *at)
{
	bool yes;

	if (value_bool(v, &yes)) {
		r->never = !yes;
		return true;
	}
	if (v->type != VALUE_MAP)
		return wrong(c, at, "a schema is an object, true or false");
	for (uint32_t i = 0; i < v->n; i++) {
		const struct value_pair *pair = &v->u.pairs[i];
		struct place here = { at, pair->key, 0 };
		const struct keyword *k = keyword_of(pair->key);
		if (!once(c, v, i, &here))
			return false;
		if (k == NULL && pair->key.n > 2 && memcmp(pair->key.p, "x-", 2) == 0)
			continue;
		if (k == NULL)
			return unknown(c, pair->key, &here);
		if (k->read != NULL && !k->read(c, k, r, &pair->value, &here))
			return false;
	}
	return true;
}

static struct rule *
compile(struct compiler *c, const struct value *v, const struct place *at)
{
	struct rule *r = rule_new(c, at);

	return r != NULL && fill(c, r, v, at) ? r : NULL;
}

/* compile_defs: all names first, because they may refer to each other. */
static bool
compile_defs(struct compiler *c, const struct value *defs)
{
	struct place at = { NULL, text_of("$defs"), 0 };

	if (defs == NULL)
		return true;
	if (defs->type != VALUE_MAP)
		return wrong(c, &at, "must be an object whose members are schemas");
	c->defs = keep(c->s, defs->n, sizeof *c->defs);
	for (; c->ndefs < defs->n; c->ndefs++) {
		struct rule *r = rule_new(c, &at);
		if (r == NULL)
			return false;
		c->defs[c->ndefs] = (struct definition_rule){ defs->u.pairs[c->ndefs].key, r };
	}
	for (uint32_t i = 0; i < defs->n; i++) {
		struct place here = { &at, defs->u.pairs[i].key, 0 };
		if (!once(c, defs, i, &here) || !fill(c, c->defs[i].rule, &defs->u.pairs[i].value, &here))
			return false;
	}
	return true;
}

/* --- chains ------------------------------------------------------------------------------ */

#define BEING_MEASURED UINT8_MAX

static unsigned measure(struct rule *r);

static void
measure_one(struct rule *r, unsigned *most)
{
	unsigned h = r != NULL ? measure(r) : 0;

	*most = h > *most ? h : *most;
}

static void
measure_list(const struct rule_list *l, unsigned *most)
{
	for (uint32_t i = 0; i < l->n; i++)
		measure_one(l->v[i], most);
}

/* measure: how long the chain of rules is that a value meets here; one that leads back to itself
 * is as good as endless.  The stack that a check needs follows from it. */
static unsigned
measure(struct rule *r)
{
	unsigned most = 0;

	if (r->height == BEING_MEASURED)
		return SCHEMA_CHAIN_MAX + 1;
	if (r->height > 0)
		return r->height;
	r->height = BEING_MEASURED;
	measure_list(&r->all, &most);
	measure_list(&r->any, &most);
	measure_list(&r->one, &most);
	measure_one(r->not_, &most);
	measure_one(r->if_, &most);
	measure_one(r->then_, &most);
	measure_one(r->else_, &most);
	measure_one(r->ref, &most);
	r->height = (uint8_t)(most > SCHEMA_CHAIN_MAX ? SCHEMA_CHAIN_MAX + 1 : most + 1);
	return r->height;
}

static bool
check_chains(struct compiler *c)
{
	for (struct rule *r = c->s->rules; r != NULL; r = r->next)
		if (measure(r) > SCHEMA_CHAIN_MAX)
			return wrong(c, NULL, "$ref, allOf, anyOf, oneOf, not and if lead to each other without end, or more than "
			    "16 deep; let properties or items lie between them");
	return true;
}

/* --- life -------------------------------------------------------------------------------- */

struct schema *
schema_new(const struct value *v, struct err *err)
{
	struct schema *s = mem_new(sizeof *s);
	struct compiler c = { .s = s, .err = err };

	if ((s->root = rule_new(&c, NULL)) != NULL && compile_defs(&c, value_field(v, "$defs")) &&
	    fill(&c, s->root, v, NULL) && check_chains(&c))
		return s;
	schema_free(s);
	return NULL;
}

void
schema_free(struct schema *s)
{
	struct schema_memory *next;

	if (s == NULL)
		return;
	for (struct rule *r = s->rules; r != NULL; r = r->next) {
		regex_free(r->pattern);
		for (uint32_t i = 0; i < r->npatterns; i++)
			regex_free(r->patterns[i].pattern);
	}
	for (struct schema_memory *m = s->kept; m != NULL; m = next) {
		next = m->next;
		mem_free(m);
	}
	mem_free(s);
}
