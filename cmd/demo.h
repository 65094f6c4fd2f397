/* demo.h - what the demo services share; beside the command's options they use nothing but
 * the public interface, so that each is an example of a program of one's own.
 *
 * A service is three tables (methods, events that it listens to, commands that it takes) and,
 * if it keeps anything, a state of its own behind demo.state.  Handlers run on worker threads:
 * whatever they share has a lock. */
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
	int64_t price_interval_ms;	/* of pricing's events */
	void *state;			/* the service's own */
};

/* A method: answers r, and gets the demo as its argument. */
struct demo_method {
	const char *name;
	aegis_handler *handler;
	unsigned flags;			/* AEGIS_INLINE */
};

/* A pattern of events.  Every instance hears each, from when it registered on. */
struct demo_event {
	const char *pattern;
	aegis_event_handler *handler;
};

/* A command.  One of the instances gets each. */
struct demo_command {
	const char *name;
	aegis_job_handler *handler;
};

struct demo_service {
	const char *word;		/* on the command line */
	const char *name, *description;
	const struct demo_method *methods;	/* ended by one without a name */
	const struct demo_event *events;	/* likewise; NULL: none */
	const struct demo_command *commands;	/* likewise */
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

/* demo_id(what, out): a message id, the same for the same words wherever it is made: what several
 * instances publish under it is stored once. */
#define DEMO_ID_MAX 37
void demo_id(const char *what, char out[DEMO_ID_MAX]);

/* The instruments that the demo itself trades in; ended by NULL. */
extern const char *const demo_symbols[];

/* demo_hash(text, a, b): well mixed; the same everywhere.
 * demo_price(symbol, t): the price at a time, in seconds since 1970. */
uint64_t demo_hash(const char *text, uint64_t a, uint64_t b);
double demo_price(const char *symbol, double t);

#endif
