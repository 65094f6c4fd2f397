/* mem.c - allocation that ends the program when there is none left. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
there(void *p)
{
	if (p == NULL) {
		fputs("aegis: out of memory\n", stderr);
		abort();
	}
	return p;
}

void *
mem_new(size_t size)
{
	return there(calloc(1, size ? size : 1));
}

void *
mem_array(size_t count, size_t size)
{
	return there(calloc(count ? count : 1, size ? size : 1));
}

void *
mem_resize(void *p, size_t count, size_t size)
{
	return there(reallocarray(p, count ? count : 1, size ? size : 1));
}

void *
mem_grown(void *p, size_t *cap, size_t need, size_t size)
{
	size_t n = *cap < 8 ? 8 : *cap * 2;

	if (n < need)
		n = need;
	*cap = n;
	return mem_resize(p, n, size);
}

char *
mem_text(const char *s)
{
	return s == NULL ? NULL : mem_text_n(s, strlen(s));
}

char *
mem_text_n(const char *s, size_t n)
{
	char *p = there(malloc(n + 1));

	memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

char *
mem_printf(const char *fmt, ...)
{
	char *p = NULL;
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(&p, fmt, ap);
	va_end(ap);
	return n < 0 ? there(NULL) : p;
}

void
mem_free(void *p)
{
	free(p);
}
