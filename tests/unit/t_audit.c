/* t_audit - records of changes in a real stream: made by the first write, read newest first page by page,
 * by service and by actor; what cannot be stored is told and counted; what is foreign is left out. */
#include "expect.h"

#include "audit/audit.h"
#include "base/magic.h"
#include "bus.h"
#include "codec/codec.h"
#include "nats/conn.h"
#include "nats/stream.h"
#include "sys/loop.h"
#include "sys/loop_thread.h"

struct world {
	struct bus bus;
	struct loop *loop;
	struct loop_thread thread;
	struct conn *conn;
	struct audit *audit;
	struct err err;
};

/* open_world_for: where a write may take so long; 0: as in earnest. */
static void
open_world_for(struct world *w, int64_t wait_ns)
{
	memset(w, 0, sizeof *w);
	assert_true(bus_start(&w->bus));
	assert_non_null(w->loop = loop_new(clock_system(), 1024, &w->err));
	struct conn_opts co = { .servers = bus_url(&w->bus), .name = "t_audit", .timeout_ns = 30 * NS_PER_S };
	assert_non_null(w->conn = conn_new(&co, &w->err));
	assert_non_null(w->audit = audit_new(&(struct audit_opts){ w->conn, w->loop, wait_ns }, &w->err));
	assert_int_equal(loop_thread_start(&w->thread, w->loop, &w->err), ERR_OK);
}

/* open_world: with the stream, for which a write may wait as long as it can. */
static void
open_world(struct world *w)
{
	open_world_for(w, 30 * NS_PER_S);
	expect_ok(stream_ensure(w->conn, STREAM_AUDIT, 0, NULL, &w->err), &w->err);
}

static void
close_world(struct world *w)
{
	loop_thread_stop(&w->thread);
	audit_free(w->audit);
	conn_free(w->conn);
	loop_free(w->loop);
	bus_end(&w->bus);
}

static enum err_code
note(struct world *w, const char *actor, const char *service, const char *action)
{
	static const char before[] = "{\"owner\":\"a\"}", after[] = "{\"owner\":\"b \\\"x\\\"\"}";

	return audit_write(w->audit, &(struct audit_entry){
		.actor_id = "0123456789abcdef0123456789", .actor_name = actor, .actor_role = "operator", .action = action,
		.target = service != NULL ? service : "all", .service = service, .before_revision = 41, .after_revision = 42,
		.before = { DATA_JSON, before, strlen(before) }, .after = { DATA_JSON, after, strlen(after) },
		.request_id = "r-1", .peer = "192.0.2.1", .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}, &w->err);
}

struct seen {
	size_t n;
	uint64_t seq[64];
	char action[64][32];
	bool whole;			/* every record had all members */
};

static bool
has_text(const struct value *v, const char *want)
{
	struct text t;

	return value_text(v, &t) && text_is(t, want);
}

static void
see(void *arg, uint64_t seq, const struct value *record)
{
	struct seen *s = arg;
	const struct value *who = value_field(record, "actor");
	struct text t;
	int64_t n;

	assert_true(s->n < 64);
	s->seq[s->n] = seq;
	assert_true(value_text(value_field(record, "action"), &t) && t.n < 32);
	snprintf(s->action[s->n++], 32, "%.*s", (int)t.n, t.p);
	s->whole = s->whole && has_text(value_field(who, "role"), "operator") && value_text(value_field(who, "name"), &t) &&
	    has_text(value_field(who, "id"), "0123456789abcdef0123456789") && has_text(value_field(record, "request_id"), "r-1") &&
	    has_text(value_field(record, "peer"), "192.0.2.1") && has_text(value_field(value_field(record, "before"), "owner"), "a") &&
	    has_text(value_field(value_field(record, "after"), "owner"), "b \"x\"") &&
	    value_int(value_field(record, "before_revision"), &n) && n == 41 &&
	    value_int(value_field(record, "after_revision"), &n) && n == 42 && value_text(value_field(record, "at"), &t);
}

static struct seen
look(struct world *w, struct audit_query q, uint64_t *next)
{
	struct seen s = { .whole = true };

	expect_ok(audit_read(w->audit, &q, see, &s, next, &w->err), &w->err);
	return s;
}

