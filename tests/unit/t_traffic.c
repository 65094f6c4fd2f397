/* t_traffic - figures of calls, events and commands: each under its name of wire.md §13, byte for
 * byte, and never more than 64 names of a kind; and a handle of the C interface tells them in its
 * heartbeats. */
#include "expect.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/hist.h"
#include "base/magic.h"
#include "base/mem.h"
#include "bus.h"
#include "client/aegis.h"
#include "codec/codec.h"
#include "messaging/methods.h"
#include "messaging/traffic.h"
#include "nats/conn.h"

/* --- names ------------------------------------------------------------------------------- */

struct report {
	struct str text;		/* "name=value" lines, as they come */
	size_t counters, gauges, summaries;
};

static void
counter(void *arg, const char *name, uint64_t value)
{
	struct report *r = arg;

	r->counters++;
	str_printf(&r->text, "%s=%llu\n", name, (unsigned long long)value);
}

static void
gauge(void *arg, const char *name, double value)
{
	struct report *r = arg;

	r->gauges++;
	str_printf(&r->text, "%s~%g\n", name, value);
}

static void
summary(void *arg, const char *name, const struct hist *h)
{
	struct report *r = arg;

	r->summaries++;
	str_printf(&r->text, "%s:%llu\n", name, (unsigned long long)hist_count(h));
}

static void
report(const struct traffic *t, struct report *r)
{
	*r = (struct report){ .counters = 0 };
	traffic_report(t, &(struct traffic_reader){ counter, gauge, summary, r });
}

static void
every_figure_has_its_name(void **state)
{
	struct traffic *t = traffic_new();
	struct report r;

	(void)state;
	report(t, &r);
	expect_str(&r.text, "events.errors=0\ncommands.errors=0\nevents.in_flight~0\n");
	str_release(&r.text);
	for (int i = 0; i < 5; i++)
		traffic_called(t, "order-service", "get_order", ERR_OK, 1000000);
	traffic_called(t, "order-service", "get_order", ERR_TIMEOUT, 1000000);
	traffic_called(t, "order-service", "get_order", ERR_HANDLER, 1000000);
	traffic_called(t, "order-service", "get_order", ERR_UNAVAILABLE, -1);
	traffic_retried(t, "order-service", "get_order", 1, ERR_OK);	/* the first time: nothing to tell */
	traffic_retried(t, "order-service", "get_order", 4, ERR_OK);
	traffic_retried(t, "order-service", "get_order", 3, ERR_NOT_ACTIVE);
	traffic_sticky(t, "order-service", "get_order", ERR_NOT_ACTIVE, 1000);
	traffic_sticky(t, "order-service", "get_order", ERR_NOT_ACTIVE, 1000);
	traffic_sticky(t, "order-service", "get_order", ERR_TIMEOUT, 1000);
	traffic_sticky(t, "order-service", "get_order", ERR_OK, 1000);
	traffic_resumed(t, "order-service", "get_order", 4000);
	traffic_breaker(t, true);
	traffic_breaker(t, true);
	traffic_breaker(t, false);
	traffic_published(t, "order", "created", true, 1000);
	traffic_published(t, "order", "created", false, 1000);
	traffic_event(t, "order", "item.added");
	traffic_event_failed(t);
	traffic_event_failed(t);
	traffic_events_open(t, 3);
	traffic_events_open(t, -1);
	traffic_worked(t, "risk-service", "recalculate", 1000);
	traffic_worked(t, "risk-service", "recalculate", 1000);
	traffic_command(t, "risk-service", "recalculate");
	traffic_command_failed(t);
	traffic_commands(t, "risk-service", "recalculate", 2, 7);
	traffic_sent(t, "risk-service", "recalculate", 1000);
	report(t, &r);
	expect_str(&r.text, "events.errors=2\ncommands.errors=1\nbreaker.opened=2\nbreaker.recovered=1\n"
	    "events.in_flight~2\n"
	    "rpc.client.order-service.get_order:7\nrpc.client.order-service.get_order.success=5\n"
	    "rpc.client.order-service.get_order.timeout=1\nrpc.client.order-service.get_order.error=2\n"
	    "rpc.client.order-service.get_order.retry.attempts=5\nrpc.client.order-service.get_order.retry.success=1\n"
	    "rpc.client.order-service.get_order.retry.exhausted=1\n"
	    "rpc.client.order-service.get_order.attempt:4\nrpc.client.order-service.get_order.retry.not_active=2\n"
	    "rpc.client.order-service.get_order.retry.error=1\n"
	    "rpc.client.order-service.get_order.failover.latency:1\n"
	    "events.publish.order.created:2\nevents.published.order.created=1\n"
	    "events.processed.order.item.added=1\n"
	    "commands.risk-service.recalculate:2\ncommands.processed.risk-service.recalculate=1\n"
	    "commands.risk-service.recalculate.in_flight~2\ncommands.risk-service.recalculate.queue_depth~7\n"
	    "commands.send.risk-service.recalculate:1\n");
	str_release(&r.text);
	traffic_free(t);
}

