/* t_schema - what schemas are refused, which words failures have, and the bounds.  Which values
 * fit which schemas is t_schema_peer's. */
#include "expect.h"

#include "base/magic.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "model/regex.h"
#include "model/schema.h"

static struct value
parse(struct codec *c, const char *json)
{
	struct err err = { ERR_OK, "" };
	struct value v;

	if (codec_parse(c, (struct data){ DATA_JSON, json, strlen(json) }, &v, &err) != ERR_OK)
		fail_msg("%s: %s", json, err.text);
	return v;
}

static struct schema *
make(const char *json, struct err *err)
{
	struct codec *c = codec_new();
	struct value v = parse(c, json);
	struct schema *s = schema_new(&v, err);

	codec_free(c);		/* nothing of the text is needed any more */
	return s;
}

static enum err_code
check(const char *schema, const char *value, struct err *err)
{
	struct schema *s = make(schema, err);
	struct codec *c = codec_new();

	if (s == NULL)
		fail_msg("%s: %s", schema, err->text);
	struct value v = parse(c, value);
	enum err_code code = schema_check(s, &v, err);
	codec_free(c);
	schema_free(s);
	return code;
}

static void
refused_schemas(void **state)
{
	static const struct { const char *schema, *says; } rows[] = {
		{ "1", "at the root: a schema is an object, true or false" },
		{ "{\"colour\":1}", "at '/colour': no keyword that is supported, so the schema would mean less" },
		{ "{\"requird\":[]}", "at '/requird': no keyword that is supported; did you mean 'required'?" },
		{ "{\"properties\":{\"a/b\":{\"unevaluatedItems\":false}}}", "at '/properties/a~1b/unevaluatedItems'" },
		{ "{\"$anchor\":\"x\"}", "'/$anchor'" },
		{ "{\"x-\":1}", "'/x-'" },
		{ "{\"type\":\"int\"}", "at '/type': must be array, boolean" },
		{ "{\"type\":[]}", "at least one type" },
		{ "{\"type\":[\"string\",1]}", "at '/type'" },
		{ "{\"items\":[{}]}", "prefixItems" },
		{ "{\"prefixItems\":[{},{\"type\":1}]}", "at '/prefixItems/1/type'" },
		{ "{\"anyOf\":[]}", "one or more schemas" },
		{ "{\"enum\":[]}", "one or more values" },
		{ "{\"required\":[1]}", "a list of names" },
		{ "{\"properties\":[]}", "an object whose members are schemas" },
		{ "{\"minLength\":-1}", "at '/minLength': must be a whole number" },
		{ "{\"minLength\":1.5}", "must be a whole number" },
		{ "{\"minimum\":\"1\"}", "must be a number" },
		{ "{\"multipleOf\":0}", "greater than 0" },
		{ "{\"uniqueItems\":1}", "true or false" },
		{ "{\"pattern\":\"(\"}", "at '/pattern': a '(' without its ')'" },
		{ "{\"patternProperties\":{\"[\":true}}", "at '/patternProperties/[': a '[' without its ']'" },
		{ "{\"$ref\":\"#/$defs/a\"}", "at '/$ref': the root's $defs has no such name" },
		{ "{\"$ref\":\"http://x/y\"}", "only \"#\" and \"#/$defs/NAME\"" },
		{ "{\"$defs\":{\"a\":7}}", "at '/$defs/a'" },
		{ "{\"items\":{\"$defs\":{}}}", "at '/items/$defs': belongs to the schema's root" },
		{ "{\"$schema\":\"http://json-schema.org/draft-07/schema#\"}", "2020-12" },
		{ "{\"$ref\":\"#\"}", "without end" },
		{ "{\"$defs\":{\"a\":{\"not\":{\"$ref\":\"#/$defs/b\"}},\"b\":{\"if\":{\"$ref\":\"#/$defs/a\"}}}}", "without end" },
		{ "{\"properties\":{\"a\":true,\"a\":false}}", "at '/properties/a': is there twice" },
		{ "{\"$defs\":{\"a\":true,\"a\":false}}", "at '/$defs/a': is there twice" },
		{ "{\"type\":\"string\",\"type\":\"null\"}", "at '/type': is there twice" },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct schema *s = make(rows[i].schema, &err);
		if (s != NULL)
			fail_msg("%s was accepted", rows[i].schema);
		expect_refusal(err.code, &err, ERR_INVALID, rows[i].says);
	}
}

