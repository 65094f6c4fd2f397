/* drill.c - the smallest program that is elected for real.
 *
 * Calls are served on nats.c's thread, which looks at the gate and at nothing else; the loop only
 * keeps the lease.  The exclusive counter is the epoch and a number below it: it needs no store,
 * and is larger for every later call exactly if epochs grow and only one member counts. */
#include "app/drill.h"
#include "app/drill_calls.h"
#include "app/drill_store.h"
#include "app/drill_work.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "bench/drill.h"
#include "bench/history.h"
#include "election/elector.h"
#include "nats/conn.h"
#include "sys/child.h"
#include "sys/clock.h"
#include "sys/loop.h"
#include "sys/reaper.h"
#include "sys/thread.h"

#define MAILBOX 4096
#define SET_NS (3600 * NS_PER_S)	/* by which a clock is set */
#define LINGER_NS (300 * NS_PER_MS)	/* between the end of the lease and that of the service */
#define IDLE_NS NS_PER_MS		/* how often a drain looks whether calls are still running */
#define COUNT_BITS 22			/* calls of one epoch: two hours of a prober's; epochs are ms of the wall clock: 41 bits */

struct drill {
	const char *id;
	bool with_work, calls;		/* calls: each served one goes into the history, not only the gate */
	int history;
	struct loop *loop;
	struct conn *conn;
	struct site *site;
	struct elector *elector;
	struct drill_calls *calls_by_queue;
	struct sub *on_call, *on_state;
	struct drill_work *work;
	struct drill_store *store;	/* NULL: it stores nothing */
	gate_word *word;
	char nonce[33];
	_Atomic int64_t told_until;	/* the last that stands in the history */
	atomic_bool yielding;		/* nothing exclusive runs any more, until the lease is given back or over */
	uint64_t counted, counting;	/* calls served, under that epoch; the calls' thread alone knows them */
	struct loop_timer idle, look, linger;
	enum lease_state state;
	struct boot complete;		/* since when all registers are known; BOOT_NEVER: they are not */
	bool ending;
};

static void
tell(struct drill *d, enum history_event ev, struct boot t, struct boot until, const struct drill_answer *a)
{
	/* Everybody's times stand in the history by the machine's clock, whatever rate a member's has. */
	struct history_line l = { .t = clock_machine_boot(t), .ev = ev, .until = until.ns > 0 ? clock_machine_boot(until) : until };

	snprintf(l.src, sizeof l.src, "%s", d->id);
	snprintf(l.gid, sizeof l.gid, "%s", DRILL_GROUP);
	memcpy(l.nonce, d->nonce, sizeof l.nonce);
	if (a != NULL) {
		l.req = a->req;
		l.epoch = a->epoch;
		l.count = a->count;
	}
	history_write(d->history, &l);
}

static struct boot
now(void)
{
	return clock_boot(clock_system());
}

/* tell_until: how far the gate is open, if that is news.  Any thread; the time is read first, so that
 * a pause makes the line later and never the gate longer. */
static void
tell_until(struct drill *d)
{
	struct boot t = now(), until = gate_until(atomic_load(d->word));
	int64_t told = atomic_load(&d->told_until);

	if (atomic_load(&d->yielding) || until.ns <= told || until.ns <= t.ns)
		return;
	if (atomic_compare_exchange_strong(&d->told_until, &told, until.ns))
		tell(d, HISTORY_extend, t, until, NULL);
}

/* --- serving ----------------------------------------------------------------------------- */

/* serve: as every exclusive method is served (election.md §6). */
static void
serve(struct drill *d, const struct drill_call *call, const char *reply)
{
	struct gate *g = elector_gate(d->elector);
	struct drill_answer a = { .req = call->req };
	uint64_t pass;

	if (gate_enter(g, 0, &pass) != GATE_OPEN)
		return;
	a.epoch = atomic_load(&g->opening);
	if (a.epoch != d->counting)
		d->counted = 0;
	d->counting = a.epoch;
	a.count = (a.epoch << COUNT_BITS) + d->counted++;
	memcpy(a.nonce, d->nonce, sizeof a.nonce);
	a.at = clock_machine_boot(now()).ns;
	tell_until(d);
	if (d->calls) {
		tell(d, HISTORY_serve_begin, now(), (struct boot){ 0 }, &a);
		tell(d, HISTORY_serve_end, now(), (struct boot){ 0 }, &a);
	}
	if (gate_still(g, pass))
		conn_publish(d->conn, &(struct conn_msg){ .subject = reply, .data = &a, .n = sizeof a, .urgent = true }, NULL);
	gate_leave(g);
}

