/* bench.c - `aegis bench rpc|event|command|kv|discovery`: from words to a measurement.
 *
 * The verbs differ in their patterns and in two options; one function runs them all.  The processes
 * that receive events are forked before anything else happens (bench/peer.h). */
#include "bench.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "bench/fleet.h"
#include "bench/peer.h"
#include "bench/side.h"
#include "handle.h"
#include "model/names.h"
#include "registry/registry.h"
#include "sys/clock.h"

static const char *const encodings[] = { [DATA_MSGPACK] = "msgpack", [DATA_JSON] = "json", NULL };
static const char *const formats[] = {
	[OUT_TABLE] = "table", [OUT_JSON] = "json", [OUT_NDJSON] = "ndjson", [OUT_CSV] = "csv", NULL,
};
static const char *const againsts[] = { [AGAINST_NONE] = "none", [AGAINST_RAW] = "raw", NULL };
static const char *const rpc_againsts[] = {
	[AGAINST_NONE] = "none", [AGAINST_RAW] = "raw", [AGAINST_NO_INSTANCES] = "no-instances", NULL,
};

static const struct opt bench_rows[] = {
	OPT_DURATION(struct bench_cli, duration_ns, "duration", 0, "how long each side is measured in each repeat", .def = "2s",
	    .min = 10 * NS_PER_MS, .max = 86400 * NS_PER_S),
	OPT_UINT(struct bench_cli, count, "count", 0, "N", "instead: how many operations of each side in each repeat",
	    .def_text = "as many as fit in --duration", .min = 1, .max = UINT32_MAX),
	OPT_DURATION(struct bench_cli, warmup_ns, "warm-up", 0, "how long each side works before it is measured", .def = "500ms",
	    .min = 0, .max = 3600 * NS_PER_S),
	OPT_UINT(struct bench_cli, repeat, "repeat", 0, "N", "how often all is done anew, each time with fresh connections",
	    .def = "3", .min = 1, .max = 1000),
	OPT_UINT(struct bench_cli, rate, "rate", 0, "R",
	    "open loop: begin so many a second, and count latency from the intended start (corrected)",
	    .def_text = "closed loop: the end of one begins the next", .min = 1, .max = 10000000),
	OPT_UINT(struct bench_cli, concurrency, "concurrency", 0, "N", "how many are in flight at once, where several may be",
	    .def_text = "the pattern's own", .min = 1, .max = BENCH_IN_FLIGHT_MAX),
	OPT_SIZE(struct bench_cli, size, "size", 0, "payload of each message", .def = "32B", .min = 0, .max = 512 * 1024),
	OPT_CHOICE(struct bench_cli, encoding, "encoding", 0, encodings, "of the messages", .def = "msgpack"),
	OPT_LIST(struct bench_cli, assertions, "assert", 0, "EXPR",
	    "end with 1 unless this holds, such as 'p99<2ms', 'ratio.p99<1.10', 'many:rate>50000'; may be repeated"),
	OPT_FILE(struct bench_cli, hgrm, "hgrm", 0, "FILE", "write the percentiles in HdrHistogram's format, in microseconds"),
	OPT_FILE(struct bench_cli, junit, "junit", 0, "FILE", "write the assertions as JUnit's XML"),
	OPT_FLAG(struct bench_cli, no_progress, "no-progress", 0, "no progress bar on a terminal"),
	OPTS_END
};

static const struct opt against_rows[] = {
	OPT_CHOICE(struct bench_cli, against, "against", 0, againsts,
	    "do the same on bare nats.c by turns, and tell the ratio", .def = "none"),
	OPTS_END
};

static const struct opt rpc_rows[] = {
	OPT_CHOICE(struct bench_cli, against, "against", 0, rpc_againsts,
	    "do the same by turns on bare nats.c, or while the instances of --instances are away, and tell the ratio",
	    .def = "none"),
	OPT_UINT(struct bench_cli, instances, "instances", 0, "N", "let so many instances of another service live meanwhile",
	    .def_text = "none", .min = 1, .max = FLEET_MAX),
	OPT_TEXT(struct bench_cli, target, "target", 0, "SERVICE/METHOD", "call this one",
	    .def_text = "an echo service of its own"),
	OPT_TEXT(struct bench_cli, data, "data", 'd', "JSON|@FILE|-", "parameters for --target", .def_text = "--size bytes"),
	OPTS_END
};

