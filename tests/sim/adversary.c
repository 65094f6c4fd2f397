/* adversary.c - chooses, from a seed, what happens next.
 *
 * An episode has its own size, profile and temper: how much is lost, late, cut, paused and
 * crashed.  It ends with a heal, after which somebody must lead in time (L1). */
#include "adversary.h"

#include <string.h>

#define MS NS_PER_MS
#define CHAOS_TURNS (64 * CHAOS_STEPS)
#define CHAOS_STEPS 3000	/* of the core, per episode */

/* Per 1024; how likely each thing is, whenever one is chosen or a message is sent. */
struct temper {
	unsigned lose, doubled, late, refuse;
	unsigned fault;		/* a fault instead of a delivery */
	unsigned fence;		/* the holder acts on the stream */
	uint64_t kinds;		/* of faults in this episode, a random half: some need others to be absent */
};

static uint64_t rng;
static struct temper temper;

static uint64_t
random64(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng * 0x2545f4914f6cdd1du;
}

static uint64_t
below(uint64_t n)
{
	return (random64() >> 32) * n >> 32;
}

static bool
happens(unsigned per_1024)
{
	return below(1024) < per_1024;
}

/* --- the fate of messages ----------------------------------------------------------------- */

static bool
fate(struct world *w, struct mail *m)
{
	bool is_request = m->kind <= MAIL_READ, is_answer = m->kind >= MAIL_ACK && m->kind <= MAIL_VIEW;

	if (m->kind == MAIL_META)
		return true;			/* retried until it is there */
	if ((is_request || is_answer || m->kind == MAIL_GROUP_READ) && happens(temper.lose))
		return false;
	if (happens(temper.late))
		m->not_before = w->t + (int64_t)below((uint64_t)(2 * w->profile.l_ns));
	if (m->kind == MAIL_WRITE && happens(temper.refuse))
		m->code = below(3) == 0 ? 10077 : below(2) == 0 ? 503 : 10164;
	if (is_answer && w->mails + 1 < WORLD_MAIL && happens(temper.doubled)) {
		w->mail[w->mails + 1] = *m;
		w->mail[w->mails + 1].not_before = w->t + (int64_t)below((uint64_t)w->profile.l_ns);
		w->mails++;
	}
	return true;
}

/* --- faults ------------------------------------------------------------------------------- */

enum kind {
	CRASH, PAUSE, FREEZE, WALL, LEAP, RESIGN, UNFIT, PEERS, CUT_TO, CUT_FROM, DISCONNECT, RESTART, REVERT, WIPE, EMPTY,
};

static bool
is_on(enum kind k)
{
	return temper.kinds >> k & 1;
}

static void
start(struct world *w, unsigned m)
{
	world_start(w, m, (int64_t)below(1000000) * MS + 1000 * MS, (int)below(19001) - 9500, random64());
}

static void
meet(struct world *w, unsigned m)
{
	struct lease_peer peers[WORLD_MEMBERS];
	unsigned n = 0;

	for (unsigned i = 0; i < w->members; i++)
		if (w->member[i].alive && below(8) != 0)
			peers[n++] = (struct lease_peer){ w->member[i].lease.opts.nonce, i % 2 == 0 };
	world_event(w, m, &(struct lease_event){ .kind = LEASE_EV_PEERS, .peers = peers, .n_peers = n });
}

static void
fault_member(struct world *w, unsigned m)
{
	struct member *x = &w->member[m];

	if (!x->alive) {
		if (happens(512))
			start(w, m);
		return;
	}
	if (x->paused) {
		if (happens(300))
			world_resume(w, m);
		return;
	}
	enum kind k = (enum kind)below(PEERS + 1);
	if (!is_on(k))
		return;
	switch (k) {
	case CRASH:
		world_crash(w, m);
		break;
	case PAUSE:
	case FREEZE:
		world_pause(w, m, k == FREEZE);
		break;
	case WALL:
		x->wall_step = w->floor ? ((int64_t)below(3) - 1) * 3600000 * MS : 0;
		world_event(w, m, &(struct lease_event){ .kind = LEASE_EV_JUMP });
		break;
	case LEAP:
		world_leap(w, m, (int64_t)below((uint64_t)w->profile.l_ns * 2));
		break;
	case RESIGN:
		world_event(w, m, &(struct lease_event){ .kind = LEASE_EV_RESIGN,
		    .to = { .hi = 0, .lo = below(3) == 0 ? w->nonces : 0 } });
		break;
	case UNFIT:
		world_event(w, m, &(struct lease_event){ .kind = LEASE_EV_ELIGIBLE, .on = below(4) != 0,
		    .reason = LEASE_BY_UNHEALTHY });
		break;
	default:
		meet(w, m);
	}
}

