/* t_auth - tokens, sessions and login codes on a real server, seen by two replicas: what is made on one
 * works on the other at once, what is revoked ends on both within a second, also while a watch is deaf. */
#include "expect.h"

#include <pthread.h>
#include <stdatomic.h>

#include "auth/auth.h"
#include "auth/record.h"
#include "bus.h"
#include "codec/codec.h"
#include "nats/conn.h"
#include "nats/kv.h"
#include "nats/stream.h"
#include "replicas.h"

/* --- tokens --------------------------------------------------------------------------------- */

static void
a_token_works_everywhere_at_once(void **state)
{
	struct world w;
	struct auth_who who;
	char secret[AUTH_TEXT_MAX];

	(void)state;
	open_world(&w);
	for (int i = 0; i < 20; i++) {
		struct auth_token t = make(&w, i % 2, "ci", 0, secret);
		expect_ok(auth_token(w.auth[1 - i % 2], text_of(secret), PEER, &who, &w.err), &w.err);
		assert_string_equal(who.id, t.id);
		assert_string_equal(who.name, "ci");
		assert_true(who.role == AUTH_OPERATOR && !who.cookie && who.expires.ns == 0);
		assert_memory_equal(t.prefix, secret, 8);
	}
	assert_int_equal(auth_state(w.auth[0]).throttled, 0);
	close_world(&w);
}

static void
secrets_are_not_stored(void **state)
{
	struct world w;
	struct auth_who who;
	struct auth_wish wish = { .name = "page", .role = AUTH_VIEWER };
	char secret[AUTH_TEXT_MAX], cookie[AUTH_TEXT_MAX], code[AUTH_TEXT_MAX], hex[DIGEST_HEX_MAX];
	struct str all = STR_INIT;
	struct digest d;

	(void)state;
	open_world(&w);
	make(&w, 0, "ci", 0, secret);
	expect_ok(auth_login(w.auth[0], text_of(secret), PEER, cookie, &who, &w.err), &w.err);
	expect_ok(auth_link(w.auth[0], &wish, code, &w.err), &w.err);
	struct kv kv = { w.conn[0], AUTH_BUCKET };
	expect_ok(kv_list(&kv, ">", true, remember, &all, &w.err), &w.err);
	assert_null(strstr(str_text(&all), secret + strlen(AUTH_TOKEN_PREFIX) + 4));
	assert_null(strstr(str_text(&all), cookie + 4));
	assert_null(strstr(str_text(&all), code + strlen(AUTH_CODE_PREFIX) + 4));
	digest_sha256(secret, strlen(secret), &d);
	digest_hex(&d, hex);
	assert_non_null(strstr(str_text(&all), hex));
	str_release(&all);
	close_world(&w);
}

static void
unknown_malformed_and_expired_ones_are_refused(void **state)
{
	struct world w;
	char secret[AUTH_TEXT_MAX], other[AUTH_TEXT_MAX];

	(void)state;
	open_world(&w);
	make(&w, 0, "short", 5 * NS_PER_S, secret);
	assert_int_equal(shows(&w, 0, secret), ERR_OK);
	memcpy(other, secret, sizeof other);
	other[20] = other[20] == 'a' ? 'b' : 'a';
	expect_refusal(shows(&w, 0, other), &w.err, ERR_UNAUTHENTICATED, "not valid");
	expect_refusal(shows(&w, 0, "aeg_"), &w.err, ERR_UNAUTHENTICATED, "not valid");
	expect_refusal(shows(&w, 0, ""), &w.err, ERR_UNAUTHENTICATED, "not valid");
	uint64_t asked = auth_state(w.auth[0]).asked;
	expect_refusal(shows(&w, 0, "drop table"), &w.err, ERR_UNAUTHENTICATED, "not valid");
	assert_int_equal(auth_state(w.auth[0]).asked, asked);		/* what is none is not asked for */
	WAIT_FOR(shows(&w, 0, secret) == ERR_UNAUTHENTICATED);
	assert_non_null(strstr(w.err.text, "expired"));
	assert_int_equal(shows(&w, 1, secret), ERR_UNAUTHENTICATED);
	close_world(&w);
}

/* --- revocation ----------------------------------------------------------------------------- */

