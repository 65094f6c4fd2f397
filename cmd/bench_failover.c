/* bench_failover.c - `aegis bench failover`: how long nobody leads when the leader dies, and whether
 * ever two do.
 *
 * It needs no server: servers, members and the client that measures are started in a private
 * directory, and gone afterwards. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/id.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "bench.h"
#include "bench/failover.h"
#include "election/profile.h"
#include "sys/clock.h"
#include "sys/dir.h"

#define MEMBERS 3
#define DRAW_WIDTH 72

struct failover_cli {
	struct bench_cli bench;		/* first: the general options lie at its beginning */
	int kill, nodes, profile;
	uint64_t rounds, seed;
	const char *history, *server;
};

static const char *const kills[] = { "leader", "leader+nats", "nats", "stop", "partition", "graceful", "crash", "nats-stop", NULL };
static const char *const sizes[] = { "1", "3", NULL };
#define X(name, p, d, l) #name,
static const char *const profiles[] = { PROFILES(X) NULL };
#undef X

static const struct opt failover_rows[] = {
	OPT_CHOICE(struct failover_cli, kill, "kill", 0, kills, "what happens in each round", .def = "leader"),
	OPT_UINT(struct failover_cli, rounds, "rounds", 0, "N", "how often", .def = "20", .min = 1, .max = 100000),
	OPT_CHOICE(struct failover_cli, profile, "profile", 0, profiles, "how often the lease is renewed and how long it holds",
	    .def = "default"),
	OPT_CHOICE(struct failover_cli, nodes, "nodes", 0, sizes, "NATS nodes to start", .def = "3"),
	OPT_UINT(struct failover_cli, seed, "seed", 0, "N", "of the moments that are chosen", .def_text = "a new one each time",
	    .min = 1, .max = UINT32_MAX),
	OPT_FILE(struct failover_cli, server, "nats-server", 0, "PATH", "the server program",
	    .def_text = "beside this program, then in PATH"),
	OPT_FILE(struct failover_cli, history, "history", 0, "FILE",
	    "keep the history there: what gates, calls and faults did, one JSON object per line"),
	OPT_LIST(struct failover_cli, bench.assertions, "assert", 0, "EXPR",
	    "end with 1 unless this holds, such as 'p99<400ms', 'max<1s', 'errors<1' (calls lost); may be repeated"),
	OPT_FILE(struct failover_cli, bench.hgrm, "hgrm", 0, "FILE",
	    "write the percentiles in HdrHistogram's format, in microseconds"),
	OPT_FILE(struct failover_cli, bench.junit, "junit", 0, "FILE", "write the assertions as JUnit's XML"),
	OPT_FLAG(struct failover_cli, bench.no_progress, "no-progress", 0, "no progress bar on a terminal"),
	OPTS_END
};

const struct cmd_form bench_failover_form = { sizeof(struct failover_cli), {
	{ "Options", NULL, failover_rows, 0 }, { "Output options", NULL, bench_output_rows, 0 },
	FORM_CLIENT_LOG(struct bench_cli), FORM_GENERAL(struct bench_cli),
} };

/* --- the table --------------------------------------------------------------------------- */

static const struct out_column columns[] = {
	{ .name = "FAULT" }, { .name = "ROUNDS", .right = true }, { .name = "CHANGES", .right = true },
	{ .name = "P50", .right = true }, { .name = "P90", .right = true }, { .name = "P99", .right = true },
	{ .name = "MAX", .right = true }, { .name = "CALLS", .right = true }, { .name = "LOST", .right = true },
	{ .name = "OVERLAP", .right = true },
};

