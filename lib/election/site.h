/* site.h - what all groups of one process share: the set of registers of this NATS site, a pinned
 * connection to each (election.md §3), and the workers that may block.
 *
 * Belongs to the core loop, which has one at most.  Everything that blocks runs on threads of the site's own, so a
 * stalled AEGIS_META or a frozen node costs nobody else a worker.  The site prepares itself
 * in the background and tries for ever: electors made meanwhile wait for it in STANDBY. */
#ifndef ELECTION_SITE_H
#define ELECTION_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/lease.h"

struct conn;
struct conn_opts;
struct loop;
struct site;

struct site_opts {
	struct loop *loop;
	struct conn *conn;		/* data connection: AEGIS_META, beats, control; outlives the site */
	const struct conn_opts *access;	/* servers, credentials, TLS of the pinned ones; copied */
	const char *tag[LEASE_REGISTERS];	/* placement, one tag per register; all NULL: look and try again */
	const char *member;		/* instance id, for connection names and the log; copied */
	struct conn *kick;		/* of a system-account user that may kick (§6); NULL: never */
};

/* site_new(o, err): begins in the background (makes or finds AEGIS_META and the lease streams, pins);
 * ERR_SYSTEM when no thread can be had.  It does not wait for NATS. */
struct site *site_new(const struct site_opts *o, struct err *err);

/* site_free(s): after every elector on it; on the loop's thread, not from a callback of an elector.
 * Blocks until its threads have ended: at most one time-out of a connection.  NULL is fine. */
void site_free(struct site *s);

/* What is known of the set; loop only. */
struct site_facts {
	bool ready;			/* n, replicated and uuid are known */
	unsigned n;			/* registers: 1 or 3 */
	bool replicated;		/* N=1 on a replicated stream (§3.5): 4-9 s without anybody when it stalls */
	bool lonely;			/* N=1 although the cluster has three nodes: warn, recommend N=3 */
	char uuid[37];
	uint64_t dropped;		/* messages that found the way to the loop full */
	struct err why;			/* why it is not ready, or not as it should be; code ERR_OK otherwise */
};
void site_facts(const struct site *s, struct site_facts *out);

#endif
