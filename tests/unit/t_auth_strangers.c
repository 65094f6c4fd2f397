/* t_auth_strangers - bad days: no NATS, who guesses, who asks without end, records and wishes that are none. */
#include "expect.h"

#include "auth/auth.h"
#include "base/magic.h"
#include "bus.h"
#include "nats/conn.h"
#include "nats/kv.h"
#include "nats/stream.h"
#include "replicas.h"

/* --- bad days ------------------------------------------------------------------------------- */

static void
without_nats_known_ones_go_on(void **state)
{
	struct world w;
	char secret[AUTH_TEXT_MAX], cookie[AUTH_TEXT_MAX], unknown[AUTH_TEXT_MAX];
	struct auth_who who;

	(void)state;
	open_world(&w);
	make(&w, 0, "ann", 0, secret);
	expect_ok(auth_login(w.auth[0], text_of(secret), PEER, cookie, &who, &w.err), &w.err);
	memcpy(unknown, secret, sizeof unknown);
	unknown[30] = unknown[30] == '1' ? '2' : '1';
	bus_stop(&w.bus);
	WAIT_FOR(conn_state(w.conn[0]) != CONN_UP);
	assert_int_equal(shows(&w, 0, secret), ERR_OK);
	assert_int_equal(browses(&w, 0, cookie), ERR_OK);
	assert_int_equal(shows(&w, 0, unknown), ERR_UNAVAILABLE);	/* nobody can say that it is wrong */
	WAIT_FOR(auth_state(w.auth[0]).stale);
	assert_int_equal(shows(&w, 0, secret), ERR_OK);
	assert_true(bus_start(&w.bus));
	WAIT_FOR(!auth_state(w.auth[0]).stale);
	assert_int_equal(shows(&w, 0, secret), ERR_OK);
	expect_refusal(shows(&w, 0, unknown), &w.err, ERR_UNAUTHENTICATED, "not valid");
	close_world(&w);
}

static void
guesses_are_throttled_by_address(void **state)
{
	struct world w;
	char secret[AUTH_TEXT_MAX], wrong[AUTH_TEXT_MAX], cookie[AUTH_TEXT_MAX];
	struct auth_who who;
	int refused = 0;

	(void)state;
	open_world(&w);
	make(&w, 0, "ann", 0, secret);
	memcpy(wrong, secret, sizeof wrong);
	struct mono then = clock_mono(clock_system());
	while (refused < 100) {
		snprintf(wrong + 5, sizeof wrong - 5, "%063x", refused);
		enum err_code code = auth_login(w.auth[0], text_of(wrong), PEER, cookie, &who, &w.err);
		if (code == ERR_THROTTLED)
			break;
		assert_int_equal(code, ERR_UNAUTHENTICATED);
		refused++;
	}
	assert_in_range(refused, 10, 10 + ms_since(then) / 6000);	/* one more for each 6 s */
	assert_in_range(auth_wait_s(w.auth[0], PEER), 1, 6);
	assert_int_equal(shows(&w, 0, wrong), ERR_THROTTLED);
	assert_int_equal(auth_login(w.auth[0], text_of("aegc_nonsense"), PEER, cookie, &who, &w.err), ERR_THROTTLED);
	/* Who has a known token at that address is not punished, nor is another address. */
	assert_int_equal(shows(&w, 0, secret), ERR_OK);
	assert_int_equal(auth_token(w.auth[0], text_of(wrong), "192.0.2.2", &who, &w.err), ERR_UNAUTHENTICATED);
	assert_true(auth_state(w.auth[0]).throttled >= 2);
	close_world(&w);
}

static bool
goes_on(struct world *w, int i, const char *secret)
{
	struct auth_who who;

	return auth_still(w->auth[i], text_of(secret), &who);
}

