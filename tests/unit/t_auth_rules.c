/* t_auth_rules - roles, reach, lifetimes, credentials, origins, the throttle and the table of verdicts,
 * row by row; the clock is a number. */
#include "expect.h"

#include <stdio.h>

#include "auth/rules.h"
#include "auth/table.h"
#include "auth/throttle.h"
#include "base/magic.h"
#include "base/mem.h"

/* --- roles and reach ------------------------------------------------------------------------ */

static void
every_role_against_every_need(void **state)
{
	(void)state;
	for (enum auth_role has = AUTH_NONE; has < AUTH_ROLES; has++) {
		for (enum auth_role need = AUTH_NONE; need < AUTH_ROLES; need++) {
			struct auth_who who = { .role = has, .name = "t" };
			struct err err = { ERR_OK, "" };
			enum err_code want = need == AUTH_NONE ? ERR_OK : has == AUTH_NONE ? ERR_UNAUTHENTICATED
			    : has >= need ? ERR_OK : ERR_DENIED;
			assert_int_equal(auth_may(&who, need, AUTH_GLOBAL, NULL, &err), want);
			assert_int_equal(auth_may(&who, need, AUTH_SERVICE, "any", &err), want);
			assert_int_equal(auth_may(&who, need, AUTH_LIST, NULL, &err), want);
		}
	}
	struct err err;
	assert_int_equal(auth_may(NULL, AUTH_NONE, AUTH_GLOBAL, NULL, &err), ERR_OK);
	expect_refusal(auth_may(NULL, AUTH_METRICS, AUTH_LIST, NULL, &err), &err, ERR_UNAUTHENTICATED, "Bearer");
	struct auth_who viewer = { .role = AUTH_VIEWER, .name = "grafana" };
	expect_refusal(auth_may(&viewer, AUTH_ADMIN, AUTH_LIST, NULL, &err), &err, ERR_DENIED, "role admin; the token 'grafana'");
}

static void
a_bound_token_reaches_its_service_alone(void **state)
{
	static const struct { enum auth_reach reach; const char *service; bool may; } rows[] = {
		{ AUTH_GLOBAL, NULL, false }, { AUTH_GLOBAL, "orders", false },
		{ AUTH_SERVICE, "orders", true }, { AUTH_SERVICE, "order", false }, { AUTH_SERVICE, "orders2", false },
		{ AUTH_SERVICE, "", false }, { AUTH_SERVICE, NULL, false }, { AUTH_SERVICE, "ORDERS", false },
		{ AUTH_LIST, NULL, true }, { AUTH_LIST, "other", true },
	};
	struct auth_who bound = { .role = AUTH_ADMIN, .service = "orders" }, all = { .role = AUTH_VIEWER };
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		bool may = auth_may(&bound, AUTH_VIEWER, rows[i].reach, rows[i].service, &err) == ERR_OK;
		if (may != rows[i].may)
			fail_msg("row %zu: %d", i, may);
	}
	expect_refusal(auth_may(&bound, AUTH_VIEWER, AUTH_GLOBAL, NULL, &err), &err, ERR_DENIED, "bound to the service 'orders'");
	assert_true(auth_sees(&bound, "orders"));
	assert_false(auth_sees(&bound, "order"));
	assert_true(auth_sees(&all, "order"));
}

static void
role_names(void **state)
{
	enum auth_role role = AUTH_ROLES;

	(void)state;
	for (enum auth_role r = AUTH_METRICS; r < AUTH_ROLES; r++) {
		assert_true(auth_role_parse(auth_role_name(r), &role));
		assert_int_equal(role, r);
	}
	assert_false(auth_role_parse("none", &role));
	assert_false(auth_role_parse("Admin", &role));
	assert_false(auth_role_parse("", &role));
	assert_int_equal(role, AUTH_ADMIN);
}

/* --- lifetimes ------------------------------------------------------------------------------ */

