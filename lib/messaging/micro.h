/* micro.h - answering NATS micro's $SRV.PING, INFO and STATS, and asking it who is alive.
 *
 * `nats micro ls|info|stats` work on our instances; metadata.nonce tells one process start
 * from another, which is how a twin of a live instance is found (wire.md §8.2). */
#ifndef MESSAGING_MICRO_H
#define MESSAGING_MICRO_H

#include <stdbool.h>

#include "base/err.h"
#include "base/instant.h"

struct conn;
struct methods;
struct micro;

struct micro_opts {
	struct conn *conn;
	const char *service, *instance, *version, *description, *nonce;
	const char *const *methods;	/* as served; NULL: one endpoint for all */
	struct methods *stats;		/* must outlive the micro */
	struct wall started;
};

struct micro *micro_new(const struct micro_opts *o, struct err *err);
void micro_free(struct micro *m);	/* NULL is fine */

/* micro_leave(m): answers nothing any more; does not block.  NULL is fine. */
void micro_leave(struct micro *m);

enum micro_presence { MICRO_NOBODY, MICRO_SILENT, MICRO_OTHER };

/* micro_probe(conn, service, instance, own_nonce, timeout_ns, out, err): is there a live
 * process under that name?  NOBODY: the server says that none listens.  OTHER: one with
 * another nonce answered.  SILENT: none, or only we ourselves, answered in time.  Blocks. */
enum err_code micro_probe(struct conn *conn, const char *service, const char *instance,
    const char *own_nonce, int64_t timeout_ns, enum micro_presence *out, struct err *err);

#endif
