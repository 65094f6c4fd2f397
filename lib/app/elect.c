/* elect.c - joins the lease and the program.
 *
 * Two machines meet here and stay apart: the lease says by callbacks what it needs, the program
 * has the phases below, and one table says what happens when both meet.  The one promise to
 * keep is elector_idle: it is said only in NONE, when nothing of the program is left.  Why
 * this process ends is a third question, answered by `leaving` and the exit code. */
#include "app/elect.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "app/metrics.h"
#include "app/signals.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "election/elector.h"
#include "election/site.h"
#include "sys/loop.h"

#define MAILBOX 4096
#define UNFIT_NS (5 * NS_PER_S)		/* after a program turned unhealthy: time for another member to lead */
#define DRAIN_SPARE_NS (5 * NS_PER_S)	/* the runner kills by itself; only beyond that the lease insists */

/*	phase		the program */
#define PHASES(X) \
	X(NONE)		/* nothing of it is left */ \
	X(UP)		/* wanted */ \
	X(ENDING)	/* asked to end, lease still held */ \
	X(KILLING)	/* the lease is lost */

#define EVENTS(X) \
	X(LEAD)		/* the gate is open */ \
	X(DRAIN)	/* the lease is to be given back */ \
	X(REAP)		/* it is lost, or the drain took too long */ \
	X(FENCED)	/* it waits until nothing is left */ \
	X(LAPSED)	/* the guardian told the program that it is running out */ \
	X(GONE)		/* nothing is left */

enum phase {
#define X(name) PHASE_##name,
	PHASES(X)
#undef X
	PHASE_COUNT
};

enum event {
#define X(name) EVENT_##name,
	EVENTS(X)
#undef X
	EVENT_COUNT
};

static const char *const phase_names[] = {
#define X(name) #name,
	PHASES(X)
#undef X
};

struct elect {
	const struct elect_opts *o;
	struct loop *loop;
	struct conn *conn;
	struct tether *tether;
	struct site *site;
	struct elector *elector;
	struct runner *runner;
	struct metrics *metrics;

	enum phase phase;
	uint64_t epoch;
	bool is_unfit;			/* its program was unhealthy: not eligible for a while */
	bool is_lost;			/* this hold was lost, or its program told so */
	bool leaving;			/* resigned for good: this process ends */
	bool takes_code;		/* ... with the program's own code, once there is one */
	int exit_code, by_signal;
	struct loop_timer wait, unfit;
};

/* --- leaving ----------------------------------------------------------------------------- */

static void
leave(struct elect *s, int exit_code)
{
	struct err err;

	if (s->leaving)
		return;
	s->leaving = true;
	s->exit_code = exit_code;
	loop_timer_cancel(s->loop, &s->wait);
	if (elector_resign(s->elector, NULL, true, &err) != ERR_OK)
		log_error(EV_PROCESS_STOP, LOG_F(LOG_S("err", err.text)), "cannot resign in good order: %s", err.text);
}

static void
on_wait_over(void *arg)
{
	struct elect *s = arg;

	if (s->phase != PHASE_NONE)
		return;
	log_warning(EV_PROCESS_STOP, LOG_NONE, "the lead of %s was not gained in time, giving up", s->o->group);
	leave(s, s->o->lost_exit);
}

static void
start_waiting(struct elect *s)
{
	if (s->o->wait_ns > 0 && !s->leaving && !loop_timer_pending(&s->wait))
		loop_timer_set(s->loop, &s->wait, mono_after(loop_now(s->loop), s->o->wait_ns), on_wait_over, s);
}

/* --- what happens when lease and program meet ---------------------------------------------- */

typedef void deed(struct elect *s);

static void
start(struct elect *s)
{
	char epoch[24];

	snprintf(epoch, sizeof epoch, "%" PRIu64, s->epoch);
	runner_set_env(s->runner, "AEGIS_EPOCH", epoch);
	runner_set_lease(s->runner, elector_lease_ns(s->elector));
	loop_timer_cancel(s->loop, &s->wait);
	runner_start(s->runner);
}

static void
stop(struct elect *s)
{
	runner_stop(s->runner);
}

static void
end_now(struct elect *s)
{
	runner_kill(s->runner);
}

static void
idle(struct elect *s)
{
	elector_idle(s->elector);
}

/* give_back: what the program was told cannot be taken back, even if the lease recovers. */
static void
give_back(struct elect *s)
{
	s->is_lost = true;
	elector_resign(s->elector, NULL, false, NULL);
}

/* ended_itself: released as soon as the lease asks, which resigning makes it do. */
static void
ended_itself(struct elect *s)
{
	if (s->is_lost)
		return;
	s->takes_code = true;
	leave(s, s->exit_code);
}

static void
nothing(struct elect *s)
{
	(void)s;
}

