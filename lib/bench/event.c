/* event.c - publishing events, and their way to a handler in another process; against JetStream
 * publications of the same length into the same stream.
 *
 * The events are real ones, in EVENTS, under a domain of their own; they are purged, and the
 * durables removed, when the side is closed. */
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "bench/node.h"
#include "bench/peer.h"
#include "bench/side.h"
#include "codec/subject.h"
#include "messaging/events.h"
#include "nats/raw_stream.h"
#include "nats/stream.h"

#define TYPE "tick"

struct flight {
	struct event_side *side;
	unsigned slot;
};

struct event_side {
	struct node node;
	struct bench_env env;
	enum bench_which which;
	char name[SIDE_NAME_MAX];
	struct subject subject;
	struct str body;		/* the payload; bare: the whole message */
	struct event_out out;
	struct raw_stream *raw;
	struct flight *flights;
	struct peer *peer;		/* of the handler pattern */
	uint64_t number;
};

/* --- publishing -------------------------------------------------------------------------- */

static enum err_code
publish(void *arg, struct mono *ended, struct err *err)
{
	struct event_side *s = arg;

	(void)ended;
	return event_publish_wait(s->node.publisher, &s->out, NULL, err);
}

static void
on_stored(void *arg, const struct pub_ack *ack, const struct err *err)
{
	struct flight *f = arg;

	(void)ack;
	f->side->env.hook.done(f->side->env.hook.arg, f->slot, err);
}

static enum err_code
publish_start(void *arg, unsigned slot, struct err *err)
{
	struct event_side *s = arg;

	return event_publish(s->node.publisher, &s->out, on_stored, &s->flights[slot], err);
}

static enum err_code
bare_publish(void *arg, struct mono *ended, struct err *err)
{
	struct event_side *s = arg;

	(void)ended;
	return raw_publish(s->raw, s->subject.s, s->body.p, s->body.len, err);
}

static enum err_code
bare_publish_start(void *arg, unsigned slot, struct err *err)
{
	struct event_side *s = arg;

	return raw_publish_start(s->raw, s->subject.s, s->body.p, s->body.len, slot, err);
}

/* --- to a handler ------------------------------------------------------------------------ */

static enum err_code
handled(void *arg, struct mono *ended, struct err *err)
{
	struct event_side *s = arg;

	str_clear(&s->body);
	side_payload(&s->env, ++s->number, &s->body);
	s->out.payload = (struct data){ s->env.format, s->body.p, s->body.len };
	enum err_code code = publish(s, ended, err);
	return code == ERR_OK ? peer_await(s->peer, s->number, ended, err) : code;
}

static enum err_code
bare_handled(void *arg, struct mono *ended, struct err *err)
{
	struct event_side *s = arg;

	s->number++;
	memcpy(s->body.p, &s->number, sizeof s->number);
	enum err_code code = bare_publish(s, ended, err);
	return code == ERR_OK ? peer_await(s->peer, s->number, ended, err) : code;
}

/* --- opening and closing ----------------------------------------------------------------- */

/* clean: nothing of ours stays in the stream.  Failures are not told: a server that is gone
 * has been told of already, and the stream's limits do the rest. */
static void
clean(struct event_side *s)
{
	struct subject durable = subject_event_durable(s->name, s->subject.s, NULL);

	if (s->node.conn == NULL)
		return;
	if (s->peer != NULL)
		consumer_remove(s->node.conn, stream_id_name(STREAM_EVENTS), s->which == BENCH_RAW ? s->name : durable.s, NULL);
	stream_purge(s->node.conn, stream_id_name(STREAM_EVENTS), s->subject.s, NULL);
}

static void
close_side(void *arg)
{
	struct event_side *s = arg;

	if (s->peer != NULL)
		peer_close(s->peer);
	raw_stream_free(s->raw);
	if (s->node.publisher != NULL)
		publisher_flush(s->node.publisher, NS_PER_S);
	clean(s);
	node_close(&s->node);
	str_release(&s->body);
	mem_free(s->flights);
	mem_free(s);
}

static const struct bench_ops publish_ops[] = {
	[BENCH_OURS] = { .once = publish, .start = publish_start, .close = close_side },
	[BENCH_RAW] = { .once = bare_publish, .start = bare_publish_start, .close = close_side },
};

static const struct bench_ops handler_ops[] = {
	[BENCH_OURS] = { .once = handled, .close = close_side },
	[BENCH_RAW] = { .once = bare_handled, .close = close_side },
};

/* open_connection: both sides have a node: the bare one's is for cleaning only. */
static enum err_code
open_connection(struct event_side *s, struct err *err)
{
	int64_t wait_us = node_flusher_us(s->env.in_flight);
	enum err_code code = node_open(&s->node, s->env.conn, s->which == BENCH_OURS ? wait_us : 0, err);

	if (code != ERR_OK || (code = stream_ensure(s->node.conn, STREAM_EVENTS, 0, NULL, err)) != ERR_OK)
		return code;
	if (s->which == BENCH_OURS) {
		side_payload(&s->env, 1, &s->body);
		s->out = (struct event_out){ .domain = s->name, .type = TYPE, .source = s->name, .format = s->env.format,
		    .payload = { s->env.format, s->body.p, s->body.len } };
		return node_run(&s->node, err);
	}
	side_envelope(&s->env, ENVELOPE_EVENT, s->name, &s->body);
	s->raw = raw_stream_new(&(struct raw_stream_opts){ .access = s->env.conn, .flusher_wait_us = wait_us,
	    .done = s->env.hook.done, .arg = s->env.hook.arg }, err);
	return s->raw != NULL ? ERR_OK : err->code;
}

static enum err_code
open_side(const struct bench_env *env, enum bench_which which, bool handler, struct bench_side *out, struct err *err)
{
	struct event_side *s = mem_new(sizeof *s);

	s->env = *env;
	s->which = which;
	side_name(env, which, s->name);
	s->subject = subject_event(s->name, TYPE);
	s->flights = mem_array(env->in_flight, sizeof *s->flights);
	for (unsigned i = 0; i < env->in_flight; i++)
		s->flights[i] = (struct flight){ s, i };
	enum err_code code = open_connection(s, err);
	if (code == ERR_OK && handler) {
		s->peer = env->peers[which];
		MUST(s->peer != NULL);
		code = peer_open(s->peer, which == BENCH_RAW, s->name, s->subject.s, err);
	}
	if (code != ERR_OK)
		close_side(s);
	else
		*out = (struct bench_side){ handler ? &handler_ops[which] : &publish_ops[which], s };
	return code;
}

enum err_code
publish_side_open(const struct bench_env *env, enum bench_which which, struct bench_side *out, struct err *err)
{
	return open_side(env, which, false, out, err);
}

enum err_code
handler_side_open(const struct bench_env *env, enum bench_which which, struct bench_side *out, struct err *err)
{
	return open_side(env, which, true, out, err);
}
