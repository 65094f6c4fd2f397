/* rpc.c - one RPC: caller and inline echo handler, each with a connection of its own, against a
 * bare request-reply of messages of the same length over two plain ones.
 *
 * The instances beside it are those of another service, all in one group: what a heartbeat costs
 * who only calls is that group made anew. */
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "bench/fleet.h"
#include "bench/node.h"
#include "bench/side.h"
#include "discovery/discovery.h"
#include "messaging/caller.h"
#include "messaging/methods.h"
#include "messaging/server.h"
#include "nats/raw.h"

#define SEE_NS (10 * NS_PER_S)
#define METHOD "echo"

struct flight {
	struct rpc_side *side;
	unsigned slot;
};

struct rpc_side {
	struct node server, client;
	char name[SIDE_NAME_MAX], crowd_name[SIDE_NAME_MAX + 8], instance[SIDE_NAME_MAX + 8];
	struct methods *methods;
	struct rpc_server *serving;
	struct fleet *self, *crowd;	/* the server's own record; those beside it */
	unsigned ncrowd;
	struct caller *caller;
	struct call_spec spec;
	struct str params;
	struct bench_hook hook;
	struct flight *flights;
	struct raw *raw;
};

static void
on_call(void *arg, struct rpc_call *c)
{
	(void)arg;
	rpc_answer_value(c, rpc_call_envelope(c)->payload, NULL);
}

static enum err_code
once(void *arg, struct mono *ended, struct err *err)
{
	struct rpc_side *s = arg;
	struct call_reply reply;
	enum err_code code = caller_call(s->caller, &s->spec, &reply, err);

	(void)ended;
	call_reply_release(&reply);
	return code;
}

static void
on_done(void *arg, const struct call_reply *reply, const struct err *err)
{
	struct flight *f = arg;

	(void)reply;
	f->side->hook.done(f->side->hook.arg, f->slot, err != NULL && err->code != ERR_OK ? err : NULL);
}

static enum err_code
start(void *arg, unsigned slot, struct err *err)
{
	struct rpc_side *s = arg;

	return caller_start(s->caller, &s->spec, on_done, &s->flights[slot], err);
}

static enum err_code
crowd(void *arg, bool present, struct err *err)
{
	struct rpc_side *s = arg;
	enum err_code code = present ? fleet_come(s->crowd, err) : fleet_go(s->crowd, err);

	if (code == ERR_OK && !fleet_seen(s->client.discovery, s->crowd_name, present ? s->ncrowd : 0, SEE_NS))
		code = err_set(err, ERR_TIMEOUT, "the caller did not see %u instances %s within 10 s", s->ncrowd,
		    present ? "come" : "go");
	return code;
}

static void
close_side(void *arg)
{
	struct rpc_side *s = arg;

	raw_free(s->raw);
	fleet_free(s->crowd);
	fleet_free(s->self);
	caller_stop(s->caller);
	node_stop(&s->client);
	caller_free(s->caller);
	rpc_server_free(s->serving);
	node_close(&s->client);
	node_close(&s->server);
	methods_free(s->methods);
	str_release(&s->params);
	mem_free(s->flights);
	mem_free(s);
}

static const struct bench_ops ops = { .once = once, .start = start, .close = close_side };
static const struct bench_ops crowded_ops = { .once = once, .start = start, .crowd = crowd, .close = close_side };

/* open_server: the service of our own, and its record. */
static enum err_code
open_server(struct rpc_side *s, const struct bench_env *env, struct err *err)
{
	enum err_code code = node_open(&s->server, env->conn, node_flusher_us(env->in_flight), err);

	if (code != ERR_OK)
		return code;
	snprintf(s->instance, sizeof s->instance, "%s-00001", s->name);
	s->methods = methods_new();
	s->serving = rpc_server_new(&(struct rpc_server_opts){
		.conn = s->server.conn, .service = s->name, .instance = s->instance,
		.methods = (const char *const[]){ METHOD, NULL }, .stats = s->methods, .handler = on_call, .arg = s,
	}, err);
	if (s->serving == NULL || conn_flush(s->server.conn, SEE_NS, err) != ERR_OK ||
	    (s->self = fleet_new(env->conn, s->name, 1, err)) == NULL)
		return err->code;
	return fleet_come(s->self, err);
}

