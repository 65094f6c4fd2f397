/* conn.c - a natsConnection with our options, our errors and our listeners.
 *
 * nats.c owns the threads; this file owns the list of listeners.  Callbacks copy nothing
 * and lock nothing of ours but the listeners' leaf lock, which conn_unlisten uses to wait
 * until a callback that is running has returned. */
#include "nats/conn.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "nats/conn_inner.h"
#include "nats/headers.h"
#include "nats/tls.h"
#include "sys/clock.h"
#include "sys/pool.h"
#include "sys/thread.h"

#define DELIVERY_THREADS 4

static pthread_once_t library = PTHREAD_ONCE_INIT;

static void
library_open(void)
{
	tls_init();
	/* No spinning for the library's locks: whoever holds one is usually in a system call. */
	nats_Open(0);
	nats_SetMessageDeliveryPoolSize(DELIVERY_THREADS);
	pool_thread_end = nats_ReleaseThreadMemory;
}

void
conn_library_close(void)
{
#ifdef __SANITIZE_ADDRESS__
	/* What the library's collector was handed last it forgets when it is ended meanwhile:
	 * nothing at an exit, but the leak checker would tell of it now and then. */
	nats_Sleep(10);
#endif
	nats_CloseAndWait(2000);
}

const char *
conn_versions(void)
{
	static char text[32];

	snprintf(text, sizeof text, "nats.c %s", nats_GetVersion());
	return text;
}

/* --- errors ---------------------------------------------------------------------------- */

static enum err_code
code_of(natsStatus s, jsErrCode js)
{
	switch ((int)js) {
	case JS_WRONG_LAST_SEQUENCE:
	case JS_WRONG_LAST_SEQUENCE_CONSTANT:
		return ERR_REVISION;
	case JS_STREAM_NOT_FOUND:
	case JS_NO_MESSAGE_FOUND:
	case JS_CONSUMER_NOT_FOUND:
		return ERR_NOT_FOUND;
	case JS_NOT_ENABLED:
	case JS_NOT_ENABLED_FOR_ACCOUNT:
		return ERR_NO_JETSTREAM;
	case 0:
		break;
	default:
		return ERR_STORE;
	}
	switch (s) {
	case NATS_TIMEOUT:
		return ERR_TIMEOUT;
	case NATS_NO_RESPONDERS:
		return ERR_NO_MEMBER;
	case NATS_NOT_FOUND:
		return ERR_NOT_FOUND;
	case NATS_CONNECTION_AUTH_FAILED:
		return ERR_UNAUTHENTICATED;
	case NATS_NOT_PERMITTED:
		return ERR_DENIED;
	case NATS_MAX_PAYLOAD:
		return ERR_TOO_LARGE;
	case NATS_INVALID_ARG:
	case NATS_INVALID_SUBJECT:
		return ERR_INVALID;
	case NATS_ERR:
		return ERR_STORE;
	default:
		return ERR_UNAVAILABLE;
	}
}

/* hint_of: what the server's words mean, where they do not say it. */
static const char *
hint_of(int js)
{
	switch (js) {
	case JS_NO_RESOURCES:
	case JS_STORAGE_EXCEEDED:
	case JS_STORE_FAILED:
		return "; the storage of the server is full or broken, reads go on";
	default:
		return "";
	}
}

enum err_code
conn_fail(natsStatus s, jsErrCode js, struct err *err, const char *fmt, ...)
{
	char what[256];
	natsStatus last = NATS_OK;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	/* The library's last error belongs to this call only when it has the same status. */
	const char *words = nats_GetLastError(&last);
	if (last != s || words == NULL || words[0] == '\0')
		words = natsStatus_GetText(s);
	/* It begins with a place in the library's source: "(conn.c:2393): ". */
	const char *text = words[0] == '(' ? strstr(words, "): ") : NULL;
	if (text != NULL)
		words = text + 3;
	if (js != 0)
		return err_set(err, code_of(s, js), "%s: %s (JetStream error %d)%s", what, words, (int)js, hint_of((int)js));
	return err_set(err, code_of(s, js), "%s: %s", what, words);
}

enum err_code
conn_explain(struct conn *c, enum err_code code, struct err *err)
{
	char why[sizeof c->denied] = "";

	if (code != ERR_TIMEOUT)
		return code;
	pthread_mutex_lock(&c->lock);
	struct mono now = clock_mono(clock_system());
	if (c->denied[0] != '\0' && now.ns - c->denied_at.ns <= c->timeout_ns + NS_PER_S)
		memcpy(why, c->denied, sizeof why);
	pthread_mutex_unlock(&c->lock);
	if (why[0] == '\0')
		return code;
	char *text = err != NULL ? mem_text(err->text) : NULL;
	if (text != NULL)
		err_set(err, ERR_DENIED, "%s; the server says: %s", text, why);
	mem_free(text);
	return ERR_DENIED;
}

