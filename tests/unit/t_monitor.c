/* t_monitor - two replicas of what the management service knows, against a real server: what instances
 * do becomes states once, the same on both, and whoever reads them may go from one to the other. */
#include "expect.h"

#include <stdatomic.h>
#include <string.h>

#include "base/magic.h"
#include "base/wall.h"
#include "bus.h"
#include "codec/broadcast.h"
#include "codec/codec.h"
#include "codec/subject.h"
#include "discovery/discovery.h"
#include "monitor/monitor.h"
#include "nats/conn.h"
#include "nats/stream.h"
#include "registry/registry.h"
#include "sys/loop.h"
#include "sys/loop_thread.h"
#include "sys/thread.h"

#define PATIENCE_NS WAIT_NS

struct replica {
	struct loop *loop;
	struct loop_thread thread;
	struct conn *conn;
	struct discovery *discovery;
	struct monitor *monitor;
};

static struct world {
	struct bus bus;
	struct replica r[2];
	struct conn *conn;
	struct registry *registry;
	struct err err;
} w;

static struct conn *
link_to(const char *name)
{
	struct conn *c = conn_new(&(struct conn_opts){
		.servers = bus_url(&w.bus), .name = name, .timeout_ns = 10 * NS_PER_S, .wait = true,
	}, &w.err);

	assert_non_null(c);
	return c;
}

static _Atomic(const char *) troubled;	/* what the rest of the process says */

static const char *
trouble(void *arg, size_t i)
{
	(void)arg;
	return i == 0 ? atomic_load(&troubled) : NULL;
}

static void
replica_open(struct replica *r, int64_t stale_ns)
{
	assert_non_null(r->loop = loop_new(clock_system(), 4096, &w.err));
	r->conn = link_to("t_monitor replica");
	r->discovery = discovery_new(&(struct discovery_opts){ .loop = r->loop, .conn = r->conn, .stale_ns = stale_ns });
	r->monitor = monitor_new(&(struct monitor_opts){ .loop = r->loop, .conn = r->conn, .discovery = r->discovery,
	    .trouble = trouble }, &w.err);
	assert_non_null(r->monitor);
	assert_int_equal(discovery_start(r->discovery, &w.err), ERR_OK);
	assert_int_equal(loop_thread_start(&r->thread, r->loop, &w.err), ERR_OK);
}

static void
replica_close(struct replica *r)
{
	if (r->loop == NULL)
		return;
	monitor_leave(r->monitor);
	loop_thread_stop(&r->thread);
	monitor_free(r->monitor);
	discovery_free(r->discovery);
	conn_free(r->conn);
	loop_free(r->loop);
	memset(r, 0, sizeof *r);
}

static int
open_world(void **state)
{
	(void)state;
	memset(&w, 0, sizeof w);
	assert_true(bus_start(&w.bus));
	w.conn = link_to("t_monitor");
	w.registry = registry_new(&(struct registry_opts){ .conn = w.conn, .create = true }, &w.err);
	if (w.registry == NULL)
		fail_msg("%s", w.err.text);
	return 0;
}

static int
close_world(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		replica_close(&w.r[i]);
	registry_free(w.registry);
	conn_free(w.conn);
	bus_end(&w.bus);
	return 0;
}

/* --- instances ---------------------------------------------------------------------------- */

static void
put_as(const char *service, const char *id, enum instance_status status, const char *metadata, struct wall heard)
{
	struct instance one;
	uint64_t rev;

	instance_init(&one);
	mem_free(one.metadata);
	one.service = mem_text(service);
	one.id = mem_text(id);
	one.version = mem_text("1.2.3");
	one.metadata = mem_text(metadata);
	one.status = status;
	one.last_heartbeat = heard;
	if (registry_put_instance(w.registry, &one, 600, REGISTRY_ANY, &rev, &w.err) != ERR_OK)
		fail_msg("%s", w.err.text);
	instance_release(&one);
}

static void
put(const char *id, enum instance_status status)
{
	put_as("Orders", id, status, "{\"nonce\":\"n1\"}", clock_wall(clock_system()));
}

