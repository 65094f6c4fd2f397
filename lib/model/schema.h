/* schema.h - is a value what a JSON Schema says?  A stated part of draft 2020-12.
 *
 * Supported, and meaning exactly what the draft says: true and false as schemas; type (one or
 * several), enum, const; properties, patternProperties, additionalProperties, propertyNames,
 * required, minProperties, maxProperties; items, prefixItems, minItems, maxItems, uniqueItems;
 * minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf; minLength, maxLength
 * (characters, not bytes), pattern (the dialect of model/regex.h); allOf, anyOf, oneOf, not, if,
 * then, else; $defs at the root, and $ref to "#" or "#/$defs/NAME".  Only notes, as in the draft:
 * $schema (2020-12), $id at the root, $comment, title, description, default, examples, format,
 * deprecated, readOnly, writeOnly, contentEncoding, contentMediaType, and every x-….
 * Any other keyword is refused, so that a schema never means less than it says.
 *
 * multipleOf allows for the last digit of binary fractions: 0.07 is a multiple of 0.01.  Bytes,
 * which JSON has not, are a string of the length of their base64 that no pattern and no constant
 * matches.  Of doubled members the last one counts, everywhere.  Pure. */
#ifndef MODEL_SCHEMA_H
#define MODEL_SCHEMA_H

#include "base/err.h"
#include "model/value.h"

#define SCHEMA_RULES_MAX 4096		/* schemas inside a schema */
#define SCHEMA_CHAIN_MAX 16		/* allOf, anyOf, oneOf, not, if and $ref that lead to the same value */
#define SCHEMA_STEPS (1 << 22)		/* what one check may cost: members, items and characters looked at */

struct schema;

/* schema_new(v, err): compiles; v (decoded, nesting at most the codec's 32) is only read and may
 * go afterwards.  Immutable from then on, for any thread.  NULL with ERR_INVALID, which names the
 * place by its JSON Pointer in the schema, what is wrong and what would do. */
struct schema *schema_new(const struct value *v, struct err *err);
void schema_free(struct schema *s);		/* NULL is fine */

/* schema_check(s, v, err): ERR_OK, or ERR_INVALID that names the place by its JSON Pointer in v,
 * the keyword that failed, and what it wants.  What would cost more than SCHEMA_STEPS is
 * refused as well.  Allocates nothing; its stack grows with the nesting of v, to about 200 KiB at most. */
enum err_code schema_check(const struct schema *s, const struct value *v, struct err *err);

#endif
