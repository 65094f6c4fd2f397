/* keeper.c - keeping the table like the bucket: the watch's news, and a distrust of them.
 *
 * A watch can be deaf for seconds before anybody can know: its consumer was deleted, its leader moved.
 * So the keeper asks what the newest revision is, which costs one small request however many tokens
 * there are, and lists the bucket when the watch did not get so far. */
#include <string.h>

#include "auth/inner.h"
#include "base/log.h"
#include "base/magic.h"
#include "nats/conn.h"
#include "nats/kv.h"
#include "sys/clock.h"
#include "sys/pool.h"
#include "sys/thread.h"

#define TURN_NS (100 * NS_PER_MS)		/* how long a stop or a use waits */
#define PROBE_NS (400 * NS_PER_MS)		/* two probes, a turn and a listing fit into a second */
#define DROP_NS (60 * NS_PER_S)
#define SWEEP_NS (600 * NS_PER_S)
#define DUE_MOST 64				/* uses written in one turn; the rest in the next */

static struct mono
mono_now(void)
{
	return clock_mono(clock_system());
}

/* --- one record into a table ---------------------------------------------------------------- */

static bool
take_record(struct auth_table *t, const char *key, const void *value, size_t n, uint64_t revision, uint64_t *full)
{
	union { struct auth_token token; struct auth_session session; struct wall at; } x;
	struct err why = { ERR_OK, "" };
	bool placed = true;
	const char *id;

	switch (auth_key_kind(key, &id)) {
	case AUTH_KIND_TOKEN:
		if (auth_token_read(id, value, n, revision, &x.token, &why) == ERR_OK)
			placed = auth_table_token(t, &x.token);
		else
			auth_table_remove(t, AUTH_KIND_TOKEN, id);	/* whatever it became, it is not what it was */
		break;
	case AUTH_KIND_SESSION:
		if (auth_session_read(id, value, n, revision, &x.session, &why) == ERR_OK)
			placed = auth_table_session(t, &x.session);
		else
			auth_table_remove(t, AUTH_KIND_SESSION, id);
		break;
	case AUTH_KIND_USED:
		if (auth_used_read(value, n, &x.at, &why) == ERR_OK)
			auth_table_used(t, id, x.at);
		break;
	default:
		break;		/* codes are asked for when they are used */
	}
	if (why.code != ERR_OK)
		log_warning(EV_WATCH_BAD_RECORD, LOG_F(LOG_S("bucket", AUTH_BUCKET), LOG_S("key", key)),
		    "a record of tokens cannot be read and lets nobody in: %s", why.text);
	if (!placed)
		(*full)++;
	return placed;
}

/* --- the watch ------------------------------------------------------------------------------ */

static void
on_entry(struct auth *a, const struct kv_entry *e)
{
	const char *id;

	if (e->gone) {
		enum auth_kind kind = auth_key_kind(e->key, &id);
		if (kind != AUTH_KIND_NONE) {
			auth_table_remove(a->table, kind, id);
			a->removals++;
		}
	} else {
		take_record(a->table, e->key, e->value, e->n, e->revision, &a->counted.full);
	}
	a->events++;
	if (e->revision > a->seen)
		a->seen = e->revision;
}

void
auth_on_watch(void *arg, const struct watch_event *ev)
{
	struct auth *a = arg;

	MAGIC_CHECK(a, AUTH_MAGIC);
	pthread_mutex_lock(&a->lock);
	switch (ev->what) {
	case WATCH_SYNC_BEGIN:
		auth_table_sync(a->table);
		a->seen = 0;		/* of a bucket that was made anew, revisions are small again */
		a->events++;
		break;
	case WATCH_ENTRY:
		on_entry(a, ev->entry);
		break;
	case WATCH_SYNC_END:
		a->removals += auth_table_synced(a->table);
		a->events++;
		a->confirmed = mono_now();
		a->ever = true;
		break;
	case WATCH_LOST:
	case WATCH_ABSENT:
		break;			/* the probe finds out what that means */
	}
	pthread_mutex_unlock(&a->lock);
}

/* --- the keeper ----------------------------------------------------------------------------- */

static void
confirm(struct auth *a)
{
	pthread_mutex_lock(&a->lock);
	a->confirmed = mono_now();
	a->ever = true;
	pthread_mutex_unlock(&a->lock);
}

static uint64_t
seen(struct auth *a)
{
	pthread_mutex_lock(&a->lock);
	uint64_t n = a->seen;
	pthread_mutex_unlock(&a->lock);
	return n;
}

/* is_told(a, last, events): the watch got so far.  *events: how many changes there were until now. */
static bool
is_told(struct auth *a, uint64_t last, uint64_t *events)
{
	pthread_mutex_lock(&a->lock);
	bool told = a->seen >= last;
	*events = a->events;
	pthread_mutex_unlock(&a->lock);
	return told;
}

