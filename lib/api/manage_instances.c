/* manage_instances.c - instances over HTTP, from the snapshot (wire.md §11).
 *
 * Only those that were heard of within the threshold: to all of these routes a stale one is not there. */
#include <string.h>

#include "api/manage_inner.h"
#include "api/manage_kept.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/wall.h"
#include "codec/record.h"
#include "discovery/discovery.h"
#include "sys/clock.h"

static const char *const fields[] = {
	"serviceName", "instanceId", "version", "status", "lastHeartbeat", "stickyActiveGroup", NULL
};

static const struct instance *
instance_of(const void *item)
{
	return ((const struct member_entry *)item)->instance;
}

static const char *
field_of(const void *item, size_t i, char buf[MANAGE_FIELD_MAX])
{
	const struct instance *x = instance_of(item);
	const char *const texts[] = {
		x->service, x->id, x->version, instance_status_name(x->status), buf, x->group != NULL ? x->group : "",
	};

	wall_utc(x->last_heartbeat, buf);
	return texts[i];
}

static const char *
key_of(const void *item, char buf[MANAGE_FIELD_MAX])
{
	return manage_list_key(instance_of(item)->service, instance_of(item)->id, buf);
}

static void
pack_one(struct pack *k, const void *item)
{
	instance_pack(k, instance_of(item));
}

static uint64_t
mark_of(const void *item)
{
	return ((const struct member_entry *)item)->revision;
}

/* --- choosing ----------------------------------------------------------------------------- */

/* take: those of a group that are fresh, and of that status unless it is negative, to the end of v. */
static size_t
take(const struct service_group *g, struct wall now, int64_t stale_ns, int status, const void **v, size_t n)
{
	for (size_t i = 0; g != NULL && i < g->n; i++)
		if (instance_is_fresh(g->v[i]->instance, now, stale_ns) && (status < 0 || (int)g->v[i]->instance->status == status))
			v[n++] = g->v[i];
	return n;
}

struct chosen {
	const struct directory *directory;
	const void **v;			/* struct member_entry */
	size_t n;
};

/* choose: of one service, or (NULL) of all that the credential may see. */
static enum err_code
choose(struct manage *m, struct web_request *r, const char *service, int status, struct chosen *out, struct err *err)
{
	int64_t stale_ns = discovery_stale_ns(m->discovery);
	struct wall now = clock_wall(clock_system());
	enum err_code code = manage_up(m, err);

	if (code != ERR_OK)
		return code;
	const struct directory *d = discovery_take(m->discovery);
	if (service == NULL)
		service = manage_bound(r);
	*out = (struct chosen){ d, mem_array((d != NULL ? d->instances : 0) + 1, sizeof *out->v), 0 };
	if (service != NULL)
		out->n = take(directory_find(d, service), now, stale_ns, status, out->v, 0);
	for (size_t i = 0; service == NULL && d != NULL && i < d->n; i++)
		out->n = take(d->v[i], now, stale_ns, status, out->v, out->n);
	return ERR_OK;
}

static void
release(struct chosen *c)
{
	mem_free(c->v);
	discovery_drop(c->directory);
}

/* --- answering ---------------------------------------------------------------------------- */

static const struct manage_list list = { fields, field_of, key_of, pack_one, mark_of, 0 };

static enum err_code
reply_list(struct manage *m, struct web_request *r, const char *service, int status, struct err *err)
{
	struct chosen c;
	enum err_code code = choose(m, r, service, status, &c, err);

	if (code != ERR_OK)
		return code;
	manage_list_reply(r, &list, c.v, c.n);
	release(&c);
	return ERR_OK;
}

/* fresh_until: when the first of them is fresh no more. */
static struct wall
fresh_until(const struct chosen *c, int64_t stale_ns)
{
	struct wall first = { INT64_MAX };

	for (size_t i = 0; i < c->n; i++) {
		int64_t beat = instance_of(c->v[i])->last_heartbeat.ns;
		if (beat < first.ns - stale_ns)
			first.ns = beat + stale_ns;
	}
	return first;
}

