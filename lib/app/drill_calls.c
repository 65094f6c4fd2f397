/* drill_calls.c - a server, the way past the gate, and an answer that says nothing. */
#include "app/drill_calls.h"

#include <stdatomic.h>

#include "base/magic.h"
#include "base/mem.h"
#include "bench/drill.h"
#include "discovery/leaders.h"
#include "messaging/exclusive.h"
#include "messaging/methods.h"
#include "messaging/server.h"
#include "nats/conn.h"
#include "sys/pool.h"

#define THREADS 2			/* a flush after a pause; the drain */
#define QUEUE 4
#define DRAIN_NS (6 * NS_PER_S)
#define FLUSH_NS NS_PER_S

struct drill_calls {
	struct conn *conn;
	struct pool *pool;
	struct methods *stats;
	struct exclusive *exclusive;
	struct rpc_server *server;
	struct elector_role role;
	struct elector_holder holder;
	struct leaders *leaders;	/* only for what beats say of holds that were released */
	struct mail news;		/* they said something */
	atomic_bool posted;
	struct loop *loop;
	struct pool_job drain;
	void (*done)(void *arg);
	void *arg;
};

static void
execute(void *arg, struct rpc_call *call)
{
	(void)arg;
	rpc_answer_value(call, (struct value){ .type = VALUE_MAP }, NULL);
}

static void
on_call(void *arg, struct rpc_call *call)
{
	exclusive_call(((struct drill_calls *)arg)->exclusive, call);
}

static void
tell(struct drill_calls *c)
{
	enum relay_stance s = c->role.state == LEASE_ACTIVE ? RELAY_HOLDS
	    : c->role.state == LEASE_SUSPECT ? RELAY_SUSPECT : RELAY_STANDBY;
	bool other = c->holder.epoch != 0 && !c->holder.self;

	exclusive_stance(c->exclusive, s, s != RELAY_STANDBY ? c->role.epoch : 0);
	exclusive_holder(c->exclusive, other ? c->holder.instance : "", other ? c->holder.epoch : 0, c->holder.let_go);
}

void
drill_calls_role(struct drill_calls *c, const struct elector_role *role)
{
	c->role = *role;
	tell(c);
}

void
drill_calls_holder(struct drill_calls *c, const struct elector_holder *holder)
{
	c->holder = *holder;
	tell(c);
}

static void
on_news(struct mail *m)
{
	struct drill_calls *c = CONTAINER_OF(m, struct drill_calls, news);
	struct leader now;

	atomic_store(&c->posted, false);
	leaders_get(c->leaders, ELECT_SERVICE, DRILL_GROUP, &now);
	exclusive_released(c->exclusive, now.released);
}

static void
on_beats(void *arg)
{
	struct drill_calls *c = arg;

	if (!atomic_exchange(&c->posted, true))
		loop_post(c->loop, &c->news);
}

void
drill_calls_pause_after(struct drill_calls *c, int64_t d_ns)
{
	exclusive_pause_after(c->exclusive, d_ns);
}

static void
work_drain(struct pool_job *job)
{
	struct drill_calls *c = CONTAINER_OF(job, struct drill_calls, drain);

	rpc_server_drain(c->server, DRAIN_NS);
	conn_flush(c->conn, FLUSH_NS, NULL);
}

static void
drained(struct pool_job *job)
{
	struct drill_calls *c = CONTAINER_OF(job, struct drill_calls, drain);

	c->done(c->arg);
}

void
drill_calls_drain(struct drill_calls *c, void (*done)(void *arg), void *arg)
{
	c->done = done;
	c->arg = arg;
	if (pool_run(c->pool, &c->drain) != ERR_OK)
		done(arg);
}

struct drill_calls *
drill_calls_new(struct loop *loop, struct conn *conn, const char *instance, struct gate *gate, struct err *err)
{
	struct drill_calls *c = mem_new(sizeof *c);

	c->conn = conn;
	c->loop = loop;
	c->news = (struct mail){ .deliver = on_news, .vital = true };
	c->drain = (struct pool_job){ .work = work_drain, .done = drained };
	c->stats = methods_new();
	if ((c->pool = pool_new(loop, THREADS, QUEUE, err)) == NULL)
		return NULL;
	c->exclusive = exclusive_new(&(struct exclusive_opts){ .conn = conn, .loop = loop, .pool = c->pool, .gate = gate,
	    .service = DRILL_SERVICE, .instance = instance, .handler = execute, .arg = c }, err);
	if (c->exclusive == NULL)
		return NULL;
	c->leaders = leaders_new(conn, on_beats, c);
	leaders_follow(c->leaders, ELECT_SERVICE);
	c->server = rpc_server_new(&(struct rpc_server_opts){ .conn = conn, .service = DRILL_SERVICE, .instance = instance,
	    .methods = (const char *const[]){ DRILL_METHOD, NULL }, .stats = c->stats, .handler = on_call, .arg = c }, err);
	/* The process ends when it fails, and at its end in any case: nothing is freed. */
	return c->server != NULL ? c : NULL;
}
