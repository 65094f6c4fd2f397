/* election_check.c - rows about registers and groups. */
#include "election/election_check.h"

#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "codec/lease.h"
#include "election/elector.h"
#include "election/groups.h"
#include "election/observe_inner.h"
#include "nats/kv.h"

#define PATIENCE_NS (7 * NS_PER_S)	/* above the wait of the slowest profile, 5.5 s */

const struct store election_stores[] = {
	{ .stream = "KV_" META_BUCKET, .purpose = "groups and the set of registers", .subjects = "$KV." META_BUCKET ".>", .history = 1,
	    .direct = STORE_OFF, .missing = FINDING_NOTE, .without = "the first member of a group makes it" },
	{ .stream = NULL },
};

void
group_word(const struct observed *s, char out[GROUP_WORD_MAX])
{
	bool elect = strcmp(s->service, ELECT_SERVICE) == 0;

	snprintf(out, GROUP_WORD_MAX, "%s%s%s", elect ? "" : s->service, elect ? "" : "/", s->group);
}

const char *
obstacle_sentence(enum lease_obstacle o)
{
	static const char *const sentences[] = {
		[LEASE_WHY_CLEAR] = "", [LEASE_WHY_UNPINNED] = "too few registers answer; look after their NATS nodes",
		[LEASE_WHY_NO_QUORUM] = "no value is known of a quorum of registers; look after their NATS nodes",
		[LEASE_WHY_EMPTY] = "registers lost their data, and members may not fill them; aegis elect --repair",
		[LEASE_WHY_GONE] = "the set of registers was replaced; start the members anew",
		[LEASE_WHY_NOT_ELIGIBLE] = "the registers are well, but no member takes the lead; is one running and healthy?",
	};

	return sentences[o];
}

/* --- registers ------------------------------------------------------------------------------ */

/* find_set: false without one, and then nothing is wrong with it. */
static bool
find_set(struct checkup *c, struct lease_set *set)
{
	struct kv kv = { c->conn, META_BUCKET };
	struct kv_entry e;
	struct err err;
	bool found = false;
	enum err_code code = kv_get(&kv, "set", &e, &err);

	if (code == ERR_OK) {
		found = lease_set_decode(e.value, e.n, set, &err) == ERR_OK;
		if (!found)
			findings_add(c->out, FINDING_CRITICAL, ERR_CORRUPT, NULL, "the set of registers in %s cannot be read: %s", META_BUCKET,
			    err.text);
		kv_entry_release(&e);
	} else if (code != ERR_NOT_FOUND) {
		checkup_failed(c, &err);
	}
	return found && set->ready;
}

static void
check_register(struct checkup *c, const struct lease_set *set, const struct observed_stream *s)
{
	if (s->code == ERR_NOT_FOUND)
		findings_add(c->out, FINDING_CRITICAL, ERR_NOT_FOUND, "aegis elect GROUP --repair --yes",
		    "the register AEGIS_L%u is gone: %s", s->number, set->n == 1 ? "nobody can lead" : "one more, and nobody can lead");
	else if (s->code != ERR_OK)
		findings_add(c->out, set->n == 1 ? FINDING_CRITICAL : FINDING_WARNING, s->code, NULL,
		    "the register AEGIS_L%u does not answer%s%s: %s", s->number, set->node[s->number > 0 ? s->number - 1 : 0][0] != '\0' ?
		    "; look after the NATS node " : "", set->node[s->number > 0 ? s->number - 1 : 0], s->why);
	else if (s->why[0] != '\0')
		findings_add(c->out, FINDING_CRITICAL, ERR_STORE, "aegis elect GROUP --repair --yes",
		    "the register AEGIS_L%u cannot be used: %s", s->number, s->why);
}

/* check_spread: three registers are worth three only on three nodes. */
static void
check_spread(struct checkup *c, const struct observed_site *site)
{
	for (unsigned a = 0; a < site->set.n; a++)
		for (unsigned b = a + 1; b < site->set.n; b++) {
			const char *node = site->reg[a].stream.leader;
			if (node[0] != '\0' && strcmp(node, site->reg[b].stream.leader) == 0)
				findings_add(c->out, FINDING_WARNING, ERR_STORE, "aegis elect GROUP --repair --yes",
				    "the registers AEGIS_L%u and AEGIS_L%u lie on the same node %s: nobody leads while it is away",
				    site->reg[a].number, site->reg[b].number, node);
		}
}

/* check_lost: registers without AEGIS_META; where there are neither, no election was ever held. */
static void
check_lost(struct checkup *c)
{
	struct lease_stream s;

	for (unsigned reg = REGISTER_ALONE; reg <= LEASE_REGISTERS; reg++) {
		if (streams_look(c->conn, reg, STREAMS_ASK_NS, &s, NULL) != ERR_OK)
			continue;
		findings_add(c->out, FINDING_CRITICAL, ERR_NOT_FOUND, "aegis elect GROUP --repair --yes",
		    "the bucket %s was lost, but there are registers: who leads goes on leading; a repair, or the next member that starts, "
		    "makes it anew", META_BUCKET);
		return;
	}
}

