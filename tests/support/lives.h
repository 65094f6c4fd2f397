/* lives.h - whole lives of wrapped programs, told as words: what the tests of the runner share.
 *
 * main of such a program first calls LIVES_SHIM: guardian and shim are this program itself. */
#ifndef SUPPORT_LIVES_H
#define SUPPORT_LIVES_H

#include "base/magic.h"
#include "base/str.h"
#include "folder.h"
#include "runner/guardian.h"
#include "runner/runner.h"
#include "sys/child.h"
#include "sys/thread.h"

#define LIVES_SHIM(argc, argv) \
	do { \
		if ((argc) > 1 && strcmp((argv)[1], CHILD_SHIM_VERB) == 0) \
			child_shim_main((argc), (argv)); \
		if ((argc) > 1 && strcmp((argv)[1], GUARDIAN_VERB) == 0) \
			guardian_main((argc), (argv)); \
	} while (0)

#define LIVES_HIDDEN HIDDEN "while ! test -e $D/hidden; do sleep 0.01; done; "

/* --- what is told ------------------------------------------------------------------------ */

/* A life as a word: s starting, r ready, u unhealthy, d down, G gone. */
struct life {
	struct runner *r;
	char told[64];
	char why[256];			/* of the last status */
	int code, signo;
	bool frees;
	bool stops_when_ready;
};

static inline void
on_status(void *arg, enum runner_status s, const char *why)
{
	struct life *l = arg;

	MUST(why != NULL && strlen(l->told) + 2 < sizeof l->told);
	l->told[strlen(l->told)] = "srud"[s];
	snprintf(l->why, sizeof l->why, "%s", why);
	assert_int_equal(runner_status(l->r), s);
	if (s == RUNNER_READY && l->stops_when_ready)
		runner_stop(l->r);
}

static inline void
on_gone(void *arg, int code, int signo)
{
	struct life *l = arg;

	l->told[strlen(l->told)] = 'G';
	l->code = code;
	l->signo = signo;
	if (l->frees) {
		runner_free(l->r);
		l->r = NULL;
	}
}

static inline bool
is_gone(void *arg)
{
	return strchr(((struct life *)arg)->told, 'G') != NULL;
}

struct wait_for {
	struct life *l;
	const char *word;
};

static inline bool
has_told(void *arg)
{
	struct wait_for *w = arg;

	return strcmp(w->l->told, w->word) == 0;
}

static inline bool
is_running(void *arg)
{
	return runner_pid(((struct life *)arg)->r) > 0;
}

static inline bool
has_probed_twice(void *arg)
{
	struct runner_counters n;

	runner_count(((struct life *)arg)->r, &n);
	return n.probes >= 2;
}

static inline void
expect_told(struct life *l, const char *word)
{
	struct wait_for w = { l, word };

	if (!until(loop, has_told, &w))
		fail_msg("told '%s', not '%s' (%s)", l->told, word, l->why);
}

static inline void
expect_gone(struct life *l, int code, int signo)
{
	if (!until(loop, is_gone, l))
		fail_msg("not gone, told '%s'", l->told);
	if (l->code != code || l->signo != signo)
		fail_msg("gone with %d/%d, not %d/%d (told '%s')", l->code, l->signo, code, signo, l->told);
}

/* --- starting ---------------------------------------------------------------------------- */

static inline struct runner_opts
sh(const char *script)
{
	static const char *argv_sh[4] = { "/bin/sh", "-c" };

	argv_sh[2] = script;
	return (struct runner_opts){ .name = "job", .argv = argv_sh, .kill_after_ns = 10 * NS_PER_S };
}

static inline void
make(struct life *l, struct runner_opts o)
{
	struct runner_callbacks cb = { .arg = l, .status = on_status, .gone = on_gone };
	struct err err = { 0 };

	memset(l, 0, sizeof *l);
	if ((l->r = runner_new(loop, &o, &cb, &err)) == NULL)
		fail_msg("%s", err.text);
}

static inline void
run(struct life *l, struct runner_opts o)
{
	make(l, o);
	runner_start(l->r);
}

static inline struct runner_counters
counters(const struct life *l)
{
	struct runner_counters c;

	runner_count(l->r, &c);
	return c;
}

static inline void
end_life(struct life *l)
{
	runner_kill(l->r);
	if (!until(loop, is_gone, l))
		fail_msg("not gone, told '%s'", l->told);
	runner_free(l->r);
}

/* --- files ------------------------------------------------------------------------------- */

static inline bool
exists(void *name)
{
	return access(in_dir(name), F_OK) == 0;
}

static inline void
expect_file(const char *name)
{
	if (!until(loop, exists, (void *)(uintptr_t)name))
		fail_msg("no %s", in_dir(name));
}

/* --- calls ------------------------------------------------------------------------------- */

static inline void
on_result(void *arg, const struct workload_result *res)
{
	struct str *out = arg;

	str_printf(out, "%s %.*s", workload_outcome_name(res->outcome), (int)res->text.n, res->text.p);
}

static inline bool
has_text(void *arg)
{
	return ((struct str *)arg)->len > 0;
}

static inline void
expect_call(struct life *l, const char *method, const char *result)
{
	struct workload_request q = { .method = method, .deadline = mono_after(clock_mono(clock_system()), UNTIL_NS) };
	struct str out = STR_INIT;

	workload_call(runner_workload(l->r), &q, on_result, &out);
	assert_true(until(loop, has_text, &out));
	assert_string_equal(str_text(&out), result);
	str_release(&out);
}

#endif
