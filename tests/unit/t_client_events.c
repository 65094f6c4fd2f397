/* t_client_events - the public interface to events against a real server. */
#include "handle.h"

#include <pthread.h>
#include <stdatomic.h>

#include "nats/conn.h"
#include "nats/stream.h"

struct seen {
	atomic_uint n, wrong, inside, most;
	_Atomic(aegis_event *) held;
	bool hold;
	unsigned fail;
};

static void
on_event(void *arg, aegis_event *v)
{
	struct seen *s = arg;
	int64_t i = -1;
	bool yes = false;
	double real = 0;

	unsigned now = atomic_fetch_add(&s->inside, 1) + 1, most = atomic_load(&s->most);
	while (now > most && !atomic_compare_exchange_weak(&s->most, &most, now))
		continue;
	const char *text = aegis_event_text(v, "text");
	bool right = aegis_event_int(v, "i", &i) && aegis_event_bool(v, "yes", &yes) && yes &&
	    aegis_event_real(v, "real", &real) && real == 0.5 && text != NULL && strcmp(text, "évènement") == 0 &&
	    aegis_event_text(v, "none") == NULL && strcmp(aegis_event_domain(v), "order") == 0 &&
	    strcmp(aegis_event_type(v), "created") == 0 && strcmp(aegis_event_subject(v), "events.order.created") == 0 &&
	    strstr(aegis_event_json(v), "\"i\":") != NULL && aegis_event_id(v)[0] != '\0';
	if (!right)
		atomic_fetch_add(&s->wrong, 1);
	atomic_fetch_sub(&s->inside, 1);
	if (s->hold)
		atomic_store(&s->held, v);
	else if (aegis_event_deliveries(v) <= s->fail)
		aegis_event_fail(v, aegis_event_text(v, "text"));
	else
		aegis_event_done(v);
	atomic_fetch_add(&s->n, 1);
}

static aegis_out *
payload(int64_t i)
{
	aegis_out *o = aegis_out_new();

	aegis_out_int(o, "i", i);
	aegis_out_bool(o, "yes", true);
	aegis_out_real(o, "real", 0.5);
	aegis_out_text(o, "text", "évènement");
	return o;
}

static void
stored(void *arg, const aegis_error *err)
{
	atomic_uint *n = arg;

	if (err == NULL)
		atomic_fetch_add(n, 1);
}

static void
published_and_handled(void **state)
{
	struct seen s = { 0 };
	atomic_uint n = 0;

	(void)state;
	aegis *a = connect_as(&(aegis_options){ .workers = 4 }), *b = connect_as(&(aegis_options){ .workers = 4 });
	ok(aegis_subscribe(a, "events.order.created", on_event, &s, &(aegis_subscribe_options){ .concurrency = 8 }, &e));
	fails(aegis_subscribe(a, "events.order.created", on_event, &s, NULL, &e), AEGIS_EXISTS, "already");
	ok(aegis_subscribe(a, "events.user.added", on_event, &s, &(aegis_subscribe_options){ .mode = AEGIS_MIXED }, &e));
	fails(aegis_subscribe(a, "events.user.gone", on_event, &s, &(aegis_subscribe_options){ .mode = AEGIS_MIXED }, &e),
	    AEGIS_INVALID, "one exact pattern");
	fails(aegis_subscribe(a, "order.created", on_event, &s, NULL, &e), AEGIS_INVALID, "must begin with");
	ok(aegis_register(a, &(aegis_identity){ .service = "order-svc", .instance = "order-1" }, &e));
	fails(aegis_subscribe(a, "events.order.x", on_event, &s, NULL, &e), AEGIS_INVALID, "registered already");
	ok(aegis_publish(b, "order", "created", payload(0), NULL, &e));
	ok(aegis_publish_json(b, "order", "created", "{\"i\":1,\"yes\":true,\"real\":0.5,\"text\":\"évènement\"}",
	    &(aegis_publish_options){ .id = "the-one" }, &e));
	ok(aegis_publish_json(b, "order", "created", "{\"i\":1,\"yes\":true,\"real\":0.5,\"text\":\"évènement\"}",
	    &(aegis_publish_options){ .id = "the-one" }, &e));
	for (int64_t i = 2; i < 200; i++)
		ok(aegis_publish_start(b, "order", "created", payload(i), NULL, stored, &n, &e));
	WAIT_FOR(atomic_load(&n) == 198);
	WAIT_FOR(atomic_load(&s.n) == 200);
	assert_int_equal(atomic_load(&s.wrong), 0);
	assert_in_range(atomic_load(&s.most), 1, 4);
	fails(aegis_publish(b, "or der", "created", payload(0), NULL, &e), AEGIS_INVALID, "event domain");
	fails(aegis_publish_json(b, "order", "created", "[1]", NULL, &e), AEGIS_INVALID, "payload");
	fails(aegis_publish_start(b, "order", "", payload(0), NULL, stored, &n, &e), AEGIS_INVALID, "event type");
	aegis_close(a);
	aegis_close(b);
	assert_int_equal(atomic_load(&s.n), 200);
}

