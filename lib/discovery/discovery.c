/* discovery.c - the shell around the table: a feed fills it, the loop owns it, readers get
 * snapshots.
 *
 * The feed's thread packs what it decodes into batches and mails them to the loop, so that
 * a registry of ten thousand instances costs a few dozen mails; when the mailbox is full it
 * waits, which is the watch's back-pressure. */
#include "discovery/discovery.h"

#include <pthread.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "discovery/directory_build.h"
#include "discovery/table.h"
#include "registry/feed.h"
#include "sys/loop.h"
#include "sys/thread.h"

#define DISCOVERY_MAGIC 0xd15c0001u
#define BATCH 128

/* A picture is published at most this often: with thousands of heartbeats a second each
 * would otherwise copy the list of services. */
#define PUBLISH_EVERY_NS (5 * NS_PER_MS)

/* Whom nobody heard of for so many times the stale threshold is dropped from the table; until
 * then an error can say who was seen last. */
#define FORGET_AFTER_STALE 20
#define FORGET_EVERY_NS (60 * NS_PER_S)

struct change {
	enum feed_what what;
	char *key;
	const char *reason;		/* a literal */
	struct instance *instance;
	struct definition *definition;
	uint64_t revision;
};

struct batch {
	struct mail mail;
	struct discovery *owner;
	size_t n;
	struct change v[BATCH];
};

struct discovery {
	unsigned magic;
	struct loop *loop;
	struct conn *conn;
	int64_t stale_ns;
	uint64_t offset;
	struct feed *feed;
	struct batch *filling;		/* the feed's thread only */
	bool syncing;			/* the feed's thread only */
	atomic_bool closing;

	struct table *table;		/* the loop's thread only, as all up to the lock */
	struct loop_timer publish, forget;
	struct mono published;
	uint64_t version;
	unsigned reason;		/* of the listing under way, or of the last */
	bool complete;			/* a listing was complete once */
	void (*synced)(void *, bool);	/* of the listener; NULL without one */
	void *listener;

	struct snapshot_cell cell;

	pthread_mutex_t lock;		/* leaf: all that follows */
	pthread_cond_t first;		/* the first listing is complete, or there is none to wait for */
	struct discovery_state state;
	bool stopped;			/* nobody is to wait */
	bool hopeless;			/* the last attempt to open the watch failed */
	struct mono lost_at;
};

/* --- from the feed's thread to the loop -------------------------------------------------- */

static void
batch_discard(struct mail *m)
{
	struct batch *b = CONTAINER_OF(m, struct batch, mail);

	for (size_t i = 0; i < b->n; i++) {
		mem_free(b->v[i].key);
		instance_free(b->v[i].instance);
		definition_free(b->v[i].definition);
	}
	mem_free(b);
}

static void batch_deliver(struct mail *m);

static void
batch_send(struct discovery *d)
{
	struct batch *b = d->filling;

	d->filling = NULL;
	if (b == NULL)
		return;
	while (loop_post(d->loop, &b->mail) != ERR_OK) {
		/* The only place that waits for the loop: this thread has nothing else to do. */
		if (atomic_load(&d->closing)) {
			batch_discard(&b->mail);
			return;
		}
		thread_pause(NS_PER_MS);
	}
}

static void
on_feed(void *arg, struct feed_event *ev)
{
	struct discovery *d = arg;

	MAGIC_CHECK(d, DISCOVERY_MAGIC);
	if (d->filling == NULL) {
		d->filling = mem_new(sizeof *d->filling);
		d->filling->mail = (struct mail){ .deliver = batch_deliver, .discard = batch_discard };
		d->filling->owner = d;
	}
	struct batch *b = d->filling;
	b->v[b->n++] = (struct change){ ev->what, mem_text(ev->key), ev->reason, ev->instance, ev->definition, ev->revision };
	if (ev->what == FEED_SYNC_BEGIN)
		d->syncing = true;
	if (ev->what == FEED_SYNC_END || ev->what == FEED_LOST)
		d->syncing = false;
	/* Inside a listing many come at once; outside it every change counts now. */
	if (b->n == BATCH || !d->syncing)
		batch_send(d);
}

