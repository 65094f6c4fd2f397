/* t_server - starting a nats-server whatever it and its directory are called. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <limits.h>
#include <string.h>

#include "bus.h"
#include "nats/conn.h"

static char dir[] = "/tmp/t_server.XXXXXX";

static void
any_name_and_any_directory_will_do(void **state)
{
	static const char *const names[] = { "data", "a \"quoted\" one", "back\\slash", "a\nline", "$HOME", "{x: 1} # y" };
	char program[PATH_MAX], *link = mem_printf("%s/my nats", dir);
	struct err err = { ERR_OK, "" };

	(void)state;
	assert_non_null(realpath(bus_program(), program));
	assert_int_equal(symlink(program, link), 0);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char *data = mem_printf("%s/%s", dir, names[i]), *store = mem_printf("%s/jetstream", data);
		struct nats_server *s = nats_server_new(&(struct nats_server_opts){
			.path = link, .dir = data, .name = "t_server",
		}, &err);
		if (s == NULL)
			fail_msg("'%s': %s", names[i], err.text);
		struct conn *c = conn_new(&(struct conn_opts){ .servers = nats_server_url(s) }, &err);
		assert_non_null(c);
		conn_free(c);
		/* It lies where it was told to. */
		if (access(store, F_OK) != 0)
			fail_msg("'%s' is not there", store);
		nats_server_free(s);
		mem_free(store);
		mem_free(data);
	}
	mem_free(link);
}

static void
a_program_that_ends_is_told_with_its_code(void **state)
{
	struct err err = { ERR_OK, "" };

	(void)state;
	assert_null(nats_server_new(&(struct nats_server_opts){ .path = "/bin/false", .dir = dir }, &err));
	assert_non_null(strstr(err.text, "exit code 1"));
}

static int
set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	conn_library_close();
	return dir_remove(dir, NULL) != ERR_OK;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_name_and_any_directory_will_do),
		cmocka_unit_test(a_program_that_ends_is_told_with_its_code),
	};

	BUS_SHIM(argc, argv);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
