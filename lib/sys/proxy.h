/* proxy.h - a TCP proxy on the loopback interface that misbehaves on demand.
 *
 * It stands between a client and a server that should meet a bad network: it can freeze either
 * way, delay, cut in the middle of a stream, reset, and refuse.  What is frozen is kept, the end
 * of a connection too, and arrives late, as over a real network that comes back.
 *
 * A proxy belongs to its loop: every function is of the loop's thread (loop_call), callbacks
 * there are none.  Bound: 256 KiB wait per connection and way; beyond that it reads no more. */
#ifndef SYS_PROXY_H
#define SYS_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct loop;
struct proxy;

/* From the client to the server, and back; as bits. */
#define PROXY_UP 1u
#define PROXY_DOWN 2u
#define PROXY_BOTH (PROXY_UP | PROXY_DOWN)

/* proxy_new(loop, target, seed, err): listens on a free port of 127.0.0.1 and connects each client to the
 * target's.  seed: of the delays. */
struct proxy *proxy_new(struct loop *loop, uint16_t target, uint64_t seed, struct err *err);
void proxy_free(struct proxy *p);		/* resets what is open; NULL is fine */

uint16_t proxy_port(const struct proxy *p);

/* proxy_freeze(p, ways): nothing moves these ways from now on, in new connections either; 0 mends all. */
void proxy_freeze(struct proxy *p, unsigned ways);

/* proxy_delay(p, ways, min_ns, max_ns): whatever is read there from now on is kept for so long, in order; 0, 0
 * ends that. */
void proxy_delay(struct proxy *p, unsigned ways, int64_t min_ns, int64_t max_ns);

/* proxy_truncate(p, way, bytes): that many more are delivered that way, then their connection is reset;
 * once. */
void proxy_truncate(struct proxy *p, unsigned way, uint64_t bytes);

/* proxy_reset(p): both ends of every connection get a reset.  proxy_refuse(p, on): new clients do, too. */
void proxy_reset(struct proxy *p);
void proxy_refuse(struct proxy *p, bool on);

struct proxy_counters {
	uint64_t accepted, refused, resets;	/* connections */
	uint64_t bytes[2];			/* delivered, up and down */
	unsigned open;
};
struct proxy_counters proxy_counters(const struct proxy *p);

#endif
