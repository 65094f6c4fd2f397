/* drive.h - lets one side work for a while, and takes the times.
 *
 * Closed loop: what ends is begun anew, so a slow answer also slows the asking, and its latency is
 * told as it was.  Open loop (rate > 0): the starts are laid out in time beforehand; the latency
 * from the laid-out start is the one that somebody who wants an answer then sees (corrected for
 * coordinated omission), that from the actual start is kept beside it (plain). */
#ifndef BENCH_DRIVE_H
#define BENCH_DRIVE_H

#include <stdatomic.h>

#include "bench/result.h"
#include "bench/side.h"

struct drive;

struct drive_plan {
	unsigned in_flight;
	double rate;			/* per second; 0: closed loop */
	uint64_t count;			/* end after so many; 0: after duration_ns */
	int64_t duration_ns;
	const atomic_bool *stop;	/* end early; may be NULL */
	void (*tick)(void *arg, double share);	/* at most 4 times a second; may be NULL */
	void *arg;
};

/* drive_new(in_flight): before the side is opened, which needs drive_hook(d). */
struct drive *drive_new(unsigned in_flight);
void drive_free(struct drive *d);		/* NULL is fine */
struct bench_hook drive_hook(struct drive *d);

/* drive_run(d, side, plan, out, err): adds to out.  Single failures are counted in out; when
 * nothing but failures came for a second or a hundred of them, the first one is returned.
 * Blocks; returns when nothing is in flight any more, at most 10 s after the end: then
 * ERR_TIMEOUT, and d and side must not be used again but to close them. */
enum err_code drive_run(struct drive *d, const struct bench_side *side, const struct drive_plan *plan,
    struct bench_tally *out, struct err *err);

#endif