static const struct {
	enum phase next;
	deed *run;
} edges[PHASE_COUNT][EVENT_COUNT] = {
#define EDGE(from, event, to, fn) [PHASE_##from][EVENT_##event] = { PHASE_##to, fn }
	EDGE( NONE,    LEAD,   UP,      start ),
	EDGE( NONE,    DRAIN,  NONE,    idle ),
	EDGE( NONE,    FENCED, NONE,    idle ),
	EDGE( UP,      DRAIN,  ENDING,  stop ),
	EDGE( UP,      REAP,   KILLING, end_now ),
	EDGE( UP,      FENCED, KILLING, end_now ),
	EDGE( UP,      LAPSED, UP,      give_back ),
	EDGE( UP,      GONE,   NONE,    ended_itself ),
	EDGE( ENDING,  REAP,   KILLING, end_now ),
	EDGE( ENDING,  FENCED, KILLING, end_now ),
	EDGE( ENDING,  LAPSED, ENDING,  nothing ),
	EDGE( ENDING,  GONE,   NONE,    idle ),
	EDGE( KILLING, LAPSED, KILLING, nothing ),
	EDGE( KILLING, GONE,   NONE,    idle ),
#undef EDGE
};

/* meet: a pair that is not listed changes nothing.  The phase is set first: a deed may bring the
 * next event with it. */
static void
meet(struct elect *s, enum event ev)
{
	enum phase was = s->phase;

	if (edges[was][ev].run == NULL)
		return;
	s->phase = edges[was][ev].next;
	if (s->phase != was)
		log_debug(EV_RUNNER_STATE, LOG_NONE, "program %s -> %s", phase_names[was], phase_names[s->phase]);
	edges[was][ev].run(s);
}

/* --- what the lease says ------------------------------------------------------------------- */

static void
stand_by(struct elect *s)
{
	bool was_lost = s->is_lost;

	s->is_lost = false;
	if (was_lost && s->o->exit_when_lost && !s->leaving) {
		log_warning(EV_PROCESS_STOP, LOG_NONE, "the lead of %s was lost", s->o->group);
		leave(s, s->o->lost_exit);
		return;
	}
	start_waiting(s);
}

static void
on_role(void *arg, const struct elector_role *role)
{
	struct elect *s = arg;

	switch (role->state) {
	case LEASE_ACTIVE:
		s->epoch = role->epoch;
		meet(s, EVENT_LEAD);
		break;
	case LEASE_DRAINING:
		meet(s, EVENT_DRAIN);
		break;
	case LEASE_FENCED:
		s->is_lost = true;
		meet(s, EVENT_FENCED);
		break;
	case LEASE_RETIRED:
		meet(s, EVENT_FENCED);
		log_error(EV_PROCESS_STOP, LOG_NONE, "the registers of %s were replaced by another set: start this member anew",
		    s->o->group);
		leave(s, err_exit(ERR_CONFIG));
		break;
	case LEASE_STANDBY:
		stand_by(s);
		break;
	default:
		break;
	}
}

static void
on_reap(void *arg)
{
	meet(arg, EVENT_REAP);
}

static void
on_failed(void *arg, const struct err *why)
{
	struct elect *s = arg;

	log_error(EV_PROCESS_STOP, LOG_F(LOG_S("err", why->text)), "cannot take part in the election of %s: %s", s->o->group,
	    why->text);
	s->leaving = true;
	s->exit_code = err_exit(ERR_CONFIG);
	loop_stop(s->loop);
}

static void
on_ended(void *arg)
{
	struct elect *s = arg;

	loop_stop(s->loop);
}

/* --- what the program does ----------------------------------------------------------------- */

static void
on_status(void *arg, enum runner_status status, const char *why)
{
	struct elect *s = arg;

	(void)why;
	metrics_program(s->metrics, status);
	if (status != RUNNER_UNHEALTHY || s->phase != PHASE_UP)
		return;
	s->is_unfit = true;
	elector_eligible(s->elector, false, LEASE_BY_UNHEALTHY);
}

static void
fit_again(void *arg)
{
	struct elect *s = arg;

	s->is_unfit = false;
	elector_eligible(s->elector, true, LEASE_BY_NONE);
}

static void
on_gone(void *arg, int exit_code, int by_signal)
{
	struct elect *s = arg;

	if (s->phase == PHASE_UP || s->takes_code) {
		s->exit_code = s->is_lost ? s->exit_code : exit_code;
		s->by_signal = s->is_lost ? 0 : by_signal;
	}
	/* One that was unhealthy is gone, the next may be well; another member goes first. */
	if (s->is_unfit)
		loop_timer_set(s->loop, &s->unfit, mono_after(loop_now(s->loop), UNFIT_NS), fit_again, s);
	meet(s, EVENT_GONE);
}

