/* t_conn - the list of servers: what is shown of it, how long it may be, when it means TLS; headers; the end of
 * subscriptions. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "bus.h"
#include "nats/conn.h"


/* refused: what conn_new says of servers that it cannot use. */
static struct err
refused(const char *servers, enum err_code code)
{
	struct err err = { ERR_OK, "" };
	struct conn *c = conn_new(&(struct conn_opts){ .servers = servers, .timeout_ns = 2 * NS_PER_S }, &err);

	if (c != NULL)
		fail_msg("'%s' was accepted", servers);
	if (err.code != code)
		fail_msg("'%s': %s, not %s: %s", servers, err_name(err.code), err_name(code), err.text);
	return err;
}

static void
no_error_shows_a_secret(void **state)
{
	static const struct { const char *servers, *shown; } rows[] = {
		{ "nats://me:hidden@127.0.0.1:1", "nats://127.0.0.1:1" },
		{ "nats://me:hid@den@127.0.0.1:1", "nats://127.0.0.1:1" },
		{ "nats://hidden@127.0.0.1:1", "nats://127.0.0.1:1" },
		{ "me:hidden@127.0.0.1:1", "127.0.0.1:1" },
		{ "nats://me:hid://den@127.0.0.1:1", "nats://127.0.0.1:1" },
		{ "nats://127.0.0.1:1,nats://me:hidden@127.0.0.1:2", "nats://127.0.0.1:1,nats://127.0.0.1:2" },
		{ "nats://me:hidden@127.0.0.1:port", "nats://127.0.0.1:port" },
		{ "me:hidden@127.0.0.1:port", "127.0.0.1:port" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		/* What the library makes of a strange one is its affair; what is shown is ours. */
		struct err err = { ERR_OK, "" };
		assert_null(conn_new(&(struct conn_opts){ .servers = rows[i].servers, .timeout_ns = NS_PER_S }, &err));
		if (strstr(err.text, "hid") != NULL || strstr(err.text, "den") != NULL || strstr(err.text, "me:") != NULL)
			fail_msg("'%s' is told as: %s", rows[i].servers, err.text);
		if (strstr(err.text, rows[i].shown) == NULL)
			fail_msg("'%s' is not shown: %s", rows[i].shown, err.text);
	}
}

static void
a_list_has_a_bound(void **state)
{
	struct str list = STR_INIT;

	(void)state;
	str_puts(&list, "nats://me:hidden@127.0.0.1:1");
	for (int i = 2; i <= 65; i++)
		str_printf(&list, ", 127.0.0.1:%d", i);
	struct err err = refused(str_text(&list), ERR_CONFIG);
	assert_non_null(strstr(err.text, "65 servers"));
	assert_non_null(strstr(err.text, "64"));
	assert_null(strstr(err.text, "hidden"));
	*strrchr(list.p, ',') = '\0';
	refused(str_text(&list), ERR_UNAVAILABLE);
	str_release(&list);
	refused(" , ", ERR_CONFIG);
}

/* One URL that demands TLS makes all of them demand it, wherever it stands. */
static void
tls_is_demanded_wherever_it_is_asked_for(void **state)
{
	static const char *const forms[] = { "%s,tls://127.0.0.1:1", "%s, tls://127.0.0.1:1", " tls://127.0.0.1:1,%s" };
	struct conn_opts plain = { .servers = bus_url(&bus), .timeout_ns = 30 * NS_PER_S };
	struct conn *c = conn_new(&plain, NULL);

	(void)state;
	assert_non_null(c);
	conn_free(c);
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		struct str servers = STR_INIT;
		const char *at = strstr(forms[i], "%s");
		str_printf(&servers, "%.*s%s%s", (int)(at - forms[i]), forms[i], bus_url(&bus), at + 2);
		plain.servers = str_text(&servers);
		plain.timeout_ns = 300 * NS_PER_MS;
		if ((c = conn_new(&plain, NULL)) != NULL)
			fail_msg("'%s': connected without TLS", str_text(&servers));
		str_release(&servers);
	}
}

#define RETIRING 200

/* What one subscription heard; gone may come while a handler of another runs. */
struct ear {
	atomic_int heard, gone, late;
};

static void
hear(void *arg, struct msg *m)
{
	struct ear *e = arg;

	atomic_fetch_add(e->gone > 0 ? &e->late : &e->heard, 1);
	msg_free(m);
}

static void
retired(void *arg)
{
	atomic_fetch_add(&((struct ear *)arg)->gone, 1);
}

