/* manage_access.c - who may do what.  What is not listed as public is denied.
 *
 * The credential is looked at before anything else of a request: a token in Authorization, or else a
 * browser's cookie.  One that is shown and wrong is refused even where the cookie would do.  What
 * this finds out lies in the request's note, for handlers. */
#include <stdio.h>
#include <string.h>

#include "api/manage_inner.h"
#include "auth/auth.h"
#include "base/magic.h"
#include "messaging/trace.h"

/* The note of a request. */
struct note {
	struct auth_who who;		/* role AUTH_NONE: nobody showed a credential, or none was asked for */
};
_Static_assert(sizeof(struct note) <= WEB_NOTE_MAX, "a note that does not fit");

/* Roles and ranks of the table of routes are the same numbers. */
_Static_assert((int)MANAGE_PUBLIC == (int)AUTH_NONE && (int)MANAGE_METRICS == (int)AUTH_METRICS &&
    (int)MANAGE_VIEWER == (int)AUTH_VIEWER && (int)MANAGE_OPERATOR == (int)AUTH_OPERATOR &&
    (int)MANAGE_ADMIN == (int)AUTH_ADMIN, "access and roles differ");
_Static_assert((int)MANAGE_GLOBAL == (int)AUTH_GLOBAL && (int)MANAGE_SERVICE == (int)AUTH_SERVICE &&
    (int)MANAGE_LIST == (int)AUTH_LIST, "reach differs");

const struct auth_who *
manage_who(struct web_request *r)
{
	return &((const struct note *)web_note(r))->who;
}

const char *
manage_bound(struct web_request *r)
{
	const struct auth_who *who = manage_who(r);

	return who->service[0] != '\0' ? who->service : NULL;
}

const char *
manage_trace(const struct web_request *r)
{
	const char *parent = web_header(r, "traceparent");

	return parent != NULL && trace_parent_valid(parent) ? parent : NULL;
}

const char *
manage_caller(struct web_request *r)
{
	return manage_who(r)->id;
}

/* --- cookies -------------------------------------------------------------------------------- */

/* The prefix binds a cookie to this host and to TLS; browsers refuse it on plain HTTP, even on loopback. */
static const char *
cookie_name(const struct web_request *r)
{
	return web_secure(r) ? "__Host-aegis" : "aegis";
}

void
manage_set_cookie(struct web_request *r, const char *value)
{
	char text[AUTH_TEXT_MAX + 128];

	snprintf(text, sizeof text, "%s=%s; Path=/; HttpOnly; SameSite=Strict%s%s", cookie_name(r), value,
	    web_secure(r) ? "; Secure" : "", value[0] == '\0' ? "; Max-Age=0" : "");
	web_add_header(r, "Set-Cookie", text);
}

bool
manage_cookie(const struct web_request *r, char out[AUTH_TEXT_MAX])
{
	return web_cookie(r, cookie_name(r), out, AUTH_TEXT_MAX);
}

/* --- credentials ---------------------------------------------------------------------------- */

static enum err_code
by_token(struct manage *m, struct web_request *r, const char *header, struct auth_who *who, struct err *err)
{
	struct text token;

	/* Another scheme is as wrong as a wrong token; it does not fall back on the cookie. */
	if (!auth_bearer(header, &token))
		token = (struct text){ "", 0 };
	return auth_token(m->auth, token, web_peer(r), who, err);
}

static enum err_code
by_cookie(struct manage *m, struct web_request *r, const char *cookie, struct auth_who *who, struct err *err)
{
	enum err_code code = auth_session(m->auth, cookie, who, err);

	if (code == ERR_UNAUTHENTICATED)
		manage_set_cookie(r, "");	/* it never becomes right again */
	return code;
}

/* find_out: who asks; role AUTH_NONE when no credential was shown. */
static enum err_code
find_out(struct manage *m, struct web_request *r, struct auth_who *who, struct err *err)
{
	const char *header = web_header(r, "Authorization");
	char cookie[AUTH_TEXT_MAX];

	if (header != NULL)
		return by_token(m, r, header, who, err);
	return manage_cookie(r, cookie) ? by_cookie(m, r, cookie, who, err) : ERR_OK;
}

/* is_write: HEAD is a GET here, and OPTIONS has no route. */
static bool
is_write(const struct web_request *r)
{
	return strcmp(web_method(r), "GET") != 0 && strcmp(web_method(r), "HEAD") != 0;
}

/* has_body: it was announced; nothing of it was read yet. */
static bool
has_body(const struct web_request *r)
{
	const char *length = web_header(r, "Content-Length");

	return web_header(r, "Transfer-Encoding") != NULL || (length != NULL && strcmp(length, "0") != 0);
}

enum err_code
manage_own_origin(struct web_request *r, bool strict, struct err *err)
{
	return auth_own_origin(&(struct auth_origin){
		.origin = web_header(r, "Origin"), .fetch_site = web_header(r, "Sec-Fetch-Site"), .host = web_host(r),
		.content_type = web_header(r, "Content-Type"), .has_body = has_body(r),
	}, strict, err);
}

/* concerned: the service that the path names, on routes that reach one. */
static const char *
concerned(const struct web_request *r, const struct web_route *route, enum manage_reach reach)
{
	if (reach != MANAGE_SERVICE)
		return NULL;
	return web_param(r, strstr(route->path, "{service}") != NULL ? "service" : "name");
}

void
manage_retry(struct manage *m, struct web_request *r)
{
	char seconds[24];

	snprintf(seconds, sizeof seconds, "%lld", (long long)auth_wait_s(m->auth, web_peer(r)));
	web_set_header(r, "Retry-After", seconds);
}

enum err_code
manage_admit(void *arg, struct web_request *r, const struct web_route *route, struct err *err)
{
	struct manage *m = arg;
	struct note *note = web_note(r);
	enum err_code code;

	MAGIC_CHECK(m, MANAGE_MAGIC);
	if (route == NULL || route->access == MANAGE_PUBLIC)
		return ERR_OK;		/* what is not there is told to everybody */
	enum manage_reach reach = manage_route_of(route)->reach;
	if ((code = find_out(m, r, &note->who, err)) == ERR_OK)
		code = auth_may(&note->who, (enum auth_role)route->access, (enum auth_reach)reach, concerned(r, route, reach), err);
	if (code == ERR_OK && note->who.cookie && is_write(r))
		code = manage_own_origin(r, true, err);
	if (code == ERR_UNAUTHENTICATED)
		web_set_header(r, "WWW-Authenticate", "Bearer realm=\"aegis\"");
	if (code == ERR_THROTTLED)
		manage_retry(m, r);
	return code;
}

bool
manage_still(struct manage *m, struct web_request *r)
{
	const struct auth_who *began = manage_who(r);
	const char *header = web_header(r, "Authorization");
	struct auth_who who = *began;	/* as it was, should the store not answer */
	char cookie[AUTH_TEXT_MAX];
	struct text secret;

	if (began->role == AUTH_NONE)
		return true;		/* nobody was asked for one */
	if (header != NULL) {
		if (!auth_bearer(header, &secret))
			return false;
	} else if (manage_cookie(r, cookie)) {
		secret = text_of(cookie);
	} else {
		return false;
	}
	return auth_still(m->auth, secret, &who) && who.role >= began->role && strcmp(who.service, began->service) == 0;
}
