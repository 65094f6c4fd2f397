/* media.c - media types, compared without regard to their parameters and their case. */
#include "http/media.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* type_length: of the type at p, without parameters and blanks. */
static size_t
type_length(const char *p)
{
	return strcspn(p, ";, \t");
}

bool
media_is(const char *type, const char *list)
{
	size_t n = type_length(type);

	while (n > 0 && *list != '\0') {
		list += strspn(list, ", ");
		size_t m = type_length(list);
		if (m == n && strncasecmp(list, type, n) == 0)
			return true;
		list += m + (m == 0);
	}
	return false;
}

/* precision: 3 for the type itself, 2 for its family, 1 for all, 0 when the range does not hold it. */
static unsigned
precision(const char *range, size_t n, const char *type)
{
	size_t family = strcspn(type, "/") + 1;

	if (n == type_length(type) && strncasecmp(range, type, n) == 0)
		return 3;
	if (n == family + 1 && range[family] == '*' && strncasecmp(range, type, family) == 0)
		return 2;
	return n == 3 && memcmp(range, "*/*", 3) == 0;
}

/* forbids: whether the parameters at p, up to the comma, hold a quality of zero. */
static bool
forbids(const char *p)
{
	while (*p == ';') {
		p++;
		p += strspn(p, " \t");
		size_t n = strcspn(p, ";,");
		if (n >= 3 && (p[0] == 'q' || p[0] == 'Q') && p[1] == '=') {
			size_t zero = 2 + strspn(p + 2, "0. \t");
			return zero >= n;
		}
		p += n;
	}
	return false;
}

bool
media_accepts(const char *accept, const char *type)
{
	unsigned best = 0;
	bool allowed = false, any = false;

	while (accept != NULL && *accept != '\0') {
		accept += strspn(accept, ", \t");
		size_t n = type_length(accept);
		unsigned found = precision(accept, n, type);
		any = any || n > 0;
		accept += n;
		accept += strspn(accept, " \t");
		if (found > best) {
			best = found;
			allowed = !forbids(accept);
		}
		accept += strcspn(accept, ",");
	}
	return allowed || !any;
}
