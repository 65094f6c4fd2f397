/* wrapped.h - what the commands that wrap a program share: options about it, and how they are read. */
#ifndef CMD_WRAPPED_H
#define CMD_WRAPPED_H

#include "cmd.h"
#include "runner/runner.h"

struct cmd_health {
	const char *http, *tcp, *cmd;
	int64_t interval_ns, timeout_ns;
	uint64_t failures, successes;
};

extern const struct opt health_rows[];		/* struct cmd_health */

/* The table of a form S whose member is called health; area: its object in configuration files. */
#define FORM_HEALTH(S, area) { "Health options", area, health_rows, offsetof(S, health) }

/* cmd_health_fill(o, r, err): the health part of r.  ERR_USAGE when two probes are asked for. */
enum err_code cmd_health_fill(const struct cmd_health *o, struct runner_opts *r, struct err *err);

/* cmd_pick_probe(kinds, n, out, err): the one with a target; ERR_USAGE for two of them. */
struct cmd_probe {
	const char *option, *target;
	enum runner_probe_kind kind;
};
enum err_code cmd_pick_probe(const struct cmd_probe *kinds, size_t n, struct runner_probe *out, struct err *err);

/* cmd_signal(text): "TERM", "SIGTERM", "15"; -1 when it is none. */
int cmd_signal(const char *text);
enum err_code cmd_stop_signal(const char *text, int *out, struct err *err);	/* of --stop-signal */

/* cmd_budget(text, out, err): "5/1m", or "0" for no limit; of --max-restarts. */
enum err_code cmd_budget(const char *text, struct restart_policy *out, struct err *err);

/* cmd_on_lost(text, out, err): "term", "kill", "signal:USR2" or "exec:SHELL" of --on-lost; text outlives out. */
enum err_code cmd_on_lost(const char *text, struct tether_terms *out, struct err *err);

/* cmd_listen(text, err): "ADDR:PORT" of --metrics-listen, or NULL. */
enum err_code cmd_listen(const char *text, struct err *err);

#endif
