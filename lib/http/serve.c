/* serve.c - from a request to its handler.  Each passes one function, serve(), which asks in this order:
 * can it be read in one way only, what does it want, may it, is there room for it, is its body in
 * bounds. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/magic.h"
#include "http/media.h"
#include "http/server_inner.h"
#include "sys/clock.h"

/* enter: a place among those of its kind; false when there is none. */
static bool
enter(struct web_server *s, enum web_kind kind)
{
	if (server_place(&s->busy[kind], s->limit[kind] > 0 ? s->limit[kind] : UINT_MAX))
		return true;
	atomic_fetch_add(&s->refused, 1);
	return false;
}

/* run: the place is taken after the body was read: a slow one holds its own thread only. */
static void
run(struct web_request *r, bool empty)
{
	const struct web_route *route = r->match.route;
	struct web_server *s = r->server;
	struct err err = { ERR_OK, "" };

	if (!empty && !request_body(r, route->max_body))
		return;
	if (!enter(s, route->kind)) {
		log_warning(EV_HTTP_FULL, LOG_F(LOG_S("path", route->path)),
		    "too many requests wait or stream; further ones are answered with 503");
		answer_code(r, 0, ERR_BUSY, "too many requests wait here already", false);
		return;
	}
	enum err_code code = route->handler(s->o.arg, r, &err);
	if (code != ERR_OK)
		answer_code(r, 0, code, err.text, true);
	MUST(r->status != 0);
	atomic_fetch_sub(&s->busy[route->kind], 1);
}