static const struct opt discovery_rows[] = {
	OPT_UINT(struct bench_cli, instances, "instances", 0, "N", "how many instances the service has", .def = "100", .min = 1,
	    .max = FLEET_MAX),
	OPTS_END
};

const struct opt bench_output_rows[] = {
	OPT_CHOICE(struct bench_cli, general.out.format, "output", 'o', formats,
	    "how to print the answer: for eyes, or for programs", .def = "table"),
	OPT_FLAG(struct bench_cli, general.out.json, "json", 0, "the same as -o json"),
	OPTS_END
};

#define BENCH_FORM(...) { sizeof(struct bench_cli), { \
	{ "Options", NULL, bench_rows, 0 }, __VA_ARGS__, { "Output options", NULL, bench_output_rows, 0 }, \
	FORM_NATS(struct bench_cli), FORM_CLIENT_LOG(struct bench_cli), FORM_GENERAL(struct bench_cli) } }

const struct cmd_form bench_rpc_form = BENCH_FORM({ "RPC options", NULL, rpc_rows, 0 });
const struct cmd_form bench_event_form = BENCH_FORM({ "Comparison options", NULL, against_rows, 0 });
const struct cmd_form bench_command_form = BENCH_FORM({ "Comparison options", NULL, against_rows, 0 });
const struct cmd_form bench_kv_form = BENCH_FORM({ "Comparison options", NULL, against_rows, 0 });
const struct cmd_form bench_discovery_form =
    BENCH_FORM({ "Comparison options", NULL, against_rows, 0 }, { "Discovery options", NULL, discovery_rows, 0 });

/* --- what is wanted ---------------------------------------------------------------------- */

static enum err_code
unknown_pattern(const struct benching *b, const char *name, struct err *err)
{
	struct str known = STR_INIT;
	const struct bench_pattern *p;

	for (size_t i = 0; (p = bench_pattern(b->bench, i)) != NULL; i++)
		str_printf(&known, "%s%s", i > 0 ? ", " : "", p->name);
	err_set(err, ERR_USAGE, "'%s' is no pattern of %s; there are %s", name, b->bench,
	    known.len > 0 ? str_text(&known) : b->patterns[0]->name);
	str_release(&known);
	return ERR_USAGE;
}

/* choose: the patterns that are named, or all; of all, those without a baseline are measured
 * without one. */
static enum err_code
choose(struct benching *b, struct err *err)
{
	const struct bench_pattern *p;
	bool several = false;

	for (size_t i = 0; b->c->nwords == 0 && (p = bench_pattern(b->bench, i)) != NULL; i++)
		b->patterns[b->npatterns++] = p;
	for (size_t i = 0; i < b->c->nwords; i++) {
		if ((p = bench_find(b->bench, b->c->words[i])) == NULL)
			return unknown_pattern(b, b->c->words[i], err);
		for (size_t k = 0; k < b->npatterns; k++)
			if (b->patterns[k] == p)
				return err_set(err, ERR_USAGE, "the pattern '%s' is named twice", p->name);
		if (p->no_baseline && b->o->against == AGAINST_RAW)
			return err_set(err, ERR_USAGE, "--against: there is nothing bare to compare '%s' with", p->name);
		b->patterns[b->npatterns++] = p;
	}
	for (size_t k = 0; k < b->npatterns; k++)
		several = several || !b->patterns[k]->serial;
	if (b->o->concurrency > 1 && !several)
		return err_set(err, ERR_USAGE, "--concurrency: '%s' goes one at a time by its nature", b->patterns[0]->name);
	return ERR_OK;
}

enum err_code
bench_read_assertions(struct benching *b, struct err *err)
{
	enum err_code code;

	if (b->o->assertions.n > BENCH_ASSERTIONS_MAX)
		return err_set(err, ERR_USAGE, "--assert: at most %d can be", BENCH_ASSERTIONS_MAX);
	for (size_t i = 0; i < b->o->assertions.n; i++) {
		struct assertion *a = &b->assertions[i];
		if ((code = assertion_parse(b->o->assertions.v[i], a, err)) != ERR_OK)
			return code;
		if (assertion_wants_baseline(a) && b->o->against == AGAINST_NONE)
			return err_set(err, ERR_USAGE, "assertion '%s': a ratio needs a baseline; add --against raw", a->text);
		bool found = a->pattern[0] == '\0';
		for (size_t k = 0; k < b->npatterns; k++)
			found = found || strcmp(b->patterns[k]->name, a->pattern) == 0;
		if (!found && bench_find(b->bench, a->pattern) == NULL)
			return unknown_pattern(b, a->pattern, err);
		if (!found)
			return err_set(err, ERR_USAGE, "assertion '%s': the pattern '%s' is not measured; name it, or no pattern",
			    a->text, a->pattern);
	}
	return ERR_OK;
}