static void
names_are_bounded(void **state)
{
	struct traffic *t = traffic_new();
	char name[METHOD_NAME_MAX + 50];
	struct report r;

	(void)state;
	memset(name, 'a', sizeof name);
	name[sizeof name - 1] = '\0';
	traffic_event(t, "order", name);		/* too long to be told apart */
	for (unsigned i = 0; i < METHODS_MAX + 6; i++) {
		snprintf(name, sizeof name, "t%u", i);
		traffic_event(t, "order", name);
		traffic_called(t, "s", name, ERR_OK, 1);
	}
	report(t, &r);
	assert_int_equal(r.counters, 2 + METHODS_MAX + 3 * (METHODS_MAX + 1));
	assert_int_equal(r.summaries, METHODS_MAX + 1);
	/* "_other" takes one of the places when it comes first. */
	assert_non_null(strstr(str_text(&r.text), "events.processed._other=8\n"));
	assert_non_null(strstr(str_text(&r.text), "rpc.client._other.success=6\n"));
	str_release(&r.text);
	traffic_free(t);
}

static void
nobody_counts(void **state)
{
	struct report r;

	(void)state;
	traffic_called(NULL, "s", "m", ERR_OK, 1);
	traffic_retried(NULL, "s", "m", 2, ERR_OK);
	traffic_breaker(NULL, true);
	traffic_published(NULL, "d", "t", true, 1);
	traffic_event(NULL, "d", "t");
	traffic_event_failed(NULL);
	traffic_sent(NULL, "s", "c", 1);
	traffic_worked(NULL, "s", "c", 1);
	traffic_command(NULL, "s", "c");
	traffic_command_failed(NULL);
	traffic_events_open(NULL, 1);
	traffic_commands(NULL, "s", "c", 1, 1);
	report(NULL, &r);
	assert_int_equal(r.text.len, 0);
	traffic_free(NULL);
}

/* --- a handle's heartbeats ----------------------------------------------------------------- */

static aegis_error e;

static void
ok(int code)
{
	if (code != AEGIS_OK)
		fail_msg("%s: %s", aegis_code_name(code), e.text);
}

struct heard {
	pthread_mutex_t lock;
	char *last;
};

static void
on_heartbeat(void *arg, struct msg *m)
{
	struct heard *h = arg;

	pthread_mutex_lock(&h->lock);
	mem_free(h->last);
	h->last = mem_text_n(msg_data(m), msg_size(m));
	pthread_mutex_unlock(&h->lock);
	msg_free(m);
}

