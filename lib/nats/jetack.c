/* jetack.c - the two small languages of JetStream's replies. */
#include "nats/jetack.h"

#include <stdio.h>
#include <string.h>

#include "codec/codec.h"

#define WRONG_LAST 10071		/* another revision than the one expected */
#define UNDER_WAY 10164		/* another write on that subject is under way in the cluster */
#define UNAVAILABLE 503		/* "no leader", "insufficient resources": passes by itself */
#define TOKENS_MAX 13

static enum pub_reply
refused(const struct value *e, int64_t code, struct err *err)
{
	struct text words = { "no reason given", 15 };
	int64_t number = 0;

	value_text(value_field(e, "description"), &words);
	value_int(value_field(e, "err_code"), &number);
	err_set(err, number == WRONG_LAST ? ERR_REVISION : number == UNDER_WAY ? ERR_BUSY : ERR_STORE, "the stream refuses: %.*s (JetStream error %lld)", (int)(words.n < 200 ? words.n : 200),
	    words.p, (long long)number);
	return code == UNAVAILABLE ? PUB_LATER : PUB_REFUSED;
}

enum pub_reply
pub_reply_parse(const void *data, size_t n, struct pub_ack *ack, struct err *err)
{
	struct value v;
	struct text stream;
	int64_t code, seq;

	if (n == 0 || *(const char *)data != '{' ||
	    codec_parse(codec_mine(), (struct data){ DATA_JSON, data, n }, &v, NULL) != ERR_OK)
		return PUB_FOREIGN;
	const struct value *e = value_field(&v, "error");
	if (e != NULL && e->type == VALUE_MAP && value_int(value_field(e, "code"), &code))
		return refused(e, code, err);
	if (!value_text(value_field(&v, "stream"), &stream) || !value_int(value_field(&v, "seq"), &seq) || seq <= 0)
		return PUB_FOREIGN;
	memset(ack, 0, sizeof *ack);
	snprintf(ack->stream, sizeof ack->stream, "%.*s", (int)(stream.n < 256 ? stream.n : 256), stream.p);
	ack->seq = (uint64_t)seq;
	value_bool(value_field(&v, "duplicate"), &ack->duplicate);
	return PUB_STORED;
}

/* number: the decimal digits of one token, all of it. */
static bool
number(const char *p, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	if (n == 0 || n > 19)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(p[i] - '0');
	}
	*out = v;
	return true;
}

/* tokens: $JS.ACK.{stream}.{consumer}.{delivered}.{stream seq}.{consumer seq}.{time}.{pending}, or
 * with {domain}.{account} before the stream and perhaps a random token at the end. */
bool
ack_facts_parse(const char *reply, struct ack_facts *out)
{
	const char *at[TOKENS_MAX];
	size_t len[TOKENS_MAX], n = 0;
	uint64_t v[5];

	if (reply == NULL || strncmp(reply, "$JS.ACK.", 8) != 0)
		return false;
	for (const char *p = reply;; p++) {
		if (n == TOKENS_MAX)
			return false;
		size_t k = strcspn(p, ".");
		at[n] = p;
		len[n++] = k;
		p += k;
		if (*p == '\0')
			break;
	}
	if (n != 9 && n < 11)
		return false;
	size_t first = n == 9 ? 4 : 6;
	for (size_t i = 0; i < 5; i++)
		if (!number(at[first + i], len[first + i], &v[i]))
			return false;
	*out = (struct ack_facts){ v[0], v[1], v[2], v[4], (int64_t)v[3] };
	return true;
}
