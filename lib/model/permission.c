/* permission.c - subject patterns against subject patterns, token by token. */
#include "model/permission.h"

#include <string.h>

/* A token of a pattern, and what is behind it. */
struct token {
	const char *p;
	size_t n;
	const char *rest;		/* NULL behind the last */
};

static struct token
first(const char *pattern)
{
	size_t n = strcspn(pattern, ".");

	return (struct token){ pattern, n, pattern[n] == '.' ? pattern + n + 1 : NULL };
}

static bool
is(struct token t, char wildcard)
{
	return t.n == 1 && t.p[0] == wildcard;
}

static bool
same(struct token a, struct token b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

bool
pattern_covers(const char *wide, const char *narrow)
{
	while (wide != NULL && narrow != NULL) {
		struct token w = first(wide), n = first(narrow);
		if (is(w, '>'))
			return true;
		if (is(n, '>') || (!is(w, '*') && !same(w, n)))
			return false;
		wide = w.rest;
		narrow = n.rest;
	}
	return wide == NULL && narrow == NULL;
}

bool
pattern_touches(const char *a, const char *b)
{
	while (a != NULL && b != NULL) {
		struct token x = first(a), y = first(b);
		if (is(x, '>') || is(y, '>'))
			return true;
		if (!is(x, '*') && !is(y, '*') && !same(x, y))
			return false;
		a = x.rest;
		b = y.rest;
	}
	return a == NULL && b == NULL;
}

bool
permission_allows(const struct permission *p, const char *pattern)
{
	for (size_t i = 0; i < p->ndeny; i++)
		if (pattern_touches(p->deny[i], pattern))
			return false;
	if (p->all || p->cut)
		return true;
	for (size_t i = 0; i < p->nallow; i++)
		if (pattern_covers(p->allow[i], pattern))
			return true;
	return false;
}
