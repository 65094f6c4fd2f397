/* schema_check.c - values held against compiled rules.
 *
 * What is tried without meaning it (anyOf, oneOf, not, if) runs without an error to write to.
 * Everything that loops pays from one purse; when it is empty the whole check is over,
 * whatever a `not` around it would make of that. */
#include "model/schema.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/utf8.h"
#include "model/schema_inner.h"

struct check {
	uint64_t steps;			/* that are left; 0: over */
	struct err *err;		/* NULL: nobody wants to know why */
};

/* --- places and values ------------------------------------------------------------------- */

/* place_put: t before what begins at *p; false when it does not fit above `least`. */
static bool
put_before(char **p, const char *least, const char *t, size_t n)
{
	if ((size_t)(*p - least) < n)
		return false;
	*p -= n;
	memcpy(*p, t, n);
	return true;
}

static bool
put_key(char **p, const char *least, struct text key)
{
	bool fits = true;

	for (size_t i = key.n; fits && i > 0; i--) {
		char c = key.p[i - 1];
		if (c == '~')
			fits = put_before(p, least, "~0", 2);
		else if (c == '/')
			fits = put_before(p, least, "~1", 2);
		else
			fits = put_before(p, least, (unsigned char)c < 0x20 ? "?" : &c, 1);
	}
	return fits && put_before(p, least, "/", 1);
}

void
place_text(const struct place *at, char out[PLACE_TEXT_MAX])
{
	char buf[PLACE_TEXT_MAX], number[16], *p = buf + sizeof buf - 2;
	const char *least = buf + 8;		/* room for the quote and what stands for the rest */
	bool fits = true;

	if (at == NULL) {
		snprintf(out, PLACE_TEXT_MAX, "the root");
		return;
	}
	memcpy(p, "'", 2);
	for (; fits && at != NULL; at = at->up) {
		snprintf(number, sizeof number, "%" PRIu32, at->index);
		fits = put_key(&p, least, at->key.p != NULL ? at->key : text_of(number));
	}
	/* What was cut may begin inside a character. */
	while (!fits && ((unsigned char)*p & 0xc0) == 0x80)
		p++;
	snprintf(out, PLACE_TEXT_MAX, "'%s%s", fits ? "" : "…", p);
}

