/* status.c - one listing, one survey, one check-up. */
#include "app/status.h"

#include <string.h>

#include "base/mem.h"
#include "registry/registry.h"

#define PATIENCE_NS (7 * NS_PER_S)	/* above the wait of the slowest profile */

static void
count_instance(const struct registry_item *it, struct status *out)
{
	out->instances++;
	if (!it->fresh)
		out->stale++;
	else if (it->instance->status == INSTANCE_ACTIVE)
		out->active++;
	else if (it->instance->status == INSTANCE_STANDBY)
		out->standby++;
	else
		out->unhealthy++;
}

/* count: definitions come first, by name, then instances by service, so each list names a service in one run. */
static void
count(const struct registry_list *l, struct status *out)
{
	const char *last = NULL;
	size_t defined = 0;

	while (defined < l->n && l->v[defined].definition != NULL)
		defined++;
	out->services = defined;
	for (size_t i = defined, d = 0; i < l->n; i++) {
		const char *service = l->v[i].instance->service;
		count_instance(&l->v[i], out);
		if (last != NULL && strcmp(last, service) == 0)
			continue;
		last = service;
		while (d < defined && strcmp(l->v[d].definition->service, service) < 0)
			d++;
		out->services += d == defined || strcmp(l->v[d].definition->service, service) != 0;
	}
}

void
status_look(struct conn *c, int64_t stale_ns, struct status *out)
{
	struct registry_query q = { .definitions = true, .instances = true, .stale = true, .stale_ns = stale_ns };
	struct registry_list list;

	memset(out, 0, sizeof *out);
	out->servers = mem_text(conn_servers(c));
	struct registry *r = registry_new(&(struct registry_opts){ .conn = c }, NULL);
	if (r != NULL && registry_list(r, &q, &list, NULL) == ERR_OK) {
		count(&list, out);
		registry_list_release(&list);
	}
	registry_free(r);
	out->groups = groups_survey(c, PATIENCE_NS, NULL);
	for (size_t i = 0; out->groups != NULL && i < out->groups->n; i++) {
		out->led += out->groups->v[i].led;
		out->leaderless += !out->groups->v[i].led;
	}
	doctor_run(&(struct doctor_opts){ .conn = c, .stale_ns = stale_ns }, &out->report, NULL);
}

void
status_release(struct status *s)
{
	mem_free(s->servers);
	groups_drop(s->groups);
	doctor_release(&s->report);
}