/* The fastest of five counts: other programs share the machine with this test. */
static void
a_revocation_holds_within_a_second(void **state)
{
	struct world w;
	int64_t fastest = INT64_MAX;
	char secret[AUTH_TEXT_MAX], cookie[AUTH_TEXT_MAX];
	struct auth_who who;

	(void)state;
	open_world(&w);
	for (int i = 0; i < 5; i++) {
		struct auth_token t = make(&w, 0, "ci", 0, secret);
		expect_ok(auth_login(w.auth[1], text_of(secret), PEER, cookie, &who, &w.err), &w.err);
		assert_int_equal(shows(&w, 1, secret), ERR_OK);
		assert_int_equal(browses(&w, 0, cookie), ERR_OK);
		expect_ok(auth_revoke(w.auth[0], t.id, 0, NULL, &w.err), &w.err);
		struct mono then = clock_mono(clock_system());
		assert_int_equal(shows(&w, 0, secret), ERR_UNAUTHENTICATED);	/* here, at once */
		assert_int_equal(browses(&w, 0, cookie), ERR_UNAUTHENTICATED);
		WAIT_FOR(browses(&w, 1, cookie) == ERR_UNAUTHENTICATED);
		int64_t took = ms_since(then);
		fastest = took < fastest ? took : fastest;
		struct err why;
		assert_int_not_equal(auth_token(w.auth[1], text_of(secret), "198.51.100.7", &who, &why), ERR_OK);
		expect_refusal(auth_revoke(w.auth[1], t.id, 0, NULL, &w.err), &w.err, ERR_NOT_FOUND, t.id);
	}
	assert_in_range(fastest, 0, 1000);
	close_world(&w);
}

/* deafen: ends every consumer of the bucket behind the watches' backs; how many there were. */
static size_t
deafen(struct world *w)
{
	struct msg *reply;
	struct value v;
	char subject[256];
	size_t n = 0;

	expect_ok(conn_request(w->conn[0], &(struct conn_msg){ .subject = "$JS.API.CONSUMER.NAMES.KV_" AUTH_BUCKET },
	    30 * NS_PER_S, &reply, &w->err), &w->err);
	struct codec *c = codec_new();
	expect_ok(codec_parse(c, (struct data){ DATA_JSON, msg_data(reply), msg_size(reply) }, &v, &w->err), &w->err);
	const struct value *names = value_field(&v, "consumers");
	assert_non_null(names);
	for (; names->type == VALUE_ARRAY && n < names->n; n++) {
		struct text t;
		struct msg *done;
		assert_true(value_text(&names->u.items[n], &t));
		snprintf(subject, sizeof subject, "$JS.API.CONSUMER.DELETE.KV_%s.%.*s", AUTH_BUCKET, (int)t.n, t.p);
		expect_ok(conn_request(w->conn[0], &(struct conn_msg){ .subject = subject }, 30 * NS_PER_S, &done, &w->err),
		    &w->err);
		msg_free(done);
	}
	codec_free(c);
	msg_free(reply);
	return n;
}

/* deaf_ms: how long after a revocation the other replica knows of it by itself. */
static int64_t
deaf_ms(void)
{
	struct world w;
	char secret[AUTH_TEXT_MAX];

	open_world(&w);
	struct auth_token t = make(&w, 0, "ci", 0, secret);
	WAIT_FOR(shows(&w, 1, secret) == ERR_OK);
	struct bucket_state watched;
	WAIT_FOR(bucket_inspect(w.conn[0], AUTH_BUCKET, &watched, &w.err) == ERR_OK && watched.consumers >= 2);
	assert_true(deafen(&w) >= 2);
	uint64_t relisted = auth_state(w.auth[1]).relisted;
	expect_ok(auth_revoke(w.auth[0], t.id, 0, NULL, &w.err), &w.err);
	struct mono then = clock_mono(clock_system());
	WAIT_FOR(shows(&w, 1, secret) == ERR_UNAUTHENTICATED);
	int64_t took = ms_since(then);
	assert_true(auth_state(w.auth[1]).relisted > relisted);		/* the watch did not tell it */
	close_world(&w);
	return took;
}

