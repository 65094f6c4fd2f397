/* t_events - events against a real server: who gets what, what happens to those that fail, cannot
 * be read, or meet a server that goes away. */
#include "expect.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/magic.h"
#include "bus.h"
#include "messaging/dlq.h"
#include "messaging/events.h"
#include "nats/conn.h"
#include "nats/stream.h"
#include "sys/loop.h"
#include "sys/loop_thread.h"
#include "sys/pool.h"

#define MEMBERS 2

/* Made static where it is used: threads of nats.c are unknown to the thread sanitizer, and a
 * stack that is used again would look like a race with them. */
struct seen {
	struct world *w;
	atomic_uint n, sum;
	unsigned fail;			/* attempts that fail */
	char last[256];			/* under last_lock: a core subscription has a thread per member */
};

static pthread_mutex_t last_lock = PTHREAD_MUTEX_INITIALIZER;

struct world {
	struct bus bus;
	struct loop *loop;
	struct loop_thread thread;
	struct conn *conn;
	struct pool *pool;
	struct publisher *publisher;
	struct events *events[MEMBERS];
	struct err err;
};

static void
open_world(struct world *w)
{
	memset(w, 0, sizeof *w);
	assert_true(bus_start(&w->bus));
	assert_non_null(w->loop = loop_new(clock_system(), 1024, &w->err));
	w->conn = conn_new(&(struct conn_opts){
		.servers = bus_url(&w->bus), .name = "t_events", .timeout_ns = 30 * NS_PER_S,
	}, &w->err);
	assert_non_null(w->conn);
	assert_non_null(w->pool = pool_new(w->loop, 1, 8, &w->err));
	w->publisher = publisher_new(&(struct publisher_opts){ .conn = w->conn, .loop = w->loop }, &w->err);
	for (int i = 0; i < MEMBERS; i++)
		w->events[i] = events_new(&(struct events_opts){
			.conn = w->conn, .loop = w->loop, .pool = w->pool, .publisher = w->publisher,
			.service = "Order-svc", .instance = i == 0 ? "order-a" : "order-b",
		});
	assert_int_equal(loop_thread_start(&w->thread, w->loop, &w->err), ERR_OK);
}

static void
free_events(void *arg)
{
	struct world *w = arg;

	for (int i = 0; i < MEMBERS; i++)
		events_free(w->events[i]);
}

static void
close_world(struct world *w)
{
	assert_int_equal(loop_call(w->loop, free_events, w, WAIT_NS, &w->err), ERR_OK);
	loop_thread_stop(&w->thread);
	pool_free(w->pool);
	publisher_free(w->publisher);
	conn_free(w->conn);
	loop_free(w->loop);
	bus_end(&w->bus);
}

static void
on_event(void *arg, struct event *e)
{
	struct seen *s = arg;
	int64_t i = 0;

	value_int(value_field(&event_envelope(e)->payload, "i"), &i);
	pthread_mutex_lock(&last_lock);
	snprintf(s->last, sizeof s->last, "%s %s %s %s", event_subject(e), event_domain(e), event_type(e),
	    event_payload_json(e));
	pthread_mutex_unlock(&last_lock);
	/* Counted first: who waits for the counters of the events looks here next. */
	atomic_fetch_add(&s->sum, (unsigned)i);
	atomic_fetch_add(&s->n, 1);
	if (event_deliveries(e) <= s->fail)
		event_fail(e, "not today\nnot tomorrow");
	else
		event_done(e);
}

struct order {
	struct world *w;
	int member;
	struct event_subscription s;
	enum err_code code;
};

static void
subscribe_now(void *arg)
{
	struct order *o = arg;

	o->code = events_subscribe(o->w->events[o->member], &o->s, &o->w->err);
}

static void
subscribe(struct world *w, int member, const struct event_subscription *s)
{
	struct order o = { w, member, *s, ERR_OK };

	assert_int_equal(loop_call(w->loop, subscribe_now, &o, WAIT_NS, &w->err), ERR_OK);
	expect_ok(o.code, &w->err);
	WAIT_FOR(events_state(w->events[member], s->pattern) == CONSUMER_READY);
}

static void
publish(struct world *w, const char *type, unsigned from, unsigned to)
{
	char json[32];

	for (unsigned i = from; i < to; i++) {
		int n = snprintf(json, sizeof json, "{\"i\":%u}", i);
		expect_ok(event_publish(w->publisher, &(struct event_out){
			.domain = "order", .type = type, .payload = { DATA_JSON, json, (size_t)n }, .timeout_ns = WAIT_NS,
			.format = i % 2 ? DATA_JSON : DATA_MSGPACK,
		}, NULL, NULL, &w->err), &w->err);
	}
	assert_int_equal(publisher_flush(w->publisher, WAIT_NS), 0);
}

