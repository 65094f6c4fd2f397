/* answers.c - questions from other threads.
 *
 * /api/metrics is asked for thousands of times a second, so its answer is a snapshot: the first question
 * after a quiet time has the loop make it, and as long as questions come the loop makes it anew by itself,
 * at most every 25 ms and only when something changed.  All other questions are rare, and asked of the loop. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "codec/prom.h"
#include "monitor/monitor_inner.h"

#define BUILD_EVERY_NS (25 * NS_PER_MS)
#define ASKED_NS (2 * NS_PER_S)		/* how long a question keeps the answer being made */

/* --- /api/metrics ------------------------------------------------------------------------- */

static void
body_free(struct snapshot *s)
{
	struct monitor_body *b = CONTAINER_OF(s, struct monitor_body, snapshot);

	str_release(&b->text);
	mem_free(b);
}

void
monitor_body_drop(const struct monitor_body *b)
{
	if (b != NULL)
		snapshot_drop((struct snapshot *)(uintptr_t)&b->snapshot);
}

/* add_instance: the record out of its card, and its metrics. */
static void
add_instance(struct monitor *m, const struct watched *w, struct str *out)
{
	char *key = mem_printf("%s/%s", w->entry->instance->service, w->entry->instance->id);
	struct hub_item *card = live_data(m->live, HUB_INSTANCES, key);

	mem_free(key);
	if (card == NULL)
		return;
	if (out->len > 1)
		str_putc(out, ',');
	str_add(out, card->data, w->record_n);
	str_puts(out, ",\"metrics\":");
	str_puts(out, w->metrics != NULL ? w->metrics : "null");
	str_putc(out, '}');
	hub_item_unref(card);
}

static struct monitor_body *
make_body(struct monitor *m, const char *service)
{
	struct monitor_body *b = mem_new(sizeof *b);
	const struct directory *dir = discovery_take(m->o.discovery);

	snapshot_init(&b->snapshot, body_free);
	b->version = atomic_load(&m->version);
	snprintf(b->etag, sizeof b->etag, "%s-%" PRIx64, m->boot, b->version);
	str_putc(&b->text, '[');
	/* In the order of the directory: by service, then by id. */
	for (size_t i = 0; dir != NULL && i < dir->n; i++) {
		const struct service_group *g = dir->v[i];
		if (service[0] != '\0' && strcmp(service, g->name) != 0)
			continue;
		for (size_t k = 0; k < g->n; k++) {
			const struct watched *w = monitor_find(m, g->name, g->v[k]->instance->id);
			if (w != NULL && w->entry != NULL && w->fresh)
				add_instance(m, w, &b->text);
		}
	}
	str_putc(&b->text, ']');
	discovery_drop(dir);
	return b;
}

static void
publish(struct monitor *m)
{
	struct monitor_body *b = make_body(m, "");

	m->built = monitor_mono(m);
	snapshot_publish(&m->body, &b->snapshot);
}

static void
build(void *arg)
{
	struct monitor *m = arg;
	struct snapshot *s = snapshot_take(&m->body);
	struct mono now = monitor_mono(m);

	if (mono_since(now, (struct mono){ atomic_load(&m->asked) }) > ASKED_NS) {
		snapshot_publish(&m->body, NULL);	/* nobody asks any more: a megabyte back */
	} else {
		if (s == NULL || CONTAINER_OF(s, struct monitor_body, snapshot)->version != atomic_load(&m->version))
			publish(m);
		loop_timer_set(m->o.loop, &m->build, mono_after(loop_now(m->o.loop), BUILD_EVERY_NS), build, m);
	}
	snapshot_drop(s);
}

struct metrics_ask {
	struct monitor *m;
	const char *service;
	struct monitor_body *out;
};

static void
on_metrics(void *arg)
{
	struct metrics_ask *a = arg;
	struct monitor *m = a->m;

	if (a->service[0] != '\0') {
		a->out = make_body(m, a->service);
		return;
	}
	publish(m);
	if (!loop_timer_pending(&m->build))
		loop_timer_set(m->o.loop, &m->build, mono_after(loop_now(m->o.loop), BUILD_EVERY_NS), build, m);
}

