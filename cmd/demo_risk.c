/* demo_risk.c - approves orders as long as the position in a symbol stays within its limit.
 *
 * Asking changes nothing: a position moves when an accepted order is told.  Every instance hears
 * of every order and of every change of a limit, so all come to the same positions, counted from
 * when each of them began to listen.  What an instance publishes of an order goes out under an id
 * made of the order's, so that several instances tell it once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo.h"
#include "demo_book.h"

#define USUAL_LIMIT 100000		/* about twenty orders of the usual size */
#define LIMIT_MAX INT64_C(1000000000000)
#define STEP_MS 2000			/* of one call to pricing, and of telling */
#define PACE_MAX_MS 1000

/* --- telling ------------------------------------------------------------------------------- */

static void
pack_standing(aegis_out *out, const struct standing *s)
{
	aegis_out_text(out, "symbol", s->symbol);
	aegis_out_int(out, "quantity", s->quantity);
	aegis_out_real(out, "exposure", s->exposure);
	aegis_out_int(out, "limit", s->limit);
}

/* tell: events.risk.{type}, under an id that is the same in every instance that tells it. */
static int
tell(struct demo *d, const char *type, const char *of, const char *trace_id, aegis_out *payload, aegis_error *e)
{
	char words[200], id[DEMO_ID_MAX];

	snprintf(words, sizeof words, "%s %s", type, of);
	demo_id(words, id);
	aegis_out_text(payload, "instance", aegis_instance(d->a));
	return aegis_publish(d->a, "risk", type, payload, &(aegis_publish_options){ .id = id, .trace_id = trace_id,
	    .timeout_ms = STEP_MS }, e);
}

static int
warn(struct demo *d, const char *of, const struct standing *s, const char *trace_id, aegis_error *e)
{
	aegis_out *out = aegis_out_new();

	pack_standing(out, s);
	return tell(d, "limit_exceeded", of, trace_id, out, e);
}

/* --- methods ------------------------------------------------------------------------------- */

static void
assess_risk(void *arg, aegis_request *r)
{
	struct demo *d = arg;
	struct verdict v;
	const char *symbol;
	int64_t quantity;
	double price;

	atomic_fetch_add(&d->requests, 1);
	if (!demo_symbol(r, &symbol) || !demo_quantity(r, -DEMO_QUANTITY_MAX, &quantity) ||
	    !demo_positive(r, "price", &price))
		return;
	book_judge(d->state, symbol, quantity, price, &v);
	aegis_out *out = aegis_out_new();
	aegis_out_bool(out, "approved", v.approved);
	aegis_out_text(out, "reason", v.reason);
	aegis_out_real(out, "exposure", v.after.exposure);
	aegis_out_int(out, "limit", v.after.limit);
	aegis_reply(r, out);
}

static void
get_positions(void *arg, aegis_request *r)
{
	struct demo *d = arg;
	aegis_out *out = aegis_out_new();
	struct standing s;

	atomic_fetch_add(&d->requests, 1);
	aegis_out_list(out, "positions");
	for (size_t i = 0; book_at(d->state, i, &s); i++) {
		aegis_out_map(out, NULL);
		pack_standing(out, &s);
		aegis_out_end(out);
	}
	aegis_out_end(out);
	aegis_out_int(out, "limit", book_common(d->state));
	aegis_out_text(out, "instance", aegis_instance(d->a));
	aegis_reply(r, out);
}

static aegis_out *
limit_out(struct demo *d, const char *symbol, int64_t limit)
{
	aegis_out *out = aegis_out_new();

	aegis_out_text(out, "symbol", symbol);
	aegis_out_int(out, "limit", limit);
	aegis_out_text(out, "instance", aegis_instance(d->a));
	return out;
}

