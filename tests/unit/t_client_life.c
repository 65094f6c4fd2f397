/* t_client_life - the public interface at its edges: connecting, twins, a server that goes and
 * comes, and closing while something is under way. */
#include "handle.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "base/magic.h"
#include "nats/conn.h"
#include "registry/registry.h"

static aegis *
serve(const char *service, const char *instance, aegis_handler *fn, void *arg)
{
	aegis *a = connect_as(NULL);

	ok(aegis_serve(a, "go", fn, arg, 0, &e));
	ok(enrol(a, service, instance));
	return a;
}

static int
call(aegis *a, const char *service, int64_t timeout_ms)
{
	e = (aegis_error){ 0 };
	return aegis_call(a, service, "go", NULL, &(aegis_call_options){ .timeout_ms = timeout_ms > 0 ? timeout_ms : 60000 }, NULL, &e);
}

/* --- a server of another kind ------------------------------------------------------------ */

struct plain {
	pid_t pid;
	char url[64], dir[64];
};

/* read_url: from the server's port file; false while it is not there, or still empty. */
static bool
read_url(struct plain *p)
{
	char path[128], text[512];

	snprintf(path, sizeof path, "%s/nats-server_%d.ports", p->dir, (int)p->pid);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return false;
	size_t got = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[got] = '\0';
	const char *at = strstr(text, "nats://"), *end = at != NULL ? strchr(at, '"') : NULL;
	if (end == NULL)
		return false;
	snprintf(p->url, sizeof p->url, "%.*s", (int)(end - at), at);
	return true;
}

