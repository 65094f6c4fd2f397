/* run_service.c - `aegis run-service`: what its options are to the wrapper.
 *
 * Whatever is wrong with the command line is said before anything is started. */
#include <signal.h>
#include <string.h>

#include "api/local.h"
#include "app/central.h"
#include "app/metadata.h"
#include "base/id.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/num.h"
#include "config.h"
#include "model/names.h"
#include "model/pattern.h"
#include "run_service.h"
#include "version.h"

#define REWRITES_MAX 64

/* --- from options to the wrapper's ------------------------------------------------------ */

static enum err_code
parse_rewrites(const struct opts_list *list, struct runner_rewrite *out, struct err *err)
{
	if (list->n > REWRITES_MAX)
		return err_set(err, ERR_CONFIG, "--rewrite-signal: at most %d of them", REWRITES_MAX);
	for (size_t i = 0; i < list->n; i++) {
		const char *colon = strchr(list->v[i], ':');
		char *from = mem_text_n(list->v[i], colon != NULL ? (size_t)(colon - list->v[i]) : strlen(list->v[i]));
		out[i].from = cmd_signal(from);
		out[i].to = colon != NULL ? cmd_signal(colon + 1) : -1;
		mem_free(from);
		if (out[i].from <= 0 || out[i].to < 0)
			return err_set(err, ERR_CONFIG, "--rewrite-signal: '%s' is no pair of signals; write one such as "
			    "TERM:QUIT or 15:3", list->v[i]);
	}
	return ERR_OK;
}

static enum err_code
pick_probes(const struct run_opts *o, struct runner_opts *r, struct err *err)
{
	const struct cmd_probe ready[] = {
		{ "--ready-http", o->ready_http, RUNNER_PROBE_HTTP }, { "--ready-tcp", o->ready_tcp, RUNNER_PROBE_TCP },
		{ "--ready-cmd", o->ready_cmd, RUNNER_PROBE_CMD },
		{ "--ready-fd", o->ready_fd != 0 ? "" : NULL, RUNNER_PROBE_FD },
		{ "--ready-notify", o->ready_notify ? "" : NULL, RUNNER_PROBE_NOTIFY },
	};

	r->ready.fd = (int)o->ready_fd;
	enum err_code code = cmd_pick_probe(ready, COUNT_OF(ready), &r->ready, err);
	return code != ERR_OK ? code : cmd_health_fill(&o->health, r, err);
}

static enum err_code
pick_app(const struct run_opts *o, struct runner_opts *r, struct err *err)
{
	if ((o->app_port != 0) + (o->app_socket != NULL) + o->app_stdio > 1)
		return err_set(err, ERR_USAGE, "--app-port, --app-socket and --app-stdio exclude each other");
	r->app = o->app_port != 0 ? RUNNER_APP_PORT : o->app_socket != NULL ? RUNNER_APP_SOCKET
	    : o->app_stdio ? RUNNER_APP_STDIO : RUNNER_APP_NONE;
	r->app_port = (uint16_t)o->app_port;
	r->app_socket = o->app_socket;
	if (r->app == RUNNER_APP_NONE && o->methods.n + o->commands.n + o->events.n > 0)
		return err_set(err, ERR_USAGE, "--method, --command and --event need --app-port, --app-socket or --app-stdio, which tell how CMD is called");
	return ERR_OK;
}

/* parse_event: PATTERN and the words behind its commas. */
static enum err_code
parse_event(const char *text, struct run_service_event *e, struct err *err)
{
	char *words = mem_text(text), *rest = words;
	enum err_code code = ERR_OK;

	e->pattern = strsep(&rest, ",");
	for (char *word; code == ERR_OK && (word = strsep(&rest, ",")) != NULL;) {
		if (strcmp(word, "broadcast") == 0)
			e->mode = EVENT_BROADCAST;
		else if (strcmp(word, "mixed") == 0)
			e->mode = EVENT_MIXED;
		else if (strcmp(word, "new") == 0)
			e->from_now = true;
		else
			code = err_set(err, ERR_USAGE, "--event '%s': '%s' is none of broadcast, mixed, new", text, word);
	}
	return code == ERR_OK ? pattern_check(e->pattern, err) : code;
}

static void
free_events(struct run_service_event *events, size_t n)
{
	for (size_t i = 0; events != NULL && i < n; i++)
		mem_free((char *)(uintptr_t)events[i].pattern);
	mem_free(events);
}