/* --- listeners ------------------------------------------------------------------------- */

static void
tell(struct conn *c, enum conn_event ev)
{
	struct listener *copy;
	size_t n;

	pthread_mutex_lock(&c->lock);
	n = c->n;
	copy = mem_array(n > 0 ? n : 1, sizeof *copy);
	if (n > 0)
		memcpy(copy, c->listeners, n * sizeof *copy);
	c->calling++;
	pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; i < n; i++)
		copy[i].fn(copy[i].arg, ev);
	mem_free(copy);
	pthread_mutex_lock(&c->lock);
	if (--c->calling == 0)
		pthread_cond_broadcast(&c->idle);
	pthread_mutex_unlock(&c->lock);
}

void
conn_listen(struct conn *c, void (*fn)(void *arg, enum conn_event ev), void *arg)
{
	pthread_mutex_lock(&c->lock);
	mem_grow(&c->listeners, &c->cap, c->n + 1, sizeof *c->listeners);
	c->listeners[c->n++] = (struct listener){ fn, arg };
	pthread_mutex_unlock(&c->lock);
}

void
conn_unlisten(struct conn *c, void (*fn)(void *arg, enum conn_event ev), void *arg)
{
	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < c->n; i++) {
		if (c->listeners[i].fn == fn && c->listeners[i].arg == arg) {
			c->listeners[i] = c->listeners[--c->n];
			break;
		}
	}
	while (c->calling > 0)
		pthread_cond_wait(&c->idle, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

/* note_server: here, on a thread of the library's, its lock may be waited for; it holds it while it reconnects. */
static void
note_server(struct conn *c, natsConnection *nc)
{
	char name[sizeof c->server_name] = "", id[sizeof c->server_id] = "";
	uint64_t client = 0;

	if (natsConnection_GetConnectedServerName(nc, name, sizeof name) != NATS_OK)
		name[0] = '\0';
	if (natsConnection_GetConnectedServerId(nc, id, sizeof id) != NATS_OK)
		id[0] = '\0';
	if (natsConnection_GetClientID(nc, &client) != NATS_OK)
		client = 0;
	pthread_mutex_lock(&c->lock);
	memcpy(c->server_name, name, sizeof name);
	memcpy(c->server_id, id, sizeof id);
	c->client_id = client;
	pthread_mutex_unlock(&c->lock);
}

void
conn_on_connected(natsConnection *nc, void *arg)
{
	struct conn *c = arg;

	MAGIC_CHECK(c, CONN_MAGIC);
	atomic_store(&c->max_payload, natsConnection_GetMaxPayload(nc));
	note_server(c, nc);
	if (atomic_exchange(&c->state, CONN_UP) == CONN_UP)
		return;
	if (!c->pinned)
		log_info(EV_NATS_CONNECTED, LOG_F(LOG_S("servers", c->servers)), "connected to NATS");
	tell(c, CONN_EVENT_UP);
}

void
conn_on_reconnected(natsConnection *nc, void *arg)
{
	struct conn *c = arg;

	atomic_fetch_add(&c->reconnects, 1);
	conn_on_connected(nc, arg);
}

void
conn_on_disconnected(natsConnection *nc, void *arg)
{
	struct conn *c = arg;
	char why[256];

	(void)nc;
	MAGIC_CHECK(c, CONN_MAGIC);
	if (atomic_exchange(&c->state, CONN_DOWN) == CONN_DOWN)
		return;
	conn_last_error(c, why, sizeof why);
	if (!natsConnection_IsClosed(c->nc) && !c->pinned)
		log_warning(EV_NATS_DISCONNECTED, LOG_F(LOG_S("servers", c->servers), LOG_S("err", why)),
		    "lost the connection to NATS, reconnecting until it is back");
	tell(c, CONN_EVENT_DOWN);
}

/* on_closed: always the last; until then conn_free must not let go of c. */
void
conn_on_closed(natsConnection *nc, void *arg)
{
	struct conn *c = arg;

	(void)nc;
	pthread_mutex_lock(&c->lock);
	c->closed = true;
	pthread_cond_broadcast(&c->idle);
	pthread_mutex_unlock(&c->lock);
}

void
conn_on_error(natsConnection *nc, natsSubscription *s, natsStatus status, void *arg)
{
	struct conn *c = arg;

	char why[sizeof c->denied] = "";

	MAGIC_CHECK(c, CONN_MAGIC);
	if (status == NATS_NOT_PERMITTED) {
		natsConnection_ReadLastError(nc, why, sizeof why);	/* returns that error's status */
		pthread_mutex_lock(&c->lock);
		memcpy(c->denied, why, sizeof why);
		c->denied_at = clock_mono(clock_system());
		pthread_mutex_unlock(&c->lock);
	}
	log_warning(EV_NATS_ERROR, LOG_F(LOG_S("subject", s ? natsSubscription_GetSubject(s) : ""), LOG_S("err", why)),
	    "NATS: %s", natsStatus_GetText(status));
	/* Of slow subscriptions only their readers care: a watch is told by its own. */
	if (status == NATS_MISSED_HEARTBEAT || status == NATS_MISMATCH || (c->pinned && status == NATS_SLOW_CONSUMER))
		tell(c, CONN_EVENT_GAP);
}

/* --- opening and closing --------------------------------------------------------------- */

static enum err_code
connect_now(struct conn *c, struct err *err)
{
	natsStatus s = natsConnection_Connect(&c->nc, c->opts);

	if (s == NATS_NOT_YET_CONNECTED) {
		log_warning(EV_NATS_DISCONNECTED, LOG_F(LOG_S("servers", c->servers)),
		    "NATS is not reachable at %s yet, trying until it is", c->servers);
		return ERR_OK;
	}
	if (s == NATS_OK) {
		conn_on_connected(c->nc, c);
		return ERR_OK;
	}
	const char *hint = s == NATS_NO_SERVER ? "; is it running there? --server or NATS_URL names another" : "";
	if (s == NATS_CONNECTION_CLOSED || s == NATS_IO_ERROR)
		hint = "; if the server demands a client certificate, its log tells why it refused";
	conn_fail(s, 0, err, "nats: cannot connect to %s", c->servers);
	if (err != NULL) {
		if (s == NATS_SSL_ERROR || s == NATS_SECURE_CONNECTION_WANTED || s == NATS_SECURE_CONNECTION_REQUIRED)
			err->code = ERR_UNAVAILABLE;
		size_t n = strlen(err->text);
		snprintf(err->text + n, sizeof err->text - n, "%s", hint);
	}
	return s == NATS_CONNECTION_AUTH_FAILED ? ERR_UNAUTHENTICATED : ERR_UNAVAILABLE;
}

/* open_js: the context is only a bundle of settings; it asks nothing of the server. */
static enum err_code
open_js(struct conn *c, const struct conn_opts *o, struct err *err)
{
	jsOptions js;

	jsOptions_Init(&js);
	js.Domain = o->js_domain;
	if (o->js_api_prefix != NULL)
		js.Prefix = o->js_api_prefix;
	js.Wait = c->timeout_ns / NS_PER_MS;
	natsStatus s = natsConnection_JetStream(&c->js, c->nc, &js);
	if (s != NATS_OK)
		return conn_fail(s, 0, err, "nats: JetStream context");
	if (o->js_api_prefix != NULL)
		c->js_prefix = mem_text(o->js_api_prefix);
	else if (o->js_domain != NULL)
		c->js_prefix = mem_printf("$JS.%s.API", o->js_domain);
	else
		c->js_prefix = mem_text("$JS.API");
	return ERR_OK;
}

/* without_secrets: the server list for logs and errors: of each URL, what stands before its
 * last '@' is not shown (a password may hold one that nobody escaped). */
static char *
without_secrets(const char *servers)
{
	char *out = mem_text(servers), *w = out;

	for (const char *r = servers; *r != '\0';) {
		size_t n = strcspn(r, ",");
		const char *at = memrchr(r, '@', n), *scheme = memmem(r, n, "://", 3);
		if (at != NULL) {
			size_t keep = scheme != NULL && scheme < at ? (size_t)(scheme + 3 - r) : 0;
			memmove(w, r, keep);
			w += keep;
			n -= (size_t)(at + 1 - r);
			r = at + 1;
		}
		memmove(w, r, n);
		w += n;
		r += n;
		if (*r == ',')
			*w++ = *r++;
	}
	*w = '\0';
	return out;
}

struct conn *
conn_new(const struct conn_opts *o, struct err *err)
{
	pthread_once(&library, library_open);
	struct conn *c = mem_new(sizeof *c);

	c->magic = CONN_MAGIC;
	c->timeout_ns = o->timeout_ns > 0 ? o->timeout_ns : 5 * NS_PER_S;
	c->pinned = o->pinned;
	/* Before anything that can fail, so that no error shows more. */
	c->servers = without_secrets(o->servers != NULL ? o->servers : "");
	c->inbox_prefix = mem_text(o->inbox_prefix != NULL ? o->inbox_prefix : "_INBOX");
	atomic_init(&c->state, CONN_CONNECTING);
	pthread_mutex_init(&c->lock, NULL);
	thread_cond_init(&c->idle);
	MUST(natsOptions_Create(&c->opts) == NATS_OK);
	enum err_code code = conn_set_options(c, o, err);
	if (code == ERR_OK && connect_now(c, err) == ERR_OK && open_js(c, o, err) == ERR_OK)
		return c;
	conn_free(c);
	return NULL;
}

void
conn_free(struct conn *c)
{
	if (c == NULL)
		return;
	MAGIC_CHECK(c, CONN_MAGIC);
	jsCtx_Destroy(c->js);
	if (c->nc != NULL) {
		natsConnection_Close(c->nc);
		/* Its callbacks run on another thread and look at c. */
		pthread_mutex_lock(&c->lock);
		while (!c->closed || c->calling > 0)
			pthread_cond_wait(&c->idle, &c->lock);
		pthread_mutex_unlock(&c->lock);
	}
	natsConnection_Destroy(c->nc);
	natsOptions_Destroy(c->opts);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->idle);
	mem_free(c->listeners);
	mem_free(c->servers);
	mem_free(c->js_prefix);
	mem_free(c->inbox_prefix);
	MAGIC_WIPE(c);
	mem_free(c);
}