static void
on_call(void *arg, struct msg *m)
{
	struct drill_call call;

	if (msg_size(m) == sizeof call && msg_reply(m) != NULL) {
		memcpy(&call, msg_data(m), sizeof call);
		serve(arg, &call, msg_reply(m));
	}
	msg_free(m);
}

/* --- telling how it is ------------------------------------------------------------------- */

struct question {
	struct mail mail;
	struct drill *drill;
	struct msg *msg;
};

static void
answer_state(struct drill *d, const char *reply)
{
	const struct elector_status *st = elector_status(d->elector);
	struct drill_state s = { .pid = getpid(), .work = drill_work_pid(d->work), .guardian = drill_work_guardian(d->work),
		.registers = st->n };
	const struct profile *p = elector_profile(d->elector);

	snprintf(s.id, sizeof s.id, "%s", d->id);
	memcpy(s.nonce, d->nonce, sizeof s.nonce);
	conn_server_name(d->conn, s.node, sizeof s.node);
	s.active = st->role.state == LEASE_ACTIVE && st->admits;
	s.standby = st->role.state == LEASE_STANDBY;
	s.epoch = s.active ? st->role.epoch : 0;
	for (unsigned i = 0; i < st->n; i++)
		s.known += st->reg[i].up && st->reg[i].known;
	s.wait_ns = p != NULL ? p->l_ns : 0;
	s.age_ns = d->complete.ns == INT64_MAX ? 0 : now().ns - d->complete.ns;
	if (st->failed.code != ERR_OK)
		snprintf(s.why, sizeof s.why, "%.*s", (int)sizeof s.why - 1, st->failed.text);
	else if (!st->site.ready)
		snprintf(s.why, sizeof s.why, "%.*s", (int)sizeof s.why - 1, st->site.why.text);
	elector_status_drop(st);
	conn_publish(d->conn, &(struct conn_msg){ .subject = reply, .data = &s, .n = sizeof s, .urgent = true }, NULL);
}

static void
deliver_question(struct mail *m)
{
	struct question *q = CONTAINER_OF(m, struct question, mail);

	answer_state(q->drill, msg_reply(q->msg));
	msg_free(q->msg);
	mem_free(q);
}

static void
discard_question(struct mail *m)
{
	struct question *q = CONTAINER_OF(m, struct question, mail);

	msg_free(q->msg);
	mem_free(q);
}

static void
on_state(void *arg, struct msg *m)
{
	struct question *q = mem_new(sizeof *q);

	if (msg_reply(m) == NULL) {
		mem_free(q);
		msg_free(m);
		return;
	}
	*q = (struct question){ .mail = { .deliver = deliver_question, .discard = discard_question }, .drill = arg, .msg = m };
	if (loop_post(((struct drill *)arg)->loop, &q->mail) != ERR_OK)
		discard_question(&q->mail);
}

/* look: since when this member could take over at once, and how far its gate is open. */
static void
look(void *arg)
{
	struct drill *d = arg;
	const struct elector_status *st = elector_status(d->elector);
	unsigned known = 0;

	for (unsigned i = 0; i < st->n; i++)
		known += st->reg[i].up && st->reg[i].known;
	if (st->n == 0 || known < st->n)
		d->complete = BOOT_NEVER;
	else if (d->complete.ns == INT64_MAX)
		d->complete = now();
	elector_status_drop(st);
	tell_until(d);
	if (d->store != NULL)
		drill_store_look(d->store);
	loop_timer_set(d->loop, &d->look, mono_after(loop_now(d->loop), 10 * NS_PER_MS), look, d);
}

/* --- the work under the lease ------------------------------------------------------------ */

