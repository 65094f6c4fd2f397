/* t_envelope - every row of the strictness table of wire.md §3, in both encodings, on
 * reading and before writing. */
#include "decoder.h"
#include "expect.h"

#include <math.h>

#include "base/magic.h"
#include "base/utf8.h"
#include "base/wall.h"
#include "codec/envelope.h"

/* 2025-08-08T01:02:03.456789Z */
#define NOW ((struct wall){ INT64_C(1754614923456789000) })

#define HEAD "\"message_id\":\"m1\",\"trace_id\":\"t1\",\"timestamp\":\"2025-01-01T00:00:00Z\""
#define REQUEST(rest) "{" HEAD ",\"method\":\"echo\"" rest "}"
#define RESPONSE(rest) "{" HEAD rest "}"
#define EVENT(rest) "{" HEAD ",\"domain\":\"order\",\"event_type\":\"created\"" rest "}"
#define COMMAND(rest) "{" HEAD ",\"command\":\"work\"" rest "}"

#define REQ ENVELOPE_REQUEST
#define RES ENVELOPE_RESPONSE
#define EVT ENVELOPE_EVENT
#define CMD ENVELOPE_COMMAND

/* decode: the JSON text, as it is or turned into MessagePack first. */
static enum err_code
decode(enum envelope_kind kind, const char *json, enum data_format format, struct envelope *e,
    struct err *err)
{
	static struct str bytes;
	enum data_format seen = DATA_JSON;
	enum err_code code;

	str_clear(&bytes);
	expect_ok(codec_convert((struct data){ DATA_JSON, json, strlen(json) }, format, PACK_COMPACT,
	    &bytes, err),
	    err);
	code = envelope_decode(codec, kind, bytes.p, bytes.len, e, &seen, err);
	assert_int_equal(seen, format);
	return code;
}

static const struct { enum envelope_kind kind; const char *json; } accepted[] = {
	{ REQ, "{\"method\":\"echo\"}" },			/* ids and time absent */
	{ REQ, REQUEST("") },
	{ REQ, REQUEST(",\"timeout\":3") },			/* integer for timeout */
	{ REQ, REQUEST(",\"timeout\":0.001") },
	{ REQ, REQUEST(",\"timeout\":18446744073709551615") },
	{ REQ, REQUEST(",\"correlation_id\":null,\"source\":null,\"target\":null") },
	{ REQ, REQUEST(",\"correlation_id\":\"\",\"source\":\"\"") },
	{ REQ, REQUEST(",\"message_id\":\"\"") },
	{ REQ, "{\"method\":\" echo\\n\"}" },
	{ REQ, REQUEST(",\"timeout\":\"5\",\"timeout\":5") },	/* the last one counts */
	{ RES, RESPONSE("") },
	{ RES, RESPONSE(",\"success\":true,\"error\":null") },
	{ RES, RESPONSE(",\"success\":false,\"error\":\"\"") },
	{ RES, RESPONSE(",\"success\":false,\"error\":\"boom\",\"result\":{\"a\":1}") },
	{ RES, RESPONSE(",\"result\":[1,\"x\",null]") },
	{ RES, RESPONSE(",\"result\":null") },
	{ EVT, EVENT("") },
	{ EVT, EVENT(",\"version\":\"1.2.3\"") },
	{ EVT, EVENT(",\"version\":\" 2.0 \"") },
	{ CMD, COMMAND("") },
	{ CMD, COMMAND(",\"max_retries\":0,\"priority\":\"critical\",\"timeout\":1") },
};

static void
what_python_accepts_is_accepted(void **state)
{
	struct envelope e;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(accepted); i++) {
		for (enum data_format f = DATA_MSGPACK; f <= DATA_JSON; f++) {
			expect_ok(decode(accepted[i].kind, accepted[i].json, f, &e, &err), &err);
			assert_int_equal(e.unknown_keys, 0);
			expect_ok(envelope_check(&e, &err), &err);
		}
	}
}