/* tells: the last heartbeat has this number under metrics.{area}.{name}, or metrics.{area}.{name}.count. */
static bool
tells(struct heard *h, const char *area, const char *name, int64_t want)
{
	struct value v;
	int64_t n = -1;
	double real;

	pthread_mutex_lock(&h->lock);
	if (h->last != NULL &&
	    codec_parse(codec_mine(), (struct data){ DATA_JSON, h->last, strlen(h->last) }, &v, NULL) == ERR_OK) {
		const struct value *at = value_field(value_field(value_field(&v, "metrics"), area), name);
		if (at != NULL && at->type == VALUE_MAP)
			at = value_field(at, "count");
		if (value_real(at, &real))
			n = (int64_t)real;
	}
	pthread_mutex_unlock(&h->lock);
	return n == want;
}

static void
answer(void *arg, aegis_request *r)
{
	(void)arg;
	aegis_reply(r, NULL);
}

static void
refuse(void *arg, aegis_request *r)
{
	(void)arg;
	aegis_fail(r, "no");
}

/* Keeps the first request, and answers from the second on. */
struct slow_start {
	atomic_int tries;
	_Atomic(aegis_request *) first;
};

static void
second_time(void *arg, aegis_request *r)
{
	struct slow_start *s = arg;

	if (atomic_fetch_add(&s->tries, 1) == 0)
		atomic_store(&s->first, r);
	else
		aegis_reply(r, NULL);
}

static void
never(void *arg, aegis_request *r)
{
	atomic_store((_Atomic(aegis_request *) *)arg, r);
}

static void
on_event(void *arg, aegis_event *v)
{
	atomic_int *fail_once = arg;

	if (atomic_exchange(fail_once, 0) > 0)
		aegis_event_fail(v, "not yet");
	else
		aegis_event_done(v);
}

static void
on_job(void *arg, aegis_job *j)
{
	(void)arg;
	if (aegis_job_text(j, "fail") != NULL)
		aegis_job_fail(j, aegis_job_text(j, "fail"));
	else
		aegis_job_done(j, NULL);
}

static void
ended(void *arg, const aegis_result *result, const aegis_error *err)
{
	(void)err;
	atomic_fetch_add((atomic_int *)arg, result != NULL ? 1 : 100);
}

