/* beat.h - the fast beat of a member of a group (election.md §9), and the control message that asks it to
 * step down.  Both JSON; unknown members are ignored.  What reads uses codec_mine. */
#ifndef CODEC_BEAT_H
#define CODEC_BEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "model/lease.h"

#define BEAT_EVERY_NS (500 * NS_PER_MS)
#define BEAT_SILENT_NS (1250 * NS_PER_MS)	/* without one for that long a member is suspect, never gone */

struct beat {
	char group[129];
	char state[17];			/* lease_state_name: ACTIVE, SUSPECT, DRAINING lead; the others do not */
	bool hot;
	uint64_t epoch;			/* of its hold; 0 when it has none */
	struct lease_nonce nonce;
	uint64_t before;		/* epoch of its hold before, 0 for none, and how that ended */
	char how[17];			/* "released", "expired" or "" */
	uint64_t seq;
};

void beat_encode(const struct beat *b, struct str *out);
enum err_code beat_decode(const void *p, size_t n, struct beat *b, struct err *err);

/* The body of aegis.ctl.{service}.{instance}.stepdown: {"group":"g","to":"id"}, both optional, and its answer
 * {"status":"accepted"} or {"error":"…"}. */
struct stepdown {
	char group[129];		/* "": whichever it leads */
	char to[129];			/* "": whoever comes first */
};
void stepdown_encode(const struct stepdown *s, struct str *out);
enum err_code stepdown_decode(const void *p, size_t n, struct stepdown *s, struct err *err);
void stepdown_answer_encode(const char *error, struct str *out);	/* NULL: accepted */
enum err_code stepdown_answer_decode(const void *p, size_t n, struct err *err);	/* ERR_NOT_ACTIVE with its words when refused */

#endif
