/* t_codec - bytes to values: what each encoding may hold, what is refused and where, hostile
 * headers, and that a warm decoder allocates nothing. */
#include "decoder.h"
#include "expect.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "codec/codec.h"
#include "codec/inner.h"

static enum err_code
parse_hex(const char *hex, struct value *out, struct err *err)
{
	static char bytes[1024];

	return codec_parse(codec, (struct data){ DATA_MSGPACK, bytes, unhex(hex, bytes, sizeof bytes) },
	    out, err);
}

static enum err_code
parse_json(const char *json, struct value *out, struct err *err)
{
	return codec_parse(codec, (struct data){ DATA_JSON, json, strlen(json) }, out, err);
}

/* as_json: a value of either source, printed, to compare whole trees at once. */
static const char *
as_json(const struct value *v)
{
	static struct str out;
	struct pack p;
	struct err err;

	str_clear(&out);
	pack_init(&p, &out, DATA_JSON, PACK_COMPACT);
	pack_value(&p, v);
	expect_ok(pack_end(&p, &err), &err);
	return str_text(&out);
}

/* --- detection ---------------------------------------------------------------------------- */

static void
the_first_byte_tells_the_format(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		unsigned char byte = (unsigned char)c;
		bool msgpack = (c >= 0x80 && c <= 0x9f) || (c >= 0xc0 && c <= 0xdf);
		assert_int_equal(codec_detect(&byte, 1), msgpack ? DATA_MSGPACK : DATA_JSON);
	}
}

/* --- MessagePack -------------------------------------------------------------------------- */

static const struct { const char *hex, *json; } forms[] = {
	{ "c0", "null" }, { "c2", "false" }, { "c3", "true" },
	{ "00", "0" }, { "7f", "127" }, { "e0", "-32" }, { "ff", "-1" },
	{ "ccff", "255" }, { "cdffff", "65535" }, { "ceffffffff", "4294967295" },
	{ "cf7fffffffffffffff", "9223372036854775807" }, { "cfffffffffffffffff", "18446744073709551615" },
	{ "d080", "-128" }, { "d18000", "-32768" }, { "d280000000", "-2147483648" },
	{ "d38000000000000000", "-9223372036854775808" },
	{ "ca3fc00000", "1.5" }, { "cb3ff8000000000000", "1.5" }, { "cb8000000000000000", "-0.0" },
	{ "a0", "\"\"" }, { "a161", "\"a\"" }, { "d900", "\"\"" }, { "d903c3a962", "\"\xc3\xa9""b\"" },
	{ "da000161", "\"a\"" }, { "db0000000161", "\"a\"" }, { "da0000", "\"\"" }, { "db00000000", "\"\"" },
	{ "c403000102", "\"AAEC\"" }, { "c400", "\"\"" }, { "c5000100", "\"AA==\"" }, { "c6000000020000",
	    "\"AAA=\"" },
	{ "90", "[]" }, { "9201c0", "[1,null]" }, { "dc000101", "[1]" }, { "dd0000000101", "[1]" },
	{ "dc0000", "[]" }, { "dd00000000", "[]" },
	{ "80", "{}" }, { "81a16101", "{\"a\":1}" }, { "de0001a16101", "{\"a\":1}" },
	{ "df00000001a16101", "{\"a\":1}" }, { "de0000", "{}" }, { "df00000000", "{}" }, { "81a090",
	    "{\"\":[]}" },
	{ "82a16181a16290a16393c08001", "{\"a\":{\"b\":[]},\"c\":[null,{},1]}" },
	{ "9381a1618090929390908007", "[{\"a\":{}},[],[[[],[],{}],7]]" },
	{ "82a16101a16102", "{\"a\":1,\"a\":2}" },
};

static void
every_msgpack_form_is_read(void **state)
{
	struct value v;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		expect_ok(parse_hex(forms[i].hex, &v, &err), &err);
		assert_string_equal(as_json(&v), forms[i].json);
	}
}

