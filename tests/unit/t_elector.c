/* t_elector - the shell around the lease on a server that is alone (N=1). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/hist.h"
#include "codec/beat.h"
#include "election/observe.h"
#include "election/repair.h"
#include "electors.h"
#include "nats/kv.h"
#include "nats/stream.h"
#include "sys/thread.h"


static void
make(struct member *m, unsigned n, const char *group)
{
	members_make(m, n, bus_url(&bus), group, MEMBERS_PROFILE);
}

static void
make_steady(struct member *m, unsigned n, const char *group)
{
	members_make(m, n, bus_url(&bus), group, STEADY_PROFILE);
}

static void
one_leads_and_the_other_knows_it(void **state)
{
	static struct member m[2];

	(void)state;
	make_steady(m, 2, fresh_group());
	struct member *l = leader(m, 2), *o = &m[l == m];
	assert_true(member_epoch(l) > 0);
	assert_true(atomic_load(&l->admits));
	assert_true(member_open_gate(l));
	WAIT_FOR(atomic_load(&o->holder_epoch) == member_epoch(l));
	assert_string_equal(o->holder, l->instance);
	assert_false(member_open_gate(o));
	assert_int_equal(leaders(m, 2), 1);

	const struct elector_status *s = elector_status(o->elector);
	assert_int_equal(s->n, 1);
	assert_string_equal(s->holder.instance, l->instance);
	assert_string_equal(s->reg[0].owner, l->instance);
	assert_string_equal(s->profile, STEADY_PROFILE);
	assert_int_equal(s->obstacle, LEASE_WHY_CLEAR);
	assert_true(s->reg[0].up && s->reg[0].known && s->reg[0].revision > 0);
	elector_status_drop(s);
	members_kill(m, 2);
}

static void
when_the_leader_dies_the_other_follows_with_a_higher_epoch(void **state)
{
	static struct member m[2];

	(void)state;
	make_steady(m, 2, fresh_group());
	struct member *l = leader(m, 2), *o = &m[l == m];
	uint64_t epoch = member_epoch(l);
	WAIT_FOR(atomic_load(&o->holder_epoch) == epoch);
	member_kill(l);
	WAIT_FOR(member_leads(o));
	assert_true(member_epoch(o) > epoch);
	assert_int_equal(member_told(o, atomic_load(&o->roles) - 1)->reason, LEASE_BY_EXPIRED);
	WAIT_FOR(hist_count(elector_counters(o->elector)->failover) == 1);
	member_kill(o);
}

static void
a_release_hands_over(void **state)
{
	static struct member m[2];

	(void)state;
	make_steady(m, 2, fresh_group());
	struct member *l = leader(m, 2), *o = &m[l == m];
	uint64_t epoch = member_epoch(l);
	WAIT_FOR(atomic_load(&o->holder_epoch) == epoch);
	member_stop(l);
	assert_true(was_told(l, LEASE_DRAINING, 0));
	WAIT_FOR(member_leads(o));
	assert_true(member_epoch(o) > epoch);
	assert_int_equal(member_told(o, atomic_load(&o->roles) - 1)->reason, LEASE_BY_RELEASED);
	member_stop(o);
}

static void
nothing_is_released_before_the_work_is_dead(void **state)
{
	static struct member m[2];

	(void)state;
	make_steady(m, 2, fresh_group());
	struct member *l = leader(m, 2), *o = &m[l == m];
	WAIT_FOR(atomic_load(&o->holder_epoch) != 0);
	l->stubborn = true;
	member_in(l, member_resign);
	WAIT_FOR(member_state(l) == LEASE_DRAINING);
	struct mono end = mono_after(clock_mono(clock_system()), NS_PER_S);
	while (!mono_reached(clock_mono(clock_system()), end)) {
		assert_true(member_open_gate(l));
		assert_false(member_leads(o));
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
	l->stubborn = false;
	member_in(l, (void (*)(void *))member_reap);
	WAIT_FOR(member_leads(o));
	member_kill(l);
	member_kill(o);
}

static void
a_server_that_comes_back_gets_a_leader_again(void **state)
{
	static struct member m[2];

	(void)state;
	make(m, 2, fresh_group());
	struct member *l = leader(m, 2);
	uint64_t epoch = member_epoch(l);
	unsigned said = atomic_load(&l->roles);
	bus_stop(&bus);
	WAIT_FOR(was_told(l, LEASE_FENCED, said));
	assert_false(member_open_gate(l));
	WAIT_FOR(atomic_load(&l->reaps) > 0);
	assert_true(bus_start(&bus));
	WAIT_FOR(leaders(m, 2) == 1 && member_epoch(leader(m, 2)) > epoch);
	members_kill(m, 2);
}

static struct conn *
plain_conn(void)
{
	struct err err;
	struct conn *c = conn_new(&(struct conn_opts){ .servers = bus_url(&bus), .timeout_ns = 30 * NS_PER_S }, &err);

	if (c == NULL)
		fail_msg("%s", err.text);
	return c;
}

/* read_changes: how many there are; both holders write them in the background. */
static unsigned
read_changes(struct conn *c, const char *group, struct lease_changes *changes)
{
	struct kv kv = { c, "AEGIS_META" };
	struct kv_entry e;
	char key[64];

	snprintf(key, sizeof key, "changes__ELECT__%s", group);
	if (kv_get(&kv, key, &e, NULL) == ERR_OK) {
		assert_int_equal(lease_changes_decode(e.value, e.n, changes, NULL), ERR_OK);
		kv_entry_release(&e);
	}
	return changes->n;
}

