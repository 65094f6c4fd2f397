/* manage_session.c - logging a browser in and out, and who asks.
 *
 * The secret comes in a body and goes out as a cookie: never in an address, which logs and histories
 * keep. */
#include <string.h>

#include "api/manage_inner.h"
#include "audit/audit.h"
#include "base/log.h"
#include "base/magic.h"
#include "sys/clock.h"

static void
reply_session(struct manage *m, struct web_request *r, const struct auth_who *who)
{
	struct str out = STR_INIT;
	struct pack k;

	pack_init(&k, &out, DATA_JSON, PACK_COMPACT);
	pack_map(&k, 9);
	pack_key_puts(&k, "id", who->id);
	pack_key_puts(&k, "name", who->name);
	pack_key_puts(&k, "role", auth_role_name(who->role));
	pack_key_some(&k, "service", who->service);
	pack_key_puts(&k, "via", who->cookie ? "cookie" : "token");
	pack_key_time(&k, "expires_at", who->expires);
	pack_key_nonzero(&k, "idle_seconds", who->cookie ? AUTH_IDLE_NS / NS_PER_S : 0);
	pack_key_bool(&k, "read_only", m->read_only);
	pack_key_puts(&k, "version", m->version);
	MUST(pack_end(&k, NULL) == ERR_OK);
	manage_json(r, 200, &out, NULL);
}

enum err_code
manage_session(void *arg, struct web_request *r, struct err *err)
{
	(void)err;
	reply_session(arg, r, manage_who(r));
	return ERR_OK;
}

/* read_secret: of the one member that the body has; false: answered. */
static bool
read_secret(struct web_request *r, struct text *secret)
{
	static const char *const known[] = { "token", "code", NULL };
	struct manage_faults f = { 0 };
	struct value body;

	if (!manage_body(r, &body))
		return false;
	const struct value *token = value_field(&body, "token"), *code = value_field(&body, "code");
	manage_members(&body, known, &f);
	if (token == NULL && code == NULL)
		manage_fault(&f, "body.token", "missing", "is missing; send a token, or a code");
	else if (token != NULL && code != NULL)
		manage_fault(&f, "body.code", "value_error", "stands beside a token; send one of them");
	else if (!value_text(token != NULL ? token : code, secret))
		manage_fault(&f, token != NULL ? "body.token" : "body.code", "string_type", "must be text");
	if (manage_refused(r, &f))
		return false;
	/* A token sent as a code would work as well; the member says what it is meant to be. */
	if (!auth_form_ok(token != NULL ? AUTH_FORM_TOKEN : AUTH_FORM_CODE, *secret))
		*secret = (struct text){ "", 0 };
	return true;
}

#define REFUSALS_PER_MINUTE 30		/* in the trail: guessers must not push out what was changed */

/* write_refusal: that somebody could not log in, unless that happened too often within this minute; the throttle counts
 * each address, and the log has the rest. */
static void
write_refusal(struct manage *m, struct web_request *r)
{
	int64_t minute = clock_mono(clock_system()).ns / (60 * NS_PER_S), counted = atomic_load(&m->refusals_minute);

	if (counted != minute && atomic_compare_exchange_strong(&m->refusals_minute, &counted, minute))
		atomic_store(&m->refusals, 0);
	if (atomic_fetch_add(&m->refusals, 1) < REFUSALS_PER_MINUTE)
		manage_audit_as(m, r, NULL, &(struct audit_entry){ .action = "session.refuse", .target = "session" });
	else
		log_warning(EV_AUDIT_LEFT_OUT, LOG_F(LOG_S("peer", web_peer(r)), LOG_S("request_id", web_request_id(r))),
		    "logins are refused too often for the audit trail to have each: more than %d a minute", REFUSALS_PER_MINUTE);
}

enum err_code
manage_session_begin(void *arg, struct web_request *r, struct err *err)
{
	struct manage *m = arg;
	char cookie[AUTH_TEXT_MAX];
	struct auth_who who;
	struct text secret;
	enum err_code code;

	/* Another site's page must not log its own user in here. */
	if ((code = manage_own_origin(r, false, err)) != ERR_OK || (code = manage_up(m, err)) != ERR_OK || !read_secret(r, &secret))
		return code;
	code = auth_login(m->auth, secret, web_peer(r), cookie, &who, err);
	if (code == ERR_UNAUTHENTICATED) {
		web_set_header(r, "WWW-Authenticate", "Bearer realm=\"aegis\"");
		write_refusal(m, r);
	}
	if (code == ERR_THROTTLED)
		manage_retry(m, r);
	if (code != ERR_OK)
		return manage_store(code, err);
	manage_audit_as(m, r, &who, &(struct audit_entry){ .action = "session.login", .target = who.id, .service = who.service });
	manage_set_cookie(r, cookie);
	explicit_bzero(cookie, sizeof cookie);
	reply_session(m, r, &who);
	return ERR_OK;
}

enum err_code
manage_session_end(void *arg, struct web_request *r, struct err *err)
{
	struct manage *m = arg;
	char cookie[AUTH_TEXT_MAX];
	enum err_code code = manage_up(m, err);

	if (code != ERR_OK)
		return code;
	if (!manage_who(r)->cookie || !manage_cookie(r, cookie)) {
		manage_fail(r, ERR_OK, 400, NULL, "a token has no session to end; revoke it by DELETE /api/tokens/{id}");
		return ERR_OK;
	}
	if ((code = auth_logout(m->auth, cookie, err)) != ERR_OK)
		return manage_store(code, err);
	manage_audit(m, r, &(struct audit_entry){ .action = "session.logout", .target = manage_who(r)->id, .service = manage_who(r)->service });
	manage_set_cookie(r, "");
	web_reply(r, 204, NULL, (struct text){ NULL, 0 });
	return ERR_OK;
}
