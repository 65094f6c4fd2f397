/* fuzz_schema - any schema compiles or is refused with words, and any value is judged within the
 * bounds: a verdict, the same one twice, and words when it is no.  Input: [SCHEMA, VALUE, …]. */
#include "fuzz.h"

#include "codec/codec.h"
#include "model/regex.h"
#include "model/schema.h"

static void
judge(const struct schema *s, const struct value *v)
{
	struct err err = { ERR_OK, "" };
	enum err_code code = schema_check(s, v, &err);

	MUST((code == ERR_OK) == (err.text[0] == '\0'));
	MUST(code == ERR_OK || code == ERR_INVALID);
	MUST(schema_check(s, v, NULL) == code);
}

/* search: the text itself as a pattern, on itself. */
static void
search(const char *p, size_t n)
{
	struct err err = { ERR_OK, "" };
	struct text t = { p, n };
	uint64_t steps = 100000;
	struct regex *r = regex_new(t, &err);

	MUST((r == NULL) == (err.text[0] != '\0'));
	if (r != NULL)
		regex_search(r, t, &steps);
	regex_free(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct codec *c = codec_new();
	struct data d = { DATA_JSON, (const char *)data, size };
	struct err err = { ERR_OK, "" };
	struct value v;

	search((const char *)data, size);
	if (codec_parse(c, d, &v, &err) == ERR_OK && v.type == VALUE_ARRAY && v.n > 0) {
		struct schema *s = schema_new(&v.u.items[0], &err);
		MUST((s == NULL) == (err.text[0] != '\0'));
		for (uint32_t i = 0; s != NULL && i < v.n; i++)
			judge(s, &v.u.items[i]);
		schema_free(s);
	}
	codec_free(c);
	return 0;
}
