/* lease_names.c - what others ask about a lease: its words for logs and people, the numbers that
 * stand for texts, and whether an epoch is one of the present hold.
 *
 * The words of states, events and alarms are those of the lists in lease.h; reasons and obstacles
 * have words of their own, because people read them. */
#include "base/magic.h"
#include "election/lease.h"

uint64_t
lease_server(const char *text)
{
	uint64_t h = 0xcbf29ce484222325u;	/* FNV-1a */

	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3u;
	return h | 1;
}

bool
lease_owns(const struct lease *l, uint64_t epoch)
{
	return (l->state == LEASE_ACTIVE || l->state == LEASE_SUSPECT || l->state == LEASE_DRAINING) &&
	    epoch >= l->opening && epoch <= l->target;
}

#define X(name) #name,
static const char *const state_names[] = { LEASE_STATES(X) };
static const char *const event_names[] = { LEASE_EVENTS(X) };
static const char *const reason_names[] = {
	"", "first", "released", "expired", "self", "resigned", "deposed", "unhealthy", "foreign", "clock", "retired",
};
static const char *const alarm_names[] = { LEASE_ALARMS(X) };
static const char *const obstacle_names[] = {
	"", "unpinned", "no_quorum", "blank", "retired", "not_eligible",
};
#undef X
_Static_assert(COUNT_OF(reason_names) == LEASE_REASON_COUNT, "a name for each reason");
_Static_assert(COUNT_OF(obstacle_names) == LEASE_OBSTACLE_COUNT, "a name for each obstacle");

const char *
lease_state_name(enum lease_state s)
{
	return state_names[s];
}

const char *
lease_event_name(enum lease_event_kind e)
{
	return event_names[e];
}

const char *
lease_reason_name(enum lease_reason r)
{
	return reason_names[r];
}

const char *
lease_alarm_name(enum lease_alarm a)
{
	return alarm_names[a];
}

const char *
lease_obstacle_name(enum lease_obstacle o)
{
	return obstacle_names[o];
}
