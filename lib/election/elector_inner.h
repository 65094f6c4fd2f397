/* elector_inner.h - what the files of an elector share.
 *
 *	elector.c         life, the step, what the owner may call
 *	elector_act.c     the actions of a step
 *	elector_meta.c    the records of AEGIS_META, in the background
 *	elector_beat.c    fast beats, peers, control messages
 *	elector_status.c  the picture for other threads, the counters */
#ifndef ELECTION_ELECTOR_INNER_H
#define ELECTION_ELECTOR_INNER_H

#include "codec/beat.h"
#include "election/elector.h"
#include "election/site_inner.h"
#include "sys/urgent.h"

#define QUEUE_MAX 32		/* events that came while a step was being carried out */

struct elector_peer {
	struct lease_nonce nonce;
	char instance[129];
	bool hot;
	uint64_t epoch;			/* that its hold opened with, as it said last; 0: it does not lead */
	struct mono heard;
};

struct meta_job;

enum meta_kind { META_GROUP, META_LIVE, META_FLUSH, META_KINDS };

struct elector {
	unsigned magic;
	struct elector_opts o;
	char *service, *group, *instance, *profile, *fence, *gid;
	struct site_user user;
	struct loop *loop;
	const struct clock *clock;
	struct lease_nonce nonce;

	bool begun;			/* the lease exists: site and profile are known */
	bool failed;			/* cannot take part; why */
	struct err why;
	bool eligible;			/* the owner's last word */
	enum lease_reason unfit;
	bool up[LEASE_REGISTERS];	/* the lease was told LINK_UP */
	struct profile settings;
	struct lease lease;
	gate_word own_word;
	struct gate gate;

	/* Events wait while one is carried out, and those of the owner for the next turn. */
	struct lease_event queue[QUEUE_MAX];
	unsigned queued;
	bool stepping;
	struct loop_timer soon;
	int timer;			/* CLOCK_BOOTTIME */
	struct loop_fd *timer_fd;
	struct boot due;
	int64_t offset_ns;		/* REALTIME - BOOTTIME at the last step */
	bool offset_known;

	/* What the owner is told. */
	struct elector_role role;
	struct elector_holder holder;
	bool admits, ending, ended, measured;
	struct boot ending_since;

	/* What the registers show, with the names that the lease does not keep. */
	struct lease_record record[LEASE_REGISTERS];
	bool has_record[LEASE_REGISTERS];
	struct lease_record former;	/* the last value held by another */
	struct boot former_seen;
	bool has_former;
	uint64_t let_go;		/* as of elector_holder */
	struct lease_conn conns[LEASE_CONNS];
	unsigned n_conns;

	/* AEGIS_META. */
	struct meta_job *job[META_KINDS];
	struct loop_timer group_timer, live_timer;
	bool group_wanted;		/* the lease waits for GROUP */
	struct boot group_sent;
	bool group_missing;		/* there is no record: make one when Q registers were read */
	bool live_wanted;
	struct lease_change change;
	struct lease_changes changes;
	unsigned failures, group_failures;	/* to write, in a row */
	bool flush_again;		/* the clocks jumped once more while a flush was under way */

	struct urgent urgent;		/* of the loop's thread */

	/* Beats. */
	struct sub *beats, *control;
	struct loop_timer beat_timer;
	uint64_t beat_seq;
	uint64_t before;
	char how[17];
	struct elector_peer peer[LEASE_PEERS_MAX];
	unsigned n_peers;
	struct lease_peer fed[LEASE_PEERS_MAX];

	struct snapshot_cell status;
	struct mono told;
	struct elector_counters counters;
};

/* elector_event(e, ev): a step with it, now or after the one under way. */
void elector_event(struct elector *e, const struct lease_event *ev);

/* elector_later(e, ev): the same in the next turn of the loop: for what the owner calls. */
void elector_later(struct elector *e, const struct lease_event *ev);

/* elector_refuse(e, why): it cannot take part. */
void elector_refuse(struct elector *e, const struct err *why);

/* elector_begin(e, p): the profile is known; from now on there is a lease. */
void elector_begin(struct elector *e, const struct profile *p);

/* --- elector_act.c ------------------------------------------------------------------------ */
void elector_act(struct elector *e, const struct lease_actions *todo);
void elector_link(struct site_user *u, unsigned reg);
void elector_view(struct site_user *u, unsigned reg, const struct link_view *v);
void elector_answer(struct site_user *u, unsigned reg, const struct link_answer *a);
void elector_attach(struct elector *e);		/* to the links, once the lease exists */

/* --- elector_meta.c ----------------------------------------------------------------------- */
void meta_start(struct elector *e);		/* learn the group's profile; elector_begin follows */
void meta_group(struct elector *e, struct boot sent);	/* LEASE_DO_GROUP */
void meta_viewed(struct elector *e);		/* a register was read: perhaps the record can be made */
void meta_live(struct elector *e, uint64_t epoch, enum lease_reason reason);	/* LEASE_DO_META */
void meta_bar(struct elector *e);		/* the gate's bar, until a round trip on the data connection is over */
void meta_flush(struct elector *e);		/* that round trip, if none is under way */
void meta_end(struct elector *e);

/* --- elector_beat.c ----------------------------------------------------------------------- */
enum err_code beat_start(struct elector *e, struct err *err);
void beat_now(struct elector *e);
void beat_end(struct elector *e);
const struct elector_peer *beat_peer(const struct elector *e, const char *instance);
const struct elector_peer *beat_peer_of(const struct elector *e, struct lease_nonce nonce);

/* --- elector_status.c --------------------------------------------------------------------- */
void status_publish(struct elector *e);
void status_holder(struct elector *e);		/* tells the owner when another one holds the lease */
void status_role(struct elector *e, const struct lease_action *a);
void status_fail(struct elector *e, const struct err *why);
void status_free(struct elector *e);
void counters_init(struct elector_counters *c);
void counters_release(struct elector_counters *c);

#endif
