/* manage_answer.c - how the management API answers: JSON, and refusals with what they are about. */
#include "api/manage_inner.h"
#include "base/magic.h"

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
manage_fail(struct web_request *r, enum err_code code, int status, const char *service, const char *detail)
{
	struct str details = STR_INIT;
	struct pack k;

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
