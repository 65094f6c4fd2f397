/* scripts.c - one directed run per mutant: the schedule that the rule is there for.
 *
 * The core comes through each unharmed; the mutant violates an invariant, or the script proves
 * nothing.  Times are those of the profile `default`: P 60, D 240, L 320 ms, and a gate that
 * stays open for 220 ms after the last send. */
#include "scripts.h"

#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "world.h"

#define MS NS_PER_MS
#define FAR (INT64_MAX / 2)

#ifdef AEGIS_MUTANTS
extern int lease_mutant;
#else
static int lease_mutant;
#endif

enum { A, B, C };

static struct world w;

/* --- small words -------------------------------------------------------------------------- */

static void
eligible(unsigned m, bool on)
{
	world_event(&w, m, &(struct lease_event){ .kind = LEASE_EV_ELIGIBLE, .on = on, .reason = LEASE_BY_UNHEALTHY });
}

static bool
can_take(const struct mail *m)
{
	const struct member *x = &w.member[m->member];

	return m->not_before <= w.t && !(m->kind >= MAIL_ACK && m->kind <= MAIL_GROUP && x->paused);
}

static void
deliver_all(void)
{
	for (bool more = true; more;) {
		more = false;
		for (unsigned i = 0; i < w.mails && !more; i++)
			if (can_take(&w.mail[i])) {
				world_deliver(&w, i);
				more = true;
			}
	}
}

/* run: a healthy network, one millisecond after the other. */
static void
run(int ms)
{
	while (ms-- > 0 && w.violated == NULL) {
		deliver_all();
		for (unsigned m = 0; m < w.members; m++)
			if (w.member[m].alive && !w.member[m].paused && boot_reached(world_local(&w, m), w.member[m].due))
				world_tick(&w, m);
		deliver_all();
		w.t += MS;
	}
}

static void
connect_to(unsigned m, unsigned first, unsigned last)
{
	for (unsigned r = first; r <= last; r++)
		world_connect(&w, m, r);
}

static void
cut(unsigned m, unsigned r, bool on)
{
	w.member[m].cut_to[r] = w.member[m].cut_from[r] = on;
}

static void
begin(unsigned n, unsigned members, bool floor)
{
	struct profile p = profile_make(60, 240, 320, 1);

	world_init(&w, n, members, &p);
	w.floor = floor;
	w.t = floor ? 1795150629 * NS_PER_S : 1000 * MS;
	for (unsigned m = 0; m < members; m++) {
		world_start(&w, m, 5000 * MS, 0, m + 1);
		eligible(m, m == A);
	}
}

/* lead: A opens with whatever it is connected to. */
static void
lead(void)
{
	run(345);
	MUST(world_active(&w) == A);
}

static void
resign(unsigned m)
{
	world_event(&w, m, &(struct lease_event){ .kind = LEASE_EV_RESIGN });
	world_event(&w, m, &(struct lease_event){ .kind = LEASE_EV_IDLE });
}

/* --- the scripts -------------------------------------------------------------------------- */

/* B hears nothing more, though its link looks up, and tries to take over a live leader. */
static void
deaf_rival(void)
{
	begin(1, 2, true);
	connect_to(A, 0, 0);
	connect_to(B, 0, 0);
	lead();
	eligible(B, true);
	w.member[B].cut_from[0] = true;
	run(700);
}

/* A deaf rival gets the one register that the leader had not reached; the leader reaches it
 * while the rival's round is still on. */
static void
rival_in_one_register(void)
{
	begin(3, 2, true);
	connect_to(A, 0, 2);
	connect_to(B, 0, 2);
	cut(A, 2, true);
	lead();
	w.member[B].cut_from[0] = w.member[B].cut_from[1] = true;
	eligible(B, true);
	for (int i = 0; i < 500 && w.member[B].lease.state != LEASE_CAMPAIGN; i++)
		run(1);
	MUST(w.member[B].lease.state == LEASE_CAMPAIGN);
	world_disconnect(&w, A, 2);
	cut(A, 2, false);
	connect_to(A, 2, 2);
	run(150);
}

