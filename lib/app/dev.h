/* dev.h - everything on one machine: a private nats-server, the management API with its page, the demo services, a
 * wrapper. */
#ifndef APP_DEV_H
#define APP_DEV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct dev_opts {
	const char *data_dir;		/* NULL: $XDG_STATE_HOME/aegis/dev */
	const char *nats_server;	/* NULL: beside this binary's build, then PATH */
	bool reset;			/* start from empty data */
	uint16_t port;			/* of the management API; 0: a free one */
};

/* dev_run(o, err): runs until Ctrl-C, or until its nats-server died and does not start again,
 * which is an error; every process that it started is gone when it returns.  The calling
 * thread, with signals blocked, becomes the core loop.  Prints what runs where to stdout. */
enum err_code dev_run(const struct dev_opts *o, struct err *err);

#endif
