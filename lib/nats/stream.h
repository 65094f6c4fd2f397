/* stream.h - what JetStream offers here, and the streams and buckets that we need of it. */
#ifndef NATS_STREAM_H
#define NATS_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/instant.h"
#include "nats/conn.h"

/* What the server can do (platform.md §7).  api_level: 0 before 2.11, 1 for 2.11, … */
struct jetstream_info {
	int api_level;
	bool ttl;			/* per-message TTL: 2.11 and later */
	uint64_t streams, consumers;
};

/* jetstream_probe(c, out, err): asks the server; blocks for the connection's time-out.
 * ERR_NO_JETSTREAM when it has none (the sentence says how to switch it on). */
enum err_code jetstream_probe(struct conn *c, struct jetstream_info *out, struct err *err);

/* How a bucket is made when it is missing. */
struct bucket_opts {
	const char *name;
	int history;
	int32_t max_value_bytes;	/* 0: no limit */
	int replicas;			/* 0: auto = 3 in a cluster of three or more, else 1 */
	int64_t marker_ttl_ns;		/* 0: none (wire.md §8.1 forbids it for the registry) */
	const char *republish;		/* what is stored is told on this subject, too ("aegis.config.>": its last
					   token stands for the key); NULL: nowhere */
};

/* What a bucket is, made by whomever. */
struct bucket_state {
	bool created;			/* by this call */
	bool ttl;			/* per-message TTL is on */
	int64_t max_age_ns;		/* > 0: also definitions expire; a fault to report */
	int64_t max_consumers;		/* -1: the server's default */
	int replicas;
	int64_t history;
	uint64_t consumers, messages;
	uint64_t last_seq;		/* the revision written last, of any key */
	struct wall made;		/* when the bucket was made: one that was made again counts its revisions anew */
	char republish[96];		/* where it tells what is stored; "" nowhere */
};

/* bucket_ensure(c, o, out, err): creates the bucket as o says, with max_consumers 100000
 * (wire.md §8.1), if there is none; an existing one is never altered.  Two processes may
 * call at once.  Blocks. */
enum err_code bucket_ensure(struct conn *c, const struct bucket_opts *o, struct bucket_state *out,
    struct err *err);

/* bucket_inspect: as above without creating; ERR_NOT_FOUND when it is missing. */
enum err_code bucket_inspect(struct conn *c, const char *name, struct bucket_state *out, struct err *err);

/* bucket_enable_ttl: switches per-message TTL on by a stream update (cannot be undone). */
enum err_code bucket_enable_ttl(struct conn *c, const char *name, struct err *err);

/* The streams of wire.md §6-7, and aegis's own, as rows. */
enum stream_id {
	STREAM_EVENTS, STREAM_COMMANDS, STREAM_EVENTS_DLQ, STREAM_COMMANDS_DLQ,
	STREAM_DEPARTED,		/* instances that left (design.md §6) */
	STREAM_AUDIT,			/* changes through the management API (design.md §6) */
	STREAM_IDS
};
const char *stream_id_name(enum stream_id id);		/* "EVENTS", … */
const char *stream_id_subjects(enum stream_id id);	/* "events.>", … */

/* What a stream is, made by whomever. */
struct stream_state {
	bool created;			/* by this call */
	uint64_t messages, bytes, first_seq, last_seq, consumers;
	int64_t max_messages;		/* -1: no limit */
	int64_t max_age_ns;		/* 0: no limit */
	int64_t max_consumers;
	int replicas;
	char drift[160];		/* how it differs from its row: "retention is limits, not workqueue"; or "" */
};

/* stream_ensure(c, id, replicas, out, err): creates the stream as its row says if there is
 * none; an existing one is never altered.  replicas 0: auto, as for buckets.  out may be
 * NULL.  Two processes may call at once.  Blocks. */
enum err_code stream_ensure(struct conn *c, enum stream_id id, int replicas, struct stream_state *out,
    struct err *err);

/* stream_look(c, name, out, err): without creating; ERR_NOT_FOUND when it is missing.  Blocks. */
enum err_code stream_look(struct conn *c, const char *name, struct stream_state *out, struct err *err);

/* One stored message; msg has its subject, data and headers and is the caller's. */
struct stored {
	struct msg *msg;
	uint64_t seq;
	struct wall time;
};

/* stream_next(c, name, filter, from, out, err): the first message at sequence `from` or later whose
 * subject matches filter; asked directly, so the stream must allow that (ours do).
 * ERR_NOT_FOUND: no further one.  Leaves no consumer behind.  Blocks. */
enum err_code stream_next(struct conn *c, const char *name, const char *filter, uint64_t from, struct stored *out,
    struct err *err);

/* stream_range(r, err): calls each for every stored message from one sequence to another, in order; s lives during
 * the call.  A few round trips however many there are, and all of a thousand of them lie in memory at
 * once: whoever cannot bound their size asks for fewer.  ERR_NOT_FOUND when there is no such stream.  Blocks. */
struct stream_range {
	struct conn *conn;
	const char *stream, *filter;	/* subjects, "aegis.audit.>" */
	uint64_t from, to;		/* both included; nothing where to is below from */
	void (*each)(void *arg, const struct stored *s);
	void *arg;
};
enum err_code stream_range(const struct stream_range *r, struct err *err);

/* stream_get: exactly that sequence, asked of the stream's leader.  stream_delete: removes it.
 * ERR_NOT_FOUND when it is not there.  Both block. */
enum err_code stream_get(struct conn *c, const char *name, uint64_t seq, struct stored *out, struct err *err);
enum err_code stream_delete(struct conn *c, const char *name, uint64_t seq, struct err *err);

/* stream_last(c, name, subject, timeout_ns, out, err): the last message of that very subject, asked of the stream's leader,
 * so never an old one.  ERR_NOT_FOUND: there is none.  Blocks. */
enum err_code stream_last(struct conn *c, const char *name, const char *subject, int64_t timeout_ns, struct stored *out,
    struct err *err);

/* stream_purge(c, name, filter, err): removes every message whose subject matches; bucket_remove:
 * the bucket with all that is in it.  ERR_NOT_FOUND when there is none.  Both block. */
enum err_code stream_purge(struct conn *c, const char *name, const char *filter, struct err *err);
enum err_code bucket_remove(struct conn *c, const char *name, struct err *err);

/* stream_readers(c, name, each, arg, err): every consumer of the stream, made by whomever; r lives during the call.
 * Blocks. */
struct stream_reader {
	const char *name;
	uint64_t pending, unacked;	/* not delivered yet; delivered and not settled */
	bool listened;			/* somebody pulls, or is subscribed, right now */
};
enum err_code stream_readers(struct conn *c, const char *name, void (*each)(void *arg, const struct stream_reader *r),
    void *arg, struct err *err);

/* server_version(c, stream, out, n): the version that the server tells of itself with one of its streams
 * ("2.12.0"), which it does since 2.11; "" when it does not.  Blocks. */
void server_version(struct conn *c, const char *stream, char *out, size_t n);

#endif
