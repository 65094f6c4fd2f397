/* num.h - numbers, durations and sizes as people write them.  Pure; nothing allocates.
 *
 * Each returns false, and leaves *out alone, when the whole text is not such a value or
 * it does not fit: no leading blanks, no trailing words, no silent cut. */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool num_int(const char *s, int64_t *out);		/* "-12" */
bool num_uint(const char *s, uint64_t *out);		/* "12" */
bool num_uint_n(const char *p, size_t n, uint64_t *out);	/* num_uint of n bytes */
bool num_real(const char *s, double *out);		/* "0.5"; finite only, "." whatever the locale */
bool num_duration(const char *s, int64_t *ns);		/* "250ms", "2s", "1m30s", "0"; units ns us ms s m h d */
bool num_seconds(const char *s, int64_t *ns);		/* "10.0": bare seconds, as inherited variables have them */
bool num_size(const char *s, uint64_t *bytes);		/* "64KiB", "10MB", "512B" */
bool num_bool(const char *s, bool *out);		/* true 1 yes on, false 0 no off; any case */

#define NUM_TEXT_MAX 32

/* num_uint_text(v, out): in digits; their number.  A tenth of what printf takes. */
size_t num_uint_text(uint64_t v, char out[NUM_TEXT_MAX]);

/* num_duration_text(ns, out): the shortest exact text that num_duration reads back. */
void num_duration_text(int64_t ns, char out[NUM_TEXT_MAX]);

/* num_real_text(v, out): the shortest text that reads back as v; always with a point or
 * an exponent, so that readers see a real number (5.0, not 5). */
void num_real_text(double v, char out[NUM_TEXT_MAX]);

#endif
