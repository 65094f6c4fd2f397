/* exclusive_pause.c - bars the gate after the process stood still, until it is known what is old.
 *
 * What was received before a flush round trip that began after the pause may have waited in the
 * socket meanwhile: its sender may long have turned to another leader (election.md §6). */
#include "messaging/exclusive_inner.h"

#include "base/log.h"
#include "base/magic.h"

#define FLUSH_NS (2 * NS_PER_S)

static void
work_flush(struct pool_job *job)
{
	struct exclusive *x = CONTAINER_OF(job, struct exclusive, flush);

	x->flushed = conn_flush(x->o.conn, FLUSH_NS, NULL) == ERR_OK;
}

static void
begin_flush(struct exclusive *x)
{
	x->again = false;
	x->flushed = false;
	x->flushing = pool_run(x->o.pool, &x->flush) == ERR_OK;
	x->again = !x->flushing;		/* the next beat tries again */
}

static void
flush_done(struct pool_job *job)
{
	struct exclusive *x = CONTAINER_OF(job, struct exclusive, flush);

	x->flushing = false;
	if (!x->flushed)
		x->again = true;
	else if (!x->again)
		gate_bar(x->o.gate, GATE_BAR_PAUSE, false);
}

static void
on_pulse(void *arg)
{
	struct exclusive *x = arg;
	struct boot now = clock_boot(loop_clock(x->o.loop));
	int64_t gap = now.ns - x->beat.ns;

	x->beat = now;
	if (gap > x->pause_ns) {
		gate_bar(x->o.gate, GATE_BAR_PAUSE, true);
		atomic_fetch_add(&x->counters.pauses, 1);
		log_warning(EV_ELECTION_PAUSE, LOG_F(LOG_N("ms", gap / NS_PER_MS)),
		    "this process stood still for %lld ms; exclusive calls that waited meanwhile are refused",
		    (long long)(gap / NS_PER_MS));
		x->again = true;
	}
	if (x->again && !x->flushing)
		begin_flush(x);
	loop_timer_set(x->o.loop, &x->pulse, mono_after(exclusive_now(x), x->pause_ns / 4), on_pulse, x);
}

void
exclusive_pause_after(struct exclusive *x, int64_t ns)
{
	x->pause_ns = ns;
	x->beat = clock_boot(loop_clock(x->o.loop));
	loop_timer_cancel(x->o.loop, &x->pulse);
	if (ns > 0)
		loop_timer_set(x->o.loop, &x->pulse, mono_after(exclusive_now(x), ns / 4), on_pulse, x);
}

void
exclusive_pause_init(struct exclusive *x)
{
	x->flush = (struct pool_job){ .work = work_flush, .done = flush_done };
}
