/* manage_history.c - what a definition was, and going back to it. */
#include <stdio.h>
#include <string.h>

#include "api/manage_definition.h"
#include "api/manage_inner.h"
#include "base/magic.h"
#include "codec/record.h"
#include "model/names.h"
#include "registry/registry.h"
#include "sys/clock.h"

/* read_history: of the service that the path names, oldest first and not empty; done: answered. */
static enum err_code
read_history(struct manage *m, struct web_request *r, struct registry_list *l, bool *done, struct err *err)
{
	const char *name = web_param(r, "name");
	enum err_code code = manage_up(m, err);

	*l = (struct registry_list){ 0 };
	*done = false;
	if (code != ERR_OK)
		return code;
	if (name_ok(NAME_SERVICE_CALLED, name, strlen(name)))
		code = registry_history(atomic_load(&m->registry), name, l, err);
	if (code != ERR_OK && code != ERR_SERVICE_UNKNOWN)
		return manage_store(code, err);
	if (l->n > 0)
		return ERR_OK;
	registry_list_release(l);
	*done = true;
	manage_fail(r, ERR_SERVICE_UNKNOWN, 0, name, "there never was a definition of '%.100s', as far as the store remembers", name);
	return ERR_OK;
}

static void
pack_item(struct pack *k, const struct registry_item *x)
{
	pack_map(k, 4);
	pack_key_uint(k, "revision", x->revision);
	pack_key_time(k, "at", x->at);
	pack_key_bool(k, "deleted", x->deleted);
	pack_key(k, "service");
	if (x->definition != NULL)
		definition_pack(k, x->definition);
	else
		pack_null(k);
}

enum err_code
manage_service_history(void *arg, struct web_request *r, struct err *err)
{
	struct str out = STR_INIT;
	struct registry_list l;
	struct pack k;
	bool done;
	enum err_code code = read_history(arg, r, &l, &done, err);

	if (code != ERR_OK || done)
		return code;
	pack_init(&k, &out, DATA_JSON, PACK_COMPACT);
	pack_array(&k, (uint32_t)l.n);
	for (size_t i = l.n; i > 0; i--)
		pack_item(&k, &l.v[i - 1]);
	MUST(pack_end(&k, NULL) == ERR_OK);
	manage_json_revision(r, 200, &out, l.v[l.n - 1].revision);
	registry_list_release(&l);
	return ERR_OK;
}

/* --- going back ---------------------------------------------------------------------------- */

/* reply_repeated: the request with that Idempotency-Key was done before, as `revision`. */
static enum err_code
reply_repeated(struct manage *m, struct web_request *r, const struct definition *d, uint64_t revision, struct err *err)
{
	struct definition now;
	uint64_t current;
	enum err_code code = registry_get(atomic_load(&m->registry), d->service, &now, &current, err);

	if (code != ERR_OK && code != ERR_SERVICE_UNKNOWN)
		return manage_store(code, err);
	bool fits = code == ERR_OK && (current > revision || definition_same(&now, d));
	if (fits)
		manage_definition_reply(r, 200, &now, current);
	if (code == ERR_OK)
		definition_release(&now);
	return fits ? ERR_OK : err_set(err, ERR_INVALID, "this Idempotency-Key came with another request a moment ago");
}

/* A revert that may go ahead. */
struct way_back {
	const struct registry_item *to, *last;
	uint64_t expect;		/* what must be there */
	const char *id;			/* of its Idempotency-Key; NULL */
	bool dry_run;
};

static enum err_code
write_back(struct manage *m, struct web_request *r, const struct way_back *w, struct err *err)
{
	struct definition d = *w->to->definition;
	const struct registry_item *last = w->last;
	struct manage_version before, after;
	uint64_t revision = last->revision;
	bool repeated = false;

	d.updated_at = clock_wall(clock_system());
	if (d.updated_at.ns < d.created_at.ns)
		d.updated_at = d.created_at;
	enum err_code code = w->dry_run ? ERR_OK : registry_put_once(atomic_load(&m->registry), &d, w->expect, w->id, &repeated, &revision, err);
	if (code == ERR_REVISION || code == ERR_EXISTS) {
		manage_fail(r, ERR_PRECONDITION, 0, d.service, "%s", err->text);
		return ERR_OK;
	}
	if (code != ERR_OK)
		return manage_store(code, err);
	if (repeated)
		return reply_repeated(m, r, &d, revision, err);
	if (!w->dry_run) {
		manage_version_take(&before, last->definition, last->revision);
		manage_version_take(&after, &d, revision);
		manage_audit_definition(m, r, "definition.revert", d.service, &before, &after);
		manage_settle(m, d.service, revision);
	}
	manage_definition_reply(r, 200, &d, revision);
	return ERR_OK;
}

enum err_code
manage_service_revert(void *arg, struct web_request *r, struct err *err)
{
	const struct registry_item *x = NULL;
	struct way_back w = { .id = NULL };
	struct registry_list l;
	uint64_t target;
	bool has_id, done;
	char id[MANAGE_KEY_MAX];
	enum err_code code = manage_up(arg, err);

	if (code != ERR_OK || (code = manage_idempotency(r, id, &has_id, err)) != ERR_OK ||
	    !manage_flag(r, "dry_run", &w.dry_run) || !manage_target(r, &target) ||
	    (code = read_history(arg, r, &l, &done, err)) != ERR_OK || done)
		return code;
	const struct registry_item *last = &l.v[l.n - 1];
	for (size_t i = 0; i < l.n; i++)
		if (l.v[i].revision == target)
			x = &l.v[i];
	w.last = last;
	w.to = x;
	w.id = has_id && !w.dry_run ? id : NULL;
	if (!manage_condition_once(r, last->deleted ? 0 : last->revision, w.id != NULL, web_param(r, "name"), &w.expect)) {
		code = ERR_OK;
	} else if (x == NULL || x->definition == NULL) {
		manage_fail(r, ERR_NOT_FOUND, 0, NULL, "revision %llu is %s; the history tells which there are",
		    (unsigned long long)target, x == NULL ? "not kept" : "a removal");
	} else {
		code = write_back(arg, r, &w, err);
	}
	registry_list_release(&l);
	return code;
}
