/* auth.c - judging credentials: the table first, the store for what is not in it. */
#include "auth/auth.h"

#include <string.h>

#include "auth/inner.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "nats/conn.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define ASK_EACH_NS (20 * NS_PER_MS)	/* 50 questions a second in the long run: far below what a store can */
#define ASK_BURST 100			/* and so many at once, for a page with many parts */
#define ABSENT_NS NS_PER_S		/* what is not there is not asked for again so long */

static struct mono
mono_now(void)
{
	return clock_mono(clock_system());
}

static struct wall
wall_now(void)
{
	return clock_wall(clock_system());
}

struct auth *
auth_new(const struct auth_opts *o, struct err *err)
{
	struct auth *a = mem_new(sizeof *a);

	a->magic = AUTH_MAGIC;
	a->conn = o->conn;
	a->store = auth_store_new(o->conn, o->create);
	a->table = auth_table_new();
	a->confirmed = mono_now();
	pthread_mutex_init(&a->lock, NULL);
	thread_cond_init(&a->changed);
	if ((a->watch = watch_new(o->conn, AUTH_BUCKET, auth_on_watch, a, err)) == NULL)
		goto err0;
	if (thread_start(&a->keeper, "auth", auth_keep, a, err) != ERR_OK)
		goto err1;
	return a;
err1:
	watch_free(a->watch);
err0:
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	auth_table_free(a->table);
	auth_store_free(a->store);
	mem_free(a);
	return NULL;
}

void
auth_free(struct auth *a)
{
	if (a == NULL)
		return;
	MAGIC_CHECK(a, AUTH_MAGIC);
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->keeper, NULL);
	watch_free(a->watch);
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	auth_table_free(a->table);
	auth_store_free(a->store);
	MAGIC_WIPE(a);
	mem_free(a);
}

struct auth_store *
auth_store_of(struct auth *a)
{
	return a->store;
}

struct auth_state
auth_state(struct auth *a)
{
	pthread_mutex_lock(&a->lock);
	struct auth_state s = a->counted;
	s.stale = !a->ever || mono_since(mono_now(), a->confirmed) > AUTH_STALE_NS;
	s.age_ms = a->ever ? mono_since(mono_now(), a->confirmed) / NS_PER_MS : -1;
	s.tokens = auth_table_tokens(a->table);
	s.sessions = auth_table_sessions(a->table);
	pthread_mutex_unlock(&a->lock);
	return s;
}

/* --- guesses -------------------------------------------------------------------------------- */

static enum err_code
check_guesses(struct auth *a, const char *peer, struct err *err)
{
	uint64_t key = throttle_key(peer);

	pthread_mutex_lock(&a->lock);
	bool blocked = throttle_wait(&a->throttle, key, mono_now()) > 0;
	a->counted.throttled += blocked;
	pthread_mutex_unlock(&a->lock);
	return blocked ? err_set(err, ERR_THROTTLED, "too many wrong credentials came from this address; wait a little") : ERR_OK;
}

static void
count_guess(struct auth *a, const char *peer)
{
	uint64_t key = throttle_key(peer);

	pthread_mutex_lock(&a->lock);
	throttle_fail(&a->throttle, key, mono_now());
	pthread_mutex_unlock(&a->lock);
}

int64_t
auth_wait_s(struct auth *a, const char *peer)
{
	uint64_t key = throttle_key(peer);

	pthread_mutex_lock(&a->lock);
	int64_t ns = throttle_wait(&a->throttle, key, mono_now());
	pthread_mutex_unlock(&a->lock);
	return ns > NS_PER_S ? (ns + NS_PER_S - 1) / NS_PER_S : 1;
}

/* refuse: in the same words whether there never was such a thing or it was revoked. */
static enum err_code
refuse(struct auth *a, enum auth_verdict verdict, const char *what, struct err *err)
{
	pthread_mutex_lock(&a->lock);
	a->counted.refused++;
	pthread_mutex_unlock(&a->lock);
	return err_set(err, ERR_UNAUTHENTICATED, verdict == AUTH_OVER ? "the %s has expired" : "the %s is not valid", what);
}

/* --- asking the store ----------------------------------------------------------------------- */

