/* heartbeat.h - reading the heartbeats of wire.md §10, whoever wrote them.
 *
 * They come from anybody, so everything is bounded, and what is not as expected is left out rather
 * than refused: only a message that names no instance is none. */
#ifndef CODEC_HEARTBEAT_H
#define CODEC_HEARTBEAT_H

#include "base/err.h"
#include "base/str.h"
#include "model/heartbeat.h"

#define HEARTBEAT_MAX (128 * 1024)	/* bytes of one; 64 methods take 30 KB */

/* heartbeat_decode(subject, p, n, h, rest, err): a message of internal.heartbeat.{service}; the subject
 * tells the service, in lower case.  rest becomes the metrics as they came, compact, without their first
 * brace and without uptime_seconds, which heartbeat_metrics puts back; "}" when there are none.
 * ERR_TOO_LARGE, ERR_SYNTAX, ERR_INVALID.  Uses codec_mine. */
enum err_code heartbeat_decode(const char *subject, const void *p, size_t n, struct heartbeat *h, struct str *rest,
    struct err *err);

/* heartbeat_metrics(rest, uptime_s, out): appends the map of §10 again. */
void heartbeat_metrics(const char *rest, double uptime_s, struct str *out);

#endif