static enum err_code
parse_events(const struct run_opts *o, struct run_service_event **out, struct err *err)
{
	struct run_service_event *events = *out = mem_array(o->events.n + 1, sizeof *events);
	enum err_code code = ERR_OK;

	if (o->events.n > EVENTS_MAX)
		return err_set(err, ERR_USAGE, "--event: %zu patterns are more than the %d there may be", o->events.n, EVENTS_MAX);
	for (size_t i = 0; i < o->events.n && code == ERR_OK; i++) {
		code = parse_event(o->events.v[i], &events[i], err);
		for (size_t k = 0; k < i && code == ERR_OK; k++)
			if (strcmp(events[k].pattern, events[i].pattern) == 0)
				code = err_set(err, ERR_USAGE, "--event: '%s' is given twice", events[i].pattern);
	}
	return code;
}

static enum err_code
check_names(const struct run_opts *o, struct err *err)
{
	enum err_code code;

	if (o->name == NULL)
		return err_set(err, ERR_USAGE, "--name is missing; it names the service, and so does SERVICE_NAME");
	if ((code = name_check(NAME_SERVICE, o->name, err)) != ERR_OK ||
	    (o->instance != NULL && (code = name_check(NAME_INSTANCE, o->instance, err)) != ERR_OK) ||
	    (code = name_check(NAME_VERSION, o->version, err)) != ERR_OK)
		return code;
	for (size_t i = 0; i < o->methods.n; i++)
		if ((code = name_check(NAME_METHOD, o->methods.v[i], err)) != ERR_OK)
			return code;
	for (size_t i = 0; i < o->commands.n; i++)
		if ((code = name_check(NAME_COMMAND, o->commands.v[i], err)) != ERR_OK)
			return code;
	return ERR_OK;
}

/* check_election: what goes with --single-active, and what it goes with. */
static enum err_code
check_election(const struct run_opts *o, struct err *err)
{
	enum err_code code;

	if (!o->single_active && (o->exclusive.n > 0 || o->standby != STANDBY_HOT || o->profile != 0 || o->fence != 0 ||
	    strcmp(o->group, "default") != 0 || strcmp(o->on_lost, "term") != 0))
		return err_set(err, ERR_USAGE, "--group, --standby, --exclusive, --profile, --fence and --on-lost are about an election: say "
		    "--single-active, too");
	if (!o->single_active)
		return ERR_OK;
	if (o->no_registration)
		return err_set(err, ERR_USAGE, "--single-active and --no-registration exclude each other: a leader has a record");
	if ((code = name_check(NAME_GROUP, o->group, err)) != ERR_OK)
		return code;
	for (size_t i = 0; i < o->exclusive.n; i++)
		if ((code = name_check(NAME_METHOD, o->exclusive.v[i], err)) != ERR_OK)
			return code;
	return ERR_OK;
}

/* check_times: what no single bound can say: an instance must not look dead between two of
 * its own heartbeats. */
static enum err_code
check_times(const struct run_opts *o, struct err *err)
{
	char beat[NUM_TEXT_MAX], other[NUM_TEXT_MAX];

	num_duration_text(o->heartbeat_ns, beat);
	num_duration_text(o->ttl_ns, other);
	if (o->ttl_ns % NS_PER_S != 0)
		return err_set(err, ERR_CONFIG, "--registry-ttl: %s is not in whole seconds, which the store needs", other);
	if (o->heartbeat_ns >= o->ttl_ns)
		return err_set(err, ERR_CONFIG, "--heartbeat-interval (%s) must be shorter than --registry-ttl (%s), or the "
		    "record expires between two heartbeats", beat, other);
	num_duration_text(o->stale_ns, other);
	if (o->heartbeat_ns >= o->stale_ns)
		return err_set(err, ERR_CONFIG, "--heartbeat-interval (%s) must be shorter than --stale-threshold (%s), or the "
		    "instance looks gone between two heartbeats", beat, other);
	return ERR_OK;
}

/* check_document: what central settings may not be together with all else that this process was told: whatever would
 * keep it from starting. */
