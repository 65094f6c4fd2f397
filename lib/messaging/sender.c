/* sender.c - one subscription per tracked command, made before it is stored.
 *
 * commands.*.{id} takes in progress and callback in their order, which two subscriptions
 * would not keep.  What comes is copied on the delivering thread and looked at on the one
 * that waits. */
#include "messaging/sender.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/magic.h"
#include "base/mem.h"
#include "codec/envelope.h"
#include "codec/subject.h"
#include "messaging/source.h"
#include "messaging/traffic.h"
#include "nats/conn.h"
#include "nats/publisher.h"
#include "nats/stream.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define SENDER_MAGIC 0x5e4d0001u
#define SENDING_MAGIC 0x5e4d0002u
#define HEARD_MAX 64			/* messages of progress that wait; the oldest give way */
#define TIMEOUT_S 300.0
#define LOOK_NS (100 * NS_PER_MS)	/* one question for the queue's depth in that time */

static const struct conn_header not_stored[] = { { "Nats-Expected-Stream", "-" }, { NULL, NULL } };

struct sender {
	unsigned magic;
	struct conn *conn;
	struct publisher *publisher;
	struct source source;
	enum data_format format;
	struct traffic *traffic;
	atomic_llong looked;		/* when the queue's depth was asked for, mono */

	pthread_mutex_t lock;		/* leaf: stopped, and what each sending heard */
	pthread_cond_t changed;
	bool stopped;
	unsigned sending;		/* calls of sender_send under way */
};

/* A command that is tracked; on the stack of the thread that waits. */
struct sending {
	unsigned magic;
	struct sender *sender;
	struct msg *heard[HEARD_MAX];	/* progress, a ring */
	unsigned first, n;
	struct msg *completion;
};

struct sender *
sender_new(const struct sender_opts *o)
{
	struct sender *s = mem_new(sizeof *s);

	s->magic = SENDER_MAGIC;
	s->conn = o->conn;
	s->publisher = o->publisher;
	s->format = o->format;
	source_set(&s->source, o->source);
	s->traffic = o->traffic;
	atomic_init(&s->looked, INT64_MIN / 2);
	pthread_mutex_init(&s->lock, NULL);
	thread_cond_init(&s->changed);
	return s;
}

void
sender_source(struct sender *s, const char *instance)
{
	MAGIC_CHECK(s, SENDER_MAGIC);
	source_set(&s->source, instance);
}

