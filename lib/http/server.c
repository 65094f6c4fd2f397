/* server.c - the server's life: where it listens, its threads, its end.
 *
 * civetweb brings sockets, threads and the parsing of heads; everything else of it is compiled
 * out or switched off. */
#include "http/server.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/server_inner.h"
#include "sys/pool.h"

#define MAX_WAITING 32
#define MAX_STREAMS 8
#define SPARE 8			/* threads that no kind of request may use up */
#define RECEIVE_NS (5 * NS_PER_S)
#define KEEP_ALIVE_MS "5000"	/* an idle connection holds a thread so long */
#define MAX_HEAD "8192"		/* bytes of a request's head; a longer one is answered 400 */

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

/* where: an address as civetweb wants it in its list; NULL, and err set, when it is none. */
static char *
where(const char *listen, struct err *err)
{
	bool local = strncmp(listen, "unix:", 5) == 0;

	/* civetweb takes a list, and a colon for the end of a host. */
	if (local && strpbrk(listen + 5, ",:") != NULL) {
		err_set(err, ERR_CONFIG, "http: the path '%s' holds a comma or a colon", listen + 5);
		return NULL;
	}
	if (local && strlen(listen + 5) >= sizeof(((struct sockaddr_un *)0)->sun_path) - 1) {
		err_set(err, ERR_CONFIG, "http: the path '%s' is too long for a socket", listen + 5);
		return NULL;
	}
	if (local)
		return mem_printf("x%s", listen + 5);
	if (strncmp(listen, "https://", 8) == 0) {
		err_set(err, ERR_CONFIG, "http: %s wants a certificate, and there is none", listen);
		return NULL;
	}
	listen += strncmp(listen, "http://", 7) == 0 ? 7 : 0;
	if (strcspn(listen, ",/ ") != strlen(listen) || strrchr(listen, ':') == NULL) {
		err_set(err, ERR_CONFIG, "http: '%s' is no address; it should be http://ADDRESS:PORT", listen);
		return NULL;
	}
	return mem_text(listen);
}

/* set_addresses: where it listens in truth; ports may be the system's choice.  civetweb tells those of
 * TCP only. */
static bool
set_addresses(struct web_server *s)
{
	struct mg_server_port port[WEB_LISTEN_MAX];
	int n = mg_get_server_ports(s->ctx, (int)COUNT_OF(port), port), next = 0;

	s->address = mem_array(s->o.nlisten, sizeof *s->address);
	for (; s->naddress < s->o.nlisten; s->naddress++) {
		const char *listen = s->o.listen[s->naddress];
		if (strncmp(listen, "unix:", 5) == 0) {
			s->address[s->naddress] = mem_text(listen);
			continue;
		}
		if (next >= n)
			return false;
		listen += strncmp(listen, "http://", 7) == 0 ? 7 : 0;
		s->address[s->naddress] = mem_printf("http://%.*s:%d", (int)(strrchr(listen, ':') - listen), listen, port[next++].port);
	}
	return true;
}

static enum err_code
start(struct web_server *s, struct err *err)
{
	static const struct mg_callbacks callbacks = {
		.begin_request = serve_request, .http_error = serve_unreadable, .log_message = on_words,
		.init_thread = on_thread, .exit_thread = on_thread_end,
		.init_connection = on_connection, .connection_closed = on_connection_end,
	};
	char threads[16], receive[16], why[256] = "";
	struct str list = STR_INIT;

	for (size_t i = 0; i < s->o.nlisten; i++) {
		char *at = where(s->o.listen[i], err);
		if (at == NULL) {
			str_release(&list);
			return ERR_CONFIG;
		}
		str_printf(&list, "%s%s", i > 0 ? "," : "", at);
		mem_free(at);
	}
	snprintf(threads, sizeof threads, "%u", s->threads);
	snprintf(receive, sizeof receive, "%lld", (long long)(s->o.receive_ns / NS_PER_MS));
	const char *options[] = {
		"listening_ports", str_text(&list), "num_threads", threads, "request_timeout_ms", receive,
		"keep_alive_timeout_ms", KEEP_ALIVE_MS, "enable_keep_alive", "yes", "max_request_size", MAX_HEAD,
		"decode_url", "no", "decode_query_string", "no", "tcp_nodelay", "1", NULL,
	};
	struct mg_error_data told = { .text = why, .text_buffer_size = sizeof why };
	struct mg_init_data init = { .callbacks = &callbacks, .user_data = s, .configuration_options = options };

	start_errno = errno = 0;
	s->ctx = mg_start2(&init, &told);
	bool listens = s->ctx != NULL && set_addresses(s);
	enum err_code code = ERR_OK;
	if (!listens && start_errno == 0)
		code = err_set(err, ERR_CONFIG, "http: cannot listen on %s: %s", str_text(&list), why);
	if (!listens && start_errno != 0) {
		bool full = start_errno == EMFILE || start_errno == ENFILE || start_errno == ENOMEM || start_errno == EAGAIN;
		code = err_errno(err, full ? ERR_SYSTEM : ERR_CONFIG, start_errno, "http: cannot listen on %s", str_text(&list));
	}
	str_release(&list);
	return code;
}

struct web_server *
web_server_new(const struct web_server_opts *o, struct err *err)
{
	struct web_server *s = mem_new(sizeof *s);

	s->magic = WEB_MAGIC;
	s->o = *o;
	s->limit[WEB_WAITS] = o->max_waiting > 0 ? o->max_waiting : MAX_WAITING;
	s->limit[WEB_STREAMS] = o->max_streams > 0 ? o->max_streams : MAX_STREAMS;
	s->o.receive_ns = o->receive_ns > 0 ? o->receive_ns : RECEIVE_NS;
	s->threads = s->limit[WEB_WAITS] + s->limit[WEB_STREAMS] + SPARE;
	MUST(o->nlisten > 0 && o->nlisten <= WEB_LISTEN_MAX);
	if (start(s, err) == ERR_OK)
		return s;
	web_server_free(s);
	return NULL;
}

const char *
web_server_address(const struct web_server *s, size_t i)
{
	return i < s->naddress ? s->address[i] : NULL;
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
	for (size_t i = 0; i < s->naddress; i++)
		mem_free(s->address[i]);
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
