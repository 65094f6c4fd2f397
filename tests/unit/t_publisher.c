/* t_publisher - publishing against a real server: foreign replies, a server that is restarted
 * under the publishing, a full table, a missing stream. */
#include "expect.h"

#include <pthread.h>
#include <stdatomic.h>

#include "bus.h"
#include "nats/conn.h"
#include "nats/publisher.h"
#include "nats/stream.h"
#include "sys/gate.h"
#include "sys/loop.h"
#include "sys/loop_thread.h"
#include "sys/thread.h"

struct world {
	struct bus bus;
	struct loop *loop;
	struct loop_thread thread;
	struct conn *conn, *other;
	struct publisher *publisher;
	struct err err;
	atomic_ulong stored, failed;
	struct err last;
};

static void
open_world(struct world *w, const struct publisher_opts *o)
{
	struct publisher_opts own = o != NULL ? *o : (struct publisher_opts){ 0 };

	memset(w, 0, sizeof *w);
	assert_true(bus_start(&w->bus));
	assert_non_null(w->loop = loop_new(clock_system(), 1024, &w->err));
	struct conn_opts co = { .servers = bus_url(&w->bus), .name = "t_publisher", .timeout_ns = WAIT_NS };
	assert_non_null(w->conn = conn_new(&co, &w->err));
	assert_non_null(w->other = conn_new(&co, &w->err));
	own.conn = w->conn;
	own.loop = w->loop;
	assert_non_null(w->publisher = publisher_new(&own, &w->err));
	assert_int_equal(loop_thread_start(&w->thread, w->loop, &w->err), ERR_OK);
}

static void
close_world(struct world *w)
{
	loop_thread_stop(&w->thread);
	publisher_free(w->publisher);
	conn_free(w->conn);
	conn_free(w->other);
	loop_free(w->loop);
	bus_end(&w->bus);
}

static void
done(void *arg, const struct pub_ack *ack, const struct err *err)
{
	struct world *w = arg;

	if (ack != NULL)
		atomic_fetch_add(&w->stored, 1);
	else {
		w->last = *err;
		atomic_fetch_add(&w->failed, 1);
	}
}

static uint64_t
messages(struct world *w)
{
	struct stream_state s;

	assert_int_equal(stream_look(w->conn, "EVENTS", &s, &w->err), ERR_OK);
	return s.messages;
}

static void
empty_answer(void *arg, struct msg *m)
{
	if (msg_reply(m) != NULL)
		conn_publish(arg, &(struct conn_msg){ .subject = msg_reply(m) }, NULL);
	msg_free(m);
}

/* A wildcard subscriber that answers every message with an empty one: 5000 are 5000. */
static void
foreign_replies(void **state)
{
	struct world w;
	char text[32];

	(void)state;
	open_world(&w, NULL);
	assert_int_equal(stream_ensure(w.conn, STREAM_EVENTS, 1, NULL, &w.err), ERR_OK);
	struct sub *sub = sub_new(&(struct sub_opts){
		.conn = w.other, .subject = "events.>", .handler = empty_answer, .arg = w.other,
	}, &w.err);
	assert_non_null(sub);
	assert_int_equal(conn_flush(w.other, WAIT_NS, &w.err), ERR_OK);
	for (int i = 0; i < 5000;) {
		int n = snprintf(text, sizeof text, "{\"i\":%d}", i);
		struct publication m = { .subject = "events.order.created", .data = text, .n = (size_t)n, .timeout_ns = WAIT_NS };
		enum err_code code = publisher_send(w.publisher, &m, done, &w, &w.err);
		if (code == ERR_BUSY)
			thread_pause(NS_PER_MS);
		else {
			assert_int_equal(code, ERR_OK);
			i++;
		}
	}
	assert_int_equal(publisher_flush(w.publisher, WAIT_NS), 0);
	WAIT_FOR(atomic_load(&w.stored) == 5000);
	assert_int_equal(atomic_load(&w.failed), 0);
	assert_int_equal(messages(&w), 5000);
	WAIT_FOR(publisher_counters(w.publisher).foreign >= 5000);		/* more, where one was sent again */
	sub_free(sub);
	close_world(&w);
}

/* The server ends and comes back in the middle: what was acknowledged is there, once. */
static void
server_restarts(void **state)
{
	struct world w;
	char text[32];

	(void)state;
	open_world(&w, NULL);
	assert_int_equal(stream_ensure(w.conn, STREAM_EVENTS, 1, NULL, &w.err), ERR_OK);
	for (int i = 0; i < 2000; i++) {
		int n = snprintf(text, sizeof text, "{\"i\":%d}", i);
		struct publication m = { .subject = "events.order.created", .data = text, .n = (size_t)n, .timeout_ns = 2 * WAIT_NS };
		assert_int_equal(publisher_send(w.publisher, &m, done, &w, &w.err), ERR_OK);
		if (i == 700)
			bus_stop(&w.bus);
		if (i == 1200)
			assert_true(bus_start(&w.bus));
	}
	assert_int_equal(publisher_flush(w.publisher, 2 * WAIT_NS), 0);
	WAIT_FOR(atomic_load(&w.stored) + atomic_load(&w.failed) == 2000);
	assert_int_equal(atomic_load(&w.failed), 0);
	assert_int_equal(messages(&w), 2000);
	close_world(&w);
}

