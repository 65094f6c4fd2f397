/* t_discovery - the watch, the table and its snapshots against a real server that is killed
 * again and again while records change: afterwards the snapshot always equals the bucket. */
#include "expect.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/magic.h"
#include "bus.h"
#include "discovery/discovery.h"
#include "nats/conn.h"
#include "registry/registry.h"
#include "sys/loop.h"
#include "sys/loop_thread.h"

#define ROUNDS 50
#define SERVICES 3
#define INSTANCES 8

/* One process as discovery sees it: a loop on a thread of its own, a connection, a directory. */
struct world {
	struct bus bus;
	struct loop *loop;
	struct loop_thread thread;
	struct conn *conn, *writing;
	struct discovery *discovery;
	struct registry *registry;
	struct err err;
};

static struct conn *
link_to(struct world *w, const char *name)
{
	struct conn *c = conn_new(&(struct conn_opts){
		.servers = bus_url(&w->bus), .name = name, .timeout_ns = 2 * NS_PER_S, .wait = true,
	}, &w->err);

	assert_non_null(c);
	return c;
}

static void
world_open(struct world *w)
{
	memset(w, 0, sizeof *w);
	assert_true(bus_start(&w->bus));
	assert_non_null(w->loop = loop_new(clock_system(), 1024, &w->err));
	w->conn = link_to(w, "t_discovery reader");
	w->writing = link_to(w, "t_discovery writer");
	w->discovery = discovery_new(&(struct discovery_opts){ .loop = w->loop, .conn = w->conn });
	assert_int_equal(loop_thread_start(&w->thread, w->loop, &w->err), ERR_OK);
}

static void
world_close(struct world *w)
{
	loop_thread_stop(&w->thread);
	discovery_free(w->discovery);
	registry_free(w->registry);
	conn_free(w->conn);
	conn_free(w->writing);
	loop_free(w->loop);
	bus_end(&w->bus);
}

static void
open_registry(struct world *w)
{
	w->registry = registry_new(&(struct registry_opts){ .conn = w->writing, .create = true }, &w->err);
	if (w->registry == NULL)
		fail_msg("%s", w->err.text);
}

/* put_now: while the server is there. */
#define put_now(w, s, i, version) WAIT_FOR(put((w), (s), (i), (version), &(w)->err) == ERR_OK)

/* put: instance i of service s, whatever is there; its version tells one write from another. */
static enum err_code
put(struct world *w, int s, int i, unsigned version, struct err *err)
{
	struct instance one;
	char text[32];

	instance_init(&one);
	mem_free(one.metadata);
	one.service = mem_printf("service-%d", s);
	one.id = mem_printf("i-%d", i);
	snprintf(text, sizeof text, "1.0.%u", version);
	one.version = mem_text(text);
	one.metadata = mem_text("{}");
	one.last_heartbeat = clock_wall(clock_system());
	enum err_code code = registry_put_instance(w->registry, &one, 600, REGISTRY_ANY, NULL, err);
	instance_release(&one);
	return code;
}

static enum err_code
drop(struct world *w, int s, int i, struct err *err)
{
	char service[32], id[32];

	snprintf(service, sizeof service, "service-%d", s);
	snprintf(id, sizeof id, "i-%d", i);
	return registry_remove_instance(w->registry, service, id, REGISTRY_ANY, err);
}

/* --- the picture and the bucket ---------------------------------------------------------- */

static const struct member_entry *
entry_of(const struct directory *dir, const struct instance *i)
{
	const struct service_group *g = directory_find(dir, i->service);

	for (size_t k = 0; g != NULL && k < g->n; k++)
		if (strcmp(g->v[k]->instance->id, i->id) == 0)
			return g->v[k];
	return NULL;
}

