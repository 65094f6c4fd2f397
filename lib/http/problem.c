/* problem.c - an error as JSON. */
#include "http/problem.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/utf8.h"
#include "codec/codec.h"

/* What HTTP itself refuses has no row in errcodes.def. */
static const struct { int status; const char *title; } titles[] = {
	{ 400, "the request cannot be read" },
	{ 401, "not authenticated" },
	{ 403, "not allowed" },
	{ 404, "no such thing" },
	{ 405, "the path does not know this method" },
	{ 406, "no such representation" },
	{ 408, "the request did not come in time" },
	{ 409, "it does not fit what is there" },
	{ 411, "the body has no length" },
	{ 413, "it is larger than allowed" },
	{ 415, "the body is of another type" },
	{ 417, "the server does not do this" },
	{ 422, "a value is not allowed" },
	{ 429, "too many attempts" },
	{ 431, "the header is larger than allowed" },
	{ 501, "the server does not do this" },
	{ 505, "another version of HTTP" },
};

int
problem_status(const struct problem *p)
{
	return p->status != 0 ? p->status : err_http(p->code);
}

static const char *
title_of(const struct problem *p)
{
	if (p->code != ERR_OK)
		return err_text(p->code);
	for (size_t i = 0; i < COUNT_OF(titles); i++)
		if (titles[i].status == p->status)
			return titles[i].title;
	return p->status < 500 ? "the request is wrong" : "the server failed";
}

static void
urn_of(const char *code, char *out, size_t max)
{
	int n = snprintf(out, max, "urn:aegis:problem:%s", code);

	for (int i = (int)strlen("urn:aegis:problem:"); i < n; i++)
		out[i] = out[i] == '_' ? '-' : (char)tolower((unsigned char)out[i]);
}

/* readable: a copy of text without the bytes that are none. */
static void
readable(struct str *out, const char *text)
{
	str_puts(out, text != NULL ? text : "");
	out->len = strlen(utf8_clean(out->p));
}

static void
put_errors(struct pack *k, const struct problem *p)
{
	struct str detail = STR_INIT, pointer = STR_INIT;

	pack_array(k, (uint32_t)p->nerrors);
	for (size_t i = 0; i < p->nerrors; i++) {
		str_clear(&detail);
		str_clear(&pointer);
		readable(&detail, p->errors[i].detail);
		readable(&pointer, p->errors[i].pointer);
		pack_map(k, 2);
		pack_key_puts(k, "pointer", str_text(&pointer));
		pack_key_puts(k, "detail", str_text(&detail));
	}
	str_release(&detail);
	str_release(&pointer);
}

void
problem_write(struct str *out, const struct problem *p)
{
	char own[16], urn[96];
	struct str detail = STR_INIT, path = STR_INIT;
	const char *code = own;
	struct pack k;

	snprintf(own, sizeof own, "HTTP_%d", p->status);
	if (p->code != ERR_OK)
		code = err_wire(p->code);
	urn_of(code, urn, sizeof urn);
	readable(&detail, p->detail);
	readable(&path, p->path);
	pack_init(&k, out, DATA_JSON, PACK_COMPACT);
	pack_map(&k, 8);
	pack_key_puts(&k, "type", urn);
	pack_key_puts(&k, "title", title_of(p));
	pack_key_int(&k, "status", problem_status(p));
	pack_key_puts(&k, "detail", str_text(&detail));
	pack_key_puts(&k, "instance", p->path != NULL ? str_text(&path) : NULL);
	pack_key_puts(&k, "request_id", p->request_id);
	pack_key(&k, "errors");
	put_errors(&k, p);
	pack_key_map(&k, "error", 3);
	pack_key_puts(&k, "code", code);
	pack_key_puts(&k, "message", str_text(&detail));
	pack_key_data(&k, "details", p->details);
	MUST(pack_end(&k, NULL) == ERR_OK);
	str_release(&detail);
	str_release(&path);
}

const char *
problem_phrase(int status)
{
	static const struct { int status; const char *text; } phrases[] = {
		{ 408, "Request Timeout" }, { 413, "Content Too Large" }, { 422, "Unprocessable Content" },
		{ 428, "Precondition Required" }, { 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
	};

	for (size_t i = 0; i < COUNT_OF(phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].text;
	return NULL;
}
