/* t_pack - the writer: every style, the smallest MessagePack form, numbers as Python prints
 * them, and what is refused without leaving half a message behind. */
#include "expect.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/magic.h"
#include "codec/codec.h"
#include "codec/inner.h"

static struct str out;

static int
clear(void **state)
{
	(void)state;
	str_clear(&out);
	return 0;
}

static int
release(void **state)
{
	(void)state;
	str_release(&out);
	return 0;
}

static struct pack
begin(enum data_format format, enum pack_style style)
{
	struct pack p;

	pack_init(&p, &out, format, style);
	return p;
}

static void
end(struct pack *p, const char *want)
{
	struct err err;

	expect_ok(pack_end(p, &err), &err);
	expect_str(&out, want);
	str_clear(&out);
}

static void
end_hex(struct pack *p, const char *hex)
{
	char bytes[512];
	size_t n = unhex(hex, bytes, sizeof bytes);
	struct err err;

	expect_ok(pack_end(p, &err), &err);
	assert_int_equal(out.len, n);
	assert_memory_equal(out.p, bytes, n);
	str_clear(&out);
}

/* sample: one of everything. */
static void
sample(struct pack *p)
{
	pack_map(p, 5);
	pack_key(p, "a\xc3\xa9");
	pack_array(p, 3);
	pack_null(p);
	pack_bool(p, true);
	pack_real(p, 5);
	pack_key_n(p, (struct text){ "bxxx", 1 });
	pack_map(p, 0);
	pack_key(p, "c");
	pack_array(p, 0);
	pack_key(p, "d");
	pack_puts(p, "x\"\\/\b\f\n\r\t\x01\x1f\x7f \xe2\x82\xac\xf0\x9f\x98\x80");
	pack_key(p, "e");
	pack_map(p, 1);
	pack_key(p, "f");
	pack_bytes(p, (struct text){ "\0\xff", 2 });
}

static void
four_styles_of_json(void **state)
{
	static const char *const want[] = {
		[PACK_COMPACT] = "{\"a\xc3\xa9\":[null,true,5.0],\"b\":{},\"c\":[],"
		    "\"d\":\"x\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f \xe2\x82\xac\xf0\x9f\x98\x80\","
		    "\"e\":{\"f\":\"AP8=\"}}",
		[PACK_ASCII] = "{\"a\\u00e9\":[null,true,5.0],\"b\":{},\"c\":[],"
		    "\"d\":\"x\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f \\u20ac\\ud83d\\ude00\","
		    "\"e\":{\"f\":\"AP8=\"}}",
		[PACK_PYTHON] = "{\"a\\u00e9\": [null, true, 5.0], \"b\": {}, \"c\": [], "
		    "\"d\": \"x\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f \\u20ac\\ud83d\\ude00\","
		    " \"e\": {\"f\": \"AP8=\"}}",
		[PACK_PRETTY] = "{\n  \"a\xc3\xa9\": [\n    null,\n    true,\n    5.0\n  ],\n  \"b\": {},"
		    "\n  \"c\": [],\n"
		    "  \"d\": \"x\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f \xe2\x82\xac\xf0\x9f\x98\x80\",\n"
		    "  \"e\": {\n    \"f\": \"AP8=\"\n  }\n}",
	};

	(void)state;
	for (enum pack_style style = PACK_COMPACT; style <= PACK_PRETTY; style++) {
		struct pack p = begin(DATA_JSON, style);
		sample(&p);
		end(&p, want[style]);
	}
}

static void
one_form_of_msgpack(void **state)
{
	(void)state;
	for (enum pack_style style = PACK_COMPACT; style <= PACK_PRETTY; style++) {
		struct pack p = begin(DATA_MSGPACK, style);
		sample(&p);
		end_hex(&p, "85a361c3a993c0c3cb4014000000000000a16280a16390a164b4"
		    "78225c2f080c0a0d09011f7f20e282acf09f9880a16581a166c40200ff");
	}
}

