/* manage_services.c - definitions over HTTP (wire.md §11).
 *
 * Lists come from the snapshot; a single one, and what is about to be changed, from the store itself.
 * Every change is a compare-and-set on the revision that was read, also where the request names
 * none: then it is done again on what somebody else wrote meanwhile, as it only says what to
 * change. */
#include <stdio.h>
#include <string.h>

#include "api/manage_definition.h"
#include "api/manage_inner.h"
#include "api/manage_kept.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/near.h"
#include "base/wall.h"
#include "codec/record.h"
#include "discovery/discovery.h"
#include "model/names.h"
#include "registry/registry.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define ATTEMPTS 64		/* of a change without a condition, against others: each that fails is the success of one of them */
#define SETTLE_NS (500 * NS_PER_MS)

/* --- the store ---------------------------------------------------------------------------- */

static struct registry *
store(struct manage *m)
{
	return atomic_load(&m->registry);
}

/* unknown: answers 404, with names that are near. */
static void
unknown(struct manage *m, struct web_request *r, const char *name)
{
	const struct directory *d = discovery_take(m->discovery);
	size_t room = d != NULL ? d->n + d->ndefined : 0, n = 0;
	const char **all = mem_array(room + 1, sizeof *all), *near = NULL;

	if (d != NULL && manage_bound(r) == NULL)
		n = directory_names(d, all, room);
	if (near_pick(name, all, n, &near, 1) > 0)
		manage_fail(r, ERR_SERVICE_UNKNOWN, 0, name, "there is no definition of '%.100s'; did you mean '%.100s'?", name, near);
	else
		manage_fail(r, ERR_SERVICE_UNKNOWN, 0, name, "there is no definition of '%.100s'", name);
	mem_free(all);
	discovery_drop(d);
}

/* read_one: the definition that the path names; done: answered already (404). */
static enum err_code
read_one(struct manage *m, struct web_request *r, struct definition *d, uint64_t *revision, bool *done, struct err *err)
{
	const char *name = web_param(r, "name");
	enum err_code code = manage_up(m, err);

	*done = false;
	if (code != ERR_OK)
		return code;
	code = name_ok(NAME_SERVICE_CALLED, name, strlen(name)) ? registry_get(store(m), name, d, revision, err)
	    : ERR_SERVICE_UNKNOWN;
	if (code == ERR_SERVICE_UNKNOWN) {
		*done = true;
		unknown(m, r, name);
		return ERR_OK;
	}
	return code == ERR_OK ? ERR_OK : manage_store(code, err);
}

void
manage_settle(struct manage *m, const char *name, uint64_t revision)
{
	struct mono end = mono_after(clock_mono(clock_system()), SETTLE_NS);
	bool there = false;

	while (!there && !mono_reached(clock_mono(clock_system()), end)) {
		const struct directory *d = discovery_take(m->discovery);
		const struct defined *x = directory_defined(d, name);
		there = revision > 0 ? x != NULL && x->revision >= revision : x == NULL;
		discovery_drop(d);
		if (!there)
			thread_pause(NS_PER_MS);
	}
}

/* --- reading ------------------------------------------------------------------------------ */

static const char *const fields[] = { "service_name", "owner", "version", "created_at", "updated_at", NULL };

static const char *
field_of(const void *item, size_t i, char buf[MANAGE_FIELD_MAX])
{
	const struct definition *d = ((const struct defined *)item)->definition;
	const char *const texts[] = { d->service, d->owner, d->version };

	if (i < COUNT_OF(texts))
		return texts[i];
	wall_cst(i == COUNT_OF(texts) ? d->created_at : d->updated_at, buf);
	return buf;
}

static const char *
key_of(const void *item, char buf[MANAGE_FIELD_MAX])
{
	(void)buf;
	return ((const struct defined *)item)->name;
}

static void
pack_one(struct pack *k, const void *item)
{
	definition_pack(k, ((const struct defined *)item)->definition);
}

static uint64_t
mark_of(const void *item)
{
	return ((const struct defined *)item)->revision;
}

