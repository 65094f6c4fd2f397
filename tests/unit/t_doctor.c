/* t_doctor - findings, permissions, and the rows of the check-up that need no broken server. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "app/doctor.h"
#include "base/magic.h"
#include "bus.h"
#include "messaging/messaging_check.h"
#include "model/permission.h"
#include "nats/kv.h"


/* --- findings ------------------------------------------------------------------------------- */

static void
a_row_that_finds_too_much_does_not_hide_the_others(void **state)
{
	struct findings f = { .n = 0 };

	(void)state;
	findings_begin(&f, "one");
	for (int i = 0; i < FINDINGS_PER_CHECK + 7; i++)
		findings_add(&f, FINDING_WARNING, ERR_STORE, "type this", "finding %d", i);
	findings_end(&f);
	findings_begin(&f, "two");
	findings_add(&f, FINDING_CRITICAL, ERR_DENIED, NULL, "worse");
	findings_end(&f);
	assert_int_equal(f.n, FINDINGS_PER_CHECK + 2);
	assert_string_equal(f.v[FINDINGS_PER_CHECK].what, "7 more of this kind are not shown");
	assert_int_equal(f.v[FINDINGS_PER_CHECK].severity, FINDING_NOTE);
	assert_string_equal(findings_worst(&f)->check, "two");
	assert_string_equal(findings_worst(&f)->remedy, "");
	assert_string_equal(f.v[0].remedy, "type this");
	findings_release(&f);
	assert_null(findings_worst(&f));
}

/* --- permissions ---------------------------------------------------------------------------- */