static void
take_away(const char *id)
{
	assert_int_equal(registry_remove_instance(w.registry, "Orders", id, REGISTRY_ANY, &w.err), ERR_OK);
}

static void
say(const char *subject, const char *text)
{
	assert_int_equal(conn_publish(w.conn, &(struct conn_msg){ .subject = subject, .data = text, .n = strlen(text), .urgent = true },
	    &w.err), ERR_OK);
}

static void
say_goodbye(const char *id)
{
	struct str text = STR_INIT;

	broadcast_presence("Orders", id, clock_wall(clock_system()), &text);
	say(SUBJECT_UNREGISTER, text.p);
	str_release(&text);
}

/* beat: as Python sends it, without an uptime; calls so far. */
static void
beat(const char *id, int calls, int errors)
{
	char *text = mem_printf("{\"instance_id\": \"%s\", \"timestamp\": 1795150803.06, \"metrics\": {\"uptime_seconds\": 0.0, "
	    "\"counters\": {\"rpc.Orders.add.success\": %d, \"rpc.Orders.add.error\": %d}, \"gauges\": {\"rpc.Orders.add.queue_depth\": 4}, "
	    "\"summaries\": {\"rpc.Orders.add\": {\"count\": %d, \"average\": 5, \"min\": 1, \"max\": 9, \"p50\": 5, \"p90\": 8, "
	    "\"p99\": 9}}}}", id, calls - errors, errors, calls);

	say("internal.heartbeat.orders", text);
	mem_free(text);
}

/* --- waiting ------------------------------------------------------------------------------ */

/* holds: the state of a key has all of these pieces now; NULL: there is none.  last is what it is. */
static bool
holds(struct replica *r, enum hub_topic topic, const char *key, const char *const *pieces, char last[2048])
{
	struct hub_item *i = live_data(monitor_live(r->monitor), topic, key);
	bool is = pieces == NULL ? i == NULL : i != NULL;

	for (size_t k = 0; is && pieces != NULL && pieces[k] != NULL; k++)
		is = strstr(i->data, pieces[k]) != NULL;
	snprintf(last, 2048, "%s", i != NULL ? i->data : "nothing");
	hub_item_unref(i);
	return is;
}

/* state_is: holds, within some seconds. */
static void
state_is(struct replica *r, enum hub_topic topic, const char *key, const char *const *pieces)
{
	struct mono until = mono_after(clock_mono(clock_system()), PATIENCE_NS);
	char last[2048] = "";

	while (!holds(r, topic, key, pieces, last)) {
		if (mono_reached(clock_mono(clock_system()), until))
			fail_msg("%s is %s", key, last);
		thread_pause(5 * NS_PER_MS);
	}
}

#define IS(r, topic, key, ...) state_is(r, topic, key, (const char *const[]){ __VA_ARGS__, NULL })
#define NONE(r, topic, key) state_is(r, topic, key, NULL)

typedef enum err_code question(struct monitor *m, const char *service, const char *instance, struct str *out, struct err *err);

static enum err_code
list_departed(struct monitor *m, const char *service, const char *instance, struct str *out, struct err *err)
{
	uint64_t next;

	(void)instance;
	return monitor_departed(m, service, 10, 0, &next, out, err);
}

static enum err_code
list_metrics(struct monitor *m, const char *service, const char *instance, struct str *out, struct err *err)
{
	const struct monitor_body *b = NULL;
	enum err_code code = monitor_metrics(m, service, &b, err);

	(void)instance;
	if (b != NULL)
		str_puts(out, str_text(&b->text));
	monitor_body_drop(b);
	return code;
}

static enum err_code
list_micro(struct monitor *m, const char *service, const char *instance, struct str *out, struct err *err)
{
	(void)service;
	(void)instance;
	return monitor_micro(m, out, err);
}

