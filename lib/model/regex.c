/* regex.c - patterns as programs of a small machine, run for all ways at once (Thompson).
 *
 * Jumps are relative, so that a piece of program can be moved and copied: that is how
 * repetitions are made without a tree in between. */
#include "model/regex.h"

#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/utf8.h"

#define DEPTH_MAX 32			/* groups in each other: the parser's own recursion */
#define REPEAT_MAX 1000
#define NO_LIMIT UINT32_MAX
#define UNICODE_MAX 0x10ffffu

enum op { OP_CHAR, OP_ANY, OP_SET, OP_NOT_SET, OP_SPLIT, OP_JUMP, OP_BEGIN, OP_END, OP_MATCH };

struct step {
	enum op op;
	int32_t x, y;			/* CHAR: it; SETs: first range and their number; SPLIT, JUMP: where to */
};

struct range {
	uint32_t lo, hi;
};

struct regex {
	struct step *step;
	size_t n, cap;
	struct range *range;
	size_t nranges, range_cap;
};

struct parser {
	struct regex *r;
	const char *p, *end;
	const char *begin;
	unsigned depth;
	struct err *err;
};

static const struct range digits[] = { { '0', '9' } };
static const struct range words[] = { { '0', '9' }, { 'A', 'Z' }, { '_', '_' }, { 'a', 'z' } };
static const struct range blanks[] = {
	{ 0x09, 0x0d }, { 0x20, 0x20 }, { 0xa0, 0xa0 }, { 0x1680, 0x1680 }, { 0x2000, 0x200a }, { 0x2028, 0x2029 },
	{ 0x202f, 0x202f }, { 0x205f, 0x205f }, { 0x3000, 0x3000 }, { 0xfeff, 0xfeff },
};

/* --- writing the program ----------------------------------------------------------------- */

static bool
wrong(struct parser *p, const char *what)
{
	err_set(p->err, ERR_INVALID, "%s (at character %zu)", what, (size_t)(p->p - p->begin) + 1);
	return false;
}

static bool
room(struct parser *p, size_t more)
{
	struct regex *r = p->r;

	if (r->n + more > REGEX_STATES_MAX)
		return wrong(p, "the pattern is too big: repetitions written out, more than 1000 states");
	mem_grow(&r->step, &r->cap, r->n + more, sizeof *r->step);
	return true;
}

static bool
emit(struct parser *p, enum op op, int32_t x, int32_t y)
{
	if (!room(p, 1))
		return false;
	p->r->step[p->r->n++] = (struct step){ op, x, y };
	return true;
}

/* insert: one step before what begins at `at`. */
static bool
insert(struct parser *p, size_t at, struct step s)
{
	struct regex *r = p->r;

	if (!room(p, 1))
		return false;
	memmove(&r->step[at + 1], &r->step[at], (r->n - at) * sizeof *r->step);
	r->step[at] = s;
	r->n++;
	return true;
}

static void
add_range(struct regex *r, uint32_t lo, uint32_t hi)
{
	mem_grow(&r->range, &r->range_cap, r->nranges + 1, sizeof *r->range);
	r->range[r->nranges++] = (struct range){ lo, hi };
}

/* add_named: what \d, \w, \s stand for, and their capitals for everything else. */
static bool
add_named(struct regex *r, char letter)
{
	char small = (char)(letter | 0x20);
	const struct range *v = small == 'd' ? digits : small == 'w' ? words : small == 's' ? blanks : NULL;
	size_t n = small == 'd' ? COUNT_OF(digits) : small == 'w' ? COUNT_OF(words) : COUNT_OF(blanks);
	uint32_t next = 0;

	if (v == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (letter == small) {
			add_range(r, v[i].lo, v[i].hi);
			continue;
		}
		if (v[i].lo > next)
			add_range(r, next, v[i].lo - 1);
		next = v[i].hi + 1;
	}
	if (letter != small)
		add_range(r, next, UNICODE_MAX);
	return true;
}

/* --- reading the pattern ----------------------------------------------------------------- */

static bool parse_alternatives(struct parser *p);

static bool
at(const struct parser *p, char c)
{
	return p->p < p->end && *p->p == c;
}

static bool
take(struct parser *p, char c)
{
	if (!at(p, c))
		return false;
	p->p++;
	return true;
}

static bool
hex(struct parser *p, unsigned least, unsigned most, uint32_t *out)
{
	uint32_t v = 0;
	unsigned n = 0;

	for (; n < most && p->p < p->end; n++, p->p++) {
		char c = *p->p;
		uint32_t d = c >= '0' && c <= '9' ? (uint32_t)(c - '0') : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
		    : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10 : 16;
		if (d == 16)
			break;
		v = v * 16 + d;
	}
	*out = v;
	return n >= least;
}