enum err_code
manage_services(void *arg, struct web_request *r, struct err *err)
{
	static const struct manage_list list = { fields, field_of, key_of, pack_one, mark_of, 0 };
	struct manage *m = arg;
	const char *bound = manage_bound(r);

	if (manage_up(m, err) != ERR_OK)
		return err->code;
	const struct directory *d = discovery_take(m->discovery);
	const struct manage_keep keep = { m->kept, KEPT_SERVICES, d != NULL ? d->version : 0, clock_wall(clock_system()), { INT64_MAX } };
	if (manage_kept_reply(r, &keep)) {
		discovery_drop(d);
		return ERR_OK;
	}
	const void **items = mem_array((d != NULL ? d->ndefined : 0) + 1, sizeof *items);
	size_t n = 0;
	for (size_t i = 0; d != NULL && i < d->ndefined; i++)
		if (bound == NULL || strcmp(bound, d->defined[i]->name) == 0)
			items[n++] = d->defined[i];
	manage_list_keep(r, &list, items, n, &keep);
	mem_free(items);
	discovery_drop(d);
	return ERR_OK;
}

enum err_code
manage_service(void *arg, struct web_request *r, struct err *err)
{
	struct definition d;
	uint64_t revision;
	bool done;
	enum err_code code = read_one(arg, r, &d, &revision, &done, err);

	if (code != ERR_OK || done)
		return code;
	manage_definition_reply(r, 200, &d, revision);
	definition_release(&d);
	return ERR_OK;
}

enum err_code
manage_service_revision(void *arg, struct web_request *r, struct err *err)
{
	struct str out = STR_INIT;
	struct definition d;
	uint64_t revision;
	struct pack k;
	bool done;
	enum err_code code = read_one(arg, r, &d, &revision, &done, err);

	if (code != ERR_OK || done)
		return code;
	pack_init(&k, &out, DATA_JSON, PACK_COMPACT);
	pack_map(&k, 2);
	pack_key(&k, "service");
	definition_pack(&k, &d);
	pack_key_uint(&k, "revision", revision);
	MUST(pack_end(&k, NULL) == ERR_OK);
	manage_json_revision(r, 200, &out, revision);
	definition_release(&d);
	return ERR_OK;
}

/* --- creating ----------------------------------------------------------------------------- */

/* reply_repeated: the request with that Idempotency-Key was stored before, as `revision`. */
static enum err_code
reply_repeated(struct manage *m, struct web_request *r, const struct definition *d, uint64_t revision, struct err *err)
{
	struct definition now;
	uint64_t current;
	enum err_code code = registry_get(store(m), d->service, &now, &current, err);

	if (code != ERR_OK && code != ERR_SERVICE_UNKNOWN)
		return manage_store(code, err);
	bool fits = code == ERR_OK && current >= revision && (current > revision || definition_same(&now, d));
	if (fits) {
		manage_location(m, r, "services", d->service);
		manage_definition_reply(r, 201, &now, current);
	}
	if (code == ERR_OK)
		definition_release(&now);
	if (!fits)
		return err_set(err, ERR_INVALID, "this Idempotency-Key came with another request a moment ago");
	return ERR_OK;
}

/* put_new: creates it.  With an Idempotency-Key the store itself knows a repetition, whichever replica
 * it comes to, for as long as its window for duplicates lasts. */
static enum err_code
put_new(struct manage *m, struct web_request *r, struct definition *d, struct err *err)
{
	char id[MANAGE_KEY_MAX];
	uint64_t revision = 0;
	bool has_id, repeated = false;
	enum err_code code = manage_idempotency(r, id, &has_id, err);

	if (code != ERR_OK)
		return code;
	code = registry_put_once(store(m), d, REGISTRY_NEW, has_id ? id : NULL, &repeated, &revision, err);
	if (code == ERR_OK && repeated)
		return reply_repeated(m, r, d, revision, err);
	if (code == ERR_EXISTS) {
		manage_fail(r, ERR_EXISTS, 0, d->service, "'%s' is defined already", d->service);
		return ERR_OK;
	}
	if (code != ERR_OK)
		return manage_store(code, err);
	struct manage_version none = { .revision = 0 }, made;
	manage_version_take(&made, d, revision);
	manage_audit_definition(m, r, "definition.create", d->service, &none, &made);
	manage_settle(m, d->service, revision);
	manage_location(m, r, "services", d->service);
	manage_definition_reply(r, 201, d, revision);
	return ERR_OK;
}

