/* t_client_elect - one active member of several, by the public interface, on a real server: exclusive methods,
 * hand-over, a leader that is killed, and what the user is told of it. */
#include "handle.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "base/magic.h"
#include "sys/child.h"
#include "sys/thread.h"
#include "usurp.h"

#define SERVICE "pay-service"
#define PROFILE "wan"			/* bears a machine that stands still for seconds */
#define LEASE_MS 4000			/* its D */
#define DRAIN_MS 60000			/* whoever is slow to end its work is not cut short */

/* What one member was told. */
struct told {
	_Atomic unsigned began, ended;
	_Atomic uint64_t epoch, over;	/* of the newest hold that began, and that ended */
	atomic_bool holds, stuck;	/* stuck: its role callback does not return from STANDBY */
	atomic_int overlaps;
};

static atomic_int leaders;		/* between ACTIVE's call and the return of STANDBY's */

static void
on_role(void *arg, enum aegis_role role, uint64_t epoch)
{
	struct told *t = arg;

	if (role == AEGIS_ACTIVE) {
		if (atomic_fetch_add(&leaders, 1) != 0)
			atomic_fetch_add(&t->overlaps, 1);
		atomic_store(&t->epoch, epoch);
		atomic_fetch_add(&t->began, 1);
		return;
	}
	while (atomic_load(&t->stuck))
		thread_pause(NS_PER_MS);
	atomic_fetch_sub(&leaders, 1);
	atomic_store(&t->over, epoch);
	atomic_fetch_add(&t->ended, 1);
}

static void
who(void *arg, aegis_request *r)
{
	aegis_out *out = aegis_out_new();

	aegis_out_text(out, "who", arg);
	aegis_out_int(out, "epoch", (int64_t)aegis_request_epoch(r));
	aegis_reply(r, out);
}

struct one {
	aegis *a;
	aegis_election *l;
	struct told told;
};

static void
join(struct one *m, const char *service, const char *instance)
{
	m->a = connect_as(NULL);
	ok(aegis_serve_with(m->a, "who", who, (void *)(uintptr_t)instance, &(aegis_serve_options){ .exclusive = true }, &e));
	ok(aegis_serve(m->a, "any", who, (void *)(uintptr_t)instance, 0, &e));
	m->l = aegis_elect_join(m->a, &(aegis_elect_options){ .profile = PROFILE, .drain_ms = DRAIN_MS, .role = on_role,
	    .arg = &m->told }, &e);
	if (m->l == NULL)
		fail_msg("%s", e.text);
	ok(enrol(m->a, service, instance));
}

static bool
leads(struct one *m)
{
	return aegis_elect_role(m->l) == AEGIS_ACTIVE && atomic_load(&m->told.began) > atomic_load(&m->told.ended);
}

/* ask: whom a call of the method reaches, and under which epoch. */
static uint64_t
ask(aegis *caller, const char *service, const char *method, const char *want, const aegis_call_options *o)
{
	aegis_result *r;
	int64_t epoch;

	ok(aegis_call(caller, service, method, NULL, o, &r, &e));
	if (want != NULL)
		assert_string_equal(aegis_result_text(r, "who"), want);
	assert_true(aegis_result_int(r, "epoch", &epoch));
	aegis_result_free(r);
	return (uint64_t)epoch;
}

static const aegis_call_options sticky = { .strategy = AEGIS_STICKY };

static aegis *caller;

static int
set_up(void **state)
{
	(void)state;
	if (!bus_start(&bus))
		return -1;
	caller = connect_as(&(aegis_options){ .timeout_ms = 60000 });
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	aegis_close(caller);
	bus_end(&bus);
	return 0;
}

static void
on_failed(void *arg, const aegis_error *why)
{
	struct err *to = arg;
	const struct err *from = (const struct err *)(const void *)why;

	memcpy(to->text, from->text, sizeof to->text);
	__atomic_store_n(&to->code, from->code, __ATOMIC_RELEASE);	/* the test waits for it, then reads */
}

/* fenced: as join, publishing through one lane. */
static void
fenced(struct one *m, const char *service, const char *instance)
{
	m->a = connect_as(NULL);
	m->l = aegis_elect_join(m->a, &(aegis_elect_options){ .profile = PROFILE, .fence_lanes = 1, .role = on_role,
	    .arg = &m->told }, &e);
	assert_non_null(m->l);
	ok(enrol(m->a, service, instance));
}

/* block: a handler that the test holds up. */
static _Atomic unsigned blocked, ran;
static atomic_bool may_go;

