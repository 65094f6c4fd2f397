/* janitor.h - keeps the queue of commands clean of what is none (wire.md §7.2).
 *
 * Python workers publish progress and completions where the stream COMMANDS stores them, and
 * nobody takes them out again, until the queue is full and discards real commands.  The janitor
 * does, through a durable that all janitors share: any number of them may run. */
#ifndef MESSAGING_JANITOR_H
#define MESSAGING_JANITOR_H

#include <stdint.h>

#include "base/err.h"

struct conn;
struct janitor;
struct loop;

/* janitor_new(conn, loop, err): at work from now on, as soon as there is a stream.  The loop's
 * thread, or before the loop runs; janitor_free likewise, NULL is fine. */
struct janitor *janitor_new(struct conn *c, struct loop *l, struct err *err);
void janitor_free(struct janitor *j);

uint64_t janitor_removed(const struct janitor *j);	/* messages so far; any thread */

#endif
