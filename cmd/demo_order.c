/* demo_order.c - orders: asks for a price and for the risk, keeps what came of it, and tells.
 *
 * Each order is told as events.order.created or events.order.rejected.  What risk counts in comes
 * back as an event, and marks the order as booked.  To make a system with something to see, a
 * ticker places an order a second, through the same call that anybody else would make, so at
 * whichever instance, and now and then has the positions recalculated. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "demo.h"
#include "demo_ring.h"
#include "demo_ticker.h"

#define LIST_USUAL 20
#define LIST_MAX 200
#define STEP_MS 2000			/* of one call to pricing or risk, and of telling */
#define OWN_MS 1000			/* a stop waits for an order of our own */
#define RECALCULATE_EVERY 30		/* orders of our own */

struct orders {
	struct ring ring;
	atomic_ulong warnings;		/* of risk, that a limit is exceeded */
	struct demo_ticker ticker;	/* places orders of our own */
	uint64_t chance, placed;	/* the ticker's only */
};

/* --- taking one -------------------------------------------------------------------------- */

static void
pack_order(aegis_out *out, const struct order *o)
{
	aegis_out_text(out, "order_id", o->id);
	aegis_out_text(out, "symbol", o->symbol);
	aegis_out_int(out, "quantity", o->quantity);
	aegis_out_text(out, "side", o->sell ? "sell" : "buy");
	aegis_out_real(out, "price", o->price);
	aegis_out_real(out, "total", demo_cents(o->price * (double)o->quantity));
	aegis_out_text(out, "status", !o->accepted ? "rejected" : o->booked ? "booked" : "accepted");
	if (!o->accepted)
		aegis_out_text(out, "reason", o->reason);
}

/* ask_price: false when r was answered because there is none. */
static bool
ask_price(struct demo *d, aegis_request *r, struct order *o)
{
	aegis_call_options options = { .timeout_ms = STEP_MS, .trace_id = aegis_request_trace_id(r) };
	aegis_out *params = aegis_out_new();
	aegis_result *result = NULL;
	aegis_error e = { .code = AEGIS_OK };

	aegis_out_text(params, "symbol", o->symbol);
	int code = aegis_call(d->a, "pricing-service", "get_price", params, &options, &result, &e);
	if (code != AEGIS_OK)
		demo_fail(r, "no price of '%s', so no order: %s", o->symbol, e.text);
	else if (!aegis_result_real(result, "price", &o->price)) {
		demo_fail(r, "no price of '%s', so no order: the answer of pricing-service holds none", o->symbol);
		code = AEGIS_CORRUPT;
	}
	aegis_result_free(result);
	return code == AEGIS_OK;
}

/* ask_risk: as above; sets accepted and reason. */
static bool
ask_risk(struct demo *d, aegis_request *r, struct order *o)
{
	aegis_call_options options = { .timeout_ms = STEP_MS, .trace_id = aegis_request_trace_id(r) };
	aegis_out *params = aegis_out_new();
	aegis_result *result = NULL;
	aegis_error e = { .code = AEGIS_OK };

	aegis_out_text(params, "symbol", o->symbol);
	aegis_out_int(params, "quantity", o->sell ? -o->quantity : o->quantity);
	aegis_out_real(params, "price", o->price);
	int code = aegis_call(d->a, "risk-service", "assess_risk", params, &options, &result, &e);
	if (code != AEGIS_OK) {
		demo_fail(r, "the risk of '%s' was not assessed, so no order: %s", o->symbol, e.text);
		return false;
	}
	const char *reason = aegis_result_text(result, "reason");
	if (!aegis_result_bool(result, "approved", &o->accepted))
		o->accepted = false;
	snprintf(o->reason, sizeof o->reason, "%s", reason != NULL ? reason : "risk-service gives no reason");
	aegis_result_free(result);
	return true;
}

static aegis_out *
order_event(const struct order *o)
{
	aegis_out *out = aegis_out_new();

	pack_order(out, o);
	return out;
}

