/* drill_work.c - a guardian per run, as the runner would have it, less all that a real program wants. */
#include "app/drill_work.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "bench/drill.h"
#include "bench/history.h"
#include "runner/guardian.h"
#include "runner/tether.h"
#include "sys/child.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define BEAT_NS (2 * NS_PER_MS)

struct drill_work {
	struct drill_work_opts o;
	struct tether *tether;
	struct guardian *guardian;	/* NULL: nothing runs */
	pid_t pid;
};

/* Words behind DRILL_VERB and DRILL_WORK_WORD. */
enum { WORK_ID, WORK_NONCE, WORK_EPOCH, WORK_HISTORY, WORK_WORDS };

_Noreturn void
drill_work_main(int argc, char **argv)
{
	char **word = argv + 3;
	struct history_line l = { .ev = HISTORY_work };
	struct err err;
	int fd = -1;

	if (argc != 3 + WORK_WORDS || !num_uint(word[WORK_EPOCH], &l.epoch))
		_exit(err_exit(ERR_WRAPPER));
	snprintf(l.src, sizeof l.src, "%s", word[WORK_ID]);
	snprintf(l.nonce, sizeof l.nonce, "%s", word[WORK_NONCE]);
	snprintf(l.gid, sizeof l.gid, "%s", DRILL_GROUP);
	if (strcmp(word[WORK_HISTORY], "-") != 0 && (fd = history_create(word[WORK_HISTORY], &err)) < 0)
		_exit(err_exit(err.code));
	for (;;) {
		/* The time is read last: whoever is frozen in between writes of a life that it had. */
		l.t = clock_machine_boot(clock_boot(clock_system()));
		history_write(fd, &l);
		thread_pause(fd < 0 ? NS_PER_S : BEAT_NS);
	}
}

static void
over(struct drill_work *w)
{
	guardian_free(w->guardian);
	w->guardian = NULL;
	w->pid = 0;
	w->o.gone(w->o.arg);
}

static void
on_guardian(void *arg, const struct guardian_event *e)
{
	struct drill_work *w = arg;

	switch (e->kind) {
	case GUARDIAN_STARTED:
		w->pid = e->pid;
		break;
	case GUARDIAN_EXITED:
		w->pid = 0;
		break;
	case GUARDIAN_LAPSED:
		w->o.lapsed(w->o.arg);
		break;
	case GUARDIAN_FAILED:
		fprintf(stderr, "drill %s: its program cannot be started: %s\n", w->o.id, e->text);
		over(w);
		break;
	case GUARDIAN_EMPTY:
	case GUARDIAN_LOST:
		over(w);
		break;
	}
}

void
drill_work_start(struct drill_work *w, const char *nonce, uint64_t epoch, int64_t lease_ns)
{
	char text[24];
	const char *argv[] = { child_self(), DRILL_VERB, DRILL_WORK_WORD, w->o.id, nonce, text, w->o.history, NULL };
	struct err err;

	if (w->guardian != NULL)
		return;
	snprintf(text, sizeof text, "%" PRIu64, epoch);
	w->guardian = guardian_new(w->o.loop, &(struct guardian_opts){ .argv = argv, .in = -1, .out = -1, .err = -1, .ready_fd = -1,
	    .terms = { .tether = w->tether, .lease_ns = lease_ns }, .event = on_guardian, .arg = w }, &err);
	if (w->guardian == NULL)
		fprintf(stderr, "drill %s: %s\n", w->o.id, err.text);
}

void
drill_work_kill(struct drill_work *w)
{
	if (w->guardian != NULL)
		guardian_kill(w->guardian);
}

bool
drill_work_runs(const struct drill_work *w)
{
	return w->guardian != NULL;
}

pid_t
drill_work_pid(const struct drill_work *w)
{
	return w->pid;
}

pid_t
drill_work_guardian(const struct drill_work *w)
{
	return w->guardian != NULL ? guardian_pid(w->guardian) : 0;
}

gate_word *
drill_work_word(struct drill_work *w)
{
	return tether_word(w->tether);
}

struct drill_work *
drill_work_new(const struct drill_work_opts *o, struct err *err)
{
	struct drill_work *w = mem_new(sizeof *w);

	w->o = *o;
	if ((w->tether = tether_new(err)) != NULL)
		return w;
	mem_free(w);
	return NULL;
}
