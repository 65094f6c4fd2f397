/* t_proxies - whose word about a client counts. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/magic.h"
#include "http/proxies.h"

static struct proxies
of(const char *const *networks)
{
	struct proxies p = { 0 };
	struct err err;

	for (; *networks != NULL; networks++)
		if (proxies_add(&p, *networks, &err) != ERR_OK)
			fail_msg("%s", err.text);
	return p;
}

#define OF(...) of((const char *const[]){ __VA_ARGS__, NULL })

static void
networks(void **state)
{
	static const char *const bad[] = { "", "/", "10.0.0.0/33", "10.0.0.1/8", "::1/129", "10.0.0.0/", "10.0.0.0/-1", "proxy", "10.0.0.0/8/8",
	    "10.0.0.0/8 ", "fd00::1/8", "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000" };
	struct proxies p = OF("10.0.0.0/8", "192.0.2.7", "fd00::/8", "::1", "198.51.100.128/25"), full = { 0 };
	struct err err;

	(void)state;
	assert_true(proxies_trust(&p, "10.255.0.1") && proxies_trust(&p, "::ffff:10.1.2.3") && proxies_trust(&p, "192.0.2.7"));
	assert_true(proxies_trust(&p, "fdff::1") && proxies_trust(&p, "::1") && proxies_trust(&p, "198.51.100.128"));
	assert_false(proxies_trust(&p, "11.0.0.1") || proxies_trust(&p, "192.0.2.8") || proxies_trust(&p, "fe80::1"));
	assert_false(proxies_trust(&p, "198.51.100.127") || proxies_trust(&p, "") || proxies_trust(&p, "*") || proxies_trust(&p, "::"));
	assert_false(proxies_trust(&(struct proxies){ 0 }, "127.0.0.1"));
	p = OF("0.0.0.0/0");
	assert_true(proxies_trust(&p, "8.8.8.8") && !proxies_trust(&p, "2001:db8::1"));
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(proxies_add(&full, bad[i], &err), ERR_CONFIG);
	assert_int_equal(full.n, 0);
	for (int i = 0; i < PROXIES_MAX; i++)
		assert_int_equal(proxies_add(&full, "10.0.0.0/8", &err), ERR_OK);
	assert_int_equal(proxies_add(&full, "10.0.0.0/8", &err), ERR_CONFIG);
}

static void
clients(void **state)
{
	static const struct { const char *list, *client; } rows[] = {
		{ "", "10.0.0.1" },
		{ "203.0.113.9", "203.0.113.9" },
		{ "6.6.6.6, 203.0.113.9", "203.0.113.9" },			/* what stands before was said by him */
		{ "6.6.6.6,203.0.113.9 ,10.2.2.2,\t10.3.3.3", "203.0.113.9" },
		{ "10.2.2.2, 10.3.3.3", "10.2.2.2" },
		{ "203.0.113.9:4711", "203.0.113.9" },
		{ "[2001:db8::1]:443", "2001:db8::1" }, { "2001:DB8:0::1", "2001:db8::1" }, { "::ffff:203.0.113.9", "203.0.113.9" },
		{ "6.6.6.6, unknown", "10.0.0.1" }, { "6.6.6.6, unknown, 10.2.2.2", "10.2.2.2" },
		{ "6.6.6.6,", "10.0.0.1" }, { ",", "10.0.0.1" }, { "[::1", "10.0.0.1" }, { "[::1]x", "10.0.0.1" },
		{ "127.0.0.1\"", "10.0.0.1" },
		{ "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001", "10.0.0.1" },
	};
	struct proxies p = OF("10.0.0.0/8");
	char out[PROXIES_ADDRESS_MAX], word[8];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		proxies_client(&p, "10.0.0.1", rows[i].list, out);
		assert_string_equal(out, rows[i].client);
	}
	assert_true(proxies_last("http, https ", word, sizeof word));
	assert_string_equal(word, "https");
	assert_false(proxies_last("https, ", word, sizeof word) || proxies_last("", word, sizeof word) || proxies_last("eightbit", word, sizeof word));
	assert_string_equal(word, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks),
		cmocka_unit_test(clients),
	};

	return cmocka_run_group_tests_name("t_proxies", tests, NULL, NULL);
}