static bool
same_text(struct text a, struct text b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

const struct value *
member_of(const struct value *map, struct text key)
{
	for (uint32_t i = map->n; i > 0; i--)
		if (same_text(map->u.pairs[i - 1].key, key))
			return &map->u.pairs[i - 1].value;
	return NULL;
}

bool
number_of(const struct value *v, long double *out)
{
	switch (v->type) {
	case VALUE_INT:
		*out = (long double)v->u.integer;
		return true;
	case VALUE_UINT:
		*out = (long double)v->u.natural;
		return true;
	case VALUE_REAL:
		*out = (long double)v->u.real;
		return true;
	default:
		return false;
	}
}

static unsigned
type_of(const struct value *v)
{
	switch (v->type) {
	case VALUE_NULL:
		return TYPE_NULL;
	case VALUE_BOOL:
		return TYPE_BOOLEAN;
	case VALUE_INT:
	case VALUE_UINT:
		return TYPE_INTEGER;
	case VALUE_REAL:
		return v->u.real == floor(v->u.real) ? TYPE_INTEGER : TYPE_FRACTION;
	case VALUE_TEXT:
	case VALUE_BYTES:
		return TYPE_STRING;
	case VALUE_ARRAY:
		return TYPE_ARRAY;
	case VALUE_MAP:
		return TYPE_OBJECT;
	case VALUE_RAW:
		break;
	}
	return 0;		/* not decoded: nothing is known of it, and no type fits */
}

/* pay: false when the purse is empty, which ends the check. */
static bool
pay(struct check *c, uint64_t n)
{
	c->steps = c->steps > n ? c->steps - n : 0;
	return c->steps > 0;
}

static bool
fail(struct check *c, const struct place *at, const char *keyword, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static bool
fail(struct check *c, const struct place *at, const char *keyword, const char *fmt, ...)
{
	char where[PLACE_TEXT_MAX], why[200];
	va_list ap;

	if (c->err == NULL)
		return false;
	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	place_text(at, where);
	err_set(c->err, ERR_INVALID, "%s %s (%s)", at == NULL ? "the value" : where, why, keyword);
	return false;
}

/* --- equality ---------------------------------------------------------------------------- */

static bool same(struct check *c, const struct value *a, const struct value *b);

/* has_all: every member of a is in b, and the same. */
static bool
has_all(struct check *c, const struct value *a, const struct value *b)
{
	for (uint32_t i = 0; i < a->n; i++) {
		if (!pay(c, (uint64_t)a->n + b->n))
			return false;
		const struct value *mine = member_of(a, a->u.pairs[i].key), *other = member_of(b, a->u.pairs[i].key);
		if (other == NULL || !same(c, mine, other))
			return false;
	}
	return true;
}

static bool
same(struct check *c, const struct value *a, const struct value *b)
{
	long double x, y;

	if (!pay(c, 1))
		return false;
	if (number_of(a, &x))
		return number_of(b, &y) && x == y;
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case VALUE_NULL:
		return true;
	case VALUE_BOOL:
		return a->u.boolean == b->u.boolean;
	case VALUE_TEXT:
	case VALUE_BYTES:
		return pay(c, a->u.text.n / 16) && same_text(a->u.text, b->u.text);
	case VALUE_ARRAY:
		if (a->n != b->n)
			return false;
		for (uint32_t i = 0; i < a->n; i++)
			if (!same(c, &a->u.items[i], &b->u.items[i]))
				return false;
		return true;
	case VALUE_MAP:
		return has_all(c, a, b) && has_all(c, b, a);
	default:
		return false;
	}
}

/* --- keywords, by the type that they look at ---------------------------------------------- */

static bool rule_check(struct check *c, const struct rule *r, const struct value *v, const struct place *at);

static bool
check_choice(struct check *c, const struct rule *r, const struct value *v, const struct place *at)
{
	if (r->constant != NULL && !same(c, r->constant, v))
		return fail(c, at, "const", "is not the one value that is allowed");
	if (r->choices == NULL)
		return true;
	for (uint32_t i = 0; i < r->choices->n; i++)
		if (same(c, &r->choices->u.items[i], v))
			return true;
	return fail(c, at, "enum", "is none of the %" PRIu32 " values that are allowed", r->choices->n);
}

static bool
is_multiple(long double n, long double of)
{
	if (n == floorl(n) && of == floorl(of))
		return fmodl(n, of) == 0;
	/* Both stand for the decimal fraction that somebody wrote: what a double rounds off is forgiven. */
	double q = (double)n / (double)of;
	return isfinite(q) && fabs(q - nearbyint(q)) <= 0x1p-50 * fabs(q);
}

static bool
check_bound(struct check *c, const struct bound *b, bool holds, const char *keyword, const char *says,
    const struct place *at)
{
	char number[NUM_TEXT_MAX + 16];

	if (!b->given || holds)
		return true;
	if (b->n == floorl(b->n) && fabsl(b->n) < 0x1p64L)
		snprintf(number, sizeof number, "%.0Lf", b->n);
	else
		num_real_text((double)b->n, number);
	return fail(c, at, keyword, "must be %s %s", says, number);
}

static bool
check_number(struct check *c, const struct rule *r, const struct value *v, const struct place *at)
{
	long double n;

	if (!number_of(v, &n))
		return true;
	return check_bound(c, &r->minimum, n >= r->minimum.n, "minimum", "at least", at) &&
	    check_bound(c, &r->maximum, n <= r->maximum.n, "maximum", "at most", at) &&
	    check_bound(c, &r->above, n > r->above.n, "exclusiveMinimum", "greater than", at) &&
	    check_bound(c, &r->below, n < r->below.n, "exclusiveMaximum", "less than", at) &&
	    check_bound(c, &r->multiple, !r->multiple.given || is_multiple(n, r->multiple.n), "multipleOf",
	    "a multiple of", at);
}

static bool
check_limits(struct check *c, const struct limits *l, uint64_t n, const char *least, const char *most,
    const char *what, const struct place *at)
{
	if (n < l->least)
		return fail(c, at, least, "has %" PRIu64 " %s, fewer than %" PRIu64, n, what, l->least);
	if (n > l->most)
		return fail(c, at, most, "has %" PRIu64 " %s, more than %" PRIu64, n, what, l->most);
	return true;
}

static bool
has_limits(const struct limits *l)
{
	return l->least > 0 || l->most < UINT64_MAX;
}

static uint64_t
characters(struct text t)
{
	uint64_t n = 0;

	for (size_t i = 0; i < t.n; i++)
		n += ((unsigned char)t.p[i] & 0xc0) != 0x80;
	return n;
}

static bool
check_text(struct check *c, const struct rule *r, const struct value *v, const struct place *at)
{
	if (v->type != VALUE_TEXT && v->type != VALUE_BYTES)
		return true;
	bool text = v->type == VALUE_TEXT;
	if (has_limits(&r->length)) {
		uint64_t n = text ? characters(v->u.text) : ((uint64_t)v->u.text.n + 2) / 3 * 4;
		if (!pay(c, v->u.text.n / 16) ||
		    !check_limits(c, &r->length, n, "minLength", "maxLength", "characters", at))
			return false;
	}
	if (r->pattern == NULL || (text && regex_search(r->pattern, v->u.text, &c->steps)))
		return true;
	return fail(c, at, "pattern", "does not match");
}

static bool
check_unique(struct check *c, const struct value *v, const struct place *at)
{
	for (uint32_t i = 1; i < v->n; i++)
		for (uint32_t k = 0; k < i; k++)
			if (same(c, &v->u.items[k], &v->u.items[i]))
				return fail(c, at, "uniqueItems", "has the same item at %" PRIu32 " and %" PRIu32, k, i);
			else if (c->steps == 0)
				return false;
	return true;
}

static bool
check_array(struct check *c, const struct rule *r, const struct value *v, const struct place *at)
{
	if (v->type != VALUE_ARRAY)
		return true;
	if (!check_limits(c, &r->items_count, v->n, "minItems", "maxItems", "items", at))
		return false;
	for (uint32_t i = 0; i < v->n && (i < r->prefix.n || r->items != NULL); i++) {
		struct place here = { at, { NULL, 0 }, i };
		if (!rule_check(c, i < r->prefix.n ? r->prefix.v[i] : r->items, &v->u.items[i], &here))
			return false;
	}
	return !r->unique || check_unique(c, v, at);
}

static bool
check_required(struct check *c, const struct rule *r, const struct value *v, const struct place *at)
{
	for (uint32_t i = 0; r->required != NULL && i < r->required->n; i++) {
		struct text name = r->required->u.items[i].u.text;
		if (!pay(c, 1 + (uint64_t)v->n))
			return false;
		if (member_of(v, name) == NULL)
			return fail(c, at, "required", "has no member '%.*s'", (int)(name.n < 100 ? name.n : 100), name.p);
	}
	return true;
}

/* check_member: against all that speaks of a member of that name. */
static bool
check_member(struct check *c, const struct rule *r, const struct value_pair *pair, const struct place *at)
{
	struct place here = { at, pair->key, 0 };
	bool known = false;

	if (r->names != NULL &&
	    !rule_check(c, r->names, &(struct value){ .type = VALUE_TEXT, .u.text = pair->key }, &here))
		return c->steps > 0 && fail(c, &here, "propertyNames", "is no name that is allowed");
	for (uint32_t i = 0; i < r->nproperties; i++) {
		if (!same_text(r->properties[i].name, pair->key))
			continue;
		known = true;
		if (!rule_check(c, r->properties[i].rule, &pair->value, &here))
			return false;
	}
	for (uint32_t i = 0; i < r->npatterns; i++) {
		if (!regex_search(r->patterns[i].pattern, pair->key, &c->steps))
			continue;
		known = true;
		if (!rule_check(c, r->patterns[i].rule, &pair->value, &here))
			return false;
	}
	if (known || r->additional == NULL)
		return true;
	if (r->additional->never)
		return fail(c, &here, "additionalProperties", "is not allowed here");
	return rule_check(c, r->additional, &pair->value, &here);
}

static bool
check_map(struct check *c, const struct rule *r, const struct value *v, const struct place *at)
{
	bool each = r->nproperties > 0 || r->npatterns > 0 || r->additional != NULL || r->names != NULL;
	bool counted = has_limits(&r->members);
	uint64_t n = 0;

	if (v->type != VALUE_MAP)
		return true;
	if (!check_required(c, r, v, at))
		return false;
	for (uint32_t i = 0; (each || counted) && i < v->n; i++) {
		const struct value_pair *pair = &v->u.pairs[i];
		if (!pay(c, 1 + (uint64_t)r->nproperties + (v->n - i)))
			return false;
		if (member_of(v, pair->key) != &pair->value)
			continue;		/* doubled: a later one counts */
		n++;
		if (each && !check_member(c, r, pair, at))
			return false;
	}
	return !counted || check_limits(c, &r->members, n, "minProperties", "maxProperties", "members", at);
}

/* --- keywords that hold other schemas ----------------------------------------------------- */

/* fits: without telling why not. */
static bool
fits(struct check *c, const struct rule *r, const struct value *v, const struct place *at)
{
	struct err *err = c->err;

	c->err = NULL;
	bool yes = rule_check(c, r, v, at);
	c->err = err;
	return yes;
}

static uint32_t
count_fits(struct check *c, const struct rule_list *l, uint32_t enough, const struct value *v, const struct place *at)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->n && n < enough; i++)
		n += fits(c, l->v[i], v, at);
	return n;
}

