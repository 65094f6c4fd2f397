/* t_history - histories as files, and the checker: a good history passes, and for each check a
 * hand-made bad one fails that check and no other. */
#include "expect.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/magic.h"
#include "bench/verify.h"

#define MS(n) ((int64_t)(n) * NS_PER_MS)
#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct err err;

/* One line: at ms, event; the rest by designated members. */
#define LINE(at, event, ...) { .t = { MS(at) }, .ev = HISTORY_##event, ##__VA_ARGS__ }
#define OF_A .src = "a", .nonce = A
#define OF_B .src = "b", .nonce = B
#define OF_P .src = "prober"
#define STORES .what = VERIFY_STORES
#define UNTIL(at) .until = { MS(at) }

/* a leads, is killed, b leads: with calls, effects and the counter as they should be. */
static const struct history_line good[] = {
	LINE(100, open, OF_A, .epoch = 7, UNTIL(300)),
	LINE(110, invoke, OF_P, STORES, .req = 1),
	LINE(111, serve_begin, OF_A, .req = 1, .epoch = 7),
	LINE(112, serve_end, OF_A, .req = 1, .epoch = 7, .count = 1),
	LINE(113, ok, OF_P, .req = 1, .epoch = 7, .count = 1),
	LINE(160, extend, OF_A, UNTIL(360)),
	LINE(200, inject, .src = "conductor", .what = "kill", .nonce = A),
	LINE(210, invoke, OF_P, STORES, .req = 2),
	LINE(250, fail, OF_P, .req = 2),
	LINE(260, invoke, OF_P, STORES, .req = 3),
	LINE(300, unknown, OF_P, .req = 3),
	LINE(420, open, OF_B, .epoch = 9, UNTIL(700)),
	LINE(430, invoke, OF_P, STORES, .req = 4),
	LINE(431, serve_begin, OF_B, .req = 4, .epoch = 9),
	LINE(432, serve_end, OF_B, .req = 4, .epoch = 9, .count = 2),
	LINE(433, ok, OF_P, .req = 4, .epoch = 9, .count = 2),
	LINE(500, heal, .src = "conductor", .what = "kill"),
	LINE(510, invoke, OF_P, STORES, .req = 5),
	LINE(511, ok, OF_P, .req = 5, .epoch = 9, .count = 3),
	LINE(600, effect, .seq = 1, .epoch = 7, .req = 1),
	LINE(600, effect, .seq = 2, .epoch = 9, .req = 4),
	LINE(600, effect, .seq = 3, .epoch = 9, .req = 5),
	LINE(650, shut, OF_B),
};

static const struct verify_opts opts = { .effects = true, .grace_ns = MS(50), .settle_ns = MS(200) };

/* in_pieces: of so many lines each, it is judged the same. */
static void
in_pieces(const struct history *h, size_t size, const struct verify_report *whole)
{
	struct verify *v = verify_new(&opts);
	struct verify_report r;

	for (size_t i = 0; i < h->n; i += size)
		verify_feed(v, &(struct history){ .v = h->v + i, .n = h->n - i < size ? h->n - i : size });
	verify_end(v, &r);
	for (int c = 0; c < VERIFY_CHECKS; c++)
		assert_int_equal(r.wrong[c] > 0, whole->wrong[c] > 0);
	assert_int_equal(r.holds, whole->holds);
	assert_int_equal(r.served, whole->served);
	assert_int_equal(r.ok + r.failed + r.unknown, whole->ok + whole->failed + whole->unknown);
	assert_int_equal(r.outages, whole->outages);
	for (size_t i = 0; i < r.outages; i++)
		assert_int_equal(r.outage[i].ns, whole->outage[i].ns);
	verify_release(&r);
}

