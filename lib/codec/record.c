/* record.c - the two kinds of records in the bucket service_registry.
 *
 * Reading is strict where the Python SDK keeps records apart, and lenient about what is
 * merely new; writing gives exactly the bytes of wire.md §8. */
#include "codec/record.h"

#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/near.h"
#include "base/wall.h"
#include "codec/inner.h"
#include "model/names.h"

/* --- fields ------------------------------------------------------------------------------- */

/* take_text: the member key as memory of its own; a needed one must be there. */
static enum err_code
take_text(const struct value *map, const char *key, bool needed, char **out, struct err *err)
{
	const struct value *v = value_field(map, key);
	struct text t;

	if (v == NULL || (v->type == VALUE_NULL && !needed))
		return needed ? err_set(err, ERR_INVALID, "%s: is missing", key) : ERR_OK;
	if (!value_text(v, &t))
		return err_set(err, ERR_INVALID, "%s: must be text, not %s", key, value_type_name(v->type));
	if (memchr(t.p, '\0', t.n) != NULL)
		return err_set(err, ERR_INVALID, "%s: holds a NUL character", key);
	*out = mem_text_n(t.p, t.n);
	return ERR_OK;
}

static enum err_code
take_name(const struct value *map, const char *key, enum name_kind kind, char **out, struct err *err)
{
	enum err_code code;

	if ((code = take_text(map, key, true, out, err)) != ERR_OK)
		return code;
	if ((code = name_check(kind, *out, err)) != ERR_OK)
		err_prefix(err, "%s", key);
	return code;
}

static enum err_code
take_time(const struct value *map, const char *key, struct wall *out, struct err *err)
{
	const struct value *v = value_field(map, key);
	struct text t;

	if (v == NULL)
		return err_set(err, ERR_INVALID, "%s: is missing", key);
	if (!value_text(v, &t))
		return err_set(err, ERR_INVALID, "%s: must be a time as text, not %s", key,
		    value_type_name(v->type));
	if (!wall_parse(t.p, t.n, out))
		return err_set(err, ERR_INVALID, "%s: '%.*s' is no ISO 8601 time", key, shown(t), t.p);
	return ERR_OK;
}

/* take_moment: a time of a definition, where Python's reader insists on the T. */
static enum err_code
take_moment(const struct value *map, const char *key, struct wall *out, struct err *err)
{
	enum err_code code;

	if ((code = take_time(map, key, out, err)) != ERR_OK)
		return code;
	const struct text *t = &value_field(map, key)->u.text;
	if (memchr(t->p, 'T', t->n) == NULL)
		return err_set(err, ERR_INVALID, "%s: '%.*s' needs a T between date and time", key, shown(*t),
		    t->p);
	return ERR_OK;
}

/* parse_map: the record as a tree. */
static enum err_code
parse_map(struct codec *c, const void *p, size_t n, struct value *v, struct err *err)
{
	enum err_code code;

	if ((code = codec_parse(c, (struct data){ DATA_JSON, p, n }, v, err)) != ERR_OK)
		return code;
	if (v->type != VALUE_MAP)
		return err_set(err, ERR_SYNTAX, "a record must be a map, not %s", value_type_name(v->type));
	return ERR_OK;
}

/* --- instances ---------------------------------------------------------------------------- */

#define STICKY_CAMEL "stickyActiveStatus"
#define STICKY_SNAKE "sticky_active_status"

static enum err_code
take_status(const struct value *map, struct instance *i, struct err *err)
{
	const struct value *v = value_field(map, "status");
	struct text t = { NULL, 0 };

	if (v == NULL)
		return err_set(err, ERR_INVALID, "status: is missing");
	if (value_text(v, &t) && instance_status_parse(t, &i->status))
		return ERR_OK;
	return err_set(err, ERR_INVALID, "status: %s%.*s is none of ACTIVE, STANDBY, UNHEALTHY",
	    t.p == NULL ? value_type_name(v->type) : "", t.p == NULL ? 0 : shown(t), t.p == NULL ? "" : t.p);
}

static enum err_code
take_sticky(const struct value *map, struct instance *i, struct err *err)
{
	const struct value *camel = value_field(map, STICKY_CAMEL), *snake = value_field(map, STICKY_SNAKE);
	const struct value *v = camel != NULL ? camel : snake;
	struct text t;

	if (camel != NULL && snake != NULL)
		return err_set(err, ERR_INVALID, STICKY_CAMEL ": stands there twice, also as " STICKY_SNAKE);
	if (v == NULL || v->type == VALUE_NULL)
		return ERR_OK;
	if (value_text(v, &t) && sticky_status_parse(t, &i->sticky))
		return ERR_OK;
	return err_set(err, ERR_INVALID, STICKY_CAMEL ": is none of ACTIVE, STANDBY, ELECTING");
}

