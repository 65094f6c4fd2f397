/* magic.c - the end of a program with a bug in it: one line, then abort. */
#include "base/magic.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void
magic_fail(const char *what, const char *file, int line, const char *func)
{
	fprintf(stderr, "aegis: bug: not true: %s (%s:%d, %s)\n", what, file, line, func);
	abort();
}
