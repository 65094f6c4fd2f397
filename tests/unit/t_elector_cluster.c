/* t_elector_cluster - the shell around the lease with three registers on three nodes (N=3). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>

#include "base/str.h"
#include "election/observe.h"
#include "election/repair.h"
#include "electors.h"
#include "nats/cluster.h"
#include "nats/kv.h"
#include "nats/stream.h"
#include "sys/thread.h"

static char dir[32];
static struct nats_cluster *cluster;
static char *urls;

static void
make(struct member *m, unsigned n, const char *group)
{
	members_make(m, n, urls, group, MEMBERS_PROFILE);
}

static void
make_steady(struct member *m, unsigned n, const char *group)
{
	members_make(m, n, urls, group, STEADY_PROFILE);
}

/* node_of: which node of the cluster register r lies on. */
static unsigned
node_of(struct member *m, unsigned r)
{
	const struct elector_status *s = elector_status(m->elector);
	unsigned node = 99;

	for (unsigned i = 0; i < nats_cluster_size(cluster); i++)
		if (strcmp(nats_cluster_name(cluster, i), s->reg[r].node) == 0)
			node = i;
	elector_status_drop(s);
	assert_int_not_equal(node, 99);
	return node;
}

/* owns: how many registers were renewed by this member since then. */
static unsigned
owns(struct member *m, struct boot since)
{
	const struct elector_status *s = elector_status(m->elector);
	unsigned n = 0;

	for (unsigned r = 0; r < s->n; r++)
		n += s->reg[r].up && s->reg[r].known && s->reg[r].granted.ns >= since.ns;
	elector_status_drop(s);
	return n;
}