struct auth_moment
auth_now(struct auth *a)
{
	pthread_mutex_lock(&a->lock);
	struct auth_moment m = { a->removals };
	pthread_mutex_unlock(&a->lock);
	return m;
}

void
auth_apply_token(struct auth *a, struct auth_moment m, const struct auth_token *t)
{
	pthread_mutex_lock(&a->lock);
	if (a->removals == m.removals && !auth_table_token(a->table, t))
		a->counted.full++;
	a->events++;
	pthread_mutex_unlock(&a->lock);
}

void
auth_apply_session(struct auth *a, struct auth_moment m, const struct auth_session *x)
{
	pthread_mutex_lock(&a->lock);
	if (a->removals == m.removals && !auth_table_session(a->table, x))
		a->counted.full++;
	a->events++;
	pthread_mutex_unlock(&a->lock);
}

static struct auth_absent *
absent_place(struct auth *a, const char *id)
{
	unsigned place = 0;

	/* Ids are digits of a hash: any two of them are as good as a hash of all. */
	for (int i = 0; i < 2; i++)
		place = place * 16 + (unsigned)(id[i] <= '9' ? id[i] - '0' : id[i] - 'a' + 10);
	return &a->absent[place % AUTH_ABSENT];
}

static enum err_code
cannot_ask(enum err_code code, struct err *err)
{
	return err_set(err, code, code == ERR_NOT_FOUND ? "it is not there"
	    : code == ERR_BUSY ? "too many unknown credentials are being looked up; try again"
	    : "the store of tokens does not answer, and this one is not known here");
}

/* may_ask: ERR_NOT_FOUND when the store did not have it just now, ERR_BUSY when too much is asked, and
 * ERR_UNAVAILABLE at once when the store has been silent anyway. */
static enum err_code
may_ask(struct auth *a, const char *id, struct err *err)
{
	struct mono now = mono_now();
	enum err_code code = ERR_OK;

	pthread_mutex_lock(&a->lock);
	const struct auth_absent *x = absent_place(a, id);
	if (strcmp(x->id, id) == 0 && !mono_reached(now, x->until)) {
		code = ERR_NOT_FOUND;
	} else if (mono_since(now, a->confirmed) > AUTH_STALE_NS) {
		code = ERR_UNAVAILABLE;
	} else if (mono_since(a->asking, now) > (ASK_BURST - 1) * ASK_EACH_NS) {
		code = ERR_BUSY;
	} else {
		a->asking = mono_after(a->asking.ns > now.ns ? a->asking : now, ASK_EACH_NS);
		a->counted.asked++;
	}
	pthread_mutex_unlock(&a->lock);
	return code == ERR_OK ? ERR_OK : cannot_ask(code, err);
}

static void
note_absent(struct auth *a, const char *id)
{
	pthread_mutex_lock(&a->lock);
	struct auth_absent *x = absent_place(a, id);
	memcpy(x->id, id, sizeof x->id);
	x->until = mono_after(mono_now(), ABSENT_NS);
	pthread_mutex_unlock(&a->lock);
}

/* fetch_token: from the store into the table and into `own`. */
static enum err_code
fetch_token(struct auth *a, const char *id, struct auth_table *own, struct err *err)
{
	struct auth_moment m = auth_now(a);
	struct auth_token t;
	enum err_code code = may_ask(a, id, err);

	if (code != ERR_OK)
		return code;
	if ((code = auth_store_token(a->store, id, false, &t, err)) == ERR_NOT_FOUND)
		note_absent(a, id);
	if (code != ERR_OK)
		return code;
	auth_table_token(own, &t);
	auth_apply_token(a, m, &t);
	return ERR_OK;
}

/* fetch_session: with the token that it belongs to. */
static enum err_code
fetch_session(struct auth *a, const char *id, struct auth_table *own, struct err *err)
{
	struct auth_moment m = auth_now(a);
	struct auth_session x;
	enum err_code code = may_ask(a, id, err);

	if (code != ERR_OK)
		return code;
	if ((code = auth_store_session(a->store, id, &x, err)) == ERR_NOT_FOUND)
		note_absent(a, id);
	if (code != ERR_OK || (code = fetch_token(a, x.token, own, err)) != ERR_OK)
		return code;
	auth_table_session(own, &x);
	auth_apply_session(a, m, &x);
	return ERR_OK;
}

