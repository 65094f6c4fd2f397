/* run_service.h - what the options of `aegis run-service` fill; its rows are run_service_rows.c. */
#ifndef CMD_RUN_SERVICE_H
#define CMD_RUN_SERVICE_H

#include "app/run_service.h"
#include "cmd.h"
#include "wrapped.h"

enum { STANDBY_HOT, STANDBY_COLD };	/* run_opts.standby */
extern const char *const run_service_profiles[];	/* by run_opts.profile; NULL-terminated */

struct run_opts {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	const char *name, *instance, *version, *description, *service_type;
	struct opts_list metadata, methods, commands, events;
	bool replace_worker;
	enum guard_mode validate;
	int64_t ack_wait_ns;
	bool no_registration;
	int64_t heartbeat_ns, ttl_ns, stale_ns;

	bool single_active;
	const char *group;
	int standby, profile, fence;
	const char *on_lost;
	int64_t hang_ns;
	struct opts_list exclusive;

	uint64_t app_port;
	const char *app_socket;
	bool app_stdio;
	uint64_t max_inflight, max_queue;
	const char *local_api;
	uint64_t max_outgoing;
	const char *metrics_listen;

	const char *ready_http, *ready_tcp, *ready_cmd;
	uint64_t ready_fd;
	bool ready_notify;
	int64_t ready_timeout_ns;
	struct cmd_health health;

	enum restart_when restart;
	const char *max_restarts;
	int64_t drain_timeout_ns, drain_delay_ns, kill_after_ns;
	const char *stop_signal;
	struct opts_list rewrites;
	bool tty, log_prefix;

	const char *config_signal;
	int64_t rpc_timeout_ns;
	enum retry_name retry;
};

#endif
