/* table.c - entries by key, members by service, groups built on demand.
 *
 * A group is immutable once built; a change to one member makes a new group of pointers,
 * not of records, and leaves the other services' groups as they are. */
#include "discovery/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

/* What the table knows under one key. */
struct slot {
	uint64_t seen;			/* the sync in which it was last told */
	struct member_entry *entry;	/* NULL: a definition */
	struct defined *defined;
};

struct service {
	char *name;
	size_t n, cap;
	struct member_entry **v;	/* ordered by id; borrowed from the slots */
	struct turn *turn;
	struct service_group *built;	/* NULL when something changed since */
};

struct table {
	struct map slots;		/* key -> slot */
	struct map services;		/* name -> service; one without members is removed */
	uint64_t sync;
	size_t instances;
	bool changed;
	void (*heard)(void *, const struct table_news *);	/* may be NULL */
	void *arg;
};

/* --- references ------------------------------------------------------------------------- */

static void
peer_unref(struct peer *p)
{
	if (atomic_fetch_sub(&p->refs, 1) == 1)
		mem_free(p);
}

void
entry_unref(struct member_entry *e)
{
	if (e == NULL || atomic_fetch_sub(&e->refs, 1) != 1)
		return;
	instance_free(e->instance);
	peer_unref(e->peer);
	mem_free(e);
}

void
defined_unref(struct defined *d)
{
	if (d == NULL || atomic_fetch_sub(&d->refs, 1) != 1)
		return;
	definition_free(d->definition);
	mem_free(d->name);
	mem_free(d);
}

static void
turn_unref(struct turn *t)
{
	if (atomic_fetch_sub(&t->refs, 1) == 1)
		mem_free(t);
}

void
group_unref(struct service_group *g)
{
	if (g == NULL || atomic_fetch_sub(&g->refs, 1) != 1)
		return;
	for (size_t i = 0; i < g->n; i++)
		entry_unref(g->v[i]);
	turn_unref(g->turn);
	mem_free(g->name);
	mem_free(g);
}

static struct member_entry *
entry_new(struct instance *i, uint64_t revision, struct peer *peer)
{
	struct member_entry *e = mem_new(sizeof *e);

	if (peer == NULL)
		peer = mem_new(sizeof *peer);
	atomic_fetch_add(&peer->refs, 1);
	atomic_init(&e->refs, 1);
	e->instance = i;
	e->peer = peer;
	e->revision = revision;
	return e;
}

/* --- services --------------------------------------------------------------------------- */

static struct service *
service_of(struct table *t, const char *name)
{
	struct service *s = map_get(&t->services, name);

	if (s == NULL) {
		s = mem_new(sizeof *s);
		s->name = mem_text(name);
		s->turn = mem_new(sizeof *s->turn);
		atomic_init(&s->turn->refs, 1);
		map_set(&t->services, name, s);
	}
	return s;
}

static void
service_free(struct service *s)
{
	group_unref(s->built);
	turn_unref(s->turn);
	mem_free(s->v);
	mem_free(s->name);
	mem_free(s);
}

/* place_of: where id stands in the service, or would. */
static size_t
place_of(const struct service *s, const char *id, bool *found)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (strcmp(s->v[mid]->instance->id, id) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*found = lo < s->n && strcmp(s->v[lo]->instance->id, id) == 0;
	return lo;
}

static void
touch(struct table *t, struct service *s)
{
	group_unref(s->built);
	s->built = NULL;
	t->changed = true;
}

static void
service_put(struct table *t, struct member_entry *e)
{
	struct service *s = service_of(t, e->instance->service);
	bool found;
	size_t i = place_of(s, e->instance->id, &found);

	if (!found) {
		mem_grow(&s->v, &s->cap, s->n + 1, sizeof *s->v);
		memmove(s->v + i + 1, s->v + i, (s->n - i) * sizeof *s->v);
		s->n++;
	}
	s->v[i] = e;
	touch(t, s);
}

static void
service_remove(struct table *t, const struct member_entry *e)
{
	struct service *s = service_of(t, e->instance->service);
	bool found;
	size_t i = place_of(s, e->instance->id, &found);

	/* Two keys may name the same instance (a legacy key beside a new one): the place
	 * belongs to whichever was told last. */
	if (found && s->v[i] == e) {
		memmove(s->v + i, s->v + i + 1, (s->n - i - 1) * sizeof *s->v);
		s->n--;
	}
	touch(t, s);
	if (s->n == 0) {
		map_remove(&t->services, s->name);
		service_free(s);
	}
}

