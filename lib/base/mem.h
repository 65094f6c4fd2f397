/* mem.h - memory that is there or ends the program.
 *
 * Linux overcommits: small allocations do not fail, the process is killed later.  So
 * we do not carry a failure path behind each of them that nobody ever runs; sizes that
 * come from outside are bounded before they get here (see the callers' limits).  What
 * these return is freed with mem_free.  Any thread may call. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_new(size_t size);				/* zeroed */
void *mem_array(size_t count, size_t size);		/* zeroed; the product is checked */
void *mem_resize(void *p, size_t count, size_t size);	/* as realloc; the product is checked */
char *mem_text(const char *s);				/* copy; NULL for NULL */
char *mem_text_n(const char *s, size_t n);		/* copy of n bytes, with a terminator */
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const char *const *mem_texts(const char *const *list);	/* copy of a list of texts that ends with NULL; NULL for NULL */
void mem_texts_free(const char *const *list);		/* NULL is fine */
void mem_free(void *p);					/* NULL is fine */

/* mem_grow(&p, &cap, need, size): makes room for `need` elements of `size` bytes in the
 * array p of cap elements, at least doubling, so that appending is cheap. */
#define mem_grow(p, cap, need, size) \
	((need) <= *(cap) ? (void)0 : (void)(*(p) = mem_grown(*(p), (cap), (need), (size))))
void *mem_grown(void *p, size_t *cap, size_t need, size_t size);

#endif