static const struct monitor_body *
current(struct monitor *m)
{
	struct snapshot *s = snapshot_take(&m->body);

	return s != NULL ? CONTAINER_OF(s, struct monitor_body, snapshot) : NULL;
}

enum err_code
monitor_metrics(struct monitor *m, const char *service, const struct monitor_body **out, struct err *err)
{
	struct metrics_ask a = { m, service, NULL };
	enum err_code code;

	MAGIC_CHECK(m, MONITOR_MAGIC);
	if (service[0] != '\0') {
		code = monitor_ask(m, on_metrics, &a, err);
		*out = a.out;
		return code;
	}
	atomic_store(&m->asked, clock_mono(clock_system()).ns);
	if ((*out = current(m)) != NULL)
		return ERR_OK;
	if ((code = monitor_ask(m, on_metrics, &a, err)) != ERR_OK)
		return code;
	if ((*out = current(m)) == NULL)
		return err_set(err, ERR_BUSY, "the answer was gone before it could be taken; ask again");
	return ERR_OK;
}

/* --- one instance ------------------------------------------------------------------------- */

struct instance_ask {
	struct monitor *m;
	const char *service, *id;
	struct str *out;
	void (*write)(struct monitor *m, const struct watched *w, struct str *out);
	bool found;
};

static void
on_instance(void *arg)
{
	struct instance_ask *a = arg;
	const struct watched *w = monitor_find(a->m, a->service, a->id);

	if (w != NULL && w->entry != NULL && strcmp(w->entry->instance->service, a->service) != 0)
		w = NULL;
	a->found = w != NULL;
	if (w != NULL)
		a->write(a->m, w, a->out);
}

static enum err_code
ask_instance(struct monitor *m, const char *service, const char *id,
    void (*write)(struct monitor *m, const struct watched *w, struct str *out), struct str *out, struct err *err)
{
	struct instance_ask a = { m, service, id, out, write, false };
	enum err_code code = monitor_ask(m, on_instance, &a, err);

	if (code == ERR_OK && !a.found)
		return err_set(err, ERR_INSTANCE_UNKNOWN, "no instance '%s' of '%s' is registered, or was in the last 15 minutes", id,
		    service);
	return code;
}

struct rows {
	struct str *out;
	bool any;
};

static void
add_row(void *arg, struct wall at, const struct figures *f)
{
	const struct figures gap = FIGURES_NONE;
	struct rows *r = arg;

	if (f == NULL)
		f = &gap;
	const float v[] = { f->calls_per_second, f->p50_ms, f->p90_ms, f->p99_ms, f->error_rate, f->queue_depth, f->in_flight };
	str_printf(r->out, "%s[%lld.%03lld", r->any ? "," : "", (long long)(at.ns / NS_PER_S),
	    (long long)(at.ns % NS_PER_S / NS_PER_MS));
	for (size_t i = 0; i < COUNT_OF(v); i++) {
		str_putc(r->out, ',');
		json_real(r->out, v[i]);
	}
	str_putc(r->out, ']');
	r->any = true;
}

static void
write_series(struct monitor *m, const struct watched *w, struct str *out)
{
	struct wall now = monitor_wall(m);
	struct rows r = { out, false };

	str_printf(out, "{\"step_seconds\":%d,\"from\":", SERIES_STEP_S);
	json_time(out, (struct wall){ now.ns - SERIES_SPAN_S * NS_PER_S });
	str_puts(out, ",\"to\":");
	json_time(out, now);
	str_puts(out, ",\"columns\":[\"t\",\"calls_per_second\",\"p50_ms\",\"p90_ms\",\"p99_ms\",\"error_rate\",\"queue_depth\","
	    "\"in_flight\"],\"rows\":[");
	series_each(w->series, now, add_row, &r);
	str_puts(out, "]}");
}

static void
state_name(struct str *out, const char *name)
{
	json_text(out, name[0] != '\0' ? name : NULL);
}

