/* sender.c - one subscription per tracked command, made before it is stored.
 *
 * commands.*.{id} takes in progress and callback in their order, which two subscriptions
 * would not keep.  What comes is copied on the delivering thread and looked at on the one
 * that waits. */
#include "messaging/sender_inner.h"

#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/magic.h"
#include "base/mem.h"
#include "codec/envelope.h"
#include "codec/subject.h"
#include "messaging/source.h"
#include "messaging/trace.h"
#include "messaging/traffic.h"
#include "nats/publisher.h"
#include "nats/stream.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define SENDING_MAGIC 0x5e4d0002u
#define LOOK_NS (100 * NS_PER_MS)	/* one question for the queue's depth in that time */

static const struct conn_header not_stored[] = { { "Nats-Expected-Stream", "-" }, { NULL, NULL } };

/* A command that is tracked, until its subscription has ended. */
struct sending {
	unsigned magic;
	struct sender *sender;
	struct heard heard;
	unsigned links;			/* of the sender, as it was */
	struct mono look;		/* when to look whether the end was missed */
	unsigned looks;			/* since the connection came back */
	bool gone;			/* it was not in the queue at the last of them */
};

struct sender *
sender_new(const struct sender_opts *o)
{
	struct sender *s = mem_new(sizeof *s);

	MUST(o->loop != NULL && o->pool != NULL);
	s->magic = SENDER_MAGIC;
	s->conn = o->conn;
	s->loop = o->loop;
	s->pool = o->pool;
	s->publisher = o->publisher;
	s->format = o->format;
	source_set(&s->source, o->source);
	s->traffic = o->traffic;
	atomic_init(&s->looked, INT64_MIN / 2);
	pthread_mutex_init(&s->lock, NULL);
	thread_cond_init(&s->changed);
	conn_listen(s->conn, sender_on_conn, s);
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
	conn_unlisten(s->conn, sender_on_conn, s);
	sender_end_postings(s);
	pthread_mutex_lock(&s->lock);
	while (s->sending > 0)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
	sender_forget_unheard(s);
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

bool
sender_take_room(struct sender *s)
{
	if (clock_mono(clock_system()).ns - atomic_load(&s->looked) >= LOOK_NS)
		return false;
	return atomic_fetch_sub(&s->room, 1) > 0;
}

enum err_code
sender_look(struct sender *s, struct err *err)
{
	int64_t now = clock_mono(clock_system()).ns, room = INT64_MAX / 2;
	struct stream_state state;

	enum err_code code = stream_look(s->conn, "COMMANDS", &state, err);
	if (code == ERR_NOT_FOUND)
		code = stream_ensure(s->conn, STREAM_COMMANDS, 0, &state, err);
	if (code != ERR_OK)
		return code;
	if (state.max_messages > 0)
		room = (state.max_messages * SENDER_FULL_PERCENT + 99) / 100 - (int64_t)state.messages;
	if (room <= 0)
		return err_set(err, ERR_BUSY, "the queue is nearly full (%llu of %lld messages) and would discard its oldest "
		    "commands; start more workers, or look at it with `aegis command ls`",
		    (unsigned long long)state.messages, (long long)state.max_messages);
	atomic_store(&s->room, room);
	atomic_store(&s->looked, now);
	return ERR_OK;
}

/* find_room: for one command. */
static enum err_code
find_room(struct sender *s, struct err *err)
{
	while (!sender_take_room(s)) {
		enum err_code code = sender_look(s, err);
		if (code != ERR_OK)
			return code;
	}
	return ERR_OK;
}

static void
fill_envelope(const struct sender *s, const struct send_spec *spec, const char *id, char trace[ID_UUID_MAX],
    struct envelope *e)
{
	envelope_init(e, ENVELOPE_COMMAND);
	e->message_id = text_of(id);
	e->trace_id = text_of(trace_id_told(spec->trace_id, spec->traceparent, trace));
	e->source = text_of(source_text(&s->source));
	e->target = text_of(spec->service);
	e->command = text_of(spec->command);
	if (spec->payload.p != NULL)
		e->payload = (struct value){ .type = VALUE_RAW, .u.raw = spec->payload };
	e->priority = spec->priority;
	e->max_retries = spec->max_retries;
	e->timeout_s = spec->timeout_ns > 0 ? ns_seconds(spec->timeout_ns) : SENDER_TIMEOUT_S;
}

enum err_code
sender_encode(const struct sender *s, const struct send_spec *spec, const char *id, struct str *out, struct err *err)
{
	char trace[ID_UUID_MAX];
	struct envelope e;
	enum err_code code = trace_parent_check(spec->traceparent, err);

	if (code != ERR_OK)
		return code;
	fill_envelope(s, spec, id, trace, &e);
	return envelope_encode(&e, s->format, clock_wall(clock_system()), out, err);
}

const struct conn_header *
sender_headers(const char *traceparent, struct conn_header h[2])
{
	h[0] = (struct conn_header){ "traceparent", traceparent };
	h[1] = (struct conn_header){ NULL, NULL };
	return traceparent != NULL ? h : NULL;
}

static enum err_code
store(struct sender *s, const struct send_spec *spec, struct send_outcome *out, struct err *err)
{
	struct str body = STR_INIT;
	struct conn_header headers[2];
	struct pub_ack ack;

	enum err_code code = sender_encode(s, spec, out->id, &body, err);
	if (code == ERR_OK)
		code = publisher_send_wait(s->publisher, &(struct publication){
			.subject = subject_command(spec->service, spec->command).s, .id = out->id,
			.headers = sender_headers(spec->traceparent, headers),
			.data = body.p, .n = body.len, .timeout_ns = conn_timeout_ns(s->conn), .gate = spec->gate, .pass = spec->pass,
		}, &ack, err);
	if (code == ERR_OK) {
		out->seq = ack.seq;
		out->duplicate = ack.duplicate;
	}
	str_release(&body);
	return code;
}

/* --- following ---------------------------------------------------------------------------- */

void
sender_hear(struct sender *s, struct heard *h, struct msg *m)
{
	struct msg *gone = m;

	pthread_mutex_lock(&s->lock);
	if (strncmp(msg_subject(m), "commands.callback.", 18) == 0) {
		if (h->completion == NULL) {
			h->completion = m;
			gone = NULL;
		}
	} else if (strncmp(msg_subject(m), "commands.progress.", 18) == 0) {
		gone = NULL;
		if (h->n == SENDER_HEARD_MAX) {
			gone = h->progress[h->first];
			h->first = (h->first + 1) % SENDER_HEARD_MAX;
			h->n--;
		}
		h->progress[(h->first + h->n++) % SENDER_HEARD_MAX] = m;
	}
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	msg_free(gone);
}

void
sender_heard(struct heard *h, struct msg **progress, struct msg **completion)
{
	*progress = *completion = NULL;
	if (h->n > 0) {
		*progress = h->progress[h->first];
		h->first = (h->first + 1) % SENDER_HEARD_MAX;
		h->n--;
	} else {
		*completion = h->completion;
		h->completion = NULL;
	}
}

void
sender_forget(struct heard *h)
{
	for (; h->n > 0; h->n--, h->first = (h->first + 1) % SENDER_HEARD_MAX)
		msg_free(h->progress[h->first]);
	msg_free(h->completion);
	h->completion = NULL;
}

/* on_word: on the delivering thread. */
static void
on_word(void *arg, struct msg *m)
{
	struct sending *x = arg;

	MAGIC_CHECK(x, SENDING_MAGIC);
	sender_hear(x->sender, &x->heard, m);
}

void
sender_pass_progress(const struct send_spec *spec, struct msg *m)
{
	struct command_progress p;

	/* What cannot be read is not worth an error: the command goes on. */
	if (spec->progress != NULL &&
	    command_progress_decode(codec_mine(), msg_data(m), msg_size(m), &p, NULL) == ERR_OK)
		spec->progress(spec->arg, &p);
	msg_free(m);
}

bool
sender_missed(const struct sender *s, const struct send_outcome *out, struct err *err)
{
	struct stored m;

	if (out->seq == 0)
		return false;
	enum err_code code = stream_get(s->conn, "COMMANDS", out->seq, &m, err);
	if (code == ERR_OK)
		msg_free(m.msg);
	if (code != ERR_NOT_FOUND)
		return false;
	err_set(err, ERR_OUTCOME_UNKNOWN, "the command %s ended while the connection was lost; how is not known, but what "
	    "failed is among the dead letters", out->id);
	return true;
}

/* look_later: or never, when there were looks enough. */
static void
look_later(struct sending *x)
{
	int64_t pause = sender_look_pause(x->looks);

	x->look = pause < 0 ? MONO_NEVER : mono_after(clock_mono(clock_system()), pause);
}

/* wait_for: something, or the time to look whether it was missed; the lock is held. */
static void
wait_for(struct sender *s, struct sending *x, struct mono end)
{
	for (;;) {
		if (x->links != s->links) {
			x->links = s->links;
			x->looks = 0;
			look_later(x);
		}
		struct mono until = x->look.ns < end.ns ? x->look : end;
		if (x->heard.n > 0 || x->heard.completion != NULL || s->stopped || !thread_cond_wait(&s->changed, &s->lock, until))
			return;
	}
}

/* hear: the next progress, or the completion when there is none before it; neither when the time
 * is over, or to look, or the sender was stopped (true). */
static bool
hear(struct sender *s, struct sending *x, struct mono end, struct msg **progress, struct msg **completion)
{
	pthread_mutex_lock(&s->lock);
	wait_for(s, x, end);
	bool stopped = s->stopped;
	sender_heard(&x->heard, progress, completion);
	pthread_mutex_unlock(&s->lock);
	return stopped;
}

enum err_code
sender_judge(const struct msg *m, struct send_outcome *out, struct err *err)
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

int64_t
sender_wait_ns(const struct send_spec *spec)
{
	return spec->wait_ns > 0 ? spec->wait_ns : spec->timeout_ns > 0 ? spec->timeout_ns
	    : (int64_t)(SENDER_TIMEOUT_S * 1e9);
}

void
sender_say_late(const struct send_outcome *out, int64_t wait_ns, struct err *err)
{
	err_set(err, ERR_TIMEOUT, "the command %s is stored and not known to have ended after %.1f s; a worker may "
	    "still run it", out->id, ns_seconds(wait_ns));
}

static enum err_code
follow(struct sender *s, const struct send_spec *spec, struct sending *x, struct send_outcome *out, struct err *err)
{
	int64_t wait_ns = sender_wait_ns(spec);
	struct mono end = mono_after(clock_mono(clock_system()), wait_ns);
	struct msg *progress, *completion;
	struct err look;
	bool stopped;

	for (;;) {
		stopped = hear(s, x, end, &progress, &completion);
		if (progress != NULL) {
			sender_pass_progress(spec, progress);
			continue;
		}
		if (completion == NULL && !stopped && mono_reached(clock_mono(clock_system()), x->look)) {
			x->looks++;
			look_later(x);
			err_clear(&look);
			bool gone = sender_missed(s, out, &look), before = x->gone;
			x->gone = gone;
			if (!gone || !before)
				continue;	/* the first look may overtake the completion */
			if (err != NULL)
				*err = look;
			return look.code;
		}
		if (completion == NULL)
			break;
		enum err_code code = sender_judge(completion, out, err);
		msg_free(completion);
		return code;
	}
	if (stopped)
		return err_set(err, ERR_CLOSED, "the handle was closed while the command was under way");
	sender_say_late(out, wait_ns, err);
	return ERR_TIMEOUT;
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

/* retired: the library is done with x; on one of its threads. */
static void
retired(void *arg)
{
	struct sending *x = arg;
	struct sender *s = x->sender;

	sender_forget(&x->heard);
	MAGIC_WIPE(x);
	mem_free(x);
	leave(s);
}

/* track: a sending that hears, counted as a call of its own until it is retired, because the caller
 * does not wait for the end of its subscription: that takes as long as half a command. */
static struct sending *
track(struct sender *s, const char *id, struct sub **sub, struct err *err)
{
	struct sending *x = mem_new(sizeof *x);
	char subject[SEND_ID_MAX + 16];

	*x = (struct sending){ .magic = SENDING_MAGIC, .sender = s, .look = MONO_NEVER };
	snprintf(subject, sizeof subject, "commands.*.%s", id);
	*sub = sub_new(&(struct sub_opts){ .conn = s->conn, .subject = subject, .handler = on_word, .arg = x }, err);
	if (*sub == NULL) {
		mem_free(x);
		return NULL;
	}
	pthread_mutex_lock(&s->lock);
	x->links = s->links;
	s->sending++;
	pthread_mutex_unlock(&s->lock);
	return x;
}

static enum err_code
send_tracked(struct sender *s, const struct send_spec *spec, struct send_outcome *out, struct err *err)
{
	struct sub *sub;
	struct sending *x = track(s, out->id, &sub, err);

	if (x == NULL)
		return ERR_UNAVAILABLE;
	/* One connection, so the server sees the subscription before the command. */
	enum err_code code = store(s, spec, out, err);
	if (code == ERR_OK)
		code = follow(s, spec, x, out, err);
	sub_retire(sub, retired, x);
	return code;
}

enum err_code
sender_name(const struct send_spec *spec, struct send_outcome *out, struct err *err)
{
	if (spec->id == NULL)
		id_uuid4(out->id);
	else if (subject_token_ok(text_of(spec->id)))
		snprintf(out->id, sizeof out->id, "%s", spec->id);
	else
		return err_set(err, ERR_INVALID, "command id '%.64s': it must be one word without '.', '*', '>' and blanks",
		    spec->id);
	return ERR_OK;
}

enum err_code
sender_send(struct sender *s, const struct send_spec *spec, struct send_outcome *out, struct err *err)
{
	enum err_code code;

	MAGIC_CHECK(s, SENDER_MAGIC);
	if ((code = sender_name(spec, out, err)) != ERR_OK)
		return code;
	if (!enter(s))
		return err_set(err, ERR_CLOSED, "the handle is being closed");
	struct mono began = clock_mono(clock_system());
	if ((code = find_room(s, err)) == ERR_OK)
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
