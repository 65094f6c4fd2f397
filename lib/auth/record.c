/* record.c - members by name, each read into a place of its own size. */
#include "auth/record.h"

#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/wall.h"
#include "codec/codec.h"

static const char *const kinds[] = {
	[AUTH_KIND_TOKEN] = "token", [AUTH_KIND_SESSION] = "session", [AUTH_KIND_CODE] = "code",
	[AUTH_KIND_USED] = "used",
};

/* --- keys ----------------------------------------------------------------------------------- */

enum auth_kind
auth_key_kind(const char *key, const char **id)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		size_t n = strlen(kinds[i]);
		if (strncmp(key, kinds[i], n) != 0 || key[n] != '.' || !auth_id_ok(key + n + 1))
			continue;
		*id = key + n + 1;
		return (enum auth_kind)i;
	}
	return AUTH_KIND_NONE;
}

void
auth_key(enum auth_kind kind, const char *id, char out[AUTH_KEY_MAX])
{
	MUST(kind < AUTH_KIND_NONE);
	snprintf(out, AUTH_KEY_MAX, "%s.%s", kinds[kind], id);
}

/* --- writing -------------------------------------------------------------------------------- */

static void
begin(struct pack *p, struct str *out, uint32_t members)
{
	pack_init(p, out, DATA_JSON, PACK_COMPACT);
	pack_map(p, members);
}

static void
end(struct pack *p)
{
	/* The texts were checked when the record was made. */
	MUST(pack_end(p, NULL) == ERR_OK);
}

static void
put_digest(struct pack *p, const struct digest *d)
{
	char hex[DIGEST_HEX_MAX];

	digest_hex(d, hex);
	pack_key_puts(p, "sha256", hex);
}

void
auth_token_write(struct str *out, const struct auth_token *t)
{
	struct pack p;

	begin(&p, out, 8);
	pack_key_some(&p, "name", t->name);
	pack_key_some(&p, "role", auth_role_name(t->role));
	pack_key_some(&p, "service", t->service);
	pack_key_some(&p, "prefix", t->prefix);
	put_digest(&p, &t->digest);
	pack_key_time(&p, "created_at", t->created);
	pack_key_some(&p, "created_by", t->created_by);
	pack_key_time(&p, "expires_at", t->expires);
	end(&p);
}

void
auth_session_write(struct str *out, const struct auth_session *s)
{
	struct pack p;

	begin(&p, out, 5);
	put_digest(&p, &s->digest);
	pack_key_some(&p, "token", s->token);
	pack_key_time(&p, "created_at", s->created);
	pack_key_time(&p, "touched_at", s->touched);
	pack_key_time(&p, "expires_at", s->expires);
	end(&p);
}

void
auth_code_write(struct str *out, const struct auth_code *c)
{
	struct pack p;

	begin(&p, out, 3);
	put_digest(&p, &c->digest);
	pack_key_some(&p, "token", c->token);
	pack_key_time(&p, "expires_at", c->expires);
	end(&p);
}

void
auth_used_write(struct str *out, struct wall at)
{
	struct pack p;

	begin(&p, out, 1);
	pack_key_time(&p, "at", at);
	end(&p);
}

void
auth_token_pack(struct pack *p, const struct auth_token *t, const char *key, const char *value)
{
	pack_map(p, key != NULL ? 10 : 9);
	pack_key_some(p, "id", t->id);
	pack_key_some(p, "name", t->name);
	pack_key_some(p, "role", auth_role_name(t->role));
	pack_key_some(p, "service", t->service);
	pack_key_some(p, "prefix", t->prefix);
	pack_key_time(p, "created_at", t->created);
	pack_key_some(p, "created_by", t->created_by);
	pack_key_time(p, "expires_at", t->expires);
	pack_key_time(p, "last_used_at", t->used);
	if (key != NULL)
		pack_key_some(p, key, value);
}

void
auth_token_show(struct str *out, const struct auth_token *t, const char *key, const char *value)
{
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	auth_token_pack(&p, t, key, value);
	end(&p);
}

/* --- reading -------------------------------------------------------------------------------- */

static enum err_code
parse(const void *p, size_t n, struct value *v, struct err *err)
{
	struct err why;

	if (n == 0)
		return err_set(err, ERR_CORRUPT, "is empty");
	if (codec_parse(codec_mine(), (struct data){ DATA_JSON, p, n }, v, &why) != ERR_OK)
		return err_set(err, ERR_CORRUPT, "%s", why.text);
	return v->type == VALUE_MAP ? ERR_OK : err_set(err, ERR_CORRUPT, "must be a map, not %s", value_type_name(v->type));
}

/* take: null and absent are "". */
static enum err_code
take(const struct value *map, const char *key, char *out, size_t size, struct err *err)
{
	const struct value *v = value_field(map, key);
	struct text t = { "", 0 };

	if (v != NULL && v->type != VALUE_NULL && !value_text(v, &t))
		return err_set(err, ERR_CORRUPT, "%s: must be text, not %s", key, value_type_name(v->type));
	if (t.n >= size || memchr(t.p, '\0', t.n) != NULL)
		return err_set(err, ERR_CORRUPT, "%s: is no text of at most %zu bytes", key, size - 1);
	memcpy(out, t.p, t.n);
	out[t.n] = '\0';
	return ERR_OK;
}

