/* fuzz_codec - both readers and the lenient one; what they read is written in every form and
 * read back to the same. */
#include "fuzz.h"

#include "codec/codec.h"

static struct str msgpack, json, styled, back;

/* converted: MUST succeed, because the source was just read. */
static void
converted(struct data d, enum data_format to, enum pack_style style, struct str *out)
{
	str_clear(out);
	MUST(codec_convert(d, to, style, out, NULL) == ERR_OK);
}

static struct data
data_of(enum data_format format, const struct str *s)
{
	return (struct data){ format, s->p, s->len };
}

/* round_trips: v, in its own form, through every other. */
static void
round_trips(const struct value *v)
{
	struct pack p;

	str_clear(&msgpack);
	pack_init(&p, &msgpack, DATA_MSGPACK, PACK_COMPACT);
	pack_value(&p, v);
	MUST(pack_end(&p, NULL) == ERR_OK);
	converted(data_of(DATA_MSGPACK, &msgpack), DATA_JSON, PACK_COMPACT, &json);
	for (enum pack_style style = PACK_ASCII; style <= PACK_PRETTY; style++) {
		converted(data_of(DATA_JSON, &json), DATA_JSON, style, &styled);
		/* By way of MessagePack, because compact JSON would be copied as it is. */
		converted(data_of(DATA_JSON, &styled), DATA_MSGPACK, PACK_COMPACT, &msgpack);
		converted(data_of(DATA_MSGPACK, &msgpack), DATA_JSON, PACK_COMPACT, &back);
		MUST(same(&json, &back));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct codec *c = codec_mine();
	struct value v;
	struct err err;

	for (enum data_format f = DATA_MSGPACK; f <= DATA_JSON; f++) {
		if (codec_parse(c, (struct data){ f, (const char *)data, size }, &v, &err) == ERR_OK)
			round_trips(&v);
		else
			MUST(err.text[0] != '\0');
	}
	if (codec_parse_lenient(c, (const char *)data, size, &v, &err) == ERR_OK)
		round_trips(&v);
	return 0;
}
