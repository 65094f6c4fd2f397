/* fleet.c - one thread that writes the record of the next instance whenever its time has come. */
#include "bench/fleet.h"

#include <pthread.h>
#include <stdio.h>

#include "base/id.h"
#include "base/mem.h"
#include "base/wall.h"
#include "discovery/discovery.h"
#include "registry/registry.h"
#include "sys/clock.h"
#include "sys/pool.h"
#include "sys/thread.h"

#define BEAT_NS (10 * NS_PER_S)		/* of one instance, and its TTL: those of members */
#define TTL_S 30
#define LOOK_NS (1 * NS_PER_MS)

struct fleet {
	struct conn *conn;
	struct registry *registry;
	char *service;
	unsigned n, there;		/* there: records that stand */
	struct instance *one;		/* all are alike but for the id */
	pthread_t thread;
	bool beating;
	pthread_mutex_t lock;		/* leaf: stop */
	pthread_cond_t changed;
	bool stop;
};

static void
set_id(struct fleet *f, struct instance *i, unsigned number)
{
	mem_free(i->id);
	i->id = mem_printf("%s-%05u", f->service, number + 1);
	i->last_heartbeat = clock_wall(clock_system());
}

static struct instance *
make_instance(const char *service)
{
	struct instance *i = mem_new(sizeof *i);
	char when[WALL_TEXT_MAX], nonce[ID_NONCE_MAX];

	wall_utc(clock_wall(clock_system()), when);
	id_nonce(nonce);
	instance_init(i);
	i->service = mem_text(service);
	i->version = mem_text("1.0.0");
	i->status = INSTANCE_ACTIVE;
	mem_free(i->metadata);
	i->metadata = mem_printf("{\"start_time\":\"%s\",\"nonce\":\"%s\",\"direct_rpc\":true}", when, nonce);
	i->nonce = mem_text(nonce);
	i->direct_rpc = true;
	return i;
}

struct fleet *
fleet_new(const struct conn_opts *o, const char *service, unsigned n, struct err *err)
{
	struct fleet *f = mem_new(sizeof *f);

	pthread_mutex_init(&f->lock, NULL);
	thread_cond_init(&f->changed);
	f->service = mem_text(service);
	f->n = n;
	f->one = make_instance(service);
	if ((f->conn = conn_new(o, err)) == NULL ||
	    (f->registry = registry_new(&(struct registry_opts){ .conn = f->conn, .create = true }, err)) == NULL) {
		fleet_free(f);
		return NULL;
	}
	return f;
}

/* await_stop: until then at the latest; true when it is time to end. */
static bool
await_stop(struct fleet *f, struct mono until)
{
	pthread_mutex_lock(&f->lock);
	while (!f->stop && thread_cond_wait(&f->changed, &f->lock, until))
		continue;
	bool stop = f->stop;
	pthread_mutex_unlock(&f->lock);
	return stop;
}

/* beat: a record that could not be written is written again in its next turn, as its TTL
 * allows for two that are missed. */
static void *
beat(void *arg)
{
	struct fleet *f = arg;
	struct instance *i = instance_clone(f->one);
	struct mono next = clock_mono(clock_system());

	for (unsigned k = 0;; k = (k + 1) % f->n) {
		next = mono_after(next, BEAT_NS / f->n);
		if (await_stop(f, next))
			break;
		set_id(f, i, k);
		registry_put_instance(f->registry, i, TTL_S, REGISTRY_ANY, &(uint64_t){ 0 }, NULL);
	}
	instance_free(i);
	if (pool_thread_end != NULL)
		pool_thread_end();
	return NULL;
}

enum err_code
fleet_come(struct fleet *f, struct err *err)
{
	enum err_code code = ERR_OK;
	uint64_t revision;

	while (f->there < f->n && code == ERR_OK) {
		set_id(f, f->one, f->there);
		code = registry_put_instance(f->registry, f->one, TTL_S, REGISTRY_ANY, &revision, err);
		f->there += code == ERR_OK;
	}
	if (code == ERR_OK && !f->beating) {
		f->stop = false;
		code = thread_start(&f->thread, "heartbeats", beat, f, err);
		f->beating = code == ERR_OK;
	}
	if (code != ERR_OK) {
		err_prefix(err, "instances of '%s'", f->service);
		fleet_go(f, NULL);
	}
	return code;
}

enum err_code
fleet_go(struct fleet *f, struct err *err)
{
	enum err_code code = ERR_OK, first = ERR_OK;
	struct err e;

	if (f->beating) {
		pthread_mutex_lock(&f->lock);
		f->stop = true;
		pthread_cond_signal(&f->changed);
		pthread_mutex_unlock(&f->lock);
		pthread_join(f->thread, NULL);
		f->beating = false;
	}
	for (; f->there > 0; f->there--) {
		set_id(f, f->one, f->there - 1);
		code = registry_remove_instance(f->registry, f->service, f->one->id, REGISTRY_ANY, &e);
		if (code != ERR_OK && first == ERR_OK)
			first = err_set(err, code, "%s", e.text);	/* the rest may still be removed */
		if (code == ERR_UNAVAILABLE || code == ERR_TIMEOUT)
			break;					/* their TTL removes them */
	}
	f->there = 0;
	return first;
}

void
fleet_free(struct fleet *f)
{
	if (f == NULL)
		return;
	if (f->registry != NULL)
		fleet_go(f, NULL);
	registry_free(f->registry);
	conn_free(f->conn);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	instance_free(f->one);
	mem_free(f->service);
	mem_free(f);
}

enum err_code
fleet_touch(struct fleet *f, uint64_t *revision, struct err *err)
{
	set_id(f, f->one, 0);
	return registry_put_instance(f->registry, f->one, TTL_S, REGISTRY_ANY, revision, err);
}

bool
fleet_seen(struct discovery *d, const char *service, unsigned n, int64_t timeout_ns)
{
	struct mono until = mono_after(clock_mono(clock_system()), timeout_ns);

	if (!discovery_wait(d, timeout_ns))
		return false;
	for (;;) {
		const struct directory *dir = discovery_take(d);
		const struct service_group *g = directory_find(dir, service);
		size_t there = g != NULL ? g->n : 0;
		discovery_drop(dir);
		if (there == n)
			return true;
		if (mono_reached(clock_mono(clock_system()), until))
			return false;
		thread_pause(LOOK_NS);
	}
}
