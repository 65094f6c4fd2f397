/* exclusive.c - what a call pays for being executed by the leader alone: one method behind the gate and one
 * that is not, of the same instance, over the C API on both sides.
 *
 * The two take turns call by call, so that whatever the machine does meets both.  The lease is renewed as ever
 * meanwhile, which is part of the price.  Called as people call them: the exclusive one with AEGIS_STICKY, the
 * other one with the default strategy; beside it, for information, the other one on the same subject as a sticky
 * call uses. */
#include <stdio.h>

#include "base/magic.h"
#include "bench.h"
#include "client/aegis.h"

#define SERVICE "bench-exclusive"
#define INSTANCE "bench-exclusive-1"
#define ROUNDS 9
#define CALLS 3000
#define WARM 500
#define P50_LIMIT 1.02
#define P99_LIMIT 1.10

enum way { PLAIN, DIRECT, EXCLUSIVE, WAYS };

static const struct {
	const char *method;
	aegis_call_options opts;
} ways[WAYS] = {
	[PLAIN] = { "plain", { .timeout_ms = 5000 } },
	[DIRECT] = { "plain", { .timeout_ms = 5000, .instance = INSTANCE } },
	[EXCLUSIVE] = { "alone", { .timeout_ms = 5000, .strategy = AEGIS_STICKY } },
};

static void
add(void *arg, aegis_request *r)
{
	int64_t a = 0, b = 0;
	aegis_out *out = aegis_out_new();

	(void)arg;
	aegis_param_int(r, "a", &a);
	aegis_param_int(r, "b", &b);
	aegis_out_int(out, "sum", a + b);
	aegis_reply(r, out);
}

static aegis *
open_handle(const char *name)
{
	aegis_error err;
	aegis *a = aegis_connect(&(aegis_options){ .servers = bench_nats(), .name = name }, &err);

	if (a == NULL)
		bench_die("%s", err.text);
	return a;
}

static bool
leads(void *election)
{
	return aegis_elect_role(election) == AEGIS_ACTIVE;
}

static aegis *
open_server(void)
{
	aegis_error err;
	aegis *a = open_handle("bench server");
	aegis_election *l = aegis_elect_join(a, NULL, &err);

	if (l == NULL || aegis_serve_with(a, "plain", add, NULL, NULL, &err) != AEGIS_OK ||
	    aegis_serve_with(a, "alone", add, NULL, &(aegis_serve_options){ .exclusive = true }, &err) != AEGIS_OK ||
	    aegis_register(a, &(aegis_identity){ .service = SERVICE, .instance = INSTANCE }, &err) != AEGIS_OK)
		bench_die("%s", err.text);
	bench_await("the only member to lead", leads, l);
	return a;
}

static int64_t
call_ns(aegis *client, enum way w)
{
	aegis_out *params = aegis_out_new();
	aegis_result *r = NULL;
	aegis_error err;
	int64_t sum = 0, start;

	aegis_out_int(params, "a", 20);
	aegis_out_int(params, "b", 22);
	start = bench_now();
	if (aegis_call(client, SERVICE, ways[w].method, params, &ways[w].opts, &r, &err) != AEGIS_OK)
		bench_die("%s: %s", ways[w].method, err.text);
	int64_t ns = bench_now() - start;
	if (!aegis_result_int(r, "sum", &sum) || sum != 42)
		bench_die("%s: the answer is not 42: %s", ways[w].method, aegis_result_json(r));
	aegis_result_free(r);
	return ns;
}

static void
round_of(aegis *client, struct samples us[WAYS])
{
	for (int w = 0; w < WAYS; w++)
		samples_clear(&us[w]);
	/* Each way comes first, second and last equally often: what went before matters to a processor. */
	for (int i = 0; i < CALLS; i++)
		for (int k = 0; k < WAYS; k++) {
			enum way w = (enum way)((i + k) % WAYS);
			samples_add(&us[w], (double)call_ns(client, w) / 1e3);
		}
}

struct row {
	const char *id, *what;
	enum way against;
	double percent, limit;
	struct samples ratio;
};

static void
tell(struct row *r, struct samples all[WAYS])
{
	char detail[120];

	snprintf(detail, sizeof detail, "%.0f : %.0f us; rounds p10 to p90 %.3f to %.3f", samples_at(&all[EXCLUSIVE], r->percent),
	    samples_at(&all[r->against], r->percent), samples_at(&r->ratio, 10), samples_at(&r->ratio, 90));
	bench_figure(&(struct bench_figure){ .id = r->id, .what = r->what, .unit = "x", .value = samples_at(&r->ratio, 50),
	    .limit = r->limit, .sense = r->limit > 0 ? BENCH_AT_MOST : BENCH_INFO, .detail = detail, .spread = &r->ratio });
	samples_release(&r->ratio);
}

int
main(int argc, char **argv)
{
	struct row rows[] = {
		{ "exclusive_p50", "exclusive RPC, p50 : plain RPC", PLAIN, 50, P50_LIMIT, { NULL, 0, 0 } },
		{ "exclusive_p99", "exclusive RPC, p99 : plain RPC", PLAIN, 99, P99_LIMIT, { NULL, 0, 0 } },
		{ "exclusive_direct_p50", "exclusive RPC, p50 : plain one to that instance", DIRECT, 50, 0, { NULL, 0, 0 } },
	};
	struct samples us[WAYS] = { { NULL, 0, 0 } }, all[WAYS] = { { NULL, 0, 0 } };

	bench_begin("exclusive", argc, argv);
	bench_nats();			/* from this thread, which lasts: the server dies with it */
	aegis *server = open_server(), *client = open_handle("bench client");
	for (int i = 0; i < WARM; i++)
		for (int w = 0; w < WAYS; w++)
			call_ns(client, (enum way)w);
	for (int i = 0; i < ROUNDS; i++) {
		round_of(client, us);
		for (size_t k = 0; k < COUNT_OF(rows); k++)
			samples_add(&rows[k].ratio, samples_at(&us[EXCLUSIVE], rows[k].percent) /
			    samples_at(&us[rows[k].against], rows[k].percent));
		for (int w = 0; w < WAYS; w++)
			for (size_t k = 0; k < us[w].n; k++)
				samples_add(&all[w], us[w].v[k]);
	}
	for (size_t k = 0; k < COUNT_OF(rows); k++)
		tell(&rows[k], all);
	for (int w = 0; w < WAYS; w++) {
		samples_release(&us[w]);
		samples_release(&all[w]);
	}
	aegis_close(client);
	aegis_close(server);
	return bench_end();
}
