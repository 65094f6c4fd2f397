/* groups.c - a table of groups, fed by AEGIS_META, and one thread that goes round.
 *
 * The watch's thread adds groups and writes what AEGIS_META says of them; the thread that goes round alone removes
 * them and judges them, so it may use an entry without the lock while nobody else can free it. */
#include "election/groups.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "codec/lease.h"
#include "election/observe_inner.h"
#include "nats/conn.h"
#include "nats/kv.h"
#include "nats/watch.h"
#include "sys/clock.h"
#include "sys/pool.h"
#include "sys/thread.h"

#define EVERY_NS (500 * NS_PER_MS)	/* between two looks at a group, where there are few */
#define PACE_NS (NS_PER_S / GROUPS_LOOKS)
#define SITE_NS (5 * NS_PER_S)		/* between two looks at the streams (election.md §3.4, 5) */
#define TELL_NS (200 * NS_PER_MS)	/* between two pictures that differ in ages alone */
#define ROUND_NS (20 * NS_PER_MS)

struct entry {
	char service[65], group[129];
	struct observer *observer;
	bool known;
	struct lease_group_record record;
	struct lease_changes changes;
	bool named, gone;		/* by the listing under way; AEGIS_META has it no more */
	bool stored;			/* a register has a value of it, whatever AEGIS_META knows */
	struct mono due;
	struct observed seen;		/* the last look; the roundsman's */
};

struct roster {
	struct conn *conn;
	struct entry **v;
	size_t n, cap, beyond;
	bool held;			/* there is a set */
	struct lease_set set;
};

static struct mono
now(void)
{
	return clock_mono(clock_system());
}

/* --- the table ------------------------------------------------------------------------------ */

static struct entry *
find(struct roster *r, const char *service, const char *group)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->v[i]->service, service) == 0 && strcmp(r->v[i]->group, group) == 0)
			return r->v[i];
	return NULL;
}

static struct entry *
entry_of(struct roster *r, const char *gid)
{
	char service[65], group[129];
	const char *two = strstr(gid, "__");

	if (two == NULL || two - gid >= (ptrdiff_t)sizeof service || strlen(two + 2) >= sizeof group)
		return NULL;
	snprintf(service, sizeof service, "%.*s", (int)(two - gid), gid);
	snprintf(group, sizeof group, "%s", two + 2);
	struct entry *e = find(r, service, group);
	if (e != NULL)
		return e;
	struct observer *o = r->n < GROUPS_MAX ? observer_new(r->conn, service, group, NULL) : NULL;
	if (o == NULL) {
		r->beyond += r->n >= GROUPS_MAX;
		return NULL;
	}
	e = mem_new(sizeof *e);
	memcpy(e->service, service, sizeof service);
	memcpy(e->group, group, sizeof group);
	e->observer = o;
	mem_grow(&r->v, &r->cap, r->n + 1, sizeof(struct entry *));
	r->v[r->n++] = e;
	return e;
}

static void
entry_free(struct entry *e)
{
	observer_free(e->observer);
	mem_free(e);
}

/* roster_note: one key of AEGIS_META; true when it tells of a change of lead. */
static bool
roster_note(struct roster *r, const struct kv_entry *kv)
{
	bool record = strncmp(kv->key, "group__", 7) == 0, changes = strncmp(kv->key, "changes__", 9) == 0;

	if (strcmp(kv->key, "set") == 0) {
		r->held = !kv->gone && lease_set_decode(kv->value, kv->n, &r->set, NULL) == ERR_OK && r->set.ready;
		return true;
	}
	if (kv->gone || (!record && !changes))
		return false;
	struct entry *e = entry_of(r, kv->key + (record ? 7 : 9));
	if (e == NULL)
		return false;
	e->named = true;
	e->gone = false;
	if (record)
		e->known = lease_group_decode(kv->value, kv->n, &e->record, NULL) == ERR_OK;
	else if (lease_changes_decode(kv->value, kv->n, &e->changes, NULL) == ERR_OK)
		e->due = (struct mono){ 0 };
	return changes;
}

/* roster_stored: a register names it. */
static void
roster_stored(struct roster *r, const char *gid)
{
	struct entry *e = entry_of(r, gid);

	if (e != NULL)
		e->stored = true;
}

