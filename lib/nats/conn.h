/* conn.h - one connection to NATS that reconnects for ever; the door to nats.c.
 *
 * Any thread may use a connection.  Callbacks (message handlers, state changes) run on
 * nats.c's threads and must not block: decode, post, or answer.  What blocks says so.
 * Publishing buffers: up to 1 MiB while the connection is down, refused beyond that. */
#ifndef NATS_CONN_H
#define NATS_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/instant.h"
#include "model/value.h"

struct conn;
struct sub;
struct msg;

struct conn_opts {
	const char *servers;		/* comma-separated URLs */
	const char *name;		/* shows in the server's connection list */
	const char *user, *password;
	const char *token;
	const char *nkey_file;		/* file with an nkey seed */
	const char *creds_file;
	const char *tls_ca, *tls_cert, *tls_key;	/* files; any of them, or a tls:// URL, means TLS */
	const char *js_domain, *js_api_prefix, *inbox_prefix;
	int64_t timeout_ns;		/* of one connect attempt and of requests without their own */
	bool wait;			/* true: conn_new succeeds at once and connects in the background */
	int64_t flusher_wait_us;	/* 0: nats.c's way; 100 suits many requests in flight */
	bool pinned;			/* to the one server of the list: see below */
	int64_t write_deadline_ns;	/* how long a send may block; 0: 1 s */
};

/* conn_opts_keep(o): its texts become copies of its own, until conn_opts_drop(o).  Zeroed is fine for that. */
void conn_opts_keep(struct conn_opts *o);
void conn_opts_drop(struct conn_opts *o);

/* A pinned connection is one link to one server: it never reconnects and keeps nothing for later,
 * writes from the publishing thread, notices a frozen server within 1.5 s, and delivers each
 * subscription on a thread of its own, so that no other handler delays it.  Once CONN_EVENT_DOWN
 * was told it is over; CONN_EVENT_GAP says that a subscription of it lost messages. */

enum conn_state { CONN_CONNECTING, CONN_UP, CONN_DOWN };

/* What a listener hears.  GAP: a consumer fell silent or skipped something, so whoever keeps
 * a copy must compare it again. */
enum conn_event { CONN_EVENT_UP, CONN_EVENT_DOWN, CONN_EVENT_GAP };

/* conn_new(o, err): connects; strings of o are copied.  Without o->wait it blocks until a
 * server of the list accepts, and fails with ERR_UNAVAILABLE, ERR_UNAUTHENTICATED or
 * ERR_CONFIG (an unreadable file is named) when none does. */
struct conn *conn_new(const struct conn_opts *o, struct err *err);

/* conn_free(c): closes; subscriptions must be gone.  Blocks until the library's callbacks
 * have returned; never from one of them.  NULL is fine. */
void conn_free(struct conn *c);

enum conn_state conn_state(const struct conn *c);
uint64_t conn_reconnects(const struct conn *c);
const char *conn_servers(const struct conn *c);		/* as configured, without credentials */
int64_t conn_timeout_ns(const struct conn *c);
int64_t conn_max_payload(const struct conn *c);		/* as the server said; 0 while unknown */

const char *conn_js_prefix(const struct conn *c);	/* "$JS.API", "$JS.{domain}.API", or as configured */

/* conn_last_error(c, out, n): why the connection is down, as nats.c tells it; "" if unknown. */
void conn_last_error(const struct conn *c, char *out, size_t n);

/* conn_listen(c, fn, arg): fn hears every event, on a library thread, and only posts.
 * conn_unlisten returns when no call of that pair is running any more; not from fn. */
void conn_listen(struct conn *c, void (*fn)(void *arg, enum conn_event ev), void *arg);
void conn_unlisten(struct conn *c, void (*fn)(void *arg, enum conn_event ev), void *arg);

struct conn_header { const char *name, *value; };

/* conn_publish(c, o, err): sends o->data to o->subject; does not wait.  `urgent` writes
 * from this thread instead of waking the flusher: for single replies and requests. */
