/* registry_watch.c - `aegis registry watch`: the difference between two pictures, as it happens.
 *
 * The feed tells everything again after each interruption and every heartbeat in between;
 * this file keeps what was told last and prints only what differs.  Expiry is judged here
 * by age, because no message announces it.  The feed's thread and the main thread, which
 * looks for what expired once a second, share the table under one lock. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/wall.h"
#include "model/names.h"
#include "registry.h"
#include "registry/feed.h"
#include "sys/clock.h"

#define LOOK_S 1			/* how often expiry is looked for; thresholds are whole seconds */
#define READER_LEFT SIGUSR1		/* to ourselves; none that a user ends us with */

static const int ends[] = { SIGINT, SIGTERM, SIGHUP };

struct watch_opts {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	const char *service;
	bool definitions, instances, heartbeats;
	int64_t stale_ns;
};

static const struct opt watch_rows[] = {
	OPT_TEXT(struct watch_opts, service, "service", 0, "SERVICE", "follow what belongs to this service only"),
	OPT_FLAG(struct watch_opts, definitions, "definitions", 0, "follow definitions only"),
	OPT_FLAG(struct watch_opts, instances, "instances", 0, "follow instances only"),
	OPT_FLAG(struct watch_opts, heartbeats, "heartbeats", 0, "tell every heartbeat as an update"),
	STALE_ROW(struct watch_opts),
	OPTS_END
};

const struct cmd_form registry_watch_form = {
	sizeof(struct watch_opts),
	{
		{ "Options", "registry", watch_rows, 0 },
		FORM_OUTPUT(struct watch_opts),
		FORM_NATS(struct watch_opts),
		FORM_CLIENT_LOG(struct watch_opts),
		FORM_GENERAL(struct watch_opts),
	},
};

static const struct out_column watch_columns[] = {
	{ .name = "AT", .width = 24 }, { .name = "EVENT", .width = 6 }, { .name = "SERVICE", .width = 20 },
	{ .name = "INSTANCE", .width = 28 }, { .name = "STATUS", .width = 9 }, { .name = "ABOUT" },
};

/* What was told last of one key. */
struct known {
	struct instance *instance;	/* NULL: a definition */
	char *service, *json;		/* json: of the definition */
	uint64_t revision;
	bool told;			/* printed as there; a stale instance is known but not told */
	bool seen;			/* named since the last SYNC_BEGIN */
};

struct watching {
	struct cmd *c;
	const struct watch_opts *o;
	pthread_mutex_t lock;		/* leaf: the map and the output */
	struct map map;			/* key to struct known */
	bool synced_once;
};

static void
known_free(struct known *k)
{
	instance_free(k->instance);
	mem_free(k->service);
	mem_free(k->json);
	mem_free(k);
}

/* line: one row.  json is the record, or "" when there is none; more stands behind it. */
static void
line(struct watching *w, const char *event, const struct known *k, const char *about)
{
	const struct instance *i = k != NULL ? k->instance : NULL;
	char at[WALL_TEXT_MAX];
	struct str json = STR_INIT, rest = STR_INIT;

	wall_rfc3339(clock_wall(clock_system()), at);
	char *more = mem_printf(",\"event\":\"%s\",\"at\":\"%s\",\"kind\":\"%s\"%s%s%s", event, at,
	    i != NULL ? "instance" : "definition", about[0] != '\0' ? ",\"reason\":\"" : "", about,
	    about[0] != '\0' ? "\"" : "");
	if (k == NULL) {
		str_printf(&json, "{\"event\":\"%s\",\"at\":\"%s\",\"reason\":\"%s\"}", event, at, about);
	} else {
		cmd_registry_rest(k->revision, more, &rest);
		if (i != NULL)
			cmd_registry_instance_json(i, str_text(&rest), &json);
		else
			str_printf(&json, "%.*s%s}", (int)strlen(k->json) - 1, k->json, str_text(&rest));
	}
	enum out_tone tone = strcmp(event, "remove") == 0 ? OUT_BAD : strcmp(event, "add") == 0 ? OUT_GOOD : OUT_PLAIN;
	out_row(w->c->out, (const struct out_cell[]){ { at, OUT_DIM }, { event, tone },
	    { k != NULL ? k->service : NULL, OUT_PLAIN }, { i != NULL ? i->id : NULL, OUT_PLAIN },
	    { i != NULL ? instance_status_name(i->status) : k != NULL ? "defined" : NULL,
		i != NULL ? cmd_registry_tone(i->status, true) : OUT_PLAIN },
	    { about[0] != '\0' ? about : i != NULL ? i->version : "", OUT_PLAIN } }, str_text(&json));
	/* Whoever read this left: the main thread waits for a signal, so it gets one. */
	if (out_flush(w->c->out, NULL) != ERR_OK)
		kill(getpid(), READER_LEFT);
	mem_free(more);
	str_release(&json);
	str_release(&rest);
}

