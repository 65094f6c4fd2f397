/* manage_config.c - central settings over HTTP: documents, their history, and what may stand in them.
 *
 * Every write names the revision that its author saw (If-Match, or If-None-Match: * for the first), and is a
 * compare-and-set on it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/manage_inner.h"
#include "audit/audit.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/wall.h"
#include "model/names.h"
#include "nats/kv.h"
#include "settings/settings.h"
#include "sys/clock.h"

/* --- the store ---------------------------------------------------------------------------- */

/* open: the bucket, once it could be looked at. */
static enum err_code
open_settings(struct manage *m, struct settings **out, struct err *err)
{
	enum err_code code = manage_up(m, err);

	if (code == ERR_OK && (*out = atomic_load(&m->settings)) == NULL)
		code = err_set(err, ERR_UNAVAILABLE, "the settings of services cannot be reached yet");
	return code;
}

static void
no_document(struct web_request *r, const char *service)
{
	manage_fail(r, ERR_NOT_FOUND, 0, NULL, "service '%.100s' has no central settings", service);
}

/* look: the document that the path names.  *there says whether there is one; one that cannot be read is there, too.
 * d is released by the caller in any case. */
static enum err_code
look(struct manage *m, struct web_request *r, struct settings **all, struct settings_document *d, bool *there, struct err *err)
{
	const char *service = web_param(r, "service");
	enum err_code code = open_settings(m, all, err);

	*d = (struct settings_document){ .service = NULL };
	*there = false;
	if (code != ERR_OK || !name_ok(NAME_SERVICE_CALLED, service, strlen(service)))
		return code;
	code = settings_get(*all, service, d, err);
	*there = code == ERR_OK || code == ERR_CORRUPT;
	return *there || code == ERR_NOT_FOUND ? ERR_OK : manage_store(code, err);
}

/* --- reading ------------------------------------------------------------------------------ */

static void
reply_one(struct web_request *r, int status, const struct settings_document *d)
{
	struct str out = STR_INIT;

	settings_write(d, true, &out);
	manage_json_revision(r, status, &out, d->revision);
}

enum err_code
manage_config(void *arg, struct web_request *r, struct err *err)
{
	struct settings_document d;
	struct settings *all;
	bool there;
	enum err_code code = look(arg, r, &all, &d, &there, err);

	if (code == ERR_OK && there)
		reply_one(r, 200, &d);
	else if (code == ERR_OK)
		no_document(r, web_param(r, "service"));
	settings_document_release(&d);
	return code;
}

static const char *const fields[] = { "service", "revision", "updated_at", "updated_by", NULL };

static const char *
field_of(const void *item, size_t i, char buf[MANAGE_FIELD_MAX])
{
	const struct settings_document *d = item;

	switch (i) {
	case 0:
		return d->service;
	case 1:
		snprintf(buf, MANAGE_FIELD_MAX, "%020llu", (unsigned long long)d->revision);
		return buf;
	case 2:
		wall_rfc3339(d->at, buf);
		return buf;
	default:
		return d->by != NULL ? d->by : "";
	}
}

static const char *
key_of(const void *item, char buf[MANAGE_FIELD_MAX])
{
	(void)buf;
	return ((const struct settings_document *)item)->service;
}

static void
pack_one(struct pack *k, const void *item)
{
	struct str out = STR_INIT;

	settings_write(item, false, &out);
	pack_data(k, (struct data){ DATA_JSON, str_text(&out), out.len });
	str_release(&out);
}

static uint64_t
mark_of(const void *item)
{
	return ((const struct settings_document *)item)->revision;
}

/* Documents that one request collects. */
struct pile {
	struct settings_document *v;
	size_t n, cap;
	const char *only;		/* of this service; NULL: of all */
};

static void
add(void *arg, const struct settings_document *d)
{
	struct pile *p = arg;

	if (p->only != NULL && strcmp(p->only, d->service) != 0)
		return;
	mem_grow(&p->v, &p->cap, p->n + 1, sizeof *p->v);
	p->v[p->n++] = (struct settings_document){
		.service = mem_text(d->service), .json = mem_text(d->json), .by = mem_text(d->by), .why = mem_text(d->why),
		.revision = d->revision, .at = d->at, .deleted = d->deleted,
	};
}

