/* near.h - "did you mean": the words closest to a misspelt one.  Pure. */
#ifndef BASE_NEAR_H
#define BASE_NEAR_H

#include <stddef.h>

/* near_distance(a, b): edit distance (insert, delete, replace, swap of neighbours), or
 * a value above 2 as soon as it is known to exceed 2. */
unsigned near_distance(const char *a, const char *b);

/* near_pick(word, candidates, n, out, max): fills out with at most max candidates of
 * distance <= 2, or that begin with word, nearest first; returns how many.  The pointers
 * are those of candidates. */
size_t near_pick(const char *word, const char *const *candidates, size_t n,
    const char **out, size_t max);

#endif