/* Half have heard everything when they are retired, the others not. */
static void
a_retired_subscription_says_once_that_it_is_gone(void **state)
{
	static struct ear ears[RETIRING];
	struct conn *c = conn_new(&(struct conn_opts){ .servers = bus_url(&bus), .timeout_ns = 30 * NS_PER_S }, NULL);
	char subject[32];

	(void)state;
	assert_non_null(c);
	for (int i = 0; i < RETIRING; i++) {
		snprintf(subject, sizeof subject, "retire.%d", i);
		struct sub *s = sub_new(&(struct sub_opts){ .conn = c, .subject = subject, .handler = hear,
		    .arg = &ears[i] }, NULL);
		assert_non_null(s);
		for (int n = 0; n < 10; n++)
			assert_int_equal(conn_publish(c, &(struct conn_msg){ .subject = subject, .data = "x", .n = 1 }, NULL),
			    ERR_OK);
		if (i % 2 == 0)
			WAIT_FOR(atomic_load(&ears[i].heard) == 10);
		sub_retire(s, retired, &ears[i]);
	}
	for (int i = 0; i < RETIRING; i++)
		WAIT_FOR(atomic_load(&ears[i].gone) == 1);
	assert_int_equal(conn_flush(c, WAIT_NS, NULL), ERR_OK);
	conn_free(c);
	for (int i = 0; i < RETIRING; i++) {
		assert_int_equal(ears[i].gone, 1);
		assert_int_equal(ears[i].late, 0);
		assert_true(i % 2 != 0 || ears[i].heard == 10);
	}
}

/* --- headers ------------------------------------------------------------------------------ */

static _Atomic(struct msg *) came;

static void
take(void *arg, struct msg *m)
{
	(void)arg;
	msg_free(atomic_exchange(&came, m));
}

static struct msg *
there_and_back(struct conn *c, const struct conn_header *headers, const void *data, size_t n)
{
	struct msg *m;
	struct err err;

	if (conn_publish(c, &(struct conn_msg){ .subject = "headed", .reply = "back", .headers = headers, .data = data, .n = n },
	    &err) != ERR_OK)
		fail_msg("%s", err.text);
	WAIT_FOR(atomic_load(&came) != NULL);
	m = atomic_exchange(&came, NULL);
	assert_string_equal(msg_subject(m), "headed");
	assert_string_equal(msg_reply(m), "back");
	assert_int_equal(msg_size(m), n);
	if (n > 0)
		assert_memory_equal(msg_data(m), data, n);
	return m;
}

static void
expect_text(const struct msg *m, const char *name, const char *value)
{
	struct text t = msg_header_text(m, name);

	if (value == NULL && t.p != NULL)
		fail_msg("%s is there: '%.*s'", name, (int)t.n, t.p);
	if (value == NULL)
		return;
	if (t.p == NULL || t.n != strlen(value) || memcmp(t.p, value, t.n) != 0)
		fail_msg("%s is '%.*s', not '%s'", name, (int)t.n, t.p != NULL ? t.p : "", value);
}

/* Written at once or by the library, found at once or by the library: always the same. */
static void
headers_arrive_as_they_were_sent(void **state)
{
	static char big[8000];
	const struct conn_header headers[] = { { "A-Bc", "1" }, { "A-B", "two words" }, { "Broken", "x\r\nEvil: 1" },
		{ "a-b", "lower" }, { NULL, NULL } };
	const struct { const void *data; size_t n; } rows[] = { { "", 0 }, { "NATS/1.0\r\nA-B: no\r\n\r\n", 22 }, { big, 100 },
		{ big, 2048 }, { big, 2049 }, { big, sizeof big } };
	struct conn *c = conn_new(&(struct conn_opts){ .servers = bus_url(&bus), .timeout_ns = 30 * NS_PER_S }, NULL);

	(void)state;
	assert_non_null(c);
	struct sub *s = sub_new(&(struct sub_opts){ .conn = c, .subject = "headed", .handler = take }, NULL);
	assert_non_null(s);
	memset(big, 'x', sizeof big);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (int taken_apart = 0; taken_apart < 2; taken_apart++) {
			struct msg *m = there_and_back(c, headers, rows[i].data, rows[i].n);
			assert_false(msg_is_no_responders(m));
			if (taken_apart)
				assert_string_equal(msg_header(m, "A-B"), "two words");
			expect_text(m, "A-B", "two words");
			expect_text(m, "A-Bc", "1");
			expect_text(m, "a-b", "lower");
			expect_text(m, "Evil", NULL);
			expect_text(m, "A-Bcd", NULL);
			assert_null(msg_header(m, "A-Bcd"));
			/* Taken apart, the library takes A for A-B. */
			if (!taken_apart && rows[i].n > 0)
				expect_text(m, "A", NULL);
			/* The library drops what ends a line; nothing may make a header of it. */
			assert_non_null(strstr(msg_header(m, "Broken"), "Evil: 1"));
			assert_true(msg_has_headers(m));
			assert_memory_equal(msg_data(m), rows[i].data, rows[i].n);
			msg_free(m);
		}
		struct msg *m = there_and_back(c, NULL, rows[i].data, rows[i].n);
		expect_text(m, "A-B", NULL);
		assert_null(msg_header(m, "A-B"));
		assert_false(msg_has_headers(m));
		msg_free(m);
	}
	sub_free(s);
	conn_free(c);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_error_shows_a_secret),
		cmocka_unit_test(a_list_has_a_bound),
		cmocka_unit_test(tls_is_demanded_wherever_it_is_asked_for),
		cmocka_unit_test(a_retired_subscription_says_once_that_it_is_gone),
		cmocka_unit_test(headers_arrive_as_they_were_sent),
	};

	BUS_SHIM(argc, argv);
	return cmocka_run_group_tests(tests, bus_set_up, bus_tear_down);
}