static void
update_limits(void *arg, aegis_request *r)
{
	struct demo *d = arg;
	aegis_publish_options options = { .timeout_ms = STEP_MS, .trace_id = aegis_request_trace_id(r) };
	aegis_error e = { .code = AEGIS_OK };
	const char *symbol = NULL;
	int64_t limit;

	atomic_fetch_add(&d->requests, 1);
	if (aegis_param_given(r, "symbol") && !demo_symbol(r, &symbol))
		return;
	if (!aegis_param_int(r, "limit", &limit) || limit < 1 || limit > LIMIT_MAX) {
		demo_fail(r, "parameter 'limit': needed is a whole number from 1 to %lld", (long long)LIMIT_MAX);
		return;
	}
	if (!book_limit(d->state, symbol, limit)) {
		demo_fail(r, "parameter 'symbol': positions in %d symbols are kept, and '%s' is not one of them", BOOK_MAX,
		    symbol);
		return;
	}
	if (aegis_publish(d->a, "risk", "limits_updated", limit_out(d, symbol, limit), &options, &e) != AEGIS_OK) {
		demo_fail(r, "the limit holds in '%s' only, because the other instances could not be told: %s",
		    aegis_instance(d->a), e.text);
		return;
	}
	aegis_reply(r, limit_out(d, symbol, limit));
}

/* --- what others tell ---------------------------------------------------------------------- */

/* An order as its event has it; quantity is negative for a sale. */
struct told {
	const char *id, *symbol;
	int64_t quantity;
	double price;
};

static bool
read_order(const aegis_event *v, struct told *o)
{
	const char *side = aegis_event_text(v, "side");

	o->id = aegis_event_text(v, "order_id");
	o->symbol = aegis_event_text(v, "symbol");
	if (o->id == NULL || o->symbol == NULL || !demo_symbol_ok(o->symbol) || side == NULL ||
	    !aegis_event_int(v, "quantity", &o->quantity) || o->quantity < 1 || o->quantity > DEMO_QUANTITY_MAX ||
	    !aegis_event_real(v, "price", &o->price) || !(o->price > 0))
		return false;
	if (strcmp(side, "sell") == 0)
		o->quantity = -o->quantity;
	return true;
}

static int
tell_position(struct demo *d, const aegis_event *v, const struct told *o, const struct standing *s, aegis_error *e)
{
	aegis_out *out = aegis_out_new();

	aegis_out_text(out, "order_id", o->id);
	pack_standing(out, s);
	int code = tell(d, "position_updated", aegis_event_id(v), aegis_event_trace_id(v), out, e);
	if (code == AEGIS_OK && s->exposure > (double)s->limit)
		code = warn(d, aegis_event_id(v), s, aegis_event_trace_id(v), e);
	return code;
}

static void
on_order(void *arg, aegis_event *v)
{
	struct demo *d = arg;
	aegis_error e = { .code = AEGIS_OK };
	struct standing s;
	struct told o;

	if (!read_order(v, &o)) {
		aegis_event_fail(v, "this is no order: needed are order_id, symbol, quantity, side and price");
		return;
	}
	/* A second arrival is told again: the first may have failed only after it was counted. */
	if (book_order(d->state, aegis_event_id(v), o.symbol, o.quantity, o.price, &s) == BOOK_FULL)
		aegis_event_fail(v, "positions in too many symbols are kept, and the order's is not one of them");
	else if (tell_position(d, v, &o, &s, &e) != AEGIS_OK)
		aegis_event_fail(v, e.text);
	else
		aegis_event_done(v);
}

/* on_limits: of another instance, or our own, which changes nothing. */
static void
on_limits(void *arg, aegis_event *v)
{
	struct demo *d = arg;
	const char *symbol = aegis_event_text(v, "symbol");
	int64_t limit;

	if ((symbol != NULL && !demo_symbol_ok(symbol)) || !aegis_event_int(v, "limit", &limit) || limit < 1 ||
	    limit > LIMIT_MAX)
		aegis_event_fail(v, "this is no limit: needed are limit and, perhaps, symbol");
	else if (!book_limit(d->state, symbol, limit))
		aegis_event_fail(v, "positions in too many symbols are kept, and this is not one of them");
	else
		aegis_event_done(v);
}

/* --- recalculate --------------------------------------------------------------------------- */

/* What came of it so far. */
struct recalculation {
	struct demo *d;
	aegis_job *job;
	size_t n, exceeded;
	double exposure;
};