/* --- on the loop ------------------------------------------------------------------------- */

static void
publish(void *arg)
{
	struct discovery *d = arg;

	if (!d->complete || (!table_changed(d->table) && d->version > 0))
		return;
	d->published = loop_now(d->loop);
	snapshot_publish(&d->cell, &directory_build(d->table, ++d->version)->snapshot);
	pthread_mutex_lock(&d->lock);
	d->state.changes = d->version;
	pthread_cond_broadcast(&d->first);
	pthread_mutex_unlock(&d->lock);
}

static void
forget(void *arg)
{
	struct discovery *d = arg;
	struct wall now = clock_wall(loop_clock(d->loop));

	table_forget(d->table, (struct wall){ now.ns - FORGET_AFTER_STALE * d->stale_ns });
	publish(d);
	loop_timer_set(d->loop, &d->forget, mono_after(loop_now(d->loop), FORGET_EVERY_NS), forget, d);
}

const char *const discovery_reasons[DISCOVERY_REASONS] = { "start", "reconnect", "gap", "retry" };

static unsigned
reason_of(const char *name)
{
	unsigned i = 0;

	while (i + 1 < DISCOVERY_REASONS && strcmp(discovery_reasons[i], name) != 0)
		i++;
	return i;
}

static void
set_synced(struct discovery *d, bool synced)
{
	pthread_mutex_lock(&d->lock);
	if (d->state.synced && !synced)
		d->lost_at = clock_mono(loop_clock(d->loop));
	d->state.synced = synced;
	d->state.resyncs += synced;
	d->state.because[d->reason] += synced;
	d->hopeless = !synced;
	if (d->hopeless)
		pthread_cond_broadcast(&d->first);
	pthread_mutex_unlock(&d->lock);
}

static void
set_hopeful(struct discovery *d)
{
	pthread_mutex_lock(&d->lock);
	d->hopeless = false;
	pthread_mutex_unlock(&d->lock);
}

static void
apply(struct discovery *d, struct change *c)
{
	switch (c->what) {
	case FEED_SYNC_BEGIN:
		table_sync_begin(d->table);
		d->reason = reason_of(c->reason);
		set_hopeful(d);
		if (d->complete)
			log_info(EV_WATCH_RESYNC, LOG_F(LOG_S("reason", c->reason)),
			    "reading the whole registry again and comparing it");
		break;
	case FEED_INSTANCE:
		table_instance(d->table, c->key, c->instance, c->revision);
		c->instance = NULL;
		break;
	case FEED_DEFINITION:
		table_definition(d->table, c->key, c->definition, c->revision);
		c->definition = NULL;
		break;
	case FEED_GONE:
		table_gone(d->table, c->key, c->revision);
		break;
	case FEED_SYNC_END:
		table_sync_end(d->table);
		d->complete = true;
		set_synced(d, true);
		if (!loop_timer_pending(&d->forget))
			forget(d);
		if (d->synced != NULL)
			d->synced(d->listener, true);
		break;
	case FEED_LOST:
		set_synced(d, false);
		if (d->complete)
			log_warning(EV_WATCH_STALE, LOG_NONE,
			    "the registry's watch is interrupted; serving last-known instances until it is back");
		if (d->synced != NULL)
			d->synced(d->listener, false);
		break;
	}
}

static void
batch_deliver(struct mail *m)
{
	struct batch *b = CONTAINER_OF(m, struct batch, mail);
	struct discovery *d = b->owner;

	MAGIC_CHECK(d, DISCOVERY_MAGIC);
	for (size_t i = 0; i < b->n; i++)
		apply(d, &b->v[i]);
	batch_discard(m);
	if (d->complete && !loop_timer_pending(&d->publish))
		loop_timer_set(d->loop, &d->publish, mono_after(d->published, PUBLISH_EVERY_NS), publish, d);
}

