/* leaders.c - one map from group to holder; beats in, questions out. */
#include "discovery/leaders.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/map.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "codec/subject.h"
#include "discovery/pick.h"
#include "nats/conn.h"

#define LEADERS_MAGIC 0x1ead0001u
#define GROUPS_MAX 1024
#define KEY_MAX 272		/* a service, a blank, a group */

struct leaders {
	unsigned magic;
	struct conn *conn;
	void (*changed)(void *);
	void *arg;
	_Atomic uint64_t read;		/* which records were read last */

	pthread_mutex_t lock;		/* leaf: all below */
	struct map groups;		/* to struct leader */
	struct map followed;		/* services, to their struct sub */
};

static void
key_of(const char *service, const char *group, char key[KEY_MAX])
{
	size_t n = strnlen(service, KEY_MAX / 2 - 1), m = group != NULL ? strnlen(group, KEY_MAX / 2 - 1) : 0;

	memcpy(key, service, n);
	key[n] = ' ';
	if (m > 0)
		memcpy(key + n + 1, group, m);
	key[n + 1 + m] = '\0';
}

/* entry: under the lock; makes it when it may. */
static struct leader *
entry(struct leaders *l, const char *service, const char *group)
{
	char key[KEY_MAX];
	struct leader *e;

	key_of(service, group, key);
	if ((e = map_get(&l->groups, key)) != NULL || l->groups.n >= GROUPS_MAX)
		return e;
	e = mem_new(sizeof *e);
	map_set(&l->groups, key, e);
	return e;
}

static void
tell(struct leaders *l, bool changed)
{
	if (changed && l->changed != NULL)
		l->changed(l->arg);
}

/* note: fresh news may bring a holder back that was forgotten; the registry's may be that of a dead one. */
static void
note(struct leaders *l, const char *service, const char *group, const char *instance, uint64_t epoch, bool fresh)
{
	bool changed = false;

	MAGIC_CHECK(l, LEADERS_MAGIC);
	pthread_mutex_lock(&l->lock);
	struct leader *e = entry(l, service, group);
	bool back = e != NULL && fresh && epoch == e->epoch && e->instance[0] == '\0';
	if (e != NULL && (epoch > e->epoch || back) && strlen(instance) < sizeof e->instance) {
		snprintf(e->instance, sizeof e->instance, "%s", instance);
		e->epoch = epoch;
		changed = true;
	}
	pthread_mutex_unlock(&l->lock);
	tell(l, changed);
}

void
leaders_note(struct leaders *l, const char *service, const char *group, const char *instance, uint64_t epoch)
{
	note(l, service, group, instance, epoch, true);
}

void
leaders_forget(struct leaders *l, const char *service, const char *group, uint64_t epoch)
{
	bool changed = false;

	pthread_mutex_lock(&l->lock);
	struct leader *e = entry(l, service, group);
	if (e != NULL && e->epoch == epoch && e->instance[0] != '\0') {
		e->instance[0] = '\0';
		changed = true;
	}
	pthread_mutex_unlock(&l->lock);
	tell(l, changed);
}

void
leaders_released(struct leaders *l, const char *service, const char *group, uint64_t epoch)
{
	bool changed = false;

	pthread_mutex_lock(&l->lock);
	struct leader *e = entry(l, service, group);
	if (e != NULL && epoch > e->released) {
		e->released = epoch;
		changed = true;
	}
	pthread_mutex_unlock(&l->lock);
	tell(l, changed);
}

void
leaders_read(struct leaders *l, const struct service_group *g, uint64_t version)
{
	/* One word, so that no lock is needed; two that look alike would cost one look at old news. */
	uint64_t mark = (uint64_t)(uintptr_t)g * UINT64_C(0x9e3779b97f4a7c15) ^ version;

	if (atomic_exchange(&l->read, mark) == mark)
		return;
	for (size_t i = 0; g != NULL && i < g->n; i++) {
		const struct instance *one = g->v[i]->instance;
		if (one->sticky == STICKY_ACTIVE && one->status == INSTANCE_ACTIVE && one->epoch > 0 && one->group != NULL)
			note(l, g->name, one->group, one->id, one->epoch, false);
	}
}

void
leaders_get(struct leaders *l, const char *service, const char *group, struct leader *out)
{
	char key[KEY_MAX];

	MAGIC_CHECK(l, LEADERS_MAGIC);
	key_of(service, group, key);
	pthread_mutex_lock(&l->lock);
	const struct leader *e = map_get(&l->groups, key);
	if (e != NULL)
		*out = *e;
	else
		memset(out, 0, sizeof *out);
	pthread_mutex_unlock(&l->lock);
}

