/* t_consumer - durable consumers against a real server: made when missing, never altered,
 * looked for again when the server or the consumer goes; every message once in somebody's hands. */
#include "expect.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/magic.h"
#include "bus.h"
#include "nats/conn.h"
#include "nats/consumer.h"
#include "nats/consumer_wire.h"
#include "nats/publisher.h"
#include "nats/stream.h"
#include "sys/loop.h"
#include "sys/loop_thread.h"

#define SEEN 4096
#define ACK_WAIT_NS (3 * NS_PER_S)	/* of what is to come again; no word of ours is that late */

struct world {
	struct bus bus;
	struct loop *loop;
	struct loop_thread thread;
	struct conn *conn;
	struct publisher *publisher;
	struct consumer *consumer;
	struct consumer_opts opts;
	struct err err;
	atomic_uint got, seen[SEEN];	/* deliveries; by number */
	_Atomic(struct delivery *) held, each[4];	/* the last; by number */
	bool hold;
	atomic_bool hold_next;		/* the next one only */
	unsigned fail;			/* so many first deliveries are given back */
};

static void
on_delivery(void *arg, struct delivery *d)
{
	struct world *w = arg;
	unsigned i = (unsigned)strtoul(delivery_data(d), NULL, 10);

	bool hold = w->hold || atomic_exchange(&w->hold_next, false);

	atomic_fetch_add(&w->got, 1);
	if (i < SEEN)
		atomic_fetch_add(&w->seen[i], 1);
	if (hold && i < COUNT_OF(w->each))
		atomic_store(&w->each[i], d);
	if (hold)
		atomic_store(&w->held, d);
	else if (delivery_count(d) <= w->fail)
		delivery_nak(d, 10 * NS_PER_MS);
	else
		delivery_ack(d);
}

static void
open_world(struct world *w)
{
	memset(w, 0, sizeof *w);
	assert_true(bus_start(&w->bus));
	assert_non_null(w->loop = loop_new(clock_system(), 1024, &w->err));
	w->conn = conn_new(&(struct conn_opts){
		.servers = bus_url(&w->bus), .name = "t_consumer", .timeout_ns = 30 * NS_PER_S,
	}, &w->err);
	assert_non_null(w->conn);
	w->publisher = publisher_new(&(struct publisher_opts){ .conn = w->conn, .loop = w->loop }, &w->err);
	assert_non_null(w->publisher);
	w->opts = (struct consumer_opts){
		.conn = w->conn, .loop = w->loop, .stream = "EVENTS", .durable = "svc__events=order=+", .window = 16,
		.filter = "events.order.*", .handler = on_delivery, .arg = w,
	};
	assert_int_equal(loop_thread_start(&w->thread, w->loop, &w->err), ERR_OK);
}

static void
make_consumer(void *arg)
{
	struct world *w = arg;

	w->consumer = consumer_new(&w->opts, &w->err);
}

static void
drop_consumer(void *arg)
{
	struct world *w = arg;

	consumer_free(w->consumer);
	w->consumer = NULL;
}

static void
begin(struct world *w)
{
	assert_int_equal(loop_call(w->loop, make_consumer, w, WAIT_NS, &w->err), ERR_OK);
	assert_non_null(w->consumer);
}

static void
end(struct world *w)
{
	assert_int_equal(loop_call(w->loop, drop_consumer, w, WAIT_NS, &w->err), ERR_OK);
}

static void
close_world(struct world *w)
{
	end(w);
	loop_thread_stop(&w->thread);
	publisher_free(w->publisher);
	conn_free(w->conn);
	loop_free(w->loop);
	bus_end(&w->bus);
}

static void
publish(struct world *w, unsigned from, unsigned to)
{
	char text[16];

	for (unsigned i = from; i < to; i++) {
		int n = snprintf(text, sizeof text, "%u", i);
		assert_int_equal(publisher_send(w->publisher, &(struct publication){
			.subject = i % 2 ? "events.order.created" : "events.order.paid", .data = text, .n = (size_t)n + 1,
			.timeout_ns = WAIT_NS,
		}, NULL, NULL, &w->err), ERR_OK);
	}
	assert_int_equal(publisher_flush(w->publisher, WAIT_NS), 0);
}

