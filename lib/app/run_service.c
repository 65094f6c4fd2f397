/* run_service.c - the wrapper's life: join runner and member, and part them in order.
 *
 * The program comes first: it is started, found ready, then the instance subscribes and
 * registers; on the way out the instance leaves before the program is stopped (conventions.md
 * §9).  Each phase ends by one event and names the next; a signal skips forward, a second
 * one to the end. */
#include "app/run_service_inner.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/central.h"
#include "app/handoff.h"
#include "app/intake.h"
#include "app/lead.h"
#include "app/metadata.h"
#include "app/metrics.h"
#include "app/outgoing.h"
#include "app/signals.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/num.h"
#include "member/member.h"
#include "messaging/micro.h"
#include "messaging/traffic.h"
#include "nats/publisher.h"
#include "runner/tether.h"
#include "sys/loop.h"
#include "sys/pool.h"

#define MAILBOX 8192
#define STORE_THREADS 2			/* the member's operation, and a drain that waits */
#define STORE_QUEUE 64			/* workers that look for their queue */
#define RELEASE_NS (3 * NS_PER_S)	/* how long the lease's end is waited for */
#define FIRST_LINK_NS (250 * NS_PER_MS)	/* how long a start waits for NATS to ask for a twin */
#define TWIN_PROBE_NS (250 * NS_PER_MS)

static const char *const phase_names[] = {
#define X(name) #name,
	PHASES(X)
#undef X
};

/* tell: the program may ask how its instance is. */
static void
tell(struct service *s)
{
	static const char *const words[] = {
		[PHASE_ASKING] = "starting", [PHASE_RUNNING] = "running", [PHASE_LEAVING] = "leaving",
		[PHASE_LINGERING] = "draining", [PHASE_DRAINING] = "draining", [PHASE_STOPPING] = "stopping",
		[PHASE_RELEASING] = "stopping", [PHASE_OVER] = "stopping",
	};

	outgoing_tell(s->outgoing, runner_status_name(runner_status(s->runner)), words[s->phase],
	    s->member_started && member_is_registered(s->member));
}

/* --- ASKING ------------------------------------------------------------------------------ */

static void
work_probe(struct pool_job *job)
{
	struct service *s = CONTAINER_OF(job, struct service, probe);

	s->presence = MICRO_SILENT;
	micro_probe(s->conn, s->o->service, s->instance, "", TWIN_PROBE_NS, &s->presence, NULL);
}

static void
probe_done(struct pool_job *job)
{
	struct service *s = CONTAINER_OF(job, struct service, probe);

	if (s->phase != PHASE_ASKING)
		return;
	if (s->presence != MICRO_OTHER) {
		service_enter(s, PHASE_RUNNING);
		return;
	}
	log_error(EV_REGISTRY_TWIN, LOG_NONE,
	    "another live process is registered as instance '%s' of '%s', so the command is not started; "
	    "give each its own --instance-id", s->instance, s->o->service);
	s->twin = true;
	service_enter(s, PHASE_RELEASING);
}

static void
ask(struct service *s)
{
	s->probe.work = work_probe;
	s->probe.done = probe_done;
	if (pool_run(s->pool, &s->probe) != ERR_OK)
		service_enter(s, PHASE_RUNNING);
}

static void
on_linked(struct mail *m)
{
	struct service *s = CONTAINER_OF(m, struct service, linked);

	if (s->phase == PHASE_ASKING && loop_timer_pending(&s->timer)) {
		loop_timer_cancel(s->loop, &s->timer);
		ask(s);
	}
}

static void
on_conn(void *arg, enum conn_event ev)
{
	struct service *s = arg;

	if (ev == CONN_EVENT_UP && !atomic_exchange(&s->is_linked, true))
		loop_post(s->loop, &s->linked);
}

static void
without_nats(void *arg)
{
	/* The program does not wait for the bus; a twin is found at registration instead. */
	service_enter(arg, PHASE_RUNNING);
}

static void
start_asking(struct service *s)
{
	if (s->o->no_registration)
		service_enter(s, PHASE_RUNNING);
	else if (conn_state(s->conn) == CONN_UP)
		ask(s);
	else
		loop_timer_set(s->loop, &s->timer, mono_after(loop_now(s->loop), FIRST_LINK_NS), without_nats, s);
}

/* --- the way out ------------------------------------------------------------------------- */