const char *
leaders_group(const struct service_group *g, bool *several)
{
	const char *found = NULL;

	*several = false;
	for (size_t i = 0; g != NULL && i < g->n; i++) {
		const char *one = g->v[i]->instance->group;
		if (one == NULL)
			continue;
		if (found != NULL && strcmp(found, one) != 0) {
			*several = true;
			return NULL;
		}
		found = one;
	}
	return found;
}

/* --- beats ------------------------------------------------------------------------------- */

/* parts: service and instance of aegis.hb.{service}.{instance}; copies. */
static bool
parts(const char *subject, char service[132], char instance[132])
{
	const char *p = subject + strlen("aegis.hb."), *dot = strchr(p, '.');

	if (dot == NULL || dot - p > 131 || strlen(dot + 1) > 131)
		return false;
	snprintf(service, 132, "%.*s", (int)(dot - p), p);
	snprintf(instance, 132, "%s", dot + 1);
	return true;
}

/* read_prev: how the hold that this member had before ended. */
static void
read_prev(struct leaders *l, const char *service, const char *group, const struct value *prev)
{
	int64_t epoch;
	struct text how;

	if (value_int(value_field(prev, "e"), &epoch) && epoch > 0 && value_text(value_field(prev, "how"), &how) &&
	    text_is(how, "released"))
		leaders_released(l, service, group, (uint64_t)epoch);
}

static void
read_beat(struct leaders *l, const char *subject, const struct value *v)
{
	char service[132], instance[132], group[132];
	struct text g, st;
	int64_t epoch = 0;

	if (!parts(subject, service, instance) || !value_text(value_field(v, "g"), &g) || g.n >= sizeof group ||
	    !value_text(value_field(v, "st"), &st))
		return;
	snprintf(group, sizeof group, "%.*s", (int)g.n, g.p);
	/* First that the one before let go: whoever sees the new one must know it already. */
	read_prev(l, service, group, value_field(v, "prev"));
	if (!value_int(value_field(v, "e"), &epoch) || epoch <= 0)
		return;
	if (text_is(st, "ACTIVE") || text_is(st, "SUSPECT"))
		leaders_note(l, service, group, instance, (uint64_t)epoch);
	else
		leaders_forget(l, service, group, (uint64_t)epoch);
}

static void
on_beat(void *arg, struct msg *m)
{
	struct leaders *l = arg;
	struct value v;

	MAGIC_CHECK(l, LEADERS_MAGIC);
	if (codec_parse(codec_mine(), (struct data){ DATA_JSON, msg_data(m), msg_size(m) }, &v, NULL) == ERR_OK)
		read_beat(l, msg_subject(m), &v);
	msg_free(m);
}

void
leaders_follow(struct leaders *l, const char *service)
{
	pthread_mutex_lock(&l->lock);
	bool known = map_get(&l->followed, service) != NULL || l->followed.n >= GROUPS_MAX;
	pthread_mutex_unlock(&l->lock);
	if (known)
		return;
	struct subject all = subject_beats(service);
	struct sub *s = sub_new(&(struct sub_opts){ .conn = l->conn, .subject = all.s, .handler = on_beat, .arg = l }, NULL);
	if (s == NULL)
		return;
	pthread_mutex_lock(&l->lock);
	struct sub *other = map_get(&l->followed, service);
	if (other == NULL)
		map_set(&l->followed, service, s);
	pthread_mutex_unlock(&l->lock);
	if (other != NULL)
		sub_free(s);		/* somebody was faster */
}

/* --- its life ---------------------------------------------------------------------------- */

struct leaders *
leaders_new(struct conn *conn, void (*changed)(void *arg), void *arg)
{
	struct leaders *l = mem_new(sizeof *l);

	l->magic = LEADERS_MAGIC;
	l->conn = conn;
	l->changed = changed;
	l->arg = arg;
	pthread_mutex_init(&l->lock, NULL);
	map_init(&l->groups);
	map_init(&l->followed);
	return l;
}

void
leaders_free(struct leaders *l)
{
	const struct map_slot *slot;

	if (l == NULL)
		return;
	MAGIC_CHECK(l, LEADERS_MAGIC);
	for (size_t i = 0; (slot = map_next(&l->followed, &i)) != NULL;)
		sub_free(slot->value);
	for (size_t i = 0; (slot = map_next(&l->groups, &i)) != NULL;)
		mem_free(slot->value);
	map_release(&l->followed);
	map_release(&l->groups);
	pthread_mutex_destroy(&l->lock);
	MAGIC_WIPE(l);
	mem_free(l);
}