static void
also_while_the_watch_is_deaf(void **state)
{
	int64_t fastest = INT64_MAX;

	(void)state;
	for (int i = 0; i < 3; i++) {
		int64_t took = deaf_ms();
		fastest = took < fastest ? took : fastest;
	}
	assert_in_range(fastest, 0, 1000);
}

static void
not_against_a_revision_that_is_another(void **state)
{
	struct world w;
	char secret[AUTH_TEXT_MAX];

	(void)state;
	open_world(&w);
	struct auth_token t = make(&w, 0, "ci", 0, secret), seen;
	expect_refusal(auth_revoke(w.auth[0], t.id, t.revision + 1, NULL, &w.err), &w.err, ERR_REVISION, "not");
	assert_int_equal(shows(&w, 0, secret), ERR_OK);
	/* A use is no change of the token. */
	WAIT_FOR(auth_store_token(auth_store_of(w.auth[1]), t.id, true, &seen, &w.err) == ERR_OK && seen.used.ns != 0);
	assert_int_equal(seen.revision, t.revision);
	expect_ok(auth_revoke(w.auth[1], t.id, t.revision, &seen, &w.err), &w.err);
	assert_string_equal(seen.name, "ci");
	expect_refusal(auth_revoke(w.auth[0], "nonsense", 0, NULL, &w.err), &w.err, ERR_NOT_FOUND, "nonsense");
	close_world(&w);
}

static void
a_bucket_that_is_made_anew_knows_nobody(void **state)
{
	struct world w;
	char secret[AUTH_TEXT_MAX], next[AUTH_TEXT_MAX];

	(void)state;
	open_world(&w);
	for (int i = 0; i < 5; i++)
		make(&w, 0, "ci", 0, secret);
	assert_int_equal(shows(&w, 1, secret), ERR_OK);
	expect_ok(bucket_remove(w.conn[0], AUTH_BUCKET, &w.err), &w.err);
	WAIT_FOR(shows(&w, 1, secret) != ERR_OK);
	WAIT_FOR(shows(&w, 0, secret) != ERR_OK);
	/* And it is made again by whoever may. */
	struct auth_token t;
	struct auth_wish wish = { .name = "new", .role = AUTH_VIEWER };
	WAIT_FOR(auth_create(w.auth[0], &wish, next, &t, &w.err) == ERR_OK);
	struct auth_who who;
	WAIT_FOR(auth_token(w.auth[1], text_of(next), "198.51.100.7", &who, &w.err) == ERR_OK);
	close_world(&w);
}

/* --- sessions and codes --------------------------------------------------------------------- */

static void
a_session_is_known_to_every_replica(void **state)
{
	struct world w;
	char secret[AUTH_TEXT_MAX], cookie[AUTH_TEXT_MAX], second[AUTH_TEXT_MAX];
	struct auth_who who;

	(void)state;
	open_world(&w);
	struct auth_token t = make(&w, 0, "ann", 0, secret);
	expect_ok(auth_login(w.auth[0], text_of(secret), PEER, cookie, &who, &w.err), &w.err);
	assert_true(who.cookie);
	expect_ok(auth_login(w.auth[0], text_of(secret), PEER, second, &who, &w.err), &w.err);
	assert_string_not_equal(cookie, second);
	expect_ok(auth_session(w.auth[1], cookie, &who, &w.err), &w.err);
	assert_string_equal(who.id, t.id);
	assert_true(who.cookie && who.expires.ns > t.created.ns && who.expires.ns <= clock_wall(clock_system()).ns + AUTH_SESSION_NS);
	/* A cookie is no token, and the reverse. */
	assert_int_equal(shows(&w, 0, cookie), ERR_UNAUTHENTICATED);
	assert_int_equal(browses(&w, 0, secret), ERR_UNAUTHENTICATED);
	expect_ok(auth_logout(w.auth[1], cookie, &w.err), &w.err);
	assert_int_equal(browses(&w, 1, cookie), ERR_UNAUTHENTICATED);
	WAIT_FOR(browses(&w, 0, cookie) == ERR_UNAUTHENTICATED);
	assert_int_equal(browses(&w, 0, second), ERR_OK);
	expect_ok(auth_logout(w.auth[1], "nonsense", &w.err), &w.err);
	expect_ok(auth_logout(w.auth[1], cookie, &w.err), &w.err);
	close_world(&w);
}