static void
block(void *arg, aegis_request *r)
{
	(void)arg;
	atomic_fetch_add(&blocked, 1);
	while (!atomic_load(&may_go))
		thread_pause(NS_PER_MS);
	atomic_fetch_add(&ran, 1);
	aegis_reply(r, NULL);
}

/* asked: a call's end: its code, -1 before. */
static void
asked(void *arg, const aegis_result *r, const aegis_error *why)
{
	atomic_store((atomic_int *)arg, r != NULL ? AEGIS_OK : why->code);
}

/* --- the tests ---------------------------------------------------------------------------- */

static void
what_cannot_be_is_refused(void **state)
{
	aegis *a = connect_as(NULL);

	(void)state;
	assert_null(aegis_elect_join(a, &(aegis_elect_options){ .group = "a__b" }, &e));
	assert_int_equal(e.code, AEGIS_INVALID);
	assert_null(aegis_elect_join(a, &(aegis_elect_options){ .profile = "hasty" }, &e));
	ok(aegis_serve_with(a, "who", who, NULL, &(aegis_serve_options){ .exclusive = true }, &e));
	fails(enrol(a, "alone-service", "alone"), AEGIS_INVALID, "aegis_elect_join");
	aegis_election *l = aegis_elect_join(a, NULL, &e);
	assert_non_null(l);
	assert_null(aegis_elect_join(a, NULL, &e));
	assert_int_equal(e.code, AEGIS_EXISTS);
	assert_int_equal(aegis_elect_role(l), AEGIS_STANDBY);
	assert_int_equal(aegis_elect_epoch(l), 0);
	assert_int_equal(aegis_elect_remaining_ms(l), 0);
	fails(aegis_elect_step_down(l, NULL, &e), AEGIS_NOT_ACTIVE, "default");
	ok(enrol(a, "alone-service", "alone"));
	aegis_election *late = aegis_elect_join(a, NULL, &e);
	assert_null(late);
	aegis_close(a);
}

static void
only_the_leader_executes_and_the_lead_is_handed_over(void **state)
{
	static struct one a, b;
	const aegis_call_options at_b = { .instance = "pay-b", .strategy = AEGIS_PREFER, .retry = AEGIS_RETRY_NONE };

	(void)state;
	join(&a, SERVICE, "pay-a");
	WAIT_FOR(leads(&a));
	join(&b, SERVICE, "pay-b");
	WAIT_FOR(aegis_call(caller, SERVICE, "any", NULL, &(aegis_call_options){ .instance = "pay-b" }, NULL, &e) == AEGIS_OK);
	uint64_t first = ask(caller, SERVICE, "who", "pay-a", &sticky);
	assert_int_equal(first, aegis_elect_epoch(a.l));
	assert_int_equal(first, atomic_load(&a.told.epoch));
	assert_in_range(aegis_elect_remaining_ms(a.l), 1, LEASE_MS);
	assert_int_equal(aegis_elect_role(b.l), AEGIS_STANDBY);
	/* Whoever gets the call, in the form that Python clients read. */
	for (int i = 0; i < 10; i++) {
		aegis_result *r;
		ok(aegis_call(caller, SERVICE, "who", NULL, NULL, &r, &e));
		if (strstr(aegis_result_json(r), "\"who\":\"pay-a\"") == NULL)
			fail_msg("%s", aegis_result_json(r));
		aegis_result_free(r);
	}
	assert_int_equal(aegis_call(caller, SERVICE, "who", NULL, &(aegis_call_options){ .instance = "pay-b",
	    .retry = AEGIS_RETRY_NONE }, NULL, &e), AEGIS_NOT_ACTIVE);
	assert_int_equal(ask(caller, SERVICE, "any", "pay-b", &at_b), 0);

	/* By name, and to nobody that is not there. */
	assert_int_equal(aegis_elect_step_down(a.l, "nobody", &e), AEGIS_NOT_FOUND);
	WAIT_FOR(aegis_elect_step_down(a.l, "pay-b", &e) == AEGIS_OK);	/* when its beat has come */
	WAIT_FOR(leads(&b));
	uint64_t second = ask(caller, SERVICE, "who", "pay-b", &sticky);
	assert_true(second > first);
	assert_int_equal(atomic_load(&a.told.over), first);

	/* Closed in order: told before it is given back, and the other one follows. */
	aegis_close(b.a);
	assert_int_equal(atomic_load(&b.told.ended), 1);
	WAIT_FOR(leads(&a));
	uint64_t third = ask(caller, SERVICE, "who", "pay-a", &sticky);
	assert_true(third > second);

	/* Not healthy: it lets go, and may lead again when it is. */
	aegis_set_healthy(a.a, false);
	WAIT_FOR(!leads(&a) && atomic_load(&a.told.ended) == 2);
	aegis_set_healthy(a.a, true);
	WAIT_FOR(leads(&a));
	assert_true(ask(caller, SERVICE, "who", "pay-a", &sticky) > third);
	ok(aegis_elect_leave(a.l, &e));
	assert_int_equal(aegis_elect_role(a.l), AEGIS_STANDBY);
	assert_int_equal(atomic_load(&a.told.ended), 3);
	aegis_close(a.a);
	assert_int_equal(atomic_load(&a.told.overlaps) + atomic_load(&b.told.overlaps), 0);
	assert_int_equal(atomic_load(&leaders), 0);
}

