/* cards_groups.c - who leads each group, by records and beats, and its card.
 *
 * Groups are made anew from their members whenever one of them changed its part, and put only where the
 * text differs: there are few, and a difference is easier to trust than a list of causes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/wall.h"
#include "codec/codec.h"
#include "monitor/group.h"
#include "monitor/monitor_inner.h"

struct part {
	struct watched *w;
	const struct instance *i;
};

static int
by_group(const void *a, const void *b)
{
	const struct instance *x = ((const struct part *)a)->i, *y = ((const struct part *)b)->i;
	int order = strcmp(x->service, y->service);

	if (order == 0)
		order = strcmp(x->group, y->group);
	return order != 0 ? order : strcmp(x->id, y->id);
}

/* members: all that belong to a group, group by group. */
static struct part *
members(struct monitor *m, size_t *n)
{
	struct part *v = NULL;
	const struct map_slot *slot;
	size_t cap = 0;

	*n = 0;
	for (size_t i = 0; (slot = map_next(&m->watched, &i)) != NULL;) {
		struct watched *w = slot->value;
		if (w->entry == NULL || w->entry->instance->group == NULL)
			continue;
		mem_grow(&v, &cap, *n + 1, sizeof *v);
		v[(*n)++] = (struct part){ w, w->entry->instance };
	}
	if (*n > 1)
		qsort(v, *n, sizeof *v, by_group);
	return v;
}

/* since_of: when this lead began: as the leader's record says, else when it was first seen. */
static struct wall
since_of(const struct instance *i, uint64_t epoch, struct wall now)
{
	struct value v;
	struct text t;
	struct wall at;

	if (i->epoch == epoch && codec_parse(codec_mine(), (struct data){ DATA_JSON, i->metadata, strlen(i->metadata) }, &v, NULL) ==
	    ERR_OK && value_text(value_field(&v, "since"), &t) && wall_parse(t.p, t.n, &at))
		return at;
	return now;
}

static struct led *
led_of(struct monitor *m, const char *key, const struct leader *l, const struct instance *leader)
{
	struct led *e = map_get(&m->led, key);

	if (e == NULL) {
		e = mem_new(sizeof *e);
		map_set(&m->led, key, e);
	}
	e->seen = true;
	e->told = false;
	if (leader == NULL) {
		e->instance[0] = '\0';
		e->epoch = 0;
	} else if (e->epoch != l->epoch || strcmp(e->instance, leader->id) != 0) {
		snprintf(e->instance, sizeof e->instance, "%s", leader->id);
		e->epoch = l->epoch;
		e->since = since_of(leader, l->epoch, monitor_wall(m));
	}
	return e;
}

static void
group_write(struct str *out, const struct part *v, size_t n, const struct led *led)
{
	struct group_member *members = mem_array(n, sizeof *members);
	struct pack k;

	for (size_t i = 0; i < n; i++)
		members[i] = (struct group_member){ v[i].i, !v[i].w->fresh };
	pack_init(&k, out, DATA_JSON, PACK_COMPACT);
	group_pack(&k, &(struct group){
		.service = v[0].i->service, .name = v[0].i->group,
		.leader = led->instance[0] != '\0' ? led->instance : NULL, .epoch = led->epoch, .since = led->since,
		.members = members, .nmembers = n,
	}, 0);
	MUST(pack_end(&k, NULL) == ERR_OK);
	mem_free(members);
}

/* put_changed: only when it says something else than before. */
static bool
put_changed(struct monitor *m, enum hub_topic topic, const char *event, const char *key, const char *service, const struct str *data)
{
	struct hub_item *old = live_data(m->live, topic, key);
	bool differs = old == NULL || strcmp(old->data, str_text(data)) != 0;

	hub_item_unref(old);
	if (differs)
		live_put(m->live, &(struct hub_state){
			.topic = topic, .event = event, .key = key, .service = service, .data = { str_text(data), data->len }, .own = true,
		}, true);
	return differs;
}