static const struct { enum envelope_kind kind; const char *json, *says; } refused[] = {
	{ REQ, "{\"message_id\":null,\"method\":\"m\"}", "message_id: must be text, not null" },
	{ REQ, "{\"trace_id\":null,\"method\":\"m\"}", "trace_id: must be text, not null" },
	{ REQ, "{\"timestamp\":null,\"method\":\"m\"}", "timestamp: must be text, not null" },
	{ REQ, "{\"message_id\":5,\"method\":\"m\"}", "message_id: must be text, not integer" },
	{ REQ, REQUEST(",\"source\":5"), "source: must be text or null, not integer" },
	{ REQ, "{\"method\":7}", "method: must be text, not integer" },
	{ REQ, "{\"method\":null}", "method: must be text, not null" },
	{ REQ, "{}", "method: is missing" },
	{ REQ, "{\"method\":\"\"}", "method: is empty" },
	{ REQ, "{\"method\":\" \\u3000\"}", "method: is empty" },
	{ REQ, REQUEST(",\"timeout\":\"5\""), "timeout: must be a number above 0, not text" },
	{ REQ, REQUEST(",\"timeout\":null"), "timeout: must be a number above 0, not null" },
	{ REQ, REQUEST(",\"timeout\":true"), "timeout: must be a number above 0, not boolean" },
	{ REQ, REQUEST(",\"timeout\":0"), "timeout: 0 is not allowed; use seconds above 0" },
	{ REQ, REQUEST(",\"timeout\":-1.5"), "timeout: -1.5 is not allowed" },
	{ REQ, REQUEST(",\"timeout\":5,\"timeout\":\"5\""), "timeout" },
	{ REQ, REQUEST(",\"params\":null"), "params: must be a map, not null" },
	{ REQ, REQUEST(",\"params\":[]"), "params: must be a map, not list" },
	{ EVT, EVENT(",\"payload\":null"), "payload: must be a map, not null" },
	{ CMD, COMMAND(",\"payload\":[1]"), "payload: must be a map, not list" },
	{ RES, RESPONSE(",\"success\":1"), "success: must be true or false, not integer" },
	{ RES, RESPONSE(",\"success\":null"), "success: must be true or false, not null" },
	{ RES, RESPONSE(",\"error\":\"x\""), "error: must be null where success is true" },
	{ RES, RESPONSE(",\"success\":true,\"error\":\"\""), "error: must be null where success is true" },
	{ RES, RESPONSE(",\"success\":false"), "error: is missing where success is false" },
	{ RES, RESPONSE(",\"success\":false,\"error\":null"), "error: is missing where success is false" },
	{ RES, RESPONSE(",\"success\":false,\"error\":5"), "error: must be text or null, not integer" },
	{ EVT, "{\"event_type\":\"x\"}", "domain: is missing" },
	{ EVT, "{\"domain\":\"x\"}", "event_type: is missing" },
	{ EVT, EVENT(",\"version\":\"1\""), "version: '1' is no version" },
	{ EVT, EVENT(",\"version\":null"), "version: must be text, not null" },
	{ EVT, EVENT(",\"version\":1.0"), "version: must be text, not real number" },
	{ EVT, EVENT(",\"version\":\"1.0-a2345678901234567890123456789012345678901234567890123456789012345\""),
	    "67890' is no version" },
	{ CMD, "{}", "command: is missing" },
	{ CMD, COMMAND(",\"max_retries\":3.0"), "max_retries: must be an integer, not real number" },
	{ CMD, COMMAND(",\"max_retries\":-1"), "max_retries: -1 is not allowed; use 0 or more" },
	{ CMD, COMMAND(",\"max_retries\":true"), "max_retries: must be an integer, not boolean" },
	{ CMD, COMMAND(",\"max_retries\":9223372036854775808"),
	    "max_retries: must be an integer below 2^63" },
	{ CMD, COMMAND(",\"priority\":\"HIGH\""), "priority: 'HIGH' is none of low, normal, high, critical" },
	{ CMD, COMMAND(",\"priority\":2"), "priority: must be text, not integer" },
	{ CMD, COMMAND(",\"priority\":\"1234567890123456789012345678901234567890123456789012345678901234XYZ\""),
	    "234' is none" },
	{ CMD, COMMAND(",\"priority\":null"), "priority: must be text, not null" },
	{ CMD, COMMAND(",\"timeout\":0"), "timeout: 0 is not allowed" },
	{ REQ, "[]", "a message must be a map, not list" },
	{ REQ, "{\"method\":\"m\",\"timestamp\":1735689600}", "timestamp: must be text, not integer" },
	{ REQ, "{\"method\":\"m\",\"timestamp\":\"yesterday\"}",
	    "timestamp: 'yesterday' is no ISO 8601 time" },
	{ REQ, "{\"method\":\"m\",\"timestamp\":\"\"}", "timestamp: ''" },
	{ REQ, "{\"method\":\"m\",\"timestamp\":\"2025-02-30T00:00:00Z\"}", "timestamp" },
	{ REQ, "{\"method\":\"m\",\"timestamp\":\"2025-01-01T00:00:00.1234567890Z\"}", "timestamp" },
	{ REQ, "{\"method\":\"m\",\"timestamp\":"
	    "\"1234567890123456789012345678901234567890123456789012345678901234XYZ\"}", "234' is no ISO" },
};