/* read_target: SERVICE/METHOD into the two; service is the caller's to free. */
static enum err_code
read_target(const struct bench_cli *o, char **service, const char **method, struct err *err)
{
	const char *slash = o->target != NULL ? strchr(o->target, '/') : NULL;
	enum err_code code;

	if (o->target == NULL)
		return o->data == NULL ? ERR_OK : err_set(err, ERR_USAGE, "--data: is for --target only; --size makes a payload");
	if (slash == NULL)
		return err_set(err, ERR_USAGE, "--target '%s': write it as SERVICE/METHOD", o->target);
	*service = mem_text_n(o->target, (size_t)(slash - o->target));
	*method = slash + 1;
	if ((code = name_check(NAME_SERVICE_CALLED, *service, err)) != ERR_OK ||
	    (code = name_check(NAME_METHOD_CALLED, *method, err)) != ERR_OK)
		err_prefix(err, "--target");
	return code;
}

static enum err_code
check_together(const struct bench_cli *o, struct err *err)
{
	if (o->against == AGAINST_NO_INSTANCES && o->instances == 0)
		return err_set(err, ERR_USAGE, "--against no-instances: needs --instances N, which come and go by turns");
	if (o->against == AGAINST_RAW && o->target != NULL)
		return err_set(err, ERR_USAGE, "--against raw: knows nothing of --target; it compares the echo service of its own");
	return ERR_OK;
}

/* --- stopping early ---------------------------------------------------------------------- */

static atomic_bool stop_wanted;

static void
on_signal(int signo)
{
	(void)signo;
	atomic_store(&stop_wanted, true);
}

const atomic_bool *
bench_hear_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = (int)(SA_RESTART | SA_RESETHAND) };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	return &stop_wanted;
}

/* --- measuring --------------------------------------------------------------------------- */

static enum err_code
fork_peers(struct benching *b, const struct conn_opts *co, struct err *err)
{
	bool wanted = false;

	for (size_t i = 0; i < b->npatterns; i++)
		wanted = wanted || b->patterns[i]->handler;
	for (int i = 0; i < (!wanted ? 0 : b->o->against == AGAINST_RAW ? 2 : 1); i++)
		if ((b->opts.peers[i] = peer_fork(co, err)) == NULL)
			return err->code;
	return ERR_OK;
}

/* look_around: what the result says of machine and server; makes sure that there is a registry. */
static enum err_code
look_around(struct benching *b, const struct conn_opts *co, struct err *err)
{
	struct conn *conn = conn_new(co, err);

	if (conn == NULL)
		return err->code;
	struct registry *r = registry_new(&(struct registry_opts){ .conn = conn, .create = true }, err);
	enum err_code code = r != NULL ? ERR_OK : err->code;
	if (code == ERR_OK)
		machine_look(&b->machine, conn);
	registry_free(r);
	conn_free(conn);
	return code;
}

static enum err_code
measure_all(struct benching *b, struct err *err)
{
	enum err_code code = ERR_OK;

	for (size_t i = 0; i < b->npatterns && code == ERR_OK && !atomic_load(&stop_wanted); i++) {
		struct bench_opts o = b->opts;
		if (b->patterns[i]->no_baseline)
			o.against = AGAINST_NONE;
		bench_result_init(&b->results[i]);
		b->nresults++;
		code = bench_measure(b->patterns[i], &o, &b->results[i], err);
		if (code != ERR_OK)
			err_prefix(err, "%s", b->patterns[i]->name);
	}
	bench_progress_end(b);
	return code;
}

enum err_code
bench_judge(struct benching *b, struct err *err)
{
	struct str missed = STR_INIT;
	size_t n = 0;

	for (size_t i = 0; i < b->o->assertions.n; i++) {
		for (size_t k = 0; k < b->nresults; k++) {
			const struct bench_result *r = &b->results[k];
			if (!assertion_applies(&b->assertions[i], r) || (assertion_wants_baseline(&b->assertions[i]) && r->against == NULL))
				continue;
			struct bench_verdict *v = &b->verdicts[b->nverdicts++];
			*v = (struct bench_verdict){ .assertion = b->assertions[i].text, .pattern = r->pattern };
			v->holds = assertion_holds(&b->assertions[i], r, v->said);
			if (!v->holds && n++ < 6)
				str_printf(&missed, "%s%s: %s", n > 1 ? "; " : "", r->pattern, v->said);
		}
	}
	if (n > 0)
		err_set(err, ERR_HANDLER, "%zu of %zu assertions missed: %s", n, b->nverdicts, str_text(&missed));
	str_release(&missed);
	return n > 0 ? ERR_HANDLER : ERR_OK;
}

