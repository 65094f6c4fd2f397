/* utf8.h - is this text?  Pure; nothing allocates. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* utf8_next(p, n, cp): length of the valid character at p, of which n > 0 bytes are left,
 * and its number; 0, and *cp untouched, when there is none. */
size_t utf8_next(const char *p, size_t n, uint32_t *cp);

/* utf8_valid(p, n): how many bytes from p on are valid UTF-8; n when all are. */
size_t utf8_valid(const char *p, size_t n);

/* utf8_count(text): its characters, where all of it is valid. */
size_t utf8_count(const char *text);

/* utf8_clean(text): leaves out what is none, such as the half of a character at which something was cut off;
 * returns text. */
char *utf8_clean(char *text);

#endif
