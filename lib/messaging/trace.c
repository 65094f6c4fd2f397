/* trace.c - the same 128 bits, written in two ways. */
#include "messaging/trace.h"

#include <stdio.h>
#include <string.h>

#define ID_AT 3				/* where the trace-id begins, */
#define ID_DIGITS 32
#define SPAN_AT 36			/* the span id, */
#define SPAN_DIGITS 16
#define FLAGS_AT 53			/* and the flags */

static bool
is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* digits_of: the 32 digits of a UUID; false when id is none. */
static bool
digits_of(const char *id, char out[ID_DIGITS + 1])
{
	size_t n = 0;

	if (id == NULL || strlen(id) != ID_UUID_MAX - 1)
		return false;
	for (size_t i = 0; i < ID_UUID_MAX - 1; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? id[i] != '-' : !is_hex(id[i]))
			return false;
		if (!dash)
			out[n++] = id[i];
	}
	out[n] = '\0';
	return true;
}

const char *
trace_parent(const char *parent, const char *id, char out[TRACE_PARENT_MAX])
{
	char digits[ID_DIGITS + 1], span[SPAN_DIGITS + 1];

	if (parent != NULL || !digits_of(id, digits))
		return parent;
	id_hex(span, SPAN_DIGITS);
	snprintf(out, TRACE_PARENT_MAX, "00-%s-%s-01", digits, span);
	return out;
}

/* some_id: n hex digits, not all of them 0. */
static bool
some_id(const char *p, size_t n)
{
	bool some = false;

	for (size_t i = 0; i < n; i++) {
		if (!is_hex(p[i]))
			return false;
		some |= p[i] != '0';
	}
	return some;
}

bool
trace_parent_valid(const char *t)
{
	return strlen(t) == TRACE_PARENT_MAX - 1 && memcmp(t, "00-", ID_AT) == 0 &&
	    some_id(t + ID_AT, ID_DIGITS) && t[SPAN_AT - 1] == '-' && some_id(t + SPAN_AT, SPAN_DIGITS) &&
	    t[FLAGS_AT - 1] == '-' && is_hex(t[FLAGS_AT]) && is_hex(t[FLAGS_AT + 1]);
}

void
trace_id_of(const char *parent, char out[ID_UUID_MAX])
{
	const char *p = parent + ID_AT;

	snprintf(out, ID_UUID_MAX, "%.8s-%.4s-%.4s-%.4s-%.12s", p, p + 8, p + 12, p + 16, p + 20);
}

enum err_code
trace_parent_check(const char *t, struct err *err)
{
	if (t == NULL || trace_parent_valid(t))
		return ERR_OK;
	return err_set(err, ERR_INVALID, "traceparent '%.64s' is not of the form 00-{32 hex digits}-{16}-{2}", t);
}

const char *
trace_id_told(const char *id, const char *parent, char out[ID_UUID_MAX])
{
	if (id != NULL || parent == NULL)
		return id;
	trace_id_of(parent, out);
	return out;
}