static void
lifetimes(void **state)
{
	struct wall t = { 1000 * NS_PER_S };

	(void)state;
	assert_false(auth_is_over((struct wall){ 0 }, t));
	assert_false(auth_is_over((struct wall){ t.ns + 1 }, t));
	assert_true(auth_is_over(t, t));
	assert_false(auth_is_idle(t, (struct wall){ t.ns + AUTH_IDLE_NS - 1 }));
	assert_true(auth_is_idle(t, (struct wall){ t.ns + AUTH_IDLE_NS }));
	assert_false(auth_is_idle(t, (struct wall){ 0 }));
	assert_false(auth_touch_due(t, (struct wall){ t.ns + AUTH_TOUCH_NS - 1 }));
	assert_true(auth_touch_due(t, (struct wall){ t.ns + AUTH_TOUCH_NS }));
	assert_true(auth_touch_due(t, (struct wall){ t.ns - AUTH_TOUCH_NS }));
	assert_true(auth_session_end(t, (struct wall){ 0 }).ns == t.ns + AUTH_SESSION_NS);
	assert_true(auth_session_end(t, (struct wall){ t.ns + 5 }).ns == t.ns + 5);
	assert_true(auth_session_end(t, (struct wall){ t.ns + 2 * AUTH_SESSION_NS }).ns == t.ns + AUTH_SESSION_NS);
}

/* --- credentials ---------------------------------------------------------------------------- */