static const struct { const char *hex, *says; } refused[] = {
	{ "", "nothing to read: it is empty" },
	{ "c1", "byte 0: no MessagePack begins with 0xc1" }, { "92c0c1", "byte 2: no MessagePack" },
	{ "01c0", "byte 1: 1 more bytes behind the value" }, { "9000ff", "byte 1: 2 more bytes" },
	{ "cc", "byte 1: ends in the middle" }, { "a261", "byte 2: ends in the middle" },
	{ "92c0", "byte 2: ends in the middle" }, { "81a161", "byte 3: ends in the middle" },
	{ "d9", "ends in the middle" }, { "c4", "ends" }, { "c40561", "ends" }, { "db000000", "ends" },
	{ "cb40", "ends" },
	/* keys that are no text */
	{ "810102", "byte 1: a map key that is not text" }, { "81c001", "a map key that is not text" },
	{ "81c301", "map key" }, { "81c201", "map key" }, { "81cb000000000000000001", "map key" },
	{ "81c4016101", "map key" }, { "819001", "map key" }, { "818001", "map key" },
	{ "81cfffffffffffffffff01", "map key" }, { "82a161c00102", "map key" },
	{ "81ff01", "map key" }, { "81ca0000000001", "map key" },
	/* reals that are none */
	{ "cb7ff0000000000000", "a real number that is infinite or none" },
	{ "cbfff0000000000000", "infinite" }, { "cb7ff8000000000000", "infinite" },
	{ "ca7f800000", "infinite" }, { "caffc00000", "infinite" },
	/* extension types */
	{ "d40100", "an extension type" }, { "d5010000", "extension" }, { "d60100000000", "extension" },
	{ "d7ff0000000000000000", "extension" }, { "d80100000000000000000000000000000000", "extension" },
	{ "c70001", "extension" }, { "c8000101ff", "extension" }, { "c90000000001ff", "extension" },
	/* text that is none */
	{ "a1ff", "byte 1: text that is not valid UTF-8" }, { "a361c328", "byte 2: text" },
	{ "a2c080", "byte 1" }, { "a3e08080", "byte 1" }, { "a3eda080", "byte 1" }, { "a4f08080af",
	    "byte 1" },
	{ "a4f4908080", "byte 1" }, { "a1f5", "byte 1" }, { "a2e282", "byte 1" }, { "81a1ffc0", "byte 2" },
	/* headers that promise too much */
	{ "ddffffffff", "more members announced than bytes are left" },
	{ "dfffffffff", "more members announced" }, { "dcffff01", "more members announced" },
	{ "deffffa161", "more members announced" }, { "9f", "more members announced" },
	{ "dd00000004939393", "more members announced" },
	{ "dbffffffff61", "ends in the middle" }, { "c6ffffffff00", "ends in the middle" },
};

static void
what_no_message_may_hold_is_refused_with_its_place(void **state)
{
	struct value v;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(refused); i++)
		expect_refusal(parse_hex(refused[i].hex, &v, &err), &err, ERR_SYNTAX, refused[i].says);
}

static void
headers_that_promise_too_much_cost_no_memory(void **state)
{
	static const char *const hostile[] = { "ddffffffff", "dfffffffff", "81a1610addffffffff",
	    "dbffffffff61" };
	struct codec *fresh = codec_new();
	char bytes[32];
	struct value v;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(hostile); i++)
		assert_int_equal(codec_parse(fresh, (struct data){ DATA_MSGPACK, bytes, unhex(hostile[i],
		    bytes, 32) }, &v,
		    NULL), ERR_SYNTAX);
	assert_true(codec_arena(fresh)->total <= 8192);
	codec_free(fresh);
}

/* nest: n arrays inside each other, around nothing. */
static struct data
nest(enum data_format format, size_t n)
{
	static char text[256];

	memset(text, format == DATA_JSON ? '[' : '\x91', n);
	memset(text + n, ']', n);
	if (format == DATA_MSGPACK)
		text[n - 1] = '\x90';
	return (struct data){ format, text, format == DATA_JSON ? 2 * n : n };
}

static void
nesting_ends_at_32(void **state)
{
	struct value v;
	struct err err;

	(void)state;
	for (enum data_format f = DATA_MSGPACK; f <= DATA_JSON; f++) {
		expect_ok(codec_parse(codec, nest(f, 32), &v, &err), &err);
		expect_refusal(codec_parse(codec, nest(f, 33), &v, &err), &err, ERR_SYNTAX,
		    "byte 32: nested deeper than 32");
		expect_refusal(codec_parse(codec, nest(f, 100), &v, &err), &err, ERR_SYNTAX,
		    "nested deeper than 32");
	}
	/* Siblings do not count, nor brackets inside texts. */
	expect_ok(parse_json("[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
	    "[],[],[],[],"
	    "[],[],[],[],[],[]]", &v, &err), &err);
	struct str deep = STR_INIT;
	str_puts(&deep, "{\"[]{\\\"}[\":[[],{},");
	str_add(&deep, nest(DATA_JSON, 40).p, 80);
	str_puts(&deep, "]}");
	expect_refusal(parse_json(deep.p, &v, &err), &err, ERR_SYNTAX, "byte 48: nested deeper than 32");
	str_release(&deep);
}

