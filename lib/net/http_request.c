/* http_request.c - a request as the bytes that go out; the connection is http.c's. */
#include "net/http.h"

#include <stdio.h>
#include <string.h>

void
http_escape(struct str *out, const char *s)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *s != '\0'; s++) {
		unsigned char b = (unsigned char)*s;
		if ((b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') ||
		    (b != '\0' && strchr("-_.~", b) != NULL)) {
			str_putc(out, *s);
		} else {
			char esc[3] = { '%', digits[b >> 4], digits[b & 15] };
			str_add(out, esc, sizeof esc);
		}
	}
}

/* Values come from the network: a line break in one would make a header of its own. */
static void
put_header(struct str *out, const char *name, struct text value)
{
	str_puts(out, name);
	str_add(out, ": ", 2);
	size_t from = out->len;
	str_add(out, value.p, value.p != NULL ? value.n : 0);
	for (size_t i = from; i < out->len; i++)
		if ((unsigned char)out->p[i] < 0x20 || out->p[i] == 0x7f)
			out->p[i] = '?';
	str_add(out, "\r\n", 2);
}

void
http_compose(struct str *out, const struct http_request *q)
{
	str_puts(out, q->method);
	str_putc(out, ' ');
	str_puts(out, q->path);
	str_puts(out, " HTTP/1.1\r\nHost: ");
	str_puts(out, q->host != NULL ? q->host : "localhost");
	str_add(out, "\r\n", 2);
	for (size_t i = 0; i < q->nheaders; i++)
		put_header(out, q->headers[i].name, q->headers[i].value);
	if (q->type != NULL) {
		char length[64];
		int n = snprintf(length, sizeof length, "\r\nContent-Length: %zu\r\n", q->body.n);
		str_puts(out, "Content-Type: ");
		str_puts(out, q->type);
		str_add(out, length, (size_t)n);
	}
	str_add(out, "\r\n", 2);
	if (q->type != NULL)
		str_add(out, q->body.p, q->body.n);
}
