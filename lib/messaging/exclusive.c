/* exclusive.c - the shell around relay.c: admits calls, and hears who leads.
 *
 * A call that may run never comes here but for a look at the gate.  All others are mailed to
 * the loop, which owns them from there on (exclusive_guest.c), so that nothing there needs a lock. */
#include "messaging/exclusive_inner.h"

#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/num.h"

#define BAD_EPOCH UINT64_MAX		/* of a header that is no number: nobody's */

/* --- admission --------------------------------------------------------------------------- */

enum gate_answer
exclusive_gate(struct exclusive *x, struct rpc_call *call, uint64_t epoch)
{
	uint64_t pass;
	enum gate_answer answer = gate_enter(x->o.gate, epoch, &pass);

	if (answer != GATE_OPEN)
		return answer;
	rpc_call_lead(call, x->o.instance, atomic_load(&x->o.gate->opening));
	rpc_call_hold(call, x->o.gate, pass);
	atomic_fetch_add(&x->counters.executed, 1);
	return GATE_OPEN;
}

static uint64_t
epoch_of(const struct rpc_call *call)
{
	struct text header = rpc_call_header_text(call, "Aegis-Epoch");
	uint64_t epoch = 0;

	if (header.p != NULL && (!num_uint_n(header.p, header.n, &epoch) || epoch == 0))
		return BAD_EPOCH;
	return epoch;
}

/* post: to the loop, which owns it from there on. */
static void
post(struct exclusive *x, struct rpc_call *call, uint64_t epoch, bool old)
{
	struct guest *g = exclusive_guest_new(x, call, epoch);

	g->old = old;
	if (loop_post(x->o.loop, &g->mail) == ERR_OK)
		return;
	atomic_fetch_add(&x->counters.refused[EXCLUSIVE_FULL], 1);
	mem_free(g);
	rpc_call_lead(call, NULL, 0);
	rpc_refuse(call, ERR_NOT_ACTIVE, "too many calls wait for the wrapper");
}

void
exclusive_call(struct exclusive *x, struct rpc_call *call)
{
	uint64_t epoch = epoch_of(call);

	MAGIC_CHECK(x, EXCLUSIVE_MAGIC);
	/* One that came by way of the loop has its lease already. */
	enum gate_answer answer = rpc_call_epoch(call) != 0 ? GATE_OPEN
	    : atomic_load(&x->paused) ? GATE_WAIT : exclusive_gate(x, call, epoch);
	if (answer == GATE_OPEN) {
		x->o.handler(x->o.arg, call);
		return;
	}
	post(x, call, epoch, answer == GATE_OLD);
}

void
exclusive_return(struct exclusive *x, struct rpc_call *call)
{
	MAGIC_CHECK(x, EXCLUSIVE_MAGIC);
	if (x->closed) {
		rpc_refuse_lapsed(call);
		return;
	}
	rpc_call_release(call);
	post(x, call, epoch_of(call), false);
}

/* --- what is known ----------------------------------------------------------------------- */

void
exclusive_pause(struct exclusive *x, bool on)
{
	if (atomic_exchange(&x->paused, on) != on)
		exclusive_look(x);
}

void
exclusive_stance(struct exclusive *x, enum relay_stance s, uint64_t epoch)
{
	x->facts.stance = s;
	x->facts.own = epoch;
	exclusive_look(x);
}

void
exclusive_holder(struct exclusive *x, const char *instance, uint64_t epoch, uint64_t let_go)
{
	if (epoch != 0)
		snprintf(x->holder, sizeof x->holder, "%s", instance);
	x->facts.epoch = epoch;
	x->facts.let_go = let_go;
	exclusive_look(x);
}

void
exclusive_released(struct exclusive *x, uint64_t epoch)
{
	if (epoch <= x->facts.released)
		return;
	x->facts.released = epoch;
	exclusive_look(x);
}

const struct exclusive_counters *
exclusive_counters(const struct exclusive *x)
{
	return &x->counters;
}

bool
exclusive_covers(const struct exclusive *x, const char *method)
{
	for (size_t i = 0; x->methods != NULL && x->methods[i] != NULL; i++)
		if (strcmp(x->methods[i], method) == 0)
			return true;
	return x->methods == NULL;
}

/* --- its life ---------------------------------------------------------------------------- */

struct exclusive *
exclusive_new(const struct exclusive_opts *o, struct err *err)
{
	struct exclusive *x = mem_new(sizeof *x);
	char all[CONN_INBOX_MAX + 4];

	x->magic = EXCLUSIVE_MAGIC;
	x->o = *o;
	x->o.service = mem_text(o->service);
	x->o.instance = mem_text(o->instance);
	x->methods = mem_texts(o->methods);
	x->last = &x->guests;
	slots_init(&x->slots, EXCLUSIVE_SENT_MAX);
	exclusive_pause_init(x);
	exclusive_pause_after(x, o->pause_ns);
	conn_inbox(o->conn, x->inbox);
	snprintf(all, sizeof all, "%s.*", x->inbox);
	x->sub = sub_new(&(struct sub_opts){ .conn = o->conn, .subject = all, .handler = exclusive_relayed, .arg = x,
	    .max_pending = 2 * EXCLUSIVE_SENT_MAX }, err);
	if (x->sub != NULL)
		return x;
	exclusive_free(x);
	return NULL;
}

void
exclusive_close(struct exclusive *x)
{
	if (x == NULL)
		return;
	MAGIC_CHECK(x, EXCLUSIVE_MAGIC);
	x->closed = true;
	if (x->sub != NULL)
		sub_stop(x->sub);
	exclusive_relayed_discard(x);
	exclusive_end(x);
	loop_timer_cancel(x->o.loop, &x->pulse);
}

void
exclusive_free(struct exclusive *x)
{
	if (x == NULL)
		return;
	exclusive_close(x);
	MUST(!x->flushing);		/* the pool was freed before */
	sub_free(x->sub);
	slots_release(&x->slots);
	mem_texts_free(x->methods);
	mem_free((char *)(uintptr_t)x->o.service);
	mem_free((char *)(uintptr_t)x->o.instance);
	MAGIC_WIPE(x);
	mem_free(x);
}