/* take_metadata: its text, and what readers need of it. */
static enum err_code
take_metadata(const struct value *map, struct instance *i, struct err *err)
{
	const struct value *v = value_field(map, "metadata");
	struct str text = STR_INIT;
	struct text nonce;
	struct pack p;
	int64_t epoch;

	if (v == NULL)
		return ERR_OK;
	if (v->type != VALUE_MAP)
		return err_set(err, ERR_INVALID, "metadata: must be a map, not %s", value_type_name(v->type));
	pack_init(&p, &text, DATA_JSON, PACK_COMPACT);
	pack_value(&p, v);
	MUST(pack_end(&p, NULL) == ERR_OK);	/* it was just read */
	mem_free(i->metadata);
	i->metadata = str_steal(&text);
	if (value_text(value_field(v, "nonce"), &nonce) && memchr(nonce.p, '\0', nonce.n) == NULL)
		i->nonce = mem_text_n(nonce.p, nonce.n);
	value_bool(value_field(v, "direct_rpc"), &i->direct_rpc);
	if (value_int(value_field(v, "epoch"), &epoch) && epoch > 0)
		i->epoch = (uint64_t)epoch;
	return ERR_OK;
}

enum err_code
instance_decode(struct codec *c, const void *p, size_t n, struct instance *i, struct err *err)
{
	struct value v;
	enum err_code code;

	instance_init(i);
	if ((code = parse_map(c, p, n, &v, err)) != ERR_OK ||
	    (code = take_name(&v, "serviceName", NAME_SERVICE_CALLED, &i->service, err)) != ERR_OK ||
	    (code = take_name(&v, "instanceId", NAME_INSTANCE_CALLED, &i->id, err)) != ERR_OK ||
	    (code = take_name(&v, "version", NAME_VERSION, &i->version, err)) != ERR_OK ||
	    (code = take_status(&v, i, err)) != ERR_OK ||
	    (code = take_time(&v, "lastHeartbeat", &i->last_heartbeat, err)) != ERR_OK ||
	    (code = take_text(&v, "stickyActiveGroup", false, &i->group, err)) != ERR_OK ||
	    (code = take_metadata(&v, i, err)) != ERR_OK ||
	    (code = take_sticky(&v, i, err)) != ERR_OK) {
		instance_release(i);
		return code;
	}
	return ERR_OK;
}

/* As it is, or with the sticky status put in, in place of an older one. */
void
instance_pack_metadata(struct pack *p, const struct instance *i)
{
	const char *sticky = sticky_status_name(i->sticky);
	struct data d = { DATA_JSON, i->metadata, strlen(i->metadata) };
	struct value v;
	bool there = false;

	if (sticky == NULL) {
		pack_data(p, d);
		return;
	}
	MUST(codec_parse(codec_aside(), d, &v, NULL) == ERR_OK && v.type == VALUE_MAP);
	there = value_field(&v, STICKY_SNAKE) != NULL;
	pack_map(p, v.n + !there);
	for (uint32_t k = 0; k < v.n; k++) {
		const struct value_pair *pair = &v.u.pairs[k];
		pack_key_n(p, pair->key);
		if (text_is(pair->key, STICKY_SNAKE))
			pack_puts(p, sticky);
		else
			pack_value(p, &pair->value);
	}
	if (!there)
		pack_key_puts(p, STICKY_SNAKE, sticky);
}

void
instance_pack(struct pack *p, const struct instance *i)
{
	const char *sticky = sticky_status_name(i->sticky);
	char when[WALL_TEXT_MAX];

	wall_utc(i->last_heartbeat, when);
	pack_map(p, sticky != NULL ? 8 : 7);
	pack_key_puts(p, "serviceName", i->service);
	pack_key_puts(p, "instanceId", i->id);
	pack_key_puts(p, "version", i->version);
	pack_key_puts(p, "status", instance_status_name(i->status));
	pack_key_puts(p, "lastHeartbeat", when);
	pack_key_puts(p, "stickyActiveGroup", i->group);
	pack_key(p, "metadata");
	instance_pack_metadata(p, i);
	if (sticky != NULL)
		pack_key_puts(p, STICKY_CAMEL, sticky);
}

