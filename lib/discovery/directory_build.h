/* directory_build.h - inside lib/discovery, and for benchmarks that want a directory. */
#ifndef DISCOVERY_DIRECTORY_BUILD_H
#define DISCOVERY_DIRECTORY_BUILD_H

#include "discovery/directory.h"

struct table;

/* directory_build(t, version): a picture of the table as it is; one reference, the caller's. */
struct directory *directory_build(struct table *t, uint64_t version);

#endif
