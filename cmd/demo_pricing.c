/* demo_pricing.c - prices that drift, and are the same in every instance at the same moment.
 *
 * A price is a pure function of symbol and time: its usual level, moved by several zig-zags
 * of different length whose corners are drawn from the symbol.  So nothing is kept, and
 * two instances never contradict each other.  Their events have even the same ids: the stream
 * keeps one of each moment, however many instances tell it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "demo.h"
#include "demo_ticker.h"

#define SYMBOLS_MAX 100			/* in one request */
#define TELL_MS 1000			/* a stop waits for it */

/* FNV-1a and a final mix, so that neighbouring corners look unrelated. */
uint64_t
demo_hash(const char *text, uint64_t a, uint64_t b)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(1099511628211);
	h ^= a * UINT64_C(0x9e3779b97f4a7c15) + b * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
	return h ^ h >> 31;
}

static double
corner(const char *symbol, uint64_t zigzag, uint64_t at)
{
	return (double)(demo_hash(symbol, zigzag + 1, at) >> 11) / (double)(UINT64_C(1) << 53) * 2 - 1;
}

double
demo_price(const char *symbol, double t)
{
	static const struct { double period_s, share; } zigzags[] = {
		{ 5, 0.002 }, { 60, 0.01 }, { 900, 0.04 }, { 21600, 0.12 },
	};
	double level = 20 + (double)(demo_hash(symbol, 0, 0) % 48000) / 100, moved = 1;

	for (uint64_t i = 0; i < sizeof zigzags / sizeof *zigzags; i++) {
		double at = t / zigzags[i].period_s, between = at - floor(at);
		double from = corner(symbol, i, (uint64_t)at), to = corner(symbol, i, (uint64_t)at + 1);
		moved += zigzags[i].share * (from + (to - from) * between);
	}
	return demo_cents(level * moved);
}

static double
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
get_price(void *arg, aegis_request *r)
{
	struct demo *d = arg;
	const char *symbol;

	atomic_fetch_add(&d->requests, 1);
	if (!demo_symbol(r, &symbol))
		return;
	aegis_out *out = aegis_out_new();
	aegis_out_text(out, "symbol", symbol);
	aegis_out_real(out, "price", demo_price(symbol, now_s()));
	aegis_out_text(out, "currency", "USD");
	aegis_reply(r, out);
}

/* bad_symbol: the place of the first that is none; count when all are fine. */
static size_t
bad_symbol(const aegis_request *r, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *symbol = aegis_param_text_at(r, "symbols", i);
		if (symbol == NULL || !demo_symbol_ok(symbol))
			return i;
	}
	return count;
}

static void
get_prices(void *arg, aegis_request *r)
{
	struct demo *d = arg;
	size_t count = aegis_param_count(r, "symbols");
	double t = now_s();

	atomic_fetch_add(&d->requests, 1);
	if (count == 0 || count > SYMBOLS_MAX) {
		demo_fail(r, "parameter 'symbols': needed is a list of 1 to %d symbols, such as [\"AAPL\"]", SYMBOLS_MAX);
		return;
	}
	size_t bad = bad_symbol(r, count);
	if (bad < count) {
		demo_fail(r, "parameter 'symbols': item %zu is no text of 1 to %d capitals, digits and dots", bad + 1,
		    DEMO_SYMBOL_MAX);
		return;
	}
	aegis_out *out = aegis_out_new();
	aegis_out_list(out, "prices");
	for (size_t i = 0; i < count; i++) {
		const char *symbol = aegis_param_text_at(r, "symbols", i);
		aegis_out_map(out, NULL);
		aegis_out_text(out, "symbol", symbol);
		aegis_out_real(out, "price", demo_price(symbol, t));
		aegis_out_end(out);
	}
	aegis_out_end(out);
	aegis_out_text(out, "currency", "USD");
	aegis_reply(r, out);
}

/* --- telling ----------------------------------------------------------------------------- */

static aegis_out *
prices_out(double t)
{
	aegis_out *out = aegis_out_new();

	aegis_out_list(out, "prices");
	for (size_t i = 0; demo_symbols[i] != NULL; i++) {
		aegis_out_map(out, NULL);
		aegis_out_text(out, "symbol", demo_symbols[i]);
		aegis_out_real(out, "price", demo_price(demo_symbols[i], t));
		aegis_out_end(out);
	}
	aegis_out_end(out);
	aegis_out_text(out, "currency", "USD");
	aegis_out_real(out, "at", t);
	return out;
}

/* tick_of: the number of the interval that is under way. */
static int64_t
tick_of(const struct demo *d)
{
	return (int64_t)(now_s() * 1000) / d->price_interval_ms;
}

/* until_tick: the events of all instances begin at the same moments. */
static int64_t
until_tick(void *arg)
{
	const struct demo *d = arg;
	int64_t left = (tick_of(d) + 1) * d->price_interval_ms - (int64_t)(now_s() * 1000);

	return left > 0 ? left : 1;
}

static void
tell_prices(void *arg)
{
	struct demo *d = arg;
	int64_t tick = tick_of(d);
	aegis_error e = { .code = AEGIS_OK };
	char words[64], id[DEMO_ID_MAX];

	snprintf(words, sizeof words, "prices %lld %lld", (long long)d->price_interval_ms, (long long)tick);
	demo_id(words, id);
	if (aegis_publish(d->a, "pricing", "updated", prices_out((double)(tick * d->price_interval_ms) / 1000),
	    &(aegis_publish_options){ .id = id, .timeout_ms = TELL_MS }, &e) != AEGIS_OK)
		log_debug(EV_DEMO_NOTE, LOG_F(LOG_S("err", e.text)), "prices were not told");
}

static void *
open_pricing(struct demo *d)
{
	struct demo_ticker *t = calloc(1, sizeof *t);

	(void)d;
	if (t == NULL)
		abort();
	return t;
}

static void
start_pricing(struct demo *d)
{
	demo_ticker_start(d->state, "prices", until_tick, tell_prices, d);
}

static void
stop_pricing(struct demo *d)
{
	demo_ticker_stop(d->state);
}

static void
close_pricing(struct demo *d)
{
	free(d->state);
}

static const struct demo_method methods[] = {
	{ "get_price", get_price, AEGIS_INLINE },
	{ "get_prices", get_prices, 0 },
	{ NULL, NULL, 0 },
};

const struct demo_service demo_pricing = {
	.word = "pricing", .name = "pricing-service", .description = "prices of instruments", .methods = methods,
	.open = open_pricing, .start = start_pricing, .stop = stop_pricing, .close = close_pricing,
};
