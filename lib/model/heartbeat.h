/* heartbeat.h - what one heartbeat tells of an instance's work (wire.md §10, §13): how much it did since it
 * began, how long that took, and what waits. */
#ifndef MODEL_HEARTBEAT_H
#define MODEL_HEARTBEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEARTBEAT_METHODS 65	/* 64 by name and "_other" (wire.md §13); whoever sends more, those are left out */

/* One served method.  Calls and errors only grow while its process lives. */
struct heartbeat_method {
	uint64_t key;			/* of its name, the same for the same name within this process */
	uint64_t calls, errors;
	bool timed;			/* what follows is known, in ms */
	double min, p50, p90, p99, max;
};

struct heartbeat {
	char instance[132];
	double uptime_s;		/* 0: unknown (Python never tells) */
	double queue_depth, in_flight;	/* of all calls, commands and events; less than 0: not told */
	size_t n, left_out;		/* methods; and those beyond the bound */
	struct heartbeat_method v[HEARTBEAT_METHODS];
};

#endif
