/* member_op.h - inside lib/member: one operation of a tenure on the store, from the loop to a worker and back.
 *
 * At most one of a member is under way, so the registry, which only operations use, needs no lock. */
#ifndef MEMBER_MEMBER_OP_H
#define MEMBER_MEMBER_OP_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "member/tenure.h"
#include "sys/pool.h"

struct conn;
struct instance;
struct registry;

/* Whose record it is, and how the store is reached; the texts are the member's. */
struct member_ground {
	struct conn *conn;
	const char *service, *instance, *nonce;
	struct registry *registry;	/* made by the first operation that reaches NATS; the member frees it */
	atomic_llong back_ns;		/* when the bus came (back) up; 0: it was there when we came */
};

struct member_op {
	struct pool_job job;		/* its work is member_op_work */
	struct member_ground *ground;
	enum tenure_op what;
	uint64_t expect;
	struct instance *record;	/* PUT: what to write */
	int64_t ttl_s;			/* and how long it lives */
	struct tenure_event result;	/* what the tenure is told; FAILED with err */
	struct err err;
};

void member_op_work(struct pool_job *job);

#endif