static bool
check_branches(struct check *c, const struct rule *r, const struct value *v, const struct place *at)
{
	for (uint32_t i = 0; i < r->all.n; i++)
		if (!rule_check(c, r->all.v[i], v, at))
			return false;
	if (r->any.n > 0 && count_fits(c, &r->any, 1, v, at) == 0)
		return fail(c, at, "anyOf", "fits none of the %" PRIu32 " schemas", r->any.n);
	uint32_t n = r->one.n > 0 ? count_fits(c, &r->one, 2, v, at) : 1;
	if (n != 1)
		return fail(c, at, "oneOf", "fits %s of the %" PRIu32 " schemas, and must fit one", n == 0 ? "none" : "several",
		    r->one.n);
	if (r->not_ != NULL && fits(c, r->not_, v, at))
		return fail(c, at, "not", "is what it must not be");
	if (r->if_ == NULL || (r->then_ == NULL && r->else_ == NULL))
		return true;
	const struct rule *next = fits(c, r->if_, v, at) ? r->then_ : r->else_;
	return next == NULL || rule_check(c, next, v, at);
}

static bool
check_type(struct check *c, const struct rule *r, const struct value *v, const struct place *at)
{
	static const char *const names[] = { "null", "boolean", "string", "array", "object", "integer", "number" };
	char wanted[80] = "";
	size_t n = 0;

	if (r->types == 0 || (type_of(v) & r->types) != 0)
		return true;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		bool whole = i == 5 && (r->types & TYPE_FRACTION) != 0;		/* "number" says it already */
		if ((r->types >> i & 1) != 0 && !whole)
			n += (size_t)snprintf(wanted + n, sizeof wanted - n, "%s%s", n > 0 ? ", " : "", names[i]);
	}
	return fail(c, at, "type", "is of type %s, not %s", value_type_name(v->type), wanted);
}

static bool
rule_check(struct check *c, const struct rule *r, const struct value *v, const struct place *at)
{
	if (!pay(c, 1))
		return false;
	if (r->never)
		return fail(c, at, "false", "is not allowed here");
	return check_type(c, r, v, at) && check_choice(c, r, v, at) && check_number(c, r, v, at) &&
	    check_text(c, r, v, at) && check_array(c, r, v, at) && check_map(c, r, v, at) &&
	    (r->ref == NULL || rule_check(c, r->ref, v, at)) && check_branches(c, r, v, at);
}

enum err_code
schema_check(const struct schema *s, const struct value *v, struct err *err)
{
	struct check c = { .steps = SCHEMA_STEPS, .err = err };
	bool good = rule_check(&c, s->root, v, NULL);

	if (c.steps == 0)
		return err_set(err, ERR_INVALID, "the value costs too much to check against this schema: more than %d steps",
		    SCHEMA_STEPS);
	return good ? ERR_OK : ERR_INVALID;
}
