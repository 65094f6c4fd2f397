/* num.c - reading and writing numbers; the C library's parsers are wrapped so that what
 * they accept by tradition (blanks, hex, "inf", trailing text) is refused. */
#include "base/num.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/instant.h"
#include "base/magic.h"

#define SAFE_DIGITS 19		/* that no 64 bits are too few for */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
num_uint_n(const char *p, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t d = (uint64_t)(p[i] - '0');
		if (!is_digit(p[i]) || (i >= SAFE_DIGITS && v > (UINT64_MAX - d) / 10))
			return false;
		v = v * 10 + d;
	}
	if (n == 0)
		return false;
	*out = v;
	return true;
}

bool
num_uint(const char *s, uint64_t *out)
{
	return num_uint_n(s, strlen(s), out);
}

size_t
num_uint_text(uint64_t v, char out[NUM_TEXT_MAX])
{
	char digits[NUM_TEXT_MAX];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	for (size_t i = 0; i < n; i++)
		out[i] = digits[n - 1 - i];
	out[n] = '\0';
	return n;
}

bool
num_int(const char *s, int64_t *out)
{
	bool negative = *s == '-';
	uint64_t v;

	if (!num_uint(s + negative, &v) || v > (uint64_t)INT64_MAX + negative)
		return false;
	*out = negative ? (int64_t)-v : (int64_t)v;
	return true;
}

bool
num_real(const char *s, double *out)
{
	/* The program never calls setlocale, so strtod's point is a point. */
	if (!is_digit(*s) && !(*s == '-' && is_digit(s[1])))
		return false;
	if (strpbrk(s, "xXpP") != NULL)
		return false;
	char *end;
	double v = strtod(s, &end);
	if (*end != '\0' || !isfinite(v))
		return false;
	*out = v;
	return true;
}

struct unit {
	const char *name;
	int64_t factor;
};

/* quantity: one number with one of the units, as whole steps of the smallest one; in
 * integers, because a double loses nanoseconds after 104 days. */
static bool
quantity(const char **s, const struct unit *units, size_t n, __int128 *out)
{
	const char *p = *s;
	__int128 whole = 0, fraction = 0, place = 1;

	if (!is_digit(*p))
		return false;
	for (; is_digit(*p); p++)
		if ((whole = whole * 10 + (*p - '0')) > INT64_MAX)
			return false;
	if (*p == '.') {
		if (!is_digit(*++p))
			return false;
		/* 18 places tell a nanosecond in a day apart many times over; more are dropped. */
		for (; is_digit(*p); p++) {
			if (place < INT64_C(1000000000000000000)) {
				fraction = fraction * 10 + (*p - '0');
				place *= 10;
			}
		}
	}
	size_t len = strcspn(p, "0123456789.");
	for (size_t i = 0; i < n; i++) {
		if (strlen(units[i].name) == len && strncmp(units[i].name, p, len) == 0) {
			*out = whole * units[i].factor + (fraction * units[i].factor + place / 2) / place;
			*s = p + len;
			return true;
		}
	}
	return false;
}

bool
num_duration(const char *s, int64_t *ns)
{
	static const struct unit units[] = {
		{ "ns", 1 }, { "us", NS_PER_US }, { "ms", NS_PER_MS }, { "s", NS_PER_S },
		{ "m", 60 * NS_PER_S }, { "h", 3600 * NS_PER_S }, { "d", 86400 * NS_PER_S },
	};
	__int128 total = 0, v;

	if (strcmp(s, "0") == 0) {
		*ns = 0;
		return true;
	}
	if (*s == '\0')
		return false;
	while (*s != '\0') {
		if (!quantity(&s, units, COUNT_OF(units), &v))
			return false;
		if ((total += v) > INT64_MAX)
			return false;
	}
	*ns = (int64_t)total;
	return true;
}

bool
num_seconds(const char *s, int64_t *ns)
{
	double v;

	if (!num_real(s, &v) || fabs(v) > 9e9)
		return false;
	*ns = (int64_t)llround(v * 1e9);
	return true;
}

bool
num_size(const char *s, uint64_t *bytes)
{
	static const struct unit units[] = {
		{ "B", 1 }, { "kB", 1000 }, { "KB", 1000 }, { "MB", 1000000 }, { "GB", 1000000000 },
		{ "KiB", 1 << 10 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 },
	};
	__int128 v;

	if (!quantity(&s, units, COUNT_OF(units), &v) || *s != '\0' || v > INT64_MAX)
		return false;
	*bytes = (uint64_t)v;
	return true;
}

bool
num_bool(const char *s, bool *out)
{
	static const char *const yes[] = { "true", "1", "yes", "on" };
	static const char *const no[] = { "false", "0", "no", "off" };

	for (size_t i = 0; i < COUNT_OF(yes); i++) {
		if (strcasecmp(s, yes[i]) == 0 || strcasecmp(s, no[i]) == 0) {
			*out = strcasecmp(s, yes[i]) == 0;
			return true;
		}
	}
	return false;
}

void
num_duration_text(int64_t ns, char out[NUM_TEXT_MAX])
{
	static const struct { const char *name; int64_t ns; } units[] = {
		{ "h", 3600 * NS_PER_S }, { "m", 60 * NS_PER_S }, { "s", NS_PER_S },
		{ "ms", NS_PER_MS }, { "us", NS_PER_US }, { "ns", 1 },
	};
	int n = 0;

	if (ns <= 0) {
		snprintf(out, NUM_TEXT_MAX, "0s");
		return;
	}
	for (size_t i = 0; i < COUNT_OF(units) && ns > 0; i++) {
		int64_t k = ns / units[i].ns;
		if (k == 0)
			continue;
		n += snprintf(out + n, NUM_TEXT_MAX - (size_t)n, "%lld%s", (long long)k, units[i].name);
		ns -= k * units[i].ns;
	}
}

/* As Python writes a float: the fewest digits that read back, and an exponent only where
 * plain text would be mostly zeros. */
void
num_real_text(double v, char out[NUM_TEXT_MAX])
{
	int digits = 0;

	if (!isfinite(v)) {
		snprintf(out, NUM_TEXT_MAX, "%g", v);
		return;
	}
	do
		snprintf(out, NUM_TEXT_MAX, "%.*e", digits, v);
	while (strtod(out, NULL) != v && ++digits < 17);
	int exponent = (int)strtol(strchr(out, 'e') + 1, NULL, 10);
	if (exponent >= -4 && exponent < 16)
		snprintf(out, NUM_TEXT_MAX, "%.*f", digits > exponent ? digits - exponent : 1, v);
}