/* plain_start: a nats-server without JetStream; words are further arguments. */
static void
plain_start(struct plain *p, const char *const *words)
{
	const char *argv[16] = { bus_program(), "-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", p->dir, "-l", "/dev/null" };
	size_t n = 9;
	struct err err;

	snprintf(p->dir, sizeof p->dir, "/tmp/t_plain.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	while (*words != NULL)
		argv[n++] = *words++;
	expect_ok(child_spawn(&(struct child_opts){ .argv = argv, .own_group = true, .dies_with_parent = true }, &p->pid,
	    &err), &err);
	WAIT_FOR(read_url(p));
}

static void
plain_stop(struct plain *p)
{
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	dir_remove(p->dir, NULL);
}

/* --- connecting -------------------------------------------------------------------------- */

static void
refused(const aegis_options *o, int want, const char *part)
{
	e = (aegis_error){ 0 };
	aegis *a = aegis_connect(o, &e);
	assert_null(a);
	if (e.code != want || strstr(e.text, part) == NULL)
		fail_msg("%s, '%s' is not %s with '%s'", aegis_code_name(e.code), e.text, aegis_code_name(want), part);
	assert_null(aegis_connect(o, NULL));
}

static void
connecting_fails_with_a_reason(void **state)
{
	static const char *const auth[] = { "--user", "joe", "--pass", "secret", NULL };
	struct plain p;

	(void)state;
	refused(&(aegis_options){ .servers = "nats://127.0.0.1:1", .timeout_ms = 500 }, AEGIS_UNAVAILABLE, "127.0.0.1:1");
	refused(&(aegis_options){ .servers = "" }, AEGIS_CONFIG, "not readable");
	refused(&(aegis_options){ .servers = bus_url(&bus), .creds_file = "/nowhere/x.creds" }, AEGIS_CONFIG,
	    "/nowhere/x.creds");
	refused(&(aegis_options){ .servers = bus_url(&bus), .tls_cert = "/nowhere/c.pem", .tls_key = "/nowhere/k.pem" },
	    AEGIS_CONFIG, "/nowhere/c.pem");
	refused(&(aegis_options){ .servers = bus_url(&bus), .log_level = "loud" }, AEGIS_INVALID, "loud");
	plain_start(&p, auth);
	refused(&(aegis_options){ .servers = p.url }, AEGIS_UNAUTHENTICATED, p.url);
	refused(&(aegis_options){ .servers = p.url, .user = "joe", .password = "wrong" }, AEGIS_UNAUTHENTICATED, p.url);
	aegis *a = connect_as(&(aegis_options){ .servers = p.url, .user = "joe", .password = "secret" });
	assert_true(aegis_connected(a));
	aegis_close(a);
	plain_stop(&p);
}

static void
the_environment_names_the_server(void **state)
{
	(void)state;
	setenv("NATS_URL", bus_url(&bus), 1);
	aegis *a = aegis_connect(NULL, &e);
	unsetenv("NATS_URL");
	assert_non_null(a);
	aegis_close(a);
	aegis_close(NULL);
}

/* Without a store there is no registry, but calls need none. */
static void
without_jetstream_calls_still_work(void **state)
{
	static const char *const none[] = { NULL };
	struct plain p;

	(void)state;
	plain_start(&p, none);
	aegis *a = connect_as(&(aegis_options){ .servers = p.url, .timeout_ms = 300 });
	ok(aegis_serve(a, "go", echo, NULL, 0, &e));
	ok(enrol(a, "plain-service", NULL));
	aegis *b = connect_as(&(aegis_options){ .servers = p.url, .timeout_ms = 60000 });
	ok(call(b, "plain-service", 0));
	struct mono began = clock_mono(clock_system());
	assert_int_equal(call(b, "other-service", 60000), AEGIS_SERVICE_UNKNOWN);
	aegis_call_options o = { .instance = aegis_instance(a), .timeout_ms = 60000 };
	ok(aegis_call(b, "plain-service", "go", NULL, &o, NULL, &e));
	o.instance = "plain-2";
	assert_int_equal(aegis_call(b, "plain-service", "go", NULL, &o, NULL, &e), AEGIS_INSTANCE_UNKNOWN);
	/* None of them waited for a listing that cannot come. */
	assert_true(mono_since(clock_mono(clock_system()), began) < 60 * NS_PER_S);
	aegis_close(b);
	aegis_close(a);
	plain_stop(&p);
}

/* --- twins ------------------------------------------------------------------------------- */

static void
count(void *arg, aegis_request *r)
{
	atomic_fetch_add((atomic_uint *)arg, 1);
	aegis_reply_json(r, "{}");
}

static void
a_twin_is_refused_and_takes_no_calls(void **state)
{
	atomic_uint first = 0, second = 0;
	aegis *a = serve("twin-service", "twin-1", count, &first);
	aegis *b = connect_as(NULL), *c = connect_as(NULL);

	(void)state;
	ok(aegis_serve(b, "go", count, &second, 0, &e));
	assert_int_equal(enrol(b, "twin-service", "twin-1"), AEGIS_TWIN);
	assert_non_null(strstr(e.text, "'twin-1' of 'twin-service'"));
	/* What reached it before it knew is served; nothing comes after the server has heard that it leaves, which
	 * it has when a call of its own was answered. */
	ok(call(b, "twin-service", 0));
	WAIT_FOR((atomic_store(&second, 0), call(c, "twin-service", 1000) == AEGIS_OK && atomic_load(&second) == 0));
	atomic_store(&first, 0);
	for (int i = 0; i < 50; i++)
		ok(call(c, "twin-service", 0));
	assert_int_equal(atomic_load(&first), 50);
	assert_int_equal(atomic_load(&second), 0);
	/* With an id of its own it is welcome; once. */
	ok(enrol(b, "twin-service", "twin-2"));
	assert_string_equal(aegis_instance(b), "twin-2");
	assert_int_equal(enrol(b, "twin-service", "twin-3"), AEGIS_EXISTS);
	aegis_call_options o = { .instance = "twin-2" };
	WAIT_FOR(aegis_call(c, "twin-service", "go", NULL, &o, NULL, &e) == AEGIS_OK);
	assert_true(atomic_load(&second) > 0);
	aegis_close(b);
	WAIT_FOR(aegis_call(c, "twin-service", "go", NULL, &o, NULL, &e) == AEGIS_INSTANCE_UNKNOWN);
	ok(call(c, "twin-service", 0));		/* its end took nothing from the first */
	aegis_close(a);
	a = serve("twin-service", "twin-1", count, &first);	/* the id is free again */
	aegis_close(a);
	aegis_close(c);
}

/* --- a server that goes and comes -------------------------------------------------------- */

static void
everything_survives_a_restart_of_the_server(void **state)
{
	aegis *a = serve("steady-service", "steady-1", echo, NULL), *b = connect_as(NULL);

	(void)state;
	ok(call(b, "steady-service", 0));
	for (int round = 0; round < 2; round++) {
		bus_stop(&bus);
		WAIT_FOR(!aegis_connected(a) && !aegis_connected(b));
		assert_int_equal(call(b, "steady-service", 0), AEGIS_UNAVAILABLE);
		assert_non_null(strstr(e.text, "127.0.0.1"));
		assert_true(bus_start(&bus));
		WAIT_FOR(aegis_connected(a) && aegis_connected(b));
		WAIT_FOR(call(b, "steady-service", 1000) == AEGIS_OK);
	}
	aegis_close(b);
	aegis_close(a);
}

static void
a_handle_may_wait_for_the_server(void **state)
{
	char url[64];

	(void)state;
	snprintf(url, sizeof url, "%s", bus_url(&bus));
	bus_stop(&bus);
	aegis *a = connect_as(&(aegis_options){ .servers = url, .wait = true, .timeout_ms = 300 });
	assert_false(aegis_connected(a));
	ok(aegis_serve(a, "go", echo, NULL, 0, &e));
	ok(enrol(a, "patient-service", "patient-1"));	/* in the background, from now on */
	assert_int_equal(call(a, "patient-service", 100), AEGIS_UNAVAILABLE);
	assert_true(bus_start(&bus));
	aegis *b = connect_as(NULL);
	WAIT_FOR(call(b, "patient-service", 1000) == AEGIS_OK);
	aegis_call_options o = { .instance = "patient-1" };
	WAIT_FOR(aegis_call(b, "patient-service", "go", NULL, &o, NULL, &e) == AEGIS_OK);
	aegis_close(b);
	aegis_close(a);
}

static void
a_handle_closes_without_the_server(void **state)
{
	aegis *a = serve("lonely-service", "lonely-1", echo, NULL);

	(void)state;
	bus_stop(&bus);
	WAIT_FOR(!aegis_connected(a));
	aegis_close(a);			/* does not wait for it */
	assert_true(bus_start(&bus));
}

/* --- closing while something is under way ------------------------------------------------ */

static _Atomic(aegis_request *) held;

/* hold: keeps one request; others are answered. */
static void
hold(void *arg, aegis_request *r)
{
	aegis_request *none = NULL;

	(void)arg;
	if (!atomic_compare_exchange_strong(&held, &none, r))
		aegis_reply_json(r, "{}");
}

static void
release_held(void)
{
	WAIT_FOR(atomic_load(&held) != NULL);
	aegis_reply_json(atomic_exchange(&held, NULL), "{}");
}

struct waiting {
	aegis *a;
	const char *service;
	atomic_int code;
};

static void *
wait_for_answer(void *arg)
{
	struct waiting *w = arg;

	atomic_store(&w->code, aegis_call(w->a, w->service, "go", NULL, &(aegis_call_options){ .timeout_ms = 60000 },
	    NULL, NULL));
	return NULL;
}

static void
on_done(void *arg, const aegis_result *r, const aegis_error *err)
{
	(void)r;
	atomic_store((atomic_int *)arg, err != NULL ? err->code : AEGIS_OK);
}

static void
calls_in_flight_end_when_their_handle_closes(void **state)
{
	aegis *s = serve("slow-service", "slow-1", hold, NULL);
	struct waiting w = { connect_as(NULL), "slow-service", -1 };
	atomic_int started = -1;
	pthread_t t;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, wait_for_answer, &w), 0);
	WAIT_FOR(atomic_load(&held) != NULL);
	aegis_request *first = atomic_exchange(&held, NULL);
	ok(aegis_call_start(w.a, "slow-service", "go", NULL, &(aegis_call_options){ .timeout_ms = 60000 }, on_done, &started,
	    &e));
	WAIT_FOR(atomic_load(&held) != NULL);
	aegis_close(w.a);
	pthread_join(t, NULL);
	assert_int_equal(atomic_load(&w.code), AEGIS_CLOSED);
	assert_int_equal(atomic_load(&started), AEGIS_CLOSED);
	aegis_reply_json(first, "{}");
	release_held();
	aegis_close(s);
}

