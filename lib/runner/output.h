/* output.h - the program's output, line by line, with its name in front.  Private to runner.
 *
 * Bound: 64 KiB between the program and our own stdout or stderr.  When those are not read
 * the program's pipe fills up and it waits, as it would writing there itself; the loop
 * never does.  When they are gone, output is thrown away. */
#ifndef RUNNER_OUTPUT_H
#define RUNNER_OUTPUT_H

#include <stdint.h>

#include "sys/loop.h"

struct output;

/* output_new(loop, fd, prefix): fd (1 or 2) stays the caller's; prefix is copied. */
struct output *output_new(struct loop *loop, int fd, const char *prefix);
void output_free(struct output *o);		/* NULL is fine */

/* output_attach(o, from): the reading end of the program's pipe, owned by o from now on. */
void output_attach(struct output *o, int from);

/* output_detach(o): the program ended: takes what is still in the pipe, ends a line that
 * has no end, closes the pipe. */
void output_detach(struct output *o);

/* output_flush(o, max_ns): before the end of the process: waits at most so long for a slow
 * reader.  The only thing here that waits. */
void output_flush(struct output *o, int64_t max_ns);

uint64_t output_bytes(const struct output *o);		/* taken from the program */

#endif