/* --- asking ---------------------------------------------------------------------------- */

enum conn_state
conn_state(const struct conn *c)
{
	return (enum conn_state)atomic_load(&c->state);
}

uint64_t
conn_reconnects(const struct conn *c)
{
	return atomic_load(&c->reconnects);
}

const char *
conn_servers(const struct conn *c)
{
	return c->servers;
}

int64_t
conn_timeout_ns(const struct conn *c)
{
	return c->timeout_ns;
}

int64_t
conn_max_payload(const struct conn *c)
{
	return atomic_load(&c->max_payload);
}

void
conn_last_error(const struct conn *c, char *out, size_t n)
{
	out[0] = '\0';
	if (n > 0 && natsConnection_ReadLastError(c->nc, out, n) != NATS_OK)
		out[n - 1] = '\0';
}

natsConnection *
conn_raw(const struct conn *c)
{
	MAGIC_CHECK(c, CONN_MAGIC);
	return c->nc;
}

jsCtx *
conn_js(const struct conn *c)
{
	return c->js;
}

const char *
conn_js_prefix(const struct conn *c)
{
	return c->js_prefix;
}

void
conn_inbox(struct conn *c, char out[CONN_INBOX_MAX])
{
	char id[23];

	id_hex(id, sizeof id - 1);
	snprintf(out, CONN_INBOX_MAX, "%s.%s", c->inbox_prefix, id);
}