/* --- closing while other threads are somewhere in a call --------------------------------- */

struct asleep {
	aegis *a;
	const char *service;
	atomic_int tid, code;
	struct mono ended;
};

static void *
call_asleep(void *arg)
{
	struct asleep *w = arg;

	atomic_store(&w->tid, (int)gettid());
	int code = aegis_call(w->a, w->service, "go", NULL, &(aegis_call_options){ .timeout_ms = 60000 }, NULL, NULL);
	w->ended = clock_mono(clock_system());
	atomic_store(&w->code, code);
	return NULL;
}

/* sleeps: the thread waits for something, so it is inside its call. */
static bool
sleeps(const struct asleep *w)
{
	char path[64], text[256];

	if (atomic_load(&w->tid) == 0)
		return false;
	snprintf(path, sizeof path, "/proc/self/task/%d/stat", atomic_load(&w->tid));
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return false;
	text[fread(text, 1, sizeof text - 1, f)] = '\0';
	fclose(f);
	const char *state = strrchr(text, ')');
	return state != NULL && strlen(state) > 2 && state[2] == 'S';
}

/* The server stands still, so the first listing does not come, for which a first call waits. */
static void
a_call_that_waits_for_the_registry_ends_with_its_handle(void **state)
{
	static const char *const none[] = { NULL };
	struct plain p;
	pthread_t t;

	(void)state;
	plain_start(&p, none);
	struct asleep w = { .a = connect_as(&(aegis_options){ .servers = p.url, .timeout_ms = 60000 }),
	    .service = "any-service", .code = -1 };
	int status;
	kill(p.pid, SIGSTOP);
	/* All of its threads: one that still runs could say that there is no store. */
	assert_int_equal(waitpid(p.pid, &status, WUNTRACED), p.pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(pthread_create(&t, NULL, call_asleep, &w), 0);
	WAIT_FOR(sleeps(&w));
	struct mono began = clock_mono(clock_system());
	aegis_close(w.a);
	pthread_join(t, NULL);
	assert_int_equal(atomic_load(&w.code), AEGIS_CLOSED);
	assert_true(mono_since(w.ended, began) < 50 * NS_PER_S);	/* and not with its own time */
	plain_stop(&p);
}

/* put_mute_record: an instance is registered, and nobody listens. */
static void
put_mute_record(void)
{
	struct err err;
	struct conn *c = conn_new(&(struct conn_opts){ .servers = bus_url(&bus) }, &err);
	struct registry *r = registry_new(&(struct registry_opts){ .conn = c, .create = true }, &err);
	struct instance i;
	uint64_t rev;

	instance_init(&i);
	i.service = mem_text("mute-service");
	i.id = mem_text("mute-1");
	i.version = mem_text("1.0.0");
	i.last_heartbeat = clock_wall(clock_system());
	expect_ok(registry_put_instance(r, &i, 300, REGISTRY_NEW, &rev, &err), &err);
	instance_release(&i);
	registry_free(r);
	conn_free(c);
}

/* Nobody listens, so the calls pause before their second attempt, or are just at it. */
static void
calls_between_their_attempts_end_with_their_handle(void **state)
{
	unsigned closed = 0;

	(void)state;
	put_mute_record();
	/* On a busy machine a call may be over before its handle closes; not every time. */
	for (int round = 0; round < 20 || (closed == 0 && round < 2000); round++) {
		struct asleep w[4];
		pthread_t t[COUNT_OF(w)];
		aegis *a = connect_as(NULL);
		WAIT_FOR(call(a, "mute-service", 10) == AEGIS_NO_MEMBER);	/* so no call waits for the listing */
		for (size_t i = 0; i < COUNT_OF(w); i++) {
			w[i] = (struct asleep){ .a = a, .service = "mute-service", .code = -1 };
			assert_int_equal(pthread_create(&t[i], NULL, call_asleep, &w[i]), 0);
		}
		for (size_t i = 0; i < COUNT_OF(w); i++)
			WAIT_FOR(sleeps(&w[i]) || atomic_load(&w[i].code) != -1);
		aegis_close(a);
		for (size_t i = 0; i < COUNT_OF(w); i++) {
			pthread_join(t[i], NULL);
			int code = atomic_load(&w[i].code);
			assert_true(code == AEGIS_CLOSED || code == AEGIS_NO_MEMBER);
			closed += code == AEGIS_CLOSED;
		}
	}
	assert_true(closed > 0);
}

static void *
close_it(void *arg)
{
	aegis_close(arg);
	return NULL;
}

/* It is gone for callers before that. */
static void
a_closing_service_finishes_what_arrived(void **state)
{
	aegis *s = serve("going-service", "going-1", hold, NULL), *other = connect_as(NULL);
	struct waiting w = { connect_as(NULL), "going-service", -1 };
	pthread_t t, closing;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, wait_for_answer, &w), 0);
	WAIT_FOR(atomic_load(&held) != NULL);
	assert_int_equal(pthread_create(&closing, NULL, close_it, s), 0);
	WAIT_FOR(call(other, "going-service", 200) == AEGIS_SERVICE_UNKNOWN);
	assert_int_equal(atomic_load(&w.code), -1);
	release_held();
	pthread_join(closing, NULL);
	pthread_join(t, NULL);
	assert_int_equal(atomic_load(&w.code), AEGIS_OK);
	aegis_close(w.a);
	aegis_close(other);
}

