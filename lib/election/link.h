/* link.h - the pinned connection to one register's node (election.md §3.4), shared by all groups.
 *
 * A thread of its own finds the node, connects, checks that this server leads the stream and that
 * the stream is as it must be, looks again every 5 s, and begins anew every 20 ms after a loss,
 * for ever.  Everything else is the loop's: it sends reads and writes on the connection and
 * hears the answers as mails, which are dropped when they are of an earlier link. */
#ifndef ELECTION_LINK_H
#define ELECTION_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/instant.h"
#include "codec/lease.h"
#include "codec/register.h"

struct link;
struct site;
struct site_user;

/* What a register shows: read by its leader, or republished (sent is BOOT_LONG_AGO then). */
struct link_view {
	enum register_reading reading;	/* LOST: a read without an answer */
	uint64_t rev;
	struct boot sent;
	const struct lease_record *record;
};

/* What became of a write. */
struct link_answer {
	uint64_t id;
	enum lease_answer what;
	uint64_t number;
};

struct link_opts {
	struct site *site;
	unsigned reg;			/* place in the set, 0 … n-1 */
	unsigned number;		/* of the stream: 0 alone, else 1-3 */
	unsigned n;
	bool replicated;		/* any node will do */
	const char *node;		/* where the set says it lies; "" unknown */
	const char *set;		/* its uuid */
};

struct link *link_new(const struct link_opts *o, struct err *err);

/* link_stop(l): asks its thread to end.  link_free(l): waits for it; NULL is fine. */
void link_stop(struct link *l);
void link_free(struct link *l);

/* link_watch(l, u): follows u's key from now on and over every later link; link_forget: no more. */
void link_watch(struct link *l, struct site_user *u);
void link_forget(struct link *l, struct site_user *u);

/* link_read(l, u, sent): its view comes back with the same sent.  link_write: compare-and-set on rev;
 * data is only read.  Either false when it was not sent: the link is not up, or will be told down. */
bool link_read(struct link *l, const struct site_user *u, struct boot sent);
bool link_write(struct link *l, const struct site_user *u, uint64_t id, uint64_t rev, const char *data, size_t n);

/* How it is, for the loop: up, whom it leads to, round trip; why it is not up. */
struct link_facts {
	bool up;
	char node[129], server[64];
	int64_t rtt_ns;
	char why[200];
};
const struct link_facts *link_facts(const struct link *l);

#endif
