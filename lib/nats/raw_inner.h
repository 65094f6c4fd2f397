/* raw_inner.h - inside lib/nats: a plain connection for the bare baselines. */
#ifndef NATS_RAW_INNER_H
#define NATS_RAW_INNER_H

#include "nats/conn_inner.h"

/* raw_connect(out, servers, access, flusher_wait_us, err): everything as nats.c has it, but for who may
 * connect (access; NULL: anybody) and how long writes are batched (0: nats.c's way).  *out is the
 * caller's to destroy, also on failure when it is not NULL. */
enum err_code raw_connect(natsConnection **out, const char *servers, const struct conn_opts *access,
    int64_t flusher_wait_us, struct err *err);

#endif
