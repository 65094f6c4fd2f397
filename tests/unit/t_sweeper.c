/* t_sweeper - on a server that expires nothing: the dead go, the living and the late stay; where
 * records expire by themselves, nothing is touched. */
#include "expect.h"

#include "bus.h"
#include "nats/conn.h"
#include "registry/registry.h"
#include "registry/sweeper.h"

#define STILL (600 * NS_PER_S)

static struct world {
	struct bus bus;
	struct conn *conn;
	struct registry *registry;
	struct sweeper *sweeper;
	struct err err;
} w;

static bool
open_world(const char *program)
{
	struct err err;

	memset(&w, 0, sizeof w);
	snprintf(w.bus.dir, sizeof w.bus.dir, "/tmp/t_bus.XXXXXX");
	if (mkdtemp(w.bus.dir) == NULL)
		return false;
	w.bus.server = nats_server_new(&(struct nats_server_opts){ .path = program, .dir = w.bus.dir }, &err);
	if (w.bus.server == NULL)
		return false;
	w.conn = conn_new(&(struct conn_opts){ .servers = bus_url(&w.bus), .name = "t_sweeper", .timeout_ns = WAIT_NS }, &w.err);
	w.registry = registry_new(&(struct registry_opts){ .conn = w.conn, .create = true }, &w.err);
	w.sweeper = sweeper_new(w.registry, STILL);
	return w.registry != NULL;
}

static void
close_world(void)
{
	sweeper_free(w.sweeper);
	registry_free(w.registry);
	conn_free(w.conn);
	bus_end(&w.bus);
}

static uint64_t
put(const char *id, int64_t age_s)
{
	struct instance i = {
		.service = (char *)(uintptr_t)"shop", .id = (char *)(uintptr_t)id, .version = (char *)(uintptr_t)"1.0.0",
		.metadata = (char *)(uintptr_t)"{}", .last_heartbeat = { clock_wall(clock_system()).ns - age_s * NS_PER_S },
	};
	uint64_t revision = 0;

	expect_ok(registry_put_instance(w.registry, &i, 3600, REGISTRY_ANY, &revision, &w.err), &w.err);
	return revision;
}

/* ids: those in the bucket, stale or not. */
static const char *
ids(void)
{
	static char text[256];
	struct registry_query q = { .instances = true, .stale = true };
	struct registry_list l;
	size_t n = 0;

	expect_ok(registry_list(w.registry, &q, &l, &w.err), &w.err);
	text[0] = '\0';
	for (size_t i = 0; i < l.n; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s ", l.v[i].instance->id);
	registry_list_release(&l);
	return text;
}

static void
pass(int64_t at_s)
{
	expect_ok(sweeper_pass(w.sweeper, (struct mono){ at_s * NS_PER_S }, &w.err), &w.err);
}

static void
the_dead_go(void **state)
{
	const char *old = getenv("NATS_SERVER_OLD");

	(void)state;
	assert_true(open_world(old != NULL ? old : "build/old-server/usr/sbin/nats-server"));
	assert_false(registry_has_ttl(w.registry));
	put("dead", 3600);
	put("late", 3600);
	put("live", 0);
	pass(1000);
	assert_string_equal(ids(), "dead late live ");	/* seen once: who knows whose clock is wrong */
	pass(1599);
	assert_string_equal(ids(), "dead late live ");
	put("late", 3000);				/* a heartbeat, if by a clock that is far behind */
	pass(1600);
	assert_string_equal(ids(), "late live ");
	pass(2199);
	assert_string_equal(ids(), "late live ");
	pass(2200);
	assert_string_equal(ids(), "live ");
	assert_int_equal(sweeper_removed(w.sweeper), 2);
	put("dead", 3600);				/* again: its time begins anew */
	pass(9000);
	assert_string_equal(ids(), "dead live ");
	pass(9600);
	assert_string_equal(ids(), "live ");
	close_world();
}

static void
what_expires_is_left_alone(void **state)
{
	(void)state;
	assert_true(open_world(bus_program()));
	assert_true(registry_has_ttl(w.registry));
	put("dead", 3600);
	pass(1000);
	pass(9000);
	assert_string_equal(ids(), "dead ");
	close_world();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_dead_go),
		cmocka_unit_test(what_expires_is_left_alone),
	};

	BUS_SHIM(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
