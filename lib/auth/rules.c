/* rules.c - roles, lifetimes and the looks of credentials, as tables and comparisons. */
#include "auth/rules.h"

#include <string.h>
#include <strings.h>

#include "base/magic.h"

static const char *const role_names[AUTH_ROLES] = {
	[AUTH_NONE] = "none",
	[AUTH_METRICS] = "metrics",
	[AUTH_VIEWER] = "viewer",
	[AUTH_OPERATOR] = "operator",
	[AUTH_ADMIN] = "admin",
};

const char *
auth_role_name(enum auth_role role)
{
	MUST(role < AUTH_ROLES);
	return role_names[role];
}

bool
auth_role_parse(const char *text, enum auth_role *out)
{
	for (enum auth_role r = AUTH_NONE + 1; r < AUTH_ROLES; r++) {
		if (strcmp(role_names[r], text) == 0) {
			*out = r;
			return true;
		}
	}
	return false;
}

enum err_code
auth_may(const struct auth_who *who, enum auth_role need, enum auth_reach reach, const char *service, struct err *err)
{
	if (need == AUTH_NONE)
		return ERR_OK;
	if (who == NULL || who->role == AUTH_NONE)
		return err_set(err, ERR_UNAUTHENTICATED, "this needs a token; send it as 'Authorization: Bearer aeg_...'");
	if (who->role < need)
		return err_set(err, ERR_DENIED, "this needs the role %s; the token '%s' has the role %s", auth_role_name(need),
		    who->name, auth_role_name(who->role));
	if (who->service[0] == '\0' || reach == AUTH_LIST)
		return ERR_OK;
	if (reach == AUTH_SERVICE && service != NULL && strcmp(service, who->service) == 0)
		return ERR_OK;
	return err_set(err, ERR_DENIED, "the token '%s' is bound to the service '%s'%s", who->name, who->service,
	    reach == AUTH_SERVICE ? "" : ", and this concerns all services");
}

bool
auth_sees(const struct auth_who *who, const char *service)
{
	return who->service[0] == '\0' || strcmp(who->service, service) == 0;
}

/* --- lifetimes ------------------------------------------------------------------------------ */

bool
auth_is_over(struct wall expires, struct wall now)
{
	return expires.ns != 0 && now.ns >= expires.ns;
}

bool
auth_is_idle(struct wall used, struct wall now)
{
	return now.ns - used.ns >= AUTH_IDLE_NS;
}

bool
auth_touch_due(struct wall written, struct wall now)
{
	return now.ns - written.ns >= AUTH_TOUCH_NS || written.ns - now.ns >= AUTH_TOUCH_NS;
}

struct wall
auth_session_end(struct wall created, struct wall token_expires)
{
	struct wall end = { created.ns + AUTH_SESSION_NS };

	return token_expires.ns != 0 && token_expires.ns < end.ns ? token_expires : end;
}

/* --- credentials ---------------------------------------------------------------------------- */

bool
auth_form_ok(enum auth_form form, struct text t)
{
	static const char *const prefixes[] = {
		[AUTH_FORM_TOKEN] = AUTH_TOKEN_PREFIX, [AUTH_FORM_CODE] = AUTH_CODE_PREFIX, [AUTH_FORM_COOKIE] = "",
	};
	size_t n = strlen(prefixes[form]);

	if (t.p == NULL || t.n != n + AUTH_SECRET_DIGITS || memcmp(t.p, prefixes[form], n) != 0)
		return false;
	for (size_t i = n; i < t.n; i++)
		if (!((t.p[i] >= '0' && t.p[i] <= '9') || (t.p[i] >= 'a' && t.p[i] <= 'f')))
			return false;
	return true;
}

bool
auth_bearer(const char *header, struct text *out)
{
	static const char scheme[] = "bearer";
	size_t n = sizeof scheme - 1;

	if (header == NULL || strncasecmp(header, scheme, n) != 0 || header[n] != ' ')
		return false;
	header += n + strspn(header + n, " ");
	size_t len = strlen(header);
	while (len > 0 && (header[len - 1] == ' ' || header[len - 1] == '\t'))
		len--;
	if (len == 0)
		return false;
	*out = (struct text){ header, len };
	return true;
}

/* is_json: application/json, or a kind of it such as application/merge-patch+json. */
static bool
is_json(const char *type)
{
	static const char tree[] = "application/";
	size_t n = type != NULL ? strcspn(type, "; \t") : 0, t = sizeof tree - 1;

	if (n <= t || strncasecmp(type, tree, t) != 0)
		return false;
	return (n - t == 4 && strncasecmp(type + t, "json", 4) == 0) ||
	    (n - t > 5 && strncasecmp(type + n - 5, "+json", 5) == 0);
}

/* is_same_site: the origin's authority is the one that was asked; its scheme may differ behind a
 * proxy that ends TLS. */
static bool
is_same_site(const char *origin, const char *host)
{
	const char *authority = strncasecmp(origin, "https://", 8) == 0 ? origin + 8
	    : strncasecmp(origin, "http://", 7) == 0 ? origin + 7 : NULL;

	return authority != NULL && authority[0] != '\0' && host != NULL && strcasecmp(authority, host) == 0;
}

enum err_code
auth_own_origin(const struct auth_origin *o, bool strict, struct err *err)
{
	bool says_own = false;

	if (o->has_body && !is_json(o->content_type))
		return err_set(err, ERR_DENIED, "the body of a browser's request must be application/json");
	if (o->origin != NULL) {
		if (!is_same_site(o->origin, o->host))
			return err_set(err, ERR_DENIED, "the request comes from the page of another site (Origin)");
		says_own = true;
	}
	if (o->fetch_site != NULL) {
		if (strcmp(o->fetch_site, "same-origin") != 0)
			return err_set(err, ERR_DENIED, "the request comes from the page of another site (Sec-Fetch-Site)");
		says_own = true;
	}
	if (strict && !says_own)
		return err_set(err, ERR_DENIED, "a write by cookie must say where it comes from: Origin or Sec-Fetch-Site is missing");
	return ERR_OK;
}
