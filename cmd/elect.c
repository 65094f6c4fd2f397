/* elect.c - `aegis elect`: its options, and what they are to the election. */
#include <string.h>

#include "app/elect.h"
#include "base/id.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/num.h"
#include "elect.h"
#include "model/names.h"
#include "version.h"
#include "wrapped.h"

static const char *const on_crashes[] = { "release", "restart", NULL };
static const char *const after_losses[] = { "rejoin", "exit", NULL };

static const struct opt election_rows[] = {
	OPT_TEXT(struct elect_cmd, id, "id", 0, "ID", "the name of this member", .def_text = "GROUP-XXXXXXXX"),
	OPT_TEXT(struct elect_cmd, profile, "profile", 0, "NAME", "how fast another member follows: fast, default, relaxed, wan; "
	    "all members alike", .env = true, .def_text = "that of the group"),
	OPT_DURATION(struct elect_cmd, wait_ns, "wait", 0, "give up when the lead is not gained within this time; NATS is waited "
	    "for as well", .def_text = "for ever", .min = 0, .max = 365 * 86400 * NS_PER_S),
	OPT_TEXT(struct elect_cmd, on_lost, "on-lost", 0, "term|kill|signal:SIG|exec:SHELL",
	    "what CMD gets shortly before a lost lease ends; at its end it is killed in any case", .def = "term", .env = true),
	OPT_CHOICE(struct elect_cmd, after_loss, "after-loss", 0, after_losses,
	    "after the lead was lost and CMD is dead: stand by for it again, or exit", .def = "rejoin", .env = true),
	OPT_UINT(struct elect_cmd, lost_exit, "lost-exit-code", 0, "N", "exit code when the lead was lost, or not gained in time",
	    .def = "75", .min = 0, .max = 255, .env = true),
	OPT_CHOICE(struct elect_cmd, on_crash, "on-crash", 0, on_crashes,
	    "when CMD fails: give the lead back and exit with its code, or start it again under the same lease",
	    .def = "release", .env = true),
	OPT_DURATION(struct elect_cmd, hang_ns, "hang-kill", 0,
	    "CMD's guardian kills this process when its loop stands still for so long; 0: never", .def = "10s", .min = 0,
	    .max = 3600 * NS_PER_S, .env = true),
	OPT_TEXT(struct elect_cmd, metrics_listen, "metrics-listen", 0, "ADDR:PORT", "serve GET /metrics for Prometheus there",
	    .env = true),
	OPTS_END
};

static const struct opt process_rows[] = {
	OPT_TEXT(struct elect_cmd, max_restarts, "max-restarts", 0, "N/TIME",
	    "with --on-crash restart: give up after N restarts within TIME; 0 never gives up", .def = "5/1m", .env = true),
	OPT_DURATION(struct elect_cmd, kill_after_ns, "kill-after", 0, "how long CMD has to end before it is killed",
	    .def = "5s", .min = 0, .max = 3600 * NS_PER_S, .env = true),
	OPT_TEXT(struct elect_cmd, stop_signal, "stop-signal", 0, "SIGNAL", "the signal that asks CMD to end", .def = "TERM",
	    .env = true),
	OPT_FLAG(struct elect_cmd, tty, "tty", 0, "CMD gets the terminal, and Ctrl-C is its own"),
	OPT_FLAG(struct elect_cmd, log_prefix, "log-prefix", 0, "put the group's name before each line of CMD's output",
	    .env = true),
	OPTS_END
};

const struct cmd_form elect_form = {
	sizeof(struct elect_cmd),
	{
		{ "Election options", "elect", election_rows, 0 },
		{ "Options without CMD", NULL, elect_mode_rows, 0 },
		{ "Process options", "elect", process_rows, 0 },
		FORM_HEALTH(struct elect_cmd, "elect"),
		FORM_NATS(struct elect_cmd),
		FORM_SERVE_LOG(struct elect_cmd),
		FORM_OUTPUT(struct elect_cmd),
		FORM_GENERAL(struct elect_cmd),
	},
};

/* --- from options to the election's ------------------------------------------------------- */

static void
fill_runner(const struct elect_cmd *o, const struct cmd *c, struct runner_opts *r)
{
	r->name = c->words[0];
	r->argv = c->wrapped;
	r->restart.when = strcmp(on_crashes[o->on_crash], "restart") == 0 ? RESTART_ON_FAILURE : RESTART_NO;
	r->kill_after_ns = o->kill_after_ns > 0 ? o->kill_after_ns : -1;	/* there, 0 is the default */
	r->log_prefix = o->log_prefix;
	r->tty = o->tty;
	r->notify_upward = out_getenv(NULL, "NOTIFY_SOCKET");
	r->terms.hang_ns = o->hang_ns;
}

