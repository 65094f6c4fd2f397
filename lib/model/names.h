/* names.h - what the names of wire.md §1 may look like.  Pure.
 *
 * Two grades: what Python accepts, which aegis must be able to call, and the stricter
 * form that aegis itself creates.  A refusal says which character is wrong and what is
 * allowed: "service name 'Order_1': 'O' is not allowed at the start; use a-z, …". */
#ifndef MODEL_NAMES_H
#define MODEL_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum name_kind {
	NAME_SERVICE,		/* created by aegis: the management-API form, no "--", not reserved, … */
	NAME_SERVICE_CALLED,	/* callable: whatever the SDK accepts */
	NAME_INSTANCE,		/* created by aegis */
	NAME_INSTANCE_CALLED,	/* what the registry accepts on reading */
	NAME_METHOD,		/* created by aegis */
	NAME_METHOD_CALLED,
	NAME_GROUP,
	NAME_VERSION,		/* x.y.z of instances */
	NAME_VERSION_DEFINED,	/* x.y.z without leading zeros, of definitions */
	NAME_VERSION_EVENT,	/* x.y or x.y.z, of events */
	NAME_BUCKET,
	NAME_KEY,
	NAME_DOMAIN,		/* one token of an event's domain */
	NAME_EVENT_TYPE,	/* one or several tokens */
	NAME_COMMAND,
	NAME_KINDS
};

/* name_check(kind, name, err): ERR_OK, or ERR_INVALID with the sentence. */
enum err_code name_check(enum name_kind kind, const char *name, struct err *err);
bool name_ok(enum name_kind kind, const char *name, size_t n);

/* name_sanitize(name): every character that an instance id may not hold becomes '-'; cut
 * at 100; a first character that may not lead becomes 'i'.  In place (wire.md §12). */
void name_sanitize_instance(char *name);

#endif
