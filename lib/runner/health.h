/* health.h - when single probe results become a verdict.  Pure.
 *
 * Two thresholds, one per direction, so that one lost probe neither condemns a program
 * nor acquits it.  Only results in a row count: one of the other kind starts over. */
#ifndef RUNNER_HEALTH_H
#define RUNNER_HEALTH_H

#include <stdbool.h>

enum health_change { HEALTH_SAME, HEALTH_TURNED_BAD, HEALTH_TURNED_GOOD };

struct health {
	unsigned bad_after, good_after;
	unsigned row;		/* results in a row that speak against the verdict */
	bool is_bad;
};

/* health_init(h, bad_after, good_after): good until proven otherwise; 0 counts as 1. */
void health_init(struct health *h, unsigned bad_after, unsigned good_after);

/* health_note(h, ok): one more result. */
enum health_change health_note(struct health *h, bool ok);

#endif
