/* bus.h - a private nats-server for one test program, and waiting for what other threads do.
 *
 * main of such a program first calls BUS_SHIM: the server is started through a hidden verb
 * of the program itself (child.h). */
#ifndef SUPPORT_BUS_H
#define SUPPORT_BUS_H

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/instant.h"
#include "base/mem.h"
#include "nats/conn.h"
#include "nats/server.h"
#include "sys/child.h"
#include "sys/clock.h"
#include "sys/dir.h"

struct bus {
	char dir[64];
	struct nats_server *server;
	uint16_t port;
	int hold;			/* bound to the port, without listening, for as long as that is not 0 */
};

#define BUS_SHIM(argc, argv) \
	do { \
		if ((argc) > 1 && strcmp((argv)[1], CHILD_SHIM_VERB) == 0) \
			child_shim_main((argc), (argv)); \
	} while (0)

static inline const char *
bus_program(void)
{
	const char *path = getenv("NATS_SERVER");

	return path != NULL ? path : "build/root/usr/sbin/nats-server";
}

/* bus_port: a port that stays ours while no server listens on it, so that nobody else gets it between two of
 * them.  The server may have it all the same, because both say SO_REUSEADDR. */
static inline bool
bus_port(struct bus *b)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof in;
	int on = 1;

	b->hold = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (b->hold == -1 || setsockopt(b->hold, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
	    bind(b->hold, (const struct sockaddr *)&in, sizeof in) != 0 ||
	    getsockname(b->hold, (struct sockaddr *)&in, &len) != 0)
		return false;
	b->port = ntohs(in.sin_port);
	return true;
}

/* bus_start(b): a fresh one, or the one that bus_stop stopped, on its old port with its old
 * data. */
static inline bool
bus_start(struct bus *b)
{
	struct err err;

	if (b->dir[0] == '\0') {
		snprintf(b->dir, sizeof b->dir, "/tmp/t_bus.XXXXXX");
		if (mkdtemp(b->dir) == NULL)
			return false;
	}
	if (b->port == 0 && !bus_port(b))
		return false;
	b->server = nats_server_new(&(struct nats_server_opts){
		.path = bus_program(), .dir = b->dir, .port = b->port,
	}, &err);
	if (b->server == NULL) {
		fprintf(stderr, "%s\n", err.text);
		return false;
	}
	return true;
}

static inline const char *
bus_url(const struct bus *b)
{
	return nats_server_url(b->server);
}

static inline void
bus_stop(struct bus *b)
{
	nats_server_free(b->server);
	b->server = NULL;
}

static inline void
bus_end(struct bus *b)
{
	bus_stop(b);
	if (b->port != 0)
		close(b->hold);
	b->port = 0;
	dir_remove(b->dir, NULL);
}

/* The server of a program that has one for all of its tests, and what makes and ends it around them. */
static struct bus bus __attribute__((unused));

static inline int
bus_set_up(void **state)
{
	(void)state;
	return bus_start(&bus) ? 0 : -1;
}

static inline int
bus_tear_down(void **state)
{
	(void)state;
	bus_end(&bus);
	conn_library_close();
	return 0;
}

#define WAIT_NS (60 * NS_PER_S)		/* far beyond what anything takes, even sanitized and loaded */

/* WAIT_FOR(cond): looks until it holds; the test fails when it never does. */
#define WAIT_FOR(cond) \
	do { \
		struct mono end_ = mono_after(clock_mono(clock_system()), WAIT_NS); \
		while (!(cond)) { \
			if (mono_reached(clock_mono(clock_system()), end_)) \
				fail_msg("never: %s", #cond); \
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL); \
		} \
	} while (0)

#endif
