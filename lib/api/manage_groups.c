/* manage_groups.c - groups and leaders over HTTP: from the picture that is kept current, joined with the members that
 * the registry has; stepping down.
 *
 * Who leads is what the registers say.  Records of instances tell who else belongs to a group. */
#include <stdio.h>
#include <string.h>

#include "api/manage_inner.h"
#include "audit/audit.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "discovery/discovery.h"
#include "election/election_check.h"
#include "election/elector.h"
#include "election/groups.h"
#include "model/names.h"
#include "monitor/group.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define STEP_DOWN_NS (2 * NS_PER_S)	/* for the leader's answer, and then for somebody else to lead */
#define LOOK_NS (20 * NS_PER_MS)

/* A group, and who may be in it. */
struct item {
	const struct observed *s;
	const struct service_group *members;	/* of the service; NULL: none */
	struct wall now;
	int64_t stale_ns;
};

/* --- one group as JSON ------------------------------------------------------------------------ */

/* What is wrong with a group although somebody may lead. */
struct warnings {
	char text[LEASE_REGISTERS][320];
	const char *all[LEASE_REGISTERS + 2];
	uint32_t n;
};

static void
warn(struct warnings *w, const struct observed *s)
{
	w->n = 0;
	if (s->site.lonely)
		w->all[w->n++] = "one register (N=1) in a cluster of three nodes: nobody leads while its node is away";
	if (s->site.n == 1 && s->site.replicated)
		w->all[w->n++] = "the only register is replicated: nobody leads for 4 to 9 s when the node that leads its stream dies";
	for (unsigned r = 0; r < s->site.n; r++)
		if (s->reg[r].why[0] != '\0') {
			snprintf(w->text[r], sizeof w->text[r], "register %u: %s", s->reg[r].number, s->reg[r].why);
			w->all[w->n++] = utf8_clean(w->text[r]);
		}
}

static uint32_t
lease_ms(const struct observed *s)
{
	uint32_t longest = 0;

	for (unsigned r = 0; r < s->site.n; r++)
		if (observed_register_holds(&s->reg[r]) && s->reg[r].record.value.l_ms > longest)
			longest = s->reg[r].record.value.l_ms;
	return longest;
}

static bool
belongs(const struct instance *i, const struct observed *s)
{
	return i->group != NULL && strcmp(i->group, s->group) == 0;
}

/* members_of: those of the service that belong to the group; freed by the caller. */
static struct group_member *
members_of(const struct item *it, size_t *n)
{
	const struct service_group *all = it->members;
	struct group_member *v = mem_array(all != NULL ? all->n + 1 : 1, sizeof *v);

	*n = 0;
	for (size_t i = 0; all != NULL && i < all->n; i++) {
		const struct instance *x = all->v[i]->instance;
		if (belongs(x, it->s))
			v[(*n)++] = (struct group_member){ x, !instance_is_fresh(x, it->now, it->stale_ns) };
	}
	return v;
}

static void
pack_item(struct pack *k, const struct item *it, bool whole)
{
	const struct observed *s = it->s;
	struct warnings w;
	size_t n;
	struct group_member *members = members_of(it, &n);

	warn(&w, s);
	group_pack(k, &(struct group){
		.service = s->service, .name = s->group,
		.leader = s->led ? s->instance : NULL, .epoch = s->epoch, .since = s->since,
		.obstacle = s->led ? NULL : s->certain ? obstacle_sentence(s->obstacle) : "it is not known yet who leads",
		.warnings = w.all, .nwarnings = w.n,
		.profile = s->known ? s->record.profile : NULL, .lease_ms = lease_ms(s),
		.members = members, .nmembers = n,
	}, whole ? 2 : 0);
	mem_free(members);
	if (!whole)
		return;
	observed_pack_registers(k, s);
	observed_pack_changes(k, s);
}

/* --- lists -------------------------------------------------------------------------------------- */

static const char *const fields[] = { "service", "group", "leader", "profile", NULL };

static const char *
field_of(const void *item, size_t i, char buf[MANAGE_FIELD_MAX])
{
	const struct observed *s = ((const struct item *)item)->s;
	const char *const texts[] = { s->service, s->group, s->led ? s->instance : "", s->known ? s->record.profile : "" };

	(void)buf;
	return texts[i];
}

