/* t_fence - an event of an older leader is refused by the stream, whatever its own gate says; against a real server. */
#include "expect.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/verify.h"
#include "bus.h"
#include "messaging/fence.h"
#include "nats/conn.h"
#include "nats/publisher.h"
#include "nats/stream.h"
#include "sys/gate.h"
#include "sys/loop.h"
#include "sys/loop_thread.h"
#include "sys/thread.h"

#define GID "pay__default"
#define FENCE(k) "events.aegis_fence." GID ".l" #k

/* One member: what it thinks of the lead is its own, as on a machine that stood still. */
struct leader {
	gate_word word;
	struct gate gate;
	struct fence *fence;
	_Atomic uint64_t stored, refused;
	atomic_bool stop;
};

static struct loop *loop;
static struct loop_thread thread;
static struct conn *conn;
static struct publisher *publisher;
static struct err err;
static struct history history;		/* of follow_each_other */
static pthread_mutex_t history_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint64_t requests;

static void
begin(struct leader *m, const char *instance, unsigned lanes, uint64_t epoch)
{
	memset(m, 0, sizeof *m);
	gate_init(&m->gate, &m->word, clock_system());
	gate_set_epochs(&m->gate, epoch, epoch);
	gate_set(&m->gate, boot_after(clock_boot(clock_system()), 600 * NS_PER_S), 1);
	m->fence = fence_new(&(struct fence_opts){ .conn = conn, .publisher = publisher, .gate = &m->gate, .gid = GID,
		.instance = instance, .lanes = lanes });
	fence_hold(m->fence, epoch);
}

static void
end(struct leader *m)
{
	fence_close(m->fence);
	fence_unref(m->fence);
}

static enum err_code
publish(struct leader *m)
{
	return fence_publish(m->fence, &(struct event_out){ .domain = "order", .type = "paid", .format = DATA_JSON,
	    .timeout_ns = WAIT_NS }, NULL, &err);
}

/* fence_at: the epoch that lane k shows; 0: none. */
static uint64_t
fence_at(const char *subject)
{
	struct stored s;

	if (stream_last(conn, "EVENTS", subject, WAIT_NS, &s, &err) != ERR_OK)
		return 0;
	const char *text = msg_header(s.msg, "Aegis-Epoch");
	uint64_t epoch = text != NULL ? strtoull(text, NULL, 10) : 0;
	msg_free(s.msg);
	return epoch;
}

static void
note(enum history_event ev, uint64_t req, uint64_t epoch, uint64_t seq)
{
	struct history_line l = { .t = clock_boot(clock_system()), .ev = ev, .src = "publisher", .req = req, .epoch = epoch, .seq = seq };

	snprintf(l.what, sizeof l.what, "%s", ev == HISTORY_invoke ? VERIFY_STORES : "");
	pthread_mutex_lock(&history_lock);
	history_add(&history, &l);
	pthread_mutex_unlock(&history_lock);
}

/* read_back: how many events there are, whose epochs never fall (I5); the history gets each as an effect. */
static unsigned
read_back(bool effects)
{
	struct stream_state all;
	struct stored s;
	uint64_t newest = 0;
	unsigned n = 0;

	assert_int_equal(stream_look(conn, "EVENTS", &all, &err), ERR_OK);
	for (uint64_t seq = all.first_seq; seq <= all.last_seq; seq++) {
		enum err_code code = stream_get(conn, "EVENTS", seq, &s, &err);
		if (code == ERR_NOT_FOUND)
			continue;		/* a fence that was purged */
		assert_int_equal(code, ERR_OK);
		const char *text = msg_header(s.msg, "Aegis-Epoch");
		assert_non_null(text);
		if (strcmp(msg_subject(s.msg), "events.order.paid") == 0) {
			uint64_t epoch = strtoull(text, NULL, 10);
			assert_true(epoch >= newest);
			newest = epoch;
			n++;
			if (effects)
				note(HISTORY_effect, strtoull(msg_header(s.msg, "Nats-Msg-Id"), NULL, 10), epoch, s.seq);
		}
		msg_free(s.msg);
	}
	return n;
}