static enum err_code
run(struct benching *b, const struct conn_opts *co, struct err *err)
{
	struct err verdict = { .code = ERR_OK };
	enum err_code code;

	if ((code = fork_peers(b, co, err)) != ERR_OK)
		return code;
	bench_hear_signals();
	if ((code = look_around(b, co, err)) != ERR_OK || (code = measure_all(b, err)) != ERR_OK)
		return code;
	uint64_t measured = 0;
	for (size_t i = 0; i < b->nresults; i++)
		measured += histogram_count(b->results[i].ours.latency);
	if (measured == 0)
		return err_set(err, ERR_CANCELLED, "ended before anything was measured");
	if (atomic_load(&stop_wanted))
		out_note(b->c->out, "aegis bench %s: ended early; this is what was measured", b->bench);
	bench_judge(b, &verdict);
	if ((code = bench_show(b, err)) == ERR_OK && verdict.code != ERR_OK) {
		*err = verdict;
		code = verdict.code;
	}
	return code;
}

bool
bench_wants_bar(const struct bench_cli *o)
{
	return !o->no_progress && !o->general.out.quiet && isatty(2) && out_coloured(&o->general.out, 2, out_getenv, NULL);
}

static void
fill_opts(struct benching *b, const struct conn_opts *co)
{
	const struct bench_cli *o = b->o;

	b->opts.conn = co;
	b->opts.against = o->against;
	b->opts.warmup_ns = o->warmup_ns;
	b->opts.duration_ns = o->duration_ns;
	b->opts.count = o->count;
	b->opts.repeats = (unsigned)o->repeat;
	b->opts.rate = (double)o->rate;
	b->opts.in_flight = (unsigned)o->concurrency;
	b->opts.size = o->size;
	b->opts.format = o->encoding;
	b->opts.instances = (unsigned)o->instances;
	b->opts.stop = &stop_wanted;
	b->opts.progress = bench_wants_bar(o) ? bench_progress : NULL;
	b->opts.arg = b;
}

static enum err_code
bench_run(struct cmd *c, struct err *err)
{
	struct benching *b = mem_new(sizeof *b);
	struct str params = STR_INIT;
	char *service = NULL;
	enum err_code code;

	b->c = c;
	b->o = c->opts;
	b->bench = c->command->verb;
	b->at = clock_wall(clock_system());
	struct conn_opts co = cmd_conn_opts(c, NULL);
	fill_opts(b, &co);
	if ((code = check_together(b->o, err)) != ERR_OK || (code = choose(b, err)) != ERR_OK ||
	    (code = bench_read_assertions(b, err)) != ERR_OK ||
	    (code = read_target(b->o, &service, &b->opts.method, err)) != ERR_OK)
		goto out;
	if (b->o->data != NULL && (code = cmd_map_read("--data", b->o->data, &params, err)) != ERR_OK)
		goto out;
	b->opts.service = service;
	b->opts.params = b->o->data != NULL ? str_text(&params) : NULL;
	code = run(b, &co, err);
	for (size_t i = 0; i < COUNT_OF(b->opts.peers); i++)
		peer_free(b->opts.peers[i]);
	for (size_t i = 0; i < b->nresults; i++)
		bench_result_release(&b->results[i]);
out:
	str_release(&params);
	mem_free(service);
	mem_free(b);
	return code;
}

enum err_code
cmd_bench_rpc_run(struct cmd *c, struct err *err)
{
	return bench_run(c, err);
}

enum err_code
cmd_bench_event_run(struct cmd *c, struct err *err)
{
	return bench_run(c, err);
}

enum err_code
cmd_bench_command_run(struct cmd *c, struct err *err)
{
	return bench_run(c, err);
}

enum err_code
cmd_bench_kv_run(struct cmd *c, struct err *err)
{
	return bench_run(c, err);
}

enum err_code
cmd_bench_discovery_run(struct cmd *c, struct err *err)
{
	return bench_run(c, err);
}
