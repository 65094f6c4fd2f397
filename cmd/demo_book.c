/* demo_book.c - a plain array: a few hundred symbols at most. */
#include "demo_book.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
book_init(struct book *b, int64_t limit)
{
	pthread_mutex_init(&b->lock, NULL);
	b->limit = limit;
	b->n = 0;
	b->nheard = 0;
}

void
book_release(struct book *b)
{
	pthread_mutex_destroy(&b->lock);
}

/* --- under the lock ---------------------------------------------------------------------- */

static struct position *
find(struct book *b, const char *symbol)
{
	for (size_t i = 0; i < b->n; i++)
		if (strcmp(b->v[i].symbol, symbol) == 0)
			return &b->v[i];
	return NULL;
}

/* position_of: the symbol's place, a fresh one if need be; NULL when the table is full. */
static struct position *
position_of(struct book *b, const char *symbol)
{
	struct position *p = find(b, symbol);

	if (p != NULL || b->n == BOOK_MAX)
		return p;
	p = &b->v[b->n++];
	*p = (struct position){ .limit = 0 };
	snprintf(p->symbol, sizeof p->symbol, "%s", symbol);
	return p;
}

static double
exposure(int64_t quantity, double price)
{
	return demo_cents(fabs((double)quantity) * price);
}

static struct standing
standing_of(const struct book *b, const struct position *p)
{
	struct standing s = {
		.quantity = p->quantity, .limit = p->limit > 0 ? p->limit : b->limit,
		.exposure = exposure(p->quantity, p->price),
	};

	memcpy(s.symbol, p->symbol, sizeof s.symbol);
	return s;
}

/* is_new: remembers id; false when it is one of the last that were heard. */
static bool
is_new(struct book *b, const char *id)
{
	uint64_t known = b->nheard < BOOK_HEARD ? b->nheard : BOOK_HEARD;
	char own[DEMO_ID_MAX];		/* of a length that is known, whatever others write */

	demo_id(id, own);
	for (uint64_t i = 0; i < known; i++)
		if (strcmp(b->heard[i], own) == 0)
			return false;
	memcpy(b->heard[b->nheard++ % BOOK_HEARD], own, sizeof own);
	return true;
}

/* --- for everybody ----------------------------------------------------------------------- */

void
book_judge(struct book *b, const char *symbol, int64_t quantity, double price, struct verdict *out)
{
	struct position p = { .limit = 0 };

	snprintf(p.symbol, sizeof p.symbol, "%s", symbol);
	pthread_mutex_lock(&b->lock);
	const struct position *own = find(b, symbol);
	bool full = own == NULL && b->n == BOOK_MAX;
	if (own != NULL)
		p = *own;
	int64_t before = p.quantity;
	p.price = price;
	p.quantity += quantity;
	out->after = standing_of(b, &p);
	pthread_mutex_unlock(&b->lock);

	/* What lowers the exposure is always approved: else a limit that was lowered could never be
	 * met. */
	out->approved = !full && (out->after.exposure <= (double)out->after.limit || llabs(p.quantity) < llabs(before));
	if (out->approved)
		snprintf(out->reason, sizeof out->reason, "within the limit");
	else if (full)
		snprintf(out->reason, sizeof out->reason, "positions in %d symbols are kept, and '%s' is not one of them",
		    BOOK_MAX, symbol);
	else
		snprintf(out->reason, sizeof out->reason, "exposure in '%s' would be %.2f, above the limit of %lld", symbol,
		    out->after.exposure, (long long)out->after.limit);
	if (!out->approved) {
		out->after.quantity = before;
		out->after.exposure = exposure(before, price);
	}
}

enum booking
book_order(struct book *b, const char *id, const char *symbol, int64_t quantity, double price, struct standing *out)
{
	enum booking what = BOOK_FULL;

	pthread_mutex_lock(&b->lock);
	struct position *p = position_of(b, symbol);
	if (p != NULL) {
		what = is_new(b, id) ? BOOK_DONE : BOOK_TWICE;
		if (what == BOOK_DONE) {
			p->quantity += quantity;
			p->price = price;
		}
		*out = standing_of(b, p);
	}
	pthread_mutex_unlock(&b->lock);
	return what;
}

bool
book_limit(struct book *b, const char *symbol, int64_t limit)
{
	struct position *p = NULL;

	pthread_mutex_lock(&b->lock);
	if (symbol == NULL)
		b->limit = limit;
	else if ((p = position_of(b, symbol)) != NULL)
		p->limit = limit;
	pthread_mutex_unlock(&b->lock);
	return symbol == NULL || p != NULL;
}

bool
book_price(struct book *b, const char *symbol, double price, struct standing *out)
{
	pthread_mutex_lock(&b->lock);
	struct position *p = find(b, symbol);
	if (p != NULL) {
		p->price = price;
		*out = standing_of(b, p);
	}
	pthread_mutex_unlock(&b->lock);
	return p != NULL;
}

bool
book_at(struct book *b, size_t i, struct standing *out)
{
	pthread_mutex_lock(&b->lock);
	bool is_there = i < b->n;
	if (is_there)
		*out = standing_of(b, &b->v[i]);
	pthread_mutex_unlock(&b->lock);
	return is_there;
}

int64_t
book_common(struct book *b)
{
	pthread_mutex_lock(&b->lock);
	int64_t limit = b->limit;
	pthread_mutex_unlock(&b->lock);
	return limit;
}
