/* fuzz_headers - any text as a Cookie, If-Match or Accept header, and any bytes as a head: what is found was
 * there and may stand where it is put, what is strict has one reading, and a list says the same of a tag
 * whatever else is in it. */
#include "fuzz.h"

#include "base/mem.h"
#include "http/cookie.h"
#include "http/etag.h"
#include "http/head.h"
#include "http/media.h"

static void
cookies(const char *text)
{
	char out[16];

	if (!cookie_find(text, "a", out, sizeof out)) {
		MUST(out[0] == '\0');
		return;
	}
	MUST(strstr(text, out) != NULL && strstr(text, "a=") != NULL && strlen(out) < sizeof out);
	for (const char *p = out; *p != '\0'; p++)
		MUST((unsigned char)*p > 0x20 && (unsigned char)*p < 0x7f && *p != ';' && *p != ',' && *p != '"' && *p != '\\');
	/* Once more of that name, and none counts. */
	struct str twice = STR_INIT;
	str_printf(&twice, "a=1; %s", text);
	MUST(!cookie_find(twice.p, "a", out, sizeof out));
	str_release(&twice);
}

static void
tags(const char *text)
{
	enum etag_verdict strong = etag_listed(text, "42", false), weak = etag_listed(text, "42", true);

	/* What the strong comparison finds, the weak one does, and they agree on what is a list. */
	MUST((strong == ETAG_UNREADABLE) == (weak == ETAG_UNREADABLE));
	MUST(strong != ETAG_LISTED || weak == ETAG_LISTED);
	MUST(weak != ETAG_LISTED || strstr(text, "\"42\"") != NULL || strchr(text, '*') != NULL);
	MUST(etag_listed(text, NULL, true) != ETAG_LISTED);
	if (strong == ETAG_UNREADABLE || strchr(text, '*') != NULL)
		return;
	struct str longer = STR_INIT;
	str_printf(&longer, "%s, \"42\"", text);
	MUST(etag_listed(longer.p, "42", false) == ETAG_LISTED);
	str_release(&longer);
}

static void
heads(const char *p, size_t n)
{
	bool strict = head_is_strict(p, n);

	MUST(!strict || head_ends(p, n));
	for (size_t i = 0; strict && i < n; i++) {
		MUST(p[i] != '\0' && p[i] != 0x7f);
		MUST(p[i] != '\n' || (i > 0 && p[i - 1] == '\r' && (i + 1 == n || (p[i + 1] != ' ' && p[i + 1] != '\t'))));
		MUST(p[i] != '\r' || (i + 1 < n && p[i + 1] == '\n'));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_text_n((const char *)data, size);

	cookies(text);
	tags(text);
	media_is(text, "application/json, text/plain");
	MUST(media_is("text/plain", "application/json, text/plain"));
	media_accepts(text, "application/json");
	heads((const char *)data, size);
	mem_free(text);
	return 0;
}
