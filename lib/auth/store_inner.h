/* store_inner.h - what the files of the store share. */
#ifndef AUTH_STORE_INNER_H
#define AUTH_STORE_INNER_H

#include "auth/store.h"
#include "nats/kv.h"

const struct kv *auth_store_kv(const struct auth_store *s);

/* auth_store_drop(s, kind, id, expect, err): the record goes if its revision is that one (KV_ANY: whatever
 * it is). */
enum err_code auth_store_drop(struct auth_store *s, enum auth_kind kind, const char *id, uint64_t expect,
    struct err *err);

#endif
