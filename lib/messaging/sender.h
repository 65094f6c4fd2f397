/* sender.h - the sending side of commands (wire.md §7): store, follow, wait, cancel.
 *
 * Progress and completion of a command come by plain NATS on subjects that hold its id; the
 * sender subscribes to them before the command is stored, and nothing is polled.  Both are
 * heard once or never.  So when its connection comes back, a sender looks once whether its
 * commands are still in the queue; those that are not have ended while nobody listened. */
#ifndef MESSAGING_SENDER_H
#define MESSAGING_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "codec/command.h"
#include "model/envelope.h"

struct conn;
struct gate;
struct loop;
struct pool;
struct publisher;
struct sender;
struct traffic;

/* A queue that holds this share of what it may hold takes no more from us, because beyond the
 * limit it discards its oldest commands (wire.md §7.2). */
#define SENDER_FULL_PERCENT 90

struct sender_opts {
	struct conn *conn;
	struct loop *loop;
	struct pool *pool;		/* for what asks the store; that and the loop are never missing */
	struct publisher *publisher;
	const char *source;		/* our instance id, or NULL */
	enum data_format format;
	struct traffic *traffic;	/* where commands are counted; NULL: nowhere */
};

/* sender_new(o): never fails; strings are copied.  sender_stop(s): who waits, or comes, ends with
 * ERR_CLOSED.  Any thread.  sender_free stops, ends what sender_start has under way with ERR_CLOSED,
 * and waits until who was sending has left; nobody may begin any more.  The loop's thread, or when
 * it does not run; after the pool, before publisher and loop.  NULL is fine for both. */
struct sender *sender_new(const struct sender_opts *o);
void sender_stop(struct sender *s);
void sender_free(struct sender *s);

/* sender_source(s, instance): the instance id that commands name from now on, instead of the one
 * of sender_opts, or the last one.  Any thread. */
void sender_source(struct sender *s, const char *instance);

struct send_spec {
	const char *service, *command;
	struct data payload;		/* a map; absent: an empty one */
	const char *id;			/* NULL: a fresh one; else one subject token */
	const char *trace_id;		/* NULL: a fresh one */
	const char *traceparent;	/* W3C, goes along as a header; its trace is taken where trace_id is NULL */
	enum priority priority;
	int64_t max_retries;
	int64_t timeout_ns;		/* of one execution; 0: 300 s */
	const struct gate *gate;	/* as of publication, with pass; NULL: none */
	uint64_t pass;

	bool track;			/* wait for the end of it */
	int64_t wait_ns;		/* how long; 0: timeout_ns */
	/* progress(arg, p): hears of progress, on the thread that waits, or on the loop.  Of what comes faster than it
	 * is heard, the 64 latest are kept.  May be NULL. */
	void (*progress)(void *arg, const struct command_progress *p);
	void *arg;
};

#define SEND_ID_MAX 129

struct send_outcome {
	char id[SEND_ID_MAX];		/* set as soon as it is drawn, also on failure */
	uint64_t seq;			/* in the stream; 0: not stored */
	bool duplicate;			/* the stream had a command with this id already */
	struct str completion;		/* what came, as it came; empty when nothing did */
	struct str result;		/* of a completed one, as JSON */
};
void send_outcome_init(struct send_outcome *o);
void send_outcome_release(struct send_outcome *o);

/* sender_send(s, spec, out, err): blocks until the command is stored and, if tracked, ended; any
 * thread but the core loop and library threads.  The stream is created when it is missing.
 * ERR_BUSY: the queue is too full, nothing was stored.  ERR_NOT_ACTIVE: nor was it under a hold that is over.  ERR_HANDLER: it failed for good, with the
 * worker's words.  ERR_CANCELLED.  ERR_TIMEOUT: stored, and not ended as far as is known.
 * ERR_OUTCOME_UNKNOWN: it ended while the connection was lost. */
enum err_code sender_send(struct sender *s, const struct send_spec *spec, struct send_outcome *out,
    struct err *err);

/* How a command of sender_start ended: err is NULL, or the error that sender_send would have
 * returned; out is valid during the call. */
typedef void sender_done(void *arg, const struct send_outcome *out, const struct err *err);

#define SENDER_POSTED_MAX 16384

/* sender_start(s, spec, done, done_arg, id, err): as sender_send, and does not wait; any thread.  spec
 * is copied.  When this returns ERR_OK, done is called exactly once, on the loop: it must not
 * block.  id, if not NULL, is the command's.  At once: ERR_INVALID, ERR_CLOSED, and ERR_BUSY beyond
 * SENDER_POSTED_MAX commands under way. */
enum err_code sender_start(struct sender *s, const struct send_spec *spec, sender_done *done, void *done_arg,
    char id[SEND_ID_MAX], struct err *err);

/* sender_cancel(conn, id, reason, err): asks whoever has the command, or will get it, to give it up;
 * nobody answers.  reason may be NULL.  Any thread; does not wait. */
enum err_code sender_cancel(struct conn *c, const char *id, const char *reason, struct err *err);

#endif