static bool
is_ready(struct world *w)
{
	return consumer_state(w->consumer) == CONSUMER_READY;
}

static bool
all_once(struct world *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (atomic_load(&w->seen[i]) != 1)
			return false;
	return true;
}

static unsigned
distinct(struct world *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SEEN; i++)
		n += atomic_load(&w->seen[i]) > 0;
	return n;
}

static bool
nothing_left(struct world *w)
{
	struct consumer_facts f;

	return consumer_inspect(w->conn, "EVENTS", w->opts.durable, &f, &w->err) == ERR_OK && f.pending == 0 &&
	    f.unacked == 0;
}

static void
many_through_a_small_window(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	begin(&w);
	WAIT_FOR(consumer_state(w.consumer) == CONSUMER_NO_STREAM);	/* and then it comes */
	assert_int_equal(stream_ensure(w.conn, STREAM_EVENTS, 1, NULL, &w.err), ERR_OK);
	publish(&w, 0, 1000);
	WAIT_FOR(atomic_load(&w.got) >= 1000);
	assert_true(all_once(&w, 1000));
	WAIT_FOR(nothing_left(&w));
	assert_int_equal(consumer_unfinished(w.consumer), 0);
	/* The durable remembers where we were. */
	end(&w);
	publish(&w, 1000, 1010);
	begin(&w);
	WAIT_FOR(atomic_load(&w.got) >= 1010);
	assert_true(all_once(&w, 1010));
	close_world(&w);
}

static void
given_back_and_forgotten(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	assert_int_equal(stream_ensure(w.conn, STREAM_EVENTS, 1, NULL, &w.err), ERR_OK);
	w.fail = 2;
	begin(&w);
	publish(&w, 7, 8);
	WAIT_FOR(atomic_load(&w.seen[7]) == 3);
	WAIT_FOR(nothing_left(&w));
	w.hold = true;
	publish(&w, 8, 9);
	WAIT_FOR(atomic_load(&w.held) != NULL);
	struct delivery *d = atomic_load(&w.held);
	assert_string_equal(delivery_subject(d), "events.order.paid");
	assert_int_equal(delivery_count(d), 1);
	assert_int_equal(delivery_seq(d), 2);
	assert_non_null(delivery_header(d, "Nats-Msg-Id"));
	assert_int_equal(consumer_unfinished(w.consumer), 1);
	delivery_working(d);
	delivery_term(d);
	WAIT_FOR(nothing_left(&w));
	close_world(&w);
}

/* The server is restarted, the consumer deleted, the stream deleted: deliveries come again. */
static void
looked_for_again(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	assert_int_equal(stream_ensure(w.conn, STREAM_EVENTS, 1, NULL, &w.err), ERR_OK);
	begin(&w);
	publish(&w, 0, 10);
	WAIT_FOR(distinct(&w) == 10);
	bus_stop(&w.bus);
	WAIT_FOR(consumer_state(w.consumer) == CONSUMER_AWAY);
	assert_true(bus_start(&w.bus));
	WAIT_FOR(is_ready(&w));
	publish(&w, 10, 20);
	WAIT_FOR(distinct(&w) == 20);
	assert_int_equal(consumer_remove(w.conn, "EVENTS", w.opts.durable, &w.err), ERR_OK);
	publish(&w, 20, 30);
	WAIT_FOR(distinct(&w) == 30);
	assert_int_equal(consumer_remove(w.conn, "EVENTS", "nobody", &w.err), ERR_NOT_FOUND);
	close_world(&w);
}

