/* migrate.h - another number of registers for a site: from one to three and back (election.md §10).
 *
 * An operator's word, with all members stopped.  Until the last step, which is one compare-and-set, the old set is the
 * one in force; whatever ends the work before that, the same word again goes on from there.  Blocks, for as long as
 * leases of members that died have to run out; not on the loop. */
#ifndef ELECTION_MIGRATE_H
#define ELECTION_MIGRATE_H

#include "base/err.h"

struct conn;
struct conn_opts;

struct migrated {
	unsigned from, to;		/* registers; alike: nothing was to be done */
	unsigned groups;		/* whose epochs were carried over */
};

/* migrate_site(c, access, to, out, err): to 1, 3, or 0: three where three servers are known, else one.  access is how c was
 * made: the candidates pin connections of their own.  ERR_NOT_FOUND without a set of registers; ERR_REVISION names a group that
 * is led or in which somebody is at work, ERR_UNAVAILABLE one whose registers do not answer; ERR_STORE when the new
 * registers cannot be had. */
enum err_code migrate_site(struct conn *c, const struct conn_opts *access, unsigned to, struct migrated *out, struct err *err);

#endif