static void
on_work_gone(void *arg)
{
	struct drill *d = arg;

	if (d->state == LEASE_ACTIVE || d->state == LEASE_SUSPECT)
		elector_resign(d->elector, NULL, false, NULL);
}

/* on_work_lapsed: what its guardian ended or warned cannot be taken back, even if the lease recovers. */
static void
on_work_lapsed(void *arg)
{
	elector_resign(((struct drill *)arg)->elector, NULL, false, NULL);
}

static void
start_work(struct drill *d, uint64_t epoch)
{
	if (d->with_work)
		drill_work_start(d->work, d->nonce, epoch, elector_lease_ns(d->elector));
}

/* --- the lease --------------------------------------------------------------------------- */

static void
look_idle(void *arg)
{
	struct drill *d = arg;

	if (gate_in_flight(elector_gate(d->elector)) > 0 || drill_work_runs(d->work)) {
		loop_timer_set(d->loop, &d->idle, mono_after(loop_now(d->loop), IDLE_NS), look_idle, d);
		return;
	}
	/* The gate itself stays open until the release; an honest member does nothing behind it. */
	atomic_store(&d->yielding, true);
	tell(d, HISTORY_shut, now(), (struct boot){ 0 }, NULL);
	elector_idle(d->elector);
}

static void
on_role(void *arg, const struct elector_role *role)
{
	struct drill *d = arg;
	struct boot t = now(), until = gate_until(atomic_load(d->word));

	d->state = role->state;
	drill_calls_role(d->calls_by_queue, role);
	if (d->store != NULL)
		drill_store_role(d->store, role);
	if (elector_lease_ns(d->elector) != 0)
		drill_calls_pause_after(d->calls_by_queue, elector_lease_ns(d->elector));
	switch (role->state) {
	case LEASE_ACTIVE:
		if (role->before == LEASE_CAMPAIGN) {
			atomic_store(&d->told_until, until.ns);
			tell(d, HISTORY_open, t, until, &(struct drill_answer){ .epoch = role->epoch });
			start_work(d, role->epoch);
		}
		break;
	case LEASE_DRAINING:
	case LEASE_FENCED:
	case LEASE_RETIRED:
		drill_work_kill(d->work);
		look_idle(d);
		break;
	case LEASE_STANDBY:
		if (role->before == LEASE_DRAINING)
			tell(d, HISTORY_release, t, (struct boot){ 0 }, NULL);
		/* Should the gate be open now, it is told, and the judge finds it. */
		atomic_store(&d->told_until, 0);
		atomic_store(&d->yielding, false);
		break;
	default:
		break;
	}
}

static void
on_reap(void *arg)
{
	drill_work_kill(((struct drill *)arg)->work);
}

static void
on_holder(void *arg, const struct elector_holder *holder)
{
	drill_calls_holder(((struct drill *)arg)->calls_by_queue, holder);
}

static void
on_drained(void *arg)
{
	loop_stop(((struct drill *)arg)->loop);
}

/* linger_over: as every service does: who has not noticed yet that another one leads was told so here. */
static void
linger_over(void *arg)
{
	drill_calls_drain(((struct drill *)arg)->calls_by_queue, on_drained, arg);
}

static void
on_ended(void *arg)
{
	struct drill *d = arg;

	loop_timer_set(d->loop, &d->linger, mono_after(loop_now(d->loop), LINGER_NS), linger_over, d);
}

static void
on_failed(void *arg, const struct err *why)
{
	struct drill *d = arg;

	fprintf(stderr, "drill %s: %s\n", d->id, why->text);
}

static void
on_signal(void *arg, int signo)
{
	struct drill *d = arg;

	(void)signo;
	if (!d->ending)
		elector_resign(d->elector, NULL, true, NULL);
	d->ending = true;
}

static void
on_clock(void *arg, int signo)
{
	(void)arg;
	clock_shift_wall(signo == DRILL_AHEAD ? SET_NS : signo == DRILL_BEHIND ? -SET_NS : 0);
}

/* --- from the first to the last line ------------------------------------------------------ */