static void
on_left(void *arg)
{
	struct service *s = arg;

	tell(s);
	if (s->phase == PHASE_LEAVING)
		service_enter(s, s->child_gone ? PHASE_DRAINING : PHASE_LINGERING);
}

static void
linger_over(void *arg)
{
	service_enter(arg, PHASE_DRAINING);
}

static void
work_drain(struct pool_job *job)
{
	struct service *s = CONTAINER_OF(job, struct service, drain);
	struct mono end = mono_after(clock_mono(clock_system()), s->o->drain_timeout_ns);

	s->unanswered = member_drain(s->member, s->o->drain_timeout_ns);
	s->unanswered += intake_drain(s->intake, end);
}

static void
drain_done(struct pool_job *job)
{
	struct service *s = CONTAINER_OF(job, struct service, drain);

	if (s->unanswered > 0)
		log_warning(EV_DRAIN_STEP, LOG_F(LOG_N("unanswered", s->unanswered)),
		    "calls, commands or events are still unanswered after the drain time; stopping the program anyway");
	if (s->phase == PHASE_DRAINING)
		service_enter(s, PHASE_STOPPING);
}

static void
start_draining(struct service *s)
{
	s->drain.work = work_drain;
	s->drain.done = drain_done;
	if (pool_run(s->pool, &s->drain) != ERR_OK)
		service_enter(s, PHASE_STOPPING);
}

/* serve: from here on the instance is to be found. */
static void
serve(struct service *s)
{
	struct err err;

	if (s->member_started)
		return;
	s->member_started = true;
	if (member_start(s->member, &err) != ERR_OK)
		log_error(EV_REGISTRY_RETRY, LOG_F(LOG_S("err", err.text)), "cannot serve");
}

static void
begin_running(struct service *s)
{
	/* A program that runs on the leader only is started by the lease; until then calls wait for it. */
	if (s->lead != NULL && lead_is_cold(s->lead))
		serve(s);
	else
		runner_start(s->runner);
}

static void
release_over(void *arg)
{
	service_enter(arg, PHASE_OVER);		/* then it runs out by itself */
}

/* start_releasing: the last thing: nothing that was started under the lease lives any more. */
static void
start_releasing(struct service *s)
{
	if (s->lead == NULL)
		service_enter(s, PHASE_OVER);
	else if (lead_leave(s->lead), lead_is_over(s->lead))
		service_enter(s, PHASE_OVER);
	else
		loop_timer_set(s->loop, &s->timer, mono_after(loop_now(s->loop), RELEASE_NS), release_over, s);
}

/* service_enter: the one place where a phase begins. */
void
service_enter(struct service *s, enum phase next)
{
	static const char *const says[] = {
		[PHASE_LEAVING] = "deregistering",
		[PHASE_LINGERING] = "serving callers that have not noticed yet",
		[PHASE_DRAINING] = "finishing the calls that arrived",
		[PHASE_STOPPING] = "stopping the program",
	};

	log_debug(EV_DRAIN_STEP, LOG_NONE, "phase %s -> %s", phase_names[s->phase], phase_names[next]);
	s->phase = next;
	tell(s);
	if ((size_t)next < COUNT_OF(says) && says[next] != NULL && s->member_started)
		log_info(EV_DRAIN_STEP, LOG_NONE, "%s", says[next]);
	loop_timer_cancel(s->loop, &s->timer);
	switch (next) {
	case PHASE_ASKING:
		start_asking(s);
		break;
	case PHASE_RUNNING:
		begin_running(s);
		break;
	case PHASE_LEAVING:
		if (s->lead != NULL)
			lead_leave(s->lead);
		intake_leave(s->intake);
		if (s->member_started)
			member_leave(s->member, on_left, s);
		else
			service_enter(s, PHASE_STOPPING);
		break;
	case PHASE_LINGERING:
		loop_timer_set(s->loop, &s->timer, mono_after(loop_now(s->loop), s->live.drain_delay_ns), linger_over, s);
		break;
	case PHASE_DRAINING:
		start_draining(s);
		break;
	case PHASE_STOPPING:
		if (s->lead != NULL)
			lead_leave(s->lead);
		if (s->child_gone)
			service_enter(s, PHASE_RELEASING);
		else
			runner_stop(s->runner);
		break;
	case PHASE_RELEASING:
		start_releasing(s);
		break;
	case PHASE_OVER:
		loop_stop(s->loop);
		break;
	}
}

