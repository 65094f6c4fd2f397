/* registry_inner.h - inside lib/registry only. */
#ifndef REGISTRY_REGISTRY_INNER_H
#define REGISTRY_REGISTRY_INNER_H

#include "nats/kv.h"
#include "registry/registry.h"

struct registry {
	struct kv kv;
	bool missing;		/* the bucket does not exist, and we only read */
	bool terse;		/* no suggestions */
	bool ttl;		/* it can expire single records */
};

#endif
