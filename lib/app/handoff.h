/* handoff.h - inside lib/app: RPC calls and events from the delivering thread into the workload,
 * and commands from the loop. */
#ifndef APP_HANDOFF_H
#define APP_HANDOFF_H

#include <stdbool.h>

struct event;
struct job;
struct lead;
struct loop;
struct open_job;
struct rpc_call;
struct runner;

struct handoff {
	struct loop *loop;
	struct runner *runner;
	struct lead *lead;		/* NULL: no call runs under a lease */
	struct open_job *jobs;		/* commands that the workload has; the loop's */
};

/* handoff_call(h, call): on the delivering thread: passes the call to the loop, which hands
 * it to the workload and answers it; refuses it when the loop's mailbox is full. */
void handoff_call(struct handoff *h, struct rpc_call *call);

/* handoff_job(h, job): on the loop: gives a command to the workload, passes its progress on, and
 * answers it.  handoff_stop(h, job): tells the workload that nobody waits for it any more. */
void handoff_job(struct handoff *h, struct job *job);
void handoff_stop(struct handoff *h, struct job *job);

/* handoff_progress(h, id, percent, status): on the loop: what the workload tells of a command by
 * another way than its answer; false when it has no such. */
bool handoff_progress(struct handoff *h, const char *id, double percent, const char *status);

/* handoff_event(h, e): on the delivering thread: as handoff_call. */
void handoff_event(struct handoff *h, struct event *e);

/* handoff_close(h): refuses the calls and events that the loop did not get to, so that none is
 * left that leads to the runner.  The loop's thread, when none arrives any more. */
void handoff_close(struct handoff *h);

#endif
