/* site_inner.h - what the files of the shell share: users of a site, mails to them, links.
 *
 * Threads hand everything over as a site_mail: the loop looks up for whom it is by a number that
 * is never used again, so what arrives late for an elector that is gone meets nobody. */
#ifndef ELECTION_SITE_INNER_H
#define ELECTION_SITE_INNER_H

#include <stdatomic.h>

#include "codec/lease.h"
#include "election/link.h"
#include "election/site.h"
#include "nats/conn.h"
#include "sys/loop.h"
#include "sys/pool.h"

#define SITE_MAILS_MAX 4096	/* on their way to the loop at once; vital ones besides */

struct site_user;

/* What a user of the site hears, on the loop. */
struct site_calls {
	void (*ready)(struct site_user *u);			/* the set is known, links exist */
	void (*link)(struct site_user *u, unsigned reg);	/* link_up(reg) changed */
	void (*view)(struct site_user *u, unsigned reg, const struct link_view *v);
	void (*answer)(struct site_user *u, unsigned reg, const struct link_answer *a);
};

struct site_user {
	struct site_user *next;
	uint32_t number;		/* of the site's; 0: not joined */
	const char *gid;
	const struct site_calls *calls;
	struct sub *watch[LEASE_REGISTERS];	/* the links' */
};

struct site_mail {
	struct mail mail;
	struct site *site;
	uint32_t user;			/* 0: the site itself */
	void (*act)(struct site *s, struct site_user *u, struct site_mail *m);	/* u NULL with user 0; then m is freed */
};

/* The set, as prepare.c finds or makes it. */
struct site_set {
	struct lease_set set;
	bool replicated;
};

struct site {
	unsigned magic;
	struct site_opts o;
	struct conn_opts access;	/* its texts are ours */
	struct pool *pool;		/* AEGIS_META and flushes */
	struct site_user *users;
	uint32_t last_user;
	struct link *link[LEASE_REGISTERS];
	struct site_facts facts;	/* the loop's */
	pthread_t preparer;
	bool prepares;			/* the thread is to be joined */
	atomic_int urgency;		/* of the links' threads (sys/urgent.h) */
	_Atomic bool stop;
	_Atomic unsigned mails;
	_Atomic uint64_t dropped;
};

/* site_join(s, u): ready() follows, at once or later, always from a mail. */
void site_join(struct site *s, struct site_user *u);
void site_leave(struct site *s, struct site_user *u);

/* site_post(s, m, user, act): any thread; m is mem_new's and taken over.  When too many are on their
 * way it is dropped and counted, unless it is vital: false then. */
bool site_post(struct site *s, struct site_mail *m, uint32_t user,
    void (*act)(struct site *s, struct site_user *u, struct site_mail *m), bool vital);

/* site_prepare(c, o, stop, out, err): finds or makes the set (prepare.c).  Blocks, for as long as somebody else is
 * making it; ends early when *stop. */
enum err_code site_prepare(struct conn *c, const struct site_opts *o, const _Atomic bool *stop, struct site_set *out,
    struct err *err);

/* site_load(c, out, err): the set as it stands, ready or ERR_NOT_FOUND.  site_replace(c, s, r, err): makes the stream of
 * register r anew, on a node that has no other; only ever on an operator's word. */
enum err_code site_load(struct conn *c, struct site_set *out, struct err *err);
enum err_code site_replace(struct conn *c, struct site_set *s, unsigned r, struct err *err);

/* Another set of registers in place of the one there is (migrate.c). */
struct site_change {
	struct lease_set old, fresh;
	uint64_t revision;		/* of the record, which says `old` */
};

/* site_build(c, n, out, err): makes the streams of a set of n registers, n another one than the present set's; the record
 * goes on to say the present one, but is written before each step, so that of two who do this one fails with
 * ERR_REVISION.  site_switch(c, s, err): the record says the new one from now on.  Only ever on an operator's word. */
enum err_code site_build(struct conn *c, unsigned n, struct site_change *out, struct err *err);
enum err_code site_switch(struct conn *c, struct site_change *s, struct err *err);

/* site_servers(c): how many servers are known. */
unsigned site_servers(struct conn *c);

#endif