static void
two_patterns_of_one_service(void **state)
{
	struct world w;
	static struct seen created = { 0 }, all = { 0 }, other = { 0 };

	(void)state;
	open_world(&w);
	subscribe(&w, 0, &(struct event_subscription){ .pattern = "events.order.created", .handler = on_event, .arg = &created });
	subscribe(&w, 0, &(struct event_subscription){ .pattern = "events.order.paid", .handler = on_event, .arg = &other });
	subscribe(&w, 0, &(struct event_subscription){ .pattern = "events.>", .handler = on_event, .arg = &all });
	struct order again = { &w, 0, { .pattern = "events.>", .handler = on_event }, ERR_OK };
	assert_int_equal(loop_call(w.loop, subscribe_now, &again, WAIT_NS, &w.err), ERR_OK);
	assert_int_equal(again.code, ERR_EXISTS);
	publish(&w, "created", 0, 100);
	publish(&w, "paid", 0, 50);
	WAIT_FOR(atomic_load(&all.n) == 150);
	WAIT_FOR(atomic_load(&created.n) == 100 && atomic_load(&other.n) == 50);
	assert_string_equal(created.last, "events.order.created order created {\"i\":99}");
	assert_int_equal(created.sum, 99 * 100 / 2);
	WAIT_FOR(events_counters(w.events[0]).done == 300);
	assert_int_equal(events_drain(w.events[0], WAIT_NS), 0);
	close_world(&w);
}

static void
members_compete_or_all_hear(void **state)
{
	struct world w;
	static struct seen compete = { 0 }, a = { 0 }, b = { 0 };
	struct consumer_facts f;
	struct stream_state st;

	(void)state;
	open_world(&w);
	for (int i = 0; i < MEMBERS; i++) {
		subscribe(&w, i, &(struct event_subscription){ .pattern = "events.order.*", .handler = on_event, .arg = &compete });
		subscribe(&w, i, &(struct event_subscription){
			.pattern = "events.order.created", .mode = EVENT_BROADCAST, .handler = on_event, .arg = i == 0 ? &a : &b,
		});
	}
	publish(&w, "created", 0, 100);
	WAIT_FOR(atomic_load(&a.n) == 100 && atomic_load(&b.n) == 100);
	WAIT_FOR(events_counters(w.events[0]).done + events_counters(w.events[1]).done == 300);
	assert_int_equal(atomic_load(&compete.n), 100);
	assert_int_equal(consumer_inspect(w.conn, "EVENTS", "order-svc__events=order=created==order-b", &f, &w.err), ERR_OK);
	assert_int_equal(consumer_inspect(w.conn, "EVENTS", "order-svc__events=order=+", &f, &w.err), ERR_OK);
	/* One goes: only its broadcast durable goes with it. */
	struct events *gone = w.events[1];
	w.events[1] = events_new(&(struct events_opts){
		.conn = w.conn, .loop = w.loop, .pool = w.pool, .publisher = w.publisher, .service = "x", .instance = "x",
	});
	struct world part = { .events = { gone } };
	assert_int_equal(loop_call(w.loop, free_events, &part, WAIT_NS, &w.err), ERR_OK);
	WAIT_FOR(stream_look(w.conn, "EVENTS", &st, &w.err) == ERR_OK && st.consumers == 2);
	publish(&w, "created", 100, 110);
	WAIT_FOR(atomic_load(&a.n) == 110 && atomic_load(&compete.n) == 110);
	close_world(&w);
}

