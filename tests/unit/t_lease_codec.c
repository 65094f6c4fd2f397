/* t_lease_codec - register values, the records of AEGIS_META and answers to lease writes: the
 * bytes of the specification, what is tolerated, and what is *unknown*. */
#include "expect.h"

#include "base/magic.h"
#include "codec/codec.h"
#include "codec/lease.h"

#define NONCE "9f0c000000000000000000000000abcd"

static struct lease_record
sample(void)
{
	return (struct lease_record){
		.value = { .mark = LEASE_MARK_HELD, .epoch = 1795150629861, .counter = 4711, .d_ms = 240, .l_ms = 320,
		    .nonce = { 0x9f0c000000000000, 0xabcd } },
		.holder = "order-service-1", .conn = { { "NABC", 17 } }, .conns = 1, .written = { 1795150631000 * NS_PER_MS },
	};
}

static const char sample_text[] =
    "{\"v\":1,\"e\":1795150629861,\"s\":\"held\",\"h\":\"order-service-1\",\"n\":\"" NONCE "\",\"c\":4711,\"D\":240,"
    "\"L\":320,\"to\":\"\",\"conn\":[{\"sid\":\"NABC\",\"cid\":17}],\"w\":1795150631000}";

static void
value_bytes(void **state)
{
	struct lease_record r = sample(), back;
	struct str s = STR_INIT;
	struct err err = { 0 };

	(void)state;
	lease_encode(&r, &s);
	expect_str(&s, sample_text);
	expect_ok(lease_decode(s.p, s.len, &back, &err), &err);
	assert_memory_equal(&back.value, &r.value, sizeof r.value);
	assert_string_equal(back.holder, r.holder);
	assert_int_equal(back.conns, 1);
	assert_string_equal(back.conn[0].server, "NABC");
	assert_int_equal(back.conn[0].cid, 17);
	assert_int_equal(back.written.ns, r.written.ns);
	str_release(&s);
}

static void
release_names_a_successor(void **state)
{
	struct lease_record r = sample(), back;
	struct str s = STR_INIT;
	struct err err = { 0 };

	(void)state;
	r.value.mark = LEASE_MARK_RELEASED;
	r.value.to = (struct lease_nonce){ 1, 2 };
	r.written.ns = 0;
	lease_encode(&r, &s);
	assert_non_null(strstr(str_text(&s), "\"s\":\"released\""));
	assert_non_null(strstr(str_text(&s), "\"to\":\"00000000000000010000000000000002\""));
	expect_ok(lease_decode(s.p, s.len, &back, &err), &err);
	assert_true(lease_nonce_is(back.value.to, r.value.to));
	str_release(&s);
}

/* The longest value that can be: connections give way. */
static void
never_too_long(void **state)
{
	struct lease_record r = sample(), back;
	struct str s = STR_INIT;
	struct err err = { 0 };

	(void)state;
	memset(r.holder, 'x', sizeof r.holder - 1);
	r.value.epoch = r.value.counter = INT64_MAX - 1;
	r.value.to = r.value.nonce;
	r.value.mark = LEASE_MARK_RELEASED;
	r.conns = LEASE_CONNS;
	for (unsigned i = 0; i < LEASE_CONNS; i++) {
		memset(r.conn[i].server, 'N', sizeof r.conn[i].server - 1);
		r.conn[i].cid = INT64_MAX;
	}
	str_puts(&s, "before");
	lease_encode(&r, &s);
	assert_true(s.len - 6 <= LEASE_VALUE_MAX);
	expect_ok(lease_decode(s.p + 6, s.len - 6, &back, &err), &err);
	assert_int_equal(back.conns, 1);
	str_release(&s);
}

static enum err_code
decode(const char *text, struct lease_record *r, struct err *err)
{
	memset(err, 0, sizeof *err);
	return lease_decode(text, strlen(text), r, err);
}

#define VALUE(v, e, s, d, l, rest) "{\"v\":" v ",\"e\":" e ",\"s\":\"" s "\",\"h\":\"i\",\"n\":\"" NONCE "\",\"c\":1,\"D\":" d \
	",\"L\":" l rest "}"

