/* traffic.c - a set of counters by name for each kind of traffic, and one table of their names. */
#include "messaging/traffic.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/hist.h"
#include "base/magic.h"
#include "base/mem.h"
#include "messaging/methods.h"

#define METRIC_MAX 320

enum kind { CALLED, RETRIED, STICKY, RESUMED, PUBLISHED, PROCESSED, WORKED, SENT, KINDS };

struct traffic {
	struct methods *kinds[KINDS];
	atomic_ulong event_errors, command_errors, contract_errors, silenced, recovered;
	atomic_int events_open;
	atomic_bool marked;		/* it is a member's of a group */
	_Atomic uint64_t marks[TRAFFIC_MARK_COUNT];
};

struct traffic *
traffic_new(void)
{
	struct traffic *t = mem_new(sizeof *t);

	for (size_t i = 0; i < KINDS; i++)
		t->kinds[i] = i == PROCESSED || i == RETRIED ? methods_new_untimed() : methods_new();
	return t;
}

void
traffic_free(struct traffic *t)
{
	for (size_t i = 0; t != NULL && i < KINDS; i++)
		methods_free(t->kinds[i]);
	mem_free(t);
}

/* --- leads ------------------------------------------------------------------------------- */

void
traffic_mark_set(struct traffic *t, enum traffic_mark m, uint64_t n)
{
	if (t == NULL)
		return;
	atomic_store(&t->marks[m], n);
	atomic_store(&t->marked, true);
}

void
traffic_mark_add(struct traffic *t, enum traffic_mark m)
{
	if (t != NULL)
		traffic_mark_set(t, m, atomic_load(&t->marks[m]) + 1);	/* one thread counts each */
}

static void
report_marks(const struct traffic *t, const struct traffic_reader *r)
{
#define X(id, name) name,
	static const char *const names[] = { TRAFFIC_MARKS(X) };
#undef X

	for (size_t i = 0; atomic_load(&t->marked) && i < COUNT_OF(names); i++)
		r->counter(r->arg, names[i], atomic_load(&t->marks[i]));
}

/* --- counting ---------------------------------------------------------------------------- */

/* of: the counters of "a.b"; what is too long for a name is one of the others.  By hand, since
 * printf takes longer than all the rest. */
static struct method *
of(struct traffic *t, enum kind kind, const char *a, const char *b)
{
	char name[METHOD_NAME_MAX];
	size_t na = strlen(a), nb = strlen(b);

	if (na + 1 + nb >= sizeof name)
		return methods_find(t->kinds[kind], (struct text){ a, sizeof name });	/* too long, so not looked at */
	memcpy(name, a, na);
	name[na] = '.';
	memcpy(name + na + 1, b, nb);
	return methods_find(t->kinds[kind], (struct text){ name, na + 1 + nb });
}

static void
took(struct method *m, int64_t ns)
{
	if (ns >= 0)
		hist_record(m->latency, ns);
}

void
traffic_called(struct traffic *t, const char *service, const char *method, enum err_code code, int64_t ns)
{
	if (t == NULL)
		return;
	struct method *m = of(t, CALLED, service, method);
	atomic_fetch_add(&m->calls, 1);
	if (code == ERR_TIMEOUT)
		atomic_fetch_add(&m->timeouts, 1);
	else if (code != ERR_OK)
		atomic_fetch_add(&m->errors, 1);
	took(m, ns);
}

/* traffic_retried: how a call ended that may have been tried more than once.  Of RETRIED, calls are the
 * attempts after the first, timeouts what came through late, errors what did not. */
void
traffic_retried(struct traffic *t, const char *service, const char *method, unsigned attempts, enum err_code code)
{
	if (t == NULL || attempts < 2)
		return;
	struct method *m = of(t, RETRIED, service, method);
	atomic_fetch_add(&m->calls, attempts - 1);
	atomic_fetch_add(code == ERR_OK ? &m->timeouts : &m->errors, 1);
}

/* traffic_sticky: of STICKY, timeouts are the attempts that were refused by one that does not lead. */
void
traffic_sticky(struct traffic *t, const char *service, const char *method, enum err_code code, int64_t ns)
{
	if (t == NULL)
		return;
	struct method *m = of(t, STICKY, service, method);
	atomic_fetch_add(&m->calls, 1);
	if (code == ERR_NOT_ACTIVE)
		atomic_fetch_add(&m->timeouts, 1);
	else if (code != ERR_OK)
		atomic_fetch_add(&m->errors, 1);
	took(m, ns);
}

void
traffic_resumed(struct traffic *t, const char *service, const char *method, int64_t ns)
{
	if (t != NULL)
		took(of(t, RESUMED, service, method), ns);
}

void
traffic_breaker(struct traffic *t, bool opened)
{
	if (t != NULL)
		atomic_fetch_add(opened ? &t->silenced : &t->recovered, 1);
}

void
traffic_published(struct traffic *t, const char *domain, const char *type, bool stored, int64_t ns)
{
	if (t == NULL)
		return;
	struct method *m = of(t, PUBLISHED, domain, type);
	atomic_fetch_add(&m->calls, 1);
	if (!stored)
		atomic_fetch_add(&m->errors, 1);
	took(m, ns);
}

void
traffic_event(struct traffic *t, const char *domain, const char *type)
{
	if (t != NULL)
		atomic_fetch_add(&of(t, PROCESSED, domain, type)->calls, 1);
}