static enum err_code
run_candidate(struct cmd *c, struct err *err)
{
	const struct elect_cmd *o = c->opts;
	struct elect_opts e = { .profile = o->profile, .wait_ns = o->wait_ns,
	    .exit_when_lost = strcmp(after_losses[o->after_loss], "exit") == 0, .lost_exit = (int)o->lost_exit,
	    .metrics_listen = o->metrics_listen, .version = AEGIS_VERSION };
	enum err_code code;
	char own[9], *group = NULL, *id = NULL;

	if (c->wrapped == NULL || c->wrapped[0] == NULL)
		return err_set(err, ERR_USAGE, "the command to run is missing; write it behind `--`, or ask with --observe, --step-down or "
		    "--repair");
	fill_runner(o, c, &e.runner);
	if ((code = elect_group(c, NULL, &group, err)) != ERR_OK ||
	    (o->id != NULL && (code = name_check(NAME_INSTANCE, o->id, err)) != ERR_OK) ||
	    (code = cmd_on_lost(o->on_lost, &e.runner.terms, err)) != ERR_OK ||
	    (code = cmd_listen(o->metrics_listen, err)) != ERR_OK ||
	    (code = cmd_health_fill(&o->health, &e.runner, err)) != ERR_OK ||
	    (code = cmd_stop_signal(o->stop_signal, &e.runner.stop_signal, err)) != ERR_OK ||
	    (code = cmd_budget(o->max_restarts, &e.runner.restart, err)) != ERR_OK ||
	    (code = runner_check(&e.runner, err)) != ERR_OK)
		goto done;
	id_hex(own, 8);
	id = o->id != NULL ? mem_text(o->id) : mem_printf("%s-%s", group, own);
	cmd_log_start(c, group, id);
	e.conn = cmd_conn_opts(c, id);
	e.group = group;
	e.instance = id;
	code = elect(&e, &c->exit_code, &c->by_signal, err);
done:
	mem_free(id);
	mem_free(group);
	return code;
}

/* check_modes: what goes with what, before anything is sent. */
static enum err_code
check_modes(const struct cmd *c, struct err *err)
{
	const struct elect_cmd *o = c->opts;
	int modes = o->observe + o->step_down + o->repair + o->migrate;

	if (modes > 1)
		return err_set(err, ERR_USAGE, "--observe, --step-down, --repair and --migrate exclude each other");
	if ((o->to != NULL && !o->step_down) || (o->watch && !o->observe))
		return err_set(err, ERR_USAGE, "%s", o->to != NULL ? "--to belongs to --step-down" : "--watch belongs to --observe");
	if (o->yes && !o->repair && !o->migrate)
		return err_set(err, ERR_USAGE, "--yes belongs to --repair and --migrate");
	if ((o->set_profile != NULL || o->set_fence != NULL) && !o->repair)
		return err_set(err, ERR_USAGE, "--set-profile and --set-fence belong to --repair");
	if (o->registers != 0 && !o->migrate)
		return err_set(err, ERR_USAGE, "--registers belongs to --migrate");
	if (o->registers == 2)
		return err_set(err, ERR_USAGE, "--registers is 1 or 3, not 2: two are no more than one when a node dies");
	if (o->migrate && c->nwords > 0)
		return err_set(err, ERR_USAGE, "'%s' is one word too many: --migrate is of all groups", c->words[0]);
	if (!o->migrate && c->nwords == 0)
		return err_set(err, ERR_USAGE, "GROUP is missing");
	if (modes > 0 && c->wrapped != NULL && c->wrapped[0] != NULL)
		return err_set(err, ERR_USAGE, "'%s' would not be run: --observe, --step-down, --repair and --migrate take no command",
		    c->wrapped[0]);
	return ERR_OK;
}

enum err_code
cmd_elect_run(struct cmd *c, struct err *err)
{
	const struct elect_cmd *o = c->opts;
	enum err_code code = check_modes(c, err);

	if (code != ERR_OK)
		return code;
	if (o->migrate)
		return elect_migrate(c, err);
	return o->observe || o->step_down || o->repair ? elect_ask(c, err) : run_candidate(c, err);
}
