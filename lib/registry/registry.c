/* registry.c - the bucket's contents as nouns: writes by compare-and-set, single reads. */
#include "registry/registry.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/near.h"
#include "base/str.h"
#include "codec/record.h"
#include "codec/subject.h"
#include "nats/stream.h"
#include "registry/registry_inner.h"

#define HISTORY 10			/* revisions kept per definition (wire.md §8.1) */
#define VALUE_MAX_BYTES (1 << 20)
#define MARKER_TTL_S 60			/* how long a removed instance leaves a tombstone */

/* say_what_is_missing: a bucket made by somebody else, or an old server, limits us; the
 * user reads it once, here. */
static void
say_what_is_missing(struct conn *conn, const struct bucket_state *b)
{
	struct jetstream_info js;

	if (!b->ttl && jetstream_probe(conn, &js, NULL) == ERR_OK && !js.ttl)
		log_warning(EV_NATS_DEGRADED, LOG_F(LOG_N("api_level", js.api_level)),
		    "the server is older than nats-server 2.11 (JetStream API level %d, 1 is needed), so no record expires: dead "
		    "instances stay in the bucket and are hidden by the age check only", js.api_level);
	else if (!b->ttl)
		log_warning(EV_NATS_DEGRADED, LOG_F(LOG_S("bucket", REGISTRY_BUCKET)),
		    "the bucket has no per-message TTL and it cannot be switched on (allow_msg_ttl), so no record expires: dead "
		    "instances stay in it and are hidden by the age check only");
	if (b->max_age_ns > 0)
		log_warning(EV_NATS_DEGRADED, LOG_F(LOG_S("bucket", REGISTRY_BUCKET)),
		    "the bucket has max_age %lld s: service definitions expire too; remove it from the stream "
		    "KV_" REGISTRY_BUCKET, (long long)(b->max_age_ns / NS_PER_S));
}

struct registry *
registry_new(const struct registry_opts *o, struct err *err)
{
	static const struct bucket_opts bucket = {
		.name = REGISTRY_BUCKET, .history = HISTORY, .max_value_bytes = VALUE_MAX_BYTES,
	};
	struct bucket_opts want = bucket;
	struct bucket_state state = { .ttl = true };
	enum err_code code;

	want.replicas = o->replicas;
	if (o->create)
		code = bucket_ensure(o->conn, &want, &state, err);
	else
		code = bucket_inspect(o->conn, REGISTRY_BUCKET, &state, err);
	bool missing = code == ERR_NOT_FOUND && !o->create;
	if (code != ERR_OK && !missing) {
		err_prefix(err, "registry");
		return NULL;
	}
	/* Old servers answer an update with what they were asked for and ignore it, so what
	 * counts is what the stream's own configuration reports. */
	if (o->create && !state.ttl && bucket_enable_ttl(o->conn, REGISTRY_BUCKET, NULL) == ERR_OK) {
		log_info(EV_NATS_DEGRADED, LOG_F(LOG_S("bucket", REGISTRY_BUCKET)),
		    "switched per-message TTL on for the bucket, so that dead instances leave it (wire.md §8.2)");
		state.ttl = true;
	}
	if (o->create)
		say_what_is_missing(o->conn, &state);
	struct registry *r = mem_new(sizeof *r);
	r->kv = (struct kv){ o->conn, REGISTRY_BUCKET };
	r->missing = missing;
	r->terse = o->terse;
	r->ttl = state.ttl;
	return r;
}

void
registry_free(struct registry *r)
{
	mem_free(r);
}

bool
registry_has_ttl(const struct registry *r)
{
	return r->ttl;
}

/* --- definitions ------------------------------------------------------------------------ */

static enum err_code
put(struct registry *r, const struct definition *def, uint64_t expect, const char *id, bool *repeated, uint64_t *rev,
    struct err *err)
{
	struct str text = STR_INIT;
	enum err_code code = definition_check(def, err);

	if (code == ERR_OK) {
		definition_encode(def, &text);
		code = kv_put(&r->kv, &(struct kv_put){
			.key = def->service, .value = text.p, .n = text.len, .expect = expect, .id = id, .repeated = repeated,
		}, rev, err);
	}
	str_release(&text);
	if (code == ERR_REVISION)
		return err_set(err, code, "registry: put '%s': somebody else changed it since revision %llu; read it again",
		    def->service, (unsigned long long)expect);
	if (code == ERR_EXISTS)
		return err_set(err, code, "registry: put '%s': it exists already; leave --create out to replace it",
		    def->service);
	if (code != ERR_OK)
		err_prefix(err, "registry: put '%s'", def->service);
	return code;
}

enum err_code
registry_put(struct registry *r, const struct definition *def, uint64_t expect, uint64_t *rev, struct err *err)
{
	return put(r, def, expect, NULL, NULL, rev, err);
}

enum err_code
registry_put_once(struct registry *r, const struct definition *def, uint64_t expect, const char *id, bool *repeated,
    uint64_t *rev, struct err *err)
{
	return put(r, def, expect, id, repeated, rev, err);
}

