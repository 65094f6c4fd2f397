/* run_service.h - the wrapper: joins runner (the child) and member (the instance). */
#ifndef APP_RUN_SERVICE_H
#define APP_RUN_SERVICE_H

#include "base/err.h"
#include "base/log.h"
#include "messaging/events.h"
#include "messaging/guard.h"
#include "messaging/retry.h"
#include "nats/conn.h"
#include "runner/runner.h"

struct central;

/* An event pattern that the program subscribes to. */
struct run_service_event {
	const char *pattern;
	enum event_mode mode;
	bool from_now;
};

/* What may change while it runs, as central settings (central.h) or the start have it. */
struct run_service_live {
	enum log_level log_level;
	int64_t heartbeat_ns, ttl_s;
	unsigned max_inflight, max_queue;	/* of the program; runner.h's at the start */
	int64_t drain_delay_ns;
	int64_t rpc_timeout_ns;			/* of the program's own calls that do not say */
	enum retry_name retry;			/* of those calls */
};

struct run_service_opts {
	struct conn_opts conn;			/* for connections besides central's */
	struct central *central;		/* its connection is the wrapper's; run_service frees it in any case */
	/* read(opts, out): what may change, from the struct that the rows of the options fill. */
	void (*read)(const void *opts, struct run_service_live *out);
	struct run_service_live live;		/* at the start */
	int config_signal;			/* the program gets it when its own settings changed; 0: none */
	const char *service, *instance, *version, *description;
	const char *service_type;	/* metadata.service_type, unless `metadata` has one */
	const char *const *metadata;	/* "K=V", NULL-terminated, each K once; V may be JSON or plain text */
	const char *const *methods;	/* NULL-terminated; NULL: all */
	const char *const *commands;	/* worked off by the program; NULL-terminated; NULL: none */
	const struct run_service_event *events;	/* nevents of them */
	size_t nevents;
	int64_t ack_wait_ns;		/* until a dead worker's commands go to others; 0: 30 s */
	bool replace_worker;		/* remove the unbound consumer of a Python worker in the way */
	enum guard_mode validate;	/* messages against the service's contract */
	struct runner_opts runner;
	int64_t drain_timeout_ns;
	bool no_registration;
	const char *local_api;		/* as of api/local.h; "auto": unix, else http; NULL: none */
	const char *local_directory;	/* where the socket's own directory is made */
	const char *group;		/* --single-active: its leader is the active one; NULL: all are */
	const char *const *exclusive;	/* methods that only the leader executes, NULL-terminated; NULL: all */
	const char *profile;		/* NULL: the group's, else default */
	unsigned fence_lanes;		/* as of candidate_opts */
	bool cold;			/* the program runs on the leader only */
	const char *metrics_listen;	/* "ADDR:PORT" for GET /metrics; NULL: none */
	const char *aegis_version;	/* for the metrics */
	unsigned max_outgoing;		/* calls, events and commands of the program at once; 0: 32 */
};

/* run_service(o, exit_code, by_signal, err): runs until the child ended for good or a signal asked to
 * stop; the calling thread, with signals blocked, becomes the core loop.  *exit_code is
 * what the process should exit with, *by_signal the signal it should end itself with, or 0.
 * Returns an error only for what failed before the child was started. */
enum err_code run_service(const struct run_service_opts *o, int *exit_code, int *by_signal,
    struct err *err);

#endif