static enum err_code
open_ours(struct rpc_side *s, const struct bench_env *env, struct err *err)
{
	bool own = env->service == NULL;
	enum err_code code = own ? open_server(s, env, err) : ERR_OK;

	if (code != ERR_OK || (code = node_open(&s->client, env->conn, node_flusher_us(env->in_flight), err)) != ERR_OK)
		return code;
	s->caller = caller_new(&(struct caller_opts){
		.conn = s->client.conn, .discovery = s->client.discovery, .loop = s->client.loop, .source = s->name,
		.format = env->format,
	}, err);
	if (s->caller == NULL || (code = node_run(&s->client, err)) != ERR_OK)
		return err->code;
	if (own && !fleet_seen(s->client.discovery, s->name, 1, SEE_NS))
		return err_set(err, ERR_TIMEOUT, "the service of the benchmark did not show in discovery within 10 s");
	if (own || env->params == NULL)
		side_payload(env, 1, &s->params);
	s->spec = (struct call_spec){
		.service = own ? s->name : env->service, .method = own ? METHOD : env->method,
		.params = env->params != NULL ? (struct data){ DATA_JSON, env->params, strlen(env->params) }
					      : (struct data){ env->format, s->params.p, s->params.len },
	};
	if (env->instances == 0)
		return ERR_OK;
	s->crowd = fleet_new(env->conn, s->crowd_name, env->instances, err);
	return s->crowd != NULL ? crowd(s, true, err) : err->code;
}

static enum err_code
raw_side_once(void *arg, struct mono *ended, struct err *err)
{
	(void)ended;
	return raw_once(((struct rpc_side *)arg)->raw, err);
}

static enum err_code
raw_side_start(void *arg, unsigned slot, struct err *err)
{
	return raw_start(((struct rpc_side *)arg)->raw, slot, err);
}

static const struct bench_ops raw_ops = { .once = raw_side_once, .start = raw_side_start, .close = close_side };

static enum err_code
open_raw(struct rpc_side *s, const struct bench_env *env, struct err *err)
{
	struct str request = STR_INIT, reply = STR_INIT;

	side_envelope(env, ENVELOPE_REQUEST, s->name, &request);
	side_envelope(env, ENVELOPE_RESPONSE, s->instance, &reply);
	s->raw = raw_new(&(struct raw_opts){
		.servers = env->conn->servers, .access = env->conn, .flusher_wait_us = node_flusher_us(env->in_flight),
		.request = request.p, .nrequest = request.len, .reply = reply.p, .nreply = reply.len,
	}, err);
	str_release(&request);
	str_release(&reply);
	if (s->raw == NULL)
		return err->code;
	raw_on_reply(s->raw, env->hook.done, env->hook.arg);
	return ERR_OK;
}

enum err_code
rpc_side_open(const struct bench_env *env, enum bench_which which, struct bench_side *out, struct err *err)
{
	struct rpc_side *s = mem_new(sizeof *s);

	side_name(env, BENCH_OURS, s->name);
	snprintf(s->crowd_name, sizeof s->crowd_name, "%s-crowd", s->name);
	snprintf(s->instance, sizeof s->instance, "%s-00001", s->name);
	s->ncrowd = env->instances;
	s->hook = env->hook;
	s->flights = mem_array(env->in_flight, sizeof *s->flights);
	for (unsigned i = 0; i < env->in_flight; i++)
		s->flights[i] = (struct flight){ s, i };
	enum err_code code = which == BENCH_RAW ? open_raw(s, env, err) : open_ours(s, env, err);
	if (code != ERR_OK)
		close_side(s);
	else
		*out = (struct bench_side){ which == BENCH_RAW ? &raw_ops : env->instances > 0 ? &crowded_ops : &ops, s };
	return code;
}
