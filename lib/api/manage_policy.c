/* manage_policy.c - the headers of every answer: what a browser may do with it (conventions.md §3).
 *
 * The page loads scripts, styles and pictures from here alone, and no text becomes a script: its one
 * exception, the address of its worker, goes through a policy of the page's own. */
#include <string.h>

#include "api/manage_inner.h"

static const char content_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types aegis";

static bool
is_listed(const char *const *list, const char *origin)
{
	for (; list != NULL && origin != NULL && *list != NULL; list++)
		if (strcmp(*list, origin) == 0)
			return true;
	return false;
}

/* let_read: what a browser wants to hear before it shows an answer to another site's page, and before that page may
 * send what is more than a plain question.  Such a page brings a token of its own: no cookie passes. */
static void
let_read(struct web_request *r, const char *origin)
{
	web_add_header(r, "Vary", "Origin");
	web_set_header(r, "Access-Control-Allow-Origin", origin);
	web_set_header(r, "Access-Control-Expose-Headers", "ETag, Link, Location, Retry-After, Warning, X-Request-Id");
	if (strcmp(web_method(r), "OPTIONS") != 0)
		return;
	web_set_header(r, "Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE");
	web_set_header(r, "Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, "
	    "Last-Event-ID, X-Request-Id, traceparent");
	web_set_header(r, "Access-Control-Max-Age", "600");
}

void
manage_policy(void *arg, struct web_request *r)
{
	const struct manage *m = arg;
	const char *origin = web_path(r) != NULL ? web_header(r, "Origin") : NULL;

	if (is_listed(m->cors, origin))
		let_read(r, origin);
	web_set_header(r, "Content-Security-Policy", content_policy);
	web_set_header(r, "X-Content-Type-Options", "nosniff");
	web_set_header(r, "Referrer-Policy", "no-referrer");
	web_set_header(r, "Cross-Origin-Opener-Policy", "same-origin");
	if (web_secure(r))
		web_set_header(r, "Strict-Transport-Security", "max-age=31536000");
}
