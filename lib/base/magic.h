/* magic.h - assertions, and the magic numbers that guard callback arguments.
 *
 * Bugs stop the program with a name and a line; the world never does: input from
 * outside must not reach any of these.  A struct that travels through a void *
 * begins with `unsigned magic`, set by its constructor and wiped by its destructor,
 * so that the wrong pointer stops at the door and not three calls later. */
#ifndef BASE_MAGIC_H
#define BASE_MAGIC_H

#include <stddef.h>

/* MUST(cond): cannot happen; always checked. */
#define MUST(cond) ((cond) ? (void)0 : magic_fail(#cond, __FILE__, __LINE__, __func__))

/* MAGIC_CHECK(p, M): p is a live object of the kind M. */
#define MAGIC_CHECK(p, M) \
	((p) != NULL && (p)->magic == (M) ? (void)0 : magic_fail(#p " is a " #M, __FILE__, __LINE__, __func__))

/* MAGIC_WIPE(p): p is about to be freed; whoever still holds it will be caught. */
#define MAGIC_WIPE(p) ((p)->magic = 0)

/* Elements of an array; the containing struct of a member. */
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))

_Noreturn void magic_fail(const char *what, const char *file, int line, const char *func);

#endif
