/* value.c - looking into decoded trees. */
#include "model/value.h"

#include <string.h>

#include "base/num.h"

const struct value *
value_field(const struct value *v, const char *key)
{
	if (v == NULL || v->type != VALUE_MAP)
		return NULL;
	size_t n = strlen(key);
	/* From the end, because of doubled keys the last one counts. */
	for (uint32_t i = v->n; i > 0; i--) {
		const struct value_pair *pair = &v->u.pairs[i - 1];
		if (pair->key.n == n && memcmp(pair->key.p, key, n) == 0)
			return &pair->value;
	}
	return NULL;
}

bool
value_text(const struct value *v, struct text *out)
{
	if (v == NULL || v->type != VALUE_TEXT)
		return false;
	*out = v->u.text;
	return true;
}

bool
value_int(const struct value *v, int64_t *out)
{
	if (v == NULL)
		return false;
	if (v->type == VALUE_INT) {
		*out = v->u.integer;
		return true;
	}
	/* 2^63 is the first real that does not fit; NaN fails both comparisons. */
	if (v->type != VALUE_REAL || !(v->u.real >= -0x1p63 && v->u.real < 0x1p63))
		return false;
	int64_t i = (int64_t)v->u.real;
	if ((double)i != v->u.real)
		return false;
	*out = i;
	return true;
}

bool
value_real(const struct value *v, double *out)
{
	if (v == NULL)
		return false;
	switch (v->type) {
	case VALUE_REAL:
		*out = v->u.real;
		return true;
	case VALUE_INT:
		*out = (double)v->u.integer;
		return true;
	case VALUE_UINT:
		*out = (double)v->u.natural;
		return true;
	default:
		return false;
	}
}

bool
value_bool(const struct value *v, bool *out)
{
	if (v == NULL || v->type != VALUE_BOOL)
		return false;
	*out = v->u.boolean;
	return true;
}

bool
value_as_text(const struct value *v, struct str *out)
{
	char real[NUM_TEXT_MAX];

	switch (v->type) {
	case VALUE_BOOL:
		str_puts(out, v->u.boolean ? "true" : "false");
		return true;
	case VALUE_INT:
		str_printf(out, "%lld", (long long)v->u.integer);
		return true;
	case VALUE_UINT:
		str_printf(out, "%llu", (unsigned long long)v->u.natural);
		return true;
	case VALUE_REAL:
		num_real_text(v->u.real, real);
		str_puts(out, real);
		return true;
	case VALUE_TEXT:
		str_add(out, v->u.text.p, v->u.text.n);
		return true;
	default:
		return false;
	}
}

const char *
value_type_name(enum value_type t)
{
	static const char *const names[] = {
		[VALUE_NULL] = "null",
		[VALUE_BOOL] = "boolean",
		[VALUE_INT] = "integer",
		[VALUE_UINT] = "integer",
		[VALUE_REAL] = "real number",
		[VALUE_TEXT] = "text",
		[VALUE_BYTES] = "bytes",
		[VALUE_ARRAY] = "list",
		[VALUE_MAP] = "map",
		[VALUE_RAW] = "encoded value",
	};

	return names[t];
}

bool
text_is(struct text t, const char *s)
{
	return t.p != NULL && t.n == strlen(s) && memcmp(t.p, s, t.n) == 0;
}

struct text
text_of(const char *s)
{
	return (struct text){ s, s != NULL ? strlen(s) : 0 };
}
