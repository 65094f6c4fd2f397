/* news.c - what becomes of instances: registry changes, and what time alone changes.
 *
 * A record that is removed says nothing of why.  Whoever leaves in order says good-bye right afterwards
 * (wire.md §10), so a removal waits a second for that before it counts as somebody else's doing.  A record
 * that expires is told by nobody: who is stale for a while is looked up in the store. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/wall.h"
#include "codec/codec.h"
#include "codec/record.h"
#include "codec/subject.h"
#include "monitor/departed.h"
#include "monitor/monitor_inner.h"
#include "nats/kv.h"
#include "nats/stream.h"
#include "registry/registry.h"

#define BYE_NS NS_PER_S			/* how long a removal waits for a good-bye */
#define BYE_LASTS_NS (5 * NS_PER_S)	/* and how long a good-bye before it counts */
#define LEFT_KEPT_NS (900 * NS_PER_S)	/* how long the history of one that left is kept */
#define LEFT_MAX 4096

/* Records live 30 s and are stale after 35 (wire.md §8.2): at 25 s nobody can be sure any more that one is
 * there, and it is looked for when it has been stale as long again. */
static int64_t
unsure_ns(const struct monitor *m)
{
	return discovery_stale_ns(m->o.discovery) / 7 * 5;
}

/* --- one instance ------------------------------------------------------------------------- */

void
watched_free(struct watched *w)
{
	entry_unref(w->entry);
	past_release(&w->past);
	series_free(w->series);
	changes_free(w->changes);
	mem_free(w->metrics);
	mem_free(w);
}

void
note_restart(struct watched *w, struct wall at)
{
	for (size_t i = 0; i < changes_count(w->changes) && i < 3; i++) {
		const struct change_note *last = changes_at(w->changes, i);
		if (at.ns - last->at.ns < 15 * NS_PER_S && (last->kind == CHANGE_RESTARTED || last->kind == CHANGE_APPEARED))
			return;
	}
	changes_add(&w->changes, at, CHANGE_RESTARTED, NULL, NULL);
}

/* started: when its record says that its process began; false when it does not. */
static bool
started(const struct instance *i, struct wall *at)
{
	struct value v;
	struct text t;

	return codec_parse(codec_mine(), (struct data){ DATA_JSON, i->metadata, strlen(i->metadata) }, &v, NULL) == ERR_OK &&
	    value_text(value_field(&v, "start_time"), &t) && wall_parse(t.p, t.n, at);
}

