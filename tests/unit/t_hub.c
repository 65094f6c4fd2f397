/* t_hub - what readers of the live stream get: each branch by itself, then readers that come, are slow,
 * leave and hop between two replicas under any sequence of changes, and always end with the truth. */
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "monitor/hub.h"

static struct hub *h;

static int
set_up(void **state)
{
	(void)state;
	h = hub_new(7);
	hub_bucket(h, 0xb, 10);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	hub_free(h);
	return 0;
}

/* put: "key=data"; an empty data is its end. */
static void
put_to(struct hub *to, enum hub_topic topic, const char *key, const char *data, uint64_t revision)
{
	hub_put(to, &(struct hub_state){
		.topic = topic, .event = "e", .key = key, .service = key, .data = text_of(data), .revision = revision,
		.own = revision == 0, .gone = data[0] == '\0',
	});
	if (revision > 0)
		hub_reached(to, revision);
}

static void
put(const char *key, const char *data, uint64_t revision)
{
	put_to(h, HUB_INSTANCES, key, data, revision);
}

/* reads: everything that c has not seen, as text. */
static void
reads(struct hub_cursor *c, const char *want)
{
	struct str got = STR_INIT;
	struct hub_item *v[3];
	uint64_t missed;
	bool lost;
	size_t n;

	while ((n = hub_read(h, c, v, COUNT_OF(v), &missed, &lost)) > 0) {
		for (size_t i = 0; i < n; i++) {
			str_printf(&got, "%s%s=%s", got.len > 0 ? " " : "", v[i]->service, v[i]->gone ? "-" : v[i]->data);
			hub_item_unref(v[i]);
		}
	}
	assert_false(lost);
	assert_string_equal(str_text(&got), want);
	str_release(&got);
}

static struct hub_cursor
at_end(unsigned topics, const char *service)
{
	struct hub_cursor c = { .topics = topics, .service = service };
	struct hub_item **v;

	for (size_t n = hub_all(h, &c, &v); n > 0; n--)
		hub_item_unref(v[n - 1]);
	mem_free(v);
	return c;
}

static enum hub_resume
resume(struct hub *at, const struct hub_cursor *from, struct hub_cursor *c)
{
	char position[HUB_POSITION_MAX];

	hub_position(h, from, position);
	*c = (struct hub_cursor){ .topics = HUB_ALL };
	return hub_resume(at, position, c);
}

static void
topics_are_a_list_of_names(void **state)
{
	unsigned got;

	(void)state;
	assert_true(hub_topics(text_of("instances,metrics"), &got));
	assert_int_equal(got, HUB_INSTANCES | HUB_METRICS);
	assert_true(hub_topics((struct text){ "", 0 }, &got));
	assert_int_equal(got, HUB_ALL);
	assert_false(hub_topics(text_of("instances,alerts"), &got));
	assert_false(hub_topics(text_of(",groups"), &got));
}

static void
a_reader_gets_what_changed_behind_it(void **state)
{
	(void)state;
	put("a", "1", 11);
	struct hub_cursor c = at_end(HUB_ALL, NULL);
	reads(&c, "");
	put("b", "1", 12);
	put("a", "2", 13);
	reads(&c, "b=1 a=2");
	put("b", "", 14);
	reads(&c, "b=-");
	put("b", "", 15);		/* gone already */
	reads(&c, "");
}

static void
a_slow_reader_finds_each_state_once(void **state)
{
	char data[16];
	struct hub_item *v[4];
	uint64_t missed;
	bool lost;

	(void)state;
	struct hub_cursor c = at_end(HUB_ALL, NULL);
	for (int i = 0; i < 3000; i++) {
		snprintf(data, sizeof data, "%d", i);
		put(i % 2 == 0 ? "a" : "b", data, 11 + (uint64_t)i);
	}
	assert_int_equal(hub_read(h, &c, v, 4, &missed, &lost), 2);
	assert_int_equal(missed, 2998);
	assert_string_equal(v[0]->data, "2998");
	assert_string_equal(v[1]->data, "2999");
	hub_item_unref(v[0]);
	hub_item_unref(v[1]);
	assert_int_equal(hub_read(h, &c, v, 4, &missed, &lost), 0);
	assert_int_equal(missed, 0);
}

static void
topics_and_services_are_left_out(void **state)
{
	(void)state;
	struct hub_cursor some = at_end(HUB_GROUPS, NULL), one = at_end(HUB_ALL, "b");
	put_to(h, HUB_INSTANCES, "a", "1", 11);
	put_to(h, HUB_GROUPS, "a", "2", 0);
	put_to(h, HUB_GROUPS, "b", "3", 0);
	hub_put(h, &(struct hub_state){ .topic = HUB_OVERVIEW, .event = "overview", .key = "", .data = text_of("4") });
	reads(&some, "a=2 b=3");
	reads(&one, "b=3 =4");
}

