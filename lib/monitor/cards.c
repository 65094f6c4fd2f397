/* cards.c - states as JSON: made once for each change, whoever reads them.
 *
 * Groups are made anew from their members whenever one of them changed its part, and put only where the
 * text differs: there are few, and a difference is easier to trust than a list of causes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
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

static char *
place_of(const char *service, const char *name)
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
	char *key = place_of(i->service, i->id);
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
	char *key = place_of(i->service, i->id);

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
	char *key = place_of(i->service, i->id);

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

/* --- groups ------------------------------------------------------------------------------- */

struct part {
	struct watched *w;
	const struct instance *i;
};

static int
by_group(const void *a, const void *b)
{
	const struct instance *x = ((const struct part *)a)->i, *y = ((const struct part *)b)->i;
	int order = strcmp(x->service, y->service);

	if (order == 0)
		order = strcmp(x->group, y->group);
	return order != 0 ? order : strcmp(x->id, y->id);
}

/* members: all that belong to a group, group by group. */
static struct part *
members(struct monitor *m, size_t *n)
{
	struct part *v = NULL;
	const struct map_slot *slot;
	size_t cap = 0;

	*n = 0;
	for (size_t i = 0; (slot = map_next(&m->watched, &i)) != NULL;) {
		struct watched *w = slot->value;
		if (w->entry == NULL || w->entry->instance->group == NULL)
			continue;
		mem_grow(&v, &cap, *n + 1, sizeof *v);
		v[(*n)++] = (struct part){ w, w->entry->instance };
	}
	if (*n > 1)
		qsort(v, *n, sizeof *v, by_group);
	return v;
}

/* since_of: when this lead began: as the leader's record says, else when it was first seen. */
static struct wall
since_of(const struct instance *i, uint64_t epoch, struct wall now)
{
	struct value v;
	struct text t;
	struct wall at;

	if (i->epoch == epoch && codec_parse(codec_mine(), (struct data){ DATA_JSON, i->metadata, strlen(i->metadata) }, &v, NULL) ==
	    ERR_OK && value_text(value_field(&v, "since"), &t) && wall_parse(t.p, t.n, &at))
		return at;
	return now;
}

static struct led *
led_of(struct monitor *m, const char *key, const struct leader *l, const struct instance *leader)
{
	struct led *e = map_get(&m->led, key);

	if (e == NULL) {
		e = mem_new(sizeof *e);
		map_set(&m->led, key, e);
	}
	e->seen = true;
	e->told = false;
	if (leader == NULL) {
		e->instance[0] = '\0';
		e->epoch = 0;
	} else if (e->epoch != l->epoch || strcmp(e->instance, leader->id) != 0) {
		snprintf(e->instance, sizeof e->instance, "%s", leader->id);
		e->epoch = l->epoch;
		e->since = since_of(leader, l->epoch, monitor_wall(m));
	}
	return e;
}

static void
group_write(struct str *out, const struct part *v, size_t n, const struct led *led)
{
	str_puts(out, "{\"service\":");
	json_text(out, v[0].i->service);
	str_puts(out, ",\"group\":");
	json_text(out, v[0].i->group);
	str_puts(out, ",\"leader\":");
	if (led->instance[0] == '\0') {
		str_puts(out, "null");
	} else {
		str_puts(out, "{\"instance\":");
		json_text(out, led->instance);
		str_printf(out, ",\"epoch\":%llu,\"since\":", (unsigned long long)led->epoch);
		json_time(out, led->since);
		str_putc(out, '}');
	}
	str_puts(out, ",\"obstacle\":null,\"warnings\":[],\"profile\":null,\"lease_ms\":null,\"members\":[");
	for (size_t i = 0; i < n; i++) {
		const char *part = strcmp(led->instance, v[i].i->id) == 0 ? "leader" : v[i].i->sticky == STICKY_ELECTING ? "electing" :
		    "standby";
		str_puts(out, i > 0 ? ",{\"instance\":" : "{\"instance\":");
		json_text(out, v[i].i->id);
		str_printf(out, ",\"role\":\"%s\",\"status\":\"%s\",\"stale\":%s}", part, instance_status_name(v[i].i->status),
		    v[i].w->fresh ? "false" : "true");
	}
	str_puts(out, "]}");
}

/* put_changed: only when it says something else than before. */
static bool
put_changed(struct monitor *m, enum hub_topic topic, const char *event, const char *key, const char *service, const struct str *data)
{
	struct hub_item *old = live_data(m->live, topic, key);
	bool differs = old == NULL || strcmp(old->data, str_text(data)) != 0;

	hub_item_unref(old);
	if (differs)
		live_put(m->live, &(struct hub_state){
			.topic = topic, .event = event, .key = key, .service = service, .data = { str_text(data), data->len }, .own = true,
		}, true);
	return differs;
}

