/* server.h - an HTTP/1.1 server for our own APIs; the only door to civetweb.
 *
 * Every connection has a thread while it is open.  Threads are started when connections need them, stay,
 * and there is a fixed most of them (platform.md §5).  So that what waits never keeps out what answers at once, routes say what
 * they do with their thread (router.h): at most max_waiting requests wait, at most max_streams
 * stream, and the threads beyond both are for the rest.  Policy when a kind is full: 503 with
 * Retry-After.  When connections get scarce, they are closed after their answer.
 *
 * A request that is malformed, too large or does not come in time is answered with a 4xx or its
 * connection is closed; errors have the body of problem.h. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "http/router.h"
#include "model/value.h"

struct web_server;

struct web_server_opts {
	const char *listen;		/* "unix:PATH", the directory being the caller's to protect and to
					   clear; or "127.0.0.1:PORT", PORT 0: the system chooses */
	const struct web_route *routes;	/* must outlive the server */
	size_t nroutes;
	/* admit(arg, r, err): before anything else is looked at; refuses with ERR_UNAUTHENTICATED (401)
	 * or ERR_DENIED.  On a thread of the server. */
	enum err_code (*admit)(void *arg, const struct web_request *r, struct err *err);
	void *arg;			/* of admit and of all handlers */
	unsigned max_waiting;		/* 0: 32 */
	unsigned max_streams;		/* 0: 8 */
	int64_t receive_ns;		/* how long a head, and then a body, may take to come; 0: 5 s */
};

/* web_server_new(o, err): listens and serves at once.  ERR_CONFIG when it cannot listen
 * there, ERR_SYSTEM when the system is out of descriptors or threads. */
struct web_server *web_server_new(const struct web_server_opts *o, struct err *err);

/* web_server_address(s): "unix:PATH" or "http://127.0.0.1:PORT"; the server's. */
const char *web_server_address(const struct web_server *s);

/* web_server_free(s): closes what listens, waits for the handlers, which must end (whoever they wait
 * for was stopped before; streams look at web_stopping).  Not from a handler.  NULL is fine. */
void web_server_leave(struct web_server *s);	/* from now on web_stopping is true; any thread */
void web_server_free(struct web_server *s);

struct web_counters {
	uint64_t requests;		/* that had a head */
	uint64_t refused;		/* with 503, because their kind was full */
	uint64_t malformed;		/* heads and bodies that were none, or did not come */
	unsigned waiting, streams, connections;		/* now */
};
struct web_counters web_counters(const struct web_server *s);

/* --- what a handler has; valid until it returns, on its thread ------------------------------- */

const char *web_request_id(const struct web_request *r);
const char *web_param(const struct web_request *r, const char *name);	/* of the path; MUST be there */
const char *web_header(const struct web_request *r, const char *name);	/* NULL when absent */
struct text web_body(const struct web_request *r);			/* never absent */
const char *web_query_text(const struct web_request *r);		/* as it came; NULL */
bool web_stopping(const struct web_request *r);

/* web_set_header(r, name, value): of the answer, before it begins; at most 8, control bytes become
 * '?'. */
void web_set_header(struct web_request *r, const char *name, const char *value);

/* web_reply(r, status, type, body): the answer; type NULL: no body (204).  Once. */
void web_reply(struct web_request *r, int status, const char *type, struct text body);

/* web_stream_begin(r): the head of an event stream.  web_stream_write(r, bytes): goes out at once;
 * false when the reader has left. */
void web_stream_begin(struct web_request *r);
bool web_stream_write(struct web_request *r, struct text bytes);

const char *web_versions(void);		/* "civetweb 1.16" */

#endif
