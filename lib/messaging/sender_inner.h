/* sender_inner.h - inside lib/messaging: a sender from within.
 *
 * sender.c is what waits for a command, sender_start.c what does not; both ask for room in the
 * queue, write the command and judge its completion in the same way. */
#ifndef MESSAGING_SENDER_INNER_H
#define MESSAGING_SENDER_INNER_H

#include <pthread.h>
#include <stdatomic.h>

#include "messaging/sender.h"
#include "messaging/source.h"
#include "nats/conn.h"
#include "sys/loop.h"
#include "sys/pool.h"

#define SENDER_MAGIC 0x5e4d0001u
#define SENDER_TIMEOUT_S 300.0
#define SENDER_MISSED_NS (1 * NS_PER_S)	/* after the connection came back: what ended by then was not heard */
#define SENDER_LOOKS 6				/* with pauses that double: for a minute */
#define SENDER_HEARD_MAX 64		/* messages of progress that wait; the oldest give way */

struct posting;
struct unheard;

struct sender {
	unsigned magic;
	struct conn *conn;
	struct loop *loop;
	struct pool *pool;
	struct publisher *publisher;
	struct source source;
	enum data_format format;
	struct traffic *traffic;
	atomic_llong looked;		/* when the queue's depth was asked for, mono */
	atomic_llong room;		/* what may be stored before it is asked for again */

	pthread_mutex_t lock;		/* leaf: stopped, counts, and what each sending heard */
	pthread_cond_t changed;
	bool stopped;
	unsigned sending;		/* calls of sender_send under way */
	unsigned posted;		/* commands of sender_start under way */
	unsigned links;			/* how often the connection came back */
	bool has_news;			/* of that, on its way to the loop */

	/* The loop's thread only. */
	struct posting *postings, *last;	/* in the order they came */
	struct pool_job asking;		/* for room */
	bool is_asking;
	struct mail news;
	struct loop_timer missed;
	struct pool_job looking;	/* for commands that ended unheard */
	bool is_looking;
	unsigned looks;			/* since the connection came back */
	struct unheard *unheard;
	size_t nunheard;
	enum err_code found;
	struct err why;
};

/* What came for one command, until somebody looks at it; under the sender's lock. */
struct heard {
	struct msg *progress[SENDER_HEARD_MAX];	/* a ring */
	unsigned first, n;
	struct msg *completion;
};

/* sender_hear(s, h, m): m, which is taken, came for the command; any thread.  sender_heard: the next
 * progress, or the completion when there is none before it, or neither; the lock is held.
 * sender_forget(h): what nobody looked at; nobody may be about to hear. */
void sender_hear(struct sender *s, struct heard *h, struct msg *m);
void sender_heard(struct heard *h, struct msg **progress, struct msg **completion);
void sender_forget(struct heard *h);

/* sender_name(spec, out, err): the command's id.  sender_encode: its bytes; source and format are the
 * sender's. */
enum err_code sender_name(const struct send_spec *spec, struct send_outcome *out, struct err *err);
enum err_code sender_encode(const struct sender *s, const struct send_spec *spec, const char *id, struct str *out,
    struct err *err);

/* sender_headers(traceparent, h): those of the command, in h; NULL when there are none. */
const struct conn_header *sender_headers(const char *traceparent, struct conn_header h[2]);

/* sender_take_room(s): one more may be stored, as far as the last look tells; false: look again.
 * sender_look(s, err): asks the stream; blocks. */
bool sender_take_room(struct sender *s);
enum err_code sender_look(struct sender *s, struct err *err);

void sender_pass_progress(const struct send_spec *spec, struct msg *m);	/* m is taken */
enum err_code sender_judge(const struct msg *m, struct send_outcome *out, struct err *err);
int64_t sender_wait_ns(const struct send_spec *spec);
void sender_say_late(const struct send_outcome *out, int64_t wait_ns, struct err *err);

/* sender_missed(s, out, err): whether the command has left the queue: then it ended, and nothing is
 * going to be heard of it.  err is set.  Blocks. */
bool sender_missed(const struct sender *s, const struct send_outcome *out, struct err *err);

/* sender_look_pause(looks): how long after that many looks since the connection came back the next one
 * follows, in ns; less than 0: there is none. */
int64_t sender_look_pause(unsigned looks);

/* sender_forget_unheard(s): what the looks are about; the end. */
void sender_forget_unheard(struct sender *s);

/* sender_stored_postings(s, n): copies (without texts) of what is stored and followed; the caller frees
 * the array.  sender_end_posting: the one with that id, if it is still there, ends with err.  The
 * loop's thread. */
struct send_outcome *sender_stored_postings(struct sender *s, size_t *n);
void sender_end_posting(struct sender *s, const struct send_outcome *out, struct err *err);

/* sender_on_conn: the listener of the connection; arg is the sender. */
void sender_on_conn(void *arg, enum conn_event ev);

/* sender_end_postings(s): what sender_start has under way ends with ERR_CLOSED.  The loop's thread,
 * or when it does not run. */
void sender_end_postings(struct sender *s);

#endif
