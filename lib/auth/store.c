/* store.c - secrets are drawn here, hashed, and only the hash goes on; compare-and-set settles races. */
#include "auth/record.h"
#include "auth/store_inner.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "model/names.h"
#include "nats/stream.h"
#include "sys/clock.h"

#define LATE_S 60			/* a record outlives what it says by this, for clocks that differ */
#define TOKEN_LATE_S (24 * 3600)	/* and a token by this, to be told as expired */
#define USED_S (400 * 24 * 3600)	/* how long a last use is remembered */
#define TRIES 5				/* of a revocation that others' writes keep beating */

enum readiness { UNSEEN, WITHOUT_TTL, WITH_TTL };

struct auth_store {
	struct kv kv;
	bool create;
	atomic_int ready;		/* enum readiness */
};

struct auth_store *
auth_store_new(struct conn *conn, bool create)
{
	struct auth_store *s = mem_new(sizeof *s);

	s->kv = (struct kv){ conn, AUTH_BUCKET };
	s->create = create;
	return s;
}

void
auth_store_free(struct auth_store *s)
{
	mem_free(s);
}

const struct kv *
auth_store_kv(const struct auth_store *s)
{
	return &s->kv;
}

enum err_code
auth_store_ready(struct auth_store *s, struct err *err)
{
	static const struct bucket_opts bucket = { .name = AUTH_BUCKET, .history = 1, .max_value_bytes = 4096 };
	struct bucket_state state;

	if (atomic_load(&s->ready) != UNSEEN)
		return ERR_OK;
	enum err_code code = s->create ? bucket_ensure(s->kv.conn, &bucket, &state, err)
	    : bucket_inspect(s->kv.conn, AUTH_BUCKET, &state, err);
	if (code == ERR_OK)
		atomic_store(&s->ready, state.ttl ? WITH_TTL : WITHOUT_TTL);
	else
		err_prefix(err, "tokens");
	return code;
}

enum err_code
auth_store_last(struct auth_store *s, uint64_t *last, struct err *err)
{
	struct stream_state state;
	enum err_code code = stream_look(s->kv.conn, "KV_" AUTH_BUCKET, &state, err);

	if (code == ERR_NOT_FOUND)
		atomic_store(&s->ready, UNSEEN);	/* somebody removed the bucket: it is made again */
	if (code == ERR_OK)
		*last = state.last_seq;
	return code;
}

/* --- records -------------------------------------------------------------------------------- */

/* draw: a fresh secret behind its prefix, its hash and the id made of that. */
static void
draw(const char *prefix, char secret[AUTH_TEXT_MAX], struct digest *d, char id[AUTH_ID_MAX])
{
	size_t n = strlen(prefix);

	memcpy(secret, prefix, n);
	id_hex(secret + n, AUTH_SECRET_DIGITS);
	digest_sha256(secret, n + AUTH_SECRET_DIGITS, d);
	auth_id_of(d, id);
}

/* life: for how many seconds a record that says `expires` is kept; 0: without end. */
static int64_t
life(const struct auth_store *s, struct wall expires, int64_t late_s)
{
	if (expires.ns == 0 || atomic_load(&s->ready) != WITH_TTL)
		return 0;
	int64_t left_s = (expires.ns - clock_wall(clock_system()).ns) / NS_PER_S;
	return (left_s > 0 ? left_s : 0) + late_s;
}

struct put {
	enum auth_kind kind;
	const char *id;
	uint64_t expect;
	int64_t ttl_s;
	const char *once;
};

static enum err_code
put(struct auth_store *s, const struct put *p, struct str *text, uint64_t *revision, struct err *err)
{
	char key[AUTH_KEY_MAX];
	bool repeated = false;

	auth_key(p->kind, p->id, key);
	enum err_code code = kv_put(&s->kv, &(struct kv_put){
		.key = key, .value = text->p, .n = text->len, .expect = p->expect, .ttl_s = p->ttl_s, .id = p->once,
		.repeated = &repeated,
	}, revision, err);
	str_release(text);
	if (code == ERR_OK && repeated)
		return err_set(err, ERR_EXISTS, "one was made under this key a moment ago, and its secret was shown then");
	return code;
}