static enum err_code
check_document(const void *opts, struct err *err)
{
	static const char *const any[] = { "CMD", NULL };
	const struct run_opts *o = opts;
	struct runner_opts r = { .name = "CMD", .argv = any, .max_inflight = (unsigned)o->max_inflight, .max_queue = (unsigned)o->max_queue };
	enum err_code code;

	if ((code = check_times(o, err)) != ERR_OK || (code = cmd_budget(o->max_restarts, &r.restart, err)) != ERR_OK)
		return code;
	return runner_check(&r, err);
}

/* read_live: what may change while the wrapper runs. */
static void
read_live(const void *opts, struct run_service_live *out)
{
	const struct run_opts *o = opts;

	*out = (struct run_service_live){
		.log_level = o->general.out.quiet && o->log.level < LOG_ERROR ? LOG_ERROR : o->log.level,
		.heartbeat_ns = o->heartbeat_ns, .ttl_s = o->ttl_ns / NS_PER_S, .max_inflight = (unsigned)o->max_inflight,
		.max_queue = (unsigned)o->max_queue, .drain_delay_ns = o->drain_delay_ns, .rpc_timeout_ns = o->rpc_timeout_ns,
		.retry = o->retry,
	};
}

const struct settings_rules run_service_rules = { run_service_form.tables, sizeof(struct run_opts), check_document };

/* as_array: NULL-terminated, as the library wants it; NULL for an empty list. */
static const char **
as_array(const struct opts_list *l)
{
	if (l->n == 0)
		return NULL;
	const char **v = mem_array(l->n + 1, sizeof *v);
	memcpy(v, l->v, l->n * sizeof *v);
	return v;
}

/* pick_local: where the local API is to be. */
static enum err_code
pick_local(const struct run_opts *o, struct run_service_opts *s, struct err *err)
{
	static const char *const places[] = { "XDG_RUNTIME_DIR", "TMPDIR" };

	s->max_outgoing = (unsigned)o->max_outgoing;
	s->local_directory = "/tmp";
	for (size_t i = COUNT_OF(places); i-- > 0;) {
		const char *v = out_getenv(NULL, places[i]);
		if (v != NULL && v[0] == '/')
			s->local_directory = v;
	}
	if (strcmp(o->local_api, "none") == 0)
		return ERR_OK;
	s->local_api = o->local_api;
	if (strcmp(o->local_api, "auto") == 0)
		return ERR_OK;
	enum err_code code = local_check(o->local_api, err);
	if (code != ERR_OK)
		err_prefix(err, "--local-api");
	return code;
}

/* One run's options as the wrapper wants them, and the arrays behind them. */
struct plan {
	struct run_service_opts s;
	struct runner_rewrite rewrites[REWRITES_MAX];
	const char **metadata, **methods, **names, **exclusive;
	struct run_service_event *events;
	size_t nevents;
};

static void
fill_runner(const struct run_opts *o, const struct cmd *c, struct runner_opts *r)
{
	r->name = o->name;
	r->argv = c->wrapped;
	r->ready_timeout_ns = o->ready_timeout_ns;
	r->restart.when = o->restart;
	r->kill_after_ns = o->kill_after_ns > 0 ? o->kill_after_ns : -1;	/* there, 0 is the default */
	r->max_inflight = (unsigned)o->max_inflight;
	r->max_queue = (unsigned)o->max_queue;
	r->log_prefix = o->log_prefix;
	r->tty = o->tty;
	r->notify_upward = out_getenv(NULL, "NOTIFY_SOCKET");
}

static void
fill_lists(const struct run_opts *o, struct plan *p)
{
	p->s.metadata = p->metadata = as_array(&o->metadata);
	p->s.methods = p->methods = as_array(&o->methods);
	p->s.commands = p->names = as_array(&o->commands);
	p->s.exclusive = p->exclusive = as_array(&o->exclusive);
}

static void
plan_release(struct plan *p)
{
	free_events(p->events, p->nevents);
	mem_free(p->metadata);
	mem_free(p->methods);
	mem_free(p->names);
	mem_free(p->exclusive);
}

/* check_metadata: what cannot become metadata is said before NATS is looked for. */
static enum err_code
check_metadata(const struct plan *p, const struct run_opts *o, struct err *err)
{
	char *json = NULL;
	enum err_code code = metadata_make(p->metadata, o->service_type, &json, err);

	mem_free(json);
	return code;
}

static enum err_code
parse_config_signal(const char *text, int *out, struct err *err)
{
	if (text != NULL && (*out = cmd_signal(text)) <= 0)
		return err_set(err, ERR_CONFIG, "--config-signal: '%s' is no signal; write one such as HUP", text);
	return ERR_OK;
}

