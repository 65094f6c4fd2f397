/* media.h - media types: what a body is, and what an Accept header takes (RFC 9110 §12.5.1).  Pure;
 * nothing allocates. */
#ifndef HTTP_MEDIA_H
#define HTTP_MEDIA_H

#include <stdbool.h>

/* media_is(type, list): whether the value of a Content-Type header is one of list, types with commas
 * between; its parameters do not count, nor does case. */
bool media_is(const char *type, const char *list);

/* media_accepts(accept, type): whether an Accept header allows the type ("application/json"); its
 * parameters do not count.  The most specific range decides, and q=0 forbids.  NULL allows all. */
bool media_accepts(const char *accept, const char *type);

#endif
