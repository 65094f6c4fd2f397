/* server.c - the server's life: what listens, its threads, its end.
 *
 * Connections arrive in the lobby (lobby.h).  civetweb brings threads and the parsing of heads;
 * everything else of it is compiled out or switched off. */
#include "http/server.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/head.h"
#include "http/lobby.h"
#include "http/seam.h"
#include "http/server_inner.h"
#include "http/tls.h"
#include "sys/pool.h"

#define MAX_WAITING 32
#define MAX_STREAMS 8
#define MAX_KEPT 128
#define MAX_PER_PEER 128
#define MAX_CONNECTIONS 4096
#define SPARE 8			/* threads that nothing with a bound of its own may use up */
#define RECEIVE_NS (5 * NS_PER_S)
#define SEND_NS (10 * NS_PER_S)
#define MAX_HEAD 8192		/* bytes of a request's head */

/* --- civetweb's questions and words ------------------------------------------------------ */

int
seam_head_ok(const char *p, size_t n)
{
	return head_is_strict(p, n);
}

uint64_t
seam_write_ns(void *server, size_t n)
{
	const struct web_server *s = server;

	return (uint64_t)s->o.send_ns + n * (NS_PER_S / SLOWEST);
}

static int
on_words(const struct mg_connection *mg, const char *text)
{
	(void)mg;
	log_debug(EV_HTTP_NOTE, LOG_NONE, "civetweb: %s", text);
	return 1;
}

