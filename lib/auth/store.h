/* store.h - the bucket aegis_auth: every call is one or two round trips, and no state is kept.
 *
 * For commands that ask once, and beneath auth.h, which follows the bucket.  Secrets leave these
 * functions once, when they are made; what is stored are their hashes.  Any thread but the core loop;
 * all block for at most the connection's time-out per round trip. */
#ifndef AUTH_STORE_H
#define AUTH_STORE_H

#include "auth/token.h"

#define AUTH_BUCKET "aegis_auth"
#define AUTH_CODE_NS (5 * 60 * NS_PER_S)	/* a login code that nobody uses ends */

struct conn;
struct auth_store;

/* auth_store_new(conn, create): conn must outlive it.  Asks nobody; the bucket is looked at, and made when
 * it is missing and `create`, by the first call that needs it.  Without `create` a missing bucket is an
 * empty one. */
struct auth_store *auth_store_new(struct conn *conn, bool create);
void auth_store_free(struct auth_store *s);		/* NULL is fine */

/* auth_store_ready(s, err): the bucket is there; makes it if that is allowed.  ERR_NOT_FOUND. */
enum err_code auth_store_ready(struct auth_store *s, struct err *err);

/* auth_store_last(s, last, err): the newest revision of the bucket as its leader knows it. */
enum err_code auth_store_last(struct auth_store *s, uint64_t *last, struct err *err);

/* What a new token shall be. */
struct auth_wish {
	const char *name;		/* 1 to 64 bytes, no control characters */
	enum auth_role role;
	const char *service;		/* NULL or "": all */
	int64_t ttl_ns;			/* 0: until revoked; at least a second */
	const char *by;			/* who makes it, as auth_who.name */
	const char *once;		/* NULL, or a key under which the store takes one within its window for duplicates:
					   ERR_EXISTS for a second, as the first one's secret is gone */
};

/* auth_wish_check(w, member, err): ERR_INVALID with the sentence; *member (may be NULL) is then the member
 * that is wrong: "name", "role", "service", "ttl_seconds". */
enum err_code auth_wish_check(const struct auth_wish *w, const char **member, struct err *err);

/* auth_store_create(s, w, secret, t, err): makes a token; secret NULL: nobody will know it, and only a
 * login code can lead to it. */
enum err_code auth_store_create(struct auth_store *s, const struct auth_wish *w, char secret[AUTH_TEXT_MAX],
    struct auth_token *t, struct err *err);

/* auth_store_code(s, token, code, err): a one-time code that logs in as that token, for AUTH_CODE_NS. */
enum err_code auth_store_code(struct auth_store *s, const struct auth_token *t, char code[AUTH_TEXT_MAX], struct err *err);

/* auth_store_take(s, code, t, err): the token of the code, which is used up by that; of two that try at
 * once one succeeds.  ERR_UNAUTHENTICATED when it is unknown, used or over. */
enum err_code auth_store_take(struct auth_store *s, struct text code, struct auth_token *t, struct err *err);

/* auth_store_token(s, id, t, err): ERR_NOT_FOUND names the id.  Its last use is filled in by `used`. */
enum err_code auth_store_token(struct auth_store *s, const char *id, bool used, struct auth_token *t, struct err *err);

/* auth_store_revoke(s, id, expect, t, err): the token is gone; expect 0: whatever its revision is, else
 * ERR_REVISION when it differs.  *t (may be NULL) is what it was. */
enum err_code auth_store_revoke(struct auth_store *s, const char *id, uint64_t expect, struct auth_token *t,
    struct err *err);

/* Sessions.  auth_store_open: a new one of that token; cookie is the secret.  auth_store_session: ERR_NOT_FOUND.
 * auth_store_touch: writes x->touched if nobody changed or ended it meanwhile, and sets x->revision. */
enum err_code auth_store_open(struct auth_store *s, const struct auth_token *t, char cookie[AUTH_TEXT_MAX],
    struct auth_session *x, struct err *err);
enum err_code auth_store_session(struct auth_store *s, const char *id, struct auth_session *x, struct err *err);
enum err_code auth_store_touch(struct auth_store *s, struct auth_session *x, struct err *err);
enum err_code auth_store_close(struct auth_store *s, const char *id, struct err *err);

/* auth_store_used(s, id, at, err): when that token was last used. */
enum err_code auth_store_used(struct auth_store *s, const char *id, struct wall at, struct err *err);

/* auth_store_each(s, each, arg, err): calls each(arg, key, value, n, revision) for every record. */
enum err_code auth_store_each(struct auth_store *s,
    void (*each)(void *arg, const char *key, const char *value, size_t n, uint64_t revision), void *arg, struct err *err);

/* auth_store_tokens(s, out, err): all tokens by name, then id, with their last uses. */
struct auth_tokens {
	struct auth_token *v;
	size_t n, cap;
	size_t unreadable;		/* records that were left out */
};
enum err_code auth_store_tokens(struct auth_store *s, struct auth_tokens *out, struct err *err);
void auth_tokens_release(struct auth_tokens *list);

/* auth_store_sweep(s, err): removes what is over and what belongs to tokens that are gone, which servers
 * with per-message TTL mostly do by themselves.  Several may sweep at once. */
enum err_code auth_store_sweep(struct auth_store *s, struct err *err);

#endif