static void
table(struct benching *b)
{
	static const double shown[] = { 50, 90, 99, 100 };
	const struct bench_result *r = &b->results[0];
	const struct bench_failover *f = r->failover;
	struct winsize w = { .ws_col = 0 };
	char text[COUNT_OF(columns)][24];
	struct out_cell cells[COUNT_OF(columns)] = { { r->pattern, OUT_STRONG } };
	const uint64_t before[] = { f->rounds, f->changes }, after[] = { f->calls, f->lost, f->overlap };
	struct str head = STR_INIT;
	size_t n = 1;

	bench_machine(b, &head);
	str_printf(&head, "%s; outages as a client sees them that calls every 2 ms\n\n", r->what);
	bool tty = isatty(1) && ioctl(1, TIOCGWINSZ, &w) == 0;
	report_draw(r->ours.latency, tty && w.ws_col > 0 && w.ws_col < DRAW_WIDTH ? w.ws_col : DRAW_WIDTH, &head);
	str_putc(&head, '\n');
	out_text(b->c->out, str_text(&head));
	str_release(&head);
	for (size_t i = 0; i < COUNT_OF(before); i++, n++)
		snprintf(text[n], sizeof text[n], "%llu", (unsigned long long)before[i]);
	for (size_t i = 0; i < COUNT_OF(shown); i++, n++)
		bench_ns_text((double)histogram_at(r->ours.latency, shown[i]), text[n], sizeof text[n]);
	for (size_t i = 0; i < COUNT_OF(after); i++, n++)
		snprintf(text[n], sizeof text[n], "%llu", (unsigned long long)after[i]);
	for (size_t i = 1; i < n; i++)
		cells[i] = (struct out_cell){ text[i], OUT_PLAIN };
	cells[n - 1].tone = f->overlap > 0 ? OUT_BAD : OUT_GOOD;
	out_list(b->c->out, columns, COUNT_OF(columns));
	out_row(b->c->out, cells, "");
}

/* --- measuring --------------------------------------------------------------------------- */

static void
progress(void *arg, double share)
{
	struct benching *b = arg;

	bench_progress(b, b->patterns[0], share);
}

/* keep_history: from the private directory to where it was asked for. */
static enum err_code
keep_history(const char *from, const char *to, struct err *err)
{
	FILE *in = fopen(from, "re"), *out = fopen(to, "we");
	char block[65536];
	size_t n;
	bool fine = in != NULL && out != NULL;

	while (fine && (n = fread(block, 1, sizeof block, in)) > 0)
		fine = fwrite(block, 1, n, out) == n;
	if (in != NULL)
		fclose(in);
	if (out != NULL && fclose(out) != 0)
		fine = false;
	return fine ? ERR_OK : err_errno(err, ERR_SYSTEM, errno, "'%s' cannot be written", to);
}

static enum err_code
measure(struct benching *b, const struct failover_cli *o, const char *dir, struct failover_result *out, struct err *err)
{
	const struct fault *k = fault_find(kills[o->kill]);
	struct profile p;
	enum err_code code;

	if ((code = profile_find(profiles[o->profile], 1, &p, err)) != ERR_OK)
		return code;
	code = failover_run(&(struct failover_opts){
		.arena = { .server = o->server, .dir = dir, .nodes = o->nodes == 0 ? 1 : 3, .members = MEMBERS,
		    .profile = profiles[o->profile], .calls = o->history != NULL,
		    .seed = o->seed > 0 ? o->seed : id_random(), .stop = b->opts.stop },
		.faults = &k, .nfaults = 1, .rounds = o->rounds, .p_ns = p.p_ns, .l_ns = p.l_ns, .machine = &b->machine,
		.progress = bench_wants_bar(&o->bench) ? progress : NULL, .arg = b,
	}, out, err);
	bench_progress_end(b);
	return code;
}

static uint64_t
findings(const struct failover_result *r)
{
	uint64_t n = 0;

	for (int c = 0; c < VERIFY_CHECKS; c++)
		n += c != VERIFY_C6 ? r->verdict.wrong[c] : 0;
	return n;
}