static void
what_python_rejects_is_refused_by_name(void **state)
{
	struct envelope e;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		enum err_code want = refused[i].json[0] == '{' ? ERR_INVALID : ERR_SYNTAX;
		expect_refusal(decode(refused[i].kind, refused[i].json, DATA_JSON, &e, &err), &err, want,
		    refused[i].says);
		expect_refusal(decode(refused[i].kind, refused[i].json, DATA_MSGPACK, &e, &err), &err, want,
		    refused[i].says);
	}
}

static void
times_are_accepted_in_every_form_and_kept_verbatim(void **state)
{
	static const char *const times[] = {
		"2025-01-01T00:00:00Z", "2025-01-01T00:00:00+02:00", "2025-01-01T00:00:00-0330",
		"2025-01-01T00:00:00", "2025-01-01", "2025-01-01T00:00:00.1Z",
		    "2025-01-01T00:00:00.123456789Z",
		"2025-01-01 00:00:00.123",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(times); i++) {
		struct str json = STR_INIT;
		struct envelope e;
		struct err err;
		str_printf(&json, "{\"method\":\"m\",\"timestamp\":\"%s\"}", times[i]);
		expect_ok(decode(REQ, json.p, DATA_MSGPACK, &e, &err), &err);
		expect_text(e.timestamp, times[i]);
		str_release(&json);
	}
}

static void
sentences_quote_whole_characters(void **state)
{
	struct str json = STR_INIT;
	struct envelope e;
	struct err err;

	(void)state;
	str_puts(&json, "{\"method\":\"m\",\"timestamp\":\"x");
	for (int i = 0; i < 40; i++)
		str_puts(&json, "\xc3\xa9");
	str_puts(&json, "\"}");
	expect_refusal(decode(REQ, json.p, DATA_JSON, &e, &err), &err, ERR_INVALID, "\xa9' is no ISO");
	assert_int_equal(utf8_valid(err.text, strlen(err.text)), strlen(err.text));
	str_release(&json);
}

