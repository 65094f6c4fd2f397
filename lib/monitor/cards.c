/* cards.c - states as JSON: made once for each change, whoever reads them.
 *
 * An instance's card is its record with what is known beyond that behind it, so that whoever asks for records can have
 * them out of the cards. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/wall.h"
#include "codec/codec.h"
#include "codec/record.h"
#include "monitor/monitor_inner.h"
#include "nats/conn.h"

#define TREND 60			/* p99 of so many beats stand on a card */

/* --- JSON --------------------------------------------------------------------------------- */

void
json_time(struct str *out, struct wall at)
{
	char when[WALL_TEXT_MAX];

	if (at.ns == 0) {
		str_puts(out, "null");
		return;
	}
	wall_rfc3339(at, when);
	str_printf(out, "\"%s\"", when);
}

/* json_real: as many digits as a person reads. */
void
json_real(struct str *out, double v)
{
	double a = fabs(v);

	if (!isfinite(v))
		str_puts(out, "null");
	else
		str_printf(out, "%.*f", a >= 1000 ? 0 : a >= 1 ? 2 : 4, v);
}

void
json_text(struct str *out, const char *text)
{
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_puts(&p, text);
	if (pack_end(&p, NULL) != ERR_OK)
		str_puts(out, "null");		/* a key that is no UTF-8 */
}

char *
card_key(const char *service, const char *name)
{
	return mem_printf("%s/%s", service, name);
}

/* --- instances ---------------------------------------------------------------------------- */

static bool
leads(struct monitor *m, const struct watched *w, struct leader *l)
{
	const struct instance *i = w->entry->instance;

	if (i->group == NULL)
		return false;
	leaders_get(m->leaders, i->service, i->group, l);
	return w->fresh && strcmp(l->instance, i->id) == 0;
}

void
card_put(struct monitor *m, struct watched *w, uint64_t revision, bool urgent)
{
	const struct instance *i = w->entry->instance;
	struct leader l = { .epoch = 0 };
	struct str data = STR_INIT;
	char *key = card_key(i->service, i->id);
	bool leader = leads(m, w, &l);
	uint64_t epoch = leader ? l.epoch : i->epoch;

	instance_encode(i, &data);
	data.p[--data.len] = '\0';
	w->record_n = data.len;
	str_printf(&data, ",\"revision\":%llu,\"stale\":%s,\"since\":", (unsigned long long)w->entry->revision,
	    w->fresh ? "false" : "true");
	json_time(&data, w->since);
	str_printf(&data, ",\"leader\":%s,\"epoch\":", leader ? "true" : "false");
	if (epoch > 0)
		str_printf(&data, "%llu}", (unsigned long long)epoch);
	else
		str_puts(&data, "null}");
	live_put(m->live, &(struct hub_state){
		.topic = HUB_INSTANCES, .event = "instance", .key = key, .service = i->service, .data = { data.p, data.len },
		.revision = revision, .own = !w->fresh || i->group != NULL,
	}, urgent);
	str_release(&data);
	mem_free(key);
}

void
card_gone(struct monitor *m, const struct instance *i, const char *cause, struct wall at, uint64_t revision)
{
	struct str data = STR_INIT;
	char *key = card_key(i->service, i->id);

	str_puts(&data, "{\"service\":");
	json_text(&data, i->service);
	str_puts(&data, ",\"instance\":");
	json_text(&data, i->id);
	str_printf(&data, ",\"cause\":\"%s\",\"at\":", cause);
	json_time(&data, at);
	str_putc(&data, '}');
	live_put(m->live, &(struct hub_state){
		.topic = HUB_INSTANCES, .event = "instance-gone", .key = key, .service = i->service,
		.data = { data.p, data.len }, .revision = revision, .own = revision == 0, .gone = true,
	}, true);
	live_forget(m->live, HUB_METRICS, key);
	str_release(&data);
	mem_free(key);
}

/* --- figures ------------------------------------------------------------------------------ */

struct trend {
	float v[SERIES_POINTS * 2];
	size_t n;
};

static void
add_trend(void *arg, struct wall at, const struct figures *f)
{
	struct trend *t = arg;

	(void)at;
	t->v[t->n++] = f != NULL ? f->p99_ms : NAN;
}

static void
field(struct str *out, const char *name, double v)
{
	str_printf(out, "%s\"%s\":", name[0] == 'c' ? "{" : ",", name);
	json_real(out, v);
}

static void
figures_write(struct str *out, const struct watched *w, struct wall now)
{
	const struct figures *f = &w->figures;
	struct trend t = { .n = 0 };

	field(out, "calls_per_second", f->calls_per_second);
	field(out, "p50_ms", f->p50_ms);
	field(out, "p99_ms", f->p99_ms);
	field(out, "error_rate", f->error_rate);
	field(out, "queue_depth", f->queue_depth);
	field(out, "in_flight", f->in_flight);
	field(out, "uptime_seconds", f->uptime_s);
	series_each(w->series, now, add_trend, &t);
	str_puts(out, ",\"trend\":[");
	for (size_t i = t.n > TREND ? t.n - TREND : 0, first = i; i < t.n; i++) {
		if (i > first)
			str_putc(out, ',');
		json_real(out, t.v[i]);
	}
	str_puts(out, "]}");
}

/* card_figures: a member of the map that an event of figures is, with its name in front. */
void
card_figures(struct monitor *m, struct watched *w)
{
	const struct instance *i = w->entry->instance;
	struct str data = STR_INIT;
	char *key = card_key(i->service, i->id);

	json_text(&data, key);
	str_putc(&data, ':');
	figures_write(&data, w, monitor_wall(m));
	w->beaten = false;
	live_put(m->live, &(struct hub_state){
		.topic = HUB_METRICS, .event = "metrics", .key = key, .service = i->service, .data = { data.p, data.len },
		.own = true,
	}, false);
	str_release(&data);
	mem_free(key);
}

