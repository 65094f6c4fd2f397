/* manage_definition.c - the members of a definition that a client says, one row each. */
#include "api/manage_definition.h"

#include <stdio.h>
#include <string.h>

#include "api/manage_inner.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "codec/record.h"
#include "model/definition.h"
#include "model/names.h"

/* The first is never changed; what is not here is ours. */
static const struct member {
	const char *name;
	size_t at;			/* in struct definition */
	size_t max;			/* characters; 0: it is a name of this kind */
	enum name_kind kind;
} members[] = {
	{ "service_name", offsetof(struct definition, service),     0,   NAME_SERVICE },
	{ "owner",        offsetof(struct definition, owner),       100, NAME_KINDS },
	{ "description",  offsetof(struct definition, description), 500, NAME_KINDS },
	{ "version",      offsetof(struct definition, version),     0,   NAME_VERSION_DEFINED },
};

static char **
place(struct definition *d, const struct member *x)
{
	return (char **)((char *)d + x->at);
}

/* is_pattern: what Python finds by its pattern, and calls body.x; the rest it finds later, and calls x. */
static bool
is_pattern(const struct member *x, const char *text)
{
	size_t n = strlen(text);

	if (x->kind == NAME_VERSION_DEFINED)
		return name_ok(NAME_VERSION, text, n);
	if (n < 3 || n > 64 || text[0] < 'a' || text[0] > 'z' || text[n - 1] == '-')
		return false;
	return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static void
check_member(const struct member *x, const char *text, struct manage_faults *f)
{
	char field[48];
	struct err err;

	snprintf(field, sizeof field, "body.%s", x->name);
	size_t n = utf8_count(text);
	if (x->max > 0 && n == 0)
		manage_fault(f, field, "string_too_short", "is empty; give 1 to %zu characters", x->max);
	else if (x->max > 0 && n > x->max)
		manage_fault(f, field, "string_too_long", "has %zu characters; at most %zu are allowed", n, x->max);
	else if (x->max == 0 && name_check(x->kind, text, &err) != ERR_OK)
		manage_fault(f, is_pattern(x, text) ? x->name : field, is_pattern(x, text) ? "value_error" :
		    "string_pattern_mismatch", "%s", err.text);
}

/* take_member: from the body into d; a fault when it is wrong, or needed and not there. */
static void
take_member(const struct value *body, const struct member *x, bool needed, struct definition *d, struct manage_faults *f)
{
	char *text = manage_text(body, x->name, needed, f);

	if (text == NULL)
		return;
	mem_free(*place(d, x));
	*place(d, x) = text;
	check_member(x, text, f);
}

void
manage_definition_reply(struct web_request *r, int status, const struct definition *d, uint64_t revision)
{
	struct str out = STR_INIT;
	struct pack k;

	pack_init(&k, &out, DATA_JSON, PACK_COMPACT);
	definition_pack(&k, d);
	MUST(pack_end(&k, NULL) == ERR_OK);
	manage_json_revision(r, status, &out, revision);
}

void
definition_take(const struct value *body, bool whole, struct definition *d, struct manage_faults *f)
{
	for (size_t i = !whole; i < COUNT_OF(members); i++)
		take_member(body, &members[i], whole, d, f);
}

bool
definition_same(const struct definition *a, const struct definition *b)
{
	for (size_t i = 0; i < COUNT_OF(members); i++)
		if (strcmp(*place((struct definition *)(uintptr_t)a, &members[i]),
		    *place((struct definition *)(uintptr_t)b, &members[i])) != 0)
			return false;
	return true;
}

void
definition_apply(struct definition *d, const struct definition *patch, struct wall now)
{
	for (size_t i = 1; i < COUNT_OF(members); i++) {
		const char *text = *place((struct definition *)(uintptr_t)patch, &members[i]);
		if (text == NULL)
			continue;
		mem_free(*place(d, &members[i]));
		*place(d, &members[i]) = mem_text(text);
	}
	/* Python cannot read a record that was updated before it was made. */
	d->updated_at = now.ns > d->created_at.ns ? now : d->created_at;
}