static enum err_code
open_all(struct drill *d, char **word, struct err *err)
{
	struct conn_opts co = { .servers = word[DRILL_SERVERS], .name = d->id, .timeout_ns = NS_PER_S };

	if (strcmp(word[DRILL_HISTORY], "-") != 0 && (d->history = history_create(word[DRILL_HISTORY], err)) < 0)
		return err->code;
	if ((d->loop = loop_new(clock_system(), MAILBOX, err)) == NULL || reaper_start(d->loop, err) != ERR_OK ||
	    loop_signal(d->loop, SIGTERM, on_signal, d, err) != ERR_OK ||
	    loop_signal(d->loop, DRILL_AHEAD, on_clock, d, err) != ERR_OK ||
	    loop_signal(d->loop, DRILL_BEHIND, on_clock, d, err) != ERR_OK ||
	    loop_signal(d->loop, DRILL_RIGHT, on_clock, d, err) != ERR_OK || (d->conn = conn_new(&co, err)) == NULL)
		return err->code;
	d->work = drill_work_new(&(struct drill_work_opts){ .loop = d->loop, .id = d->id, .history = d->calls ? word[DRILL_HISTORY] : "-",
	    .gone = on_work_gone, .lapsed = on_work_lapsed, .arg = d }, err);
	if (d->work == NULL)
		return err->code;
	d->word = drill_work_word(d->work);
	d->site = site_new(&(struct site_opts){ .loop = d->loop, .conn = d->conn, .access = &co, .member = d->id }, err);
	if (d->site == NULL)
		return err->code;
	d->elector = elector_new(&(struct elector_opts){
		.site = d->site, .service = ELECT_SERVICE, .group = DRILL_GROUP, .instance = d->id,
		.profile = word[DRILL_PROFILE], .fence = word[DRILL_STORES][0] == '1' ? "stream" : "gate", .word = d->word, .data = { d->conn },
		.role = on_role, .reap = on_reap, .holder = on_holder, .failed = on_failed, .ended = on_ended, .arg = d,
	}, err);
	if (d->elector == NULL)
		return err->code;
	lease_nonce_format(elector_nonce(d->elector), d->nonce);
	d->calls_by_queue = drill_calls_new(d->loop, d->conn, d->id, elector_gate(d->elector), err);
	if (d->calls_by_queue == NULL)
		return err->code;
	if (word[DRILL_STORES][0] == '1' && (d->store = drill_store_new(&(struct drill_store_opts){ .loop = d->loop, .conn = d->conn,
	    .elector = d->elector, .id = d->id, .nonce = d->nonce }, err)) == NULL)
		return err->code;
	d->on_call = sub_new(&(struct sub_opts){ .conn = d->conn, .subject = DRILL_CALL, .handler = on_call, .arg = d }, err);
	d->on_state = sub_new(&(struct sub_opts){ .conn = d->conn, .subject = DRILL_STATE, .handler = on_state, .arg = d }, err);
	return d->on_call == NULL || d->on_state == NULL ? err->code : ERR_OK;
}

_Noreturn void
drill_main(int argc, char **argv)
{
	struct drill d = { .history = -1, .complete = BOOT_NEVER };
	struct err err = { .code = ERR_OK };
	char **word = argv + 2;

	if (argc > 2 && strcmp(argv[2], DRILL_WORK_WORD) == 0)
		drill_work_main(argc, argv);
	if (argc != 2 + DRILL_WORDS) {
		fprintf(stderr, "aegis: %s is for aegis itself\n", DRILL_VERB);
		_exit(err_exit(ERR_WRAPPER));
	}
	thread_block_signals();
	log_init(&(struct log_opts){ .level = LOG_WARNING, .format = LOG_TEXT });
	d.id = word[DRILL_ID];
	d.calls = word[DRILL_CALLS][0] == '1';
	d.with_work = word[DRILL_WORK][0] == '1';
	if (open_all(&d, word, &err) != ERR_OK) {
		fprintf(stderr, "drill %s: %s\n", d.id, err.text);
		_exit(err_exit(err.code));
	}
	look(&d);
	elector_eligible(d.elector, true, LEASE_BY_NONE);
	loop_run(d.loop);
	/* The lease was given back; what is left dies with the process. */
	_exit(0);
}
