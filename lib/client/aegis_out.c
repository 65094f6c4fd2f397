/* aegis_out.c - values under construction, as a small tree: MessagePack wants to know how
 * many members follow before it writes the first, and the caller does not say. */
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "client/client.h"

#define DEEPEST 16

enum kind { OUT_NULL, OUT_TEXT, OUT_INT, OUT_REAL, OUT_BOOL, OUT_JSON, OUT_LIST, OUT_MAP };

struct node {
	enum kind kind;
	char *key;			/* NULL inside a list */
	union { char *text; int64_t integer; double real; bool boolean; } u;
	struct node *first, *last, *next;
	uint32_t n;
};

struct aegis_out {
	struct node root;
	struct node *open[DEEPEST];	/* open[depth] takes what comes */
	unsigned depth;
};

aegis_out *
aegis_out_new(void)
{
	aegis_out *o = mem_new(sizeof *o);

	o->root.kind = OUT_MAP;
	o->open[0] = &o->root;
	return o;
}

static void
node_clear(struct node *n)
{
	for (struct node *c = n->first, *next; c != NULL; c = next) {
		next = c->next;
		node_clear(c);
		mem_free(c);
	}
	if (n->kind == OUT_TEXT || n->kind == OUT_JSON)
		mem_free(n->u.text);
	mem_free(n->key);
}

void
aegis_out_free(aegis_out *o)
{
	if (o == NULL)
		return;
	node_clear(&o->root);
	mem_free(o);
}

static struct node *
add(aegis_out *o, const char *key, enum kind kind)
{
	struct node *in = o->open[o->depth], *n = mem_new(sizeof *n);

	MUST((key == NULL) == (in->kind == OUT_LIST));	/* members have keys, items have none */
	n->kind = kind;
	n->key = mem_text(key);
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

	n->u.text = mem_text(value);
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
		add(o, key, OUT_JSON)->u.text = mem_text(json);
	return code;
}

static void
open_node(aegis_out *o, const char *key, enum kind kind)
{
	struct node *n = add(o, key, kind);

	MUST(o->depth + 1 < DEEPEST);
	o->open[++o->depth] = n;
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
	MUST(o->depth > 0);
	o->depth--;
}

static void
pack_node(struct pack *p, const struct node *n)
{
	switch (n->kind) {
	case OUT_NULL:
		pack_null(p);
		break;
	case OUT_TEXT:
		pack_puts(p, n->u.text);
		break;
	case OUT_INT:
		pack_int(p, n->u.integer);
		break;
	case OUT_REAL:
		pack_real(p, n->u.real);
		break;
	case OUT_BOOL:
		pack_bool(p, n->u.boolean);
		break;
	case OUT_JSON:
		pack_data(p, (struct data){ DATA_JSON, n->u.text, strlen(n->u.text) });
		break;
	case OUT_LIST:
		pack_array(p, n->n);
		for (const struct node *c = n->first; c != NULL; c = c->next)
			pack_node(p, c);
		break;
	case OUT_MAP:
		pack_map(p, n->n);
		for (const struct node *c = n->first; c != NULL; c = c->next) {
			pack_key(p, c->key);
			pack_node(p, c);
		}
		break;
	}
}

enum err_code
client_out_encode(const aegis_out *o, enum data_format format, struct str *out, struct err *err)
{
	struct pack p;

	MUST(o->depth == 0);		/* every list and map was ended */
	pack_init(&p, out, format, PACK_COMPACT);
	pack_node(&p, &o->root);
	return pack_end(&p, err);
}
