/* pin.h - inside a link: finding the node that its register lies on (election.md §3.4, 1-3).
 *
 * Belongs to the link's thread, which may block: one call takes up to 200 ms for each address, and half a second for
 * each server that does not answer. */
#ifndef ELECTION_PIN_H
#define ELECTION_PIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/instant.h"
#include "election/link.h"
#include "election/streams.h"

struct conn;

struct pin {
	const struct link_opts *o;	/* the link's; its node and set are not used after pin_init */
	char node[NODE_MAX], set[37];	/* where the set says the register lies */
	char url[256];			/* the one that led to the node; "" unknown */
	char want[NODE_MAX];
	unsigned failures;		/* in a row */
	int64_t rtt_ns;			/* of the connection that was found last */
	char told[200];			/* why there is no link; "" while there is one */
	char heard[200];		/* the reason that was logged last, in this outage */
	struct mono silent;		/* not before this is another one logged */
	int64_t quiet_ns;
};

/* pin_init(p, o): o must outlive p. */
void pin_init(struct pin *p, const struct link_opts *o);

/* pin_find(p, stopping, arg): one attempt; a connection to the right node whose stream is as it must be, the
 * caller's to free, or NULL with the reason in p->told.  After a loss the address of before is tried alone for a
 * while.  stopping(arg) is asked between two addresses, and ends it. */
struct conn *pin_find(struct pin *p, bool (*stopping)(void *arg), void *arg);

/* pin_stands(p, c): looks again; a server that does not answer is not a wrong one. */
bool pin_stands(struct pin *p, struct conn *c);

/* pin_say(p, fmt, ...): why there is no link, or "" because there is one; logged if it is news. */
void pin_say(struct pin *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