static const char *
key_of(const void *item, char buf[MANAGE_FIELD_MAX])
{
	const struct observed *s = ((const struct item *)item)->s;

	return manage_list_key(s->service, s->group, buf);
}

static void
pack_one(struct pack *k, const void *item)
{
	pack_item(k, item, false);
}

/* mark_of: FNV-1a of what pack_one says; groups are few. */
static uint64_t
mark_of(const void *item)
{
	struct str text = STR_INIT;
	struct pack k;
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	pack_init(&k, &text, DATA_JSON, PACK_COMPACT);
	pack_one(&k, item);
	MUST(pack_end(&k, NULL) == ERR_OK);
	for (size_t i = 0; i < text.len; i++)
		h = (h ^ (unsigned char)text.p[i]) * UINT64_C(0x100000001b3);
	str_release(&text);
	return h;
}

static struct item
item_of(struct manage *m, const struct directory *d, const struct observed *s)
{
	return (struct item){ s, directory_find(d, s->service), clock_wall(clock_system()), discovery_stale_ns(m->discovery) };
}

enum err_code
manage_groups(void *arg, struct web_request *r, struct err *err)
{
	static const struct manage_list list = { fields, field_of, key_of, pack_one, mark_of, 0 };
	struct manage *m = arg;
	const char *bound = manage_bound(r);
	enum err_code code = manage_up(m, err);
	size_t n = 0;

	if (code != ERR_OK)
		return code;
	const struct groups_list *l = groups_take(m->groups);
	const struct directory *d = discovery_take(m->discovery);
	struct item *items = mem_array(l->n + 1, sizeof *items);
	for (size_t i = 0; i < l->n; i++)
		if (bound == NULL || strcmp(bound, l->v[i].service) == 0)
			items[n++] = item_of(m, d, &l->v[i]);
	manage_list_array(r, &list, items, n, sizeof *items);
	mem_free(items);
	discovery_drop(d);
	groups_drop(l);
	return ERR_OK;
}

void
manage_groups_tell(struct manage *m, monitor_group *each, void *to)
{
	const struct groups_list *l = groups_take(m->groups);
	const struct directory *d = discovery_take(m->discovery);
	struct str text = STR_INIT;
	struct pack k;

	for (size_t i = 0; i < l->n; i++) {
		struct item it = item_of(m, d, &l->v[i]);
		str_clear(&text);
		pack_init(&k, &text, DATA_JSON, PACK_COMPACT);
		pack_item(&k, &it, false);
		MUST(pack_end(&k, NULL) == ERR_OK);
		each(to, l->v[i].service, l->v[i].group, &text);
	}
	str_release(&text);
	discovery_drop(d);
	groups_drop(l);
}

/* --- one ---------------------------------------------------------------------------------------- */

static void
reply_group(struct manage *m, struct web_request *r)
{
	const char *service = web_param(r, "service"), *group = web_param(r, "group");
	const struct groups_list *l = groups_take(m->groups);
	const struct observed *s = groups_list_find(l, service, group);
	struct str out = STR_INIT;
	struct pack k;

	if (s != NULL) {
		const struct directory *d = discovery_take(m->discovery);
		struct item it = item_of(m, d, s);
		pack_init(&k, &out, DATA_JSON, PACK_COMPACT);
		pack_item(&k, &it, true);
		MUST(pack_end(&k, NULL) == ERR_OK);
		discovery_drop(d);
		manage_json(r, 200, &out, NULL);
	} else {
		manage_fail(r, ERR_NOT_FOUND, 0, NULL, "service '%.128s' has no group '%.128s': nobody ever took part in it", service, group);
	}
	groups_drop(l);
}

enum err_code
manage_group(void *arg, struct web_request *r, struct err *err)
{
	enum err_code code = manage_up(arg, err);

	if (code == ERR_OK)
		reply_group(arg, r);
	return code;
}

/* --- stepping down ------------------------------------------------------------------------------ */