static bool
wanted(const struct watching *w, bool definition, const char *service)
{
	if (w->o->definitions != w->o->instances && definition != w->o->definitions)
		return false;
	return w->o->service == NULL || strcmp(w->o->service, service) == 0;
}

static struct known *
known_of(struct watching *w, const char *key, const char *service)
{
	struct known *k = map_get(&w->map, key);

	if (k == NULL) {
		k = mem_new(sizeof *k);
		k->service = mem_text(service);
		map_set(&w->map, key, k);
	}
	k->seen = true;
	return k;
}

static bool
same_but_heartbeat(const struct instance *a, const struct instance *b)
{
	return a != NULL && a->status == b->status && a->sticky == b->sticky && a->epoch == b->epoch &&
	    strcmp(a->version, b->version) == 0 && strcmp(a->metadata, b->metadata) == 0 &&
	    (a->group == NULL) == (b->group == NULL) && (a->group == NULL || strcmp(a->group, b->group) == 0);
}

static void
on_instance(struct watching *w, const struct feed_event *ev)
{
	struct instance *i = ev->instance;

	if (!wanted(w, false, i->service)) {
		instance_free(i);
		return;
	}
	struct known *k = known_of(w, ev->key, i->service);
	bool fresh = instance_is_fresh(i, clock_wall(clock_system()), w->o->stale_ns);
	bool same = same_but_heartbeat(k->instance, i) && !(w->o->heartbeats && k->revision != ev->revision);
	instance_free(k->instance);
	k->instance = i;
	k->revision = ev->revision;
	if (!fresh)		/* if it was told, the next look tells that it expired */
		return;
	if (!k->told)
		line(w, "add", k, "");
	else if (!same)
		line(w, "update", k, "");
	k->told = true;
}

static void
on_definition(struct watching *w, const struct feed_event *ev)
{
	struct str json = STR_INIT;

	if (!wanted(w, true, ev->definition->service))
		return;
	struct known *k = known_of(w, ev->key, ev->definition->service);
	if (k->told && k->revision == ev->revision)
		return;
	cmd_registry_definition_json(ev->definition, "", &json);
	mem_free(k->json);
	k->json = str_steal(&json);
	k->revision = ev->revision;
	line(w, k->told ? "update" : "add", k, "");
	k->told = true;
}

static void
forget(struct watching *w, const char *key, const char *why)
{
	struct known *k = map_remove(&w->map, key);

	if (k == NULL)
		return;
	if (k->told)
		line(w, "remove", k, why);
	known_free(k);
}

static void
sync_begin(struct watching *w, const char *reason)
{
	size_t at = 0;
	const struct map_slot *slot;

	while ((slot = map_next(&w->map, &at)) != NULL)
		((struct known *)slot->value)->seen = false;
	if (w->synced_once)
		line(w, "resync", NULL, reason);
}

static void
sync_end(struct watching *w)
{
	size_t at = 0;
	const struct map_slot *slot;

	while ((slot = map_next(&w->map, &at)) != NULL) {
		if (((struct known *)slot->value)->seen)
			continue;
		char *key = mem_text(slot->key);
		forget(w, key, "gone");
		mem_free(key);
	}
	w->synced_once = true;
}

