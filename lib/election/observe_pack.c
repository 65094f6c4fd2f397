/* observe_pack.c - what an observer saw of registers and changes, in the words that the terminal and HTTP share. */
#include "election/observe.h"

#include <stdio.h>

#include "codec/codec.h"

const char *
observed_register_state(const struct observed_register *g)
{
	static const char *const readings[] = {
		[REGISTER_LOST] = "lost", [REGISTER_BLANK] = "blank", [REGISTER_UNREADABLE] = "unreadable",
	};

	return observed_register_holds(g) ? lease_mark_name(g->record.value.mark) : readings[g->reading];
}

void
observed_register_name(const struct observed_register *g, char out[OBSERVED_NAME_MAX])
{
	snprintf(out, OBSERVED_NAME_MAX, "AEGIS_L%u", g->number);
}

static void
pack_register(struct pack *p, const struct observed_register *g)
{
	bool holds = observed_register_holds(g);
	char name[OBSERVED_NAME_MAX];

	observed_register_name(g, name);
	pack_map(p, 10);
	pack_key_uint(p, "number", g->number);
	pack_key_puts(p, "bucket", name);
	pack_key_some(p, "node", g->node);
	pack_key_bool(p, "reached", g->reached);
	pack_key_some(p, "problem", g->why);
	pack_key_puts(p, "state", observed_register_state(g));
	pack_key_uint(p, "revision", g->revision);
	pack_key_puts(p, "owner", holds ? g->record.holder : NULL);
	pack_key_uint(p, "epoch", holds ? g->record.value.epoch : 0);
	pack_key_uint(p, "age_ms", g->age_ns > 0 ? (uint64_t)(g->age_ns / NS_PER_MS) : 0);
}

void
observed_pack_registers(struct pack *p, const struct observed *s)
{
	pack_key_array(p, "registers", s->site.n);
	for (unsigned r = 0; r < s->site.n; r++)
		pack_register(p, &s->reg[r]);
}

void
observed_pack_changes(struct pack *p, const struct observed *s)
{
	pack_key_array(p, "changes", s->changes.n);
	for (unsigned i = 0; i < s->changes.n; i++) {
		const struct lease_change *c = &s->changes.list[i];
		pack_map(p, 4);
		pack_key_time(p, "at", c->at);
		pack_key_puts(p, "instance", c->instance);
		pack_key_uint(p, "epoch", c->epoch);
		pack_key_puts(p, "reason", c->reason);
	}
}
