/* t_command - progress, completion and cancel: the vectors of wire.md §4, and what readers take. */
#include "expect.h"

#include <math.h>

#include "base/magic.h"
#include "codec/command.h"

static struct str out;
static struct codec *codec;

static int
begin(void **state)
{
	(void)state;
	codec = codec_new();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	codec_free(codec);
	str_release(&out);
	return 0;
}

static void
expect_both(enum err_code (*encode)(const void *, enum data_format, struct err *), const void *m, const char *json,
    const char *hex)
{
	char bytes[256];
	size_t n = unhex(hex, bytes, sizeof bytes);
	struct err err;

	str_clear(&out);
	expect_ok(encode(m, DATA_JSON, &err), &err);
	expect_str(&out, json);
	str_clear(&out);
	expect_ok(encode(m, DATA_MSGPACK, &err), &err);
	assert_int_equal(out.len, n);
	assert_memory_equal(out.p, bytes, n);
}

static enum err_code
encode_progress(const void *m, enum data_format f, struct err *err)
{
	return command_progress_encode(m, f, &out, err);
}

static enum err_code
encode_completion(const void *m, enum data_format f, struct err *err)
{
	return command_completion_encode(m, f, &out, err);
}

static enum err_code
encode_cancel(const void *m, enum data_format f, struct err *err)
{
	return command_cancel_encode(m, f, &out, err);
}

#define PROGRESS_JSON "{\"command_id\": \"3d33ec15-ba50-4f62-ab60-8fe9397d11fd\", \"progress\": 50.0, " \
	"\"status\": \"working\", \"timestamp\": 1795150801.9414356}"
#define PROGRESS_HEX "84aa636f6d6d616e645f6964d92433643333656331352d626135302d346636322d616236302d386665393339376431" \
	"316664a870726f6772657373cb4049000000000000a6737461747573a7776f726b696e67a974696d657374616d70cb41dabff4f47c407b"
#define COMPLETION_JSON "{\"command_id\": \"3d33ec15-ba50-4f62-ab60-8fe9397d11fd\", \"status\": \"completed\", " \
	"\"result\": {\"done\": true, \"echo\": {\"job\": 7}, \"instance\": \"order-svc-1\"}}"
#define COMPLETION_HEX "83aa636f6d6d616e645f6964d92433643333656331352d626135302d346636322d616236302d3866653933393764" \
	"31316664a6737461747573a9636f6d706c65746564a6726573756c7483a4646f6e65c3a46563686f81a36a6f6207a8696e7374616e63" \
	"65ab6f726465722d7376632d31"
#define FAILED_JSON "{\"command_id\": \"m5\", \"status\": \"failed\", \"result\": null, \"error\": \"boom\"}"
#define FAILED_HEX "84aa636f6d6d616e645f6964a26d35a6737461747573a66661696c6564a6726573756c74c0a56572726f72a4626f6f6d"

static void
progress_is_the_reference(void **state)
{
	static const struct command_progress m = {
		.command_id = { "3d33ec15-ba50-4f62-ab60-8fe9397d11fd", 36 }, .progress = 50,
		.status = { "working", 7 }, .timestamp = 1795150801.9414356,
	};

	(void)state;
	expect_both(encode_progress, &m, PROGRESS_JSON, PROGRESS_HEX);
}

static void
completion_is_the_reference(void **state)
{
	/* The result comes in either encoding, and goes out in the command's. */
	static const char result[] = "{\"done\": true, \"echo\": {\"job\": 7}, \"instance\": \"order-svc-1\"}";
	char packed[64];
	size_t n = unhex("83a4646f6e65c3a46563686f81a36a6f6207a8696e7374616e6365ab6f726465722d7376632d31", packed, sizeof packed);
	const struct data results[] = { { DATA_JSON, result, sizeof result - 1 }, { DATA_MSGPACK, packed, n } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(results); i++) {
		struct command_completion m = {
			.command_id = text_of("3d33ec15-ba50-4f62-ab60-8fe9397d11fd"),
			.result = { .type = VALUE_RAW, .u.raw = results[i] },
		};
		expect_both(encode_completion, &m, COMPLETION_JSON, COMPLETION_HEX);
	}
}

static void
failed_and_cancelled_are_the_reference(void **state)
{
	static const struct command_completion failed = {
		.command_id = { "m5", 2 }, .status = COMMAND_FAILED, .error = { "boom", 4 },
	};
	static const struct command_completion cancelled = {
		.command_id = { "m5", 2 }, .status = COMMAND_CANCELLED, .error = { "CANCELLED", 9 },
	};

	(void)state;
	expect_both(encode_completion, &failed, FAILED_JSON, FAILED_HEX);
	str_clear(&out);
	assert_int_equal(command_completion_encode(&cancelled, DATA_JSON, &out, NULL), ERR_OK);
	expect_str(&out, "{\"command_id\": \"m5\", \"status\": \"cancelled\", \"result\": null, \"error\": \"CANCELLED\"}");
	/* Whoever gives no words still writes the key: a reader may insist on it. */
	str_clear(&out);
	assert_int_equal(command_completion_encode(&(struct command_completion){ .command_id = text_of("m5"),
	    .status = COMMAND_FAILED }, DATA_JSON, &out, NULL), ERR_OK);
	expect_str(&out, "{\"command_id\": \"m5\", \"status\": \"failed\", \"result\": null, \"error\": \"\"}");
}

static void
cancel_goes_there_and_back(void **state)
{
	static const struct command_cancel m = { .command_id = { "m5", 2 }, .reason = { "enough", 6 } };
	struct command_cancel back;
	struct err err;

	(void)state;
	expect_both(encode_cancel, &m, "{\"command_id\": \"m5\", \"reason\": \"enough\"}",
	    "82aa636f6d6d616e645f6964a26d35a6726561736f6ea6656e6f756768");
	expect_ok(command_cancel_decode(codec, out.p, out.len, &back, &err), &err);
	expect_text(back.command_id, "m5");
	expect_text(back.reason, "enough");
}

