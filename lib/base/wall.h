/* wall.h - wall-clock times as text: ISO 8601 in, the two forms of wire.md out.  Pure. */
#ifndef BASE_WALL_H
#define BASE_WALL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/instant.h"

#define WALL_TEXT_MAX 48

/* wall_utc(t, out): "2025-08-08T01:02:03.456789+00:00" (wire.md §3, rule 3). */
void wall_utc(struct wall t, char out[WALL_TEXT_MAX]);

/* wall_cst(t, out): the same instant with "+08:00", as definitions carry it (§8.3). */
void wall_cst(struct wall t, char out[WALL_TEXT_MAX]);

/* wall_rfc3339(t, out): "2025-08-08T01:02:03.456Z", for logs and people. */
void wall_rfc3339(struct wall t, char out[WALL_TEXT_MAX]);

/* wall_parse(text, n, t): reads ISO 8601 with `Z`, an offset, or none (then UTC), a
 * date alone, 0-9 fraction digits, `T` or a blank between date and time.  Returns
 * false, and leaves *t alone, for anything else, also for 31 February.  Instants before 1677
 * or after 2262 become the nearest one that nanoseconds can hold. */
bool wall_parse(const char *text, size_t n, struct wall *t);

#endif
