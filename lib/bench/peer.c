/* peer.c - orders go one way over a pair of sockets, words the other, each in one piece. */
#include "bench/peer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "bench/node.h"
#include "codec/subject.h"
#include "messaging/events.h"
#include "nats/raw_stream.h"
#include "nats/stream.h"
#include "sys/clock.h"
#include "sys/loop.h"
#include "sys/thread.h"

#define ANSWER_MS 5000
#define OPEN_MS 15000
#define LOOK_NS (2 * NS_PER_MS)

enum order_what { ORDER_OURS, ORDER_RAW, ORDER_CLOSE };

struct order {
	enum order_what what;
	char service[64], pattern[128];
};

struct word {
	bool got;			/* a message; else the answer to an order */
	uint64_t number;
	struct mono at;
	struct err err;			/* of an order */
};

struct peer {
	int fd;
	pid_t pid;
	bool open;
};

/* --- in the other process ---------------------------------------------------------------- */

struct receiver {
	int fd;
	const struct conn_opts *conn;
	struct node node;
	struct events *events;
	struct raw_stream *raw;
};

static void
tell(const struct receiver *r, const struct word *w)
{
	if (send(r->fd, w, sizeof *w, MSG_NOSIGNAL) != sizeof *w)
		_exit(1);		/* nobody listens any more */
}

static void
on_event(void *arg, struct event *e)
{
	struct word w = { .got = true, .at = clock_mono(clock_system()) };
	int64_t n = 0;

	value_int(value_field(&event_envelope(e)->payload, "n"), &n);
	w.number = (uint64_t)n;
	tell(arg, &w);
	event_done(e);
}

static void
on_raw(void *arg, const void *data, size_t n)
{
	struct word w = { .got = true, .at = clock_mono(clock_system()) };

	if (n < sizeof w.number)
		return;
	memcpy(&w.number, data, sizeof w.number);
	tell(arg, &w);
}

struct question { struct receiver *r; const char *pattern; enum consumer_state state; };

static void
look(void *arg)
{
	struct question *q = arg;

	q->state = events_state(q->r->events, q->pattern);
}

static enum err_code
open_ours(struct receiver *r, const struct order *o, struct err *err)
{
	struct mono until = mono_after(clock_mono(clock_system()), OPEN_MS * NS_PER_MS);
	struct question q = { r, o->pattern, CONSUMER_STARTING };
	enum err_code code = node_open(&r->node, r->conn, 0, err);

	if (code != ERR_OK)
		return code;
	r->events = events_new(&(struct events_opts){
		.conn = r->node.conn, .loop = r->node.loop, .pool = r->node.pool, .publisher = r->node.publisher,
		.service = o->service, .instance = o->service,
	});
	code = events_subscribe(r->events, &(struct event_subscription){ .pattern = o->pattern, .mode = EVENT_COMPETE,
	    .handler = on_event, .arg = r }, err);
	if (code != ERR_OK || (code = node_run(&r->node, err)) != ERR_OK)
		return code;
	while (q.state != CONSUMER_READY) {
		if ((code = loop_call(r->node.loop, look, &q, OPEN_MS * NS_PER_MS, err)) != ERR_OK)
			return code;
		if (mono_reached(clock_mono(clock_system()), until))
			return err_set(err, ERR_TIMEOUT, "the consumer of '%s' is %s after 15 s", o->pattern,
			    consumer_state_name(q.state));
		thread_pause(LOOK_NS);
	}
	return ERR_OK;
}

static void
close_any(struct receiver *r)
{
	raw_stream_free(r->raw);
	r->raw = NULL;
	node_stop(&r->node);
	events_free(r->events);
	r->events = NULL;
	node_close(&r->node);
}

static enum err_code
obey(struct receiver *r, const struct order *o, struct err *err)
{
	enum err_code code = ERR_OK;

	close_any(r);
	if (o->what == ORDER_OURS)
		code = open_ours(r, o, err);
	else if (o->what == ORDER_RAW && (r->raw = raw_stream_new(&(struct raw_stream_opts){ .access = r->conn }, err)) == NULL)
		code = err->code;
	else if (o->what == ORDER_RAW)
		code = raw_consume(r->raw, stream_id_name(STREAM_EVENTS), o->pattern, o->service, on_raw, r, err);
	if (code != ERR_OK)
		close_any(r);
	return code;
}

