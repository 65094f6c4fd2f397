/* run_service_inner.h - inside `aegis run-service`: the wrapper's state, shared by the phases of its
 * life (run_service.c) and its part in an election (run_service_lead.c). */
#ifndef APP_RUN_SERVICE_INNER_H
#define APP_RUN_SERVICE_INNER_H

#include <stdatomic.h>

#include "app/handoff.h"
#include "app/run_service.h"
#include "messaging/micro.h"
#include "sys/loop.h"
#include "sys/pool.h"

struct central;
struct intake;
struct lead;
struct member;
struct metrics;
struct outgoing;
struct publisher;
struct tether;
struct traffic;

#define PHASES(X) \
	X(ASKING)	/* is a live process registered under our id? */ \
	X(RUNNING)	/* the program is wanted */ \
	X(LEAVING)	/* the record is being removed */ \
	X(LINGERING)	/* serving callers that have not noticed */ \
	X(DRAINING)	/* finishing the calls that arrived */ \
	X(STOPPING)	/* the program is being stopped */ \
	X(RELEASING)	/* the lease, if there is one, is given back */ \
	X(OVER)

enum phase {
#define X(name) PHASE_##name,
	PHASES(X)
#undef X
};

struct service {
	const struct run_service_opts *o;
	struct loop *loop;
	struct central *central;
	struct run_service_live live;
	struct conn *conn;		/* central's */
	struct pool *pool;
	struct member *member;
	struct runner *runner;
	struct handoff handoff;
	struct guard *guard;		/* NULL: nothing is validated */
	struct traffic *traffic;	/* told in heartbeats */
	struct publisher *publisher;	/* of dead letters, and of the program's own events */
	struct outgoing *outgoing;	/* NULL without a local API */
	struct lead *lead;		/* its part in an election; NULL without --single-active */
	struct tether *tether;		/* of the lease to the program; likewise */
	struct intake *intake;		/* commands and events for the program */
	struct metrics *metrics;	/* NULL without --metrics-listen */
	char *election;			/* as the metrics name it: SERVICE/GROUP */
	char *instance, *metadata;

	enum phase phase;
	bool member_started, child_gone, twin;
	bool unfit;			/* for the election; never to be helped */
	int exit_code, by_signal;
	struct loop_timer timer;

	struct mail linked;		/* the connection came up; matters while ASKING */
	atomic_bool is_linked;		/* that mail was posted */
	struct pool_job probe, drain;
	enum micro_presence presence;
	unsigned unanswered;
};

/* service_enter(s, next): the one place where a phase begins. */
void service_enter(struct service *s, enum phase next);

/* service_tie(s, terms, err): with --single-active, the tether of the program to the lease; else terms
 * stay empty.  service_lapsed: what the runner tells of it. */
enum err_code service_tie(struct service *s, struct tether_terms *terms, struct err *err);
void service_lapsed(void *arg);

/* service_open_lead(s, err): the part in an election, if there is one. */
enum err_code service_open_lead(struct service *s, struct err *err);

#endif