static unsigned
in_order(void)
{
	return read_back(false);
}

static void
older_is_refused(void **state)
{
	struct leader a, b;

	(void)state;
	begin(&a, "a", 1, 10);
	assert_int_equal(fence_raise(a.fence, WAIT_NS, &err), ERR_OK);
	assert_int_equal(fence_at(FENCE(0)), 10);
	assert_int_equal(publish(&a), ERR_OK);
	assert_int_equal(in_order(), 1);

	/* Another leads; the first does not know it, and its gate is open. */
	begin(&b, "b", 1, 20);
	assert_int_equal(fence_raise(b.fence, WAIT_NS, &err), ERR_OK);
	assert_int_equal(publish(&a), ERR_NOT_ACTIVE);
	assert_int_equal(fence_deposed(a.fence), 20);
	assert_int_equal(fence_rejects(a.fence), 1);
	assert_int_equal(fence_raise(a.fence, WAIT_NS, &err), ERR_NOT_ACTIVE);
	assert_int_equal(fence_at(FENCE(0)), 20);
	assert_int_equal(publish(&b), ERR_OK);
	assert_int_equal(fence_deposed(b.fence), 0);
	assert_int_equal(in_order(), 2);
	end(&a);
	end(&b);
}

static void
no_hold_no_event(void **state)
{
	struct leader a;

	(void)state;
	begin(&a, "a", 1, 30);
	unsigned before = in_order();
	assert_int_equal(publish(&a), ERR_OK);		/* raised on the way */
	gate_set(&a.gate, (struct boot){ 0 }, 1);
	assert_int_equal(publish(&a), ERR_NOT_ACTIVE);
	gate_set(&a.gate, boot_after(clock_boot(clock_system()), 600 * NS_PER_S), 1);
	fence_hold(a.fence, 0);
	assert_int_equal(publish(&a), ERR_NOT_ACTIVE);
	assert_int_equal(in_order(), before + 1);
	fence_hold(a.fence, 30);
	/* Nor is an event that came under one hold published under another. */
	struct event_out of = { .domain = "order", .type = "paid", .format = DATA_JSON, .timeout_ns = WAIT_NS, .gate = &a.gate, .pass = 2 };
	assert_int_equal(fence_publish(a.fence, &of, NULL, &err), ERR_NOT_ACTIVE);
	of.pass = 1;
	assert_int_equal(fence_publish(a.fence, &of, NULL, &err), ERR_OK);
	before++;
	/* What fences is missing: nothing may pass before it is there again. */
	assert_int_equal(stream_purge(conn, "EVENTS", FENCE(0), &err), ERR_OK);
	assert_int_equal(publish(&a), ERR_OK);
	assert_int_equal(fence_at(FENCE(0)), 30);
	assert_int_equal(in_order(), before + 2);
	end(&a);
	fence_unref(NULL);
}

static void *
publish_on(void *arg)
{
	struct leader *m = arg;

	while (!atomic_load(&m->stop)) {
		uint64_t req = atomic_fetch_add(&requests, 1) + 1;
		char id[24];
		struct err own;
		snprintf(id, sizeof id, "%" PRIu64, req);
		note(HISTORY_invoke, req, 0, 0);
		enum err_code code = fence_publish(m->fence, &(struct event_out){ .domain = "order", .type = "paid",
			.format = DATA_JSON, .timeout_ns = WAIT_NS, .message_id = id }, NULL, &own);
		note(code == ERR_OK ? HISTORY_ok : code == ERR_NOT_ACTIVE ? HISTORY_fail : HISTORY_unknown, req,
		    atomic_load(&m->gate.opening), 0);
		atomic_fetch_add(code == ERR_OK ? &m->stored : &m->refused, 1);
		if (code != ERR_OK)
			break;
	}
	return NULL;
}

