/* contracts.h - the bucket aegis_contract: one contract per service (design.md §6).
 *
 * The value is the contract as JSON, the key the service's name; whether there is a definition of
 * that name does not matter.  What is no contract (model/contract.h) is not written.  Any thread
 * but the core loop. */
#ifndef REGISTRY_CONTRACTS_H
#define REGISTRY_CONTRACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/value.h"

#define CONTRACT_MAX_BYTES (256 * 1024)

struct conn;
struct contracts;

/* contracts_new(conn, create, err): without `create` a missing bucket holds no contract.  conn must
 * outlive it.  Blocks. */
struct contracts *contracts_new(struct conn *conn, bool create, struct err *err);
void contracts_free(struct contracts *c);	/* NULL is fine */

/* contracts_put(c, service, v, expect, rev, err): expect as in registry_put.  ERR_INVALID: no
 * contract, and why.  ERR_TOO_LARGE beyond CONTRACT_MAX_BYTES. */
enum err_code contracts_put(struct contracts *c, const char *service, const struct value *v, uint64_t expect,
    uint64_t *rev, struct err *err);

/* contracts_get(c, service, json, n, rev, err): *json is the caller's (mem_free).  ERR_NOT_FOUND. */
enum err_code contracts_get(struct contracts *c, const char *service, char **json, size_t *n, uint64_t *rev,
    struct err *err);

/* contracts_remove: its history stays. */
enum err_code contracts_remove(struct contracts *c, const char *service, uint64_t expect, struct err *err);

/* contracts_each(c, each, arg, err): every service that has one, in no order; the name lives during
 * the call. */
enum err_code contracts_each(struct contracts *c, void (*each)(void *arg, const char *service, uint64_t revision),
    void *arg, struct err *err);

#endif
