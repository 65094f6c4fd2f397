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
#define METRIC(id, name, type, help) METRIC_##id,
#include "api/manage_metrics.def"
#undef METRIC
};

static const struct {
	const char *name, *type, *help;
} metrics[] = {
#define METRIC(id, name, type, help) { name, type, help },
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
family(struct str *out, enum metric m)
{
	prom_family(out, metrics[m].name, metrics[m].type, metrics[m].help);
}

static void
one(struct str *out, enum metric m, const struct prom_label *labels, double value)
{
	family(out, m);
	prom_sample(out, metrics[m].name, labels, value);
}

static double
seconds(int64_t ns)
{
	return (double)ns / (double)NS_PER_S;
}

static void
tell_process(struct str *out)
{
	struct usage_self u;

	if (!usage_self(&u))
		return;
	one(out, METRIC_CPU, NULL, u.cpu_s);
	one(out, METRIC_RESIDENT, NULL, (double)u.resident_bytes);
	one(out, METRIC_VIRTUAL, NULL, (double)u.virtual_bytes);
	one(out, METRIC_FDS, NULL, (double)u.open_fds);
	one(out, METRIC_MAX_FDS, NULL, (double)u.max_fds);
	one(out, METRIC_STARTED, NULL, u.started_s);
}

static void
tell_bus(struct manage *m, struct str *out)
{
	int64_t rtt_ns = atomic_load(&m->rtt_ns);
	struct discovery_state s = discovery_state(m->discovery);

	one(out, METRIC_CONNECTED, NULL, conn_state(m->conn) == CONN_UP);
	one(out, METRIC_RECONNECTS, NULL, (double)conn_reconnects(m->conn));
	one(out, METRIC_RTT, NULL, rtt_ns > 0 ? seconds(rtt_ns) : NAN);
	one(out, METRIC_WATCH_AGE, NULL, seconds(s.age_ns));
	family(out, METRIC_RESYNCS);
	for (size_t i = 0; i < DISCOVERY_REASONS; i++)
		prom_sample(out, metrics[METRIC_RESYNCS].name,
		    (const struct prom_label[]){ { "reason", discovery_reasons[i] }, { NULL, NULL } }, (double)s.because[i]);
}

/* tell_counts: of one service, or of all beyond the bound. */
static void
tell_counts(const char *service, const uint64_t counts[3], struct str *out)
{
	for (int s = INSTANCE_ACTIVE; s <= INSTANCE_UNHEALTHY; s++)
		prom_sample(out, metrics[METRIC_INSTANCES].name, (const struct prom_label[]){
			{ "service", service }, { "status", instance_status_name((enum instance_status)s) }, { NULL, NULL },
		}, (double)counts[s]);
}

static void
tell_instances(struct manage *m, struct str *out)
{
	const struct directory *d = discovery_take(m->discovery);
	int64_t stale_ns = discovery_stale_ns(m->discovery);
	struct wall now = clock_wall(clock_system());
	uint64_t counts[3] = { 0 };

	family(out, METRIC_INSTANCES);
	for (size_t i = 0; d != NULL && i < d->n; i++) {
		const struct service_group *g = d->v[i];
		/* Those from SERVICES_MAX on are counted together, and told with the last of them. */
		if (i <= SERVICES_MAX)
			memset(counts, 0, sizeof counts);
		for (size_t k = 0; k < g->n; k++)
			if (instance_is_fresh(g->v[k]->instance, now, stale_ns))
				counts[g->v[k]->instance->status]++;
		if (i < SERVICES_MAX || i + 1 == d->n)
			tell_counts(i < SERVICES_MAX ? g->name : "_other", counts, out);
	}
	discovery_drop(d);
}

static void
tell_requests(struct manage *m, struct str *out)
{
	unsigned n = atomic_load(&m->meter->n);
	char code[8];

	family(out, METRIC_HTTP);
	for (unsigned i = 0; i < n; i++) {
		const struct series *s = &m->meter->v[i];
		if (hist_count(s->hist) == 0)
			continue;
		snprintf(code, sizeof code, "%d", s->status);
		prom_histogram(out, metrics[METRIC_HTTP].name, (const struct prom_label[]){
			{ "method", i == 0 ? "_other" : s->route != NULL ? s->route->method : "_none" },
			{ "route", i == 0 ? "_other" : s->route != NULL ? s->route->path : "_none" },
			{ "code", i == 0 ? "_other" : code }, { NULL, NULL },
		}, s->hist);
	}
}

/* labelled: one sample of a family with one label. */
static void
labelled(struct str *out, enum metric m, const char *label, const char *value, uint64_t n)
{
	prom_sample(out, metrics[m].name, (const struct prom_label[]){ { label, value }, { NULL, NULL } }, (double)n);
}

static void
tell_server(struct manage *m, struct str *out)
{
	struct web_counters c = web_counters(m->web);
	const struct mailbox *box = loop_mailbox(m->loop);
	const struct prom_label loop[] = { { "queue", "loop" }, { NULL, NULL } };

	one(out, METRIC_REFUSED, NULL, (double)c.refused);
	one(out, METRIC_MALFORMED, NULL, (double)c.malformed);
	one(out, METRIC_CONNECTIONS, NULL, c.connections);
	one(out, METRIC_IDLE, NULL, c.idle);
	family(out, METRIC_CLOSED);
	labelled(out, METRIC_CLOSED, "why", "crowded", c.crowded);
	labelled(out, METRIC_CLOSED, "why", "late", c.late);
	labelled(out, METRIC_CLOSED, "why", "insecure", c.insecure);
	one(out, METRIC_SSE, NULL, c.streams);
	one(out, METRIC_DEPTH, loop, (double)mailbox_depth(box));
	one(out, METRIC_DROPPED, loop, (double)mailbox_refused(box));
}

static void
tell_access(struct manage *m, struct str *out)
{
	struct auth_state s = auth_state(m->auth);
	struct audit_counters c = audit_counters(m->audit);

	one(out, METRIC_AUTH_AGE, NULL, s.age_ms >= 0 ? (double)s.age_ms / 1e3 : NAN);
	family(out, METRIC_AUTH_KNOWN);
	labelled(out, METRIC_AUTH_KNOWN, "kind", "token", s.tokens);
	labelled(out, METRIC_AUTH_KNOWN, "kind", "session", s.sessions);
	family(out, METRIC_AUTH_REFUSED);
	labelled(out, METRIC_AUTH_REFUSED, "reason", "invalid", s.refused);
	labelled(out, METRIC_AUTH_REFUSED, "reason", "throttled", s.throttled);
	one(out, METRIC_AUTH_RELISTED, NULL, (double)s.relisted);
	family(out, METRIC_AUDIT);
	labelled(out, METRIC_AUDIT, "result", "stored", c.written);
	labelled(out, METRIC_AUDIT, "result", "lost", c.failed);
}

enum err_code
manage_metrics(void *arg, struct web_request *r, struct err *err)
{
	struct manage *m = arg;
	struct str out = STR_INIT;

	(void)err;
	MAGIC_CHECK(m, MANAGE_MAGIC);
	one(&out, METRIC_BUILD, (const struct prom_label[]){ { "version", m->version }, { NULL, NULL } }, 1);
	tell_process(&out);
	tell_bus(m, &out);
	tell_instances(m, &out);
	tell_requests(m, &out);
	tell_server(m, &out);
	tell_access(m, &out);
	monitor_prom(m->monitor, &out, NULL);	/* a loop that is too busy to tell leaves its part out */
	one(&out, METRIC_LITTER, NULL, (double)janitor_removed(m->janitor));
	web_reply(r, 200, "text/plain; version=0.0.4; charset=utf-8", (struct text){ str_text(&out), out.len });
	str_release(&out);
	return ERR_OK;
}
