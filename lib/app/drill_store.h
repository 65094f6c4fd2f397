/* drill_store.h - inside lib/app: a drill member that stores something for its callers, as a leader of level "stream" does
 * (messaging/fence.h): each call becomes one event in the stream, under the epoch of the hold.
 *
 * All functions are the loop's; the calls are answered from threads of its own. */
#ifndef APP_DRILL_STORE_H
#define APP_DRILL_STORE_H

#include "election/elector.h"

struct conn;
struct drill_store;
struct loop;

/* drill_store_new(o, err): takes calls for that nonce.  All that it is given lives as long as the process, as it does itself. */
struct drill_store_opts {
	struct loop *loop;
	struct conn *conn;
	struct elector *elector;
	const char *id, *nonce;
};
struct drill_store *drill_store_new(const struct drill_store_opts *o, struct err *err);

/* drill_store_role: as of elector_opts.  drill_store_look(s): now and then; raises the fence, and heeds one that somebody newer raised. */
void drill_store_role(struct drill_store *s, const struct elector_role *role);
void drill_store_look(struct drill_store *s);

#endif
