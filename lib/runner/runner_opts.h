/* runner_opts.h - the runner's options: defaults, copies, and where the program listens.
 * Private to runner. */
#ifndef RUNNER_RUNNER_OPTS_H
#define RUNNER_RUNNER_OPTS_H

#include "net/dial.h"
#include "runner/runner.h"

/* runner_opts_copy(to, from): everything is to's own afterwards, and 0 is replaced by its
 * default.  from was checked. */
void runner_opts_copy(struct runner_opts *to, const struct runner_opts *from);
void runner_opts_release(struct runner_opts *o);

/* runner_opts_app(o, t): the address on which the program serves; false when it has none. */
bool runner_opts_app(const struct runner_opts *o, struct dial_target *t);

#endif
