/* json.c - the only door to yyjson: reading JSON into the tree of model/value.h.
 *
 * yyjson takes its memory in our arena and leaves the unescaped texts there, so a text slice
 * needs no copy.  It reads without recursion and has no limit of depth; ours is applied
 * while its tree is walked. */
#include <yyjson.h>

#include "codec/inner.h"

#include <string.h>

#include "base/magic.h"

/* --- memory ------------------------------------------------------------------------------- */

static void *
yy_alloc(void *arena, size_t n)
{
	return arena_alloc(arena, n);
}

static void *
yy_resize(void *arena, void *p, size_t from, size_t to)
{
	return arena_resize(arena, p, from, to);
}

static void
yy_free(void *arena, void *p)
{
	(void)arena, (void)p;	/* the next reset frees everything */
}

/* --- errors ------------------------------------------------------------------------------- */

struct source {
	struct arena *arena;
	const char *p;
	size_t n;
	bool lenient;
	struct err *err;
};

static enum err_code
refuse(const struct source *s, size_t at, const char *what)
{
	size_t line, column, character;

	if (!s->lenient)
		return err_set(s->err, ERR_SYNTAX, "byte %zu: %s", at, what);
	yyjson_locate_pos(s->p, s->n, at, &line, &column, &character);
	return err_set(s->err, ERR_SYNTAX, "line %zu, column %zu: %s", line, column, what);
}

/* deepest_at: where the text goes one level too deep; it is known to be well-formed and to
 * do so. */
static size_t
deepest_at(const struct source *s)
{
	unsigned depth = 0;
	bool quoted = false;
	size_t i = 0;

	while (depth <= CODEC_DEPTH_MAX) {
		MUST(i < s->n);
		char c = s->p[i++];
		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '[' || c == '{'))
			depth++;
		else if (!quoted && (c == ']' || c == '}'))
			depth--;
	}
	return i - 1;
}

static enum err_code
refuse_depth(const struct source *s)
{
	/* Comments may hold quotes and brackets, so a lenient text gets no place. */
	if (s->lenient)
		return err_set(s->err, ERR_SYNTAX, "nested deeper than %d", CODEC_DEPTH_MAX);
	return err_set(s->err, ERR_SYNTAX, "byte %zu: nested deeper than %d", deepest_at(s), CODEC_DEPTH_MAX);
}

/* --- the walk ----------------------------------------------------------------------------- */

static enum err_code walk(const struct source *s, yyjson_val *y, unsigned depth, struct value *out);

static struct text
text_from(yyjson_val *y)
{
	return (struct text){ unsafe_yyjson_get_str(y), unsafe_yyjson_get_len(y) };
}

static enum err_code
walk_array(const struct source *s, yyjson_val *y, unsigned depth, struct value *out)
{
	enum err_code code;

	out->type = VALUE_ARRAY;
	out->n = (uint32_t)yyjson_arr_size(y);
	out->u.items = arena_alloc(s->arena, out->n * sizeof *out->u.items);
	yyjson_arr_iter it = yyjson_arr_iter_with(y);
	for (uint32_t i = 0; i < out->n; i++) {
		if ((code = walk(s, yyjson_arr_iter_next(&it), depth + 1, &out->u.items[i])) != ERR_OK)
			return code;
	}
	return ERR_OK;
}

static enum err_code
walk_map(const struct source *s, yyjson_val *y, unsigned depth, struct value *out)
{
	enum err_code code;

	out->type = VALUE_MAP;
	out->n = (uint32_t)yyjson_obj_size(y);
	out->u.pairs = arena_alloc(s->arena, out->n * sizeof *out->u.pairs);
	yyjson_obj_iter it = yyjson_obj_iter_with(y);
	for (uint32_t i = 0; i < out->n; i++) {
		struct value_pair *pair = &out->u.pairs[i];
		yyjson_val *key = yyjson_obj_iter_next(&it);
		pair->key = text_from(key);
		if ((code = walk(s, yyjson_obj_iter_get_val(key), depth + 1, &pair->value)) != ERR_OK)
			return code;
	}
	return ERR_OK;
}

static void
walk_number(yyjson_val *y, struct value *out)
{
	if (unsafe_yyjson_is_real(y)) {
		out->type = VALUE_REAL;
		out->u.real = unsafe_yyjson_get_real(y);
	} else if (unsafe_yyjson_is_uint(y) && unsafe_yyjson_get_uint(y) > INT64_MAX) {
		out->type = VALUE_UINT;
		out->u.natural = unsafe_yyjson_get_uint(y);
	} else {
		out->type = VALUE_INT;
		out->u.integer = unsafe_yyjson_get_sint(y);
	}
}

static enum err_code
walk(const struct source *s, yyjson_val *y, unsigned depth, struct value *out)
{
	out->n = 0;
	switch (unsafe_yyjson_get_type(y)) {
	case YYJSON_TYPE_ARR:
	case YYJSON_TYPE_OBJ:
		if (depth == CODEC_DEPTH_MAX)
			return refuse_depth(s);
		return unsafe_yyjson_is_arr(y) ? walk_array(s, y, depth, out) : walk_map(s, y, depth, out);
	case YYJSON_TYPE_STR:
		out->type = VALUE_TEXT;
		out->u.text = text_from(y);
		return ERR_OK;
	case YYJSON_TYPE_NUM:
		walk_number(y, out);
		return ERR_OK;
	case YYJSON_TYPE_BOOL:
		out->type = VALUE_BOOL;
		out->u.boolean = unsafe_yyjson_get_bool(y);
		return ERR_OK;
	default:
		out->type = VALUE_NULL;
		return ERR_OK;
	}
}

enum err_code
json_read(struct arena *a, const char *p, size_t n, bool lenient, struct value *out, struct err *err)
{
	const yyjson_alc alc = { yy_alloc, yy_resize, yy_free, a };
	struct source s = { a, p, n, lenient, err };
	yyjson_read_err why;
	yyjson_doc *doc;

	/* Without the flag INSITU yyjson copies the text and does not write to it. */
	doc = yyjson_read_opts((char *)(uintptr_t)p, n,
	    lenient ? YYJSON_READ_ALLOW_TRAILING_COMMAS | YYJSON_READ_ALLOW_COMMENTS : YYJSON_READ_NOFLAG,
	    &alc, &why);
	if (doc == NULL)
		return refuse(&s, why.pos, why.msg);
	return walk(&s, yyjson_doc_get_root(doc), 0, out);
}

void
json_digits(double v, char out[JSON_DIGITS_MAX])
{
	char room[512];		/* yyjson writes into what it is given; the rest is the pool's own */
	yyjson_alc alc;
	yyjson_val y;
	size_t n;

	MUST(yyjson_alc_pool_init(&alc, room, sizeof room));
	unsafe_yyjson_set_real(&y, v);
	char *text = yyjson_val_write_opts(&y, YYJSON_WRITE_NOFLAG, &alc, &n, NULL);
	MUST(text != NULL && n < JSON_DIGITS_MAX);
	memcpy(out, text, n);
	out[n] = '\0';
}

const char *
json_version(void)
{
	return YYJSON_VERSION_STRING;
}
