/* elect_metrics.c - what Prometheus is told: names, types and help from the table, figures from the
 * elector's snapshot and counters.  On a thread of the web server. */
#include "app/elect_inner.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>

#include "base/magic.h"
#include "codec/prom.h"
#include "sys/clock.h"

enum metric {
#define METRIC(id, name, type, help) METRIC_##id,
#include "app/elect_metrics.def"
#undef METRIC
};

static const struct {
	const char *name, *type, *help;
} metrics[] = {
#define METRIC(id, name, type, help) { name, type, help },
#include "app/elect_metrics.def"
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
tell_lease(const struct elect_view *v, const struct elector_status *s, struct str *out)
{
	const struct prom_label group[] = { { "election", v->group }, { NULL, NULL } };
	/* The gate says it to the moment; the picture may be half a second old, which is two leases. */
	uint64_t bits = atomic_load(elector_gate(v->elector)->word);
	struct boot now = clock_boot(clock_system());
	bool leads = gate_open_at(bits, now), granted = s->grant.ns != BOOT_LONG_AGO.ns;
	int64_t left = leads ? gate_until(bits).ns - now.ns : 0;

	one(out, METRIC_LEADER, group, leads);
	one(out, METRIC_EPOCH, group, (double)s->role.epoch);
	one(out, METRIC_REMAINING, group, seconds(left));
	one(out, METRIC_QUORUM_AGE, group, leads && granted ? seconds(s->until.ns - s->grant.ns - left) : NAN);
}

static void
tell_registers(const struct elect_view *v, const struct elector_status *s, struct str *out)
{
	const struct elector_counters *c = elector_counters(v->elector);

	family(out, METRIC_REGISTER_UP);
	for (unsigned i = 0; i < s->n; i++)
		prom_sample(out, metrics[METRIC_REGISTER_UP].name,
		    (const struct prom_label[]){ { "register", elect_register_name(s->n, i) }, { NULL, NULL } }, s->reg[i].up);
	family(out, METRIC_RENEW);
	for (unsigned i = 0; i < s->n; i++)
		prom_histogram(out, metrics[METRIC_RENEW].name,
		    (const struct prom_label[]){ { "register", elect_register_name(s->n, i) }, { NULL, NULL } }, c->renew[i]);
}

static void
tell_counters(const struct elect_view *v, struct str *out)
{
	const struct elector_counters *c = elector_counters(v->elector);
	char word[32];

	family(out, METRIC_TRANSITIONS);
	for (int r = LEASE_BY_NONE + 1; r < LEASE_REASON_COUNT; r++)
		prom_sample(out, metrics[METRIC_TRANSITIONS].name, (const struct prom_label[]){
			{ "election", v->group }, { "reason", lower(lease_reason_name((enum lease_reason)r), word, sizeof word) },
			{ NULL, NULL } }, (double)atomic_load(&c->transitions[r]));
	family(out, METRIC_ALARMS);
	for (int a = 0; a < LEASE_ALARM_COUNT; a++)
		prom_sample(out, metrics[METRIC_ALARMS].name, (const struct prom_label[]){
			{ "election", v->group }, { "alarm", lower(lease_alarm_name((enum lease_alarm)a), word, sizeof word) },
			{ NULL, NULL } }, (double)atomic_load(&c->alarms[a]));
	family(out, METRIC_FAILOVER);
	prom_histogram(out, metrics[METRIC_FAILOVER].name, NULL, c->failover);
	one(out, METRIC_FENCES, NULL, (double)atomic_load(&c->fence_rejects));
}

static void
tell_program(struct elect_view *v, struct str *out)
{
	struct elect_figures *f = &v->program;

	one(out, METRIC_CHILD_UP, NULL, atomic_load(&f->up));
	one(out, METRIC_RESTARTS, (const struct prom_label[]){ { "reason", "ended" }, { NULL, NULL } },
	    (double)atomic_load(&f->restarts));
	one(out, METRIC_REAPED, NULL, (double)atomic_load(&f->reaped));
	one(out, METRIC_HEALTH, (const struct prom_label[]){ { "check", "health" }, { NULL, NULL } },
	    atomic_load(&f->healthy));
}

void
elect_metrics(struct elect_view *v, struct str *out)
{
	const struct elector_status *s = elector_status(v->elector);

	one(out, METRIC_BUILD, (const struct prom_label[]){ { "version", v->version }, { NULL, NULL } }, 1);
	one(out, METRIC_CONNECTED, NULL, conn_state(v->conn) == CONN_UP);
	one(out, METRIC_RECONNECTS, NULL, (double)conn_reconnects(v->conn));
	if (s != NULL) {
		tell_lease(v, s, out);
		tell_registers(v, s, out);
	}
	elector_status_drop(s);
	tell_counters(v, out);
	tell_program(v, out);
}
