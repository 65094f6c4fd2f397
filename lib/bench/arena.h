/* arena.h - a place where leaders may die: private nats-servers, members of one election as processes of
 * this program, on request a proxy between each member and each node, and a prober.
 *
 * Everything in it is started here, lies below one directory, and is gone after arena_free; if
 * this process dies, the kernel ends the rest.  One owner, the thread that made it, because
 * the processes die with the thread that spawned them. */
#ifndef BENCH_ARENA_H
#define BENCH_ARENA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "bench/drill.h"
#include "bench/history.h"
#include "bench/prober.h"
#include "nats/cluster.h"
#include "sys/proxy.h"

#define ARENA_MEMBERS 5

struct arena;

struct arena_opts {
	const char *program;		/* of the members; NULL: this one.  It knows DRILL_VERB */
	const char *server;		/* nats-server; NULL: found beside this program */
	const char *dir;		/* made when missing, left to the caller to remove */
	unsigned nodes, members;
	const char *profile;
	bool proxied;			/* members reach nodes through proxies alone */
	bool work;			/* a program runs under the lease */
	bool calls;			/* the history holds each call, too */
	bool stores;			/* members store something for a client (bench/storer.h); with calls */
	int64_t rate_ppm;		/* the first member's clocks are so much faster, the second's slower, and so on; 0: all right */
	uint64_t seed;
	const atomic_bool *stop;	/* becomes true: waits end early with ERR_CANCELLED */
};

/* arena_new(o, err): blocks until the servers are ready; the members may not be. */
struct arena *arena_new(const struct arena_opts *o, struct err *err);
void arena_free(struct arena *a);		/* NULL is fine */

struct nats_cluster *arena_cluster(struct arena *a);
struct prober *arena_prober(struct arena *a);
struct conn *arena_conn(struct arena *a);	/* the conductor's own, to the first node */
const char *arena_history(const struct arena *a);	/* path of the file */
unsigned arena_members(const struct arena *a);

/* arena_note(a, ev, what, member): a line of the conductor's in the history; member below 0: none. */
void arena_note(struct arena *a, enum history_event ev, const char *what, int member);

/* arena_ask(a, err): how every member is, as far as they answer within 200 ms.  arena_state(a, i): what the
 * member answered last; NULL if not to the last question. */
void arena_ask(struct arena *a);
const struct drill_state *arena_state(const struct arena *a, unsigned i);

/* arena_leader(a): the member that said it is active, of the last answers; -1 without one. */
int arena_leader(const struct arena *a);

/* arena_read_back(a, err): what was stored since the last time goes into the history.  arena_end_stores(a, err): the client
 * makes no more calls, and the rest does. */
enum err_code arena_read_back(struct arena *a, struct err *err);
enum err_code arena_end_stores(struct arena *a, struct err *err);

/* arena_settle(a, timeout_ns, err): until there is one leader, every member knows every register for longer
 * than it would have to wait, and calls are answered.  ERR_TIMEOUT says who is not ready, and why. */
enum err_code arena_settle(struct arena *a, int64_t timeout_ns, struct err *err);

/* arena_signal(a, i, signo): to that member.  arena_reap(a, i): KILL unless it has ended within 5 s by itself.
 * arena_start(a, i, err): a fresh process in its place, with a new nonce. */
void arena_signal(struct arena *a, unsigned i, int signo);
void arena_reap(struct arena *a, unsigned i);
enum err_code arena_start(struct arena *a, unsigned i, struct err *err);

/* arena_proxy(a, member, node, fn, arg): fn(proxy, arg) on the proxies' thread, for one or (below 0) each of
 * members and nodes. */
void arena_proxy(struct arena *a, int member, int node, void (*fn)(struct proxy *p, void *arg), void *arg);

/* arena_pause(a, ns): false when it was ended early. */
bool arena_pause(struct arena *a, int64_t ns);

#endif