static void
a_position_resumes_here_without_a_gap(void **state)
{
	struct hub_cursor c;

	(void)state;
	put("a", "1", 11);
	struct hub_cursor was = at_end(HUB_ALL, NULL);
	put("b", "1", 12);
	put("a", "", 13);
	assert_int_equal(resume(h, &was, &c), HUB_RESUMED);
	reads(&c, "b=1 a=-");
}

static void
a_position_resumes_on_another_replica(void **state)
{
	struct hub *other = hub_new(8), *mine = h;
	struct hub_cursor c;

	(void)state;
	hub_bucket(other, 0xb, 9);
	put("a", "1", 11);
	put("b", "1", 12);
	struct hub_cursor was = at_end(HUB_ALL, NULL);
	put_to(other, HUB_INSTANCES, "a", "1", 11);
	assert_int_equal(resume(other, &was, &c), HUB_AHEAD);
	put_to(other, HUB_INSTANCES, "b", "1", 12);
	put_to(other, HUB_GROUPS, "g", "led", 0);
	put_to(other, HUB_METRICS, "m", "fast", 0);
	put_to(other, HUB_INSTANCES, "a", "", 13);
	put_to(other, HUB_INSTANCES, "d", "1", 14);
	assert_int_equal(resume(other, &was, &c), HUB_RESUMED);
	h = other;
	reads(&c, "g=led a=- d=1");	/* b is known; figures come with the next beat */
	reads(&c, "");
	put_to(other, HUB_METRICS, "m", "slow", 0);
	reads(&c, "m=slow");
	h = mine;
	hub_free(other);
}

static void
what_cannot_be_resumed_is_said(void **state)
{
	static const char *const bad[] = { "", "x", "b-c", "b-c-7", "b-c-7-1-x", "b-c-7-1-d-", "b-c-7-11111111111111111", "--7-1",
		"b-c-7-ffff" };
	struct hub *other = hub_new(8);
	struct hub_cursor c = { .topics = HUB_ALL };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(hub_resume(h, bad[i], &c), HUB_TOO_OLD);
	put("a", "1", 11);
	struct hub_cursor was = at_end(HUB_ALL, NULL);
	assert_int_equal(resume(other, &was, &c), HUB_AHEAD);		/* it has not followed yet */
	hub_bucket(other, 0xc, 10);
	assert_int_equal(resume(other, &was, &c), HUB_TOO_OLD);		/* another bucket */
	hub_bucket(other, 0xb, 11);
	assert_int_equal(resume(other, &was, &c), HUB_TOO_OLD);		/* it began when that was over */
	hub_doubt(h, true);
	was = at_end(HUB_ALL, NULL);
	struct hub *early = hub_new(9);
	hub_bucket(early, 0xb, 1);
	hub_reached(early, 50);
	assert_int_equal(resume(early, &was, &c), HUB_TOO_OLD);		/* somebody may have ended by age */
	hub_free(early);
	hub_free(other);
}

static void
a_dropped_marker_makes_readers_begin_anew(void **state)
{
	struct hub_item *v[1];
	struct hub_cursor c;
	uint64_t missed;
	bool lost;
	char key[16];

	(void)state;
	put("a", "1", 11);
	struct hub_cursor was = at_end(HUB_ALL, NULL);
	for (unsigned i = 0; i <= HUB_MARKERS; i++) {
		snprintf(key, sizeof key, "k%u", i);
		put(key, "1", 12 + 2 * i);
		put(key, "", 13 + 2 * i);
	}
	assert_int_equal(resume(h, &was, &c), HUB_TOO_OLD);
	assert_int_equal(hub_read(h, &was, v, 1, &missed, &lost), 0);
	assert_true(lost);
	was = at_end(HUB_ALL, NULL);
	reads(&was, "");
}

static void
a_bucket_made_again_voids_positions(void **state)
{
	struct hub_cursor c;

	(void)state;
	put("a", "1", 11);
	struct hub_cursor was = at_end(HUB_ALL, NULL);
	put("b", "1", 12);
	hub_bucket(h, 0xd, 2);
	assert_int_equal(resume(h, &was, &c), HUB_TOO_OLD);
	was = at_end(HUB_ALL, NULL);
	put("a", "2", 3);
	assert_int_equal(resume(h, &was, &c), HUB_RESUMED);
	reads(&c, "a=2");
}

/* --- any sequence of changes, and readers that hop ------------------------------------------ */

#define KEYS 12
#define READERS 4
#define LOG 4000

static uint64_t seed;

static int
draw(int n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (int)(seed % (uint64_t)n);
}

/* What the registry says, in order; each replica has followed it up to somewhere. */
struct registry_log { int key, value; };		/* value 0: gone */

struct replica {
	struct hub *hub;
	int followed, states[KEYS], groups[KEYS];
};

struct reader {
	int at;						/* which replica */
	struct hub_cursor c;
	int states[KEYS], groups[KEYS];
	unsigned resumed, anew;
};

/* data_of: nothing for what is gone. */
static void
data_of(int value, char data[16])
{
	data[0] = '\0';
	if (value > 0)
		snprintf(data, 16, "%d", value);
}

