/* manage_policy.c - the headers of every answer: what a browser may do with it (conventions.md §3).
 *
 * The page loads scripts, styles and pictures from here alone, and no text becomes a script: its one
 * exception, the address of its worker, goes through a policy of the page's own. */
#include "api/manage_inner.h"

static const char content_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types aegis";

void
manage_policy(void *arg, struct web_request *r)
{
	(void)arg;
	web_set_header(r, "Content-Security-Policy", content_policy);
	web_set_header(r, "X-Content-Type-Options", "nosniff");
	web_set_header(r, "Referrer-Policy", "no-referrer");
	web_set_header(r, "Cross-Origin-Opener-Policy", "same-origin");
	if (web_secure(r))
		web_set_header(r, "Strict-Transport-Security", "max-age=31536000");
}
