/* monitor.h - what the management service knows beyond the registry: what instances say of their work,
 * a quarter of an hour of it, what happened to them, who left and why, and services that are none of ours.
 *
 * All of it belongs to the loop, which hears registry changes from discovery (the only watch) and heartbeats
 * by one subscription, and puts each state once, as JSON, into the live hub (live.h).  Questions from other
 * threads are answered from immutable snapshots where they are frequent, else by asking the loop.
 * Nothing here is stored but departures (stream AEGIS_DEPARTED, 24 h), which every replica writes under one
 * Nats-Msg-Id, so that each stands there once.  DESIGN.md tells more. */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "monitor/live.h"
#include "sys/snapshot.h"

struct conn;
struct discovery;
struct loop;
struct monitor;

typedef void monitor_group(void *to, const char *service, const char *group, const struct str *json);

struct monitor_opts {
	struct loop *loop;
	struct conn *conn;
	struct discovery *discovery;	/* not started yet: it gets its listener here */
	int64_t (*rtt_ns)(void *arg);	/* how long NATS took to answer last; less than 0: it does not.  May be NULL */
	/* trouble(arg, i): the i-th sentence about what is not as it should be with the rest of the process; NULL behind the last.
	 * On the loop, must not block.  May be NULL. */
	const char *(*trouble)(void *arg, size_t i);
	/* groups(arg, each, to): calls each(to, …) for every group that somebody knows more of than records and beats
	 * tell, with its state as JSON; on the loop, must not block.  May be NULL. */
	void (*groups)(void *arg, monitor_group *each, void *to);
	void *arg;
};

/* monitor_new(o, err): listens from now on; before the loop runs.  NULL when the system is out of threads.
 * monitor_free: on the loop's thread or when it does not run, before discovery is freed; waits for a store
 * round trip under way.  NULL is fine. */
struct monitor *monitor_new(const struct monitor_opts *o, struct err *err);
void monitor_free(struct monitor *m);

/* monitor_leave(m): nobody waits for it any more, streams end.  Any thread. */
void monitor_leave(struct monitor *m);

/* monitor_groups(m): what o.groups tells has changed.  Any thread, does not wait. */
void monitor_groups(struct monitor *m);

struct live *monitor_live(struct monitor *m);

/* --- questions; any thread but the loop's.  Answers are JSON, appended to out. ----------------
 * Those of the loop fail with ERR_TIMEOUT or ERR_BUSY when it has no time within 1 s.  service "": of all
 * services; otherwise only of that one. */

/* monitor_metrics(m, service, out, err): the array of /api/metrics: each fresh instance with its metrics
 * (wire.md §11).  For all services the answer is made once for each state, shared, and at most 50 ms
 * behind while it is asked for all the time; *out is then the caller's by snapshot_drop. */
struct monitor_body {
	struct snapshot snapshot;	/* first */
	uint64_t version;
	char etag[48];
	struct str text;
};
enum err_code monitor_metrics(struct monitor *m, const char *service, const struct monitor_body **out, struct err *err);
void monitor_body_drop(const struct monitor_body *b);	/* NULL is fine */

/* ERR_INSTANCE_UNKNOWN when it is not, and was not within the last 15 minutes. */
enum err_code monitor_series(struct monitor *m, const char *service, const char *instance, struct str *out, struct err *err);
enum err_code monitor_events(struct monitor *m, const char *service, const char *instance, struct str *out, struct err *err);

/* Newest first; before: only what came before this place (0: all), *next: the place to go on from, 0 at the
 * end. */
enum err_code monitor_departed(struct monitor *m, const char *service, unsigned limit, uint64_t before, uint64_t *next,
    struct str *out, struct err *err);

enum err_code monitor_overview(struct monitor *m, const char *service, struct str *out, struct err *err);

/* Services that answer $SRV.STATS, ours among them. */
enum err_code monitor_micro(struct monitor *m, struct str *out, struct err *err);

/* monitor_prom(m, out): its part of /metrics. */
enum err_code monitor_prom(struct monitor *m, struct str *out, struct err *err);

#endif
