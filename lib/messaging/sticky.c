/* sticky.c - the rules of election.md §7 as a table. */
#include "messaging/sticky.h"

#include "base/instant.h"

#define FIRST_NS (100 * NS_PER_MS)
#define CAP_NS (5 * NS_PER_S)
#define JITTER_PERCENT 10
#define LEAST_NS (50 * NS_PER_MS)	/* that a further attempt has */

enum sticky_outcome
sticky_outcome(enum err_code code, bool sent)
{
	switch (code) {
	case ERR_NOT_ACTIVE:
	case ERR_BUSY:
	case ERR_NO_MEMBER:
	case ERR_INSTANCE_UNKNOWN:
		return STICKY_REFUSED;
	case ERR_UNAVAILABLE:
		return sent ? STICKY_LOST : STICKY_UNSENT;
	case ERR_TIMEOUT:
		return STICKY_SILENT;
	case ERR_OUTCOME_UNKNOWN:
		return STICKY_LOST;
	default:
		return STICKY_FINAL;
	}
}

enum sticky_way
sticky_way(const struct sticky *s, bool known, uint64_t epoch)
{
	return known && epoch > s->refused ? STICKY_TO_HOLDER : STICKY_TO_GROUP;
}

/* pause: 100 ms, doubling, at most 5 s, ±10 %. */
static int64_t
pause(struct sticky *s, uint64_t chance)
{
	int64_t ns = FIRST_NS;

	for (unsigned i = 0; i < s->pauses && ns < CAP_NS; i++)
		ns *= 2;
	if (ns > CAP_NS)
		ns = CAP_NS;
	s->pauses++;
	int64_t spread = ns * JITTER_PERCENT / 100;
	return ns - spread + (int64_t)(chance % (uint64_t)(2 * spread + 1));
}

enum what { END, TO_GROUP, LATER, IF_HARMLESS };

struct sticky_step
sticky_next(struct sticky *s, enum sticky_way way, uint64_t asked, enum sticky_outcome outcome, int64_t left_ns,
    uint64_t chance)
{
	static const enum what table[STICKY_OUTCOMES][2] = {
		/*                  to the holder  to the group */
		[STICKY_REFUSED] = { TO_GROUP,     LATER },
		[STICKY_UNSENT] =  { LATER,        LATER },
		[STICKY_SILENT] =  { IF_HARMLESS,  IF_HARMLESS },
		[STICKY_LOST] =    { IF_HARMLESS,  IF_HARMLESS },
		[STICKY_FINAL] =   { END,          END },
	};
	struct sticky_step n = { .again = left_ns > 0, .way = STICKY_TO_HOLDER };

	if (way == STICKY_TO_HOLDER && outcome == STICKY_REFUSED && asked > s->refused)
		s->refused = asked;
	switch (table[outcome][way]) {
	case TO_GROUP:
		n.way = STICKY_TO_GROUP;
		break;
	case LATER:
		/* An attempt that has no time for its answer would turn a refusal into an unknown outcome. */
		n.pause_ns = pause(s, chance);
		if (n.pause_ns > left_ns / 2)
			n.pause_ns = left_ns / 2;
		n.again = left_ns - n.pause_ns >= LEAST_NS;
		/* By then the holder may be fit again. */
		s->refused = 0;
		break;
	case IF_HARMLESS:
		n.again = n.again && s->idempotent;
		break;
	case END:
		n.again = false;
		break;
	}
	return n;
}

bool
sticky_counts(uint64_t answered, uint64_t newest, uint64_t released)
{
	return answered == 0 || answered >= newest || answered <= released;
}