static void
pile_release(struct pile *p)
{
	for (size_t i = 0; i < p->n; i++)
		settings_document_release(&p->v[i]);
	mem_free(p->v);
}

static int
by_service(const void *a, const void *b)
{
	return strcmp(((const struct settings_document *)a)->service, ((const struct settings_document *)b)->service);
}

enum err_code
manage_configs(void *arg, struct web_request *r, struct err *err)
{
	static const struct manage_list list = {
		.fields = fields, .field = field_of, .key = key_of, .pack = pack_one, .mark = mark_of, .page = 100,
	};
	struct pile p = { .only = manage_bound(r) };
	struct settings *all;
	enum err_code code = open_settings(arg, &all, err);

	if (code != ERR_OK)
		return code;
	if ((code = settings_list(all, add, &p, err)) != ERR_OK) {
		pile_release(&p);
		return manage_store(code, err);
	}
	if (p.n > 1)
		qsort(p.v, p.n, sizeof *p.v, by_service);
	manage_list_array(r, &list, p.v, p.n, sizeof *p.v);
	pile_release(&p);
	return ERR_OK;
}

enum err_code
manage_config_history(void *arg, struct web_request *r, struct err *err)
{
	const char *service = web_param(r, "service");
	struct pile p = { .only = NULL };
	struct str out = STR_INIT;
	struct settings *all;
	enum err_code code = open_settings(arg, &all, err);

	if (code == ERR_OK && name_ok(NAME_SERVICE_CALLED, service, strlen(service)))
		code = settings_history(all, service, add, &p, err);
	if (code == ERR_NOT_FOUND)
		code = ERR_OK;
	if (code == ERR_OK && p.n == 0) {
		no_document(r, service);
	} else if (code == ERR_OK) {
		for (size_t i = p.n; i > 0; i--) {
			str_puts(&out, i == p.n ? "[" : ",");
			settings_write(&p.v[i - 1], true, &out);
		}
		str_putc(&out, ']');
		manage_json(r, 200, &out, NULL);
	}
	pile_release(&p);
	return code == ERR_OK ? ERR_OK : manage_store(code, err);
}

enum err_code
manage_config_schema(void *arg, struct web_request *r, struct err *err)
{
	const struct manage *m = arg;
	struct str out = STR_INIT;

	MAGIC_CHECK(m, MANAGE_MAGIC);
	(void)err;
	settings_schema(m->settings_rules, &out);
	manage_json(r, 200, &out, NULL);
	return ERR_OK;
}

/* --- writing ------------------------------------------------------------------------------ */

/* One write: what is there, and what shall be. */
struct write {
	struct manage *m;
	struct web_request *r;
	struct settings *all;
	struct settings_document was;
	uint64_t expect;		/* what must be there; 0: nothing */
	bool there, dry_run, has_id;
	char id[MANAGE_KEY_MAX];	/* of its Idempotency-Key */
};

/* begin: reads what is there and holds it against the request's condition; false: answered, or *code says why. */
static bool
begin(struct write *w, enum err_code *code, struct err *err)
{
	if ((*code = look(w->m, w->r, &w->all, &w->was, &w->there, err)) != ERR_OK || !manage_flag(w->r, "dry_run", &w->dry_run))
		return false;
	return manage_condition_once(w->r, w->there ? w->was.revision : 0, w->has_id && !w->dry_run, web_param(w->r, "service"), &w->expect);
}

static void
write_down(const struct write *w, const char *action, const char *after, uint64_t revision)
{
	const char *service = web_param(w->r, "service");
	struct audit_entry e = { .action = action, .target = service, .service = service,
	    .before_revision = w->there ? w->was.revision : 0, .after_revision = revision };

	if (w->was.json != NULL)
		e.before = (struct data){ DATA_JSON, w->was.json, strlen(w->was.json) };
	if (after != NULL)
		e.after = (struct data){ DATA_JSON, after, strlen(after) };
	manage_audit(w->m, w->r, &e);
}

