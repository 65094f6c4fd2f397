/* handoff.h - inside lib/app: RPC calls from the delivering thread into the workload. */
#ifndef APP_HANDOFF_H
#define APP_HANDOFF_H

struct loop;
struct rpc_call;
struct runner;

struct handoff {
	struct loop *loop;
	struct runner *runner;
};

/* handoff_call(h, call): on the delivering thread: passes the call to the loop, which hands
 * it to the workload and answers it; refuses it when the loop's mailbox is full. */
void handoff_call(struct handoff *h, struct rpc_call *call);

/* handoff_close(h): refuses the calls that the loop did not get to, so that none is left that
 * leads to the runner.  The loop's thread, when no call arrives any more. */
void handoff_close(struct handoff *h);

#endif