static void
set_allow(struct web_request *r)
{
	const struct web_server_opts *o = &r->server->o;
	struct router_match other;
	struct str allow = STR_INIT;

	for (size_t i = 0; i < o->nroutes; i++) {
		const struct web_route *route = &o->routes[i];
		if (router_match(route, 1, route->method, r->inside, &other, NULL) != ERR_OK)
			continue;
		str_printf(&allow, "%s%s, ", route->method, strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
	}
	str_puts(&allow, "OPTIONS");
	web_set_header(r, "Allow", str_text(&allow));
	str_release(&allow);
}

/* said: how many headers of that name there are. */
static size_t
said(const struct mg_request_info *info, const char *name)
{
	size_t n = 0;

	for (int i = 0; i < info->num_headers; i++)
		n += strcasecmp(info->http_headers[i].name, name) == 0;
	return n;
}

/* is_plain: whether everybody who reads the head finds the same body behind it: its length said once,
 * in digits, or in chunks and not both (RFC 9112 §6.3); and no header was left out for want of room. */
static bool
is_plain(const struct web_request *r)
{
	const char *length = mg_get_header(r->mg, "Content-Length"), *coding = mg_get_header(r->mg, "Transfer-Encoding");

	if (length != NULL && (length[0] == '\0' || strspn(length, "0123456789") != strlen(length)))
		return false;
	/* The only coding of ours; and HTTP/1.0, whose readers know none, ends the body elsewhere. */
	if (coding != NULL && (strcasecmp(coding, "chunked") != 0 || r->info->http_version == NULL ||
	    strcmp(r->info->http_version, "1.1") != 0))
		return false;
	return said(r->info, "Content-Length") + said(r->info, "Transfer-Encoding") <= 1 && r->info->num_headers < MG_MAX_HEADERS;
}

/* said_twice: the header of which one alone is read, while whoever stands before us may have judged by another;
 * NULL: none. */
static const char *
said_twice(const struct mg_request_info *info)
{
	static const char *const once[] = {
		"Host", "Authorization", "Cookie", "Origin", "Sec-Fetch-Site", "Content-Type", "Expect", "Idempotency-Key",
	};

	for (size_t i = 0; i < COUNT_OF(once); i++)
		if (said(info, once[i]) > 1)
			return once[i];
	return NULL;
}

/* is_nameless: it does not say whom it asks, as it has to since HTTP/1.1 (RFC 9112 §3.2). */
static bool
is_nameless(const struct web_request *r)
{
	const char *version = r->info->http_version;

	return version != NULL && strcmp(version, "1.1") == 0 && said(r->info, "Host") == 0;
}

/* is_clear: whether the head can be taken in one way only; false when it was answered. */
static bool
is_clear(struct web_request *r)
{
	const char *twice, *expect = mg_get_header(r->mg, "Expect");
	char why[100] = "the head says more than once how long the body is, or not in digits or chunks, or has too many lines";
	int status = 400;

	if (is_plain(r)) {
		if ((twice = said_twice(r->info)) != NULL) {
			snprintf(why, sizeof why, "the head has more than one line %s", twice);
		} else if (is_nameless(r)) {
			snprintf(why, sizeof why, "the head has no line Host");
		} else if (expect != NULL && strcasecmp(expect, "100-continue") != 0) {
			snprintf(why, sizeof why, "the only expectation that is met here is 100-continue");
			status = 417;
		} else {
			return true;
		}
	}
	atomic_fetch_add(&r->server->malformed, 1);
	answer_code(r, status, ERR_OK, why, false);
	return false;
}

/* not_found: no route is for it.  A path that has others tells them, which is what OPTIONS asks. */
static void
not_found(struct web_request *r, const struct err *err, bool empty)
{
	bool other = r->match.methods > 0 && r->match.route == NULL;

	if (other)
		set_allow(r);
	if (other && empty && strcmp(r->method, "OPTIONS") == 0)
		web_reply(r, 204, NULL, (struct text){ NULL, 0 });
	else
		answer_code(r, other ? 405 : 0, other ? ERR_OK : err->code, err->text, empty);
}

/* suits: whether body and answer are of types that the route knows; false when it was answered. */
static bool
suits(struct web_request *r, bool empty)
{
	const struct web_route *route = r->match.route;
	const char *type = mg_get_header(r->mg, "Content-Type"), *takes = route->takes != NULL ? route->takes : "application/json";
	char why[200];

	if (!empty && route->max_body == 0) {
		answer_code(r, 0, ERR_TOO_LARGE, "this path takes no body", false);
		return false;
	}
	if (!empty && type != NULL && !media_is(type, takes)) {
		snprintf(why, sizeof why, "the body must be %s", takes);
		answer_code(r, 415, ERR_OK, why, false);
		return false;
	}
	if (route->gives != NULL && !media_accepts(mg_get_header(r->mg, "Accept"), route->gives)) {
		snprintf(why, sizeof why, "this path answers %s, which the request does not accept", route->gives);
		answer_code(r, 406, ERR_OK, why, empty);
		return false;
	}
	return true;
}

static enum err_code
find_route(struct web_request *r, struct err *err)
{
	const struct web_server_opts *o = &r->server->o;

	if (r->inside == NULL)
		return err_set(err, ERR_NOT_FOUND, "paths begin with %s/ here", o->base);
	return router_match(o->routes, o->nroutes, r->method, r->inside, &r->match, err);
}

static void
serve(struct web_request *r)
{
	const struct web_server_opts *o = &r->server->o;
	bool empty = r->info->content_length == 0 || (r->info->content_length < 0 &&
	    mg_get_header(r->mg, "Transfer-Encoding") == NULL);
	struct err err = { ERR_OK, "" }, refused = { ERR_OK, "" };

	if (!is_clear(r))
		return;
	bool found = find_route(r, &err) == ERR_OK;
	if (o->admit != NULL && o->admit(o->arg, r, found ? r->match.route : NULL, &refused) != ERR_OK) {
		if (r->status == 0)
			answer_code(r, 0, refused.code, refused.text, empty);
		return;
	}
	if (!found)
		not_found(r, &err, empty);
	else if (suits(r, empty))
		run(r, empty);
}

int
serve_request(struct mg_connection *mg)
{
	struct web_request r;

	request_init(&r, mg_get_user_data(mg_get_context(mg)), mg, mg_get_request_info(mg)->local_uri_raw);
	atomic_fetch_add(&r.server->requests, 1);
	struct mono began = clock_mono(clock_system());
	serve(&r);
	int64_t ns = mono_since(clock_mono(clock_system()), began);
	log_debug(EV_HTTP_REQUEST, LOG_F(LOG_S("request_id", r.id), LOG_S("method", r.method), LOG_S("path", r.path), LOG_N("status", r.status),
	    LOG_S("peer", r.peer), LOG_N("us", ns / NS_PER_US)), "%s %s was answered with %d", r.method, r.path, r.status);
	if (r.server->o.done != NULL)
		r.server->o.done(r.server->o.arg, r.match.route, r.status, ns);
	request_release(&r);
	return r.status;
}

int
serve_unreadable(struct mg_connection *mg, int status, const char *why)
{
	struct web_request r;

	(void)why;	/* holds parts of the request */
	request_init(&r, mg_get_user_data(mg_get_context(mg)), mg, NULL);
	atomic_fetch_add(&r.server->malformed, 1);
	answer_code(&r, status, ERR_OK, "the request cannot be read as HTTP/1.1", false);
	request_release(&r);
	return 0;
}
