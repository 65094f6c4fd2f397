/* exclusive_guest.c - calls that are not, or not here, executed yet: they wait, go to the holder, or are refused.
 *
 * The loop's, from their delivery to their end.  What happens to one, relay.c decides. */
#include "messaging/exclusive_inner.h"

#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "codec/subject.h"

#define SWEEP_NS (10 * NS_PER_MS)	/* how late an end of budget, or a look again, may be noticed */
#define MARGIN_NS (100 * NS_PER_MS)

/* --- waiting ----------------------------------------------------------------------------- */

static void
unpark(struct guest *g)
{
	struct exclusive *x = g->x;

	if (!g->parked)
		return;
	g->parked = false;
	x->nparked--;
	x->parked_bytes -= g->bytes;
	atomic_store(&x->counters.waiting, x->nparked);
}

/* guest_end: out of every list; its call is still to be answered. */
static struct rpc_call *
guest_end(struct guest *g)
{
	struct rpc_call *call = g->call;

	unpark(g);
	if (g->number != 0)
		slots_leave(&g->x->slots, g->number);
	msg_free(g->answer);
	if (g->at != NULL) {
		*g->at = g->next;
		*(g->next != NULL ? &g->next->at : &g->x->last) = g->at;
	}
	mem_free(g);
	return call;
}

void
exclusive_guest_refuse(struct guest *g, enum err_code code, const char *why)
{
	struct exclusive *x = g->x;
	bool self = x->facts.stance != RELAY_STANDBY;

	if (code == ERR_OUTCOME_UNKNOWN)
		atomic_fetch_add(&x->counters.unknown, 1);
	rpc_call_lead(g->call, self ? x->o.instance : x->facts.epoch != 0 ? x->holder : NULL,
	    self ? x->facts.own : x->facts.epoch);
	rpc_refuse(guest_end(g), code, why);
}

/* refuse_standby: NOT_ACTIVE, counted by why. */
static void
refuse_standby(struct guest *g)
{
	static const char *const words[] = {
		[EXCLUSIVE_STANDBY] = "standby",
		[EXCLUSIVE_OLD] = "the call is meant for another leadership, or waited too long",
		[EXCLUSIVE_LATE] = "no leader was found in time",
		[EXCLUSIVE_FULL] = "too many calls wait for a leader",
	};
	struct exclusive *x = g->x;
	enum exclusive_refusal why = EXCLUSIVE_FULL;

	if (g->old)
		why = EXCLUSIVE_OLD;
	else if (g->relay.direct)
		why = EXCLUSIVE_STANDBY;
	else if (mono_reached(exclusive_now(x), g->relay.until))
		why = EXCLUSIVE_LATE;
	atomic_fetch_add(&x->counters.refused[why], 1);
	exclusive_guest_refuse(g, ERR_NOT_ACTIVE, words[why]);
}

static void
park(struct guest *g)
{
	struct exclusive *x = g->x;

	if (g->parked)
		return;
	g->parked = true;
	x->nparked++;
	x->parked_bytes += g->bytes;
	atomic_fetch_add(&x->counters.parked, 1);
	atomic_store(&x->counters.waiting, x->nparked);
}

static struct relay_facts
facts_for(const struct guest *g)
{
	struct relay_facts f = g->x->facts;

	if (f.stance == RELAY_HOLDS && atomic_load(&g->x->paused))
		f.stance = RELAY_SUSPECT;
	f.room = g->parked || (g->x->nparked < RELAY_PARKED_MAX && g->x->parked_bytes + g->bytes <= RELAY_PARKED_BYTES);
	return f;
}

/* --- to the holder ----------------------------------------------------------------------- */

static enum err_code
send_on(struct guest *g)
{
	struct exclusive *x = g->x;
	struct data request = rpc_call_request(g->call);
	char reply[CONN_INBOX_MAX + 20], left[24], epoch[24];
	struct conn_header h[6];
	size_t n = 0;

	if (g->number == 0 && (g->number = slots_take(&x->slots, g)) == 0)
		return ERR_BUSY;
	snprintf(reply, sizeof reply, "%s.%016llx", x->inbox, (unsigned long long)g->number);
	snprintf(left, sizeof left, "%lld", (long long)(mono_since(g->relay.until, exclusive_now(x)) / NS_PER_MS));
	snprintf(epoch, sizeof epoch, "%llu", (unsigned long long)g->relay.asked);
	h[n++] = (struct conn_header){ "Aegis-Epoch", epoch };
	h[n++] = (struct conn_header){ "Aegis-Relayed-By", x->o.instance };
	h[n++] = (struct conn_header){ "Aegis-Deadline", left };
	if (g->relay.idempotent)
		h[n++] = (struct conn_header){ "Aegis-Idempotent", "1" };
	const char *parent = rpc_call_header(g->call, "traceparent");
	if (parent != NULL)
		h[n++] = (struct conn_header){ "traceparent", parent };
	h[n] = (struct conn_header){ NULL, NULL };
	return conn_publish(x->o.conn, &(struct conn_msg){
		.subject = subject_direct(x->o.service, x->holder, rpc_call_method(g->call)).s, .reply = reply,
		.headers = h, .data = request.p, .n = request.n, .urgent = true,
	}, NULL);
}