static void
follow(struct replica *r, const struct registry_log *log, int upto)
{
	char key[16], data[16];

	for (; r->followed < upto; r->followed++) {
		const struct registry_log *one = &log[r->followed];
		snprintf(key, sizeof key, "%d", one->key);
		data_of(one->value, data);
		put_to(r->hub, HUB_INSTANCES, key, data, 100 + (uint64_t)r->followed);
		r->states[one->key] = one->value;
	}
}

static void
take(struct reader *r, const struct hub_item *i)
{
	int *to = i->topic == HUB_INSTANCES ? r->states : r->groups;

	to[(int)strtol(i->service, NULL, 10)] = i->gone ? 0 : (int)strtol(i->data, NULL, 10);
}

static void
begin_anew(struct reader *r, struct hub *at)
{
	struct hub_item **v;

	memset(r->states, 0, sizeof r->states);
	memset(r->groups, 0, sizeof r->groups);
	r->c = (struct hub_cursor){ .topics = HUB_ALL };
	for (size_t n = hub_all(at, &r->c, &v), i = 0; i < n; i++) {
		take(r, v[i]);
		hub_item_unref(v[i]);
	}
	mem_free(v);
	r->anew++;
}

/* catch_up: some, or all, of what a reader has not seen. */
static void
catch_up(struct reader *r, struct hub *at, bool all)
{
	struct hub_item *v[2];
	uint64_t missed;
	bool lost;
	size_t n;

	do {
		n = hub_read(at, &r->c, v, COUNT_OF(v), &missed, &lost);
		if (lost)
			begin_anew(r, at);
		for (size_t i = 0; i < n; i++) {
			take(r, v[i]);
			hub_item_unref(v[i]);
		}
	} while (n > 0 && all);
}

static void
hop(struct reader *r, struct replica *replicas)
{
	char position[HUB_POSITION_MAX];

	hub_position(replicas[r->at].hub, &r->c, position);
	r->at = draw(2);
	struct hub *at = replicas[r->at].hub;
	r->c = (struct hub_cursor){ .topics = HUB_ALL };
	if (hub_resume(at, position, &r->c) == HUB_RESUMED)
		r->resumed++;
	else
		begin_anew(r, at);
}

static void
readers_that_hop_always_end_with_the_truth(void **state)
{
	unsigned resumed = 0, anew = 0;

	(void)state;
	for (uint64_t n = 1; n <= 60; n++) {
		static struct registry_log log[LOG];
		struct replica replicas[2] = { { .hub = hub_new(1) }, { .hub = hub_new(2) } };
		struct reader readers[READERS] = { 0 };
		char key[16], data[16];
		int length = 0;

		seed = n * UINT64_C(0x9e3779b97f4a7c15);
		for (int i = 0; i < 2; i++)
			hub_bucket(replicas[i].hub, 0xb, 99);
		for (int i = 0; i < READERS; i++)
			begin_anew(&readers[i], replicas[0].hub);
		for (int step = 0; step < LOG - 1; step++) {
			struct replica *some = &replicas[draw(2)];
			struct reader *one = &readers[draw(READERS)];
			int k = draw(KEYS);
			switch (draw(6)) {
			case 0:
			case 1:
				log[length++] = (struct registry_log){ k, draw(3) > 0 ? step + 1 : 0 };
				break;
			case 2:
				follow(some, log, some->followed + draw(length - some->followed + 1));
				break;
			case 3:		/* what only this replica knows, as who leads; both come to the same in the end */
				some->groups[k] = draw(3) > 0 ? k + 1 : 0;
				snprintf(key, sizeof key, "%d", k);
				data_of(some->groups[k], data);
				put_to(some->hub, HUB_GROUPS, key, data, 0);
				break;
			case 4:
				catch_up(one, replicas[one->at].hub, draw(2) == 0);
				break;
			default:
				if (draw(3) == 0)
					hop(one, replicas);
			}
		}
		for (int i = 0; i < 2; i++)
			follow(&replicas[i], log, length);
		for (int i = 0; i < READERS; i++) {
			struct reader *r = &readers[i];
			const struct replica *at = &replicas[r->at];
			catch_up(r, at->hub, true);
			for (int k = 0; k < KEYS; k++) {
				if (r->states[k] != at->states[k])
					fail_msg("seed %llu: reader %d has %d=%d, not %d", (unsigned long long)n, i, k, r->states[k],
					    at->states[k]);
			}
			resumed += r->resumed;
			anew += r->anew;
		}
		hub_free(replicas[0].hub);
		hub_free(replicas[1].hub);
	}
	/* Else this would have tested snapshots alone. */
	assert_true(resumed > 5 * anew);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(topics_are_a_list_of_names),
		cmocka_unit_test_setup_teardown(a_reader_gets_what_changed_behind_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_slow_reader_finds_each_state_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(topics_and_services_are_left_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_position_resumes_here_without_a_gap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_position_resumes_on_another_replica, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_resumed_is_said, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_dropped_marker_makes_readers_begin_anew, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_bucket_made_again_voids_positions, set_up, tear_down),
		cmocka_unit_test(readers_that_hop_always_end_with_the_truth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
