/* manage_tokens.c - tokens over HTTP: made, listed, revoked; what they are is told once. */
#include <stdio.h>
#include <string.h>

#include "api/manage_inner.h"
#include "audit/audit.h"
#include "auth/record.h"
#include "base/mem.h"
#include "base/wall.h"

#define TTL_MAX_S (INT64_C(100) * 365 * 24 * 3600)

static const char *const fields[] = { "name", "role", "service", "created_at", "expires_at", "last_used_at", NULL };

static const char *
time_text(struct wall t, char buf[MANAGE_FIELD_MAX])
{
	if (t.ns == 0)
		return "";
	wall_rfc3339(t, buf);
	return buf;
}

static const char *
field_of(const void *item, size_t i, char buf[MANAGE_FIELD_MAX])
{
	const struct auth_token *t = item;

	switch (i) {
	case 0: return t->name;
	case 1: return auth_role_name(t->role);
	case 2: return t->service;
	case 3: return time_text(t->created, buf);
	case 4: return time_text(t->expires, buf);
	default: return time_text(t->used, buf);
	}
}

/* key_of: lists come by name and id. */
static const char *
key_of(const void *item, char buf[MANAGE_FIELD_MAX])
{
	const struct auth_token *t = item;

	return manage_list_key(t->name, t->id, buf);
}

static void
pack_one(struct pack *k, const void *item)
{
	auth_token_pack(k, item, NULL, NULL);
}

static uint64_t
mark_of(const void *item)
{
	const struct auth_token *t = item;

	return t->revision << 32 ^ (uint64_t)t->used.ns;
}

enum err_code
manage_tokens(void *arg, struct web_request *r, struct err *err)
{
	static const struct manage_list list = {
		.fields = fields, .field = field_of, .key = key_of, .pack = pack_one, .mark = mark_of, .page = 100,
	};
	struct manage *m = arg;
	struct auth_tokens all;
	enum err_code code = manage_up(m, err);

	if (code != ERR_OK)
		return code;
	if ((code = auth_store_tokens(auth_store_of(m->auth), &all, err)) != ERR_OK)
		return manage_store(code, err);
	manage_list_array(r, &list, all.v, all.n, sizeof *all.v);
	auth_tokens_release(&all);
	return ERR_OK;
}

static void
reply_one(struct web_request *r, int status, const struct auth_token *t, const char *secret)
{
	struct str out = STR_INIT;

	auth_token_show(&out, t, secret != NULL ? "token" : NULL, secret);
	manage_json_revision(r, status, &out, t->revision);
}

/* read_one: the token that the path names; done: answered already (404). */
static enum err_code
read_one(struct manage *m, struct web_request *r, struct auth_token *t, bool *done, struct err *err)
{
	enum err_code code = manage_up(m, err);

	*done = false;
	if (code != ERR_OK)
		return code;
	code = auth_store_token(auth_store_of(m->auth), web_param(r, "id"), true, t, err);
	if (code == ERR_NOT_FOUND) {
		*done = true;
		manage_fail(r, ERR_NOT_FOUND, 0, NULL, "%s", err->text);
		return ERR_OK;
	}
	return code == ERR_OK ? ERR_OK : manage_store(code, err);
}

enum err_code
manage_token(void *arg, struct web_request *r, struct err *err)
{
	struct auth_token t;
	bool done;
	enum err_code code = read_one(arg, r, &t, &done, err);

	if (code == ERR_OK && !done)
		reply_one(r, 200, &t, NULL);
	return code;
}

/* write_down: a token that came or went; what it is never gets there. */
static void
write_down(struct manage *m, struct web_request *r, const struct auth_token *t, bool made)
{
	struct str text = STR_INIT;
	struct audit_entry e = { .action = made ? "token.create" : "token.revoke", .target = t->id, .service = t->service };

	auth_token_show(&text, t, NULL, NULL);
	*(made ? &e.after : &e.before) = (struct data){ DATA_JSON, text.p, text.len };
	*(made ? &e.after_revision : &e.before_revision) = t->revision;
	manage_audit(m, r, &e);
	str_release(&text);
}

/* --- making ------------------------------------------------------------------------------- */

