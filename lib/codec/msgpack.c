/* msgpack.c - the only door to msgpack-c: its templates of a reader and of a writer, filled
 * in so that bytes become the tree of model/value.h, and back, without a tree in between.
 *
 * The library's own reader trusts the sizes in a message: six bytes that announce an array
 * of four billion make it ask for that memory.  Here each announced item is taken from a
 * budget of one byte each, which is the least it can be encoded in. */
#include <msgpack/sysdep.h>
#include <msgpack/timestamp.h>
#include <msgpack/unpack.h>
#include <msgpack/version.h>

#include "codec/inner.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

/* Values are built where they stay.  The template hands "objects" around, copies them and
 * puts them into their container once they are complete; ours are pointers to the place,
 * and the state tells which place is next. */
struct reading {
	struct arena *arena;
	struct value *place;		/* of the next value */
	struct value_pair *pair;	/* not NULL: the next thing is this pair's key */
	size_t budget;			/* items that can still be announced */
	const char *why;		/* what was wrong, NULL while nothing is */
	const char *where;		/* its place, NULL: where the reader stopped */
};

/* --- the reader's template ---------------------------------------------------------------- */

#define msgpack_unpack_struct(name) struct unpack##name
#define msgpack_unpack_func(ret, name) static inline ret unpack##name
#define msgpack_unpack_callback(name) on##name
#define msgpack_unpack_object struct value *
#define msgpack_unpack_user struct reading

#include <msgpack/unpack_define.h>

_Static_assert(MSGPACK_EMBED_STACK_SIZE == CODEC_DEPTH_MAX, "the reader's stack is the limit of depth");

#define STOP (-1)	/* any negative number ends the reading */

static int
stop(struct reading *r, const char *where, const char *why)
{
	r->where = where;
	r->why = why;
	return STOP;
}

static inline struct value *
on_root(struct reading *r)
{
	return r->place;
}

/* taken: the place for a value of this type; NULL where a key must stand. */
static inline struct value *
taken(struct reading *r, enum value_type type, struct value **out)
{
	struct value *v = r->place;

	if (r->pair != NULL) {
		stop(r, NULL, "a map key that is not text");
		return NULL;
	}
	v->type = type;
	v->n = 0;
	return *out = v;
}

static inline int
on_nil(struct reading *r, struct value **out)
{
	return taken(r, VALUE_NULL, out) != NULL ? 0 : STOP;
}

static inline int
on_bool(struct reading *r, bool b, struct value **out)
{
	struct value *v = taken(r, VALUE_BOOL, out);

	if (v == NULL)
		return STOP;
	v->u.boolean = b;
	return 0;
}

#define on_true(r, out) on_bool(r, true, out)
#define on_false(r, out) on_bool(r, false, out)

static inline int
on_int64(struct reading *r, int64_t i, struct value **out)
{
	struct value *v = taken(r, VALUE_INT, out);

	if (v == NULL)
		return STOP;
	v->u.integer = i;
	return 0;
}

static inline int
on_uint64(struct reading *r, uint64_t u, struct value **out)
{
	struct value *v = taken(r, u > INT64_MAX ? VALUE_UINT : VALUE_INT, out);

	if (v == NULL)
		return STOP;
	v->u.natural = u;	/* the same bits as an int64 that it fits */
	return 0;
}

#define on_uint8(r, v, out) on_int64(r, v, out)
#define on_uint16(r, v, out) on_int64(r, v, out)
#define on_uint32(r, v, out) on_int64(r, v, out)
#define on_int8(r, v, out) on_int64(r, v, out)
#define on_int16(r, v, out) on_int64(r, v, out)
#define on_int32(r, v, out) on_int64(r, v, out)

static inline int
on_double(struct reading *r, double d, struct value **out)
{
	struct value *v = taken(r, VALUE_REAL, out);

	if (v == NULL)
		return STOP;
	if (!isfinite(d))
		return stop(r, NULL, "a real number that is infinite or none");
	v->u.real = d;
	return 0;
}

