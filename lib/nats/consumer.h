/* consumer.h - deliveries of one durable consumer, kept coming.
 *
 * A consumer has no thread: it lives on the loop (creation, supervision, asking for more)
 * and hands deliveries to its handler on the thread that delivers them.  It asks for at most
 * `window` deliveries that are not finished; that is the bound and the back-pressure.
 * A durable is created when it is missing and never altered: where an existing one differs,
 * that is reported (drift) and it is used as it is.  Missed heartbeats, a reconnect, a
 * deleted consumer or stream each lead back to looking for it, with pauses of 250 ms growing
 * to 5 s, for ever. */
#ifndef NATS_CONSUMER_H
#define NATS_CONSUMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/instant.h"

struct conn;
struct loop;
struct consumer;
struct delivery;

enum consumer_deliver { CONSUMER_ALL, CONSUMER_NEW, CONSUMER_LAST, CONSUMER_SINCE };

enum consumer_state {
	CONSUMER_STARTING,	/* looking for it, or making it */
	CONSUMER_READY,		/* deliveries come */
	CONSUMER_AWAY,		/* NATS or its JetStream does not answer */
	CONSUMER_NO_STREAM,	/* the stream does not exist */
	CONSUMER_CONFLICT,	/* a work queue has another consumer for this filter (10100) */
	CONSUMER_UNUSABLE,	/* it exists in another form (push instead of pull, or the reverse), or the
				   server refuses to make it */
};
const char *consumer_state_name(enum consumer_state s);

struct consumer_opts {
	struct conn *conn;
	struct loop *loop;
	const char *stream, *durable;
	const char *filter;		/* a subject, or several divided by commas */
	enum consumer_deliver deliver;	/* of a consumer that is created */
	struct wall since;		/* for CONSUMER_SINCE */
	int64_t ack_wait_ns;		/* 0: 30 s */
	int64_t max_deliver;		/* 0: without limit */
	int64_t max_ack_pending;	/* 0: 1000 */
	int64_t inactive_ns;		/* 0: it stays for ever; else it vanishes when unused that long */
	unsigned window;		/* 0: 64 */
	/* What is in somebody's hands is said to be in work (+WPI) every third of the ack wait, and so not
	 * repeated, until it has been there that long; 0: never, INT64_MAX: always. */
	int64_t working_ns;
	/* A server that was killed forgets the last acknowledgements, and what it had delivered.  Then what
	 * was settled here for good (+ACK, +TERM), of the last 2^20 sequences of the stream, is acknowledged
	 * again when it comes again, and not handed out; what is still in somebody's hands, and not for
	 * longer than working_ns, stays there, and its word goes to the newer delivery.  A durable that was
	 * made anew (by its time of creation), and a stream that was (acked.h), begin anew. */
	bool remember;

	/* Joins a push consumer instead: subscribes to its deliver subject in its deliver group.  A
	 * missing one is created in the form that Python members use: deliver group = durable.  The
	 * window does not apply; the consumer's max_ack_pending is the bound. */
	bool push;

	/* Gets each delivery and owns it; must not block.  Called in order, one at a time. */
	void (*handler)(void *arg, struct delivery *d);
	/* Hears every change of state, on the loop; err says why where it is bad, else NULL.  May be
	 * NULL.  Told again when the reason changes. */
	void (*changed)(void *arg, enum consumer_state s, const struct err *why);
	void *arg;
};

/* consumer_new(o, err): starts at once; strings are copied.  The loop's thread, or before the
 * loop runs.  Fails only when the subscription cannot be made. */
struct consumer *consumer_new(const struct consumer_opts *o, struct err *err);

/* consumer_stop(c): asks for no more; what still arrives is given back (NAK) at once so that
 * others get it.  The loop's thread, or when it does not run.  The durable stays. */
void consumer_stop(struct consumer *c);

/* consumer_free(c): stops, waits for a running handler.  The loop's thread, or when it does
 * not run; never from the handler.  Deliveries that are not finished may be finished later;
 * their memory is theirs.  NULL is fine. */
void consumer_free(struct consumer *c);

/* consumer_discard(c): has the server delete the durable; does not wait for its answer.  After
 * consumer_stop, before consumer_free. */
void consumer_discard(struct consumer *c);

enum consumer_state consumer_state(const struct consumer *c);
unsigned consumer_unfinished(const struct consumer *c);
uint64_t consumer_repeats(const struct consumer *c);	/* deliveries that `remember` did not hand out */
uint64_t consumer_foreign(const struct consumer *c);	/* messages that were no deliveries; dropped, never acked */

/* consumer_drift(c, out, n): how the existing consumer differs from what was asked for, as
 * "ack_wait 30s instead of 10s, …"; "" when it does not.  Any thread. */
void consumer_drift(struct consumer *c, char *out, size_t n);

/* consumer_remove(conn, stream, durable, err): deletes it, whoever uses it; blocks.
 * ERR_NOT_FOUND when there is none. */
enum err_code consumer_remove(struct conn *conn, const char *stream, const char *durable, struct err *err);

/* What there is about a consumer, made by whomever; blocks. */
struct consumer_facts {
	bool push, bound;		/* bound: somebody is subscribed to a push consumer right now */
	uint64_t pending, unacked, redelivered, waiting;
};
enum err_code consumer_inspect(struct conn *conn, const char *stream, const char *durable,
    struct consumer_facts *out, struct err *err);

/* A delivery.  Texts and data live until it is finished.  Any thread, one at a time. */
const char *delivery_subject(const struct delivery *d);
const void *delivery_data(const struct delivery *d);
size_t delivery_size(const struct delivery *d);
const char *delivery_header(const struct delivery *d, const char *name);	/* NULL when absent */
uint64_t delivery_seq(const struct delivery *d);	/* its sequence in the stream */
uint64_t delivery_count(const struct delivery *d);	/* 1 at the first delivery */
uint64_t delivery_pending(const struct delivery *d);	/* more that wait behind it */
struct wall delivery_stored(const struct delivery *d);

/* delivery_working(d): still at it; the server waits its ack_wait anew, and working_ns begins
 * anew. */
void delivery_working(struct delivery *d);

/* Exactly one of these ends a delivery, and frees it: done; again, after delay_ns (0: at
 * once); never again.  They do not wait and cannot fail: when the word is lost, the delivery
 * is repeated after ack_wait. */
void delivery_ack(struct delivery *d);
void delivery_nak(struct delivery *d, int64_t delay_ns);
void delivery_term(struct delivery *d);

/* delivery_ack_now, delivery_term_now: the same, and the word is written at once together with what
 * was published before it and not written yet, as far as it fits in the client library's buffer
 * (32 KB); its own thread may have come between and written that some microseconds earlier. */
void delivery_ack_now(struct delivery *d);
void delivery_term_now(struct delivery *d);

/* delivery_forget(d): ends it without a word to the server: it is repeated after ack_wait. */
void delivery_forget(struct delivery *d);

#endif