static bool
same(const char *a, const char *b)
{
	return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

static const char *
role(const struct instance *i)
{
	const char *name = sticky_status_name(i->sticky);

	return name != NULL ? name : "none";
}

/* compare: notes what differs; true when it is more than a heartbeat. */
static bool
compare(struct watched *w, const struct instance *was, const struct instance *is, struct wall now)
{
	char from[24], to[24];
	bool news = !same(was->group, is->group);

	if (was->status != is->status) {
		changes_add(&w->changes, now, CHANGE_STATUS, instance_status_name(was->status), instance_status_name(is->status));
		w->since = now;
		news = true;
	}
	if (was->sticky != is->sticky) {
		changes_add(&w->changes, now, CHANGE_ROLE, role(was), role(is));
		news = true;
	}
	if (was->epoch != is->epoch && is->epoch > 0) {
		snprintf(from, sizeof from, "%llu", (unsigned long long)was->epoch);
		snprintf(to, sizeof to, "%llu", (unsigned long long)is->epoch);
		changes_add(&w->changes, now, CHANGE_EPOCH, was->epoch > 0 ? from : NULL, to);
		news = true;
	}
	if (strcmp(was->version, is->version) != 0) {
		changes_add(&w->changes, now, CHANGE_VERSION, was->version, is->version);
		news = true;
	}
	if (was->nonce != NULL && is->nonce != NULL && strcmp(was->nonce, is->nonce) != 0) {
		note_restart(w, now);
		w->anew = true;
		news = true;
	}
	return news;
}

/* appear: it was not there before.  What is there already when we begin appeared when its process did. */
static void
appear(struct monitor *m, struct watched *w, struct wall now)
{
	struct wall at = now;
	bool known = started(w->entry->instance, &at);

	if (m->synced || known)
		changes_add(&w->changes, m->synced ? now : at, CHANGE_APPEARED, NULL,
		    instance_status_name(w->entry->instance->status));
	w->since = m->synced ? now : known ? at : (struct wall){ 0 };
	w->left_at = (struct wall){ 0 };
	w->gone_revision = 0;
	m->present++;
}

static void
follow_group(struct monitor *m, const struct instance *i)
{
	if (i->group == NULL || map_get(&m->followed, i->service) != NULL || m->followed.n >= 1024)
		return;
	map_set(&m->followed, i->service, m);
	leaders_follow(m->leaders, i->service);
}

static struct watched *
watched_of(struct monitor *m, const struct instance *i)
{
	char *key = monitor_key(i->service, i->id);
	struct watched *w = map_get(&m->watched, key);

	if (w == NULL) {
		w = mem_new(sizeof *w);
		w->figures = FIGURES_NONE;
		map_set(&m->watched, key, w);
	}
	mem_free(key);
	return w;
}

static void
refresh(struct monitor *m, struct watched *w, struct wall now)
{
	bool fresh = instance_is_fresh(w->entry->instance, now, discovery_stale_ns(m->o.discovery));

	w->was_fresh |= fresh;
	w->look_again = mono_after(monitor_mono(m), unsure_ns(m));
	w->fresh = fresh;
}

static void
on_instance(struct monitor *m, const struct table_news *n)
{
	struct wall now = monitor_wall(m);
	struct watched *w = watched_of(m, n->now->instance);
	struct member_entry *before = w->entry;
	bool was_fresh = w->fresh, news = true;

	w->entry = (struct member_entry *)(uintptr_t)n->now;
	atomic_fetch_add(&w->entry->refs, 1);
	w->gone_revision = 0;
	if (before == NULL)
		appear(m, w, now);
	else
		news = compare(w, before->instance, n->now->instance, now);
	refresh(m, w, now);
	if (before != NULL && w->fresh && !was_fresh) {
		changes_add(&w->changes, now, CHANGE_STALE, "stale", "fresh");
		w->since = now;
		news = true;
	}
	follow_group(m, n->now->instance);
	m->groups_dirty |= news && (n->now->instance->group != NULL || (before != NULL && before->instance->group != NULL));
	card_put(m, w, n->revision, news);
	if (before == NULL)
		beats_adopt(m, w);
	entry_unref(before);
}

/* --- departures --------------------------------------------------------------------------- */

static void
depart(struct monitor *m, struct watched *w, const char *cause, uint64_t revision)
{
	const struct instance *i = w->entry->instance;
	struct wall now = monitor_wall(m);

	changes_add(&w->changes, now, CHANGE_DEPARTED, instance_status_name(i->status), cause);
	card_gone(m, i, cause, now, revision);
	if (w->was_fresh)
		departed_write(m->departed, &(struct departure){ i, w->entry->revision, cause, NULL, now });
	m->groups_dirty |= i->group != NULL;
	entry_unref(w->entry);
	w->entry = NULL;
	w->left_at = now;
	w->gone_revision = 0;
	w->said_bye = (struct mono){ 0 };
	w->fresh = w->was_fresh = w->anew = false;
	past_release(&w->past);
	beats_leave(m, w);
	m->present--;
}

void
news_bye(struct monitor *m, struct watched *w)
{
	w->said_bye = monitor_mono(m);
	if (w->entry != NULL && w->gone_revision > 0)
		depart(m, w, "deregistered", w->gone_revision);
}

static void
on_gone(struct monitor *m, const struct table_news *n)
{
	const struct instance *i = n->before->instance;
	struct watched *w = monitor_find(m, i->service, i->id);
	struct mono now = monitor_mono(m);

	/* Another key may have brought a newer record of the same instance. */
	if (w == NULL || w->entry == NULL || w->entry != n->before)
		return;
	if (n->why == TABLE_SILENT)
		depart(m, w, "expired", 0);
	else if (n->why == TABLE_UNTOLD)
		depart(m, w, w->fresh ? "deregistered" : "expired", 0);
	else if (w->said_bye.ns > 0 && mono_since(now, w->said_bye) < BYE_LASTS_NS)
		depart(m, w, "deregistered", n->revision);
	else {
		w->gone_revision = n->revision > 0 ? n->revision : 1;
		w->gone_until = mono_after(now, BYE_NS);
	}
}

/* --- definitions -------------------------------------------------------------------------- */

static void
on_definition(struct monitor *m, const struct table_news *n)
{
	struct str data = STR_INIT;

	if (n->defined == NULL) {
		str_puts(&data, "{\"service_name\":");
		json_text(&data, n->key);
		str_puts(&data, ",\"deleted\":true}");
	} else {
		definition_encode(n->defined->definition, &data);
		data.p[--data.len] = '\0';
		str_printf(&data, ",\"revision\":%llu}", (unsigned long long)n->revision);
	}
	live_put(m->live, &(struct hub_state){
		.topic = HUB_SERVICES, .event = "service", .key = n->key, .service = n->key, .data = { data.p, data.len },
		.revision = n->revision, .gone = n->defined == NULL,
	}, true);
	str_release(&data);
}

/* --- what discovery tells ----------------------------------------------------------------- */

static void
on_news(void *arg, const struct table_news *n)
{
	struct monitor *m = arg;

	MAGIC_CHECK(m, MONITOR_MAGIC);
	if (n->now != NULL)
		on_instance(m, n);
	else if (n->before != NULL)
		on_gone(m, n);
	else
		on_definition(m, n);
	if (n->revision > m->reach)
		m->reach = n->revision;
	/* While everything is told again, removals are known only at its end. */
	if (m->synced)
		live_reached(m->live, m->reach);
	atomic_fetch_add(&m->version, 1);
}

struct inspection {
	struct pool_job job;
	struct monitor *owner;
	struct bucket_state state;
	bool found;
};

static void
inspect_work(struct pool_job *job)
{
	struct inspection *i = CONTAINER_OF(job, struct inspection, job);

	i->found = bucket_inspect(i->owner->o.conn, REGISTRY_BUCKET, &i->state, NULL) == ERR_OK;
}

static void
inspect_done(struct pool_job *job)
{
	struct inspection *i = CONTAINER_OF(job, struct inspection, job);
	struct monitor *m = i->owner;

	if (i->found)
		live_bucket(m->live, (uint64_t)i->state.made.ns, i->state.last_seq);
	m->inspecting = false;
	m->inspect_again |= !i->found;
	mem_free(i);
}

/* inspect: which bucket this is, and how far it was when we began to follow it. */
static void
inspect(struct monitor *m)
{
	struct inspection *i;

	if (m->inspecting)
		return;
	i = mem_new(sizeof *i);
	i->job = (struct pool_job){ .work = inspect_work, .done = inspect_done };
	i->owner = m;
	m->inspect_again = false;
	m->inspecting = pool_run(m->pool, &i->job) == ERR_OK;
	if (!m->inspecting) {
		m->inspect_again = true;
		mem_free(i);
	}
}

static void
on_synced(void *arg, bool synced)
{
	struct monitor *m = arg;

	m->synced = synced;
	if (synced) {
		live_reached(m->live, m->reach);
		m->inspect_again = true;
	}
	live_wake(m->live);
}

void
news_listen(struct monitor *m)
{
	discovery_listen(m->o.discovery, &(struct discovery_listener){ on_news, on_synced, m });
}

/* --- what time changes -------------------------------------------------------------------- */

struct look {
	struct pool_job job;
	struct monitor *owner;
	char *service, *id;
	uint64_t revision;
	bool gone;
};

static void
look_work(struct pool_job *job)
{
	struct look *l = CONTAINER_OF(job, struct look, job);
	struct kv kv = { l->owner->o.conn, REGISTRY_BUCKET };
	struct kv_entry e;
	enum err_code code = kv_get(&kv, key_instance(l->service, l->id).s, &e, NULL);

	if (code == ERR_OK)
		kv_entry_release(&e);
	l->gone = code == ERR_NOT_FOUND;
}

static void
look_done(struct pool_job *job)
{
	struct look *l = CONTAINER_OF(job, struct look, job);
	struct watched *w = monitor_find(l->owner, l->service, l->id);

	if (w != NULL && w->entry != NULL) {
		w->looking = false;
		if (l->gone && w->entry->revision == l->revision && w->gone_revision == 0)
			depart(l->owner, w, "expired", 0);
	}
	mem_free(l->service);
	mem_free(l->id);
	mem_free(l);
}

static void
look(struct monitor *m, struct watched *w, struct mono now)
{
	struct look *l = mem_new(sizeof *l);

	l->job = (struct pool_job){ .work = look_work, .done = look_done };
	l->owner = m;
	l->service = mem_text(w->entry->instance->service);
	l->id = mem_text(w->entry->instance->id);
	l->revision = w->entry->revision;
	w->look_again = mono_after(now, 2 * discovery_stale_ns(m->o.discovery));
	w->looking = pool_run(m->pool, &l->job) == ERR_OK;
	if (!w->looking) {
		/* The pool is busy with others: a little later. */
		w->look_again = mono_after(now, NS_PER_S);
		l->gone = false;
		look_done(&l->job);
	}
}

/* age: what the time since its last heartbeat makes of it; true when its end may go unnoticed. */
static bool
age(struct monitor *m, struct watched *w, struct mono now, struct wall wall)
{
	const struct instance *i = w->entry->instance;

	if (w->gone_revision > 0) {
		if (mono_reached(now, w->gone_until))
			depart(m, w, "purged", w->gone_revision);
		return false;
	}
	if (w->fresh && !instance_is_fresh(i, wall, discovery_stale_ns(m->o.discovery))) {
		w->fresh = false;
		w->since = wall;
		w->look_again = mono_after(now, unsure_ns(m));
		changes_add(&w->changes, wall, CHANGE_STALE, "fresh", "stale");
		m->groups_dirty |= i->group != NULL;
		card_put(m, w, 0, true);
		atomic_fetch_add(&m->version, 1);
	}
	if (!w->fresh && !w->looking && mono_reached(now, w->look_again) && m->synced)
		look(m, w, now);
	return w->entry != NULL && !instance_is_fresh(i, wall, unsure_ns(m));
}

/* forget_left: the history of those that left long ago, or of too many. */
static void
forget_left(struct monitor *m, const char *key, struct watched *w, struct wall wall)
{
	char *copy;

	if (wall.ns - w->left_at.ns < LEFT_KEPT_NS && m->watched.n - m->present <= LEFT_MAX)
		return;
	copy = mem_text(key);
	map_remove(&m->watched, copy);
	watched_free(w);
	mem_free(copy);
}

void
news_tick(struct monitor *m, struct mono now, struct wall wall)
{
	const struct map_slot *slot;
	bool doubtful = false;

	if (m->inspect_again && m->synced)
		inspect(m);
	for (size_t i = 0; (slot = map_next(&m->watched, &i)) != NULL;) {
		struct watched *w = slot->value;
		if (w->entry == NULL) {
			forget_left(m, slot->key, w, wall);
			continue;
		}
		doubtful |= age(m, w, now, wall);
		if (w->entry != NULL && w->beaten)
			card_figures(m, w);
	}
	live_doubt(m->live, doubtful);
}

void
news_close(struct monitor *m)
{
	const struct map_slot *slot;

	for (size_t i = 0; (slot = map_next(&m->watched, &i)) != NULL;)
		watched_free(slot->value);
	map_release(&m->watched);
}