/* lead_of: who leads, by records and beats; the cards of all members are told anew when that changed. */
static struct led *
lead_of(struct monitor *m, const char *key, const struct part *v, size_t n)
{
	const struct led *known = map_get(&m->led, key);
	uint64_t epoch = known != NULL ? known->epoch : 0;
	const struct instance *leader = NULL;
	struct leader l;

	leaders_get(m->leaders, v[0].i->service, v[0].i->group, &l);
	for (size_t i = 0; i < n; i++)
		if (v[i].w->fresh && l.instance[0] != '\0' && strcmp(l.instance, v[i].i->id) == 0)
			leader = v[i].i;
	struct led *e = led_of(m, key, &l, leader);
	e->members = n;
	for (size_t i = 0; e->epoch != epoch && i < n; i++)
		card_put(m, v[i].w, 0, true);
	return e;
}

static void
group_put(struct monitor *m, const struct part *v, size_t n)
{
	char *key = card_key(v[0].i->service, v[0].i->group);
	struct led *e = map_get(&m->led, key);
	struct str data = STR_INIT;

	if (e != NULL && !e->told) {
		group_write(&data, v, n, e);
		put_changed(m, HUB_GROUPS, "group", key, v[0].i->service, &data);
		str_release(&data);
	}
	mem_free(key);
}

/* on_told: a group that somebody knows more of, with members or without. */
static void
on_told(void *to, const char *service, const char *group, const struct str *json)
{
	struct monitor *m = to;
	char *key = card_key(service, group);
	struct led *e = map_get(&m->led, key);

	if (e == NULL) {
		e = mem_new(sizeof *e);
		map_set(&m->led, key, e);
	}
	if (!e->seen) {		/* no member of it is in the registry */
		e->members = 0;
		e->instance[0] = '\0';
	}
	e->seen = e->told = true;
	put_changed(m, HUB_GROUPS, "group", key, service, json);
	mem_free(key);
}

/* group_gone: nobody belongs to it any more. */
static void
group_gone(struct monitor *m, const char *key)
{
	const char *slash = strchr(key, '/');
	char *service = mem_text_n(key, (size_t)(slash - key));
	struct str data = STR_INIT;

	str_puts(&data, "{\"service\":");
	json_text(&data, service);
	str_puts(&data, ",\"group\":");
	json_text(&data, slash + 1);
	str_puts(&data, ",\"deleted\":true}");
	live_put(m->live, &(struct hub_state){
		.topic = HUB_GROUPS, .event = "group", .key = key, .service = service, .data = { data.p, data.len },
		.own = true, .gone = true,
	}, true);
	str_release(&data);
	mem_free(service);
}

static void
sweep_groups(struct monitor *m)
{
	const struct map_slot *slot;

	for (size_t i = 0; (slot = map_next(&m->led, &i)) != NULL;) {
		struct led *e = slot->value;
		if (e->seen) {
			e->seen = false;
			continue;
		}
		char *key = mem_text(slot->key);
		group_gone(m, key);
		map_remove(&m->led, key);
		mem_free(e);
		mem_free(key);
	}
}

/* end_of: where the group that begins at i ends. */
static size_t
end_of(const struct part *v, size_t n, size_t i)
{
	size_t end = i + 1;

	while (end < n && strcmp(v[i].i->service, v[end].i->service) == 0 && strcmp(v[i].i->group, v[end].i->group) == 0)
		end++;
	return end;
}

void
cards_groups(struct monitor *m)
{
	const struct directory *dir = discovery_take(m->o.discovery);
	size_t n;
	struct part *v = members(m, &n);

	m->groups_dirty = false;
	for (size_t i = 0, end; i < n; i = end) {
		end = end_of(v, n, i);
		leaders_read(m->leaders, directory_find(dir, v[i].i->service), dir != NULL ? dir->version : 0);
		char *key = card_key(v[i].i->service, v[i].i->group);
		lead_of(m, key, v + i, end - i);
		mem_free(key);
	}
	if (m->o.groups != NULL)
		m->o.groups(m->o.arg, on_told, m);
	for (size_t i = 0, end; i < n; i = end) {
		end = end_of(v, n, i);
		group_put(m, v + i, end - i);
	}
	sweep_groups(m);
	mem_free(v);
	discovery_drop(dir);
}