enum err_code
manage_instances(void *arg, struct web_request *r, struct err *err)
{
	struct manage *m = arg;
	struct chosen c;
	enum err_code code = manage_up(m, err);

	if (code != ERR_OK)
		return code;
	const struct directory *d = discovery_take(m->discovery);
	struct manage_keep keep = { m->kept, KEPT_INSTANCES, d != NULL ? d->version : 0, clock_wall(clock_system()), { 0 } };
	bool done = manage_kept_reply(r, &keep);
	discovery_drop(d);
	if (done)
		return ERR_OK;
	if ((code = choose(m, r, NULL, -1, &c, err)) != ERR_OK)
		return code;
	keep.version = c.directory != NULL ? c.directory->version : 0;
	keep.until = fresh_until(&c, discovery_stale_ns(m->discovery));
	manage_list_keep(r, &list, c.v, c.n, &keep);
	release(&c);
	return ERR_OK;
}

enum err_code
manage_instances_of(void *arg, struct web_request *r, struct err *err)
{
	return reply_list(arg, r, web_param(r, "service"), -1, err);
}

enum err_code
manage_instances_with(void *arg, struct web_request *r, struct err *err)
{
	enum instance_status status;

	if (instance_status_parse(text_of(web_param(r, "status")), &status))
		return reply_list(arg, r, NULL, (int)status, err);
	manage_fail(r, ERR_OK, 400, NULL, "'%.60s' is no status; write ACTIVE, UNHEALTHY or STANDBY", web_param(r, "status"));
	return ERR_OK;
}

enum err_code
manage_instance(void *arg, struct web_request *r, struct err *err)
{
	const char *service = web_param(r, "service"), *id = web_param(r, "instance");
	const struct member_entry *found = NULL;
	struct str out = STR_INIT;
	struct chosen c;
	struct pack k;
	enum err_code code = choose(arg, r, service, -1, &c, err);

	if (code != ERR_OK)
		return code;
	for (size_t i = 0; i < c.n && found == NULL; i++)
		if (strcmp(instance_of(c.v[i])->id, id) == 0)
			found = c.v[i];
	if (found != NULL) {
		pack_init(&k, &out, DATA_JSON, PACK_COMPACT);
		pack_one(&k, found);
		MUST(pack_end(&k, NULL) == ERR_OK);
		manage_json_revision(r, 200, &out, found->revision);
	} else {
		manage_fail(r, ERR_INSTANCE_UNKNOWN, 0, NULL, "service '%.128s' has no live instance '%.128s'", service, id);
	}
	release(&c);
	return ERR_OK;
}

enum err_code
manage_summary(void *arg, struct web_request *r, struct err *err)
{
	static const struct { const char *name; enum instance_status status; } rows[] = {
		{ "active", INSTANCE_ACTIVE }, { "unhealthy", INSTANCE_UNHEALTHY }, { "standby", INSTANCE_STANDBY },
	};
	struct str out = STR_INIT;
	struct chosen c;
	struct pack k;
	enum err_code code = choose(arg, r, NULL, -1, &c, err);

	if (code != ERR_OK)
		return code;
	pack_init(&k, &out, DATA_JSON, PACK_COMPACT);
	pack_map(&k, 1 + COUNT_OF(rows));
	pack_key_uint(&k, "total", c.n);
	for (size_t row = 0; row < COUNT_OF(rows); row++) {
		uint64_t n = 0;
		for (size_t i = 0; i < c.n; i++)
			n += instance_of(c.v[i])->status == rows[row].status;
		pack_key_uint(&k, rows[row].name, n);
	}
	MUST(pack_end(&k, NULL) == ERR_OK);
	manage_json(r, 200, &out, NULL);
	release(&c);
	return ERR_OK;
}
