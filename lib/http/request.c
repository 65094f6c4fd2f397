/* request.c - what came: head, body, conditions. */
#include "http/request.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "http/cookie.h"
#include "http/etag.h"
#include "http/server_inner.h"
#include "sys/clock.h"

static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

/* behind: the part of a path behind the base; NULL when that is not before it. */
static const char *
behind(const char *path, const char *base)
{
	size_t n = base != NULL ? strlen(base) : 0;

	if (n == 0)
		return path;
	return strncmp(path, base, n) == 0 && path[n] == '/' ? path + n : NULL;
}

/* take_id: the client's, if it can do no harm wherever it is repeated; or a new one. */
static void
take_id(struct web_request *r)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:+/=@";
	const char *told = r->path != NULL ? mg_get_header(r->mg, "X-Request-Id") : NULL;
	size_t n = told != NULL ? strlen(told) : 0;

	if (n > 0 && n < sizeof r->id && strspn(told, plain) == n)
		memcpy(r->id, told, n + 1);
	else
		id_uuid4(r->id);
}

/* all_of: every header of that name, with commas between. */
static void
all_of(const struct mg_request_info *info, const char *name, struct str *out)
{
	for (int i = 0; i < info->num_headers; i++)
		if (strcasecmp(info->http_headers[i].name, name) == 0)
			str_printf(out, "%s%s", out->len > 0 ? "," : "", info->http_headers[i].value);
}

/* take_client: who asks, how and whom; by what a proxy says if that one is trusted. */
static void
take_client(struct web_request *r)
{
	const char *address = r->info->remote_addr, *host = r->path != NULL ? mg_get_header(r->mg, "Host") : NULL;
	const struct proxies *p = &r->server->o.proxies;
	struct str list = STR_INIT;
	char word[HOST_MAX];

	/* civetweb's word for who has no address is "*". */
	snprintf(r->peer, sizeof r->peer, "%.*s", (int)sizeof r->peer - 1, address[0] == '*' ? "" : address);
	snprintf(r->host, sizeof r->host, "%s", host != NULL && strlen(host) < sizeof r->host ? host : "");
	r->secure = r->info->is_ssl != 0;
	if (r->path == NULL || !proxies_trust(p, r->peer))
		return;
	all_of(r->info, "X-Forwarded-For", &list);
	snprintf(word, sizeof word, "%s", r->peer);
	proxies_client(p, word, str_text(&list), r->peer);
	str_clear(&list);
	all_of(r->info, "X-Forwarded-Proto", &list);
	if (proxies_last(str_text(&list), word, sizeof word))
		r->secure = strcasecmp(word, "https") == 0;
	str_clear(&list);
	all_of(r->info, "X-Forwarded-Host", &list);
	if (proxies_last(str_text(&list), word, sizeof word))
		snprintf(r->host, sizeof r->host, "%s", word);
	str_release(&list);
}

void
request_init(struct web_request *r, struct web_server *s, struct mg_connection *mg, const char *path)
{
	MAGIC_CHECK(s, WEB_MAGIC);
	*r = (struct web_request){ .magic = WEB_REQUEST_MAGIC, .server = s, .mg = mg, .info = mg_get_request_info(mg),
	    .path = path };
	r->method = r->info->request_method != NULL ? r->info->request_method : "";
	r->inside = path != NULL ? behind(path, s->o.base) : NULL;
	take_id(r);
	take_client(r);
	if (s->o.headers != NULL)
		s->o.headers(s->o.arg, r);
}

void
request_release(struct web_request *r)
{
	for (size_t i = 0; i < r->nheaders; i++)
		mem_free(r->headers[i].value);
	str_release(&r->body);
	MAGIC_WIPE(r);
}

/* --- what was asked ---------------------------------------------------------------------- */

const char *
web_request_id(const struct web_request *r)
{
	return r->id;
}

const char *
web_method(const struct web_request *r)
{
	return r->method;
}

const char *
web_path(const struct web_request *r)
{
	return r->path;
}

const char *
web_query_text(const struct web_request *r)
{
	return r->info->query_string;
}

const char *
web_param(const struct web_request *r, const char *name)
{
	const char *value = router_param(&r->match, name);

	MUST(value != NULL);
	return value;
}

const char *
web_header(const struct web_request *r, const char *name)
{
	return mg_get_header(r->mg, name);
}

struct text
web_body(const struct web_request *r)
{
	return (struct text){ str_text(&r->body), r->body.len };
}