static enum err_code
take_time(const struct value *map, const char *key, bool needed, struct wall *out, struct err *err)
{
	const struct value *v = value_field(map, key);
	struct text t;

	*out = (struct wall){ 0 };
	if (!needed && (v == NULL || v->type == VALUE_NULL))
		return ERR_OK;
	if (!value_text(v, &t) || !wall_parse(t.p, t.n, out) || out->ns == 0)
		return err_set(err, ERR_CORRUPT, "%s: must be a time", key);
	return ERR_OK;
}

/* take_digest: what the key promises must be what the record holds. */
static enum err_code
take_digest(const struct value *map, const char *id, struct digest *out, struct err *err)
{
	struct text t = { NULL, 0 };

	value_text(value_field(map, "sha256"), &t);
	if (!digest_parse(t.p, t.n, out))
		return err_set(err, ERR_CORRUPT, "sha256: must be 64 hex digits");
	if (strncmp(t.p, id, AUTH_ID_MAX - 1) != 0)
		return err_set(err, ERR_CORRUPT, "sha256: is that of another key");
	return ERR_OK;
}

static enum err_code
take_owner(const struct value *map, char out[AUTH_ID_MAX], struct err *err)
{
	enum err_code code = take(map, "token", out, AUTH_ID_MAX, err);

	if (code == ERR_OK && !auth_id_ok(out))
		code = err_set(err, ERR_CORRUPT, "token: is no id of one");
	return code;
}

enum err_code
auth_token_read(const char *id, const void *p, size_t n, uint64_t revision, struct auth_token *t, struct err *err)
{
	char role[16];
	struct value v;
	enum err_code code;

	memset(t, 0, sizeof *t);
	if ((code = parse(p, n, &v, err)) != ERR_OK ||
	    (code = take(&v, "name", t->name, sizeof t->name, err)) != ERR_OK ||
	    (code = take(&v, "role", role, sizeof role, err)) != ERR_OK ||
	    (code = take(&v, "service", t->service, sizeof t->service, err)) != ERR_OK ||
	    (code = take(&v, "prefix", t->prefix, sizeof t->prefix, err)) != ERR_OK ||
	    (code = take_digest(&v, id, &t->digest, err)) != ERR_OK ||
	    (code = take_time(&v, "created_at", true, &t->created, err)) != ERR_OK ||
	    (code = take(&v, "created_by", t->created_by, sizeof t->created_by, err)) != ERR_OK ||
	    (code = take_time(&v, "expires_at", false, &t->expires, err)) != ERR_OK)
		return code;
	/* A role of some later version allows nothing here, rather than something else. */
	if (!auth_role_parse(role, &t->role))
		return err_set(err, ERR_CORRUPT, "role: '%s' is none", role);
	snprintf(t->id, sizeof t->id, "%s", id);
	t->revision = revision;
	return ERR_OK;
}

enum err_code
auth_session_read(const char *id, const void *p, size_t n, uint64_t revision, struct auth_session *s, struct err *err)
{
	struct value v;
	enum err_code code;

	memset(s, 0, sizeof *s);
	if ((code = parse(p, n, &v, err)) != ERR_OK ||
	    (code = take_digest(&v, id, &s->digest, err)) != ERR_OK ||
	    (code = take_owner(&v, s->token, err)) != ERR_OK ||
	    (code = take_time(&v, "created_at", true, &s->created, err)) != ERR_OK ||
	    (code = take_time(&v, "touched_at", true, &s->touched, err)) != ERR_OK ||
	    (code = take_time(&v, "expires_at", true, &s->expires, err)) != ERR_OK)
		return code;
	snprintf(s->id, sizeof s->id, "%s", id);
	s->revision = revision;
	return ERR_OK;
}

enum err_code
auth_code_read(const char *id, const void *p, size_t n, uint64_t revision, struct auth_code *c, struct err *err)
{
	struct value v;
	enum err_code code;

	memset(c, 0, sizeof *c);
	if ((code = parse(p, n, &v, err)) != ERR_OK ||
	    (code = take_digest(&v, id, &c->digest, err)) != ERR_OK ||
	    (code = take_owner(&v, c->token, err)) != ERR_OK ||
	    (code = take_time(&v, "expires_at", true, &c->expires, err)) != ERR_OK)
		return code;
	snprintf(c->id, sizeof c->id, "%s", id);
	c->revision = revision;
	return ERR_OK;
}

enum err_code
auth_used_read(const void *p, size_t n, struct wall *at, struct err *err)
{
	struct value v;
	enum err_code code = parse(p, n, &v, err);

	return code != ERR_OK ? code : take_time(&v, "at", true, at, err);
}