static void
on_lapsed(void *arg)
{
	meet(arg, EVENT_LAPSED);
}

/* --- signals ------------------------------------------------------------------------------- */

static void
on_stop_signal(void *arg, int signo)
{
	struct elect *s = arg;

	if (!s->leaving) {
		log_info(EV_PROCESS_STOP, LOG_F(LOG_N("signal", signo)),
		    "stopping: end the program, then give the lead back; a second signal stops at once");
		s->takes_code = true;
		leave(s, 0);
		return;
	}
	log_warning(EV_PROCESS_STOP, LOG_F(LOG_N("signal", signo)), "stopping at once");
	if (s->phase == PHASE_NONE)
		loop_stop(s->loop);
	else
		runner_kill(s->runner);
}

static void
on_passed_signal(void *arg, int signo)
{
	struct elect *s = arg;

	runner_signal(s->runner, signo);
}

/* --- start and end ------------------------------------------------------------------------- */

static enum err_code
open_program(struct elect *s, struct err *err)
{
	struct runner_opts r = s->o->runner;
	struct runner_callbacks cb = { .arg = s, .status = on_status, .gone = on_gone, .lapsed = on_lapsed };

	if ((s->tether = tether_new(err)) == NULL)
		return ERR_WRAPPER;
	r.terms.tether = s->tether;
	if ((s->runner = runner_new(s->loop, &r, &cb, err)) == NULL)
		return ERR_CONFIG;
	runner_set_env(s->runner, "AEGIS_GROUP", s->o->group);
	runner_set_env(s->runner, "AEGIS_INSTANCE", s->o->instance);
	runner_set_env(s->runner, "AEGIS_ROLE", "active");
	return ERR_OK;
}

static enum err_code
open_lease(struct elect *s, struct err *err)
{
	struct conn_opts conn = s->o->conn;

	conn.wait = s->o->wait_ns > 0;
	if ((s->conn = conn_new(&conn, err)) == NULL)
		return err != NULL ? err->code : ERR_UNAVAILABLE;
	if ((s->site = site_new(&(struct site_opts){
		.loop = s->loop, .conn = s->conn, .access = &s->o->conn, .member = s->o->instance,
	}, err)) == NULL)
		return ERR_SYSTEM;
	s->elector = elector_new(&(struct elector_opts){
		.site = s->site, .service = ELECT_SERVICE, .group = s->o->group, .instance = s->o->instance,
		.profile = s->o->profile, .drain_ns = s->o->runner.kill_after_ns + DRAIN_SPARE_NS,
		.word = tether_word(s->tether), .role = on_role, .reap = on_reap, .failed = on_failed, .ended = on_ended,
		.arg = s,
	}, err);
	return s->elector != NULL ? ERR_OK : ERR_INVALID;
}

static enum err_code
open_elect(struct elect *s, struct err *err)
{
	enum err_code code;

	if ((s->loop = loop_new(clock_system(), MAILBOX, err)) == NULL)
		return ERR_SYSTEM;
	if ((code = open_program(s, err)) != ERR_OK || (code = open_lease(s, err)) != ERR_OK ||
	    (code = signals_take(s->loop, on_stop_signal, on_passed_signal, s, err)) != ERR_OK)
		return code;
	if (s->o->metrics_listen != NULL && (s->metrics = metrics_new(&(struct metrics_opts){
		.listen = s->o->metrics_listen, .version = s->o->version, .loop = s->loop, .conn = s->conn, .runner = s->runner,
		.elector = s->elector, .election = s->o->group,
	}, err)) == NULL)
		return ERR_CONFIG;
	return ERR_OK;
}

static void
close_elect(struct elect *s)
{
	metrics_free(s->metrics);
	runner_free(s->runner);
	elector_free(s->elector);
	site_free(s->site);
	conn_free(s->conn);
	tether_free(s->tether);
	if (s->loop != NULL) {
		loop_timer_cancel(s->loop, &s->wait);
		loop_timer_cancel(s->loop, &s->unfit);
	}
	loop_free(s->loop);
}

enum err_code
elect(const struct elect_opts *o, int *exit_code, int *by_signal, struct err *err)
{
	struct elect s = { .o = o };
	struct err own = { ERR_OK, "" };
	enum err_code code = open_elect(&s, &own);

	if (code == ERR_OK) {
		log_info(EV_PROCESS_START, LOG_NONE, "'%s' runs here while instance '%s' leads group '%s'", o->runner.argv[0],
		    o->instance, o->group);
		elector_eligible(s.elector, true, LEASE_BY_NONE);
		start_waiting(&s);
		loop_run(s.loop);
	} else if (err != NULL) {
		*err = own;
	}
	close_elect(&s);
	*exit_code = s.exit_code;
	*by_signal = s.by_signal;
	return code;
}
