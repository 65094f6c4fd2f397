/* runner_ready.c - is the program ready, and is it well?  Probes, the readiness descriptor and
 * the notification socket, each turned into an event of the machine. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/magic.h"
#include "runner/runner_inner.h"

#define READY_FIRST_NS (20 * NS_PER_MS)		/* readiness is asked often at first … */
#define READY_LONGEST_NS (1 * NS_PER_S)		/* … and a slow starter not forgotten */

void
runner_probe_stop(struct runner *r)
{
	loop_timer_cancel(r->loop, &r->ready_timer);
	loop_timer_cancel(r->loop, &r->health_timer);
	if (r->ready != NULL)
		probe_cancel(r->ready);
	if (r->health != NULL)
		probe_cancel(r->health);
}

void
runner_ready_close(struct runner *r)
{
	loop_fd_del(r->ready_lf);
	r->ready_lf = NULL;
	if (r->ready_fd != -1)
		close(r->ready_fd);
	r->ready_fd = -1;
}

static void
ask_ready(void *arg)
{
	struct runner *r = arg;

	MAGIC_CHECK(r, RUNNER_MAGIC);
	r->probes += probe_run(r->ready, r->o.env);
}

void
runner_ready_probed(void *arg, bool is_good, const char *why)
{
	struct runner *r = arg;

	MAGIC_CHECK(r, RUNNER_MAGIC);
	if (is_good) {
		runner_event(r, SUPERVISOR_EV_MADE_READY, why);
		return;
	}
	/* A program that is not there yet is no failure, so it is not counted as one. */
	loop_timer_set(r->loop, &r->ready_timer, mono_after(loop_now(r->loop), r->ready_wait_ns), ask_ready, r);
	if ((r->ready_wait_ns *= 2) > READY_LONGEST_NS)
		r->ready_wait_ns = READY_LONGEST_NS;
}

void
runner_ready_heard(void *arg, unsigned got)
{
	struct runner *r = arg;
	char buf[64];
	ssize_t n;

	(void)got;
	MAGIC_CHECK(r, RUNNER_MAGIC);
	n = read(r->ready_fd, buf, sizeof buf);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		log_warning(EV_RUNNER_CHILD_READY, LOG_F(LOG_S("workload", r->o.name)),
		    "%s closed descriptor %d without having written a line: it will not become ready", r->o.name,
		    r->o.ready.fd);
		runner_ready_close(r);
	} else if (memchr(buf, '\n', (size_t)n) != NULL) {
		runner_ready_close(r);
		runner_event(r, SUPERVISOR_EV_MADE_READY, "it wrote a line to its readiness descriptor");
	}
}

void
runner_ready_notified(void *arg, const struct notify_news *n)
{
	struct runner *r = arg;

	MAGIC_CHECK(r, RUNNER_MAGIC);
	if (n->status != NULL)
		snprintf(r->status_text, sizeof r->status_text, "%s", n->status);
	/* Beside another kind of readiness the socket only carries STATUS= and goes upward. */
	if (n->is_ready && r->o.ready.kind == RUNNER_PROBE_NOTIFY)
		runner_event(r, SUPERVISOR_EV_MADE_READY, "it sent READY=1");
}

/* runner_ready_begin: the program runs; when is it ready?  ready_wait_ns is at its start here. */
void
runner_ready_begin(struct runner *r)
{
	r->ready_wait_ns = READY_FIRST_NS;
	if (r->ready != NULL)
		ask_ready(r);
	else if (r->o.ready.kind == RUNNER_PROBE_NONE)
		runner_event(r, SUPERVISOR_EV_MADE_READY, "it runs");
}

static void
ask_health(void *arg)
{
	struct runner *r = arg;

	MAGIC_CHECK(r, RUNNER_MAGIC);
	loop_timer_set(r->loop, &r->health_timer, mono_after(loop_now(r->loop), r->o.probe_interval_ns),
	    ask_health, r);
	r->probes += probe_run(r->health, r->o.env);
}

void
runner_health_probed(void *arg, bool is_good, const char *why)
{
	struct runner *r = arg;
	char text[WHY_MAX];

	MAGIC_CHECK(r, RUNNER_MAGIC);
	if (!is_good) {
		r->probe_failures++;
		workload_yield(r->workload);
	}
	switch (health_note(&r->verdict, is_good)) {
	case HEALTH_SAME:
		return;
	case HEALTH_TURNED_BAD:
		snprintf(text, sizeof text, "%u health checks in a row failed, the last: %.150s", r->o.failures, why);
		runner_event(r, SUPERVISOR_EV_TURNED_BAD, text);
		return;
	case HEALTH_TURNED_GOOD:
		snprintf(text, sizeof text, "%u health checks in a row succeeded", r->o.successes);
		runner_event(r, SUPERVISOR_EV_TURNED_GOOD, text);
		return;
	}
}

void
runner_health_begin(struct runner *r)
{
	if (r->health == NULL || loop_timer_pending(&r->health_timer))
		return;
	health_init(&r->verdict, r->o.failures, r->o.successes);
	loop_timer_set(r->loop, &r->health_timer, mono_after(loop_now(r->loop), r->o.probe_interval_ns),
	    ask_health, r);
}