/* --- the outside ------------------------------------------------------------------------- */

struct discovery *
discovery_new(const struct discovery_opts *o)
{
	struct discovery *d = mem_new(sizeof *d);

	d->magic = DISCOVERY_MAGIC;
	d->loop = o->loop;
	d->conn = o->conn;
	d->stale_ns = o->stale_ns > 0 ? o->stale_ns : STALE_AFTER_S * NS_PER_S;
	d->offset = id_random();
	d->table = table_new();
	d->lost_at = clock_mono(loop_clock(o->loop));
	snapshot_cell_init(&d->cell);
	pthread_mutex_init(&d->lock, NULL);
	thread_cond_init(&d->first);
	return d;
}

void
discovery_free(struct discovery *d)
{
	if (d == NULL)
		return;
	MAGIC_CHECK(d, DISCOVERY_MAGIC);
	atomic_store(&d->closing, true);
	feed_free(d->feed);
	if (d->filling != NULL)
		batch_discard(&d->filling->mail);
	loop_timer_cancel(d->loop, &d->publish);
	loop_timer_cancel(d->loop, &d->forget);
	snapshot_publish(&d->cell, NULL);
	table_free(d->table);
	pthread_cond_destroy(&d->first);
	pthread_mutex_destroy(&d->lock);
	MAGIC_WIPE(d);
	mem_free(d);
}

void
discovery_listen(struct discovery *d, const struct discovery_listener *l)
{
	table_listen(d->table, l->news, l->arg);
	d->synced = l->synced;
	d->listener = l->arg;
}

enum err_code
discovery_start(struct discovery *d, struct err *err)
{
	enum err_code code = ERR_OK;

	pthread_mutex_lock(&d->lock);
	bool mine = !d->state.started;
	d->state.started = true;
	pthread_mutex_unlock(&d->lock);
	if (mine && (d->feed = feed_new(d->conn, on_feed, d, err)) == NULL) {
		code = ERR_SYSTEM;
		pthread_mutex_lock(&d->lock);
		d->state.started = false;
		pthread_mutex_unlock(&d->lock);
	}
	return code;
}

bool
discovery_wait(struct discovery *d, int64_t timeout_ns)
{
	struct mono until = mono_after(clock_mono(loop_clock(d->loop)), timeout_ns);

	if (discovery_start(d, NULL) != ERR_OK)
		return false;
	pthread_mutex_lock(&d->lock);
	while (d->state.changes == 0 && !d->hopeless && !d->stopped && thread_cond_wait(&d->first, &d->lock, until))
		continue;
	bool complete = d->state.changes > 0;
	pthread_mutex_unlock(&d->lock);
	return complete;
}

void
discovery_stop(struct discovery *d)
{
	pthread_mutex_lock(&d->lock);
	d->stopped = true;
	pthread_cond_broadcast(&d->first);
	pthread_mutex_unlock(&d->lock);
}

const struct directory *
discovery_take(struct discovery *d)
{
	struct snapshot *s = snapshot_take(&d->cell);

	return s != NULL ? CONTAINER_OF(s, struct directory, snapshot) : NULL;
}

void
discovery_drop(const struct directory *dir)
{
	if (dir != NULL)
		snapshot_drop((struct snapshot *)(uintptr_t)&dir->snapshot);
}

struct discovery_state
discovery_state(struct discovery *d)
{
	pthread_mutex_lock(&d->lock);
	struct discovery_state s = d->state;
	if (!s.synced)
		s.age_ns = mono_since(clock_mono(loop_clock(d->loop)), d->lost_at);
	pthread_mutex_unlock(&d->lock);
	return s;
}

int64_t
discovery_stale_ns(const struct discovery *d)
{
	return d->stale_ns;
}

uint64_t
discovery_offset(const struct discovery *d)
{
	return d->offset;
}