static void
tolerated(void **state)
{
	static const char *const texts[] = {
		VALUE("1", "5", "held", "240", "320", ""),
		VALUE("1", "5", "retired", "240", "60000", ",\"new\":{\"x\":[1]},\"to\":null"),
		VALUE("0", "0", "released", "0", "0", ",\"conn\":7,\"w\":\"later\""),
		VALUE("1", "5", "held", "240", "320", ",\"conn\":[7,{\"sid\":\"N\"},{\"cid\":1},{\"sid\":\"N\",\"cid\":-1}]"),
	};
	struct lease_record r;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		expect_ok(decode(texts[i], &r, &err), &err);
		assert_int_equal(r.conns, 0);
	}
	expect_ok(decode(VALUE("1", "5", "held", "1", "1", ",\"conn\":[{\"sid\":\"a\",\"cid\":1},{\"sid\":\"b\",\"cid\":2},"
	    "{\"sid\":\"c\",\"cid\":3}]"), &r, &err), &err);
	assert_int_equal(r.conns, LEASE_CONNS);
}

static void
unknown_values(void **state)
{
	static const struct { const char *text, *part; } rows[] = {
		{ "", "is empty" },
		{ "held", "lease value: " },
		{ "[]", "must be a map, not list" },
		{ "{}", "v: must be a whole number" },
		{ VALUE("2", "5", "held", "240", "320", ""), "v: 2 is more than 1" },
		{ VALUE("1", "-5", "held", "240", "320", ""), "e: must be a whole number" },
		{ VALUE("1", "\"5\"", "held", "240", "320", ""), "e: must be" },
		{ VALUE("1", "5", "blank", "240", "320", ""), "'blank' is none of held" },
		{ VALUE("1", "5", "", "240", "320", ""), "none of held" },
		{ VALUE("1", "5", "held", "240", "60001", ""), "L: 60001 is more than 60000" },
		{ VALUE("1", "5", "held", "60001", "320", ""), "D: 60001" },
		{ VALUE("1", "9223372036854775807", "held", "1", "1", ""), "e: 9223372036854775807 is more" },
		{ VALUE("1", "5", "held", "240", "320", ",\"to\":\"somebody\""), "to: 'somebody' is no nonce" },
		{ VALUE("1", "5", "held", "240", "320", ",\"to\":\"00000000000000000000000000000000\""), "is no nonce" },
		{ "{\"v\":1,\"e\":1,\"s\":\"held\"}", "h: must be text" },
		{ "{\"v\":1,\"e\":1,\"s\":\"held\",\"h\":\"i\"}", "n: '' is no nonce" },
		{ "{\"v\":1,\"e\":1,\"s\":\"held\",\"h\":\"i\",\"n\":\"" NONCE "\"}", "c: must be" },
		{ "{\"v\":1,\"e\":1,\"s\":\"held\",\"h\":\"i\",\"n\":\"9F0C000000000000000000000000abcd\"}", "is no nonce" },
		{ "{\"v\":1,\"e\":1,\"s\":\"held\",\"h\":\"i\",\"n\":\"9f0c00000000000000000000000-abcd\"}", "is no nonce" },
		{ "{\"v\":1,\"e\":1,\"s\":\"held\",\"h\":\"i\\u0000\"}", "h: " },
	};
	struct lease_record r = sample();
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (decode(rows[i].text, &r, &err) == ERR_OK)
			fail_msg("taken: %s", rows[i].text);
		if (strstr(err.text, rows[i].part) == NULL)
			fail_msg("'%s' does not say '%s'", err.text, rows[i].part);
	}
	assert_string_equal(r.holder, "order-service-1");
}

static void
names_too_long(void **state)
{
	char text[400];
	struct lease_record r;
	struct err err;

	(void)state;
	snprintf(text, sizeof text, "{\"v\":1,\"e\":1,\"s\":\"held\",\"h\":\"%0129d\"}", 0);
	expect_refusal(decode(text, &r, &err), &err, ERR_INVALID, "longer than 128 characters");
}

