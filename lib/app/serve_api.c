/* serve_api.c - start and stop order of the management service.
 *
 * The loop owns discovery; what asks NATS and may wait is a job of the pool.  One opens
 * the registry as soon as it can, and notes when NATS last answered, which is what readiness and
 * every data route go by.  A connection that looks open says nothing of a server that stands still. */
#include "app/serve_api.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>

#include "api/manage.h"
#include "app/config_news.h"
#include "audit/audit.h"
#include "auth/auth.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "discovery/discovery.h"
#include "election/groups.h"
#include "messaging/janitor.h"
#include "monitor/monitor.h"
#include "registry/registry.h"
#include "registry/sweeper.h"
#include "settings/settings.h"
#include "sys/clock.h"
#include "sys/loop.h"
#include "sys/pool.h"

#define MAILBOX 4096
#define JOBS 3			/* look, sweep and leave */
#define TURN_NS (250 * NS_PER_MS)	/* how often the loop says that it turns */
#define LOOK_NS (500 * NS_PER_MS)	/* from one look at NATS to the next */
#define LOST_NS (3 * NS_PER_S)		/* not following for so long: is the bucket still there? */
#define PING_NS NS_PER_S		/* how long one may take */
#define SWEEP_NS (300 * NS_PER_S)	/* from one look for dead records to the next */
#define STILL_NS (600 * NS_PER_S)	/* how long one must have stood still */

struct serve_api {
	const struct serve_api_opts *o;
	struct loop *loop;
	struct conn *conn;
	struct pool *pool;
	struct discovery *discovery;
	struct janitor *janitor;
	struct auth *auth;
	struct monitor *monitor;
	struct config_news *news;
	struct audit *audit;
	struct manage manage;
	struct systemd manager;

	struct sweeper *sweeper;	/* the pool's, once the registry is open */

	struct loop_timer turn, look, sweep;
	struct pool_job look_job, sweep_job, leave_job;
	bool stopping;
	bool told;			/* that the registry cannot be opened */
	bool has_trail;			/* the audit trail was made, or never will be; the pool's */
};

/* --- looking at NATS ---------------------------------------------------------------------- */

/* open_registry: the bucket is made when it is missing. */
static void
open_registry(struct serve_api *s)
{
	struct err err = { ERR_OK, "" };
	struct registry *none = NULL, *r = registry_new(&(struct registry_opts){
		.conn = s->conn, .create = true, .terse = true,
	}, &err);

	/* It holds nothing but the bucket's name: who uses the first one may go on. */
	if (r != NULL && !atomic_compare_exchange_strong(&s->manage.registry, &none, r))
		registry_free(r);
	if (r == NULL && !s->told)
		log_warning(EV_REGISTRY_RETRY, LOG_F(LOG_S("err", err.text)), "the registry cannot be opened (%s); trying again every "
		    "%lld ms", err.text, (long long)(LOOK_NS / NS_PER_MS));
	s->told = r == NULL;
}

/* wants_registry: it was not opened yet, or cannot be followed though NATS answers: somebody may have
 * removed the bucket. */
static bool
wants_registry(struct serve_api *s)
{
	struct discovery_state d = discovery_state(s->discovery);

	return atomic_load(&s->manage.registry) == NULL || (!d.synced && d.age_ns > LOST_NS);
}

/* open_settings: once; their bucket is made by the first who writes. */
static void
open_settings(struct serve_api *s)
{
	struct settings *all = settings_new(&(struct settings_opts){ .conn = s->conn, .rules = s->o->settings_rules }, NULL);

	if (all != NULL)
		atomic_store(&s->manage.settings, all);
}

/* open_trail: once, so that what others change from now on stands there, too; who may not make it is told by the
 * first write. */
static void
open_trail(struct serve_api *s)
{
	enum err_code code = audit_open(s->audit, NULL);

	s->has_trail = code != ERR_UNAVAILABLE && code != ERR_TIMEOUT;
}

static void
look_work(struct pool_job *job)
{
	struct serve_api *s = CONTAINER_OF(job, struct serve_api, look_job);
	struct mono sent = clock_mono(clock_system());

	if (conn_state(s->conn) != CONN_UP || conn_flush(s->conn, PING_NS, NULL) != ERR_OK)
		return;
	struct mono now = clock_mono(clock_system());
	atomic_store(&s->manage.rtt_ns, mono_since(now, sent));
	atomic_store(&s->manage.answered, now.ns);
	if (wants_registry(s))
		open_registry(s);
	if (atomic_load(&s->manage.settings) == NULL)
		open_settings(s);
	if (!s->has_trail)
		open_trail(s);
}

static void look(void *arg);

static void
look_done(struct pool_job *job)
{
	struct serve_api *s = CONTAINER_OF(job, struct serve_api, look_job);

	if (!s->stopping)
		loop_timer_set(s->loop, &s->look, mono_after(loop_now(s->loop), LOOK_NS), look, s);
}

