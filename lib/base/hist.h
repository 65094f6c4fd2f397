/* hist.h - latency histograms of fixed size; the only door to hdr_histogram.
 *
 * 1 us to 60 s at two significant digits, about 20 KB each: what is longer counts as
 * 60 s.  Recording is atomic, so every thread may record; reading while others record
 * gives a picture that may be a few samples old. */
#ifndef BASE_HIST_H
#define BASE_HIST_H

#include <stdint.h>

struct hist;

struct hist *hist_new(void);
void hist_free(struct hist *h);				/* NULL is fine */
void hist_record(struct hist *h, int64_t ns);		/* below 1 us counts as 1 us */
void hist_clear(struct hist *h);

/* hist_since(h, mark, out): out becomes what h recorded since mark was as h, and mark becomes as h is now; both
 * are the caller's, mark an empty one at first. */
void hist_since(const struct hist *h, struct hist *mark, struct hist *out);

uint64_t hist_count(const struct hist *h);
uint64_t hist_count_upto(const struct hist *h, int64_t ns);	/* how many were not longer; steps of two digits */
double hist_mean_ms(const struct hist *h);		/* 0 when empty, as all below */
double hist_min_ms(const struct hist *h);
double hist_max_ms(const struct hist *h);
double hist_quantile_ms(const struct hist *h, double percent);	/* 99.9 */

#endif