/* --- sending --------------------------------------------------------------------------- */

static natsStatus
publish_plain(struct conn *c, const struct conn_msg *m)
{
	int n = (int)m->n;

	if (m->reply != NULL)
		return m->urgent ? natsConnection_SendRequest(c->nc, m->subject, m->reply, m->data, n)
				 : natsConnection_PublishRequest(c->nc, m->subject, m->reply, m->data, n);
	return m->urgent ? natsConnection_Send(c->nc, m->subject, m->data, n)
			 : natsConnection_Publish(c->nc, m->subject, m->data, n);
}

enum err_code
conn_publish(struct conn *c, const struct conn_msg *m, struct err *err)
{
	natsStatus s;

	MAGIC_CHECK(c, CONN_MAGIC);
	if (m->headers == NULL || m->headers->name == NULL) {
		s = publish_plain(c, m);
	} else {
		natsMsg *msg = NULL;
		s = headers_make(&msg, m);
		if (s == NATS_OK)
			s = m->urgent ? natsConnection_SendMsg(c->nc, msg) : natsConnection_PublishMsg(c->nc, msg);
		MSG_FREE(msg);
	}
	return s == NATS_OK ? ERR_OK : conn_fail(s, 0, err, "nats: publish to %s", m->subject);
}

enum err_code
conn_request(struct conn *c, const struct conn_msg *m, int64_t timeout_ns, struct msg **reply,
    struct err *err)
{
	int64_t ms = (timeout_ns + NS_PER_MS - 1) / NS_PER_MS;
	natsMsg *msg = NULL, *got = NULL;

	MAGIC_CHECK(c, CONN_MAGIC);
	if (atomic_load(&c->state) != CONN_UP)
		return err_set(err, ERR_UNAVAILABLE, "nats: not connected to %s", c->servers);
	natsStatus s = headers_make(&msg, m);
	if (s == NATS_OK)
		s = natsConnection_RequestMsg(&got, c->nc, msg, ms > 0 ? ms : 1);
	MSG_FREE(msg);
	if (s != NATS_OK)
		return conn_explain(c, conn_fail(s, 0, err, "nats: request to %s", m->subject), err);
	*reply = (struct msg *)(void *)got;
	return ERR_OK;
}

enum err_code
conn_flush(struct conn *c, int64_t timeout_ns, struct err *err)
{
	natsStatus s = natsConnection_FlushTimeout(c->nc, timeout_ns / NS_PER_MS);

	return s == NATS_OK ? ERR_OK : conn_fail(s, 0, err, "nats: flush");
}