static void
absent_ids_and_times_are_filled_in(void **state)
{
	struct envelope e, again;
	struct wall when;
	struct err err;

	(void)state;
	expect_ok(decode(REQ, "{\"method\":\"m\"}", DATA_JSON, &e, &err), &err);
	assert_int_equal(e.message_id.n, 36);
	assert_int_equal(e.trace_id.n, 36);
	assert_memory_not_equal(e.message_id.p, e.trace_id.p, 36);
	assert_true(wall_parse(e.timestamp.p, e.timestamp.n, &when));
	assert_true(when.ns > NOW.ns);
	char first[36];
	memcpy(first, e.message_id.p, 36);
	expect_ok(decode(REQ, "{\"method\":\"m\"}", DATA_JSON, &again, &err), &err);
	assert_memory_not_equal(again.message_id.p, first, 36);
	/* What is there stays. */
	expect_ok(decode(REQ, REQUEST(""), DATA_JSON, &e, &err), &err);
	expect_text(e.message_id, "m1");
	expect_text(e.trace_id, "t1");
}

static void
outer_blanks_are_trimmed(void **state)
{
	struct envelope e;
	struct err err;

	(void)state;
	expect_ok(decode(REQ, "{\"message_id\":\"  \",\"trace_id\":\"\\u00a0t\\u2003\\u3000\","
	    "\"method\":\"\\t\\u0085 a b\\r\\n\","
	    "\"source\":\"\\u2028\\u1680\\u205f\\u202fs\\u2029\",\"target\":\"\xc3\xa9 \xe2\x82\xac\","
	    "\"timestamp\":\" 2025-01-01 \",\"params\":{\" k \":\" v \"}}", DATA_MSGPACK, &e, &err), &err);
	expect_text(e.message_id, "");
	expect_text(e.trace_id, "t");
	expect_text(e.method, "a b");
	expect_text(e.source, "s");
	expect_text(e.target, "\xc3\xa9 \xe2\x82\xac");
	expect_text(e.timestamp, "2025-01-01");
	/* Not what only looks like one: a zero-width space. */
	expect_ok(decode(REQ, "{\"message_id\":\"a \",\"trace_id\":\"a\xc3\xa9\","
	    "\"method\":\"\\u1681m\\u200b\","
	    "\"source\":\"\\u2000\\u200as\",\"params\":{\" k \":\" v \"}}", DATA_MSGPACK, &e, &err), &err);
	expect_text(e.message_id, "a");
	expect_text(e.trace_id, "a\xc3\xa9");
	expect_text(e.method, "\xe1\x9a\x81m\xe2\x80\x8b");
	expect_text(e.source, "s");
	expect_text(e.payload.u.pairs[0].key, " k ");
	expect_text(e.payload.u.pairs[0].value.u.text, " v ");
}

static void
unknown_keys_are_counted_and_ignored(void **state)
{
	struct envelope e;
	struct err err;

	(void)state;
	expect_ok(decode(EVT, EVENT(",\"x\":1,\"Version\":null,\"method\":\"m\",\"version\":\"1.1\""),
	    DATA_MSGPACK, &e,
	    &err), &err);
	assert_int_equal(e.unknown_keys, 3);
	expect_text(e.version, "1.1");
	assert_null(e.method.p);
}

static void
the_order_of_keys_does_not_matter(void **state)
{
	struct envelope e;
	struct err err;

	(void)state;
	expect_ok(decode(CMD, "{\"timeout\":7,\"max_retries\":2,\"priority\":\"low\","
	    "\"payload\":{\"a\":1},\"command\":\"c\","
	    "\"target\":\"t\",\"source\":\"s\",\"timestamp\":\"2025-01-01\",\"correlation_id\":\"k\","
	    "\"trace_id\":\"t\","
	    "\"message_id\":\"m\"}", DATA_JSON, &e, &err), &err);
	expect_text(e.command, "c");
	expect_text(e.correlation_id, "k");
	expect_text(e.message_id, "m");
	assert_true(e.timeout_s == 7);
	assert_int_equal(e.max_retries, 2);
	assert_int_equal(e.priority, PRIORITY_LOW);
	assert_int_equal(e.payload.n, 1);
}

