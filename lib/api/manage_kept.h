/* manage_kept.h - inside lib/api: whole lists, rendered once for each picture of the registry.
 *
 * Pages and programs that poll ask for the same list at the same moment; what is the same for all of them is
 * made once and shared.  A list for one service's credential, or of a page, is made for who asks. */
#ifndef API_MANAGE_KEPT_H
#define API_MANAGE_KEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/instant.h"
#include "base/str.h"

struct web_request;

enum manage_kept_what { KEPT_SERVICES, KEPT_INSTANCES, KEPT_WHATS };

/* Which answer. */
struct manage_keep {
	struct manage_kept *kept;	/* NULL: nothing is kept */
	enum manage_kept_what what;
	uint64_t version;		/* of the directory */
	struct wall now;
	struct wall until;		/* when it changes without a new version; ns INT64_MAX: never */
};

struct manage_kept;
struct manage_kept *manage_kept_new(void);
void manage_kept_free(struct manage_kept *k);		/* NULL is fine; nobody may be inside a call */

/* manage_kept_reply(r, w): answers with what is kept of that version, if the request asks for the whole list of all
 * services and until has not come; false, and nothing done, otherwise.  w->until is not read. */
bool manage_kept_reply(struct web_request *r, const struct manage_keep *w);

/* manage_kept_put(r, w, text, etag): keeps a copy of the answer to r, if it is one for all. */
void manage_kept_put(struct web_request *r, const struct manage_keep *w, const struct str *text, const char *etag);

/* manage_kept_made(k): how many answers were kept; for tests and figures. */
uint64_t manage_kept_made(const struct manage_kept *k);

#endif