#define on_float(r, v, out) on_double(r, (double)(v), out)

static inline int
on_str(struct reading *r, const char *base, const char *p, unsigned n, struct value **out)
{
	/* The library leaves the place of an empty one open; ours must not be NULL. */
	struct text t = { n > 0 ? p : "", n };
	size_t valid = utf8_valid(t.p, t.n);

	(void)base;
	if (valid < n)
		return stop(r, p + valid, "text that is not valid UTF-8");
	if (r->pair != NULL) {
		r->pair->key = t;
		r->place = *out = &r->pair->value;
		r->pair = NULL;
		return 0;
	}
	taken(r, VALUE_TEXT, out)->u.text = t;
	return 0;
}

static inline int
on_bin(struct reading *r, const char *base, const char *p, unsigned n, struct value **out)
{
	struct value *v = taken(r, VALUE_BYTES, out);

	(void)base;
	if (v == NULL)
		return STOP;
	v->u.text = (struct text){ n > 0 ? p : "", n };
	return 0;
}

static inline int
on_ext(struct reading *r, const char *base, const char *p, unsigned n, struct value **out)
{
	(void)base, (void)p, (void)n, (void)out;
	return stop(r, NULL, "an extension type; send dates as text and the rest as maps");
}

/* announced: the place of a container with so many members. */
static inline struct value *
announced(struct reading *r, enum value_type type, uint64_t members, struct value **out)
{
	struct value *v = taken(r, type, out);

	if (v == NULL)
		return NULL;
	if (members > r->budget) {
		stop(r, NULL, "more members announced than bytes are left");
		return NULL;
	}
	r->budget -= members;
	return v;
}

/* A container's n counts up while its members come, so it is right at every moment. */
static inline int
on_array(struct reading *r, unsigned n, struct value **out)
{
	struct value *v = announced(r, VALUE_ARRAY, n, out);

	if (v == NULL)
		return STOP;
	r->place = v->u.items = arena_alloc(r->arena, n * sizeof *v->u.items);
	return 0;
}

static inline int
on_array_item(struct reading *r, struct value **array, struct value *item)
{
	struct value *v = *array;

	(void)item;
	r->pair = NULL;
	r->place = &v->u.items[++v->n];
	return 0;
}

static inline int
on_map(struct reading *r, unsigned n, struct value **out)
{
	struct value *v = announced(r, VALUE_MAP, (uint64_t)n * 2, out);

	if (v == NULL)
		return STOP;
	r->pair = v->u.pairs = arena_alloc(r->arena, n * sizeof *v->u.pairs);
	return 0;
}

static inline int
on_map_item(struct reading *r, struct value **map, struct value *key, struct value *item)
{
	struct value *v = *map;

	(void)key, (void)item;
	r->pair = &v->u.pairs[++v->n];
	return 0;
}

#include <msgpack/unpack_template.h>

/* --- reading ------------------------------------------------------------------------------ */

struct msgpack_reader {
	struct unpack_context context;	/* 1 KB of stack, which needs no zeroing each time */
};

struct msgpack_reader *
msgpack_reader_new(void)
{
	return mem_new(sizeof(struct msgpack_reader));
}

void
msgpack_reader_free(struct msgpack_reader *r)
{
	mem_free(r);
}

enum err_code
msgpack_read(struct msgpack_reader *r, struct arena *a, const char *p, size_t n, struct value *out,
    struct err *err)
{
	struct unpack_context *ctx = &r->context;
	struct reading *u = &ctx->user;
	size_t off = 0;