static void
look(void *arg)
{
	struct serve_api *s = arg;

	s->look_job = (struct pool_job){ .work = look_work, .done = look_done };
	MUST(pool_run(s->pool, &s->look_job) == ERR_OK);	/* it has a thread and a place of its own */
}

/* --- taking out what is dead ----------------------------------------------------------------- */

static void
sweep_work(struct pool_job *job)
{
	struct serve_api *s = CONTAINER_OF(job, struct serve_api, sweep_job);
	struct registry *r = atomic_load(&s->manage.registry);
	struct err err;

	if (r == NULL)
		return;
	if (s->sweeper == NULL)
		s->sweeper = sweeper_new(r, STILL_NS);
	if (sweeper_pass(s->sweeper, clock_mono(clock_system()), &err) != ERR_OK)
		log_debug(EV_REGISTRY_SWEPT, LOG_F(LOG_S("err", err.text)), "could not look for dead records: %s; trying again in %lld s",
		    err.text, (long long)(SWEEP_NS / NS_PER_S));
}

static void sweep(void *arg);

static void
sweep_done(struct pool_job *job)
{
	struct serve_api *s = CONTAINER_OF(job, struct serve_api, sweep_job);

	if (!s->stopping)
		loop_timer_set(s->loop, &s->sweep, mono_after(loop_now(s->loop), SWEEP_NS), sweep, s);
}

static void
sweep(void *arg)
{
	struct serve_api *s = arg;

	s->sweep_job = (struct pool_job){ .work = sweep_work, .done = sweep_done };
	MUST(pool_run(s->pool, &s->sweep_job) == ERR_OK);
}

/* --- the loop ----------------------------------------------------------------------------- */

static void
turn(void *arg)
{
	struct serve_api *s = arg;

	atomic_store(&s->manage.turned, clock_mono(clock_system()).ns);
	systemd_alive(&s->manager, loop_now(s->loop));
	loop_timer_set(s->loop, &s->turn, mono_after(loop_now(s->loop), TURN_NS), turn, s);
}

/* The requests under way are finished while the loop still turns: what they wait for may need it. */
static void
leave_work(struct pool_job *job)
{
	manage_stop(&CONTAINER_OF(job, struct serve_api, leave_job)->manage);
}

static void
leave_done(struct pool_job *job)
{
	loop_stop(CONTAINER_OF(job, struct serve_api, leave_job)->loop);
}

static void
on_stop(void *arg, int signo)
{
	struct serve_api *s = arg;

	if (s->stopping) {
		log_warning(EV_PROCESS_STOP, LOG_F(LOG_N("signal", signo)), "stopping at once");
		_Exit(128 + signo);
	}
	log_info(EV_PROCESS_STOP, LOG_F(LOG_N("signal", signo)), "stopping: no more requests; a second signal stops at once");
	s->stopping = true;
	systemd_stopping(&s->manager);
	atomic_store(&s->manage.draining, true);
	s->leave_job = (struct pool_job){ .work = leave_work, .done = leave_done };
	MUST(pool_run(s->pool, &s->leave_job) == ERR_OK);
}

static void
on_reload(void *arg, int signo)
{
	struct serve_api *s = arg;
	struct err err;

	if (s->stopping)
		return;
	systemd_reloading(&s->manager, clock_mono(clock_system()));
	if (s->o->api.tls_cert == NULL)
		log_info(EV_CONFIG_NOTE, LOG_F(LOG_N("signal", signo)), "there is no certificate to read again; options wait for a restart");
	else if (manage_reload(&s->manage, &err) == ERR_OK)
		log_info(EV_CONFIG_NOTE, LOG_F(LOG_N("signal", signo)), "read the certificate again; options wait for a restart");
	else
		log_error(EV_CONFIG_NOTE, LOG_F(LOG_N("signal", signo), LOG_S("err", err.text)),
		    "the old certificate stays in use: %s", err.text);
	systemd_ready(&s->manager, NULL);
}

/* --- start and end ------------------------------------------------------------------------ */

static int64_t
rtt_of(void *arg)
{
	struct manage *m = arg;

	return manage_answers(m) ? atomic_load(&m->rtt_ns) : -1;
}

/* trouble: what /api/overview says of this process besides what the monitor sees by itself. */
static const char *
trouble(void *arg, size_t i)
{
	struct manage *m = arg;
	const char *found[3];
	size_t n = 0;

	if (auth_state(m->auth).stale)
		found[n++] = "tokens are judged by what was known a while ago: a revocation may not have arrived";
	if (!manage_answers(m))
		found[n++] = "NATS does not answer, though the connection stands";
	if (audit_failing(m->audit))
		found[n++] = "the last change is not known to stand in the audit trail";
	return i < n ? found[i] : NULL;
}

static void
tell_groups(void *arg, monitor_group *each, void *to)
{
	struct manage *m = arg;

	if (m->groups != NULL)
		manage_groups_tell(m, each, to);
}