static void
patterns_cover_and_touch(void **state)
{
	static const struct { const char *a, *b; bool covers, touches; } rows[] = {
		{ "a.b", "a.b", true, true }, { "a.b", "a.c", false, false }, { "a.*", "a.b", true, true },
		{ "a.b", "a.*", false, true }, { "a.>", "a.b.c", true, true }, { "a.>", "a", false, false },
		{ "a.>", "a.>", true, true }, { "a.*", "a.>", false, true }, { ">", "a.>", true, true },
		{ "*.b", "a.*", false, true }, { "*.*", "a.b.c", false, false }, { "a.b.>", "a.>", false, true },
		{ "$JS.API.>", "$JS.API.STREAM.INFO.*", true, true }, { "a", "a.b", false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (pattern_covers(rows[i].a, rows[i].b) != rows[i].covers)
			fail_msg("'%s' covers '%s'?", rows[i].a, rows[i].b);
		if (pattern_touches(rows[i].a, rows[i].b) != rows[i].touches || pattern_touches(rows[i].b, rows[i].a) != rows[i].touches)
			fail_msg("'%s' touches '%s'?", rows[i].a, rows[i].b);
	}
}

static void
all_of_a_pattern_must_be_allowed(void **state)
{
	struct permission p = { .allow = { "rpc.>", "$KV.x.*" }, .nallow = 2, .deny = { "rpc.secret.*" }, .ndeny = 1 };

	(void)state;
	assert_true(permission_allows(&p, "rpc.orders.create"));
	assert_true(permission_allows(&p, "rpc.orders.>"));
	assert_false(permission_allows(&p, "rpc.>"));
	assert_false(permission_allows(&p, "rpc.secret.x"));
	assert_false(permission_allows(&p, "$KV.x.>"));
	assert_false(permission_allows(&p, "events.a"));
	p.all = true;
	assert_true(permission_allows(&p, "events.a"));
	assert_false(permission_allows(&p, "rpc.secret.x"));
	p = (struct permission){ .cut = true, .deny = { "a" }, .ndeny = 1 };
	assert_true(permission_allows(&p, "b"));
	assert_false(permission_allows(&p, "a"));
}

/* --- small readings --------------------------------------------------------------------------- */

static void
versions_are_compared_as_numbers(void **state)
{
	(void)state;
	assert_true(version_below("2.9.25", 2, 10));
	assert_false(version_below("2.10.27", 2, 10));
	assert_true(version_below("2.10.27", 2, 11));
	assert_false(version_below("3.0.0-beta", 2, 11));
	assert_false(version_below("2.11.0-RC.1", 2, 11));
	assert_false(version_below("", 2, 11));
	assert_false(version_below("unknown", 2, 11));
}

static void
durables_are_read_back(void **state)
{
	char service[130], pattern[256];

	(void)state;
	assert_true(event_durable_read("svc__events=order=created", service, pattern));
	assert_string_equal(service, "svc");
	assert_string_equal(pattern, "events.order.created");
	assert_true(event_durable_read("a-b__events=+=x", service, pattern));
	assert_string_equal(pattern, "events.*.x");
	assert_true(event_durable_read("a__events=++", service, pattern));
	assert_string_equal(pattern, "events.>");
	assert_false(event_durable_read("a__events=x==instance", service, pattern));
	assert_false(event_durable_read("python-service", service, pattern));
	assert_false(event_durable_read("a__other=x", service, pattern));
}

/* --- rows ------------------------------------------------------------------------------------- */

static const struct check *
row_of(const struct check *list, const char *id)
{
	for (; list->id != NULL; list++)
		if (strcmp(list->id, id) == 0)
			return list;
	fail_msg("no row %s", id);
	return NULL;
}

/* clock_says: how bad it is when the server's clock is so far off; -1 for not at all. */
static int
clock_says(int64_t ahead_ns, const char *word)
{
	struct findings f = { .n = 0 };
	struct checkup c = { .told = true, .out = &f };

	c.server.time.ns = 1;
	c.server.ahead_ns = ahead_ns;
	row_of(nats_checks, "nats.clock")->run(&c);
	int worst = f.n > 0 ? (int)f.v[0].severity : -1;
	if (f.n > 0 && strstr(f.v[0].what, word) == NULL)
		fail_msg("'%s' does not say '%s'", f.v[0].what, word);
	if (f.n > 0)
		assert_string_equal(f.v[0].remedy, "timedatectl set-ntp true");
	findings_release(&f);
	return worst;
}

static void
clocks_that_differ_are_told(void **state)
{
	(void)state;
	assert_int_equal(clock_says(0, ""), -1);
	assert_int_equal(clock_says(900 * NS_PER_MS, ""), -1);
	assert_int_equal(clock_says(-900 * NS_PER_MS, ""), -1);
	assert_int_equal(clock_says(2500 * NS_PER_MS, "2.500 s ahead of"), FINDING_WARNING);
	assert_int_equal(clock_says(-2500 * NS_PER_MS, "2.500 s behind"), FINDING_WARNING);
	assert_int_equal(clock_says(-40 * NS_PER_S, "behind"), FINDING_CRITICAL);
}

static int
version_says(const char *version, bool ttl, const char *word)
{
	struct findings f = { .n = 0 };
	struct checkup c = { .told = true, .out = &f, .jetstream = { .ttl = ttl, .api_level = ttl ? 1 : 0 } };

	snprintf(c.server.version, sizeof c.server.version, "%s", version);
	row_of(nats_checks, "nats.version")->run(&c);
	int worst = f.n > 0 ? (int)f.v[0].severity : -1;
	if (f.n > 0 && strstr(f.v[0].what, word) == NULL)
		fail_msg("'%s' does not say '%s'", f.v[0].what, word);
	findings_release(&f);
	return worst;
}

static void
old_servers_are_told(void **state)
{
	(void)state;
	assert_int_equal(version_says("2.15.1", true, ""), -1);
	assert_int_equal(version_says("2.11.0", true, ""), -1);
	assert_int_equal(version_says("2.10.27", false, "works degraded"), FINDING_WARNING);
	assert_int_equal(version_says("2.9.25", false, "too old"), FINDING_CRITICAL);
}

static void
a_distant_server_is_told(void **state)
{
	struct findings f = { .n = 0 };
	struct checkup c = { .told = true, .out = &f };

	(void)state;
	c.server.rtt_ns = 10 * NS_PER_MS;
	row_of(nats_checks, "nats.distance")->run(&c);
	assert_int_equal(f.n, 0);
	c.server.rtt_ns = 100 * NS_PER_MS;
	row_of(nats_checks, "nats.distance")->run(&c);
	assert_int_equal(f.n, 1);
	findings_release(&f);
}

/* --- a real server ---------------------------------------------------------------------------- */

static void
the_server_tells_who_it_is(void **state)
{
	struct conn *c = conn_new(&(struct conn_opts){ .servers = bus_url(&bus) }, NULL);
	struct server_facts facts;
	struct err err;

	(void)state;
	assert_non_null(c);
	assert_int_equal(server_facts_ask(c, &facts, &err), ERR_OK);
	assert_string_equal(facts.name, "aegis");
	assert_false(version_below(facts.version, 2, 11));
	assert_string_equal(facts.cluster, "");
	assert_int_equal(facts.servers, 1);
	assert_true(facts.publish.all && facts.subscribe.all);
	/* The same machine, so what it was told is within the round trip; and some room for a clock that is being set. */
	assert_true(facts.ahead_ns < facts.unsure_ns + NS_PER_S && facts.ahead_ns > -facts.unsure_ns - NS_PER_S);
	server_facts_release(&facts);
	conn_free(c);
}

static void
each_store(void *arg, const struct store *s, const struct store_change *done, enum err_code code, const char *why)
{
	unsigned *n = arg;

	if (code != ERR_OK)
		fail_msg("%s: %s", s->stream, why);
	*n += done->made;
}

/* worst: of one check-up of everything but the distance, which is how busy this machine is. */
static int
worst(struct conn *c, const char *check)
{
	struct doctor_report r;

	assert_int_equal(doctor_run(&(struct doctor_opts){ .conn = c }, &r, NULL), ERR_OK);
	const struct finding *f = NULL;
	for (size_t i = 0; i < r.findings.n; i++) {
		const struct finding *one = &r.findings.v[i];
		if (strcmp(one->check, "nats.distance") != 0 && (f == NULL || one->severity > f->severity))
			f = one;
	}
	int severity = f != NULL ? (int)f->severity : -1;
	if (f != NULL)
		assert_string_equal(f->check, check);
	doctor_release(&r);
	return severity;
}

static void
what_is_missing_is_made_once(void **state)
{
	struct conn *c = conn_new(&(struct conn_opts){ .servers = bus_url(&bus) }, NULL);
	struct doctor_report r;
	struct err err;
	unsigned made = 0;

	(void)state;
	assert_non_null(c);
	assert_int_equal(worst(c, "registry.streams"), FINDING_WARNING);
	assert_int_equal(doctor_stores(c, false, true, each_store, &made, &err), ERR_OK);
	assert_true(made >= 10);
	assert_int_equal(worst(c, "registry.streams"), FINDING_WARNING);	/* a dry run made nothing */
	made = 0;
	assert_int_equal(doctor_stores(c, false, false, each_store, &made, &err), ERR_OK);
	assert_true(made >= 10);
	assert_int_equal(worst(c, "auth.tokens"), FINDING_NOTE);	/* all is there, but nobody administers it yet */
	made = 0;
	assert_int_equal(doctor_stores(c, true, false, each_store, &made, &err), ERR_OK);
	assert_int_equal(made, 0);
	assert_int_equal(doctor_run(&(struct doctor_opts){ .conn = c, .only = "nothing" }, &r, &err), ERR_USAGE);
	doctor_release(&r);
	conn_free(c);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_that_finds_too_much_does_not_hide_the_others),
		cmocka_unit_test(patterns_cover_and_touch),
		cmocka_unit_test(all_of_a_pattern_must_be_allowed),
		cmocka_unit_test(versions_are_compared_as_numbers),
		cmocka_unit_test(durables_are_read_back),
		cmocka_unit_test(clocks_that_differ_are_told),
		cmocka_unit_test(old_servers_are_told),
		cmocka_unit_test(a_distant_server_is_told),
		cmocka_unit_test(the_server_tells_who_it_is),
		cmocka_unit_test(what_is_missing_is_made_once),
	};

	BUS_SHIM(argc, argv);
	return cmocka_run_group_tests(tests, bus_set_up, bus_tear_down);
}
