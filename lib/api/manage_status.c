/* manage_status.c - the four health routes of the Python API, with true values (wire.md §11). */

#include "api/manage_inner.h"
#include "base/magic.h"
#include "base/wall.h"
#include "discovery/discovery.h"
#include "nats/conn.h"
#include "sys/clock.h"
#include "sys/usage.h"

#define SERVICE "aegis-management"

static void
put_name(struct pack *k, const struct manage *m, bool well)
{
	pack_key_puts(k, "status", well ? "healthy" : "unhealthy");
	pack_key_puts(k, "service", SERVICE);
	pack_key_puts(k, "version", m->version);
}

static void
reply(struct web_request *r, struct pack *k)
{
	MUST(pack_end(k, NULL) == ERR_OK);
	manage_json(r, 200, k->out, NULL);
}

enum err_code
manage_health(void *arg, struct web_request *r, struct err *err)
{
	struct manage *m = arg;
	struct str out = STR_INIT;
	struct pack k;

	if (manage_up(m, err) != ERR_OK) {
		manage_fail(r, ERR_HEALTH, 0, NULL, "%s", err->text);
		return ERR_OK;
	}
	pack_init(&k, &out, DATA_JSON, PACK_COMPACT);
	pack_map(&k, 4);
	put_name(&k, m, true);
	pack_key_puts(&k, "nats_url", conn_servers(m->conn));
	reply(r, &k);
	return ERR_OK;
}

enum err_code
manage_ready(void *arg, struct web_request *r, struct err *err)
{
	struct manage *m = arg;
	struct str out = STR_INIT;
	struct pack k;

	if (manage_up(m, err) != ERR_OK || atomic_load(&m->draining)) {
		manage_fail(r, ERR_UNAVAILABLE, 0, NULL, "%s", atomic_load(&m->draining) ? "this process is stopping" : err->text);
		return ERR_OK;
	}
	pack_init(&k, &out, DATA_JSON, PACK_COMPACT);
	pack_map(&k, 1);
	pack_key_puts(&k, "status", "ready");
	reply(r, &k);
	return ERR_OK;
}

/* live_services: how many have a live instance. */
static uint64_t
live_services(struct manage *m)
{
	const struct directory *d = discovery_take(m->discovery);
	int64_t stale_ns = discovery_stale_ns(m->discovery);
	struct wall now = clock_wall(clock_system());
	uint64_t n = 0;

	for (size_t i = 0; d != NULL && i < d->n; i++) {
		bool live = false;
		for (size_t k = 0; k < d->v[i]->n && !live; k++)
			live = instance_is_fresh(d->v[i]->v[k]->instance, now, stale_ns);
		n += live;
	}
	discovery_drop(d);
	return n;
}

enum err_code
manage_status(void *arg, struct web_request *r, struct err *err)
{
	struct manage *m = arg;
	struct str out = STR_INIT;
	char now[WALL_TEXT_MAX];
	struct pack k;

	(void)err;
	wall_utc(clock_wall(clock_system()), now);
	pack_init(&k, &out, DATA_JSON, PACK_COMPACT);
	pack_map(&k, 5);
	pack_key_puts(&k, "timestamp", now);
	pack_key(&k, "uptime_seconds");
	pack_real(&k, ns_seconds(mono_since(clock_mono(clock_system()), m->began)));
	pack_key_puts(&k, "environment", m->environment);
	pack_key_uint(&k, "connected_services", live_services(m));
	pack_key_puts(&k, "deployment_version", m->deployment);
	reply(r, &k);
	return ERR_OK;
}

/* cpu_percent: since the last time that somebody asked. */
static double
cpu_percent(struct manage *m)
{
	struct usage_cpu now, before = { 0 };

	if (!usage_cpu(&now))
		return 0;
	before.busy = atomic_exchange(&m->cpu_busy, now.busy);
	before.total = atomic_exchange(&m->cpu_total, now.total);
	return usage_cpu_percent(before, now);
}

enum err_code
manage_health_detailed(void *arg, struct web_request *r, struct err *err)
{
	struct manage *m = arg;
	struct str out = STR_INIT;
	struct pack k;
	bool well = manage_up(m, err) == ERR_OK, answers = manage_answers(m);

	pack_init(&k, &out, DATA_JSON, PACK_COMPACT);
	pack_map(&k, 5);
	put_name(&k, m, well);
	pack_key_map(&k, "system_metrics", 3);
	pack_key_real(&k, "cpu_percent", cpu_percent(m));
	pack_key_real(&k, "memory_percent", usage_memory_percent());
	pack_key_real(&k, "disk_usage_percent", usage_disk_percent("/"));
	pack_key_map(&k, "dependencies", 1);
	pack_key_map(&k, "nats", 2);
	pack_key_puts(&k, "status", answers ? "healthy" : "unhealthy");
	pack_key(&k, "latency_ms");
	if (answers)
		pack_real(&k, (double)atomic_load(&m->rtt_ns) / (double)NS_PER_MS);
	else
		pack_null(&k);
	reply(r, &k);
	return ERR_OK;
}
