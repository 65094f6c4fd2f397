/* storer.h - a client whose calls leave something behind: each is to become one event in the stream of events
 * (bench/drill.h), and at the end what is stored is compared with what was promised (verify.h, C3).
 *
 * It calls whoever the prober sees leading, twenty times a second.  An answer of an epoch that is older than
 * the newest it knows proves nothing to it, as to every client (election.md §7). */
#ifndef BENCH_STORER_H
#define BENCH_STORER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct conn;
struct prober;
struct storer;

/* storer_new(servers, prober, history, err): begins at once; prober and the descriptor outlive it.
 * storer_free(s): sends no more, and gives what is under way 6 s; NULL is fine. */
struct storer *storer_new(const char *servers, struct prober *prober, int history, struct err *err);
void storer_free(struct storer *s);

/* storer_read_back(conn, from, history, err): writes what is stored from that sequence on down; *from becomes the next.
 * Blocks; a failure leaves *from at what was not read. */
enum err_code storer_read_back(struct conn *conn, uint64_t *from, int history, struct err *err);

/* storer_safe(conn, nodes): the stream has a leader, and every other node's copy is complete: one that is lost now loses nothing.
 * Blocks for 500 ms at most. */
bool storer_safe(struct conn *conn, unsigned nodes);

/* storer_leader(conn, node): which node leads it, "n1" is 0; false: none does.  Blocks as above. */
bool storer_leader(struct conn *conn, unsigned *node);

#endif
