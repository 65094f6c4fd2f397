/* listen.h - where a server listens: addresses as people write them, and the sockets behind them. */
#ifndef HTTP_LISTEN_H
#define HTTP_LISTEN_H

#include <stdbool.h>

#include "base/err.h"

struct listener {
	int fd;			/* non-blocking; -1: none */
	bool secure;		/* "https://" */
	char *path;		/* of a Unix socket, which goes with it; else NULL */
	char *address;		/* as it was told, with the port that it has */
};

/* listen_open(where, out, err): "unix:PATH", or "ADDRESS:PORT" with or without "http://" or "https://"
 * in front: an IPv4 address, an IPv6 address in brackets, a name (its first address, of IPv4 if it has one), or
 * "*" or nothing for all of IPv4.  Port 0: the system chooses.  ERR_CONFIG for what is no address or cannot be listened on, ERR_SYSTEM when the
 * system is out of something. */
enum err_code listen_open(const char *where, struct listener *out, struct err *err);

/* listen_close(l): also of one that was never opened, but zeroed with fd -1. */
void listen_close(struct listener *l);

#endif
