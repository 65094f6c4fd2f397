/* fuzz_record - records of the registry: what can be read is written, and reading that gives
 * the same record again. */
#include "fuzz.h"

#include "codec/record.h"

static struct str first, again;

static void
instance(struct codec *c, const uint8_t *data, size_t size)
{
	struct instance i;

	if (instance_decode(c, data, size, &i, NULL) != ERR_OK)
		return;
	str_clear(&first);
	instance_encode(&i, &first);
	instance_release(&i);
	MUST(instance_decode(c, first.p, first.len, &i, NULL) == ERR_OK);
	str_clear(&again);
	instance_encode(&i, &again);
	MUST(same(&first, &again));
	instance_release(&i);
}

static void
definition(struct codec *c, const uint8_t *data, size_t size)
{
	struct definition d;
	struct value v;

	if (definition_decode(c, data, size, &d, NULL) == ERR_OK) {
		str_clear(&first);
		definition_encode(&d, &first);
		definition_release(&d);
		MUST(definition_decode(c, first.p, first.len, &d, NULL) == ERR_OK);
		str_clear(&again);
		definition_encode(&d, &again);
		MUST(same(&first, &again));
		definition_release(&d);
	}
	if (codec_parse_lenient(c, (const char *)data, size, &v, NULL) == ERR_OK &&
	    definition_from_value(&v, &d, NULL) == ERR_OK) {
		str_clear(&first);
		definition_encode(&d, &first);
		definition_check(&d, NULL);
		definition_release(&d);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	instance(codec_mine(), data, size);
	definition(codec_mine(), data, size);
	return 0;
}