static enum err_code
get(struct auth_store *s, enum auth_kind kind, const char *id, struct kv_entry *e, struct err *err)
{
	char key[AUTH_KEY_MAX];

	auth_key(kind, id, key);
	return kv_get(&s->kv, key, e, err);
}

enum err_code
auth_store_drop(struct auth_store *s, enum auth_kind kind, const char *id, uint64_t expect, struct err *err)
{
	char key[AUTH_KEY_MAX];

	auth_key(kind, id, key);
	/* The marker tells watches, and need not stay. */
	return kv_remove(&s->kv, key, expect, false, atomic_load(&s->ready) == WITH_TTL ? 3600 : 0, err);
}

/* --- tokens --------------------------------------------------------------------------------- */

static enum err_code
wrong(const char **member, const char *which)
{
	if (member != NULL)
		*member = which;
	return ERR_INVALID;
}

enum err_code
auth_wish_check(const struct auth_wish *w, const char **member, struct err *err)
{
	size_t n = w->name != NULL ? strlen(w->name) : 0;

	if (n == 0 || n >= AUTH_NAME_MAX || utf8_valid(w->name, n) != n)
		return err_set(err, ERR_INVALID, "the name of a token has 1 to %d bytes", AUTH_NAME_MAX - 1), wrong(member, "name");
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)w->name[i] < 0x20 || w->name[i] == 0x7f)
			return err_set(err, ERR_INVALID, "the name of a token holds no control characters"),
			    wrong(member, "name");
	if (w->role <= AUTH_NONE || w->role >= AUTH_ROLES)
		return err_set(err, ERR_INVALID, "the role is one of metrics, viewer, operator, admin"), wrong(member, "role");
	if (w->service != NULL && w->service[0] != '\0' && name_check(NAME_SERVICE_CALLED, w->service, err) != ERR_OK)
		return wrong(member, "service");
	if (w->ttl_ns < 0 || (w->ttl_ns > 0 && w->ttl_ns < NS_PER_S) || w->ttl_ns > INT64_C(100) * 365 * 24 * 3600 * NS_PER_S)
		return err_set(err, ERR_INVALID, "a token lives for a second at least and for 100 years at most"),
		    wrong(member, "ttl_seconds");
	return ERR_OK;
}

enum err_code
auth_store_create(struct auth_store *s, const struct auth_wish *w, char secret[AUTH_TEXT_MAX], struct auth_token *t,
    struct err *err)
{
	char unknown[AUTH_TEXT_MAX];
	struct str text = STR_INIT;
	enum err_code code;

	if ((code = auth_wish_check(w, NULL, err)) != ERR_OK || (code = auth_store_ready(s, err)) != ERR_OK)
		return code;
	memset(t, 0, sizeof *t);
	draw(AUTH_TOKEN_PREFIX, unknown, &t->digest, t->id);
	if (secret != NULL)
		memcpy(t->prefix, unknown, sizeof t->prefix - 1);
	snprintf(t->name, sizeof t->name, "%s", w->name);
	snprintf(t->service, sizeof t->service, "%s", w->service != NULL ? w->service : "");
	snprintf(t->created_by, sizeof t->created_by, "%s", w->by != NULL ? w->by : "");
	t->role = w->role;
	t->created = clock_wall(clock_system());
	if (w->ttl_ns > 0)
		t->expires = (struct wall){ t->created.ns + w->ttl_ns };
	auth_token_write(&text, t);
	code = put(s, &(struct put){ AUTH_KIND_TOKEN, t->id, KV_ABSENT, life(s, t->expires, TOKEN_LATE_S), w->once }, &text,
	    &t->revision, err);
	if (code == ERR_OK && secret != NULL)
		memcpy(secret, unknown, sizeof unknown);
	explicit_bzero(unknown, sizeof unknown);
	if (code != ERR_OK)
		err_prefix(err, "token '%s'", w->name);
	return code;
}

