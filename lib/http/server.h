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
#include "http/request.h"

struct web_server;

#define WEB_LISTEN_MAX 16

struct web_server_opts {
	/* Where: "unix:PATH", the directory being the caller's to protect and to clear; or "ADDRESS:PORT",
	 * with or without "http://" in front, PORT 0: the system chooses.  1 to WEB_LISTEN_MAX; read
	 * only until web_server_new returns. */
	const char *const *listen;
	size_t nlisten;
	const struct web_route *routes;	/* must outlive the server */
	size_t nroutes;
	/* admit(arg, r, route, err): after the route was found and before anything else of the request is
	 * looked at; route is NULL when there is none, or none for this method.  Refuses with an error, such
	 * as ERR_UNAUTHENTICATED (401) or ERR_DENIED, or by an answer of its own (web_fail) and any error.
	 * On a thread of the server. */
	enum err_code (*admit)(void *arg, struct web_request *r, const struct web_route *route, struct err *err);
	/* headers(arg, r): sets headers (web_set_header) that every answer is to have, also those of the server
	 * itself and to what is no request: all of r may be missing.  Before admit; a handler
	 * may replace them.  On a thread of the server. */
	void (*headers)(void *arg, struct web_request *r);
	/* done(arg, route, status, ns): a request was answered with that status, so long after its head was read;
	 * route is NULL when none was for it.  On a thread of the server. */
	void (*done)(void *arg, const struct web_route *route, int status, int64_t ns);
	void *arg;			/* of admit, headers and all handlers */
	unsigned max_waiting;		/* 0: 32 */
	unsigned max_streams;		/* 0: 8 */
	int64_t receive_ns;		/* how long a head, and then a body, may take to come; 0: 5 s */
};

/* web_server_new(o, err): listens and serves at once.  ERR_CONFIG when it cannot listen
 * there, ERR_SYSTEM when the system is out of descriptors or threads. */
struct web_server *web_server_new(const struct web_server_opts *o, struct err *err);

/* web_server_address(s, i): the i-th of where it listens, with the port that it has: "unix:PATH" or
 * "http://127.0.0.1:PORT"; NULL behind the last.  The server's. */
const char *web_server_address(const struct web_server *s, size_t i);

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

const char *web_versions(void);		/* "civetweb 1.16" */

#endif
