/* t_subject - subjects and keys, built and taken apart. */
#include "expect.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/magic.h"
#include "codec/subject.h"

static void
subjects_are_those_of_the_wire(void **state)
{
	(void)state;
	assert_string_equal(subject_rpc("Echo-svc", "add").s, "rpc.Echo-svc.add");
	assert_string_equal(subject_rpc_all("echo").s, "rpc.echo.*");
	assert_string_equal(subject_direct("echo", "echo-1", "add").s, "rpc.echo.echo-1.add");
	assert_string_equal(subject_direct_all("echo", "echo-1").s, "rpc.echo.echo-1.*");
	assert_string_equal(subject_rpc_group("echo").s, "rpc.echo");
	assert_string_equal(subject_heartbeat("Echo-SVC_9[Z").s, "internal.heartbeat.echo-svc_9[z");
	assert_string_equal(SUBJECT_REGISTER, "internal.registry.register");
	assert_string_equal(SUBJECT_UNREGISTER, "internal.registry.unregister");
	assert_string_equal(subject_micro("PING", NULL, NULL).s, "$SRV.PING");
	assert_string_equal(subject_micro("INFO", "echo", NULL).s, "$SRV.INFO.echo");
	assert_string_equal(subject_micro("STATS", "echo", "echo-1").s, "$SRV.STATS.echo.echo-1");
}

static void
names_of_events_and_commands(void **state)
{
	(void)state;
	assert_string_equal(subject_event("order", "item.added").s, "events.order.item.added");
	assert_string_equal(subject_event_group("Order-Svc").s, "order-svc");
	assert_string_equal(subject_event_durable("Svc", "events.order.created", NULL).s, "svc__events=order=created");
	assert_string_equal(subject_event_durable("svc", "events.*.Created", NULL).s, "svc__events=+=Created");
	assert_string_equal(subject_event_durable("svc", "events.order.>", NULL).s, "svc__events=order=++");
	assert_string_equal(subject_event_durable("svc", "events.a.b", "svc-1").s, "svc__events=a=b==svc-1");
	assert_string_equal(subject_command("order-svc", "work").s, "commands.order-svc.work");
	assert_string_equal(subject_command_durable("order-svc", "work").s, "order-svc__work");
	assert_string_equal(subject_command_python("order-svc", "work").s, "order-svc-work");
	assert_string_equal(subject_progress("m5").s, "commands.progress.m5");
	assert_string_equal(subject_callback("m5").s, "commands.callback.m5");
	assert_string_equal(subject_cancel("m5").s, "commands.cancel.m5");
	assert_string_equal(subject_dead("events.a.b").s, "dlq.events.a.b");
}

static void
what_may_be_a_token(void **state)
{
	static const char *const good[] = { "m5", "3d33ec15-ba50-4f62-ab60-8fe9397d11fd", "a:b/c", "\xc3\xa9" };
	static const char *const bad[] = { "", "a.b", "a b", "*", "a>", "a\tb", "a\x7f" };
	char longest[130];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++)
		assert_true(subject_token_ok(text_of(good[i])));
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_false(subject_token_ok(text_of(bad[i])));
	assert_false(subject_token_ok(text_of(NULL)));
	memset(longest, 'x', sizeof longest);
	assert_true(subject_token_ok((struct text){ longest, 128 }));
	assert_false(subject_token_ok((struct text){ longest, 129 }));
}

static void
the_last_token_is_the_method(void **state)
{
	(void)state;
	expect_text(subject_method("rpc.echo.add"), "add");
	expect_text(subject_method("rpc.echo.echo-1.add"), "add");
	expect_text(subject_method("add"), "add");
	expect_text(subject_method("rpc."), "");
}

static void
keys_of_instances_fall_apart(void **state)
{
	static const struct { const char *key, *service, *instance; } rows[] = {
		{ "service-instances__echo-svc__echo-svc-aaaa1111", "echo-svc", "echo-svc-aaaa1111" },
		{ "service-instances__a_b__c_d", "a_b", "c_d" },
		{ "service-instances__a___b", "a_", "b" },		/* an id never begins with '_' */
		{ "service-instances__a__b__c", "a", "b__c" },
		{ "service-instances_echo_echo-1", "echo", "echo-1" },	/* legacy */
		{ "service-instances_a_b_c", "a", "b_c" },
	};
	struct text service, instance;

	(void)state;
	assert_string_equal(key_instance("a_b", "c_d").s, rows[1].key);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_true(key_parse(rows[i].key, &service, &instance));
		expect_text(service, rows[i].service);
		expect_text(instance, rows[i].instance);
	}
}

static void
other_keys_are_none_of_an_instance(void **state)
{
	static const char *const keys[] = {
		"order-service", "", "service-instance__a__b", "service-instances", "service-instancesab",
		    "service-instances__",
		"service-instances__a", "service-instances__a_b", "service-instances____b",
		    "service-instances__a__",
		"service-instances__a___", "service-instances_", "service-instances_a",
		    "service-instances_a_",
	};
	struct text service = { "x", 1 }, instance = { "y", 1 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		if (key_parse(keys[i], &service, &instance))
			fail_msg("'%s' was taken for an instance's key", keys[i]);
	}
	expect_text(service, "x");
	expect_text(instance, "y");
}

static void
what_does_not_fit_stops_the_program(void **state)
{
	static char name[SUBJECT_MAX];
	pid_t child;
	int status;

	(void)state;
	memset(name, 'x', sizeof name - 1);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(2);
		subject_rpc_group(name);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subjects_are_those_of_the_wire),
		cmocka_unit_test(names_of_events_and_commands),
		cmocka_unit_test(what_may_be_a_token),
		cmocka_unit_test(the_last_token_is_the_method),
		cmocka_unit_test(keys_of_instances_fall_apart),
		cmocka_unit_test(other_keys_are_none_of_an_instance),
		cmocka_unit_test(what_does_not_fit_stops_the_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
