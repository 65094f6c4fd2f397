/* lease_due.c - when a lease wants its next step: the earliest deadline of its state and of its
 * registers.
 *
 * A deadline that is over and was acted upon must not be named again, or the shell spins; being
 * woken too early costs nothing else. */
#include "election/inner.h"

static struct boot
state_due(const struct lease *l)
{
	const struct profile *p = &l->opts.profile;
	struct boot due = BOOT_NEVER;

	switch (l->state) {
	case LEASE_STANDBY:
		if (l->resigned && !l->stopping)
			due = l->resigned_until;
		if (!boot_reached(l->now, l->backoff))
			due = boot_min(due, l->backoff);
		if (l->ready.ns != INT64_MAX)
			due = boot_min(due, boot_after(l->ready, rank_delay(l)));
		break;
	case LEASE_CAMPAIGN:
		due = boot_after(l->campaign_at, p->d_ns - p->g_ns);
		break;
	case LEASE_DRAINING:
		due = boot_min(l->renew_at, l->until);
		if (!l->reaped)
			due = boot_min(due, l->drain);
		break;
	case LEASE_ACTIVE:
		due = boot_min(boot_min(l->renew_at, l->until), boot_after(quorum_grant(l), p->d_ns / 2));
		break;
	case LEASE_SUSPECT:
		due = boot_min(l->renew_at, boot_max(l->until, l->resume));
		break;
	default:
		break;
	}
	return due;
}

struct boot
lease_due(const struct lease *l)
{
	struct boot due = state_due(l);

	for (unsigned i = 0; i < l->opts.registers; i++)
		due = boot_min(due, register_due(l, i));
	return due;
}
