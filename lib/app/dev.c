/* dev.c - a system on one machine, made of the same parts as everywhere else: a nats-server,
 * the management API and services as processes of their own under a runner each, a wrapped script.
 *
 * Nothing here is special to development but the list of what to start. */
#include "app/dev.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/dev_api.h"
#include "auth/store.h"
#include "base/embed.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "discovery/discovery.h"
#include "nats/conn.h"
#include "nats/server.h"
#include "nats/stream.h"
#include "registry/registry.h"
#include "runner/runner.h"
#include "sys/child.h"
#include "sys/dir.h"
#include "sys/loop.h"
#include "sys/reaper.h"

#define MAILBOX 1024
#define READY_NS (15 * NS_PER_S)	/* afterwards the list is printed with what is missing */
#define LOOK_NS (10 * NS_PER_MS)
#define SERVER_LOOK_NS (250 * NS_PER_MS)
#define KILL_AFTER_NS (2 * NS_PER_S)	/* all must be gone within 3 s of Ctrl-C */

#define MARKER ".aegis-dev"		/* what makes a directory ours to reset */

/* What runs; service names, and how many of each. */
static const struct { const char *demo, *service, *description; int copies; } demos[] = {
	{ "order", "order-service", "creates and lists orders; asks pricing and risk", 3 },
	{ "pricing", "pricing-service", "prices of instruments", 2 },
	{ "risk", "risk-service", "checks orders against limits", 2 },
	{ "echo", "echo-service", "returns what it is given", 1 },
	{ NULL, "greeter-service", "a shell script under run-service --app-stdio", 1 },
};

#define UNITS 10

struct unit {
	struct dev *dev;
	struct runner *runner;
	const char *service;		/* NULL: the management API, which is none */
	char instance[64];
	bool gone;
};

struct dev {
	const struct dev_opts *o;
	char *dir, *nats_dir;
	int lock;			/* descriptor of the marker, locked while we run */
	struct nats_server *server;
	struct loop *loop;
	struct conn *conn;
	struct discovery *discovery;
	char url[DEV_URL_MAX];		/* of the management API */
	char *link;			/* into its page */
	struct unit units[UNITS];
	size_t n;
	struct loop_timer look, server_look;
	struct mono began;
	bool stopping, printed;
	enum err_code code;		/* why it ends by itself, with its sentence in `err` */
	struct err *err;
};

/* --- the data directory ------------------------------------------------------------------ */

static char *
default_dir(void)
{
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (xdg != NULL && xdg[0] != '\0')
		return mem_printf("%s/aegis/dev", xdg);
	return mem_printf("%s/.local/state/aegis/dev", home != NULL ? home : "/var/tmp");
}

/* lock_dir: the marker says that the directory is ours, its lock that nobody else runs on
 * it.  A directory that holds something and no marker is somebody else's. */
