/* head.c - a head's form, before anybody parses it. */
#include "http/head.h"

#include <string.h>

bool
head_ends(const char *p, size_t n)
{
	const char *end = p + n;

	while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		p++;
		if (end - p >= 1 && p[0] == '\n')
			return true;
		if (end - p >= 2 && p[0] == '\r' && p[1] == '\n')
			return true;
	}
	return false;
}

static bool
is_token(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static size_t
token_length(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && is_token(p[i]))
		i++;
	return i;
}

/* is_first: METHOD SP target SP HTTP/d.d */
static bool
is_first(const char *p, size_t n)
{
	static const char version[] = "HTTP/";
	size_t method = token_length(p, n), i = method + 1;

	if (method == 0 || i >= n || p[method] != ' ')
		return false;
	while (i < n && (unsigned char)p[i] > 0x20 && (unsigned char)p[i] < 0x7f)
		i++;
	if (i == method + 1 || n - i != 9 || p[i] != ' ' || memcmp(p + i + 1, version, 5) != 0)
		return false;
	return p[i + 6] >= '0' && p[i + 6] <= '9' && p[i + 7] == '.' && p[i + 8] >= '0' && p[i + 8] <= '9';
}

/* is_field: name ":" value; bytes beyond ASCII are allowed in values, as everybody does. */
static bool
is_field(const char *p, size_t n)
{
	size_t i = token_length(p, n);

	if (i == 0 || i >= n || p[i] != ':')
		return false;
	for (; i < n; i++)
		if (((unsigned char)p[i] < 0x20 && p[i] != '\t') || p[i] == 0x7f)
			return false;
	return true;
}

bool
head_is_strict(const char *p, size_t n)
{
	const char *end = p + n;

	for (bool first = true; p < end; first = false) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		if (lf == NULL || lf == p || lf[-1] != '\r')
			return false;
		size_t len = (size_t)(lf - p) - 1;
		if (len == 0)
			return !first && lf + 1 == end;
		if (!(first ? is_first(p, len) : is_field(p, len)))
			return false;
		p = lf + 1;
	}
	return false;
}
