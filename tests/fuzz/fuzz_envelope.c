/* fuzz_envelope - what can be decoded as a message can be written in both encodings, and
 * reading that gives the same message again. */
#include "fuzz.h"

#include "codec/envelope.h"

static struct str first[2], again;

/* written: e in one encoding; what was decoded must pass the check before writing. */
static void
written(const struct envelope *e, enum data_format format, struct str *out)
{
	str_clear(out);
	MUST(envelope_encode(e, format, (struct wall){ 0 }, out, NULL) == ERR_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct codec *c = codec_mine();
	enum data_format format;
	struct envelope e;
	struct err err;

	for (enum envelope_kind kind = ENVELOPE_REQUEST; kind < ENVELOPE_KINDS; kind++) {
		if (envelope_decode(c, kind, data, size, &e, &format, &err) != ERR_OK) {
			MUST(err.text[0] != '\0');
			continue;
		}
		written(&e, DATA_MSGPACK, &first[DATA_MSGPACK]);
		written(&e, DATA_JSON, &first[DATA_JSON]);
		for (enum data_format f = DATA_MSGPACK; f <= DATA_JSON; f++) {
			MUST(envelope_decode(c, kind, first[f].p, first[f].len, &e, &format, &err) == ERR_OK);
			MUST(format == f && e.unknown_keys == 0);
			written(&e, f, &again);
			MUST(same(&first[f], &again));
		}
	}
	return 0;
}