/* --- JSON --------------------------------------------------------------------------------- */

static void
json_is_read(void **state)
{
	static const struct { const char *json, *back; } rows[] = {
		{ "null", "null" }, { " true ", "true" }, { "false", "false" }, { "-1", "-1" }, { "1.0",
		    "1.0" },
		{ "9223372036854775807", "9223372036854775807" }, { "9223372036854775808",
		    "9223372036854775808" },
		{ "-9223372036854775808", "-9223372036854775808" }, { "18446744073709551615",
		    "18446744073709551615" },
		{ "18446744073709551616", "1.8446744073709552e+19" }, { "1e3", "1000.0" },
		{ "\"a\\u00e9\\n\\ud83d\\ude00\\u0000\"", "\"a\xc3\xa9\\n\xf0\x9f\x98\x80\\u0000\"" },
		{ "[ ]", "[]" }, { "{ }", "{}" }, { "{\"a\":[1,{\"b\":null}],\"a\":2}",
		    "{\"a\":[1,{\"b\":null}],\"a\":2}" },
	};
	struct value v;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		expect_ok(parse_json(rows[i].json, &v, &err), &err);
		assert_string_equal(as_json(&v), rows[i].back);
	}
	/* The smallest integer type that holds it. */
	expect_ok(parse_json("[1,-1,9223372036854775808]", &v, &err), &err);
	assert_int_equal(v.u.items[0].type, VALUE_INT);
	assert_int_equal(v.u.items[1].type, VALUE_INT);
	assert_int_equal(v.u.items[2].type, VALUE_UINT);
}

static void
what_is_no_json_is_refused_with_its_place(void **state)
{
	static const struct { const char *json, *says; } rows[] = {
		{ "", "nothing to read: it is empty" }, { " ", "byte 0: " }, { "{", "byte 1: " },
		    { "[1,]", "byte 2: " },
		{ "{\"a\":1,}", "byte 6: " }, { "[1] 2", "byte 4: " }, { "// x\n1", "byte 0: " }, { "NaN",
		    "byte 0: " },
		{ "[Infinity]", "byte 1: " }, { "1e400", "byte 0: " }, { "01", "byte 0: " }, { "{a:1}",
		    "byte 1: " },
		{ "{1:2}", "byte 1: " }, { "'a'", "byte 0: " }, { "\"\xff\"", "byte 1: " },
		    { "\"\\ud800\"", "byte " },
		{ "\"a\nb\"", "byte 2: " },
	};
	struct value v;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		expect_refusal(parse_json(rows[i].json, &v, &err), &err, ERR_SYNTAX, rows[i].says);
}

static void
people_may_comment_and_leave_commas(void **state)
{
	static const char text[] = "// top\n{\n  \"a\": 1, /* one */\n  \"b\": [1, 2,],\n}\n";
	struct value v;
	struct err err;
	struct str deep = STR_INIT;

	(void)state;
	expect_ok(codec_parse_lenient(codec, text, sizeof text - 1, &v, &err), &err);
	assert_string_equal(as_json(&v), "{\"a\":1,\"b\":[1,2]}");
	expect_refusal(codec_parse_lenient(codec, "{\n  \"a\": x\n}", 12, &v, &err), &err, ERR_SYNTAX,
	    "line 2, column 8: ");
	expect_refusal(codec_parse_lenient(codec, "", 0, &v, &err), &err, ERR_SYNTAX, "empty");
	str_add(&deep, nest(DATA_JSON, 33).p, 66);
	expect_refusal(codec_parse_lenient(codec, deep.p, deep.len, &v, &err), &err, ERR_SYNTAX,
	    "nested deeper than 32");
	str_release(&deep);
}

/* --- memory ------------------------------------------------------------------------------- */

/* big_json: an array of n maps, as text. */
static struct str
big_json(size_t n)
{
	struct str s = STR_INIT;

	str_putc(&s, '[');
	for (size_t i = 0; i < n; i++)
		str_printf(&s, "%s{\"number\":%zu,\"text\":\"\\u00e9-%zu\",\"list\":[null,1.5]}",
		    i > 0 ? "," : "", i, i);
	str_putc(&s, ']');
	return s;
}