/* suggest: near names, for the sentence about an unknown one. */
static void
suggest(struct registry *r, const char *name, struct err *err)
{
	struct registry_list l;
	struct registry_query q = { .definitions = true };
	const char *near[3];

	if (registry_list(r, &q, &l, NULL) != ERR_OK)
		return;
	const char **all = mem_array(l.n + 1, sizeof *all);
	for (size_t i = 0; i < l.n; i++)
		all[i] = l.v[i].definition->service;
	size_t n = near_pick(name, all, l.n, near, COUNT_OF(near));
	if (n > 0 && err != NULL) {
		size_t at = strlen(err->text);
		at += (size_t)snprintf(err->text + at, sizeof err->text - at, "; did you mean '%s'", near[0]);
		for (size_t i = 1; i < n && at < sizeof err->text - 80; i++)
			at += (size_t)snprintf(err->text + at, sizeof err->text - at, ", '%s'", near[i]);
		snprintf(err->text + at, sizeof err->text - at, "?");
	}
	mem_free(all);
	registry_list_release(&l);
}

static enum err_code
unknown_service(struct registry *r, const char *name, struct err *err)
{
	err_set(err, ERR_SERVICE_UNKNOWN, "registry: no definition of service '%s'", name);
	if (!r->missing && !r->terse)
		suggest(r, name, err);
	return ERR_SERVICE_UNKNOWN;
}

enum err_code
registry_get(struct registry *r, const char *name, struct definition *def, uint64_t *rev, struct err *err)
{
	struct kv_entry e;
	enum err_code code = r->missing ? ERR_NOT_FOUND : kv_get(&r->kv, name, &e, err);

	if (code == ERR_NOT_FOUND)
		return unknown_service(r, name, err);
	if (code != ERR_OK) {
		err_prefix(err, "registry: get '%s'", name);
		return code;
	}
	code = definition_decode(codec_mine(), e.value, e.n, def, err);
	if (rev != NULL)
		*rev = e.revision;
	kv_entry_release(&e);
	if (code == ERR_OK)
		return ERR_OK;
	err_prefix(err, "registry: get '%s'", name);
	return ERR_CORRUPT;
}

enum err_code
registry_remove(struct registry *r, const char *name, uint64_t expect, struct err *err)
{
	struct kv_entry e;
	enum err_code code = r->missing ? ERR_NOT_FOUND : kv_get(&r->kv, name, &e, err);

	if (code == ERR_NOT_FOUND)
		return unknown_service(r, name, err);
	if (code == ERR_OK) {
		uint64_t rev = expect == REGISTRY_ANY ? e.revision : expect;
		kv_entry_release(&e);
		code = kv_remove(&r->kv, name, rev, true, 0, err);		/* its history stays */
	}
	if (code == ERR_REVISION)
		return err_set(err, code, "registry: rm '%s': somebody else changed it; read it again", name);
	if (code != ERR_OK)
		err_prefix(err, "registry: rm '%s'", name);
	return code;
}

/* --- instances -------------------------------------------------------------------------- */

enum err_code
registry_put_instance(struct registry *r, const struct instance *i, int64_t ttl_s, uint64_t expect,
    uint64_t *rev, struct err *err)
{
	struct subject key = key_instance(i->service, i->id);
	struct str text = STR_INIT;

	instance_encode(i, &text);
	enum err_code code = kv_put(&r->kv, &(struct kv_put){
		.key = key.s, .value = text.p, .n = text.len, .expect = expect,
		.ttl_s = r->ttl ? ttl_s : 0, .rollup = true,
	}, rev, err);
	str_release(&text);
	if (code != ERR_OK)
		err_prefix(err, "registry: instance '%s' of '%s'", i->id, i->service);
	return code;
}

enum err_code
registry_get_instance(struct registry *r, const char *service, const char *id, struct instance *i,
    uint64_t *rev, struct err *err)
{
	struct subject key = key_instance(service, id);
	struct kv_entry e = { .revision = 0 };
	enum err_code code = r->missing ? ERR_NOT_FOUND : kv_get(&r->kv, key.s, &e, err);

	if (code != ERR_OK && code != ERR_NOT_FOUND) {
		err_prefix(err, "registry: instance '%s' of '%s'", id, service);
		return code;
	}
	if (rev != NULL)
		*rev = e.revision;
	if (code == ERR_NOT_FOUND)
		return err_set(err, ERR_INSTANCE_UNKNOWN, "registry: service '%s' has no instance '%s'", service, id);
	code = instance_decode(codec_mine(), e.value, e.n, i, err);
	kv_entry_release(&e);
	if (code != ERR_OK)
		return err_prefix(err, "registry: instance '%s' of '%s'", id, service), ERR_CORRUPT;
	return ERR_OK;
}

enum err_code
registry_remove_instance(struct registry *r, const char *service, const char *id, uint64_t expect,
    struct err *err)
{
	struct subject key = key_instance(service, id);
	enum err_code code = kv_remove(&r->kv, key.s, expect, false, r->ttl ? MARKER_TTL_S : 0, err);

	if (code != ERR_OK)
		err_prefix(err, "registry: instance '%s' of '%s'", id, service);
	return code;
}