static void
set_record(void **state)
{
	struct lease_set s = { .uuid = "0d51ab73-c892-4bf7-9183-f57455223201", .n = 3, .ready = true,
	    .node = { "n1", "n2", "n3" } }, back;
	struct str out = STR_INIT;
	struct err err = { 0 };
	static const struct { const char *text, *part; } rows[] = {
		{ "7", "must be a map" },
		{ "{\"v\":2}", "v: 2" },
		{ "{\"v\":1,\"set\":7}", "set: must be text" },
		{ "{\"v\":1,\"set\":\"u\",\"n\":5}", "n: 5 is more than 3" },
		{ "{\"v\":1,\"set\":\"u\",\"n\":2,\"state\":\"ready\"}", "1 or 3 registers, not 2" },
		{ "{\"v\":1,\"set\":\"u\",\"n\":3,\"state\":\"done\"}", "neither creating nor ready" },
	};

	(void)state;
	lease_set_encode(&s, &out);
	expect_str(&out, "{\"v\":1,\"set\":\"0d51ab73-c892-4bf7-9183-f57455223201\",\"n\":3,\"state\":\"ready\","
	    "\"nodes\":[\"n1\",\"n2\",\"n3\"]}");
	expect_ok(lease_set_decode(out.p, out.len, &back, &err), &err);
	assert_memory_equal(&back, &s, sizeof s);
	str_clear(&out);
	str_puts(&out, "{\"v\":1,\"set\":\"u\",\"n\":1,\"state\":\"creating\",\"nodes\":[7,\"a\"]}");
	expect_ok(lease_set_decode(out.p, out.len, &back, &err), &err);
	assert_false(back.ready);
	assert_string_equal(back.node[0], "");
	str_clear(&out);
	s.ready = false;
	lease_set_encode(&s, &out);
	assert_non_null(strstr(str_text(&out), "creating"));
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		err = (struct err){ 0 };
		if (lease_set_decode(rows[i].text, strlen(rows[i].text), &back, &err) == ERR_OK ||
		    strstr(err.text, rows[i].part) == NULL)
			fail_msg("'%s' does not say '%s'", err.text, rows[i].part);
	}
	str_release(&out);
}

static void
group_record(void **state)
{
	struct lease_group_record g = { LEASE_GROUP_NEW, "default", "gate", 7 }, back;
	struct str out = STR_INIT;
	struct err err = { 0 };
	static const char *const wrong[] = {
		"[]", "{}", "{\"v\":1,\"state\":\"old\"}", "{\"v\":1,\"state\":\"new\"}", "{\"v\":1,\"state\":\"new\",\"profile\":\"fast\"}",
		"{\"v\":1,\"state\":\"new\",\"profile\":\"fast\",\"fence\":\"gate\"}",
	};

	(void)state;
	lease_group_encode(&g, &out);
	expect_str(&out, "{\"v\":1,\"state\":\"new\",\"profile\":\"default\",\"fence\":\"gate\",\"epoch\":7}");
	expect_ok(lease_group_decode(out.p, out.len, &back, &err), &err);
	assert_int_equal(back.state, LEASE_GROUP_NEW);
	g.state = LEASE_GROUP_LIVE;
	str_clear(&out);
	lease_group_encode(&g, &out);
	expect_ok(lease_group_decode(out.p, out.len, &back, &err), &err);
	assert_int_equal(back.state, LEASE_GROUP_LIVE);
	assert_string_equal(back.profile, "default");
	assert_string_equal(back.fence, "gate");
	assert_int_equal(back.epoch, 7);
	for (size_t i = 0; i < COUNT_OF(wrong); i++)
		if (lease_group_decode(wrong[i], strlen(wrong[i]), &back, &err) == ERR_OK)
			fail_msg("taken: %s", wrong[i]);
	str_release(&out);
}

/* Member by member: what lies between them is anything. */
static void
assert_same_change(const struct lease_change *a, const struct lease_change *b)
{
	assert_int_equal(a->epoch, b->epoch);
	assert_string_equal(a->instance, b->instance);
	assert_int_equal(a->at.ns, b->at.ns);
	assert_string_equal(a->reason, b->reason);
}

