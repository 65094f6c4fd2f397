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
#define METRIC(id, name, type, help) METRIC_##id,
#include "app/metrics.def"
#undef METRIC
};

static const struct {
	const char *name, *type, *help;
} metrics[] = {
#define METRIC(id, name, type, help) { name, type, help },
#include "app/metrics.def"
#undef METRIC
};

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

/* register_name: the bucket of register i of n (election.md §3). */
static const char *
register_name(unsigned n, unsigned i)
{
	static const char *const names[] = { "AEGIS_L0", "AEGIS_L1", "AEGIS_L2", "AEGIS_L3" };

	return names[n == 1 ? 0 : i + 1];
}

static double
seconds(int64_t ns)
{
	return (double)ns / (double)NS_PER_S;
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
tell_lease(const struct metrics *m, const struct elector_status *s, struct str *out)
{
	const struct prom_label group[] = { { "election", m->o.election }, { NULL, NULL } };
	/* The gate says it to the moment; the picture may be half a second old, which is two leases. */
	uint64_t bits = atomic_load(elector_gate(m->o.elector)->word);
	struct boot now = clock_boot(clock_system());
	bool leads = gate_open_at(bits, now), granted = s->grant.ns != BOOT_LONG_AGO.ns;
	int64_t left = leads ? gate_until(bits).ns - now.ns : 0;

	one(out, METRIC_LEADER, group, leads);
	one(out, METRIC_EPOCH, group, (double)s->role.epoch);
	one(out, METRIC_REMAINING, group, seconds(left));
	one(out, METRIC_QUORUM_AGE, group, leads && granted ? seconds(s->until.ns - s->grant.ns - left) : NAN);
}

static void
tell_registers(const struct metrics *m, const struct elector_status *s, struct str *out)
{
	const struct elector_counters *c = elector_counters(m->o.elector);

	family(out, METRIC_REGISTER_UP);
	for (unsigned i = 0; i < s->n; i++)
		prom_sample(out, metrics[METRIC_REGISTER_UP].name,
		    (const struct prom_label[]){ { "register", register_name(s->n, i) }, { NULL, NULL } }, s->reg[i].up);
	family(out, METRIC_RENEW);
	for (unsigned i = 0; i < s->n; i++)
		prom_histogram(out, metrics[METRIC_RENEW].name,
		    (const struct prom_label[]){ { "register", register_name(s->n, i) }, { NULL, NULL } }, c->renew[i]);
}

static void
tell_counters(const struct metrics *m, struct str *out)
{
	static const char *const threads[ELECTOR_THREADS] = { [ELECTOR_LOOP] = "loop", [ELECTOR_LINKS] = "links" };
	const struct elector_counters *c = elector_counters(m->o.elector);
	char word[32];

	family(out, METRIC_TRANSITIONS);
	for (int r = LEASE_BY_NONE + 1; r < LEASE_REASON_COUNT; r++)
		prom_sample(out, metrics[METRIC_TRANSITIONS].name, (const struct prom_label[]){
			{ "election", m->o.election }, { "reason", lower(lease_reason_name((enum lease_reason)r), word, sizeof word) },
			{ NULL, NULL } }, (double)atomic_load(&c->transitions[r]));
	family(out, METRIC_ALARMS);
	for (int a = 0; a < LEASE_ALARM_COUNT; a++)
		prom_sample(out, metrics[METRIC_ALARMS].name, (const struct prom_label[]){
			{ "election", m->o.election }, { "alarm", lower(lease_alarm_name((enum lease_alarm)a), word, sizeof word) },
			{ NULL, NULL } }, (double)atomic_load(&c->alarms[a]));
	family(out, METRIC_FAILOVER);
	prom_histogram(out, metrics[METRIC_FAILOVER].name, NULL, c->failover);
	family(out, METRIC_URGENCY);
	for (int t = 0; t < ELECTOR_THREADS; t++)
		prom_sample(out, metrics[METRIC_URGENCY].name, (const struct prom_label[]){ { "thread", threads[t] }, { NULL, NULL } },
		    (double)atomic_load(&c->urgency[t]));
	one(out, METRIC_FENCES, NULL, (double)atomic_load(&c->fence_rejects));
}

static void
tell_calls(const struct metrics *m, struct str *out)
{
	static const char *const reasons[] = {
		[EXCLUSIVE_STANDBY] = "standby", [EXCLUSIVE_OLD] = "old", [EXCLUSIVE_LATE] = "late", [EXCLUSIVE_FULL] = "full",
	};
	const struct exclusive_counters *c = m->o.exclusive;

	_Static_assert(COUNT_OF(reasons) == EXCLUSIVE_REFUSALS, "each refusal has a word");
	one(out, METRIC_PARKED, (const struct prom_label[]){ { "election", m->o.election }, { NULL, NULL } },
	    (double)atomic_load(&c->waiting));
	family(out, METRIC_REFUSED);
	for (size_t i = 0; i < COUNT_OF(reasons); i++)
		prom_sample(out, metrics[METRIC_REFUSED].name, (const struct prom_label[]){
			{ "election", m->o.election }, { "reason", reasons[i] }, { NULL, NULL } },
		    (double)atomic_load(&c->refused[i]));
}

static void
tell_election(const struct metrics *m, struct str *out)
{
	const struct elector_status *s = elector_status(m->o.elector);

	if (s != NULL) {
		tell_lease(m, s, out);
		tell_registers(m, s, out);
	}
	elector_status_drop(s);
	tell_counters(m, out);
}

static void
tell_program(const struct metrics *m, struct str *out)
{
	one(out, METRIC_CHILD_UP, NULL, atomic_load(&m->up));
	one(out, METRIC_RESTARTS, (const struct prom_label[]){ { "reason", "ended" }, { NULL, NULL } },
	    (double)atomic_load(&m->restarts));
	one(out, METRIC_REAPED, NULL, (double)atomic_load(&m->reaped));
	one(out, METRIC_HEALTH, (const struct prom_label[]){ { "check", "health" }, { NULL, NULL } },
	    atomic_load(&m->healthy));
}

static void
tell_config(const struct metrics *m, struct str *out)
{
	struct central_figures f = central_figures(m->o.central);

	one(out, METRIC_CONFIG, NULL, (double)f.revision);
	one(out, METRIC_PENDING, NULL, f.pending);
	one(out, METRIC_CONFIG_BAD, NULL, f.refused);
}

static void
tell(const struct metrics *m, struct str *out)
{
	one(out, METRIC_BUILD, (const struct prom_label[]){ { "version", m->o.version }, { NULL, NULL } }, 1);
	one(out, METRIC_CONNECTED, NULL, conn_state(m->o.conn) == CONN_UP);
	one(out, METRIC_RECONNECTS, NULL, (double)conn_reconnects(m->o.conn));
	if (m->o.elector != NULL)
		tell_election(m, out);
	if (m->o.exclusive != NULL)
		tell_calls(m, out);
	tell_program(m, out);
	if (m->o.central != NULL)
		tell_config(m, out);
}

/* --- answering --------------------------------------------------------------------------- */

static enum err_code
get_metrics(void *arg, struct web_request *r, struct err *err)
{
	struct str out = STR_INIT;

	(void)err;
	tell(arg, &out);
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
