/* elector.c - one member's life: events in order, one step at a time, actions right behind each.
 *
 * Whatever happens ends in drain(): it takes the events one by one, reads the clocks right before
 * each step, and looks first whether they jumped.  What the owner
 * calls waits for the next turn of the loop, so that no callback comes out of his own call. */
#include "election/elector.h"

#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/id.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "election/elector_inner.h"
#include "model/names.h"
#include "sys/clock.h"

#define ELECTOR_MAGIC 0xe1ec0001u
#define DRAIN_NS (10 * NS_PER_S)
#define LOOKS 4

/* --- the timer ---------------------------------------------------------------------------- */

/* On CLOCK_BOOTTIME and relative, because the clock of a test may run differently. */
static void
arm(struct elector *e, struct boot due)
{
	struct itimerspec t = { 0 };
	int64_t ns = due.ns == INT64_MAX ? 0 : due.ns - clock_boot(e->clock).ns;

	e->due = due;
	if (due.ns != INT64_MAX) {
		if (ns < 1)
			ns = 1;
		t.it_value = (struct timespec){ .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
	}
	MUST(timerfd_settime(e->timer, 0, &t, NULL) == 0);
}

static void drain(struct elector *e);

static void
on_timer(void *arg, unsigned got)
{
	struct elector *e = arg;
	uint64_t times;

	(void)got;
	if (read(e->timer, &times, sizeof times) != sizeof times)
		return;
	elector_event(e, &(struct lease_event){ .kind = LEASE_EV_TICK });
}

/* --- steps -------------------------------------------------------------------------------- */

/* has_jumped: the difference of the clocks changed by more than g: step, snapshot or migration (R4).  What
 * waited in the socket before it may be older than it looks, so exclusive calls are refused until
 * a round trip is over (§6); a plain pause is the concern of who serves them (messaging/exclusive.h). */
static bool
has_jumped(struct elector *e, struct lease_now now)
{
	int64_t offset = now.wall.ns - now.boot.ns, moved = e->offset_known ? offset - e->offset_ns : 0;

	e->offset_ns = offset;
	e->offset_known = true;
	if (moved <= e->settings.g_ns && moved >= -e->settings.g_ns)
		return false;
	atomic_fetch_add(&e->counters.jumps, 1);
	log_warning(EV_ELECTION_JUMP, LOG_F(LOG_S("group", e->gid), LOG_N("ms", moved / NS_PER_MS)),
	    "the clock jumped by %lld ms, so nothing is taken for granted until it was renewed", (long long)(moved / NS_PER_MS));
	meta_bar(e);
	return true;
}

/* look: both clocks.  A thread that loses its processor between the two would take that for a jump. */
static struct lease_now
look(const struct elector *e)
{
	struct lease_now now;

	for (int i = 0; i < LOOKS; i++) {
		now = (struct lease_now){ clock_boot(e->clock), clock_wall(e->clock) };
		if (clock_boot(e->clock).ns - now.boot.ns <= e->settings.g_ns / 4)
			break;
	}
	return now;
}

static void
step(struct elector *e, const struct lease_event *ev)
{
	struct lease_now now = look(e);
	struct lease_actions todo;

	if (has_jumped(e, now)) {
		lease_step(&e->lease, &(struct lease_event){ .kind = LEASE_EV_JUMP }, now, &todo);
		elector_act(e, &todo);
		now = look(e);
	}
	lease_step(&e->lease, ev, now, &todo);
	elector_act(e, &todo);
	e->due = todo.due;
}

/* over: a resignation for good is done when every register that is reached shows nothing of ours as held,
 * or 2P have passed (§5). */
static bool
over(struct elector *e)
{
	const struct lease *l = &e->lease;
	bool held = false;

	if (!e->begun)
		return true;
	/* What lost its registers may have work that is still being killed. */
	if ((l->state != LEASE_STANDBY && l->state != LEASE_RETIRED) || l->busy)
		return false;
	for (unsigned r = 0; r < l->opts.registers; r++)
		held |= l->reg[r].up && (!l->reg[r].known || (l->reg[r].value.mark == LEASE_MARK_HELD &&
		    lease_nonce_is(l->reg[r].value.nonce, e->nonce)));
	if (!held)
		return true;
	if (e->ending_since.ns == INT64_MIN)
		e->ending_since = l->now;
	struct boot end = boot_after(e->ending_since, 2 * e->settings.p_ns);
	e->due = boot_min(e->due, end);
	return boot_reached(l->now, end);
}

static void
drain(struct elector *e)
{
	if (e->stepping)
		return;
	e->stepping = true;
	while (e->queued > 0) {
		struct lease_event ev = e->queue[0];
		memmove(&e->queue[0], &e->queue[1], --e->queued * sizeof e->queue[0]);
		if (e->begun)
			step(e, &ev);
	}
	e->stepping = false;
	status_holder(e);
	bool ended = e->ending && !e->ended && over(e);
	if (e->begun)
		arm(e, e->due);
	if (ended) {
		e->ended = true;
		status_publish(e);
		if (e->o.ended != NULL)
			e->o.ended(e->o.arg);
	}
}

/* put: of what the owner may say again and again only the last counts, so the queue has an end. */
static void
put(struct elector *e, const struct lease_event *ev)
{
	for (unsigned i = 0; i < e->queued; i++)
		if (e->queue[i].kind == ev->kind && (ev->kind == LEASE_EV_ELIGIBLE || ev->kind == LEASE_EV_IDLE ||
		    ev->kind == LEASE_EV_TICK || ev->kind == LEASE_EV_PEERS || ev->kind == LEASE_EV_DEPOSED || ev->kind == LEASE_EV_RESIGN)) {
			e->queue[i] = *ev;
			return;
		}
	MUST(e->queued < QUEUE_MAX);
	e->queue[e->queued++] = *ev;
}

void
elector_event(struct elector *e, const struct lease_event *ev)
{
	put(e, ev);
	drain(e);
}

static void
on_soon(void *arg)
{
	drain(arg);
}

void
elector_later(struct elector *e, const struct lease_event *ev)
{
	put(e, ev);
	loop_timer_set(e->loop, &e->soon, loop_now(e->loop), on_soon, e);
}

/* --- beginning ---------------------------------------------------------------------------- */

void
elector_refuse(struct elector *e, const struct err *why)
{
	if (e->failed)
		return;
	e->failed = true;
	log_error(EV_ELECTION_REFUSED, LOG_F(LOG_S("group", e->gid), LOG_S("err", why->text)),
	    "this member cannot take part in the election");
	elector_eligible(e, false, LEASE_BY_UNHEALTHY);
	status_fail(e, why);
	if (e->o.failed != NULL)
		e->o.failed(e->o.arg, why);
}

void
elector_begin(struct elector *e, const struct profile *p)
{
	struct site_facts f;
	struct err err = { 0 };

	site_facts(e->o.site, &f);
	if (profile_check(p, 0, f.replicated, &err) != ERR_OK) {
		err.code = ERR_CONFIG;
		elector_refuse(e, &err);
		return;
	}
	struct lease_opts o = {
		.registers = f.n, .replicated = f.replicated, .hot = e->o.hot, .profile = *p, .nonce = e->nonce,
		.group = lease_server(e->gid), .seed = id_random(),
		.drain_ns = e->o.drain_ns > 0 ? e->o.drain_ns : DRAIN_NS,
	};
	e->settings = *p;
	lease_init(&e->lease, &o);
	e->begun = true;
	log_info(EV_ELECTION_STATE, LOG_F(LOG_S("group", e->gid), LOG_S("profile", p->name)),
	    "takes part in the election of %s", e->gid);
	put(e, &(struct lease_event){ .kind = LEASE_EV_ELIGIBLE, .on = e->eligible, .reason = e->unfit });
	elector_attach(e);
	drain(e);
	status_publish(e);
}

static void
on_ready(struct site_user *u)
{
	struct elector *e = CONTAINER_OF(u, struct elector, user);

	if (!e->begun && !e->failed)
		meta_start(e);
}

static const struct site_calls calls = {
	.ready = on_ready, .link = elector_link, .view = elector_view, .answer = elector_answer,
};

static enum err_code
check(const struct elector_opts *o, struct err *err)
{
	struct profile p;
	enum err_code code;

	if (strcmp(o->service, ELECT_SERVICE) != 0 && (code = name_check(NAME_SERVICE, o->service, err)) != ERR_OK)
		return code;
	if ((code = name_check(NAME_GROUP, o->group, err)) != ERR_OK ||
	    (code = name_check(NAME_INSTANCE, o->instance, err)) != ERR_OK)
		return code;
	if (strstr(o->service, "__") != NULL || strstr(o->group, "__") != NULL)
		return err_set(err, ERR_INVALID, "group '%s' of '%s': '__' may stand in neither", o->group, o->service);
	return o->profile != NULL ? profile_find(o->profile, 1, &p, err) : ERR_OK;
}

static enum err_code
open_timer(struct elector *e, struct err *err)
{
	e->timer = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (e->timer == -1)
		return err_set(err, ERR_SYSTEM, "election: no timer descriptor: %m");
	e->timer_fd = loop_fd_add(e->loop, e->timer, LOOP_READ, on_timer, e, err);
	return e->timer_fd != NULL ? ERR_OK : ERR_SYSTEM;
}

struct elector *
elector_new(const struct elector_opts *o, struct err *err)
{
	char hex[ID_NONCE_MAX];

	if (check(o, err) != ERR_OK)
		return NULL;
	struct elector *e = mem_new(sizeof *e);
	e->magic = ELECTOR_MAGIC;
	e->o = *o;
	e->loop = o->site->o.loop;
	e->clock = loop_clock(e->loop);
	e->service = mem_text(o->service);
	e->group = mem_text(o->group);
	e->instance = mem_text(o->instance);
	e->profile = mem_text(o->profile);
	e->fence = mem_text(o->fence);
	e->gid = mem_printf("%s__%s", o->service, o->group);
	id_nonce(hex);
	MUST(lease_nonce_parse(hex, strlen(hex), &e->nonce));
	gate_init(&e->gate, o->word != NULL ? o->word : &e->own_word, e->clock);
	e->due = BOOT_NEVER;
	e->ending_since = BOOT_LONG_AGO;
	e->role.since = clock_wall(e->clock);
	e->timer = -1;
	snapshot_cell_init(&e->status);
	counters_init(&e->counters);
	e->user = (struct site_user){ .gid = e->gid, .calls = &calls };
	site_join(o->site, &e->user);		/* before anybody may post to its number */
	if (open_timer(e, err) != ERR_OK || beat_start(e, err) != ERR_OK) {
		elector_free(e);
		return NULL;
	}
	status_publish(e);
	return e;
}

void
elector_free(struct elector *e)
{
	if (e == NULL)
		return;
	MAGIC_CHECK(e, ELECTOR_MAGIC);
	MUST(!e->stepping);
	gate_admit(&e->gate, false);
	gate_set(&e->gate, BOOT_LONG_AGO, 0);
	beat_end(e);
	site_leave(e->o.site, &e->user);
	meta_end(e);
	loop_timer_cancel(e->loop, &e->soon);
	loop_fd_del(e->timer_fd);
	if (e->timer != -1)
		close(e->timer);
	status_free(e);
	counters_release(&e->counters);
	mem_free(e->service);
	mem_free(e->group);
	mem_free(e->instance);
	mem_free(e->profile);
	mem_free(e->fence);
	mem_free(e->gid);
	MAGIC_WIPE(e);
	mem_free(e);
}

/* --- what the owner says ------------------------------------------------------------------ */

void
elector_eligible(struct elector *e, bool on, enum lease_reason reason)
{
	if (on && e->failed)
		return;
	e->eligible = on;
	e->unfit = reason;
	elector_later(e, &(struct lease_event){ .kind = LEASE_EV_ELIGIBLE, .on = on, .reason = on ? LEASE_BY_NONE : reason });
}

void
elector_idle(struct elector *e)
{
	elector_later(e, &(struct lease_event){ .kind = LEASE_EV_IDLE });
}

enum err_code
elector_resign(struct elector *e, const char *to, bool stop, struct err *err)
{
	const struct elector_peer *heir = to != NULL ? beat_peer(e, to) : NULL;
	struct lease_event ev = { .kind = LEASE_EV_RESIGN };

	if (to != NULL && heir == NULL)
		return err_set(err, ERR_NOT_FOUND, "no live member '%s' in group %s", to, e->gid);
	if (heir != NULL)
		ev.to = heir->nonce;
	e->ending |= stop;
	ev.stop = e->ending;
	if (e->begun && !(e->lease.resigned && (!stop || e->lease.stopping)))
		elector_later(e, &ev);
	else
		elector_later(e, &(struct lease_event){ .kind = LEASE_EV_TICK });
	return ERR_OK;
}

void
elector_deposed(struct elector *e, uint64_t epoch)
{
	elector_later(e, &(struct lease_event){ .kind = LEASE_EV_DEPOSED, .epoch = epoch });
}

void
elector_fenced(struct elector *e, uint64_t rejects)
{
	atomic_store(&e->counters.fence_rejects, rejects);
}

struct gate *
elector_gate(struct elector *e)
{
	return &e->gate;
}

int64_t
elector_lease_ns(const struct elector *e)
{
	return e->settings.d_ns;
}

const struct profile *
elector_profile(const struct elector *e)
{
	return e->begun ? &e->settings : NULL;
}

struct lease_nonce
elector_nonce(const struct elector *e)
{
	return e->nonce;
}

const char *
elector_gid(const struct elector *e)
{
	return e->gid;
}

const struct elector_counters *
elector_counters(const struct elector *e)
{
	return &e->counters;
}