/* restart: the server, with its data kept as the copy, taken from it, or without the durables. */
static void
restart(struct world *w, const char *copy)
{
	char order[256];

	bus_stop(&w->bus);
	WAIT_FOR(consumer_state(w->consumer) == CONSUMER_AWAY);
	snprintf(order, sizeof order, strcmp(copy, "keep") == 0 ? "cp -a %1$s %1$s.copy" :
	    strcmp(copy, "forget") == 0 ? "rm -rf %1$s && mv %1$s.copy %1$s" :
	    "find %1$s -path '*/obs/*' -prune -exec rm -r {} + -print | grep -q .", w->bus.dir);
	assert_int_equal(system(order), 0);
	assert_true(bus_start(&w->bus));
	WAIT_FOR(is_ready(w));
}

/* A server that was killed has forgotten acknowledgements: they are said again, and the handler is
 * spared.  A durable that somebody removes begins anew, and that is meant. */
static void
remembered(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	assert_int_equal(stream_ensure(w.conn, STREAM_EVENTS, 1, NULL, &w.err), ERR_OK);
	w.hold = true;
	w.opts.remember = true;
	w.opts.window = 1;
	w.opts.ack_wait_ns = ACK_WAIT_NS;
	begin(&w);
	publish(&w, 0, 2);
	WAIT_FOR(atomic_load(&w.held) != NULL);
	restart(&w, "keep");		/* one is in our hands, one has not come */
	w.hold = false;
	delivery_ack(atomic_load(&w.held));
	WAIT_FOR(nothing_left(&w));
	uint64_t repeats = consumer_repeats(w.consumer);
	restart(&w, "forget");
	WAIT_FOR(consumer_repeats(w.consumer) >= repeats + 2);
	WAIT_FOR(nothing_left(&w));
	assert_int_equal(atomic_load(&w.seen[0]), 1);
	assert_int_equal(atomic_load(&w.seen[1]), 1);
	restart(&w, "no durable");		/* as one that was removed: the server tells of that before it is done with it */
	WAIT_FOR(atomic_load(&w.seen[0]) >= 2 && atomic_load(&w.seen[1]) >= 2);
	close_world(&w);
}

/* What is in somebody's hands when the server forgets that it delivered it stays there: it is not
 * handed out a second time, and its word reaches the delivery that the server knows. */
static void
in_hands_once(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	assert_int_equal(stream_ensure(w.conn, STREAM_EVENTS, 1, NULL, &w.err), ERR_OK);
	w.hold = w.opts.remember = true;
	w.opts.window = 2;
	w.opts.ack_wait_ns = ACK_WAIT_NS;
	w.opts.working_ns = INT64_MAX;
	begin(&w);
	publish(&w, 0, 4);
	WAIT_FOR(atomic_load(&w.each[0]) != NULL && atomic_load(&w.each[1]) != NULL);
	restart(&w, "keep");		/* two are in our hands, two have not come */
	delivery_ack(atomic_load(&w.each[0]));
	WAIT_FOR(atomic_load(&w.each[2]) != NULL);
	restart(&w, "forget");
	delivery_working(atomic_load(&w.each[2]));
	delivery_ack(atomic_load(&w.each[1]));
	WAIT_FOR(atomic_load(&w.each[3]) != NULL);
	delivery_ack(atomic_load(&w.each[2]));
	delivery_ack(atomic_load(&w.each[3]));
	WAIT_FOR(nothing_left(&w));
	assert_true(consumer_repeats(w.consumer) >= 2);	/* 0 was settled, 2 was in our hands */
	assert_true(all_once(&w, 4));
	assert_int_equal(consumer_unfinished(w.consumer), 0);
	close_world(&w);
}

/* Who hangs longer than it may loses it, to himself as well. */
static void
not_in_hands_for_ever(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	assert_int_equal(stream_ensure(w.conn, STREAM_EVENTS, 1, NULL, &w.err), ERR_OK);
	w.opts.remember = true;
	atomic_store(&w.hold_next, true);
	w.opts.ack_wait_ns = 300 * NS_PER_MS;
	w.opts.working_ns = 1;
	begin(&w);
	publish(&w, 0, 1);
	WAIT_FOR(atomic_load(&w.held) != NULL);
	WAIT_FOR(atomic_load(&w.seen[0]) >= 2);
	delivery_forget(atomic_load(&w.held));
	WAIT_FOR(nothing_left(&w));
	close_world(&w);
}

