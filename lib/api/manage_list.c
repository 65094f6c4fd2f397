/* manage_list.c - one way to answer with a list: filtered, sorted, page by page.
 *
 * A page ends at an item, and the cursor says which, by what it was sorted by and its key: so pages
 * neither repeat nor skip what was there all the time, whatever comes and goes between them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/manage_inner.h"
#include "api/manage_kept.h"
#include "base/log.h"
#include "base/mem.h"

#define LIMIT_MAX 1000
#define FILTERS 8
#define PLACE_MAX (2 * MANAGE_FIELD_MAX)
#define CURSOR_MAX (2 * PLACE_MAX + 1)	/* as hex digits */
#define NO_FIELD SIZE_MAX

struct query {
	const struct manage_list *l;
	struct { size_t field; char value[MANAGE_FIELD_MAX]; bool prefix; } filter[FILTERS];
	size_t nfilters;
	size_t sort;			/* a field; NO_FIELD: by key */
	bool descending;
	uint64_t limit;			/* 0: all */
	bool has_cursor;
	char after[2][MANAGE_FIELD_MAX];	/* the last item of the page before: its value, its key */
	char sort_text[64], filter_text[MANAGE_FIELD_MAX];	/* as they came, for the link */
};

/* --- reading the query ---------------------------------------------------------------------- */

/* field_of: the place of a name of n bytes, or NO_FIELD. */
static size_t
field_of(const struct manage_list *l, const char *name, size_t n)
{
	for (size_t i = 0; l->fields[i] != NULL; i++)
		if (strlen(l->fields[i]) == n && memcmp(l->fields[i], name, n) == 0)
			return i;
	return NO_FIELD;
}

static void
no_such_field(struct manage_faults *f, const struct manage_list *l, const char *where, const char *name, size_t n)
{
	struct str known = STR_INIT;

	for (size_t i = 0; l->fields[i] != NULL; i++)
		str_printf(&known, "%s%s", i > 0 ? ", " : "", l->fields[i]);
	manage_fault(f, where, "value_error", "there is no field '%.*s' here; write one of %s", (int)(n < 60 ? n : 60), name,
	    str_text(&known));
	str_release(&known);
}

/* read_filter: "status:UNHEALTHY,serviceName:order*": all must hold; a star at the end stands for any rest. */
static void
read_filter(struct query *q, struct manage_faults *f)
{
	for (const char *at = q->filter_text; *at != '\0'; at += *at == ',') {
		size_t n = strcspn(at, ","), name = strcspn(at, ":,");
		const char *value = at + name + 1;
		if (name >= n || q->nfilters == FILTERS) {
			manage_fault(f, "query.filter", "value_error", name >= n ? "'%.*s' is no FIELD:VALUE" :
			    "'%.*s' is one condition too many", (int)(n < 60 ? n : 60), at);
			return;
		}
		size_t field = field_of(q->l, at, name), len = n - name - 1;
		if (field == NO_FIELD)
			no_such_field(f, q->l, "query.filter", at, name);
		q->filter[q->nfilters].field = field;
		q->filter[q->nfilters].prefix = len > 0 && value[len - 1] == '*';
		len -= q->filter[q->nfilters].prefix;
		snprintf(q->filter[q->nfilters].value, MANAGE_FIELD_MAX, "%.*s", (int)len, value);
		q->nfilters++;
		at += n;
	}
}

static void
read_sort(struct query *q, struct manage_faults *f)
{
	const char *name = q->sort_text;

	q->sort = NO_FIELD;
	if (name[0] == '\0')
		return;
	q->descending = name[0] == '-';
	name += q->descending;
	if ((q->sort = field_of(q->l, name, strlen(name))) == NO_FIELD)
		no_such_field(f, q->l, "query.sort", name, strlen(name));
}

