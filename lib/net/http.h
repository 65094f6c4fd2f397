/* http.h - an HTTP/1.1 client for one neighbour: non-blocking, kept alive, on the loop.
 *
 * The only door to http-parser.  A client holds up to max_conns connections to one target;
 * a request takes an idle one, or opens one, and has it alone until its answer is complete.
 * There is no pipelining and no following of redirections.  Deadlines are the caller's:
 * http_cancel.  A connection that was idle for 30 s is closed.
 *
 * A request is sent a second time in one case alone: a kept-alive connection turned out to
 * be closed before a single byte of the request could be written.  Everything belongs to
 * the loop's thread. */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "model/value.h"
#include "net/dial.h"
#include "sys/loop.h"

struct http;
struct http_call;

struct http_opts {
	struct dial_target target;
	unsigned max_conns;
	size_t max_body;		/* of an answer */
};

struct http_header {
	const char *name;
	struct text value;		/* control bytes are replaced by '?' */
};

struct http_request {
	const char *method;		/* "POST" */
	const char *path;		/* as it goes out: see http_escape */
	const char *host;		/* NULL: "localhost" */
	const struct http_header *headers;
	size_t nheaders;
	const char *type;		/* Content-Type; NULL: none, then body is absent */
	struct text body;
};

struct http_answer {
	enum err_code code;	/* ERR_OK: status and body count; else why does.  UNAVAILABLE: no connection;
				   CLOSED: it broke; CORRUPT: no HTTP; TOO_LARGE */
	int status;
	struct text body;	/* valid during the callback; never absent */
	const char *why;	/* sentence; valid during the callback */
	bool maybe_executed;	/* at least one byte of the request was written */
};

/* http_limit(h, max_conns): from now on; what is open beyond a lower limit is used on until it ends.
 *
 * http_new(loop, o): never fails; connections are made when needed.  o is copied. */
struct http *http_new(struct loop *loop, const struct http_opts *o);
void http_limit(struct http *h, unsigned max_conns);
void http_free(struct http *h);		/* NULL is fine; calls end as if cancelled */

/* http_escape(out, s): appends s as one segment of a path. */
void http_escape(struct str *out, const char *s);

/* http_compose(out, q): appends the request's bytes to out. */
void http_compose(struct str *out, const struct http_request *q);

/* http_send(h, bytes, done, arg): sends what http_compose made.  The memory of bytes goes
 * over to the client, which leaves an empty buffer in its place.  done is called once, from
 * the loop and never from within this call, unless the call is cancelled before.  NULL, and
 * bytes untouched, when all connections are taken. */
struct http_call *http_send(struct http *h, struct str *bytes,
    void (*done)(void *arg, const struct http_answer *a), void *arg);

/* http_cancel(c): done will not be called; the connection is closed, as its answer may
 * still come.  Not from c's own done, when it is over already. */
void http_cancel(struct http_call *c);
bool http_written(const struct http_call *c);	/* at least one byte of the request is */

/* http_reset(h): closes the idle connections; the neighbour was replaced. */
void http_reset(struct http *h);

/* http_yield(h): closes the idle connections now and the busy ones after their answer, so
 * that a neighbour that serves one at a time gets to somebody else. */
void http_yield(struct http *h);

size_t http_connections(const struct http *h);		/* open or being opened */
uint64_t http_dialled(const struct http *h);		/* connections opened so far */

#endif