/* ask_registers: what one of them has; AEGIS_META may have been lost. */
static void
ask_registers(struct conn *c, const struct observed_site *site, void (*each)(void *arg, const char *gid), void *arg)
{
	for (unsigned r = 0; r < site->set.n; r++)
		if (site->reg[r].code == ERR_OK && streams_groups(c, site->reg[r].number, each, arg, NULL) == ERR_OK)
			return;
}

static void
roster_release(struct roster *r)
{
	for (size_t i = 0; i < r->n; i++)
		entry_free(r->v[i]);
	mem_free(r->v);
}

/* --- pictures ------------------------------------------------------------------------------- */

static void
list_free(struct snapshot *s)
{
	struct groups_list *l = (struct groups_list *)s;

	mem_free((void *)(uintptr_t)l->v);
	mem_free(l);
}

static int
by_name(const void *pa, const void *pb)
{
	const struct observed *a = pa, *b = pb;
	int d = strcmp(a->service, b->service);

	return d != 0 ? d : strcmp(a->group, b->group);
}

static struct groups_list *
picture(const struct roster *r)
{
	struct groups_list *l = mem_new(sizeof *l);
	struct observed *v = mem_array(r->n > 0 ? r->n : 1, sizeof *v);

	snapshot_init(&l->snapshot, list_free);
	for (size_t i = 0; i < r->n; i++) {
		const struct entry *e = r->v[i];
		struct observed *s = &v[i];
		*s = e->seen;
		memcpy(s->service, e->service, sizeof e->service);
		memcpy(s->group, e->group, sizeof e->group);
	}
	qsort(v, r->n, sizeof *v, by_name);
	l->v = v;
	l->n = r->n;
	l->beyond = r->beyond;
	l->held = r->held;
	l->at = clock_wall(clock_system());
	return l;
}

const struct observed *
groups_list_find(const struct groups_list *l, const char *service, const char *group)
{
	for (size_t i = 0; l != NULL && i < l->n; i++)
		if (strcmp(l->v[i].service, service) == 0 && strcmp(l->v[i].group, group) == 0)
			return &l->v[i];
	return NULL;
}

void
groups_drop(const struct groups_list *l)
{
	snapshot_drop((struct snapshot *)(uintptr_t)l);
}

/* --- once ----------------------------------------------------------------------------------- */

static void
each_key(void *arg, const struct kv_entry *e)
{
	roster_note(arg, e);
}

/* look: at one group, whose entry nobody changes meanwhile. */
static void
look(const struct observed_site *site, struct entry *e, struct observed *out)
{
	memset(out, 0, sizeof *out);
	out->known = e->known;
	out->record = e->record;
	out->changes = e->changes;
	observer_see(e->observer, site, out);
}

static void
each_stored(void *arg, const char *gid)
{
	roster_stored(arg, gid);
}

static bool
look_round(struct roster *r, const struct observed_site *site)
{
	bool all = true;

	for (size_t i = 0; i < r->n; i++) {
		struct entry *e = r->v[i];
		if (e->seen.certain)
			continue;
		look(site, e, &e->seen);
		all &= e->seen.certain;
	}
	return all;
}

const struct groups_list *
groups_survey(struct conn *c, int64_t patience_ns, struct err *err)
{
	struct roster r = { .conn = c };
	struct kv kv = { c, META_BUCKET };
	struct observed_site site;
	struct mono end = mono_after(now(), patience_ns);
	struct groups_list *l = NULL;
	struct err own;
	enum err_code code = kv_list(&kv, ">", false, each_key, &r, err != NULL ? err : &own);

	if (code == ERR_OK && r.held) {
		observe_site(c, &r.set, &site);
		ask_registers(c, &site, each_stored, &r);
		while (!look_round(&r, &site) && !mono_reached(now(), end))
			thread_pause(ROUND_NS);
	}
	if (code == ERR_OK || code == ERR_NOT_FOUND) {
		if (err != NULL)
			err_clear(err);
		l = picture(&r);
		l->followed = true;
	}
	roster_release(&r);
	return l;
}

/* --- kept current --------------------------------------------------------------------------- */

#define GROUPS_MAGIC 0xe1ec0009u

struct groups {
	unsigned magic;
	struct groups_opts o;
	struct watch *watch;
	pthread_t roundsman;
	pthread_mutex_t lock;		/* leaf: roster (but for what is the roundsman's), followed, stop */
	pthread_cond_t wake;
	struct roster roster;
	bool followed, stop, reshaped;	/* reshaped: groups came or went */
	struct wall followed_at;
	struct observed_site site;	/* the roundsman's, as all below */
	struct mono site_due, told;
	uint64_t version;
	struct snapshot_cell cell;
};