struct race {
	struct auth *auth;
	const char *code;
	atomic_int *in;
};

static void *
use_code(void *arg)
{
	struct race *r = arg;
	char cookie[AUTH_TEXT_MAX];
	struct auth_who who;
	struct err err;

	if (auth_login(r->auth, text_of(r->code), PEER, cookie, &who, &err) == ERR_OK)
		atomic_fetch_add(r->in, 1);
	return NULL;
}

static void
a_code_is_used_once(void **state)
{
	struct world w;
	struct auth_wish wish = { .name = "dev", .role = AUTH_ADMIN, .ttl_ns = 3600 * NS_PER_S };
	char code[AUTH_TEXT_MAX], cookie[AUTH_TEXT_MAX];
	struct auth_who who;

	(void)state;
	open_world(&w);
	expect_ok(auth_link(w.auth[0], &wish, code, &w.err), &w.err);
	expect_ok(auth_login(w.auth[1], text_of(code), PEER, cookie, &who, &w.err), &w.err);
	assert_true(who.role == AUTH_ADMIN && who.cookie);
	assert_string_equal(who.name, "dev");
	expect_refusal(auth_login(w.auth[0], text_of(code), PEER, cookie, &who, &w.err), &w.err, ERR_UNAUTHENTICATED, "used");
	/* The login ends with the token that is listed for it. */
	expect_ok(auth_revoke(w.auth[0], who.id, 0, NULL, &w.err), &w.err);
	WAIT_FOR(browses(&w, 1, cookie) == ERR_UNAUTHENTICATED);
	for (int round = 0; round < 5; round++) {
		pthread_t t[4];
		struct race r[4];
		atomic_int in = 0;
		expect_ok(auth_link(w.auth[0], &wish, code, &w.err), &w.err);
		for (int i = 0; i < 4; i++) {
			r[i] = (struct race){ w.auth[i % 2], code, &in };
			assert_int_equal(pthread_create(&t[i], NULL, use_code, &r[i]), 0);
		}
		for (int i = 0; i < 4; i++)
			pthread_join(t[i], NULL);
		assert_int_equal(atomic_load(&in), 1);
	}
	close_world(&w);
}

static void
an_old_code_is_none(void **state)
{
	struct world w;
	char secret[AUTH_TEXT_MAX], cookie[AUTH_TEXT_MAX];
	const char *code = "aegc_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	struct auth_code c = { .expires = { clock_wall(clock_system()).ns - NS_PER_S } };
	struct str text = STR_INIT;
	struct auth_who who;

	(void)state;
	open_world(&w);
	struct auth_token t = make(&w, 0, "ann", 0, secret);
	digest_sha256(code, strlen(code), &c.digest);
	auth_id_of(&c.digest, c.id);
	memcpy(c.token, t.id, sizeof c.token);
	auth_code_write(&text, &c);
	put_record(&w, AUTH_KIND_CODE, c.id, str_text(&text));
	expect_refusal(auth_login(w.auth[0], text_of(code), PEER, cookie, &who, &w.err), &w.err, ERR_UNAUTHENTICATED, "too old");
	/* In time it would have been one: the refusal is for its age. */
	str_clear(&text);
	c.expires.ns += 3600 * NS_PER_S;
	auth_code_write(&text, &c);
	put_record(&w, AUTH_KIND_CODE, c.id, str_text(&text));
	expect_ok(auth_login(w.auth[0], text_of(code), PEER, cookie, &who, &w.err), &w.err);
	str_release(&text);
	close_world(&w);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_works_everywhere_at_once),
		cmocka_unit_test(secrets_are_not_stored),
		cmocka_unit_test(unknown_malformed_and_expired_ones_are_refused),
		cmocka_unit_test(a_revocation_holds_within_a_second),
		cmocka_unit_test(also_while_the_watch_is_deaf),
		cmocka_unit_test(not_against_a_revision_that_is_another),
		cmocka_unit_test(a_bucket_that_is_made_anew_knows_nobody),
		cmocka_unit_test(a_session_is_known_to_every_replica),
		cmocka_unit_test(a_code_is_used_once),
		cmocka_unit_test(an_old_code_is_none),
	};

	BUS_SHIM(argc, argv);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	conn_library_close();
	return failed;
}