/* all_renewed: one of them leads, and has renewed all three since now. */
static struct member *
all_renewed(struct member *m, unsigned n)
{
	struct boot now = clock_boot(clock_system());
	struct mono end = mono_after(clock_mono(clock_system()), WAIT_NS);

	while (!mono_reached(clock_mono(clock_system()), end)) {
		for (unsigned i = 0; i < n; i++)
			if (member_leads(&m[i]) && owns(&m[i], now) == 3)
				return &m[i];
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	for (unsigned i = 0; i < n; i++)
		if (m[i].loop != NULL)
			print_member(&m[i]);
	fail_msg("nobody holds all registers");
	return NULL;
}

static uint64_t
revision(struct member *m, unsigned r)
{
	const struct elector_status *s = elector_status(m->elector);
	uint64_t rev = s->reg[r].revision;

	elector_status_drop(s);
	return rev;
}

static enum lease_obstacle
obstacle(struct member *m)
{
	const struct elector_status *s = elector_status(m->elector);
	enum lease_obstacle o = s->obstacle;

	elector_status_drop(s);
	return o;
}

static void
three_registers_lie_on_three_nodes(void **state)
{
	static struct member m[2];

	(void)state;
	make(m, 2, fresh_group());
	struct member *l = all_renewed(m, 2);
	assert_int_equal(node_of(l, 0) + node_of(l, 1) + node_of(l, 2), 0 + 1 + 2);
	assert_int_not_equal(node_of(l, 0), node_of(l, 1));
	assert_int_not_equal(node_of(l, 1), node_of(l, 2));
	assert_int_equal(leaders(m, 2), 1);
	members_kill(m, 2);
}

static void
when_the_leader_dies_the_other_follows(void **state)
{
	static struct member m[2];

	(void)state;
	make(m, 2, fresh_group());
	struct member *l = all_renewed(m, 2), *o = &m[l == m];
	uint64_t epoch = member_epoch(l);
	WAIT_FOR(atomic_load(&o->holder_epoch) >= epoch);
	member_kill(l);
	WAIT_FOR(member_leads(o));
	assert_true(member_epoch(o) > epoch);
	members_kill(m, 2);
}

static void
a_release_hands_over(void **state)
{
	static struct member m[3];

	(void)state;
	make(m, 3, fresh_group());
	struct member *l = all_renewed(m, 3);
	uint64_t epoch = member_epoch(l);
	member_stop(l);
	WAIT_FOR(leaders(m, 3) == 1);
	assert_true(member_epoch(leader(m, 3)) > epoch);
	members_kill(m, 3);
}

/* keeps: through what is done to a node the leader stays, for longer than it would without renewals. */
static void
keeps(struct member *l, unsigned said)
{
	struct mono end = mono_after(clock_mono(clock_system()), STEADY_LEASE_NS + NS_PER_S / 2);

	while (!mono_reached(clock_mono(clock_system()), end)) {
		assert_false(was_told(l, LEASE_FENCED, said));
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	}
}

static void
a_killed_node_does_not_matter(void **state)
{
	static struct member m[2];
	struct err err;

	(void)state;
	make_steady(m, 2, fresh_group());
	struct member *l = all_renewed(m, 2);
	unsigned said = atomic_load(&l->roles);
	for (unsigned r = 0; r < 3; r++) {
		unsigned node = node_of(l, r);
		nats_cluster_end(cluster, node, SIGKILL);
		WAIT_FOR(member_reaches(l) == 2);
		keeps(l, said);
		assert_int_equal(nats_cluster_start(cluster, node, &err), ERR_OK);
		all_renewed(l, 1);
	}
	assert_true(member_leads(l));
	assert_false(was_told(l, LEASE_FENCED, said));
	members_kill(m, 2);
}

static void
a_frozen_node_does_not_matter(void **state)
{
	static struct member m[2];

	(void)state;
	make_steady(m, 2, fresh_group());
	struct member *l = all_renewed(m, 2);
	unsigned said = atomic_load(&l->roles), node = node_of(l, 1);
	nats_cluster_freeze(cluster, node, true);
	WAIT_FOR(member_reaches(l) == 2);
	keeps(l, said);
	nats_cluster_freeze(cluster, node, false);
	all_renewed(l, 1);
	members_kill(m, 2);
}

static void
without_two_nodes_nobody_leads_until_they_are_back(void **state)
{
	static struct member m[2];
	struct err err;

	(void)state;
	make(m, 2, fresh_group());
	struct member *l = all_renewed(m, 2);
	uint64_t epoch = member_epoch(l);
	unsigned said = atomic_load(&l->roles), one = node_of(l, 0), two = node_of(l, 1);
	nats_cluster_end(cluster, one, SIGKILL);
	nats_cluster_end(cluster, two, SIGKILL);
	WAIT_FOR(was_told(l, LEASE_FENCED, said));
	WAIT_FOR(obstacle(&m[0]) == LEASE_WHY_UNPINNED && obstacle(&m[1]) == LEASE_WHY_UNPINNED);
	assert_int_equal(leaders(m, 2), 0);
	assert_int_equal(nats_cluster_start(cluster, one, &err), ERR_OK);
	assert_int_equal(nats_cluster_start(cluster, two, &err), ERR_OK);
	WAIT_FOR(leaders(m, 2) == 1 && member_epoch(leader(m, 2)) > epoch);
	all_renewed(m, 2);
	assert_int_equal(nats_cluster_wait(cluster, &err), ERR_OK);
	members_kill(m, 2);
}

static void
a_register_that_lost_its_data_is_filled_again(void **state)
{
	static struct member m[2];
	struct err err;

	(void)state;
	make_steady(m, 2, fresh_group());
	struct member *l = all_renewed(m, 2);
	unsigned said = atomic_load(&l->roles);
	/* As a disk that was replaced: the stream is there and empty. */
	unsigned node = node_of(l, 2);
	uint64_t before = revision(l, 2);
	nats_cluster_end(cluster, node, SIGKILL);
	WAIT_FOR(member_reaches(l) == 2);
	assert_int_equal(nats_cluster_wipe(cluster, node, &err), ERR_OK);
	assert_int_equal(nats_cluster_start(cluster, node, &err), ERR_OK);
	assert_int_equal(nats_cluster_wait(cluster, &err), ERR_OK);
	all_renewed(l, 1);
	/* It began anew where the stream's sequence once began. */
	assert_true(revision(l, 2) < before);
	assert_false(was_told(l, LEASE_FENCED, said));
	members_kill(m, 2);
}

static struct conn *
plain_conn(void)
{
	struct err err;
	struct conn *c = conn_new(&(struct conn_opts){ .servers = urls, .timeout_ns = 30 * NS_PER_S }, &err);

	if (c == NULL)
		fail_msg("%s", err.text);
	return c;
}

static void
remove_stream(struct conn *c, const char *name)
{
	char subject[64];
	struct msg *reply;
	struct err err;

	snprintf(subject, sizeof subject, "$JS.API.STREAM.DELETE.%s", name);
	if (conn_request(c, &(struct conn_msg){ .subject = subject, .urgent = true }, WAIT_NS, &reply, &err) != ERR_OK)
		fail_msg("%s", err.text);
	msg_free(reply);
}

/* last_campaign: a write to the register that is left, by a member that has not seen yet that the streams of the
 * other two are there again, and empty. */
static void *
last_campaign(void *arg)
{
	struct conn *c = plain_conn();
	struct kv kv = { c, "AEGIS_L3" };
	struct stream_state st;
	struct kv_entry e;
	char key[64];
	uint64_t revision;
	static bool done;

	snprintf(key, sizeof key, "ELECT__%s", (const char *)arg);
	while (stream_look(c, "KV_AEGIS_L2", &st, NULL) != ERR_OK)
		thread_pause(5 * NS_PER_MS);
	thread_pause(NS_PER_S);			/* well into the wait of the repair */
	/* Members are at work there as well: theirs may be between a look and a write. */
	for (done = false; !done && kv_get(&kv, key, &e, NULL) == ERR_OK; kv_entry_release(&e))
		done = kv_put(&kv, &(struct kv_put){ .key = key, .value = e.value, .n = e.n, .expect = e.revision }, &revision,
		    NULL) == ERR_OK;
	conn_free(c);
	return done ? &done : NULL;
}

static void
two_streams_that_are_gone_need_an_operator(void **state)
{
	const char *group = fresh_group();
	static struct member m[2];
	struct repaired done;
	struct observed s;
	struct err err = { 0 };

	(void)state;
	make(m, 2, group);
	struct member *l = all_renewed(m, 2);
	uint64_t epoch = member_epoch(l);
	unsigned said = atomic_load(&l->roles);
	struct conn *c = plain_conn();
	WAIT_FOR(observe(c, ELECT_SERVICE, group, &s, &err) == ERR_OK && s.record.state == LEASE_GROUP_LIVE);
	remove_stream(c, "KV_AEGIS_L1");
	remove_stream(c, "KV_AEGIS_L2");
	WAIT_FOR(was_told(l, LEASE_FENCED, said));
	assert_int_equal(observe(c, ELECT_SERVICE, group, &s, &err), ERR_OK);
	assert_false(s.led);
	assert_int_equal(s.obstacle, LEASE_WHY_UNPINNED);
	pthread_t campaigner;
	void *wrote;
	MUST(pthread_create(&campaigner, NULL, last_campaign, (void *)(uintptr_t)group) == 0);
	enum err_code code = repair_group(c, ELECT_SERVICE, group, &done, &err);
	pthread_join(campaigner, &wrote);
	if (code != ERR_OK)
		fail_msg("%s", err.text);
	assert_non_null(wrote);
	assert_int_equal(done.streams, 2);
	assert_int_equal(done.registers, 2);
	assert_true(done.epoch >= epoch);
	WAIT_FOR(leaders(m, 2) == 1 && member_epoch(leader(m, 2)) > done.epoch);
	l = all_renewed(m, 2);
	assert_int_not_equal(node_of(l, 0), node_of(l, 1));
	assert_int_not_equal(node_of(l, 1), node_of(l, 2));
	assert_int_not_equal(node_of(l, 0), node_of(l, 2));
	conn_free(c);
	members_kill(m, 2);
}

/* all_up: the tear-down of a test, which leaves the next one three nodes that run, also when it failed. */
static int
all_up(void **state)
{
	struct err err;
	bool up = members_end(state) == 0;

	for (unsigned i = 0; i < nats_cluster_size(cluster); i++) {
		if (nats_cluster_pid(cluster, i) == 0)
			up = nats_cluster_start(cluster, i, &err) == ERR_OK && up;
		nats_cluster_freeze(cluster, i, false);
	}
	return up ? 0 : -1;
}

static int
set_up(void **state)
{
	struct err err;
	struct str text = STR_INIT;

	(void)state;
	snprintf(dir, sizeof dir, "/tmp/t_elector.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 1;
	cluster = nats_cluster_new(&(struct nats_cluster_opts){ .path = bus_program(), .dir = dir, .nodes = 3 }, &err);
	if (cluster == NULL) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	nats_cluster_urls(cluster, &text);
	urls = str_steal(&text);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	nats_cluster_free(cluster);
	mem_free(urls);
	dir_remove(dir, NULL);
	conn_library_close();
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(three_registers_lie_on_three_nodes, all_up),
		cmocka_unit_test_teardown(when_the_leader_dies_the_other_follows, all_up),
		cmocka_unit_test_teardown(a_release_hands_over, all_up),
		cmocka_unit_test_teardown(a_killed_node_does_not_matter, all_up),
		cmocka_unit_test_teardown(a_frozen_node_does_not_matter, all_up),
		cmocka_unit_test_teardown(without_two_nodes_nobody_leads_until_they_are_back, all_up),
		cmocka_unit_test_teardown(a_register_that_lost_its_data_is_filled_again, all_up),
		cmocka_unit_test_teardown(two_streams_that_are_gone_need_an_operator, all_up),
	};

	BUS_SHIM(argc, argv);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
