/* group.c - the one writer of a group (GET /api/groups, the event "group"). */
#include "monitor/group.h"

#include <string.h>

#include "codec/codec.h"
#include "model/instance.h"

static void
pack_leader(struct pack *k, const struct group *g)
{
	if (g->leader == NULL) {
		pack_key_null(k, "leader");
		return;
	}
	pack_key_map(k, "leader", 3);
	pack_key_puts(k, "instance", g->leader);
	pack_key_uint(k, "epoch", g->epoch);
	pack_key_time(k, "since", g->since);
}

/* role: whoever told of the group knows who leads; a record that says so of somebody else is old. */
static const char *
role(const struct group *g, const struct instance *i)
{
	if (g->leader != NULL && strcmp(g->leader, i->id) == 0)
		return "leader";
	return i->sticky == STICKY_ELECTING ? "electing" : "standby";
}

static void
pack_member(struct pack *k, const struct group *g, const struct group_member *m)
{
	pack_map(k, 4);
	pack_key_puts(k, "instance", m->instance->id);
	pack_key_puts(k, "role", role(g, m->instance));
	pack_key_puts(k, "status", instance_status_name(m->instance->status));
	pack_key_bool(k, "stale", m->stale);
}

void
group_pack(struct pack *k, const struct group *g, uint32_t more)
{
	pack_map(k, 8 + more);
	pack_key_puts(k, "service", g->service);
	pack_key_puts(k, "group", g->name);
	pack_leader(k, g);
	pack_key_puts(k, "obstacle", g->obstacle);
	pack_key_array(k, "warnings", g->nwarnings);
	for (uint32_t i = 0; i < g->nwarnings; i++)
		pack_puts(k, g->warnings[i]);
	pack_key_puts(k, "profile", g->profile);
	pack_key_nonzero(k, "lease_ms", g->lease_ms);
	pack_key_array(k, "members", (uint32_t)g->nmembers);
	for (size_t i = 0; i < g->nmembers; i++)
		pack_member(k, g, &g->members[i]);
}
