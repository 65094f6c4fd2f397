/* cookie.c - finding one cookie among those that a browser sends. */
#include "http/cookie.h"

#include <string.h>

/* is_value: RFC 6265's cookie-octets alone: nothing that ends, quotes or escapes. */
static bool
is_value(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)p[i] <= 0x20 || (unsigned char)p[i] >= 0x7f || strchr("\",;\\", p[i]) != NULL)
			return false;
	return true;
}

bool
cookie_find(const char *header, const char *name, char *out, size_t max)
{
	size_t nname = strlen(name), found = 0;

	if (max > 0)
		out[0] = '\0';
	while (header != NULL && *header != '\0') {
		header += strspn(header, "; \t");
		size_t n = strcspn(header, ";");
		if (n > nname && header[nname] == '=' && memcmp(header, name, nname) == 0) {
			const char *value = header + nname + 1;
			size_t len = n - nname - 1;
			while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
				len--;
			if (found++ > 0 || len >= max || !is_value(value, len)) {
				if (max > 0)
					out[0] = '\0';
				return false;
			}
			memcpy(out, value, len);
			out[len] = '\0';
		}
		header += n;
	}
	return found == 1;
}