/* refuse: a setting that is not allowed, by its place in the body. */
static void
refuse(struct web_request *r, const struct settings_culprit *culprit, const char *why)
{
	struct manage_faults f = { 0 };
	char field[80];

	snprintf(field, sizeof field, "body.settings%s%.60s", culprit->key[0] != '\0' ? "/" : "", culprit->key);
	manage_fault(&f, field, "value_error", "%s", why);
	manage_refused(r, &f);
}

/* reply_written: as it is stored now, or, after a dry run, would be. */
static enum err_code
reply_written(const struct write *w, const char *json, uint64_t revision, struct err *err)
{
	struct settings_document now = { .service = NULL };
	enum err_code code = ERR_OK;

	if (w->dry_run) {
		struct settings_document would = w->was;
		would.service = (char *)(uintptr_t)web_param(w->r, "service");
		would.json = (char *)(uintptr_t)json;
		would.why = NULL;
		reply_one(w->r, 200, &would);
		return ERR_OK;
	}
	code = settings_get(w->all, web_param(w->r, "service"), &now, err);
	if (code == ERR_OK && now.revision == revision) {
		reply_one(w->r, 200, &now);
	} else {
		/* Somebody was faster already: this is what was written all the same. */
		struct settings_document ours = { .service = (char *)(uintptr_t)web_param(w->r, "service"), .json = (char *)(uintptr_t)json,
		    .by = (char *)(uintptr_t)manage_who(w->r)->name, .revision = revision, .at = clock_wall(clock_system()) };
		reply_one(w->r, 200, &ours);
	}
	settings_document_release(&now);
	return ERR_OK;
}

/* reply_repeated: the request with that Idempotency-Key was done before, as `revision`. */
static enum err_code
reply_repeated(const struct write *w, const char *json, uint64_t revision, struct err *err)
{
	struct settings_document now = { .service = NULL };
	enum err_code code = settings_get(w->all, web_param(w->r, "service"), &now, err);

	if (code == ERR_OK && now.json != NULL && (now.revision > revision || strcmp(now.json, json) == 0))
		reply_one(w->r, 200, &now);
	else if (code == ERR_OK || code == ERR_NOT_FOUND || code == ERR_CORRUPT)
		code = err_set(err, ERR_INVALID, "this Idempotency-Key came with another request a moment ago");
	else
		code = manage_store(code, err);
	settings_document_release(&now);
	return code;
}

/* put: json as the document, over what was read. */
static enum err_code
put(struct write *w, const char *action, const char *json, struct err *err)
{
	struct codec *codec = codec_new();
	struct settings_culprit culprit = { "" };
	uint64_t revision = 0;
	bool repeated = false;
	struct value v;
	enum err_code code = codec_parse(codec, (struct data){ DATA_JSON, json, strlen(json) }, &v, err);

	if (code == ERR_OK)
		code = w->dry_run ? settings_check(settings_rules(w->all), &v, &culprit, err)
		    : settings_put_once(w->all, &(struct settings_wish){
			.service = web_param(w->r, "service"), .v = &v, .by = manage_who(w->r)->name, .expect = w->expect,
			.id = w->has_id ? w->id : NULL, .repeated = &repeated, .culprit = &culprit,
		    }, &revision, err);
	codec_free(codec);
	if (code == ERR_INVALID) {
		refuse(w->r, &culprit, err->text);
		return ERR_OK;
	}
	if (code == ERR_REVISION || code == ERR_EXISTS) {
		manage_fail(w->r, ERR_PRECONDITION, 0, web_param(w->r, "service"), "%s", err->text);
		return ERR_OK;
	}
	if (code == ERR_TOO_LARGE)
		return code;
	if (code != ERR_OK)
		return manage_store(code, err);
	if (repeated)
		return reply_repeated(w, json, revision, err);
	if (!w->dry_run)
		write_down(w, action, json, revision);
	return reply_written(w, json, revision, err);
}

