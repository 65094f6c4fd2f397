/* t_mailbox - order, bound, vital mails, the descriptor, many posters at once. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>

#include "base/magic.h"
#include "sys/mailbox.h"

struct note {
	struct mail mail;
	int number;
};

static int got[16];
static size_t ngot, ndiscarded;

static void
deliver(struct mail *m)
{
	got[ngot++ % COUNT_OF(got)] = CONTAINER_OF(m, struct note, mail)->number;
}

static void
discard(struct mail *m)
{
	(void)m;
	ndiscarded++;
}

static struct note
note(int number, bool vital)
{
	return (struct note){ { .deliver = deliver, .discard = discard, .vital = vital }, number };
}

static int
set_up(void **state)
{
	ngot = ndiscarded = 0;
	*state = mailbox_new(3, NULL);
	return *state == NULL;
}

static bool
is_readable(const struct mailbox *b)
{
	struct pollfd p = { .fd = mailbox_fd(b), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void
delivers_in_order_and_at_most_what_was_asked(void **state)
{
	struct mailbox *b = *state;
	struct note n[3] = { note(1, false), note(2, false), note(3, false) };

	for (size_t i = 0; i < 3; i++)
		assert_int_equal(mailbox_post(b, &n[i].mail), ERR_OK);
	assert_int_equal(mailbox_depth(b), 3);
	mailbox_deliver(b, 2);
	assert_int_equal(ngot, 2);
	assert_int_equal(got[0], 1);
	assert_int_equal(got[1], 2);
	assert_int_equal(mailbox_depth(b), 1);
	mailbox_deliver(b, 2);
	assert_int_equal(ngot, 3);
	assert_int_equal(got[2], 3);
	mailbox_free(b);
	assert_int_equal(ndiscarded, 0);
}

static void
the_descriptor_tells_whether_mails_wait(void **state)
{
	struct mailbox *b = *state;
	struct note n[2] = { note(1, false), note(2, false) };

	assert_false(is_readable(b));
	mailbox_deliver(b, 8);		/* nothing there: fine */
	assert_int_equal(mailbox_post(b, &n[0].mail), ERR_OK);
	assert_int_equal(mailbox_post(b, &n[1].mail), ERR_OK);
	assert_true(is_readable(b));
	mailbox_deliver(b, 1);
	assert_true(is_readable(b));
	mailbox_deliver(b, 1);
	assert_false(is_readable(b));
	assert_int_equal(mailbox_post(b, &n[0].mail), ERR_OK);
	assert_true(is_readable(b));
	mailbox_deliver(b, 0);		/* takes nothing, silences nothing */
	assert_true(is_readable(b));
	mailbox_free(b);
	assert_int_equal(ndiscarded, 1);
}

static void
refuses_when_full_but_not_vital_mails(void **state)
{
	struct mailbox *b = *state;
	struct note n[4] = { note(1, false), note(2, false), note(3, false), note(4, false) };
	struct note v = note(5, true);

	for (size_t i = 0; i < 3; i++)
		assert_int_equal(mailbox_post(b, &n[i].mail), ERR_OK);
	assert_int_equal(mailbox_post(b, &n[3].mail), ERR_BUSY);
	assert_int_equal(mailbox_post(b, &n[3].mail), ERR_BUSY);
	assert_int_equal(mailbox_refused(b), 2);
	assert_int_equal(mailbox_post(b, &v.mail), ERR_OK);
	assert_int_equal(mailbox_depth(b), 4);
	mailbox_deliver(b, 2);
	assert_int_equal(mailbox_post(b, &n[3].mail), ERR_OK);
	mailbox_deliver(b, 8);
	assert_int_equal(ngot, 5);
	assert_int_equal(got[3], 5);
	assert_int_equal(got[4], 4);
	mailbox_free(b);
}

static struct mailbox *again_box;
static struct note again_note;

static void
post_again(struct mail *m)
{
	(void)m;
	ndiscarded++;
	assert_int_equal(mailbox_post(again_box, &again_note.mail), ERR_OK);
}

static void
free_discards_also_what_discarding_posts(void **state)
{
	struct note first = note(1, false), silent = note(2, false);

	again_box = *state;
	again_note = note(3, false);
	first.mail.discard = post_again;
	silent.mail.discard = NULL;
	assert_int_equal(mailbox_post(again_box, &first.mail), ERR_OK);
	assert_int_equal(mailbox_post(again_box, &silent.mail), ERR_OK);
	mailbox_free(again_box);
	assert_int_equal(ndiscarded, 2);
	assert_int_equal(ngot, 0);
	mailbox_free(NULL);
}

/* take_other: a mail whose delivery takes back one that was taken out with it. */
static struct mailbox *of_taker;
static struct mail *taken;

static void
take_other(struct mail *m)
{
	(void)m;
	assert_true(mailbox_take(of_taker, taken));
}

