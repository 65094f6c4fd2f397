/* follower.h - one service's central document, followed without a consumer.
 *
 * Reads it once, then listens to aegis.config.{service}, where the bucket tells each write together with
 * the revision before it.  A message whose predecessor is not what is known here, a connection that came
 * back, and every five minutes (in case the last message of all was lost, or the bucket tells nothing) are
 * reasons to read again, from the stream's leader.  So thousands of instances cost the server nothing but
 * the fan-out of a change.  Belongs to the loop; what blocks runs on the pool. */
#ifndef SETTINGS_FOLLOWER_H
#define SETTINGS_FOLLOWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/instant.h"

struct conn;
struct follower;
struct loop;
struct pool;

#define FOLLOWER_AGAIN_NS (300 * NS_PER_S)	/* a tenth more or less */

/* What the bucket holds; text lives during the call and is whatever somebody stored. */
struct follower_news {
	const char *text;		/* NULL: no document */
	size_t n;
	uint64_t revision;		/* of the document or its marker; 0: there never was one */
};

struct follower_opts {
	struct conn *conn;
	struct loop *loop;
	struct pool *pool;
	const char *service;		/* copied */
	void (*told)(void *arg, const struct follower_news *n);	/* at first, and then after each change; on the loop */
	void *arg;
};

/* follower_new(o, err): begins at once.  Fails only when nothing can be subscribed to. */
struct follower *follower_new(const struct follower_opts *o, struct err *err);

/* follower_close(f): nothing is told any more.  follower_free: closes first; the pool is gone.  NULL is fine
 * for both. */
void follower_close(struct follower *f);
void follower_free(struct follower *f);

/* follower_read(conn, service, link_ns, answer_ns, text, n, revision, err): once, for a start: waits so long for the
 * connection to come up, and then so long for the answer.  *text is the caller's (mem_free), NULL when there is
 * no document.  ERR_UNAVAILABLE, ERR_TIMEOUT, … when nobody knows.  Blocks. */
enum err_code follower_read(struct conn *conn, const char *service, int64_t link_ns, int64_t answer_ns, char **text, size_t *n,
    uint64_t *revision, struct err *err);

#endif
