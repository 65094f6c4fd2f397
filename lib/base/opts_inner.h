/* opts_inner.h - what the files of opts share and nobody else includes. */
#ifndef BASE_OPTS_INNER_H
#define BASE_OPTS_INNER_H

#include "base/opts.h"

/* opts_own(o, text): o frees and wipes it; returns it. */
const char *opts_own(struct opts *o, char *text);
void opts_list_add(struct opts_list *l, const char *text);

/* opts_name_with(prefix, name, n, upper, out): prefix and n bytes of an option's name, '-' as '_'. */
void opts_name_with(const char *prefix, const char *name, size_t n, bool upper, char out[OPTS_NAME_MAX]);

size_t opts_count_rows(const struct opts_table *tables);

/* opts_strongest(o, m): the origin of what the member holds, which several rows may fill (a secret
 * from a file or from a descriptor). */
enum opts_origin opts_strongest(const struct opts *o, const struct opts_mark *m);

/* opts_assign(o, m, origin, text, err): the text into m's member, by m's type.  A refusal says what is
 * wrong with the text; the caller puts the source in front. */
enum err_code opts_assign(struct opts *o, struct opts_mark *m, enum opts_origin origin, const char *text,
    struct err *err);

static inline void *
opts_member(const struct opts *o, const struct opts_mark *m)
{
	return o->target + m->table->base + m->row->at;
}

#endif
