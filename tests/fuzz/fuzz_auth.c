/* fuzz_auth - what arrives before anybody is known: cookies, Authorization, Origin, addresses; and what the
 * bucket of tokens may hold when somebody else wrote it. */
#include "fuzz.h"

#include "auth/record.h"
#include "auth/throttle.h"
#include "base/mem.h"
#include "http/cookie.h"

static void
headers(const char *text)
{
	char value[AUTH_TEXT_MAX];
	const char *id;
	struct text t;

	if (auth_bearer(text, &t))
		MUST(t.n > 0 && t.p > text && t.p + t.n <= text + strlen(text) && t.p[0] != ' ' && t.p[t.n - 1] != ' ');
	if (cookie_find(text, "aegis", value, sizeof value))
		MUST(strlen(value) < sizeof value && strstr(text, value) != NULL);
	else
		MUST(value[0] == '\0');
	for (enum auth_form f = AUTH_FORM_TOKEN; f <= AUTH_FORM_COOKIE; f++)
		if (auth_form_ok(f, text_of(text)))
			MUST(strlen(text) >= AUTH_SECRET_DIGITS && strlen(text) < AUTH_TEXT_MAX);
	MUST(throttle_key(text) != 0);
	if (auth_key_kind(text, &id) != AUTH_KIND_NONE)
		MUST(auth_id_ok(id));
}

/* origins: only what names our own host gets in, whatever else it says. */
static void
origins(const char *text)
{
	struct err err;
	struct auth_origin o = { .origin = text, .host = "aegis.example:8100" };

	if (auth_own_origin(&o, true, &err) == ERR_OK)
		MUST(strcasecmp(text, "http://aegis.example:8100") == 0 || strcasecmp(text, "https://aegis.example:8100") == 0);
	o = (struct auth_origin){ .fetch_site = text, .host = "aegis.example:8100" };
	if (auth_own_origin(&o, true, &err) == ERR_OK)
		MUST(strcmp(text, "same-origin") == 0);
	o = (struct auth_origin){ .has_body = true, .content_type = text };
	if (auth_own_origin(&o, false, &err) == ERR_OK)
		MUST(strncasecmp(text, "application/", 12) == 0);
}

static void
records(const char *text, size_t n)
{
	char id[AUTH_ID_MAX] = "ba7816bf8f01cfea414140de5d";
	struct auth_session session;
	struct auth_token token, again;
	struct auth_code code;
	struct wall at;
	struct str out = STR_INIT;
	struct err err;

	if (auth_token_read(id, text, n, 7, &token, &err) == ERR_OK) {
		MUST(token.role > AUTH_NONE && token.role < AUTH_ROLES && strcmp(token.id, id) == 0);
		auth_token_write(&out, &token);
		MUST(auth_token_read(id, out.p, out.len, 7, &again, &err) == ERR_OK);
		MUST(again.role == token.role && strcmp(again.service, token.service) == 0);
	}
	if (auth_session_read(id, text, n, 7, &session, &err) == ERR_OK)
		MUST(auth_id_ok(session.token) && session.expires.ns != 0);
	if (auth_code_read(id, text, n, 7, &code, &err) == ERR_OK)
		MUST(auth_id_ok(code.token) && code.expires.ns != 0);
	if (auth_used_read(text, n, &at, &err) == ERR_OK)
		MUST(at.ns != 0);
	str_release(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_text_n((const char *)data, size);

	headers(text);
	origins(text);
	records((const char *)data, size);
	mem_free(text);
	return 0;
}