static void
write_events(struct monitor *m, const struct watched *w, struct str *out)
{
	(void)m;
	str_putc(out, '[');
	for (size_t i = 0; i < changes_count(w->changes); i++) {
		const struct change_note *c = changes_at(w->changes, i);
		str_puts(out, i > 0 ? ",{\"at\":" : "{\"at\":");
		json_time(out, c->at);
		str_printf(out, ",\"kind\":\"%s\",\"from\":", change_kind_name(c->kind));
		state_name(out, c->from);
		str_puts(out, ",\"to\":");
		state_name(out, c->to);
		str_printf(out, ",\"text\":\"%s\"}", change_kind_text(c->kind));
	}
	str_putc(out, ']');
}

enum err_code
monitor_series(struct monitor *m, const char *service, const char *instance, struct str *out, struct err *err)
{
	return ask_instance(m, service, instance, write_series, out, err);
}

enum err_code
monitor_events(struct monitor *m, const char *service, const char *instance, struct str *out, struct err *err)
{
	return ask_instance(m, service, instance, write_events, out, err);
}

/* --- lists -------------------------------------------------------------------------------- */

struct list_ask {
	struct monitor *m;
	const char *service;
	unsigned limit;
	uint64_t before, next;
	struct str *out;
};

static void
on_departed(void *arg)
{
	struct list_ask *a = arg;

	departed_list(a->m->departed, a->service, a->limit, a->before, &a->next, a->out);
}

enum err_code
monitor_departed(struct monitor *m, const char *service, unsigned limit, uint64_t before, uint64_t *next,
    struct str *out, struct err *err)
{
	struct list_ask a = { .m = m, .service = service, .limit = limit, .before = before, .out = out };
	enum err_code code = monitor_ask(m, on_departed, &a, err);

	*next = a.next;
	return code;
}

static void
on_overview(void *arg)
{
	struct list_ask *a = arg;

	overview_write(a->m, a->service, a->out);
}

enum err_code
monitor_overview(struct monitor *m, const char *service, struct str *out, struct err *err)
{
	struct list_ask a = { .m = m, .service = service, .out = out };

	return monitor_ask(m, on_overview, &a, err);
}

static void
on_micro(void *arg)
{
	struct list_ask *a = arg;

	foreign_json(a->m->foreign, a->out);
}

enum err_code
monitor_micro(struct monitor *m, struct str *out, struct err *err)
{
	struct list_ask a = { .m = m, .out = out };

	return monitor_ask(m, on_micro, &a, err);
}

/* --- /metrics ----------------------------------------------------------------------------- */

enum { HEARTBEATS, DROPPED, RESYNCS };

static const struct prom_family families[] = {
	[HEARTBEATS] = { "aegis_monitor_heartbeats_total", "counter",
	    "heartbeats of instances: heard, of these unreadable, dropped as too many, and of instances that are not registered" },
	[DROPPED] = { "aegis_sse_dropped_total", "counter", "states that a reader who was too slow got newer ones instead of" },
	[RESYNCS] = { "aegis_sse_resyncs_total", "counter", "readers who had to begin anew" },
};

static void
prom_beats(struct monitor *m, const struct prom *p)
{
	const struct { const char *result; unsigned long n; } rows[] = {
		{ "heard", atomic_load(&m->beats_heard) }, { "bad", atomic_load(&m->beats_bad) },
		{ "dropped", atomic_load(&m->beats_dropped) }, { "unknown", atomic_load(&m->beats_unknown) },
	};

	prom_family(p, HEARTBEATS);
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		prom_sample(p, HEARTBEATS, PROM_LABELS({ "result", rows[i].result }), (double)rows[i].n);
}

static void
prom_live(struct monitor *m, const struct prom *p)
{
	struct live_counters c = live_counters(m->live);

	prom_one(p, DROPPED, NULL, (double)c.lagged);
	prom_one(p, RESYNCS, NULL, (double)c.resyncs);
}

static void
on_prom(void *arg)
{
	struct list_ask *a = arg;
	const struct prom p = { a->out, families };

	prom_beats(a->m, &p);
	prom_live(a->m, &p);
	foreign_prom(a->m->foreign, a->out);
}

enum err_code
monitor_prom(struct monitor *m, struct str *out, struct err *err)
{
	struct list_ask a = { .m = m, .out = out };

	return monitor_ask(m, on_prom, &a, err);
}