static void
defaults_apply_to_what_is_absent(void **state)
{
	struct envelope e;
	struct err err;

	(void)state;
	expect_ok(decode(REQ, REQUEST(""), DATA_JSON, &e, &err), &err);
	assert_true(e.timeout_s == 5.0);
	assert_true(e.payload.type == VALUE_MAP && e.payload.n == 0);
	assert_null(e.source.p);
	expect_ok(decode(RES, RESPONSE(""), DATA_JSON, &e, &err), &err);
	assert_true(e.success && e.payload.type == VALUE_NULL && e.error.p == NULL);
	expect_ok(decode(EVT, EVENT(""), DATA_JSON, &e, &err), &err);
	expect_text(e.version, "1.0");
	expect_ok(decode(CMD, COMMAND(""), DATA_JSON, &e, &err), &err);
	assert_true(e.timeout_s == 300.0 && e.max_retries == 3 && e.priority == PRIORITY_NORMAL);
}

static void
bytes_are_data_but_no_texts(void **state)
{
	char bytes[256];
	struct envelope e;
	enum data_format format;
	struct err err;
	size_t n;

	(void)state;
	/* {"method": bin "m"} */
	n = unhex("81a66d6574686f64c4016d", bytes, sizeof bytes);
	expect_refusal(envelope_decode(codec, REQ, bytes, n, &e, &format, &err), &err, ERR_INVALID,
	    "method: must be text, not bytes");
	/* {"method": "m", "params": {"b": bin 00ff}} */
	n = unhex("82a66d6574686f64a16da6706172616d7381a162c40200ff", bytes, sizeof bytes);
	expect_ok(envelope_decode(codec, REQ, bytes, n, &e, &format, &err), &err);
	assert_int_equal(e.payload.u.pairs[0].value.type, VALUE_BYTES);
	/* {"method": "m", "params": {1: 2}}: a key that is no text */
	n = unhex("82a66d6574686f64a16da6706172616d73810102", bytes, sizeof bytes);
	expect_refusal(envelope_decode(codec, REQ, bytes, n, &e, &format, &err), &err, ERR_SYNTAX,
	    "a map key that is not text");
}

static void
the_format_is_told_also_on_failure(void **state)
{
	struct envelope e;
	enum data_format format = DATA_JSON;
	struct err err;

	(void)state;
	expect_refusal(envelope_decode(codec, REQ, "", 0, &e, &format, &err), &err, ERR_SYNTAX, "empty");
	assert_int_equal(format, DATA_MSGPACK);
	expect_refusal(envelope_decode(codec, REQ, "{", 1, &e, &format, &err), &err, ERR_SYNTAX, "byte 1");
	assert_int_equal(format, DATA_JSON);
	expect_refusal(envelope_decode(codec, REQ, "\x81\xa1", 2, &e, &format, &err), &err, ERR_SYNTAX,
	    "byte 2");
	assert_int_equal(format, DATA_MSGPACK);
}

/* --- before writing ----------------------------------------------------------------------- */

static struct envelope
filled(enum envelope_kind kind)
{
	struct envelope e;

	envelope_init(&e, kind);
	e.message_id = text_of("m1");
	e.trace_id = text_of("t1");
	e.timestamp = text_of("2025-01-01T00:00:00+00:00");
	e.method = text_of("echo");
	e.domain = text_of("order");
	e.type = text_of("created");
	e.command = text_of("work");
	return e;
}

static void
refuse_writing(struct envelope e, const char *says)
{
	struct str out = STR_INIT;
	struct err err;

	str_puts(&out, "before");
	expect_refusal(envelope_encode(&e, DATA_JSON, NOW, &out, &err), &err, ERR_INVALID, says);
	expect_str(&out, "before");
	expect_refusal(envelope_encode(&e, DATA_MSGPACK, NOW, &out, &err), &err, ERR_INVALID, says);
	expect_str(&out, "before");
	str_release(&out);
}

