/* pattern.c - the table of patterns; repeats, warm-up, and rounds by turns. */
#include "bench/pattern.h"

#include <string.h>

#include "base/id.h"
#include "base/magic.h"
#include "bench/drive.h"
#include "bench/side.h"

#define ROUNDS 5			/* of one repeat; an even number would favour who begins */
#define MANY 64				/* in flight, where many are */
#define SETTLE_NS (100 * NS_PER_MS)	/* warm-up after instances came or went */

struct row {
	struct bench_pattern p;
	bench_open *open;
};

static const struct row rows[] = {
	{ { .bench = "rpc", .name = "one", .what = "RPC, one at a time", .in_flight = 1, .serial = true }, rpc_side_open },
	{ { .bench = "rpc", .name = "many", .what = "RPC, many in flight on one connection", .in_flight = MANY },
	    rpc_side_open },
	{ { .bench = "event", .name = "publish", .what = "event, until it is stored, one at a time", .in_flight = 1,
	    .serial = true }, publish_side_open },
	{ { .bench = "event", .name = "pipelined", .what = "event, until it is stored, many in flight", .in_flight = MANY },
	    publish_side_open },
	{ { .bench = "event", .name = "handler", .what = "event, until another process handles it", .in_flight = 1,
	    .serial = true, .handler = true }, handler_side_open },
	{ { .bench = "command", .name = "completion", .what = "command, until its completion is heard", .in_flight = 1 },
	    command_side_open },
	{ { .bench = "kv", .name = "put", .what = "key-value put", .in_flight = 1 }, put_side_open },
	{ { .bench = "kv", .name = "get", .what = "key-value get", .in_flight = 1 }, get_side_open },
	{ { .bench = "kv", .name = "watch", .what = "key-value put, until a watch tells it", .in_flight = 1, .serial = true },
	    watch_side_open },
	{ { .bench = "discovery", .name = "seen", .what = "registry change, until the snapshot shows it", .in_flight = 1,
	    .serial = true }, seen_side_open },
	{ { .bench = "discovery", .name = "pick", .what = "directory, service, one instance of it", .in_flight = 1,
	    .serial = true, .no_baseline = true }, pick_side_open },
};

const struct bench_pattern *
bench_pattern(const char *bench, size_t i)
{
	for (size_t k = 0; k < COUNT_OF(rows); k++)
		if (strcmp(rows[k].p.bench, bench) == 0 && i-- == 0)
			return &rows[k].p;
	return NULL;
}

const struct bench_pattern *
bench_find(const char *bench, const char *name)
{
	const struct bench_pattern *p;

	for (size_t i = 0; (p = bench_pattern(bench, i)) != NULL; i++)
		if (strcmp(p->name, name) == 0)
			break;
	return p;
}

/* --- one measurement --------------------------------------------------------------------- */

enum { OURS, THEIRS, SIDES };

struct measuring {
	const struct row *row;
	const struct bench_opts *o;
	struct bench_result *out;
	struct bench_env env;
	struct drive *drives[SIDES];
	struct bench_side sides[SIDES];	/* ops NULL: not open */
	struct bench_tally tally[SIDES];
	double done, now, all;		/* shares of the whole, for the progress */
};

static bool
wants_stop(const struct measuring *m)
{
	return m->o->stop != NULL && atomic_load(m->o->stop);
}

static void
on_tick(void *arg, double share)
{
	struct measuring *m = arg;

	m->o->progress(m->o->arg, &m->row->p, (m->done + m->now * share) / m->all);
}

/* work: one side for a while; clears its tally first. */
static enum err_code
work(struct measuring *m, int which, uint64_t count, int64_t duration_ns, double weight, struct err *err)
{
	/* Without bare nats.c the baseline is the same side at another time. */
	int side = m->sides[which].ops != NULL ? which : OURS;
	struct drive_plan plan = {
		.in_flight = m->env.in_flight, .rate = m->o->rate, .count = count, .duration_ns = duration_ns,
		.stop = m->o->stop, .tick = m->o->progress != NULL ? on_tick : NULL, .arg = m,
	};

	bench_tally_clear(&m->tally[which]);
	m->now = weight;
	enum err_code code = drive_run(m->drives[side], &m->sides[side], &plan, &m->tally[which], err);
	m->done += weight;
	return code;
}

static enum err_code
take_turn(struct measuring *m, int which, uint64_t round, struct err *err)
{
	const struct bench_opts *o = m->o;
	uint64_t count = o->count > 0 ? o->count / ROUNDS + (round < o->count % ROUNDS) : 0;
	enum err_code code;

	bench_tally_clear(&m->tally[which]);
	if (o->count > 0 && count == 0)
		return ERR_OK;
	if (o->against == AGAINST_NO_INSTANCES) {
		if ((code = m->sides[OURS].ops->crowd(m->sides[OURS].arg, which == OURS, err)) != ERR_OK ||
		    (code = work(m, which, 0, SETTLE_NS, 0, err)) != ERR_OK)
			return code;
	}
	return work(m, which, count, o->duration_ns / ROUNDS, 1, err);
}