static void
failing_ones_come_again_and_die(void **state)
{
	struct world w;
	static struct seen poor = { .fail = 2 }, hopeless = { .fail = 99 };
	struct letter l;
	struct pub_ack ack;

	(void)state;
	open_world(&w);
	subscribe(&w, 0, &(struct event_subscription){
		.pattern = "events.order.created", .max_attempts = 3, .retry_ns = 10 * NS_PER_MS, .handler = on_event, .arg = &poor,
	});
	subscribe(&w, 0, &(struct event_subscription){
		.pattern = "events.order.paid", .max_attempts = 3, .retry_ns = 10 * NS_PER_MS, .handler = on_event, .arg = &hopeless,
	});
	publish(&w, "created", 7, 8);
	WAIT_FOR(events_counters(w.events[0]).done == 1);
	assert_int_equal(atomic_load(&poor.n), 3);
	assert_int_equal(dlq_next(w.conn, STREAM_EVENTS_DLQ, NULL, 1, &l, &w.err), ERR_NOT_FOUND);
	publish(&w, "paid", 8, 9);
	WAIT_FOR(events_counters(w.events[0]).dead == 1);
	assert_int_equal(atomic_load(&hopeless.n), 3);
	expect_ok(dlq_next(w.conn, STREAM_EVENTS_DLQ, "events.order.*", 1, &l, &w.err), &w.err);
	assert_string_equal(l.subject, "events.order.paid");
	assert_string_equal(l.error, "not today not tomorrow");
	assert_string_equal(l.instance, "order-a");
	assert_int_equal(l.deliveries, 3);
	assert_string_equal(msg_subject(l.stored.msg), "dlq.events.order.paid");
	uint64_t seq = l.stored.seq;
	msg_free(l.stored.msg);
	assert_int_equal(dlq_next(w.conn, STREAM_EVENTS_DLQ, "events.other.>", 1, &l, &w.err), ERR_NOT_FOUND);
	/* Raised from the dead, it fails no more. */
	hopeless.fail = 0;
	expect_ok(dlq_retry(w.conn, w.publisher, STREAM_EVENTS_DLQ, seq, &ack, &w.err), &w.err);
	assert_string_equal(ack.stream, "EVENTS");
	WAIT_FOR(events_counters(w.events[0]).done == 2);
	assert_int_equal(dlq_get(w.conn, STREAM_EVENTS_DLQ, seq, &l, &w.err), ERR_NOT_FOUND);
	assert_int_equal(dlq_remove(w.conn, STREAM_EVENTS_DLQ, seq, &w.err), ERR_NOT_FOUND);
	close_world(&w);
}

static bool
settled(struct world *w, const char *durable)
{
	struct consumer_facts f;

	return consumer_inspect(w->conn, "EVENTS", durable, &f, &w->err) == ERR_OK && f.pending == 0 && f.unacked == 0;
}

static void
unreadable_ones_end_at_once(void **state)
{
	static const char *const bad[] = { "", "{", "no json", "{}", "{\"domain\":\"order\",\"event_type\":1}" };
	struct world w;
	static struct seen s = { 0 };

	(void)state;
	open_world(&w);
	subscribe(&w, 0, &(struct event_subscription){ .pattern = "events.order.created", .handler = on_event, .arg = &s });
	for (size_t i = 0; i < 5; i++)
		expect_ok(publisher_send_wait(w.publisher, &(struct publication){
			.subject = "events.order.created", .data = bad[i], .n = strlen(bad[i]),
		}, NULL, &w.err), &w.err);
	publish(&w, "created", 1, 2);
	WAIT_FOR(atomic_load(&s.n) == 1 && events_counters(w.events[0]).bad == 5);
	WAIT_FOR(settled(&w, "order-svc__events=order=created"));
	assert_int_equal(events_counters(w.events[0]).bad, 5);
	close_world(&w);
}

static void
the_subject_names_the_event(void **state)
{
	static const struct { const char *domain, *type, *seen; } says[] = {
		{ "order.eu", "created", "events.order.eu.created order.eu created {}" },
		{ "order", "eu.created", "events.order.eu.created order eu.created {}" },
		{ "..", "/../admin", "events.order.eu.created order eu.created {}" },
		{ "payment", "settled", "events.order.eu.created order eu.created {}" },
		{ "order.eu.created", "created", "events.order.eu.created order eu.created {}" },
		{ "orderXeu", "created", "events.order.eu.created order eu.created {}" },
	};
	struct world w;
	static struct seen s = { 0 };
	char body[256];

	(void)state;
	open_world(&w);
	subscribe(&w, 0, &(struct event_subscription){ .pattern = "events.order.>", .handler = on_event, .arg = &s });
	for (size_t i = 0; i < COUNT_OF(says); i++) {
		int n = snprintf(body, sizeof body, "{\"domain\":\"%s\",\"event_type\":\"%s\"}", says[i].domain, says[i].type);
		expect_ok(publisher_send_wait(w.publisher, &(struct publication){
			.subject = "events.order.eu.created", .data = body, .n = (size_t)n,
		}, NULL, &w.err), &w.err);
		WAIT_FOR(atomic_load(&s.n) == i + 1);
		pthread_mutex_lock(&last_lock);
		assert_string_equal(s.last, says[i].seen);
		pthread_mutex_unlock(&last_lock);
	}
	close_world(&w);
}

