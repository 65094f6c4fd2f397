/* server.h - an HTTP/1.1 server for our own APIs, with TLS if it is to; the only door to civetweb.
 *
 * Connections wait in a lobby until a head has come (lobby.h), then each has a thread.  Threads are started
 * when connections need them, stay, and there is a fixed most of them (platform.md §5).  So that what waits
 * never keeps out what answers at once, routes say what they do with their thread (router.h): at most
 * max_waiting requests wait, at most max_streams stream, at most max_kept connections stay for another
 * request, one address has at most max_per_peer connections, and the threads beyond all these together
 * are for the rest.  Policy when a kind is full: 503 with Retry-After; when connections
 * get scarce: closed after their answer.
 *
 * A request that is malformed, too large or does not come in time is answered with a 4xx or its
 * connection is closed; errors have the body of problem.h.  A head has at most 8 KiB. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "http/proxies.h"
#include "http/request.h"

struct web_server;

#define WEB_LISTEN_MAX 16

struct web_server_opts {
	/* Where (listen.h): "unix:PATH", the directory being the caller's to protect and to clear;
	 * "http://ADDRESS:PORT" or "https://ADDRESS:PORT", PORT 0: the system chooses.  1 to
	 * WEB_LISTEN_MAX; all texts are read only until web_server_new returns. */
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
	const char *base;		/* "/aegis": before every path, without a slash at its end; NULL: nothing; must
					   outlive the server */
	struct proxies proxies;		/* whose X-Forwarded-For, -Proto and -Host count (proxies.h) */
	const char *tls_cert, *tls_key;	/* PEM files (tls.h); NULL cert: no "https://", NULL key: in the same file */
	const char *tls_client_ca;	/* PEM; clients must show a certificate of it.  NULL: nobody is asked */
	unsigned max_waiting;		/* 0: 32 */
	unsigned max_streams;		/* 0: 8 */
	unsigned max_kept;		/* 0: 128 */
	unsigned max_per_peer;		/* 0: 128 */
	unsigned max_connections;	/* 0: 4096; descriptors must suffice */
	int64_t receive_ns;		/* how long a handshake, a head with the pause before it, and the first
					   of a body may take, which then comes with 1 KiB/s at least; 0: 5 s */
	int64_t send_ns;		/* how long a write may take, and 1 s more for each KiB; 0: 10 s */
};

/* web_server_new(o, err): listens and serves at once.  ERR_CONFIG when it cannot listen
 * there or a certificate is none, ERR_SYSTEM when the system is out of descriptors or threads. */
struct web_server *web_server_new(const struct web_server_opts *o, struct err *err);

/* web_server_reload(s, err): reads the certificates again, for the connections that come.  On failure the old
 * ones stay.  Nothing to do without them.  Any thread. */
enum err_code web_server_reload(struct web_server *s, struct err *err);

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
	uint64_t crowded;		/* connections closed for want of room */
	uint64_t late;			/* connections closed because no head came */
	uint64_t insecure;		/* TLS handshakes that failed */
	unsigned waiting, streams, connections;		/* now */
	unsigned idle;			/* of the connections: those that have not said enough yet */
};
struct web_counters web_counters(const struct web_server *s);

const char *web_versions(void);		/* "civetweb 1.16, mbedTLS 3.6.6" */

#endif
