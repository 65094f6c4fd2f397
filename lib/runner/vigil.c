/* vigil.c - the timer, and counting the wrapper's turns.
 *
 * A wrapper is hung when several looks in a row found the same count, not when a clock says so: a
 * machine that was suspended wakes everybody at once, and that single late look proves nothing. */
#include "runner/vigil.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "sys/clock.h"

#define LOOKS 4

enum err_code
vigil_begin(struct vigil *v, const struct tether *tether, int64_t lease_ns, bool hot, int64_t hang_ns,
    struct err *err)
{
	*v = (struct vigil){ .tether = tether, .timer = -1, .hang_ns = hang_ns };
	if (tether == NULL)
		return ERR_OK;
	leash_init(&v->leash, lease_ns, hot);
	v->turns = tether_turns(tether);
	v->eases = tether_eases(tether);
	v->tick = hang_ns > 0 ? boot_after(clock_boot(clock_system()), hang_ns / LOOKS) : BOOT_NEVER;
	if ((v->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)) == -1)
		return err_errno(err, ERR_WRAPPER, errno, "cannot make the timer of the lease");
	return ERR_OK;
}

static bool
is_hung(struct vigil *v, struct boot now)
{
	uint64_t turns = tether_turns(v->tether);

	if (!boot_reached(now, v->tick))
		return false;
	v->tick = boot_after(now, v->hang_ns / LOOKS);
	v->still = turns == v->turns ? v->still + 1 : 0;
	v->turns = turns;
	return v->still == LOOKS;
}

static void
arm(const struct vigil *v, struct boot due)
{
	struct itimerspec at = { 0 };
	uint64_t expirations;

	if (read(v->timer, &expirations, sizeof expirations) == -1 && errno != EAGAIN)
		return;
	due = clock_machine_boot(due);
	if (due.ns != BOOT_NEVER.ns) {
		int64_t ns = due.ns > 0 ? due.ns : 1;	/* zero would disarm it */
		at.it_value = (struct timespec){ .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
	}
	timerfd_settime(v->timer, TFD_TIMER_ABSTIME, &at, NULL);
}

unsigned
vigil_look(struct vigil *v)
{
	struct boot due;
	unsigned found = 0;

	if (v->tether == NULL)
		return 0;
	/* The word before the clock. */
	uint64_t bits = tether_bits(v->tether), eases = tether_eases(v->tether);
	struct boot now = clock_boot(clock_system());

	/* The word may be that of the next hold already: the one before it ended well. */
	if (eases != v->eases)
		leash_ease(&v->leash);
	v->eases = eases;
	struct boot until = bits != 0 ? gate_until(bits) : BOOT_LONG_AGO;
	enum leash_deed deed = leash_look(&v->leash, until, gate_hold(bits), now, &due);

	if (deed != LEASH_NOTHING)
		found |= deed == LEASH_KILL ? VIGIL_KILL : VIGIL_WARN;
	if (is_hung(v, now))
		found |= VIGIL_HUNG;
	arm(v, boot_min(due, v->tick));
	return found;
}