/* is_equal: what readers see is what a listing of the bucket finds. */
static bool
is_equal(struct world *w)
{
	struct registry_list list;
	struct registry_query q = { .instances = true, .stale = true };

	if (registry_list(w->registry, &q, &list, &w->err) != ERR_OK)
		return false;
	const struct directory *dir = discovery_take(w->discovery);
	bool equal = dir != NULL && dir->instances == list.n;
	for (size_t k = 0; equal && k < list.n; k++) {
		const struct member_entry *e = entry_of(dir, list.v[k].instance);
		equal = e != NULL && e->revision == list.v[k].revision &&
		    strcmp(e->instance->version, list.v[k].instance->version) == 0;
	}
	discovery_drop(dir);
	registry_list_release(&list);
	return equal;
}

static size_t
seen(struct world *w)
{
	const struct directory *dir = discovery_take(w->discovery);
	size_t n = dir != NULL ? dir->instances : 0;

	discovery_drop(dir);
	return n;
}

/* --- restarts under change --------------------------------------------------------------- */

struct hands {
	struct world *w;
	atomic_bool quit, rest, resting;
	atomic_ulong writes, looks, torn;
	uint64_t seed, pauses;		/* of the changing thread; of the one that restarts the server */
};

static uint64_t
chance(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* change: puts and removes at random, fails while the server is away, and does not mind. */
static void *
change(void *arg)
{
	struct hands *h = arg;
	struct err err;

	for (unsigned n = 0; !atomic_load(&h->quit); n++) {
		int s = (int)(chance(&h->seed) % SERVICES), i = (int)(chance(&h->seed) % INSTANCES);
		atomic_store(&h->resting, atomic_load(&h->rest));
		if (!atomic_load(&h->rest)) {
			enum err_code code = chance(&h->seed) % 3 == 0 ? drop(h->w, s, i, &err) : put(h->w, s, i, n, &err);
			atomic_fetch_add(&h->writes, code == ERR_OK);
		}
		nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
	}
	return NULL;
}

/* look: a reader that never waits; each picture must be whole, whatever happens around it. */
static void *
look(void *arg)
{
	struct hands *h = arg;

	while (!atomic_load(&h->quit)) {
		const struct directory *dir = discovery_take(h->w->discovery);
		size_t n = 0;
		for (size_t k = 0; dir != NULL && k < dir->n; k++) {
			n += dir->v[k]->n;
			for (size_t j = 0; j < dir->v[k]->n; j++)
				if (strcmp(dir->v[k]->v[j]->instance->service, dir->v[k]->name) != 0)
					atomic_fetch_add(&h->torn, 1);
		}
		if (dir != NULL && n != dir->instances)
			atomic_fetch_add(&h->torn, 1);
		discovery_drop(dir);
		atomic_fetch_add(&h->looks, 1);
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	}
	return NULL;
}

static void
crash(struct world *w)
{
	kill(nats_server_pid(w->bus.server), SIGKILL);
	bus_stop(&w->bus);
}

static void
one_round(struct world *w, struct hands *h)
{
	nanosleep(&(struct timespec){ .tv_nsec = (long)(chance(&h->pauses) % 20) * 1000000 }, NULL);
	crash(w);
	/* Away: the last-known picture is served, and marked. */
	WAIT_FOR(!discovery_state(w->discovery).synced);
	assert_true(seen(w) > 0);
	struct discovery_state away = discovery_state(w->discovery);
	WAIT_FOR(discovery_state(w->discovery).age_ns > away.age_ns);
	assert_true(bus_start(&w->bus));
	WAIT_FOR(discovery_state(w->discovery).synced);
	assert_int_equal(discovery_state(w->discovery).age_ns, 0);
	/* More changes, over the new connection; then everything stands still and must agree. */
	unsigned long before = atomic_load(&h->writes);
	nanosleep(&(struct timespec){ .tv_nsec = (long)(chance(&h->pauses) % 20) * 1000000 }, NULL);
	WAIT_FOR(atomic_load(&h->writes) > before);
	atomic_store(&h->rest, true);
	WAIT_FOR(atomic_load(&h->resting));
	WAIT_FOR(is_equal(w));
	atomic_store(&h->rest, false);
	WAIT_FOR(!atomic_load(&h->resting));
}

static void
after_each_of_50_restarts_the_picture_equals_the_bucket(void **state)
{
	struct world w;
	struct hands h = { .w = &w, .seed = 4711, .pauses = 1147 };
	pthread_t changing, looking;

	(void)state;
	world_open(&w);
	open_registry(&w);
	for (int s = 0; s < SERVICES; s++)
		put_now(&w, s, INSTANCES, 0);	/* these stay */
	assert_true(discovery_wait(w.discovery, WAIT_NS));
	WAIT_FOR(is_equal(&w));
	pthread_create(&changing, NULL, change, &h);
	pthread_create(&looking, NULL, look, &h);
	for (int n = 0; n < ROUNDS; n++)
		one_round(&w, &h);
	atomic_store(&h.quit, true);
	pthread_join(changing, NULL);
	pthread_join(looking, NULL);
	assert_int_equal(atomic_load(&h.torn), 0);
	assert_true(atomic_load(&h.looks) > ROUNDS);
	assert_true(discovery_state(w.discovery).resyncs >= ROUNDS);
	world_close(&w);
}

/* --- buckets that come and go ------------------------------------------------------------ */

static void
delete_bucket(struct world *w)
{
	struct conn_msg m = { .subject = "$JS.API.STREAM.DELETE.KV_service_registry" };
	struct msg *reply = NULL;

	assert_int_equal(conn_request(w->writing, &m, WAIT_NS, &reply, &w->err), ERR_OK);
	assert_non_null(memmem(msg_data(reply), msg_size(reply), "true", 4));
	msg_free(reply);
}

static void
a_bucket_made_again_is_read_again(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	open_registry(&w);
	for (int i = 0; i < 5; i++)
		put_now(&w, 0, i, 1);
	assert_true(discovery_wait(w.discovery, WAIT_NS));
	WAIT_FOR(seen(&w) == 5);

	/* The new one counts its revisions afresh, so none may be taken for an old one. */
	delete_bucket(&w);
	registry_free(w.registry);
	open_registry(&w);
	put_now(&w, 1, 7, 2);
	WAIT_FOR(seen(&w) == 1 && is_equal(&w));
	put_now(&w, 1, 8, 3);
	WAIT_FOR(seen(&w) == 2 && is_equal(&w));
	world_close(&w);
}

static void
a_bucket_that_is_not_there_yet_is_awaited(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	/* Nobody waits out a time-out for what is not there. */
	struct mono start = clock_mono(clock_system());
	assert_false(discovery_wait(w.discovery, 150 * NS_PER_S));
	assert_true(mono_since(clock_mono(clock_system()), start) < 100 * NS_PER_S);
	assert_null(discovery_take(w.discovery));
	open_registry(&w);
	put_now(&w, 0, 1, 1);
	WAIT_FOR(seen(&w) == 1 && is_equal(&w));
	world_close(&w);
}

static void
changes_arrive_without_being_asked_for(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	open_registry(&w);
	put_now(&w, 0, 1, 1);
	assert_true(discovery_wait(w.discovery, WAIT_NS));
	put_now(&w, 0, 2, 1);
	WAIT_FOR(seen(&w) == 2);
	/* A reader that holds on to an old picture keeps it whole. */
	const struct directory *old = discovery_take(w.discovery);
	WAIT_FOR(drop(&w, 0, 1, &w.err) == ERR_OK);
	put_now(&w, 0, 2, 9);
	WAIT_FOR(seen(&w) == 1 && is_equal(&w));
	assert_int_equal(old->instances, 2);
	assert_string_equal(directory_find(old, "service-0")->v[1]->instance->version, "1.0.1");
	discovery_drop(old);
	world_close(&w);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_arrive_without_being_asked_for),
		cmocka_unit_test(after_each_of_50_restarts_the_picture_equals_the_bucket),
		cmocka_unit_test(a_bucket_made_again_is_read_again),
		cmocka_unit_test(a_bucket_that_is_not_there_yet_is_awaited),
	};

	BUS_SHIM(argc, argv);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	conn_library_close();
	return failed;
}