static void
groups_changed(void *arg)
{
	monitor_groups(arg);
}

static enum err_code
open_bus(struct serve_api *s, struct err *err)
{
	struct conn_opts conn = s->o->conn;

	conn.wait = true;
	if ((s->conn = conn_new(&conn, err)) == NULL)
		return err != NULL ? err->code : ERR_UNAVAILABLE;
	s->discovery = discovery_new(&(struct discovery_opts){ .loop = s->loop, .conn = s->conn, .stale_ns = s->o->stale_ns });
	if ((s->auth = auth_new(&(struct auth_opts){ .conn = s->conn, .create = true }, err)) == NULL)
		return ERR_SYSTEM;
	if ((s->audit = audit_new(&(struct audit_opts){ .conn = s->conn, .loop = s->loop }, err)) == NULL)
		return ERR_SYSTEM;
	s->monitor = monitor_new(&(struct monitor_opts){
		.loop = s->loop, .conn = s->conn, .discovery = s->discovery, .rtt_ns = rtt_of, .trouble = trouble, .groups = tell_groups, .arg = &s->manage,
	}, err);
	if (s->monitor == NULL || (s->news = config_news_new(s->conn, monitor_live(s->monitor), err)) == NULL)
		return ERR_SYSTEM;
	if (discovery_start(s->discovery, err) != ERR_OK || (s->janitor = janitor_new(s->conn, s->loop, err)) == NULL)
		return ERR_SYSTEM;
	if ((s->manage.groups = groups_new(&(struct groups_opts){
		.conn = s->conn, .changed = groups_changed, .arg = s->monitor,
	}, err)) == NULL)
		return ERR_SYSTEM;
	return ERR_OK;
}

static enum err_code
open_api(struct serve_api *s, struct err *err)
{
	enum err_code code;

	if ((s->loop = loop_new(clock_system(), MAILBOX, err)) == NULL ||
	    (s->pool = pool_new(s->loop, JOBS, JOBS, err)) == NULL)
		return ERR_SYSTEM;
	if ((code = open_bus(s, err)) != ERR_OK || (code = loop_signal(s->loop, SIGTERM, on_stop, s, err)) != ERR_OK ||
	    (code = loop_signal(s->loop, SIGINT, on_stop, s, err)) != ERR_OK ||
	    (code = loop_signal(s->loop, SIGHUP, on_reload, s, err)) != ERR_OK)
		return code;
	struct mono now = clock_mono(clock_system());
	s->manage.loop = s->loop;
	s->manage.conn = s->conn;
	s->manage.discovery = s->discovery;
	s->manage.janitor = s->janitor;
	s->manage.settings_rules = s->o->settings_rules;
	s->manage.monitor = s->monitor;
	s->manage.environment = s->o->environment;
	s->manage.deployment = s->o->deployment;
	s->manage.auth = s->auth;
	s->manage.audit = s->audit;
	s->manage.version = s->o->version;
	s->manage.base_path = s->o->base_path;
	s->manage.ui_dir = s->o->ui_dir;
	s->manage.cors = s->o->cors;
	s->manage.read_only = s->o->read_only;
	s->manage.no_page = s->o->no_page;
	s->manage.began = now;
	atomic_store(&s->manage.turned, now.ns);
	return manage_start(&s->manage, &s->o->api, err);
}

static void
close_api(struct serve_api *s)
{
	if (s->monitor != NULL)
		monitor_leave(s->monitor);
	manage_stop(&s->manage);
	if (s->loop != NULL) {
		loop_timer_cancel(s->loop, &s->turn);
		loop_timer_cancel(s->loop, &s->look);
		loop_timer_cancel(s->loop, &s->sweep);
	}
	s->stopping = true;
	pool_free(s->pool);
	groups_free(s->manage.groups);
	sweeper_free(s->sweeper);
	audit_free(s->audit);
	auth_free(s->auth);
	janitor_free(s->janitor);
	config_news_free(s->news);
	monitor_free(s->monitor);
	discovery_free(s->discovery);
	settings_free(atomic_load(&s->manage.settings));
	registry_free(atomic_load(&s->manage.registry));
	conn_free(s->conn);
	loop_free(s->loop);
}

enum err_code
serve_api(const struct serve_api_opts *o, struct err *err)
{
	struct serve_api s = { .o = o, .manager = o->manager };
	enum err_code code;

	/* Hundreds of streams are as many threads; with an arena for every few of them, each keeps what others gave
	 * back: 61 MB with 500 streams, not 50. */
	mallopt(M_ARENA_MAX, 2);
	code = open_api(&s, err);
	if (code == ERR_OK) {
		/* NATS need not be there: whoever waits for us would wait for it. */
		systemd_ready(&s.manager, "serving");
		turn(&s);
		look(&s);
		loop_timer_set(s.loop, &s.sweep, mono_after(loop_now(s.loop), SWEEP_NS), sweep, &s);
		loop_run(s.loop);
	}
	close_api(&s);
	return code;
}
