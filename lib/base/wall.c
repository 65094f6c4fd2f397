/* wall.c - ISO 8601 without the C library's calendar, whose functions know time zones
 * of the machine; ours must give the same bytes everywhere. */
#include "base/wall.h"

#include <string.h>

#define DAY_S INT64_C(86400)

/* days_from_civil, civil_from_days: the proleptic Gregorian calendar in closed form.
 * Years are counted from March, so that the leap day is the last of the year. */
static int64_t
days_from_civil(int64_t y, unsigned m, unsigned d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	unsigned yoe = (unsigned)(y - era * 400);
	unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + (int64_t)doe - 719468;
}

struct civil {
	int year;
	unsigned month, day, hour, minute, second, micro;
};

static struct civil
civil_of(struct wall t, int64_t offset_s)
{
	int64_t micros = t.ns / 1000 - (t.ns % 1000 < 0);
	int64_t s = micros / 1000000, us = micros % 1000000;
	if (us < 0) {
		us += 1000000;
		s--;
	}
	s += offset_s;
	int64_t days = s / DAY_S, rest = s % DAY_S;
	if (rest < 0) {
		rest += DAY_S;
		days--;
	}
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	unsigned doe = (unsigned)(days - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;
	unsigned month = mp < 10 ? mp + 3 : mp - 9;
	return (struct civil){
		.year = (int)((int64_t)yoe + era * 400 + (month <= 2)),
		.month = month,
		.day = doy - (153 * mp + 2) / 5 + 1,
		.hour = (unsigned)(rest / 3600),
		.minute = (unsigned)(rest % 3600 / 60),
		.second = (unsigned)(rest % 60),
		.micro = (unsigned)us,
	};
}

/* two: v, below 100, as two digits; every message carries a time, and printf took longer for one
 * than the rest of the message. */
static inline char *
two(char *p, unsigned v)
{
	p[0] = (char)('0' + v / 10);
	p[1] = (char)('0' + v % 10);
	return p + 2;
}

static inline char *
three(char *p, unsigned v)
{
	*p++ = (char)('0' + v / 100);
	return two(p, v % 100);
}

static void
format(struct wall t, int64_t offset_s, const char *zone, int places, char out[WALL_TEXT_MAX])
{
	struct civil c = civil_of(t, offset_s);
	char *p = two(out, (unsigned)c.year / 100);	/* 64 bits of ns end in 2262 */

	p = two(p, (unsigned)c.year % 100);
	*p++ = '-';
	p = two(p, c.month);
	*p++ = '-';
	p = two(p, c.day);
	*p++ = 'T';
	p = two(p, c.hour);
	*p++ = ':';
	p = two(p, c.minute);
	*p++ = ':';
	p = two(p, c.second);
	*p++ = '.';
	p = three(p, c.micro / 1000);
	if (places == 6)
		p = three(p, c.micro % 1000);
	memcpy(p, zone, strlen(zone) + 1);
}

void
wall_utc(struct wall t, char out[WALL_TEXT_MAX])
{
	format(t, 0, "+00:00", 6, out);
}

void
wall_cst(struct wall t, char out[WALL_TEXT_MAX])
{
	format(t, 8 * 3600, "+08:00", 6, out);
}

void
wall_rfc3339(struct wall t, char out[WALL_TEXT_MAX])
{
	format(t, 0, "Z", 3, out);
}

/* A cursor over the text; every reader below moves it only when it succeeds. */
struct cursor {
	const char *p, *end;
};

static inline bool
take(struct cursor *c, char want)
{
	if (c->p == c->end || *c->p != want)
		return false;
	c->p++;
	return true;
}

static inline bool
digit(char c, unsigned *v)
{
	*v = (unsigned char)c - (unsigned)'0';
	return *v <= 9;
}

static inline bool
two_digits(struct cursor *c, unsigned *v)
{
	unsigned tens, ones;

	if (c->end - c->p < 2 || !digit(c->p[0], &tens) || !digit(c->p[1], &ones))
		return false;
	c->p += 2;
	*v = tens * 10 + ones;
	return true;
}

static inline bool
four_digits(struct cursor *c, unsigned *v)
{
	struct cursor then = *c;
	unsigned high, low;

	if (!two_digits(&then, &high) || !two_digits(&then, &low))
		return false;
	*c = then;
	*v = high * 100 + low;
	return true;
}

static bool
date(struct cursor *c, int64_t *days)
{
	static const unsigned char month_days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	unsigned y, m, d;

	if (!four_digits(c, &y) || !take(c, '-') || !two_digits(c, &m) || !take(c, '-') || !two_digits(c, &d))
		return false;
	if (y < 1 || m < 1 || m > 12 || d < 1 || d > month_days[m - 1])
		return false;
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
	if (m == 2 && d == 29 && !leap)
		return false;
	*days = days_from_civil(y, m, d);
	return true;
}

/* fraction: up to nine digits after the point, as nanoseconds. */
static bool
fraction(struct cursor *c, int64_t *ns)
{
	int64_t unit = NS_PER_S / 10, x = 0;
	int n = 0;

	while (c->p < c->end && *c->p >= '0' && *c->p <= '9') {
		if (++n > 9)
			return false;
		x += (*c->p++ - '0') * unit;
		unit /= 10;
	}
	*ns = x;
	return true;
}

static bool
zone(struct cursor *c, int64_t *offset_s)
{
	unsigned h, m = 0;
	int64_t sign;

	*offset_s = 0;
	if (c->p == c->end || take(c, 'Z') || take(c, 'z'))
		return true;
	if (take(c, '+'))
		sign = 1;
	else if (take(c, '-'))
		sign = -1;
	else
		return false;
	if (!two_digits(c, &h))
		return false;
	bool colon = take(c, ':');
	if ((colon || c->p < c->end) && !two_digits(c, &m))
		return false;
	if (h > 23 || m > 59)
		return false;
	*offset_s = sign * (int64_t)(h * 3600 + m * 60);
	return true;
}

bool
wall_parse(const char *text, size_t n, struct wall *t)
{
	struct cursor c = { text, text + n };
	int64_t days, ns = 0, offset_s = 0;
	unsigned h = 0, m = 0, s = 0;

	if (!date(&c, &days))
		return false;
	if (c.p < c.end) {
		if (!take(&c, 'T') && !take(&c, 't') && !take(&c, ' '))
			return false;
		if (!two_digits(&c, &h) || !take(&c, ':') || !two_digits(&c, &m))
			return false;
		if (take(&c, ':')) {
			if (!two_digits(&c, &s))
				return false;
			if ((take(&c, '.') || take(&c, ',')) && !fraction(&c, &ns))
				return false;
		}
		if (h > 23 || m > 59 || s > 59 || !zone(&c, &offset_s))
			return false;
	}
	if (c.p != c.end)
		return false;
	/* int64 nanoseconds end in 2262 and begin in 1677; what lies beyond is a valid text,
	 * and becomes the nearest instant that we can hold. */
	int64_t secs = days * DAY_S + h * 3600 + m * 60 + s - offset_s;
	if (secs > INT64_MAX / NS_PER_S - 1)
		t->ns = INT64_MAX;
	else if (secs < INT64_MIN / NS_PER_S + 1)
		t->ns = INT64_MIN;
	else
		t->ns = secs * NS_PER_S + ns;
	return true;
}