static _Noreturn void
receive(int fd, const struct conn_opts *conn)
{
	struct receiver r = { .fd = fd, .conn = conn };
	struct order o;

	while (recv(fd, &o, sizeof o, 0) == sizeof o) {
		struct word w = { .got = false };
		obey(&r, &o, &w.err);
		tell(&r, &w);
	}
	close_any(&r);
	_exit(0);
}

/* --- here -------------------------------------------------------------------------------- */

struct peer *
peer_fork(const struct conn_opts *o, struct err *err)
{
	struct peer *p = mem_new(sizeof *p);
	pid_t self = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		err_errno(err, ERR_SYSTEM, errno, "a pair of sockets");
		mem_free(p);
		return NULL;
	}
	p->pid = fork();
	if (p->pid < 0) {
		err_errno(err, ERR_SYSTEM, errno, "another process");
		close(pair[0]);
		close(pair[1]);
		mem_free(p);
		return NULL;
	}
	if (p->pid == 0) {
		/* Ctrl-C is for the process that reports; this one ends with it. */
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != self)
			_exit(1);
		close(pair[0]);
		receive(pair[1], o);
	}
	close(pair[1]);
	p->fd = pair[0];
	return p;
}

void
peer_free(struct peer *p)
{
	if (p == NULL)
		return;
	/* A later peer inherited this end, so closing it would not be noticed. */
	shutdown(p->fd, SHUT_RDWR);
	close(p->fd);
	while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
		;
	mem_free(p);
}

/* hear: the next word, or why there is none. */
static enum err_code
hear(struct peer *p, struct word *w, int timeout_ms, struct err *err)
{
	struct pollfd f = { .fd = p->fd, .events = POLLIN };
	int n;

	while ((n = poll(&f, 1, timeout_ms)) < 0 && errno == EINTR)
		;
	if (n == 0)
		return err_set(err, ERR_TIMEOUT, "the receiving process heard nothing within %d s", timeout_ms / 1000);
	if (recv(p->fd, w, sizeof *w, 0) != sizeof *w)
		return err_set(err, ERR_CLOSED, "the receiving process has ended");
	return ERR_OK;
}

static enum err_code
order(struct peer *p, const struct order *o, struct err *err)
{
	struct word w = { .got = true };
	enum err_code code = ERR_OK;

	if (send(p->fd, o, sizeof *o, MSG_NOSIGNAL) != sizeof *o)
		return err_set(err, ERR_CLOSED, "the receiving process has ended");
	while (code == ERR_OK && w.got)		/* what was on its way is of no use now */
		code = hear(p, &w, 2 * OPEN_MS, err);
	if (code == ERR_OK && w.err.code != ERR_OK) {
		*err = w.err;
		code = w.err.code;
	}
	return code;
}

enum err_code
peer_open(struct peer *p, bool raw, const char *service, const char *pattern, struct err *err)
{
	struct order o = { .what = raw ? ORDER_RAW : ORDER_OURS };

	snprintf(o.service, sizeof o.service, "%s", service);
	snprintf(o.pattern, sizeof o.pattern, "%s", pattern);
	enum err_code code = order(p, &o, err);
	p->open = code == ERR_OK;
	return code;
}

void
peer_close(struct peer *p)
{
	struct err err;

	if (p->open)
		order(p, &(struct order){ .what = ORDER_CLOSE }, &err);
	p->open = false;
}

enum err_code
peer_await(struct peer *p, uint64_t number, struct mono *at, struct err *err)
{
	struct word w;
	enum err_code code;

	do {
		if ((code = hear(p, &w, ANSWER_MS, err)) != ERR_OK)
			return code;
	} while (!w.got || w.number != number);
	*at = w.at;
	return ERR_OK;
}
