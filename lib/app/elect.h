/* elect.h - `aegis elect`: a program that runs only while this process leads its group.
 *
 * Joins runner (the program, its guardian) and election (the lease).  The lease is given back
 * only when nothing of the program is left; when it is lost, the guardian sees to it that
 * nothing is left before anybody else can lead (election.md §10). */
#ifndef APP_ELECT_H
#define APP_ELECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "nats/conn.h"
#include "runner/runner.h"

struct elect_opts {
	struct conn_opts conn;
	const char *group;		/* checked by name_check, NAME_GROUP */
	const char *instance;		/* checked, NAME_INSTANCE */
	const char *profile;		/* NULL: the group's, else "default" */
	struct runner_opts runner;	/* its terms: what is to happen when the lease is lost, hang_ns */
	int64_t wait_ns;		/* give up when the lead is not gained in time, and wait for NATS at the
					   start; 0: wait for the lead for ever, but NATS must be there */
	bool exit_when_lost;		/* else it stands by and leads again when it can */
	int lost_exit;			/* exit code when lost or not gained */
	const char *version;		/* of aegis, for the metrics */
	const char *metrics_listen;	/* "ADDR:PORT" for GET /metrics; NULL: none */
};

/* elect(o, exit_code, by_signal, err): runs until the program ended by itself, a signal asked to stop, or
 * the lead was given up; the calling thread, with signals blocked, becomes the core loop.
 * *exit_code and *by_signal as of run_service.  An error only for what failed before. */
enum err_code elect(const struct elect_opts *o, int *exit_code, int *by_signal, struct err *err);

#endif
