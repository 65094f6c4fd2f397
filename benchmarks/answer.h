/* answer.h - what `aegis bench` said, as JSON: for programs that hold its figures to limits.  Dies, as bench.h
 * says, when it fails or lacks something. */
#ifndef ANSWER_H
#define ANSWER_H

#include "model/value.h"

struct answer;

/* answer_new(args): runs `aegis bench ARGS… --json`; args NULL-terminated. */
struct answer *answer_new(const char *const *args);
void answer_free(struct answer *a);

/* answer_run(a, pattern): what it tells of that one; NULL: of the first.  Lives as long as a. */
const struct value *answer_run(const struct answer *a, const char *pattern);

/* answer_number(v, key): a member of a map. */
double answer_number(const struct value *v, const char *key);

#endif
