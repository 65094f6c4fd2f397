/* aegis_out.c - values under construction, as a small tree: MessagePack wants to know how
 * many members follow before it writes the first, and the caller does not say.
 *
 * The tree lies in chunks of which the first is part of the struct, and each thread keeps the
 * last struct that it freed for the next one it makes: a call builds its parameters, and a
 * handler its result, without asking for memory. */
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "client/client.h"

#define DEEPEST 16		/* aegis.h promises it; the outermost map counts */
#define FIRST_BYTES 1024	/* some ten members */
#define CHUNK_BYTES 4096

enum kind { OUT_NULL, OUT_TEXT, OUT_INT, OUT_REAL, OUT_BOOL, OUT_JSON, OUT_LIST, OUT_MAP };

struct node {
	enum kind kind;
	const char *key;		/* NULL inside a list */
	union { const char *text; int64_t integer; double real; bool boolean; } u;
	struct node *first, *last, *next;
	uint32_t n;
};

struct chunk {
	struct chunk *next;
	max_align_t bytes[];
};

struct aegis_out {
	struct node root;
	struct node *open[DEEPEST];	/* open[depth] takes what comes */
	unsigned depth;
	unsigned beyond;		/* lists and maps open below the deepest; what they hold is dropped, … */
	bool too_deep;			/* … and whoever takes the value is told */
	char *p, *end;			/* what is free of the newest chunk */
	struct chunk *chunks;		/* besides the first */
	max_align_t first[FIRST_BYTES / sizeof(max_align_t)];
};

static pthread_key_t spare_key;
static pthread_once_t spare_once = PTHREAD_ONCE_INIT;

static void
make_key(void)
{
	MUST(pthread_key_create(&spare_key, mem_free) == 0);
}

/* --- memory ------------------------------------------------------------------------------ */

aegis_out *
aegis_out_new(void)
{
	pthread_once(&spare_once, make_key);
	aegis_out *o = pthread_getspecific(spare_key);

	if (o != NULL)
		pthread_setspecific(spare_key, NULL);
	else
		o = mem_new(sizeof *o);
	o->root = (struct node){ .kind = OUT_MAP };
	o->open[0] = &o->root;
	o->depth = o->beyond = 0;
	o->too_deep = false;
	o->chunks = NULL;
	o->p = (char *)o->first;
	o->end = o->p + sizeof o->first;
	return o;
}

void
aegis_out_free(aegis_out *o)
{
	if (o == NULL)
		return;
	for (struct chunk *c = o->chunks, *next; c != NULL; c = next) {
		next = c->next;
		mem_free(c);
	}
	if (pthread_getspecific(spare_key) == NULL)
		pthread_setspecific(spare_key, o);
	else
		mem_free(o);
}

