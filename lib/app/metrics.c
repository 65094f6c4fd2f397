/* metrics.c - what Prometheus is told: names, types and help from the table, figures from the
 * elector's snapshot and counters, on a thread of the web server; what only the loop may ask the runner
 * it counts once a second. */
#include "app/metrics.h"

#include <ctype.h>
#include <math.h>
#include <stdatomic.h>

#include "app/central.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/prom.h"
#include "election/elector.h"
#include "http/server.h"
#include "messaging/exclusive.h"
#include "nats/conn.h"
#include "sys/loop.h"

#define FIGURES_NS NS_PER_S

struct metrics {
	struct metrics_opts o;
	struct web_server *web;
	struct loop_timer figures;
	_Atomic bool up, healthy;
	_Atomic uint64_t restarts, reaped;
};

enum metric {
#define METRIC(id, ...) METRIC_##id,
#include "app/metrics.def"
#undef METRIC
};

static const struct prom_family families[] = {
#define METRIC(id, ...) { __VA_ARGS__ },
#include "app/metrics.def"
#undef METRIC
};

/* register_name: the bucket of register i of n (election.md §3). */
static const char *
register_name(unsigned n, unsigned i)
{
	static const char *const names[] = { "AEGIS_L0", "AEGIS_L1", "AEGIS_L2", "AEGIS_L3" };

	return names[n == 1 ? 0 : i + 1];
}

/* lower: the names of reasons and alarms are words of the code. */
static const char *
lower(const char *text, char *buf, size_t n)
{
	size_t i = 0;

	for (; text[i] != '\0' && i + 1 < n; i++)
		buf[i] = (char)tolower((unsigned char)text[i]);
	buf[i] = '\0';
	return buf;
}

static void
tell_lease(const struct metrics *m, const struct elector_status *s, const struct prom *p)
{
	const struct prom_label *group = PROM_LABELS({ "election", m->o.election });
	/* The gate says it to the moment; the picture may be half a second old, which is two leases. */
	uint64_t bits = atomic_load(elector_gate(m->o.elector)->word);
	struct boot now = clock_boot(clock_system());
	bool leads = gate_open_at(bits, now), granted = s->grant.ns != BOOT_LONG_AGO.ns;
	int64_t left = leads ? gate_until(bits).ns - now.ns : 0;

	prom_one(p, METRIC_LEADER, group, leads);
	prom_one(p, METRIC_EPOCH, group, (double)s->role.epoch);
	prom_one(p, METRIC_REMAINING, group, ns_seconds(left));
	prom_one(p, METRIC_QUORUM_AGE, group, leads && granted ? ns_seconds(s->until.ns - s->grant.ns - left) : NAN);
}

static void
tell_registers(const struct metrics *m, const struct elector_status *s, const struct prom *p)
{
	const struct elector_counters *c = elector_counters(m->o.elector);

	prom_family(p, METRIC_REGISTER_UP);
	for (unsigned i = 0; i < s->n; i++)
		prom_sample(p, METRIC_REGISTER_UP, PROM_LABELS({ "register", register_name(s->n, i) }), s->reg[i].up);
	prom_family(p, METRIC_RENEW);
	for (unsigned i = 0; i < s->n; i++)
		prom_histogram(p, METRIC_RENEW, PROM_LABELS({ "register", register_name(s->n, i) }), c->renew[i]);
}

static void
tell_counters(const struct metrics *m, const struct prom *p)
{
	static const char *const threads[ELECTOR_THREADS] = { [ELECTOR_LOOP] = "loop", [ELECTOR_LINKS] = "links" };
	const struct elector_counters *c = elector_counters(m->o.elector);
	char word[32];

	prom_family(p, METRIC_TRANSITIONS);
	for (int r = LEASE_BY_NONE + 1; r < LEASE_REASON_COUNT; r++)
		prom_sample(p, METRIC_TRANSITIONS, PROM_LABELS({ "election", m->o.election },
		    { "reason", lower(lease_reason_name((enum lease_reason)r), word, sizeof word) }),
		    (double)atomic_load(&c->transitions[r]));
	prom_family(p, METRIC_ALARMS);
	for (int a = 0; a < LEASE_ALARM_COUNT; a++)
		prom_sample(p, METRIC_ALARMS, PROM_LABELS({ "election", m->o.election },
		    { "alarm", lower(lease_alarm_name((enum lease_alarm)a), word, sizeof word) }),
		    (double)atomic_load(&c->alarms[a]));
	prom_family(p, METRIC_FAILOVER);
	prom_histogram(p, METRIC_FAILOVER, NULL, c->failover);
	prom_family(p, METRIC_URGENCY);
	for (int t = 0; t < ELECTOR_THREADS; t++)
		prom_sample(p, METRIC_URGENCY, PROM_LABELS({ "thread", threads[t] }), (double)atomic_load(&c->urgency[t]));
	prom_one(p, METRIC_FENCES, NULL, (double)atomic_load(&c->fence_rejects));
}

