/* observe.h - how a group is, without taking part (election.md §8): who leads, since when, the last
 * changes, each register, and why nobody leads.
 *
 * A register does not tell how old it is in anybody else's time, so an observer looks again: who
 * holds a quorum leads if it still moves, and leads no more if it stood still for Lw.  The first
 * look is therefore never certain, and observe() takes as long as it needs: a few ms with a
 * leader, Lw without.  Where most nodes are away AEGIS_META does not answer; then a register that does tells what
 * the set is.  Everything blocks; not on the loop. */
#ifndef ELECTION_OBSERVE_H
#define ELECTION_OBSERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "codec/lease.h"
#include "codec/register.h"
#include "election/lease.h"
#include "election/site.h"

struct conn;
struct observer;
struct pack;

struct observed_register {
	unsigned number;		/* of its stream */
	char node[129];			/* where it lies; "" on a server that is alone */
	bool reached;
	char why[200];			/* why it is not, or what is wrong with its stream; "" otherwise */
	enum register_reading reading;	/* LOST, BLANK, UNREADABLE or VALUE */
	uint64_t revision;
	struct lease_record record;	/* of VALUE */
	int64_t age_ns;			/* since it was seen to move; at least that long while `moved` is false */
	bool moved;			/* while we looked */
};

struct observed {
	char service[65], group[129];
	struct site_facts site;
	bool certain;			/* whether somebody leads is known */
	bool led;
	char instance[129];		/* the leader, or the last one known; "" */
	uint64_t epoch;
	struct wall since;		/* 0: not known */
	enum lease_obstacle obstacle;	/* CLEAR with a leader; UNPINNED: too few registers answer;
					   NOT_ELIGIBLE: all is well, but no member takes it */
	char no_records[200];		/* why AEGIS_META could not be read, though a register was: profile and changes are
					   not known then, and the other registers only as far as they answer; "" */
	bool known;			/* AEGIS_META has a record of the group */
	struct lease_group_record record;
	struct lease_changes changes;
	struct observed_register reg[LEASE_REGISTERS];	/* site.n of them */
};

/* observed_register_holds(g): a value was read from it, which g->record is. */
static inline bool
observed_register_holds(const struct observed_register *g)
{
	return g->reached && g->reading == REGISTER_VALUE;
}

/* observed_register_state(g): the mark of that value, or why there is none: "lost", "blank", "unreadable". */
const char *observed_register_state(const struct observed_register *g);

/* observed_register_name(g, out): of its bucket. */
#define OBSERVED_NAME_MAX 20
void observed_register_name(const struct observed_register *g, char out[OBSERVED_NAME_MAX]);

/* observed_pack_registers(p, s), observed_pack_changes(p, s): the members "registers" and "changes" of the map that
 * is being written, as the JSON of `aegis elect --observe` and of GET /api/groups has them. */
void observed_pack_registers(struct pack *p, const struct observed *s);
void observed_pack_changes(struct pack *p, const struct observed *s);

/* observer_new(c, service, group, err): ERR_INVALID for what cannot be a name; waits for nothing. */
struct observer *observer_new(struct conn *c, const char *service, const char *group, struct err *err);
void observer_free(struct observer *o);		/* NULL is fine */

/* observer_look(o, out, err): one round of leader reads.  ERR_NOT_FOUND: no election was ever held here, or
 * not in this group; ERR_UNAVAILABLE, ERR_TIMEOUT: NATS does not answer. */
enum err_code observer_look(struct observer *o, struct observed *out, struct err *err);

/* observe(c, service, group, out, err): looks until it is certain. */
enum err_code observe(struct conn *c, const char *service, const char *group, struct observed *out, struct err *err);

/* observe_step_down(c, service, group, to, timeout_ns, err): asks the leader to resign, in favour of `to` if not
 * NULL.  ERR_OK when it has accepted; ERR_NO_MEMBER without a leader; ERR_NOT_ACTIVE with its words when it
 * refuses; ERR_TIMEOUT. */
enum err_code observe_step_down(struct conn *c, const char *service, const char *group, const char *to,
    int64_t timeout_ns, struct err *err);

#endif