/* Leaders that follow each other, each at full speed on four lanes until the stream itself stops it. */
static void
follow_each_other(void **state)
{
	struct leader m[4];
	pthread_t t[4][4];
	uint64_t stored = 0;
	struct verify_report r;

	(void)state;
	assert_int_equal(stream_purge(conn, "EVENTS", "events.order.paid", &err), ERR_OK);
	for (unsigned i = 0; i < 4; i++) {
		begin(&m[i], i % 2 == 0 ? "a" : "b", 4, 100 + i);
		assert_int_equal(fence_raise(m[i].fence, WAIT_NS, &err), ERR_OK);
		for (unsigned k = 0; k < 4; k++)
			assert_int_equal(pthread_create(&t[i][k], NULL, publish_on, &m[i]), 0);
		WAIT_FOR(atomic_load(&m[i].stored) >= 50);
		if (i > 0)
			WAIT_FOR(atomic_load(&m[i - 1].refused) == 4);
	}
	atomic_store(&m[3].stop, true);
	for (unsigned i = 0; i < 4; i++)
		for (unsigned k = 0; k < 4; k++)
			pthread_join(t[i][k], NULL);
	for (unsigned i = 0; i < 4; i++) {
		stored += atomic_load(&m[i].stored);
		assert_int_equal(fence_rejects(m[i].fence), i < 3 ? 4 : 0);
		end(&m[i]);
	}
	/* The judge of the chaos rounds, on what was stored: epochs never go back, one effect for each success, none for what failed. */
	assert_int_equal(read_back(true), stored);
	history_sort(&history);
	verify_history(&history, &(struct verify_opts){ .effects = true }, &r);
	assert_string_equal(r.first[VERIFY_C3], "");
	assert_int_equal(r.effects, stored);
	assert_int_equal(r.ok, stored);
	assert_int_equal(r.failed + r.unknown, 12);
	verify_release(&r);
	history_release(&history);
}

/* A stream that keeps little never loses its fence. */
static void
never_discarded(void **state)
{
	static const char config[] = "{\"name\":\"EVENTS\",\"subjects\":[\"events.>\"],\"max_msgs\":8,\"allow_direct\":true,"
	    "\"storage\":\"memory\",\"num_replicas\":1,\"duplicate_window\":2000000000}";
	struct msg *reply;
	struct leader a;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(conn_request(conn, &(struct conn_msg){ .subject = i == 0 ? "$JS.API.STREAM.DELETE.EVENTS"
		    : "$JS.API.STREAM.CREATE.EVENTS", .data = i == 0 ? "" : config, .n = i == 0 ? 0 : sizeof config - 1 }, WAIT_NS, &reply,
		    &err), ERR_OK);
		msg_free(reply);
	}
	begin(&a, "a", 1, 200);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(publish(&a), ERR_OK);
		assert_int_equal(fence_at(FENCE(0)), 200);
	}
	end(&a);
}

static int
open_all(void **state)
{
	(void)state;
	assert_true(bus_start(&bus));
	assert_non_null(loop = loop_new(clock_system(), 1024, &err));
	struct conn_opts co = { .servers = bus_url(&bus), .name = "t_fence", .timeout_ns = 30 * NS_PER_S };
	assert_non_null(conn = conn_new(&co, &err));
	assert_non_null(publisher = publisher_new(&(struct publisher_opts){ .conn = conn, .loop = loop }, &err));
	assert_int_equal(loop_thread_start(&thread, loop, &err), ERR_OK);
	return 0;
}

static int
close_all(void **state)
{
	(void)state;
	loop_thread_stop(&thread);
	publisher_free(publisher);
	conn_free(conn);
	loop_free(loop);
	bus_end(&bus);
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(older_is_refused), cmocka_unit_test(no_hold_no_event), cmocka_unit_test(follow_each_other),
		cmocka_unit_test(never_discarded),
	};

	BUS_SHIM(argc, argv);
	int failed = cmocka_run_group_tests(tests, open_all, close_all);
	conn_library_close();
	return failed;
}
