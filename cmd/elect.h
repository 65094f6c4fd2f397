/* elect.h - what the files of `aegis elect` share: its options, and the verbs that need no command. */
#ifndef CMD_ELECT_H
#define CMD_ELECT_H

#include "cmd.h"
#include "election/observe.h"
#include "wrapped.h"

struct elect_cmd {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	struct cmd_health health;
	const char *id, *profile, *on_lost, *metrics_listen;
	int64_t wait_ns, hang_ns;
	uint64_t lost_exit;
	int after_loss, on_crash;	/* places in their lists */

	bool observe, watch, step_down, repair, migrate, yes;
	uint64_t registers;		/* 0: not said */
	const char *to, *set_profile, *set_fence;

	const char *max_restarts, *stop_signal;
	int64_t kill_after_ns;
	bool tty, log_prefix;
};

extern const struct opt elect_mode_rows[];

/* elect_group(c, service, group, err): the operand as its two parts; service may be NULL: then only groups of
 * `aegis elect` itself are good.  Both are the caller's. */
enum err_code elect_group(const struct cmd *c, char **service, char **group, struct err *err);

/* elect_ask(c, err): --observe, --step-down, --repair.  elect_migrate(c, err): --migrate, which is of no group. */
enum err_code elect_ask(struct cmd *c, struct err *err);
enum err_code elect_migrate(struct cmd *c, struct err *err);
enum err_code elect_observe(struct cmd *c, struct conn *conn, const char *service, const char *group, struct err *err);

#endif
