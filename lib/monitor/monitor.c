/* monitor.c - its life, its clock, and what wakes it. */
#include "monitor/monitor.h"

#include <ctype.h>
#include <string.h>

#include "base/id.h"
#include "base/magic.h"
#include "base/mem.h"
#include "monitor/monitor_inner.h"
#include "nats/conn.h"

#define TICK_NS NS_PER_S		/* figures and the overview are told that often, and ages looked at */

struct wall
monitor_wall(const struct monitor *m)
{
	return clock_wall(loop_clock(m->o.loop));
}

struct mono
monitor_mono(const struct monitor *m)
{
	return clock_mono(loop_clock(m->o.loop));
}

char *
monitor_key(const char *service, const char *id)
{
	char *key = mem_printf("%s/%s", service, id);

	/* Heartbeats name the service in lower case only (wire.md §10). */
	for (char *c = key; *c != '\0' && *c != '/'; c++)
		*c = (char)tolower((unsigned char)*c);
	return key;
}

struct watched *
monitor_find(struct monitor *m, const char *service, const char *id)
{
	char *key = monitor_key(service, id);
	struct watched *w = map_get(&m->watched, key);

	mem_free(key);
	return w;
}

enum err_code
monitor_ask(struct monitor *m, void (*fn)(void *arg), void *arg, struct err *err)
{
	return loop_call(m->o.loop, fn, arg, ASK_NS, err);
}

struct live *
monitor_live(struct monitor *m)
{
	return m->live;
}

/* --- leaders ------------------------------------------------------------------------------ */

static void
leaders_deliver(struct mail *mail)
{
	struct monitor *m = CONTAINER_OF(mail, struct monitor, leaders_mail);

	atomic_store(&m->leaders_told, false);
	cards_groups(m);
}

/* on_leaders: on whatever thread heard of it, also our own while it reads records. */
static void
on_leaders(void *arg)
{
	struct monitor *m = arg;

	if (!atomic_exchange(&m->leaders_told, true) && loop_post(m->o.loop, &m->leaders_mail) != ERR_OK)
		atomic_store(&m->leaders_told, false);		/* the next tick looks, too */
}

void
monitor_groups(struct monitor *m)
{
	on_leaders(m);
}

/* --- the clock ---------------------------------------------------------------------------- */

static void
tick(void *arg)
{
	struct monitor *m = arg;
	struct mono now = monitor_mono(m);

	MAGIC_CHECK(m, MONITOR_MAGIC);
	news_tick(m, now, monitor_wall(m));
	if (m->groups_dirty)
		cards_groups(m);
	cards_overview(m);
	departed_tick(m->departed, now);
	foreign_tick(m->foreign, now);
	live_wake(m->live);
	loop_timer_set(m->o.loop, &m->tick, mono_after(loop_now(m->o.loop), TICK_NS), tick, m);
}

/* --- its life ----------------------------------------------------------------------------- */

struct monitor *
monitor_new(const struct monitor_opts *o, struct err *err)
{
	struct monitor *m = mem_new(sizeof *m);

	m->magic = MONITOR_MAGIC;
	m->o = *o;
	m->live = live_new();
	m->leaders_mail = (struct mail){ .deliver = leaders_deliver };
	m->leaders = leaders_new(o->conn, on_leaders, m);
	map_init(&m->watched);
	map_init(&m->led);
	map_init(&m->followed);
	snapshot_cell_init(&m->body);
	id_hex(m->boot, sizeof m->boot - 1);
	if ((m->pool = pool_new(o->loop, 1, 64, err)) == NULL || beats_open(m, err) != ERR_OK ||
	    (m->departed = departed_new(m, err)) == NULL || (m->foreign = foreign_new(m, err)) == NULL) {
		monitor_free(m);
		return NULL;
	}
	news_listen(m);
	loop_timer_set(o->loop, &m->tick, mono_after(monitor_mono(m), TICK_NS), tick, m);
	return m;
}

void
monitor_leave(struct monitor *m)
{
	live_stop(m->live);
}

void
monitor_free(struct monitor *m)
{
	const struct map_slot *slot;

	if (m == NULL)
		return;
	MAGIC_CHECK(m, MONITOR_MAGIC);
	discovery_listen(m->o.discovery, &(struct discovery_listener){ NULL, NULL, NULL });
	loop_timer_cancel(m->o.loop, &m->tick);
	loop_timer_cancel(m->o.loop, &m->build);
	beats_close(m);
	leaders_free(m->leaders);
	loop_take(m->o.loop, &m->leaders_mail);
	pool_free(m->pool);
	departed_free(m->departed);
	foreign_free(m->foreign);
	news_close(m);
	for (size_t i = 0; (slot = map_next(&m->led, &i)) != NULL;)
		mem_free(slot->value);
	map_release(&m->led);
	map_release(&m->followed);
	snapshot_publish(&m->body, NULL);
	live_free(m->live);
	MAGIC_WIPE(m);
	mem_free(m);
}
