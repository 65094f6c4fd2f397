/* lease.h - what a register of an election holds, and who a member is.
 *
 * The part that decides (struct lease_value) is small and fixed in size, so that the pure
 * core copies it freely; what only observers and the kick need (struct lease_record) is
 * around it.  Times inside a value are settings of its writer, never instants: no two
 * machines' clocks are compared (election.md R9). */
#ifndef MODEL_LEASE_H
#define MODEL_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/instant.h"

#define LEASE_REGISTERS 3	/* at most; a set has 1 or 3 */
#define LEASE_LANES 16		/* in which a member may publish fenced events (election.md 6); a group record names so many at most */
#define LEASE_VALUE_MAX 512	/* bytes of a register's value */
#define LEASE_L_MAX_MS 60000	/* a value that asks observers to wait longer is not believed */

/* 128 random bits of one process start; all zero is nobody.  Ownership goes by it (R8). */
struct lease_nonce { uint64_t hi, lo; };

#define LEASE_NONCE_MAX 33	/* 32 hex digits and a terminator */

static inline bool
lease_nonce_is(struct lease_nonce a, struct lease_nonce b)
{
	return a.hi == b.hi && a.lo == b.lo;
}

static inline bool
lease_nonce_nobody(struct lease_nonce a)
{
	return (a.hi | a.lo) == 0;
}

/* lease_nonce_parse(p, n, out): exactly 32 hex digits; false, and *out untouched, otherwise. */
bool lease_nonce_parse(const char *p, size_t n, struct lease_nonce *out);
void lease_nonce_format(struct lease_nonce nonce, char out[LEASE_NONCE_MAX]);

#define LEASE_MARKS(X) \
	X(BLANK, "")		/* no value at all: the key does not exist */ \
	X(HELD, "held") \
	X(RELEASED, "released") \
	X(RETIRED, "retired")	/* the set was replaced by another one */

enum lease_mark {
#define X(name, text) LEASE_MARK_##name,
	LEASE_MARKS(X)
#undef X
	LEASE_MARK_COUNT
};

/* lease_mark_name(m): as it stands in the value.  lease_mark_parse: false for what is none. */
const char *lease_mark_name(enum lease_mark m);
bool lease_mark_parse(const char *p, size_t n, enum lease_mark *out);

struct lease_value {
	enum lease_mark mark;
	uint32_t d_ms, l_ms;		/* of the writer: validity, and how long observers wait */
	uint64_t epoch;
	uint64_t counter;		/* of the writer's writes: names this very one */
	struct lease_nonce nonce;	/* the writer */
	struct lease_nonce to;		/* released: the preferred successor, or nobody */
};

/* A data connection of the holder, for the kick (§6). */
#define LEASE_CONNS 2
struct lease_conn {
	char server[64];
	uint64_t cid;
};

struct lease_record {
	struct lease_value value;
	char holder[129];		/* instance id */
	struct lease_conn conn[LEASE_CONNS];
	unsigned conns;
	struct wall written;		/* for people only */
};

/* The group record of AEGIS_META (§3.2); UNKNOWN never stands there. */
enum lease_group { LEASE_GROUP_UNKNOWN, LEASE_GROUP_NEW, LEASE_GROUP_LIVE };

#endif
