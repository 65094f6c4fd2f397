/* pack.c - the one writer: what comes next is checked here, its bytes are made by
 * msgpack.c and pack_json.c.
 *
 * A level remembers how many members it still expects; the container closes itself when
 * the last one is written, so there is no closing call to forget.  After the first failure
 * every call does nothing, which lets callers write on and ask once at the end. */
#include "codec/codec.h"

#include <math.h>
#include <string.h>

#include "base/magic.h"
#include "base/utf8.h"
#include "codec/inner.h"

void
pack_init(struct pack *p, struct str *out, enum data_format format, enum pack_style style)
{
	/* Field by field: clearing the levels and the sentence would cost more than a small message. */
	p->out = out;
	p->format = format;
	p->style = style;
	p->code = ERR_OK;
	p->start = out->len;
	p->depth = 0;
	p->level[0].left = 1;
	p->level[0].count = 1;
	p->level[0].map = false;
	p->level[0].key_done = false;
}

enum err_code
pack_end(struct pack *p, struct err *err)
{
	if (p->code != ERR_OK) {
		p->out->len = p->start;
		str_room(p->out, 0);
		str_end(p->out);
		return err_set(err, p->code, "%s", p->err.text);
	}
	MUST(p->depth == 0 && p->level[0].left == 0);
	str_room(p->out, 0);
	str_end(p->out);
	return ERR_OK;
}

/* --- places ------------------------------------------------------------------------------- */

/* json_lead: what stands between the member before and this one. */
static void
json_lead(struct pack *p, bool first)
{
	if (!first)
		str_add(p->out, ", ", p->style == PACK_PYTHON ? 2 : 1);
	if (p->style == PACK_PRETTY)
		json_put_newline(p->out, p->depth);
}

/* place: the value that comes may stand here. */
static inline void
place(struct pack *p)
{
	const struct pack_level *l = &p->level[p->depth];

	MUST(l->left > 0);
	MUST(l->key_done == l->map);
	if (p->format == DATA_JSON && !l->map && p->depth > 0)
		json_lead(p, l->left == l->count);
}

/* value_begin: false when nothing is to be written any more. */
static inline bool
value_begin(struct pack *p)
{
	if (p->code != ERR_OK)
		return false;
	place(p);
	return true;
}

/* counted: one member less to come; false when it was the last of a container. */
static inline bool
counted(struct pack *p)
{
	struct pack_level *l = &p->level[p->depth];

	l->key_done = false;
	return --l->left > 0 || p->depth == 0;
}

static void
close_containers(struct pack *p)
{
	do {
		bool map = p->level[p->depth--].map;
		if (p->format == DATA_JSON) {
			if (p->style == PACK_PRETTY)
				json_put_newline(p->out, p->depth);
			str_putc(p->out, map ? '}' : ']');
		}
	} while (!counted(p));
}

/* value_end: a value is complete, and with it each container whose last member it was. */
static inline void
value_end(struct pack *p)
{
	if (!counted(p))
		close_containers(p);
}

static void
refuse(struct pack *p, const char *what)
{
	p->code = err_set(&p->err, ERR_INVALID, "%s", what);
}

static void
container(struct pack *p, bool map, uint32_t n)
{
	if (!value_begin(p))
		return;
	if (p->depth == CODEC_DEPTH_MAX) {
		refuse(p, "nested deeper than 32, which no reader of ours takes");
		return;
	}
	if (p->format == DATA_JSON)
		str_add(p->out, map ? "{}" : "[]", n > 0 ? 1 : 2);
	else if (map)
		msgpack_put_map(p->out, n);
	else
		msgpack_put_array(p->out, n);
	if (n == 0) {
		value_end(p);
		return;
	}
	p->depth++;
	p->level[p->depth].left = p->level[p->depth].count = n;
	p->level[p->depth].map = map;
	p->level[p->depth].key_done = false;
}

void
pack_map(struct pack *p, uint32_t pairs)
{
	container(p, true, pairs);
}

void
pack_array(struct pack *p, uint32_t items)
{
	container(p, false, items);
}

/* --- texts -------------------------------------------------------------------------------- */

static bool
text_check(struct pack *p, struct text t)
{
	if (utf8_valid(t.p, t.n) == t.n)
		return true;
	refuse(p, "a text is not valid UTF-8");
	return false;
}

void
pack_key_known(struct pack *p, struct text key)
{
	if (p->code != ERR_OK)
		return;
	struct pack_level *l = &p->level[p->depth];
	MUST(l->map && !l->key_done && l->left > 0);
	l->key_done = true;
	if (p->format == DATA_MSGPACK) {
		msgpack_put_text(p->out, key);
		return;
	}
	json_lead(p, l->left == l->count);
	json_put_text(p->out, key, p->style);
	str_add(p->out, ": ", p->style == PACK_PYTHON || p->style == PACK_PRETTY ? 2 : 1);
}

void
pack_key_n(struct pack *p, struct text key)
{
	if (p->code == ERR_OK && text_check(p, key))
		pack_key_known(p, key);
}

void
pack_key(struct pack *p, const char *key)
{
	pack_key_n(p, text_of(key));
}

