/* head.h - heads that can be read in one way only (RFC 9112 §2.2, §3, §5).  Pure; nothing allocates. */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

/* head_ends(p, n): whether a head is complete in these bytes, in whatever words. */
bool head_ends(const char *p, size_t n);

/* head_is_strict(p, n): whether it is a request's head by the letter: every line ended by CRLF and the last
 * one empty, three words in the first one with single blanks between, names that are tokens with their colon at
 * once behind them, no line folded into the next, no control characters.  What proxies and servers read
 * differently is what requests are smuggled by. */
bool head_is_strict(const char *p, size_t n);

#endif
