/* exclusive.c - the shell around relay.c: admits, parks, sends on, and refuses calls.
 *
 * A call that may run never comes here but for a look at the gate.  All others are mailed to
 * the loop, which owns them from there on, so that nothing below needs a lock. */
#include "messaging/exclusive.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/slots.h"
#include "base/str.h"
#include "codec/subject.h"
#include "messaging/route.h"
#include "messaging/server.h"
#include "nats/conn.h"
#include "sys/gate.h"
#include "sys/loop.h"
#include "sys/pool.h"

#define EXCLUSIVE_MAGIC 0xe8c10001u
#define SWEEP_NS (10 * NS_PER_MS)	/* how late an end of budget, or a look again, may be noticed */
#define SENT_MAX 4096
#define MARGIN_NS (100 * NS_PER_MS)
#define FLUSH_NS (2 * NS_PER_S)
#define BAD_EPOCH UINT64_MAX		/* of a header that is no number: nobody's */

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

/* A holder's reply on its way to the loop. */
struct relayed {
	struct mail mail;
	struct exclusive *x;
	uint64_t number;
	struct msg *msg;
	bool refused;
};

struct exclusive {
	unsigned magic;
	struct exclusive_opts o;
	char **methods;			/* NULL: all */
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

	/* After a pause. */
	int64_t pause_ns;
	struct boot beat;		/* when the loop was last seen turning */
	struct pool_job flush;
	bool flushing, flushed, again;	/* again: another pause while flushing */
};

static void look(struct exclusive *x);

static struct mono
now_of(const struct exclusive *x)
{
	return clock_mono(loop_clock(x->o.loop));
}

/* --- execution --------------------------------------------------------------------------- */

static enum gate_answer
try_gate(struct exclusive *x, struct rpc_call *call, uint64_t epoch)
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
	const char *header = rpc_call_header(call, "Aegis-Epoch");
	uint64_t epoch = 0;

	if (header != NULL && (!num_uint(header, &epoch) || epoch == 0))
		return BAD_EPOCH;
	return epoch;
}

/* --- guests ------------------------------------------------------------------------------ */

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

static void
refuse(struct guest *g, enum err_code code, const char *why)
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
	else if (mono_reached(now_of(x), g->relay.until))
		why = EXCLUSIVE_LATE;
	atomic_fetch_add(&x->counters.refused[why], 1);
	refuse(g, ERR_NOT_ACTIVE, words[why]);
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
	snprintf(left, sizeof left, "%lld", (long long)(mono_since(g->relay.until, now_of(x)) / NS_PER_MS));
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
			enum gate_answer answer = try_gate(x, g->call, g->epoch);
			if (answer == GATE_OPEN) {
				rpc_call_again(guest_end(g));
				return;
			}
			g->old = answer == GATE_OLD;
			f = facts_for(g);
			what = relay_shut(&g->relay, &f, now_of(x));
		} else if (unpark(g), send_on(g) == ERR_OK) {
			atomic_fetch_add(&x->counters.relayed, 1);
			return;
		} else {
			f = facts_for(g);
			what = relay_step(&g->relay, RELAY_EV_UNSENT, &f, now_of(x));
		}
	}
	if (what == RELAY_UNKNOWN)
		refuse(g, ERR_OUTCOME_UNKNOWN, "the leader that had the call was lost before it answered");
	else if (what == RELAY_REFUSE || g->old)
		refuse_standby(g);
	else if (g->relay.state == RELAY_PARKED)
		park(g);
}

static void
step(struct guest *g, enum relay_event ev)
{
	struct relay_facts f = facts_for(g);

	apply(g, relay_step(&g->relay, ev, &f, now_of(g->x)));
}

static void
on_sweep(void *arg)
{
	look(arg);
}

static void
arrange(struct exclusive *x)
{
	if (x->guests != NULL && !loop_timer_pending(&x->sweep))
		loop_timer_set(x->o.loop, &x->sweep, mono_after(now_of(x), SWEEP_NS), on_sweep, x);
}

/* look: at all of them, because something changed or time went by. */
static void
look(struct exclusive *x)
{
	struct guest *next;

	for (struct guest *g = x->guests; g != NULL; g = next) {
		next = g->next;
		step(g, RELAY_EV_LOOK);
	}
	arrange(x);
}

/* --- arrival ----------------------------------------------------------------------------- */

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
	arrange(x);
}