static void
the_references_are_read(void **state)
{
	static const struct { const char *json, *hex; } progress = { PROGRESS_JSON, PROGRESS_HEX };
	char bytes[256];
	struct command_completion c;
	struct command_progress p;
	struct err err;

	(void)state;
	for (int i = 0; i < 2; i++) {
		const void *at = i == 0 ? progress.json : bytes;
		size_t n = i == 0 ? strlen(progress.json) : unhex(progress.hex, bytes, sizeof bytes);
		expect_ok(command_progress_decode(codec, at, n, &p, &err), &err);
		expect_text(p.command_id, "3d33ec15-ba50-4f62-ab60-8fe9397d11fd");
		expect_text(p.status, "working");
		assert_true(p.progress == 50.0 && p.timestamp == 1795150801.9414356);
	}
	expect_ok(command_completion_decode(codec, COMPLETION_JSON, strlen(COMPLETION_JSON), &c, &err), &err);
	assert_int_equal(c.status, COMMAND_COMPLETED);
	assert_int_equal(c.result.type, VALUE_MAP);
	assert_null(c.error.p);
	expect_ok(command_completion_decode(codec, FAILED_JSON, strlen(FAILED_JSON), &c, &err), &err);
	assert_int_equal(c.status, COMMAND_FAILED);
	assert_int_equal(c.result.type, VALUE_NULL);
	expect_text(c.error, "boom");
}

static void
readers_tolerate_what_they_may(void **state)
{
	static const char more[] = "{\"command_id\":\"x\",\"progress\":7,\"host\":{\"a\":[1]}}";
	static const char odd[] = "{\"command_id\":\"x\",\"status\":\"exploded\",\"result\":1}";
	static const char told[] = "{\"command_id\":\"x\",\"status\":\"exploded\",\"error\":\"boom\"}";
	static const char bare[] = "{\"command_id\":\"x\",\"status\":\"completed\"}";
	struct command_completion c;
	struct command_progress p;
	struct err err;

	(void)state;
	expect_ok(command_progress_decode(codec, more, strlen(more), &p, &err), &err);
	assert_true(p.progress == 7 && p.status.p == NULL);
	expect_ok(command_completion_decode(codec, odd, strlen(odd), &c, &err), &err);
	assert_int_equal(c.status, COMMAND_FAILED);
	expect_text(c.error, "exploded");
	/* Its own words are better than the unknown one. */
	expect_ok(command_completion_decode(codec, told, strlen(told), &c, &err), &err);
	assert_int_equal(c.status, COMMAND_FAILED);
	expect_text(c.error, "boom");
	expect_ok(command_completion_decode(codec, bare, strlen(bare), &c, &err), &err);
	assert_int_equal(c.status, COMMAND_COMPLETED);
	assert_int_equal(c.result.type, VALUE_NULL);
}

static void
readers_refuse_the_rest(void **state)
{
	static const struct { const char *text; enum err_code code; const char *part; } rows[] = {
		{ "", ERR_SYNTAX, "empty" }, { "[1]", ERR_SYNTAX, "list" }, { "{", ERR_SYNTAX, "completion" },
		{ "{}", ERR_INVALID, "command_id" }, { "{\"command_id\":5}", ERR_INVALID, "command_id" },
		{ "{\"command_id\":\"a\"}", ERR_INVALID, "status" },
		{ "{\"command_id\":\"a\",\"status\":null}", ERR_INVALID, "status" },
	};
	struct command_completion c;
	struct command_progress p;
	struct command_cancel x;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		expect_refusal(command_completion_decode(codec, rows[i].text, strlen(rows[i].text), &c, &err), &err,
		    rows[i].code, rows[i].part);
	expect_refusal(command_progress_decode(codec, "{\"command_id\":\"a\",\"progress\":\"5\"}", 33, &p, &err), &err,
	    ERR_INVALID, "progress");
	expect_refusal(command_progress_decode(codec, "{\"progress\":5}", 14, &p, &err), &err, ERR_INVALID, "command_id");
	expect_refusal(command_cancel_decode(codec, "{\"reason\":\"a\"}", 14, &x, &err), &err, ERR_INVALID, "command_id");
}

static void
writers_refuse_what_is_no_text_and_no_number(void **state)
{
	struct err err;

	(void)state;
	str_clear(&out);
	expect_refusal(command_progress_encode(&(struct command_progress){
		.command_id = text_of("a"), .progress = NAN }, DATA_JSON, &out, &err), &err, ERR_INVALID, "");
	expect_refusal(command_completion_encode(&(struct command_completion){ .command_id = text_of("a"),
		.status = COMMAND_FAILED, .error = text_of("\xff") }, DATA_MSGPACK, &out, &err), &err, ERR_INVALID, "");
	assert_int_equal(out.len, 0);
}

static void
the_time_is_pythons(void **state)
{
	(void)state;
	assert_true(command_epoch((struct wall){ INT64_C(1795150801941435600) }) == 1795150801.941435);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(progress_is_the_reference),
		cmocka_unit_test(completion_is_the_reference),
		cmocka_unit_test(failed_and_cancelled_are_the_reference),
		cmocka_unit_test(cancel_goes_there_and_back),
		cmocka_unit_test(the_references_are_read),
		cmocka_unit_test(readers_tolerate_what_they_may),
		cmocka_unit_test(readers_refuse_the_rest),
		cmocka_unit_test(writers_refuse_what_is_no_text_and_no_number),
		cmocka_unit_test(the_time_is_pythons),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
