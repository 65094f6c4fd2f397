/* departed.h - one who left, as the stream AEGIS_DEPARTED keeps it for a day.
 *
 * Its id is what left with its last revision, so whoever tells first is believed: who removes a record tells it himself,
 * with his name, before the management service can but see that it is gone. */
#ifndef MONITOR_DEPARTED_H
#define MONITOR_DEPARTED_H

#include <stdint.h>

#include "base/err.h"
#include "base/instant.h"

struct conn;
struct instance;

struct departure {
	const struct instance *last;	/* its record */
	uint64_t revision;		/* of that */
	const char *cause;		/* "deregistered", "expired", "purged" */
	const char *by;			/* who purged it; NULL: nobody knows */
	struct wall at;
};

/* departed_tell(conn, x, err): writes it down; blocks for a second at most.  ERR_NOT_FOUND: there is no such stream, so
 * nobody wants to know. */
enum err_code departed_tell(struct conn *conn, const struct departure *x, struct err *err);

#endif
