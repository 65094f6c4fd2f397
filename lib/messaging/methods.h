/* methods.h - what is counted per method: calls, errors, in flight, waiting, latency.
 *
 * 64 methods are counted by name, the rest together as "_other" (wire.md §13), so that a
 * caller who invents names cannot grow our memory.  Recording is lock-free once a name is
 * known; any thread. */
#ifndef MESSAGING_METHODS_H
#define MESSAGING_METHODS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/value.h"

struct hist;

#define METHODS_MAX 64
#define METHODS_OTHER "_other"

#define METHOD_NAME_MAX 200	/* longer ones are "_other", too; a service and its command fit */

struct method {
	char name[METHOD_NAME_MAX];
	atomic_ulong calls, errors;	/* finished ones, and how many of them failed */
	atomic_ulong timeouts;		/* of calls to others: these, apart from errors */
	atomic_int inflight, waiting;	/* being worked on; waiting for a place */
	struct hist *latency;		/* NULL: untimed */
};

struct methods;

/* methods_new_untimed: without latencies, which take 20 KB for each name. */
struct methods *methods_new(void);
struct methods *methods_new_untimed(void);
void methods_free(struct methods *m);

/* methods_find(m, name): the counters of a name, made at its first call; never NULL. */
struct method *methods_find(struct methods *m, struct text name);

/* methods_each: calls back for every name that was ever called, in order of appearance. */
void methods_each(struct methods *m, void (*each)(void *arg, struct method *one), void *arg);

#endif
