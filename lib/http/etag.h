/* etag.h - entity tags and the lists of them that requests bring (RFC 9110 §8.8, §13.1).  Pure; nothing
 * allocates.  A tag is told here without its quotes. */
#ifndef HTTP_ETAG_H
#define HTTP_ETAG_H

#include <stdbool.h>

/* What a list says of one tag. */
enum etag_verdict {
	ETAG_NONE,		/* it is not in the list */
	ETAG_LISTED,		/* it is, or the list is "*" */
	ETAG_UNREADABLE,	/* the list is none */
};

/* etag_listed(list, tag, weakly): whether tag is in the value of an If-Match or, weakly, of an
 * If-None-Match header: a weak tag (W/"…") equals one of those alone.  tag NULL: nothing is there, which
 * no list holds, "*" neither. */
enum etag_verdict etag_listed(const char *list, const char *tag, bool weakly);

#endif
