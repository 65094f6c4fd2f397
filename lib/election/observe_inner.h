/* observe_inner.h - inside lib/election: one look at a group in two parts, so that many groups share the first. */
#ifndef ELECTION_OBSERVE_INNER_H
#define ELECTION_OBSERVE_INNER_H

#include "election/observe.h"
#include "election/streams.h"

struct observed_stream {
	unsigned number;
	enum err_code code;		/* of the look at it; then `stream` says where it would be */
	char why[200];			/* why it is not reached, or what is wrong with it; "" otherwise */
	struct lease_stream stream;
};

/* The streams of the registers, the same for all groups. */
struct observed_site {
	struct lease_set set;
	bool lonely;			/* N=1 although the cluster has three nodes */
	struct observed_stream reg[LEASE_REGISTERS];
};

/* observe_site(c, set, out): one round trip for each register; a stream that does not answer takes half a second, the only
 * one two. */
void observe_site(struct conn *c, const struct lease_set *set, struct observed_site *out);

/* observer_see(o, site, out): reads the registers and judges.  The caller has set known, record and changes of out,
 * which is zeroed otherwise.  False: every register is blank. */
bool observer_see(struct observer *o, const struct observed_site *site, struct observed *out);

#endif