/* answers: the question's answer holds `piece` so many times, within some seconds. */
static void
answers(struct replica *r, question *ask, const char *service, const char *id, const char *piece, int times)
{
	struct mono until = mono_after(clock_mono(clock_system()), PATIENCE_NS);

	for (;;) {
		struct str out = STR_INIT;
		struct value v;
		int n = 0;
		enum err_code code = ask(r->monitor, service, id, &out, &w.err);
		/* A loop that did not get to it in time is asked again. */
		if (code == ERR_TIMEOUT && !mono_reached(clock_mono(clock_system()), until)) {
			str_release(&out);
			continue;
		}
		if (code != ERR_OK)
			fail_msg("%s", w.err.text);
		assert_int_equal(codec_parse(codec_mine(), (struct data){ DATA_JSON, str_text(&out), out.len }, &v, &w.err), ERR_OK);
		for (const char *at = str_text(&out); (at = strstr(at, piece)) != NULL; at++)
			n++;
		if (n != times && mono_reached(clock_mono(clock_system()), until))
			fail_msg("%d times '%s' in %s", n, piece, str_text(&out));
		str_release(&out);
		if (n == times)
			return;
		thread_pause(5 * NS_PER_MS);
	}
}

/* --- the tests ---------------------------------------------------------------------------- */

static void
an_instance_lives_and_both_replicas_see_it(void **state)
{
	(void)state;
	put_as("Orders", "before", INSTANCE_ACTIVE, "{\"start_time\":\"2026-01-02T03:04:05+00:00\"}", clock_wall(clock_system()));
	for (int i = 0; i < 2; i++)
		replica_open(&w.r[i], 0);
	for (int i = 0; i < 2; i++) {
		IS(&w.r[i], HUB_INSTANCES, "Orders/before", "\"status\":\"ACTIVE\"", "\"since\":\"2026-01-02T03:04:05.000Z\"",
		    "\"stale\":false", "\"leader\":false,\"epoch\":null");
		answers(&w.r[i], monitor_events, "Orders", "before", "\"kind\":\"appeared\"", 1);
	}
	put("a", INSTANCE_ACTIVE);
	for (int i = 0; i < 2; i++)
		IS(&w.r[i], HUB_INSTANCES, "Orders/a", "\"instanceId\":\"a\"");
	beat("a", 100, 0);
	for (int i = 0; i < 2; i++)
		IS(&w.r[i], HUB_METRICS, "Orders/a", "\"Orders/a\":{\"calls_per_second\":null", "\"queue_depth\":4.00");
	thread_pause(300 * NS_PER_MS);		/* beats closer than that are one */
	beat("a", 200, 10);
	put("a", INSTANCE_UNHEALTHY);
	for (int i = 0; i < 2; i++) {
		IS(&w.r[i], HUB_METRICS, "Orders/a", "\"error_rate\":0.1000", "\"p50_ms\":5.0");
		IS(&w.r[i], HUB_INSTANCES, "Orders/a", "\"status\":\"UNHEALTHY\"");
		answers(&w.r[i], monitor_events, "Orders", "a", "\"kind\":\"status\",\"from\":\"ACTIVE\",\"to\":\"UNHEALTHY\"", 1);
		answers(&w.r[i], list_metrics, "", "", "\"rpc.Orders.add.success\":190", 1);
		answers(&w.r[i], list_metrics, "", "", "\"metrics\":null", 1);		/* the other never beat */
		answers(&w.r[i], list_metrics, "Other", "", "metrics", 0);
		answers(&w.r[i], monitor_series, "Orders", "a", "\"columns\":[\"t\",", 1);
		IS(&w.r[i], HUB_OVERVIEW, "", "\"services\":1,\"instances\":2,\"active\":1,\"standby\":0,\"unhealthy\":1,\"stale\":0",
		    "\"connected\":true", "\"degraded\":[]");
	}
	atomic_store(&troubled, "the moon is full");
	for (int i = 0; i < 2; i++)
		IS(&w.r[i], HUB_OVERVIEW, "", "\"degraded\":[\"the moon is full\"]");
	atomic_store(&troubled, NULL);
	struct str out = STR_INIT;
	assert_int_equal(monitor_events(w.r[0].monitor, "Orders", "nosuch", &out, &w.err), ERR_INSTANCE_UNKNOWN);
	assert_int_equal(monitor_events(w.r[0].monitor, "orders", "a", &out, &w.err), ERR_INSTANCE_UNKNOWN);
	str_release(&out);
}

