/* pack_json.c - scalars as JSON, the way Python's json module prints them: the vectors of
 * wire.md §4 are compared byte by byte. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "codec/inner.h"

/* --- texts -------------------------------------------------------------------------------- */

static void
put_u(struct str *s, uint32_t unit)
{
	static const char hex[] = "0123456789abcdef";
	char *at = str_room(s, 6);

	at[0] = '\\';
	at[1] = 'u';
	for (int i = 0; i < 4; i++)
		at[2 + i] = hex[unit >> (12 - 4 * i) & 15];
	s->len += 6;
}

/* escape: the one character c that may not stand as it is. */
static void
escape(struct str *s, uint32_t c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *at;

	if (c > 0 && c < 0x80 && (at = strchr(from, (int)c)) != NULL) {
		str_add(s, (const char[]){ '\\', to[at - from] }, 2);
	} else if (c < 0x10000) {
		put_u(s, c);
	} else {
		put_u(s, 0xD800 + ((c - 0x10000) >> 10));
		put_u(s, 0xDC00 + ((c - 0x10000) & 0x3FF));
	}
}

/* plain_prefix: how many bytes from p on stand in the output as they are. */
static inline size_t
plain_prefix(const char *p, size_t n, unsigned char last)
{
	size_t i = 0;

	while (i < n) {
		unsigned char c = (unsigned char)p[i];
		if (c < ' ' || c > last || c == '"' || c == '\\')
			break;
		i++;
	}
	return i;
}

void
json_put_text(struct str *s, struct text t, enum pack_style style)
{
	/* ASCII styles escape DEL too: Python's encoder leaves only blank to tilde. */
	unsigned char last = style == PACK_ASCII || style == PACK_PYTHON ? '~' : 0xFF;
	size_t i = plain_prefix(t.p, t.n, last);
	char *at = str_room(s, t.n + 2);

	*at = '"';
	memcpy(at + 1, t.p, i);
	s->len += 1 + i;
	while (i < t.n) {
		uint32_t cp;
		i += utf8_next(t.p + i, t.n - i, &cp);
		escape(s, cp);
		size_t k = plain_prefix(t.p + i, t.n - i, last);
		str_add(s, t.p + i, k);
		i += k;
	}
	*str_room(s, 1) = '"';
	s->len++;
}

void
json_put_base64(struct str *s, struct text t)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)t.p;

	str_putc(s, '"');
	for (size_t i = 0; i < t.n; i += 3) {
		size_t k = t.n - i < 3 ? t.n - i : 3;
		uint32_t v = (uint32_t)p[i] << 16;
		if (k > 1)
			v |= (uint32_t)p[i + 1] << 8;
		if (k > 2)
			v |= p[i + 2];
		str_add(s, (const char[]){ digits[v >> 18], digits[v >> 12 & 63],
		    k > 1 ? digits[v >> 6 & 63] : '=', k > 2 ? digits[v & 63] : '=' }, 4);
	}
	str_putc(s, '"');
}

void
json_put_newline(struct str *s, unsigned depth)
{
	char *at = str_room(s, 1 + 2 * (size_t)depth);

	*at = '\n';
	memset(at + 1, ' ', 2 * (size_t)depth);
	s->len += 1 + 2 * (size_t)depth;
}

/* --- numbers ------------------------------------------------------------------------------ */

void
json_put_uint(struct str *s, uint64_t v)
{
	char text[20], *at = text + sizeof text;

	do {
		*--at = (char)('0' + v % 10);
	} while ((v /= 10) > 0);
	str_add(s, at, (size_t)(text + sizeof text - at));
}

void
json_put_int(struct str *s, int64_t v)
{
	if (v < 0)
		str_putc(s, '-');
	json_put_uint(s, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

/* A number as its digits without zeros at either end, and the place of the point: the
 * value is 0.{digits} * 10^point. */
struct decimal {
	char digits[JSON_DIGITS_MAX];
	int n, point;
};

static struct decimal
decimal_of(double v)
{
	struct decimal d = { .n = 0, .point = 0 };
	char text[JSON_DIGITS_MAX];
	bool fraction = false;
	const char *c = text;

	json_digits(v, text);
	for (; *c != '\0' && *c != 'e'; c++) {
		if (*c == '.') {
			fraction = true;
		} else if (d.n > 0 || *c != '0') {
			d.digits[d.n++] = *c;
			d.point += !fraction;
		} else {
			d.point -= fraction;	/* a zero between the point and the first digit */
		}
	}
	if (*c == 'e')
		d.point += (int)strtol(c + 1, NULL, 10);
	while (d.n > 1 && d.digits[d.n - 1] == '0')
		d.n--;
	return d;
}

static void
put_exponent(struct str *s, const struct decimal *d)
{
	int e = d->point - 1;

	str_putc(s, d->digits[0]);
	if (d->n > 1) {
		str_putc(s, '.');
		str_add(s, d->digits + 1, (size_t)d->n - 1);
	}
	str_printf(s, "e%c%02d", e < 0 ? '-' : '+', abs(e));
}

static void
put_plain(struct str *s, const struct decimal *d)
{
	int whole = d->point < d->n ? d->point : d->n;

	if (whole > 0)
		str_add(s, d->digits, (size_t)whole);
	else
		str_putc(s, '0');
	for (int i = d->n; i < d->point; i++)
		str_putc(s, '0');
	str_putc(s, '.');
	for (int i = d->point; i < 0; i++)
		str_putc(s, '0');
	if (whole < d->n)
		str_add(s, d->digits + (whole > 0 ? whole : 0), (size_t)(d->n - (whole > 0 ? whole : 0)));
	else
		str_putc(s, '0');
}

void
json_put_real(struct str *s, double v)
{
	if (signbit(v)) {
		str_putc(s, '-');
		v = -v;
	}
	/* Most reals are whole: time-outs, gauges, percentages. */
	if (v < 1e15 && v == (double)(uint64_t)v) {
		json_put_uint(s, (uint64_t)v);
		str_add(s, ".0", 2);
		return;
	}
	struct decimal d = decimal_of(v);
	/* Python's repr: plain from 0.0001 up to sixteen digits before the point. */
	if (d.point > -4 && d.point <= 16)
		put_plain(s, &d);
	else
		put_exponent(s, &d);
}