static int64_t
take_ttl(const struct value *body, struct manage_faults *f)
{
	const struct value *v = value_field(body, "ttl_seconds");
	int64_t s = 0;

	if (v == NULL || v->type == VALUE_NULL)
		return 0;
	if (!value_int(v, &s) || s < 1 || s > TTL_MAX_S) {
		manage_fault(f, "body.ttl_seconds", "int_type", "must be a whole number from 1 to %lld, or null", (long long)TTL_MAX_S);
		return 0;
	}
	return s * NS_PER_S;
}

/* What POST asks for; its texts are its own. */
struct wanted {
	char *name, *role, *service, by[AUTH_NAME_MAX];
	struct auth_wish wish;
};

static void
wanted_release(struct wanted *w)
{
	mem_free(w->name);
	mem_free(w->role);
	mem_free(w->service);
}

/* read_wanted: false: answered.  The caller releases it in both cases. */
static bool
read_wanted(struct web_request *r, struct wanted *w)
{
	static const char *const known[] = { "name", "role", "ttl_seconds", "service", NULL };
	struct manage_faults f = { 0 };
	struct value body;
	const char *member;
	char field[32];
	struct err why;

	*w = (struct wanted){ .name = NULL };
	if (!manage_body(r, &body))
		return false;
	manage_members(&body, known, &f);
	w->name = manage_text(&body, "name", true, &f);
	w->role = manage_text(&body, "role", true, &f);
	w->service = manage_text(&body, "service", false, &f);
	snprintf(w->by, sizeof w->by, "%s", manage_who(r)->name);
	w->wish = (struct auth_wish){ .name = w->name, .service = w->service, .by = w->by, .ttl_ns = take_ttl(&body, &f) };
	if (w->role != NULL && !auth_role_parse(w->role, &w->wish.role))
		manage_fault(&f, "body.role", "value_error", "is one of metrics, viewer, operator, admin");
	if (f.n == 0 && auth_wish_check(&w->wish, &member, &why) != ERR_OK) {
		snprintf(field, sizeof field, "body.%s", member);
		manage_fault(&f, field, "value_error", "%s", why.text);
	}
	return !manage_refused(r, &f);
}

static enum err_code
create(struct manage *m, struct web_request *r, struct wanted *w, struct err *err)
{
	char once[MANAGE_KEY_MAX], secret[AUTH_TEXT_MAX];
	struct auth_token t;
	bool has_key;
	enum err_code code = manage_idempotency(r, once, &has_key, err);

	if (code != ERR_OK)
		return code;
	w->wish.once = has_key ? once : NULL;
	code = auth_create(m->auth, &w->wish, secret, &t, err);
	if (code == ERR_EXISTS) {
		manage_fail(r, ERR_OK, 409, NULL, "%s", err->text);
		return ERR_OK;
	}
	if (code != ERR_OK)
		return manage_store(code, err);
	manage_location(m, r, "tokens", t.id);
	write_down(m, r, &t, true);
	reply_one(r, 201, &t, secret);
	explicit_bzero(secret, sizeof secret);
	return ERR_OK;
}

enum err_code
manage_token_create(void *arg, struct web_request *r, struct err *err)
{
	struct wanted w = { .name = NULL };
	enum err_code code = manage_up(arg, err);

	if (code == ERR_OK && read_wanted(r, &w))
		code = create(arg, r, &w, err);
	wanted_release(&w);
	return code;
}

/* --- ending ------------------------------------------------------------------------------- */

enum err_code
manage_token_revoke(void *arg, struct web_request *r, struct err *err)
{
	struct manage *m = arg;
	struct auth_token t;
	bool done;
	enum err_code code = read_one(m, r, &t, &done, err);

	if (code != ERR_OK || done || !manage_condition(r, t.revision, true, NULL))
		return code;
	code = auth_revoke(m->auth, t.id, t.revision, NULL, err);
	if (code == ERR_REVISION || code == ERR_NOT_FOUND) {
		manage_fail(r, code == ERR_REVISION ? ERR_PRECONDITION : ERR_NOT_FOUND, 0, NULL, "%s", err->text);
		return ERR_OK;
	}
	if (code != ERR_OK)
		return manage_store(code, err);
	write_down(m, r, &t, false);
	web_reply(r, 204, NULL, (struct text){ NULL, 0 });
	return ERR_OK;
}