/* tell: the answer, the files, and whether it is a good one.  Two active at once are never that. */
static enum err_code
tell(struct benching *b, const struct failover_result *r, struct err *err)
{
	const struct bench_failover f = { .rounds = r->rounds, .changes = r->changes, .calls = r->calls, .lost = r->lost,
		.overlap = r->overlap, .findings = findings(r), .unprovoked = r->verdict.wrong[VERIFY_C6],
		.flow_calls = r->flow.sent, .flow_failed = r->flow.failed, .flow_longest_ms = (double)r->flow.longest_ns / 1e6,
		.first = r->first };
	struct bench_result *one = &b->results[0];
	struct err verdict = { .code = ERR_OK };
	enum err_code code;

	bench_result_init(one);
	b->nresults = 1;
	one->pattern = b->patterns[0]->name;
	one->what = b->patterns[0]->what;
	one->in_flight = 1;
	one->failover = &f;
	one->interrupted = r->interrupted;
	one->ours.errors = r->lost + r->flow.failed;
	one->ours.seconds = r->seconds;
	histogram_merge(one->ours.latency, r->tally[0].outage);
	histogram_merge(one->ours.plain, r->tally[0].outage);
	if (r->interrupted)
		out_note(b->c->out, "aegis bench failover: ended early; this is what was measured");
	if (f.flow_calls > 0)
		out_note(b->c->out, "beside it %llu calls by the queue, of which %llu failed%s%s; the longest took %.1f ms",
		    (unsigned long long)f.flow_calls, (unsigned long long)f.flow_failed, f.flow_failed > 0 ? "; " : "",
		    r->flow.first, f.flow_longest_ms);
	if (f.unprovoked > 0)
		out_note(b->c->out, "aegis bench failover: the leader changed %llu times without a fault of ours; the machine may be too "
		    "busy for this profile", (unsigned long long)f.unprovoked);
	bench_judge(b, &verdict);
	if (r->overlap > 0 || f.findings > 0)
		err_set(&verdict, ERR_HANDLER, "two were active, or it looks so: %s", r->first);
	code = bench_show(b, err);
	if (code == ERR_OK && verdict.code != ERR_OK) {
		*err = verdict;
		code = verdict.code;
	}
	bench_result_release(one);
	return code;
}

/* private_directory: under TMPDIR; the caller's to remove and free. */
static char *
private_directory(struct err *err)
{
	const char *tmp = out_getenv(NULL, "TMPDIR");
	char *dir = mem_printf("%s/aegis-failover.XXXXXX", tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");

	if (mkdtemp(dir) != NULL)
		return dir;
	err_errno(err, ERR_SYSTEM, errno, "no directory can be made as '%s'", dir);
	mem_free(dir);
	return NULL;
}

static enum err_code
run(struct benching *b, const struct failover_cli *o, struct err *err)
{
	struct failover_result r = { .n = 0 };
	char *dir = private_directory(err);
	enum err_code code;

	if (dir == NULL)
		return err->code;
	b->opts.stop = bench_hear_signals();
	/* That nodes go away is no news here. */
	log_set_level(LOG_ERROR);
	code = measure(b, o, dir, &r, err);
	if (o->history != NULL && r.n > 0) {
		char *from = mem_printf("%s/history.jsonl", dir);
		struct err late;
		if (keep_history(from, o->history, code == ERR_OK ? err : &late) != ERR_OK && code == ERR_OK)
			code = err->code;
		mem_free(from);
	}
	if (code == ERR_OK && r.rounds > 0)
		code = tell(b, &r, err);
	failover_release(&r);
	dir_remove(dir, NULL);
	mem_free(dir);
	return code;
}

enum err_code
cmd_bench_failover_run(struct cmd *c, struct err *err)
{
	const struct failover_cli *o = c->opts;
	const struct fault *k = fault_find(kills[o->kill]);
	struct benching *b = mem_new(sizeof *b);
	enum err_code code;

	const struct bench_pattern pattern = { .bench = "failover", .name = k->name, .what = k->what, .in_flight = 1,
		.serial = true, .no_baseline = true };
	b->c = c;
	b->o = &o->bench;
	b->bench = c->command->verb;
	b->at = clock_wall(clock_system());
	b->patterns[b->npatterns++] = &pattern;
	b->opts.repeats = (unsigned)o->rounds;
	b->table = table;
	if (k->cluster && o->nodes == 0)
		code = err_set(err, ERR_USAGE, "--kill %s: with --nodes 1 there is no other NATS node; use --nodes 3", k->name);
	else if (o->server != NULL && access(o->server, X_OK) != 0)
		code = err_errno(err, ERR_CONFIG, errno, "--nats-server: '%s' cannot be executed", o->server);
	else if ((code = bench_read_assertions(b, err)) == ERR_OK)
		code = run(b, o, err);
	mem_free(b);
	return code;
}