static enum err_code
lock_dir(struct dev *d, struct err *err)
{
	char *path = mem_printf("%s/" MARKER, d->dir);
	enum err_code code = dir_make(d->dir, err);

	if (code == ERR_OK && (d->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0)
		code = err_errno(err, ERR_CONFIG, errno, "--data-dir '%s'", d->dir);
	if (code == ERR_OK && flock(d->lock, LOCK_EX | LOCK_NB) != 0)
		code = err_set(err, ERR_EXISTS, "'%s' is in use by another `aegis dev`; stop it, or give this one its own "
		    "--data-dir", d->dir);
	mem_free(path);
	return code;
}

static enum err_code
prepare_dir(struct dev *d, struct err *err)
{
	d->dir = d->o->data_dir != NULL ? mem_text(d->o->data_dir) : default_dir();
	d->nats_dir = mem_printf("%s/nats", d->dir);
	enum err_code code = lock_dir(d, err);
	if (code == ERR_OK && d->o->reset)
		code = dir_remove(d->nats_dir, err);
	return code;
}

/* --- what runs --------------------------------------------------------------------------- */

static bool
all_gone(const struct dev *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (!d->units[i].gone)
			return false;
	return true;
}

static void
on_status(void *arg, enum runner_status s, const char *why)
{
	struct unit *u = arg;

	log_debug(EV_RUNNER_STATE, LOG_F(LOG_S("unit", u->instance)), "%s: %s", runner_status_name(s), why);
}

static void
on_gone(void *arg, int exit_code, int by_signal)
{
	struct unit *u = arg;

	(void)by_signal;
	u->gone = true;
	if (!u->dev->stopping)
		log_error(EV_RUNNER_CHILD_EXIT, LOG_F(LOG_S("unit", u->instance)),
		    "'%s' ended with exit code %d and is not started again", u->instance, exit_code);
	else if (all_gone(u->dev))
		loop_stop(u->dev->loop);
}

/* greeter: the script that is part of this program; the caller's. */
static char *
greeter(void)
{
	return mem_text_n(embed_greeter, EMBED_SIZE(embed_greeter));
}

/* launch: the next unit, whose names are set. */
static enum err_code
launch(struct dev *d, const char *const *argv, const struct runner_probe *ready, struct err *err)
{
	struct unit *u = &d->units[d->n];

	u->dev = d;
	u->runner = runner_new(d->loop, &(struct runner_opts){
		.name = u->instance, .argv = argv, .ready = *ready,
		.restart = { .when = RESTART_ALWAYS }, .kill_after_ns = KILL_AFTER_NS,
	}, &(struct runner_callbacks){ .arg = u, .status = on_status, .gone = on_gone }, err);
	if (u->runner == NULL)
		return ERR_CONFIG;
	runner_set_env(u->runner, "NATS_URL", nats_server_url(d->server));
	/* Ten processes that tell of every start would hide what this page of output is for. */
	if (getenv("LOG_LEVEL") == NULL && getenv("AEGIS_LOG_LEVEL") == NULL)
		runner_set_env(u->runner, "AEGIS_LOG_LEVEL", "warning");
	d->n++;
	runner_start(u->runner);
	return ERR_OK;
}

static enum err_code
start_api(struct dev *d, struct err *err)
{
	const char *argv[] = { child_self_path(), "serve-api", "--listen", d->url, NULL };
	char *readyz = mem_printf("%s/readyz", d->url);

	snprintf(d->units[d->n].instance, sizeof d->units[d->n].instance, "serve-api");
	enum err_code code = launch(d, argv, &(struct runner_probe){ .kind = RUNNER_PROBE_HTTP, .target = readyz }, err);
	mem_free(readyz);
	return code;
}

static enum err_code
start_unit(struct dev *d, size_t kind, int copy, struct err *err)
{
	struct unit *u = &d->units[d->n];
	char *script = greeter();
	const char *self = child_self_path();

	u->service = demos[kind].service;
	snprintf(u->instance, sizeof u->instance, "%s-%d", u->service, copy + 1);
	const char *demo[] = { self, "demo-service", demos[kind].demo, "--instance-id", u->instance, NULL };
	const char *wrapped[] = { self, "run-service", "--name", u->service, "--instance-id", u->instance,
		"--description", demos[kind].description, "--app-stdio", "--", "/bin/sh", "-c", script, NULL };
	enum err_code code = launch(d, demos[kind].demo != NULL ? demo : wrapped, &(struct runner_probe){ .kind = RUNNER_PROBE_NONE }, err);
	mem_free(script);
	return code;
}

static enum err_code
start_units(struct dev *d, struct err *err)
{
	enum err_code code = start_api(d, err);

	for (size_t kind = 0; code == ERR_OK && kind < COUNT_OF(demos); kind++)
		for (int copy = 0; code == ERR_OK && copy < demos[kind].copies; copy++)
			code = start_unit(d, kind, copy, err);
	return code;
}

/* define: the registry says what the demo services are for; what an earlier run, or the
 * user, wrote is left as it is. */
static enum err_code
define(struct dev *d, struct err *err)
{
	struct registry *r = registry_new(&(struct registry_opts){ .conn = d->conn, .create = true }, err);
	enum err_code code = ERR_OK;

	if (r == NULL)
		return ERR_UNAVAILABLE;
	struct wall now = clock_wall(clock_system());
	for (size_t i = 0; code == ERR_OK && i < COUNT_OF(demos); i++) {
		struct definition def = {
			.service = (char *)(uintptr_t)demos[i].service, .owner = "aegis-dev",
			.description = (char *)(uintptr_t)demos[i].description, .version = "1.0.0",
			.created_at = now, .updated_at = now,
		};
		code = registry_put(r, &def, REGISTRY_NEW, NULL, err);
		if (code == ERR_EXISTS)
			code = ERR_OK;
	}
	registry_free(r);
	return code;
}

/* --- telling the user -------------------------------------------------------------------- */

static bool
is_there(const struct directory *dir, const struct unit *u)
{
	if (u->service == NULL)
		return runner_status(u->runner) == RUNNER_READY;
	const struct service_group *g = directory_find(dir, u->service);
	struct wall now = clock_wall(clock_system());

	for (size_t i = 0; g != NULL && i < g->n; i++)
		if (strcmp(g->v[i]->instance->id, u->instance) == 0)
			return instance_is_usable(g->v[i]->instance) &&
			    instance_is_fresh(g->v[i]->instance, now, STALE_AFTER_S * NS_PER_S);
	return false;
}

/* own_name: how the user reaches this program: by its name alone when PATH leads to it. */
static const char *
own_name(void)
{
	const char *self = child_self_path(), *path = getenv("PATH");
	char cwd[PATH_MAX], found[PATH_MAX], real[PATH_MAX];

	for (size_t n; path != NULL && *path != '\0'; path += n + (path[n] == ':')) {
		n = strcspn(path, ":");
		snprintf(found, sizeof found, "%.*s/aegis", (int)n, path);
		if (realpath(found, real) != NULL)
			return strcmp(real, self) == 0 ? "aegis" : self;
	}
	size_t n = getcwd(cwd, sizeof cwd) != NULL ? strlen(cwd) : 0;
	return n > 0 && strncmp(self, cwd, n) == 0 && self[n] == '/' ? self + n + 1 : self;
}

static void
print_units(const struct dev *d, const struct directory *dir)
{
	MUST(d->server != NULL);
	const char *url = nats_server_url(d->server), *self = own_name();

	printf("\n  %-22s %-9d %s\n", "nats-server", (int)nats_server_pid(d->server), url);
	for (size_t i = 0; i < d->n; i++) {
		const struct unit *u = &d->units[i];
		const char *there = u->service != NULL ? "registered" : d->url;
		printf("  %-22s %-9d %s\n", u->instance, (int)runner_pid(u->runner),
		    is_there(dir, u) ? there : "not there yet, see the log above");
	}
	printf("\n  data in %s\n\nOpen the page; this link logs one browser in, once, within %lld minutes:\n\n  %s\n\n"
	    "Try, in another terminal:\n\n"
	    "  export NATS_URL=%s\n"
	    "  %s status\n"
	    "  %s registry ls\n"
	    "  %s call greeter-service greet '{\"name\": \"world\"}'\n"
	    "  %s call order-service create_order '{\"symbol\": \"AAPL\", \"quantity\": 10}'\n"
	    "  %s event subscribe 'events.>' --count 5\n"
	    "  %s command send risk-service recalculate '{\"pace_ms\": 200}'\n"
	    "  %s token create --role viewer --link %s\n\n"
	    "Ctrl-C ends all of it.\n", d->dir, (long long)(AUTH_CODE_NS / NS_PER_S / 60), d->link, url, self, self, self, self, self,
	    self, self, d->url);
	fflush(stdout);
}

static void
look(void *arg)
{
	struct dev *d = arg;
	const struct directory *dir = discovery_take(d->discovery);
	size_t there = 0;

	for (size_t i = 0; i < d->n; i++)
		there += is_there(dir, &d->units[i]);
	if (there == d->n || mono_since(loop_now(d->loop), d->began) >= READY_NS) {
		print_units(d, dir);
		d->printed = true;
	} else {
		loop_timer_set(d->loop, &d->look, mono_after(loop_now(d->loop), LOOK_NS), look, d);
	}
	discovery_drop(dir);
}

/* --- the nats-server --------------------------------------------------------------------- */

static enum err_code
start_server(struct dev *d, uint16_t port, struct err *err)
{
	d->server = nats_server_new(&(struct nats_server_opts){
		.path = d->o->nats_server, .dir = d->nats_dir, .port = port, .name = "aegis-dev",
	}, err);
	if (d->server == NULL)
		return err->code;
	reaper_keep(nats_server_pid(d->server));
	return ERR_OK;
}

static void on_signal(void *arg, int signo);

/* watch_server: a server that died is started again on its old port: the services find it
 * by themselves. */
static void
watch_server(void *arg)
{
	struct dev *d = arg;

	if (!nats_server_alive(d->server)) {
		uint16_t port = nats_server_port(d->server);
		log_error(EV_SERVER_EXIT, LOG_F(LOG_N("port", port)), "the nats-server died, starting it again");
		reaper_release(nats_server_pid(d->server));
		nats_server_free(d->server);
		if ((d->code = start_server(d, port, d->err)) != ERR_OK) {
			err_prefix(d->err, "the nats-server died and does not start again");
			log_error(EV_SERVER_EXIT, LOG_F(LOG_S("err", d->err->text)), "it does not start again; ending");
			on_signal(d, SIGTERM);	/* cancels `look` as well, which would show the server */
			return;
		}
	}
	loop_timer_set(d->loop, &d->server_look, mono_after(loop_now(d->loop), SERVER_LOOK_NS), watch_server, d);
}

/* --- start and end ----------------------------------------------------------------------- */

static void
on_signal(void *arg, int signo)
{
	struct dev *d = arg;

	(void)signo;
	loop_timer_cancel(d->loop, &d->look);
	loop_timer_cancel(d->loop, &d->server_look);
	if (d->stopping) {
		for (size_t i = 0; i < d->n; i++)
			runner_kill(d->units[i].runner);
		return;
	}
	d->stopping = true;
	log_info(EV_PROCESS_STOP, LOG_NONE, "stopping everything; a second Ctrl-C kills it");
	for (size_t i = 0; i < d->n; i++)
		runner_stop(d->units[i].runner);
	if (all_gone(d))
		loop_stop(d->loop);
}

static enum err_code
open_dev(struct dev *d, struct err *err)
{
	enum err_code code;

	if ((code = prepare_dir(d, err)) != ERR_OK || (code = dev_api_url(d->o->port, d->url, err)) != ERR_OK)
		return code;
	if ((d->loop = loop_new(clock_system(), MAILBOX, err)) == NULL)
		return ERR_SYSTEM;
	d->began = loop_now(d->loop);
	if ((code = loop_signal(d->loop, SIGINT, on_signal, d, err)) != ERR_OK ||
	    (code = loop_signal(d->loop, SIGTERM, on_signal, d, err)) != ERR_OK ||
	    (code = loop_signal(d->loop, SIGHUP, on_signal, d, err)) != ERR_OK ||
	    (code = reaper_start(d->loop, err)) != ERR_OK || (code = start_server(d, 0, err)) != ERR_OK)
		return code;
	d->conn = conn_new(&(struct conn_opts){ .servers = nats_server_url(d->server), .name = "aegis dev" }, err);
	if (d->conn == NULL)
		return ERR_UNAVAILABLE;
	d->discovery = discovery_new(&(struct discovery_opts){ .loop = d->loop, .conn = d->conn });
	if ((code = stream_ensure(d->conn, STREAM_COMMANDS, 0, NULL, err)) != ERR_OK)
		return code;
	if ((code = define(d, err)) != ERR_OK || (code = dev_api_link(d->conn, d->url, &d->link, err)) != ERR_OK ||
	    (code = discovery_start(d->discovery, err)) != ERR_OK)
		return code;
	return start_units(d, err);
}

static void
close_dev(struct dev *d)
{
	if (d->loop != NULL) {
		loop_timer_cancel(d->loop, &d->look);
		loop_timer_cancel(d->loop, &d->server_look);
	}
	for (size_t i = 0; i < d->n; i++)
		runner_free(d->units[i].runner);
	discovery_free(d->discovery);
	conn_free(d->conn);
	if (d->server != NULL)
		reaper_release(nats_server_pid(d->server));
	nats_server_free(d->server);
	if (d->loop != NULL)
		reaper_stop(d->loop);
	loop_free(d->loop);
	if (d->lock >= 0)
		close(d->lock);
	mem_free(d->dir);
	mem_free(d->nats_dir);
	mem_free(d->link);
}

enum err_code
dev_run(const struct dev_opts *o, struct err *err)
{
	struct err own = { ERR_OK, "" };
	struct dev d = { .o = o, .lock = -1, .err = err != NULL ? err : &own };
	enum err_code code = open_dev(&d, d.err);

	if (code == ERR_OK) {
		look(&d);
		watch_server(&d);
		loop_run(d.loop);
		code = d.code;
	} else if (d.n > 0) {
		on_signal(&d, SIGTERM);
		if (!all_gone(&d))
			loop_run(d.loop);
	}
	close_dev(&d);
	return code;
}