static bool
late_answers(struct world *x, struct mail *m)
{
	if (m->member == A && m->kind >= MAIL_ACK && m->kind <= MAIL_VIEW)
		m->not_before = FAR;
	return x != NULL;
}

static void
release_held(enum mail_kind kind)
{
	for (unsigned i = 0; i < w.mails; i++)
		if (w.mail[i].kind == kind && w.mail[i].not_before == FAR)
			w.mail[i].not_before = w.t;
}

/* The acknowledgement of the last renewal arrives 130 ms after it was stored, and A is cut off. */
static void
late_acknowledgement(void)
{
	begin(1, 2, true);
	connect_to(A, 0, 0);
	connect_to(B, 0, 0);
	lead();
	eligible(B, true);
	run(61);
	uint64_t stored = w.server[0].now.rev;
	w.fate = late_answers;
	for (int i = 0; i < 70 && w.server[0].now.rev == stored; i++)
		run(1);
	w.member[A].cut_to[0] = true;
	run(130);
	release_held(MAIL_ACK);
	run(300);
}

/* The register is emptied under a live leader. */
static void
emptied(void)
{
	begin(1, 2, true);
	connect_to(A, 0, 0);
	connect_to(B, 0, 0);
	lead();
	eligible(B, true);
	w.member[A].cut_from[0] = true;
	world_lose(&w, 0, WORLD_WIPE);
	world_disconnect(&w, B, 0);
	connect_to(B, 0, 0);
	run(30);
}

static void
cut_off(void)
{
	begin(1, 2, true);
	connect_to(A, 0, 0);
	connect_to(B, 0, 0);
	lead();
	eligible(B, true);
	cut(A, 0, true);
	run(700);
	MUST(lease_mutant != 0 || world_active(&w) == B);
}

static void
hand_over(void)
{
	begin(3, 2, true);
	connect_to(A, 0, 2);
	connect_to(B, 0, 2);
	lead();
	run(400);
	eligible(B, true);
	resign(A);
	run(20);
	MUST(lease_mutant != 0 || world_active(&w) == B);
}

/* A's clock stands still while another one leads; then the answer to an old write arrives. */
static void
answer_from_before(void)
{
	begin(1, 2, true);
	connect_to(A, 0, 0);
	connect_to(B, 0, 0);
	lead();
	eligible(B, true);
	w.fate = late_answers;
	run(61);
	world_pause(&w, A, true);
	run(600);
	MUST(world_active(&w) == B);
	w.fate = NULL;
	world_resume(&w, A);
	release_held(MAIL_ACK);
	for (unsigned i = 0; i < w.mails; i++)
		if (w.mail[i].member == A && w.mail[i].kind == MAIL_ACK) {
			world_deliver(&w, i);
			break;
		}
	run(5);
}

/* again: A loses its lease to nobody, and leads again over its own values. */
static void
again(void)
{
	for (unsigned r = 0; r < w.n; r++)
		w.member[A].cut_to[r] = true;
	run(300);
	MUST(w.member[A].lease.state == LEASE_FENCED);
	world_event(&w, A, &(struct lease_event){ .kind = LEASE_EV_IDLE });
	for (unsigned r = 0; r < w.n; r++)
		w.member[A].cut_to[r] = false;
	run(300);
	MUST(w.violated != NULL || world_active(&w) == A);
}

/* One register of a live group lost its data, the other one that knows the epoch is down. */
static void
empty_and_down(void)
{
	begin(3, 2, false);
	connect_to(A, 0, 2);
	lead();
	world_disconnect(&w, A, 2);
	again();
	MUST(w.group == LEASE_GROUP_LIVE);
	world_crash(&w, A);
	world_lose(&w, 0, WORLD_WIPE);
	world_server_down(&w, 1);
	eligible(B, true);
	connect_to(B, 0, 0);
	connect_to(B, 2, 2);
	run(1500);
}

