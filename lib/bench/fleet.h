/* fleet.h - instances that are registered and heartbeat, without processes behind them.
 *
 * Real records of the registry (wire.md §8.2) with their TTL, written again every 10 s as members do,
 * spread evenly over that time by one thread with a connection of its own.  What a fleet does not
 * do: it serves nothing and broadcasts no metrics. */
#ifndef BENCH_FLEET_H
#define BENCH_FLEET_H

#include "base/err.h"
#include "nats/conn.h"

struct fleet;
struct discovery;

#define FLEET_MAX 20000

/* fleet_new(o, service, n, err): n instances {service}-00001 and so on, not yet there.  The strings
 * of o must live as long.  The bucket is made when it is missing. */
struct fleet *fleet_new(const struct conn_opts *o, const char *service, unsigned n, struct err *err);

/* fleet_come(f, err): writes all records and begins with the heartbeats; fleet_go(f, err): ends them and
 * removes the records; each is fine when it is so already.  On failure of fleet_come what was
 * written is removed again.  Both block for a store round trip per instance. */
enum err_code fleet_come(struct fleet *f, struct err *err);
enum err_code fleet_go(struct fleet *f, struct err *err);
void fleet_free(struct fleet *f);		/* goes first; NULL is fine */

/* fleet_touch(f, revision, err): writes the first record now, as a change that others can notice. */
enum err_code fleet_touch(struct fleet *f, uint64_t *revision, struct err *err);

/* fleet_seen(d, service, n, timeout_ns): waits until the directory of d has exactly so many instances of the
 * service; false when the time is over. */
bool fleet_seen(struct discovery *d, const char *service, unsigned n, int64_t timeout_ns);

#endif