/* read_wish: who shall lead then, "" for anybody; false: answered. */
static bool
read_wish(struct web_request *r, char to[129])
{
	static const char *const known[] = { "to", NULL };
	struct manage_faults f = { 0 };
	struct value body;
	struct text t = { "", 0 };

	if (!manage_body(r, &body))
		return false;
	manage_members(&body, known, &f);
	const struct value *v = value_field(&body, "to");
	if (v != NULL && v->type != VALUE_NULL && !value_text(v, &t))
		manage_fault(&f, "body.to", "string_type", "must be the id of an instance, or null");
	else if (t.n > 0 && !name_ok(NAME_INSTANCE_CALLED, t.p, t.n))
		manage_fault(&f, "body.to", "string_pattern_mismatch", "is no id of an instance");
	snprintf(to, 129, "%.*s", (int)t.n, t.p);
	return !manage_refused(r, &f);
}

/* epoch_of: of whoever leads now, 0 for nobody. */
static uint64_t
epoch_of(struct manage *m, const char *service, const char *group, bool *there)
{
	const struct groups_list *l = groups_take(m->groups);
	const struct observed *s = groups_list_find(l, service, group);
	uint64_t epoch = s != NULL && s->led ? s->epoch : 0;

	*there = s != NULL;
	groups_drop(l);
	return epoch;
}

/* alone: as far as records tell, nobody else is there to lead, so that the group would be without a leader.  Candidates of
 * `aegis elect` have no records: of their groups nobody knows. */
static bool
alone(struct manage *m, const char *service, const char *group)
{
	const struct groups_list *l = groups_take(m->groups);
	const struct directory *d = discovery_take(m->discovery);
	const struct observed *s = groups_list_find(l, service, group);
	bool alone = s != NULL && s->led && strcmp(service, ELECT_SERVICE) != 0;

	if (alone) {
		struct item it = item_of(m, d, s);
		for (size_t i = 0; it.members != NULL && i < it.members->n; i++) {
			const struct instance *x = it.members->v[i]->instance;
			if (belongs(x, s) && strcmp(x->id, s->instance) != 0 && x->status != INSTANCE_UNHEALTHY &&
			    instance_is_fresh(x, it.now, it.stale_ns))
				alone = false;
		}
	}
	discovery_drop(d);
	groups_drop(l);
	return alone;
}

/* await: until somebody else leads, so that the answer shows it; whoever leads may take its time. */
static void
await(struct manage *m, const char *service, const char *group, uint64_t before)
{
	struct mono end = mono_after(clock_mono(clock_system()), STEP_DOWN_NS);
	bool there = true;

	for (;;) {
		uint64_t now = epoch_of(m, service, group, &there);
		if (!there || (now != 0 && now != before) || mono_reached(clock_mono(clock_system()), end))
			return;
		groups_hurry(m->groups, service, group);
		thread_pause(LOOK_NS);
	}
}

enum err_code
manage_step_down(void *arg, struct web_request *r, struct err *err)
{
	const char *service = web_param(r, "service"), *group = web_param(r, "group");
	struct manage *m = arg;
	char to[129];
	bool there;
	enum err_code code = manage_up(m, err);

	if (code != ERR_OK || !read_wish(r, to))
		return code;
	uint64_t before = epoch_of(m, service, group, &there);
	if (!there) {
		reply_group(m, r);		/* says that there is no such group */
		return ERR_OK;
	}
	if (to[0] == '\0' && alone(m, service, group)) {
		manage_fail(r, ERR_NOT_ACTIVE, 409, NULL,
		    "nobody else is there to lead group '%.128s' of '%.128s'; it would be without a leader", group, service);
		return ERR_OK;
	}
	code = observe_step_down(m->conn, service, group, to[0] != '\0' ? to : NULL, STEP_DOWN_NS, err);
	if (code == ERR_NOT_ACTIVE) {
		manage_fail(r, code, 409, NULL, "%s", err->text);
		return ERR_OK;
	}
	if (code != ERR_OK)
		return code;
	char *target = mem_printf("%s/%s", service, group);
	manage_audit(m, r, &(struct audit_entry){ .action = "group.step-down", .target = target, .service = service });
	mem_free(target);
	await(m, service, group, before);
	reply_group(m, r);
	return ERR_OK;
}