enum err_code
manage_service_create(void *arg, struct web_request *r, struct err *err)
{
	struct manage *m = arg;
	struct definition d;
	struct manage_faults f = { 0 };
	struct value body;
	bool dry_run;
	enum err_code code = manage_up(m, err);

	if (code != ERR_OK)
		return code;
	if (!manage_flag(r, "dry_run", &dry_run) || !manage_body(r, &body))
		return ERR_OK;
	definition_init(&d);
	definition_take(&body, true, &d, &f);
	d.created_at = d.updated_at = clock_wall(clock_system());
	if (manage_refused(r, &f))
		code = ERR_OK;
	else if (dry_run)
		manage_definition_reply(r, 200, &d, 0);
	else
		code = put_new(m, r, &d, err);
	definition_release(&d);
	return code;
}

/* --- changing ----------------------------------------------------------------------------- */

static void
stale_revision(struct web_request *r, const char *name, uint64_t is, uint64_t named)
{
	manage_fail(r, ERR_REVISION, 0, name, "%s is at revision %llu, the request names %llu", name, (unsigned long long)is,
	    (unsigned long long)named);
}

static bool
has_condition(const struct web_request *r)
{
	return web_header(r, "If-Match") != NULL || web_header(r, "If-None-Match") != NULL;
}

/* What PUT asks for. */
struct change {
	struct definition patch;	/* what stays is NULL there */
	bool has_revision, dry_run;
	int64_t revision;
};

static void
take_revision(const struct value *body, struct change *c, struct manage_faults *f)
{
	const struct value *v = value_field(body, "revision");

	if (v == NULL || v->type == VALUE_NULL)
		return;
	c->has_revision = value_int(v, &c->revision);
	if (!c->has_revision)
		manage_fault(f, "body.revision", "int_type", "must be a whole number");
}

/* check_patch: a merge patch names what there is, and removes nothing: a definition needs all of it. */
static void
check_patch(const struct value *body, struct manage_faults *f)
{
	static const char *const known[] = { "owner", "description", "version", NULL };
	char field[32];

	manage_members(body, known, f);
	for (size_t i = 0; known[i] != NULL; i++) {
		const struct value *v = value_field(body, known[i]);
		snprintf(field, sizeof field, "body.%s", known[i]);
		if (v != NULL && v->type == VALUE_NULL)
			manage_fault(f, field, "value_error", "cannot be removed; a definition needs it");
	}
}

/* read_change: false: answered.  The caller releases the patch in both cases. */
static bool
read_change(struct web_request *r, bool is_patch, struct change *c)
{
	struct manage_faults f = { 0 };
	struct value body;

	*c = (struct change){ 0 };
	if (!manage_flag(r, "dry_run", &c->dry_run) || !manage_body(r, &body))
		return false;
	if (is_patch)
		check_patch(&body, &f);
	else
		take_revision(&body, c, &f);
	definition_take(&body, false, &c->patch, &f);
	if (manage_refused(r, &f))
		return false;
	bool any = c->patch.owner != NULL || c->patch.description != NULL || c->patch.version != NULL;
	if (!any)
		manage_fail(r, ERR_OK, 400, NULL, "there is nothing to change; name one of owner, description, version");
	return any;
}