	*u = (struct reading){ .arena = a, .place = out, .budget = n };
	unpack_init(ctx);
	int ret = unpack_execute(ctx, p, n, &off);
	if (u->why != NULL)
		return err_set(err, ERR_SYNTAX, "byte %zu: %s",
		    u->where != NULL ? (size_t)(u->where - p) : off, u->why);
	if (ret == MSGPACK_UNPACK_NOMEM_ERROR)
		return err_set(err, ERR_SYNTAX, "byte %zu: nested deeper than %d", off, CODEC_DEPTH_MAX);
	if (ret < 0)
		return err_set(err, ERR_SYNTAX, "byte %zu: no MessagePack begins with 0x%02x", off,
		    (unsigned char)p[off]);
	if (ret == 0)
		return err_set(err, ERR_SYNTAX, "byte %zu: ends in the middle of a value", n);
	if (off < n)
		return err_set(err, ERR_SYNTAX, "byte %zu: %zu more bytes behind the value", off, n - off);
	return ERR_OK;
}

/* --- the writer's template ---------------------------------------------------------------- */

/* The cursor moves over room that was made before, so that an item costs one check. */
#define msgpack_pack_inline_func(name) static inline void put##name
#define msgpack_pack_user char **
#define msgpack_pack_append_buffer(cursor, buf, len) \
	do { memcpy(*(cursor), (buf), (len)); *(cursor) += (len); } while (0)

#define msgpack_pack_ext put_ext	/* one of the template's functions calls another by name */

#include <msgpack/pack_define.h>
#include <msgpack/pack_template.h>

#define HEAD_MAX 9	/* the longest item without its bytes */

static inline char *
room(struct str *s, size_t n)
{
	return s->cap - s->len > n ? s->p + s->len : str_room(s, n);
}

#define PUT(s, call) do { \
	char *at = room((s), HEAD_MAX); \
	call; \
	(s)->len = (size_t)(at - (s)->p); \
} while (0)

void
msgpack_put_map(struct str *s, uint32_t pairs)
{
	PUT(s, put_map(&at, pairs));
}

void
msgpack_put_array(struct str *s, uint32_t items)
{
	PUT(s, put_array(&at, items));
}

void
msgpack_put_null(struct str *s)
{
	PUT(s, put_nil(&at));
}

void
msgpack_put_bool(struct str *s, bool v)
{
	PUT(s, v ? put_true(&at) : put_false(&at));
}

void
msgpack_put_int(struct str *s, int64_t v)
{
	PUT(s, put_int64(&at, v));
}

void
msgpack_put_uint(struct str *s, uint64_t v)
{
	PUT(s, put_uint64(&at, v));
}

void
msgpack_put_real(struct str *s, double v)
{
	PUT(s, put_double(&at, v));
}

/* copy_short: n bytes, at most 16, as two overlapping halves: most texts are keys and ids, for
 * which a call of memcpy takes longer than the copying. */
static inline void
copy_short(char *to, const char *from, size_t n)
{
	if (n >= 8) {
		memcpy(to, from, 8);
		memcpy(to + n - 8, from + n - 8, 8);
	} else if (n >= 4) {
		memcpy(to, from, 4);
		memcpy(to + n - 4, from + n - 4, 4);
	} else {
		for (size_t i = 0; i < n; i++)
			to[i] = from[i];
	}
}

void
msgpack_put_text(struct str *s, struct text t)
{
	char *at = room(s, HEAD_MAX + t.n);

	if (t.n <= 16) {
		*at = (char)(0xA0 | t.n);
		copy_short(at + 1, t.p, t.n);
		s->len += 1 + t.n;
		return;
	}
	put_str(&at, t.n);
	memcpy(at, t.p, t.n);
	s->len = (size_t)(at - s->p) + t.n;
}

void
msgpack_put_bytes(struct str *s, struct text t)
{
	char *at = room(s, HEAD_MAX + t.n);

	put_bin(&at, t.n);
	memcpy(at, t.p, t.n);
	s->len = (size_t)(at - s->p) + t.n;
}

const char *
msgpack_version_text(void)
{
	return MSGPACK_VERSION;
}