static void
uptime_is_derived_where_it_is_not_told(void **state)
{
	char started[WALL_TEXT_MAX], *metadata;

	(void)state;
	replica_open(&w.r[0], 0);
	wall_utc((struct wall){ clock_wall(clock_system()).ns - 5000 * NS_PER_S }, started);
	metadata = mem_printf("{\"start_time\":\"%s\"}", started);
	put_as("Orders", "py", INSTANCE_ACTIVE, metadata, clock_wall(clock_system()));
	mem_free(metadata);
	IS(&w.r[0], HUB_INSTANCES, "Orders/py", "py");
	beat("py", 1, 0);
	answers(&w.r[0], list_metrics, "", "", "\"metrics\":{\"uptime_seconds\":500", 1);
	IS(&w.r[0], HUB_METRICS, "Orders/py", "\"uptime_seconds\":500");
}

static void
who_leaves_is_written_once_with_the_cause(void **state)
{
	struct stream_state s;

	(void)state;
	for (int i = 0; i < 2; i++)
		replica_open(&w.r[i], 600 * NS_PER_S);		/* nobody turns stale before it leaves */
	put("ordered", INSTANCE_ACTIVE);
	put("purged", INSTANCE_ACTIVE);
	for (int i = 0; i < 2; i++) {
		IS(&w.r[i], HUB_INSTANCES, "Orders/ordered", "ACTIVE");
		IS(&w.r[i], HUB_INSTANCES, "Orders/purged", "ACTIVE");
	}
	/* The stream is there once both have looked for it. */
	struct mono until = mono_after(clock_mono(clock_system()), PATIENCE_NS);
	while (stream_look(w.conn, "AEGIS_DEPARTED", &s, &w.err) != ERR_OK && !mono_reached(clock_mono(clock_system()), until))
		thread_pause(5 * NS_PER_MS);
	/* A removal waits a second for the good-bye, a good-bye five for the removal. */
	say_goodbye("ordered");
	take_away("ordered");
	take_away("purged");
	for (int i = 0; i < 2; i++) {
		NONE(&w.r[i], HUB_INSTANCES, "Orders/ordered");
		NONE(&w.r[i], HUB_INSTANCES, "Orders/purged");
		answers(&w.r[i], list_departed, "", "", "\"cause\":\"deregistered\",\"by\":null,\"last\":{\"serviceName\":\"Orders\","
		    "\"instanceId\":\"ordered\"", 1);
		answers(&w.r[i], list_departed, "Orders", "", "\"cause\":\"purged\"", 1);
		answers(&w.r[i], list_departed, "Other", "", "cause", 0);
		answers(&w.r[i], monitor_events, "Orders", "ordered", "\"kind\":\"departed\"", 1);
	}
	assert_int_equal(stream_look(w.conn, "AEGIS_DEPARTED", &s, &w.err), ERR_OK);
	assert_int_equal(s.messages, 2);
	/* A replica that comes later reads them. */
	replica_close(&w.r[1]);
	replica_open(&w.r[1], 600 * NS_PER_S);
	answers(&w.r[1], list_departed, "", "", "\"cause\":", 2);
}

static void
who_is_silent_turns_stale_by_age_alone(void **state)
{
	struct hub_cursor c = { .topics = HUB_INSTANCES };
	struct hub_item **v;
	char position[HUB_POSITION_MAX];

	(void)state;
	for (int i = 0; i < 2; i++)
		replica_open(&w.r[i], 5 * NS_PER_S);
	put("a", INSTANCE_ACTIVE);
	IS(&w.r[0], HUB_INSTANCES, "Orders/a", "\"stale\":false");
	IS(&w.r[0], HUB_INSTANCES, "Orders/a", "\"stale\":true");
	IS(&w.r[1], HUB_INSTANCES, "Orders/a", "\"stale\":true");
	answers(&w.r[0], monitor_events, "Orders", "a", "\"kind\":\"stale\",\"from\":\"fresh\",\"to\":\"stale\"", 1);
	answers(&w.r[0], list_metrics, "", "", "instanceId", 0);
	IS(&w.r[0], HUB_OVERVIEW, "", "\"instances\":1,\"active\":0,\"standby\":0,\"unhealthy\":0,\"stale\":1");
	put("a", INSTANCE_ACTIVE);
	IS(&w.r[0], HUB_INSTANCES, "Orders/a", "\"stale\":false");
	answers(&w.r[0], monitor_events, "Orders", "a", "\"kind\":\"stale\",\"from\":\"stale\",\"to\":\"fresh\"", 1);
	for (size_t n = live_all(monitor_live(w.r[0].monitor), &c, &v); n > 0; n--)
		hub_item_unref(v[n - 1]);
	mem_free(v);
	live_position(monitor_live(w.r[0].monitor), &c, position);
	assert_true(strlen(position) < HUB_POSITION_MAX - 1);
}

