/* guard.h - holds the messages of one service against its contract (model/contract.h).
 *
 * Follows the service's key in the bucket aegis_contract on a watch of its own; a change applies
 * to the next message.  No contract: nothing is judged.  One that cannot be read is told in the
 * log, and the last good one stays.  While none was read since the start, GUARD_ENFORCE lets
 * nothing pass (ERR_BUSY: it may be tried again); a bucket that does not exist holds none.
 *
 * Whoever has no guard has NULL, which lets everything pass and costs nothing.  What no contract
 * names is not decoded for its sake. */
#ifndef MESSAGING_GUARD_H
#define MESSAGING_GUARD_H

#include <stdint.h>

#include "base/err.h"
#include "model/contract.h"
#include "model/value.h"

struct conn;
struct guard;
struct traffic;

enum guard_mode {
	GUARD_OFF,
	GUARD_WARN,			/* what breaks the contract is logged and counted, and passes */
	GUARD_ENFORCE,			/* and does not pass */
};

struct guard_opts {
	struct conn *conn;		/* must outlive the guard, as the next */
	struct traffic *traffic;	/* counts what broke; NULL: nobody does */
	const char *service;		/* copied */
	enum guard_mode mode;		/* not OFF */
};

struct guard *guard_new(const struct guard_opts *o, struct err *err);
void guard_free(struct guard *g);		/* nobody may be in it any more; NULL is fine */

/* guard_value(g, part, name, v, err): ERR_OK to pass.  With GUARD_ENFORCE also ERR_CONTRACT, whose
 * sentence names what, where and which keyword, and ERR_BUSY as above.  guard_data: of what is
 * encoded still; absent is null.  guard_event: by domain and type.  Any thread; never blocks. */
enum err_code guard_value(struct guard *g, enum contract_part part, struct text name, const struct value *v,
    struct err *err);
enum err_code guard_data(struct guard *g, enum contract_part part, struct text name, struct data d, struct err *err);
enum err_code guard_event(struct guard *g, const char *domain, const char *type, const struct value *payload,
    struct err *err);

/* guard_broken(g): how many messages broke the contract since the start. */
uint64_t guard_broken(const struct guard *g);

#endif