static void
guessing_keeps_nothing_alive(void **state)
{
	struct world w;
	char secret[AUTH_TEXT_MAX], wrong[AUTH_TEXT_MAX], cookie[AUTH_TEXT_MAX], peer[32];
	struct auth_who who;

	(void)state;
	open_world(&w);
	struct auth_token t = make(&w, 0, "ann", 0, secret);
	expect_ok(auth_login(w.auth[0], text_of(secret), PEER, cookie, &who, &w.err), &w.err);
	WAIT_FOR(shows(&w, 1, secret) == ERR_OK);
	assert_true(goes_on(&w, 1, secret) && goes_on(&w, 1, cookie) && goes_on(&w, 0, cookie));
	/* The address is throttled and the questions are used up: an end is an end. */
	for (int i = 0; i < 300; i++) {
		snprintf(wrong, sizeof wrong, "aeg_%064x", i);
		snprintf(peer, sizeof peer, "10.2.%d.%d", i >> 8, i & 255);
		auth_token(w.auth[1], text_of(wrong), i < 20 ? PEER : peer, &who, &w.err);
	}
	expect_ok(auth_revoke(w.auth[0], t.id, 0, NULL, &w.err), &w.err);
	assert_false(goes_on(&w, 0, secret));
	assert_false(goes_on(&w, 0, cookie));
	WAIT_FOR(!goes_on(&w, 1, secret) && !goes_on(&w, 1, cookie));
	/* What is known nowhere ends as well, unless nobody can say so. */
	assert_false(goes_on(&w, 1, wrong));
	bus_stop(&w.bus);
	WAIT_FOR(conn_state(w.conn[1]) != CONN_UP);
	assert_true(goes_on(&w, 1, wrong));
	assert_true(bus_start(&w.bus));
	WAIT_FOR(!goes_on(&w, 1, wrong));
	close_world(&w);
}

static void
strangers_cannot_make_it_ask_without_end(void **state)
{
	struct world w;
	char wrong[AUTH_TEXT_MAX], peer[32];
	struct auth_who who;
	int busy = 0;

	(void)state;
	open_world(&w);
	struct mono then = clock_mono(clock_system());
	for (int i = 0; i < 1000; i++) {
		snprintf(wrong, sizeof wrong, "aeg_%064x", i);
		snprintf(peer, sizeof peer, "10.1.%d.%d", i >> 8, i & 255);
		enum err_code code = auth_token(w.auth[0], text_of(wrong), peer, &who, &w.err);
		assert_true(code == ERR_UNAUTHENTICATED || code == ERR_BUSY);
		busy += code == ERR_BUSY;
	}
	int64_t allowed = 101 + ms_since(then) / 20;
	if (allowed < 1000)
		assert_true(busy > 0);
	assert_true((int64_t)auth_state(w.auth[0]).asked <= allowed);
	close_world(&w);
}

static void
an_unreadable_record_lets_nobody_in(void **state)
{
	struct world w;
	char secret[AUTH_TEXT_MAX];
	struct auth_tokens list;

	(void)state;
	open_world(&w);
	struct auth_token t = make(&w, 0, "ann", 0, secret);
	assert_int_equal(shows(&w, 1, secret), ERR_OK);
	put_record(&w, AUTH_KIND_TOKEN, t.id, "{\"name\":\"ann\",\"role\":\"emperor\",\"sha256\":\"00\"}");
	WAIT_FOR(shows(&w, 1, secret) != ERR_OK);
	WAIT_FOR(shows(&w, 0, secret) != ERR_OK);
	expect_ok(auth_store_tokens(auth_store_of(w.auth[0]), &list, &w.err), &w.err);
	assert_int_equal(list.n, 0);
	assert_int_equal(list.unreadable, 1);
	auth_tokens_release(&list);
	expect_ok(auth_revoke(w.auth[0], t.id, 0, NULL, &w.err), &w.err);	/* and can be revoked */
	close_world(&w);
}