/* keep: it gets an id and is told.  False when r was answered: what nobody hears of is no order. */
static bool
keep(struct demo *d, aegis_request *r, struct order *o)
{
	struct orders *s = d->state;
	aegis_publish_options options = { .timeout_ms = STEP_MS, .trace_id = aegis_request_trace_id(r) };
	aegis_error e = { .code = AEGIS_OK };

	ring_add(&s->ring, aegis_instance(d->a), o);
	int code = aegis_publish(d->a, "order", o->accepted ? "created" : "rejected", order_event(o), &options, &e);
	if (code == AEGIS_OK)
		return true;
	ring_reject(&s->ring, o->id, "its event was not stored");
	demo_fail(r, "order '%s' is not taken, because its event was not stored: %s", o->id, e.text);
	return false;
}

/* read_side: optional, "buy" or "sell"; false when r was answered. */
static bool
read_side(aegis_request *r, bool *sell)
{
	const char *side = aegis_param_text(r, "side");

	*sell = side != NULL && strcmp(side, "sell") == 0;
	if (*sell || (side != NULL && strcmp(side, "buy") == 0) || !aegis_param_given(r, "side"))
		return true;
	demo_fail(r, "parameter 'side': must be \"buy\" or \"sell\"; leave it out for buy");
	return false;
}

static void
create_order(void *arg, aegis_request *r)
{
	struct demo *d = arg;
	struct order o = { .price = 0 };
	const char *symbol;

	atomic_fetch_add(&d->requests, 1);
	if (!demo_symbol(r, &symbol) || !demo_quantity(r, 1, &o.quantity) || !read_side(r, &o.sell))
		return;
	snprintf(o.symbol, sizeof o.symbol, "%s", symbol);
	if (!ask_price(d, r, &o) || !ask_risk(d, r, &o))
		return;
	if (keep(d, r, &o))
		aegis_reply(r, order_event(&o));
}

/* --- looking at them --------------------------------------------------------------------- */

static void
get_order(void *arg, aegis_request *r)
{
	struct demo *d = arg;
	struct orders *s = d->state;
	const char *id = aegis_param_text(r, "order_id");
	struct order o;

	atomic_fetch_add(&d->requests, 1);
	if (id == NULL) {
		demo_fail(r, "parameter 'order_id': needed is a text, as create_order returned it");
		return;
	}
	if (!ring_find(&s->ring, id, &o)) {
		demo_fail(r, "parameter 'order_id': '%.100s' keeps no order '%.100s'; each instance keeps those that it "
		    "took itself, and its name begins their ids", aegis_instance(d->a), id);
		return;
	}
	aegis_reply(r, order_event(&o));
}

static void
list_one(void *arg, const struct order *o)
{
	aegis_out_map(arg, NULL);
	pack_order(arg, o);
	aegis_out_end(arg);
}

static void
list_orders(void *arg, aegis_request *r)
{
	struct demo *d = arg;
	struct orders *s = d->state;
	int64_t limit;

	atomic_fetch_add(&d->requests, 1);
	if (!demo_limit(r, LIST_USUAL, LIST_MAX, &limit))
		return;
	aegis_out *out = aegis_out_new();
	aegis_out_list(out, "orders");		/* the newest first */
	uint64_t total = ring_each(&s->ring, (uint64_t)limit, list_one, out);
	aegis_out_end(out);
	aegis_out_int(out, "total", (int64_t)total);
	aegis_out_int(out, "risk_warnings", (int64_t)atomic_load(&s->warnings));
	aegis_out_text(out, "instance", aegis_instance(d->a));
	aegis_reply(r, out);
}

/* --- what risk tells ----------------------------------------------------------------------- */

/* on_position: one of its instances counted an order in, perhaps one of ours. */
static void
on_position(void *arg, aegis_event *v)
{
	struct demo *d = arg;
	struct orders *s = d->state;
	const char *id = aegis_event_text(v, "order_id");

	if (id == NULL) {
		aegis_event_fail(v, "order_id is missing or no text");
		return;
	}
	ring_book(&s->ring, id);
	aegis_event_done(v);
}