static void
fault_link(struct world *w, unsigned m, unsigned r)
{
	struct member *x = &w->member[m];
	enum kind k = CUT_TO + (enum kind)below(5);

	if (k == CUT_TO && is_on(k))
		x->cut_to[r] = true;
	else if (k == CUT_FROM && is_on(k))
		x->cut_from[r] = true;
	else if (k == DISCONNECT && is_on(k))
		world_disconnect(w, m, r);
	else if (k > DISCONNECT && below(2) == 0)
		x->cut_to[r] = x->cut_from[r] = false;
}

static void
fault_server(struct world *w, unsigned r)
{
	static const enum world_loss loss[] = {
		[RESTART] = WORLD_PLAIN, [REVERT] = WORLD_REVERT, [WIPE] = WORLD_WIPE, [EMPTY] = WORLD_WIPE,
	};
	enum kind k = RESTART + (enum kind)below(4);

	if (!w->server[r].up) {
		world_server_up(w, r);
		return;
	}
	if (below(3) != 0 || !is_on(k) || !world_in_budget(w, r, loss[k]) || (w->replicated && k != RESTART))
		return;
	if (k == EMPTY) {			/* the server itself goes on */
		if (world_may_wipe_live(w, r))
			world_lose(w, r, WORLD_WIPE);
		return;
	}
	world_server_down(w, r);
	world_lose(w, r, loss[k]);
	if (below(2) == 0)
		world_server_up(w, r);
}

static void
fault(struct world *w)
{
	unsigned m = (unsigned)below(w->members), r = (unsigned)below(w->n);

	switch (below(4)) {
	case 0:
		fault_server(w, r);
		break;
	case 1:
		fault_link(w, m, r);
		break;
	default:
		fault_member(w, m);
		break;
	}
}

/* --- what goes on by itself --------------------------------------------------------------- */

static bool
deliver_one(struct world *w)
{
	if (w->mails == 0)
		return false;
	for (int tries = 0; tries < 4; tries++) {
		unsigned i = (unsigned)below(w->mails);
		if (w->mail[i].not_before > w->t)
			continue;
		world_deliver(w, i);
		return true;
	}
	return false;
}

/* attend: what a shell does in one turn: links, the end of work, the timer. */
static void
attend(struct world *w, unsigned m, unsigned per_1024)
{
	struct member *x = &w->member[m];
	unsigned r = (unsigned)below(w->n);

	if (!x->alive || x->paused)
		return;
	if (!x->link[r] && happens(per_1024) && world_connect(w, m, r))
		return;
	if (x->idle_wanted && happens(per_1024)) {
		x->idle_wanted = false;
		world_event(w, m, &(struct lease_event){ .kind = LEASE_EV_IDLE });
		return;
	}
	if (boot_reached(world_local(w, m), x->due))
		world_tick(w, m);
}

/* pass: time goes on, mostly a little, to the next timer when nothing is under way. */
static void
pass(struct world *w)
{
	uint64_t k = random64();

	if ((k & 1023) == 0)
		w->t += (int64_t)((k >> 32) * (uint64_t)w->profile.d_ns >> 32);
	else
		w->t += (int64_t)((k >> 32) * (uint64_t)(w->profile.p_ns / (w->mails > 4 ? 24 : 6)) >> 32);
}

static void
turn(struct world *w)
{
	pass(w);
	if (happens(temper.fault))
		fault(w);
	else if (happens(temper.fence))
		world_effect(w, (unsigned)below(w->members));
	else if (below(4) == 0 || !deliver_one(w))
		attend(w, (unsigned)below(w->members), 128);
}

