/* changes.c - a ring that grows to its bound. */
#include "monitor/changes.h"

#include <stdio.h>

#include "base/mem.h"

struct changes {
	size_t n, cap, next;		/* next: where the oldest stands, once it is full */
	struct change_note *v;
};

#define X(id, name, text) { name, text },
static const struct { const char *name, *text; } kinds[] = { CHANGE_KINDS(X) };
#undef X

const char *
change_kind_name(enum change_kind k)
{
	return kinds[k].name;
}

const char *
change_kind_text(enum change_kind k)
{
	return kinds[k].text;
}

void
changes_add(struct changes **at_c, struct wall at, enum change_kind kind, const char *from, const char *to)
{
	if (*at_c == NULL)
		*at_c = mem_new(sizeof **at_c);
	struct changes *c = *at_c;
	struct change_note *one;
	if (c->n < CHANGES_MAX) {
		mem_grow(&c->v, &c->cap, c->n + 1, sizeof *c->v);
		one = &c->v[c->n++];
	} else {
		one = &c->v[c->next];
		c->next = (c->next + 1) % CHANGES_MAX;
	}
	one->at = at;
	one->kind = kind;
	snprintf(one->from, sizeof one->from, "%s", from != NULL ? from : "");
	snprintf(one->to, sizeof one->to, "%s", to != NULL ? to : "");
}

void
changes_free(struct changes *c)
{
	if (c == NULL)
		return;
	mem_free(c->v);
	mem_free(c);
}

size_t
changes_count(const struct changes *c)
{
	return c != NULL ? c->n : 0;
}

const struct change_note *
changes_at(const struct changes *c, size_t i)
{
	return &c->v[(c->next + 2 * c->n - 1 - i) % c->n];
}
