/* router.h - which handler a request is for, and what its path and query hold.  Pure.
 *
 * Routes are data.  A path is cut at its slashes first and decoded afterwards, segment by
 * segment, so that an escaped slash never makes another path.  Nothing allocates. */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct web_request;

/* A handler answers its request (web_reply …) and returns ERR_OK, or answers nothing and returns
 * the error, which the server then tells.  On a thread of the server; it may block. */
typedef enum err_code web_handler(void *arg, struct web_request *r, struct err *err);

/* What a handler does with its thread. */
enum web_kind {
	WEB_QUICK,		/* answers at once; served even while all others are busy */
	WEB_WAITS,		/* may wait for somebody else */
	WEB_STREAMS,		/* goes on until its reader leaves */
};

struct web_route {
	const char *method;	/* "GET"; a GET route answers HEAD, too */
	const char *path;	/* "/v1/call/{service}/{method}": {…} is one segment, never empty */
	enum web_kind kind;
	size_t max_body;	/* bytes; a larger body is answered 413 */
	web_handler *handler;
	const char *about;	/* one sentence, for the reference */
	const char *name;	/* "listServices": what the reference calls it; NULL */
	unsigned access;	/* of the owner's own meaning; its admit reads it */
	const char *takes;	/* media types of its body, with commas between; NULL: application/json */
	const char *gives;	/* media type of its answer, and 406 for who accepts no such; NULL: not looked at */
};

#define ROUTER_PARAMS 4
#define ROUTER_PATH_MAX 2048

struct router_match {
	const struct web_route *route;		/* when found */
	unsigned methods;			/* otherwise: how many routes have this path */
	size_t n;
	const char *value[ROUTER_PARAMS];	/* decoded; in the order of the template, in store */
	char store[ROUTER_PATH_MAX];
};

/* router_match(routes, n, method, path, out, err): path as it came, without its query.
 * ERR_NOT_FOUND: no route has this path, or (out->methods > 0) none with this method;
 * ERR_INVALID: it is too long, or what it escapes is no text.  out->value points into out. */
enum err_code router_match(const struct web_route *routes, size_t n, const char *method, const char *path,
    struct router_match *out, struct err *err);

/* router_param(m, name): the value of {name} of the route that was found; NULL when it has no
 * such. */
const char *router_param(const struct router_match *m, const char *name);

/* router_query(query, name, out, max, err): the first value of name, decoded, with its terminator in
 * out; sets *given.  query may be NULL.  ERR_INVALID, with the name in the sentence, for a value that
 * is no text or does not fit. */
enum err_code router_query(const char *query, const char *name, char *out, size_t max, bool *given, struct err *err);

/* router_query_known(query, names, err): every name in the query is one of names (NULL-terminated);
 * ERR_INVALID names the first that is not. */
enum err_code router_query_known(const char *query, const char *const *names, struct err *err);

#endif
