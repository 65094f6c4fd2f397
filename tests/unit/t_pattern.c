/* t_pattern - which event patterns are patterns, and what they match. */
#include "expect.h"

#include "base/magic.h"
#include "model/pattern.h"

static void
accepted(void **state)
{
	static const char *const good[] = {
		"events.order.created", "events.order.*", "events.*.created", "events.>", "events.order.>", "events.*.*",
		"events.order.item.added", "events.a-b.c_d", "events.*.>",
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++)
		expect_ok(pattern_check(good[i], &err), &err);
}

static void
refused(void **state)
{
	static const struct { const char *pattern, *says; } bad[] = {
		{ "", "must begin with 'events.'" }, { "*", "must begin" }, { ">", "must begin" }, { ".", "must begin" },
		{ "events", "domain and type are missing" }, { "events.order", "domain and type" },
		{ "events.*", "domain and type" }, { "events..created", "token is empty" }, { "events.order.", "token is empty" },
		{ "order.created", "must begin" }, { "events.>.created", "last one" }, { "events.order.cre*", "whole token" },
		{ "events.order.a>", "last one" }, { "events.1order.created", "no token" }, { "events.order.a b", "no token" },
		{ "Events.order.created", "must begin" }, { "evints.order.created", "must begin" },
		{ "events.a_token_of_sixty_four_characters_and_more_is_shown_cut_off_at_its_$end", "no token" },
	};
	struct err err;
	char longest[PATTERN_MAX + 2];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		expect_refusal(pattern_check(bad[i].pattern, &err), &err, ERR_INVALID, bad[i].says);
	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	expect_refusal(pattern_check(longest, &err), &err, ERR_INVALID, "at most 200");
}

static void
matching(void **state)
{
	static const struct { const char *pattern, *subject; bool yes; } rows[] = {
		{ "events.order.created", "events.order.created", true },
		{ "events.order.created", "events.order.createdx", false },
		{ "events.order.created", "events.order", false },
		{ "events.order", "events.order.created", false },
		{ "events.order.*", "events.order.created", true },
		{ "events.order.*", "events.order.item.added", false },
		{ "events.order.*", "events.order", false },
		{ "events.>", "events.order.created", true },
		{ "events.>", "events", false },
		{ "events.order.>", "events.order.item.added", true },
		{ "events.order.>", "events.orders.item", false },
		{ "events.*.created", "events.order.created", true },
		{ "events.*.created", "events.order.paid", false },
		{ "events.*.*", "events.a.b.c", false },
		{ "events.order.created", "events.order.crested", false },
		{ "events.order.created", "events", false },
		{ "events.order", "events.order.", false },
		{ "events.order.*", "events.order.", false },
		{ "events.order.>", "events.order.", false },
		{ "events.order", "events.order", true },
		{ "", "", false },
		{ "", "events", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (pattern_matches(rows[i].pattern, rows[i].subject) != rows[i].yes)
			fail_msg("%s against %s", rows[i].pattern, rows[i].subject);
	assert_true(pattern_is_exact("events.a.b"));
	assert_false(pattern_is_exact("events.a.*"));
	assert_false(pattern_is_exact("events.>"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted), cmocka_unit_test(refused), cmocka_unit_test(matching),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
