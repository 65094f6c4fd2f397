/* series.h - the figures of one instance over the last 15 minutes.  Pure.
 *
 * A ring of 96 points of at least 9.5 s each, 4.6 KB: a thousand instances take 4.6 MB.  Whoever beats more
 * often fills one point by several beats, whose figures it then averages (the largest p99 of them stays).
 * A pause is told as a row without figures, so that no line is drawn over it. */
#ifndef MONITOR_SERIES_H
#define MONITOR_SERIES_H

#include <stddef.h>

#include "monitor/figures.h"

#define SERIES_SPAN_S 900
#define SERIES_STEP_S 10
#define SERIES_POINTS 96

struct series;			/* NULL is an empty one */

/* series_add(&s, f, at): f was heard at `at`, which never goes back (an earlier one is left out). */
void series_add(struct series **s, const struct figures *f, struct wall at);
void series_free(struct series *s);

/* series_each(s, now, each, arg): the points of the last 15 minutes before `now`, oldest first; f is NULL
 * for a gap, which stands between two points. */
void series_each(const struct series *s, struct wall now, void (*each)(void *arg, struct wall at, const struct figures *f),
    void *arg);

#endif