static void
an_expired_record_is_noticed_by_looking(void **state)
{
	(void)state;
	replica_open(&w.r[0], NS_PER_S);
	put("a", INSTANCE_ACTIVE);
	IS(&w.r[0], HUB_INSTANCES, "Orders/a", "\"stale\":true");
	/* As an expiry does it: without a word, since nobody follows the purge of the stream. */
	assert_int_equal(stream_purge(w.conn, "KV_service_registry", "$KV.service_registry.service-instances__Orders__a", &w.err), ERR_OK);
	NONE(&w.r[0], HUB_INSTANCES, "Orders/a");
	answers(&w.r[0], list_departed, "", "", "\"cause\":\"expired\"", 1);
	/* Whoever is still stored is only stale. */
	put("b", INSTANCE_ACTIVE);
	IS(&w.r[0], HUB_INSTANCES, "Orders/b", "\"stale\":true");
	answers(&w.r[0], list_departed, "", "", "\"cause\":\"expired\"", 1);
}

static void
a_reader_goes_from_one_replica_to_the_other(void **state)
{
	struct hub_cursor c = { .topics = HUB_INSTANCES };
	struct live *one, *other;
	struct hub_item **all, *v[16];
	char position[HUB_POSITION_MAX], key[32];
	uint64_t missed;
	bool lost;
	int told[20] = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++)
		replica_open(&w.r[i], 0);
	one = monitor_live(w.r[0].monitor);
	other = monitor_live(w.r[1].monitor);
	for (int i = 0; i < 10; i++) {
		snprintf(key, sizeof key, "i%d", i);
		put(key, INSTANCE_ACTIVE);
	}
	IS(&w.r[0], HUB_INSTANCES, "Orders/i9", "ACTIVE");
	/* The replica must know which bucket it follows before its positions mean anything elsewhere. */
	struct mono until = mono_after(clock_mono(clock_system()), PATIENCE_NS);
	do {
		put("tick", INSTANCE_ACTIVE);
		thread_pause(20 * NS_PER_MS);
		for (size_t n = live_all(one, &c, &all), i = 0; i < n; i++)
			hub_item_unref(all[i]);
		mem_free(all);
		live_position(one, &c, position);
		struct hub_cursor try = { .topics = HUB_INSTANCES };
		if (live_begin(other, position, &try, NS_PER_S) && try.foreign)
			break;
	} while (!mono_reached(clock_mono(clock_system()), until));
	/* Cut; things go on meanwhile; and the reader comes back elsewhere. */
	for (int i = 5; i < 15; i++) {
		snprintf(key, sizeof key, "i%d", i);
		put(key, INSTANCE_STANDBY);
	}
	take_away("i0");
	say_goodbye("i0");
	NONE(&w.r[1], HUB_INSTANCES, "Orders/i0");
	IS(&w.r[1], HUB_INSTANCES, "Orders/i14", "STANDBY");
	struct hub_cursor again = { .topics = HUB_INSTANCES };
	assert_true(live_begin(other, position, &again, NS_PER_S));
	assert_true(again.foreign);
	for (size_t n; (n = live_read(other, &again, v, COUNT_OF(v), mono_after(clock_mono(clock_system()), 50 * NS_PER_MS), &missed,
	    &lost)) > 0;) {
		for (size_t i = 0; i < n; i++) {
			const char *id = strstr(v[i]->data, v[i]->gone ? "\"instance\":\"i" : "\"instanceId\":\"i");
			if (id != NULL)
				told[strtol(strchr(strchr(id, ':'), 'i') + 1, NULL, 10)] += v[i]->gone ? 100 : 1;
			hub_item_unref(v[i]);
		}
	}
	assert_false(lost);
	for (int i = 0; i < 15; i++)
		if (told[i] != (i == 0 ? 100 : i >= 5 ? 1 : 0))
			fail_msg("i%d was told %d times", i, told[i]);
}