static int
digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* read_cursor: hex digits of the value, a zero, the key. */
static void
read_cursor(struct query *q, const char *text, struct manage_faults *f)
{
	char place[PLACE_MAX + 1];
	size_t n = 0;
	bool good = strlen(text) % 2 == 0;

	for (; good && text[2 * n] != '\0'; n++) {
		int high = digit(text[2 * n]), low = digit(text[2 * n + 1]);
		good = high >= 0 && low >= 0 && n < PLACE_MAX;
		if (good)
			place[n] = (char)(high * 16 + low);
	}
	place[good ? n : 0] = '\0';
	size_t value = strlen(place);
	if (!good || value >= n || value >= MANAGE_FIELD_MAX || strlen(place + value + 1) >= MANAGE_FIELD_MAX) {
		manage_fault(f, "query.cursor", "value_error", "this is no cursor that a list gave out; begin without one");
		return;
	}
	memcpy(q->after[0], place, value + 1);
	memcpy(q->after[1], place + value + 1, strlen(place + value + 1) + 1);
}

/* read_query: false when the request was answered. */
static bool
read_query(struct web_request *r, const struct manage_list *l, struct query *q)
{
	char cursor[CURSOR_MAX];
	struct manage_faults f = { 0 };
	bool has_limit, given;

	*q = (struct query){ .l = l, .limit = l->page };
	if (!manage_number(r, "limit", 1, LIMIT_MAX, &has_limit, &q->limit) ||
	    !manage_word(r, "cursor", cursor, sizeof cursor, &q->has_cursor) ||
	    !manage_word(r, "sort", q->sort_text, sizeof q->sort_text, &given) ||
	    !manage_word(r, "filter", q->filter_text, sizeof q->filter_text, &given))
		return false;
	if (!has_limit)
		q->limit = l->page;
	read_filter(q, &f);
	read_sort(q, &f);
	if (q->has_cursor)
		read_cursor(q, cursor, &f);
	return !manage_refused(r, &f);
}

/* --- choosing ------------------------------------------------------------------------------ */

static bool
passes(const struct query *q, const void *item)
{
	char buf[MANAGE_FIELD_MAX];

	for (size_t i = 0; i < q->nfilters; i++) {
		const char *has = q->l->field(item, q->filter[i].field, buf), *want = q->filter[i].value;
		if (q->filter[i].prefix ? strncmp(has, want, strlen(want)) != 0 : strcmp(has, want) != 0)
			return false;
	}
	return true;
}

static int
compare(const struct query *q, const char *value_a, const char *key_a, const char *value_b, const char *key_b)
{
	int c = strcmp(value_a, value_b);

	if (q->descending)
		c = -c;
	return c != 0 ? c : strcmp(key_a, key_b);
}

static const char *
value_of(const struct query *q, const void *item, char buf[MANAGE_FIELD_MAX])
{
	return q->sort != NO_FIELD ? q->l->field(item, q->sort, buf) : "";
}

static int
by_place(const void *a, const void *b, void *arg)
{
	const struct query *q = arg;
	const void *x = *(const void *const *)a, *y = *(const void *const *)b;
	char value[2][MANAGE_FIELD_MAX], key[2][MANAGE_FIELD_MAX];

	return compare(q, value_of(q, x, value[0]), q->l->key(x, key[0]), value_of(q, y, value[1]), q->l->key(y, key[1]));
}

static bool
is_behind(const struct query *q, const void *item)
{
	char value[MANAGE_FIELD_MAX], key[MANAGE_FIELD_MAX];

	return compare(q, value_of(q, item, value), q->l->key(item, key), q->after[0], q->after[1]) > 0;
}

/* choose: leaves in front what passes, in order and behind the cursor; their number. */
static size_t
choose(const struct query *q, const void **items, size_t n)
{
	size_t kept = 0, skip = 0;

	for (size_t i = 0; i < n; i++)
		if (passes(q, items[i]))
			items[kept++] = items[i];
	if (q->sort != NO_FIELD && kept > 1)
		qsort_r(items, kept, sizeof *items, by_place, (void *)(uintptr_t)q);
	while (q->has_cursor && skip < kept && !is_behind(q, items[skip]))
		skip++;
	memmove(items, items + skip, (kept - skip) * sizeof *items);
	return kept - skip;
}

