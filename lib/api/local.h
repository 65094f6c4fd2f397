/* local.h - the local API: how a wrapped program calls, publishes and sends without a library.
 *
 * An HTTP server for that program alone: a socket in a directory that only its user can enter, or a
 * port of the loopback interface, and in both cases a token on every request.  Calls, events and
 * commands go through the same caller, publisher and sender as those of the C API.  How the
 * instance is comes from the loop by local_tell; handlers read the last that was told. */
#ifndef API_LOCAL_H
#define API_LOCAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct caller;
struct conn;
struct local;
struct publisher;
struct sender;
struct str;
struct fence;
struct gate;
struct guard;
struct traffic;

struct local_opts {
	struct conn *conn;
	struct caller *caller;
	struct publisher *publisher;
	struct sender *sender;
	struct guard *guard;		/* judges published events; outlives it; NULL: none */
	struct traffic *traffic;	/* where events are counted; NULL: nowhere */
	const struct gate *gate;	/* calls, events and commands go out only while it is open (election.md
					   §6); outlives it; NULL: always */
	struct fence *fence;		/* events are published through it; outlives it; NULL: none */
	/* "unix": a socket in a directory of its own; "http": a port of 127.0.0.1 that the system chose;
	 * "unix:PATH" (what lies at PATH must be nothing or a socket that nobody listens on, and its
	 * directory another's to protect); "http://127.0.0.1:PORT". */
	const char *where;
	const char *directory;		/* below which "unix" makes its own */
	const char *service, *instance, *version;
	unsigned max_waiting;		/* calls, events and commands at once; 0: 32; more: 503 */

	/* progress(arg, id, percent, status, err): passes on what the program tells of a command;
	 * ERR_NOT_FOUND when it has no such.  On a thread of the server; may block for a moment. */
	enum err_code (*progress)(void *arg, const char *id, double percent, const char *status, struct err *err);

	/* config(arg, out): what is configured, and the program's own settings, as JSON; likewise, without blocking.
	 * NULL: nothing is told. */
	void (*config)(void *arg, struct str *out);
	void *arg;
};

/* local_check(where, err): ERR_CONFIG for what `where` may not be. */
enum err_code local_check(const char *where, struct err *err);

/* local_new(o, err): listens and serves.  Texts are copied; the rest must live until local_stop
 * returned. */
struct local *local_new(const struct local_opts *o, struct err *err);

/* For AEGIS_API and AEGIS_API_TOKEN; the local API's own. */
const char *local_address(const struct local *l);
const char *local_token(const struct local *l);

/* What the program can know about itself. */
struct local_state {
	const char *program;		/* "starting", "ready", "unhealthy", "down" */
	const char *phase;		/* "starting", "running", "leaving", "draining", "stopping" */
	bool registered;
	bool connected;			/* to NATS */
	const char *role;		/* "active", "standby"; NULL: it is in no group */
	uint64_t epoch;			/* of its hold; 0 when it does not lead */
};

/* local_tell(l, state): the state from now on; wakes who watches if it is another.  Texts must be
 * constants.  Any thread; does not block. */
void local_tell(struct local *l, const struct local_state *s);

/* local_calls(l, timeout_ns, retry): of calls that do not say how long, and how what fails is tried again; 0 and
 * RETRY_DEFAULT (messaging/retry.h) at first.  Any thread. */
void local_calls(struct local *l, int64_t timeout_ns, int retry);

/* local_stop(l): no more requests; caller and sender were stopped before, so that nobody waits for
 * an answer.  Returns when the last handler has.  Never on the loop's thread while it runs. local_free
 * stops first.  NULL is fine for both. */
void local_stop(struct local *l);
void local_free(struct local *l);

#endif
