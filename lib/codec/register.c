/* register.c - what the stream's leader says is in a register. */
#include "codec/register.h"

#include "codec/codec.h"
#include "codec/lease.h"

#define STORED_MAX 1024			/* max_msg_size of the stream */
#define CODED_MAX (STORED_MAX * 4 / 3 + 4)

static int
digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int64_t
base64_decode(const char *p, size_t n, unsigned char *out)
{
	uint32_t bits = 0;
	size_t made = 0, have = 0;

	while (n > 0 && p[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++) {
		int d = digit(p[i]);
		if (d < 0)
			return -1;
		bits = bits << 6 | (uint32_t)d;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[made++] = (unsigned char)(bits >> have);
		}
	}
	return have < 6 ? (int64_t)made : -1;
}

void
register_reply_parse(const void *p, size_t n, struct register_reply *out)
{
	unsigned char stored[STORED_MAX + 8];
	struct value v;
	struct text coded = { "", 0 };
	int64_t seq;

	*out = (struct register_reply){ .reading = REGISTER_LOST };
	if (n == 0)
		return;
	if (lease_read_missing(p, n)) {
		out->reading = REGISTER_BLANK;
		return;
	}
	if (codec_parse(codec_mine(), (struct data){ DATA_JSON, p, n }, &v, NULL) != ERR_OK)
		return;
	const struct value *m = value_field(&v, "message");
	if (!value_int(value_field(m, "seq"), &seq) || seq <= 0)
		return;
	out->rev = (uint64_t)seq;
	out->reading = REGISTER_UNREADABLE;
	value_text(value_field(m, "data"), &coded);
	int64_t size = coded.n <= CODED_MAX ? base64_decode(coded.p, coded.n, stored) : -1;
	if (size > 0 && lease_decode(stored, (size_t)size, &out->record, NULL) == ERR_OK)
		out->reading = REGISTER_VALUE;
}
