/* trace.h - inside lib/: the W3C `traceparent` beside an envelope's trace_id.
 *
 * Its trace-id is the envelope's trace_id when that is a UUID (conventions.md §8), so a trace goes
 * on through peers that send no headers.  Pure but for the fresh span id. */
#ifndef MESSAGING_TRACE_H
#define MESSAGING_TRACE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/id.h"

#define TRACE_PARENT_MAX 56		/* 00-, 32 digits, -, 16 digits, -01, and an end */

/* trace_parent(parent, id, out): parent as it is when there is one; else one made of id, in out,
 * where id is a UUID in lower case; else NULL.  Both may be NULL. */
const char *trace_parent(const char *parent, const char *id, char out[TRACE_PARENT_MAX]);

/* trace_parent_valid(text): version 00, and neither id all zeros. */
bool trace_parent_valid(const char *text);

/* trace_parent_check(text, err): ERR_INVALID for one that is not; NULL is fine. */
enum err_code trace_parent_check(const char *text, struct err *err);

/* trace_id_of(parent, out): the trace-id of a valid one, as a UUID.  trace_id_told(id, parent, out): id,
 * or without one that of parent, in out; NULL when there is neither. */
void trace_id_of(const char *parent, char out[ID_UUID_MAX]);
const char *trace_id_told(const char *id, const char *parent, char out[ID_UUID_MAX]);

#endif
