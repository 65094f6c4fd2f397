/* machine.h - where something was measured: figures of different machines do not compare. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stddef.h>

#include "nats/conn.h"

struct machine {
	char cpu[96], kernel[136], load[40];
	long cores;
	char client[48];		/* nats.c and its version */
	char server_name[128], server_version[32];	/* "" when it does not tell */
	int api_level;			/* of JetStream */
};

/* machine_look(m, conn): load is that of this moment.  Blocks for round trips to the server; what
 * it does not tell stays empty. */
void machine_look(struct machine *m, struct conn *conn);

/* machine_first_line(path, key, out, max): the first line of a file that begins with key, without it; "" when
 * there is none. */
void machine_first_line(const char *path, const char *key, char *out, size_t max);

#endif
