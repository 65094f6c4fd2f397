/* dlq.h - dead letters: what could not be handled, kept as it came (wire.md §6, §7.2).
 *
 * A dead letter lies in EVENTS_DLQ or COMMANDS_DLQ under "dlq." and its own subject, with the
 * original bytes and the headers Aegis-Error, Aegis-Deliveries, Aegis-Subject and
 * Aegis-Instance.  Its Nats-Msg-Id is made of stream and sequence of the message, so that
 * burying it twice stores it once. */
#ifndef MESSAGING_DLQ_H
#define MESSAGING_DLQ_H

#include <stdint.h>

#include "base/err.h"
#include "base/instant.h"
#include "nats/publisher.h"
#include "nats/stream.h"

struct delivery;

struct burial {
	const struct delivery *delivery;
	const char *error;		/* the handler's words, or "INVALID_REQUEST: …" */
	const char *instance;		/* ours; may be NULL */
};

/* dlq_bury(p, b, done, arg, err): stores the delivery's message; as publisher_send.  The
 * delivery is only read, and only during the call. */
enum err_code dlq_bury(struct publisher *p, const struct burial *b, publisher_done *done, void *arg,
    struct err *err);

/* A dead letter, as read; texts live as long as its message (msg_free(letter.stored.msg)). */
struct letter {
	struct stored stored;
	const char *subject;		/* where it was published */
	const char *error, *instance;	/* "" when not told */
	uint64_t deliveries;
};

/* dlq_next(c, id, filter, from, out, err): the first letter of the stream (STREAM_EVENTS_DLQ or
 * STREAM_COMMANDS_DLQ) at sequence from or later whose original subject matches filter (NULL: all).
 * ERR_NOT_FOUND: no more, or no such stream.  dlq_get: that sequence.  Both block. */
enum err_code dlq_next(struct conn *c, enum stream_id id, const char *filter, uint64_t from, struct letter *out,
    struct err *err);
enum err_code dlq_get(struct conn *c, enum stream_id id, uint64_t seq, struct letter *out, struct err *err);

/* dlq_retry(c, p, id, seq, ack, err): publishes the original bytes to the original subject again,
 * and removes the letter once they are stored.  The message gets a Nats-Msg-Id of its own, as
 * the stream would take the old one for a duplicate.  Blocks; any thread but the loop's. */
enum err_code dlq_retry(struct conn *c, struct publisher *p, enum stream_id id, uint64_t seq, struct pub_ack *ack,
    struct err *err);

/* dlq_remove: for good.  ERR_NOT_FOUND when there is no such letter.  Blocks. */
enum err_code dlq_remove(struct conn *c, enum stream_id id, uint64_t seq, struct err *err);

#endif