static void
tell_calls(const struct metrics *m, const struct prom *p)
{
	static const char *const reasons[] = {
		[EXCLUSIVE_STANDBY] = "standby", [EXCLUSIVE_OLD] = "old", [EXCLUSIVE_LATE] = "late", [EXCLUSIVE_FULL] = "full",
	};
	const struct exclusive_counters *c = m->o.exclusive;

	_Static_assert(COUNT_OF(reasons) == EXCLUSIVE_REFUSALS, "each refusal has a word");
	prom_one(p, METRIC_PARKED, PROM_LABELS({ "election", m->o.election }), (double)atomic_load(&c->waiting));
	prom_family(p, METRIC_REFUSED);
	for (size_t i = 0; i < COUNT_OF(reasons); i++)
		prom_sample(p, METRIC_REFUSED, PROM_LABELS({ "election", m->o.election }, { "reason", reasons[i] }),
		    (double)atomic_load(&c->refused[i]));
}

static void
tell_election(const struct metrics *m, const struct prom *p)
{
	const struct elector_status *s = elector_status(m->o.elector);

	if (s != NULL) {
		tell_lease(m, s, p);
		tell_registers(m, s, p);
	}
	elector_status_drop(s);
	tell_counters(m, p);
}

static void
tell_program(const struct metrics *m, const struct prom *p)
{
	prom_one(p, METRIC_CHILD_UP, NULL, atomic_load(&m->up));
	prom_one(p, METRIC_RESTARTS, PROM_LABELS({ "reason", "ended" }), (double)atomic_load(&m->restarts));
	prom_one(p, METRIC_REAPED, NULL, (double)atomic_load(&m->reaped));
	prom_one(p, METRIC_HEALTH, PROM_LABELS({ "check", "health" }), atomic_load(&m->healthy));
}

static void
tell_config(const struct metrics *m, const struct prom *p)
{
	struct central_figures f = central_figures(m->o.central);

	prom_one(p, METRIC_CONFIG, NULL, (double)f.revision);
	prom_one(p, METRIC_PENDING, NULL, f.pending);
	prom_one(p, METRIC_CONFIG_BAD, NULL, f.refused);
}

static void
tell(const struct metrics *m, const struct prom *p)
{
	prom_one(p, METRIC_BUILD, PROM_LABELS({ "version", m->o.version }), 1);
	prom_one(p, METRIC_CONNECTED, NULL, conn_state(m->o.conn) == CONN_UP);
	prom_one(p, METRIC_RECONNECTS, NULL, (double)conn_reconnects(m->o.conn));
	if (m->o.elector != NULL)
		tell_election(m, p);
	if (m->o.exclusive != NULL)
		tell_calls(m, p);
	tell_program(m, p);
	if (m->o.central != NULL)
		tell_config(m, p);
}

/* --- answering --------------------------------------------------------------------------- */

static enum err_code
get_metrics(void *arg, struct web_request *r, struct err *err)
{
	struct str out = STR_INIT;

	(void)err;
	tell(arg, &(struct prom){ &out, families });
	web_reply(r, 200, "text/plain; version=0.0.4; charset=utf-8", (struct text){ str_text(&out), out.len });
	str_release(&out);
	return ERR_OK;
}

static const struct web_route routes[] = {
	{ "GET", "/metrics", WEB_QUICK, 0, get_metrics, .about = "everything as Prometheus text" },
};

/* --- its life ---------------------------------------------------------------------------- */

/* count: what only the loop may ask the runner. */
static void
count(void *arg)
{
	struct metrics *m = arg;
	struct runner_counters c;

	runner_count(m->o.runner, &c);
	atomic_store(&m->restarts, c.restarts);
	atomic_store(&m->reaped, c.reaped);
	loop_timer_set(m->o.loop, &m->figures, mono_after(loop_now(m->o.loop), FIGURES_NS), count, m);
}

void
metrics_program(struct metrics *m, enum runner_status status)
{
	if (m == NULL)
		return;
	atomic_store(&m->up, status == RUNNER_READY || status == RUNNER_UNHEALTHY);
	atomic_store(&m->healthy, status == RUNNER_READY);
}

struct metrics *
metrics_new(const struct metrics_opts *o, struct err *err)
{
	struct metrics *m = mem_new(sizeof *m);

	m->o = *o;
	m->web = web_server_new(&(struct web_server_opts){
		.listen = &o->listen, .nlisten = 1, .routes = routes, .nroutes = COUNT_OF(routes), .arg = m,
	}, err);
	if (m->web == NULL) {
		err_prefix(err, "--metrics-listen");
		mem_free(m);
		return NULL;
	}
	log_info(EV_PROCESS_START, LOG_NONE, "metrics at %s/metrics", web_server_address(m->web, 0));
	count(m);
	return m;
}

void
metrics_free(struct metrics *m)
{
	if (m == NULL)
		return;
	web_server_free(m->web);
	loop_timer_cancel(m->o.loop, &m->figures);
	mem_free(m);
}