static void
the_records_of_the_group_are_kept(void **state)
{
	const char *group = fresh_group();
	static struct member m[2];
	struct kv_entry e;
	char key[64];

	(void)state;
	make_steady(m, 2, group);
	struct member *l = leader(m, 2), *o = &m[l == m];
	member_stop(l);
	WAIT_FOR(member_leads(o));
	struct conn *c = plain_conn();
	struct kv kv = { c, "AEGIS_META" };
	struct lease_changes changes = { 0 };
	struct lease_group_record g = { 0 };
	WAIT_FOR(read_changes(c, group, &changes) == 2);
	assert_string_equal(changes.list[0].instance, o->instance);
	assert_string_equal(changes.list[0].reason, "released");
	assert_string_equal(changes.list[1].instance, l->instance);
	/* Its own, when a first campaign came too late on a busy machine. */
	assert_true(strcmp(changes.list[1].reason, "first") == 0 || strcmp(changes.list[1].reason, "self") == 0);
	snprintf(key, sizeof key, "group__ELECT__%s", group);
	assert_int_equal(kv_get(&kv, key, &e, NULL), ERR_OK);
	assert_int_equal(lease_group_decode(e.value, e.n, &g, NULL), ERR_OK);
	kv_entry_release(&e);
	assert_int_equal(g.state, LEASE_GROUP_LIVE);
	assert_true(g.epoch == member_epoch(o));
	assert_string_equal(g.profile, STEADY_PROFILE);
	conn_free(c);
	member_stop(o);
}

static void
another_profile_is_refused(void **state)
{
	const char *group = fresh_group();
	static struct member m[1], odd;

	(void)state;
	odd = (struct member){ .servers = bus_url(&bus), .instance = "odd", .group = group, .profile = "fast" };
	make(m, 1, group);
	leader(m, 1);
	member_start(&odd);
	WAIT_FOR(atomic_load(&odd.failed));
	assert_non_null(strstr(odd.why, "uses profile '" MEMBERS_PROFILE "', not 'fast'"));
	const struct elector_status *s = elector_status(odd.elector);
	assert_int_equal(s->failed.code, ERR_CONFIG);
	elector_status_drop(s);
	member_kill(&odd);
	member_kill(m);
}

/* Two that come at once, with a lease each, to a group that has no record yet: one of them makes it, and the other one is told,
 * whoever was first at the register. */