/* no_token: ids in sentences are as long as ids are. */
static enum err_code
no_token(const char *id, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "there is no token '%.26s'", id);
}

static enum err_code
read_token(struct auth_store *s, const char *id, struct auth_token *t, struct err *err)
{
	struct kv_entry e;
	enum err_code code = get(s, AUTH_KIND_TOKEN, id, &e, err);

	if (code == ERR_NOT_FOUND)
		return no_token(id, err);
	if (code != ERR_OK)
		return code;
	if ((code = auth_token_read(id, e.value, e.n, e.revision, t, err)) != ERR_OK) {
		err_prefix(err, "token '%s'", id);
		t->revision = e.revision;
	}
	kv_entry_release(&e);
	return code;
}

enum err_code
auth_store_token(struct auth_store *s, const char *id, bool used, struct auth_token *t, struct err *err)
{
	struct kv_entry e;
	struct err quiet;

	if (!auth_id_ok(id))
		return no_token(id, err);
	enum err_code code = read_token(s, id, t, err);
	if (code != ERR_OK || !used)
		return code;
	/* Best effort: a token without a known use is shown as that. */
	if (get(s, AUTH_KIND_USED, id, &e, &quiet) == ERR_OK) {
		if (auth_used_read(e.value, e.n, &t->used, &quiet) != ERR_OK)
			t->used = (struct wall){ 0 };
		kv_entry_release(&e);
	}
	return ERR_OK;
}

enum err_code
auth_store_revoke(struct auth_store *s, const char *id, uint64_t expect, struct auth_token *t, struct err *err)
{
	struct auth_token own;
	struct err quiet;
	enum err_code code;

	if (!auth_id_ok(id))
		return no_token(id, err);
	if (t == NULL)
		t = &own;
	if ((code = auth_store_ready(s, &quiet)) == ERR_NOT_FOUND)
		return no_token(id, err);
	for (int i = 0; i < TRIES; i++) {
		/* What cannot be read may still be revoked. */
		if ((code = read_token(s, id, t, err)) != ERR_OK && code != ERR_CORRUPT)
			return code;
		if (expect != 0 && expect != t->revision)
			return err_set(err, ERR_REVISION, "token '%s' is at revision %llu, not %llu", id,
			    (unsigned long long)t->revision, (unsigned long long)expect);
		code = auth_store_drop(s, AUTH_KIND_TOKEN, id, t->revision, err);
		if (code != ERR_REVISION)
			break;
	}
	if (code != ERR_OK)
		return err_prefix(err, "token '%s'", id), code;
	auth_store_drop(s, AUTH_KIND_USED, id, KV_ANY, &quiet);	/* a sweep takes what stays */
	return ERR_OK;
}

enum err_code
auth_store_used(struct auth_store *s, const char *id, struct wall at, struct err *err)
{
	struct str text = STR_INIT;

	auth_used_write(&text, at);
	return put(s, &(struct put){ AUTH_KIND_USED, id, KV_ANY, atomic_load(&s->ready) == WITH_TTL ? USED_S : 0, NULL }, &text,
	    NULL, err);
}

/* --- login codes ---------------------------------------------------------------------------- */

