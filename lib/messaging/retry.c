/* retry.c - the policies, and the arithmetic of their pauses. */
#include "messaging/retry.h"

#include "base/instant.h"

#define OFTEN RETRY_UNTIL_DEADLINE
#define MS NS_PER_MS

/* 100 ms doubling to 5 s, a tenth more or less: wire.md §5.3. */
#define GROWING { OFTEN, 100 * MS, 5000 * MS, 2, 10 }
/* Once, soon: a starting Python service is registered before it listens (wire.md §5.2). */
#define ONCE { 1, 50 * MS, 50 * MS, 1, 0 }
#define NEVER { 0, 0, 0, 1, 0 }

static const struct retry_policy policies[RETRY_NAMES] = {
	[RETRY_DEFAULT] = { "default", {
		[RETRY_ABSENT] = NEVER, [RETRY_UNHEARD] = ONCE, [RETRY_REFUSED] = GROWING,
		[RETRY_UNSENT] = NEVER, [RETRY_UNKNOWN] = GROWING,
	} },
	[RETRY_NONE] = { "none", {
		[RETRY_ABSENT] = NEVER, [RETRY_UNHEARD] = NEVER, [RETRY_REFUSED] = NEVER,
		[RETRY_UNSENT] = NEVER, [RETRY_UNKNOWN] = NEVER,
	} },
	[RETRY_PATIENT] = { "patient", {
		[RETRY_ABSENT] = GROWING, [RETRY_UNHEARD] = GROWING, [RETRY_REFUSED] = GROWING,
		[RETRY_UNSENT] = GROWING, [RETRY_UNKNOWN] = GROWING,
	} },
};

const struct retry_policy *
retry_policy(enum retry_name n)
{
	return &policies[n];
}

enum retry_outcome
retry_outcome(enum err_code code, bool sent)
{
	switch (code) {
	case ERR_SERVICE_UNKNOWN:
	case ERR_INSTANCE_UNKNOWN:
		return RETRY_ABSENT;
	case ERR_NO_MEMBER:
		return RETRY_UNHEARD;
	case ERR_BUSY:
	case ERR_NOT_ACTIVE:
		return RETRY_REFUSED;
	case ERR_UNAVAILABLE:
		return sent ? RETRY_UNKNOWN : RETRY_UNSENT;
	case ERR_TIMEOUT:
	case ERR_OUTCOME_UNKNOWN:
		return RETRY_UNKNOWN;
	default:
		return RETRY_FINAL;
	}
}

void
retry_init(struct retry *r, const struct retry_policy *policy, bool idempotent, uint32_t most)
{
	*r = (struct retry){ .policy = policy, .idempotent = idempotent, .most = most > 0 ? most : RETRY_UNTIL_DEADLINE };
}

/* grown: the pause before attempt number n of this kind, counted from 0. */
static int64_t
grown(const struct retry_rule *rule, uint32_t n, uint64_t chance)
{
	int64_t ns = rule->first_ns;

	while (n-- > 0 && ns < rule->cap_ns && rule->factor > 1)
		ns *= rule->factor;
	if (ns > rule->cap_ns)
		ns = rule->cap_ns;
	int64_t span = ns * rule->jitter_percent / 100;
	return ns - span + (int64_t)(chance % (uint64_t)(2 * span + 1));
}

bool
retry_next(struct retry *r, enum retry_outcome outcome, bool elsewhere, int64_t left_ns, uint64_t chance,
    int64_t *pause_ns)
{
	if (outcome >= RETRY_OUTCOMES || (outcome == RETRY_UNKNOWN && !r->idempotent))
		return false;
	const struct retry_rule *rule = &r->policy->rule[outcome];
	if (r->made >= r->most || r->after[outcome] >= rule->again)
		return false;
	/* With less than the shortest pause left, another attempt would hardly be answered in time. */
	if (left_ns <= rule->first_ns)
		return false;
	r->made++;
	r->after[outcome]++;
	*pause_ns = 0;
	if (elsewhere)
		return true;
	int64_t ns = grown(rule, r->paused[outcome]++, chance);
	*pause_ns = ns < left_ns / 2 ? ns : left_ns / 2;
	return true;
}
