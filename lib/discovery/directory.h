/* directory.h - one immutable picture of the registry: services, and who serves them. */
#ifndef DISCOVERY_DIRECTORY_H
#define DISCOVERY_DIRECTORY_H

#include "discovery/pick.h"
#include "sys/snapshot.h"

struct directory {
	struct snapshot snapshot;	/* first: how it is shared */
	uint64_t version;		/* grows with every change */
	size_t n, instances;
	struct service_group **v;	/* ordered by name */
	uint32_t *index;		/* hash of the name to place + 1; 0 is free */
	uint32_t mask;
	size_t ndefined;		/* what is defined, ordered by name */
	struct defined **defined;
};

/* directory_find(d, service): its group, or NULL.  d may be NULL. */
const struct service_group *directory_find(const struct directory *d, const char *service);

/* directory_defined(d, service): its definition, or NULL.  d may be NULL. */
const struct defined *directory_defined(const struct directory *d, const char *service);

/* directory_names(d, out, max): names of services with instances or a definition. */
size_t directory_names(const struct directory *d, const char **out, size_t max);

#endif