static void
definitions_are_states_too(void **state)
{
	struct definition d;
	uint64_t rev;

	(void)state;
	definition_init(&d);
	d.service = mem_text("orders");
	d.owner = mem_text("team");
	d.description = mem_text("what it does");
	d.version = mem_text("1.0.0");
	d.created_at = d.updated_at = clock_wall(clock_system());
	replica_open(&w.r[0], 0);
	assert_int_equal(registry_put(w.registry, &d, REGISTRY_NEW, &rev, &w.err), ERR_OK);
	IS(&w.r[0], HUB_SERVICES, "orders", "\"service_name\":\"orders\"", "\"revision\":");
	assert_int_equal(registry_remove(w.registry, "orders", REGISTRY_ANY, &w.err), ERR_OK);
	NONE(&w.r[0], HUB_SERVICES, "orders");
	definition_release(&d);
}

static void
groups_follow_their_leaders(void **state)
{
	(void)state;
	replica_open(&w.r[0], 0);
	struct instance one;
	uint64_t rev;
	for (int i = 0; i < 2; i++) {
		instance_init(&one);
		mem_free(one.metadata);
		one.service = mem_text("Orders");
		one.id = mem_text(i == 0 ? "a" : "b");
		one.version = mem_text("1.2.3");
		one.group = mem_text("main");
		one.status = i == 0 ? INSTANCE_ACTIVE : INSTANCE_STANDBY;
		one.sticky = i == 0 ? STICKY_ACTIVE : STICKY_STANDBY;
		one.epoch = i == 0 ? 7 : 0;
		one.metadata = mem_text(i == 0 ? "{\"epoch\":7,\"since\":\"2026-02-03T04:05:06+00:00\"}" : "{}");
		one.last_heartbeat = clock_wall(clock_system());
		assert_int_equal(registry_put_instance(w.registry, &one, 600, REGISTRY_ANY, &rev, &w.err), ERR_OK);
		instance_release(&one);
	}
	IS(&w.r[0], HUB_GROUPS, "Orders/main", "\"leader\":{\"instance\":\"a\",\"epoch\":7,\"since\":\"2026-02-03T04:05:06.000Z\"}",
	    "\"instance\":\"b\",\"role\":\"standby\"");
	IS(&w.r[0], HUB_INSTANCES, "Orders/a", "\"leader\":true,\"epoch\":7");
	/* A beat of a newer leader comes long before the records say so; the first ones may come before somebody listens. */
	char last[2048];
	for (int i = 0; i < 600 && !holds(&w.r[0], HUB_GROUPS, "Orders/main", (const char *const[]){ "\"epoch\":8", NULL }, last); i++) {
		say("aegis.hb.Orders.b", "{\"g\":\"main\",\"st\":\"ACTIVE\",\"hot\":true,\"e\":8,\"n\":\"00000000000000000000000000000000\",\"seq\":1}");
		thread_pause(100 * NS_PER_MS);
	}
	IS(&w.r[0], HUB_GROUPS, "Orders/main", "\"leader\":{\"instance\":\"b\",\"epoch\":8");
	IS(&w.r[0], HUB_INSTANCES, "Orders/a", "\"leader\":false");
	IS(&w.r[0], HUB_INSTANCES, "Orders/b", "\"leader\":true,\"epoch\":8");
	IS(&w.r[0], HUB_OVERVIEW, "", "\"leaders\":1,\"leaderless\":0");
	take_away("a");
	say_goodbye("a");
	take_away("b");
	say_goodbye("b");
	NONE(&w.r[0], HUB_GROUPS, "Orders/main");
}

/* --- a foreign service ---------------------------------------------------------------------- */