void
pack_text(struct pack *p, struct text t)
{
	if (t.p == NULL) {
		pack_null(p);
		return;
	}
	if (!value_begin(p) || !text_check(p, t))
		return;
	if (p->format == DATA_JSON)
		json_put_text(p->out, t, p->style);
	else
		msgpack_put_text(p->out, t);
	value_end(p);
}

void
pack_puts(struct pack *p, const char *s)
{
	pack_text(p, text_of(s));
}

void
pack_bytes(struct pack *p, struct text t)
{
	if (t.p == NULL) {
		pack_null(p);
		return;
	}
	if (!value_begin(p))
		return;
	if (p->format == DATA_JSON)
		json_put_base64(p->out, t);
	else
		msgpack_put_bytes(p->out, t);
	value_end(p);
}

/* --- the rest ----------------------------------------------------------------------------- */

void
pack_null(struct pack *p)
{
	if (!value_begin(p))
		return;
	if (p->format == DATA_JSON)
		str_add(p->out, "null", 4);
	else
		msgpack_put_null(p->out);
	value_end(p);
}

void
pack_bool(struct pack *p, bool v)
{
	if (!value_begin(p))
		return;
	if (p->format == DATA_JSON)
		str_puts(p->out, v ? "true" : "false");
	else
		msgpack_put_bool(p->out, v);
	value_end(p);
}

void
pack_int(struct pack *p, int64_t v)
{
	if (!value_begin(p))
		return;
	if (p->format == DATA_JSON)
		json_put_int(p->out, v);
	else
		msgpack_put_int(p->out, v);
	value_end(p);
}

void
pack_uint(struct pack *p, uint64_t v)
{
	if (!value_begin(p))
		return;
	if (p->format == DATA_JSON)
		json_put_uint(p->out, v);
	else
		msgpack_put_uint(p->out, v);
	value_end(p);
}

void
pack_real(struct pack *p, double v)
{
	if (!value_begin(p))
		return;
	if (!isfinite(v)) {
		refuse(p, "a real number is infinite or none, which messages cannot carry");
		return;
	}
	if (p->format == DATA_JSON)
		json_put_real(p->out, v);
	else
		msgpack_put_real(p->out, v);
	value_end(p);
}

/* --- whole values ------------------------------------------------------------------------- */

static void
pack_members(struct pack *p, const struct value *v)
{
	bool map = v->type == VALUE_MAP;

	container(p, map, v->n);
	/* The check stops the recursion where the container was refused. */
	for (uint32_t i = 0; i < v->n && p->code == ERR_OK; i++) {
		if (map)
			pack_key_n(p, v->u.pairs[i].key);
		pack_value(p, map ? &v->u.pairs[i].value : &v->u.items[i]);
	}
}

void
pack_value(struct pack *p, const struct value *v)
{
	switch (v != NULL ? v->type : VALUE_NULL) {
	case VALUE_NULL:
		pack_null(p);
		break;
	case VALUE_BOOL:
		pack_bool(p, v->u.boolean);
		break;
	case VALUE_INT:
		pack_int(p, v->u.integer);
		break;
	case VALUE_UINT:
		pack_uint(p, v->u.natural);
		break;
	case VALUE_REAL:
		pack_real(p, v->u.real);
		break;
	case VALUE_TEXT:
		pack_text(p, v->u.text);
		break;
	case VALUE_BYTES:
		pack_bytes(p, v->u.text);
		break;
	case VALUE_ARRAY:
	case VALUE_MAP:
		pack_members(p, v);
		break;
	case VALUE_RAW:
		pack_data(p, v->u.raw);
		break;
	}
}

/* depth_of: how many containers lie inside each other. */
static unsigned
depth_of(const struct value *v)
{
	unsigned deepest = 0;

	if (v->type != VALUE_MAP && v->type != VALUE_ARRAY)
		return 0;
	for (uint32_t i = 0; i < v->n; i++) {
		unsigned d = depth_of(v->type == VALUE_MAP ? &v->u.pairs[i].value : &v->u.items[i]);
		if (d > deepest)
			deepest = d;
	}
	return deepest + 1;
}

/* fits_verbatim: d may be copied as it is.  JSON only in the one style without rules about
 * escapes, and without line breaks, which would tear newline-delimited messages apart. */
static bool
fits_verbatim(const struct pack *p, struct data d)
{
	if (d.format != p->format)
		return false;
	if (d.format == DATA_MSGPACK)
		return true;
	if (p->style != PACK_COMPACT)
		return false;
	for (size_t i = 0; i < d.n; i++) {
		if ((unsigned char)d.p[i] < ' ')
			return false;
	}
	return true;
}

void
pack_data(struct pack *p, struct data d)
{
	struct value v;

	if (d.p == NULL) {
		pack_null(p);
		return;
	}
	if (p->code != ERR_OK)
		return;
	/* Read even what is copied as it is: one unreadable part would spoil the whole message. */
	if ((p->code = codec_parse(codec_aside(), d, &v, &p->err)) != ERR_OK)
		return;
	if (!fits_verbatim(p, d) || p->depth + depth_of(&v) > CODEC_DEPTH_MAX) {
		pack_value(p, &v);
		return;
	}
	place(p);
	str_add(p->out, d.p, d.n);
	value_end(p);
}