struct nested {
	aegis **a;
	atomic_int code;
	atomic_bool asked;
};

static void
ask_further(void *arg, aegis_request *r)
{
	struct nested *n = arg;

	atomic_store(&n->asked, true);
	atomic_store(&n->code, aegis_call(*n->a, "hole-service", "go", NULL, &(aegis_call_options){ .timeout_ms = 120000 },
	    NULL, NULL));
	aegis_fail(r, "the hole does not answer");
}

/* A handler that waits for a call of its own, which nobody will answer, cannot hold up the
 * end for ever: its call ends when the time for draining is over.  Whoever waits for its turn gets
 * it then, or is refused.  It does wait: it was sent before a call that is answered already. */
static void
a_handler_in_a_call_does_not_stop_the_close(void **state)
{
	aegis *hole = serve("hole-service", "hole-1", hold, NULL), *s, *b = connect_as(NULL);
	struct nested n = { &s, -1, false };
	atomic_int outer = -1, second = -1;

	(void)state;
	s = connect_as(NULL);
	ok(aegis_serve(s, "ping", echo, NULL, 0, &e));
	ok(aegis_serve_with(s, "go", ask_further, &n, &(aegis_serve_options){ .concurrency = 1 }, &e));
	ok(enrol(s, "asking-service", "asking-1"));
	ok(aegis_call_start(b, "asking-service", "go", NULL, &(aegis_call_options){ .timeout_ms = 60000 }, on_done, &outer, &e));
	WAIT_FOR(atomic_load(&held) != NULL);
	ok(aegis_call_start(b, "asking-service", "go", NULL, &(aegis_call_options){ .timeout_ms = 60000 }, on_done, &second, &e));
	ok(aegis_call(b, "asking-service", "ping", NULL, NULL, NULL, &e));
	struct mono began = clock_mono(clock_system());
	aegis_close(s);
	int64_t took = mono_since(clock_mono(clock_system()), began);
	assert_true(took < 100 * NS_PER_S);		/* its call could take 120 s */
	assert_int_equal(atomic_load(&n.code), AEGIS_CLOSED);
	WAIT_FOR(atomic_load(&outer) == AEGIS_HANDLER);
	WAIT_FOR(atomic_load(&second) != -1);
	if (atomic_load(&second) != AEGIS_HANDLER && atomic_load(&second) != AEGIS_BUSY)
		fail_msg("the second call ended with %s", aegis_code_name(atomic_load(&second)));
	release_held();
	aegis_close(b);
	aegis_close(hole);
}

