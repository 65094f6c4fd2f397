/* answer.c - what goes back: heads, bodies, problems, streams.  A head leaves in one write with its
 * body. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/mem.h"
#include "http/etag.h"
#include "http/lobby.h"
#include "http/seam.h"
#include "http/server_inner.h"
#include "sys/clock.h"

#define RETRY_AFTER "1"		/* seconds */

/* --- heads ------------------------------------------------------------------------------- */

static size_t
find_header(const struct web_request *r, const char *name)
{
	size_t i = 0;

	while (i < r->nheaders && strcasecmp(r->headers[i].name, name) != 0)
		i++;
	return i;
}

static bool
has_header(const struct web_request *r, const char *name)
{
	return find_header(r, name) < r->nheaders;
}

static char *
header_value(const char *value)
{
	char *copy = mem_text(value);

	for (char *c = copy; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	return copy;
}

void
web_add_header(struct web_request *r, const char *name, const char *value)
{
	MAGIC_CHECK(r, WEB_REQUEST_MAGIC);
	MUST(r->status == 0 && r->nheaders < HEADERS_MAX);
	r->headers[r->nheaders].name = name;
	r->headers[r->nheaders++].value = header_value(value);
}

void
web_set_header(struct web_request *r, const char *name, const char *value)
{
	MAGIC_CHECK(r, WEB_REQUEST_MAGIC);
	size_t i = find_header(r, name);
	if (i == r->nheaders) {
		web_add_header(r, name, value);
		return;
	}
	MUST(r->status == 0);
	mem_free(r->headers[i].value);
	r->headers[i].value = header_value(value);
}

/* wants_more: whether the client means to send another request. */
static bool
wants_more(const struct web_request *r)
{
	const char *wish = mg_get_header(r->mg, "Connection");
	bool old = r->info->http_version == NULL || strcmp(r->info->http_version, "1.1") != 0;

	return wish != NULL ? strcasecmp(wish, "keep-alive") == 0 || (!old && strcasecmp(wish, "close") != 0) : !old;
}

/* may_stay: whether the connection may wait for another request.  A waiting one holds a thread; there are places
 * for so many, and who has one keeps it until he leaves. */
static bool
may_stay(const struct web_request *r)
{
	struct web_server *s = r->server;
	unsigned *stays = guest_flag(mg_get_ticket(r->mg));

	if (atomic_load(&s->stopping) || !wants_more(r))
		return false;
	if (*stays == 0 && !server_place(&s->kept, s->o.max_kept))
		return false;
	*stays = 1;
	return true;
}

/* put_date: when the answer was made (RFC 9110 §6.6.1). */
static void
put_date(struct str *out)
{
	time_t now = (time_t)(clock_wall(clock_system()).ns / NS_PER_S);
	struct tm tm;
	char text[40];

	if (gmtime_r(&now, &tm) != NULL && strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
		str_printf(out, "Date: %s\r\n", text);
}

/* put_head: status line and headers that every answer has, and those that were set. */
static void
put_head(struct str *out, struct web_request *r, int status, bool keep)
{
	const char *text = problem_phrase(status);

	MUST(r->status == 0);
	r->status = status;
	str_printf(out, "HTTP/1.1 %d %s\r\n", status, text != NULL ? text : mg_get_response_code_text(r->mg, status));
	put_date(out);
	if (!has_header(r, "Cache-Control"))
		str_puts(out, "Cache-Control: no-store\r\n");
	str_printf(out, "Connection: %s\r\nX-Request-Id: %s\r\n", keep ? "keep-alive" : "close", r->id);
	for (size_t i = 0; i < r->nheaders; i++)
		str_printf(out, "%s: %s\r\n", r->headers[i].name, r->headers[i].value);
	if (!keep)
		mg_disable_connection_keep_alive(r->mg);
}

/* --- whole answers ----------------------------------------------------------------------- */

void
answer(struct web_request *r, int status, const char *type, struct text body, bool keep)
{
	struct str out = STR_INIT;
	bool whole = strcmp(r->method, "HEAD") != 0;

	put_head(&out, r, status, keep);
	if (type != NULL)
		str_printf(&out, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, body.n);
	else if (status != 204 && status != 304)
		str_puts(&out, "Content-Length: 0\r\n");	/* or it would be waited for */
	str_puts(&out, "\r\n");
	if (type != NULL && whole)
		str_add(&out, body.p, body.n);
	mg_write(r->mg, out.p, out.len);
	str_release(&out);
}

void
web_reply(struct web_request *r, int status, const char *type, struct text body)
{
	MAGIC_CHECK(r, WEB_REQUEST_MAGIC);
	answer(r, status, type, body, may_stay(r));
}

void
web_reply_etag(struct web_request *r, int status, const char *type, struct text body, const char *etag)
{
	const char *none = web_header(r, "If-None-Match");
	char quoted[160];

	MAGIC_CHECK(r, WEB_REQUEST_MAGIC);
	MUST((size_t)snprintf(quoted, sizeof quoted, "\"%s\"", etag) < sizeof quoted);
	web_set_header(r, "ETag", quoted);
	bool reads = strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0;
	if (status == 200 && reads && none != NULL && etag_listed(none, etag, true) == ETAG_LISTED)
		answer(r, 304, NULL, (struct text){ NULL, 0 }, may_stay(r));
	else
		answer(r, status, type, body, may_stay(r));
}

static const char *
problem_type(const struct web_request *r)
{
	const char *accept = mg_get_header(r->mg, "Accept");

	return accept != NULL && strstr(accept, "application/problem+json") != NULL
	    ? "application/problem+json" : "application/json";
}

void
answer_problem(struct web_request *r, const struct problem *told, bool keep)
{
	struct problem p = *told;
	struct str body = STR_INIT;
	int status = problem_status(&p);

	p.path = r->path;
	p.request_id = r->id;
	if ((status == 503 || status == 429) && !has_header(r, "Retry-After"))
		web_set_header(r, "Retry-After", RETRY_AFTER);
	if (status == 401 && !has_header(r, "WWW-Authenticate"))
		web_set_header(r, "WWW-Authenticate", "Bearer");
	web_set_header(r, "Cache-Control", "no-store");
	problem_write(&body, &p);
	answer(r, status, problem_type(r), (struct text){ body.p, body.len }, keep && may_stay(r));
	str_release(&body);
}

void
answer_code(struct web_request *r, int status, enum err_code code, const char *detail, bool keep)
{
	answer_problem(r, &(struct problem){ .status = status, .code = code, .detail = detail }, keep);
}

void
web_fail(struct web_request *r, const struct problem *p)
{
	MAGIC_CHECK(r, WEB_REQUEST_MAGIC);
	answer_problem(r, p, true);
}

/* --- streams ----------------------------------------------------------------------------- */

void
web_stream_begin(struct web_request *r)
{
	struct str out = STR_INIT;

	MAGIC_CHECK(r, WEB_REQUEST_MAGIC);
	put_head(&out, r, 200, false);
	str_puts(&out, "Content-Type: text/event-stream\r\nX-Accel-Buffering: no\r\n\r\n");
	mg_write(r->mg, out.p, out.len);
	str_release(&out);
}

bool
web_stream_write(struct web_request *r, struct text bytes)
{
	MAGIC_CHECK(r, WEB_REQUEST_MAGIC);
	return strcmp(r->method, "HEAD") != 0 && mg_write(r->mg, bytes.p, bytes.n) == (int)bytes.n;
}