/* nap: waits; false when it is time to end. */
static bool
nap(struct auth *a, int64_t ns)
{
	struct mono until = mono_after(mono_now(), ns);

	pthread_mutex_lock(&a->lock);
	while (!a->stop && !mono_reached(mono_now(), until))
		thread_cond_wait(&a->changed, &a->lock, until);
	bool go = !a->stop;
	pthread_mutex_unlock(&a->lock);
	return go;
}

struct listing {
	struct auth_table *table;
	uint64_t full;
};

static void
listed(void *arg, const char *key, const char *value, size_t n, uint64_t revision)
{
	struct listing *l = arg;

	take_record(l->table, key, value, n, revision, &l->full);
}

/* relist: the bucket as it is now becomes the table, unless the watch proved meanwhile that it lives. */
static bool
relist(struct auth *a, uint64_t last, uint64_t events)
{
	struct listing l = { .table = auth_table_new() };
	struct err err;
	bool used = false;

	if (auth_store_each(a->store, listed, &l, &err) == ERR_OK) {
		pthread_mutex_lock(&a->lock);
		used = a->events == events;
		if (used) {
			struct auth_table *old = a->table;
			auth_table_carry(l.table, old);
			a->table = l.table;
			l.table = old;
			a->seen = last;
			a->events++;
			a->removals++;
			a->counted.full += l.full;
			a->counted.relisted++;
		}
		pthread_mutex_unlock(&a->lock);
	}
	auth_table_free(l.table);
	return used;
}

/* probe: is the picture complete?  If not, the watch gets a turn to make it so.  A newest revision below
 * what was told before belongs to a bucket that was made anew. */
static void
probe(struct auth *a)
{
	uint64_t before = seen(a), last, events;
	struct err err;

	if (auth_store_last(a->store, &last, &err) != ERR_OK)
		return;
	bool same = last >= before;
	if (is_told(a, last, &events) && same) {
		confirm(a);
		return;
	}
	if (!nap(a, TURN_NS))
		return;
	if ((is_told(a, last, &events) && same) || relist(a, last, events))
		confirm(a);
}

static void
write_uses(struct auth *a)
{
	struct auth_due due;
	struct err quiet;

	for (int i = 0; i < DUE_MOST; i++) {
		pthread_mutex_lock(&a->lock);
		bool any = auth_table_due(a->table, &due);
		pthread_mutex_unlock(&a->lock);
		if (!any)
			return;
		/* Best effort: the next use in a minute writes again. */
		if (due.kind == AUTH_KIND_USED) {
			auth_store_used(a->store, due.id, due.at, &quiet);
			continue;
		}
		struct auth_moment m = auth_now(a);
		if (auth_store_touch(a->store, &due.session, &quiet) == ERR_OK)
			auth_apply_session(a, m, &due.session);
	}
}

/* tell_age: says once that the picture ages, and once that it is current again. */
static void
tell_age(struct auth *a)
{
	pthread_mutex_lock(&a->lock);
	bool stale = mono_since(mono_now(), a->confirmed) > AUTH_STALE_NS, was = a->stale, ever = a->ever;
	a->stale = stale;
	pthread_mutex_unlock(&a->lock);
	if (stale && !was)
		log_warning(EV_AUTH_STALE, LOG_NONE, ever
		    ? "tokens cannot be compared with the store; known ones go on being let in, and a revocation elsewhere "
		    "is not heard of"
		    : "tokens cannot be read from the store yet; nobody is let in");
	else if (!stale && was)
		log_info(EV_AUTH_STALE, LOG_NONE, "tokens are as the store has them again");
}

static void
drop_over(struct auth *a)
{
	pthread_mutex_lock(&a->lock);
	auth_table_drop(a->table, clock_wall(clock_system()));
	pthread_mutex_unlock(&a->lock);
}

void *
auth_keep(void *arg)
{
	struct auth *a = arg;
	struct mono at = mono_now(), probe_at = at, drop_at = mono_after(at, DROP_NS), sweep_at = mono_after(at, SWEEP_NS);
	struct err quiet;

	MAGIC_CHECK(a, AUTH_MAGIC);
	do {
		bool up = conn_state(a->conn) == CONN_UP && auth_store_ready(a->store, &quiet) == ERR_OK;
		at = mono_now();
		if (up && mono_reached(at, probe_at)) {
			probe(a);
			probe_at = mono_after(at, PROBE_NS);
		}
		tell_age(a);
		if (up)
			write_uses(a);
		if (mono_reached(at, drop_at)) {
			drop_over(a);
			drop_at = mono_after(at, DROP_NS);
		}
		if (up && mono_reached(at, sweep_at)) {
			auth_store_sweep(a->store, &quiet);
			sweep_at = mono_after(at, SWEEP_NS);
		}
	} while (nap(a, TURN_NS));
	if (pool_thread_end != NULL)
		pool_thread_end();
	return NULL;
}