static void
a_handle_tells_its_figures(void **state)
{
	static const struct { const char *area, *name; int64_t n; } rows[] = {
		{ "counters", "rpc.client.fig-svc.answer.success", 4 }, { "summaries", "rpc.client.fig-svc.answer", 4 },
		{ "counters", "rpc.client.fig-svc.answer.error", 0 }, { "counters", "rpc.client.fig-svc.refuse.error", 2 },
		{ "counters", "rpc.client.fig-svc.never.timeout", 1 }, { "counters", "rpc.client.fig-svc.never.error", 0 },
		{ "counters", "rpc.client.fig-svc.again.success", 1 }, { "counters", "rpc.client.fig-svc.again.retry.attempts", 1 },
		{ "counters", "rpc.client.fig-svc.again.retry.success", 1 },
		{ "counters", "rpc.fig-svc.answer.success", 4 }, { "counters", "rpc.fig-svc.refuse.error", 2 },
		{ "summaries", "events.publish.order.created", 4 }, { "counters", "events.published.order.created", 4 },
		{ "counters", "events.processed.order.created", 4 }, { "counters", "events.errors", 1 },
		{ "gauges", "events.in_flight", 0 },
		{ "summaries", "commands.fig-svc.digest", 3 }, { "counters", "commands.processed.fig-svc.digest", 2 },
		{ "counters", "commands.errors", 1 }, { "summaries", "commands.send.fig-svc.digest", 3 },
		{ "gauges", "commands.fig-svc.digest.in_flight", 0 }, { "gauges", "commands.fig-svc.digest.queue_depth", 0 },
	};
	struct heard heard = { .lock = PTHREAD_MUTEX_INITIALIZER };
	_Atomic(aegis_request *) kept = NULL;
	struct slow_start slow = { 0, NULL };
	atomic_int fail_once = 1, done = 0;
	aegis_result *result = NULL;
	struct err err;

	(void)state;
	struct conn *c = conn_new(&(struct conn_opts){ .servers = bus_url(&bus), .timeout_ns = WAIT_NS }, &err);
	assert_non_null(c);
	struct sub *sub = sub_new(&(struct sub_opts){ .conn = c, .subject = "internal.heartbeat.fig-svc",
	    .handler = on_heartbeat, .arg = &heard }, &err);
	assert_non_null(sub);
	aegis *a = aegis_connect(&(aegis_options){ .servers = bus_url(&bus), .workers = 4, .timeout_ms = 60000 }, &e);
	assert_non_null(a);
	ok(aegis_serve(a, "answer", answer, NULL, 0, &e));
	ok(aegis_serve(a, "refuse", refuse, NULL, 0, &e));
	ok(aegis_serve(a, "again", second_time, &slow, 0, &e));
	ok(aegis_serve(a, "never", never, &kept, 0, &e));
	ok(aegis_subscribe(a, "events.order.*", on_event, &fail_once, &(aegis_subscribe_options){ .retry_ms = 10 }, &e));
	ok(aegis_work(a, "digest", on_job, NULL, NULL, &e));
	ok(aegis_register(a, &(aegis_identity){ .service = "fig-svc", .instance = "f-1", .heartbeat_ms = 100 }, &e));
	for (int i = 0; i < 3; i++) {
		ok(aegis_call(a, "fig-svc", "answer", NULL, NULL, &result, &e));
		aegis_result_free(result);
		ok(aegis_publish(a, "order", "created", NULL, NULL, &e));
	}
	ok(aegis_call(a, "fig-svc", "again", NULL, &(aegis_call_options){ .idempotent = true, .attempt_timeout_ms = 3000 },
	    &result, &e));
	aegis_reply(atomic_load(&slow.first), NULL);
	aegis_result_free(result);
	ok(aegis_call_start(a, "fig-svc", "answer", NULL, NULL, ended, &done, &e));
	ok(aegis_call_start(a, "fig-svc", "refuse", NULL, NULL, ended, &done, &e));
	ok(aegis_publish_start(a, "order", "created", NULL, NULL, NULL, NULL, &e));
	assert_int_equal(aegis_call(a, "fig-svc", "refuse", NULL, NULL, &result, &e), AEGIS_HANDLER);
	assert_int_equal(aegis_call(a, "fig-svc", "never", NULL, &(aegis_call_options){ .timeout_ms = 2000 }, &result, &e),
	    AEGIS_TIMEOUT);
	for (int i = 0; i < 2; i++)
		ok(aegis_send(a, "fig-svc", "digest", NULL, &(aegis_send_options){ .wait_ms = 60000 }, NULL, &e));
	assert_int_equal(aegis_send_json(a, "fig-svc", "digest", "{\"fail\":\"no\"}", &(aegis_send_options){
	    .max_retries = -1, .wait_ms = 60000 }, NULL, &e), AEGIS_HANDLER);
	WAIT_FOR(atomic_load(&done) == 101);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct mono end = mono_after(clock_mono(clock_system()), WAIT_NS);
		while (!tells(&heard, rows[i].area, rows[i].name, rows[i].n)) {
			if (mono_reached(clock_mono(clock_system()), end))
				fail_msg("%s %s is never %lld: %s", rows[i].area, rows[i].name, (long long)rows[i].n,
				    heard.last != NULL ? heard.last : "nothing heard");
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		}
	}
	WAIT_FOR(atomic_load(&kept) != NULL);
	aegis_reply(atomic_load(&kept), NULL);
	aegis_close(a);
	sub_free(sub);
	conn_free(c);
	mem_free(heard.last);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_figure_has_its_name), cmocka_unit_test(names_are_bounded),
		cmocka_unit_test(nobody_counts), cmocka_unit_test(a_handle_tells_its_figures),
	};

	BUS_SHIM(argc, argv);
	if (!bus_start(&bus))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	bus_end(&bus);
	return failed;
}
