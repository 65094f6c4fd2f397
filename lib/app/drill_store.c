/* drill_store.c - a fence of one lane, so that what is stored has one order.
 *
 * That a call is under way delays no hand-over: who may store is the stream's to judge, and that it does is what
 * the drill is to show. */
#include "app/drill_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "bench/drill.h"
#include "messaging/fence.h"
#include "nats/conn.h"
#include "nats/publisher.h"
#include "sys/pool.h"

#define THREADS 3			/* two calls, and the fence */
#define QUEUE 256			/* calls; beyond it they are refused */
#define RAISE_NS NS_PER_S		/* one attempt */

struct drill_store {
	struct drill_store_opts o;
	struct pool *pool;
	struct publisher *publisher;
	struct fence *fence;
	struct sub *sub;
	struct pool_job raise;
	uint64_t epoch;			/* of the hold; 0: none */
	bool raising, raised;
};

/* One call; freed when the loop gets it back. */
struct storing {
	struct pool_job job;
	struct drill_store *store;
	struct msg *msg;
	uint64_t req;
};

static void
answer(struct drill_store *s, const char *reply, uint64_t req, uint64_t epoch, enum drill_outcome outcome)
{
	const struct drill_stored a = { .req = req, .epoch = epoch, .outcome = outcome };

	conn_publish(s->o.conn, &(struct conn_msg){ .subject = reply, .data = &a, .n = sizeof a, .urgent = true }, NULL);
}

static enum drill_outcome
outcome_of(enum err_code code)
{
	switch (code) {
	case ERR_OK: return DRILL_STORED;
	case ERR_NOT_ACTIVE: case ERR_TIMEOUT: return DRILL_REFUSED;	/* both: certainly not stored */
	default: return DRILL_NOBODY_KNOWS;
	}
}

static void
store(struct pool_job *job)
{
	struct storing *c = CONTAINER_OF(job, struct storing, job);
	struct gate *gate = elector_gate(c->store->o.elector);
	uint64_t epoch = atomic_load(&gate->opening);
	char id[24];
	struct err err;

	snprintf(id, sizeof id, "%" PRIu64, c->req);
	enum err_code code = fence_publish(c->store->fence, &(struct event_out){ .domain = DRILL_DOMAIN, .type = DRILL_TYPE,
	    .format = DATA_JSON, .message_id = id }, NULL, &err);
	/* Under another hold than the one that it began in: which one stored it is not known here. */
	if (code == ERR_OK && atomic_load(&gate->opening) != epoch)
		code = ERR_OUTCOME_UNKNOWN;
	answer(c->store, msg_reply(c->msg), c->req, epoch, outcome_of(code));
}

static void
stored(struct pool_job *job)
{
	struct storing *c = CONTAINER_OF(job, struct storing, job);

	msg_free(c->msg);
	mem_free(c);
}

static void
on_call(void *arg, struct msg *m)
{
	struct drill_store *s = arg;
	struct drill_call call;

	if (msg_size(m) != sizeof call || msg_reply(m) == NULL) {
		msg_free(m);
		return;
	}
	memcpy(&call, msg_data(m), sizeof call);
	struct storing *c = mem_new(sizeof *c);
	*c = (struct storing){ .job = { .work = store, .done = stored }, .store = s, .msg = m, .req = call.req };
	if (pool_run(s->pool, &c->job) != ERR_OK) {
		answer(s, msg_reply(m), call.req, 0, DRILL_REFUSED);
		stored(&c->job);
	}
}

/* --- the fence --------------------------------------------------------------------------- */

static void
work_raise(struct pool_job *job)
{
	struct drill_store *s = CONTAINER_OF(job, struct drill_store, raise);
	struct err err;

	s->raised = fence_raise(s->fence, RAISE_NS, &err) == ERR_OK;
}

static void
on_raised(struct pool_job *job)
{
	CONTAINER_OF(job, struct drill_store, raise)->raising = false;
}

void
drill_store_look(struct drill_store *s)
{
	if (s->epoch != 0 && fence_deposed(s->fence) > s->epoch)
		elector_deposed(s->o.elector, fence_deposed(s->fence));
	if (s->epoch != 0 && !s->raising && !s->raised)
		s->raising = pool_run(s->pool, &s->raise) == ERR_OK;
}

void
drill_store_role(struct drill_store *s, const struct elector_role *role)
{
	bool leads = role->state == LEASE_ACTIVE || role->state == LEASE_SUSPECT;
	uint64_t epoch = leads ? role->epoch : 0;

	if (epoch == s->epoch)
		return;
	s->epoch = epoch;
	fence_hold(s->fence, epoch);
	s->raised = false;
	drill_store_look(s);
}

struct drill_store *
drill_store_new(const struct drill_store_opts *o, struct err *err)
{
	struct drill_store *s = mem_new(sizeof *s);
	char subject[128];

	s->o = *o;
	s->raise = (struct pool_job){ .work = work_raise, .done = on_raised };
	snprintf(subject, sizeof subject, DRILL_STORE ".%s", o->nonce);
	if ((s->pool = pool_new(o->loop, THREADS, QUEUE, err)) == NULL ||
	    (s->publisher = publisher_new(&(struct publisher_opts){ .conn = o->conn, .loop = o->loop }, err)) == NULL)
		return NULL;
	s->fence = fence_new(&(struct fence_opts){ .conn = o->conn, .publisher = s->publisher, .gate = elector_gate(o->elector),
	    .gid = elector_gid(o->elector), .instance = o->id, .lanes = 1 });
	s->sub = sub_new(&(struct sub_opts){ .conn = o->conn, .subject = subject, .handler = on_call, .arg = s }, err);
	/* The process ends when it fails, and at its end in any case: nothing is freed. */
	return s->sub != NULL ? s : NULL;
}
