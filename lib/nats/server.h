/* server.h - a private nats-server: JetStream on a free loopback port, a child of ours.
 *
 * Used by `aegis dev`, by tests and benchmarks.  The server dies with the thread that
 * started it (child.h), also when that is killed. */
#ifndef NATS_SERVER_H
#define NATS_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct nats_server;

struct nats_server_opts {
	const char *path;		/* of nats-server; NULL: nats_server_find */
	const char *dir;		/* its data, log and port file; made when missing */
	uint16_t port;			/* 0: one that the system chooses */
	const char *name;		/* shows in its own answers; NULL: "aegis" */
	const char *more;		/* of its configuration, as it stands; NULL: nothing */
	uint64_t max_store;		/* bytes that JetStream may store; 0: what it thinks that the disk can hold */
};

/* nats_server_find(path, err): beside this program's build, else in PATH; the caller's.
 * NULL with ERR_CONFIG and the remedy when there is none. */
char *nats_server_find(struct err *err);

/* nats_server_new(o, err): starts it and blocks until it listens, at most 10 s.  What it
 * said last stands in the error when it does not. */
struct nats_server *nats_server_new(const struct nats_server_opts *o, struct err *err);

const char *nats_server_url(const struct nats_server *s);	/* "nats://127.0.0.1:PORT" */
uint16_t nats_server_port(const struct nats_server *s);

/* nats_server_alive(s): it has not ended; does not block. */
bool nats_server_alive(struct nats_server *s);
pid_t nats_server_pid(const struct nats_server *s);

/* nats_server_free(s): TERM, KILL after 5 s, waits.  The data stays.  NULL is fine. */
void nats_server_free(struct nats_server *s);

#endif