/* --- judging -------------------------------------------------------------------------------- */

typedef enum auth_verdict judge(struct auth_table *t, const struct digest *d, struct wall now, struct auth_who *who);
typedef enum err_code fetch(struct auth *a, const char *id, struct auth_table *own, struct err *err);

static enum auth_verdict
judge_here(struct auth *a, judge *by, const struct digest *d, struct auth_who *who)
{
	struct wall now = wall_now();

	pthread_mutex_lock(&a->lock);
	enum auth_verdict v = by(a->table, d, now, who);
	pthread_mutex_unlock(&a->lock);
	return v;
}

/* judge_there: what the store says, whether or not the table could keep it. */
static enum err_code
judge_there(struct auth *a, judge *by, fetch *get, const struct digest *d, enum auth_verdict *v, struct auth_who *who,
    struct err *err)
{
	struct auth_table *own = auth_table_new();
	char id[AUTH_ID_MAX];

	auth_id_of(d, id);
	enum err_code code = get(a, id, own, err);
	if (code == ERR_OK && (*v = judge_here(a, by, d, who)) == AUTH_UNKNOWN)
		*v = by(own, d, wall_now(), who);
	auth_table_free(own);
	return code == ERR_NOT_FOUND ? ERR_OK : code;
}

enum err_code
auth_token(struct auth *a, struct text token, const char *peer, struct auth_who *who, struct err *err)
{
	enum auth_verdict v = AUTH_WRONG;
	struct digest d;
	enum err_code code;

	MAGIC_CHECK(a, AUTH_MAGIC);
	bool possible = auth_form_ok(AUTH_FORM_TOKEN, token);
	if (possible) {
		digest_sha256(token.p, token.n, &d);
		if ((v = judge_here(a, auth_judge_token, &d, who)) == AUTH_KNOWN)
			return ERR_OK;
	}
	if ((code = check_guesses(a, peer, err)) != ERR_OK)
		return code;
	if (v == AUTH_UNKNOWN && (code = judge_there(a, auth_judge_token, fetch_token, &d, &v, who, err)) != ERR_OK)
		return code;
	if (v == AUTH_KNOWN)
		return ERR_OK;
	count_guess(a, peer);
	return refuse(a, v, "token", err);
}

enum err_code
auth_session(struct auth *a, const char *cookie, struct auth_who *who, struct err *err)
{
	struct text text = { cookie, strlen(cookie) };
	enum auth_verdict v = AUTH_WRONG;
	struct digest d;
	enum err_code code;

	MAGIC_CHECK(a, AUTH_MAGIC);
	if (auth_form_ok(AUTH_FORM_COOKIE, text)) {
		digest_sha256(text.p, text.n, &d);
		v = judge_here(a, auth_judge_session, &d, who);
		if (v == AUTH_UNKNOWN &&
		    (code = judge_there(a, auth_judge_session, fetch_session, &d, &v, who, err)) != ERR_OK)
			return code;
	}
	return v == AUTH_KNOWN ? ERR_OK : refuse(a, v, "session", err);
}

bool
auth_still(struct auth *a, struct text secret, struct auth_who *who)
{
	bool token = auth_form_ok(AUTH_FORM_TOKEN, secret);
	judge *by = token ? auth_judge_token : auth_judge_session;
	struct auth_session x;
	struct auth_token t;
	char id[AUTH_ID_MAX];
	struct digest d;
	struct err err;
	enum err_code code;

	MAGIC_CHECK(a, AUTH_MAGIC);
	digest_sha256(secret.p, secret.n, &d);
	enum auth_verdict v = judge_here(a, by, &d, who);
	if (v != AUTH_UNKNOWN)
		return v == AUTH_KNOWN;
	struct auth_table *own = auth_table_new();
	auth_id_of(&d, id);
	code = token ? ERR_OK : auth_store_session(a->store, id, &x, &err);
	if (code == ERR_OK && !token)
		auth_table_session(own, &x);
	if (code == ERR_OK && (code = auth_store_token(a->store, token ? id : x.token, false, &t, &err)) == ERR_OK)
		auth_table_token(own, &t);
	bool still = code == ERR_OK ? by(own, &d, wall_now(), who) == AUTH_KNOWN
	    : code != ERR_NOT_FOUND && code != ERR_CORRUPT;
	auth_table_free(own);
	return still;
}

