/* isoc23.c - three names that a newer C library would have.
 *
 * The archives of nats.c and hdr_histogram were built against a glibc whose headers
 * rename these functions; ours has the old names only.  Forwarded, nothing more: an
 * archive that wants another one fails to link, loudly. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

long __isoc23_strtol(const char *s, char **end, int base);
long long __isoc23_strtoll(const char *s, char **end, int base);
int __isoc23_sscanf(const char *s, const char *fmt, ...);

long
__isoc23_strtol(const char *s, char **end, int base)
{
	return strtol(s, end, base);
}

long long
__isoc23_strtoll(const char *s, char **end, int base)
{
	return strtoll(s, end, base);
}

int
__isoc23_sscanf(const char *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsscanf(s, fmt, ap);
	va_end(ap);
	return n;
}
