/* publisher.h - storing messages in a stream, and knowing that they are stored.
 *
 * Every message waits in a table until its acknowledgement comes, and carries a
 * Nats-Msg-Id, so that sending it again inside the stream's duplicate window stores it
 * once.  While NATS is away messages stay in the table (nothing goes into the connection's
 * own buffer) and are sent when it is back.  Empty replies and replies that are no JSON
 * are not acknowledgements (wire.md §6: foreign acks) and are skipped.
 * Policy when the table is full: refuse (ERR_BUSY). */
#ifndef NATS_PUBLISHER_H
#define NATS_PUBLISHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "nats/conn.h"
#include "nats/jetack.h"

struct gate;
struct loop;
struct publisher;

struct publisher_opts {
	struct conn *conn;
	struct loop *loop;		/* where time-outs are noticed and messages are sent again */
	unsigned max_pending;		/* messages without acknowledgement; 0: 4096, at most 65536 */
	size_t max_bytes;		/* of those messages together; 0: 64 MiB */
	int64_t resend_ns;		/* silence after which a message is sent again; 0: 2 s */
};

#define PUBLISHER_HEADERS 8

struct publication {
	const char *subject;
	const char *id;				/* Nats-Msg-Id; NULL or "": a fresh one is drawn */
	const struct conn_header *headers;	/* ends with a NULL name; at most PUBLISHER_HEADERS; may be
						   NULL; without Nats-Msg-Id */
	const void *data;
	size_t n;
	int64_t timeout_ns;			/* 0: 5 s */
	const struct gate *gate;		/* NULL: none.  It is dropped once the hold that `pass` names is over (sys/gate.h);
						   outlives the message */
	uint64_t pass;
};

/* How a publication ended; exactly one of ack and err is there, both valid during the call. */
typedef void publisher_done(void *arg, const struct pub_ack *ack, const struct err *err);

struct publisher *publisher_new(const struct publisher_opts *o, struct err *err);

/* publisher_send(p, m, done, arg, err): copies m and returns without waiting; any thread.
 * When this returns ERR_OK, done(arg, …) is called exactly once, on a library thread or the
 * loop, possibly before the return; it must not block.  done may be NULL: failures are then
 * counted and logged only.  err of done: ERR_TIMEOUT (was never sent: certainly not stored),
 * ERR_OUTCOME_UNKNOWN (sent, never acknowledged: may be stored), ERR_NOT_FOUND (no stream
 * takes the subject: tried again but in the last second, or half of a time below two, which is for the answer),
 * ERR_STORE (the stream refused; its words),
 * ERR_REVISION and ERR_BUSY (so did it, by what the headers expect: jetack.h), ERR_CLOSED.
 * ERR_NOT_ACTIVE (with a gate: the hold was over before it could be sent: certainly not stored).
 * At once: ERR_BUSY (table full), ERR_TOO_LARGE, ERR_CLOSED, ERR_NOT_ACTIVE. */
enum err_code publisher_send(struct publisher *p, const struct publication *m, publisher_done *done, void *arg,
    struct err *err);

/* publisher_send_wait(p, m, ack, err): as above, and waits for the end; any thread but the
 * loop's and library threads.  ack may be NULL. */
enum err_code publisher_send_wait(struct publisher *p, const struct publication *m, struct pub_ack *ack,
    struct err *err);

struct publisher_counters {
	uint64_t stored;		/* acknowledged */
	uint64_t duplicates;		/* of those: the stream had it already */
	uint64_t resent;		/* sends of a message beyond its first */
	uint64_t foreign;		/* replies that were no acknowledgement */
	uint64_t refused;		/* not taken: table full, too large */
	uint64_t failed;		/* taken and not stored, as far as known */
	uint64_t dropped;		/* of those: because their hold was over */
	unsigned pending;
};
struct publisher_counters publisher_counters(struct publisher *p);

/* publisher_flush(p, timeout_ns): waits until nothing is pending; how many still are.  Any
 * thread but the loop's and library threads. */
unsigned publisher_flush(struct publisher *p, int64_t timeout_ns);

/* publisher_stop(p): what is pending, and what comes, ends with ERR_CLOSED.  Any thread.
 * publisher_free stops first; on the loop's thread, or when the loop does not run.  NULL is
 * fine for both. */
void publisher_stop(struct publisher *p);
void publisher_free(struct publisher *p);

#endif