#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void
what_a_credential_looks_like(void **state)
{
	static const struct { enum auth_form form; const char *text; bool ok; } rows[] = {
		{ AUTH_FORM_TOKEN, "aeg_" DIGITS, true }, { AUTH_FORM_TOKEN, DIGITS, false }, { AUTH_FORM_TOKEN, "", false },
		{ AUTH_FORM_TOKEN, "aeg_" DIGITS "0", false }, { AUTH_FORM_TOKEN, "AEG_" DIGITS, false },
		{ AUTH_FORM_TOKEN, "aegc_" DIGITS, false }, { AUTH_FORM_CODE, "aegc_" DIGITS, true },
		{ AUTH_FORM_CODE, "aeg_" DIGITS, false }, { AUTH_FORM_COOKIE, DIGITS, true },
		{ AUTH_FORM_COOKIE, "aeg_" DIGITS, false },
		{ AUTH_FORM_COOKIE, "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", false },
		{ AUTH_FORM_COOKIE, "g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (auth_form_ok(rows[i].form, text_of(rows[i].text)) != rows[i].ok)
			fail_msg("row %zu: '%s'", i, rows[i].text);
	assert_false(auth_form_ok(AUTH_FORM_TOKEN, (struct text){ NULL, 0 }));
}

static void
authorization_headers(void **state)
{
	static const struct { const char *header, *token; } rows[] = {
		{ "Bearer abc", "abc" }, { "bearer abc", "abc" }, { "BEARER   abc  ", "abc" }, { "Bearer abc\t", "abc" },
		{ NULL, NULL }, { "", NULL }, { "Bearer", NULL }, { "Bearer ", NULL }, { "Bearer   ", NULL },
		{ "Basic abc", NULL }, { "Bearerabc", NULL }, { "Bearer\tabc", NULL }, { " Bearer abc", NULL },
	};
	struct text t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		bool any = auth_bearer(rows[i].header, &t);
		if (any != (rows[i].token != NULL))
			fail_msg("row %zu", i);
		if (any)
			expect_text(t, rows[i].token);
	}
}

static void
own_and_foreign_origins(void **state)
{
#define HOST "aegis.example:8100"
	static const struct { struct auth_origin o; bool strict, ok; } rows[] = {
		/* A cookie's write must say that it is ours. */
		{ { .origin = "http://" HOST, .host = HOST }, true, true },
		{ { .origin = "https://" HOST, .host = HOST }, true, true },
		{ { .origin = "https://AEGIS.example:8100", .host = HOST }, true, true },
		{ { .origin = "http://" HOST, .host = HOST, .fetch_site = "same-origin" }, true, true },
		{ { .fetch_site = "same-origin", .host = HOST }, true, true },
		{ { .host = HOST }, true, false },
		{ { .origin = "null", .host = HOST }, true, false },
		{ { .origin = "", .host = HOST }, true, false },
		{ { .origin = "http://", .host = "" }, true, false },
		{ { .origin = "http://" HOST }, true, false },
		{ { .origin = "http://evil.example", .host = HOST }, true, false },
		{ { .origin = "http://aegis.example:8101", .host = HOST }, true, false },
		{ { .origin = "http://aegis.example", .host = HOST }, true, false },
		{ { .origin = "http://" HOST ".evil.example", .host = HOST }, true, false },
		{ { .origin = "file://" HOST, .host = HOST }, true, false },
		{ { .origin = "http://" HOST, .host = HOST, .fetch_site = "cross-site" }, true, false },
		{ { .origin = "http://" HOST, .host = HOST, .fetch_site = "same-site" }, true, false },
		{ { .origin = "http://evil.example", .host = HOST, .fetch_site = "same-origin" }, true, false },
		{ { .fetch_site = "none", .host = HOST }, true, false },
		/* A login has no cookie yet: programs say nothing, browsers say the truth. */
		{ { .host = HOST }, false, true },
		{ { .origin = "http://evil.example", .host = HOST }, false, false },
		{ { .fetch_site = "cross-site", .host = HOST }, false, false },
		/* Bodies are JSON, which no form can send. */
		{ { .host = HOST, .has_body = true, .content_type = "application/json" }, false, true },
		{ { .host = HOST, .has_body = true, .content_type = "Application/JSON; charset=utf-8" }, false, true },
		{ { .host = HOST, .has_body = true, .content_type = "application/merge-patch+json" }, false, true },
		{ { .host = HOST, .has_body = true, .content_type = "text/plain" }, false, false },
		{ { .host = HOST, .has_body = true, .content_type = "text/json" }, false, false },
		{ { .host = HOST, .has_body = true, .content_type = "application/+json" }, false, false },
		{ { .host = HOST, .has_body = true, .content_type = "application/x-www-form-urlencoded" }, false, false },
		{ { .host = HOST, .has_body = true, .content_type = "application/jsonx" }, false, false },
		{ { .host = HOST, .has_body = true, .content_type = "" }, false, false },
		{ { .host = HOST, .has_body = true }, false, false },
		{ { .origin = "http://" HOST, .host = HOST, .has_body = true, .content_type = "text/plain" }, true, false },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		enum err_code code = auth_own_origin(&rows[i].o, rows[i].strict, &err);
		if (code != (rows[i].ok ? ERR_OK : ERR_DENIED))
			fail_msg("row %zu: %d", i, code);
	}
}

/* --- the throttle --------------------------------------------------------------------------- */

static struct mono
at(int64_t s)
{
	return (struct mono){ s * NS_PER_S };
}

static void
ten_guesses_then_one_in_six_seconds(void **state)
{
	struct throttle *t = mem_new(sizeof *t);
	uint64_t a = throttle_key("10.0.0.1"), b = throttle_key("10.0.0.2");

	(void)state;
	for (int i = 0; i < THROTTLE_BURST; i++) {
		assert_int_equal(throttle_wait(t, a, at(100)), 0);
		throttle_fail(t, a, at(100));
	}
	assert_int_equal(throttle_wait(t, a, at(100)), THROTTLE_EACH_NS);
	assert_int_equal(throttle_wait(t, b, at(100)), 0);
	assert_int_equal(throttle_wait(t, a, at(106)), 0);
	throttle_fail(t, a, at(106));
	assert_int_equal(throttle_wait(t, a, at(106)), THROTTLE_EACH_NS);
	/* Going on while refused costs nothing more. */
	for (int i = 0; i < 1000; i++)
		throttle_fail(t, a, at(106));
	assert_int_equal(throttle_wait(t, a, at(106)), THROTTLE_EACH_NS);
	assert_int_equal(throttle_wait(t, a, at(106 + 60)), 0);
	mem_free(t);
}

static void
the_table_keeps_who_failed_most(void **state)
{
	struct throttle *t = mem_new(sizeof *t);
	uint64_t guilty = throttle_key("10.9.9.9");
	char peer[32];

	(void)state;
	for (int i = 0; i < THROTTLE_BURST; i++)
		throttle_fail(t, guilty, at(100));
	for (int i = 0; i < 100 * THROTTLE_SETS; i++) {
		snprintf(peer, sizeof peer, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
		throttle_fail(t, throttle_key(peer), at(100));
	}
	assert_int_equal(throttle_wait(t, guilty, at(100)), THROTTLE_EACH_NS);
	mem_free(t);
}

static void
one_address_whatever_its_port(void **state)
{
	(void)state;
	assert_true(throttle_key("10.0.0.1") == throttle_key("10.0.0.1:5555"));
	assert_true(throttle_key("10.0.0.1") != throttle_key("10.0.0.2"));
	/* A customer has 2^64 addresses of version 6. */
	assert_true(throttle_key("2001:db8::1") == throttle_key("[2001:db8::2]:443"));
	assert_true(throttle_key("2001:db8::1") == throttle_key("2001:db8:0:0:ffff::9"));
	assert_true(throttle_key("2001:db8::1") != throttle_key("2001:db8:0:1::1"));
	assert_true(throttle_key("") != 0);
}

/* --- the table ------------------------------------------------------------------------------ */

static struct digest
digest_of(unsigned char first, unsigned char last)
{
	struct digest d = { { first } };

	d.b[DIGEST_BYTES - 1] = last;
	return d;
}

static struct auth_token
token_of(unsigned char n, struct wall expires)
{
	struct auth_token t = { .digest = digest_of(n, 0), .name = "t", .role = AUTH_VIEWER, .expires = expires };

	auth_id_of(&t.digest, t.id);
	return t;
}

static struct auth_session
session_of(unsigned char n, const struct auth_token *owner, struct wall touched, struct wall expires)
{
	struct auth_session s = { .digest = digest_of(n, 0), .touched = touched, .created = touched, .expires = expires };

	auth_id_of(&s.digest, s.id);
	memcpy(s.token, owner->id, sizeof s.token);
	return s;
}

static struct wall
wall_at(int64_t s)
{
	return (struct wall){ s * NS_PER_S };
}

static void
verdicts_on_tokens(void **state)
{
	struct auth_table *t = auth_table_new();
	struct auth_token x = token_of(1, wall_at(2000)), forever = token_of(2, wall_at(0));
	struct digest one = digest_of(1, 0), other = digest_of(1, 1), two = digest_of(2, 0), three = digest_of(3, 0);
	struct auth_who who;

	(void)state;
	assert_true(auth_table_token(t, &x) && auth_table_token(t, &forever));
	assert_int_equal(auth_judge_token(t, &one, wall_at(1000), &who), AUTH_KNOWN);
	assert_string_equal(who.id, x.id);
	assert_false(who.cookie);
	assert_int_equal(auth_judge_token(t, &one, wall_at(2000), &who), AUTH_OVER);
	assert_int_equal(auth_judge_token(t, &two, wall_at(2000000), &who), AUTH_KNOWN);
	assert_int_equal(auth_judge_token(t, &three, wall_at(1000), &who), AUTH_UNKNOWN);
	/* The same id, another secret: two hashes that begin alike. */
	assert_int_equal(auth_judge_token(t, &other, wall_at(1000), &who), AUTH_WRONG);
	assert_true(auth_table_remove(t, AUTH_KIND_TOKEN, x.id));
	assert_false(auth_table_remove(t, AUTH_KIND_TOKEN, x.id));
	assert_int_equal(auth_judge_token(t, &one, wall_at(1000), &who), AUTH_UNKNOWN);
	auth_table_free(t);
	auth_table_free(NULL);
}

static void
verdicts_on_sessions(void **state)
{
	struct auth_table *t = auth_table_new();
	struct auth_token owner = token_of(1, wall_at(50000));
	struct auth_session s = session_of(8, &owner, wall_at(1000), wall_at(40000));
	struct digest mine = digest_of(8, 0), near = digest_of(8, 1), none = digest_of(9, 0);
	struct auth_who who;

	(void)state;
	assert_true(auth_table_session(t, &s));
	assert_int_equal(auth_judge_session(t, &mine, wall_at(1001), &who), AUTH_UNKNOWN);	/* its token is not known */
	assert_true(auth_table_token(t, &owner));
	assert_int_equal(auth_judge_session(t, &mine, wall_at(1001), &who), AUTH_KNOWN);
	assert_true(who.cookie && who.role == AUTH_VIEWER && who.expires.ns == s.expires.ns);
	assert_string_equal(who.id, owner.id);
	assert_int_equal(auth_judge_session(t, &near, wall_at(1001), &who), AUTH_WRONG);
	assert_int_equal(auth_judge_session(t, &none, wall_at(1001), &who), AUTH_UNKNOWN);
	/* Idle counts from the last use, here or elsewhere. */
	assert_int_equal(auth_judge_session(t, &mine, wall_at(1001 + 1799), &who), AUTH_KNOWN);
	assert_int_equal(auth_judge_session(t, &mine, wall_at(1001 + 1799 + 1799), &who), AUTH_KNOWN);
	s.touched = wall_at(9000);
	assert_true(auth_table_session(t, &s));
	assert_int_equal(auth_judge_session(t, &mine, wall_at(10799), &who), AUTH_KNOWN);
	assert_int_equal(auth_judge_session(t, &mine, wall_at(12599), &who), AUTH_OVER);
	/* Its own end, whatever its use. */
	s.touched = wall_at(39999);
	assert_true(auth_table_session(t, &s));
	assert_int_equal(auth_judge_session(t, &mine, wall_at(39999), &who), AUTH_KNOWN);
	assert_int_equal(auth_judge_session(t, &mine, wall_at(40000), &who), AUTH_OVER);
	/* And that of its token. */
	owner.expires = wall_at(39000);
	assert_true(auth_table_token(t, &owner));
	assert_int_equal(auth_judge_session(t, &mine, wall_at(39500), &who), AUTH_OVER);
	assert_int_equal(auth_table_sessions_of(t, owner.id), 1);
	assert_true(auth_table_remove(t, AUTH_KIND_TOKEN, owner.id));
	assert_int_equal(auth_table_sessions(t), 0);
	auth_table_free(t);
}

static void
uses_are_written_once_a_minute(void **state)
{
	struct auth_table *t = auth_table_new();
	struct auth_token owner = token_of(1, wall_at(0));
	struct auth_session s = session_of(8, &owner, wall_at(1000), wall_at(40000));
	struct digest token = digest_of(1, 0), cookie = digest_of(8, 0);
	struct auth_due due;
	struct auth_who who;

	(void)state;
	assert_true(auth_table_token(t, &owner) && auth_table_session(t, &s));
	assert_false(auth_table_due(t, &due));
	for (int i = 0; i < 3; i++)
		auth_judge_token(t, &token, wall_at(1000 + i), &who);
	assert_true(auth_table_due(t, &due));
	assert_int_equal(due.kind, AUTH_KIND_USED);
	assert_string_equal(due.id, owner.id);
	assert_true(due.at.ns == wall_at(1002).ns);
	assert_false(auth_table_due(t, &due));
	auth_judge_session(t, &cookie, wall_at(1059), &who);
	assert_false(auth_table_due(t, &due));
	auth_judge_session(t, &cookie, wall_at(1061), &who);
	assert_true(auth_table_due(t, &due));
	assert_true(due.kind == AUTH_KIND_SESSION && due.session.touched.ns == wall_at(1061).ns);
	/* The token's use was written at 1002, so the next is due at 1062. */
	assert_false(auth_table_due(t, &due));
	auth_judge_session(t, &cookie, wall_at(1062), &who);
	assert_true(auth_table_due(t, &due) && due.kind == AUTH_KIND_USED);
	/* Another replica wrote it: not again here. */
	auth_table_used(t, owner.id, wall_at(1200));
	auth_judge_token(t, &token, wall_at(1230), &who);
	assert_false(auth_table_due(t, &due));
	auth_judge_token(t, &token, wall_at(1300), &who);
	assert_true(auth_table_remove(t, AUTH_KIND_TOKEN, owner.id));
	assert_false(auth_table_due(t, &due));
	auth_table_free(t);
}

static void
what_a_listing_does_not_name_is_gone(void **state)
{
	struct auth_table *t = auth_table_new(), *next = auth_table_new();
	struct auth_token a = token_of(1, wall_at(0)), b = token_of(2, wall_at(0));
	struct auth_session s = session_of(8, &b, wall_at(1000), wall_at(40000));
	struct digest one = digest_of(1, 0);
	struct auth_who who;
	struct auth_due due;

	(void)state;
	assert_true(auth_table_token(t, &a) && auth_table_token(t, &b) && auth_table_session(t, &s));
	auth_judge_token(t, &one, wall_at(1000), &who);
	assert_true(auth_table_due(t, &due));
	auth_table_sync(t);
	assert_true(auth_table_token(t, &a));
	assert_int_equal(auth_table_synced(t), 2);
	assert_int_equal(auth_table_tokens(t), 1);
	/* Uses go along into a table made anew. */
	assert_true(auth_table_token(next, &a));
	auth_table_carry(next, t);
	auth_judge_token(next, &one, wall_at(1030), &who);
	assert_false(auth_table_due(next, &due));
	auth_table_free(t);
	auth_table_free(next);
}

static void
what_is_over_leaves_the_table(void **state)
{
	struct auth_table *t = auth_table_new();
	struct auth_token a = token_of(1, wall_at(2000)), b = token_of(2, wall_at(0));
	struct auth_session s = session_of(8, &b, wall_at(1000), wall_at(40000));

	(void)state;
	assert_true(auth_table_token(t, &a) && auth_table_token(t, &b) && auth_table_session(t, &s));
	auth_table_drop(t, wall_at(2799));
	assert_int_equal(auth_table_tokens(t), 2);
	assert_int_equal(auth_table_sessions(t), 1);
	auth_table_drop(t, wall_at(2800));
	assert_int_equal(auth_table_sessions(t), 0);
	assert_int_equal(auth_table_tokens(t), 2);		/* still told as expired */
	auth_table_drop(t, wall_at(2001 + 24 * 3600));
	assert_int_equal(auth_table_tokens(t), 1);
	auth_table_free(t);
}

static void
the_table_has_a_bound(void **state)
{
	struct auth_table *t = auth_table_new();
	struct auth_token x = token_of(1, wall_at(0));

	(void)state;
	for (int i = 0; i < AUTH_TOKENS_MAX; i++) {
		snprintf(x.id, sizeof x.id, "%026x", i);
		assert_true(auth_table_token(t, &x));
	}
	assert_true(auth_table_token(t, &x));
	snprintf(x.id, sizeof x.id, "%026x", AUTH_TOKENS_MAX);
	assert_false(auth_table_token(t, &x));
	assert_int_equal(auth_table_tokens(t), AUTH_TOKENS_MAX);
	auth_table_free(t);
}

/* --- hashes --------------------------------------------------------------------------------- */

static void
hashes(void **state)
{
	struct digest a, b;
	char hex[DIGEST_HEX_MAX], id[AUTH_ID_MAX];

	(void)state;
	/* FIPS 180-2, appendix B.1. */
	digest_sha256("abc", 3, &a);
	digest_hex(&a, hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_true(digest_parse(hex, 64, &b));
	assert_true(digest_same(&a, &b));
	auth_id_of(&a, id);
	assert_string_equal(id, "ba7816bf8f01cfea414140de5d");
	assert_true(auth_id_ok(id));
	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		b = a;
		b.b[i] ^= 0x80;
		assert_false(digest_same(&a, &b));
	}
	assert_false(digest_parse(hex, 63, &b));
	hex[10] = 'G';
	assert_false(digest_parse(hex, 64, &b));
	assert_false(digest_parse(NULL, 64, &b));
	assert_false(auth_id_ok("ba7816bf8f01cfea414140de5"));
	assert_false(auth_id_ok("BA7816bf8f01cfea414140de5d"));
	digest_sha256("", 0, &a);
	digest_hex(&a, hex);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_role_against_every_need),
		cmocka_unit_test(a_bound_token_reaches_its_service_alone),
		cmocka_unit_test(role_names),
		cmocka_unit_test(lifetimes),
		cmocka_unit_test(what_a_credential_looks_like),
		cmocka_unit_test(authorization_headers),
		cmocka_unit_test(own_and_foreign_origins),
		cmocka_unit_test(ten_guesses_then_one_in_six_seconds),
		cmocka_unit_test(the_table_keeps_who_failed_most),
		cmocka_unit_test(one_address_whatever_its_port),
		cmocka_unit_test(verdicts_on_tokens),
		cmocka_unit_test(verdicts_on_sessions),
		cmocka_unit_test(uses_are_written_once_a_minute),
		cmocka_unit_test(what_a_listing_does_not_name_is_gone),
		cmocka_unit_test(what_is_over_leaves_the_table),
		cmocka_unit_test(the_table_has_a_bound),
		cmocka_unit_test(hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