static void
each_entry(void *arg, void (*fn)(struct groups *g, struct entry *e))
{
	struct groups *g = arg;

	for (size_t i = 0; i < g->roster.n; i++)
		fn(g, g->roster.v[i]);
}

static void
unname(struct groups *g, struct entry *e)
{
	(void)g;
	e->named = false;
}

static void
bury_unnamed(struct groups *g, struct entry *e)
{
	e->gone |= !e->named && !e->stored;
	g->reshaped |= e->gone;
}

static void
on_meta(void *arg, const struct watch_event *ev)
{
	struct groups *g = arg;

	MAGIC_CHECK(g, GROUPS_MAGIC);
	pthread_mutex_lock(&g->lock);
	size_t before = g->roster.n;
	switch (ev->what) {
	case WATCH_SYNC_BEGIN:
		g->roster.beyond = 0;
		each_entry(g, unname);
		break;
	case WATCH_ENTRY:
		if (roster_note(&g->roster, ev->entry))
			pthread_cond_signal(&g->wake);
		break;
	case WATCH_SYNC_END:
		each_entry(g, bury_unnamed);
		g->followed = true;
		pthread_cond_signal(&g->wake);
		break;
	case WATCH_ABSENT:
		g->roster.held = false;
		each_entry(g, unname);
		each_entry(g, bury_unnamed);
		g->followed = true;
		break;
	case WATCH_LOST:
		g->followed = false;
		break;
	}
	g->followed_at = clock_wall(clock_system());
	g->reshaped |= g->roster.n != before;
	pthread_mutex_unlock(&g->lock);
}

/* sweep: removes what is gone; the lock is held. */
static void
sweep(struct groups *g)
{
	struct roster *r = &g->roster;
	size_t kept = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (r->v[i]->gone)
			entry_free(r->v[i]);
		else
			r->v[kept++] = r->v[i];
	}
	r->n = kept;
}

/* next_entry: whose turn it is, or NULL and when the next one's is; the lock is held.  Without a connection nobody's:
 * what is known stays, and the picture says how old it is. */
static struct entry *
next_entry(struct groups *g, struct mono *due)
{
	struct entry *next = NULL;

	*due = mono_after(now(), NS_PER_S);
	for (size_t i = 0; g->roster.held && conn_state(g->o.conn) == CONN_UP && i < g->roster.n; i++)
		if (next == NULL || g->roster.v[i]->due.ns < next->due.ns)
			next = g->roster.v[i];
	if (next == NULL)
		return NULL;
	*due = mono_reached(*due, next->due) ? next->due : *due;
	return mono_reached(now(), next->due) ? next : NULL;
}

static bool
same_lead(const struct observed *a, const struct observed *b)
{
	return a->certain == b->certain && a->led == b->led && a->epoch == b->epoch && a->obstacle == b->obstacle &&
	    a->changes.n == b->changes.n && strcmp(a->instance, b->instance) == 0;
}

/* publish: a picture for the readers; outside the lock, changed() is told of a new version. */
static void
publish(struct groups *g, bool changed)
{
	struct groups_list *l;

	if (!changed && mono_since(now(), g->told) < TELL_NS)
		return;
	g->told = now();
	g->version += changed;
	pthread_mutex_lock(&g->lock);
	l = picture(&g->roster);
	l->at = g->followed ? l->at : g->followed_at;
	l->followed = g->followed;
	pthread_mutex_unlock(&g->lock);
	l->version = g->version;
	snapshot_publish(&g->cell, &l->snapshot);
	if (changed && g->o.changed != NULL)
		g->o.changed(g->o.arg);
}

static void
unstore(struct groups *g, struct entry *e)
{
	(void)g;
	e->stored = false;
}

static void
each_stored_now(void *arg, const char *gid)
{
	struct groups *g = arg;

	pthread_mutex_lock(&g->lock);
	size_t before = g->roster.n;
	roster_stored(&g->roster, gid);
	g->reshaped |= g->roster.n != before;
	pthread_mutex_unlock(&g->lock);
}