/* change_once: ERR_REVISION when somebody else was faster and the request would not mind; else *done. */
static enum err_code
change_once(struct manage *m, struct web_request *r, const struct change *c, bool *done, struct err *err)
{
	struct manage_version before = { .revision = 0 }, after;
	struct definition d;
	uint64_t revision, written = 0;
	enum err_code code = read_one(m, r, &d, &revision, done, err);

	if (code != ERR_OK || *done)
		return code;
	*done = true;
	if (c->has_revision && (uint64_t)c->revision != revision) {
		stale_revision(r, d.service, revision, (uint64_t)c->revision);
		goto out;
	}
	if (!manage_condition(r, revision, false, d.service))
		goto out;
	manage_version_take(&before, &d, revision);
	definition_apply(&d, &c->patch, clock_wall(clock_system()));
	if (c->dry_run) {
		manage_definition_reply(r, 200, &d, revision);
		goto out;
	}
	code = registry_put(store(m), &d, revision, &written, err);
	if (code == ERR_OK) {
		manage_version_take(&after, &d, written);
		manage_audit_definition(m, r, "definition.update", d.service, &before, &after);
		manage_settle(m, d.service, written);
		manage_definition_reply(r, 200, &d, written);
	} else if (code == ERR_REVISION && (has_condition(r) || c->has_revision)) {
		manage_fail(r, has_condition(r) ? ERR_PRECONDITION : ERR_REVISION, 0, d.service, "%s", err->text);
		code = ERR_OK;
	} else if (code == ERR_REVISION) {
		*done = false;
	} else {
		code = manage_store(code, err);
	}
out:
	manage_version_release(&before);
	definition_release(&d);
	return code;
}

static enum err_code
update(struct manage *m, struct web_request *r, bool is_patch, struct err *err)
{
	struct change c;
	bool done = false;
	enum err_code code = manage_up(m, err);

	if (code != ERR_OK)
		return code;
	done = !read_change(r, is_patch, &c);
	for (int i = 0; i < ATTEMPTS && !done && (code == ERR_OK || code == ERR_REVISION); i++)
		code = change_once(m, r, &c, &done, err);
	definition_release(&c.patch);
	return code;
}

enum err_code
manage_service_update(void *arg, struct web_request *r, struct err *err)
{
	return update(arg, r, false, err);
}

enum err_code
manage_service_patch(void *arg, struct web_request *r, struct err *err)
{
	return update(arg, r, true, err);
}

/* --- removing ----------------------------------------------------------------------------- */

static enum err_code
remove_once(struct manage *m, struct web_request *r, bool dry_run, bool *done, struct err *err)
{
	struct manage_version before, none = { .revision = 0 };
	struct definition d;
	uint64_t revision;
	enum err_code code = read_one(m, r, &d, &revision, done, err);

	if (code != ERR_OK || *done)
		return code;
	*done = true;
	if (!manage_condition(r, revision, false, d.service))
		goto out;
	if (!dry_run)
		code = registry_remove(store(m), d.service, revision, err);
	if (code == ERR_OK) {
		if (!dry_run) {
			manage_version_take(&before, &d, revision);
			manage_audit_definition(m, r, "definition.delete", d.service, &before, &none);
			manage_settle(m, d.service, 0);
		}
		web_reply(r, 204, NULL, (struct text){ NULL, 0 });
	} else if (code == ERR_REVISION && has_condition(r)) {
		manage_fail(r, ERR_PRECONDITION, 0, d.service, "%s", err->text);
		code = ERR_OK;
	} else if (code == ERR_REVISION || code == ERR_SERVICE_UNKNOWN) {
		code = ERR_REVISION;
		*done = false;
	} else {
		code = manage_store(code, err);
	}
out:
	definition_release(&d);
	return code;
}

enum err_code
manage_service_remove(void *arg, struct web_request *r, struct err *err)
{
	bool dry_run, done = false;
	enum err_code code = manage_up(arg, err);

	if (code != ERR_OK || !manage_flag(r, "dry_run", &dry_run))
		return code;
	for (int i = 0; i < ATTEMPTS && !done && (code == ERR_OK || code == ERR_REVISION); i++)
		code = remove_once(arg, r, dry_run, &done, err);
	return code;
}
