/* t_vectors - the reference messages of vectors.txt: a title with the length, the JSON form,
 * the MessagePack bytes as hex digits.  Each must become the other, byte by byte. */
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/magic.h"
#include "codec/envelope.h"

#define VECTORS "tests/unit/vectors.txt"
#define VECTORS_COUNT 10

static struct vector {
	char title[128], json[1024], hex[1024];
	char bytes[512];
	size_t n;
} vectors[VECTORS_COUNT + 1];
static size_t nvectors;

static bool
line(FILE *f, char *out, size_t size)
{
	if (fgets(out, (int)size, f) == NULL)
		return false;
	out[strcspn(out, "\n")] = '\0';
	return true;
}

static int
load(void **state)
{
	FILE *f = fopen(VECTORS, "r");

	(void)state;
	if (f == NULL) {
		perror(VECTORS " (run from the top of the tree)");
		return -1;
	}
	for (struct vector *v = vectors; nvectors < COUNT_OF(vectors) && line(f, v->title,
	    sizeof v->title); v++) {
		if (!line(f, v->json, sizeof v->json) || !line(f, v->hex, sizeof v->hex))
			break;
		v->n = unhex(v->hex, v->bytes, sizeof v->bytes);
		nvectors++;
	}
	fclose(f);
	return 0;
}

/* kind_of: by the title; ENVELOPE_KINDS for what is no envelope. */
static enum envelope_kind
kind_of(const struct vector *v)
{
	static const char *const words[] = { "RPC request", "RPC response", "# event", "# command" };
	enum envelope_kind kind = ENVELOPE_REQUEST;

	while (kind < ENVELOPE_KINDS && strstr(v->title, words[kind]) == NULL)
		kind++;
	return kind;
}

static void
all_are_there_with_the_length_that_they_state(void **state)
{
	(void)state;
	assert_int_equal(nvectors, VECTORS_COUNT);
	for (const struct vector *v = vectors; v < vectors + nvectors; v++)
		assert_int_equal(v->n, strtol(strrchr(v->title, ',') + 2, NULL, 10));
}

static void
as_values_each_form_becomes_the_other(void **state)
{
	(void)state;
	for (const struct vector *v = vectors; v < vectors + nvectors; v++) {
		enum pack_style style = kind_of(v) == ENVELOPE_KINDS ? PACK_PYTHON : PACK_COMPACT;
		struct data json = { DATA_JSON, v->json, strlen(v->json) }, msgpack = { DATA_MSGPACK,
		    v->bytes, v->n };
		struct str out = STR_INIT;
		struct err err;

		expect_ok(codec_convert(msgpack, DATA_JSON, style, &out, &err), &err);
		expect_str(&out, v->json);
		str_clear(&out);
		expect_ok(codec_convert(json, DATA_MSGPACK, style, &out, &err), &err);
		assert_int_equal(out.len, v->n);
		assert_memory_equal(out.p, v->bytes, v->n);
		str_release(&out);
	}
}

/* back: reads the one form and writes it in both. */
static void
back(const struct vector *v, enum data_format from)
{
	const char *p = from == DATA_JSON ? v->json : v->bytes;
	struct codec *c = codec_new();
	struct str out = STR_INIT;
	enum data_format format;
	struct envelope e;
	struct err err;

	expect_ok(envelope_decode(c, kind_of(v), p, from == DATA_JSON ? strlen(p) : v->n, &e, &format,
	    &err), &err);
	assert_int_equal(format, from);
	assert_int_equal(e.unknown_keys, 0);
	expect_ok(envelope_encode(&e, DATA_JSON, (struct wall){ 0 }, &out, &err), &err);
	expect_str(&out, v->json);
	str_clear(&out);
	expect_ok(envelope_encode(&e, DATA_MSGPACK, (struct wall){ 0 }, &out, &err), &err);
	assert_int_equal(out.len, v->n);
	assert_memory_equal(out.p, v->bytes, v->n);
	str_release(&out);
	codec_free(c);
}

static void
as_envelopes_each_form_becomes_both(void **state)
{
	size_t envelopes = 0;

	(void)state;
	for (const struct vector *v = vectors; v < vectors + nvectors; v++) {
		if (kind_of(v) == ENVELOPE_KINDS)
			continue;
		back(v, DATA_JSON);
		back(v, DATA_MSGPACK);
		envelopes++;
	}
	assert_int_equal(envelopes, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_there_with_the_length_that_they_state),
		cmocka_unit_test(as_values_each_form_becomes_the_other),
		cmocka_unit_test(as_envelopes_each_form_becomes_both),
	};

	return cmocka_run_group_tests(tests, load, NULL);
}
