/* cookie.h - what a Cookie header holds (RFC 6265 §4.2).  Pure; nothing allocates. */
#ifndef HTTP_COOKIE_H
#define HTTP_COOKIE_H

#include <stdbool.h>
#include <stddef.h>

/* cookie_find(header, name, out, max): the value of the cookie of that name, as it came, with its
 * terminator in out; false, and out empty, when there is none, when it is there twice (who may set one
 * beside ours must not choose which counts), when it does not fit or holds what no value may.
 * header may be NULL. */
bool cookie_find(const char *header, const char *name, char *out, size_t max);

#endif