void
traffic_event_failed(struct traffic *t)
{
	if (t != NULL)
		atomic_fetch_add(&t->event_errors, 1);
}

void
traffic_sent(struct traffic *t, const char *service, const char *command, int64_t ns)
{
	if (t != NULL)
		took(of(t, SENT, service, command), ns);
}

void
traffic_worked(struct traffic *t, const char *service, const char *command, int64_t ns)
{
	if (t != NULL)
		took(of(t, WORKED, service, command), ns);
}

void
traffic_command(struct traffic *t, const char *service, const char *command)
{
	if (t != NULL)
		atomic_fetch_add(&of(t, WORKED, service, command)->calls, 1);
}

void
traffic_command_failed(struct traffic *t)
{
	if (t != NULL)
		atomic_fetch_add(&t->command_errors, 1);
}

void
traffic_contract_broken(struct traffic *t)
{
	if (t != NULL)
		atomic_fetch_add(&t->contract_errors, 1);
}

void
traffic_events_open(struct traffic *t, int by)
{
	if (t != NULL)
		atomic_fetch_add(&t->events_open, by);
}

void
traffic_commands(struct traffic *t, const char *service, const char *command, unsigned running, unsigned waiting)
{
	if (t == NULL)
		return;
	struct method *m = of(t, WORKED, service, command);
	atomic_store(&m->inflight, (int)running);
	atomic_store(&m->waiting, (int)waiting);
}

/* --- telling ----------------------------------------------------------------------------- */

/* Which of a name's figures a metric is. */
enum figure { TIMER, DONE, GOOD, BAD, LATE, RUNNING, WAITING };

/* The names of wire.md §13, around that of a method, event or command.  The last two rows are
 * aegis's own, as in_flight and queue_depth of served calls are. */
static const struct {
	enum kind kind;
	const char *before, *after;
	enum figure figure;
} names[] = {
	{ CALLED,    "rpc.client.",         "",             TIMER },
	{ CALLED,    "rpc.client.",         ".success",     GOOD },
	{ CALLED,    "rpc.client.",         ".timeout",     LATE },
	{ CALLED,    "rpc.client.",         ".error",       BAD },
	{ RETRIED,   "rpc.client.",         ".retry.attempts",  DONE },
	{ RETRIED,   "rpc.client.",         ".retry.success",   LATE },
	{ RETRIED,   "rpc.client.",         ".retry.exhausted", BAD },
	{ STICKY,    "rpc.client.",         ".attempt",         TIMER },
	{ STICKY,    "rpc.client.",         ".retry.not_active", LATE },
	{ STICKY,    "rpc.client.",         ".retry.error",     BAD },
	{ RESUMED,   "rpc.client.",         ".failover.latency", TIMER },
	{ PUBLISHED, "events.publish.",     "",             TIMER },
	{ PUBLISHED, "events.published.",   "",             GOOD },
	{ PROCESSED, "events.processed.",   "",             DONE },
	{ WORKED,    "commands.",           "",             TIMER },
	{ WORKED,    "commands.processed.", "",             DONE },
	{ SENT,      "commands.send.",      "",             TIMER },
	{ WORKED,    "commands.",           ".in_flight",   RUNNING },
	{ WORKED,    "commands.",           ".queue_depth", WAITING },
};

static uint64_t
counter_of(const struct method *m, enum figure f)
{
	/* The parts first: each is counted after the whole. */
	uint64_t bad = atomic_load(&m->errors), late = atomic_load(&m->timeouts), all = atomic_load(&m->calls);

	return f == BAD ? bad : f == LATE ? late : f == GOOD ? all - bad - late : all;
}

struct telling {
	const struct traffic_reader *r;
	enum kind kind;
};

static void
tell_one(void *arg, struct method *m)
{
	const struct telling *t = arg;
	char name[METRIC_MAX];

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (names[i].kind != t->kind)
			continue;
		snprintf(name, sizeof name, "%s%s%s", names[i].before, m->name, names[i].after);
		switch (names[i].figure) {
		case TIMER:
			t->r->summary(t->r->arg, name, m->latency);
			break;
		case RUNNING:
			t->r->gauge(t->r->arg, name, atomic_load(&m->inflight));
			break;
		case WAITING:
			t->r->gauge(t->r->arg, name, atomic_load(&m->waiting));
			break;
		default:
			t->r->counter(t->r->arg, name, counter_of(m, names[i].figure));
		}
	}
}

static void
tell_any(const struct traffic_reader *r, const char *name, const atomic_ulong *n)
{
	if (atomic_load(n) > 0)
		r->counter(r->arg, name, atomic_load(n));
}

void
traffic_report(const struct traffic *t, const struct traffic_reader *r)
{
	if (t == NULL)
		return;
	r->counter(r->arg, "events.errors", atomic_load(&t->event_errors));
	r->counter(r->arg, "commands.errors", atomic_load(&t->command_errors));
	/* Python members have no such counters. */
	tell_any(r, "contract.errors", &t->contract_errors);
	tell_any(r, "breaker.opened", &t->silenced);
	tell_any(r, "breaker.recovered", &t->recovered);
	report_marks(t, r);
	r->gauge(r->arg, "events.in_flight", atomic_load(&t->events_open));
	for (enum kind k = 0; k < KINDS; k++)
		methods_each(t->kinds[k], tell_one, &(struct telling){ r, k });
}