/* --- what the runner tells --------------------------------------------------------------- */

static void
on_status(void *arg, enum runner_status status, const char *why)
{
	struct service *s = arg;
	bool good = s->lead != NULL ? lead_status(s->lead, status) : status == RUNNER_READY;

	(void)why;
	metrics_program(s->metrics, status);
	if (status == RUNNER_READY && s->phase == PHASE_RUNNING)
		serve(s);
	if (s->member_started && s->phase == PHASE_RUNNING) {
		if (status == RUNNER_READY)
			intake_ready(s->intake);
		else
			intake_pause(s->intake);
	}
	/* A wrapper never vouches for a corpse: whatever is not ready is UNHEALTHY. */
	if (s->member_started && s->phase == PHASE_RUNNING)
		member_status(s->member, good ? INSTANCE_ACTIVE : INSTANCE_UNHEALTHY);
	tell(s);
}

static void
on_gone(void *arg, int exit_code, int by_signal)
{
	struct service *s = arg;

	if (s->lead != NULL && lead_gone(s->lead)) {
		if (s->member_started && s->phase == PHASE_RUNNING)
			member_status(s->member, INSTANCE_ACTIVE);
		return;			/* the lease ended it, not the wrapper's life */
	}
	s->child_gone = true;
	s->exit_code = exit_code;
	s->by_signal = by_signal;
	if (s->phase == PHASE_RUNNING)
		service_enter(s, PHASE_LEAVING);
	else if (s->phase == PHASE_STOPPING)
		service_enter(s, PHASE_RELEASING);
}

/* --- what the member tells --------------------------------------------------------------- */

static void
on_call(void *arg, struct rpc_call *call)
{
	struct service *s = arg;

	if (s->lead != NULL)
		lead_call(s->lead, call);
	else
		handoff_call(&s->handoff, call);
}

static void
on_registered(void *arg)
{
	struct service *s = arg;

	if (s->lead != NULL)
		lead_registered(s->lead);
	tell(s);
}

static void
on_twin(void *arg, const char *sentence)
{
	struct service *s = arg;

	(void)sentence;
	s->twin = true;
	intake_pause(s->intake);	/* the durables that carry our id are the other's */
	if (s->phase == PHASE_RUNNING)
		service_enter(s, PHASE_STOPPING);
}

/* --- signals ----------------------------------------------------------------------------- */

static void
on_stop_signal(void *arg, int signo)
{
	struct service *s = arg;

	if (s->phase <= PHASE_RUNNING) {
		log_info(EV_PROCESS_STOP, LOG_F(LOG_N("signal", signo)),
		    "stopping: deregister, finish calls, stop the program; a second signal stops at once");
		if (s->phase == PHASE_ASKING)
			service_enter(s, PHASE_RELEASING);
		else
			service_enter(s, PHASE_LEAVING);
		return;
	}
	log_warning(EV_PROCESS_STOP, LOG_F(LOG_N("signal", signo)), "stopping at once");
	if (s->phase != PHASE_OVER) {
		s->phase = PHASE_STOPPING;
		if (s->child_gone)
			service_enter(s, PHASE_RELEASING);
		else
			runner_kill(s->runner);
	}
}

static void
on_passed_signal(void *arg, int signo)
{
	struct service *s = arg;

	runner_signal(s->runner, signo);
}

/* --- settings that change ---------------------------------------------------------------- */

/* on_settings: everything is set anew, since what did not change changes nothing. */
static void
on_settings(void *arg, const void *running, bool own)
{
	struct service *s = arg;

	s->o->read(running, &s->live);
	log_set_level(s->live.log_level);
	member_times(s->member, s->live.heartbeat_ns, s->live.ttl_s);
	workload_limit(runner_workload(s->runner), s->live.max_inflight, s->live.max_queue);
	outgoing_calls(s->outgoing, s->live.rpc_timeout_ns, (int)s->live.retry);
	if (own && s->o->config_signal != 0 && s->phase <= PHASE_LINGERING)
		runner_signal(s->runner, s->o->config_signal);
}

/* --- start and end ----------------------------------------------------------------------- */

