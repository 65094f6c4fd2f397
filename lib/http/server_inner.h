/* server_inner.h - inside lib/http only: civetweb itself, and what the parts of the server share. */
#ifndef HTTP_SERVER_INNER_H
#define HTTP_SERVER_INNER_H

#include <civetweb.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "base/id.h"
#include "base/magic.h"
#include "base/str.h"
#include "http/listen.h"
#include "http/proxies.h"
#include "http/request.h"
#include "http/server.h"

#define WEB_MAGIC 0xae617001u
#define WEB_REQUEST_MAGIC 0xae617002u

#define HEADERS_MAX 16
#define ID_MAX 65			/* of a request, with its end */
#define HOST_MAX 264			/* of a host with its port, with its end */
#define SLOWEST 1024		/* bytes per second of bodies and of readers, beyond the first moments */

struct web_server {
	unsigned magic;
	struct mg_context *ctx;
	struct web_server_opts o;	/* its texts are not ours after web_server_new */
	struct listener at[WEB_LISTEN_MAX];
	size_t nat;
	struct lobby *lobby;
	struct tls *tls;		/* NULL: no certificate */
	unsigned limit[3];		/* by enum web_kind; 0: none */
	atomic_uint busy[3];		/* by enum web_kind */
	atomic_uint kept;		/* connections that may stay for another request */
	atomic_uint thread_number;
	atomic_ullong requests, refused, malformed;
	atomic_bool stopping;
};

struct web_request {
	unsigned magic;
	struct web_server *server;
	struct mg_connection *mg;
	const struct mg_request_info *info;
	const char *method;		/* "" when the head could not be read */
	const char *path;		/* NULL when the head could not be read */
	const char *inside;		/* the part of path behind the server's base; NULL when it has none such */
	char id[ID_MAX];
	bool secure;			/* this and what follows: as a trusted proxy tells it (request.h) */
	char peer[PROXIES_ADDRESS_MAX];
	char host[HOST_MAX];		/* "": none */
	struct router_match match;
	struct str body;
	struct { const char *name; char *value; } headers[HEADERS_MAX];
	size_t nheaders;
	int status;			/* of the answer that was begun; 0: none */
	alignas(16) char note[WEB_NOTE_MAX];
};

/* server_place(n, most): takes one of so many places; false when there is none.  Who is refused never holds one, not
 * for a moment, because that moment might cost another one a place that was free. */
bool server_place(atomic_uint *n, unsigned most);

/* request.c */
/* request_init(r, s, mg, path): path NULL for what could not be read as a request. */
void request_init(struct web_request *r, struct web_server *s, struct mg_connection *mg, const char *path);
void request_release(struct web_request *r);

/* request_body(r, max): reads at most max bytes, announced or in chunks; false when it was answered
 * instead. */
bool request_body(struct web_request *r, size_t max);

/* answer.c: keep false ends the connection afterwards, whatever of the request was not read. */
void answer(struct web_request *r, int status, const char *type, struct text body, bool keep);
void answer_problem(struct web_request *r, const struct problem *p, bool keep);
void answer_code(struct web_request *r, int status, enum err_code code, const char *detail, bool keep);

/* serve.c: civetweb's callbacks for a request, and for one that it could not read. */
int serve_request(struct mg_connection *mg);
int serve_unreadable(struct mg_connection *mg, int status, const char *why);

#endif