/* take_round: what was measured counts, also when the round stays incomplete; only then it has
 * no ratio. */
static enum err_code
take_round(struct measuring *m, unsigned round, struct err *err)
{
	bool both = m->o->against != AGAINST_NONE;
	enum err_code code = ERR_OK;

	bench_tally_clear(&m->tally[OURS]);
	bench_tally_clear(&m->tally[THEIRS]);
	for (int turn = 0; turn < (both ? 2 : 1) && code == ERR_OK && !wants_stop(m); turn++)
		code = take_turn(m, both && (turn + round) % 2 != 0 ? THEIRS : OURS, round, err);
	bool complete = !both || histogram_count(m->tally[THEIRS].latency) > 0;
	if (complete) {
		bench_result_add(m->out, &m->tally[OURS], both ? &m->tally[THEIRS] : NULL);
	} else {
		bench_tally_merge(&m->out->ours, &m->tally[OURS]);
	}
	return code;
}

static enum err_code
open_sides(struct measuring *m, struct err *err)
{
	enum err_code code = ERR_OK;

	for (int i = OURS; i < SIDES && code == ERR_OK; i++) {
		if (i == THEIRS && m->o->against != AGAINST_RAW)
			break;
		m->drives[i] = drive_new(m->env.in_flight);
		m->env.hook = drive_hook(m->drives[i]);
		code = m->row->open(&m->env, i == OURS ? BENCH_OURS : BENCH_RAW, &m->sides[i], err);
	}
	return code;
}

static void
close_sides(struct measuring *m)
{
	for (int i = 0; i < SIDES; i++) {
		if (m->sides[i].ops != NULL)
			m->sides[i].ops->close(m->sides[i].arg);
		m->sides[i].ops = NULL;
		drive_free(m->drives[i]);
		m->drives[i] = NULL;
	}
}

static enum err_code
repeat(struct measuring *m, struct err *err)
{
	double warm = m->o->count > 0 ? 0.5 : (double)m->o->warmup_ns * ROUNDS / (double)m->o->duration_ns;
	enum err_code code = open_sides(m, err);

	for (int i = OURS; i < SIDES && code == ERR_OK && !wants_stop(m) && m->o->warmup_ns > 0; i++)
		if (m->sides[i].ops != NULL)
			code = work(m, i, 0, m->o->warmup_ns, warm, err);
	for (unsigned round = 0; round < ROUNDS && code == ERR_OK && !wants_stop(m); round++)
		code = take_round(m, round, err);
	close_sides(m);
	return code;
}

static struct bench_env
make_env(const struct bench_pattern *p, const struct bench_opts *o, const char *token)
{
	return (struct bench_env){
		.conn = o->conn, .token = token, .size = o->size, .format = o->format,
		.in_flight = o->in_flight > 0 && !p->serial ? o->in_flight : p->in_flight, .instances = o->instances, .service = o->service,
		.method = o->method, .params = o->params, .peers = { o->peers[0], o->peers[1] },
	};
}

enum err_code
bench_measure(const struct bench_pattern *p, const struct bench_opts *o, struct bench_result *out, struct err *err)
{
	struct measuring m = { .row = CONTAINER_OF(p, struct row, p), .o = o, .out = out };
	int sides = o->against == AGAINST_NONE ? 1 : 2, open = o->against == AGAINST_RAW ? 2 : 1;
	enum err_code code = ERR_OK;
	char token[9];

	id_hex(token, 8);
	m.env = make_env(p, o, token);
	m.all = o->repeats * (ROUNDS * sides + open * (o->count > 0 ? 0.5 : (double)o->warmup_ns * ROUNDS / (double)o->duration_ns));
	out->pattern = p->name;
	out->what = p->what;
	out->in_flight = m.env.in_flight;
	out->rate = o->rate;
	out->against = o->against == AGAINST_RAW ? "raw" : o->against == AGAINST_NO_INSTANCES ? "no-instances" : NULL;
	bench_tally_init(&m.tally[OURS]);
	bench_tally_init(&m.tally[THEIRS]);
	for (unsigned i = 0; i < o->repeats && code == ERR_OK && !wants_stop(&m); i++)
		code = repeat(&m, err);
	out->interrupted = wants_stop(&m);
	bench_tally_release(&m.tally[OURS]);
	bench_tally_release(&m.tally[THEIRS]);
	return code;
}