/* read_settings: the member "settings" of the body, as JSON; false: answered. */
static bool
read_settings(struct web_request *r, struct str *out)
{
	static const char *const known[] = { "settings", NULL };
	struct manage_faults f = { 0 };
	struct value body;
	struct err err;
	struct pack p;

	if (!manage_body(r, &body))
		return false;
	manage_members(&body, known, &f);
	const struct value *settings = value_field(&body, "settings");
	if (settings == NULL)
		manage_fault(&f, "body.settings", "missing", "is missing; it is the object of all settings");
	else if (settings->type != VALUE_MAP)
		manage_fault(&f, "body.settings", "dict_type", "must be an object");
	if (manage_refused(r, &f))
		return false;
	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_value(&p, settings);
	if (pack_end(&p, &err) == ERR_OK)
		return true;
	refuse(r, &(struct settings_culprit){ "" }, err.text);
	return false;
}

/* merged: what the body changes in the document, into *json. */
static enum err_code
merged(const struct write *w, struct str *json, struct err *err)
{
	struct codec *codec = codec_new();
	struct str out = STR_INIT;
	struct value v;
	enum err_code code = codec_parse(codec, (struct data){ DATA_JSON, str_text(json), json->len }, &v, err);

	if (code == ERR_OK && (code = settings_merge(w->was.json, &v, &out, err)) == ERR_OK) {
		str_release(json);
		*json = out;
	} else {
		str_release(&out);
	}
	codec_free(codec);
	return code;
}

static enum err_code
change(struct manage *m, struct web_request *r, bool patch, struct err *err)
{
	struct write w = { .m = m, .r = r };
	struct str json = STR_INIT;
	enum err_code code;

	if (begin(&w, &code, err) && read_settings(r, &json)) {
		if (patch)
			code = merged(&w, &json, err);
		if (code == ERR_OK)
			code = put(&w, w.there ? "config.update" : "config.create", str_text(&json), err);
	}
	str_release(&json);
	settings_document_release(&w.was);
	return code;
}

enum err_code
manage_config_put(void *arg, struct web_request *r, struct err *err)
{
	return change(arg, r, false, err);
}

enum err_code
manage_config_patch(void *arg, struct web_request *r, struct err *err)
{
	return change(arg, r, true, err);
}

static enum err_code
remove_it(struct write *w, struct err *err)
{
	enum err_code code = w->dry_run ? ERR_OK : settings_remove(w->all, web_param(w->r, "service"), w->was.revision, err);

	if (code == ERR_REVISION) {
		manage_fail(w->r, ERR_PRECONDITION, 0, web_param(w->r, "service"), "%s", err->text);
		return ERR_OK;
	}
	if (code != ERR_OK)
		return manage_store(code, err);
	if (!w->dry_run)
		write_down(w, "config.remove", NULL, 0);
	web_reply(w->r, 204, NULL, (struct text){ NULL, 0 });
	return ERR_OK;
}

enum err_code
manage_config_remove(void *arg, struct web_request *r, struct err *err)
{
	struct write w = { .m = arg, .r = r };
	enum err_code code;

	if (begin(&w, &code, err)) {
		if (w.there)
			code = remove_it(&w, err);
		else		/* If-None-Match: * holds, and there is nothing to remove */
			no_document(r, web_param(r, "service"));
	}
	settings_document_release(&w.was);
	return code;
}

/* --- going back ---------------------------------------------------------------------------- */

enum err_code
manage_config_revert(void *arg, struct web_request *r, struct err *err)
{
	struct write w = { .m = arg, .r = r };
	struct settings_document d = { .service = NULL };
	uint64_t target;
	enum err_code code = manage_idempotency(r, w.id, &w.has_id, err);

	if (code == ERR_OK && begin(&w, &code, err) && manage_target(r, &target)) {
		code = settings_at(w.all, web_param(r, "service"), target, &d, err);
		if (code == ERR_OK && d.deleted)
			code = err_set(err, ERR_NOT_FOUND, "revision %llu is a removal", (unsigned long long)target);
		if (code == ERR_NOT_FOUND || code == ERR_CORRUPT) {
			manage_fail(r, ERR_NOT_FOUND, 0, NULL, "%s", err->text);
			code = ERR_OK;
		} else if (code == ERR_OK) {
			code = put(&w, "config.revert", d.json, err);
		} else {
			code = manage_store(code, err);
		}
	}
	settings_document_release(&d);
	settings_document_release(&w.was);
	return code;
}
