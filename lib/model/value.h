/* value.h - one decoded value, whatever text or bytes it came from.
 *
 * Plain data: a tree that lies in its decoder's arena (codec/codec.h) and dies with it;
 * nothing here owns memory.  What MessagePack and JSON have in common is what exists:
 * map keys are text, there are no dates and no extension types.  VALUE_RAW stands for a
 * value that is still encoded, so that what only passes through is never decoded. */
#ifndef MODEL_VALUE_H
#define MODEL_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum value_type {
	VALUE_NULL, VALUE_BOOL, VALUE_INT, VALUE_UINT, VALUE_REAL,
	VALUE_TEXT, VALUE_BYTES, VALUE_ARRAY, VALUE_MAP, VALUE_RAW,
};

enum data_format { DATA_MSGPACK, DATA_JSON };

/* A slice of somebody's memory; p == NULL means absent (null), not empty. */
struct text {
	const char *p;
	size_t n;
};

/* One complete encoded value; p == NULL means absent. */
struct data {
	enum data_format format;
	const char *p;
	size_t n;
};

struct value_pair;

struct value {
	enum value_type type;	/* INT is any int64; UINT only what does not fit there */
	uint32_t n;		/* items of ARRAY, pairs of MAP */
	union {
		bool boolean;
		int64_t integer;
		uint64_t natural;
		double real;
		struct text text;		/* TEXT (valid UTF-8) and BYTES; not terminated */
		struct value *items;
		struct value_pair *pairs;	/* in the order they came */
		struct data raw;
	} u;
};

struct value_pair {
	struct text key;
	struct value value;
};

/* value_field(v, key): the member of a map, NULL when v is no map or has none (v may be
 * NULL).  Of doubled keys the last one counts, as in Python. */
const struct value *value_field(const struct value *v, const char *key);

/* The typed look at a value: false, and *out untouched, when it is something else.  An
 * integral real counts as an integer and an integer as a real.  v may be NULL. */
bool value_text(const struct value *v, struct text *out);
bool value_int(const struct value *v, int64_t *out);
bool value_real(const struct value *v, double *out);
bool value_bool(const struct value *v, bool *out);

/* value_as_text(v, out): appends a single value as one would write it behind an option ("true", "-3",
 * "5.0", the text itself); false, and nothing appended, for null, bytes, maps and arrays. */
bool value_as_text(const struct value *v, struct str *out);

/* value_type_name(t): "map", "text", … for messages. */
const char *value_type_name(enum value_type t);

/* text_is(t, s): t is present and equal to s.  text_of(s): slice of a C string, absent for NULL. */
bool text_is(struct text t, const char *s);
struct text text_of(const char *s);

#endif
