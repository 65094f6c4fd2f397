/* demo.h - what the demo services share; beside the command's options they use nothing but
 * the public interface, so that each is an example of a program of one's own.
 *
 * A service is a table of methods and, if it keeps anything, a state of its own behind
 * demo.state.  Handlers run on worker threads: whatever they share has a lock. */
#ifndef CMD_DEMO_H
#define CMD_DEMO_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "client/aegis.h"

struct demo {
	aegis *a;
	const struct demo_service *service;
	struct timespec started;	/* CLOCK_MONOTONIC */
	atomic_ulong requests;
	void *state;			/* the service's own */
};

/* A method: answers r, and gets the demo as its argument. */
struct demo_method {
	const char *name;
	aegis_handler *handler;
	unsigned flags;			/* AEGIS_INLINE */
};

struct demo_service {
	const char *word;		/* on the command line */
	const char *name, *description;
	const struct demo_method *methods;	/* ended by one without a name */
	void *(*open)(struct demo *d);	/* makes the state; NULL: there is none */
	void (*start)(struct demo *d);	/* once the service is registered; NULL: nothing to start */
	void (*stop)(struct demo *d);	/* before it leaves: ends what start began */
	void (*close)(struct demo *d);	/* frees the state; nobody calls any more */
};

extern const struct demo_service demo_order, demo_pricing, demo_risk, demo_echo;

#define DEMO_SYMBOL_MAX 12		/* characters of a symbol */
#define DEMO_QUANTITY_MAX 1000000	/* of one order: what exposures add up stays exact */

/* Each of these looks at a parameter.  False: it is missing or wrong, the caller was told
 * which and why, and r is gone. */
bool demo_symbol(aegis_request *r, const char **out);
bool demo_quantity(aegis_request *r, int64_t least, int64_t *out);	/* least to DEMO_QUANTITY_MAX, not 0 */
bool demo_limit(aegis_request *r, int64_t usual, int64_t most, int64_t *out);	/* optional, from 1 */
bool demo_positive(aegis_request *r, const char *key, double *out);

bool demo_symbol_ok(const char *symbol);

/* demo_fail(r, fmt, ...): aegis_fail with a composed sentence. */
void demo_fail(aegis_request *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* demo_cents(v): v to two digits, as money is shown. */
double demo_cents(double v);

#endif