static bool
silent(const struct observed_site *site)
{
	bool any = false;

	for (unsigned r = 0; r < site->set.n; r++)
		any |= site->reg[r].code == ERR_TIMEOUT;
	return any;
}

static void
check_registers(struct checkup *c)
{
	struct observed_site site;
	struct lease_set set;
	bool there;

	if (store_look(c->conn, election_stores, &there, NULL) == ERR_OK && !there) {
		check_lost(c);
		return;
	}
	store_check(c, election_stores);
	if (!find_set(c, &set))
		return;
	observe_site(c->conn, &set, &site);
	if (silent(&site))		/* a busy server is not a dead one */
		observe_site(c->conn, &set, &site);
	for (unsigned r = 0; r < set.n; r++)
		check_register(c, &set, &site.reg[r]);
	check_spread(c, &site);
	if (set.n == 1 && site.reg[0].stream.replicas > 1)
		findings_add(c->out, FINDING_WARNING, ERR_CONFIG, NULL,
		    "the only register is replicated: when the node that leads its stream dies, nobody is active for 4 to 9 s; three registers "
		    "(N=3) would go on");
	else if (set.n == 1 && checkup_replicas(c) == 3)
		findings_add(c->out, FINDING_WARNING, ERR_CONFIG, "stop the members of every group, then: aegis elect --migrate --registers 3 --yes",
		    "there is one register (N=1) although the cluster has three nodes: nobody leads while its node is away");
}

/* --- groups --------------------------------------------------------------------------------- */

/* released: the last holder let go in good order, and nobody wanted the lead since. */
static bool
released(const struct observed *s)
{
	for (unsigned r = 0; r < s->site.n; r++)
		if (observed_register_holds(&s->reg[r]) && s->reg[r].record.value.mark == LEASE_MARK_HELD)
			return false;
	return s->obstacle == LEASE_WHY_NOT_ELIGIBLE;
}

static void
check_group(struct checkup *c, const struct observed *s)
{
	char word[GROUP_WORD_MAX], remedy[512];
	bool elect = strcmp(s->service, ELECT_SERVICE) == 0;

	group_word(s, word);
	if (s->obstacle == LEASE_WHY_EMPTY)
		snprintf(remedy, sizeof remedy, "aegis elect %s --repair --yes", word);
	else if (s->obstacle == LEASE_WHY_NOT_ELIGIBLE && elect)
		snprintf(remedy, sizeof remedy, "aegis elect %s -- CMD", word);
	else if (s->obstacle == LEASE_WHY_NOT_ELIGIBLE)
		snprintf(remedy, sizeof remedy, "aegis registry ls --instances --all --service %s", s->service);
	else
		snprintf(remedy, sizeof remedy, "aegis elect %s --observe", word);
	if (!s->certain)
		findings_add(c->out, FINDING_NOTE, ERR_TIMEOUT, remedy, "who leads group %s is not known yet", word);
	else if (!s->led && released(s))
		findings_add(c->out, FINDING_NOTE, ERR_NOT_ACTIVE, remedy,
		    "nobody leads group %s: %s let go in good order, and nobody else wants to", word, s->instance);
	else if (!s->led)
		findings_add(c->out, FINDING_CRITICAL, ERR_NOT_ACTIVE, remedy, "nobody leads group %s (%s): %s", word,
		    lease_obstacle_name(s->obstacle), obstacle_sentence(s->obstacle));
}

static void
check_groups(struct checkup *c)
{
	struct err err = { ERR_OK, "" };
	const struct groups_list *l = groups_survey(c->conn, PATIENCE_NS, &err);

	if (l == NULL) {
		checkup_failed(c, &err);
		return;
	}
	for (size_t i = 0; i < l->n; i++)
		check_group(c, &l->v[i]);
	if (l->beyond > 0)
		findings_add(c->out, FINDING_WARNING, ERR_BUSY, NULL, "%zu groups beyond %d are not looked at", l->beyond, GROUPS_MAX);
	groups_drop(l);
}

static const char *const registers_asks[] = {
	"$JS.API.STREAM.INFO.KV_" META_BUCKET, "$JS.API.STREAM.MSG.GET.KV_" META_BUCKET, NULL
};
static const char *const groups_asks[] = { "$JS.API.CONSUMER.CREATE.KV_" META_BUCKET, NULL };

const struct check election_checks[] = {
	{ "election.registers", "the registers and AEGIS_META", NEEDS_JETSTREAM, check_registers, registers_asks },
	{ "election.groups", "groups without a leader", NEEDS_JETSTREAM, check_groups, groups_asks },
	{ NULL, NULL, NEEDS_NATS, NULL, NULL },
};