/* A durable of the same name that was made at another time is another: what it delivers is meant,
 * though it was acknowledged before. */
static void
another_durable(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	assert_int_equal(stream_ensure(w.conn, STREAM_EVENTS, 1, NULL, &w.err), ERR_OK);
	w.opts.remember = true;
	w.opts.working_ns = INT64_MAX;
	w.opts.ack_wait_ns = ACK_WAIT_NS;
	w.hold = true;
	begin(&w);
	publish(&w, 0, 1);
	WAIT_FOR(atomic_load(&w.held) != NULL);
	restart(&w, "keep");		/* with the first durable, which waits for a word */
	end(&w);
	delivery_forget(atomic_load(&w.held));
	assert_int_equal(consumer_remove(w.conn, "EVENTS", w.opts.durable, &w.err), ERR_OK);
	w.hold = false;
	begin(&w);
	WAIT_FOR(atomic_load(&w.seen[0]) == 2 && nothing_left(&w));
	restart(&w, "forget");
	WAIT_FOR(atomic_load(&w.seen[0]) == 3 && nothing_left(&w));
	assert_int_equal(consumer_repeats(w.consumer), 0);
	close_world(&w);
}

static void
not_altered(void **state)
{
	struct world w;
	char drift[256];

	(void)state;
	open_world(&w);
	assert_int_equal(stream_ensure(w.conn, STREAM_EVENTS, 1, NULL, &w.err), ERR_OK);
	begin(&w);
	WAIT_FOR(is_ready(&w));
	consumer_drift(w.consumer, drift, sizeof drift);
	assert_string_equal(drift, "");
	end(&w);
	w.opts.ack_wait_ns = 7 * NS_PER_S;
	w.opts.max_deliver = 5;
	begin(&w);
	WAIT_FOR(is_ready(&w));
	consumer_drift(w.consumer, drift, sizeof drift);
	assert_string_equal(drift, "ack_wait 30s instead of 7s, max_deliver -1 instead of 5");
	publish(&w, 0, 5);
	WAIT_FOR(distinct(&w) == 5);
	/* A pull consumer is no push consumer. */
	end(&w);
	w.opts.push = true;
	begin(&w);
	WAIT_FOR(consumer_state(w.consumer) == CONSUMER_UNUSABLE);
	close_world(&w);
}

static void
work_queue_conflict(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	assert_int_equal(stream_ensure(w.conn, STREAM_COMMANDS, 1, NULL, &w.err), ERR_OK);
	w.opts.stream = "COMMANDS";
	w.opts.filter = "commands.svc.work";
	w.opts.durable = "svc-work";
	begin(&w);
	WAIT_FOR(is_ready(&w));
	end(&w);
	w.opts.durable = "svc__work";
	begin(&w);
	WAIT_FOR(consumer_state(w.consumer) == CONSUMER_CONFLICT);
	assert_int_equal(consumer_remove(w.conn, "COMMANDS", "svc-work", &w.err), ERR_OK);
	WAIT_FOR(is_ready(&w));
	close_world(&w);
}

/* Two members of one push consumer share its events. */
static void
joined_push(void **state)
{
	struct world w;
	struct consumer *second;

	(void)state;
	open_world(&w);
	assert_int_equal(stream_ensure(w.conn, STREAM_EVENTS, 1, NULL, &w.err), ERR_OK);
	w.opts.push = true;
	w.opts.durable = "svc";
	w.opts.filter = "events.order.created";
	begin(&w);
	WAIT_FOR(is_ready(&w));
	second = w.consumer;
	begin(&w);
	WAIT_FOR(is_ready(&w));
	publish(&w, 0, 200);
	WAIT_FOR(distinct(&w) == 100);
	WAIT_FOR(nothing_left(&w));
	assert_int_equal(atomic_load(&w.got), 100);
	end(&w);
	w.consumer = second;
	close_world(&w);
}