static void
integers_take_the_smallest_form(void **state)
{
	static const struct { int64_t v; const char *hex, *json; } rows[] = {
		{ 0, "00", "0" }, { 127, "7f", "127" }, { 128, "cc80", "128" }, { 255, "ccff", "255" },
		{ 256, "cd0100", "256" }, { 65536, "ce00010000", "65536" }, { INT64_C(1) << 32,
		    "cf0000000100000000", "4294967296" },
		{ INT64_MAX, "cf7fffffffffffffff", "9223372036854775807" },
		{ -1, "ff", "-1" }, { -32, "e0", "-32" }, { -33, "d0df", "-33" }, { -128, "d080", "-128" },
		{ -129, "d1ff7f", "-129" }, { -32769, "d2ffff7fff", "-32769" },
		{ INT64_MIN, "d38000000000000000", "-9223372036854775808" },
	};
	struct pack p;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		p = begin(DATA_MSGPACK, PACK_COMPACT), pack_int(&p, rows[i].v), end_hex(&p, rows[i].hex);
		p = begin(DATA_JSON, PACK_COMPACT), pack_int(&p, rows[i].v), end(&p, rows[i].json);
	}
	p = begin(DATA_MSGPACK, PACK_COMPACT), pack_uint(&p, UINT64_MAX), end_hex(&p, "cfffffffffffffffff");
	p = begin(DATA_JSON, PACK_COMPACT), pack_uint(&p, UINT64_MAX), end(&p, "18446744073709551615");
	p = begin(DATA_MSGPACK, PACK_COMPACT), pack_uint(&p, 7), end_hex(&p, "07");
}

static void
reals_look_as_python_prints_them(void **state)
{
	static const struct { double v; const char *json; } rows[] = {
		{ 0.0, "0.0" }, { -0.0, "-0.0" }, { 5, "5.0" }, { -5, "-5.0" }, { 50, "50.0" }, { 300,
		    "300.0" },
		{ 0.5, "0.5" }, { -0.25, "-0.25" }, { 0.1, "0.1" }, { 0.3, "0.3" }, { 0.1 + 0.2,
		    "0.30000000000000004" },
		{ 3.14, "3.14" }, { 1795150801.9414356, "1795150801.9414356" }, { 1795150629.114628,
		    "1795150629.114628" },
		{ 0.0001, "0.0001" }, { 0.00001, "1e-05" }, { 0.00012345, "0.00012345" }, { 1.5e-7,
		    "1.5e-07" },
		{ 999999999999999.0, "999999999999999.0" }, { 1e15, "1000000000000000.0" },
		{ 123456789012345680.0, "1.2345678901234568e+17" }, { 1e16, "1e+16" },
		    { 9007199254740993.0, "9007199254740992.0" },
		{ 1234567890123456.8, "1234567890123456.8" }, { 9999999999999998.0, "9999999999999998.0" },
		{ 1e21, "1e+21" }, { 1e22, "1e+22" }, { 1e100, "1e+100" }, { 1.5e300, "1.5e+300" },
		{ DBL_MAX, "1.7976931348623157e+308" }, { DBL_MIN, "2.2250738585072014e-308" }, { 5e-324,
		    "5e-324" },
		{ 0x1p-44, "5.684341886080802e-14" }, { 123456.789, "123456.789" },
		{ 100000000000000000.0, "1e+17" }, { 1000.5, "1000.5" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct pack p = begin(DATA_JSON, PACK_COMPACT);
		pack_real(&p, rows[i].v);
		end(&p, rows[i].json);
		assert_true(strtod(rows[i].json, NULL) == rows[i].v);
	}
}

static void
lengths_take_the_smallest_form(void **state)
{
	static const struct { size_t n; const char *text, *bytes, *array, *map; } rows[] = {
		{ 15, "af", "c40f", "9f", "8f" }, { 16, "b0", "c410", "dc0010", "de0010" }, { 31, "bf",
		    "c41f", "dc001f", "de001f" },
		{ 32, "d920", "c420", "dc0020", "de0020" }, { 255, "d9ff", "c4ff", "dc00ff", "de00ff" },
		{ 256, "da0100", "c50100", "dc0100", "de0100" }, { 65535, "daffff", "c5ffff", "dcffff",
		    "deffff" },
		{ 65536, "db00010000", "c600010000", "dd00010000", "df00010000" },
	};
	static char zeros[65536];
	char want[16];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *const heads[] = { rows[i].text, rows[i].bytes, rows[i].array, rows[i].map };
		for (size_t k = 0; k < COUNT_OF(heads); k++) {
			struct pack p = begin(DATA_MSGPACK, PACK_COMPACT);
			struct text t = { zeros, rows[i].n };
			if (k == 0)
				pack_text(&p, t);
			else if (k == 1)
				pack_bytes(&p, t);
			else if (k == 2)
				pack_array(&p, (uint32_t)rows[i].n);
			else
				pack_map(&p, (uint32_t)rows[i].n);
			for (size_t m = 0; m < rows[i].n && k > 1; m++) {
				if (k == 3)
					pack_key(&p, "");
				pack_int(&p, 0);
			}
			assert_int_equal(pack_end(&p, NULL), ERR_OK);
			size_t n = unhex(heads[k], want, sizeof want);
			assert_memory_equal(out.p, want, n);
			assert_int_equal(out.len, n + rows[i].n * (k == 3 ? 2 : 1));
			str_clear(&out);
		}
	}
}

