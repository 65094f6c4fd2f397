/* kv.h - keys of one bucket: read, compare-and-set, delete, history.
 *
 * A kv is a plain description, not a connection: copy it as you like.  Every call is one
 * or two round trips and blocks for at most the connection's time-out; any thread but the
 * core loop.  The bucket's revision settles every race (style.md §2, point 10). */
#ifndef NATS_KV_H
#define NATS_KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/instant.h"
#include "nats/conn.h"

struct kv {
	struct conn *conn;
	const char *bucket;		/* must outlive the kv */
};

#define KV_ANY UINT64_MAX		/* expect: whatever is there */
#define KV_ABSENT 0			/* expect: the key must not exist, or be deleted */

struct kv_put {
	const char *key;
	const void *value;
	size_t n;
	uint64_t expect;		/* KV_ANY, KV_ABSENT, or the revision last seen */
	int64_t ttl_s;			/* 0: none.  Needs a bucket with per-message TTL */
	bool rollup;			/* older revisions of the key go (wire.md §8.2) */
	const char *id;			/* NULL: none.  What is the key's last revision under this id, or was stored
					   under it in the whole bucket within the stream's window for duplicates, is
					   not stored again: *repeated, and the revision of then */
	bool *repeated;			/* set on success, with id */
};

/* kv_put(kv, p, revision, err): writes; *revision is set on success only.  ERR_REVISION
 * when the expectation does not hold (ERR_EXISTS for KV_ABSENT): nothing was written. */
enum err_code kv_put(const struct kv *kv, const struct kv_put *p, uint64_t *revision, struct err *err);

/* kv_remove(kv, key, expect, keep, ttl_s, err): leaves a marker; ttl_s > 0 lets it vanish.
 * Older revisions go with the key unless keep. */
enum err_code kv_remove(const struct kv *kv, const char *key, uint64_t expect, bool keep, int64_t ttl_s,
    struct err *err);

struct kv_entry {
	char *key;
	char *value;			/* terminated, n bytes before that; NULL when gone */
	size_t n;
	uint64_t revision;
	struct wall created;
	bool gone;			/* a delete, purge or expiry marker */
	char *id;			/* that it was put under (kv_get alone tells); NULL: none */
};
void kv_entry_release(struct kv_entry *e);

/* kv_get(kv, key, e, err): the last revision, asked of the stream's leader, so never an
 * old one.  ERR_NOT_FOUND when the key never was or is deleted; then e->revision is that of
 * the marker (0 if there is none).  e owns memory on success. */
enum err_code kv_get(const struct kv *kv, const char *key, struct kv_entry *e, struct err *err);

/* kv_get_within: the same with a time-out of its own, in ns. */
enum err_code kv_get_within(const struct kv *kv, const char *key, int64_t timeout_ns, struct kv_entry *e, struct err *err);

/* kv_list(kv, filter, history, each, arg, err): calls each(arg, e) for every key that
 * matches filter (a subject pattern below the bucket, ">" for all), with all kept revisions
 * if history, markers included; e is valid during the call.  Goes on as long as entries keep
 * coming within the connection's time-out.  Leaves no consumer behind. */
enum err_code kv_list(const struct kv *kv, const char *filter, bool history,
    void (*each)(void *arg, const struct kv_entry *e), void *arg, struct err *err);

#endif