/* parse_unicode: behind \u; two halves of a pair are one character. */
static bool
parse_unicode(struct parser *p, uint32_t *cp)
{
	uint32_t low;

	if (take(p, '{')) {
		if (!hex(p, 1, 6, cp) || !take(p, '}') || *cp > UNICODE_MAX)
			return wrong(p, "\\u{…} needs one to six hexadecimal digits, at most 10FFFF");
	} else if (!hex(p, 4, 4, cp)) {
		return wrong(p, "\\u needs four hexadecimal digits");
	} else if (*cp >= 0xd800 && *cp < 0xdc00 && p->end - p->p >= 6 && p->p[0] == '\\' && p->p[1] == 'u') {
		p->p += 2;
		if (!hex(p, 4, 4, &low) || low < 0xdc00 || low > 0xdfff)
			return wrong(p, "half a surrogate pair");
		*cp = 0x10000 + ((*cp - 0xd800) << 10) + (low - 0xdc00);
	}
	if (*cp >= 0xd800 && *cp <= 0xdfff)
		return wrong(p, "half a surrogate pair");
	return true;
}

/* parse_escape: behind '\\', what stands for one character. */
static bool
parse_escape(struct parser *p, bool in_class, uint32_t *cp)
{
	static const char letters[] = "nrtfv0", meant[] = "\n\r\t\f\v";

	if (p->p == p->end)
		return wrong(p, "nothing behind the last '\\'");
	char c = *p->p++;
	const char *letter = strchr(letters, c);
	if (c != '\0' && letter != NULL) {
		if (c == '0' && p->p < p->end && *p->p >= '0' && *p->p <= '9')
			return wrong(p, "octal numbers are not supported; write \\xHH");
		*cp = (unsigned char)meant[letter - letters];
		return true;
	}
	if (c == 'x')
		return hex(p, 2, 2, cp) || wrong(p, "\\x needs two hexadecimal digits");
	if (c == 'u')
		return parse_unicode(p, cp);
	*cp = (unsigned char)c;
	if ((c != '\0' && strchr("^$\\.*+?()[]{}|/", c) != NULL) || (c == '-' && in_class))
		return true;
	p->p--;
	return wrong(p, "this is not supported behind '\\' (back-references, \\b and \\p{…} are not)");
}

static bool
parse_char(struct parser *p, uint32_t *cp)
{
	size_t n = utf8_next(p->p, (size_t)(p->end - p->p), cp);

	if (n == 0)
		return wrong(p, "not valid UTF-8");
	p->p += n;
	return true;
}

/* parse_member: one character of a class, or one that stands for several (*named). */
static bool
parse_member(struct parser *p, uint32_t *cp, bool *named)
{
	*named = false;
	if (p->p == p->end)
		return wrong(p, "a '[' without its ']'");
	if (!take(p, '\\'))
		return parse_char(p, cp);
	if (p->p < p->end && add_named(p->r, *p->p)) {
		p->p++;
		*named = true;
		return true;
	}
	if (take(p, 'b')) {
		*cp = '\b';
		return true;
	}
	return parse_escape(p, true, cp);
}

static bool
parse_class(struct parser *p)
{
	enum op op = take(p, '^') ? OP_NOT_SET : OP_SET;
	size_t first = p->r->nranges;
	uint32_t lo, hi;
	bool named, also_named;

	while (!take(p, ']')) {
		if (!parse_member(p, &lo, &named))
			return false;
		bool range = at(p, '-') && p->end - p->p > 1 && p->p[1] != ']';
		if (!range) {
			if (!named)
				add_range(p->r, lo, lo);
			continue;
		}
		p->p++;
		if (!parse_member(p, &hi, &also_named))
			return false;
		if (named || also_named || hi < lo)
			return wrong(p, "a range in a class needs a smaller and a greater character");
		add_range(p->r, lo, hi);
		if (p->r->nranges > REGEX_STATES_MAX)
			return wrong(p, "more than 1000 ranges");
	}
	if (p->r->nranges > REGEX_STATES_MAX)
		return wrong(p, "more than 1000 ranges");
	return emit(p, op, (int32_t)first, (int32_t)(p->r->nranges - first));
}

static bool
parse_group(struct parser *p)
{
	if (take(p, '?') && !take(p, ':'))
		return wrong(p, "of the groups with '?' only (?:…) is supported, no look-around and no names");
	if (++p->depth > DEPTH_MAX)
		return wrong(p, "groups lie more than 32 deep in each other");
	if (!parse_alternatives(p))
		return false;
	p->depth--;
	return take(p, ')') || wrong(p, "a '(' without its ')'");
}

