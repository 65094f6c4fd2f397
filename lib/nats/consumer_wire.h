/* consumer_wire.h - inside lib/nats: the JSON of JetStream's consumer API.  Pure. */
#ifndef NATS_CONSUMER_WIRE_H
#define NATS_CONSUMER_WIRE_H

#include "base/str.h"
#include "nats/consumer.h"

/* What an answer of CONSUMER.INFO or CONSUMER.CREATE says. */
struct consumer_answer {
	int64_t error;			/* JetStream's number; 0: none */
	int64_t status;			/* with an error: 404, 503, … */
	char words[200];		/* with an error */
	bool push, bound, explicit_ack;
	char created[40];		/* when it was made, in the server's words */
	char deliver_subject[160], deliver_group[160], filter[300];
	int64_t ack_wait_ns, max_deliver, max_ack_pending;
	uint64_t pending, unacked, redelivered, waiting;
};

/* JetStream's numbers that steer us. */
#define JS_CONSUMER_EXISTS 10148	/* with another configuration */
#define JS_CONSUMER_NAME_EXISTS 10013
#define JS_QUEUE_UNFILTERED 10099	/* a work queue has one consumer for all */
#define JS_QUEUE_NOT_UNIQUE 10100	/* a work queue has another consumer for this filter */

/* consumer_write_create(o, deliver_subject, out): the body of CONSUMER.DURABLE.CREATE; deliver_subject
 * is NULL for a pull consumer. */
void consumer_write_create(const struct consumer_opts *o, const char *deliver_subject, struct str *out);

/* consumer_write_pull: the body of CONSUMER.MSG.NEXT. */
void consumer_write_pull(unsigned batch, int64_t expires_ns, int64_t heartbeat_ns, struct str *out);

/* consumer_read(data, n, out, err): ERR_CORRUPT when it is no such answer.  Uses codec_mine. */
enum err_code consumer_read(const void *data, size_t n, struct consumer_answer *out, struct err *err);

/* consumer_compare(o, a, out, n): the sentence of consumer_drift. */
void consumer_compare(const struct consumer_opts *o, const struct consumer_answer *a, char *out, size_t n);

/* The defaults of consumer_opts where a field is 0. */
struct consumer_opts consumer_defaults(const struct consumer_opts *o);

#endif