static void
large_messages_are_read_whole(void **state)
{
	struct str json = big_json(20000), msgpack = STR_INIT, back = STR_INIT;
	struct value v;
	struct err err;

	(void)state;
	for (int round = 0; round < 3; round++) {
		expect_ok(codec_parse(codec, (struct data){ DATA_JSON, json.p, json.len }, &v, &err), &err);
		assert_int_equal(v.n, 20000);
		assert_int_equal(v.u.items[19999].u.pairs[0].value.u.integer, 19999);
		str_clear(&msgpack);
		expect_ok(codec_convert((struct data){ DATA_JSON, json.p, json.len }, DATA_MSGPACK,
		    PACK_COMPACT, &msgpack,
		    &err), &err);
		expect_ok(codec_parse(codec, (struct data){ DATA_MSGPACK, msgpack.p, msgpack.len }, &v,
		    &err), &err);
		assert_int_equal(v.n, 20000);
		expect_text(v.u.items[7].u.pairs[1].value.u.text, "\xc3\xa9-7");
		str_clear(&back);
		expect_ok(codec_convert((struct data){ DATA_MSGPACK, msgpack.p, msgpack.len }, DATA_JSON,
		    PACK_COMPACT, &back,
		    &err), &err);
		/* A small message in between: what was large is given back. */
		expect_ok(parse_json("[1]", &v, &err), &err);
	}
	assert_null(strstr(back.p, "\\u"));
	str_release(&json);
	str_release(&msgpack);
	str_release(&back);
}

static void
an_arena_resizes_its_last_piece_in_place(void **state)
{
	struct arena a = { 0 };

	(void)state;
	arena_reset(&a);
	char *first = arena_alloc(&a, 100);
	memset(first, 'x', 100);
	assert_ptr_equal(arena_resize(&a, first, 100, 200), first);
	char *second = arena_alloc(&a, 16);
	assert_ptr_equal(second, first + 208);
	char *moved = arena_resize(&a, first, 200, 300);	/* no longer the last */
	assert_ptr_not_equal(moved, first);
	assert_int_equal(moved[99], 'x');
	assert_ptr_equal(arena_resize(&a, moved, 300, 50), moved);
	assert_ptr_equal(arena_alloc(&a, 1), moved + 64);
	char *apart = arena_resize(&a, moved, 300, 10);
	assert_int_equal(apart[9], 'x');
	char *large = arena_resize(&a, arena_alloc(&a, 10), 10,
	    100000);	/* the last, but there is no room */
	assert_int_equal((uintptr_t)large % 16, 0);
	arena_release(&a);
	assert_null(a.head);
}

static void
what_was_large_is_given_back(void **state)
{
	static char nulls[5 + 100000] = "\xdd\x00\x01\x86\xa0";
	struct codec *c = codec_new();
	struct value v;
	struct err err;

	(void)state;
	memset(nulls + 5, '\xc0', 100000);
	expect_ok(codec_parse(c, (struct data){ DATA_MSGPACK, nulls, sizeof nulls }, &v, &err), &err);
	assert_int_equal(v.n, 100000);
	assert_true(codec_arena(c)->total > ARENA_KEEP);
	expect_ok(codec_parse(c, (struct data){ DATA_MSGPACK, "\x90", 1 }, &v, &err), &err);
	assert_true(codec_arena(c)->total <= ARENA_KEEP);
	codec_free(c);
}

static void
a_warm_decoder_allocates_nothing(void **state)
{
	struct str json = big_json(60), msgpack = STR_INIT;
	struct value v;
	struct err err;

	(void)state;
	expect_ok(codec_convert((struct data){ DATA_JSON, json.p, json.len }, DATA_MSGPACK, PACK_COMPACT,
	    &msgpack,
	    &err), &err);
	const struct data data[] = { { DATA_JSON, json.p, json.len }, { DATA_MSGPACK, msgpack.p,
	    msgpack.len } };
	/* The allocator's own count stands still under a sanitizer; the arena's never lies. */
	struct mallinfo2 before = { 0 };
	size_t total = 0;
	for (int i = 0; i < 40; i++) {
		if (i == 4) {
			before = mallinfo2();
			total = codec_arena(codec)->total;
		}
		for (size_t k = 0; k < COUNT_OF(data); k++)
			expect_ok(codec_parse(codec, data[k], &v, &err), &err);
	}
	assert_int_equal(mallinfo2().uordblks, before.uordblks);
	assert_int_equal(codec_arena(codec)->total, total);
	str_release(&json);
	str_release(&msgpack);
}

/* --- the thread's own --------------------------------------------------------------------- */

static void *
mine_of_thread(void *seen)
{
	struct value v;

	*(struct codec **)seen = codec_mine();
	assert_ptr_equal(codec_mine(), *(struct codec **)seen);
	assert_int_equal(codec_parse(codec_mine(), (struct data){ DATA_JSON, "[1]", 3 }, &v, NULL), ERR_OK);
	return NULL;
}

