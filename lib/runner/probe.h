/* probe.h - one question to the program: do you answer, are you well?  Private to runner.
 *
 * Kinds as in runner.h.  A probe runs at most once at a time and always ends: by its
 * result or at its time-out.  Loop's thread; nothing blocks. */
#ifndef RUNNER_PROBE_H
#define RUNNER_PROBE_H

#include "net/dial.h"
#include "runner/runner.h"

struct probe;

struct probe_opts {
	struct runner_probe what;	/* HTTP, TCP or CMD */
	const struct dial_target *app;	/* for HTTP with /PATH, and TCP without target; may be NULL */
	int64_t timeout_ns;
	void (*done)(void *arg, bool is_good, const char *why);		/* from the loop alone */
	void *arg;
};

/* probe_check(what, app, err): whether the target can be read; ERR_CONFIG names it. */
enum err_code probe_check(const struct runner_probe *what, const struct dial_target *app, struct err *err);

/* probe_new(loop, o): o is copied; what.target was checked before. */
struct probe *probe_new(struct loop *loop, const struct probe_opts *o);
void probe_free(struct probe *p);		/* NULL is fine; without done */

/* probe_run(p, env): env is a command's, read during the call.  False when it runs already. */
bool probe_run(struct probe *p, char *const *env);
void probe_cancel(struct probe *p);		/* done will not be called; fine when it does not run */

#endif
