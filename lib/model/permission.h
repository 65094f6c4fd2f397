/* permission.h - what a NATS user may publish and subscribe to, as the server tells it.  Pure.
 *
 * A subject pattern counts as allowed only when all of it is: one allowed pattern covers it and
 * no denied one touches it. */
#ifndef MODEL_PERMISSION_H
#define MODEL_PERMISSION_H

#include <stdbool.h>
#include <stddef.h>

#define PERMISSION_SUBJECTS 64		/* of each list; a longer one is not judged (permission.cut) */

struct permission {
	const char *allow[PERMISSION_SUBJECTS], *deny[PERMISSION_SUBJECTS];	/* somebody else's memory */
	size_t nallow, ndeny;
	bool all;			/* no list of allowed ones: everything that is not denied */
	bool cut;			/* there were more subjects than fit */
};

/* pattern_covers(wide, narrow): every subject that `narrow` matches is matched by `wide`.
 * pattern_touches(a, b): some subject is matched by both. */
bool pattern_covers(const char *wide, const char *narrow);
bool pattern_touches(const char *a, const char *b);

/* permission_allows(p, pattern): a list that was cut allows whatever it does not deny. */
bool permission_allows(const struct permission *p, const char *pattern);

#endif
