/* str.c - the growing buffer. */
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

void
str_init(struct str *s)
{
	*s = (struct str)STR_INIT;
}

void
str_release(struct str *s)
{
	mem_free(s->p);
	str_init(s);
}

void
str_clear(struct str *s)
{
	s->len = 0;
	if (s->p != NULL)
		s->p[0] = '\0';
}

char *
str_room(struct str *s, size_t n)
{
	mem_grow(&s->p, &s->cap, s->len + n + 1, 1);
	return s->p + s->len;
}

void
str_end(struct str *s)
{
	s->p[s->len] = '\0';
}

void
str_add(struct str *s, const void *p, size_t n)
{
	char *to = str_room(s, n);

	if (n > 0)
		memcpy(to, p, n);
	s->len += n;
	str_end(s);
}

void
str_puts(struct str *s, const char *text)
{
	str_add(s, text, strlen(text));
}

void
str_putc(struct str *s, char c)
{
	str_add(s, &c, 1);
}

void
str_printf(struct str *s, const char *fmt, ...)
{
	va_list ap, again;

	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n >= 0) {
		vsnprintf(str_room(s, (size_t)n), (size_t)n + 1, fmt, again);
		s->len += (size_t)n;
	}
	va_end(again);
}

const char *
str_text(const struct str *s)
{
	return s->p != NULL ? s->p : "";
}

char *
str_steal(struct str *s)
{
	char *p = s->p != NULL ? s->p : mem_text("");

	str_init(s);
	return p;
}
