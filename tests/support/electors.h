/* electors.h - members of a group in one program, each with a loop, a thread and connections of its own.
 *
 * A member answers what its elector asks for at once: it has no work, so it is idle whenever that is
 * asked for; what it was told is kept for the test.  Its memory must outlive the test's function, because
 * a test that fails leaves members running: members_end, as its tear-down, ends them before the next one. */
#ifndef SUPPORT_ELECTORS_H
#define SUPPORT_ELECTORS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "bus.h"
#include "election/elector.h"
#include "nats/conn.h"
#include "sys/loop.h"

#define ROLES_MAX 256		/* the last ones are kept */
#define MEMBERS_MAX 16

/* No test with them is about how fast anything is, so the lease bears a busy machine.  Where one must not be lost
 * at all it bears a machine that stands still for seconds; then also each start takes as many. */
#define MEMBERS_PROFILE "relaxed"
#define STEADY_PROFILE "wan"
#define STEADY_LEASE_NS (4 * NS_PER_S)		/* its D */

struct member {
	const char *servers, *instance, *group, *profile;
	const char *user, *password;
	gate_word *word;
	const struct clock *clock;	/* NULL: the system's */
	_Atomic bool stubborn;		/* never idle by itself */
	struct loop *loop;
	struct conn *conn;
	struct site *site;
	struct elector *elector;
	pthread_t thread;
	_Atomic unsigned roles;		/* how many were told */
	struct elector_role role[ROLES_MAX];	/* a ring */
	_Atomic unsigned told[LEASE_STATE_COUNT];	/* how many roles were told when this one was the last */
	_Atomic bool admits, failed, ended;
	_Atomic unsigned reaps, stepdowns;
	char why[512];
	char holder[129];
	_Atomic uint64_t holder_epoch;
};

/* member_told(m, i): the role that it was told as number i, which is one of the newest. */
static inline const struct elector_role *
member_told(const struct member *m, unsigned i)
{
	return &m->role[i % ROLES_MAX];
}

static inline void
member_role(void *arg, const struct elector_role *role)
{
	struct member *m = arg;
	unsigned n = atomic_load(&m->roles);

	m->role[n % ROLES_MAX] = *role;
	atomic_store(&m->told[role->state], n + 1);
	atomic_store(&m->roles, n + 1);
	if (!m->stubborn && (role->state == LEASE_DRAINING || role->state == LEASE_FENCED || role->state == LEASE_RETIRED))
		elector_idle(m->elector);
}

static inline void
member_admit(void *arg, bool on)
{
	atomic_store(&((struct member *)arg)->admits, on);
}

static inline void
member_reap(void *arg)
{
	struct member *m = arg;

	atomic_fetch_add(&m->reaps, 1);
	if (!m->stubborn)
		elector_idle(m->elector);
}

static inline void
member_holder(void *arg, const struct elector_holder *h)
{
	struct member *m = arg;

	snprintf(m->holder, sizeof m->holder, "%s", h->instance);
	atomic_store(&m->holder_epoch, h->epoch);
}

static inline void
member_stepdown(void *arg, const char *to)
{
	(void)to;
	atomic_fetch_add(&((struct member *)arg)->stepdowns, 1);
}

static inline void
member_failed(void *arg, const struct err *why)
{
	struct member *m = arg;

	snprintf(m->why, sizeof m->why, "%s", why->text);
	atomic_store(&m->failed, true);
}

static inline void
member_ended(void *arg)
{
	atomic_store(&((struct member *)arg)->ended, true);
}

static inline void *
member_thread(void *arg)
{
	loop_run(((struct member *)arg)->loop);
	return NULL;
}

/* member_in: fn(m) on m's loop. */
static inline void
member_in(struct member *m, void (*fn)(void *arg))
{
	struct err err;

	if (loop_call(m->loop, fn, m, WAIT_NS, &err) != ERR_OK)
		fail_msg("%s: %s", m->instance, err.text);
}

static inline void
member_open(void *arg)
{
	struct member *m = arg;
	struct conn_opts access = { .servers = m->servers, .user = m->user, .password = m->password };
	struct err err = { 0 };

	m->site = site_new(&(struct site_opts){ .loop = m->loop, .conn = m->conn, .access = &access, .member = m->instance },
	    &err);
	if (m->site == NULL)
		fail_msg("%s", err.text);
	m->elector = elector_new(&(struct elector_opts){ .site = m->site, .service = ELECT_SERVICE, .group = m->group,
		.instance = m->instance, .profile = m->profile, .word = m->word, .data = { m->conn },
		.admit = member_admit, .role = member_role, .reap = member_reap, .holder = member_holder,
		.stepdown = member_stepdown, .failed = member_failed, .ended = member_ended, .arg = m }, &err);
	if (m->elector == NULL)
		fail_msg("%s", err.text);
	elector_eligible(m->elector, true, LEASE_BY_NONE);
}

/* Those that run; a test's thread's. */
static struct member *members[MEMBERS_MAX];

static inline struct member **
member_slot(const struct member *m)
{
	for (unsigned i = 0; i < MEMBERS_MAX; i++)
		if (members[i] == m)
			return &members[i];
	fail_msg("more than %d members", MEMBERS_MAX);
	return NULL;
}