/* --- overview ----------------------------------------------------------------------------- */

struct tally {
	size_t services, instances, active, standby, unhealthy, stale, leaders, leaderless;
};

static bool
is_of(const char *service, const char *one)
{
	return service[0] == '\0' || strcmp(service, one) == 0;
}

static void
count_instances(struct monitor *m, const char *service, struct tally *t)
{
	const struct map_slot *slot;

	for (size_t i = 0; (slot = map_next(&m->watched, &i)) != NULL;) {
		const struct watched *w = slot->value;
		if (w->entry == NULL || !is_of(service, w->entry->instance->service))
			continue;
		t->instances++;
		if (!w->fresh)
			t->stale++;
		else
			switch (w->entry->instance->status) {
			case INSTANCE_ACTIVE: t->active++; break;
			case INSTANCE_STANDBY: t->standby++; break;
			case INSTANCE_UNHEALTHY: t->unhealthy++; break;
			}
	}
	for (size_t i = 0; (slot = map_next(&m->led, &i)) != NULL;) {
		const struct led *e = slot->value;
		size_t n = strcspn(slot->key, "/");
		if (service[0] != '\0' && (strlen(service) != n || strncmp(service, slot->key, n) != 0))
			continue;
		/* One without members in the registry is a group of `aegis elect`, or of the past. */
		if (e->instance[0] != '\0' || e->members > 0)
			*(e->instance[0] != '\0' ? &t->leaders : &t->leaderless) += 1;
	}
}

/* count_services: those with a definition or an instance. */
static size_t
count_services(struct monitor *m, const char *service)
{
	const struct directory *dir = discovery_take(m->o.discovery);
	size_t n = 0;

	if (dir == NULL)
		return 0;
	if (service[0] != '\0') {
		n = directory_find(dir, service) != NULL || directory_defined(dir, service) != NULL;
	} else {
		n = dir->n;
		for (size_t i = 0; i < dir->ndefined; i++)
			n += directory_find(dir, dir->defined[i]->name) == NULL;
	}
	discovery_drop(dir);
	return n;
}

static void
sentence(struct str *out, bool *first, const char *text)
{
	if (!*first)
		str_putc(out, ',');
	*first = false;
	json_text(out, text);
}

static void
write_degraded(struct monitor *m, bool connected, struct str *out)
{
	struct discovery_state s = discovery_state(m->o.discovery);
	const char *trouble;
	bool first = true;

	str_putc(out, '[');
	if (!connected)
		sentence(out, &first, "NATS is not connected; what is shown is what was known last");
	else if (!s.synced)
		sentence(out, &first, "the registry is not followed right now; what is shown is what was known last");
	if (atomic_load(&m->beats_dropped) > 0)
		sentence(out, &first, "heartbeats came faster than they could be read; figures have gaps");
	/* Without NATS all the rest follows. */
	for (size_t i = 0; connected && m->o.trouble != NULL && (trouble = m->o.trouble(m->o.arg, i)) != NULL; i++)
		sentence(out, &first, trouble);
	str_putc(out, ']');
}

static void
write_counts(struct monitor *m, const char *service, struct str *out)
{
	struct tally t = { .services = count_services(m, service) };
	bool connected = conn_state(m->o.conn) == CONN_UP;
	int64_t rtt = connected && m->o.rtt_ns != NULL ? m->o.rtt_ns(m->o.arg) : -1;

	count_instances(m, service, &t);
	str_printf(out, "{\"services\":%zu,\"instances\":%zu,\"active\":%zu,\"standby\":%zu,\"unhealthy\":%zu,\"stale\":%zu,"
	    "\"leaders\":%zu,\"leaderless\":%zu,\"nats\":{\"connected\":%s,\"rtt_ms\":", t.services, t.instances, t.active, t.standby,
	    t.unhealthy, t.stale, t.leaders, t.leaderless, connected ? "true" : "false");
	json_real(out, rtt >= 0 ? (double)rtt / 1e6 : NAN);
	str_puts(out, ",\"server\":");
	json_text(out, conn_servers(m->o.conn));
	str_puts(out, "},\"degraded\":");
	write_degraded(m, connected, out);
}

void
overview_write(struct monitor *m, const char *service, struct str *out)
{
	write_counts(m, service, out);
	str_puts(out, ",\"as_of\":");
	json_time(out, monitor_wall(m));
	str_putc(out, '}');
}

/* cards_overview: put when more changed than the time and the length of a round trip, which always do. */
void
cards_overview(struct monitor *m)
{
	struct str data = STR_INIT;
	const char *tail;

	overview_write(m, "", &data);
	tail = strstr(data.p, ",\"rtt_ms\"");
	MUST(tail != NULL);
	struct hub_item *old = live_data(m->live, HUB_OVERVIEW, "");
	const char *degraded = strstr(data.p, "\"degraded\":"), *then = old != NULL ? strstr(old->data, "\"degraded\":") : NULL;
	size_t n = (size_t)(tail - data.p), k = strcspn(degraded, "]");
	bool same = old != NULL && strncmp(old->data, data.p, n) == 0 && then != NULL && strncmp(then, degraded, k + 1) == 0;
	if (!same)
		live_put(m->live, &(struct hub_state){
			.topic = HUB_OVERVIEW, .event = "overview", .key = "", .data = { data.p, data.len }, .own = true,
		}, true);
	hub_item_unref(old);
	str_release(&data);
}
