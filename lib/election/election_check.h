/* election_check.h - what can be wrong with elections: the registers, AEGIS_META, groups without a leader. */
#ifndef ELECTION_ELECTION_CHECK_H
#define ELECTION_ELECTION_CHECK_H

#include "election/observe.h"
#include "nats/checkup.h"
#include "nats/store.h"

extern const struct store election_stores[];	/* ended by a row without a stream */
extern const struct check election_checks[];	/* ended by a row without an id */

/* group_word(s, out): the group as command lines have it: "SERVICE/GROUP", or "GROUP" of `aegis elect`. */
#define GROUP_WORD_MAX 200
void group_word(const struct observed *s, char out[GROUP_WORD_MAX]);

/* What the obstacle of a group means to somebody who wants a leader; "" for CLEAR. */
const char *obstacle_sentence(enum lease_obstacle o);

#endif
