/* token.h - a token, what hangs on it, and the ids of all of them.  Pure; plain structs, whose texts are
 * their own. */
#ifndef AUTH_TOKEN_H
#define AUTH_TOKEN_H

#include "auth/digest.h"
#include "auth/rules.h"

#define AUTH_PREFIX_MAX 9	/* "aeg_ab12" */

struct auth_token {
	char id[AUTH_ID_MAX];
	struct digest digest;			/* of the whole secret, "aeg_" included */
	char prefix[AUTH_PREFIX_MAX];		/* how it begins, for people */
	char name[AUTH_NAME_MAX];
	enum auth_role role;
	char service[AUTH_SERVICE_MAX];		/* "": all */
	char created_by[AUTH_NAME_MAX];
	struct wall created, expires;		/* expires.ns 0: never */
	struct wall used;			/* from the key used.ID; ns 0: not known to be */
	uint64_t revision;			/* of the key; not in the record */
};

struct auth_session {
	char id[AUTH_ID_MAX];
	struct digest digest;
	char token[AUTH_ID_MAX];		/* it ends with this token */
	struct wall created, touched, expires;
	uint64_t revision;
};

struct auth_code {
	char id[AUTH_ID_MAX];
	struct digest digest;
	char token[AUTH_ID_MAX];		/* what it logs in as */
	struct wall expires;
	uint64_t revision;
};

/* What there are records of. */
enum auth_kind { AUTH_KIND_TOKEN, AUTH_KIND_SESSION, AUTH_KIND_CODE, AUTH_KIND_USED, AUTH_KIND_NONE };

/* auth_id_of(digest, out): the ID of that secret. */
void auth_id_of(const struct digest *d, char out[AUTH_ID_MAX]);

/* auth_id_ok(id): it can be one. */
bool auth_id_ok(const char *id);

/* auth_token_who(t, cookie, out): the token as the one who asks. */
void auth_token_who(const struct auth_token *t, bool cookie, struct auth_who *out);

#endif
