/* kv_reader.h - inside lib/nats: the records of a bucket, then its changes, one after the other.
 *
 * nats.c has a watcher for this, but its ordered consumer is made anew behind our back after a
 * reconnect, by a thread that frees the consumer's name while the end of the watcher reads it.
 * A plain consumer does not heal itself, and need not: whoever reads distrusts and begins
 * again.  Belongs to one thread, but for kv_reader_interrupt. */
#ifndef NATS_KV_READER_H
#define NATS_KV_READER_H

#include <stdbool.h>

#include "nats/kv.h"
#include "nats/nats_c.h"

struct kv_reader {
	natsSubscription *sub;
	size_t prefix;			/* of subjects, before the key */
	uint64_t initial, seen;		/* records that there were; how many were told */
	bool complete;			/* told that all were */
	natsMsg *msg;			/* of the last entry */
};

struct kv_reader_opts {
	struct conn *conn;
	const char *bucket, *filter;	/* ">" for all */
	bool history;			/* all revisions, not only the last of each key */
};

/* kv_reader_open(r, o, js): r is empty on failure.  Blocks for two round trips. */
natsStatus kv_reader_open(struct kv_reader *r, const struct kv_reader_opts *o, jsErrCode *js);
void kv_reader_close(struct kv_reader *r);		/* deletes the consumer; fine when empty */

/* kv_reader_next(r, e, timeout_ms): NATS_OK with the next entry, whose memory lives until the
 * next call; or, once, with e->key NULL: everything that there was has been told.
 * NATS_TIMEOUT: nothing in time.  Anything else (a gap, a missed heartbeat): begin again. */
natsStatus kv_reader_next(struct kv_reader *r, struct kv_entry *e, int64_t timeout_ms);

/* kv_reader_interrupt(sub): another thread's kv_reader_next on it returns at once.  Blocks for
 * a round trip; no lock may be held, and the reader must stay open until it returns. */
void kv_reader_interrupt(natsSubscription *sub);

/* kv_is_marker(m): a deletion or an expiry, not a value. */
bool kv_is_marker(natsMsg *m);

#endif
