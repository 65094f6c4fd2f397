/* regex.h - does a text hold what a pattern describes?  In time that a pattern cannot blow up.
 *
 * The dialect is the part of ECMA-262's (with its flag "u") that a finite automaton can do, and
 * means the same: characters, '.', [classes], \d \D \w \W \s \S, \n \r \t \f \v \0 \xHH \uHHHH
 * \u{H…}, groups (…) and (?:…), '|', * + ? {n} {n,} {n,m} (a lazy '?' behind them changes
 * nothing here), ^ and $ for the ends of the text.  Not in it, and refused: back-references,
 * look-around, \b, \p{…}, named groups, flags.  Neither the pattern nor the text is compared by
 * backtracking: the cost is at most their lengths multiplied.  Pure; nothing but regex_new
 * allocates. */
#ifndef MODEL_REGEX_H
#define MODEL_REGEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/value.h"

#define REGEX_STATES_MAX 1000	/* after {n,m} is written out; all fit on the stack, twice */

struct regex;

/* regex_new(pattern, err): immutable from then on, for any thread; NULL with ERR_INVALID and
 * what is wrong.  The pattern is valid UTF-8 and only read. */
struct regex *regex_new(struct text pattern, struct err *err);
void regex_free(struct regex *r);		/* NULL is fine */

/* regex_search(r, t, steps): whether some part of t (valid UTF-8) matches.  Takes what it costs
 * off *steps; false, with *steps 0, when that is not enough. */
bool regex_search(const struct regex *r, struct text t, uint64_t *steps);

#endif
