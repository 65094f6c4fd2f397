/* exclusive_inner.h - inside lib/messaging: exclusive calls from within.
 *
 * exclusive.c admits calls and hears who leads, exclusive_guest.c owns those that wait or went to
 * the holder, exclusive_reply.c takes the holder's replies, exclusive_pause.c notices that the process
 * stood still.  Everything here is the loop's, but for `paused`, the counters and exclusive_gate. */
#ifndef MESSAGING_EXCLUSIVE_INNER_H
#define MESSAGING_EXCLUSIVE_INNER_H

#include "base/slots.h"
#include "messaging/exclusive.h"
#include "messaging/relay.h"
#include "messaging/server.h"
#include "nats/conn.h"
#include "sys/gate.h"
#include "sys/loop.h"
#include "sys/pool.h"

#define EXCLUSIVE_MAGIC 0xe8c10001u
#define EXCLUSIVE_SENT_MAX 4096

/* One call that is not, or not here, executed yet. */
struct guest {
	struct mail mail;		/* on its way to the loop */
	struct exclusive *x;
	struct rpc_call *call;
	struct relay relay;
	uint64_t epoch;			/* Aegis-Epoch; 0: none */
	uint64_t number;		/* of the request to the holder; 0: none is out */
	struct msg *answer;		/* of the holder, while it is not known to count; NULL: none */
	size_t bytes;
	bool parked;			/* counts as such */
	bool old;			/* it may have waited in the socket, or means another hold: refused */
	struct guest *next, **at;
};

struct exclusive {
	unsigned magic;
	struct exclusive_opts o;
	const char *const *methods;	/* NULL: all */
	char inbox[CONN_INBOX_MAX];
	struct sub *sub;
	struct slots slots;		/* of requests to the holder */
	struct exclusive_counters counters;

	struct guest *guests, **last;	/* in the order in which they came */
	size_t nparked, parked_bytes;
	struct relay_facts facts;
	char holder[132];
	struct loop_timer sweep, pulse;
	atomic_bool paused;
	bool closed;

	/* After a pause. */
	int64_t pause_ns;
	struct boot beat;		/* when the loop was last seen turning */
	struct pool_job flush;
	bool flushing, flushed, again;	/* again: another pause while flushing */
};

static inline struct mono
exclusive_now(const struct exclusive *x)
{
	return clock_mono(loop_clock(x->o.loop));
}

/* exclusive_gate(x, call, epoch): past the gate if that is open, and then the call has its lease.  Any thread. */
enum gate_answer exclusive_gate(struct exclusive *x, struct rpc_call *call, uint64_t epoch);

/* exclusive_guest_new(x, call, epoch): owns call; to be posted to the loop, which owns the guest from there on. */
struct guest *exclusive_guest_new(struct exclusive *x, struct rpc_call *call, uint64_t epoch);

/* exclusive_guest_refuse(g, code, why): answers the call, and g is gone. */
void exclusive_guest_refuse(struct guest *g, enum err_code code, const char *why);

/* exclusive_guest_replied(g, answer, refused): the holder's reply, now g's; g may be gone afterwards. */
void exclusive_guest_replied(struct guest *g, struct msg *answer, bool refused);

/* exclusive_look(x): at all of them, because something changed or time went by. */
void exclusive_look(struct exclusive *x);

/* exclusive_arrange(x): somebody waits, so they are looked at again. */
void exclusive_arrange(struct exclusive *x);

/* exclusive_end(x): answers all of them; none comes after that. */
void exclusive_end(struct exclusive *x);

/* exclusive_relayed(x, m): a handler of a subscription (nats/conn.h): the holder's reply. */
void exclusive_relayed(void *x, struct msg *m);

/* exclusive_relayed_discard(x): those that the loop has not seen yet. */
void exclusive_relayed_discard(struct exclusive *x);

/* exclusive_pause_init(x): before exclusive_pause_after. */
void exclusive_pause_init(struct exclusive *x);

#endif