static void
nobody_leads_before_the_last_one_has_ended_its_work(void **state)
{
	static struct one a, b;

	(void)state;
	join(&a, "slow-service", "slow-a");
	WAIT_FOR(leads(&a));
	join(&b, "slow-service", "slow-b");
	atomic_store(&a.told.stuck, true);
	WAIT_FOR(aegis_elect_step_down(a.l, "slow-b", &e) == AEGIS_OK);
	/* Far less than the drain may take, and many times what a hand-over takes. */
	struct mono until = mono_after(clock_mono(clock_system()), 500 * NS_PER_MS);
	while (!mono_reached(clock_mono(clock_system()), until)) {
		assert_int_equal(atomic_load(&b.told.began), 0);
		thread_pause(5 * NS_PER_MS);
	}
	assert_int_equal(aegis_elect_role(b.l), AEGIS_STANDBY);
	atomic_store(&a.told.stuck, false);
	/* The one that was named, unless it sleeps for as long as who resigned keeps back. */
	WAIT_FOR(atomic_load(&a.told.began) + atomic_load(&b.told.began) == 2);
	assert_int_equal(atomic_load(&a.told.ended), 1);
	aegis_close(a.a);
	aegis_close(b.a);
	assert_int_equal(atomic_load(&leaders), 0);
}

/* candidate: a process of its own, to be killed. */
static int
candidate(const char *url)
{
	aegis *a = aegis_connect(&(aegis_options){ .servers = url }, &e);
	aegis_election *l = NULL;

	if (a == NULL || aegis_serve_with(a, "who", who, (void *)(uintptr_t)"dies-a",
	    &(aegis_serve_options){ .exclusive = true }, &e) != AEGIS_OK ||
	    (l = aegis_elect_join(a, &(aegis_elect_options){ .profile = PROFILE }, &e)) == NULL ||
	    enrol(a, "dies-service", "dies-a") != AEGIS_OK)
		return 1;
	for (;;)
		thread_pause(NS_PER_S);
}

static void
another_one_follows_when_the_leader_is_killed(void **state)
{
	const char *const argv[] = { "/proc/self/exe", "candidate", bus_url(&bus), NULL };
	static struct one b;
	struct err err;
	pid_t pid;

	(void)state;
	expect_ok(child_spawn(&(struct child_opts){ .argv = argv, .own_group = true, .dies_with_parent = true }, &pid, &err),
	    &err);
	/* It leads when it answers: nobody else is there. */
	WAIT_FOR(aegis_call(caller, "dies-service", "who", NULL, NULL, NULL, &e) == AEGIS_OK);
	uint64_t first = ask(caller, "dies-service", "who", "dies-a", &sticky);
	join(&b, "dies-service", "dies-b");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	/* A call that comes meanwhile waits for the next leader. */
	uint64_t second = ask(caller, "dies-service", "who", "dies-b", &(aegis_call_options){ .strategy = AEGIS_STICKY,
	    .idempotent = true, .timeout_ms = 60000 });
	assert_true(second > first);
	WAIT_FOR(leads(&b));
	assert_int_equal(second, aegis_elect_epoch(b.l));
	aegis_close(b.a);
	assert_int_equal(atomic_load(&b.told.ended), 1);
}