/* --- the table -------------------------------------------------------------------------- */

struct table *
table_new(void)
{
	struct table *t = mem_new(sizeof *t);

	map_init(&t->slots);
	map_init(&t->services);
	return t;
}

static void
slot_free(struct slot *s)
{
	entry_unref(s->entry);
	defined_unref(s->defined);
	mem_free(s);
}

void
table_free(struct table *t)
{
	const struct map_slot *m;

	if (t == NULL)
		return;
	for (size_t i = 0; (m = map_next(&t->services, &i)) != NULL;)
		service_free(m->value);
	for (size_t i = 0; (m = map_next(&t->slots, &i)) != NULL;)
		slot_free(m->value);
	map_release(&t->services);
	map_release(&t->slots);
	mem_free(t);
}

void
table_sync_begin(struct table *t)
{
	t->sync++;
}

/* is_old_news: within one sync revisions only grow, and what is told twice or late is
 * ignored; a new sync is believed whatever it says, because a bucket that was made again
 * begins to count anew. */
static bool
is_old_news(const struct table *t, const struct slot *s, uint64_t revision)
{
	uint64_t known = s->entry != NULL ? s->entry->revision : s->defined->revision;

	return s->seen == t->sync ? revision <= known : revision == known;
}

void
table_listen(struct table *t, void (*fn)(void *arg, const struct table_news *n), void *arg)
{
	t->heard = fn;
	t->arg = arg;
}

static void
tell(struct table *t, struct table_news n)
{
	if (t->heard != NULL)
		t->heard(t->arg, &n);
}

void
table_instance(struct table *t, const char *key, struct instance *i, uint64_t revision)
{
	struct slot *s = map_get(&t->slots, key);

	if (s == NULL) {
		s = mem_new(sizeof *s);
		map_set(&t->slots, key, s);
	}
	bool old_news = s->entry != NULL && is_old_news(t, s, revision);
	s->seen = t->sync;
	if (old_news) {
		instance_free(i);
		return;
	}
	struct member_entry *old = s->entry;
	s->entry = entry_new(i, revision, old != NULL ? old->peer : NULL);
	if (old == NULL)
		t->instances++;
	else if (strcmp(old->instance->service, i->service) != 0 || strcmp(old->instance->id, i->id) != 0)
		service_remove(t, old);		/* the key stayed, its content names another */
	service_put(t, s->entry);
	tell(t, (struct table_news){ .key = key, .before = old, .now = s->entry, .revision = revision });
	entry_unref(old);
}

void
table_definition(struct table *t, const char *name, struct definition *d, uint64_t revision)
{
	struct slot *s = map_get(&t->slots, name);

	if (s == NULL) {
		s = mem_new(sizeof *s);
		map_set(&t->slots, name, s);
	}
	bool old_news = s->defined != NULL && is_old_news(t, s, revision);
	s->seen = t->sync;
	if (old_news) {
		definition_free(d);
		return;
	}
	struct defined *old = s->defined;
	s->defined = mem_new(sizeof *s->defined);
	atomic_init(&s->defined->refs, 1);
	s->defined->name = mem_text(name);
	s->defined->definition = d;
	s->defined->revision = revision;
	t->changed = true;
	tell(t, (struct table_news){ .key = name, .undefined = old, .defined = s->defined, .revision = revision });
	defined_unref(old);
}

static void
forget(struct table *t, const char *key, uint64_t revision, enum table_why why)
{
	struct slot *s = map_remove(&t->slots, key);

	if (s->entry != NULL) {
		service_remove(t, s->entry);
		t->instances--;
	}
	t->changed = true;
	tell(t, (struct table_news){ .key = key, .before = s->entry, .undefined = s->defined, .revision = revision,
	    .why = why });
	slot_free(s);
}

void
table_gone(struct table *t, const char *key, uint64_t revision)
{
	struct slot *s = map_get(&t->slots, key);

	if (s != NULL && !is_old_news(t, s, revision))
		forget(t, key, revision, TABLE_TOLD);
}

