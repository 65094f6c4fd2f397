/* manage_metrics.c - GET /metrics of the management service (conventions.md §7).
 *
 * Durations are counted per route of the table and status: as many as there are rows, times the few
 * statuses that each answers, and a bound above all that.  A histogram is made when it is first needed. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "api/manage_inner.h"
#include "audit/audit.h"
#include "base/hist.h"
#include "base/magic.h"
#include "base/mem.h"
#include "codec/prom.h"
#include "discovery/discovery.h"
#include "messaging/janitor.h"
#include "nats/conn.h"
#include "monitor/monitor.h"
#include "sys/clock.h"
#include "sys/loop.h"
#include "sys/mailbox.h"
#include "sys/usage.h"

#define SERVICES_MAX 512
#define SERIES_MAX 192		/* 20 KB each, of those that are used */

enum metric {
#define METRIC(id, ...) METRIC_##id,
#include "api/manage_metrics.def"
#undef METRIC
};

static const struct prom_family families[] = {
#define METRIC(id, ...) { __VA_ARGS__ },
#include "api/manage_metrics.def"
#undef METRIC
};

/* --- counting requests ---------------------------------------------------------------------- */

/* One series, of those below n; it never changes. */
struct series {
	struct hist *hist;
	const struct web_route *route;	/* NULL: no route was for it */
	int status;			/* 0: all that found no place of their own */
};

struct manage_meter {
	pthread_mutex_t lock;		/* leaf: the taking of a place */
	atomic_uint n;			/* places taken */
	struct series v[SERIES_MAX];
};

struct manage_meter *
manage_meter_new(void)
{
	struct manage_meter *x = mem_new(sizeof *x);

	pthread_mutex_init(&x->lock, NULL);
	x->v[0].hist = hist_new();	/* the first is for what finds no place */
	x->n = 1;
	return x;
}

void
manage_meter_free(struct manage_meter *x)
{
	if (x == NULL)
		return;
	for (unsigned i = 0; i < x->n; i++)
		hist_free(x->v[i].hist);
	pthread_mutex_destroy(&x->lock);
	mem_free(x);
}

static struct series *
find(struct manage_meter *x, const struct web_route *route, int status)
{
	unsigned n = atomic_load(&x->n);

	for (unsigned i = 1; i < n; i++)
		if (x->v[i].route == route && x->v[i].status == status)
			return &x->v[i];
	return NULL;
}

static struct series *
take_place(struct manage_meter *x, const struct web_route *route, int status)
{
	pthread_mutex_lock(&x->lock);
	struct series *s = find(x, route, status);
	unsigned at = atomic_load(&x->n);
	if (s == NULL && at < SERIES_MAX) {
		s = &x->v[at];
		*s = (struct series){ hist_new(), route, status };
		atomic_store(&x->n, at + 1);
	}
	pthread_mutex_unlock(&x->lock);
	return s != NULL ? s : &x->v[0];
}

void
manage_done(void *arg, const struct web_route *route, int status, int64_t ns)
{
	struct manage *m = arg;

	if (m->meter == NULL || (route != NULL && route->kind == WEB_STREAMS))
		return;
	struct series *s = find(m->meter, route, status);
	hist_record((s != NULL ? s : take_place(m->meter, route, status))->hist, ns);
}

/* --- telling ------------------------------------------------------------------------------- */

static void
tell_process(const struct prom *p)
{
	struct usage_self u;

	if (!usage_self(&u))
		return;
	prom_one(p, METRIC_CPU, NULL, u.cpu_s);
	prom_one(p, METRIC_RESIDENT, NULL, (double)u.resident_bytes);
	prom_one(p, METRIC_VIRTUAL, NULL, (double)u.virtual_bytes);
	prom_one(p, METRIC_FDS, NULL, (double)u.open_fds);
	prom_one(p, METRIC_MAX_FDS, NULL, (double)u.max_fds);
	prom_one(p, METRIC_STARTED, NULL, u.started_s);
}

static void
tell_bus(struct manage *m, const struct prom *p)
{
	int64_t rtt_ns = atomic_load(&m->rtt_ns);
	struct discovery_state s = discovery_state(m->discovery);

	prom_one(p, METRIC_CONNECTED, NULL, conn_state(m->conn) == CONN_UP);
	prom_one(p, METRIC_RECONNECTS, NULL, (double)conn_reconnects(m->conn));
	prom_one(p, METRIC_RTT, NULL, rtt_ns > 0 ? ns_seconds(rtt_ns) : NAN);
	prom_one(p, METRIC_WATCH_AGE, NULL, ns_seconds(s.age_ns));
	prom_family(p, METRIC_RESYNCS);
	for (size_t i = 0; i < DISCOVERY_REASONS; i++)
		prom_sample(p, METRIC_RESYNCS, PROM_LABELS({ "reason", discovery_reasons[i] }), (double)s.because[i]);
}

/* tell_counts: of one service, or of all beyond the bound. */
static void
tell_counts(const char *service, const uint64_t counts[3], const struct prom *p)
{
	for (int s = INSTANCE_ACTIVE; s <= INSTANCE_UNHEALTHY; s++)
		prom_sample(p, METRIC_INSTANCES, PROM_LABELS({ "service", service },
		    { "status", instance_status_name((enum instance_status)s) }), (double)counts[s]);
}

