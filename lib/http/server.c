/* server.c - civetweb behind our own words.
 *
 * civetweb brings sockets, threads and the parsing of heads; everything else of it is compiled
 * out or switched off.  Each request passes one function, serve(), which asks in this order: who
 * is it, what does it want, is there room for it, is its body in bounds. */
#include "http/server.h"

#include <civetweb.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "base/id.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/problem.h"
#include "sys/clock.h"
#include "sys/pool.h"

#define WEB_MAGIC 0xae617001u
#define WEB_REQUEST_MAGIC 0xae617002u

#define MAX_WAITING 32
#define MAX_STREAMS 8
#define SPARE 8			/* threads that no kind of request may use up */
#define RECEIVE_NS (5 * NS_PER_S)
#define KEEP_ALIVE_MS "5000"	/* an idle connection holds a thread so long */
#define MAX_HEAD "8192"		/* bytes of a request's head; a longer one is answered 400 */
#define RETRY_AFTER "1"		/* seconds */
#define HEADERS_MAX 8

static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

struct web_server {
	unsigned magic;
	struct mg_context *ctx;
	const struct web_route *routes;
	size_t nroutes;
	enum err_code (*admit)(void *arg, const struct web_request *r, struct err *err);
	void *arg;
	char *address;
	unsigned limit[3];		/* by enum web_kind; 0: none */
	atomic_uint busy[3];		/* by enum web_kind */
	unsigned threads;
	int64_t receive_ns;
	atomic_uint connections, thread_number;
	atomic_ullong requests, refused, malformed;
	atomic_bool stopping;
};

struct web_request {
	unsigned magic;
	struct web_server *server;
	struct mg_connection *mg;
	const struct mg_request_info *info;
	const char *path;
	char id[ID_UUID_MAX];
	struct router_match match;
	struct str body;
	struct { const char *name; char *value; } headers[HEADERS_MAX];
	size_t nheaders;
	int status;			/* of the answer that was begun; 0: none */
};

/* --- the answer -------------------------------------------------------------------------- */

/* put_head: status line and headers that every answer has. */
static void
put_head(struct str *out, struct mg_connection *mg, int status, bool keep)
{
	const char *text = problem_phrase(status);

	str_printf(out, "HTTP/1.1 %d %s\r\n", status, text != NULL ? text : mg_get_response_code_text(mg, status));
	str_puts(out, "Cache-Control: no-store\r\n");
	str_printf(out, "Connection: %s\r\n", keep ? "keep-alive" : "close");
}

/* may_stay: whether the connection may wait for another request without keeping others out. */
static bool
may_stay(const struct web_request *r)
{
	const char *wish = mg_get_header(r->mg, "Connection");
	bool old = r->info->http_version != NULL && strcmp(r->info->http_version, "1.1") != 0;

	if (atomic_load(&r->server->stopping) || atomic_load(&r->server->connections) > r->server->threads / 2)
		return false;
	return wish != NULL ? strcasecmp(wish, "keep-alive") == 0 || (!old && strcasecmp(wish, "close") != 0) : !old;
}

