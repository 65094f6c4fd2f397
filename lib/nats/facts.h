/* facts.h - what a NATS server tells of itself and of us: version, time, cluster, permissions.
 *
 * One request that changes nothing ($SYS.REQ.USER.INFO, which every user may ask unless denied). */
#ifndef NATS_FACTS_H
#define NATS_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/instant.h"
#include "model/permission.h"

struct conn;

struct server_facts {
	char name[129], version[33], cluster[129];	/* cluster "": a server that is alone */
	char user[129], account[129];
	unsigned servers;		/* that are known to this connection, at least 1 */
	struct wall time;		/* the server's, when it answered */
	int64_t ahead_ns, unsure_ns;	/* its clock minus ours, measured at the middle of the round trip, which makes it so unsure */
	int64_t rtt_ns;			/* the shortest of several */
	struct permission publish, subscribe;
	void *text;			/* what the permissions point into */
};

/* server_facts_ask(c, out, err): blocks for one round trip; out is the caller's to release, also on failure, and
 * `servers` is set in any case.  ERR_DENIED or ERR_TIMEOUT where the user may not ask. */
enum err_code server_facts_ask(struct conn *c, struct server_facts *out, struct err *err);
void server_facts_release(struct server_facts *f);

/* version_below(version, major, minor): "2.10.27" is below 2.11.  What is no version is below nothing. */
bool version_below(const char *version, unsigned major, unsigned minor);

#endif
