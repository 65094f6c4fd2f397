/* events.h - publishing events, and subscribing to them at least once (wire.md §6).
 *
 * A subscription is a durable consumer per pattern.  Each event is decoded on the thread that
 * delivers it and handed to one handler, which must not block there: it finishes the event or
 * passes it on.  Only a handler's word acknowledges: done, or failed.  What fails is delivered
 * again after a pause that grows, and goes to the dead letters when it failed for the last time;
 * what cannot be read is never delivered again, and counted. */
#ifndef MESSAGING_EVENTS_H
#define MESSAGING_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/instant.h"
#include "model/envelope.h"
#include "nats/consumer.h"
#include "nats/publisher.h"

struct conn;
struct gate;
struct guard;
struct loop;
struct pool;
struct traffic;

/* --- publishing ---------------------------------------------------------------------------- */

struct event_out {
	const char *domain, *type;
	struct guard *guard;		/* judges the payload: ERR_CONTRACT, nothing is sent; NULL: nobody does */
	struct data payload;		/* a map; absent: an empty one */
	const char *version;		/* NULL: 1.0 */
	const char *source, *trace_id, *correlation_id;	/* may be NULL; a trace id is drawn then */
	const char *traceparent;	/* W3C, goes along as a header; its trace is taken where trace_id is NULL */
	const char *message_id;		/* one subject token; NULL: drawn; the same one within two minutes is stored once */
	enum data_format format;
	int64_t timeout_ns;		/* 0: 5 s */
	struct traffic *traffic;	/* where it is counted; NULL: nowhere */
	const struct gate *gate;	/* as of publication, with pass; NULL: none */
	uint64_t pass;
};

/* event_publish(p, e, done, arg, err): checks, encodes and publishes; as publisher_send.
 * ERR_INVALID at once for what no subscriber could read.  event_publish_wait: waits. */
enum err_code event_publish(struct publisher *p, const struct event_out *e, publisher_done *done, void *arg,
    struct err *err);
enum err_code event_publish_wait(struct publisher *p, const struct event_out *e, struct pub_ack *ack, struct err *err);

/* --- subscribing --------------------------------------------------------------------------- */

struct events;
struct event;

#define EVENTS_MAX 32		/* subscriptions of one process */

struct events_opts {
	struct conn *conn;
	struct loop *loop;
	struct pool *pool;		/* makes the streams when they are missing */
	struct publisher *publisher;	/* for dead letters; must outlive events */
	struct guard *guard;		/* judges payloads; outlives events; NULL: none */
	struct traffic *traffic;	/* where events are counted; NULL: nowhere; must outlive every event */
	const char *service, *instance;
};

enum event_mode {
	EVENT_COMPETE,		/* one instance of the service gets each event */
	EVENT_BROADCAST,	/* every instance gets each; nothing is left when it goes */
	EVENT_MIXED,		/* shared with Python members: their durable, or for wildcards their queue group */
};

struct event_subscription {
	const char *pattern;
	enum event_mode mode;
	bool from_now, from_start;	/* where a new durable begins; neither: broadcast from now, else from start */
	unsigned max_attempts;		/* executions of an event that always fails; 0: 5 */
	int64_t ack_wait_ns;		/* after which the events of a process that died are delivered again; 0: 30 s */
	int64_t run_ns;			/* how long a handler may have an event; then it is delivered again; 0: 5 min */
	int64_t retry_ns;		/* pause after the first failure, doubling up to 60 times it; 0: 1 s */
	unsigned max_running;		/* events with the handler at once; 0: 64 */
	/* Owns e.  On the delivering thread, or on the loop with an event that was refused before. */
	void (*handler)(void *arg, struct event *e);
	void *arg;
};

struct events *events_new(const struct events_opts *o);

/* events_subscribe(ev, s, err): the loop's thread, or before the loop runs.  ERR_INVALID for a
 * pattern that is none, ERR_EXISTS for one that is subscribed to already, ERR_BUSY beyond
 * EVENTS_MAX.  Deliveries begin as soon as NATS and the stream are there. */
enum err_code events_subscribe(struct events *ev, const struct event_subscription *s, struct err *err);

/* events_leave(ev, for_good): takes no new events; those handed over may be finished.  Not for good:
 * the durables of broadcast subscriptions stay for a while, for who subscribes again.  The loop's
 * thread.
 * events_drain(ev, timeout_ns): waits until they are; returns how many are not.  Blocks; any
 * thread but the loop's. */
void events_leave(struct events *ev, bool for_good);
unsigned events_drain(struct events *ev, int64_t timeout_ns);

/* events_free(ev): leaves for good, unless events_leave was called; if for good, the durables of
 * broadcast subscriptions are removed.  The loop's thread, or when it does not run.  Events that are not finished may be finished later, as long
 * as connection and publisher live.  NULL is fine. */
void events_free(struct events *ev);

struct events_counters {
	uint64_t done, failed, dead, bad, refused;
	unsigned open;			/* with handlers now */
};
struct events_counters events_counters(struct events *ev);

/* events_state(ev, pattern): how its consumer is; loop's thread. */
enum consumer_state events_state(struct events *ev, const char *pattern);

/* What a handler sees.  The envelope lives until the handler returns, and only on its thread;
 * everything else until the event is finished. */
const struct envelope *event_envelope(const struct event *e);
const char *event_subject(const struct event *e);
const char *event_domain(const struct event *e);
const char *event_type(const struct event *e);
const char *event_message_id(const struct event *e);
const char *event_trace_id(const struct event *e);
const char *event_source(const struct event *e);		/* NULL when not told */
const char *event_header(const struct event *e, const char *name);	/* NULL when absent */
uint64_t event_deliveries(const struct event *e);	/* 1 at the first; 1 always for a core subscription */
struct mono event_deadline(const struct event *e);	/* then it may be delivered again, soon */

/* event_payload_json(e): the payload as compact JSON; made at the first call, which must happen
 * inside the handler. */
const char *event_payload_json(struct event *e);

/* Exactly one of these finishes an event and frees it; any thread.  fail: the handler tried and
 * could not; counts as an attempt.  refuse: nobody tried (too much waits): it is kept here and
 * handed to the handler again in a second, which is no attempt.  At most as many are kept as may be
 * with the handler; after events_leave they go back to the stream. */
void event_done(struct event *e);
void event_fail(struct event *e, const char *text);
void event_refuse(struct event *e);

/* event_retry_delay(retry_ns, attempt): the pause after so many failures.  Pure. */
int64_t event_retry_delay(int64_t retry_ns, uint64_t attempt);

#endif
