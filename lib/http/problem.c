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
	{ 405, "the path does not know this method" },
	{ 406, "no such representation" },
	{ 408, "the request did not come in time" },
	{ 411, "the body has no length" },
	{ 415, "the body is of another type" },
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
	size_t n = text != NULL ? strlen(text) : 0;

	str_puts(out, "");
	while (n > 0) {
		size_t good = utf8_valid(text, n);
		str_add(out, text, good);
		good += good < n;
		text += good;
		n -= good;
	}
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
	pack_key(&k, "type");
	pack_puts(&k, urn);
	pack_key(&k, "title");
	pack_puts(&k, title_of(p));
	pack_key(&k, "status");
	pack_int(&k, problem_status(p));
	pack_key(&k, "detail");
	pack_puts(&k, str_text(&detail));
	pack_key(&k, "instance");
	pack_puts(&k, p->path != NULL ? str_text(&path) : NULL);
	pack_key(&k, "request_id");
	pack_puts(&k, p->request_id);
	pack_key(&k, "errors");
	pack_array(&k, 0);
	pack_key(&k, "error");
	pack_map(&k, 3);
	pack_key(&k, "code");
	pack_puts(&k, code);
	pack_key(&k, "message");
	pack_puts(&k, str_text(&detail));
	pack_key(&k, "details");
	pack_map(&k, 0);
	MUST(pack_end(&k, NULL) == ERR_OK);
	str_release(&detail);
	str_release(&path);
}

const char *
problem_phrase(int status)
{
	static const struct { int status; const char *text; } phrases[] = {
		{ 408, "Request Timeout" }, { 413, "Content Too Large" }, { 422, "Unprocessable Content" },
		{ 431, "Request Header Fields Too Large" },
	};

	for (size_t i = 0; i < COUNT_OF(phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].text;
	return NULL;
}
