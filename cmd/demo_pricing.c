/* demo_pricing.c - prices that drift, and are the same in every instance at the same moment.
 *
 * A price is a pure function of symbol and time: its usual level, moved by several zig-zags
 * of different length whose corners are drawn from the symbol.  So nothing is kept, and
 * two instances never contradict each other. */
#include <math.h>
#include <string.h>

#include "demo.h"

#define SYMBOLS_MAX 100			/* in one request */

/* hash: FNV-1a and a final mix, so that neighbouring corners look unrelated. */
static uint64_t
hash(const char *symbol, uint64_t a, uint64_t b)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (; *symbol != '\0'; symbol++)
		h = (h ^ (unsigned char)*symbol) * UINT64_C(1099511628211);
	h ^= a * UINT64_C(0x9e3779b97f4a7c15) + b * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
	return h ^ h >> 31;
}

static double
corner(const char *symbol, uint64_t zigzag, uint64_t at)
{
	return (double)(hash(symbol, zigzag + 1, at) >> 11) / (double)(UINT64_C(1) << 53) * 2 - 1;
}

static double
price_at(const char *symbol, double t)
{
	static const struct { double period_s, share; } zigzags[] = {
		{ 5, 0.002 }, { 60, 0.01 }, { 900, 0.04 }, { 21600, 0.12 },
	};
	double level = 20 + (double)(hash(symbol, 0, 0) % 48000) / 100, moved = 1;

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
	aegis_out_real(out, "price", price_at(symbol, now_s()));
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
		aegis_out_real(out, "price", price_at(symbol, t));
		aegis_out_end(out);
	}
	aegis_out_end(out);
	aegis_out_text(out, "currency", "USD");
	aegis_reply(r, out);
}

static const struct demo_method methods[] = {
	{ "get_price", get_price, AEGIS_INLINE },
	{ "get_prices", get_prices, 0 },
	{ NULL, NULL, 0 },
};

const struct demo_service demo_pricing = {
	.word = "pricing", .name = "pricing-service", .description = "prices of instruments", .methods = methods,
};