/* parse_atom: *fixed when it takes no repetition. */
static bool
parse_atom(struct parser *p, bool *fixed)
{
	uint32_t cp;
	size_t first = p->r->nranges;

	*fixed = at(p, '^') || at(p, '$');
	if (*fixed)
		return emit(p, *p->p++ == '^' ? OP_BEGIN : OP_END, 0, 0);
	if (take(p, '.'))
		return emit(p, OP_ANY, 0, 0);
	if (take(p, '['))
		return parse_class(p);
	if (take(p, '('))
		return parse_group(p);
	if (strchr("*+?", *p->p) != NULL && *p->p != '\0')
		return wrong(p, "nothing to repeat");
	if (strchr("{}]", *p->p) != NULL && *p->p != '\0')
		return wrong(p, "write \\{, \\} or \\] for the character itself");
	if (!take(p, '\\'))
		return parse_char(p, &cp) && emit(p, OP_CHAR, (int32_t)cp, 0);
	if (p->p < p->end && add_named(p->r, *p->p)) {
		p->p++;
		return emit(p, OP_SET, (int32_t)first, (int32_t)(p->r->nranges - first));
	}
	return parse_escape(p, false, &cp) && emit(p, OP_CHAR, (int32_t)cp, 0);
}

static bool
parse_number(struct parser *p, uint32_t *out)
{
	const char *begin = p->p;

	for (*out = 0; p->p < p->end && *p->p >= '0' && *p->p <= '9'; p->p++)
		if ((*out = *out * 10 + (uint32_t)(*p->p - '0')) > REPEAT_MAX)
			return wrong(p, "repetitions of more than 1000 are not supported");
	return p->p > begin || wrong(p, "a repetition is {n}, {n,} or {n,m}; write \\{ for the character");
}

static bool
parse_counts(struct parser *p, uint32_t *least, uint32_t *most)
{
	if (!parse_number(p, least))
		return false;
	*most = *least;
	if (take(p, ',')) {
		*most = NO_LIMIT;
		if (!at(p, '}') && !parse_number(p, most))
			return false;
	}
	if (!take(p, '}'))
		return wrong(p, "a repetition is {n}, {n,} or {n,m}; write \\{ for the character");
	return *least <= *most || wrong(p, "a repetition's numbers are in the wrong order");
}

/* copy: the piece of n steps at `from` once more, at the end. */
static bool
copy(struct parser *p, size_t from, size_t n)
{
	if (!room(p, n))
		return false;
	memcpy(&p->r->step[p->r->n], &p->r->step[from], n * sizeof *p->r->step);
	p->r->n += n;
	return true;
}

/* repeat: the piece that begins at `from`, least to most times. */
static bool
repeat(struct parser *p, size_t from, uint32_t least, uint32_t most)
{
	struct regex *r = p->r;
	size_t n = r->n - from;
	int32_t len = (int32_t)n;

	if (most == 0) {
		r->n = from;
		return true;
	}
	for (uint32_t i = 1; i < least; i++)
		if (!copy(p, from, n))
			return false;
	if (most == NO_LIMIT && least > 0)
		return emit(p, OP_SPLIT, -len, 1);
	if (most == NO_LIMIT)
		return insert(p, from, (struct step){ OP_SPLIT, 1, len + 2 }) && emit(p, OP_JUMP, -len - 1, 0);
	/* The first of them is there already when none is a must. */
	size_t piece = least > 0 ? from : from + 1;
	if (least == 0 && !insert(p, from, (struct step){ OP_SPLIT, 1, len + 1 }))
		return false;
	for (uint32_t i = least > 0 ? least : 1; i < most; i++)
		if (!emit(p, OP_SPLIT, 1, len + 1) || !copy(p, piece, n))
			return false;
	return true;
}

static bool
parse_repetition(struct parser *p, size_t from, bool fixed)
{
	uint32_t least = 0, most = NO_LIMIT;

	if (p->p == p->end || *p->p == '\0' || strchr("*+?{", *p->p) == NULL)
		return true;
	if (fixed)
		return wrong(p, "nothing to repeat");
	char c = *p->p++;
	if (c == '{' && !parse_counts(p, &least, &most))
		return false;
	least = c == '+' ? 1 : least;
	most = c == '?' ? 1 : most;
	take(p, '?');		/* lazy: the same texts match */
	return repeat(p, from, least, most);
}

static bool
parse_alternatives(struct parser *p)
{
	size_t from = p->r->n;
	bool fixed;

	while (p->p < p->end && *p->p != ')') {
		if (take(p, '|')) {
			size_t n = p->r->n - from;
			if (!insert(p, from, (struct step){ OP_SPLIT, 1, (int32_t)n + 2 }) || !emit(p, OP_JUMP, 0, 0))
				return false;
			size_t jump = p->r->n - 1;
			if (!parse_alternatives(p))
				return false;
			p->r->step[jump].x = (int32_t)(p->r->n - jump);
			return true;
		}
		size_t atom = p->r->n;
		if (!parse_atom(p, &fixed) || !parse_repetition(p, atom, fixed))
			return false;
	}
	return true;
}