/* price_one: the position s at today's price; false when the job was answered. */
static bool
price_one(struct recalculation *c, struct standing *s)
{
	aegis_call_options options = { .timeout_ms = STEP_MS, .trace_id = aegis_job_trace_id(c->job) };
	aegis_out *params = aegis_out_new();
	aegis_result *result = NULL;
	aegis_error e = { .code = AEGIS_OK };
	char text[600], of[160];
	double price;

	aegis_out_text(params, "symbol", s->symbol);
	int code = aegis_call(c->d->a, "pricing-service", "get_price", params, &options, &result, &e);
	if (code == AEGIS_OK && !aegis_result_real(result, "price", &price)) {
		snprintf(e.text, sizeof e.text, "the answer of pricing-service holds none");
		code = AEGIS_CORRUPT;
	}
	aegis_result_free(result);
	if (code == AEGIS_OK && book_price(c->d->state, s->symbol, price, s) && s->exposure > (double)s->limit) {
		c->exceeded++;
		snprintf(of, sizeof of, "%s %s", aegis_job_id(c->job), s->symbol);
		code = warn(c->d, of, s, aegis_job_trace_id(c->job), &e);
	}
	if (code != AEGIS_OK) {
		snprintf(text, sizeof text, "no price of '%s', so no recalculation: %s", s->symbol, e.text);
		aegis_job_fail(c->job, text);
		return false;
	}
	c->exposure += s->exposure;
	return true;
}

static void
finish(const struct recalculation *c)
{
	aegis_out *out = aegis_out_new();

	aegis_out_int(out, "positions", (int64_t)c->n);
	aegis_out_real(out, "exposure", demo_cents(c->exposure));
	aegis_out_int(out, "exceeded", (int64_t)c->exceeded);
	aegis_out_text(out, "instance", aegis_instance(c->d->a));
	aegis_job_done(c->job, out);
}

/* recalculate: each position at today's price, with pace_ms in between for who wants to watch. */
static void
recalculate(void *arg, aegis_job *j)
{
	struct recalculation c = { .d = arg, .job = j };
	int64_t pace_ms = 0;
	struct standing s;
	size_t all = 0;

	if (aegis_job_int(j, "pace_ms", &pace_ms) && (pace_ms < 0 || pace_ms > PACE_MAX_MS)) {
		aegis_job_fail(j, "pace_ms must be a whole number from 0 to 1000");
		return;
	}
	while (book_at(c.d->state, all, &s))
		all++;
	for (; c.n < all && book_at(c.d->state, c.n, &s); c.n++) {
		if (aegis_job_cancelled(j)) {
			aegis_job_fail(j, "cancelled");
			return;
		}
		if (!price_one(&c, &s))
			return;
		aegis_job_progress(j, 100.0 * (double)(c.n + 1) / (double)all, s.symbol);
		nanosleep(&(struct timespec){ .tv_sec = pace_ms / 1000, .tv_nsec = pace_ms % 1000 * 1000000 }, NULL);
	}
	finish(&c);
}

/* --- the service ------------------------------------------------------------------------- */

static void *
open_risk(struct demo *d)
{
	struct book *b = calloc(1, sizeof *b);

	(void)d;
	if (b == NULL)
		abort();
	book_init(b, USUAL_LIMIT);
	return b;
}

static void
close_risk(struct demo *d)
{
	book_release(d->state);
	free(d->state);
}

static const struct demo_method methods[] = {
	{ "assess_risk", assess_risk, 0 },
	{ "get_positions", get_positions, 0 },
	{ "update_limits", update_limits, 0 },
	{ NULL, NULL, 0 },
};

static const struct demo_event events[] = {
	{ "events.order.created", on_order },
	{ "events.risk.limits_updated", on_limits },
	{ NULL, NULL },
};

static const struct demo_command commands[] = {
	{ "recalculate", recalculate },
	{ NULL, NULL },
};

const struct demo_service demo_risk = {
	.word = "risk", .name = "risk-service", .description = "checks orders against limits",
	.methods = methods, .events = events, .commands = commands, .open = open_risk, .close = close_risk,
};