/* judge(extra, n, r): the good history with some lines more. */
static bool
judge(const struct history_line *extra, size_t n, struct verify_report *r)
{
	struct history h = { NULL, 0, 0 };

	for (size_t i = 0; i < COUNT_OF(good); i++)
		history_add(&h, &good[i]);
	for (size_t i = 0; i < n; i++)
		history_add(&h, &extra[i]);
	history_sort(&h);
	bool fine = verify_history(&h, &opts, r);
	for (size_t size = 1; size < h.n; size++)
		in_pieces(&h, size, r);
	history_release(&h);
	return fine;
}

static void
expect_only(enum verify_check c, const struct history_line *extra, size_t n, const char *says)
{
	struct verify_report r;

	assert_false(judge(extra, n, &r));
	for (int i = 0; i < VERIFY_CHECKS; i++) {
		if (i != (int)c && r.wrong[i] > 0)
			fail_msg("C%d found something, too: %s", i + 1, r.first[i]);
	}
	assert_true(r.wrong[c] > 0);
	if (strstr(r.first[c], says) == NULL)
		fail_msg("expected '%s' in '%s'", says, r.first[c]);
	verify_release(&r);
}

#define EXPECT_ONLY(c, says, ...) \
	do { \
		static const struct history_line extra_[] = { __VA_ARGS__ }; \
		expect_only(VERIFY_##c, extra_, COUNT_OF(extra_), says); \
	} while (0)

static void
a_good_history_passes(void **state)
{
	struct verify_report r;

	(void)state;
	bool fine = judge(NULL, 0, &r);
	for (int i = 0; i < VERIFY_CHECKS; i++)
		assert_string_equal(r.first[i], "");
	assert_true(fine);
	assert_int_equal(r.holds, 2);
	assert_int_equal(r.served, 2);
	assert_int_equal(r.invoked, 5);
	assert_int_equal(r.ok, 3);
	assert_int_equal(r.failed, 1);
	assert_int_equal(r.unknown, 1);
	assert_int_equal(r.effects, 3);
	verify_release(&r);
}

static void
an_outage_is_the_longest_silence_around_a_fault(void **state)
{
	struct verify_report r;

	(void)state;
	judge(NULL, 0, &r);
	assert_int_equal(r.outages, 1);
	assert_string_equal(r.outage[0].what, "kill");
	assert_int_equal(r.outage[0].ns, MS(433 - 113));
	verify_release(&r);
}

static void
nothing_after_a_fault_is_no_outage_of_zero(void **state)
{
	static const struct history_line extra[] = { LINE(800, inject, .what = "cut"), LINE(2000, invoke, OF_P, STORES, .req = 9) };
	struct verify_report r;

	(void)state;
	judge(extra, 2, &r);
	assert_int_equal(r.outages, 2);
	assert_true(r.outage[1].ns < 0);
	verify_release(&r);
}

static void
two_open_gates(void **state)
{
	(void)state;
	/* b's gate was open before a's last until: with an epoch of its own, so only C1 can tell. */
	EXPECT_ONLY(C1, "two gates were open", LINE(350, open, OF_B, .epoch = 8, UNTIL(380)));
	/* extended past the other's opening */
	EXPECT_ONLY(C1, "two gates were open", LINE(359, extend, OF_A, UNTIL(425)));
	/* an extension told by one whose gate had closed opens it again */
	EXPECT_ONLY(C1, "two gates were open", LINE(440, extend, OF_A, UNTIL(450)));
}

static void
a_program_that_outlives_its_lease(void **state)
{
	static const struct history_line fine[] = {
		LINE(105, work, OF_A, .epoch = 7),
		LINE(415, work, OF_A, .epoch = 7),	/* nobody leads */
		LINE(425, work, OF_B, .epoch = 9),
	};
	struct verify_report r;

	(void)state;
	assert_true(judge(fine, COUNT_OF(fine), &r));
	assert_int_equal(r.lived, 3);
	verify_release(&r);
	EXPECT_ONLY(C1, "the program of a (epoch 7) lived 5.000 ms after the gate of b", LINE(425, work, OF_A, .epoch = 7));
	/* That its member was stopped is no excuse. */
	EXPECT_ONLY(C1, "lived 5.000 ms after", LINE(205, inject, .what = "stop", .nonce = A), LINE(425, work, OF_A, .epoch = 7),
	    LINE(470, heal, .what = "stop", .nonce = A));
}

static void
a_program_may_live_for_a_moment_when_it_thaws(void **state)
{
	static const struct history_line thawed[] = {
		LINE(205, inject, .what = "freeze", .nonce = A), LINE(470, heal, .what = "freeze", .nonce = A),
		LINE(471, work, OF_A, .epoch = 7),
	};
	struct verify_report r;

	(void)state;
	assert_true(judge(thawed, COUNT_OF(thawed), &r));
	verify_release(&r);
	EXPECT_ONLY(C1, "lived", LINE(205, inject, .what = "freeze", .nonce = A), LINE(470, heal, .what = "freeze", .nonce = A),
	    LINE(600, extend, OF_B, UNTIL(2000)), LINE(640, extend, OF_B, UNTIL(2000)), LINE(660, extend, OF_B, UNTIL(2000)),
	    LINE(1500, work, OF_A, .epoch = 7));
}

static void
a_gate_told_late_proves_nothing(void **state)
{
	static const struct history_line late[] = { LINE(440, extend, OF_A, UNTIL(360)), LINE(441, open, OF_A, .epoch = 8, UNTIL(370)) };
	struct verify_report r;

	(void)state;
	assert_true(judge(late, 2, &r));
	verify_release(&r);
}

static void
two_epochs_served_at_once(void **state)
{
	(void)state;
	EXPECT_ONLY(C2, "served at once", LINE(425, serve_begin, OF_A, .req = 3, .epoch = 7),
	    LINE(435, serve_end, OF_A, .req = 3, .epoch = 7));
	EXPECT_ONLY(C2, "though it knew of epoch 9", LINE(512, invoke, OF_P, STORES, .req = 7),
	    LINE(515, ok, OF_P, .req = 7, .epoch = 7, .count = 9),
	    LINE(600, effect, .seq = 1, .epoch = 7, .req = 7));
}

static void
a_stopped_process_may_end_what_it_began(void **state)
{
	static const struct history_line frozen[] = {
		LINE(202, serve_begin, OF_A, .req = 3, .epoch = 7),
		LINE(205, inject, .what = "stop", .nonce = A),
		LINE(470, heal, .what = "stop", .nonce = A),
		LINE(471, serve_end, OF_A, .req = 3, .epoch = 7),
	};
	struct verify_report r;

	(void)state;
	assert_true(judge(frozen, COUNT_OF(frozen), &r));
	verify_release(&r);
}

static void
effects_out_of_order_doubled_missing_or_of_failures(void **state)
{
	(void)state;
	EXPECT_ONLY(C3, "the one before it", LINE(600, effect, .seq = 4, .epoch = 7, .req = 3));
	EXPECT_ONLY(C3, "2 effects", LINE(600, effect, .seq = 4, .epoch = 9, .req = 5));
	EXPECT_ONLY(C3, "fail and has 1 effects", LINE(600, effect, .seq = 4, .epoch = 9, .req = 2));
	EXPECT_ONLY(C3, "which nobody made", LINE(600, effect, .seq = 4, .epoch = 9, .req = 77));
	EXPECT_ONLY(C3, "ok and has 0 effects", LINE(512, invoke, OF_P, STORES, .req = 7),
	    LINE(515, ok, OF_P, .req = 7, .epoch = 9, .count = 9));
}

static void
an_unknown_call_may_have_one_effect(void **state)
{
	static const struct history_line one[] = { LINE(600, effect, .seq = 4, .epoch = 9, .req = 3) };
	struct verify_report r;

	(void)state;
	assert_true(judge(one, 1, &r));
	verify_release(&r);
}

static void
epochs_that_go_back_or_belong_to_two(void **state)
{
	(void)state;
	EXPECT_ONLY(C4, "after b had opened with 9", LINE(710, inject, .what = "kill"),
	    LINE(720, open, OF_A, .epoch = 8, UNTIL(800)));
	EXPECT_ONLY(C4, "belongs to b and to a", LINE(710, inject, .what = "kill"),
	    LINE(720, open, OF_A, .epoch = 9, UNTIL(800)));
	EXPECT_ONLY(C4, "opened with epoch 9 after b had opened with 9", LINE(710, inject, .what = "kill"),
	    LINE(720, open, OF_B, .epoch = 9, UNTIL(800)));
}

static void
a_counter_that_repeats_or_goes_back(void **state)
{
	(void)state;
	EXPECT_ONLY(C5, "both got 3", LINE(512, invoke, OF_P, STORES, .req = 7),
	    LINE(515, ok, OF_P, .req = 7, .epoch = 9, .count = 3), LINE(600, effect, .seq = 4, .epoch = 9, .req = 7));
	EXPECT_ONLY(C5, "ended before call 8 began", LINE(512, invoke, OF_P, STORES, .req = 7),
	    LINE(515, ok, OF_P, .req = 7, .epoch = 9, .count = 9), LINE(600, effect, .seq = 4, .epoch = 9, .req = 7),
	    LINE(516, invoke, OF_P, STORES, .req = 8),
	    LINE(517, ok, OF_P, .req = 8, .epoch = 9, .count = 8), LINE(600, effect, .seq = 5, .epoch = 9, .req = 8));
}

static void
concurrent_calls_may_count_in_any_order(void **state)
{
	static const struct history_line both[] = {
		LINE(512, invoke, OF_P, STORES, .req = 7), LINE(512, invoke, OF_P, STORES, .req = 8),
		LINE(515, ok, OF_P, .req = 7, .epoch = 9, .count = 9), LINE(516, ok, OF_P, .req = 8, .epoch = 9, .count = 8),
		LINE(600, effect, .seq = 4, .epoch = 9, .req = 7), LINE(600, effect, .seq = 5, .epoch = 9, .req = 8),
	};
	struct verify_report r;

	(void)state;
	assert_true(judge(both, COUNT_OF(both), &r));
	verify_release(&r);
}

static void
a_leader_without_a_fault(void **state)
{
	(void)state;
	EXPECT_ONLY(C6, "without a fault", LINE(710, open, OF_A, .epoch = 11, UNTIL(800)));
	EXPECT_ONLY(C6, "without a fault", LINE(710, inject, .what = "spare:nats"), LINE(720, open, OF_A, .epoch = 11, UNTIL(800)));
}

static void
nobody_serves_after_all_is_healed(void **state)
{
	(void)state;
	EXPECT_ONLY(C7, "nobody served for", LINE(710, inject, .what = "cut"), LINE(720, heal, .what = "cut"),
	    LINE(950, invoke, OF_P, STORES, .req = 9), LINE(960, fail, OF_P, .req = 9));
}

/* --- files -------------------------------------------------------------------------------- */

static void
lines_go_into_a_file_and_back(void **state)
{
	char path[] = "/tmp/t_history.XXXXXX";
	struct history h;
	int tmp = mkstemp(path);

	(void)state;
	assert_true(tmp >= 0);
	close(tmp);
	int fd = history_create(path, &err), again = history_create(path, &err);
	assert_true(fd >= 0 && again >= 0);
	/* Two writers, in no order of time. */
	for (size_t i = COUNT_OF(good); i-- > 0;)
		history_write(i % 2 == 0 ? fd : again, &good[i]);
	close(fd);
	close(again);
	expect_ok(history_read(path, &h, &err), &err);
	assert_int_equal(h.n, COUNT_OF(good));
	for (size_t i = 0; i < h.n; i++)
		assert_true(i == 0 || h.v[i].t.ns >= h.v[i - 1].t.ns);
	assert_memory_equal(&h.v[0], &good[0], sizeof good[0]);
	history_release(&h);
	unlink(path);
}

static void
a_file_is_read_while_it_grows(void **state)
{
	char path[] = "/tmp/t_history.XXXXXX";
	struct history h;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	struct history_reader *r = history_open(path, &err);
	assert_non_null(r);
	for (size_t i = 10; i-- > 0;)
		history_write(fd, &good[i]);
	/* Half a line is none yet. */
	assert_int_equal(write(fd, "{\"t\":7000000000,", 16), 16);
	assert_true(history_waiting(r) > 0);
	expect_ok(history_take(r, good[4].t, &h, &err), &err);
	assert_int_equal(h.n, 5);
	assert_memory_equal(&h.v[0], &good[0], sizeof good[0]);
	history_release(&h);
	assert_int_equal(history_waiting(r), 16);
	assert_int_equal(write(fd, "\"ev\":\"shut\"}\n", 13), 13);
	expect_ok(history_take(r, good[6].t, &h, &err), &err);
	assert_int_equal(h.n, 2);
	assert_memory_equal(&h.v[1], &good[6], sizeof good[6]);
	history_release(&h);
	expect_ok(history_take(r, BOOT_NEVER, &h, &err), &err);
	assert_int_equal(h.n, 4);
	assert_int_equal(h.v[3].ev, HISTORY_shut);
	history_release(&h);
	history_close(r);
	close(fd);
	unlink(path);
}

static void
a_line_that_is_none_is_named(void **state)
{
	static const char *const bad[] = { "{\"t\":1,\"ev\":\"open\"", "{\"t\":1}", "{\"t\":1,\"ev\":\"party\"}", "{\"ev\":\"ok\"}",
		"{\"t\":1,\"ev\":\"ok\",\"epoch\":-1}", "{\"t\":1,\"ev\":\"ok\",\"nonce\":\"0123456789012345678901234567890123\"}" };
	char path[] = "/tmp/t_history.XXXXXX";
	struct history h;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		FILE *f = fopen(path, "w");
		fprintf(f, "{\"t\":1,\"ev\":\"shut\"}\n%s\n", bad[i]);
		fclose(f);
		assert_int_equal(history_read(path, &h, &err), ERR_SYNTAX);
		assert_non_null(strstr(err.text, ":2: "));
		assert_int_equal(h.n, 0);
	}
	unlink(path);
	assert_int_equal(history_read(path, &h, &err), ERR_NOT_FOUND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_history_passes),
		cmocka_unit_test(an_outage_is_the_longest_silence_around_a_fault),
		cmocka_unit_test(nothing_after_a_fault_is_no_outage_of_zero),
		cmocka_unit_test(two_open_gates),
		cmocka_unit_test(a_program_that_outlives_its_lease),
		cmocka_unit_test(a_program_may_live_for_a_moment_when_it_thaws),
		cmocka_unit_test(a_gate_told_late_proves_nothing),
		cmocka_unit_test(two_epochs_served_at_once),
		cmocka_unit_test(a_stopped_process_may_end_what_it_began),
		cmocka_unit_test(effects_out_of_order_doubled_missing_or_of_failures),
		cmocka_unit_test(an_unknown_call_may_have_one_effect),
		cmocka_unit_test(epochs_that_go_back_or_belong_to_two),
		cmocka_unit_test(a_counter_that_repeats_or_goes_back),
		cmocka_unit_test(concurrent_calls_may_count_in_any_order),
		cmocka_unit_test(a_leader_without_a_fault),
		cmocka_unit_test(nobody_serves_after_all_is_healed),
		cmocka_unit_test(lines_go_into_a_file_and_back),
		cmocka_unit_test(a_file_is_read_while_it_grows),
		cmocka_unit_test(a_line_that_is_none_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