static enum err_code
open_member(struct service *s, struct err *err)
{
	static const char *const nothing[] = { NULL };
	bool takes_calls = s->o->runner.app != RUNNER_APP_NONE;

	s->member = member_new(&(struct member_opts){
		.loop = s->loop, .pool = s->pool, .conn = s->conn,
		.service = s->o->service, .instance = s->instance, .version = s->o->version,
		.description = s->o->description, .metadata = s->metadata,
		/* Without a door into the program it listens to nothing: calls are for members that have
		 * one. */
		.methods = takes_calls ? s->o->methods : nothing,
		.heartbeat_ns = s->live.heartbeat_ns, .ttl_s = s->live.ttl_s, .no_record = s->o->no_registration,
		.traffic = s->traffic, .guard = s->guard, .group = s->o->group, .exclusive = s->o->exclusive,
		.handler = on_call, .arg = s, .registered = on_registered, .twin = on_twin,
	}, err);
	if (s->member != NULL && s->lead != NULL)
		lead_member(s->lead, s->member);
	return s->member != NULL ? ERR_OK : ERR_INVALID;
}

/* open_runner: with a tether to the lease, if the program is to live under one. */
static enum err_code
open_runner(struct service *s, struct err *err)
{
	struct runner_callbacks cb = { s, on_status, on_gone, service_lapsed };
	struct runner_opts o = s->o->runner;

	if (service_tie(s, &o.terms, err) != ERR_OK)
		return err != NULL ? err->code : ERR_SYSTEM;
	s->runner = runner_new(s->loop, &o, &cb, err);
	if (s->runner == NULL)
		return err != NULL ? err->code : ERR_SYSTEM;
	runner_set_env(s->runner, "AEGIS_SERVICE", s->o->service);
	runner_set_env(s->runner, "AEGIS_INSTANCE", s->instance);
	runner_set_env(s->runner, "AEGIS_GROUP", s->o->group);
	runner_set_env(s->runner, "AEGIS_ROLE", s->o->group != NULL ? "standby" : NULL);
	runner_set_env(s->runner, "AEGIS_EPOCH", NULL);
	runner_set_env(s->runner, "AEGIS_CONFIG_FILE", central_file(s->central));
	return ERR_OK;
}

/* open_outgoing: the program's own way out, and how it finds it. */
static enum err_code
open_outgoing(struct service *s, struct err *err)
{
	const struct run_service_opts *o = s->o;

	if (o->local_api != NULL && (s->outgoing = outgoing_new(&(struct outgoing_opts){
		.loop = s->loop, .conn = s->conn, .pool = s->pool, .publisher = s->publisher, .handoff = &s->handoff,
		.gate = s->lead != NULL ? lead_gate(s->lead) : NULL, .fence = s->lead != NULL ? lead_fence(s->lead) : NULL, .central = s->central,
		.guard = s->guard, .traffic = s->traffic, .where = o->local_api, .directory = o->local_directory, .service = o->service,
		.instance = s->instance, .version = o->version, .max_waiting = o->max_outgoing,
	}, err)) == NULL)
		return err != NULL ? err->code : ERR_WRAPPER;
	/* Those of a wrapper around this one are not ours to pass on. */
	runner_set_env(s->runner, "AEGIS_API", s->outgoing != NULL ? outgoing_address(s->outgoing) : NULL);
	runner_set_env(s->runner, "AEGIS_API_TOKEN", s->outgoing != NULL ? outgoing_token(s->outgoing) : NULL);
	return ERR_OK;
}

static enum err_code
open_metrics(struct service *s, struct err *err)
{
	const struct run_service_opts *o = s->o;

	if (o->metrics_listen == NULL)
		return ERR_OK;
	s->election = o->group != NULL ? mem_printf("%s/%s", o->service, o->group) : NULL;
	s->metrics = metrics_new(&(struct metrics_opts){
		.listen = o->metrics_listen, .version = o->aegis_version, .loop = s->loop, .conn = s->conn, .runner = s->runner,
		.elector = s->lead != NULL ? lead_elector(s->lead) : NULL, .election = s->election,
		.exclusive = s->lead != NULL ? lead_counters(s->lead) : NULL, .central = s->central,
	}, err);
	return s->metrics != NULL ? ERR_OK : ERR_CONFIG;
}

