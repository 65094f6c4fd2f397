/* pattern.h - which events a subscriber wants: "events.order.created", "events.order.*",
 * "events.>" (wire.md §1).  Pure. */
#ifndef MODEL_PATTERN_H
#define MODEL_PATTERN_H

#include <stdbool.h>

#include "base/err.h"

#define PATTERN_MAX 200		/* so that the name of its durable stays below the server's 255 */

/* pattern_check(pattern, err): first token "events", then names, '*', and perhaps '>' at the
 * end; ERR_INVALID names what is wrong and what would do. */
enum err_code pattern_check(const char *pattern, struct err *err);

/* pattern_is_exact(pattern): no wildcard in it. */
bool pattern_is_exact(const char *pattern);

/* pattern_matches(pattern, subject): as NATS does: '*' is one token, '>' one or more. */
bool pattern_matches(const char *pattern, const char *subject);

#endif
