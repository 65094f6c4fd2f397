/* mem.c - allocation that ends the program when there is none left. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
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

const char *const *
mem_texts(const char *const *list)
{
	size_t n = 0;

	if (list == NULL)
		return NULL;
	while (list[n] != NULL)
		n++;
	char **copy = mem_array(n + 1, sizeof *copy);
	for (size_t i = 0; i < n; i++)
		copy[i] = mem_text(list[i]);
	return (const char *const *)copy;
}

/* The list is const to its readers; here it is known to be ours. */
void
mem_texts_free(const char *const *list)
{
	for (size_t i = 0; list != NULL && list[i] != NULL; i++)
		mem_free((void *)(uintptr_t)list[i]);
	mem_free((void *)(uintptr_t)list);
}

void
mem_free(void *p)
{
	free(p);
}