/* Old events are left alone when only new ones are asked for. */
static void
only_new_ones(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	assert_int_equal(stream_ensure(w.conn, STREAM_EVENTS, 1, NULL, &w.err), ERR_OK);
	publish(&w, 0, 20);
	w.opts.deliver = CONSUMER_NEW;
	begin(&w);
	WAIT_FOR(is_ready(&w));
	publish(&w, 20, 25);
	WAIT_FOR(nothing_left(&w) && distinct(&w) == 5);
	assert_int_equal(atomic_load(&w.seen[19]), 0);
	close_world(&w);
}

/* --- pure --------------------------------------------------------------------------------- */

static void
bodies(void **state)
{
	struct consumer_opts o = consumer_defaults(&(struct consumer_opts){
		.stream = "EVENTS", .durable = "d", .filter = "events.>", .deliver = CONSUMER_SINCE, .inactive_ns = NS_PER_S,
	});
	struct str s = STR_INIT;

	(void)state;
	consumer_write_create(&o, NULL, &s);
	expect_str(&s, "{\"stream_name\":\"EVENTS\",\"config\":{\"durable_name\":\"d\",\"name\":\"d\","
	    "\"filter_subject\":\"events.>\",\"deliver_policy\":\"by_start_time\","
	    "\"opt_start_time\":\"1970-01-01T00:00:00.000Z\",\"ack_policy\":\"explicit\",\"ack_wait\":30000000000,"
	    "\"max_deliver\":-1,\"max_ack_pending\":1000,\"replay_policy\":\"instant\","
	    "\"inactive_threshold\":1000000000},\"action\":\"create\"}");
	str_clear(&s);
	consumer_write_pull(3, 2, 1, &s);
	expect_str(&s, "{\"batch\":3,\"expires\":2,\"idle_heartbeat\":1}");
	str_release(&s);
}

static void
answers(void **state)
{
	static const char error[] = "{\"type\":\"io\",\"error\":{\"code\":404,\"err_code\":10014,\"description\":\"consumer not found\"}}";
	static const char push[] = "{\"config\":{\"deliver_subject\":\"x.y\",\"deliver_group\":\"g\",\"ack_policy\":\"explicit\","
	    "\"ack_wait\":5,\"max_deliver\":-1},\"num_pending\":4,\"push_bound\":true}";
	static const char *const bad[] = { "", "{}", "[]", "{\"config\":1}", "\x81", "{\"config\"" };
	struct consumer_answer a;
	struct err err;

	(void)state;
	assert_int_equal(consumer_read(error, sizeof error - 1, &a, &err), ERR_OK);
	assert_int_equal(a.error, 10014);
	assert_int_equal(a.status, 404);
	assert_int_equal(consumer_read(push, sizeof push - 1, &a, &err), ERR_OK);
	assert_true(a.push && a.bound && a.explicit_ack);
	assert_string_equal(a.deliver_group, "g");
	assert_int_equal(a.pending, 4);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(consumer_read(bad[i], strlen(bad[i]), &a, &err), ERR_CORRUPT);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies), cmocka_unit_test(answers),
		cmocka_unit_test(many_through_a_small_window), cmocka_unit_test(given_back_and_forgotten),
		cmocka_unit_test(looked_for_again), cmocka_unit_test(remembered),
		cmocka_unit_test(in_hands_once), cmocka_unit_test(not_in_hands_for_ever), cmocka_unit_test(another_durable),
		cmocka_unit_test(not_altered), cmocka_unit_test(work_queue_conflict),
		cmocka_unit_test(joined_push), cmocka_unit_test(only_new_ones),
	};

	BUS_SHIM(argc, argv);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	conn_library_close();
	return failed;
}