void
instance_encode(const struct instance *i, struct str *out)
{
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_ASCII);
	instance_pack(&p, i);
	MUST(pack_end(&p, NULL) == ERR_OK);
}

/* --- definitions -------------------------------------------------------------------------- */

static const char *const definition_keys[] = {
	"service_name", "owner", "description", "version", "created_at", "updated_at",
};

enum err_code
definition_decode(struct codec *c, const void *p, size_t n, struct definition *d, struct err *err)
{
	struct value v;
	enum err_code code;

	/* Names by the wider rule: Python defines services that aegis itself would not. */
	definition_init(d);
	if ((code = parse_map(c, p, n, &v, err)) != ERR_OK ||
	    (code = take_name(&v, "service_name", NAME_SERVICE_CALLED, &d->service, err)) != ERR_OK ||
	    (code = take_text(&v, "owner", true, &d->owner, err)) != ERR_OK ||
	    (code = take_text(&v, "description", true, &d->description, err)) != ERR_OK ||
	    (code = take_name(&v, "version", NAME_VERSION_DEFINED, &d->version, err)) != ERR_OK ||
	    (code = take_moment(&v, "created_at", &d->created_at, err)) != ERR_OK ||
	    (code = take_moment(&v, "updated_at", &d->updated_at, err)) != ERR_OK)
		goto err0;
	if (d->updated_at.ns < d->created_at.ns) {
		code = err_set(err, ERR_INVALID, "updated_at: is before created_at");
		goto err0;
	}
	return ERR_OK;
err0:
	definition_release(d);
	return code;
}

static enum err_code
refuse_member(struct text key, struct err *err)
{
	char *word = mem_text_n(key.p, (size_t)shown(key));
	const char *near = NULL;

	if (near_pick(word, definition_keys, COUNT_OF(definition_keys), &near, 1) > 0)
		err_set(err, ERR_INVALID, "%s: no such member; did you mean '%s'?", word, near);
	else
		err_set(err, ERR_INVALID, "%s: no such member; a definition has service_name, owner, "
		    "description, version, and may have created_at, updated_at", word);
	mem_free(word);
	return ERR_INVALID;
}

static enum err_code
known_members_only(const struct value *v, struct err *err)
{
	for (uint32_t i = 0; i < v->n; i++) {
		size_t k = 0;
		while (k < COUNT_OF(definition_keys) && !text_is(v->u.pairs[i].key, definition_keys[k]))
			k++;
		if (k == COUNT_OF(definition_keys))
			return refuse_member(v->u.pairs[i].key, err);
	}
	return ERR_OK;
}

enum err_code
definition_from_value(const struct value *v, struct definition *d, struct err *err)
{
	enum err_code code;

	definition_init(d);
	if (v == NULL || v->type != VALUE_MAP)
		return err_set(err, ERR_INVALID, "a definition must be a map, not %s",
		    v != NULL ? value_type_name(v->type) : "nothing");
	if ((code = known_members_only(v, err)) != ERR_OK ||
	    (code = take_name(v, "service_name", NAME_SERVICE, &d->service, err)) != ERR_OK ||
	    (code = take_text(v, "owner", true, &d->owner, err)) != ERR_OK ||
	    (code = take_text(v, "description", true, &d->description, err)) != ERR_OK ||
	    (code = take_name(v, "version", NAME_VERSION_DEFINED, &d->version, err)) != ERR_OK)
		goto err0;
	if (value_field(v, "created_at") != NULL &&
	    (code = take_time(v, "created_at", &d->created_at, err)) != ERR_OK)
		goto err0;
	if (value_field(v, "updated_at") != NULL &&
	    (code = take_time(v, "updated_at", &d->updated_at, err)) != ERR_OK)
		goto err0;
	return ERR_OK;
err0:
	definition_release(d);
	return code;
}

void
definition_pack(struct pack *p, const struct definition *d)
{
	char created[WALL_TEXT_MAX], updated[WALL_TEXT_MAX];
	const char *const values[] = {
		d->service, d->owner, d->description, d->version, created, updated,
	};

	wall_cst(d->created_at, created);
	wall_cst(d->updated_at, updated);
	pack_map(p, COUNT_OF(definition_keys));
	for (size_t i = 0; i < COUNT_OF(definition_keys); i++)
		pack_key_puts(p, definition_keys[i], values[i]);
}

void
definition_encode(const struct definition *d, struct str *out)
{
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_ASCII);
	definition_pack(&p, d);
	MUST(pack_end(&p, NULL) == ERR_OK);
}
