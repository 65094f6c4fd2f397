/* manage_definition.h - inside lib/api: a definition as clients send it, whole or in part (wire.md §11).
 *
 * Faults are named as the Python API does: body.x for what its patterns find, plain x for what it
 * finds later. */
#ifndef API_MANAGE_DEFINITION_H
#define API_MANAGE_DEFINITION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/instant.h"

struct definition;
struct manage_faults;
struct value;
struct web_request;

/* definition_take(body, whole, d, f): what the body says, into d, which was initialised and is released by the
 * caller; a fault for what is wrong.  whole: each member is needed.  Else a part: what is absent or
 * null stays NULL, and a name is not looked at.  Members that nobody knows are ignored. */
void definition_take(const struct value *body, bool whole, struct definition *d, struct manage_faults *f);

/* definition_apply(d, patch, now): what is in the part takes the place of what is in d, updated now. */
void definition_apply(struct definition *d, const struct definition *patch, struct wall now);

/* manage_definition_reply(r, status, d, revision): d as the answer, with its revision as tag; 0: it has none. */
void manage_definition_reply(struct web_request *r, int status, const struct definition *d, uint64_t revision);

/* definition_same(a, b): both say the same of what clients may say. */
bool definition_same(const struct definition *a, const struct definition *b);

#endif