/* member_start(m): its first five fields are set by the test. */
static inline void
member_start(struct member *m)
{
	struct conn_opts o = { .servers = m->servers, .name = m->instance, .user = m->user, .password = m->password,
		.wait = true, .timeout_ns = 2 * NS_PER_S };
	struct err err = { 0 };

	if ((m->conn = conn_new(&o, &err)) == NULL || (m->loop = loop_new(m->clock != NULL ? m->clock : clock_system(), 4096, &err)) == NULL)
		fail_msg("%s", err.text);
	MUST(pthread_create(&m->thread, NULL, member_thread, m) == 0);
	*member_slot(NULL) = m;
	member_in(m, member_open);
}

/* fresh_group: a group that nobody had before; good for 31 more. */
static inline const char *
fresh_group(void)
{
	static char name[32][32];
	static unsigned n;

	n++;
	snprintf(name[n % 32], sizeof name[0], "group-%u", n);
	return name[n % 32];
}

/* members_make(m, n, servers, group, profile): starts up to three. */
static inline void
members_make(struct member *m, unsigned n, const char *servers, const char *group, const char *profile)
{
	static const char *const names[] = { "a", "b", "c" };

	memset(m, 0, n * sizeof *m);
	for (unsigned i = 0; i < n; i++) {
		m[i] = (struct member){ .servers = servers, .instance = names[i], .group = group, .profile = profile };
		member_start(&m[i]);
	}
}

static inline void
member_close(void *arg)
{
	struct member *m = arg;

	elector_free(m->elector);
	site_free(m->site);
	m->elector = NULL;
	m->site = NULL;
	loop_stop(m->loop);
}

/* member_kill(m): gone, releasing nothing.  What it was told stays. */
static inline void
member_kill(struct member *m)
{
	if (m->loop == NULL)
		return;
	member_in(m, member_close);
	pthread_join(m->thread, NULL);
	loop_free(m->loop);
	conn_free(m->conn);
	m->loop = NULL;
	m->conn = NULL;
	*member_slot(m) = NULL;
}

static inline void
members_kill(struct member *m, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		member_kill(&m[i]);
}

/* members_end: the tear-down of a test with members. */
static inline int
members_end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MEMBERS_MAX; i++)
		if (members[i] != NULL)
			member_kill(members[i]);
	return 0;
}

static inline void
member_resign(void *arg)
{
	struct member *m = arg;

	MUST(elector_resign(m->elector, NULL, false, NULL) == ERR_OK);
}

static inline void
member_leave_group(void *arg)
{
	struct member *m = arg;

	MUST(elector_resign(m->elector, NULL, true, NULL) == ERR_OK);
}

/* member_stop(m): as a program that is asked to end. */
static inline void
member_stop(struct member *m)
{
	member_in(m, member_leave_group);
	WAIT_FOR(atomic_load(&m->ended));
	member_kill(m);
}

static inline enum lease_state
member_state(const struct member *m)
{
	unsigned n = atomic_load(&m->roles);

	return n > 0 ? member_told(m, n - 1)->state : LEASE_STANDBY;
}

static inline uint64_t
member_epoch(const struct member *m)
{
	unsigned n = atomic_load(&m->roles);

	return n > 0 ? member_told(m, n - 1)->epoch : 0;
}

static inline bool
member_leads(const struct member *m)
{
	return m->loop != NULL && member_state(m) == LEASE_ACTIVE;
}

static inline bool
member_open_gate(struct member *m)
{
	return gate_look(elector_gate(m->elector)->word, clock_system()) != 0;
}

static inline unsigned
leaders(struct member *m, unsigned n)
{
	unsigned k = 0;

	for (unsigned i = 0; i < n; i++)
		k += member_leads(&m[i]);
	return k;
}

static inline struct member *
leader(struct member *m, unsigned n)
{
	struct mono end = mono_after(clock_mono(clock_system()), WAIT_NS);

	while (!mono_reached(clock_mono(clock_system()), end)) {
		for (unsigned i = 0; i < n; i++)
			if (member_leads(&m[i]))
				return &m[i];
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	fail_msg("nobody leads");
	return NULL;
}

/* member_reaches(m): how many registers. */
static inline unsigned
member_reaches(struct member *m)
{
	const struct elector_status *s = elector_status(m->elector);
	unsigned n = 0;

	for (unsigned r = 0; r < s->n; r++)
		n += s->reg[r].up;
	elector_status_drop(s);
	return n;
}

/* print_member(m): how its group looks from it, for a test that fails. */
static inline void
print_member(struct member *m)
{
	const struct elector_status *s = elector_status(m->elector);
	struct boot now = clock_boot(clock_system());

	fprintf(stderr, "%s of %s: %s, epoch %llu, obstacle '%s', holder '%s' %llu\n", s->instance, s->group,
	    lease_state_name(s->role.state), (unsigned long long)s->role.epoch, lease_obstacle_name(s->obstacle),
	    s->holder.instance, (unsigned long long)s->holder.epoch);
	for (unsigned r = 0; r < s->n; r++)
		fprintf(stderr, "  %u on %s: up %d known %d, revision %llu, %s by '%s' epoch %llu, %.0f ms old, %s\n", r + 1,
		    s->reg[r].node, s->reg[r].up, s->reg[r].known, (unsigned long long)s->reg[r].revision,
		    lease_mark_name(s->reg[r].mark), s->reg[r].owner, (unsigned long long)s->reg[r].epoch,
		    (double)(now.ns - s->reg[r].seen.ns) / 1e6, s->reg[r].why);
	elector_status_drop(s);
}

/* was_told(m, state, since): it was told this one since its role number `since`. */
static inline bool
was_told(const struct member *m, enum lease_state state, unsigned since)
{
	return atomic_load(&m->told[state]) > since;
}

#endif