/* plan_make: everything from the options; p was zeroed, and is released by the caller in any case. */
static enum err_code
plan_make(const struct cmd *c, struct plan *p, struct err *err)
{
	const struct run_opts *o = c->opts;
	struct run_service_opts *s = &p->s;
	enum err_code code;

	*s = (struct run_service_opts){ .service = o->name, .version = o->version, .description = o->description,
	    .service_type = o->service_type, .drain_timeout_ns = o->drain_timeout_ns, .read = read_live,
	    .no_registration = o->no_registration, .metrics_listen = o->metrics_listen, .aegis_version = AEGIS_VERSION,
	    .group = o->single_active ? o->group : NULL, .profile = o->profile != 0 ? run_service_profiles[o->profile] : NULL,
	    .fence_lanes = (unsigned)o->fence, .cold = o->standby == STANDBY_COLD, .validate = o->validate, .replace_worker = o->replace_worker,
	    .ack_wait_ns = o->ack_wait_ns, .nevents = o->events.n };
	if ((code = check_names(o, err)) != ERR_OK || (code = check_times(o, err)) != ERR_OK ||
	    (code = check_election(o, err)) != ERR_OK || (code = cmd_on_lost(o->on_lost, &s->runner.terms, err)) != ERR_OK ||
	    (code = pick_app(o, &s->runner, err)) != ERR_OK || (code = pick_probes(o, &s->runner, err)) != ERR_OK ||
	    (code = pick_local(o, s, err)) != ERR_OK || (code = cmd_listen(o->metrics_listen, err)) != ERR_OK ||
	    (code = cmd_stop_signal(o->stop_signal, &s->runner.stop_signal, err)) != ERR_OK ||
	    (code = parse_config_signal(o->config_signal, &s->config_signal, err)) != ERR_OK ||
	    (code = cmd_budget(o->max_restarts, &s->runner.restart, err)) != ERR_OK ||
	    (code = parse_rewrites(&o->rewrites, p->rewrites, err)) != ERR_OK)
		return code;
	fill_runner(o, c, &s->runner);
	s->runner.terms.hang_ns = o->hang_ns;
	s->runner.rewrites = p->rewrites;
	s->runner.nrewrites = o->rewrites.n;
	read_live(o, &s->live);
	fill_lists(o, p);
	p->nevents = o->events.n;
	if ((code = runner_check(&s->runner, err)) != ERR_OK || (code = check_metadata(p, o, err)) != ERR_OK ||
	    (code = parse_events(o, &p->events, err)) != ERR_OK)
		return code;
	s->events = p->events;
	return ERR_OK;
}

/* run: all once more with the central settings, which may say more than the first look knew. */
static enum err_code
run(struct cmd *c, const char *instance, const char *directory, struct err *err)
{
	const struct run_opts *o = c->opts;
	struct conn_opts conn = cmd_conn_opts(c, instance);
	struct plan p = { .nevents = 0 };
	struct central *central = central_new(&(struct central_opts){
		.conn = &conn, .rules = &run_service_rules, .base = c->parsed, .service = o->name, .instance = instance,
		.directory = directory,
	}, err);
	enum err_code code;

	if (central == NULL && err->code == ERR_SYSTEM)
		err->code = ERR_WRAPPER;	/* no word on the command line is wrong */
	if (central == NULL)
		return err->code;
	if ((code = plan_make(c, &p, err)) != ERR_OK) {
		central_free(central);
	} else {
		log_set_level(p.s.live.log_level);
		p.s.conn = conn;
		p.s.instance = instance;
		p.s.central = central;
		code = run_service(&p.s, &c->exit_code, &c->by_signal, err);
	}
	plan_release(&p);
	return code;
}

enum err_code
cmd_run_service_run(struct cmd *c, struct err *err)
{
	const struct run_opts *o = c->opts;
	struct plan first = { .nevents = 0 };
	enum err_code code = plan_make(c, &first, err);
	char own[9];

	plan_release(&first);
	if (code != ERR_OK)
		return code;
	id_hex(own, 8);
	char *instance = o->instance != NULL ? mem_text(o->instance) : mem_printf("%s-%s", o->name, own);
	cmd_log_start(c, o->name, instance);
	code = run(c, instance, first.s.local_directory, err);
	mem_free(instance);
	return code;
}
