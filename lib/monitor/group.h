/* group.h - a group as everybody is told of it: in the lists of the management API and on the live stream.
 *
 * Whoever knows one fills this in and has it written: the monitor from records and beats alone, the API from the
 * registers too.  Plain data; all texts are the caller's. */
#ifndef MONITOR_GROUP_H
#define MONITOR_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/instant.h"

struct instance;
struct pack;

struct group_member {
	const struct instance *instance;
	bool stale;
};

struct group {
	const char *service, *name;
	const char *leader;		/* its id; NULL: nobody leads */
	uint64_t epoch;			/* the leader's, and since when it leads; 0: not known */
	struct wall since;
	const char *obstacle;		/* why nobody does; NULL: nobody knows, or somebody does */
	const char *const *warnings;	/* what is not as it should be although somebody may lead */
	uint32_t nwarnings;
	const char *profile;		/* NULL: not known */
	uint32_t lease_ms;		/* 0: not known */
	const struct group_member *members;
	size_t nmembers;
};

/* group_pack(k, g, more): g as a map, to which the caller adds `more` members of its own. */
void group_pack(struct pack *k, const struct group *g, uint32_t more);

#endif
