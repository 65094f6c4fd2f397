/* demo_risk.c - approves orders as long as the position in a symbol stays within its limit.
 *
 * Each instance keeps the positions of the orders that it approved itself.  The table is
 * bounded: a symbol too many is not approved. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo.h"

#define SYMBOLS_MAX 512
#define USUAL_LIMIT 100000		/* about twenty orders of the usual size */
#define LIMIT_MAX INT64_C(1000000000000)

struct position {
	char symbol[DEMO_SYMBOL_MAX + 1];
	int64_t quantity;		/* bought minus sold */
	double price;			/* of the last order asked about */
	int64_t limit;			/* 0: the common one */
};

struct risk {
	pthread_mutex_t lock;		/* leaf: all that follows */
	int64_t limit;
	struct position v[SYMBOLS_MAX];
	size_t n;
};

struct verdict {
	bool approved;
	char reason[160];
	double exposure;		/* with the order, if it is approved */
	int64_t limit;
};

/* position_of: the symbol's place, a fresh one if need be; NULL when the table is full. */
static struct position *
position_of(struct risk *k, const char *symbol)
{
	for (size_t i = 0; i < k->n; i++)
		if (strcmp(k->v[i].symbol, symbol) == 0)
			return &k->v[i];
	if (k->n == SYMBOLS_MAX)
		return NULL;
	struct position *p = &k->v[k->n++];
	snprintf(p->symbol, sizeof p->symbol, "%s", symbol);
	return p;
}

static double
exposure(int64_t quantity, double price)
{
	return demo_cents(fabs((double)quantity) * price);
}

/* judge: under the lock.  What lowers the exposure is always approved: else a limit that was
 * lowered could never be met. */
static void
judge(struct risk *k, const char *symbol, int64_t quantity, double price, struct verdict *out)
{
	struct position *p = position_of(k, symbol);

	if (p == NULL) {
		*out = (struct verdict){ .limit = k->limit };
		snprintf(out->reason, sizeof out->reason, "positions in %d symbols are kept, and '%s' is not one of them",
		    SYMBOLS_MAX, symbol);
		return;
	}
	int64_t after = p->quantity + quantity;
	out->limit = p->limit > 0 ? p->limit : k->limit;
	p->price = price;
	out->approved = exposure(after, price) <= (double)out->limit || llabs(after) < llabs(p->quantity);
	if (out->approved) {
		p->quantity = after;
		snprintf(out->reason, sizeof out->reason, "within the limit");
	} else {
		snprintf(out->reason, sizeof out->reason, "exposure in '%s' would be %.2f, above the limit of %lld", symbol,
		    exposure(after, price), (long long)out->limit);
	}
	out->exposure = exposure(p->quantity, price);
}

static void
assess_risk(void *arg, aegis_request *r)
{
	struct demo *d = arg;
	struct risk *k = d->state;
	struct verdict v = { .approved = false };
	const char *symbol;
	int64_t quantity;
	double price;

	atomic_fetch_add(&d->requests, 1);
	if (!demo_symbol(r, &symbol) || !demo_quantity(r, -DEMO_QUANTITY_MAX, &quantity) ||
	    !demo_positive(r, "price", &price))
		return;
	pthread_mutex_lock(&k->lock);
	judge(k, symbol, quantity, price, &v);
	pthread_mutex_unlock(&k->lock);
	aegis_out *out = aegis_out_new();
	aegis_out_bool(out, "approved", v.approved);
	aegis_out_text(out, "reason", v.reason);
	aegis_out_real(out, "exposure", v.exposure);
	aegis_out_int(out, "limit", v.limit);
	aegis_reply(r, out);
}

static void
get_positions(void *arg, aegis_request *r)
{
	struct demo *d = arg;
	struct risk *k = d->state;
	aegis_out *out = aegis_out_new();

	atomic_fetch_add(&d->requests, 1);
	aegis_out_list(out, "positions");
	pthread_mutex_lock(&k->lock);
	for (size_t i = 0; i < k->n; i++) {
		const struct position *p = &k->v[i];
		aegis_out_map(out, NULL);
		aegis_out_text(out, "symbol", p->symbol);
		aegis_out_int(out, "quantity", p->quantity);
		aegis_out_real(out, "exposure", exposure(p->quantity, p->price));
		aegis_out_int(out, "limit", p->limit > 0 ? p->limit : k->limit);
		aegis_out_end(out);
	}
	int64_t limit = k->limit;
	pthread_mutex_unlock(&k->lock);
	aegis_out_end(out);
	aegis_out_int(out, "limit", limit);
	aegis_out_text(out, "instance", aegis_instance(d->a));
	aegis_reply(r, out);
}

/* set_limit: false when there is no room for one more symbol. */
static bool
set_limit(struct risk *k, const char *symbol, int64_t limit)
{
	struct position *p = NULL;

	pthread_mutex_lock(&k->lock);
	if (symbol == NULL)
		k->limit = limit;
	else if ((p = position_of(k, symbol)) != NULL)
		p->limit = limit;
	pthread_mutex_unlock(&k->lock);
	return symbol == NULL || p != NULL;
}

static void
update_limits(void *arg, aegis_request *r)
{
	struct demo *d = arg;
	const char *symbol = NULL;
	int64_t limit;

	atomic_fetch_add(&d->requests, 1);
	if (aegis_param_given(r, "symbol") && !demo_symbol(r, &symbol))
		return;
	if (!aegis_param_int(r, "limit", &limit) || limit < 1 || limit > LIMIT_MAX) {
		demo_fail(r, "parameter 'limit': needed is a whole number from 1 to %lld", (long long)LIMIT_MAX);
		return;
	}
	if (!set_limit(d->state, symbol, limit)) {
		demo_fail(r, "parameter 'symbol': positions in %d symbols are kept, and '%s' is not one of them",
		    SYMBOLS_MAX, symbol);
		return;
	}
	aegis_out *out = aegis_out_new();
	aegis_out_text(out, "symbol", symbol);
	aegis_out_int(out, "limit", limit);
	aegis_out_text(out, "instance", aegis_instance(d->a));
	aegis_reply(r, out);
}

static void *
open_risk(struct demo *d)
{
	struct risk *k = calloc(1, sizeof *k);

	(void)d;
	if (k == NULL)
		abort();
	pthread_mutex_init(&k->lock, NULL);
	k->limit = USUAL_LIMIT;
	return k;
}

static void
close_risk(struct demo *d)
{
	struct risk *k = d->state;

	pthread_mutex_destroy(&k->lock);
	free(k);
}

static const struct demo_method methods[] = {
	{ "assess_risk", assess_risk, 0 },
	{ "get_positions", get_positions, 0 },
	{ "update_limits", update_limits, 0 },
	{ NULL, NULL, 0 },
};

const struct demo_service demo_risk = {
	.word = "risk", .name = "risk-service", .description = "checks orders against limits",
	.methods = methods, .open = open_risk, .close = close_risk,
};
