/* elect_ask.h - finding the leader of a group and asking it to step down, without taking part. */
#ifndef APP_ELECT_ASK_H
#define APP_ELECT_ASK_H

#include <stdint.h>

#include "base/err.h"
#include "nats/conn.h"

struct elect_holder {
	char instance[129];
	uint64_t epoch;
};

/* elect_find(conn, service, group, out, err): the member whose beat says that it leads.  Blocks until one is
 * heard, at most 1.5 s: then ERR_NOT_ACTIVE. */
enum err_code elect_find(struct conn *conn, const char *service, const char *group, struct elect_holder *out,
    struct err *err);

/* elect_step_down(conn, service, group, to, was, err): asks it to give the lead up, in favour of the member `to`
 * unless that is NULL.  ERR_OK: it agreed, and will when its work has ended.  ERR_NOT_ACTIVE: nobody
 * leads, or it refused, with its words. */
enum err_code elect_step_down(struct conn *conn, const char *service, const char *group, const char *to,
    struct elect_holder *was, struct err *err);

#endif
