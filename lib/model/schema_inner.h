/* schema_inner.h - what a compiled schema is: between schema.c, which makes it, and
 * schema_check.c, which holds values against it. */
#ifndef MODEL_SCHEMA_INNER_H
#define MODEL_SCHEMA_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/regex.h"
#include "model/schema.h"

/* The types of JSON as bits; NUMBER is what INTEGER is not. */
enum {
	TYPE_NULL = 1, TYPE_BOOLEAN = 2, TYPE_STRING = 4, TYPE_ARRAY = 8, TYPE_OBJECT = 16,
	TYPE_INTEGER = 32, TYPE_FRACTION = 64, TYPE_NUMBER = TYPE_INTEGER | TYPE_FRACTION,
};

struct rule;

struct rule_list {
	struct rule **v;
	uint32_t n;
};

struct member_rule {
	struct text name;		/* of properties */
	struct regex *pattern;		/* of patternProperties */
	struct rule *rule;
};

struct bound {
	bool given;
	long double n;			/* exact for every int64, uint64 and double */
};

struct limits {
	uint64_t least, most;
};

/* One schema; what is absent is NULL, empty, or a limit that nothing breaks. */
struct rule {
	struct rule *next;		/* of all rules of a schema */
	bool never;			/* the schema false */
	uint8_t types;			/* 0: any */
	uint8_t height;			/* longest chain of rules for one value; 0: not known yet */
	bool unique;
	const struct value *constant, *choices;		/* const; enum, a list */
	const struct value *required;			/* a list of names */
	struct bound minimum, maximum, above, below, multiple;
	struct limits length, items_count, members;
	struct regex *pattern;
	struct member_rule *properties, *patterns;
	uint32_t nproperties, npatterns;
	struct rule *additional, *names, *items;
	struct rule_list prefix, all, any, one;
	struct rule *not_, *if_, *then_, *else_, *ref;
};

struct schema {
	struct rule *rules;		/* all of them */
	struct rule *root;
	size_t nrules;
	struct schema_memory *kept;	/* all that rules point to, but patterns */
};

/* Where one is in a value: a list that lies on the stack. */
struct place {
	const struct place *up;		/* NULL: this is the root */
	struct text key;		/* p NULL: the index counts */
	uint32_t index;
};

#define PLACE_TEXT_MAX 200

/* place_text(at, out): its JSON Pointer in quotes; the whole value is "the value".  Cut from the front. */
void place_text(const struct place *at, char out[PLACE_TEXT_MAX]);

/* member_of(map, key): as value_field, for a key of any bytes. */
const struct value *member_of(const struct value *map, struct text key);

/* number_of(v, out): exact; false when v is none. */
bool number_of(const struct value *v, long double *out);

#endif