static void
on_stats(void *arg, struct msg *m)
{
	static const char answer[] = "{\"type\":\"io.nats.micro.v1.stats_response\",\"name\":\"gateway\",\"id\":\"X1\",\"version\":\"3.0.0\","
	    "\"endpoints\":[{\"name\":\"in\",\"subject\":\"gw.in\",\"num_requests\":12,\"num_errors\":3,\"processing_time\":6000000,"
	    "\"average_processing_time\":500000},{\"name\":\"in\",\"subject\":\"gw.in2\",\"num_requests\":1}]}";

	(void)arg;
	conn_publish(w.conn, &(struct conn_msg){ .subject = msg_reply(m), .data = answer, .n = sizeof answer - 1 }, NULL);
	conn_publish(w.conn, &(struct conn_msg){ .subject = msg_reply(m), .data = "[]", .n = 2 }, NULL);
	msg_free(m);
}

static void
foreign_services_are_asked(void **state)
{
	struct str out = STR_INIT;

	(void)state;
	struct sub *s = sub_new(&(struct sub_opts){ .conn = w.conn, .subject = "$SRV.STATS", .handler = on_stats }, &w.err);
	assert_non_null(s);
	assert_int_equal(conn_flush(w.conn, WAIT_NS, &w.err), ERR_OK);
	replica_open(&w.r[0], 0);
	answers(&w.r[0], list_micro, "", "", "\"name\":\"gateway\",\"id\":\"X1\",\"version\":\"3.0.0\",\"endpoints\":[{\"name\":\"in\","
	    "\"subject\":\"gw.in\",\"requests\":13,\"errors\":3,\"average_ms\":0.5000}]", 1);
	assert_int_equal(monitor_prom(w.r[0].monitor, &out, &w.err), ERR_OK);
	assert_non_null(strstr(str_text(&out), "nats_micro_requests_total{service=\"gateway\",id=\"X1\",version=\"3.0.0\",endpoint=\"in\"} 13"));
	str_release(&out);
	sub_free(s);
}

static void
the_server_dies_and_comes_back(void **state)
{
	(void)state;
	replica_open(&w.r[0], 0);
	put("a", INSTANCE_ACTIVE);
	put("b", INSTANCE_ACTIVE);
	IS(&w.r[0], HUB_INSTANCES, "Orders/b", "ACTIVE");
	bus_stop(&w.bus);
	IS(&w.r[0], HUB_OVERVIEW, "", "\"connected\":false", "NATS is not connected");
	IS(&w.r[0], HUB_INSTANCES, "Orders/a", "ACTIVE");
	answers(&w.r[0], list_metrics, "", "", "instanceId", 2);
	assert_true(bus_start(&w.bus));
	struct mono until = mono_after(clock_mono(clock_system()), PATIENCE_NS);
	while (registry_remove_instance(w.registry, "Orders", "a", REGISTRY_ANY, &w.err) != ERR_OK && !mono_reached(clock_mono(clock_system()), until))
		thread_pause(20 * NS_PER_MS);
	NONE(&w.r[0], HUB_INSTANCES, "Orders/a");
	IS(&w.r[0], HUB_OVERVIEW, "", "\"connected\":true", "\"instances\":1");
}

int
main(int argc, char **argv)
{
	BUS_SHIM(argc, argv);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_instance_lives_and_both_replicas_see_it, open_world, close_world),
		cmocka_unit_test_setup_teardown(uptime_is_derived_where_it_is_not_told, open_world, close_world),
		cmocka_unit_test_setup_teardown(who_leaves_is_written_once_with_the_cause, open_world, close_world),
		cmocka_unit_test_setup_teardown(who_is_silent_turns_stale_by_age_alone, open_world, close_world),
		cmocka_unit_test_setup_teardown(an_expired_record_is_noticed_by_looking, open_world, close_world),
		cmocka_unit_test_setup_teardown(a_reader_goes_from_one_replica_to_the_other, open_world, close_world),
		cmocka_unit_test_setup_teardown(definitions_are_states_too, open_world, close_world),
		cmocka_unit_test_setup_teardown(groups_follow_their_leaders, open_world, close_world),
		cmocka_unit_test_setup_teardown(foreign_services_are_asked, open_world, close_world),
		cmocka_unit_test_setup_teardown(the_server_dies_and_comes_back, open_world, close_world),
	};

	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	conn_library_close();
	return failed;
}