void
web_set_header(struct web_request *r, const char *name, const char *value)
{
	MAGIC_CHECK(r, WEB_REQUEST_MAGIC);
	MUST(r->status == 0 && r->nheaders < HEADERS_MAX);
	char *copy = mem_text(value);
	for (char *c = copy; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	r->headers[r->nheaders].name = name;
	r->headers[r->nheaders++].value = copy;
}

static void
put_headers(struct str *out, const struct web_request *r)
{
	str_printf(out, "X-Request-Id: %s\r\n", r->id);
	for (size_t i = 0; i < r->nheaders; i++)
		str_printf(out, "%s: %s\r\n", r->headers[i].name, r->headers[i].value);
}

/* answer: keep false ends the connection afterwards, whatever of the request was not read. */
static void
answer(struct web_request *r, int status, const char *type, struct text body, bool keep)
{
	struct str out = STR_INIT;
	bool whole = strcmp(r->info->request_method, "HEAD") != 0;

	MUST(r->status == 0);
	r->status = status;
	put_head(&out, r->mg, status, keep);
	put_headers(&out, r);
	if (type != NULL)
		str_printf(&out, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, body.n);
	str_puts(&out, "\r\n");
	if (type != NULL && whole)
		str_add(&out, body.p, body.n);
	mg_write(r->mg, out.p, out.len);
	if (!keep)
		mg_disable_connection_keep_alive(r->mg);
	str_release(&out);
}

void
web_reply(struct web_request *r, int status, const char *type, struct text body)
{
	MAGIC_CHECK(r, WEB_REQUEST_MAGIC);
	answer(r, status, type, body, may_stay(r));
}

static const char *
problem_type(const struct web_request *r)
{
	const char *accept = mg_get_header(r->mg, "Accept");

	return accept != NULL && strstr(accept, "application/problem+json") != NULL
	    ? "application/problem+json" : "application/json";
}

/* refuse: status 0 takes the code's. */
static void
refuse(struct web_request *r, int status, enum err_code code, const char *detail, bool keep)
{
	struct problem p = { status, code, detail, r->path, r->id };
	struct str body = STR_INIT;

	status = problem_status(&p);
	if (status == 503 || status == 429)
		web_set_header(r, "Retry-After", RETRY_AFTER);
	if (status == 401)
		web_set_header(r, "WWW-Authenticate", "Bearer");
	problem_write(&body, &p);
	answer(r, status, problem_type(r), (struct text){ body.p, body.len }, keep && may_stay(r));
	str_release(&body);
}

void
web_stream_begin(struct web_request *r)
{
	struct str out = STR_INIT;

	MAGIC_CHECK(r, WEB_REQUEST_MAGIC);
	MUST(r->status == 0);
	r->status = 200;
	mg_disable_connection_keep_alive(r->mg);
	put_head(&out, r->mg, 200, false);
	put_headers(&out, r);
	str_puts(&out, "Content-Type: text/event-stream\r\nX-Accel-Buffering: no\r\n\r\n");
	mg_write(r->mg, out.p, out.len);
	str_release(&out);
}

bool
web_stream_write(struct web_request *r, struct text bytes)
{
	MAGIC_CHECK(r, WEB_REQUEST_MAGIC);
	return strcmp(r->info->request_method, "HEAD") != 0 && mg_write(r->mg, bytes.p, bytes.n) == (int)bytes.n;
}

/* --- the request ------------------------------------------------------------------------- */

const char *
web_request_id(const struct web_request *r)
{
	return r->id;
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

const char *
web_query_text(const struct web_request *r)
{
	return r->info->query_string;
}

bool
web_stopping(const struct web_request *r)
{
	return atomic_load(&r->server->stopping);
}

/* is_json: whether the body may be read as JSON; without a type it may. */
static bool
is_json(const char *type)
{
	static const char json[] = "application/json";

	return type == NULL || (strncasecmp(type, json, sizeof json - 1) == 0 &&
	    (type[sizeof json - 1] == '\0' || type[sizeof json - 1] == ';' || type[sizeof json - 1] == ' '));
}

/* A chunk may come late, and the next one, too: so little is asked for at a time that the time-out of
 * a read bounds the whole body.  A read of known length has it as a whole. */
#define CHUNKED_READ 32

/* read_body: at most max bytes, announced or in chunks; false when it was answered instead. */
static bool
read_body(struct web_request *r, size_t max)
{
	struct mono end = mono_after(clock_mono(clock_system()), r->server->receive_ns);
	long long length = r->info->content_length;

	if (length > (long long)max) {
		refuse(r, 0, ERR_TOO_LARGE, "the body is larger than this path takes", false);
		return false;
	}
	if (mg_get_header(r->mg, "Expect") != NULL)
		mg_write(r->mg, go_on, strlen(go_on));
	str_puts(&r->body, "");
	while (length < 0 || r->body.len < (size_t)length) {
		size_t want = length < 0 ? CHUNKED_READ : (size_t)length - r->body.len;
		int n = mg_read(r->mg, str_room(&r->body, want), want);
		if (n == 0 && length < 0)
			return true;
		if (n <= 0 || mono_reached(clock_mono(clock_system()), end)) {
			atomic_fetch_add(&r->server->malformed, 1);
			refuse(r, 400, ERR_OK, "the body is not as it was announced, or did not come in time", false);
			return false;
		}
		r->body.len += (size_t)n;
		str_end(&r->body);
		if (r->body.len > max) {
			refuse(r, 0, ERR_TOO_LARGE, "the body is larger than this path takes", false);
			return false;
		}
	}
	return true;
}

/* --- from request to handler ------------------------------------------------------------- */

/* enter: a place among those of its kind; false when there is none. */
static bool
enter(struct web_server *s, enum web_kind kind)
{
	if (atomic_fetch_add(&s->busy[kind], 1) < s->limit[kind] || s->limit[kind] == 0)
		return true;
	atomic_fetch_sub(&s->busy[kind], 1);
	atomic_fetch_add(&s->refused, 1);
	return false;
}

/* run: the place is taken before the body is read, so that slow bodies keep out their own kind only. */
static void
run(struct web_request *r, bool empty)
{
	const struct web_route *route = r->match.route;
	struct web_server *s = r->server;
	struct err err = { ERR_OK, "" };

	if (!enter(s, route->kind)) {
		log_warning(EV_HTTP_FULL, LOG_F(LOG_S("path", route->path)),
		    "too many requests wait or stream; further ones are answered with 503");
		refuse(r, 0, ERR_BUSY, "too many requests wait here already", false);
		return;
	}
	enum err_code code = empty || read_body(r, route->max_body) ? route->handler(s->arg, r, &err) : ERR_OK;
	if (code != ERR_OK)
		refuse(r, 0, code, err.text, true);
	MUST(r->status != 0);
	atomic_fetch_sub(&s->busy[route->kind], 1);
}

static void
set_allow(struct web_request *r)
{
	struct router_match other;
	struct str allow = STR_INIT;

	for (size_t i = 0; i < r->server->nroutes; i++) {
		const struct web_route *route = &r->server->routes[i];
		if (router_match(route, 1, route->method, r->path, &other, NULL) != ERR_OK)
			continue;
		str_printf(&allow, "%s%s%s", allow.len > 0 ? ", " : "", route->method,
		    strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
	}
	web_set_header(r, "Allow", str_text(&allow));
	str_release(&allow);
}

/* is_plain: whether everybody who reads the head finds the same body behind it: its length said once,
 * in digits, or in chunks and not both (RFC 9112 §6.3); and no header was left out for want of room. */
static bool
is_plain(const struct mg_request_info *info)
{
	size_t said = 0;

	for (int i = 0; i < info->num_headers; i++) {
		const struct mg_header *h = &info->http_headers[i];
		bool length = strcasecmp(h->name, "Content-Length") == 0;
		said += length || strcasecmp(h->name, "Transfer-Encoding") == 0;
		if (length && (h->value[0] == '\0' || strspn(h->value, "0123456789") != strlen(h->value)))
			return false;
	}
	return said <= 1 && info->num_headers < MG_MAX_HEADERS;
}

static void
serve(struct web_request *r)
{
	struct web_server *s = r->server;
	bool empty = r->info->content_length == 0 || (r->info->content_length < 0 &&
	    mg_get_header(r->mg, "Transfer-Encoding") == NULL);
	struct err err;

	if (!is_plain(r->info)) {
		atomic_fetch_add(&s->malformed, 1);
		refuse(r, 400, ERR_OK, "the head says more than once how long the body is, not in digits, or has too many lines", false);
		return;
	}
	if (s->admit != NULL && s->admit(s->arg, r, &err) != ERR_OK) {
		refuse(r, 0, err.code, err.text, empty);
		return;
	}
	if (router_match(s->routes, s->nroutes, r->info->request_method, r->path, &r->match, &err) != ERR_OK) {
		bool other = r->match.methods > 0 && r->match.route == NULL;
		if (other)
			set_allow(r);
		refuse(r, other ? 405 : 0, other ? ERR_OK : err.code, err.text, empty);
		return;
	}
	if (!empty && r->match.route->max_body == 0) {
		refuse(r, 0, ERR_TOO_LARGE, "this path takes no body", false);
		return;
	}
	if (!empty && !is_json(mg_get_header(r->mg, "Content-Type"))) {
		refuse(r, 415, ERR_OK, "the body must be application/json", false);
		return;
	}
	run(r, empty);
}

static int
on_request(struct mg_connection *mg)
{
	const struct mg_request_info *info = mg_get_request_info(mg);
	struct web_request r = { .magic = WEB_REQUEST_MAGIC, .server = info->user_data, .mg = mg, .info = info };

	MAGIC_CHECK(r.server, WEB_MAGIC);
	atomic_fetch_add(&r.server->requests, 1);
	r.path = info->local_uri_raw;
	id_uuid4(r.id);
	serve(&r);
	for (size_t i = 0; i < r.nheaders; i++)
		mem_free(r.headers[i].value);
	str_release(&r.body);
	MAGIC_WIPE(&r);
	return r.status;
}

/* on_bad: what civetweb itself refuses, before there is a request. */
static int
on_bad(struct mg_connection *mg, int status, const char *why)
{
	struct web_server *s = mg_get_user_data(mg_get_context(mg));
	struct str out = STR_INIT, body = STR_INIT;
	char id[ID_UUID_MAX];

	(void)why;	/* holds parts of the request */
	id_uuid4(id);
	atomic_fetch_add(&s->malformed, 1);
	problem_write(&body, &(struct problem){ .status = status, .detail = "the request cannot be read as HTTP/1.1",
	    .request_id = id });
	put_head(&out, mg, status, false);
	str_printf(&out, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n", body.len);
	str_add(&out, body.p, body.len);
	mg_write(mg, out.p, out.len);
	mg_disable_connection_keep_alive(mg);
	str_release(&body);
	str_release(&out);
	return 0;
}

/* --- threads, connections, words --------------------------------------------------------- */

/* What the system said when civetweb could not start; it has no other way to tell. */
static _Thread_local int start_errno;

static int
on_words(const struct mg_connection *mg, const char *text)
{
	if (start_errno == 0)
		start_errno = errno;
	(void)mg;
	log_debug(EV_HTTP_NOTE, LOG_NONE, "civetweb: %s", text);
	return 1;
}

static void *
on_thread(const struct mg_context *ctx, int type)
{
	struct web_server *s = mg_get_user_data(ctx);
	char name[16] = "http";

	if (type == 1)
		snprintf(name, sizeof name, "http-%u", atomic_fetch_add(&s->thread_number, 1) % 10000);
	pthread_setname_np(pthread_self(), name);
	return NULL;
}

static void
on_thread_end(const struct mg_context *ctx, int type, void *arg)
{
	(void)ctx;
	(void)type;
	(void)arg;
	if (pool_thread_end != NULL)
		pool_thread_end();
}

static int
on_connection(const struct mg_connection *mg, void **data)
{
	struct web_server *s = mg_get_user_data(mg_get_context(mg));

	(void)data;
	atomic_fetch_add(&s->connections, 1);
	return 0;
}

static void
on_connection_end(const struct mg_connection *mg)
{
	struct web_server *s = mg_get_user_data(mg_get_context(mg));

	atomic_fetch_sub(&s->connections, 1);
}

/* --- the server -------------------------------------------------------------------------- */

/* set_address: where it listens in truth; the port was the system's choice. */
static void
set_address(struct web_server *s, const char *listen)
{
	struct mg_server_port port;

	if (strncmp(listen, "unix:", 5) == 0)
		s->address = mem_text(listen);
	else if (mg_get_server_ports(s->ctx, 1, &port) == 1)
		s->address = mem_printf("http://%.*s:%d", (int)strcspn(listen, ":"), listen, port.port);
}

static enum err_code
start(struct web_server *s, const struct web_server_opts *o, struct err *err)
{
	static const struct mg_callbacks callbacks = {
		.begin_request = on_request, .http_error = on_bad, .log_message = on_words,
		.init_thread = on_thread, .exit_thread = on_thread_end,
		.init_connection = on_connection, .connection_closed = on_connection_end,
	};
	bool local = strncmp(o->listen, "unix:", 5) == 0;

	/* civetweb takes a list, and a colon for the end of a host. */
	if (local && strpbrk(o->listen + 5, ",:") != NULL)
		return err_set(err, ERR_CONFIG, "http: the path '%s' holds a comma or a colon", o->listen + 5);
	if (local && strlen(o->listen + 5) >= sizeof(((struct sockaddr_un *)0)->sun_path) - 1)
		return err_set(err, ERR_CONFIG, "http: the path '%s' is too long for a socket", o->listen + 5);
	char threads[16], receive[16], why[256] = "";
	char *where = local ? mem_printf("x%s", o->listen + 5) : mem_text(o->listen);
	snprintf(threads, sizeof threads, "%u", s->threads);
	snprintf(receive, sizeof receive, "%lld", (long long)(s->receive_ns / NS_PER_MS));
	const char *options[] = {
		"listening_ports", where, "num_threads", threads, "request_timeout_ms", receive,
		"keep_alive_timeout_ms", KEEP_ALIVE_MS, "enable_keep_alive", "yes", "max_request_size", MAX_HEAD,
		"decode_url", "no", "decode_query_string", "no", "tcp_nodelay", "1", NULL,
	};
	struct mg_error_data told = { .text = why, .text_buffer_size = sizeof why };
	struct mg_init_data init = { .callbacks = &callbacks, .user_data = s, .configuration_options = options };

	start_errno = errno = 0;
	s->ctx = mg_start2(&init, &told);
	if (s->ctx != NULL)
		set_address(s, o->listen);
	mem_free(where);
	if (s->address != NULL)
		return ERR_OK;
	if (start_errno == 0)
		return err_set(err, ERR_CONFIG, "http: cannot listen on %s: %s", o->listen, why);
	bool full = start_errno == EMFILE || start_errno == ENFILE || start_errno == ENOMEM || start_errno == EAGAIN;
	return err_errno(err, full ? ERR_SYSTEM : ERR_CONFIG, start_errno, "http: cannot listen on %s", o->listen);
}

struct web_server *
web_server_new(const struct web_server_opts *o, struct err *err)
{
	struct web_server *s = mem_new(sizeof *s);

	s->magic = WEB_MAGIC;
	s->routes = o->routes;
	s->nroutes = o->nroutes;
	s->admit = o->admit;
	s->arg = o->arg;
	s->limit[WEB_WAITS] = o->max_waiting > 0 ? o->max_waiting : MAX_WAITING;
	s->limit[WEB_STREAMS] = o->max_streams > 0 ? o->max_streams : MAX_STREAMS;
	s->receive_ns = o->receive_ns > 0 ? o->receive_ns : RECEIVE_NS;
	s->threads = s->limit[WEB_WAITS] + s->limit[WEB_STREAMS] + SPARE;
	if (start(s, o, err) == ERR_OK)
		return s;
	web_server_free(s);
	return NULL;
}

const char *
web_server_address(const struct web_server *s)
{
	return s->address;
}

void
web_server_leave(struct web_server *s)
{
	if (s != NULL)
		atomic_store(&s->stopping, true);
}

void
web_server_free(struct web_server *s)
{
	if (s == NULL)
		return;
	MAGIC_CHECK(s, WEB_MAGIC);
	web_server_leave(s);
	if (s->ctx != NULL)
		mg_stop(s->ctx);
	mem_free(s->address);
	MAGIC_WIPE(s);
	mem_free(s);
}

struct web_counters
web_counters(const struct web_server *s)
{
	struct web_server *mine = (struct web_server *)(uintptr_t)s;

	return (struct web_counters){
		.requests = atomic_load(&mine->requests), .refused = atomic_load(&mine->refused),
		.malformed = atomic_load(&mine->malformed), .waiting = atomic_load(&mine->busy[WEB_WAITS]),
		.streams = atomic_load(&mine->busy[WEB_STREAMS]), .connections = atomic_load(&mine->connections),
	};
}

const char *
web_versions(void)
{
	static char text[32];

	if (text[0] == '\0')
		snprintf(text, sizeof text, "civetweb %s", mg_version());
	return text;
}
