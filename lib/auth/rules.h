/* rules.h - who may do what, decided from facts that are handed in.  Pure.
 *
 * A role allows what every lower role allows; a token that is bound to a service reaches that service
 * alone.  Expiry compares the wall clock of this machine with times that some machine wrote: there is
 * no other way to say "until Friday", and a clock that is wrong lets a token live longer or shorter by
 * as much.  What a credential may look like, and which writes of a browser count as its user's own, is
 * here as well. */
#ifndef AUTH_RULES_H
#define AUTH_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/instant.h"
#include "model/value.h"

/* From weak to strong. */
enum auth_role { AUTH_NONE, AUTH_METRICS, AUTH_VIEWER, AUTH_OPERATOR, AUTH_ADMIN, AUTH_ROLES };

/* What a route touches. */
enum auth_reach {
	AUTH_GLOBAL,		/* things of all services: a bound token is refused */
	AUTH_SERVICE,		/* one service, which must be the token's, if that is bound */
	AUTH_LIST,		/* whatever there is: the handler shows only what is theirs (auth_sees) */
};

#define AUTH_ID_MAX 27		/* 26 hex digits: the beginning of a secret's hash */
#define AUTH_NAME_MAX 65
#define AUTH_SERVICE_MAX 129

/* Who asks.  Plain data, to be copied. */
struct auth_who {
	char id[AUTH_ID_MAX];		/* of the token */
	char name[AUTH_NAME_MAX];	/* what it is called */
	char service[AUTH_SERVICE_MAX];	/* "": all */
	enum auth_role role;
	bool cookie;			/* by a browser's session, not by the token itself */
	struct wall expires;		/* ns 0: never */
};

const char *auth_role_name(enum auth_role role);			/* "viewer"; "none" */
bool auth_role_parse(const char *text, enum auth_role *out);		/* not "none" */

/* auth_may(who, need, reach, service, err): ERR_OK, or ERR_DENIED with the sentence.  who NULL is
 * nobody: ERR_UNAUTHENTICATED unless need is AUTH_NONE.  service: of AUTH_SERVICE. */
enum err_code auth_may(const struct auth_who *who, enum auth_role need, enum auth_reach reach, const char *service,
    struct err *err);

/* auth_sees(who, service): whether a listing may show it. */
bool auth_sees(const struct auth_who *who, const char *service);

/* --- lifetimes ------------------------------------------------------------------------------ */

#define AUTH_IDLE_NS (30 * 60 * NS_PER_S)		/* a session that is not used ends */
#define AUTH_SESSION_NS (12 * 3600 * NS_PER_S)		/* every session ends */
#define AUTH_TOUCH_NS (60 * NS_PER_S)			/* uses are written at most this often */

/* auth_is_over(expires, now): ns 0 never is. */
bool auth_is_over(struct wall expires, struct wall now);

/* auth_is_idle(used, now): a session last used then has ended. */
bool auth_is_idle(struct wall used, struct wall now);

/* auth_touch_due(written, now): the use is worth a write; also when `written` lies ahead. */
bool auth_touch_due(struct wall written, struct wall now);

/* auth_session_end(created, token_expires): when a session of that token ends at the latest. */
struct wall auth_session_end(struct wall created, struct wall token_expires);

/* --- credentials ---------------------------------------------------------------------------- */

#define AUTH_TOKEN_PREFIX "aeg_"
#define AUTH_CODE_PREFIX "aegc_"
#define AUTH_SECRET_DIGITS 64		/* 256 random bits */
#define AUTH_TEXT_MAX (5 + AUTH_SECRET_DIGITS + 1)

enum auth_form { AUTH_FORM_TOKEN, AUTH_FORM_CODE, AUTH_FORM_COOKIE };

/* auth_form_ok(form, t): t can be such a secret at all; nobody is asked about what cannot. */
bool auth_form_ok(enum auth_form form, struct text t);

/* auth_bearer(header, out): the token of an Authorization header, in whatever case the scheme is
 * written; false when it is another scheme or nothing follows.  *out points into header. */
bool auth_bearer(const char *header, struct text *out);

/* What a browser says of where a request comes from; each NULL when absent. */
struct auth_origin {
	const char *origin, *fetch_site, *host, *content_type;
	bool has_body;
};

/* auth_own_origin(o, strict, err): ERR_DENIED when the request may come from another site's page.
 * strict: of requests that a cookie lets in, so that silence counts as foreign; otherwise only what
 * says that it is foreign is refused.  A body must be JSON in both, because forms cannot send that. */
enum err_code auth_own_origin(const struct auth_origin *o, bool strict, struct err *err);

#endif
