/* command.c - a command, from sending it to hearing of its completion; against a bare
 * request-reply of messages of the same length, which stores nothing.
 *
 * The worker and its queue are of a service of our own; the durable goes, and the queue is
 * emptied, when the side is closed. */
#include <stdio.h>

#include "base/mem.h"
#include "bench/node.h"
#include "bench/side.h"
#include "codec/subject.h"
#include "messaging/sender.h"
#include "messaging/worker.h"
#include "nats/consumer.h"
#include "nats/raw.h"
#include "nats/stream.h"
#include "sys/loop.h"
#include "sys/pool.h"

#define COMMAND "run"
#define WAIT_NS (5 * NS_PER_S)

struct command_side {
	struct node serving, sending;
	char name[SIDE_NAME_MAX];
	struct worker *worker;
	struct sender *sender;
	struct send_spec spec;
	struct str payload;
	struct raw *raw;
};

static void
on_job(void *arg, struct job *job)
{
	struct command_side *s = arg;

	job_done(job, s->spec.payload);
}

static enum err_code
once(void *arg, struct mono *ended, struct err *err)
{
	struct command_side *s = arg;
	struct send_outcome o;

	(void)ended;
	send_outcome_init(&o);
	enum err_code code = sender_send(s->sender, &s->spec, &o, err);
	send_outcome_release(&o);
	return code;
}

static void
leave(void *arg)
{
	worker_leave(arg);
}

/* clean: nothing of ours stays in the queue. */
static void
clean(struct command_side *s)
{
	struct subject durable = subject_command_durable(s->name, COMMAND), subject = subject_command(s->name, COMMAND);

	if (s->sending.conn == NULL)
		return;
	consumer_remove(s->sending.conn, stream_id_name(STREAM_COMMANDS), durable.s, NULL);
	stream_purge(s->sending.conn, stream_id_name(STREAM_COMMANDS), subject.s, NULL);
}

static void
close_side(void *arg)
{
	struct command_side *s = arg;

	raw_free(s->raw);
	sender_stop(s->sender);
	node_stop(&s->sending);
	pool_free(s->sending.pool);	/* before the sender, whose questions it may work on */
	s->sending.pool = NULL;
	sender_free(s->sender);
	if (s->worker != NULL && s->serving.thread.runs && loop_call(s->serving.loop, leave, s->worker, WAIT_NS, NULL) == ERR_OK)
		worker_drain(s->worker, WAIT_NS);
	node_stop(&s->serving);
	worker_free(s->worker);
	node_close(&s->serving);
	clean(s);
	node_close(&s->sending);
	str_release(&s->payload);
	mem_free(s);
}

static const struct bench_ops ops = { .once = once, .close = close_side };

static enum err_code
open_ours(struct command_side *s, const struct bench_env *env, struct err *err)
{
	enum err_code code;

	if ((code = node_open(&s->sending, env->conn, node_flusher_us(env->in_flight), err)) != ERR_OK ||
	    (code = node_open(&s->serving, env->conn, node_flusher_us(env->in_flight), err)) != ERR_OK)
		return code;
	side_payload(env, 1, &s->payload);
	s->spec = (struct send_spec){
		.service = s->name, .command = COMMAND, .payload = { env->format, s->payload.p, s->payload.len },
		.timeout_ns = WAIT_NS, .track = true, .priority = PRIORITY_NORMAL,
	};
	s->worker = worker_new(&(struct worker_opts){
		.conn = s->serving.conn, .loop = s->serving.loop, .pool = s->serving.pool, .publisher = s->serving.publisher,
		.service = s->name, .instance = s->name, .command = COMMAND, .max_running = env->in_flight,
		.window = env->in_flight < WORKER_WINDOW_MAX / 2 ? 0 : WORKER_WINDOW_MAX, .handler = on_job, .arg = s,
	}, err);
	if (s->worker == NULL)
		return err->code;
	s->sender = sender_new(&(struct sender_opts){
		.conn = s->sending.conn, .publisher = s->sending.publisher, .loop = s->sending.loop, .pool = s->sending.pool,
		.source = s->name, .format = env->format,
	});
	if ((code = node_run(&s->serving, err)) != ERR_OK)
		return code;
	return node_run(&s->sending, err);
}

/* --- bare -------------------------------------------------------------------------------- */

static enum err_code
raw_side_once(void *arg, struct mono *ended, struct err *err)
{
	(void)ended;
	return raw_once(((struct command_side *)arg)->raw, err);
}

static enum err_code
raw_side_start(void *arg, unsigned slot, struct err *err)
{
	return raw_start(((struct command_side *)arg)->raw, slot, err);
}

static const struct bench_ops raw_ops = { .once = raw_side_once, .start = raw_side_start, .close = close_side };

static enum err_code
open_raw(struct command_side *s, const struct bench_env *env, struct err *err)
{
	struct str message = STR_INIT;

	side_envelope(env, ENVELOPE_COMMAND, s->name, &message);
	s->raw = raw_new(&(struct raw_opts){
		.servers = env->conn->servers, .access = env->conn, .flusher_wait_us = node_flusher_us(env->in_flight),
		.request = message.p, .nrequest = message.len, .reply = message.p, .nreply = message.len,
	}, err);
	str_release(&message);
	if (s->raw == NULL)
		return err->code;
	raw_on_reply(s->raw, env->hook.done, env->hook.arg);
	return ERR_OK;
}

enum err_code
command_side_open(const struct bench_env *env, enum bench_which which, struct bench_side *out, struct err *err)
{
	struct command_side *s = mem_new(sizeof *s);

	side_name(env, BENCH_OURS, s->name);
	enum err_code code = which == BENCH_RAW ? open_raw(s, env, err) : open_ours(s, env, err);
	if (code != ERR_OK)
		close_side(s);
	else
		*out = (struct bench_side){ which == BENCH_RAW ? &raw_ops : &ops, s };
	return code;
}