bool
web_cookie(const struct web_request *r, const char *name, char *out, size_t max)
{
	return cookie_find(web_header(r, "Cookie"), name, out, max);
}

const char *
web_peer(const struct web_request *r)
{
	return r->peer;
}

bool
web_secure(const struct web_request *r)
{
	return r->secure;
}

const char *
web_host(const struct web_request *r)
{
	return r->host;
}

bool
web_stopping(const struct web_request *r)
{
	return atomic_load(&r->server->stopping);
}

void *
web_note(struct web_request *r)
{
	MAGIC_CHECK(r, WEB_REQUEST_MAGIC);
	return r->note;
}

/* --- conditions -------------------------------------------------------------------------- */

static enum err_code
not_as_wished(struct web_request *r, const char *etag, const char *told, struct err *err)
{
	char quoted[160];

	if (etag != NULL) {
		snprintf(quoted, sizeof quoted, "\"%s\"", etag);
		web_set_header(r, "ETag", quoted);
		return err_set(err, ERR_PRECONDITION, "it is at \"%s\" now, the request says %s", etag, told);
	}
	return err_set(err, ERR_PRECONDITION, "it is not there, the request says %s", told);
}

enum err_code
web_precondition(struct web_request *r, const char *etag, bool required, struct err *err)
{
	const char *match = web_header(r, "If-Match"), *none = web_header(r, "If-None-Match");
	enum etag_verdict verdict;

	MAGIC_CHECK(r, WEB_REQUEST_MAGIC);
	if (match == NULL && none == NULL && required)
		return err_set(err, ERR_UNCONDITIONAL, "say in If-Match which state is to be changed (its ETag), or If-None-Match: * "
		    "for what is not there yet");
	if (match != NULL) {
		if ((verdict = etag_listed(match, etag, false)) == ETAG_UNREADABLE)
			return err_set(err, ERR_INVALID, "the header If-Match: '%.60s' is no list of entity tags", match);
		if (verdict == ETAG_NONE) {
			char told[100];
			snprintf(told, sizeof told, "%.80s", match);
			return not_as_wished(r, etag, told, err);
		}
	}
	if (none == NULL)
		return ERR_OK;
	if ((verdict = etag_listed(none, etag, true)) == ETAG_UNREADABLE)
		return err_set(err, ERR_INVALID, "the header If-None-Match: '%.60s' is no list of entity tags", none);
	return verdict == ETAG_LISTED ? not_as_wished(r, etag, "that this is not there", err) : ERR_OK;
}

/* --- the body ---------------------------------------------------------------------------- */

/* So little is asked for at a time that a read ends soon enough for the rate to be looked at; of a body in
 * chunks still less, because each of them may come late. */
#define READ 4096
#define CHUNKED_READ 32

/* is_late: whether less has come than a slow line would have brought. */
static bool
is_late(const struct web_request *r, struct mono began)
{
	int64_t allowed = r->server->o.receive_ns + (int64_t)r->body.len * (NS_PER_S / SLOWEST);

	return mono_since(clock_mono(clock_system()), began) > allowed;
}

bool
request_body(struct web_request *r, size_t max)
{
	struct mono began = clock_mono(clock_system());
	long long length = r->info->content_length;

	if (length > (long long)max) {
		answer_code(r, 0, ERR_TOO_LARGE, "the body is larger than this path takes", false);
		return false;
	}
	if (mg_get_header(r->mg, "Expect") != NULL)
		mg_write(r->mg, go_on, strlen(go_on));
	str_puts(&r->body, "");
	while (length < 0 || r->body.len < (size_t)length) {
		size_t rest = (size_t)length - r->body.len, want = length < 0 ? CHUNKED_READ : rest < READ ? rest : READ;
		int n = mg_read(r->mg, str_room(&r->body, want), want);
		if (n == 0 && length < 0)
			return true;
		if (n > 0) {
			r->body.len += (size_t)n;
			str_end(&r->body);
		}
		if (n <= 0 || is_late(r, began)) {
			atomic_fetch_add(&r->server->malformed, 1);
			answer_code(r, 400, ERR_OK, "the body is not as it was announced, or did not come in time", false);
			return false;
		}
		if (r->body.len > max) {
			answer_code(r, 0, ERR_TOO_LARGE, "the body is larger than this path takes", false);
			return false;
		}
	}
	return true;
}
