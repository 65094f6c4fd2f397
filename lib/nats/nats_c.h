/* nats_c.h - inside lib/nats only: nats.c itself, and what its users here share. */
#ifndef NATS_NATS_C_H
#define NATS_NATS_C_H

#include <nats/nats.h>

#if NATS_VERSION_NUMBER < 0x030E00
#error "nats.c is older than 3.14: another libnats-dev comes before build/root"
#endif

/* natsMsg_Destroy hands each message to a thread of the library's to be freed there, and wakes
 * it for every one that comes alone: a fifth of all that a small RPC costs.  What it calls in
 * the end is exported by the library, but stands in no header; used only where it was read. */
#if NATS_VERSION_NUMBER < 0x030F00
void natsMsg_free(void *msg);		/* NULL is fine */
#define MSG_FREE(msg) natsMsg_free(msg)

/* The same for making one whose headers are written already (the first hdr_n bytes of buf), as those that
 * come in are; behind the subject and the reply lie its headers and then its data, each ended by a zero. */
natsStatus natsMsg_create(natsMsg **out, const char *subject, int subject_n, const char *reply, int reply_n, const char *buf,
    int buf_n, int hdr_n);
#define HEADERS_AS_SENT
#else
#define MSG_FREE(msg) natsMsg_Destroy(msg)
#endif

#include "nats/conn.h"

natsConnection *conn_raw(const struct conn *c);
jsCtx *conn_js(const struct conn *c);

/* conn_fail(s, js, err, fmt, ...): turns a status of nats.c, and a JetStream error code if there
 * is one (0 otherwise), into ours; the library's own words stand behind the sentence. */
enum err_code conn_fail(natsStatus s, jsErrCode js, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* JetStream's error codes that mean something to us (election.md §13, wire.md §8). */
#define JS_STREAM_NOT_FOUND 10059
#define JS_WRONG_LAST_SEQUENCE 10071
#define JS_WRONG_LAST_SEQUENCE_CONSTANT 10164
#define JS_NO_MESSAGE_FOUND 10037
#define JS_TTL_DISABLED 10166
#define JS_NAME_IN_USE 10058
#define JS_NO_CLUSTER 10074		/* replicas on a server that is alone */
#define JS_NO_PEERS 10005		/* no suitable peers for placement */
#define JS_NO_RESOURCES 10023
#define JS_STORAGE_EXCEEDED 10047
#define JS_STORE_FAILED 10077
#define JS_NOT_ENABLED 10076		/* nats.c's word for an API that nobody serves, too */
#define JS_NOT_ENABLED_FOR_ACCOUNT 10039
#define JS_CONSUMER_NOT_FOUND 10014

#endif