/* refresh_site: when it is time.  Called and returns with the lock held. */
static void
refresh_site(struct groups *g)
{
	struct lease_set set = g->roster.set;

	if (!g->roster.held || conn_state(g->o.conn) != CONN_UP ||
	    (!mono_reached(now(), g->site_due) && strcmp(g->site.set.uuid, set.uuid) == 0))
		return;
	if (strcmp(g->site.set.uuid, set.uuid) != 0)		/* another set: what the old one had is no more */
		each_entry(g, unstore);
	pthread_mutex_unlock(&g->lock);
	observe_site(g->o.conn, &set, &g->site);
	ask_registers(g->o.conn, &g->site, each_stored_now, g);
	g->site_due = mono_after(now(), SITE_NS);
	pthread_mutex_lock(&g->lock);
}

/* go_round: one look; true when a lead changed.  Called and returns with the lock held. */
static bool
go_round(struct groups *g, struct entry *e)
{
	struct entry copy = *e;
	struct observed *seen = mem_new(sizeof *seen);

	pthread_mutex_unlock(&g->lock);
	look(&g->site, &copy, seen);
	pthread_mutex_lock(&g->lock);
	/* Not certain yet: keep what was known, and look again soon. */
	bool changed = !same_lead(&e->seen, seen) && (seen->certain || !e->seen.certain);
	if (seen->certain || !e->seen.certain)
		e->seen = *seen;
	e->due = mono_after(now(), seen->certain ? EVERY_NS : PACE_NS);
	mem_free(seen);
	return changed;
}

static void *
rounds(void *arg)
{
	struct groups *g = arg;
	struct mono due;

	pthread_mutex_lock(&g->lock);
	while (!g->stop) {
		refresh_site(g);
		bool changed = g->reshaped;
		g->reshaped = false;
		sweep(g);
		struct entry *e = next_entry(g, &due);
		if (e != NULL) {
			changed |= go_round(g, e);
			due = mono_after(now(), PACE_NS);
		}
		pthread_mutex_unlock(&g->lock);
		publish(g, changed);
		pthread_mutex_lock(&g->lock);
		if (e != NULL)		/* the pace is kept whoever asks for haste */
			while (!g->stop && !mono_reached(now(), due))
				thread_cond_wait(&g->wake, &g->lock, due);
		else if (!g->stop)
			thread_cond_wait(&g->wake, &g->lock, due);
	}
	pthread_mutex_unlock(&g->lock);
	if (pool_thread_end != NULL)
		pool_thread_end();
	return NULL;
}

struct groups *
groups_new(const struct groups_opts *o, struct err *err)
{
	struct groups *g = mem_new(sizeof *g);

	g->magic = GROUPS_MAGIC;
	g->o = *o;
	g->roster.conn = o->conn;
	g->followed_at = clock_wall(clock_system());
	snapshot_cell_init(&g->cell);
	pthread_mutex_init(&g->lock, NULL);
	thread_cond_init(&g->wake);
	snapshot_publish(&g->cell, &picture(&g->roster)->snapshot);
	if (thread_start(&g->roundsman, "groups", rounds, g, err) != ERR_OK)
		goto err0;
	if ((g->watch = watch_new(o->conn, META_BUCKET, on_meta, g, err)) == NULL)
		goto err1;
	return g;
err1:
	groups_free(g);
	return NULL;
err0:
	snapshot_publish(&g->cell, NULL);
	pthread_cond_destroy(&g->wake);
	pthread_mutex_destroy(&g->lock);
	mem_free(g);
	return NULL;
}

void
groups_free(struct groups *g)
{
	if (g == NULL)
		return;
	MAGIC_CHECK(g, GROUPS_MAGIC);
	watch_free(g->watch);
	pthread_mutex_lock(&g->lock);
	g->stop = true;
	pthread_cond_signal(&g->wake);
	pthread_mutex_unlock(&g->lock);
	pthread_join(g->roundsman, NULL);
	snapshot_publish(&g->cell, NULL);
	roster_release(&g->roster);
	pthread_cond_destroy(&g->wake);
	pthread_mutex_destroy(&g->lock);
	MAGIC_WIPE(g);
	mem_free(g);
}

const struct groups_list *
groups_take(struct groups *g)
{
	return (const struct groups_list *)snapshot_take(&g->cell);
}

void
groups_hurry(struct groups *g, const char *service, const char *group)
{
	pthread_mutex_lock(&g->lock);
	struct entry *e = find(&g->roster, service, group);
	if (e != NULL)
		e->due = (struct mono){ 0 };
	pthread_cond_signal(&g->wake);
	pthread_mutex_unlock(&g->lock);
}
