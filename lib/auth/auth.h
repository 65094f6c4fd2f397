/* auth.h - who is asking: tokens, browser sessions, and how often one may guess.
 *
 * Follows the bucket aegis_auth, so that a known token or session is judged without asking anybody.  What
 * is not known is asked for in the store, within bounds, so that a token made a moment ago by another
 * replica works at once.  A revocation holds on every replica within a second: the watch tells it in
 * milliseconds, and besides the newest revision of the bucket is asked for every 400 ms; when the watch
 * has not told that one, the bucket is listed anew.  While NATS is away what is known goes on being let
 * in, what is not known is refused with 503, and auth_state says so.  DESIGN.md tells why.
 *
 * Any thread but the core loop; each call may wait for two round trips at most. */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/rules.h"
#include "auth/store.h"

struct conn;
struct auth;

struct auth_opts {
	struct conn *conn;		/* must outlive it */
	bool create;			/* make the bucket when it is missing; as soon as NATS is there */
};

/* auth_new(o, err): waits for nobody.  Fails only when no thread can be made.  auth_free ends its threads;
 * nobody may be inside a call.  NULL is fine. */
struct auth *auth_new(const struct auth_opts *o, struct err *err);
void auth_free(struct auth *a);

/* auth_token(a, token, peer, who, err): who shows this token.  peer: the address, for the throttle.
 * ERR_UNAUTHENTICATED; ERR_THROTTLED when the address guessed wrong too often (known tokens are let in
 * even so); ERR_UNAVAILABLE, ERR_BUSY and others when the store could not be asked about an unknown one. */
enum err_code auth_token(struct auth *a, struct text token, const char *peer, struct auth_who *who, struct err *err);

/* auth_session(a, cookie, who, err): the same for a cookie's value; it counts as no guess. */
enum err_code auth_session(struct auth *a, const char *cookie, struct auth_who *who, struct err *err);

/* auth_still(a, secret): a token or cookie that was let in is still to be let in; for what goes on for long.  Neither
 * the address nor the bound on questions plays a part: nobody keeps a revoked one alive by guessing.
 * When the store cannot be asked about what is not known here, what was right goes on. */
bool auth_still(struct auth *a, struct text secret, struct auth_who *who);

/* auth_wait_s(a, peer): after ERR_THROTTLED, how many seconds until the address may try again; at least 1. */
int64_t auth_wait_s(struct auth *a, const char *peer);

/* auth_login(a, secret, peer, cookie, who, err): trades a token or a login code for a session.  A code is
 * used up by that.  Wrong ones count for the throttle. */
enum err_code auth_login(struct auth *a, struct text secret, const char *peer, char cookie[AUTH_TEXT_MAX],
    struct auth_who *who, struct err *err);

/* auth_logout(a, cookie, err): the session is over everywhere; one that is none is fine. */
enum err_code auth_logout(struct auth *a, const char *cookie, struct err *err);

/* auth_create, auth_revoke: as in store.h, and known here when they return. */
enum err_code auth_create(struct auth *a, const struct auth_wish *w, char secret[AUTH_TEXT_MAX], struct auth_token *t,
    struct err *err);
enum err_code auth_revoke(struct auth *a, const char *id, uint64_t expect, struct auth_token *t, struct err *err);

/* auth_link(a, w, code, err): a token that nobody knows, and a one-time code that logs in as it. */
enum err_code auth_link(struct auth *a, const struct auth_wish *w, char code[AUTH_TEXT_MAX], struct err *err);

struct auth_store *auth_store_of(struct auth *a);	/* for reading; lives as long as a */

/* How current the picture is, and what happened. */
struct auth_state {
	bool stale;			/* for more than 2 s nobody could say that it is complete */
	int64_t age_ms;			/* since it was last known to be complete; -1: never */
	size_t tokens, sessions;	/* known here */
	uint64_t asked;			/* questions to the store about unknown ones */
	uint64_t refused;		/* unknown, expired, malformed */
	uint64_t throttled;		/* refused without a look */
	uint64_t relisted;		/* times the watch had fallen behind */
	uint64_t full;			/* records that found no place in the table */
};
struct auth_state auth_state(struct auth *a);

#endif