static void
failed_and_kept_back(void **state)
{
	struct seen s = { .fail = 2 }, h = { .hold = true };

	(void)state;
	aegis *a = connect_as(&(aegis_options){ .workers = 4 });
	ok(aegis_subscribe(a, "events.order.created", on_event, &s, &(aegis_subscribe_options){ .retry_ms = 10 }, &e));
	ok(aegis_subscribe(a, "events.order.*", on_event, &h, &(aegis_subscribe_options){ .mode = AEGIS_BROADCAST,
	    .from_start = true }, &e));
	ok(aegis_register(a, &(aegis_identity){ .service = "poor-svc", .instance = "poor-1" }, &e));
	ok(aegis_publish(a, "order", "created", payload(0), NULL, &e));
	WAIT_FOR(atomic_load(&h.n) > 0 && atomic_load(&s.n) >= 3);
	/* Answered by another thread, much later. */
	while (atomic_load(&h.n) > 0) {
		aegis_event *v = atomic_exchange(&h.held, NULL);
		if (v != NULL) {
			aegis_event_done(v);
			atomic_fetch_sub(&h.n, 1);
		}
	}
	assert_int_equal(atomic_load(&s.wrong), 0);
	aegis_close(a);
}

/* A second process under our id gets nothing, and takes nothing with it when it goes. */
static void
twin(void **state)
{
	struct seen s = { 0 };
	struct conn *c = conn_new(&(struct conn_opts){ .servers = bus_url(&bus), .timeout_ns = 30 * NS_PER_S }, NULL);
	struct stream_state st;

	(void)state;
	aegis *a = connect_as(&(aegis_options){ .workers = 4 }), *b = connect_as(&(aegis_options){ .workers = 4 });
	aegis_identity who = { .service = "lone-svc", .instance = "lone-1" };
	aegis_subscribe_options o = { .mode = AEGIS_BROADCAST };
	ok(aegis_subscribe(a, "events.order.created", on_event, &s, &o, &e));
	ok(aegis_subscribe(b, "events.order.created", on_event, &s, &o, &e));
	ok(aegis_register(a, &who, &e));
	WAIT_FOR(stream_look(c, "EVENTS", &st, NULL) == ERR_OK && st.consumers == 1);
	fails(aegis_register(b, &who, &e), AEGIS_TWIN, "lone-1");
	aegis_close(b);
	ok(aegis_publish(a, "order", "created", payload(1), NULL, &e));
	WAIT_FOR(atomic_load(&s.n) == 1);
	assert_int_equal(stream_look(c, "EVENTS", &st, NULL), ERR_OK);
	assert_int_equal(st.consumers, 1);
	aegis_close(a);
	WAIT_FOR(stream_look(c, "EVENTS", &st, NULL) == ERR_OK && st.consumers == 0);
	conn_free(c);
}

/* While the server is away: the time-out tells that nothing was stored; with more time it waits. */
static void
away(void **state)
{
	(void)state;
	aegis *a = connect_as(&(aegis_options){ .workers = 4 });
	ok(aegis_publish(a, "order", "other", NULL, NULL, &e));
	bus_stop(&bus);
	WAIT_FOR(!aegis_connected(a));
	fails(aegis_publish(a, "order", "other", NULL, &(aegis_publish_options){ .timeout_ms = 100 }, &e), AEGIS_TIMEOUT,
	    "not sent");
	atomic_uint n = 0;
	ok(aegis_publish_start(a, "order", "other", NULL, &(aegis_publish_options){ .timeout_ms = 60000 }, stored, &n, &e));
	assert_true(bus_start(&bus));
	WAIT_FOR(atomic_load(&n) == 1);
	aegis_close(a);
}

static int
start(void **state)
{
	(void)state;
	memset(&bus, 0, sizeof bus);
	return bus_start(&bus) ? 0 : -1;
}

static int
end(void **state)
{
	(void)state;
	bus_end(&bus);
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(published_and_handled, start, end),
		cmocka_unit_test_setup_teardown(failed_and_kept_back, start, end),
		cmocka_unit_test_setup_teardown(twin, start, end),
		cmocka_unit_test_setup_teardown(away, start, end),
	};

	BUS_SHIM(argc, argv);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	conn_library_close();
	return failed;
}