static void
of_two_profiles_that_race_one_wins(void **state)
{
	static struct member m[2];

	(void)state;
	for (int round = 0; round < 6; round++) {
		const char *group = fresh_group();
		memset(m, 0, sizeof m);
		for (unsigned i = 0; i < 2; i++)
			m[i] = (struct member){ .servers = bus_url(&bus), .instance = i == 0 ? "a" : "b", .group = group,
				.profile = (i == 0) == (round % 2 == 0) ? "relaxed" : "default" };
		for (unsigned i = 0; i < 2; i++)
			member_start(&m[i]);
		WAIT_FOR(atomic_load(&m[0].failed) || atomic_load(&m[1].failed));
		struct member *told = atomic_load(&m[0].failed) ? &m[0] : &m[1], *stays = &m[told == m];
		WAIT_FOR(member_leads(stays));
		assert_false(atomic_load(&stays->failed));
		WAIT_FOR(!member_leads(told) && !member_open_gate(told));
		char *words = mem_printf("uses profile '%s', not '%s'", stays->profile, told->profile);
		if (strstr(told->why, words) == NULL)
			fail_msg("'%s' does not say: %s", told->why, words);
		mem_free(words);
		members_kill(m, 2);
	}
}

static void
the_longest_wait_of_all_settings_counts(void **state)
{
	const char *group = fresh_group();
	static struct member m[1];
	struct lease_record r = { .value = { .mark = LEASE_MARK_HELD, .d_ms = 1500, .l_ms = 2000, .epoch = 7, .counter = 1,
		.nonce = { 1, 2 } }, .holder = "slow" };
	struct str text = STR_INIT;
	char key[64];

	(void)state;
	make(m, 1, fresh_group());		/* makes the registers */
	leader(m, 1);
	member_kill(m);
	struct conn *c = plain_conn();
	struct kv kv = { c, "AEGIS_L0" };
	uint64_t revision;
	lease_encode(&r, &text);
	snprintf(key, sizeof key, "ELECT__%s", group);
	assert_int_equal(kv_put(&kv, &(struct kv_put){ .key = key, .value = text.p, .n = text.len, .expect = KV_ABSENT },
	    &revision, NULL), ERR_OK);
	struct mono begin = clock_mono(clock_system());
	m[0] = (struct member){ .servers = bus_url(&bus), .instance = "a", .group = group, .profile = "relaxed" };
	member_start(m);
	leader(m, 1);
	/* Its own L is 1050 ms: only the other's 2 s keep it from the register. */
	assert_true(mono_since(clock_mono(clock_system()), begin) >= 2 * NS_PER_S);
	str_release(&text);
	conn_free(c);
	member_kill(m);
}

