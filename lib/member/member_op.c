/* member_op.c - what a tenure asks for, carried out on a worker: each is one or two round trips. */
#include "member/member_op.h"

#include <string.h>

#include "base/magic.h"
#include "messaging/micro.h"
#include "model/instance.h"
#include "registry/registry.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define PROBE_AGAIN_NS (100 * NS_PER_MS)
#define EARLY_NS NS_PER_S	/* after the bus came back, nobody's silence proves a death */
#define PROBE_NS NS_PER_S	/* a live twin on the same bus answers in microseconds */

static enum err_code
open_registry(struct member_ground *g, struct err *err)
{
	if (g->registry == NULL)
		g->registry = registry_new(&(struct registry_opts){ .conn = g->conn, .create = true }, err);
	return g->registry != NULL ? ERR_OK : ERR_UNAVAILABLE;
}

static void
work_put(struct member_op *op)
{
	struct member_ground *g = op->ground;
	uint64_t revision = 0;
	enum err_code code = registry_put_instance(g->registry, op->record, op->ttl_s, op->expect, &revision, &op->err);

	op->result.revision = revision;
	if (code == ERR_OK)
		op->result.kind = TENURE_EV_PUT_DONE;
	else if (code == ERR_EXISTS || code == ERR_REVISION)
		op->result.kind = TENURE_EV_PUT_CONFLICT;
}

static void
work_read(struct member_op *op)
{
	struct member_ground *g = op->ground;
	struct instance i;
	uint64_t revision = 0;
	enum err_code code = registry_get_instance(g->registry, g->service, g->instance, &i, &revision, &op->err);

	op->result.revision = revision;
	if (code == ERR_INSTANCE_UNKNOWN) {
		op->result.kind = TENURE_EV_READ_NONE;
	} else if (code == ERR_CORRUPT) {
		/* Nobody can be asked about a record that cannot be read; its revision tells
		 * whether somebody still writes it. */
		op->result = (struct tenure_event){ TENURE_EV_READ_OTHER, revision, (int64_t)revision, true };
	} else if (code == ERR_OK) {
		bool mine = i.nonce != NULL && strcmp(i.nonce, g->nonce) == 0;
		op->result.kind = mine ? TENURE_EV_READ_MINE : TENURE_EV_READ_OTHER;
		op->result.heartbeat = i.last_heartbeat.ns;
		op->result.foreign = i.nonce == NULL;
		instance_release(&i);
	}
}

static void
work_probe(struct member_op *op)
{
	static const enum tenure_event_kind kinds[] = {
		[MICRO_NOBODY] = TENURE_EV_PROBE_NOBODY,
		[MICRO_SILENT] = TENURE_EV_PROBE_SILENT,
		[MICRO_OTHER] = TENURE_EV_PROBE_OTHER,
	};
	struct member_ground *g = op->ground;
	enum micro_presence who;

	enum err_code code = micro_probe(g->conn, g->service, g->instance, g->nonce, PROBE_NS, &who, &op->err);
	/* One that registered just now may not have reached the server with its subscriptions:
	 * nobody is nobody when it is so twice. */
	if (code == ERR_OK && who == MICRO_NOBODY) {
		thread_pause(PROBE_AGAIN_NS);
		code = micro_probe(g->conn, g->service, g->instance, g->nonce, PROBE_NS, &who, &op->err);
	}
	if (code == ERR_OK)
		op->result.kind = kinds[who];
	int64_t back_ns = atomic_load(&g->back_ns);
	if (op->result.kind == TENURE_EV_PROBE_NOBODY && back_ns != 0 &&
	    mono_since(clock_mono(clock_system()), (struct mono){ back_ns }) < EARLY_NS)
		op->result.kind = TENURE_EV_PROBE_EARLY;
}

static void
work_remove(struct member_op *op)
{
	struct member_ground *g = op->ground;

	if (registry_remove_instance(g->registry, g->service, g->instance, op->expect, &op->err) == ERR_OK)
		op->result.kind = TENURE_EV_REMOVED;
}

void
member_op_work(struct pool_job *job)
{
	struct member_op *op = CONTAINER_OF(job, struct member_op, job);

	op->result = (struct tenure_event){ .kind = TENURE_EV_FAILED };
	if (open_registry(op->ground, &op->err) != ERR_OK)
		return;
	switch (op->what) {
	case TENURE_PUT:
		work_put(op);
		break;
	case TENURE_READ:
		work_read(op);
		break;
	case TENURE_PROBE:
		work_probe(op);
		break;
	case TENURE_REMOVE:
		work_remove(op);
		break;
	case TENURE_NOTHING:
		break;
	}
	/* The bucket may be gone, or made anew with other abilities: look at it again. */
	if (op->result.kind == TENURE_EV_FAILED) {
		registry_free(op->ground->registry);
		op->ground->registry = NULL;
	}
}
