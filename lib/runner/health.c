/* health.c - counting results in a row. */
#include "runner/health.h"

void
health_init(struct health *h, unsigned bad_after, unsigned good_after)
{
	*h = (struct health){
		.bad_after = bad_after > 0 ? bad_after : 1,
		.good_after = good_after > 0 ? good_after : 1,
	};
}

enum health_change
health_note(struct health *h, bool ok)
{
	bool against = ok == h->is_bad;

	h->row = against ? h->row + 1 : 0;
	if (h->row < (h->is_bad ? h->good_after : h->bad_after))
		return HEALTH_SAME;
	h->row = 0;
	h->is_bad = !h->is_bad;
	return h->is_bad ? HEALTH_TURNED_BAD : HEALTH_TURNED_GOOD;
}