/* --- L1 ----------------------------------------------------------------------------------- */

static bool
can_recover(const struct world *w)
{
	unsigned blank = 0;

	for (unsigned r = 0; r < w->n; r++)
		blank += w->server[r].now.rev == 0;
	return w->n == 1 || w->group != LEASE_GROUP_LIVE || blank < 2;
}

static void
heal(struct world *w)
{
	memset(&temper, 0, sizeof temper);
	for (unsigned i = 0; i < w->mails; i++)
		w->mail[i].not_before = 0;
	for (unsigned r = 0; r < w->n; r++)
		world_server_up(w, r);
	for (unsigned m = 0; m < w->members; m++) {
		struct member *x = &w->member[m];
		memset(x->cut_to, 0, sizeof x->cut_to);
		memset(x->cut_from, 0, sizeof x->cut_from);
		if (!x->alive)
			start(w, m);
		if (x->paused)
			world_resume(w, m);
		world_event(w, m, &(struct lease_event){ .kind = LEASE_EV_ELIGIBLE, .on = true });
	}
}

/* recovers: L1.  What was resigned comes back after 2L; the back-off of a member that failed
 * often is at most L/2. */
static bool
recovers(struct world *w)
{
	int64_t bound = 3 * w->profile.l_ns + 40 * w->profile.p_ns / 10 + 6 * w->profile.step_ns;
	unsigned resigned = 0;

	heal(w);
	for (unsigned m = 0; m < w->members; m++)
		resigned += w->member[m].lease.resigned;
	if (resigned == w->members)
		bound += 2 * w->profile.l_ns;
	for (int64_t start_at = w->t; w->violated == NULL && w->t < start_at + bound;) {
		if (world_active(w) >= 0)
			return true;
		w->t += (int64_t)below((uint64_t)(w->profile.p_ns / 60));
		if (below(4) != 0 && deliver_one(w))
			continue;
		attend(w, (unsigned)below(w->members), 1024);
	}
	return false;
}

/* --- an episode --------------------------------------------------------------------------- */

static struct profile
some_profile(void)
{
	switch (below(4)) {
	case 0:
		return profile_make(30, 120, 160, 1);
	case 1:
		return profile_make(60, 240, 320, 1);
	case 2:
		return profile_make(60, 240, 265, 1);	/* as tight as the start allows */
	default:
		return profile_make(60, 180, 204, 1);
	}
}

static void
some_temper(void)
{
	static const unsigned levels[] = { 0, 8, 40, 160 };

	temper = (struct temper){
		.lose = levels[below(4)], .doubled = levels[below(4)], .late = levels[below(4)],
		.refuse = levels[below(3)] / 2, .fault = levels[below(3) + 1] / 2 + 2, .fence = 20, .kinds = random64(),
	};
}

bool
adversary_episode(struct world *w, uint64_t seed, bool trace)
{
	rng = seed * 0x9e3779b97f4a7c15u | 1;
	for (int i = 0; i < 8; i++)
		random64();
	struct profile p = some_profile();
	world_init(w, below(4) == 0 ? 1 : 3, 2 + (unsigned)below(3), &p);
	w->fate = fate;
	w->trace = trace;
	w->floor = below(2) == 0;
	w->unbounded = below(8) == 0;
	w->replicated = w->n == 1 && below(3) == 0;
	w->t = 1000000 * MS;
	if (w->floor)
		w->t = 1795150629 * NS_PER_S;
	some_temper();
	for (unsigned m = 0; m < w->members; m++)
		start(w, m);
	/* With two registers empty and few kinds of faults nothing may ever happen again: an operator would
	 * have to repair the group. */
	for (unsigned turns = 0; w->steps < CHAOS_STEPS && turns < CHAOS_TURNS && w->violated == NULL; turns++)
		turn(w);
	if (w->violated == NULL && can_recover(w) && !recovers(w) && w->violated == NULL)
		w->violated = "L1: nobody leads in time after all faults are over";
	return w->violated == NULL;
}