/* sweep: forgets every slot that `is_over` says is. */
static void
sweep(struct table *t, enum table_why why,
    bool (*is_over)(const struct table *t, const struct slot *s, struct wall oldest), struct wall oldest)
{
	const struct map_slot *m;

	for (size_t i = 0; (m = map_next(&t->slots, &i)) != NULL;) {
		if (is_over(t, m->value, oldest)) {
			char *key = mem_text(m->key);	/* forget frees the map's own */
			forget(t, key, 0, why);
			mem_free(key);
		}
	}
}

static bool
is_untold(const struct table *t, const struct slot *s, struct wall oldest)
{
	(void)oldest;
	return s->seen != t->sync;
}

static bool
is_silent(const struct table *t, const struct slot *s, struct wall oldest)
{
	(void)t;
	return s->entry != NULL && s->entry->instance->last_heartbeat.ns < oldest.ns;
}

void
table_sync_end(struct table *t)
{
	sweep(t, TABLE_UNTOLD, is_untold, (struct wall){ 0 });
}

void
table_forget(struct table *t, struct wall oldest)
{
	sweep(t, TABLE_SILENT, is_silent, oldest);
}

bool
table_changed(const struct table *t)
{
	return t->changed;
}

size_t
table_instances(const struct table *t)
{
	return t->instances;
}

/* demote: whoever of the group is said to lead, though somebody led after it. */
static void
demote(struct service_group *g)
{
	size_t *lead = mem_array(g->n, sizeof *lead), n = 0;

	for (size_t i = 0; i < g->n; i++)
		if (instance_leads(g->v[i]->instance))
			lead[n++] = i;
	for (size_t a = 0; a < n; a++) {
		struct member_entry *e = g->v[lead[a]];
		size_t b = 0;
		while (b < n && !instance_is_overtaken(e->instance, g->v[lead[b]]->instance))
			b++;
		if (b == n)
			continue;
		struct instance *i = instance_clone(e->instance);
		instance_demote(i);
		g->v[lead[a]] = entry_new(i, e->revision, e->peer);
		entry_unref(e);
	}
	mem_free(lead);
}

static struct service_group *
build(const struct service *s)
{
	struct service_group *g = mem_new(sizeof *g + s->n * sizeof g->v[0]);

	atomic_init(&g->refs, 1);
	g->name = mem_text(s->name);
	g->turn = s->turn;
	atomic_fetch_add(&s->turn->refs, 1);
	g->n = s->n;
	for (size_t i = 0; i < s->n; i++) {
		atomic_fetch_add(&s->v[i]->refs, 1);
		g->v[i] = s->v[i];
	}
	demote(g);
	return g;
}

static int
by_group_name(const void *a, const void *b)
{
	return strcmp((*(struct service_group *const *)a)->name, (*(struct service_group *const *)b)->name);
}

size_t
table_groups(struct table *t, struct service_group ***out)
{
	struct service_group **v = mem_array(t->services.n, sizeof *v);
	const struct map_slot *m;
	size_t n = 0;

	for (size_t i = 0; (m = map_next(&t->services, &i)) != NULL;) {
		struct service *s = m->value;
		if (s->built == NULL)
			s->built = build(s);
		atomic_fetch_add(&s->built->refs, 1);
		v[n++] = s->built;
	}
	if (n > 1)
		qsort(v, n, sizeof *v, by_group_name);
	t->changed = false;
	*out = v;
	return n;
}

static int
by_defined_name(const void *a, const void *b)
{
	return strcmp((*(struct defined *const *)a)->name, (*(struct defined *const *)b)->name);
}

size_t
table_defined(const struct table *t, struct defined **out[])
{
	const struct map_slot *m;
	struct defined **v = NULL;
	size_t n = 0, cap = 0;

	for (size_t i = 0; (m = map_next(&t->slots, &i)) != NULL;) {
		const struct slot *s = m->value;
		if (s->defined == NULL)
			continue;
		mem_grow(&v, &cap, n + 1, sizeof *v);
		atomic_fetch_add(&s->defined->refs, 1);
		v[n++] = s->defined;
	}
	if (n > 1)
		qsort(v, n, sizeof *v, by_defined_name);
	*out = v;
	return n;
}