void
sender_stop(struct sender *s)
{
	if (s == NULL)
		return;
	MAGIC_CHECK(s, SENDER_MAGIC);
	pthread_mutex_lock(&s->lock);
	s->stopped = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

void
sender_free(struct sender *s)
{
	if (s == NULL)
		return;
	sender_stop(s);
	pthread_mutex_lock(&s->lock);
	while (s->sending > 0)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
	source_release(&s->source);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	MAGIC_WIPE(s);
	mem_free(s);
}

void
send_outcome_init(struct send_outcome *o)
{
	*o = (struct send_outcome){ .seq = 0 };
}

void
send_outcome_release(struct send_outcome *o)
{
	str_release(&o->completion);
	str_release(&o->result);
}

/* --- storing ------------------------------------------------------------------------------ */

/* look: whether the queue has room, asked at most every LOOK_NS. */
static enum err_code
look(struct sender *s, struct err *err)
{
	int64_t now = clock_mono(clock_system()).ns, last = atomic_load(&s->looked);
	struct stream_state state;

	if (now - last < LOOK_NS)
		return ERR_OK;
	enum err_code code = stream_look(s->conn, "COMMANDS", &state, err);
	if (code == ERR_NOT_FOUND)
		code = stream_ensure(s->conn, STREAM_COMMANDS, 0, &state, err);
	if (code != ERR_OK)
		return code;
	if (state.max_messages > 0 && state.messages * 100 >= (uint64_t)state.max_messages * SENDER_FULL_PERCENT)
		return err_set(err, ERR_BUSY, "the queue is nearly full (%llu of %lld messages) and would discard its oldest "
		    "commands; start more workers, or look at it with `aegis command ls`",
		    (unsigned long long)state.messages, (long long)state.max_messages);
	atomic_store(&s->looked, now);
	return ERR_OK;
}

static void
fill_envelope(const struct sender *s, const struct send_spec *spec, const char *id, struct envelope *e)
{
	envelope_init(e, ENVELOPE_COMMAND);
	e->message_id = text_of(id);
	e->trace_id = text_of(spec->trace_id);
	e->source = text_of(source_text(&s->source));
	e->target = text_of(spec->service);
	e->command = text_of(spec->command);
	if (spec->payload.p != NULL)
		e->payload = (struct value){ .type = VALUE_RAW, .u.raw = spec->payload };
	e->priority = spec->priority;
	e->max_retries = spec->max_retries;
	e->timeout_s = spec->timeout_ns > 0 ? (double)spec->timeout_ns / 1e9 : TIMEOUT_S;
}

static enum err_code
store(struct sender *s, const struct send_spec *spec, struct send_outcome *out, struct err *err)
{
	struct str body = STR_INIT;
	struct pub_ack ack;
	struct envelope e;

	fill_envelope(s, spec, out->id, &e);
	enum err_code code = envelope_encode(&e, s->format, clock_wall(clock_system()), &body, err);
	if (code == ERR_OK)
		code = publisher_send_wait(s->publisher, &(struct publication){
			.subject = subject_command(spec->service, spec->command).s, .id = out->id,
			.data = body.p, .n = body.len, .timeout_ns = conn_timeout_ns(s->conn),
		}, &ack, err);
	if (code == ERR_OK) {
		out->seq = ack.seq;
		out->duplicate = ack.duplicate;
	}
	str_release(&body);
	return code;
}

/* --- following ---------------------------------------------------------------------------- */

/* on_word: on the delivering thread. */
static void
on_word(void *arg, struct msg *m)
{
	struct sending *x = arg;
	struct msg *gone = m;

	MAGIC_CHECK(x, SENDING_MAGIC);
	pthread_mutex_lock(&x->sender->lock);
	if (strncmp(msg_subject(m), "commands.callback.", 18) == 0) {
		if (x->completion == NULL) {
			x->completion = m;
			gone = NULL;
		}
	} else if (strncmp(msg_subject(m), "commands.progress.", 18) == 0) {
		gone = NULL;
		if (x->n == HEARD_MAX) {
			gone = x->heard[x->first];
			x->first = (x->first + 1) % HEARD_MAX;
			x->n--;
		}
		x->heard[(x->first + x->n++) % HEARD_MAX] = m;
	}
	pthread_cond_broadcast(&x->sender->changed);
	pthread_mutex_unlock(&x->sender->lock);
	msg_free(gone);
}

static void
pass_progress(const struct send_spec *spec, struct msg *m)
{
	struct command_progress p;

	/* What cannot be read is not worth an error: the command goes on. */
	if (spec->progress != NULL &&
	    command_progress_decode(codec_mine(), msg_data(m), msg_size(m), &p, NULL) == ERR_OK)
		spec->progress(spec->arg, &p);
	msg_free(m);
}

/* hear: the next progress, or the completion when there is none before it; neither when the time
 * is over or the sender was stopped (true). */
static bool
hear(struct sender *s, struct sending *x, struct mono end, struct msg **progress, struct msg **completion)
{
	*progress = *completion = NULL;
	pthread_mutex_lock(&s->lock);
	while (x->n == 0 && x->completion == NULL && !s->stopped && thread_cond_wait(&s->changed, &s->lock, end))
		continue;
	bool stopped = s->stopped;
	if (x->n > 0) {
		*progress = x->heard[x->first];
		x->first = (x->first + 1) % HEARD_MAX;
		x->n--;
	} else {
		*completion = x->completion;
		x->completion = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	return stopped;
}

static enum err_code
judge(struct msg *m, struct send_outcome *out, struct err *err)
{
	struct command_completion c;
	struct pack p;

	str_add(&out->completion, msg_data(m), msg_size(m));
	enum err_code code = command_completion_decode(codec_mine(), msg_data(m), msg_size(m), &c, err);
	if (code != ERR_OK)
		return err_set(err, ERR_CORRUPT, "the command ended, but its completion cannot be read");
	switch (c.status) {
	case COMMAND_COMPLETED:
		pack_init(&p, &out->result, DATA_JSON, PACK_COMPACT);
		pack_value(&p, &c.result);
		return pack_end(&p, err);
	case COMMAND_CANCELLED:
		return err_set(err, ERR_CANCELLED, "the command was cancelled");
	default:
		return err_set(err, ERR_HANDLER, "%.*s", (int)(c.error.p != NULL ? c.error.n : 0),
		    c.error.p != NULL ? c.error.p : "");
	}
}

static enum err_code
follow(struct sender *s, const struct send_spec *spec, struct sending *x, struct send_outcome *out, struct err *err)
{
	int64_t wait_ns = spec->wait_ns > 0 ? spec->wait_ns : spec->timeout_ns > 0 ? spec->timeout_ns
	    : (int64_t)(TIMEOUT_S * 1e9);
	struct mono end = mono_after(clock_mono(clock_system()), wait_ns);
	struct msg *progress, *completion;
	bool stopped;

	for (;;) {
		stopped = hear(s, x, end, &progress, &completion);
		if (progress != NULL) {
			pass_progress(spec, progress);
			continue;
		}
		if (completion == NULL)
			break;
		enum err_code code = judge(completion, out, err);
		msg_free(completion);
		return code;
	}
	if (stopped)
		return err_set(err, ERR_CLOSED, "the handle was closed while the command was under way");
	return err_set(err, ERR_TIMEOUT, "the command %s is stored and not known to have ended after %.1f s; a worker may "
	    "still run it", out->id, (double)wait_ns / 1e9);
}

static enum err_code
send_tracked(struct sender *s, const struct send_spec *spec, struct send_outcome *out, struct err *err)
{
	struct sending x = { .magic = SENDING_MAGIC, .sender = s };
	char subject[SEND_ID_MAX + 16];

	snprintf(subject, sizeof subject, "commands.*.%s", out->id);
	struct sub *sub = sub_new(&(struct sub_opts){
		.conn = s->conn, .subject = subject, .handler = on_word, .arg = &x,
	}, err);
	if (sub == NULL)
		return ERR_UNAVAILABLE;
	/* One connection, so the server sees the subscription before the command. */
	enum err_code code = store(s, spec, out, err);
	if (code == ERR_OK)
		code = follow(s, spec, &x, out, err);
	sub_free(sub);
	for (; x.n > 0; x.n--, x.first = (x.first + 1) % HEARD_MAX)
		msg_free(x.heard[x.first]);
	msg_free(x.completion);
	return code;
}

/* enter, leave: a call begins, unless the sender was stopped, and ends. */
static bool
enter(struct sender *s)
{
	pthread_mutex_lock(&s->lock);
	bool open = !s->stopped;
	s->sending += open;
	pthread_mutex_unlock(&s->lock);
	return open;
}

static void
leave(struct sender *s)
{
	pthread_mutex_lock(&s->lock);
	s->sending--;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

enum err_code
sender_send(struct sender *s, const struct send_spec *spec, struct send_outcome *out, struct err *err)
{
	enum err_code code;

	MAGIC_CHECK(s, SENDER_MAGIC);
	if (spec->id != NULL && !subject_token_ok(text_of(spec->id)))
		return err_set(err, ERR_INVALID, "command id '%.64s': it must be one word without '.', '*', '>' and blanks",
		    spec->id);
	if (spec->id != NULL)
		snprintf(out->id, sizeof out->id, "%s", spec->id);
	else
		id_uuid4(out->id);
	if (!enter(s))
		return err_set(err, ERR_CLOSED, "the handle is being closed");
	struct mono began = clock_mono(clock_system());
	if ((code = look(s, err)) == ERR_OK)
		code = spec->track ? send_tracked(s, spec, out, err) : store(s, spec, out, err);
	traffic_sent(s->traffic, spec->service, spec->command, mono_since(clock_mono(clock_system()), began));
	leave(s);
	if (code != ERR_OK && code != ERR_HANDLER && code != ERR_CANCELLED)
		err_prefix(err, "command '%s' to '%s'", spec->command, spec->service);
	return code;
}

enum err_code
sender_cancel(struct conn *c, const char *id, const char *reason, struct err *err)
{
	struct str body = STR_INIT;

	if (!subject_token_ok(text_of(id)))
		return err_set(err, ERR_INVALID, "command id '%.64s': it must be one word without '.', '*', '>' and blanks", id);
	struct command_cancel m = { .command_id = text_of(id), .reason = text_of(reason) };
	enum err_code code = command_cancel_encode(&m, DATA_JSON, &body, err);
	if (code == ERR_OK)
		code = conn_publish(c, &(struct conn_msg){
			.subject = subject_cancel(id).s, .headers = not_stored, .data = body.p, .n = body.len,
		}, err);
	str_release(&body);
	return code;
}
