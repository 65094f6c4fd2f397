/* told.c - from a call's options to headers. */
#include "messaging/told.h"

#include <string.h>

#include "base/instant.h"

enum err_code
told_set(struct told *t, const struct call_spec *s, struct err *err)
{
	t->timed = s->trace_id != NULL || s->traceparent != NULL || s->idempotent;
	t->any = t->timed || s->epoch != 0;
	if (!t->any)
		return ERR_OK;
	t->idempotent = s->idempotent;
	t->epoch = s->epoch;
	t->parent[0] = '\0';
	if (s->traceparent == NULL) {
		trace_parent(NULL, s->trace_id, t->parent);
		return ERR_OK;
	}
	enum err_code code = trace_parent_check(s->traceparent, err);
	if (code != ERR_OK)
		return code;
	memcpy(t->parent, s->traceparent, TRACE_PARENT_MAX);
	return ERR_OK;
}

const struct conn_header *
told_headers(const struct told *t, int64_t left_ns, struct told_headers *h)
{
	size_t n = 0;

	if (t->timed) {
		num_uint_text(left_ns > 0 ? (uint64_t)(left_ns / NS_PER_MS) : 0, h->left);
		h->v[n++] = (struct conn_header){ "Aegis-Deadline", h->left };
	}
	if (t->parent[0] != '\0')
		h->v[n++] = (struct conn_header){ "traceparent", t->parent };
	if (t->idempotent)
		h->v[n++] = (struct conn_header){ "Aegis-Idempotent", "1" };
	if (t->epoch != 0) {
		num_uint_text(t->epoch, h->epoch);
		h->v[n++] = (struct conn_header){ "Aegis-Epoch", h->epoch };
	}
	h->v[n] = (struct conn_header){ NULL, NULL };
	return h->v;
}