enum err_code
auth_store_code(struct auth_store *s, const struct auth_token *t, char code[AUTH_TEXT_MAX], struct err *err)
{
	struct auth_code c = { .expires = { clock_wall(clock_system()).ns + AUTH_CODE_NS } };
	struct str text = STR_INIT;
	enum err_code rc;

	if ((rc = auth_store_ready(s, err)) != ERR_OK)
		return rc;
	memcpy(c.token, t->id, sizeof c.token);
	draw(AUTH_CODE_PREFIX, code, &c.digest, c.id);
	auth_code_write(&text, &c);
	rc = put(s, &(struct put){ AUTH_KIND_CODE, c.id, KV_ABSENT, life(s, c.expires, LATE_S), NULL }, &text, NULL, err);
	if (rc != ERR_OK)
		err_prefix(err, "login code");
	return rc;
}

static enum err_code
no_code(struct err *err)
{
	return err_set(err, ERR_UNAUTHENTICATED, "the login code is unknown, used up or too old; ask for a new link");
}

enum err_code
auth_store_take(struct auth_store *s, struct text code, struct auth_token *t, struct err *err)
{
	char id[AUTH_ID_MAX];
	struct auth_code c;
	struct kv_entry e;
	struct digest d;

	if (!auth_form_ok(AUTH_FORM_CODE, code))
		return no_code(err);
	digest_sha256(code.p, code.n, &d);
	auth_id_of(&d, id);
	enum err_code rc = get(s, AUTH_KIND_CODE, id, &e, err);
	if (rc != ERR_OK)
		return rc == ERR_NOT_FOUND ? no_code(err) : rc;
	rc = auth_code_read(id, e.value, e.n, e.revision, &c, err);
	kv_entry_release(&e);
	if (rc != ERR_OK)
		return err_prefix(err, "login code"), rc;
	if (!digest_same(&c.digest, &d) || auth_is_over(c.expires, clock_wall(clock_system())))
		return no_code(err);
	/* Whoever removes it has it; the others come too late. */
	rc = auth_store_drop(s, AUTH_KIND_CODE, id, c.revision, err);
	if (rc != ERR_OK)
		return rc == ERR_REVISION ? no_code(err) : rc;
	rc = read_token(s, c.token, t, err);
	return rc == ERR_NOT_FOUND ? no_code(err) : rc;
}

/* --- sessions ------------------------------------------------------------------------------- */

static enum err_code
put_session(struct auth_store *s, struct auth_session *x, uint64_t expect, struct err *err)
{
	struct str text = STR_INIT;

	auth_session_write(&text, x);
	return put(s, &(struct put){ AUTH_KIND_SESSION, x->id, expect, life(s, x->expires, LATE_S), NULL }, &text, &x->revision,
	    err);
}

enum err_code
auth_store_open(struct auth_store *s, const struct auth_token *t, char cookie[AUTH_TEXT_MAX], struct auth_session *x,
    struct err *err)
{
	enum err_code code;

	if ((code = auth_store_ready(s, err)) != ERR_OK)
		return code;
	memset(x, 0, sizeof *x);
	draw("", cookie, &x->digest, x->id);
	memcpy(x->token, t->id, sizeof x->token);
	x->created = x->touched = clock_wall(clock_system());
	x->expires = auth_session_end(x->created, t->expires);
	if ((code = put_session(s, x, KV_ABSENT, err)) != ERR_OK)
		err_prefix(err, "session");
	return code;
}

enum err_code
auth_store_session(struct auth_store *s, const char *id, struct auth_session *x, struct err *err)
{
	struct kv_entry e;
	enum err_code code = get(s, AUTH_KIND_SESSION, id, &e, err);

	if (code != ERR_OK)
		return code;
	if ((code = auth_session_read(id, e.value, e.n, e.revision, x, err)) != ERR_OK)
		err_prefix(err, "session '%s'", id);
	kv_entry_release(&e);
	return code;
}

enum err_code
auth_store_touch(struct auth_store *s, struct auth_session *x, struct err *err)
{
	return put_session(s, x, x->revision, err);
}

enum err_code
auth_store_close(struct auth_store *s, const char *id, struct err *err)
{
	return auth_store_drop(s, AUTH_KIND_SESSION, id, KV_ANY, err);
}