static void
mixed_with_a_python_member(void **state)
{
	struct world w;
	static struct seen s = { 0 }, core = { 0 };

	(void)state;
	open_world(&w);
	for (int i = 0; i < MEMBERS; i++) {
		subscribe(&w, i, &(struct event_subscription){
			.pattern = "events.order.created", .mode = EVENT_MIXED, .handler = on_event, .arg = &s,
		});
		subscribe(&w, i, &(struct event_subscription){
			.pattern = "events.order.*", .mode = EVENT_MIXED, .handler = on_event, .arg = &core,
		});
	}
	struct order second = { &w, 0, { .pattern = "events.order.paid", .mode = EVENT_MIXED, .handler = on_event }, ERR_OK };
	assert_int_equal(loop_call(w.loop, subscribe_now, &second, WAIT_NS, &w.err), ERR_OK);
	assert_int_equal(second.code, ERR_INVALID);
	publish(&w, "created", 0, 100);
	WAIT_FOR(settled(&w, "order-svc") && atomic_load(&core.n) == 100);
	assert_int_equal(atomic_load(&s.n), 100);
	/* Whatever a core message carries as its reply is the publisher's inbox, and is left alone. */
	WAIT_FOR(events_drain(w.events[0], WAIT_NS) == 0 && events_drain(w.events[1], WAIT_NS) == 0);
	publish(&w, "paid", 0, 1);
	assert_int_equal(publisher_counters(w.publisher).foreign, 0);
	close_world(&w);
}

static void
the_server_goes_and_comes(void **state)
{
	struct world w;
	static struct seen s = { 0 };

	(void)state;
	open_world(&w);
	subscribe(&w, 0, &(struct event_subscription){ .pattern = "events.order.created", .handler = on_event, .arg = &s });
	publish(&w, "created", 0, 10);
	WAIT_FOR(events_counters(w.events[0]).done == 10);
	bus_stop(&w.bus);
	WAIT_FOR(conn_state(w.conn) != CONN_UP);
	assert_true(bus_start(&w.bus));
	publish(&w, "created", 10, 20);
	WAIT_FOR(events_counters(w.events[0]).done >= 20);
	assert_int_equal(atomic_load(&s.sum), 19 * 20 / 2);
	close_world(&w);
}

static void
what_cannot_be_published(void **state)
{
	static const struct { struct event_out e; const char *says; } bad[] = {
		{ { .domain = "or der", .type = "created" }, "event domain" },
		{ { .domain = "a.b", .type = "created" }, "event domain" },
		{ { .domain = "order", .type = "" }, "event type" },
		{ { .domain = "order", .type = "a..b" }, "event type" },
		{ { .domain = "order", .type = "created", .version = "1" }, "version" },
		{ { .domain = "order", .type = "created", .message_id = "" }, "event id" },
		{ { .domain = "order", .type = "created", .message_id = "a.b" }, "event id" },
		{ { .domain = "order", .type = "created", .message_id = "a\r\nX: y" }, "event id" },
		{ { .domain = "order", .type = "created", .traceparent = "00-ab-cd-01" }, "traceparent" },
		{ { .domain = "order", .type = "created", .payload = { DATA_JSON, "[1]", 3 } }, "payload" },
	};
	struct world w;

	(void)state;
	open_world(&w);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		expect_refusal(event_publish(w.publisher, &bad[i].e, NULL, NULL, &w.err), &w.err, ERR_INVALID, bad[i].says);
	assert_int_equal(publisher_counters(w.publisher).pending, 0);
	close_world(&w);
}

static void
pauses_grow(void **state)
{
	(void)state;
	assert_int_equal(event_retry_delay(10, 1), 10);
	assert_int_equal(event_retry_delay(10, 2), 20);
	assert_int_equal(event_retry_delay(10, 3), 40);
	assert_int_equal(event_retry_delay(10, 7), 600);
	assert_int_equal(event_retry_delay(10, 1000), 600);
}

/* Keeps each event until it is let go of. */
struct keeper {
	_Atomic(struct event *) event;
	struct event *hung[8];		/* earlier deliveries; the handler's */
	unsigned nhung;
	atomic_uint n, refusals, highest;
};

