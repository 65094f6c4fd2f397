/* t_schema_peer - schemas and values drawn at random: Ajv, which none of us wrote, and we must agree
 * about each.  support/schema.mjs draws them; a failure names its seed. */
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>

#include "codec/codec.h"
#include "model/schema.h"

#define SCHEMAS 250
#define VALUES_LEAST 5000		/* of each verdict: otherwise the drawing proves little */

static size_t said[2];

static void
print(const char *title, const struct value *v)
{
	struct str out = STR_INIT;
	struct pack p;

	pack_init(&p, &out, DATA_JSON, PACK_COMPACT);
	pack_value(&p, v);
	pack_end(&p, NULL);
	print_error("%s: %s\n", title, str_text(&out));
	str_release(&out);
}

static void
compare(const char *line, size_t n, unsigned seed)
{
	struct codec *codec = codec_new();
	struct err err = { ERR_OK, "" };
	struct value v;

	expect_ok(codec_parse(codec, (struct data){ DATA_JSON, line, n }, &v, &err), &err);
	const struct value *schema = value_field(&v, "schema"), *values = value_field(&v, "values");
	const struct value *valid = value_field(&v, "valid");
	struct schema *s = schema_new(schema, &err);
	if (s == NULL) {
		print("schema", schema);
		fail_msg("seed %u: %s", seed, err.text);
	}
	for (uint32_t i = 0; i < values->n; i++) {
		bool want = valid->u.items[i].u.boolean;
		bool have = schema_check(s, &values->u.items[i], &err) == ERR_OK;
		said[want]++;
		if (want == have)
			continue;
		print("schema", schema);
		print("value", &values->u.items[i]);
		fail_msg("seed %u: Ajv says %s: %s", seed, want ? "valid, and we" : "not valid", have ? "" : err.text);
	}
	schema_free(s);
	codec_free(codec);
}

static void
agreement(void **state)
{
	const char *given = getenv("SCHEMA_SEED");
	unsigned first = given != NULL ? (unsigned)strtoul(given, NULL, 10) : 1, last = given != NULL ? first : 4;
	char command[120], *line = NULL;
	size_t cap = 0;

	(void)state;
	for (unsigned seed = first; seed <= last; seed++) {
		size_t lines = 0;
		ssize_t n;
		snprintf(command, sizeof command, "node tests/support/schema.mjs %u %d", seed, SCHEMAS);
		FILE *f = popen(command, "r");
		assert_non_null(f);
		for (; (n = getline(&line, &cap, f)) > 0; lines++)
			compare(line, (size_t)n, seed);
		assert_int_equal(pclose(f), 0);
		assert_int_equal(lines, SCHEMAS);
	}
	free(line);
	if (given == NULL)
		assert_true(said[0] >= VALUES_LEAST && said[1] >= VALUES_LEAST);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agreement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
