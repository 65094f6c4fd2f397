/* guarded.h - a program under a guardian, what was told of it, and whether it is dead. */
#ifndef SUPPORT_GUARDED_H
#define SUPPORT_GUARDED_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "folder.h"
#include "runner/guardian.h"
#include "sys/reaper.h"

/* What was told, as a word: S started, F failed, X exited, E empty, L lost, P lapsed. */
static struct {
	char told[16];
	pid_t pid;
	int wstatus;
	enum err_code code;
	char text[400];
} news;

static inline void
on_event(void *arg, const struct guardian_event *e)
{
	static const char letters[] = "SFXELP";

	(void)arg;
	news.told[strlen(news.told)] = letters[e->kind];
	if (e->kind == GUARDIAN_STARTED)
		news.pid = e->pid;
	else if (e->kind == GUARDIAN_EXITED)
		news.wstatus = e->wstatus;
	else if (e->kind == GUARDIAN_FAILED) {
		news.code = e->code;
		snprintf(news.text, sizeof news.text, "%s", e->text);
	}
}

static inline struct guardian *
guard_terms(const char *const *argv, int out, struct tether_terms terms)
{
	struct guardian_opts o = {
		.argv = argv, .in = -1, .out = out, .err = -1, .ready_fd = -1, .terms = terms, .event = on_event,
	};
	struct err err = { 0 };
	struct guardian *g;

	memset(&news, 0, sizeof news);
	if ((g = guardian_new(loop, &o, &err)) == NULL)
		fail_msg("%s", err.text);
	return g;
}

static inline struct guardian *
guard_fds(const char *const *argv, int out)
{
	return guard_terms(argv, out, (struct tether_terms){ 0 });
}

/* guard: starts a shell script, whose $D is our folder. */
static inline struct guardian *
guard(const char *script)
{
	const char *argv[] = { "/bin/sh", "-c", script, NULL };

	return guard_fds(argv, -1);
}

static inline bool
told(void *word)
{
	return strcmp(news.told, word) == 0;
}

static inline void
expect_told(const char *word)
{
	if (!until(loop, told, (void *)(uintptr_t)word))
		fail_msg("told '%s', not '%s'", news.told, word);
}

static inline void
expect_dead(pid_t pid)
{
	if (!until(loop, is_dead, &pid))
		fail_msg("process %d lives", (int)pid);
}

/* A daemon's double fork: nobody's child any more. */
#define DAEMON "(setsid sh -c 'echo $$ >$D/daemon.tmp; mv $D/daemon.tmp $D/daemon; exec sleep 1000' " \
    "</dev/null >/dev/null 2>&1 &) ; "
#define SELF "echo $$ >$D/self.tmp; mv $D/self.tmp $D/self; "

/* --- the wrapper's own death ------------------------------------------------------------- */

static inline int
set_up(void **state)
{
	struct err err = { 0 };

	(void)state;
	return folder_make("t_guardian") != 0 || reaper_start(loop, &err) != ERR_OK;
}

static inline int
tear_down(void **state)
{
	/* Only when the last one was collected. */
	bool empty = until(loop, no_child_is_left, NULL);

	reaper_stop(loop);
	return folder_remove(state) != 0 || !empty;
}

#endif
