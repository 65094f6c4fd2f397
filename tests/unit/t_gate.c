/* t_gate - the word, the order of a look (R4), and the way of a call past it. */
#include "expect.h"

#include "base/magic.h"
#include "sys/gate.h"

#define AT(ms_) ((struct boot){ (ms_) * NS_PER_MS })

/* A clock that can be made to do something while it is read: a pause in the middle of a look. */
struct sly {
	struct clock clock;
	struct boot now;
	gate_word *word;
	uint64_t replace;	/* 0: leave the word alone */
	struct boot pause_to;	/* 0: no pause */
};

static struct boot
sly_boot(const struct clock *c)
{
	struct sly *s = CONTAINER_OF((struct clock *)c, struct sly, clock);

	if (s->replace != 0)
		atomic_store(s->word, s->replace);
	if (s->pause_to.ns != 0)
		s->now = s->pause_to;
	return s->now;
}

static gate_word word;
static struct sly sly;
static struct gate gate;

static void
fresh(void)
{
	sly = (struct sly){ .clock = { .boot = sly_boot }, .now = AT(1000), .word = &word };
	gate_init(&gate, &word, &sly.clock);
}

static void
packing(void **state)
{
	(void)state;
	uint64_t bits = gate_pack((struct boot){ 5 * NS_PER_S + 1999 }, 0x5fed);
	assert_int_equal(bits, (uint64_t)5000001 << 12 | 0xfed);
	assert_int_equal(gate_until(bits).ns, 5 * NS_PER_S + 1000);
	assert_int_equal(gate_pack(BOOT_LONG_AGO, 7), 0);
	assert_int_equal(gate_pack((struct boot){ 999 }, 7), 0);
	assert_true(gate_open_at(bits, (struct boot){ 5 * NS_PER_S + 999 }));
	assert_false(gate_open_at(bits, (struct boot){ 5 * NS_PER_S + 1000 }));
	assert_false(gate_open_at(0, (struct boot){ 0 }));
}

static void
closes_by_itself(void **state)
{
	(void)state;
	fresh();
	assert_int_equal(gate_look(&word, &sly.clock), 0);
	gate_set(&gate, AT(1100), 3);
	assert_int_equal(gate_look(&word, &sly.clock), gate_pack(AT(1100), 3));
	sly.now = AT(1100);
	assert_int_equal(gate_look(&word, &sly.clock), 0);
}

static void
word_before_clock(void **state)
{
	(void)state;
	fresh();
	gate_set(&gate, AT(1100), 3);
	/* Paused between the two, for longer than the lease: shut, whatever was loaded. */
	sly.pause_to = AT(1200);
	assert_int_equal(gate_look(&word, &sly.clock), 0);
	/* The clock first would now see an open gate: a word that is set after the pause, compared
	 * with a clock of before it.  The word first does not. */
	fresh();
	gate_set(&gate, AT(900), 3);
	sly.replace = gate_pack(AT(2000), 4);
	assert_int_equal(gate_look(&word, &sly.clock), 0);
	assert_int_equal(gate_look(&word, &sly.clock), gate_pack(AT(2000), 4));
}

static void
way_of_a_call(void **state)
{
	uint64_t pass;

	(void)state;
	fresh();
	assert_int_equal(gate_enter(&gate, 0, &pass), GATE_SHUT);
	gate_set(&gate, AT(1100), 3);
	gate_set_epochs(&gate, 50, 60);
	assert_int_equal(gate_enter(&gate, 0, &pass), GATE_WAIT);
	gate_admit(&gate, true);
	assert_int_equal(gate_enter(&gate, 49, &pass), GATE_OLD);
	assert_int_equal(gate_enter(&gate, 61, &pass), GATE_OLD);
	assert_int_equal(gate_in_flight(&gate), 0);
	assert_int_equal(gate_enter(&gate, 50, &pass), GATE_OPEN);
	assert_int_equal(gate_enter(&gate, 60, &pass), GATE_OPEN);
	assert_int_equal(gate_enter(&gate, 0, &pass), GATE_OPEN);
	assert_int_equal(gate_in_flight(&gate), 3);
	assert_true(gate_still(&gate, pass));
	gate_bar(&gate, GATE_BAR_JUMP, true);
	gate_bar(&gate, GATE_BAR_PAUSE, true);
	assert_int_equal(gate_enter(&gate, 55, &pass), GATE_OLD);
	gate_bar(&gate, GATE_BAR_JUMP, false);	/* lifts its own only */
	assert_int_equal(gate_enter(&gate, 55, &pass), GATE_OLD);
	gate_bar(&gate, GATE_BAR_PAUSE, false);
	gate_set(&gate, AT(1200), 4);
	assert_false(gate_still(&gate, pass));	/* open, but another hold */
	gate_set(&gate, AT(1200), 3 + (1 << 12));
	assert_true(gate_still(&gate, pass));	/* the hold's low bits are what is compared */
	sly.now = AT(1200);
	assert_false(gate_still(&gate, pass));
	for (int i = 0; i < 3; i++)
		gate_leave(&gate);
	assert_int_equal(gate_in_flight(&gate), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packing),
		cmocka_unit_test(closes_by_itself),
		cmocka_unit_test(word_before_clock),
		cmocka_unit_test(way_of_a_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
