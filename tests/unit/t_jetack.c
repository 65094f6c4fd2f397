/* t_jetack - what is an acknowledgement, what is somebody else's reply, and what a delivery's
 * reply subject tells. */
#include "expect.h"

#include "base/magic.h"
#include "nats/jetack.h"

static enum pub_reply
parse(const char *s, struct pub_ack *ack, struct err *err)
{
	return pub_reply_parse(s, strlen(s), ack, err);
}

static void
acknowledged(void **state)
{
	struct pub_ack ack;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(parse("{\"stream\":\"EVENTS\",\"seq\":7}", &ack, &err), PUB_STORED);
	assert_string_equal(ack.stream, "EVENTS");
	assert_int_equal(ack.seq, 7);
	assert_false(ack.duplicate);
	assert_int_equal(parse("{\"stream\":\"EVENTS\",\"domain\":\"hub\",\"seq\":8,\"duplicate\":true}", &ack, &err), PUB_STORED);
	assert_int_equal(ack.seq, 8);
	assert_true(ack.duplicate);
}

static void
foreign(void **state)
{
	static const char *const replies[] = {
		"", "+ACK", "+TERM", "-NAK", "null", "7", "[]", "{}", "{", "{\"stream\":\"EVENTS\"}", "\x80",
		"{\"stream\":\"EVENTS\",\"seq\":0}", "{\"stream\":1,\"seq\":1}", "{\"success\":true,\"error\":\"boom\"}",
		"{\"error\":{\"text\":\"no code\"}}", "{\"stream\":\"E\",\"seq\":-1}",
	};
	struct pub_ack ack;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(replies); i++)
		if (parse(replies[i], &ack, &err) != PUB_FOREIGN)
			fail_msg("taken for an acknowledgement: %s", replies[i]);
}

static void
refusals(void **state)
{
	struct pub_ack ack;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(parse("{\"error\":{\"code\":400,\"err_code\":10060,\"description\":\"expected stream does not match\"},"
	    "\"stream\":\"EVENTS\",\"seq\":0}", &ack, &err), PUB_REFUSED);
	assert_int_equal(err.code, ERR_STORE);
	assert_non_null(strstr(err.text, "expected stream does not match"));
	assert_non_null(strstr(err.text, "10060"));
	assert_int_equal(parse("{\"error\":{\"code\":503,\"err_code\":10008,\"description\":\"temporarily unavailable\"}}",
	    &ack, &err), PUB_LATER);
}

static void
reply_subjects(void **state)
{
	struct ack_facts f = { 0 };

	(void)state;
	assert_true(ack_facts_parse("$JS.ACK.EVENTS.svc__events=order=created.2.41.17.1795150801941435600.5", &f));
	assert_int_equal(f.delivered, 2);
	assert_int_equal(f.stream_seq, 41);
	assert_int_equal(f.consumer_seq, 17);
	assert_int_equal(f.pending, 5);
	assert_true(f.stored_ns == INT64_C(1795150801941435600));
	assert_true(ack_facts_parse("$JS.ACK.hub.acchash.EVENTS.svc.1.42.18.1795150801941435600.0", &f));
	assert_int_equal(f.stream_seq, 42);
	assert_true(ack_facts_parse("$JS.ACK.hub.acchash.EVENTS.svc.3.43.18.1795150801941435600.0.random", &f));
	assert_int_equal(f.delivered, 3);
}

static void
never_acked(void **state)
{
	static const char *const subjects[] = {
		"", "_INBOX.abc.1", "$JS.ACK.", "$JS.ACK.EVENTS.svc.1.2.3.4", "$JS.ACK.E.c.x.2.3.4.5", "$JS.ACK.E.c.1..3.4.5",
		"$JS.API.CONSUMER.INFO.E.c.1.2.3", "$JS.ACKS.E.c.1.2.3.4.5", "$JS.ACK.E.c.1.2.3.4.5.6",
		"$JS.ACK.a.b.c.d.e.f.g.h.i.j.k.l.m.n", "$JS.ACK.E.c.99999999999999999999.2.3.4.5",
	};
	struct ack_facts f;

	(void)state;
	assert_false(ack_facts_parse(NULL, &f));
	for (size_t i = 0; i < COUNT_OF(subjects); i++)
		if (ack_facts_parse(subjects[i], &f))
			fail_msg("would be acked: %s", subjects[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(acknowledged), cmocka_unit_test(foreign), cmocka_unit_test(refusals),
		cmocka_unit_test(reply_subjects), cmocka_unit_test(never_acked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