/* Two calls have passed the gate, and a worker has the first: the lead is lost, and the second one's handler never runs. */
static void
what_waits_for_a_worker_when_the_lead_ends_is_not_run(void **state)
{
	const aegis_call_options once = { .retry = AEGIS_RETRY_NONE, .timeout_ms = 60000 };
	static struct one m;
	static atomic_int code[2] = { -1, -1 };
	struct err err;

	(void)state;
	m.a = connect_as(NULL);
	ok(aegis_serve(m.a, "any", who, (void *)(uintptr_t)"queue-a", 0, &e));
	ok(aegis_serve_with(m.a, "block", block, NULL, &(aegis_serve_options){ .exclusive = true, .concurrency = 1, .max_queue = 1 }, &e));
	m.l = aegis_elect_join(m.a, &(aegis_elect_options){ .profile = PROFILE, .role = on_role, .arg = &m.told }, &e);
	assert_non_null(m.l);
	ok(enrol(m.a, "queue-service", "queue-a"));
	WAIT_FOR(leads(&m));
	uint64_t first = aegis_elect_epoch(m.l);
	ask(caller, "queue-service", "any", "queue-a", NULL);
	for (unsigned i = 0; i < 2; i++)
		ok(aegis_call_start(caller, "queue-service", "block", NULL, &once, asked, &code[i], &e));
	/* It comes after them, and there is no room for it. */
	fails(aegis_call(caller, "queue-service", "block", NULL, &once, NULL, &e), AEGIS_BUSY, "may wait");
	WAIT_FOR(atomic_load(&blocked) == 1);

	struct conn *c = conn_new(&(struct conn_opts){ .servers = bus_url(&bus) }, &err);
	assert_non_null(c);
	assert_true(usurp(c, "AEGIS_L0", "queue-service__default", first + 1000, 1050));
	WAIT_FOR(aegis_elect_role(m.l) == AEGIS_STANDBY);
	atomic_store(&may_go, true);
	WAIT_FOR(atomic_load(&code[0]) != -1 && atomic_load(&code[1]) != -1);
	assert_int_equal(atomic_load(&code[0]), AEGIS_OUTCOME_UNKNOWN);
	assert_int_equal(atomic_load(&code[1]), AEGIS_NOT_ACTIVE);
	WAIT_FOR(leads(&m));
	assert_true(aegis_elect_epoch(m.l) > first + 1000);
	assert_int_equal(atomic_load(&ran), 1);
	ok(aegis_call(caller, "queue-service", "block", NULL, &sticky, NULL, &e));
	assert_int_equal(atomic_load(&ran), 2);
	conn_free(c);
	aegis_close(m.a);
}

static void
through_a_fence_only_the_leader_publishes(void **state)
{
	static struct one m[2];
	static struct err why;

	(void)state;
	memset(m, 0, sizeof m);
	fenced(&m[0], "ledger-service", "x");
	WAIT_FOR(leads(&m[0]));
	fenced(&m[1], "ledger-service", "y");
	ok(aegis_publish_json(m[0].a, "ledger", "booked", "{\"n\":1}", NULL, &e));
	fails(aegis_publish_json(m[1].a, "ledger", "booked", "{\"n\":2}", NULL, &e), AEGIS_NOT_ACTIVE, "not stored");
	fails(aegis_publish_start(m[0].a, "ledger", "booked", NULL, NULL, NULL, NULL, &e), AEGIS_INVALID, "aegis_publish");
	WAIT_FOR(aegis_elect_step_down(m[0].l, "y", &e) == AEGIS_OK);
	WAIT_FOR(leads(&m[1]));
	ok(aegis_publish_json(m[1].a, "ledger", "booked", "{\"n\":3}", NULL, &e));
	fails(aegis_publish_json(m[0].a, "ledger", "booked", "{\"n\":4}", NULL, &e), AEGIS_NOT_ACTIVE, "not stored");

	/* One without a fence could publish past it. */
	aegis *third = connect_as(NULL);
	aegis_election *l = aegis_elect_join(third, &(aegis_elect_options){ .profile = PROFILE, .failed = on_failed, .arg = &why }, &e);
	assert_non_null(l);
	ok(enrol(third, "ledger-service", "z"));
	WAIT_FOR(__atomic_load_n(&why.code, __ATOMIC_ACQUIRE) == ERR_CONFIG);
	aegis_close(third);
	assert_non_null(strstr(why.text, "uses fence 'stream', not 'gate'"));
	aegis_close(m[0].a);
	aegis_close(m[1].a);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(only_the_leader_executes_and_the_lead_is_handed_over),
		cmocka_unit_test(nobody_leads_before_the_last_one_has_ended_its_work),
		cmocka_unit_test(another_one_follows_when_the_leader_is_killed),
		cmocka_unit_test(what_waits_for_a_worker_when_the_lead_ends_is_not_run),
		cmocka_unit_test(through_a_fence_only_the_leader_publishes),
	};

	BUS_SHIM(argc, argv);
	if (argc > 2 && strcmp(argv[1], "candidate") == 0)
		return candidate(argv[2]);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
