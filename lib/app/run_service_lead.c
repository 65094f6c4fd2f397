/* run_service_lead.c - how the lease and the wrapper's life meet: what the lease wishes of the program, and
 * what the program hears of it. */
#include "app/run_service_inner.h"

#include <stdio.h>

#include "app/intake.h"
#include "app/lead.h"
#include "app/outgoing.h"
#include "base/log.h"
#include "base/magic.h"
#include "election/profile.h"
#include "runner/tether.h"

void
service_lapsed(void *arg)
{
	struct service *s = arg;

	lead_lapsed(s->lead);
}

/* --- what the lease tells ---------------------------------------------------------------- */

static void
on_wish(void *arg, enum lead_wish w)
{
	struct service *s = arg;

	if (w == LEAD_RUN && s->phase == PHASE_RUNNING)
		runner_start(s->runner);
	else if (w == LEAD_STOP)
		runner_stop(s->runner);
	else if (w == LEAD_KILL)
		runner_kill(s->runner);
}

/* on_role: the program is told, now and at its next start. */
static void
on_role(void *arg)
{
	struct service *s = arg;
	struct lead_role r = lead_role(s->lead);
	char epoch[24];

	snprintf(epoch, sizeof epoch, "%llu", (unsigned long long)r.epoch);
	runner_set_env(s->runner, "AEGIS_ROLE", r.name);
	runner_set_env(s->runner, "AEGIS_EPOCH", r.epoch != 0 ? epoch : NULL);
	if (runner_status(s->runner) == RUNNER_READY)
		workload_role(runner_workload(s->runner), r.name, r.epoch);
	outgoing_role(s->outgoing, r.name, r.epoch);
	/* A cold program is the leader's; what was fetched for it would wait here for as long as we live. */
	if (lead_is_cold(s->lead) && r.epoch == 0)
		intake_yield(s->intake);
}

static void
on_unfit(void *arg, const struct err *why)
{
	struct service *s = arg;

	log_error(EV_ELECTION_ROLE, LOG_F(LOG_S("err", why->text)), "cannot take part in the election: %s", why->text);
	s->unfit = true;
	if (s->phase == PHASE_RUNNING)
		service_enter(s, PHASE_LEAVING);
}

static void
on_ended(void *arg)
{
	struct service *s = arg;

	if (s->phase == PHASE_RELEASING)
		service_enter(s, PHASE_OVER);
}

/* --- calls ------------------------------------------------------------------------------- */

/* on_admitted: an exclusive call that may run, or one that is not exclusive. */
static void
on_admitted(void *arg, struct rpc_call *call)
{
	struct service *s = arg;

	handoff_call(&s->handoff, call);
}

/* --- its beginning ------------------------------------------------------------------------ */

enum err_code
service_tie(struct service *s, struct tether_terms *terms, struct err *err)
{
	struct profile p;
	enum err_code code;

	if (s->o->group == NULL)
		return ERR_OK;
	/* The group's own profile is known later; this one only says how often the guardian looks. */
	if ((code = profile_find(s->o->profile != NULL ? s->o->profile : "default", NS_PER_MS, &p, err)) != ERR_OK)
		return code;
	if ((s->tether = tether_new(err)) == NULL)
		return ERR_SYSTEM;
	terms->tether = s->tether;		/* the rest is the user's wish */
	terms->lease_ns = p.d_ns;
	terms->hot = !s->o->cold;
	return ERR_OK;
}

enum err_code
service_open_lead(struct service *s, struct err *err)
{
	const struct run_service_opts *o = s->o;

	if (o->group == NULL)
		return ERR_OK;
	s->lead = lead_new(&(struct lead_opts){
		.loop = s->loop, .conn = s->conn, .access = &o->conn, .publisher = s->publisher, .traffic = s->traffic, .tether = s->tether,
		.service = o->service, .group = o->group, .instance = s->instance, .profile = o->profile,
		.exclusive = o->exclusive, .cold = o->cold, .fence_lanes = o->fence_lanes, .drain_ns = o->drain_timeout_ns,
		.wish = on_wish, .told = on_role, .failed = on_unfit, .ended = on_ended, .call = on_admitted, .arg = s,
	}, err);
	s->handoff.lead = s->lead;
	return s->lead != NULL ? ERR_OK : ERR_SYSTEM;
}
