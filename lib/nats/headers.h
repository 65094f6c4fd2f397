/* headers.h - inside lib/nats only: a message with its headers, ready to be sent. */
#ifndef NATS_HEADERS_H
#define NATS_HEADERS_H

#include "nats/nats_c.h"

/* headers_make(out, m): the message that m describes; for MSG_FREE. */
natsStatus headers_make(natsMsg **out, const struct conn_msg *m);

#endif