static void
changes_record(void **state)
{
	struct lease_changes c = { 0 }, back;
	struct str out = STR_INIT;
	struct err err = { 0 };
	static const char *const wrong[] = {
		"{}", "[7]", "[{\"epoch\":1}]", "[{\"epoch\":1,\"instance\":\"i\"}]", "[{\"epoch\":1,\"instance\":\"i\",\"at\":1}]",
	};

	(void)state;
	for (uint64_t i = 1; i <= LEASE_CHANGES + 2; i++)
		lease_changes_add(&c, &(struct lease_change){ i, "i-1", { (int64_t)i * NS_PER_S }, "expired" });
	assert_int_equal(c.n, LEASE_CHANGES);
	assert_int_equal(c.list[0].epoch, LEASE_CHANGES + 2);
	assert_int_equal(c.list[LEASE_CHANGES - 1].epoch, 3);
	/* One that comes late goes to its place, one that is older than all is not kept. */
	lease_changes_add(&c, &(struct lease_change){ 2, "late", { 0 }, "first" });
	assert_int_equal(c.list[LEASE_CHANGES - 1].epoch, 3);
	memmove(&c.list[4], &c.list[5], (LEASE_CHANGES - 5) * sizeof c.list[0]);
	c.n--;
	lease_changes_add(&c, &(struct lease_change){ 8, "late", { 8 * NS_PER_S }, "first" });
	assert_int_equal(c.n, LEASE_CHANGES);
	for (unsigned i = 0; i < c.n; i++)
		assert_int_equal(c.list[i].epoch, LEASE_CHANGES + 2 - i);
	assert_string_equal(c.list[4].instance, "late");
	c.list[1].at.ns = 0;
	lease_changes_encode(&c, &out);
	expect_ok(lease_changes_decode(out.p, out.len, &back, &err), &err);
	assert_int_equal(back.n, c.n);
	for (unsigned i = 0; i < c.n; i++)
		assert_same_change(&back.list[i], &c.list[i]);
	c.n = 1;
	str_clear(&out);
	lease_changes_encode(&c, &out);
	expect_str(&out, "[{\"epoch\":12,\"instance\":\"i-1\",\"at\":12000,\"reason\":\"expired\"}]");
	for (size_t i = 0; i < COUNT_OF(wrong); i++)
		if (lease_changes_decode(wrong[i], strlen(wrong[i]), &back, &err) == ERR_OK)
			fail_msg("taken: %s", wrong[i]);
	str_release(&out);
}

static void
answers(void **state)
{
	static const struct { const char *text; enum lease_answer answer; uint64_t number; } rows[] = {
		{ "{\"stream\":\"KV_AEGIS_L1\",\"seq\":7}", LEASE_ANSWER_ACK, 7 },
		{ "{\"stream\":\"KV_AEGIS_L1\",\"seq\":1795150629861,\"domain\":\"d\"}", LEASE_ANSWER_ACK, 1795150629861 },
		{ "{\"error\":{\"code\":400,\"err_code\":10071,\"description\":\"wrong last sequence: 8\"},\"stream\":\"S\",\"seq\":0}",
		    LEASE_ANSWER_NACK, 10071 },
		{ "{\"error\":{\"code\":400,\"err_code\":10164},\"seq\":9}", LEASE_ANSWER_NACK, 10164 },
		{ "{\"error\":{\"code\":503,\"err_code\":10077}}", LEASE_ANSWER_NACK, 10077 },
		{ "{\"error\":{\"code\":503}}", LEASE_ANSWER_LOST, 0 },
		{ "", LEASE_ANSWER_LOST, 0 }, { "-ERR", LEASE_ANSWER_LOST, 0 }, { "[]", LEASE_ANSWER_LOST, 0 },
		{ "{\"seq\":0}", LEASE_ANSWER_LOST, 0 }, { "{\"seq\":-1}", LEASE_ANSWER_LOST, 0 },
		{ "{\"error\":7,\"seq\":\"x\"}", LEASE_ANSWER_LOST, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		uint64_t number = 0;
		if (lease_answer(rows[i].text, strlen(rows[i].text), &number) != rows[i].answer || number != rows[i].number)
			fail_msg("%s", rows[i].text);
	}
	static const char missing[] = "{\"error\":{\"code\":404,\"err_code\":10037,\"description\":\"no message found\"}}";
	static const char absent[] = "{\"error\":{\"code\":404,\"err_code\":10059,\"description\":\"stream not found\"}}";
	assert_true(lease_read_missing(missing, sizeof missing - 1));
	assert_false(lease_read_missing(absent, sizeof absent - 1));
	assert_false(lease_read_missing("{\"message\":{}}", 14));
	assert_false(lease_read_missing("", 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(value_bytes),
		cmocka_unit_test(release_names_a_successor),
		cmocka_unit_test(never_too_long),
		cmocka_unit_test(tolerated),
		cmocka_unit_test(unknown_values),
		cmocka_unit_test(names_too_long),
		cmocka_unit_test(set_record),
		cmocka_unit_test(group_record),
		cmocka_unit_test(changes_record),
		cmocka_unit_test(answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
