/* t_prober - what a prober takes for a second active member, and what not: members that this test plays, on a
 * real server. */
#include "expect.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "bench/drill.h"
#include "bench/prober.h"
#include "bus.h"
#include "nats/conn.h"
#include "sys/thread.h"

enum play {
	ONE,			/* the leader of epoch 9 answers */
	LATE,			/* ... and the one of 7 too, with what it served before the first of 9 */
	OLD_AFTER_NEW,		/* ... with what it served just after */
	TWICE,
	SAME_NUMBER,
};

static struct conn *conn;
static struct err err;
static atomic_int play;
static _Atomic uint64_t calls, count;
static _Atomic int64_t began;		/* when the first of epoch 9 was served */

static void
answer(struct msg *m, uint64_t req, uint64_t epoch, int64_t at, uint64_t number)
{
	struct drill_answer a = { .req = req, .epoch = epoch, .count = number, .at = at };

	memset(a.nonce, epoch == 9 ? 'b' : 'a', sizeof a.nonce - 1);
	conn_publish(conn, &(struct conn_msg){ .subject = msg_reply(m), .data = &a, .n = sizeof a, .urgent = true }, NULL);
}

static void
on_call(void *arg, struct msg *m)
{
	int64_t now = clock_boot(clock_system()).ns, none = 0;
	struct drill_call call;

	(void)arg;
	memcpy(&call, msg_data(m), sizeof call);
	atomic_compare_exchange_strong(&began, &none, now);
	int what = atomic_load(&play);
	uint64_t number = what == SAME_NUMBER ? atomic_load(&count) : atomic_fetch_add(&count, 1) + 1;
	answer(m, call.req, 9, now, number);
	if (what == LATE)
		answer(m, call.req, 7, atomic_load(&began) - 1, number);
	else if (what == OLD_AFTER_NEW)
		answer(m, call.req, 7, now + 1, number);
	else if (what == TWICE)
		answer(m, call.req, 9, now, number);
	atomic_fetch_add(&calls, 1);
	msg_free(m);
}

/* see: what a prober makes of members that answer so: after `at_least` good answers, or once it has found something. */
static struct prober_view
see(enum play what, unsigned at_least)
{
	char *servers[] = { (char *)(uintptr_t)bus_url(&bus) };

	atomic_store(&play, what);
	atomic_store(&began, 0);
	atomic_store(&count, 1);
	struct prober *p = prober_new(&(struct prober_opts){ .servers = servers, .paths = 1, .period_ns = 2 * NS_PER_MS, .history = -1 },
	    &err);
	assert_non_null(p);
	uint64_t before = atomic_load(&calls);
	WAIT_FOR(atomic_load(&calls) >= before + 50);
	WAIT_FOR(at_least > 0 ? prober_look(p).ok >= at_least : prober_look(p).overlap > 0);
	struct prober_view v = prober_look(p);
	prober_free(p);
	return v;
}

static void
a_late_answer_is_no_second_leader(void **state)
{
	struct prober_view v = see(ONE, 40);

	(void)state;
	assert_int_equal(v.overlap, 0);
	assert_int_equal(v.epoch, 9);
	v = see(LATE, 40);
	assert_int_equal(v.overlap, 0);
	assert_string_equal(v.first, "");
}

static void
an_older_epoch_after_a_newer_one_is(void **state)
{
	struct prober_view v = see(OLD_AFTER_NEW, 0);

	(void)state;
	assert_true(v.overlap > 0);
	assert_non_null(strstr(v.first, "although a newer epoch had been"));
	assert_non_null(strstr(v.first, "aaaaaaaa"));
}

static void
two_answers_of_one_and_numbers_given_twice_are(void **state)
{
	struct prober_view v = see(TWICE, 0);

	(void)state;
	assert_true(v.overlap > 0);
	assert_non_null(strstr(v.first, "was answered twice"));
	v = see(SAME_NUMBER, 0);
	assert_true(v.overlap > 0);
	assert_non_null(strstr(v.first, "a number that was there before"));
}

static int
open_all(void **state)
{
	(void)state;
	assert_true(bus_start(&bus));
	assert_non_null(conn = conn_new(&(struct conn_opts){ .servers = bus_url(&bus), .name = "members", .timeout_ns = 5 * NS_PER_S },
	    &err));
	struct sub *s = sub_new(&(struct sub_opts){ .conn = conn, .subject = DRILL_CALL, .handler = on_call }, &err);
	assert_non_null(s);
	*state = s;
	return conn_flush(conn, WAIT_NS, &err) == ERR_OK ? 0 : -1;
}

static int
close_all(void **state)
{
	sub_free(*state);
	conn_free(conn);
	bus_end(&bus);
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_late_answer_is_no_second_leader), cmocka_unit_test(an_older_epoch_after_a_newer_one_is),
		cmocka_unit_test(two_answers_of_one_and_numbers_given_twice_are),
	};

	BUS_SHIM(argc, argv);
	int failed = cmocka_run_group_tests(tests, open_all, close_all);
	conn_library_close();
	return failed;
}