static void
keep_it(void *arg, struct event *e)
{
	struct keeper *k = arg;

	if (event_deliveries(e) > atomic_load(&k->highest))
		atomic_store(&k->highest, (unsigned)event_deliveries(e));
	atomic_fetch_add(&k->n, 1);
	if (atomic_load(&k->refusals) > 0) {
		atomic_fetch_sub(&k->refusals, 1);
		assert_string_equal(event_domain(e), "order");	/* read anew each time */
		event_refuse(e);
	} else {
		struct event *before = atomic_exchange(&k->event, e);
		if (before != NULL && k->nhung < 8)
			k->hung[k->nhung++] = before;
	}
}

/* done_with: nothing is kept any more but what hangs. */
static bool
done_with(struct keeper *k)
{
	struct event *e = atomic_exchange(&k->event, NULL);

	if (e != NULL)
		event_done(e);
	return e == NULL;
}

/* A handler may have an event for many ack waits, but not beyond its time. */
static void
long_handlers_keep_their_event(void **state)
{
	static struct keeper slow = { 0 }, slower = { 0 };
	struct world w;

	(void)state;
	open_world(&w);
	subscribe(&w, 0, &(struct event_subscription){
		.pattern = "events.order.created", .ack_wait_ns = 300 * NS_PER_MS, .handler = keep_it, .arg = &slow,
	});
	subscribe(&w, 0, &(struct event_subscription){
		.pattern = "events.order.paid", .ack_wait_ns = 300 * NS_PER_MS, .run_ns = 300 * NS_PER_MS, .handler = keep_it,
		.arg = &slower,
	});
	publish(&w, "created", 0, 1);
	publish(&w, "paid", 0, 1);
	WAIT_FOR(atomic_load(&slow.event) != NULL);
	/* The other's second delivery tells that the time is over in which the first had come again. */
	WAIT_FOR(atomic_load(&slower.highest) >= 3);
	assert_int_equal(atomic_load(&slow.n), 1);
	event_done(atomic_load(&slow.event));
	WAIT_FOR(events_counters(w.events[0]).done == 1);
	/* Another one may be delivered just before the word for this one is heard. */
	WAIT_FOR(done_with(&slower) && settled(&w, "order-svc__events=order=paid"));
	for (unsigned i = 0; i < slower.nhung; i++)
		event_done(slower.hung[i]);		/* late, and no harm */
	close_world(&w);
}

static void
refusals_are_no_attempts(void **state)
{
	static struct keeper k = { .refusals = 3 };
	struct world w;

	(void)state;
	open_world(&w);
	subscribe(&w, 0, &(struct event_subscription){
		.pattern = "events.order.created", .max_attempts = 1, .ack_wait_ns = 900 * NS_PER_MS, .handler = keep_it, .arg = &k,
	});
	publish(&w, "created", 0, 1);
	WAIT_FOR(atomic_load(&k.event) != NULL);
	assert_int_equal(atomic_load(&k.n), 4);
	assert_int_equal(atomic_load(&k.highest), 1);
	assert_int_equal(events_counters(w.events[0]).refused, 3);
	event_done(atomic_exchange(&k.event, NULL));
	/* What is kept when the instance leaves goes to another one, at once. */
	atomic_store(&k.refusals, 1);
	publish(&w, "created", 1, 2);
	WAIT_FOR(events_counters(w.events[0]).refused == 4);
	struct events *gone = w.events[0];
	w.events[0] = w.events[1];
	w.events[1] = NULL;
	struct world part = { .events = { gone } };
	assert_int_equal(loop_call(w.loop, free_events, &part, WAIT_NS, &w.err), ERR_OK);
	subscribe(&w, 0, &(struct event_subscription){ .pattern = "events.order.created", .handler = keep_it, .arg = &k });
	WAIT_FOR(atomic_load(&k.event) != NULL);
	assert_true(atomic_load(&k.highest) >= 2);
	event_done(atomic_load(&k.event));
	close_world(&w);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_grow), cmocka_unit_test(what_cannot_be_published),
		cmocka_unit_test(two_patterns_of_one_service), cmocka_unit_test(members_compete_or_all_hear),
		cmocka_unit_test(failing_ones_come_again_and_die), cmocka_unit_test(unreadable_ones_end_at_once),
		cmocka_unit_test(the_subject_names_the_event),
		cmocka_unit_test(mixed_with_a_python_member), cmocka_unit_test(the_server_goes_and_comes),
		cmocka_unit_test(long_handlers_keep_their_event), cmocka_unit_test(refusals_are_no_attempts),
	};

	BUS_SHIM(argc, argv);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	conn_library_close();
	return failed;
}
