/* out_text.c - text on a terminal: how wide it is, and what of it a terminal would obey. */
#include "out.h"

#include <stdint.h>

#include "base/magic.h"

/* decode: one code point of UTF-8 at *s; a stray byte is U+FFFD.  Moves *s behind it. */
static uint32_t
decode(const char **s)
{
	const unsigned char *p = (const unsigned char *)*s;
	int more = p[0] < 0x80 ? 0 : p[0] >= 0xf0 ? 3 : p[0] >= 0xe0 ? 2 : p[0] >= 0xc0 ? 1 : -1;
	uint32_t c = p[0];

	*s += 1;
	if (more <= 0)
		return more == 0 ? c : 0xfffd;
	c &= 0x3fu >> more;
	for (int i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0xfffd;
		c = c << 6 | (p[i] & 0x3f);
	}
	*s += more;
	return c;
}

/* columns_of: the blocks that terminals draw two columns wide or not at all.  No table of
 * Unicode: names are ASCII by wire.md §1, only descriptions hold anything else. */
static int
columns_of(uint32_t c)
{
	static const struct { uint32_t from, to; int width; } blocks[] = {
		{ 0x300, 0x36f, 0 }, { 0x200b, 0x200f, 0 }, { 0xfe00, 0xfe0f, 0 },
		{ 0x1100, 0x115f, 2 }, { 0x2e80, 0xa4cf, 2 }, { 0xac00, 0xd7a3, 2 }, { 0xf900, 0xfaff, 2 },
		{ 0xfe30, 0xfe6f, 2 }, { 0xff00, 0xff60, 2 }, { 0xffe0, 0xffe6, 2 }, { 0x1f300, 0x1faff, 2 },
		{ 0x20000, 0x3fffd, 2 },
	};

	for (size_t i = 0; i < COUNT_OF(blocks); i++)
		if (c >= blocks[i].from && c <= blocks[i].to)
			return blocks[i].width;
	return 1;
}

int
out_width(const char *text)
{
	int n = 0;

	while (*text != '\0')
		n += columns_of(decode(&text));
	return n;
}

void
out_clean(const char *text, struct str *out)
{
	while (*text != '\0') {
		const char *from = text;
		uint32_t c = decode(&text);
		bool obeyed = c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xfffd ||
		    (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
		if (obeyed)
			str_putc(out, c == '\n' || c == '\t' ? ' ' : '?');
		else
			str_add(out, from, (size_t)(text - from));
	}
}

void
out_cut(struct str *out, const char *text, int width)
{
	int n = 0;

	while (*text != '\0') {
		const char *from = text;
		int w = columns_of(decode(&text));
		if (n + w > width - 1 && n + w + out_width(text) > width) {
			str_puts(out, "\u2026");
			n++;
			break;
		}
		str_add(out, from, (size_t)(text - from));
		n += w;
	}
	for (; n < width; n++)
		str_putc(out, ' ');
}
