/* jetack.h - what JetStream writes into replies: the acknowledgement of a publication, and
 * the facts about a delivery that its reply subject carries.  Pure. */
#ifndef NATS_JETACK_H
#define NATS_JETACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct pub_ack {
	char stream[72];		/* cut when longer */
	uint64_t seq;
	bool duplicate;			/* it was stored before, under the same Nats-Msg-Id */
};

enum pub_reply {
	PUB_FOREIGN,	/* no acknowledgement at all: empty, no JSON, or JSON of somebody else */
	PUB_STORED,	/* *ack is set */
	PUB_LATER,	/* the stream cannot take it now (503): the same again may succeed; err is set */
	PUB_REFUSED,	/* err is set, with the stream's words and its number: ERR_REVISION, another revision than
			   expected (10071); ERR_BUSY, a write is under way there (10164); else ERR_STORE */
};

/* pub_reply_parse(data, n, ack, err): what a reply to a publication means.  Uses codec_mine. */
enum pub_reply pub_reply_parse(const void *data, size_t n, struct pub_ack *ack, struct err *err);

/* What a delivery's reply subject tells; slices are not kept. */
struct ack_facts {
	uint64_t delivered;		/* how often it was delivered, this time included */
	uint64_t stream_seq, consumer_seq;
	uint64_t pending;		/* how many more match the consumer */
	int64_t stored_ns;		/* when it was stored, since 1970 */
};

/* ack_facts_parse(reply, out): true for "$JS.ACK." subjects of 9 tokens or of 11 and more (with
 * domain and account); false, and *out untouched, for anything else: such a message must
 * never be acknowledged.  reply may be NULL. */
bool ack_facts_parse(const char *reply, struct ack_facts *out);

#endif
