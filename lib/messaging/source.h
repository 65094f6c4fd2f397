/* source.h - inside lib/messaging: the name that our messages carry as their source.
 *
 * It changes when a handle is registered, or registered anew under another id, while other threads
 * write messages: so a name is never freed before the end. */
#ifndef MESSAGING_SOURCE_H
#define MESSAGING_SOURCE_H

#include <stdatomic.h>

struct source_name {
	struct source_name *before;	/* what it was, and so on */
	char text[];
};

struct source { _Atomic(struct source_name *) now; };	/* zeroed: no name */

/* source_set(s, name): from now on; NULL changes nothing.  Any thread. */
void source_set(struct source *s, const char *name);

/* source_text(s): the name, or NULL; lives as long as s.  Any thread, no lock. */
static inline const char *
source_text(const struct source *s)
{
	const struct source_name *n = atomic_load(&s->now);

	return n != NULL ? n->text : NULL;
}

void source_release(struct source *s);

#endif
