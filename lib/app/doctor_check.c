/* doctor_check.c - rows that join two domains: what an election says against what the registry says. */
#include <stdio.h>
#include <string.h>

#include "app/doctor_check.h"
#include "election/election_check.h"
#include "election/groups.h"
#include "registry/registry.h"

#define PATIENCE_NS (7 * NS_PER_S)	/* above the wait of the slowest profile */

struct tally {
	size_t live, unhealthy;
};

static struct tally
count(const struct registry_list *l, const struct observed *s)
{
	struct tally t = { 0, 0 };

	for (size_t i = 0; i < l->n; i++) {
		const struct instance *x = l->v[i].instance;
		if (x->group == NULL || strcmp(x->service, s->service) != 0 || strcmp(x->group, s->group) != 0)
			continue;
		t.live++;
		t.unhealthy += x->status == INSTANCE_UNHEALTHY;
	}
	return t;
}

static void
judge(struct checkup *c, const struct registry_list *l, const struct observed *s)
{
	struct tally t = s->led || !s->certain ? (struct tally){ 0, 0 } : count(l, s);
	char word[GROUP_WORD_MAX], remedy[256];

	if (t.live == 0)
		return;
	group_word(s, word);
	snprintf(remedy, sizeof remedy, "aegis registry ls --instances --service %s", s->service);
	findings_add(c->out, FINDING_CRITICAL, ERR_NOT_ACTIVE, remedy,
	    "group %s has %zu live instance%s, %zu of them unhealthy, and none leads: exclusive calls are refused", word, t.live,
	    t.live == 1 ? "" : "s", t.unhealthy);
}

/* grouped: somebody says that he belongs to a group; else no survey is worth its time. */
static bool
grouped(const struct registry_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].instance->group != NULL)
			return true;
	return false;
}

static void
check_members(struct checkup *c)
{
	struct registry *r = registry_new(&(struct registry_opts){ .conn = c->conn }, NULL);
	struct registry_query q = { .instances = true, .stale_ns = c->stale_ns };
	struct registry_list list;

	/* The rows of either domain tell when they cannot look. */
	if (r != NULL && registry_list(r, &q, &list, NULL) == ERR_OK) {
		const struct groups_list *l = grouped(&list) ? groups_survey(c->conn, PATIENCE_NS, NULL) : NULL;
		for (size_t i = 0; l != NULL && i < l->n; i++)
			judge(c, &list, &l->v[i]);
		groups_drop(l);
		registry_list_release(&list);
	}
	registry_free(r);
}

static const char *const asks[] = {
	"$JS.API.STREAM.INFO.KV_service_registry", "$JS.API.CONSUMER.CREATE.KV_service_registry", NULL
};

const struct check joint_checks[] = {
	{ "groups.members", "groups of live instances of which none leads", NEEDS_JETSTREAM, check_members, asks },
	{ NULL, NULL, NEEDS_NATS, NULL, NULL },
};