/* Its registers were replaced by others: it has lost them, and may go when its work is dead, no sooner. */
static void
a_retired_member_ends_after_its_work(void **state)
{
	const char *group = fresh_group();
	static struct member m[1];
	struct lease_record r = { .value = { .mark = LEASE_MARK_RETIRED, .d_ms = 800, .l_ms = 1050, .counter = 1,
		.nonce = { 1, 2 } }, .holder = "migration" };
	struct str text = STR_INIT;
	char key[64];

	(void)state;
	make(m, 1, group);
	leader(m, 1);
	m->stubborn = true;
	struct conn *c = plain_conn();
	struct kv kv = { c, "AEGIS_L0" };
	uint64_t revision;
	r.value.epoch = member_epoch(m) + 1;
	lease_encode(&r, &text);
	snprintf(key, sizeof key, "ELECT__%s", group);
	assert_int_equal(kv_put(&kv, &(struct kv_put){ .key = key, .value = text.p, .n = text.len, .expect = KV_ANY },
	    &revision, NULL), ERR_OK);
	WAIT_FOR(member_state(m) == LEASE_RETIRED);
	assert_false(member_open_gate(m));
	WAIT_FOR(atomic_load(&m->reaps) > 0);
	member_in(m, member_leave_group);
	struct mono end = mono_after(clock_mono(clock_system()), NS_PER_S);
	while (!mono_reached(clock_mono(clock_system()), end)) {
		assert_false(atomic_load(&m->ended));
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
	m->stubborn = false;
	member_in(m, (void (*)(void *))member_reap);
	WAIT_FOR(atomic_load(&m->ended));
	str_release(&text);
	conn_free(c);
	member_kill(m);
}

static void
a_control_message_makes_it_step_down(void **state)
{
	const char *group = fresh_group();
	static struct member m[2];
	struct stepdown ask = { 0 };
	struct str text = STR_INIT;
	struct msg *reply;
	struct err err = { 0 };
	char subject[64];

	(void)state;
	make_steady(m, 2, group);
	struct member *l = leader(m, 2), *o = &m[l == m];
	WAIT_FOR(atomic_load(&o->holder_epoch) != 0);
	struct conn *c = plain_conn();
	snprintf(subject, sizeof subject, "aegis.ctl.ELECT.%s.stepdown", l->instance);
	snprintf(ask.group, sizeof ask.group, "%s", group);
	snprintf(ask.to, sizeof ask.to, "nobody");
	stepdown_encode(&ask, &text);
	struct conn_msg q = { .subject = subject, .data = text.p, .n = text.len, .urgent = true };
	assert_int_equal(conn_request(c, &q, WAIT_NS, &reply, &err), ERR_OK);
	assert_int_equal(stepdown_answer_decode(msg_data(reply), msg_size(reply), &err), ERR_NOT_ACTIVE);
	assert_non_null(strstr(err.text, "no live member 'nobody'"));
	msg_free(reply);
	str_clear(&text);
	snprintf(ask.to, sizeof ask.to, "%s", o->instance);
	stepdown_encode(&ask, &text);
	q.data = text.p;
	q.n = text.len;
	do {		/* the beat of the other may not have come yet */
		assert_int_equal(conn_request(c, &q, WAIT_NS, &reply, &err), ERR_OK);
		err.code = stepdown_answer_decode(msg_data(reply), msg_size(reply), &err);
		msg_free(reply);
	} while (err.code != ERR_OK);
	WAIT_FOR(member_leads(o));
	assert_int_equal(atomic_load(&l->stepdowns), 1);
	str_release(&text);
	conn_free(c);
	members_kill(m, 2);
}

static void
an_observer_tells_who_leads_and_why_nobody_does(void **state)
{
	const char *group = fresh_group();
	static struct member m[2];
	struct observed s;
	struct err err;

	(void)state;
	struct conn *c = plain_conn();
	assert_int_equal(observe(c, ELECT_SERVICE, group, &s, &err), ERR_NOT_FOUND);
	make_steady(m, 2, group);
	struct member *l = leader(m, 2), *o = &m[l == m];
	WAIT_FOR(observe(c, ELECT_SERVICE, group, &s, &err) == ERR_OK && s.changes.n > 0);
	assert_true(s.led && s.certain);
	assert_string_equal(s.instance, l->instance);
	assert_true(s.epoch == member_epoch(l));
	assert_true(s.since.ns > 0);
	assert_int_equal(s.site.n, 1);
	assert_int_equal(s.obstacle, LEASE_WHY_CLEAR);
	assert_string_equal(s.reg[0].record.holder, l->instance);
	assert_string_equal(s.reg[0].why, "");
	assert_string_equal(s.record.profile, STEADY_PROFILE);
	assert_int_equal(observe_step_down(c, ELECT_SERVICE, group, NULL, 30 * NS_PER_S, &err), ERR_OK);
	WAIT_FOR(member_leads(o));
	member_kill(l);
	member_kill(o);
	/* It stands as held, and stands still. */
	assert_int_equal(observe(c, ELECT_SERVICE, group, &s, &err), ERR_OK);
	assert_true(s.certain && !s.led);
	assert_int_equal(s.obstacle, LEASE_WHY_NOT_ELIGIBLE);
	assert_string_equal(s.instance, o->instance);
	assert_int_equal(observe_step_down(c, ELECT_SERVICE, group, NULL, 30 * NS_PER_S, &err), ERR_NO_MEMBER);
	conn_free(c);
}

/* election.md §11: running groups are unaffected, also by whoever starts afterwards. */
static void
the_records_may_be_lost(void **state)
{
	static struct member m, late;
	struct observed s;
	struct msg *reply;
	struct err err;

	(void)state;
	m = (struct member){ .servers = bus_url(&bus), .instance = "a", .group = fresh_group(), .profile = MEMBERS_PROFILE };
	late = (struct member){ .servers = bus_url(&bus), .instance = "b", .group = m.group, .profile = MEMBERS_PROFILE };
	member_start(&m);
	leader(&m, 1);
	unsigned said = atomic_load(&m.roles);
	uint64_t epoch = member_epoch(&m);
	struct conn *c = plain_conn();
	struct conn_msg q = { .subject = "$JS.API.STREAM.DELETE.KV_AEGIS_META", .urgent = true };
	assert_int_equal(conn_request(c, &q, WAIT_NS, &reply, &err), ERR_OK);
	msg_free(reply);
	member_start(&late);
	WAIT_FOR(observe(c, ELECT_SERVICE, m.group, &s, &err) == ERR_OK && s.known);
	assert_int_equal(s.record.state, LEASE_GROUP_LIVE);
	/* The register is the old one, and whoever led leads, unless the machine was too busy to renew in time. */
	assert_true(s.epoch == epoch || was_told(&m, LEASE_FENCED, said));
	WAIT_FOR(member_reaches(&m) == 1);
	conn_free(c);
	member_kill(&m);
	member_kill(&late);
}

static bool
record_says(struct conn *c, const char *group, uint64_t epoch)
{
	struct observed s;
	struct err err;

	return observe(c, ELECT_SERVICE, group, &s, &err) == ERR_OK && s.known && s.record.epoch == epoch;
}

/* The record of the group cannot be written: that is tried after pauses that double, keeps nobody from leading, and is made up
 * for as soon as it is possible. */
static void
what_cannot_be_written_waits_longer_each_time(void **state)
{
	static struct member m, late;
	struct msg *reply;
	struct err err;

	(void)state;
	m = (struct member){ .servers = bus_url(&bus), .instance = "a", .group = fresh_group(), .profile = STEADY_PROFILE };
	late = (struct member){ .servers = bus_url(&bus), .instance = "b", .group = m.group, .profile = STEADY_PROFILE };
	member_start(&m);
	leader(&m, 1);
	uint64_t epoch = member_epoch(&m);
	struct conn *c = plain_conn();
	WAIT_FOR(record_says(c, m.group, epoch));
	struct conn_msg q = { .subject = "$JS.API.STREAM.DELETE.KV_AEGIS_META", .urgent = true };
	assert_int_equal(conn_request(c, &q, WAIT_NS, &reply, &err), ERR_OK);
	msg_free(reply);
	/* A new hold, which the record is to tell of. */
	struct mono begin = clock_mono(clock_system());
	member_in(&m, member_resign);
	WAIT_FOR(member_leads(&m) && member_epoch(&m) > epoch);
	const struct elector_counters *n = elector_counters(m.elector);
	for (uint64_t failed = 0; failed < 4; failed = atomic_load(&n->meta_failures)) {
		/* At 0, 0.5, 1.5, 3.5 s … after the hold began, which was later than our beginning. */
		double s = (double)mono_since(clock_mono(clock_system()), begin) / 1e9;
		unsigned most = 1;
		while (0.5 * ((1u << most) - 1) <= s)
			most++;
		if (failed > most)
			fail_msg("%u attempts in %.1f s", (unsigned)failed, s);
		assert_true(s < (double)WAIT_NS / 1e9);
		thread_pause(10 * NS_PER_MS);
	}
	assert_true(member_leads(&m));
	/* Somebody who starts makes the bucket anew; the leader's own attempt brings its epoch. */
	member_start(&late);
	WAIT_FOR(record_says(c, m.group, member_epoch(&m)));
	conn_free(c);
	member_kill(&m);
	member_kill(&late);
}

static void
a_stream_that_is_not_as_it_must_be_is_not_used(void **state)
{
	static struct member m[2];
	struct repaired done;
	struct observed s;
	struct msg *reply;
	struct err err;

	(void)state;
	const char *group = fresh_group();
	make(m, 2, group);
	struct member *l = leader(m, 2);
	uint64_t epoch = member_epoch(l);
	unsigned said = atomic_load(&l->roles);
	struct conn *c = plain_conn();
	/* Somebody lets values vanish: deny_delete cannot be taken back, the rest can. */
	const char *wrong = "{\"name\":\"KV_AEGIS_L0\",\"subjects\":[\"$KV.AEGIS_L0.>\"],\"num_replicas\":1,\"storage\":\"file\","
	    "\"retention\":\"limits\",\"discard\":\"new\",\"max_msgs_per_subject\":1,\"max_msgs\":-1,\"max_bytes\":-1,"
	    "\"max_age\":3600000000000,\"max_msg_size\":1024,\"deny_delete\":true,\"deny_purge\":true}";
	struct conn_msg q = { .subject = "$JS.API.STREAM.UPDATE.KV_AEGIS_L0", .data = wrong, .n = strlen(wrong), .urgent = true };
	assert_int_equal(conn_request(c, &q, WAIT_NS, &reply, &err), ERR_OK);
	assert_null(memmem(msg_data(reply), msg_size(reply), "\"error\"", 7));
	msg_free(reply);
	WAIT_FOR(was_told(l, LEASE_FENCED, said));
	/* On a machine that is too busy to renew, the lease may end before the change is noticed. */
	WAIT_FOR(member_reaches(l) == 0);
	assert_int_equal(observe(c, ELECT_SERVICE, group, &s, &err), ERR_OK);
	assert_non_null(strstr(s.reg[0].why, "max_age"));
	assert_int_equal(repair_group(c, ELECT_SERVICE, group, &done, &err), ERR_OK);
	assert_int_equal(done.streams, 1);
	WAIT_FOR(leaders(m, 2) == 1 && member_epoch(leader(m, 2)) > epoch);
	conn_free(c);
	members_kill(m, 2);
}

/* A clock whose wall time somebody sets. */
static _Atomic int64_t set_by_ns;
static _Atomic bool loses_processor;	/* between the two readings of the next look */

static struct mono
plain_mono(const struct clock *c)
{
	(void)c;
	return clock_mono(clock_system());
}

static struct boot
plain_boot(const struct clock *c)
{
	(void)c;
	return clock_boot(clock_system());
}

static struct wall
set_wall(const struct clock *c)
{
	(void)c;
	if (atomic_exchange(&loses_processor, false))
		thread_pause(60 * NS_PER_MS);
	return (struct wall){ clock_wall(clock_system()).ns + atomic_load(&set_by_ns) };
}

static void
a_clock_that_is_set_costs_one_renewal(void **state)
{
	static const struct clock clock = { plain_mono, plain_boot, set_wall };
	static struct member m;

	(void)state;
	m = (struct member){ .servers = bus_url(&bus), .instance = "a", .group = fresh_group(), .profile = MEMBERS_PROFILE, .clock = &clock };
	member_start(&m);
	leader(&m, 1);
	for (int i = 1; i <= 2; i++) {
		unsigned said = atomic_load(&m.roles);
		uint64_t epoch = member_epoch(&m);
		atomic_fetch_add(&set_by_ns, i == 1 ? 3600 * NS_PER_S : -2 * 3600 * NS_PER_S);
		WAIT_FOR(was_told(&m, LEASE_SUSPECT, said));
		assert_int_equal(member_told(&m, said)->reason, LEASE_BY_CLOCK);
		WAIT_FOR(member_leads(&m));
		WAIT_FOR(!atomic_load(&elector_gate(m.elector)->barred));
		assert_true(member_open_gate(&m));
		/* The same hold, unless the machine was too busy to renew it in time. */
		assert_true(member_epoch(&m) == epoch || was_told(&m, LEASE_FENCED, said));
	}
	assert_int_equal(atomic_load(&elector_counters(m.elector)->jumps), 2);
	member_kill(&m);
}

static void
a_thread_that_is_held_up_between_two_clocks_is_no_jump(void **state)
{
	static const struct clock clock = { plain_mono, plain_boot, set_wall };
	static struct member m;

	(void)state;
	m = (struct member){ .servers = bus_url(&bus), .instance = "a", .group = fresh_group(), .profile = MEMBERS_PROFILE, .clock = &clock };
	member_start(&m);
	leader(&m, 1);
	uint64_t writes = atomic_load(&elector_counters(m.elector)->writes);
	atomic_store(&loses_processor, true);
	WAIT_FOR(!atomic_load(&loses_processor) && atomic_load(&elector_counters(m.elector)->writes) > writes + 3);
	assert_int_equal(atomic_load(&elector_counters(m.elector)->jumps), 0);
	member_kill(&m);
}

static void
the_word_may_lie_elsewhere(void **state)
{
	static gate_word word;
	static struct member m;

	(void)state;
	m = (struct member){ .servers = bus_url(&bus), .instance = "a", .group = fresh_group(), .word = &word };
	member_start(&m);
	leader(&m, 1);
	WAIT_FOR(gate_look(&word, clock_system()) != 0);
	assert_int_equal(elector_lease_ns(m.elector), 240 * NS_PER_MS);
	member_kill(&m);
	assert_true(atomic_load(&word) == 0);
}

static void
what_cannot_be_a_name_is_refused(void **state)
{
	struct err err;

	(void)state;
	struct loop *l = loop_new(clock_system(), 64, NULL);
	struct conn *c = plain_conn();
	struct site *s = site_new(&(struct site_opts){ .loop = l, .conn = c, .access = &(struct conn_opts){ .servers =
		bus_url(&bus) } }, &err);
	assert_non_null(s);
	struct elector_opts o = { .site = s, .service = ELECT_SERVICE, .group = "a__b", .instance = "i" };
	assert_null(elector_new(&o, &err));
	assert_int_equal(err.code, ERR_INVALID);
	o.group = "a b";
	assert_null(elector_new(&o, &err));
	o.group = "a";
	o.profile = "quick";
	assert_null(elector_new(&o, &err));
	assert_non_null(strstr(err.text, "use fast, default, relaxed or wan"));
	site_free(s);
	conn_free(c);
	loop_free(l);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(one_leads_and_the_other_knows_it, members_end),
		cmocka_unit_test_teardown(when_the_leader_dies_the_other_follows_with_a_higher_epoch, members_end),
		cmocka_unit_test_teardown(a_release_hands_over, members_end),
		cmocka_unit_test_teardown(nothing_is_released_before_the_work_is_dead, members_end),
		cmocka_unit_test_teardown(a_server_that_comes_back_gets_a_leader_again, members_end),
		cmocka_unit_test_teardown(the_records_of_the_group_are_kept, members_end),
		cmocka_unit_test_teardown(another_profile_is_refused, members_end),
		cmocka_unit_test_teardown(of_two_profiles_that_race_one_wins, members_end),
		cmocka_unit_test_teardown(the_longest_wait_of_all_settings_counts, members_end),
		cmocka_unit_test_teardown(a_retired_member_ends_after_its_work, members_end),
		cmocka_unit_test_teardown(a_control_message_makes_it_step_down, members_end),
		cmocka_unit_test_teardown(an_observer_tells_who_leads_and_why_nobody_does, members_end),
		cmocka_unit_test_teardown(the_records_may_be_lost, members_end),
		cmocka_unit_test_teardown(what_cannot_be_written_waits_longer_each_time, members_end),
		cmocka_unit_test_teardown(a_stream_that_is_not_as_it_must_be_is_not_used, members_end),
		cmocka_unit_test_teardown(a_clock_that_is_set_costs_one_renewal, members_end),
		cmocka_unit_test_teardown(a_thread_that_is_held_up_between_two_clocks_is_no_jump, members_end),
		cmocka_unit_test_teardown(the_word_may_lie_elsewhere, members_end),
		cmocka_unit_test_teardown(what_cannot_be_a_name_is_refused, members_end),
	};

	BUS_SHIM(argc, argv);
	return cmocka_run_group_tests(tests, bus_set_up, bus_tear_down);
}