/* take: n bytes that live as long as o; aligned for a node. */
static void *
take(aegis_out *o, size_t n)
{
	n = (n + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
	if ((size_t)(o->end - o->p) < n) {
		size_t size = n > CHUNK_BYTES ? n : CHUNK_BYTES;
		struct chunk *c = mem_new(sizeof *c + size);
		c->next = o->chunks;
		o->chunks = c;
		o->p = (char *)c->bytes;
		o->end = o->p + size;
	}
	void *p = o->p;
	o->p += n;
	return p;
}

static const char *
keep(aegis_out *o, const char *s)
{
	if (s == NULL)
		return NULL;
	size_t n = strlen(s) + 1;
	return memcpy(take(o, n), s, n);
}

/* --- building ---------------------------------------------------------------------------- */

static struct node *
add(aegis_out *o, const char *key, enum kind kind)
{
	struct node *in = o->open[o->depth], *n = take(o, sizeof *n);

	if (o->beyond > 0) {
		*n = (struct node){ .kind = OUT_NULL };
		return n;
	}
	MUST((key == NULL) == (in->kind == OUT_LIST));	/* members have keys, items have none */
	*n = (struct node){ .kind = kind, .key = keep(o, key) };
	if (in->last != NULL)
		in->last->next = n;
	else
		in->first = n;
	in->last = n;
	in->n++;
	return n;
}

void
aegis_out_text(aegis_out *o, const char *key, const char *value)
{
	struct node *n = add(o, key, value != NULL ? OUT_TEXT : OUT_NULL);

	n->u.text = keep(o, value);
}

void
aegis_out_int(aegis_out *o, const char *key, int64_t value)
{
	add(o, key, OUT_INT)->u.integer = value;
}

void
aegis_out_real(aegis_out *o, const char *key, double value)
{
	add(o, key, OUT_REAL)->u.real = value;
}

void
aegis_out_bool(aegis_out *o, const char *key, bool value)
{
	add(o, key, OUT_BOOL)->u.boolean = value;
}

int
aegis_out_json(aegis_out *o, const char *key, const char *json, aegis_error *e)
{
	struct value v;
	struct data d = { DATA_JSON, json, strlen(json) };
	enum err_code code = codec_parse(codec_mine(), d, &v, client_err(e));

	if (code == ERR_OK)
		add(o, key, OUT_JSON)->u.text = keep(o, json);
	return code;
}

static void
open_node(aegis_out *o, const char *key, enum kind kind)
{
	struct node *n = add(o, key, kind);

	/* How deep a value goes may be the data's doing, so it is no bug. */
	if (o->depth + 1 < DEEPEST && o->beyond == 0) {
		o->open[++o->depth] = n;
		return;
	}
	o->beyond++;
	o->too_deep = true;
}

void
aegis_out_list(aegis_out *o, const char *key)
{
	open_node(o, key, OUT_LIST);
}

void
aegis_out_map(aegis_out *o, const char *key)
{
	open_node(o, key, OUT_MAP);
}

void
aegis_out_end(aegis_out *o)
{
	if (o->beyond > 0) {
		o->beyond--;
		return;
	}
	MUST(o->depth > 0);
	o->depth--;
}

/* --- reading ----------------------------------------------------------------------------- */

static struct value value_of(aegis_out *o, const struct node *n);

static struct value
list_of(aegis_out *o, const struct node *n)
{
	struct value *items = take(o, n->n * sizeof *items), *at = items;

	for (const struct node *c = n->first; c != NULL; c = c->next)
		*at++ = value_of(o, c);
	return (struct value){ .type = VALUE_ARRAY, .n = n->n, .u.items = items };
}

static struct value
map_of(aegis_out *o, const struct node *n)
{
	struct value_pair *pairs = take(o, n->n * sizeof *pairs), *at = pairs;

	for (const struct node *c = n->first; c != NULL; c = c->next)
		*at++ = (struct value_pair){ text_of(c->key), value_of(o, c) };
	return (struct value){ .type = VALUE_MAP, .n = n->n, .u.pairs = pairs };
}

static struct value
value_of(aegis_out *o, const struct node *n)
{
	switch (n->kind) {
	case OUT_NULL:
		break;
	case OUT_TEXT:
		return (struct value){ .type = VALUE_TEXT, .u.text = text_of(n->u.text) };
	case OUT_INT:
		return (struct value){ .type = VALUE_INT, .u.integer = n->u.integer };
	case OUT_REAL:
		return (struct value){ .type = VALUE_REAL, .u.real = n->u.real };
	case OUT_BOOL:
		return (struct value){ .type = VALUE_BOOL, .u.boolean = n->u.boolean };
	case OUT_JSON:
		return (struct value){ .type = VALUE_RAW, .u.raw = { DATA_JSON, n->u.text, strlen(n->u.text) } };
	case OUT_LIST:
		return list_of(o, n);
	case OUT_MAP:
		return map_of(o, n);
	}
	return (struct value){ .type = VALUE_NULL };
}

enum err_code
client_out_value(aegis_out *o, struct value *out, struct err *err)
{
	MUST(o->depth == 0 && o->beyond == 0);	/* every list and map was ended */
	if (o->too_deep)
		return err_set(err, ERR_INVALID, "lists and maps lie in each other more than %d deep", DEEPEST);
	*out = map_of(o, &o->root);
	return ERR_OK;
}

enum err_code
client_out_encode(aegis_out *o, enum data_format format, struct str *out, struct err *err)
{
	struct value v;
	struct pack p;
	enum err_code code = client_out_value(o, &v, err);

	if (code != ERR_OK)
		return code;
	pack_init(&p, out, format, PACK_COMPACT);
	pack_value(&p, &v);
	return pack_end(&p, err);
}