static void *
on_thread(const struct mg_context *ctx, int type)
{
	struct web_server *s = mg_get_user_data(ctx);
	char name[16] = "http end";	/* waits for that alone */

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

static void
on_connection_end(const struct mg_connection *mg)
{
	struct web_server *s = mg_get_user_data(mg_get_context(mg));
	struct guest *g = mg_get_ticket(mg);

	if (*guest_flag(g) != 0)
		atomic_fetch_sub(&s->kept, 1);
	lobby_leave(g);
}

bool
server_place(atomic_uint *n, unsigned most)
{
	unsigned taken = atomic_load(n);

	while (taken < most && !atomic_compare_exchange_weak(n, &taken, taken + 1))
		continue;
	return taken < most;
}

/* take: the lobby's; a thread for a connection. */
static bool
take(void *arg, int fd, bool secure, struct guest *g)
{
	struct web_server *s = arg;

	return mg_take_socket(s->ctx, fd, secure, g) != 0;
}

/* --- the server -------------------------------------------------------------------------- */

static enum err_code
open_all(struct web_server *s, const struct web_server_opts *o, struct err *err)
{
	enum err_code code = ERR_OK;

	if (o->tls_cert != NULL) {
		s->tls = tls_new(&(struct tls_files){ o->tls_cert, o->tls_key, o->tls_client_ca }, s->o.receive_ns, err);
		if (s->tls == NULL)
			return err->code;
	}
	for (; code == ERR_OK && s->nat < o->nlisten; s->nat++) {
		code = listen_open(o->listen[s->nat], &s->at[s->nat], err);
		if (code == ERR_OK && s->at[s->nat].secure && s->tls == NULL)
			code = err_set(err, ERR_CONFIG, "http: %s wants a certificate, and there is none", o->listen[s->nat]);
	}
	return code;
}

/* threads: as many as all that is bounded may hold at once; one address alone never holds all of them. */
static unsigned
threads(const struct web_server *s)
{
	bool far = false;

	for (size_t i = 0; i < s->nat; i++)
		far = far || s->at[i].path == NULL;
	return s->limit[WEB_WAITS] + s->limit[WEB_STREAMS] + s->o.max_kept + (far ? s->o.max_per_peer : 0) + SPARE;
}

static enum err_code
start(struct web_server *s, struct err *err)
{
	static const struct mg_callbacks callbacks = {
		.begin_request = serve_request, .http_error = serve_unreadable, .log_message = on_words,
		.init_thread = on_thread, .exit_thread = on_thread_end, .connection_closed = on_connection_end,
	};
	char num[16], receive[16], head[16], why[256] = "";

	snprintf(num, sizeof num, "%u", threads(s));
	snprintf(receive, sizeof receive, "%lld", (long long)(s->o.receive_ns / NS_PER_MS));
	snprintf(head, sizeof head, "%d", MAX_HEAD);
	const char *options[] = {
		"listening_ports", "", "num_threads", num, "request_timeout_ms", receive,
		"keep_alive_timeout_ms", receive, "enable_keep_alive", "yes", "max_request_size", head,
		"decode_url", "no", "decode_query_string", "no", NULL,
	};
	struct mg_error_data told = { .text = why, .text_buffer_size = sizeof why };
	struct mg_init_data init = { .callbacks = &callbacks, .user_data = s, .configuration_options = options };

	if ((s->ctx = mg_start2(&init, &told)) == NULL)
		return err_set(err, ERR_SYSTEM, "http: cannot serve: %s", why);
	s->lobby = lobby_new(&(struct lobby_opts){ .at = s->at, .n = s->nat, .max = s->o.max_connections,
	    .max_per_peer = s->o.max_per_peer, .max_head = MAX_HEAD, .patience_ns = s->o.receive_ns, .serve = take, .arg = s }, err);
	return s->lobby != NULL ? ERR_OK : ERR_SYSTEM;
}

static unsigned
or_else(unsigned told, unsigned otherwise)
{
	return told > 0 ? told : otherwise;
}

struct web_server *
web_server_new(const struct web_server_opts *o, struct err *err)
{
	struct web_server *s = mem_new(sizeof *s);
	struct err own = { ERR_OK, "" };

	MUST(o->nlisten > 0 && o->nlisten <= WEB_LISTEN_MAX);
	s->magic = WEB_MAGIC;
	s->o = *o;
	s->o.max_kept = or_else(o->max_kept, MAX_KEPT);
	s->o.max_per_peer = or_else(o->max_per_peer, MAX_PER_PEER);
	s->o.max_connections = or_else(o->max_connections, MAX_CONNECTIONS);
	s->o.receive_ns = o->receive_ns > 0 ? o->receive_ns : RECEIVE_NS;
	s->o.send_ns = o->send_ns > 0 ? o->send_ns : SEND_NS;
	s->limit[WEB_WAITS] = or_else(o->max_waiting, MAX_WAITING);
	s->limit[WEB_STREAMS] = or_else(o->max_streams, MAX_STREAMS);
	if (open_all(s, o, &own) == ERR_OK && start(s, &own) == ERR_OK)
		return s;
	err_set(err, own.code, "%s", own.text);
	web_server_free(s);
	return NULL;
}

enum err_code
web_server_reload(struct web_server *s, struct err *err)
{
	return s->tls != NULL ? tls_reload(s->tls, err) : ERR_OK;
}

const char *
web_server_address(const struct web_server *s, size_t i)
{
	return i < s->nat ? s->at[i].address : NULL;
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
	lobby_close(s->lobby);
	if (s->ctx != NULL)
		mg_stop(s->ctx);
	lobby_free(s->lobby);
	for (size_t i = 0; i < s->nat; i++)
		listen_close(&s->at[i]);
	tls_free(s->tls);
	MAGIC_WIPE(s);
	mem_free(s);
}

struct web_counters
web_counters(const struct web_server *s)
{
	struct web_server *mine = (struct web_server *)(uintptr_t)s;

	struct lobby_counters l = lobby_counters(s->lobby);

	return (struct web_counters){
		.requests = atomic_load(&mine->requests), .refused = atomic_load(&mine->refused),
		.malformed = atomic_load(&mine->malformed), .waiting = atomic_load(&mine->busy[WEB_WAITS]),
		.streams = atomic_load(&mine->busy[WEB_STREAMS]), .connections = l.here, .idle = l.waiting,
		.crowded = l.crowded, .late = l.late, .insecure = tls_refused(s->tls),
	};
}

const char *
web_versions(void)
{
	static char text[64];

	if (text[0] == '\0')
		snprintf(text, sizeof text, "civetweb %s, mbedTLS %s", mg_version(), MBEDTLS_VERSION_STRING);
	return text;
}
