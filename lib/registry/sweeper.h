/* sweeper.h - takes dead instances out of a bucket that cannot expire records by itself.
 *
 * On servers before 2.11 the record of an instance that was killed stays for ever.  Nobody uses it, as
 * all readers look at its age, but all read it.  A pass lists the bucket; what is stale and has the
 * revision of an earlier pass, at least `still_ns` of our own clock ago, is removed by
 * compare-and-set: so neither a wrong clock nor a late heartbeat costs a live one its record.
 * Any number of sweepers may run.  One thread at a time. */
#ifndef REGISTRY_SWEEPER_H
#define REGISTRY_SWEEPER_H

#include <stdint.h>

#include "base/err.h"
#include "base/instant.h"

struct registry;
struct sweeper;

struct sweeper *sweeper_new(struct registry *r, int64_t still_ns);	/* r outlives it */
void sweeper_free(struct sweeper *s);					/* NULL is fine */

/* sweeper_pass(s, now, err): blocks for a listing and a write for each dead one.  Nothing to do where records
 * expire by themselves.  What fails is left for the next pass. */
enum err_code sweeper_pass(struct sweeper *s, struct mono now, struct err *err);

uint64_t sweeper_removed(const struct sweeper *s);	/* so far; any thread */

#endif
