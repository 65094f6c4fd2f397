/* sweeper.c - two looks at a record, and its end. */
#include "registry/sweeper.h"

#include <stdatomic.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "registry/registry.h"

#define REMEMBERED 20000	/* beyond that, dead ones wait until others are gone */

/* A stale record as it was when it was first seen like this. */
struct corpse {
	uint64_t revision, pass;	/* pass: in which it was seen last */
	struct mono since;
};

struct sweeper {
	struct registry *registry;
	int64_t still_ns;
	struct map corpses;		/* "service/id" -> corpse */
	uint64_t pass;
	atomic_ulong removed;
};

struct sweeper *
sweeper_new(struct registry *r, int64_t still_ns)
{
	struct sweeper *s = mem_new(sizeof *s);

	s->registry = r;
	s->still_ns = still_ns;
	map_init(&s->corpses);
	return s;
}

void
sweeper_free(struct sweeper *s)
{
	const struct map_slot *m;

	if (s == NULL)
		return;
	for (size_t i = 0; (m = map_next(&s->corpses, &i)) != NULL;)
		mem_free(m->value);
	map_release(&s->corpses);
	mem_free(s);
}

/* look: true when the record stood still for long enough. */
static bool
look(struct sweeper *s, const char *key, uint64_t revision, struct mono now)
{
	struct corpse *c = map_get(&s->corpses, key);

	if (c == NULL) {
		if (s->corpses.n >= REMEMBERED)
			return false;
		c = mem_new(sizeof *c);
		map_set(&s->corpses, key, c);
	}
	if (c->revision != revision)
		*c = (struct corpse){ .revision = revision, .since = now };
	c->pass = s->pass;
	return mono_since(now, c->since) >= s->still_ns;
}

static void
bury(struct sweeper *s, const struct registry_item *x)
{
	const struct instance *i = x->instance;
	struct err err;

	if (registry_remove_instance(s->registry, i->service, i->id, x->revision, &err) == ERR_OK) {
		atomic_fetch_add(&s->removed, 1);
		log_info(EV_REGISTRY_SWEPT, LOG_F(LOG_S("service", i->service), LOG_S("instance", i->id)),
		    "removed the record of instance '%s' of '%s': it was not refreshed for long, and this bucket expires nothing by itself",
		    i->id, i->service);
	} else {
		log_debug(EV_REGISTRY_SWEPT, LOG_F(LOG_S("err", err.text)), "left the record of instance '%s': %s", i->id, err.text);
	}
}

/* forget: what this pass did not see. */
static void
forget(struct sweeper *s)
{
	const struct map_slot *m;

	for (size_t i = 0; (m = map_next(&s->corpses, &i)) != NULL;) {
		struct corpse *c = m->value;
		if (c->pass == s->pass)
			continue;
		char *key = mem_text(m->key);	/* the map's own goes with its place */
		map_remove(&s->corpses, key);
		mem_free(key);
		mem_free(c);
	}
}

enum err_code
sweeper_pass(struct sweeper *s, struct mono now, struct err *err)
{
	struct registry_query q = { .instances = true, .stale = true };
	struct registry_list l;
	enum err_code code;

	if (registry_has_ttl(s->registry))
		return ERR_OK;
	if ((code = registry_list(s->registry, &q, &l, err)) != ERR_OK)
		return code;
	s->pass++;
	for (size_t i = 0; i < l.n; i++) {
		if (l.v[i].instance == NULL || l.v[i].fresh)
			continue;
		char *key = mem_printf("%s/%s", l.v[i].instance->service, l.v[i].instance->id);
		if (look(s, key, l.v[i].revision, now))
			bury(s, &l.v[i]);
		mem_free(key);
	}
	forget(s);
	registry_list_release(&l);
	return ERR_OK;
}

uint64_t
sweeper_removed(const struct sweeper *s)
{
	return atomic_load(&s->removed);
}