static void
base64_of_every_remainder(void **state)
{
	static const struct { const char *p; size_t n; const char *json; } rows[] = {
		{ "", 0, "\"\"" }, { "f", 1, "\"Zg==\"" }, { "fo", 2, "\"Zm8=\"" }, { "foo", 3, "\"Zm9v\"" },
		{ "foob", 4, "\"Zm9vYg==\"" }, { "\xff\xff\xfe\xfb\xf0", 5, "\"///++/A=\"" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct pack p = begin(DATA_JSON, PACK_COMPACT);
		pack_bytes(&p, (struct text){ rows[i].p, rows[i].n });
		end(&p, rows[i].json);
	}
}

static void
absent_is_null(void **state)
{
	struct pack p = begin(DATA_JSON, PACK_COMPACT);

	(void)state;
	pack_array(&p, 5);
	pack_text(&p, (struct text){ NULL, 0 });
	pack_bytes(&p, (struct text){ NULL, 0 });
	pack_puts(&p, NULL);
	pack_value(&p, NULL);
	pack_data(&p, (struct data){ DATA_JSON, NULL, 0 });
	end(&p, "[null,null,null,null,null]");
	p = begin(DATA_MSGPACK, PACK_COMPACT), pack_bool(&p, false), end_hex(&p, "c2");
	p = begin(DATA_JSON, PACK_COMPACT), pack_bool(&p, false), end(&p, "false");
}

/* --- values ------------------------------------------------------------------------------- */

static void
values_of_every_type_are_written(void **state)
{
	static struct value items[] = {
		{ .type = VALUE_NULL }, { .type = VALUE_BOOL, .u.boolean = true }, { .type = VALUE_INT,
		    .u.integer = -7 },
		{ .type = VALUE_UINT, .u.natural = UINT64_MAX }, { .type = VALUE_REAL, .u.real = 0.5 },
		{ .type = VALUE_TEXT, .u.text = { "t", 1 } }, { .type = VALUE_BYTES, .u.text = { "b", 1 } },
		{ .type = VALUE_ARRAY }, { .type = VALUE_MAP },
		{ .type = VALUE_RAW, .u.raw = { DATA_JSON, "{\"r\": 1e2}", 10 } },
		{ .type = VALUE_RAW, .u.raw = { DATA_MSGPACK, "\x81\xa1r\xca\x3f\xc0\0\0", 8 } },
	};
	static struct value_pair pair = {
		{ "list", 4 }, { .type = VALUE_ARRAY, .n = COUNT_OF(items), .u.items = items },
	};
	const struct value v = { .type = VALUE_MAP, .n = 1, .u.pairs = &pair };
	struct pack p = begin(DATA_JSON, PACK_COMPACT);

	(void)state;
	pack_value(&p, &v);
	end(&p, "{\"list\":[null,true,-7,18446744073709551615,0.5,\"t\",\"Yg==\",[],{},{\"r\": 1e2},"
	    "{\"r\":1.5}]}");
	p = begin(DATA_MSGPACK, PACK_COMPACT);
	pack_value(&p, &v);
	end_hex(&p, "81a46c6973749bc0c3f9cfffffffffffffffffcb3fe0000000000000a174c401629080"
	    "81a172cb405900000000000081a172ca3fc00000");
}

static void
encoded_data_is_copied_only_where_the_style_allows(void **state)
{
	static const char json[] = "{\"k\": \"\xc3\xa9\"}", lines[] = "{\n\t\"k\": [1,\r\n2]\n}";
	static const struct { enum pack_style style; const char *json, *want; } rows[] = {
		{ PACK_COMPACT, json, "{\"k\": \"\xc3\xa9\"}" },
		{ PACK_COMPACT, lines, "{\"k\":[1,2]}" },		/* no line break in the output */
		{ PACK_ASCII, json, "{\"k\":\"\\u00e9\"}" },
		{ PACK_PYTHON, lines, "{\"k\": [1, 2]}" },
		{ PACK_PRETTY, json, "{\n  \"k\": \"\xc3\xa9\"\n}" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct pack p = begin(DATA_JSON, rows[i].style);
		pack_data(&p, (struct data){ DATA_JSON, rows[i].json, strlen(rows[i].json) });
		end(&p, rows[i].want);
	}
}

/* --- what is refused ---------------------------------------------------------------------- */

static void
end_refused(struct pack *p, enum err_code code, const char *says)
{
	struct err err;

	expect_refusal(pack_end(p, &err), &err, code, says);
	expect_str(&out, "before");
	assert_int_equal(pack_end(p, NULL), code);
}

static void
refused_data_leaves_nothing_behind(void **state)
{
	static const double reals[] = { NAN, INFINITY, -INFINITY };
	static const struct text bad = { "a\xff", 2 };
	struct pack p;

	(void)state;
	for (enum data_format f = DATA_MSGPACK; f <= DATA_JSON; f++) {
		str_clear(&out);
		str_puts(&out, "before");
		for (size_t i = 0; i < COUNT_OF(reals); i++) {
			p = begin(f, PACK_COMPACT), pack_array(&p, 2), pack_null(&p), pack_real(&p, reals[i]);
			end_refused(&p, ERR_INVALID, "a real number is infinite or none");
		}
		p = begin(f, PACK_COMPACT), pack_text(&p, bad);
		end_refused(&p, ERR_INVALID, "a text is not valid UTF-8");
		p = begin(f, PACK_COMPACT), pack_map(&p, 1), pack_key_n(&p, bad);
		end_refused(&p, ERR_INVALID, "a text is not valid UTF-8");
		p = begin(f, PACK_COMPACT), pack_data(&p, (struct data){ DATA_JSON, "[1", 2 });
		end_refused(&p, ERR_SYNTAX, "byte 2: ");
		p = begin(f, PACK_COMPACT), pack_data(&p, (struct data){ DATA_MSGPACK, "\x91", 1 });
		end_refused(&p, ERR_SYNTAX, "byte 1: ");
		p = begin(f, PACK_COMPACT), pack_data(&p, (struct data){ DATA_JSON, "", 0 });
		end_refused(&p, ERR_SYNTAX, "empty");
	}
}

static void
after_a_failure_everything_is_ignored(void **state)
{
	struct pack p = begin(DATA_JSON, PACK_COMPACT);
	const struct value v = { .type = VALUE_ARRAY, .n = 1,
	    .u.items = &(struct value){ .type = VALUE_NULL } };
	struct err err;

	(void)state;
	pack_real(&p, NAN);
	pack_map(&p, 3);
	pack_array(&p, 3);
	pack_key(&p, "a");
	pack_null(&p);
	pack_bool(&p, true);
	pack_int(&p, 1);
	pack_uint(&p, 1);
	pack_real(&p, 1);
	pack_puts(&p, "x");
	pack_bytes(&p, text_of("x"));
	pack_value(&p, &v);
	pack_data(&p, (struct data){ DATA_JSON, "1", 1 });
	expect_refusal(pack_end(&p, &err), &err, ERR_INVALID, "infinite");
	expect_str(&out, "");
}

/* nested: arrays inside each other, as a tree. */
static const struct value *
nested(size_t n)
{
	static struct value level[64];

	for (size_t i = 0; i < n; i++)
		level[i] = (struct value){ .type = VALUE_ARRAY, .n = i + 1 < n, .u.items = &level[i + 1] };
	return level;
}

static void
nesting_ends_at_32(void **state)
{
	struct pack p;
	struct err err;
	char deep[64];

	(void)state;
	for (enum data_format f = DATA_MSGPACK; f <= DATA_JSON; f++) {
		p = begin(f, PACK_COMPACT), pack_value(&p, nested(32));
		expect_ok(pack_end(&p, &err), &err);
		str_clear(&out);
		p = begin(f, PACK_COMPACT), pack_value(&p, nested(33));
		expect_refusal(pack_end(&p, &err), &err, ERR_INVALID, "nested deeper than 32");
		/* What is copied counts too. */
		memset(deep, '[', 32), memset(deep + 32, ']', 32);
		p = begin(DATA_JSON, PACK_COMPACT), pack_array(&p, 1), pack_data(&p,
		    (struct data){ DATA_JSON, deep, 64 });
		expect_refusal(pack_end(&p, &err), &err, ERR_INVALID, "nested deeper than 32");
		p = begin(DATA_JSON, PACK_COMPACT), pack_array(&p, 1), pack_data(&p,
		    (struct data){ DATA_JSON, deep + 1, 62 });
		expect_ok(pack_end(&p, &err), &err);
		str_clear(&out);
	}
	/* Of several members the deepest counts. */
	static const char branches[] = "{\"a\":[[[1]]],\"b\":{\"c\":[]},\"d\":1}";
	p = begin(DATA_JSON, PACK_COMPACT), pack_data(&p, (struct data){ DATA_JSON, branches,
	    sizeof branches - 1 });
	end(&p, branches);
}

/* --- misuse ------------------------------------------------------------------------------- */

static void no_root(struct pack *p) { (void)p; }
static void two_roots(struct pack *p) { pack_null(p), pack_null(p); }
static void missing_member(struct pack *p) { pack_array(p, 2), pack_null(p); }
static void value_without_key(struct pack *p) { pack_map(p, 1), pack_null(p); }
static void key_without_map(struct pack *p) { pack_key(p, "a"); }
static void two_keys(struct pack *p) { pack_map(p, 2), pack_key(p, "a"), pack_key(p, "b"); }

static void
misuse_stops_the_program(void **state)
{
	static void (*const misuses[])(struct pack *) = {
		no_root, two_roots, missing_member, value_without_key, key_without_map, two_keys,
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(misuses); i++) {
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			struct pack p = begin(DATA_JSON, PACK_COMPACT);
			close(2);
			misuses[i](&p);
			pack_end(&p, NULL);
			_exit(0);
		}
		int status;
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
	}
}

/* --- conversion --------------------------------------------------------------------------- */

static void
conversion_appends(void **state)
{
	struct err err;

	(void)state;
	str_puts(&out, "x=");
	expect_ok(codec_convert((struct data){ DATA_MSGPACK, "\x92\x01\xa1z", 4 }, DATA_JSON, PACK_PYTHON,
	    &out, &err),
	    &err);
	expect_str(&out, "x=[1, \"z\"]");
	expect_refusal(codec_convert((struct data){ DATA_MSGPACK, "\xc1", 1 }, DATA_JSON, PACK_PYTHON,
	    &out, &err), &err,
	    ERR_SYNTAX, "byte 0");
	expect_str(&out, "x=[1, \"z\"]");
}

static void
a_known_key_behind_a_failure_is_ignored_like_any(void **state)
{
	struct str text = STR_INIT;
	struct pack p;

	(void)state;
	pack_init(&p, &text, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 2);
	pack_key(&p, "a");
	pack_real(&p, (double)NAN);
	pack_key_known(&p, text_of("b"));
	pack_null(&p);
	assert_int_equal(pack_end(&p, NULL), ERR_INVALID);
	assert_int_equal(text.len, 0);
	str_release(&text);
}

static void
a_key_with_its_value(void **state)
{
	const struct value seven = { .type = VALUE_INT, .u.integer = 7 };
	struct pack p = begin(DATA_JSON, PACK_COMPACT);

	(void)state;
	pack_map(&p, 17);
	pack_key_null(&p, "null");
	pack_key_bool(&p, "bool", true);
	pack_key_int(&p, "int", -1);
	pack_key_uint(&p, "uint", UINT64_MAX);
	pack_key_real(&p, "real", 2);
	pack_key_text(&p, "text", (struct text){ "abc", 2 });
	pack_key_puts(&p, "puts", "");
	pack_key_value(&p, "value", &seven);
	pack_key_data(&p, "data", (struct data){ DATA_JSON, "[1]", 3 });
	pack_key_data(&p, "no data", (struct data){ DATA_JSON, NULL, 0 });
	pack_key_map(&p, "map", 1);
	pack_key_array(&p, "array", 0);
	pack_key_some(&p, "some", "s");
	pack_key_some(&p, "empty", "");
	pack_key_some(&p, "absent", NULL);
	pack_key_nonzero(&p, "nonzero", 1);
	pack_key_nonzero(&p, "zero", 0);
	pack_key_time(&p, "time", (struct wall){ 1500000000 });
	end(&p, "{\"null\":null,\"bool\":true,\"int\":-1,\"uint\":18446744073709551615,\"real\":2.0,\"text\":\"ab\","
	    "\"puts\":\"\",\"value\":7,\"data\":[1],\"no data\":null,\"map\":{\"array\":[]},\"some\":\"s\",\"empty\":null,"
	    "\"absent\":null,\"nonzero\":1,\"zero\":null,\"time\":\"1970-01-01T00:00:01.500Z\"}");
	pack_init(&p, &out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 1);
	pack_key_time(&p, "never", (struct wall){ 0 });
	end(&p, "{\"never\":null}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(four_styles_of_json, clear),
		cmocka_unit_test_setup(one_form_of_msgpack, clear),
		cmocka_unit_test_setup(integers_take_the_smallest_form, clear),
		cmocka_unit_test_setup(reals_look_as_python_prints_them, clear),
		cmocka_unit_test_setup(lengths_take_the_smallest_form, clear),
		cmocka_unit_test_setup(base64_of_every_remainder, clear),
		cmocka_unit_test_setup(absent_is_null, clear),
		cmocka_unit_test_setup(values_of_every_type_are_written, clear),
		cmocka_unit_test_setup(encoded_data_is_copied_only_where_the_style_allows, clear),
		cmocka_unit_test_setup(refused_data_leaves_nothing_behind, clear),
		cmocka_unit_test_setup(after_a_failure_everything_is_ignored, clear),
		cmocka_unit_test_setup(a_known_key_behind_a_failure_is_ignored_like_any, clear),
		cmocka_unit_test_setup(nesting_ends_at_32, clear),
		cmocka_unit_test_setup(misuse_stops_the_program, clear),
		cmocka_unit_test_setup(conversion_appends, clear),
		cmocka_unit_test_setup(a_key_with_its_value, clear),
	};

	return cmocka_run_group_tests(tests, NULL, release);
}