static void
each_thread_has_its_own_decoder(void **state)
{
	struct codec *other = NULL, *mine = codec_mine();
	pthread_t t;

	(void)state;
	assert_ptr_equal(codec_mine(), mine);
	assert_int_equal(pthread_create(&t, NULL, mine_of_thread, &other), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_non_null(other);
	assert_ptr_not_equal(other, mine);
}

static void
trees_of_mine_outlive_what_is_transcoded_meanwhile(void **state)
{
	static const char json[] = "{\"a\":[1,2,3],\"text\":\"\\u00e9\"}";
	struct str out = STR_INIT;
	struct value v;
	struct err err;

	(void)state;
	expect_ok(codec_parse(codec_mine(), (struct data){ DATA_JSON, json, sizeof json - 1 }, &v, &err),
	    &err);
	expect_ok(codec_convert((struct data){ DATA_JSON, "[7,8,9,\"xxxxxxxxxxxxxxxxxxxxxxxx\"]", 34 },
	    DATA_MSGPACK,
	    PACK_COMPACT, &out, &err), &err);
	assert_string_equal(as_json(&v), "{\"a\":[1,2,3],\"text\":\"\xc3\xa9\"}");
	str_release(&out);
}

static void
versions_name_both_libraries(void **state)
{
	(void)state;
	assert_string_equal(codec_versions(), "yyjson 0.10.0, msgpack-c 4.0.0");
}

/* --- UTF-8 -------------------------------------------------------------------------------- */

static void
utf8_is_told_from_the_rest(void **state)
{
	static const struct { const char *p; size_t n, valid; } rows[] = {
		{ "", 0, 0 }, { "abc", 3, 3 }, { "12345678", 8, 8 }, { "123456789", 9, 9 },
		    { "1234567\xff", 8, 7 },
		{ "12345678\xff", 9, 8 }, { "\xc3\xa9", 2, 2 }, { "\xc3\xa9""12345678\xc3\xa9", 12, 12 },
		{ "\xe2\x82\xac", 3, 3 }, { "\xf0\x9f\x98\x80", 4, 4 }, { "\xf4\x8f\xbf\xbf", 4, 4 },
		{ "\xc3", 1, 0 }, { "\xc3(", 2, 0 }, { "\xc1\xbf", 2, 0 }, { "\xe0\x9f\xbf", 3, 0 },
		{ "\xed\x9f\xbf", 3, 3 }, { "\xed\xa0\x80", 3, 0 }, { "\xee\x80\x80", 3, 3 },
		    { "\xf0\x8f\xbf\xbf", 4, 0 },
		{ "\xf4\x90\x80\x80", 4, 0 }, { "\xf5\x80\x80\x80", 4, 0 }, { "\x80", 1, 0 }, { "a\0b", 3,
		    3 },
		{ "abc\xc3\xa9 def\xe2\x82", 11, 9 },
	};
	uint32_t cp = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(utf8_valid(rows[i].p, rows[i].n), rows[i].valid);
	assert_int_equal(utf8_next("\xf0\x9f\x98\x80", 4, &cp), 4);
	assert_int_equal(cp, 0x1f600);
	assert_int_equal(utf8_next("\xf0\x9f\x98\x80", 3, &cp), 0);
	assert_int_equal(cp, 0x1f600);
	assert_int_equal(utf8_next("z", 1, &cp), 1);
	assert_int_equal(cp, 'z');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_byte_tells_the_format),
		cmocka_unit_test(every_msgpack_form_is_read),
		cmocka_unit_test(what_no_message_may_hold_is_refused_with_its_place),
		cmocka_unit_test(headers_that_promise_too_much_cost_no_memory),
		cmocka_unit_test(nesting_ends_at_32),
		cmocka_unit_test(json_is_read),
		cmocka_unit_test(what_is_no_json_is_refused_with_its_place),
		cmocka_unit_test(people_may_comment_and_leave_commas),
		cmocka_unit_test(large_messages_are_read_whole),
		cmocka_unit_test(an_arena_resizes_its_last_piece_in_place),
		cmocka_unit_test(what_was_large_is_given_back),
		cmocka_unit_test(a_warm_decoder_allocates_nothing),
		cmocka_unit_test(each_thread_has_its_own_decoder),
		cmocka_unit_test(trees_of_mine_outlive_what_is_transcoded_meanwhile),
		cmocka_unit_test(versions_name_both_libraries),
		cmocka_unit_test(utf8_is_told_from_the_rest),
	};

	return cmocka_run_group_tests(tests, open_codec, close_codec);
}
