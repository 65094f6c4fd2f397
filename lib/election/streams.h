/* streams.h - the lease streams and AEGIS_META as JetStream has them (election.md §3.1, §3.2).
 *
 * Every function is one or a few round trips and blocks; any thread but the loop.  The fields of
 * §3.1 stand in one table, from which a stream is made and against which it is checked. */
#ifndef ELECTION_STREAMS_H
#define ELECTION_STREAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/instant.h"
#include "codec/register.h"

struct conn;

#define META_BUCKET "AEGIS_META"
#define NODE_MAX 129
#define STREAMS_ASK_NS (2 * NS_PER_S)

/* Register number on the wire: 0 alone, or 1, 2, 3. */
#define REGISTER_ALONE 0u

#define STREAM_PEERS 4

/* A lease stream as it is.  drift says how it differs from §3.1: "" when it does not. */
struct lease_stream {
	char leader[NODE_MAX];		/* "" on a server that is alone */
	char set[37];			/* aegis.set */
	unsigned n, reg;		/* aegis.n, aegis.reg */
	unsigned replicas;
	char peer[STREAM_PEERS][NODE_MAX];	/* who holds the other replicas */
	unsigned peers;
	bool sealed;			/* its set was replaced: it can be read, never written */
	char drift[200];
};

/* streams_look(c, reg, timeout_ns, out, err): ERR_NOT_FOUND when there is none. */
enum err_code streams_look(struct conn *c, unsigned reg, int64_t timeout_ns, struct lease_stream *out, struct err *err);

/* streams_make(c, o, out, err): creates it; *refused says that this server or account cannot have such a
 * stream, so that another kind of set is to be tried. */
struct streams_make {
	unsigned reg, n;
	unsigned replicas;
	const char *tag;		/* NULL: wherever */
	const char *set;
	int64_t first_seq;
};
enum err_code streams_make(struct conn *c, const struct streams_make *o, struct lease_stream *out, bool *refused,
    struct err *err);

/* streams_update(c, o, err): the same stream with another number of replicas; from three to one the leader
 * stays.  streams_move(c, reg, node, err): asks for another leader, this one where the server can choose
 * (2.11); it takes effect a moment later. */
enum err_code streams_update(struct conn *c, const struct streams_make *o, struct err *err);
enum err_code streams_move(struct conn *c, unsigned reg, const char *node, struct err *err);
enum err_code streams_remove(struct conn *c, unsigned reg, struct err *err);

/* streams_seal(c, reg, err): whatever is in it stays readable, and nothing is accepted any more; for good. */
enum err_code streams_seal(struct conn *c, unsigned reg, struct err *err);

/* streams_meta(c, replicas, err): makes AEGIS_META with that many replicas unless it exists; *has is how many
 * it has.  *few: the cluster has not that many nodes (now). */
enum err_code streams_meta(struct conn *c, unsigned replicas, unsigned *has, bool *few, struct err *err);

/* streams_read(c, reg, gid, out, err): leader read over any connection.  ERR_UNAVAILABLE or ERR_TIMEOUT when the
 * stream did not answer. */
enum err_code streams_read(struct conn *c, unsigned reg, const char *gid, struct register_reply *out, struct err *err);

/* streams_write(c, reg, gid, rec, expect, err): an operator's value, by compare-and-set on the revision that was read (0:
 * blank); the time is added.  ERR_REVISION when somebody wrote meanwhile; no member ever writes this way. */
enum err_code streams_write(struct conn *c, unsigned reg, const char *gid, const struct lease_record *rec, uint64_t expect,
    struct err *err);

/* streams_groups(c, reg, each, arg, err): every group that has a value there; gid lives during the call, and each must not
 * use codec_mine. */
enum err_code streams_groups(struct conn *c, unsigned reg, void (*each)(void *arg, const char *gid), void *arg, struct err *err);

#endif
