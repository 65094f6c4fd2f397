/* usage.h - what this process and this machine use, as /proc tells. */
#ifndef SYS_USAGE_H
#define SYS_USAGE_H

#include <stdbool.h>
#include <stdint.h>

/* This process. */
struct usage_self {
	double cpu_s;			/* user and system, since its start */
	double started_s;		/* since 1970 */
	uint64_t resident_bytes, virtual_bytes;
	uint64_t open_fds, max_fds;
};
bool usage_self(struct usage_self *out);	/* false when /proc is not there */

/* The machine.  cpu: ticks since its start; two of them make a percentage. */
struct usage_cpu { uint64_t busy, total; };
bool usage_cpu(struct usage_cpu *out);

/* usage_cpu_percent(before, now): of all cores, in between; 0 when no time went by. */
double usage_cpu_percent(struct usage_cpu before, struct usage_cpu now);

/* Of the memory that is there; of the file system that path lies on.  0 when nobody knows. */
double usage_memory_percent(void);
double usage_disk_percent(const char *path);

#endif