/* lead_of: who leads, by records and beats; the cards of all members are told anew when that changed. */
static struct led *
lead_of(struct monitor *m, const char *key, const struct part *v, size_t n)
{
	const struct led *known = map_get(&m->led, key);
	uint64_t epoch = known != NULL ? known->epoch : 0;
	const struct instance *leader = NULL;
	struct leader l;

	leaders_get(m->leaders, v[0].i->service, v[0].i->group, &l);
	for (size_t i = 0; i < n; i++)
		if (v[i].w->fresh && l.instance[0] != '\0' && strcmp(l.instance, v[i].i->id) == 0)
			leader = v[i].i;
	struct led *e = led_of(m, key, &l, leader);
	e->members = n;
	for (size_t i = 0; e->epoch != epoch && i < n; i++)
		card_put(m, v[i].w, 0, true);
	return e;
}

static void
group_put(struct monitor *m, const struct part *v, size_t n)
{
	char *key = place_of(v[0].i->service, v[0].i->group);
	struct led *e = map_get(&m->led, key);
	struct str data = STR_INIT;

	if (e != NULL && !e->told) {
		group_write(&data, v, n, e);
		put_changed(m, HUB_GROUPS, "group", key, v[0].i->service, &data);
		str_release(&data);
	}
	mem_free(key);
}

/* on_told: a group that somebody knows more of, with members or without. */
static void
on_told(void *to, const char *service, const char *group, const struct str *json)
{
	struct monitor *m = to;
	char *key = place_of(service, group);
	struct led *e = map_get(&m->led, key);

	if (e == NULL) {
		e = mem_new(sizeof *e);
		map_set(&m->led, key, e);
	}
	if (!e->seen) {		/* no member of it is in the registry */
		e->members = 0;
		e->instance[0] = '\0';
	}
	e->seen = e->told = true;
	put_changed(m, HUB_GROUPS, "group", key, service, json);
	mem_free(key);
}

/* group_gone: nobody belongs to it any more. */
static void
group_gone(struct monitor *m, const char *key)
{
	const char *slash = strchr(key, '/');
	char *service = mem_text_n(key, (size_t)(slash - key));
	struct str data = STR_INIT;

	str_puts(&data, "{\"service\":");
	json_text(&data, service);
	str_puts(&data, ",\"group\":");
	json_text(&data, slash + 1);
	str_puts(&data, ",\"deleted\":true}");
	live_put(m->live, &(struct hub_state){
		.topic = HUB_GROUPS, .event = "group", .key = key, .service = service, .data = { data.p, data.len },
		.own = true, .gone = true,
	}, true);
	str_release(&data);
	mem_free(service);
}

static void
sweep_groups(struct monitor *m)
{
	const struct map_slot *slot;

	for (size_t i = 0; (slot = map_next(&m->led, &i)) != NULL;) {
		struct led *e = slot->value;
		if (e->seen) {
			e->seen = false;
			continue;
		}
		char *key = mem_text(slot->key);
		group_gone(m, key);
		map_remove(&m->led, key);
		mem_free(e);
		mem_free(key);
	}
}

/* end_of: where the group that begins at i ends. */
static size_t
end_of(const struct part *v, size_t n, size_t i)
{
	size_t end = i + 1;

	while (end < n && strcmp(v[i].i->service, v[end].i->service) == 0 && strcmp(v[i].i->group, v[end].i->group) == 0)
		end++;
	return end;
}

void
cards_groups(struct monitor *m)
{
	const struct directory *dir = discovery_take(m->o.discovery);
	size_t n;
	struct part *v = members(m, &n);

	m->groups_dirty = false;
	for (size_t i = 0, end; i < n; i = end) {
		end = end_of(v, n, i);
		leaders_read(m->leaders, directory_find(dir, v[i].i->service), dir != NULL ? dir->version : 0);
		char *key = place_of(v[i].i->service, v[i].i->group);
		lead_of(m, key, v + i, end - i);
		mem_free(key);
	}
	if (m->o.groups != NULL)
		m->o.groups(m->o.arg, on_told, m);
	for (size_t i = 0, end; i < n; i = end) {
		end = end_of(v, n, i);
		group_put(m, v + i, end - i);
	}
	sweep_groups(m);
	mem_free(v);
	discovery_drop(dir);
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
