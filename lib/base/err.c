/* err.c - codes and sentences of failure; the table is errcodes.def. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct row {
	const char *name, *wire, *text;
	int http, exit;
	bool retry;
};

static const struct row rows[ERR_COUNT] = {
	[ERR_OK] = { "OK", "OK", "success", 200, 0, false },
#define CODE(name, wire, text, http, exit, retry) \
	[ERR_##name] = { #name, wire, text, http, exit, retry },
#include "base/errcodes.def"
#undef CODE
};

/* By way of a copy: the new sentence may well quote the old one. */
static void
write_sentence(struct err *e, enum err_code code, const char *fmt, va_list ap)
{
	char text[sizeof e->text];

	vsnprintf(text, sizeof text, fmt, ap);
	memcpy(e->text, text, sizeof text);
	e->code = code;
}

enum err_code
err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return code;
	va_start(ap, fmt);
	write_sentence(e, code, fmt, ap);
	va_end(ap);
	return code;
}

enum err_code
err_errno(struct err *e, enum err_code code, int errnum, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	if (e == NULL)
		return code;
	va_start(ap, fmt);
	write_sentence(e, code, fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	/* strerrordesc_np is the thread-safe one, and it knows every number of this kernel. */
	const char *words = strerrordesc_np(errnum);
	snprintf(e->text + n, sizeof e->text - n, ": %s", words ? words : "unknown error");
	return code;
}

enum err_code
err_prefix(struct err *e, const char *fmt, ...)
{
	char front[sizeof e->text], back[sizeof e->text];
	va_list ap;

	if (e == NULL)
		return ERR_OK;
	va_start(ap, fmt);
	vsnprintf(front, sizeof front, fmt, ap);
	va_end(ap);
	memcpy(back, e->text, sizeof back);
	/* A sentence that no longer fits loses its end: the context names the culprit. */
	size_t n = strlen(front);
	if (n > sizeof e->text - 3)
		n = sizeof e->text - 3;
	memcpy(e->text, front, n);
	memcpy(e->text + n, ": ", 3);
	n += 2;
	size_t room = sizeof e->text - 1 - n, len = strlen(back);
	if (len > room)
		len = room;
	memcpy(e->text + n, back, len);
	e->text[n + len] = '\0';
	return e->code;
}

void
err_clear(struct err *e)
{
	if (e != NULL) {
		e->code = ERR_OK;
		e->text[0] = '\0';
	}
}

static const struct row *
row_of(enum err_code code)
{
	return &rows[(unsigned)code < ERR_COUNT ? code : ERR_SYSTEM];
}

const char *
err_name(enum err_code code)
{
	return row_of(code)->name;
}

const char *
err_wire(enum err_code code)
{
	return row_of(code)->wire;
}

const char *
err_text(enum err_code code)
{
	return row_of(code)->text;
}

int
err_http(enum err_code code)
{
	return row_of(code)->http;
}

int
err_exit(enum err_code code)
{
	return row_of(code)->exit;
}

bool
err_retry(enum err_code code)
{
	return row_of(code)->retry;
}
