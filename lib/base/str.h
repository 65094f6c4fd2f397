/* str.h - text that grows: the one buffer that encoders and formatters write into.
 *
 * p is always terminated once anything was written, so s->p can be handed to C
 * functions; a freshly initialised one has p == NULL, and str_text gives "" then.  The
 * buffer keeps its memory over str_clear, which is what makes reuse free of
 * allocation.  Not thread-safe: one owner. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stddef.h>
#include <stdint.h>

struct str {
	char *p;
	size_t len, cap;
};

#define STR_INIT { NULL, 0, 0 }

void str_init(struct str *s);
void str_release(struct str *s);	/* frees the memory; s is as after str_init */
void str_clear(struct str *s);		/* empty, memory kept */

void str_add(struct str *s, const void *p, size_t n);
void str_puts(struct str *s, const char *text);
void str_putc(struct str *s, char c);
void str_printf(struct str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* str_room(s, n): makes room for n more bytes and returns where they go; the caller
 * then adds what it wrote to s->len and calls str_end. */
char *str_room(struct str *s, size_t n);
void str_end(struct str *s);

/* str_text(s): the text, never NULL; valid until s changes. */
const char *str_text(const struct str *s);

/* str_steal(s): the text as memory of the caller's (mem_free); s is empty then. */
char *str_steal(struct str *s);

#endif
