/* t_systemd - what the service manager is told, over a real socket. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/magic.h"
#include "sys/systemd.h"

static int fd;
static char name[64];

/* heard: the next datagram; "" when there is none. */
static const char *
heard(void)
{
	static char got[500];
	ssize_t n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);

	got[n > 0 ? n : 0] = '\0';
	return got;
}

static int
begin(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	(void)state;
	snprintf(name, sizeof name, "@t_systemd-%d", (int)getpid());
	memcpy(un.sun_path + 1, name + 1, strlen(name) - 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return bind(fd, (const struct sockaddr *)&un, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))) != 0;
}

static void
tells_what_happens(void **state)
{
	struct systemd s = { .socket = name }, nobody = { .socket = NULL, .watchdog_ns = NS_PER_S };

	(void)state;
	systemd_ready(&s, "serving");
	assert_string_equal(heard(), "READY=1\nSTATUS=serving");
	systemd_reloading(&s, (struct mono){ 1234567890 });
	assert_string_equal(heard(), "RELOADING=1\nMONOTONIC_USEC=1234567");
	systemd_ready(&s, NULL);
	assert_string_equal(heard(), "READY=1");
	systemd_stopping(&s);
	assert_string_equal(heard(), "STOPPING=1");
	systemd_alive(&s, (struct mono){ 1 });		/* nobody asked for that */
	assert_string_equal(heard(), "");
	systemd_ready(&nobody, NULL);
	systemd_alive(&nobody, (struct mono){ 1 });
	assert_string_equal(heard(), "");
}

static void
is_alive_often_enough(void **state)
{
	struct systemd s = { .socket = name, .watchdog_ns = 3 * NS_PER_S };
	int told = 0;

	(void)state;
	for (int64_t ms = 1; ms <= 10001; ms += 250) {
		systemd_alive(&s, (struct mono){ ms * NS_PER_MS });
		told += strcmp(heard(), "WATCHDOG=1") == 0;
	}
	assert_int_equal(told, 11);
}

static void
reads_what_is_wanted(void **state)
{
	char mine[24];

	(void)state;
	snprintf(mine, sizeof mine, "%d", (int)getpid());
	assert_int_equal(systemd_watchdog("30000000", mine), 30 * NS_PER_S);
	assert_int_equal(systemd_watchdog("30000000", NULL), 30 * NS_PER_S);
	assert_int_equal(systemd_watchdog("30000000", "1"), 0);
	assert_int_equal(systemd_watchdog(NULL, mine), 0);
	assert_int_equal(systemd_watchdog("soon", NULL), 0);
	assert_int_equal(systemd_watchdog("18446744073709551615", NULL), 0);
}

static void
says_what_it_cannot(void **state)
{
	char longer[200];
	struct err err;

	(void)state;
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	assert_int_equal(systemd_send(longer, "READY=1", 7, &err), ERR_SYSTEM);
	assert_int_equal(systemd_send("/nowhere/at/all", "READY=1", 7, &err), ERR_SYSTEM);
	assert_non_null(strstr(err.text, "/nowhere/at/all"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_happens),
		cmocka_unit_test(is_alive_often_enough),
		cmocka_unit_test(reads_what_is_wanted),
		cmocka_unit_test(says_what_it_cannot),
	};

	return cmocka_run_group_tests_name("t_systemd", tests, begin, NULL);
}