struct conn_msg {
	const char *subject, *reply;		/* reply may be NULL */
	const struct conn_header *headers;	/* ends with a NULL name; may be NULL */
	const void *data;
	size_t n;
	bool urgent;
};
enum err_code conn_publish(struct conn *c, const struct conn_msg *m, struct err *err);

/* conn_request(c, m, timeout_ns, reply, err): blocks for one reply, the caller's to free.
 * ERR_NO_MEMBER: nobody listens there, the request was not executed.  ERR_TIMEOUT: no
 * answer in time.  ERR_UNAVAILABLE: no connection, or lost while waiting. */
enum err_code conn_request(struct conn *c, const struct conn_msg *m, int64_t timeout_ns,
    struct msg **reply, struct err *err);

enum err_code conn_flush(struct conn *c, int64_t timeout_ns, struct err *err);

/* conn_subscribe(o, err): handler(arg, m) gets each message and owns it.  Messages of one
 * subscription arrive in order, one at a time.  Bound: o->max_pending messages (0: 65536)
 * and 64 MiB wait in the library; what comes beyond is dropped by it and reported
 * in the log. */
struct sub_opts {
	struct conn *conn;
	const char *subject, *queue;		/* queue may be NULL */
	void (*handler)(void *arg, struct msg *m);
	void *arg;
	size_t max_pending;
};
struct sub *sub_new(const struct sub_opts *o, struct err *err);

/* sub_drain(s): no new messages; those that arrived are still handled.  sub_stop(s): ends it and
 * returns when its handler will not run again (waits for a running one, so never from it); ends
 * the wait of sub_drained too.  sub_free(s): stops first.  NULL is fine for it. */
void sub_drain(struct sub *s);
void sub_stop(struct sub *s);
bool sub_drained(struct sub *s, int64_t timeout_ns);	/* blocks at most that long */
void sub_free(struct sub *s);
void *sub_arg(const struct sub *s);			/* what the handler is called with */

/* sub_retire(s, gone, arg): as sub_free, without waiting: s is taken, its handler may still be called
 * until gone(arg), which comes once, from a thread of the library or from within, and must not
 * block. */
void sub_retire(struct sub *s, void (*gone)(void *arg), void *arg);

/* conn_inbox(c, out): a fresh reply subject under this connection's prefix. */
#define CONN_INBOX_MAX 128
void conn_inbox(struct conn *c, char out[CONN_INBOX_MAX]);

/* Messages.  The strings live as long as the message. */
const char *msg_subject(const struct msg *m);
const char *msg_reply(const struct msg *m);		/* NULL when there is none */
const void *msg_data(const struct msg *m);
size_t msg_size(const struct msg *m);
const char *msg_header(const struct msg *m, const char *name);	/* NULL when absent */
struct text msg_header_text(const struct msg *m, const char *name);	/* the same, not ended by a zero, for less */
bool msg_has_headers(const struct msg *m);
bool msg_is_no_responders(const struct msg *m);
void msg_free(struct msg *m);				/* NULL is fine */

/* conn_server_name, conn_server_id: of the server that we are connected to; "" without one.
 * conn_client_id: its number for this connection, 0 without one. */
void conn_server_name(struct conn *c, char *out, size_t n);
void conn_server_id(struct conn *c, char *out, size_t n);
uint64_t conn_client_id(struct conn *c);

/* conn_servers_each(c, each, arg): calls each(arg, url) for every server that is known, configured or told of
 * by the servers themselves, in no order, without credentials. */
void conn_servers_each(struct conn *c, void (*each)(void *arg, const char *url), void *arg);

/* conn_rtt_ns(c): how long a ping takes, now; blocks.  Negative when it does not come back. */
int64_t conn_rtt_ns(struct conn *c);

const char *conn_versions(void);		/* "nats.c 3.14.0" */

/* conn_library_close(): ends the library's threads; last statement of a program, so that
 * leak checkers see what is left.  No connection may exist. */
void conn_library_close(void);

#endif