static enum err_code
open_service(struct service *s, struct err *err)
{
	const struct run_service_opts *o = s->o;

	s->instance = mem_text(o->instance);
	s->traffic = traffic_new();
	enum err_code code = metadata_make(o->metadata, o->service_type, &s->metadata, err);
	if (code != ERR_OK)
		return code;
	if ((s->loop = loop_new(clock_system(), MAILBOX, err)) == NULL ||
	    open_runner(s, err) != ERR_OK ||
	    (s->pool = pool_new(s->loop, STORE_THREADS, STORE_QUEUE, err)) == NULL)
		return err != NULL ? err->code : ERR_SYSTEM;
	if ((o->commands != NULL || o->nevents > 0 || o->local_api != NULL || o->group != NULL) &&
	    (s->publisher = publisher_new(&(struct publisher_opts){ .conn = s->conn, .loop = s->loop }, err)) == NULL)
		return ERR_UNAVAILABLE;
	if (o->validate != GUARD_OFF && (s->guard = guard_new(&(struct guard_opts){
		.conn = s->conn, .traffic = s->traffic, .service = o->service, .mode = o->validate,
	}, err)) == NULL)
		return ERR_SYSTEM;
	s->handoff = (struct handoff){ .loop = s->loop, .runner = s->runner };
	s->intake = intake_new(&(struct intake_opts){
		.service = o, .instance = s->instance, .conn = s->conn, .loop = s->loop, .pool = s->pool,
		.publisher = s->publisher, .handoff = &s->handoff, .guard = s->guard, .traffic = s->traffic,
	});
	s->linked = (struct mail){ .deliver = on_linked, .vital = true };
	if ((code = service_open_lead(s, err)) != ERR_OK || (code = open_member(s, err)) != ERR_OK ||
	    (code = open_outgoing(s, err)) != ERR_OK || (code = open_metrics(s, err)) != ERR_OK)
		return code;
	outgoing_calls(s->outgoing, s->live.rpc_timeout_ns, (int)s->live.retry);
	if ((code = central_follow(s->central, s->loop, s->pool, on_settings, s, err)) != ERR_OK)
		return code;
	return signals_take(s->loop, on_stop_signal, on_passed_signal, s, err);
}

/* close_service: against the way of a call: first nothing arrives, then what is on its way is
 * refused, in the mailbox and in the runner; a drain that still waits ends with the last of it.
 * Only then may go what calls are counted in, which is the member's, and what jobs and events
 * are answered through. */
static void
close_service(struct service *s)
{
	metrics_free(s->metrics);
	central_close(s->central);
	member_close(s->member);
	intake_close(s->intake);
	lead_close(s->lead);
	handoff_close(&s->handoff);
	runner_free(s->runner);
	intake_free(s->intake);
	pool_free(s->pool);
	if (s->conn != NULL)
		conn_flush(s->conn, NS_PER_S, NULL);
	outgoing_free(s->outgoing);
	lead_free(s->lead);
	tether_free(s->tether);
	publisher_free(s->publisher);
	member_free(s->member);
	guard_free(s->guard);
	central_free(s->central);
	loop_free(s->loop);
	traffic_free(s->traffic);
	mem_free(s->election);
	mem_free(s->instance);
	mem_free(s->metadata);
}

enum err_code
run_service(const struct run_service_opts *o, int *exit_code, int *by_signal, struct err *err)
{
	struct service s = { .o = o, .central = o->central, .live = o->live, .conn = central_conn(o->central) };
	struct err own = { ERR_OK, "" };
	enum err_code code = open_service(&s, &own);

	if (code == ERR_OK) {
		log_info(EV_PROCESS_START, LOG_NONE, "wrapping '%s' as instance '%s' of '%s'", o->runner.argv[0], s.instance,
		    o->service);
		conn_listen(s.conn, on_conn, &s);
		service_enter(&s, PHASE_ASKING);
		if (s.phase != PHASE_OVER)
			loop_run(s.loop);
		conn_unlisten(s.conn, on_conn, &s);
	} else {
		/* No word on the command line is wrong. */
		code = own.code = code == ERR_SYSTEM ? ERR_WRAPPER : code;
		if (err != NULL)
			*err = own;
	}
	close_service(&s);
	*exit_code = s.twin ? err_exit(ERR_TWIN) : s.unfit ? err_exit(ERR_CONFIG) : s.exit_code;
	*by_signal = s.twin || s.unfit ? 0 : s.by_signal;
	return code;
}
