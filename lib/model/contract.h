/* contract.h - what a service promises of its messages: JSON Schemas by name (design.md §6).
 *
 *	{"methods":  {NAME:        {"params": SCHEMA, "result": SCHEMA}},
 *	 "events":   {DOMAIN.TYPE: SCHEMA of the payload},
 *	 "commands": {NAME:        {"params": SCHEMA, "result": SCHEMA}}}
 *
 * Every member may be absent, and each entry may hold a "description" besides (events say it in
 * their schema); what is not named is not judged.  "params" of a command is its payload.  Pure. */
#ifndef MODEL_CONTRACT_H
#define MODEL_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/schema.h"
#include "model/value.h"

enum contract_part {
	CONTRACT_PARAMS,		/* of a method */
	CONTRACT_RESULT,
	CONTRACT_EVENT,			/* the name is DOMAIN.TYPE */
	CONTRACT_COMMAND,		/* its payload */
	CONTRACT_COMMAND_RESULT,
	CONTRACT_PARTS
};

struct contract;

/* contract_new(v, err): compiles all schemas; immutable from then on, for any thread; v may go.
 * NULL with ERR_INVALID: the place by its JSON Pointer in the contract, and what is wrong. */
struct contract *contract_new(const struct value *v, struct err *err);
void contract_free(struct contract *c);		/* NULL is fine */

/* contract_find(c, part, name): the schema that judges it, NULL when nothing is said. */
const struct schema *contract_find(const struct contract *c, enum contract_part part, struct text name);

/* contract_count(c, part): of how many names that is said. */
size_t contract_count(const struct contract *c, enum contract_part part);

const char *contract_part_name(enum contract_part part);	/* "parameters", "result", … for messages */

#endif