/* Everything at once, over and over: what remains is for the sanitizers to see. */
static void
handles_come_and_go(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		atomic_int codes[16];
		aegis *s = serve("brief-service", "brief-1", echo, NULL), *a = connect_as(NULL);
		for (size_t k = 0; k < COUNT_OF(codes); k++) {
			atomic_init(&codes[k], -1);
			ok(aegis_call_start(a, "brief-service", "go", NULL, NULL, on_done, &codes[k], &e));
		}
		if (i % 2 == 0)
			aegis_close(s);
		aegis_close(a);
		if (i % 2 != 0)
			aegis_close(s);
		for (size_t k = 0; k < COUNT_OF(codes); k++) {
			int code = atomic_load(&codes[k]);
			assert_true(code == AEGIS_OK || code == AEGIS_CLOSED || code == AEGIS_NO_MEMBER ||
			    code == AEGIS_SERVICE_UNKNOWN || code == AEGIS_BUSY);
		}
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connecting_fails_with_a_reason),
		cmocka_unit_test(the_environment_names_the_server),
		cmocka_unit_test(without_jetstream_calls_still_work),
		cmocka_unit_test(a_twin_is_refused_and_takes_no_calls),
		cmocka_unit_test(everything_survives_a_restart_of_the_server),
		cmocka_unit_test(a_handle_may_wait_for_the_server),
		cmocka_unit_test(a_handle_closes_without_the_server),
		cmocka_unit_test(calls_in_flight_end_when_their_handle_closes),
		cmocka_unit_test(a_call_that_waits_for_the_registry_ends_with_its_handle),
		cmocka_unit_test(calls_between_their_attempts_end_with_their_handle),
		cmocka_unit_test(a_closing_service_finishes_what_arrived),
		cmocka_unit_test(a_handler_in_a_call_does_not_stop_the_close),
		cmocka_unit_test(handles_come_and_go),
	};

	BUS_SHIM(argc, argv);
	return cmocka_run_group_tests(tests, bus_set_up, bus_tear_down);
}