static void
what_a_reader_would_reject_is_not_written(void **state)
{
	struct envelope e;

	(void)state;
	e = filled(REQ), e.method.p = NULL, refuse_writing(e, "method: is missing");
	e = filled(REQ), e.method = text_of(" \t"), refuse_writing(e, "method: is empty");
	e = filled(REQ), e.timeout_s = 0, refuse_writing(e, "timeout: 0 is not allowed");
	e = filled(REQ), e.timeout_s = NAN, refuse_writing(e, "timeout: ");
	e = filled(REQ), e.timeout_s = INFINITY, refuse_writing(e, "timeout: inf is not allowed");
	e = filled(REQ), e.payload.type = VALUE_NULL, refuse_writing(e, "params: must be a map, not null");
	e = filled(REQ), e.timestamp = text_of("now"), refuse_writing(e, "timestamp: 'now'");
	e = filled(REQ), e.source = text_of("\xff"), refuse_writing(e, "source: a text is not valid UTF-8");
	e = filled(REQ), e.method = text_of("\xff "), refuse_writing(e, "method: a text is not valid UTF-8");
	e = filled(RES), e.error = text_of(""), refuse_writing(e,
	    "error: must be null where success is true");
	e = filled(RES), e.success = false, refuse_writing(e, "error: is missing where success is false");
	e = filled(EVT), e.version = text_of("v1"), refuse_writing(e, "version: 'v1'");
	e = filled(EVT), e.version.p = NULL, refuse_writing(e, "version: is missing");
	e = filled(EVT), e.type = text_of(""), refuse_writing(e, "event_type: is empty");
	e = filled(CMD), e.max_retries = -1, refuse_writing(e, "max_retries: -1 is not allowed");
	e = filled(CMD), e.command = text_of(NULL), refuse_writing(e, "command: is missing");
}

static struct envelope
with_raw(const char *p, size_t n, enum data_format format)
{
	struct envelope e = filled(REQ);

	e.payload = (struct value){ .type = VALUE_RAW, .u.raw = { format, p, n } };
	return e;
}

/* raw_bytes: JSON as it stands, MessagePack from its hex digits. */
static size_t
raw_bytes(enum data_format format, const char *p, char out[64])
{
	if (format == DATA_MSGPACK)
		return unhex(p, out, 64);
	memcpy(out, p, strlen(p));
	return strlen(p);
}

static void
encoded_params_must_be_maps_too(void **state)
{
	static const struct { enum data_format format; const char *p; } maps[] = {
		{ DATA_JSON, "{}" }, { DATA_JSON, " \t\r\n{\"a\":1}" }, { DATA_MSGPACK, "80" },
		{ DATA_MSGPACK, "de0001a16101" }, { DATA_MSGPACK, "df00000001a16101" },
	};
	static const struct { enum data_format format; const char *p; } others[] = {
		{ DATA_JSON, "[]" }, { DATA_JSON, "  " }, { DATA_JSON, "5" }, { DATA_MSGPACK, "90" },
		    { DATA_MSGPACK, "c0" }, { DATA_MSGPACK, "05" },
	};
	char bytes[64];
	struct str out = STR_INIT;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(maps); i++) {
		struct envelope e = with_raw(bytes, raw_bytes(maps[i].format, maps[i].p, bytes),
		    maps[i].format);
		expect_ok(envelope_encode(&e, DATA_JSON, NOW, &out, &err), &err);
		expect_ok(envelope_encode(&e, DATA_MSGPACK, NOW, &out, &err), &err);
	}
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		size_t n = raw_bytes(others[i].format, others[i].p, bytes);
		refuse_writing(with_raw(bytes, n, others[i].format),
		    "params: must be a map, not encoded value");
	}
	refuse_writing(with_raw(NULL, 0, DATA_JSON), "params: must be a map");
	refuse_writing(with_raw("", 0, DATA_JSON), "params: must be a map");
	refuse_writing(with_raw("\0{}", 3, DATA_JSON), "params: must be a map");
	str_release(&out);
}