static void
tell_instances(struct manage *m, const struct prom *p)
{
	const struct directory *d = discovery_take(m->discovery);
	int64_t stale_ns = discovery_stale_ns(m->discovery);
	struct wall now = clock_wall(clock_system());
	uint64_t counts[3] = { 0 };

	prom_family(p, METRIC_INSTANCES);
	for (size_t i = 0; d != NULL && i < d->n; i++) {
		const struct service_group *g = d->v[i];
		/* Those from SERVICES_MAX on are counted together, and told with the last of them. */
		if (i <= SERVICES_MAX)
			memset(counts, 0, sizeof counts);
		for (size_t k = 0; k < g->n; k++)
			if (instance_is_fresh(g->v[k]->instance, now, stale_ns))
				counts[g->v[k]->instance->status]++;
		if (i < SERVICES_MAX || i + 1 == d->n)
			tell_counts(i < SERVICES_MAX ? g->name : "_other", counts, p);
	}
	discovery_drop(d);
}

static void
tell_requests(struct manage *m, const struct prom *p)
{
	unsigned n = atomic_load(&m->meter->n);
	char code[8];

	prom_family(p, METRIC_HTTP);
	for (unsigned i = 0; i < n; i++) {
		const struct series *s = &m->meter->v[i];
		if (hist_count(s->hist) == 0)
			continue;
		snprintf(code, sizeof code, "%d", s->status);
		prom_histogram(p, METRIC_HTTP, PROM_LABELS(
		    { "method", i == 0 ? "_other" : s->route != NULL ? s->route->method : "_none" },
		    { "route", i == 0 ? "_other" : s->route != NULL ? s->route->path : "_none" },
		    { "code", i == 0 ? "_other" : code }), s->hist);
	}
}

static void
tell_server(struct manage *m, const struct prom *p)
{
	struct web_counters c = web_counters(m->web);
	const struct mailbox *box = loop_mailbox(m->loop);
	const struct prom_label *loop = PROM_LABELS({ "queue", "loop" });

	prom_one(p, METRIC_REFUSED, NULL, (double)c.refused);
	prom_one(p, METRIC_MALFORMED, NULL, (double)c.malformed);
	prom_one(p, METRIC_CONNECTIONS, NULL, c.connections);
	prom_one(p, METRIC_IDLE, NULL, c.idle);
	prom_family(p, METRIC_CLOSED);
	prom_sample(p, METRIC_CLOSED, PROM_LABELS({ "why", "crowded" }), (double)c.crowded);
	prom_sample(p, METRIC_CLOSED, PROM_LABELS({ "why", "late" }), (double)c.late);
	prom_sample(p, METRIC_CLOSED, PROM_LABELS({ "why", "insecure" }), (double)c.insecure);
	prom_one(p, METRIC_SSE, NULL, c.streams);
	prom_one(p, METRIC_DEPTH, loop, (double)mailbox_depth(box));
	prom_one(p, METRIC_DROPPED, loop, (double)mailbox_refused(box));
}

static void
tell_access(struct manage *m, const struct prom *p)
{
	struct auth_state s = auth_state(m->auth);
	struct audit_counters c = audit_counters(m->audit);

	prom_one(p, METRIC_AUTH_AGE, NULL, s.age_ms >= 0 ? (double)s.age_ms / 1e3 : NAN);
	prom_family(p, METRIC_AUTH_KNOWN);
	prom_sample(p, METRIC_AUTH_KNOWN, PROM_LABELS({ "kind", "token" }), (double)s.tokens);
	prom_sample(p, METRIC_AUTH_KNOWN, PROM_LABELS({ "kind", "session" }), (double)s.sessions);
	prom_family(p, METRIC_AUTH_REFUSED);
	prom_sample(p, METRIC_AUTH_REFUSED, PROM_LABELS({ "reason", "invalid" }), (double)s.refused);
	prom_sample(p, METRIC_AUTH_REFUSED, PROM_LABELS({ "reason", "throttled" }), (double)s.throttled);
	prom_one(p, METRIC_AUTH_RELISTED, NULL, (double)s.relisted);
	prom_family(p, METRIC_AUDIT);
	prom_sample(p, METRIC_AUDIT, PROM_LABELS({ "result", "stored" }), (double)c.written);
	prom_sample(p, METRIC_AUDIT, PROM_LABELS({ "result", "lost" }), (double)c.failed);
}

enum err_code
manage_metrics(void *arg, struct web_request *r, struct err *err)
{
	struct manage *m = arg;
	struct str out = STR_INIT;
	const struct prom p = { &out, families };

	(void)err;
	MAGIC_CHECK(m, MANAGE_MAGIC);
	prom_one(&p, METRIC_BUILD, PROM_LABELS({ "version", m->version }), 1);
	tell_process(&p);
	tell_bus(m, &p);
	tell_instances(m, &p);
	tell_requests(m, &p);
	tell_server(m, &p);
	tell_access(m, &p);
	monitor_prom(m->monitor, &out, NULL);	/* a loop that is too busy to tell leaves its part out */
	prom_one(&p, METRIC_LITTER, NULL, (double)janitor_removed(m->janitor));
	web_reply(r, 200, "text/plain; version=0.0.4; charset=utf-8", (struct text){ str_text(&out), out.len });
	str_release(&out);
	return ERR_OK;
}
