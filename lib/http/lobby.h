/* lobby.h - where connections wait until they have said what they want.
 *
 * One thread accepts them, and keeps each until a whole head lies in its socket (with TLS: the first
 * bytes of a handshake).  Only then somebody gets it to serve it on a thread of his own.  So who
 * says nothing, or says it drop by drop, costs a descriptor for a while, and no thread.
 *
 * Bounds, and what happens beyond them:
 *	patience	how long it waits for a whole head: closed
 *	max_per_peer	connections of one address, served ones included: a further one is closed at once
 *	max		of all: the one that waits longest without a head goes; when all are served, the new one */
#ifndef HTTP_LOBBY_H
#define HTTP_LOBBY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "http/listen.h"

struct lobby;
struct guest;			/* one connection, from its arrival to its end */

struct lobby_opts {
	struct listener *at;	/* must outlive the lobby, which does not close them */
	size_t n;
	unsigned max;
	unsigned max_per_peer;	/* of IP addresses; Unix sockets have none */
	size_t max_head;	/* bytes; a head that long is handed on as it is */
	int64_t patience_ns;
	/* serve(arg, fd, secure, g): takes the connection over, on the lobby's thread, or says false: then it
	 * is asked again a little later.  Whoever took it over closes fd, then calls lobby_leave. */
	bool (*serve)(void *arg, int fd, bool secure, struct guest *g);
	void *arg;
};

/* lobby_new(o, err): accepts from now on.  ERR_SYSTEM when the system is out of descriptors or threads. */
struct lobby *lobby_new(const struct lobby_opts *o, struct err *err);

/* lobby_close(l): accepts no more, and closes what waits; served ones stay.  Once; NULL is fine. */
void lobby_close(struct lobby *l);

/* lobby_free(l): closes it if that was not done; after it nobody leaves any more. */
void lobby_free(struct lobby *l);

/* lobby_leave(g): a connection that was taken over has been closed; any thread. */
void lobby_leave(struct guest *g);

/* guest_flag(g): a word of its server's own, 0 at first. */
unsigned *guest_flag(struct guest *g);

struct lobby_counters {
	uint64_t crowded;	/* closed for want of room */
	uint64_t late;		/* closed because their head did not come */
	unsigned here;		/* now, served ones included */
	unsigned waiting;	/* of those */
};
struct lobby_counters lobby_counters(struct lobby *l);

#endif
