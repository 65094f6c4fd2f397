/* doctor.c - the list of lists of rows, and one walk over it. */
#include "app/doctor.h"

#include <stdio.h>
#include <string.h>

#include "app/doctor_check.h"
#include "audit/audit_check.h"
#include "auth/auth_check.h"
#include "base/magic.h"
#include "election/election_check.h"
#include "messaging/messaging_check.h"
#include "model/instance.h"
#include "monitor/monitor_check.h"
#include "registry/registry_check.h"
#include "settings/settings_check.h"

static const struct check *const lists[] = {
	nats_checks, registry_checks, messaging_checks, election_checks, auth_checks, audit_checks, monitor_checks, settings_checks,
	joint_checks
};
static const struct store *const stores[] = {
	registry_stores, messaging_stores, election_stores, auth_stores, audit_stores, monitor_stores, settings_stores
};

void
doctor_rows(void (*each)(void *arg, const struct check *row), void *arg)
{
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		for (const struct check *k = lists[i]; k->id != NULL; k++)
			each(arg, k);
}

static bool
wanted(const struct check *k, const char *only)
{
	size_t n = only != NULL ? strlen(only) : 0;

	return only == NULL || strcmp(k->id, only) == 0 || (strncmp(k->id, only, n) == 0 && k->id[n] == '.');
}

struct walk {
	struct checkup *c;
	const char *only;
	bool jetstream;
	size_t named, run;
};

static bool
allowed(struct checkup *c, const struct check *k)
{
	for (size_t i = 0; k->asks != NULL && k->asks[i] != NULL; i++)
		if (!checkup_may(c, k->asks[i]))
			return false;
	return true;
}

static void
run_row(void *arg, const struct check *k)
{
	struct walk *w = arg;

	if (!wanted(k, w->only))
		return;
	w->named++;
	if (k->need == NEEDS_JETSTREAM && !w->jetstream)
		return;
	findings_begin(w->c->out, k->id);
	if (allowed(w->c, k))
		k->run(w->c);
	findings_end(w->c->out);
	w->run++;
}

static const char *
remedy_of(enum err_code code)
{
	switch (code) {
	case ERR_NO_JETSTREAM:
		return "nats-server -js";
	case ERR_UNAUTHENTICATED:
	case ERR_DENIED:
		return "aegis doctor --creds FILE";
	default:
		return "aegis doctor --server nats://HOST:4222";
	}
}

static void
say_absent(struct findings *f, const char *check, const struct err *why)
{
	findings_begin(f, check);
	findings_add(f, FINDING_CRITICAL, why->code, remedy_of(why->code), "%s", why->text);
	findings_end(f);
}

enum err_code
doctor_run(const struct doctor_opts *o, struct doctor_report *out, struct err *err)
{
	struct checkup c = { .stale_ns = o->stale_ns > 0 ? o->stale_ns : STALE_AFTER_S * NS_PER_S, .role = o->role,
		.out = &out->findings };
	struct err why = { ERR_OK, "" };
	struct walk w = { .c = &c, .only = o->only };

	memset(out, 0, sizeof *out);
	w.jetstream = checkup_begin(&c, o->conn, &why) == ERR_OK;
	memcpy(out->server, c.server.name, sizeof out->server);
	memcpy(out->version, c.server.version, sizeof out->version);
	memcpy(out->cluster, c.server.cluster, sizeof out->cluster);
	out->rtt_ns = c.told ? c.server.rtt_ns : conn_rtt_ns(o->conn);
	out->jetstream = w.jetstream;
	if (!w.jetstream)
		say_absent(&out->findings, "nats.jetstream", &why);
	doctor_rows(run_row, &w);
	out->rows = w.run;
	out->blind = c.blind;
	checkup_end(&c);
	return w.named > 0 ? ERR_OK : err_set(err, ERR_USAGE, "there is no check '%s'; `aegis doctor --list` names them", o->only);
}

void
doctor_unreachable(const struct err *why, struct doctor_report *out)
{
	memset(out, 0, sizeof *out);
	say_absent(&out->findings, "nats.reachable", why);
}

void
doctor_release(struct doctor_report *r)
{
	findings_release(&r->findings);
}

/* --- streams -------------------------------------------------------------------------------- */

enum err_code
doctor_stores(struct conn *c, bool upgrade, bool dry_run,
    void (*each)(void *arg, const struct store *s, const struct store_change *done, enum err_code code, const char *why),
    void *arg, struct err *err)
{
	struct findings none = { .n = 0 };
	struct checkup k = { .out = &none };
	struct store_change done;
	enum err_code code = checkup_begin(&k, c, err), first = ERR_OK;

	for (size_t i = 0; code == ERR_OK && i < COUNT_OF(stores); i++)
		for (const struct store *s = stores[i]; s->stream != NULL; s++) {
			struct err why = { ERR_OK, "" };
			enum err_code one = store_mend(c, s, checkup_replicas(&k), upgrade, dry_run, &done, &why);
			if (one != ERR_OK && first == ERR_OK)
				first = err_set(err, one, "%s", why.text);
			each(arg, s, &done, one, why.text);
		}
	checkup_end(&k);
	return code != ERR_OK ? code : first;
}