static void
guest_discard(struct mail *m)
{
	struct guest *g = CONTAINER_OF(m, struct guest, mail);

	refuse(g, ERR_NOT_ACTIVE, "the service is stopping");
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

static struct guest *
guest_new(struct exclusive *x, struct rpc_call *call, uint64_t epoch)
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
exclusive_call(struct exclusive *x, struct rpc_call *call)
{
	uint64_t epoch = epoch_of(call);

	MAGIC_CHECK(x, EXCLUSIVE_MAGIC);
	/* One that came by way of the loop has its lease already. */
	enum gate_answer answer = rpc_call_epoch(call) != 0 ? GATE_OPEN
	    : atomic_load(&x->paused) ? GATE_WAIT : try_gate(x, call, epoch);
	if (answer == GATE_OPEN) {
		x->o.handler(x->o.arg, call);
		return;
	}
	struct guest *g = guest_new(x, call, epoch);
	g->old = answer == GATE_OLD;
	if (loop_post(x->o.loop, &g->mail) == ERR_OK)
		return;
	atomic_fetch_add(&x->counters.refused[EXCLUSIVE_FULL], 1);
	mem_free(g);
	rpc_call_lead(call, NULL, 0);
	rpc_refuse(call, ERR_NOT_ACTIVE, "too many calls wait for the wrapper");
}

/* --- the holder's replies ---------------------------------------------------------------- */

static void
relayed_discard(struct mail *m)
{
	struct relayed *r = CONTAINER_OF(m, struct relayed, mail);

	msg_free(r->msg);
	mem_free(r);
}

static void
relayed_deliver(struct mail *m)
{
	struct relayed *r = CONTAINER_OF(m, struct relayed, mail);
	struct exclusive *x = r->x;
	struct guest *g = slots_leave(&x->slots, r->number);

	if (g != NULL) {
		g->number = 0;
		struct relay_facts f = facts_for(g);
		enum relay_event ev = r->refused ? RELAY_EV_REFUSED : RELAY_EV_ANSWERED;
		g->answer = r->msg;
		r->msg = NULL;
		apply(g, relay_step(&g->relay, ev, &f, now_of(x)));
	}
	relayed_discard(m);
	arrange(x);
}

/* number_of: the end of a reply's subject; 0 for what is none of ours. */
static uint64_t
number_of(const char *subject)
{
	const char *dot = strrchr(subject, '.');
	uint64_t n = 0;

	if (dot == NULL || strlen(dot + 1) != 16)
		return 0;
	for (const char *p = dot + 1; *p != '\0'; p++) {
		if ((*p < '0' || *p > '9') && (*p < 'a' || *p > 'f'))
			return 0;
		n = n << 4 | (uint64_t)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
	}
	return n;
}

static void
on_relayed(void *arg, struct msg *m)
{
	struct exclusive *x = arg;
	struct relayed *r = mem_new(sizeof *r);
	struct call_reply reply = { .msg = NULL };

	MAGIC_CHECK(x, EXCLUSIVE_MAGIC);
	/* Vital: there are never more of them than requests that we have out. */
	*r = (struct relayed){ .mail = { .deliver = relayed_deliver, .discard = relayed_discard, .vital = true }, .x = x,
	    .number = number_of(msg_subject(m)), .msg = m };
	r->refused = msg_is_no_responders(m) || route_read_reply(m, &reply, NULL) == ERR_NOT_ACTIVE;
	if (r->number == 0 || loop_post(x->o.loop, &r->mail) != ERR_OK)
		relayed_discard(&r->mail);
}

/* --- after a pause ----------------------------------------------------------------------- */

/* What was received before a flush round trip that began after the pause may have waited in the
 * socket meanwhile: its sender may long have turned to another leader (election.md §6). */

static void
work_flush(struct pool_job *job)
{
	struct exclusive *x = CONTAINER_OF(job, struct exclusive, flush);

	x->flushed = conn_flush(x->o.conn, FLUSH_NS, NULL) == ERR_OK;
}

static void
begin_flush(struct exclusive *x)
{
	x->again = false;
	x->flushed = false;
	x->flushing = pool_run(x->o.pool, &x->flush) == ERR_OK;
	x->again = !x->flushing;		/* the next beat tries again */
}

static void
flush_done(struct pool_job *job)
{
	struct exclusive *x = CONTAINER_OF(job, struct exclusive, flush);

	x->flushing = false;
	if (!x->flushed)
		x->again = true;
	else if (!x->again)
		gate_bar(x->o.gate, GATE_BAR_PAUSE, false);
}

static void
on_pulse(void *arg)
{
	struct exclusive *x = arg;
	struct boot now = clock_boot(loop_clock(x->o.loop));
	int64_t gap = now.ns - x->beat.ns;

	x->beat = now;
	if (gap > x->pause_ns) {
		gate_bar(x->o.gate, GATE_BAR_PAUSE, true);
		atomic_fetch_add(&x->counters.pauses, 1);
		log_warning(EV_ELECTION_PAUSE, LOG_F(LOG_N("ms", gap / NS_PER_MS)),
		    "this process stood still for %lld ms; exclusive calls that waited meanwhile are refused",
		    (long long)(gap / NS_PER_MS));
		x->again = true;
	}
	if (x->again && !x->flushing)
		begin_flush(x);
	loop_timer_set(x->o.loop, &x->pulse, mono_after(now_of(x), x->pause_ns / 4), on_pulse, x);
}

void
exclusive_pause_after(struct exclusive *x, int64_t ns)
{
	x->pause_ns = ns;
	x->beat = clock_boot(loop_clock(x->o.loop));
	loop_timer_cancel(x->o.loop, &x->pulse);
	if (ns > 0)
		loop_timer_set(x->o.loop, &x->pulse, mono_after(now_of(x), ns / 4), on_pulse, x);
}

/* --- what is known ----------------------------------------------------------------------- */

void
exclusive_pause(struct exclusive *x, bool on)
{
	if (atomic_exchange(&x->paused, on) != on)
		look(x);
}

void
exclusive_stance(struct exclusive *x, enum relay_stance s, uint64_t epoch)
{
	x->facts.stance = s;
	x->facts.own = epoch;
	look(x);
}

void
exclusive_holder(struct exclusive *x, const char *instance, uint64_t epoch)
{
	if (epoch != 0)
		snprintf(x->holder, sizeof x->holder, "%s", instance);
	x->facts.epoch = epoch;
	look(x);
}

void
exclusive_released(struct exclusive *x, uint64_t epoch)
{
	if (epoch <= x->facts.released)
		return;
	x->facts.released = epoch;
	look(x);
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

static char **
copy_methods(const char *const *list)
{
	size_t n = 0;

	if (list == NULL)
		return NULL;
	while (list[n] != NULL)
		n++;
	char **out = mem_array(n + 1, sizeof *out);
	for (size_t i = 0; i < n; i++)
		out[i] = mem_text(list[i]);
	return out;
}

struct exclusive *
exclusive_new(const struct exclusive_opts *o, struct err *err)
{
	struct exclusive *x = mem_new(sizeof *x);
	char all[CONN_INBOX_MAX + 4];

	x->magic = EXCLUSIVE_MAGIC;
	x->o = *o;
	x->o.service = mem_text(o->service);
	x->o.instance = mem_text(o->instance);
	x->methods = copy_methods(o->methods);
	x->last = &x->guests;
	slots_init(&x->slots, SENT_MAX);
	x->flush = (struct pool_job){ .work = work_flush, .done = flush_done };
	exclusive_pause_after(x, o->pause_ns);
	conn_inbox(o->conn, x->inbox);
	snprintf(all, sizeof all, "%s.*", x->inbox);
	x->sub = sub_new(&(struct sub_opts){ .conn = o->conn, .subject = all, .handler = on_relayed, .arg = x,
	    .max_pending = 2 * SENT_MAX }, err);
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
	if (x->sub != NULL)
		sub_stop(x->sub);
	loop_discard(x->o.loop, guest_deliver);
	loop_discard(x->o.loop, relayed_deliver);
	while (x->guests != NULL) {
		struct guest *g = x->guests;
		bool sent = g->relay.state == RELAY_SENT || g->relay.state == RELAY_KEPT;
		refuse(g, sent ? ERR_OUTCOME_UNKNOWN : ERR_NOT_ACTIVE, "the service is stopping");
	}
	loop_timer_cancel(x->o.loop, &x->sweep);
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
	for (size_t i = 0; x->methods != NULL && x->methods[i] != NULL; i++)
		mem_free(x->methods[i]);
	mem_free(x->methods);
	mem_free((char *)(uintptr_t)x->o.service);
	mem_free((char *)(uintptr_t)x->o.instance);
	MAGIC_WIPE(x);
	mem_free(x);
}
