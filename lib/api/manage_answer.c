/* manage_answer.c - how the management API answers: JSON, and refusals with what they are about. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/manage_inner.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/num.h"

#define REVISION_MAX 24

/* tag: a revision as the tag of what has it; NULL for 0, which nothing has. */
static const char *
tag(uint64_t revision, char out[REVISION_MAX])
{
	snprintf(out, REVISION_MAX, "%llu", (unsigned long long)revision);
	return revision > 0 ? out : NULL;
}

void
manage_json(struct web_request *r, int status, struct str *out, const char *etag)
{
	struct text body = { str_text(out), out->len };

	if (etag != NULL)
		web_reply_etag(r, status, "application/json", body, etag);
	else
		web_reply(r, status, "application/json", body);
	str_release(out);
}

void
manage_json_revision(struct web_request *r, int status, struct str *out, uint64_t revision)
{
	char etag[REVISION_MAX];

	manage_json(r, status, out, tag(revision, etag));
}

bool
manage_condition(struct web_request *r, uint64_t revision, bool required, const char *service)
{
	char etag[REVISION_MAX];
	struct err err;
	enum err_code code = web_precondition(r, tag(revision, etag), required, &err);

	if (code != ERR_OK)
		manage_fail(r, code, 0, code == ERR_PRECONDITION ? service : NULL, "%s", err.text);
	return code == ERR_OK;
}

/* was_true: the revision that the request's condition names, 0 for none; false: it names no single one. */
static bool
was_true(const struct web_request *r, uint64_t *expect)
{
	const char *match = web_header(r, "If-Match"), *none = web_header(r, "If-None-Match");
	char text[REVISION_MAX];

	*expect = 0;
	if (match == NULL)
		return none != NULL && strcmp(none, "*") == 0;
	size_t n = strlen(match);
	if (n < 3 || n > sizeof text || match[0] != '"' || match[n - 1] != '"')
		return false;
	snprintf(text, sizeof text, "%.*s", (int)n - 2, match + 1);
	return num_uint(text, expect) && *expect > 0;
}

bool
manage_condition_once(struct web_request *r, uint64_t revision, bool once, const char *service, uint64_t *expect)
{
	char etag[REVISION_MAX];

	if (once && web_precondition(r, tag(revision, etag), true, NULL) == ERR_PRECONDITION && was_true(r, expect))
		return true;
	*expect = revision;
	return manage_condition(r, revision, true, service);
}

void
manage_location(const struct manage *m, struct web_request *r, const char *what, const char *id)
{
	char *where = mem_printf("%s/api/%s/%s", m->base_path, what, id);

	web_set_header(r, "Location", where);
	mem_free(where);
}

void
manage_fail(struct web_request *r, enum err_code code, int status, const char *service, const char *fmt, ...)
{
	struct str details = STR_INIT;
	char detail[sizeof ((struct err *)NULL)->text];
	struct pack k;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof detail, fmt, ap);
	va_end(ap);
	if (service != NULL) {
		pack_init(&k, &details, DATA_JSON, PACK_COMPACT);
		pack_map(&k, 1);
		pack_key_puts(&k, "service_name", service);
		MUST(pack_end(&k, NULL) == ERR_OK);
	}
	web_fail(r, &(struct problem){
		.status = status, .code = code, .detail = detail, .details = { DATA_JSON, details.p, details.len },
	});
	str_release(&details);
}

enum err_code
manage_store(enum err_code code, struct err *err)
{
	switch (code) {
	case ERR_TIMEOUT:
	case ERR_NO_MEMBER:
	case ERR_CLOSED:
	case ERR_OUTCOME_UNKNOWN:
		code = ERR_UNAVAILABLE;
		break;
	case ERR_INVALID:
	case ERR_SYNTAX:
		code = ERR_CORRUPT;	/* what lies there, not what was asked */
		break;
	default:
		break;
	}
	if (err != NULL)
		err->code = code;
	return code;
}