static void
what_only_begins_like_a_map_spoils_nothing(void **state)
{
	struct envelope e = with_raw("{\"a\":", 5, DATA_JSON);
	struct str out = STR_INIT;
	struct err err;

	(void)state;
	str_puts(&out, "before");
	expect_refusal(envelope_encode(&e, DATA_JSON, NOW, &out, &err), &err, ERR_SYNTAX, "params: byte 5");
	expect_refusal(envelope_encode(&e, DATA_MSGPACK, NOW, &out, &err), &err, ERR_SYNTAX,
	    "params: byte 5");
	expect_str(&out, "before");
	str_release(&out);
}

static void
encoding_draws_what_is_absent_into_the_output_only(void **state)
{
	struct envelope e = filled(REQ), back;
	struct str out = STR_INIT;
	enum data_format format;
	struct err err;

	(void)state;
	e.message_id = e.trace_id = e.timestamp = text_of(NULL);
	expect_ok(envelope_encode(&e, DATA_MSGPACK, NOW, &out, &err), &err);
	assert_null(e.message_id.p);
	expect_ok(envelope_decode(codec, REQ, out.p, out.len, &back, &format, &err), &err);
	expect_text(back.timestamp, "2025-08-08T01:02:03.456789+00:00");
	assert_int_equal(back.message_id.n, 36);
	assert_int_equal(back.trace_id.n, 36);
	assert_memory_not_equal(back.message_id.p, back.trace_id.p, 36);
	str_release(&out);
}

static void
appends_behind_what_is_there(void **state)
{
	struct envelope e = filled(RES);
	struct str out = STR_INIT;
	struct err err;

	(void)state;
	str_puts(&out, ">");
	e.payload = (struct value){ .type = VALUE_INT, .u.integer = 1 };
	expect_ok(envelope_encode(&e, DATA_JSON, NOW, &out, &err), &err);
	expect_str(&out, ">{\"message_id\":\"m1\",\"trace_id\":\"t1\",\"correlation_id\":null,"
	    "\"timestamp\":\"2025-01-01T00:00:00+00:00\",\"source\":null,\"target\":null,\"success\":true,"
	    "\"result\":1,\"error\":null}");
	str_release(&out);
}

static void
priorities_have_four_words(void **state)
{
	enum priority p = PRIORITY_HIGH;

	(void)state;
	for (enum priority i = PRIORITY_LOW; i <= PRIORITY_CRITICAL; i++) {
		assert_true(priority_parse(text_of(priority_name(i)), &p));
		assert_int_equal(p, i);
	}
	assert_false(priority_parse(text_of("urgent"), &p));
	assert_false(priority_parse(text_of(NULL), &p));
	assert_int_equal(p, PRIORITY_CRITICAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_python_accepts_is_accepted),
		cmocka_unit_test(what_python_rejects_is_refused_by_name),
		cmocka_unit_test(times_are_accepted_in_every_form_and_kept_verbatim),
		cmocka_unit_test(sentences_quote_whole_characters),
		cmocka_unit_test(absent_ids_and_times_are_filled_in),
		cmocka_unit_test(outer_blanks_are_trimmed),
		cmocka_unit_test(unknown_keys_are_counted_and_ignored),
		cmocka_unit_test(the_order_of_keys_does_not_matter),
		cmocka_unit_test(defaults_apply_to_what_is_absent),
		cmocka_unit_test(bytes_are_data_but_no_texts),
		cmocka_unit_test(the_format_is_told_also_on_failure),
		cmocka_unit_test(what_a_reader_would_reject_is_not_written),
		cmocka_unit_test(encoded_params_must_be_maps_too),
		cmocka_unit_test(what_only_begins_like_a_map_spoils_nothing),
		cmocka_unit_test(encoding_draws_what_is_absent_into_the_output_only),
		cmocka_unit_test(appends_behind_what_is_there),
		cmocka_unit_test(priorities_have_four_words),
	};

	return cmocka_run_group_tests(tests, open_codec, close_codec);
}
