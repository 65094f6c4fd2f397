/* t_cluster - three real nodes: they make a cluster, and one of them can die, freeze, come back and lose
 * its data. */
#include "expect.h"

#include <signal.h>

#include "bus.h"
#include "nats/cluster.h"
#include "nats/conn.h"

static char dir[] = "/tmp/t_cluster.XXXXXX";
static struct nats_cluster *cluster;
static struct err err;

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return 1;
	cluster = nats_cluster_new(&(struct nats_cluster_opts){ .path = bus_program(), .dir = dir, .nodes = 3 }, &err);
	if (cluster == NULL)
		fprintf(stderr, "%s\n", err.text);
	return cluster == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	nats_cluster_free(cluster);
	dir_remove(dir, NULL);
	return 0;
}

/* answers_within: it accepts a connection, as the node that it should be. */
static bool
answers_within(unsigned i, int64_t ns)
{
	char url[64], name[64];
	struct err why;

	snprintf(url, sizeof url, "nats://127.0.0.1:%u", nats_cluster_port(cluster, i));
	struct conn *c = conn_new(&(struct conn_opts){ .servers = url, .timeout_ns = ns }, &why);
	if (c == NULL)
		return false;
	conn_server_name(c, name, sizeof name);
	assert_string_equal(name, nats_cluster_name(cluster, i));
	conn_free(c);
	return true;
}

static bool
answers(unsigned i)
{
	return answers_within(i, 30 * NS_PER_S);
}

static void
all_nodes_answer_by_their_names(void **state)
{
	struct str urls = STR_INIT;
	unsigned commas = 0;

	(void)state;
	assert_int_equal(nats_cluster_size(cluster), 3);
	for (unsigned i = 0; i < 3; i++)
		assert_true(answers(i));
	nats_cluster_urls(cluster, &urls);
	for (const char *p = str_text(&urls); *p != '\0'; p++)
		commas += *p == ',';
	assert_int_equal(commas, 2);
	str_release(&urls);
}

/* can_bind: whether somebody who asks for that port gets it. */
static bool
can_bind(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool can = bind(fd, (struct sockaddr *)&at, sizeof at) == 0;

	close(fd);
	return can;
}

static void
a_killed_node_comes_back_on_its_port(void **state)
{
	uint16_t port = nats_cluster_port(cluster, 1);

	(void)state;
	nats_cluster_end(cluster, 1, SIGKILL);
	assert_int_equal(nats_cluster_pid(cluster, 1), 0);
	assert_false(answers(1));
	assert_false(can_bind(port));
	assert_true(answers(0));
	expect_ok(nats_cluster_start(cluster, 1, &err), &err);
	assert_int_equal(nats_cluster_port(cluster, 1), port);
	expect_ok(nats_cluster_wait(cluster, &err), &err);
	assert_true(answers(1));
}

static void
a_frozen_node_does_not_answer_until_it_thaws(void **state)
{
	(void)state;
	nats_cluster_freeze(cluster, 2, true);
	assert_false(answers_within(2, NS_PER_S / 2));
	nats_cluster_freeze(cluster, 2, false);
	assert_true(answers(2));
}

static void
a_frozen_node_can_be_ended_and_emptied(void **state)
{
	char *store = mem_printf("%s/n3/jetstream", dir);

	(void)state;
	nats_cluster_freeze(cluster, 2, true);
	nats_cluster_end(cluster, 2, SIGTERM);
	assert_int_equal(access(store, F_OK), 0);
	expect_ok(nats_cluster_wipe(cluster, 2, &err), &err);
	assert_int_not_equal(access(store, F_OK), 0);
	expect_ok(nats_cluster_start(cluster, 2, &err), &err);
	expect_ok(nats_cluster_wait(cluster, &err), &err);
	mem_free(store);
}

static void
one_node_is_a_server_alone(void **state)
{
	char alone[] = "/tmp/t_cluster.XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(alone));
	struct nats_cluster *c = nats_cluster_new(&(struct nats_cluster_opts){ .path = bus_program(), .dir = alone, .nodes = 1 }, &err);
	if (c == NULL)
		fail_msg("%s", err.text);
	nats_cluster_free(c);
	dir_remove(alone, NULL);
}

static void
a_program_that_does_not_start_is_named(void **state)
{
	(void)state;
	assert_null(nats_cluster_new(&(struct nats_cluster_opts){ .path = "/bin/false", .dir = dir, .nodes = 3 }, &err));
	assert_non_null(strstr(err.text, "node n1: nats-server ended with exit code 1"));
}

int
main(int argc, char **argv)
{
	BUS_SHIM(argc, argv);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_nodes_answer_by_their_names),
		cmocka_unit_test(a_killed_node_comes_back_on_its_port),
		cmocka_unit_test(a_frozen_node_does_not_answer_until_it_thaws),
		cmocka_unit_test(a_frozen_node_can_be_ended_and_emptied),
		cmocka_unit_test(one_node_is_a_server_alone),
		cmocka_unit_test(a_program_that_does_not_start_is_named),
	};

	int failed = cmocka_run_group_tests(tests, set_up, tear_down);
	conn_library_close();
	return failed;
}
