/* source.c - a short list that only grows. */
#include "messaging/source.h"

#include <string.h>

#include "base/mem.h"

void
source_set(struct source *s, const char *name)
{
	struct source_name *old = atomic_load(&s->now);

	if (name == NULL || (old != NULL && strcmp(old->text, name) == 0))
		return;
	size_t n = strlen(name) + 1;
	struct source_name *fresh = mem_new(sizeof *fresh + n);
	memcpy(fresh->text, name, n);
	fresh->before = old;
	while (!atomic_compare_exchange_weak(&s->now, &fresh->before, fresh))
		continue;
}

void
source_release(struct source *s)
{
	for (struct source_name *n = atomic_exchange(&s->now, NULL), *before; n != NULL; n = before) {
		before = n->before;
		mem_free(n);
	}
}