struct regex *
regex_new(struct text pattern, struct err *err)
{
	struct regex *r = mem_new(sizeof *r);
	struct parser p = { .r = r, .p = pattern.p, .begin = pattern.p, .end = pattern.p + pattern.n, .err = err };

	/* Alternatives call themselves one by one, so their number is bounded as well. */
	if (pattern.n > REGEX_STATES_MAX)
		wrong(&p, "the pattern is longer than 1000 bytes");
	else if (parse_alternatives(&p) && (p.p == p.end || wrong(&p, "a ')' without its '('")) &&
	    emit(&p, OP_MATCH, 0, 0))
		return r;
	regex_free(r);
	return NULL;
}

void
regex_free(struct regex *r)
{
	if (r == NULL)
		return;
	mem_free(r->step);
	mem_free(r->range);
	mem_free(r);
}

/* --- running it -------------------------------------------------------------------------- */

/* The steps that all the ways through the program have reached, each once. */
struct reached {
	uint16_t v[REGEX_STATES_MAX];
	size_t n;
	uint64_t has[REGEX_STATES_MAX / 64 + 1];
};

static bool
reach_one(struct reached *s, size_t pc)
{
	uint64_t bit = 1ull << (pc % 64);

	if (s->has[pc / 64] & bit)
		return false;
	s->has[pc / 64] |= bit;
	s->v[s->n++] = (uint16_t)pc;
	return true;
}

/* reach: pc, and all that follows from it without a character.  The list itself says what is
 * still to be looked at. */
static void
reach(const struct regex *r, struct reached *s, size_t pc, bool begin, bool end)
{
	size_t i = s->n;

	reach_one(s, pc);
	for (; i < s->n; i++) {
		size_t k = s->v[i];
		const struct step *t = &r->step[k];
		if (t->op == OP_SPLIT || t->op == OP_JUMP)
			reach_one(s, (size_t)((int32_t)k + t->x));
		if (t->op == OP_SPLIT)
			reach_one(s, (size_t)((int32_t)k + t->y));
		if ((t->op == OP_BEGIN && begin) || (t->op == OP_END && end))
			reach_one(s, k + 1);
	}
}

static bool
in_set(const struct regex *r, const struct step *t, uint32_t cp)
{
	for (int32_t i = 0; i < t->y; i++)
		if (cp >= r->range[t->x + i].lo && cp <= r->range[t->x + i].hi)
			return true;
	return false;
}

static bool
accepts(const struct regex *r, const struct step *t, uint32_t cp)
{
	switch (t->op) {
	case OP_CHAR:
		return cp == (uint32_t)t->x;
	case OP_ANY:
		return cp != '\n' && cp != '\r' && cp != 0x2028 && cp != 0x2029;
	case OP_SET:
		return in_set(r, t, cp);
	case OP_NOT_SET:
		return !in_set(r, t, cp);
	default:
		return false;
	}
}

static bool
has_match(const struct regex *r, const struct reached *s)
{
	return s->has[(r->n - 1) / 64] >> ((r->n - 1) % 64) & 1;
}

static void
forget(struct reached *s)
{
	s->n = 0;
	memset(s->has, 0, sizeof s->has);
}

static bool
pay(uint64_t *steps, uint64_t cost)
{
	bool enough = *steps > cost;

	*steps = enough ? *steps - cost : 0;
	return enough;
}

/* cost: of looking at all that is reached, a class once for each of its ranges. */
static uint64_t
cost(const struct regex *r, const struct reached *s)
{
	uint64_t sum = 1 + s->n;

	for (size_t i = 0; i < s->n; i++) {
		const struct step *t = &r->step[s->v[i]];
		sum += t->op == OP_SET || t->op == OP_NOT_SET ? (uint64_t)t->y : 0;
	}
	return sum;
}

bool
regex_search(const struct regex *r, struct text t, uint64_t *steps)
{
	struct reached sets[2], *now = &sets[0], *next = &sets[1];
	const char *p = t.p, *end = t.p + t.n;
	uint32_t cp = 0;

	forget(now);
	for (;;) {
		/* A match may begin anywhere. */
		reach(r, now, 0, p == t.p, p == end);
		if (has_match(r, now))
			return true;
		if (p == end || !pay(steps, cost(r, now)))
			return false;
		size_t n = utf8_next(p, (size_t)(end - p), &cp);
		p += n > 0 ? n : 1;
		forget(next);
		for (size_t i = 0; i < now->n; i++)
			if (accepts(r, &r->step[now->v[i]], cp))
				reach(r, next, now->v[i] + 1u, false, p == end);
		struct reached *swap = now;
		now = next;
		next = swap;
	}
}