/* --- logging in and out --------------------------------------------------------------------- */

/* login_token: the token that logs in, by itself or by a code. */
static enum err_code
login_token(struct auth *a, struct text secret, const char *peer, struct auth_token *t, struct err *err)
{
	struct auth_who who;
	enum err_code code;

	if (!auth_form_ok(AUTH_FORM_CODE, secret)) {
		if ((code = auth_token(a, secret, peer, &who, err)) != ERR_OK)
			return code;
		code = auth_store_token(a->store, who.id, false, t, err);
		return code == ERR_NOT_FOUND ? refuse(a, AUTH_WRONG, "token", err) : code;
	}
	if ((code = check_guesses(a, peer, err)) != ERR_OK)
		return code;
	code = auth_store_take(a->store, secret, t, err);
	if (code == ERR_OK && auth_is_over(t->expires, wall_now()))
		code = refuse(a, AUTH_OVER, "login code", err);
	if (code == ERR_UNAUTHENTICATED)
		count_guess(a, peer);
	return code;
}

enum err_code
auth_login(struct auth *a, struct text secret, const char *peer, char cookie[AUTH_TEXT_MAX], struct auth_who *who,
    struct err *err)
{
	struct auth_session x;
	struct auth_token t;
	enum err_code code;

	MAGIC_CHECK(a, AUTH_MAGIC);
	struct auth_moment m = auth_now(a);
	if ((code = login_token(a, secret, peer, &t, err)) != ERR_OK)
		return code;
	pthread_mutex_lock(&a->lock);
	size_t open = auth_table_sessions_of(a->table, t.id);
	pthread_mutex_unlock(&a->lock);
	if (open >= AUTH_SESSIONS_EACH)
		return err_set(err, ERR_THROTTLED, "the token '%s' has %zu open sessions; log out of some, or revoke it", t.name,
		    open);
	if ((code = auth_store_open(a->store, &t, cookie, &x, err)) != ERR_OK)
		return code;
	auth_apply_token(a, m, &t);
	auth_apply_session(a, m, &x);
	auth_token_who(&t, true, who);
	who->expires = x.expires;
	return ERR_OK;
}

enum err_code
auth_logout(struct auth *a, const char *cookie, struct err *err)
{
	struct text text = { cookie, strlen(cookie) };
	char id[AUTH_ID_MAX];
	struct digest d;

	MAGIC_CHECK(a, AUTH_MAGIC);
	if (!auth_form_ok(AUTH_FORM_COOKIE, text))
		return ERR_OK;
	digest_sha256(text.p, text.n, &d);
	auth_id_of(&d, id);
	enum err_code code = auth_store_close(a->store, id, err);
	if (code != ERR_OK)
		return code;
	pthread_mutex_lock(&a->lock);
	auth_table_remove(a->table, AUTH_KIND_SESSION, id);
	a->removals++;
	a->events++;
	pthread_mutex_unlock(&a->lock);
	return ERR_OK;
}

/* --- administration ------------------------------------------------------------------------- */

enum err_code
auth_create(struct auth *a, const struct auth_wish *w, char secret[AUTH_TEXT_MAX], struct auth_token *t, struct err *err)
{
	struct auth_moment m = auth_now(a);
	enum err_code code = auth_store_create(a->store, w, secret, t, err);

	if (code == ERR_OK)
		auth_apply_token(a, m, t);
	return code;
}

enum err_code
auth_revoke(struct auth *a, const char *id, uint64_t expect, struct auth_token *t, struct err *err)
{
	enum err_code code = auth_store_revoke(a->store, id, expect, t, err);

	if (code != ERR_OK)
		return code;
	pthread_mutex_lock(&a->lock);
	auth_table_remove(a->table, AUTH_KIND_TOKEN, id);
	a->removals++;
	a->events++;
	pthread_mutex_unlock(&a->lock);
	return ERR_OK;
}

enum err_code
auth_link(struct auth *a, const struct auth_wish *w, char code[AUTH_TEXT_MAX], struct err *err)
{
	struct auth_token t;
	enum err_code rc = auth_create(a, w, NULL, &t, err);

	return rc != ERR_OK ? rc : auth_store_code(a->store, &t, code, err);
}
