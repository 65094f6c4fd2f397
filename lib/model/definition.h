/* definition.h - what somebody declared a service to be (wire.md §8.3). */
#ifndef MODEL_DEFINITION_H
#define MODEL_DEFINITION_H

#include "base/err.h"
#include "base/instant.h"

struct definition {
	char *service, *owner, *description, *version;
	struct wall created_at, updated_at;
};

void definition_init(struct definition *d);
void definition_release(struct definition *d);
void definition_free(struct definition *d);	/* of mem_new; NULL is fine */

/* definition_check(d, err): names and lengths of §1 and §11: owner 1-100, description
 * 1-500 characters, version without leading zeros, updated not before created.  The
 * sentence names the field: "owner: …". */
enum err_code definition_check(const struct definition *d, struct err *err);

#endif
