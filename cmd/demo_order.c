/* demo_order.c - orders: asks for a price and for the risk, and keeps what came of it.
 *
 * Each instance keeps the orders that it took itself, the last few thousand.  To make a
 * system with something to see, it also lets a thread of its own place an order a second,
 * through the same call that anybody else would make, so at whichever instance. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "demo.h"

#define ORDERS_MAX 4096			/* the oldest make room */
#define ORDER_ID_MAX 128
#define LIST_USUAL 20
#define LIST_MAX 200
#define STEP_MS 2000			/* of one call to pricing or risk */
#define OWN_MS 1000			/* a stop waits for an order of our own */

struct order {
	char id[ORDER_ID_MAX], symbol[DEMO_SYMBOL_MAX + 1];
	int64_t quantity;
	bool sell, accepted;
	double price;
	char reason[160];		/* of a rejection */
};

struct orders {
	pthread_mutex_t lock;		/* leaf: all that follows */
	pthread_cond_t changed;
	struct order v[ORDERS_MAX];	/* a ring: order number n lies at n % ORDERS_MAX */
	uint64_t n;			/* taken so far */
	bool stop;

	pthread_t thread;		/* places orders of our own */
	bool running;
	uint64_t chance;		/* that thread's only */
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
	aegis_out_text(out, "status", o->accepted ? "accepted" : "rejected");
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

static void
keep(struct demo *d, struct order *o)
{
	struct orders *s = d->state;

	pthread_mutex_lock(&s->lock);
	snprintf(o->id, sizeof o->id, "%s.%llu", aegis_instance(d->a), (unsigned long long)s->n + 1);
	s->v[s->n++ % ORDERS_MAX] = *o;
	pthread_mutex_unlock(&s->lock);
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
	keep(d, &o);
	aegis_out *out = aegis_out_new();
	pack_order(out, &o);
	aegis_reply(r, out);
}

/* --- looking at them --------------------------------------------------------------------- */

/* find: the order's number is the end of its id; false when it is not (or no more) kept. */
static bool
find(struct orders *s, const char *id, struct order *out)
{
	const char *dot = strrchr(id, '.');
	uint64_t number = dot != NULL ? strtoull(dot + 1, NULL, 10) : 0;
	bool found = false;

	pthread_mutex_lock(&s->lock);
	if (number > 0 && number <= s->n) {
		*out = s->v[(number - 1) % ORDERS_MAX];
		found = strcmp(out->id, id) == 0;
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}

static void
get_order(void *arg, aegis_request *r)
{
	struct demo *d = arg;
	const char *id = aegis_param_text(r, "order_id");
	struct order o;

	atomic_fetch_add(&d->requests, 1);
	if (id == NULL) {
		demo_fail(r, "parameter 'order_id': needed is a text, as create_order returned it");
		return;
	}
	if (!find(d->state, id, &o)) {
		demo_fail(r, "parameter 'order_id': '%.100s' keeps no order '%.100s'; each instance keeps those that it "
		    "took itself, and its name begins their ids", aegis_instance(d->a), id);
		return;
	}
	aegis_out *out = aegis_out_new();
	pack_order(out, &o);
	aegis_reply(r, out);
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
	pthread_mutex_lock(&s->lock);
	uint64_t kept = s->n < ORDERS_MAX ? s->n : ORDERS_MAX, total = s->n;
	for (uint64_t i = 0; i < kept && i < (uint64_t)limit; i++) {
		aegis_out_map(out, NULL);
		pack_order(out, &s->v[(s->n - 1 - i) % ORDERS_MAX]);
		aegis_out_end(out);
	}
	pthread_mutex_unlock(&s->lock);
	aegis_out_end(out);
	aegis_out_int(out, "total", (int64_t)total);
	aegis_out_text(out, "instance", aegis_instance(d->a));
	aegis_reply(r, out);
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
place_order(struct demo *d)
{
	static const char *const symbols[] = { "AAPL", "AMZN", "GOOG", "IBM", "MSFT", "NVDA", "SAP", "TSLA" };
	struct orders *s = d->state;
	aegis_out *params = aegis_out_new();
	aegis_result *result = NULL;
	aegis_error e = { .code = AEGIS_OK };

	aegis_out_text(params, "symbol", symbols[draw(s, sizeof symbols / sizeof *symbols)]);
	aegis_out_int(params, "quantity", 1 + (int64_t)draw(s, 50));
	aegis_out_text(params, "side", draw(s, 2) == 0 ? "buy" : "sell");
	if (aegis_call(d->a, "order-service", "create_order", params, &(aegis_call_options){ .timeout_ms = OWN_MS },
	    &result, &e) == AEGIS_OK)
		log_debug(EV_DEMO_NOTE, LOG_NONE, "%s took an order of ours: %s", aegis_result_instance(result),
		    aegis_result_json(result));
	else
		log_debug(EV_DEMO_NOTE, LOG_F(LOG_S("err", e.text)), "nobody took an order of ours");
	aegis_result_free(result);
}

/* pause_s: about a second, so that instances do not march in step; false when it is over. */
static bool
pause_s(struct orders *s)
{
	struct timespec until;
	uint64_t ns = 800000000 + draw(s, 400000000);

	clock_gettime(CLOCK_MONOTONIC, &until);
	ns += (uint64_t)until.tv_nsec;
	until.tv_sec += (time_t)(ns / 1000000000);
	until.tv_nsec = (long)(ns % 1000000000);
	pthread_mutex_lock(&s->lock);
	while (!s->stop && pthread_cond_timedwait(&s->changed, &s->lock, &until) == 0)
		continue;
	bool go_on = !s->stop;
	pthread_mutex_unlock(&s->lock);
	return go_on;
}

static void *
place_orders(void *arg)
{
	struct demo *d = arg;

	while (pause_s(d->state))
		place_order(d);
	return NULL;
}

/* --- the service ------------------------------------------------------------------------- */

static void *
open_orders(struct demo *d)
{
	struct orders *s = calloc(1, sizeof *s);
	pthread_condattr_t mono;

	if (s == NULL)
		abort();
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&mono);
	pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &mono);
	pthread_condattr_destroy(&mono);
	s->chance = ((uint64_t)d->started.tv_nsec << 32 | (uint64_t)getpid()) | 1;
	return s;
}

static void
start_orders(struct demo *d)
{
	struct orders *s = d->state;

	/* Without the thread there is less to see, and nothing else is missing. */
	s->running = pthread_create(&s->thread, NULL, place_orders, d) == 0;
	if (s->running)
		pthread_setname_np(s->thread, "orders");
}

static void
stop_orders(struct demo *d)
{
	struct orders *s = d->state;

	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	if (s->running)
		pthread_join(s->thread, NULL);
}

static void
close_orders(struct demo *d)
{
	struct orders *s = d->state;

	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static const struct demo_method methods[] = {
	{ "create_order", create_order, 0 },
	{ "get_order", get_order, 0 },
	{ "list_orders", list_orders, 0 },
	{ NULL, NULL, 0 },
};

const struct demo_service demo_order = {
	.word = "order", .name = "order-service", .description = "creates and lists orders; asks pricing and risk",
	.methods = methods, .open = open_orders, .start = start_orders, .stop = stop_orders, .close = close_orders,
};