static void
same_id_twice(void **state)
{
	struct world w;
	struct pub_ack ack;
	struct publication m = { .subject = "events.a.b", .id = "the-one", .data = "{}", .n = 2, .timeout_ns = WAIT_NS };

	(void)state;
	open_world(&w, NULL);
	assert_int_equal(stream_ensure(w.conn, STREAM_EVENTS, 1, NULL, &w.err), ERR_OK);
	assert_int_equal(publisher_send_wait(w.publisher, &m, &ack, &w.err), ERR_OK);
	assert_string_equal(ack.stream, "EVENTS");
	assert_false(ack.duplicate);
	assert_int_equal(publisher_send_wait(w.publisher, &m, &ack, &w.err), ERR_OK);
	assert_true(ack.duplicate);
	assert_int_equal(messages(&w), 1);
	assert_int_equal(publisher_counters(w.publisher).duplicates, 1);
	close_world(&w);
}

static void
no_stream(void **state)
{
	struct world w;
	struct publication m = { .subject = "events.a.b", .data = "{}", .n = 2, .timeout_ns = 2 * NS_PER_S };

	(void)state;
	open_world(&w, NULL);
	assert_int_equal(publisher_send_wait(w.publisher, &m, NULL, &w.err), ERR_NOT_FOUND);
	assert_non_null(strstr(w.err.text, "no stream takes it"));
	m.timeout_ns = WAIT_NS;
	m.headers = (struct conn_header[]){ { "Nats-Expected-Stream", "OTHER" }, { NULL, NULL } };
	assert_int_equal(stream_ensure(w.conn, STREAM_EVENTS, 1, NULL, &w.err), ERR_OK);
	assert_int_equal(publisher_send_wait(w.publisher, &m, NULL, &w.err), ERR_STORE);
	assert_non_null(strstr(w.err.text, "10060"));
	close_world(&w);
}

/* While NATS is away: the bound holds, and what was never sent is told apart. */
static void
away(void **state)
{
	struct world w;
	struct publication m = { .subject = "events.a.b", .data = "{}", .n = 2, .timeout_ns = 300 * NS_PER_MS };

	(void)state;
	open_world(&w, &(struct publisher_opts){ .max_pending = 3 });
	bus_stop(&w.bus);
	WAIT_FOR(conn_state(w.conn) != CONN_UP);
	assert_int_equal(publisher_send(w.publisher, &m, done, &w, &w.err), ERR_OK);
	WAIT_FOR(atomic_load(&w.failed) == 1);
	assert_int_equal(w.last.code, ERR_TIMEOUT);
	assert_non_null(strstr(w.last.text, "not sent"));
	m.timeout_ns = 10 * WAIT_NS;		/* none of these is over before the next */
	for (int i = 0; i < 3; i++)
		assert_int_equal(publisher_send(w.publisher, &m, done, &w, &w.err), ERR_OK);
	assert_int_equal(publisher_send(w.publisher, &m, done, &w, &w.err), ERR_BUSY);
	assert_int_equal(publisher_counters(w.publisher).refused, 1);
	publisher_stop(w.publisher);
	WAIT_FOR(atomic_load(&w.failed) == 4);
	assert_int_equal(publisher_send(w.publisher, &m, done, &w, &w.err), ERR_CLOSED);
	close_world(&w);
}

/* What was to be published under a hold is not published after it: neither what never went out nor what nobody acknowledged. */
static void
of_a_hold_that_is_over(void **state)
{
	gate_word word;
	struct gate gate;
	struct world w;

	(void)state;
	open_world(&w, NULL);
	assert_int_equal(stream_ensure(w.other, STREAM_EVENTS, 1, NULL, &w.err), ERR_OK);
	gate_init(&gate, &word, clock_system());
	gate_set(&gate, boot_after(clock_boot(clock_system()), 600 * NS_PER_S), 7);
	struct publication m = { .subject = "events.a.b", .data = "{}", .n = 2, .timeout_ns = WAIT_NS, .gate = &gate, .pass = 7 };
	assert_int_equal(publisher_send_wait(w.publisher, &m, NULL, &w.err), ERR_OK);
	bus_stop(&w.bus);
	WAIT_FOR(conn_state(w.conn) != CONN_UP);
	assert_int_equal(publisher_send(w.publisher, &m, done, &w, &w.err), ERR_OK);
	thread_pause(200 * NS_PER_MS);		/* it goes on waiting while the hold lasts */
	assert_int_equal(atomic_load(&w.failed), 0);
	gate_set(&gate, boot_after(clock_boot(clock_system()), 600 * NS_PER_S), 8);
	WAIT_FOR(atomic_load(&w.failed) == 1);
	assert_int_equal(w.last.code, ERR_NOT_ACTIVE);
	assert_int_equal(publisher_counters(w.publisher).dropped, 1);
	assert_true(bus_start(&w.bus));
	WAIT_FOR(conn_state(w.conn) == CONN_UP && conn_state(w.other) == CONN_UP);
	/* Nor what is brought only now, by somebody who looked at the gate before it waited. */
	assert_int_equal(publisher_send(w.publisher, &m, done, &w, &w.err), ERR_NOT_ACTIVE);
	assert_non_null(strstr(w.err.text, "not sent"));
	m.pass = 8;
	assert_int_equal(publisher_send_wait(w.publisher, &m, NULL, &w.err), ERR_OK);
	assert_int_equal(messages(&w), 2);
	close_world(&w);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(foreign_replies), cmocka_unit_test(server_restarts), cmocka_unit_test(same_id_twice),
		cmocka_unit_test(no_stream), cmocka_unit_test(away), cmocka_unit_test(of_a_hold_that_is_over),
	};

	BUS_SHIM(argc, argv);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	conn_library_close();
	return failed;
}
