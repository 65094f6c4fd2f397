/* registry_check.h - what can be wrong with the registry: its buckets, its records. */
#ifndef REGISTRY_REGISTRY_CHECK_H
#define REGISTRY_REGISTRY_CHECK_H

#include "nats/checkup.h"
#include "nats/store.h"

extern const struct store registry_stores[];	/* ended by a row without a stream */
extern const struct check registry_checks[];	/* ended by a row without an id */

#endif
