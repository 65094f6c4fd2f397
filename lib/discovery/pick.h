/* pick.h - choosing one instance of a service.  Pure: the caller passes time and chance. */
#ifndef DISCOVERY_PICK_H
#define DISCOVERY_PICK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/instant.h"
#include "discovery/breaker.h"
#include "model/definition.h"
#include "model/instance.h"

enum pick_strategy { PICK_ROUND_ROBIN, PICK_RANDOM, PICK_STICKY, PICK_LEAST_INFLIGHT };

/* What survives the versions of an instance's record: how many calls of ours it works on, and whether
 * it answers. */
struct peer {
	atomic_long refs;
	atomic_uint inflight;
	struct breaker breaker;
};

/* One instance as readers see it: immutable, shared by the snapshots that hold it. */
struct member_entry {
	atomic_long refs;
	struct instance *instance;
	struct peer *peer;
	uint64_t revision;
};

/* One definition as readers see it: immutable, shared like the instances. */
struct defined {
	atomic_long refs;
	char *name;			/* its key: who wrote it may have called it something else inside */
	struct definition *definition;
	uint64_t revision;
};

/* Round robin's counter, kept over versions of the group. */
struct turn {
	atomic_long refs;
	atomic_uint next;
};

/* All instances of one service, ordered by id. */
struct service_group {
	atomic_long refs;
	char *name;
	struct turn *turn;
	size_t n;
	struct member_entry *v[];
};

struct pick_opts {
	enum pick_strategy strategy;
	const char *preferred;		/* STICKY: this one if it is usable, else the first */
	struct wall now;
	int64_t stale_ns;
	uint64_t chance;		/* RANDOM and LEAST_INFLIGHT: drawn anew; ROUND_ROBIN: always the
					   same, where this process begins */
};

/* pick(g, o): a usable, fresh member, or NULL when there is none.  No lock, no allocation;
 * least in-flight looks at all members of small groups and at four drawn ones of large
 * groups, the least busy of which is nearly as good and does not cost a walk. */
const struct member_entry *pick(const struct service_group *g, const struct pick_opts *o);

/* pick_admitted(g, o, first, avoid, now): first, which pick chose, if its breaker admits it and it is not
 * the one to avoid (an id, or NULL); else another that may be picked and whose breaker is closed;
 * else the one whose pause ends, or ended, first; the one to avoid only when there is no other. */
const struct member_entry *pick_admitted(const struct service_group *g, const struct pick_opts *o,
    const struct member_entry *first, const char *avoid, struct mono now);

bool pick_strategy_parse(const char *text, enum pick_strategy *out);	/* "round_robin", … */
const char *pick_strategy_name(enum pick_strategy s);

#endif
