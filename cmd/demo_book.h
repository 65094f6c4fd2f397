/* demo_book.h - positions and their limits: what risk decides by.
 *
 * Bounded: a symbol too many is refused.  Every function takes the lock itself. */
#ifndef CMD_DEMO_BOOK_H
#define CMD_DEMO_BOOK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "demo.h"

#define BOOK_MAX 512			/* symbols */
#define BOOK_HEARD 256			/* orders whose second arrival is noticed */

struct position {
	char symbol[DEMO_SYMBOL_MAX + 1];
	int64_t quantity;		/* bought minus sold */
	double price;			/* the last one known */
	int64_t limit;			/* 0: the common one */
};

struct book {
	pthread_mutex_t lock;		/* leaf: all that follows */
	int64_t limit;
	struct position v[BOOK_MAX];
	size_t n;
	char heard[BOOK_HEARD][DEMO_ID_MAX];	/* a ring; what demo_id makes of their message ids */
	uint64_t nheard;
};

/* A position as others see it. */
struct standing {
	char symbol[DEMO_SYMBOL_MAX + 1];
	int64_t quantity, limit;
	double exposure;
};

struct verdict {
	bool approved;
	char reason[160];
	struct standing after;		/* with the order, if it is approved */
};

enum booking { BOOK_DONE, BOOK_TWICE, BOOK_FULL };

void book_init(struct book *b, int64_t limit);
void book_release(struct book *b);

/* book_judge(b, symbol, quantity, price, out): would an order stay within the limit?  Changes nothing:
 * what orders come of it is told by events.  quantity is negative for a sale. */
void book_judge(struct book *b, const char *symbol, int64_t quantity, double price, struct verdict *out);

/* book_order(b, id, symbol, quantity, price, out): counts an order in, once for each message id. */
enum booking book_order(struct book *b, const char *id, const char *symbol, int64_t quantity, double price,
    struct standing *out);

/* book_limit(b, symbol, limit): symbol NULL: the common one.  False: no room for one more symbol. */
bool book_limit(struct book *b, const char *symbol, int64_t limit);

/* book_price(b, symbol, price, out): what the position is worth now; false: there is none. */
bool book_price(struct book *b, const char *symbol, double price, struct standing *out);

/* book_at(b, i, out): the i-th position; false behind the last.  Positions never go.
 * book_common(b): the limit of what has none of its own. */
bool book_at(struct book *b, size_t i, struct standing *out);
int64_t book_common(struct book *b);

#endif
