/* repair.h - what an operator may do about registers (election.md R6, §3.2), and no member ever does:
 * make a lease stream that is gone or wrong anew, and give an epoch to registers of a group of
 * which two or three are empty.
 *
 * Whoever calls it has asked a person.  Blocks for some seconds; not on the loop. */
#ifndef ELECTION_REPAIR_H
#define ELECTION_REPAIR_H

#include "base/err.h"
#include "codec/lease.h"

struct conn;

struct repaired {
	unsigned streams;		/* made anew */
	unsigned registers;		/* written */
	uint64_t epoch;			/* which they were given; 0: none was written */
	char note[LEASE_REGISTERS][200];	/* what was found, register by register; "" all was well */
	unsigned n;
};

/* repair_group(c, service, group, out, err): ERR_NOT_FOUND without a set of registers.  ERR_REVISION: somebody
 * wrote a register meanwhile; nothing of it was overwritten.  ERR_UNAVAILABLE: not all registers
 * answer, and without all of them nobody can tell that no higher epoch exists.  A single empty register is
 * not touched: members fill it by themselves. */
enum err_code repair_group(struct conn *c, const char *service, const char *group, struct repaired *out, struct err *err);

/* repair_terms(c, service, group, profile, fence, now, err): what all members of the group use from now on (§3.3, §6); NULL: that as
 * before.  now is the record as it is then.  Members that run do not hear of it, so they were stopped: ERR_REVISION names one that
 * leads.  ERR_NOT_FOUND: the group has no record, and its first member says what it uses.  ERR_INVALID. */
enum err_code repair_terms(struct conn *c, const char *service, const char *group, const char *profile, const char *fence,
    struct lease_group_record *now, struct err *err);

#endif