static void
what_belongs_to_nobody_is_swept(void **state)
{
	struct world w;
	char secret[AUTH_TEXT_MAX], gone[AUTH_TEXT_MAX], cookie[AUTH_TEXT_MAX], lost[AUTH_TEXT_MAX];
	struct auth_who who;
	struct str all = STR_INIT;

	(void)state;
	open_world(&w);
	make(&w, 0, "stays", 0, secret);
	struct auth_token t = make(&w, 0, "goes", 0, gone);
	expect_ok(auth_login(w.auth[0], text_of(secret), PEER, cookie, &who, &w.err), &w.err);
	expect_ok(auth_login(w.auth[0], text_of(gone), PEER, lost, &who, &w.err), &w.err);
	put_record(&w, AUTH_KIND_USED, "00000000000000000000000000", "{\"at\":\"2026-01-01T00:00:00Z\"}");
	expect_ok(auth_revoke(w.auth[0], t.id, 0, NULL, &w.err), &w.err);
	expect_ok(auth_store_sweep(auth_store_of(w.auth[0]), &w.err), &w.err);
	struct kv kv = { w.conn[0], AUTH_BUCKET };
	expect_ok(kv_list(&kv, "session.>", false, remember, &all, &w.err), &w.err);
	size_t sessions = 0;
	for (const char *p = str_text(&all); (p = strstr(p, "\"token\"")) != NULL; p++)
		sessions++;
	assert_int_equal(sessions, 1);
	str_clear(&all);
	expect_ok(kv_list(&kv, "used.>", false, remember, &all, &w.err), &w.err);
	assert_null(strstr(str_text(&all), "2026-01-01"));
	assert_int_equal(browses(&w, 1, cookie), ERR_OK);
	str_release(&all);
	close_world(&w);
}

static void
wishes_that_cannot_be_granted(void **state)
{
	char control[] = "a\tb", name[AUTH_NAME_MAX + 1];
	static const struct { const char *member; enum auth_role role; int64_t ttl_ns; const char *service; } rows[] = {
		{ "role", AUTH_NONE, 0, NULL }, { "role", AUTH_ROLES, 0, NULL }, { "ttl_seconds", AUTH_VIEWER, -1, NULL },
		{ "ttl_seconds", AUTH_VIEWER, 1, NULL }, { "ttl_seconds", AUTH_VIEWER, INT64_MAX, NULL },
		{ "service", AUTH_VIEWER, 0, "a b" }, { NULL, AUTH_METRICS, 0, "" }, { NULL, AUTH_ADMIN, NS_PER_S, "orders" },
	};
	struct err err;
	const char *member;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct auth_wish w = { .name = "x", .role = rows[i].role, .ttl_ns = rows[i].ttl_ns, .service = rows[i].service };
		member = NULL;
		enum err_code code = auth_wish_check(&w, &member, &err);
		assert_int_equal(code, rows[i].member == NULL ? ERR_OK : ERR_INVALID);
		if (rows[i].member != NULL)
			assert_string_equal(member, rows[i].member);
	}
	memset(name, 'n', sizeof name);
	name[sizeof name - 1] = '\0';
	const char *const names[] = { NULL, "", control, name, "\xff" };
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct auth_wish w = { .name = names[i], .role = AUTH_VIEWER };
		expect_refusal(auth_wish_check(&w, &member, &err), &err, ERR_INVALID, "name of a token");
		assert_string_equal(member, "name");
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_nats_known_ones_go_on),
		cmocka_unit_test(guesses_are_throttled_by_address),
		cmocka_unit_test(guessing_keeps_nothing_alive),
		cmocka_unit_test(strangers_cannot_make_it_ask_without_end),
		cmocka_unit_test(an_unreadable_record_lets_nobody_in),
		cmocka_unit_test(what_belongs_to_nobody_is_swept),
		cmocka_unit_test(wishes_that_cannot_be_granted),
	};

	BUS_SHIM(argc, argv);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	conn_library_close();
	return failed;
}
