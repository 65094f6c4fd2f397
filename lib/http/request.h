/* request.h - what a handler has of its request, and how it answers.
 *
 * A request belongs to the server, and is valid until its handler returns, on the handler's thread.
 * Every answer has the request's id in X-Request-Id; a problem (problem.h) has it in its body, too, and the log
 * at level DEBUG.  It is the client's own X-Request-Id when that is plain and has at most 64 bytes. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "http/problem.h"
#include "http/router.h"
#include "model/value.h"

/* --- what was asked -------------------------------------------------------------------------- */

const char *web_request_id(const struct web_request *r);
const char *web_method(const struct web_request *r);
const char *web_path(const struct web_request *r);	/* as it came: not decoded, without its query */
const char *web_query_text(const struct web_request *r);		/* as it came; NULL */
const char *web_param(const struct web_request *r, const char *name);	/* of the path; MUST be there */
const char *web_header(const struct web_request *r, const char *name);	/* NULL when absent */
struct text web_body(const struct web_request *r);			/* never absent */

/* web_cookie(r, name, out, max): as cookie_find (cookie.h). */
bool web_cookie(const struct web_request *r, const char *name, char *out, size_t max);

/* web_peer(r): the address of the other end, "" on a Unix socket.  web_secure(r): it came by TLS.  web_host(r): what
 * it calls us, with the port; "" when it does not say.  All three as a trusted proxy told them, if there is one. */
const char *web_peer(const struct web_request *r);
bool web_secure(const struct web_request *r);
const char *web_host(const struct web_request *r);

/* web_stopping(r): the server is about to end, and waits for the handler. */
bool web_stopping(const struct web_request *r);

/* web_note(r): memory of the request, zeroed at its begin and aligned to 16, for admit to leave there
 * what handlers want to know. */
#define WEB_NOTE_MAX 512
void *web_note(struct web_request *r);

/* --- conditions ------------------------------------------------------------------------------ */

/* web_precondition(r, etag, required, err): whether a change may go on, by the request's If-Match and
 * If-None-Match.  etag is of what is there now, without quotes; NULL: nothing is there.
 * ERR_PRECONDITION (412), and the answer's ETag set, when they do not hold; ERR_UNCONDITIONAL (428) when
 * there are none, and required; ERR_INVALID when they cannot be read. */
enum err_code web_precondition(struct web_request *r, const char *etag, bool required, struct err *err);

/* --- the answer ------------------------------------------------------------------------------ */

/* web_set_header(r, name, value): of the answer, before it begins, in place of one of that name; control
 * bytes become '?'.  web_add_header: beside those of that name.  At most 16 in all.  name must last
 * as long as the request.  Cache-Control is no-store unless it is set. */
void web_set_header(struct web_request *r, const char *name, const char *value);
void web_add_header(struct web_request *r, const char *name, const char *value);

/* web_reply(r, status, type, body): the answer; type NULL: without a body (204, 202 …).  Once. */
void web_reply(struct web_request *r, int status, const char *type, struct text body);

/* web_reply_etag(r, status, type, body, etag): as web_reply, with an entity tag (told without quotes); a
 * GET whose If-None-Match lists it gets 304 instead of a status of 200. */
void web_reply_etag(struct web_request *r, int status, const char *type, struct text body, const char *etag);

/* web_fail(r, p): answers a problem, for handlers that have more to say than an error's code and sentence;
 * path and request_id are filled in here.  Once. */
void web_fail(struct web_request *r, const struct problem *p);

/* web_stream_begin(r): the head of an event stream.  web_stream_write(r, bytes): goes out at once;
 * false when the reader has left. */
void web_stream_begin(struct web_request *r);
bool web_stream_write(struct web_request *r, struct text bytes);

#endif