static void
takes_back_what_was_not_delivered(void **state)
{
	struct mailbox *b = *state;
	struct note n[3] = { note(1, false), note(2, false), note(3, false) }, late = note(4, false);

	for (size_t i = 0; i < 3; i++)
		assert_int_equal(mailbox_post(b, &n[i].mail), ERR_OK);
	assert_true(mailbox_take(b, &n[1].mail));
	assert_false(mailbox_take(b, &n[1].mail));
	assert_int_equal(mailbox_depth(b), 2);
	assert_true(mailbox_take(b, &n[2].mail));	/* the last: the next goes behind the first */
	assert_int_equal(mailbox_post(b, &late.mail), ERR_OK);
	mailbox_deliver(b, 8);
	assert_int_equal(ngot, 2);
	assert_int_equal(got[0], 1);
	assert_int_equal(got[1], 4);

	assert_int_equal(mailbox_post(b, &late.mail), ERR_OK);
	assert_true(mailbox_take(b, &late.mail));	/* the only one: nothing is to be read */
	assert_false(is_readable(b));
	n[0].mail.deliver = take_other;
	of_taker = b;
	taken = &n[1].mail;
	assert_int_equal(mailbox_post(b, &n[0].mail), ERR_OK);
	assert_int_equal(mailbox_post(b, &n[1].mail), ERR_OK);
	mailbox_deliver(b, 8);
	assert_int_equal(ngot, 2);
	mailbox_free(b);
	assert_int_equal(ndiscarded, 0);
}

static void
ignore(struct mail *m)
{
	(void)m;
}

static void
discards_one_kind_and_keeps_the_others_in_order(void **state)
{
	struct mailbox *b = *state;
	struct note n[3] = { note(1, false), note(2, false), note(3, false) }, late = note(4, false);

	n[0].mail.deliver = n[2].mail.deliver = ignore;
	for (size_t i = 0; i < COUNT_OF(n); i++)
		assert_int_equal(mailbox_post(b, &n[i].mail), ERR_OK);
	mailbox_discard(b, ignore);
	assert_int_equal(ndiscarded, 2);
	assert_int_equal(mailbox_depth(b), 1);
	assert_int_equal(mailbox_post(b, &late.mail), ERR_OK);	/* behind the second, not the third */
	mailbox_deliver(b, 8);
	assert_int_equal(ngot, 2);
	assert_int_equal(got[0], 2);
	assert_int_equal(got[1], 4);
	assert_int_equal(mailbox_post(b, &n[0].mail), ERR_OK);
	mailbox_discard(b, ignore);	/* the only one: nothing is to be read */
	assert_false(is_readable(b));
	assert_int_equal(ndiscarded, 3);
	mailbox_free(b);
	assert_int_equal(ndiscarded, 3);
}

static void
says_when_descriptors_are_used_up(void **state)
{
	struct rlimit was, none;
	struct err err = { 0 };

	mailbox_free(*state);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	struct mailbox *b = mailbox_new(1, &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_null(b);
	assert_int_equal(err.code, ERR_SYSTEM);
	assert_string_equal(err.text, "mailbox: no eventfd: Too many open files");
}

/* Four posters against one reader that sleeps in poll: a lost wake-up would hang it. */
#define POSTERS 4
#define PER_POSTER 20000

struct numbered {
	struct mail mail;
	int poster, number;
};

static struct numbered sent[POSTERS][PER_POSTER];
static int last[POSTERS];
static size_t ntaken, nwrong;

static void
check_order(struct mail *m)
{
	struct numbered *n = CONTAINER_OF(m, struct numbered, mail);

	if (n->number != last[n->poster] + 1)
		nwrong++;
	last[n->poster] = n->number;
	ntaken++;
}

static struct mailbox *crowd_box;

static void *
poster(void *arg)
{
	struct numbered *mine = arg;

	for (int i = 0; i < PER_POSTER; i++)
		while (mailbox_post(crowd_box, &mine[i].mail) != ERR_OK)
			sched_yield();
	return NULL;
}

static void
loses_no_mail_and_no_wake_up_among_many_posters(void **state)
{
	pthread_t t[POSTERS];

	mailbox_free(*state);
	crowd_box = mailbox_new(64, NULL);
	for (int p = 0; p < POSTERS; p++) {
		for (int i = 0; i < PER_POSTER; i++)
			sent[p][i] = (struct numbered){ { .deliver = check_order }, p, i + 1 };
		assert_int_equal(pthread_create(&t[p], NULL, poster, sent[p]), 0);
	}
	while (ntaken < POSTERS * PER_POSTER) {
		struct pollfd f = { .fd = mailbox_fd(crowd_box), .events = POLLIN };
		assert_int_equal(poll(&f, 1, 20000), 1);
		assert_true(mailbox_depth(crowd_box) <= 64);
		mailbox_deliver(crowd_box, 16);
	}
	for (int p = 0; p < POSTERS; p++)
		pthread_join(t[p], NULL);
	assert_int_equal(nwrong, 0);
	assert_int_equal(mailbox_depth(crowd_box), 0);
	assert_false(is_readable(crowd_box));
	mailbox_free(crowd_box);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(delivers_in_order_and_at_most_what_was_asked, set_up),
		cmocka_unit_test_setup(the_descriptor_tells_whether_mails_wait, set_up),
		cmocka_unit_test_setup(refuses_when_full_but_not_vital_mails, set_up),
		cmocka_unit_test_setup(takes_back_what_was_not_delivered, set_up),
		cmocka_unit_test_setup(discards_one_kind_and_keeps_the_others_in_order, set_up),
		cmocka_unit_test_setup(free_discards_also_what_discarding_posts, set_up),
		cmocka_unit_test_setup(says_when_descriptors_are_used_up, set_up),
		cmocka_unit_test_setup(loses_no_mail_and_no_wake_up_among_many_posters, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