/* The machine of a register stops and forgets the last write, which was the take-over; what it
 * shows instead is released, and known to be so by C, who missed the take-over. */
static void
forgotten_take_over(void)
{
	begin(1, 3, true);
	for (unsigned m = A; m <= C; m++)
		connect_to(m, 0, 0);
	lead();
	run(400);
	resign(A);
	run(2);
	eligible(B, true);
	w.member[C].cut_from[0] = true;
	for (int i = 0; i < 20 && world_active(&w) != B; i++)
		run(1);
	MUST(world_active(&w) == B);
	world_server_down(&w, 0);
	world_lose(&w, 0, WORLD_REVERT);
	world_server_up(&w, 0);
	cut(C, 0, false);
	cut(B, 0, true);
	eligible(C, true);
	connect_to(C, 0, 0);
	run(30);
}

/* B's view of register 1 is from before C's hold, whose only other trace was in the register
 * that is empty now. */
static void
outdated_view(void)
{
	begin(3, 3, false);
	for (unsigned m = A; m <= B; m++)
		connect_to(m, 0, 2);
	connect_to(C, 0, 1);
	lead();
	run(400);
	w.member[B].cut_from[0] = w.member[B].cut_from[1] = true;
	world_crash(&w, A);
	eligible(C, true);
	run(500);
	MUST(world_active(&w) == C);
	world_crash(&w, C);
	world_lose(&w, 0, WORLD_WIPE);
	w.member[B].cut_from[0] = false;
	run(800);
	eligible(B, true);
	run(50);
}

static void
own_value(void)
{
	begin(1, 1, false);
	connect_to(A, 0, 0);
	lead();
	again();
}

/* A is cut from two registers for longer than its lease; B leads there and releases. */
static void
after_expiry(void)
{
	begin(3, 2, false);
	connect_to(A, 0, 2);
	connect_to(B, 0, 1);
	lead();
	run(400);
	eligible(B, true);
	cut(A, 0, true);
	cut(A, 1, true);
	run(500);
	MUST(world_active(&w) == B);
	resign(B);
	run(5);
	world_crash(&w, B);
	world_disconnect(&w, A, 0);
	cut(A, 0, false);
	connect_to(A, 0, 0);
	run(150);
}

static const struct {
	int mutant;
	const char *name;
	void (*run)(void);
} scripts[] = {
	{ 1, "deaf_rival", deaf_rival },
	{ 2, "rival_in_one_register", rival_in_one_register },
	{ 3, "late_acknowledgement", late_acknowledgement },
	{ 4, "emptied", emptied },
	{ 5, "cut_off", cut_off },
	{ 6, "hand_over", hand_over },
	{ 7, "answer_from_before", answer_from_before },
	{ 8, "empty_and_down", empty_and_down },
	{ 9, "forgotten_take_over, views kept", forgotten_take_over },
	{ 10, "outdated_view", outdated_view },
	{ 11, "forgotten_take_over", forgotten_take_over },
	{ 12, "own_value", own_value },
	{ 13, "after_expiry", after_expiry },
};

static bool
judge(int mutant, const char *name, void (*script)(void))
{
	lease_mutant = mutant;
	script();
	bool right = (w.violated != NULL) == (mutant != 0);
	printf("%sok sim %s, %s%d: %s\n", right ? "" : "not ", name, mutant != 0 ? "mutant " : "core ", mutant,
	    w.violated != NULL ? w.violated : "nothing violated");
	lease_mutant = 0;
	return right;
}

int
scripts_run(void)
{
	bool good = true;

	for (size_t i = 0; i < COUNT_OF(scripts); i++) {
		good &= judge(0, scripts[i].name, scripts[i].run);
#ifdef AEGIS_MUTANTS
		good &= judge(scripts[i].mutant, scripts[i].name, scripts[i].run);
#endif
	}
	return good ? 0 : 1;
}
