/* t_flow - clients that know nothing of elections, thousands of calls a second, while the lead moves and nobody dies: the
 * leader steps down, or its lease runs out because renewals do not get through.  Every single call is answered. */
#include "expect.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/drill.h"
#include "bench/arena.h"
#include "bench/flow.h"
#include "bus.h"
#include "election/elector.h"
#include "election/observe.h"
#include "nats/server.h"
#include "sys/dir.h"
#include "sys/proxy.h"

#define SETTLE_NS (60 * NS_PER_S)

static char dir[] = "/tmp/t_flow.XXXXXX";
static struct arena *arena;
static struct err err;

/* epoch_now: of the member that leads; 0: none does. */
static uint64_t
epoch_now(void)
{
	arena_ask(arena);
	int leader = arena_leader(arena);

	return leader >= 0 ? arena_state(arena, (unsigned)leader)->epoch : 0;
}

static uint64_t
settled(void)
{
	expect_ok(arena_settle(arena, SETTLE_NS, &err), &err);
	return epoch_now();
}

static unsigned leads(void);
static unsigned before;		/* leads that had begun when the flow did */

static struct flow *
flow(unsigned rate)
{
	struct str urls = STR_INIT;

	nats_cluster_urls(arena_cluster(arena), &urls);
	struct flow *f = flow_new(str_text(&urls), rate, &err);
	str_release(&urls);
	if (f == NULL)
		fail_msg("%s", err.text);
	before = leads();
	return f;
}

/* leads: how many have begun so far, as the members wrote down. */
static unsigned
leads(void)
{
	struct history h;
	unsigned n = 0;

	expect_ok(history_read(arena_history(arena), &h, &err), &err);
	for (size_t i = 0; i < h.n; i++)
		n += h.v[i].ev == HISTORY_open;
	history_release(&h);
	return n;
}

/* expect_all: none of its calls was lost, if the lead moved as often as it was moved.  If a lease ran out beside that, because a
 * member or a node had no processor for so long, what its holder had is unknown (election.md §7). */
static void
expect_all(struct flow *f, uint64_t least, unsigned moved)
{
	struct flow_view v;

	flow_end(f, &v);
	unsigned changes = leads() - before;
	if (v.failed > 0 && changes == moved)
		fail_msg("%llu of %llu calls were lost, %s", (unsigned long long)v.failed, (unsigned long long)v.sent, v.first);
	if (changes != moved) {
		print_message("the lead moved %u times, not %u: %llu calls were lost\n", changes, moved, (unsigned long long)v.failed);
		return;
	}
	assert_int_equal(v.ok, v.sent);
	assert_true(v.sent >= least);
}

static void
nobody_is_lost_while_leaders_step_down(void **state)
{
	uint64_t epoch = settled();
	struct flow *f = flow(5000);

	(void)state;
	for (int i = 0; i < 5; i++) {
		/* Some calls under each hold, so that the next one is really moved under load. */
		assert_true(arena_pause(arena, 300 * NS_PER_MS));
		expect_ok(observe_step_down(arena_conn(arena), ELECT_SERVICE, DRILL_GROUP, NULL, 5 * NS_PER_S, &err), &err);
		WAIT_FOR(epoch_now() > epoch);
		epoch = settled();
	}
	expect_all(f, 5000, 5);
}

static void
delay(struct proxy *p, void *ns)
{
	proxy_delay(p, PROXY_BOTH, *(int64_t *)ns, *(int64_t *)ns);
}

/* A standby hears late what comes by the connection of its calls, and at once what its registers say: so it knows the next
 * leader long before it has the answers of the last one. */
static void
nobody_is_lost_by_a_standby_that_hears_late(void **state)
{
	int64_t late = 300 * NS_PER_MS, none = 0;
	uint64_t epoch = settled();
	struct flow *f = flow(1000);

	(void)state;
	for (int i = 0; i < 3; i++) {
		unsigned standby = ((unsigned)arena_leader(arena) + 1) % 3;
		int node = arena_state(arena, standby)->node[1] - '1';
		arena_proxy(arena, (int)standby, node, delay, &late);
		assert_true(arena_pause(arena, 2 * late));
		expect_ok(observe_step_down(arena_conn(arena), ELECT_SERVICE, DRILL_GROUP, NULL, 5 * NS_PER_S, &err), &err);
		WAIT_FOR(epoch_now() > epoch);
		assert_true(arena_pause(arena, 3 * late));
		arena_proxy(arena, (int)standby, node, delay, &none);
		epoch = settled();
	}
	expect_all(f, 1000, 3);
}

static void
freeze(struct proxy *p, void *ways)
{
	proxy_freeze(p, *(unsigned *)ways);
}

/* links: those of the leader to the nodes that its calls do not go through; ways: which are shut. */
static void
links(unsigned leader, unsigned but, unsigned ways)
{
	for (unsigned k = 0; k < 3; k++)
		if (k != but)
			arena_proxy(arena, (int)leader, (int)k, freeze, &ways);
}

/* The leader's renewals do not reach a quorum, while its calls go on as before: its lease runs out, and another one leads.  At
 * 1,500 a second: as long as nobody may act all calls wait, in a leader in doubt most of them, and a member keeps 1,000. */
static void
nobody_is_lost_while_renewals_are(void **state)
{
	uint64_t epoch = settled();
	struct flow *f = flow(1500);

	(void)state;
	for (int i = 0; i < 2; i++) {
		unsigned leader = (unsigned)arena_leader(arena);
		unsigned node = (unsigned)(arena_state(arena, leader)->node[1] - '1');
		links(leader, node, PROXY_BOTH);
		WAIT_FOR(epoch_now() > epoch);
		links(leader, node, 0);
		epoch = settled();
	}
	expect_all(f, 1500, 2);
}

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	arena = arena_new(&(struct arena_opts){ .server = bus_program(), .dir = dir, .nodes = 3, .members = 3,
	    .profile = "relaxed", .proxied = true, .seed = 1 }, &err);
	if (arena == NULL)
		fprintf(stderr, "%s\n", err.text);
	return arena != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	dir_remove(dir, NULL);
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_lost_while_leaders_step_down),
		cmocka_unit_test(nobody_is_lost_by_a_standby_that_hears_late),
		cmocka_unit_test(nobody_is_lost_while_renewals_are),
	};

	if (argc > 1 && strcmp(argv[1], DRILL_VERB) == 0)
		drill_main(argc, argv);
	BUS_SHIM(argc, argv);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
