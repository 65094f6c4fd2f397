/* shadow_value.h - inside lib/member: the leader key's name and value as bytes, and what a value found
 * there means.  Pure. */
#ifndef MEMBER_SHADOW_VALUE_H
#define MEMBER_SHADOW_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/instant.h"
#include "base/str.h"

#define SHADOW_FOREIGN_NS (60 * NS_PER_S)

struct shadow_value {
	const char *instance;
	struct wall elected, started;
	uint64_t epoch;
	int64_t lease_ms;
};

void shadow_bucket(const char *service, struct str *out);		/* election_{service}, '-' as '_' */
void shadow_key(const char *service, const char *group, struct str *out);
void shadow_encode(const struct shadow_value *v, struct wall now, struct str *out);

enum shadow_kind {
	SHADOW_NONE,		/* no value, or one that may be written over */
	SHADOW_MINE,		/* ours, of this epoch */
	SHADOW_OLDER,		/* an aegis leader of a lower epoch */
	SHADOW_NEWER,		/* of a higher one: we are the shadow's past */
	SHADOW_FOREIGN,		/* a Python member leads */
};

/* shadow_judge(p, n, epoch, now, who): what the value of n bytes is to the holder of epoch (0: to a
 * standby).  who: room for 132 bytes; FOREIGN: whose it is. */
enum shadow_kind shadow_judge(const char *p, size_t n, uint64_t epoch, struct wall now, char who[132]);

#endif