/* pass_on: the holder's reply is the answer. */
static void
pass_on(struct guest *g)
{
	struct msg *answer = g->answer;

	g->answer = NULL;
	rpc_pass_on(guest_end(g), answer);
	msg_free(answer);
}

/* drop_answer: what was kept does not count, and the call goes another way. */
static void
drop_answer(struct guest *g)
{
	msg_free(g->answer);
	g->answer = NULL;
}

/* apply: carries out what the relay asks for; g is gone when its call is over. */
static void
apply(struct guest *g, enum relay_action what)
{
	struct exclusive *x = g->x;
	struct relay_facts f;

	if (what == RELAY_PASS) {
		pass_on(g);
		return;
	}
	if (g->relay.state != RELAY_KEPT)
		drop_answer(g);
	while (what == RELAY_EXECUTE || what == RELAY_SEND) {
		if (what == RELAY_EXECUTE) {
			enum gate_answer answer = exclusive_gate(x, g->call, g->epoch);
			if (answer == GATE_OPEN) {
				rpc_call_again(guest_end(g));
				return;
			}
			g->old = answer == GATE_OLD;
			f = facts_for(g);
			what = relay_shut(&g->relay, &f, exclusive_now(x));
		} else if (unpark(g), send_on(g) == ERR_OK) {
			atomic_fetch_add(&x->counters.relayed, 1);
			return;
		} else {
			f = facts_for(g);
			what = relay_step(&g->relay, RELAY_EV_UNSENT, &f, exclusive_now(x));
		}
	}
	if (what == RELAY_UNKNOWN)
		exclusive_guest_refuse(g, ERR_OUTCOME_UNKNOWN, "the leader that had the call was lost before it answered");
	else if (what == RELAY_REFUSE || g->old)
		refuse_standby(g);
	else if (g->relay.state == RELAY_PARKED)
		park(g);
}

static void
step(struct guest *g, enum relay_event ev)
{
	struct relay_facts f = facts_for(g);

	apply(g, relay_step(&g->relay, ev, &f, exclusive_now(g->x)));
}

static void
on_sweep(void *arg)
{
	exclusive_look(arg);
}

void
exclusive_guest_replied(struct guest *g, struct msg *answer, bool refused)
{
	struct relay_facts f = facts_for(g);

	g->number = 0;
	g->answer = answer;
	apply(g, relay_step(&g->relay, refused ? RELAY_EV_REFUSED : RELAY_EV_ANSWERED, &f, exclusive_now(g->x)));
}

void
exclusive_arrange(struct exclusive *x)
{
	if (x->guests != NULL && !loop_timer_pending(&x->sweep))
		loop_timer_set(x->o.loop, &x->sweep, mono_after(exclusive_now(x), SWEEP_NS), on_sweep, x);
}

void
exclusive_look(struct exclusive *x)
{
	struct guest *next;

	for (struct guest *g = x->guests; g != NULL; g = next) {
		next = g->next;
		step(g, RELAY_EV_LOOK);
	}
	exclusive_arrange(x);
}

/* --- arrival and end --------------------------------------------------------------------- */

static void
guest_deliver(struct mail *m)
{
	struct guest *g = CONTAINER_OF(m, struct guest, mail);
	struct exclusive *x = g->x;

	g->at = x->last;
	*x->last = g;
	x->last = &g->next;
	if (g->old)
		refuse_standby(g);
	else
		step(g, RELAY_EV_LOOK);
	exclusive_arrange(x);
}

static void
guest_discard(struct mail *m)
{
	struct guest *g = CONTAINER_OF(m, struct guest, mail);

	exclusive_guest_refuse(g, ERR_NOT_ACTIVE, "the service is stopping");
}

/* budget_end: a little before the caller gives up, so that a refusal reaches it as one: after a
 * time-out it would have to think that the call was executed. */
static struct mono
budget_end(const struct rpc_call *call)
{
	struct mono now = clock_mono(clock_system());
	int64_t left = mono_since(rpc_call_deadline(call), now);

	left -= left / 10 < MARGIN_NS ? left / 10 : MARGIN_NS;
	return mono_after(now, left < RELAY_BUDGET_NS ? left : RELAY_BUDGET_NS);
}

struct guest *
exclusive_guest_new(struct exclusive *x, struct rpc_call *call, uint64_t epoch)
{
	struct guest *g = mem_new(sizeof *g);
	const char *idempotent = rpc_call_header(call, "Aegis-Idempotent");

	*g = (struct guest){ .mail = { .deliver = guest_deliver, .discard = guest_discard }, .x = x, .call = call,
	    .epoch = epoch, .bytes = rpc_call_request(call).n };
	g->relay.until = budget_end(call);
	g->relay.direct = rpc_call_is_direct(call) || rpc_call_header(call, "Aegis-Relayed-By") != NULL;
	g->relay.idempotent = idempotent != NULL && strcmp(idempotent, "1") == 0;
	return g;
}

void
exclusive_end(struct exclusive *x)
{
	loop_discard(x->o.loop, guest_deliver);
	while (x->guests != NULL) {
		struct guest *g = x->guests;
		bool sent = g->relay.state == RELAY_SENT || g->relay.state == RELAY_KEPT;
		exclusive_guest_refuse(g, sent ? ERR_OUTCOME_UNKNOWN : ERR_NOT_ACTIVE, "the service is stopping");
	}
	loop_timer_cancel(x->o.loop, &x->sweep);
}
