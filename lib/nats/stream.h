/* stream.h - what JetStream offers here, and the streams and buckets that we need of it. */
#ifndef NATS_STREAM_H
#define NATS_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
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

#endif