static void
on_exceeded(void *arg, aegis_event *v)
{
	struct demo *d = arg;
	struct orders *s = d->state;

	atomic_fetch_add(&s->warnings, 1);
	log_info(EV_DEMO_NOTE, LOG_NONE, "risk warns: %s", aegis_event_json(v));
	aegis_event_done(v);
}

/* --- orders of our own ------------------------------------------------------------------- */

static uint64_t
draw(struct orders *s, uint64_t below)
{
	s->chance ^= s->chance << 13;
	s->chance ^= s->chance >> 7;
	s->chance ^= s->chance << 17;
	return s->chance % below;
}

static void
recalculate(struct demo *d)
{
	aegis_error e = { .code = AEGIS_OK };

	/* For nobody in particular, so without waiting for the end of it. */
	if (aegis_send(d->a, "risk-service", "recalculate", NULL, &(aegis_send_options){ .forget = true }, NULL,
	    &e) != AEGIS_OK)
		log_debug(EV_DEMO_NOTE, LOG_F(LOG_S("err", e.text)), "the positions are not recalculated");
}

static void
place_order(void *arg)
{
	struct demo *d = arg;
	struct orders *s = d->state;
	aegis_out *params = aegis_out_new();
	aegis_result *result = NULL;
	aegis_error e = { .code = AEGIS_OK };
	size_t n = 0;

	while (demo_symbols[n] != NULL)
		n++;
	aegis_out_text(params, "symbol", demo_symbols[draw(s, n)]);
	aegis_out_int(params, "quantity", 1 + (int64_t)draw(s, 50));
	aegis_out_text(params, "side", draw(s, 2) == 0 ? "buy" : "sell");
	if (aegis_call(d->a, "order-service", "create_order", params, &(aegis_call_options){ .timeout_ms = OWN_MS },
	    &result, &e) == AEGIS_OK) {
		log_debug(EV_DEMO_NOTE, LOG_NONE, "%s took an order of ours: %s", aegis_result_instance(result),
		    aegis_result_json(result));
		if (++s->placed % RECALCULATE_EVERY == 0)
			recalculate(d);
	} else {
		log_debug(EV_DEMO_NOTE, LOG_F(LOG_S("err", e.text)), "nobody took an order of ours");
	}
	aegis_result_free(result);
}

/* about_a_second: so that instances do not march in step. */
static int64_t
about_a_second(void *arg)
{
	struct demo *d = arg;

	return 800 + (int64_t)draw(d->state, 400);
}

/* --- the service ------------------------------------------------------------------------- */

static void *
open_orders(struct demo *d)
{
	struct orders *s = calloc(1, sizeof *s);

	if (s == NULL)
		abort();
	ring_init(&s->ring);
	s->chance = ((uint64_t)d->started.tv_nsec << 32 | (uint64_t)getpid()) | 1;
	return s;
}

static void
start_orders(struct demo *d)
{
	struct orders *s = d->state;

	demo_ticker_start(&s->ticker, "orders", about_a_second, place_order, d);
}

static void
stop_orders(struct demo *d)
{
	struct orders *s = d->state;

	demo_ticker_stop(&s->ticker);
}

static void
close_orders(struct demo *d)
{
	struct orders *s = d->state;

	ring_release(&s->ring);
	free(s);
}

static const struct demo_method methods[] = {
	{ "create_order", create_order, 0 },
	{ "get_order", get_order, 0 },
	{ "list_orders", list_orders, 0 },
	{ NULL, NULL, 0 },
};

static const struct demo_event events[] = {
	{ "events.risk.limit_exceeded", on_exceeded },
	{ "events.risk.position_updated", on_position },
	{ NULL, NULL },
};

const struct demo_service demo_order = {
	.word = "order", .name = "order-service", .description = "creates and lists orders; asks pricing and risk",
	.methods = methods, .events = events, .open = open_orders, .start = start_orders, .stop = stop_orders,
	.close = close_orders,
};
