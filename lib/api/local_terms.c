/* local_terms.c - time-outs, traces and idempotency: what requests say in headers and queries. */
#include <string.h>

#include "api/local_inner.h"
#include "base/magic.h"
#include "base/num.h"
#include "base/utf8.h"
#include "codec/codec.h"
#include "messaging/trace.h"

#define LONGEST_NS (3600 * NS_PER_S)	/* a thread waits no longer than that for anybody */
#define NAMES_MAX 8

enum err_code
local_duration(const struct web_request *r, const char *name, int64_t *out, struct err *err)
{
	char text[NUM_TEXT_MAX];
	bool given;
	int64_t ns;
	enum err_code code = router_query(web_query_text(r), name, text, sizeof text, &given, err);

	if (code != ERR_OK || !given)
		return code;
	if (!num_duration(text, &ns) || ns <= 0 || ns > LONGEST_NS)
		return err_set(err, ERR_INVALID, "query: %s '%s' is no time of at most an hour; write one such as 250ms, 2s or 1m",
		    name, text);
	*out = ns;
	return ERR_OK;
}

/* take_deadline: the header that says what is left of a caller's budget, in milliseconds. */
static enum err_code
take_deadline(const struct web_request *r, struct local_terms *t, struct err *err)
{
	const char *left = web_header(r, "Aegis-Deadline");
	uint64_t ms;

	if (left == NULL)
		return ERR_OK;
	if (!num_uint(left, &ms))
		return err_set(err, ERR_INVALID, "Aegis-Deadline: '%.40s' is no number of milliseconds", left);
	if (ms == 0)
		return err_set(err, ERR_TIMEOUT, "Aegis-Deadline: no time is left, so nothing was begun");
	if (ms < (uint64_t)LONGEST_NS / NS_PER_MS && (t->timeout_ns == 0 || (int64_t)ms * NS_PER_MS < t->timeout_ns))
		t->timeout_ns = (int64_t)ms * NS_PER_MS;
	return ERR_OK;
}

static enum err_code
take_trace(struct web_request *r, struct local_terms *t, struct err *err)
{
	const char *id = web_header(r, "Aegis-Trace-Id"), *parent = web_header(r, "traceparent");

	/* One that cannot be read begins a new trace, as W3C says. */
	t->parent = parent != NULL && trace_parent_valid(parent) ? parent : NULL;
	if (id != NULL) {
		size_t n = strlen(id);
		if (n == 0 || n >= sizeof t->trace_id || utf8_valid(id, n) != n)
			return err_set(err, ERR_INVALID, "Aegis-Trace-Id: it must be text of 1 to %zu bytes", sizeof t->trace_id - 1);
		memcpy(t->trace_id, id, n + 1);
	} else if (t->parent != NULL) {
		trace_id_of(t->parent, t->trace_id);
	} else {
		id_uuid4(t->trace_id);
	}
	web_set_header(r, "Aegis-Trace-Id", t->trace_id);
	return ERR_OK;
}

/* take_key: it becomes a message id, and those become parts of subjects. */
static enum err_code
take_key(const struct web_request *r, struct local_terms *t, struct err *err)
{
	const char *key = web_header(r, "Idempotency-Key");
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	t->key[0] = '\0';
	if (key == NULL)
		return ERR_OK;
	size_t n = strlen(key);
	if (n == 0 || n >= sizeof t->key || strspn(key, allowed) != n)
		return err_set(err, ERR_INVALID, "Idempotency-Key: it must be 1 to %zu of a-z, A-Z, 0-9, '-' and '_'",
		    sizeof t->key - 1);
	memcpy(t->key, key, n + 1);
	return ERR_OK;
}

enum err_code
local_terms(struct web_request *r, const char *const *names, struct local_terms *t, struct err *err)
{
	const char *known[NAMES_MAX] = { "timeout" };
	enum err_code code;

	for (size_t n = 0; names[n] != NULL; n++) {
		MUST(n + 2 < NAMES_MAX);
		known[n + 1] = names[n];
	}
	t->timeout_ns = 0;
	if ((code = take_trace(r, t, err)) != ERR_OK ||
	    (code = router_query_known(web_query_text(r), known, err)) != ERR_OK ||
	    (code = local_duration(r, "timeout", &t->timeout_ns, err)) != ERR_OK ||
	    (code = take_deadline(r, t, err)) != ERR_OK)
		return code;
	return take_key(r, t, err);
}

enum err_code
local_body(const struct web_request *r, struct data *out, struct err *err)
{
	struct text body = web_body(r);
	struct value v;

	*out = (struct data){ DATA_JSON, NULL, 0 };
	if (body.n == 0)
		return ERR_OK;
	*out = (struct data){ DATA_JSON, body.p, body.n };
	enum err_code code = codec_parse(codec_mine(), *out, &v, err);
	if (code != ERR_OK) {
		err_prefix(err, "body");
		return code;
	}
	return v.type == VALUE_MAP ? ERR_OK : err_set(err, ERR_INVALID, "body: it must be a JSON object, not a %s",
	    value_type_name(v.type));
}
