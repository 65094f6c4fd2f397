/* cluster.h - private nats-servers together: one alone, or a JetStream cluster of several.
 *
 * For `aegis bench failover`, chaos and tests: single nodes can be killed, frozen, emptied and
 * started again on the port they had.  The nodes do not tell clients of each other, so a client
 * knows the addresses that it was given (those of a proxy, perhaps) and no others.
 *
 * One owner; the nodes die with the thread that started them (server.h). */
#ifndef NATS_CLUSTER_H
#define NATS_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

#define NATS_CLUSTER_MAX 5

struct nats_cluster;

struct nats_cluster_opts {
	const char *path;		/* of nats-server; NULL: nats_server_find */
	const char *dir;		/* each node has its own below; made when missing */
	unsigned nodes;			/* 1 to NATS_CLUSTER_MAX */
};

/* nats_cluster_new(o, err): starts them as "n1", "n2", … and blocks until a stream of as many replicas can
 * be made, which is when every node counts; at most 60 s. */
struct nats_cluster *nats_cluster_new(const struct nats_cluster_opts *o, struct err *err);
void nats_cluster_free(struct nats_cluster *c);		/* ends them; the data stays; NULL is fine */

unsigned nats_cluster_size(const struct nats_cluster *c);
const char *nats_cluster_name(const struct nats_cluster *c, unsigned i);	/* "n1" */
const char *nats_cluster_dir(const struct nats_cluster *c, unsigned i);		/* where its data lie */
uint16_t nats_cluster_port(const struct nats_cluster *c, unsigned i);		/* the same for ever */
pid_t nats_cluster_pid(const struct nats_cluster *c, unsigned i);		/* 0: not running */

/* nats_cluster_urls(c, out): appends all of them, separated by commas. */
void nats_cluster_urls(const struct nats_cluster *c, struct str *out);

/* nats_cluster_end(c, i, signo): sends it (KILL, TERM, USR2 for a lame duck …) and waits until the node has
 * ended; KILL after 5 s.  Fine when it does not run. */
void nats_cluster_end(struct nats_cluster *c, unsigned i, int signo);

/* nats_cluster_freeze(c, i, on): STOP, and it stands still when this returns (waits for 5 s at most); or CONT. */
void nats_cluster_freeze(struct nats_cluster *c, unsigned i, bool on);

/* nats_cluster_start(c, i, err): a node that has ended, again, with the data that it left; blocks until it
 * listens.  nats_cluster_wipe(c, i, err): removes that data; the node must have ended. */
enum err_code nats_cluster_start(struct nats_cluster *c, unsigned i, struct err *err);
enum err_code nats_cluster_wipe(struct nats_cluster *c, unsigned i, struct err *err);

/* nats_cluster_wait(c, err): until a stream of as many replicas can be made, at most 60 s. */
enum err_code nats_cluster_wait(struct nats_cluster *c, struct err *err);

#endif