static void
words(void **state)
{
	static const struct { const char *schema, *value, *says; } rows[] = {
		{ "{\"type\":\"object\"}", "[]", "the value is of type list, not object (type)" },
		{ "{\"properties\":{\"a\":{\"items\":{\"minimum\":0}}}}", "{\"a\":[1,-1]}", "'/a/1' must be at least 0 (minimum)" },
		{ "{\"properties\":{\"a/b\":{\"maximum\":1.5}}}", "{\"a/b\":2}", "'/a~1b' must be at most 1.5 (maximum)" },
		{ "{\"required\":[\"qty\"]}", "{}", "the value has no member 'qty' (required)" },
		{ "{\"additionalProperties\":false}", "{\"q\":1}", "'/q' is not allowed here (additionalProperties)" },
		{ "{\"type\":[\"number\",\"null\"]}", "\"x\"", "is of type text, not null, number (type)" },
		{ "{\"multipleOf\":0.01}", "0.075", "must be a multiple of 0.01" },
		{ "{\"maximum\":18446744073709551614}", "18446744073709551615", "at most 18446744073709551614" },
		{ "{\"minLength\":3}", "\"é日\"", "has 2 characters, fewer than 3 (minLength)" },
		{ "{\"pattern\":\"^a\"}", "\"b\"", "does not match (pattern)" },
		{ "{\"enum\":[1,2]}", "3", "none of the 2 values" },
		{ "{\"oneOf\":[true,true]}", "3", "fits several of the 2" },
		{ "{\"not\":{}}", "3", "is what it must not be (not)" },
		{ "{\"uniqueItems\":true}", "[1,{\"a\":1,\"b\":2},{\"b\":2.0,\"a\":1}]", "the same item at 1 and 2" },
		{ "{\"maxProperties\":1}", "{\"a\":1,\"b\":2}", "has 2 members, more than 1" },
		{ "{\"minProperties\":2}", "{\"a\":1,\"a\":2}", "has 1 members, fewer than 2" },
		{ "{\"properties\":{\"a\":{\"const\":1}}}", "{\"a\":1,\"a\":2}", "'/a' is not the one value" },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		expect_refusal(check(rows[i].schema, rows[i].value, &err), &err, ERR_INVALID, rows[i].says);
	expect_ok(check("{\"multipleOf\":0.01}", "0.07", &err), &err);
	expect_ok(check("{\"properties\":{\"a\":{\"const\":2}}}", "{\"a\":1,\"a\":2}", &err), &err);
	expect_ok(check("{\"minimum\":18446744073709551615}", "18446744073709551615", &err), &err);
	expect_ok(check("{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"$id\":\"a\",\"format\":\"uuid\",\"x-n\":1}",
	    "\"no uuid\"", &err), &err);
}

static void
bytes_are_strings(void **state)
{
	struct err err = { ERR_OK, "" };
	struct value v = { .type = VALUE_BYTES, .u.text = { "abcd", 4 } };
	struct schema *s = make("{\"type\":\"string\",\"maxLength\":8}", &err);

	(void)state;
	expect_ok(schema_check(s, &v, &err), &err);
	schema_free(s);
	s = make("{\"maxLength\":7}", &err);
	expect_refusal(schema_check(s, &v, &err), &err, ERR_INVALID, "has 8 characters");
	schema_free(s);
	s = make("{\"pattern\":\"\"}", &err);
	expect_refusal(schema_check(s, &v, &err), &err, ERR_INVALID, "does not match");
	schema_free(s);
}

/* What would cost more than there is ends the check, also inside a `not`. */
static void
costs(void **state)
{
	struct str schema = STR_INIT, value = STR_INIT;
	struct err err;

	(void)state;
	str_puts(&schema, "{\"$defs\":{");
	for (int i = 0; i < 12; i++)
		str_printf(&schema, "\"d%d\":{\"items\":{\"allOf\":[{\"$ref\":\"#/$defs/d%d\"},{\"$ref\":\"#/$defs/d%d\"},"
		    "{\"$ref\":\"#/$defs/d%d\"},{\"$ref\":\"#/$defs/d%d\"}]}},", i, i + 1, i + 1, i + 1, i + 1);
	str_puts(&schema, "\"d12\":{\"type\":\"string\"}},\"not\":{\"$ref\":\"#/$defs/d0\"}}");
	str_puts(&value, "[[[[[[[[[[[[\"x\"]]]]]]]]]]]]");
	expect_refusal(check(str_text(&schema), str_text(&value), &err), &err, ERR_INVALID, "costs too much");
	str_clear(&value);
	for (int i = 0; i < 5000; i++)
		str_printf(&value, "%s%d", i == 0 ? "[" : ",", i);
	str_putc(&value, ']');
	expect_refusal(check("{\"uniqueItems\":true}", str_text(&value), &err), &err, ERR_INVALID, "costs too much");
	str_clear(&schema);
	str_clear(&value);
	str_putc(&value, '"');
	for (int i = 0; i < 100000; i++)
		str_putc(&value, 'a');
	str_putc(&value, '"');
	expect_refusal(check("{\"pattern\":\"(a*)*(a*)*(a|a|a){90}b\"}", str_text(&value), &err), &err, ERR_INVALID, "costs too much");
	expect_refusal(check("{\"pattern\":\"^(a*)*$b\"}", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", &err),
	    &err, ERR_INVALID, "does not match");
	str_release(&schema);
	str_release(&value);
}

static void
sizes(void **state)
{
	struct str s = STR_INIT;
	struct err err = { ERR_OK, "" };

	(void)state;
	str_puts(&s, "{\"anyOf\":[");
	for (int i = 0; i < SCHEMA_RULES_MAX; i++)
		str_puts(&s, i == 0 ? "true" : ",true");
	str_puts(&s, "]}");
	assert_null(make(str_text(&s), &err));
	expect_refusal(err.code, &err, ERR_INVALID, "more than 4096 schemas");
	/* A chain of sixteen is fine, one more is not. */
	for (int n = SCHEMA_CHAIN_MAX; n <= SCHEMA_CHAIN_MAX + 1; n++) {
		str_clear(&s);
		for (int i = 1; i < n; i++)
			str_puts(&s, "{\"not\":");
		str_puts(&s, "true");
		for (int i = 1; i < n; i++)
			str_putc(&s, '}');
		struct schema *made = make(str_text(&s), &err);
		assert_int_equal(made != NULL, n == SCHEMA_CHAIN_MAX);
		schema_free(made);
	}
	expect_refusal(err.code, &err, ERR_INVALID, "16 deep");
	str_release(&s);
}

/* A long way down: the pointer is cut from the front, between characters. */
static void
long_places(void **state)
{
	struct str schema = STR_INIT, value = STR_INIT;
	struct err err;

	(void)state;
	for (int i = 0; i < 9; i++) {
		str_puts(&schema, "{\"additionalProperties\":");
		str_puts(&value, "{\"ééééééééééééééé\":");
	}
	str_puts(&schema, "{\"type\":\"null\"}");
	str_puts(&value, "1");
	for (int i = 0; i < 9; i++) {
		str_putc(&schema, '}');
		str_putc(&value, '}');
	}
	expect_refusal(check(str_text(&schema), str_text(&value), &err), &err, ERR_INVALID, "'…é");
	str_release(&schema);
	str_release(&value);
}

static void
patterns(void **state)
{
	static const struct { const char *pattern, *says; } bad[] = {
		{ "a)", "without its '('" }, { "(a", "without its ')'" }, { "*", "nothing to repeat" }, { "^*", "nothing to repeat" },
		{ "a{", "{n}, {n,}" }, { "{", "\\{" }, { "a{2,1}", "wrong order" }, { "a{1001}", "more than 1000" }, { "(a{1000}){2}", "too big" },
		{ "(?=a)", "no look-around" }, { "(?<n>a)", "no look-around" }, { "\\1", "not supported" }, { "\\b", "not supported" },
		{ "\\p{L}", "not supported" }, { "[b-a]", "smaller and a greater" }, { "[\\d-a]", "smaller and a greater" },
		{ "\\", "nothing behind" }, { "\\u12", "four" }, { "\\ud800", "surrogate" }, { "\\u{110000}", "10FFFF" },
		{ "\\x1", "two" }, { "a]", "\\]" }, { "\\01", "octal" }, { "[a", "']'" },
	};
	struct err err;
	char deep[120];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct regex *r = regex_new(text_of(bad[i].pattern), &err);
		if (r != NULL)
			fail_msg("'%s' was accepted", bad[i].pattern);
		expect_refusal(err.code, &err, ERR_INVALID, bad[i].says);
	}
	memset(deep, '(', 50);
	memset(deep + 50, ')', 50);
	assert_null(regex_new((struct text){ deep, 100 }, &err));
	expect_refusal(err.code, &err, ERR_INVALID, "32 deep");
	uint64_t steps = 3;
	struct regex *r = regex_new(text_of("abc"), &err);
	assert_false(regex_search(r, text_of("xxxxxabc"), &steps));
	assert_int_equal(steps, 0);
	steps = 1000;
	assert_true(regex_search(r, text_of("xxxxxabc"), &steps));
	regex_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_schemas),
		cmocka_unit_test(words),
		cmocka_unit_test(bytes_are_strings),
		cmocka_unit_test(costs),
		cmocka_unit_test(sizes),
		cmocka_unit_test(long_places),
		cmocka_unit_test(patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