static void
newest_first_page_by_page(void **state)
{
	struct world w;
	struct stream_state stream;
	uint64_t next = 9;
	char action[32];

	(void)state;
	open_world_for(&w, 5 * NS_PER_S);
	assert_int_equal(look(&w, (struct audit_query){ .limit = 10 }, &next).n, 0);	/* no stream: nothing */
	assert_int_equal(next, 0);
	for (int i = 1; i <= 25; i++) {
		snprintf(action, sizeof action, "definition.%d", i);
		expect_ok(note(&w, i % 5 == 0 ? "bob" : "ann", i % 2 == 0 ? "orders" : NULL, action), &w.err);
	}
	expect_ok(stream_look(w.conn, "AEGIS_AUDIT", &stream, &w.err), &w.err);
	assert_int_equal(stream.messages, 25);
	struct stored one;
	expect_ok(stream_get(w.conn, "AEGIS_AUDIT", 1, &one, &w.err), &w.err);
	assert_string_equal(msg_header(one.msg, "traceparent"), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	msg_free(one.msg);
	assert_string_equal(stream.drift, "");
	struct seen s = look(&w, (struct audit_query){ .limit = 10 }, &next);
	assert_true(s.n == 10 && s.whole && next == 16);
	assert_string_equal(s.action[0], "definition.25");
	assert_string_equal(s.action[9], "definition.16");
	s = look(&w, (struct audit_query){ .limit = 10, .before = next }, &next);
	assert_string_equal(s.action[0], "definition.15");
	s = look(&w, (struct audit_query){ .limit = 10, .before = next }, &next);
	assert_true(s.n == 5 && next == 0);
	assert_string_equal(s.action[4], "definition.1");
	s = look(&w, (struct audit_query){ .limit = 64, .service = "orders" }, &next);
	assert_true(s.n == 12 && s.seq[0] == 24 && s.seq[11] == 2);
	s = look(&w, (struct audit_query){ .limit = 64, .actor = "bob" }, &next);
	assert_true(s.n == 5 && s.seq[0] == 25);
	s = look(&w, (struct audit_query){ .limit = 64, .actor = "bob", .service = "orders" }, &next);
	assert_true(s.n == 2 && s.seq[0] == 20);
	s = look(&w, (struct audit_query){ .limit = 64, .actor = "0123456789abcdef0123456789" }, &next);
	assert_int_equal(s.n, 25);
	assert_int_equal(look(&w, (struct audit_query){ .limit = 64, .service = "order" }, &next).n, 0);
	assert_int_equal(look(&w, (struct audit_query){ .limit = 64, .before = UINT64_MAX }, &next).n, 25);
	assert_int_equal(audit_counters(w.audit).written, 25);
	close_world(&w);
}

static void
gaps_and_strangers_are_passed_over(void **state)
{
	struct world w;
	uint64_t next;

	(void)state;
	open_world(&w);
	static const char *const foreign[] = { "", "not JSON", "[]", "{\"at\":1}", "{\"at\":\"x\",\"action\":\"y\"}" };
	expect_ok(note(&w, "ann", "orders", "first"), &w.err);
	for (size_t i = 0; i < COUNT_OF(foreign); i++) {
		struct msg *ack;
		expect_ok(conn_request(w.conn, &(struct conn_msg){
			.subject = "aegis.audit.orders", .data = foreign[i], .n = strlen(foreign[i]),
		}, 30 * NS_PER_S, &ack, &w.err), &w.err);
		msg_free(ack);
	}
	expect_ok(note(&w, "ann", "orders", "second"), &w.err);
	expect_ok(note(&w, "ann", "orders", "third"), &w.err);
	expect_ok(stream_delete(w.conn, "AEGIS_AUDIT", 7, &w.err), &w.err);
	struct seen s = look(&w, (struct audit_query){ .limit = 64 }, &next);
	assert_true(s.n == 2 && s.whole && next == 0);
	assert_string_equal(s.action[0], "third");
	assert_string_equal(s.action[1], "first");
	close_world(&w);
}

static void
count(void *arg, uint64_t seq, const struct value *record)
{
	uint64_t *last = arg;

	(void)record;
	assert_true(seq < last[0]);
	last[0] = seq;
	last[1]++;
}

static void
none(void *arg, const struct stored *s)
{
	(void)arg;
	fail_msg("message %llu is there", (unsigned long long)s->seq);
}

/* More than lie in memory at once, with holes of all sizes: none is told twice, none is left out. */
static void
many_come_in_pieces(void **state)
{
	enum { N = 3 * AUDIT_READ + 5 };
	static bool gone[N + 1];
	struct world w;
	size_t left = N;

	(void)state;
	open_world_for(&w, 0);
	struct audit_entry e = { .actor_id = "cli", .actor_name = "ann", .action = "definition.update", .target = "t" };
	assert_int_equal(audit_once(w.conn, &e, false, &w.err), ERR_NOT_FOUND);
	for (int i = 1; i <= N; i++)
		expect_ok(audit_once(w.conn, &e, true, &w.err), &w.err);
	for (int i = 1; i <= N; i++)
		if ((gone[i] = i == N || i % 50 == 7 || (i >= AUDIT_READ - 3 && i < 2 * AUDIT_READ + 9))) {
			expect_ok(stream_delete(w.conn, "AEGIS_AUDIT", (uint64_t)i, &w.err), &w.err);
			left--;
		}
	/* A range of which all was removed, and nothing stands behind. */
	expect_ok(stream_range(&(struct stream_range){ .conn = w.conn, .stream = "AEGIS_AUDIT", .filter = "aegis.audit.>", .from = N,
	    .to = N, .each = none }, &w.err), &w.err);
	for (size_t limit = 1; limit <= 1000; limit = limit * 9 + 1) {
		uint64_t seen[2] = { UINT64_MAX, 0 }, next = 0;
		size_t pages = 0;
		do {
			uint64_t before = seen[1];
			struct audit_query q = { .before = next, .limit = limit };
			expect_ok(audit_read(w.audit, &q, count, seen, &next, &w.err), &w.err);
			assert_true(seen[1] - before <= limit && ++pages <= N);
		} while (next > 0);
		assert_int_equal(seen[1], left);
	}
	close_world(&w);
}

static void
what_cannot_be_stored_is_told(void **state)
{
	struct world w;

	(void)state;
	open_world_for(&w, 0);
	WAIT_FOR(note(&w, "ann", "orders", "first") == ERR_OK);
	bus_stop(&w.bus);
	uint64_t failed = audit_counters(w.audit).failed;
	struct mono then = clock_mono(clock_system());
	assert_int_not_equal(note(&w, "ann", "orders", "second"), ERR_OK);
	assert_true(mono_since(clock_mono(clock_system()), then) < 30 * NS_PER_S);	/* the connection's own */
	assert_int_equal(audit_counters(w.audit).failed, failed + 1);
	assert_true(audit_failing(w.audit));
	assert_true(bus_start(&w.bus));
	WAIT_FOR(conn_state(w.conn) == CONN_UP);
	WAIT_FOR(note(&w, "ann", "orders", "third") == ERR_OK);
	assert_false(audit_failing(w.audit));		/* the last one was stored */
	close_world(&w);
}

static void
documents_that_are_too_large_are_left_out(void **state)
{
	struct world w;
	struct stored s;
	struct value v;
	int64_t n = 0;

	(void)state;
	open_world(&w);
	char *big = mem_new(AUDIT_DOCUMENT_MAX + 16);
	memset(big, 'x', AUDIT_DOCUMENT_MAX + 2);
	big[0] = big[AUDIT_DOCUMENT_MAX + 1] = '"';
	expect_ok(audit_write(w.audit, &(struct audit_entry){
		.actor_name = "ann", .action = "big", .target = "t", .after = { DATA_JSON, big, AUDIT_DOCUMENT_MAX + 2 },
	}, &w.err), &w.err);
	expect_ok(stream_get(w.conn, "AEGIS_AUDIT", 1, &s, &w.err), &w.err);
	struct codec *c = codec_new();
	expect_ok(codec_parse(c, (struct data){ DATA_JSON, msg_data(s.msg), msg_size(s.msg) }, &v, &w.err), &w.err);
	assert_true(value_int(value_field(&v, "left_out_bytes"), &n) && n == AUDIT_DOCUMENT_MAX + 2);
	assert_int_equal(value_field(&v, "after")->type, VALUE_NULL);
	assert_string_equal(msg_subject(s.msg), "aegis.audit._");
	assert_non_null(msg_header(s.msg, "Nats-Msg-Id"));
	codec_free(c);
	msg_free(s.msg);
	mem_free(big);
	close_world(&w);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(newest_first_page_by_page),
		cmocka_unit_test(gaps_and_strangers_are_passed_over),
		cmocka_unit_test(many_come_in_pieces),
		cmocka_unit_test(what_cannot_be_stored_is_told),
		cmocka_unit_test(documents_that_are_too_large_are_left_out),
	};

	BUS_SHIM(argc, argv);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	conn_library_close();
	return failed;
}