static void
on_feed(void *arg, struct feed_event *ev)
{
	struct watching *w = arg;

	pthread_mutex_lock(&w->lock);
	switch (ev->what) {
	case FEED_SYNC_BEGIN:
		sync_begin(w, ev->reason);
		break;
	case FEED_INSTANCE:
		on_instance(w, ev);
		break;
	case FEED_DEFINITION:
		on_definition(w, ev);
		definition_free(ev->definition);
		break;
	case FEED_GONE:
		forget(w, ev->key, "gone");
		break;
	case FEED_SYNC_END:
		sync_end(w);
		break;
	case FEED_LOST:
		out_note(w->c->out, "aegis registry watch: the connection is lost; what follows waits until it is back");
		break;
	}
	pthread_mutex_unlock(&w->lock);
}

/* look: tells what was not refreshed in time.  It stays known, so that its return is an
 * addition.  False when nobody reads any more. */
static bool
look(struct watching *w)
{
	struct wall now = clock_wall(clock_system());
	const struct map_slot *slot;
	bool left;
	size_t at = 0;

	/* The feed's thread may wait for our reader, who may never read on: a signal must still
	 * be heard, so this look is left out. */
	if (pthread_mutex_trylock(&w->lock) != 0)
		return true;
	while ((slot = map_next(&w->map, &at)) != NULL) {
		struct known *k = slot->value;
		if (k->instance == NULL || !k->told || instance_is_fresh(k->instance, now, w->o->stale_ns))
			continue;
		line(w, "remove", k, "expired");
		k->told = false;
	}
	left = out_look(w->c->out);
	pthread_mutex_unlock(&w->lock);
	return !left;
}

/* block_ends: what ends a watch, kept from every thread that is made later. */
static void
block_ends(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < COUNT_OF(ends); i++)
		sigaddset(set, ends[i]);
	sigaddset(set, READER_LEFT);
	pthread_sigmask(SIG_BLOCK, set, NULL);
}

/* wait_for_end: from its return on, the next signal ends the process: what remains to be
 * done may wait for a server, or for a reader that does not read. */
static void
wait_for_end(struct watching *w, sigset_t *set)
{
	struct timespec second = { .tv_sec = LOOK_S };

	while (sigtimedwait(set, NULL, &second) < 0 && look(w))
		;
	for (size_t i = 0; i < COUNT_OF(ends); i++)
		signal(ends[i], SIG_DFL);
	sigdelset(set, READER_LEFT);
	pthread_sigmask(SIG_UNBLOCK, set, NULL);
}

enum err_code
cmd_registry_watch_run(struct cmd *c, struct err *err)
{
	struct watching w = { .c = c, .o = c->opts, .lock = PTHREAD_MUTEX_INITIALIZER };
	const struct map_slot *slot;
	struct conn *conn;
	struct feed *feed;
	enum err_code code;
	sigset_t set;
	size_t at = 0;

	block_ends(&set);
	if (w.o->service != NULL && (code = name_check(NAME_SERVICE_CALLED, w.o->service, err)) != ERR_OK)
		return code;
	/* Looks at the bucket once, so that what will never work is said now. */
	struct registry *r = cmd_registry_open(c, false, &conn, err);
	if (r == NULL)
		return err->code;
	registry_free(r);
	map_init(&w.map);
	out_watch(c->out, watch_columns, COUNT_OF(watch_columns));
	if ((feed = feed_new(conn, on_feed, &w, err)) == NULL) {
		code = err->code;
		goto err0;
	}
	wait_for_end(&w, &set);
	feed_free(feed);
	code = ERR_OK;
err0:
	while ((slot = map_next(&w.map, &at)) != NULL)
		known_free(slot->value);
	map_release(&w.map);
	conn_free(conn);
	pthread_mutex_destroy(&w.lock);
	return code;
}