/* --- answering ------------------------------------------------------------------------------ */

static void
put_hex(struct str *out, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		str_printf(out, "%02x", (unsigned char)p[i]);
}

void
manage_link(struct str *link, const char *name, const char *text)
{
	str_printf(link, "&%s=", name);
	for (const char *c = text; *c != '\0'; c++) {
		bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || strchr("-_.:,*", *c) != NULL;
		str_printf(link, plain ? "%c" : "%%%02X", (unsigned char)*c);
	}
}

/* link_next: where the page behind `last` is. */
static void
link_next(struct web_request *r, const struct query *q, const void *last)
{
	char value[MANAGE_FIELD_MAX], key[MANAGE_FIELD_MAX];
	const char *v = value_of(q, last, value), *k = q->l->key(last, key);
	struct str link = STR_INIT;

	str_printf(&link, "<%s?limit=%llu&cursor=", web_path(r), (unsigned long long)q->limit);
	put_hex(&link, v, strlen(v) + 1);
	put_hex(&link, k, strlen(k));
	if (q->sort_text[0] != '\0')
		manage_link(&link, "sort", q->sort_text);
	if (q->filter_text[0] != '\0')
		manage_link(&link, "filter", q->filter_text);
	str_puts(&link, ">; rel=\"next\"");
	web_set_header(r, "Link", str_text(&link));
	str_release(&link);
}

/* mix: another tag for other items, other contents, or another order (splitmix64's finish). */
static uint64_t
mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) + 0x9e3779b97f4a7c15u;
	h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
	h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
	return h ^ (h >> 31);
}

/* put_item: each for itself, so that a record as deep as records may be is not too deep in a list.  What
 * cannot be written stands there as null. */
static void
put_item(struct str *out, const struct manage_list *l, const void *item)
{
	struct err why;
	struct pack k;

	pack_init(&k, out, DATA_JSON, PACK_COMPACT);
	l->pack(&k, item);
	if (pack_end(&k, &why) == ERR_OK)
		return;
	char key[MANAGE_FIELD_MAX];
	log_error(EV_WATCH_BAD_RECORD, LOG_F(LOG_S("key", l->key(item, key))), "an item of a list cannot be shown: %s", why.text);
	str_puts(out, "null");
}

/* No name holds the byte between. */
const char *
manage_list_key(const char *first, const char *second, char buf[MANAGE_FIELD_MAX])
{
	snprintf(buf, MANAGE_FIELD_MAX, "%s\x01%s", first, second);
	return buf;
}

void
manage_list_array(struct web_request *r, const struct manage_list *l, const void *items, size_t n, size_t size)
{
	const void **v = mem_array(n + 1, sizeof *v);

	for (size_t i = 0; i < n; i++)
		v[i] = (const char *)items + i * size;
	manage_list_reply(r, l, v, n);
	mem_free(v);
}

void
manage_list_reply(struct web_request *r, const struct manage_list *l, const void **items, size_t n)
{
	manage_list_keep(r, l, items, n, NULL);
}

void
manage_list_keep(struct web_request *r, const struct manage_list *l, const void **items, size_t n, const struct manage_keep *keep)
{
	struct str out = STR_INIT;
	char etag[20];
	struct query q;
	uint64_t h = 0;

	if (!read_query(r, l, &q))
		return;
	n = choose(&q, items, n);
	size_t shown = q.limit > 0 && n > q.limit ? (size_t)q.limit : n;
	str_putc(&out, '[');
	for (size_t i = 0; i < shown; i++) {
		if (i > 0)
			str_putc(&out, ',');
		put_item(&out, l, items[i]);
		h = mix(h, l->mark(items[i]));
	}
	str_putc(&out, ']');
	if (shown < n)
		link_next(r, &q, items[shown - 1]);
	snprintf(etag, sizeof etag, "%016llx", (unsigned long long)mix(h, n));
	manage_kept_put(r, keep, &out, etag);
	manage_json(r, 200, &out, etag);
}
