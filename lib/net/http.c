/* http.c - connections as lanes: one socket, one parser, at most one call at a time.
 *
 * A lane is its call: struct http_call is handed out while a request is on it and goes
 * back to a stack afterwards, so nothing is allocated in the steady state.  Idle lanes
 * are taken last in, first out: the warmest connection serves, and the others grow old
 * and are closed.
 *
 * A neighbour that serves one connection at a time must not be kept busy by one that we
 * merely hold open: when a fresh connection waits long for its very first answer, the
 * others make room (http_yield).  Doing so at once would make every burst reconnect. */
#include "net/http.h"

#include <errno.h>
#include <http_parser.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"

#define HTTP_MAGIC 0x4177e001u
#define LANE_MAGIC 0x4177e002u
#define IDLE_NS (30 * NS_PER_S)
#define REDIAL_NS (2 * NS_PER_MS)	/* backlog of a Unix listener was full */
#define STARVING_NS (50 * NS_PER_MS)	/* for a first answer; most come within one */
#define READ_BYTES (16u << 10)
#define READS_PER_TURN 8		/* a large answer must not hold up the loop */
#define KEEP_BYTES (64u << 10)		/* a buffer that grew beyond is not kept */

enum lane_state { LANE_FREE, LANE_IDLE, LANE_DIALLING, LANE_BUSY };

struct http_call {
	unsigned magic;
	struct http *h;
	struct http_call *next;		/* among h->idle or h->free */
	enum lane_state state;
	int fd;				/* -1 without connection */
	struct loop_fd *lf;
	struct loop_timer timer;	/* dial again, or tell a failure that http_send met */
	struct mono since;		/* idle: when it became so; else when it was dialled */

	/* the request */
	struct str out;
	size_t sent;
	bool is_reused;			/* the connection has answered before */
	bool is_unproven;		/* it never has; counted in h->unproven */
	bool is_last;			/* not kept open after this answer */
	void (*done)(void *arg, const struct http_answer *a);
	void *arg;

	/* the answer */
	http_parser parser;
	struct str body;
	bool is_complete, keeps;
	enum err_code code;		/* what went wrong */
	char why[160];
};

struct http {
	unsigned magic;
	struct loop *loop;
	struct http_opts opts;
	struct http_call **lanes;
	size_t nlanes;
	struct http_call *idle, *free;
	unsigned unproven;
	struct loop_timer starving;	/* set while there are unproven ones */
	bool is_sending;		/* inside http_send: done may not be called */
	struct loop_timer sweep;
	uint64_t dialled;
};

static void on_ready(void *arg, unsigned got);
static void dial(struct http_call *c);

/* --- lanes ----------------------------------------------------------------------------- */

static void
prove(struct http_call *c)
{
	if (c->is_unproven) {
		c->is_unproven = false;
		c->h->unproven--;
	}
}

static void
hang_up(struct http_call *c)
{
	prove(c);
	loop_fd_del(c->lf);
	c->lf = NULL;
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
}

static void
shrink(struct str *s)
{
	if (s->cap > KEEP_BYTES)
		str_release(s);
	else
		str_clear(s);
}

static void
make_free(struct http_call *c)
{
	hang_up(c);
	c->state = LANE_FREE;
	c->next = c->h->free;
	c->h->free = c;
}

static void
sweep(void *arg)
{
	struct http *h = arg;
	struct mono now = loop_now(h->loop);
	struct http_call **p = &h->idle, *c;

	while ((c = *p) != NULL) {
		if (mono_since(now, c->since) < IDLE_NS) {
			p = &c->next;
			continue;
		}
		*p = c->next;
		make_free(c);
	}
	if (h->idle != NULL)
		loop_timer_set(h->loop, &h->sweep, mono_after(now, IDLE_NS), sweep, h);
}

static void
on_starving(void *arg)
{
	struct http *h = arg;
	struct mono now = loop_now(h->loop);
	bool starves = false;

	for (size_t i = 0; i < h->nlanes && !starves; i++)
		starves = h->lanes[i]->is_unproven && mono_since(now, h->lanes[i]->since) >= STARVING_NS;
	if (starves)
		http_yield(h);
	if (h->unproven > 0)
		loop_timer_set(h->loop, &h->starving, mono_after(now, STARVING_NS), on_starving, h);
}

/* put_back: the call on c is over; the connection stays open when it can. */
static void
put_back(struct http_call *c, bool keeps)
{
	struct http *h = c->h;

	loop_timer_cancel(h->loop, &c->timer);
	if (!keeps || c->sent < c->out.len || c->is_last) {
		make_free(c);
	} else {
		loop_fd_want(c->lf, LOOP_READ);
		c->state = LANE_IDLE;
		c->since = loop_now(h->loop);
		c->next = h->idle;
		h->idle = c;
		if (!loop_timer_pending(&h->sweep))
			loop_timer_set(h->loop, &h->sweep, mono_after(c->since, IDLE_NS), sweep, h);
	}
	shrink(&c->out);
	c->sent = 0;
	c->done = NULL;
}

/* finish: the lane is free again before the caller hears of it, so that what he sends from
 * there finds it; the body leaves it first, so that he can read on. */
static void
finish(struct http_call *c)
{
	void (*done)(void *, const struct http_answer *) = c->done;
	void *arg = c->arg;
	struct str body = c->body;
	struct http_answer a = { .code = c->code, .maybe_executed = c->sent > 0 };
	char why[sizeof c->why];

	str_init(&c->body);
	memcpy(why, c->why, sizeof why);
	a.why = why;
	a.status = c->code == ERR_OK ? c->parser.status_code : 0;
	a.body = (struct text){ str_text(&body), c->code == ERR_OK ? body.len : 0 };
	put_back(c, c->code == ERR_OK && c->keeps);
	done(arg, &a);
	/* Lanes live as long as the client, which done must not free. */
	if (c->body.p == NULL && body.cap <= KEEP_BYTES) {
		c->body = body;
		str_clear(&c->body);
	} else {
		str_release(&body);
	}
}

static void
on_deferred(void *arg)
{
	finish(arg);
}

static void fail(struct http_call *c, enum err_code code, const char *what, int errnum)
    __attribute__((nonnull(1, 3)));

static void
fail(struct http_call *c, enum err_code code, const char *what, int errnum)
{
	c->code = code;
	if (errnum != 0)
		snprintf(c->why, sizeof c->why, "%s: %s", what, strerror(errnum));
	else
		snprintf(c->why, sizeof c->why, "%s", what);
	hang_up(c);
	if (c->h->is_sending)
		loop_timer_set(c->h->loop, &c->timer, loop_now(c->h->loop), on_deferred, c);
	else
		finish(c);
}

/* --- the parser ------------------------------------------------------------------------ */

static int
on_headers(http_parser *p)
{
	struct http_call *c = p->data;

	if (p->content_length == UINT64_MAX || p->content_length <= c->h->opts.max_body) {
		if (p->content_length != UINT64_MAX)
			str_room(&c->body, (size_t)p->content_length);
		return 0;
	}
	c->code = ERR_TOO_LARGE;
	return -1;
}

static int
on_body(http_parser *p, const char *at, size_t n)
{
	struct http_call *c = p->data;

	if (n > c->h->opts.max_body - c->body.len) {
		c->code = ERR_TOO_LARGE;
		return -1;
	}
	str_add(&c->body, at, n);
	return 0;
}

static int
on_complete(http_parser *p)
{
	struct http_call *c = p->data;

	/* 100 Continue and its kin announce the answer, they are none. */
	if (p->status_code < 200 && p->status_code != 101) {
		str_clear(&c->body);
		return 0;
	}
	c->is_complete = true;
	c->keeps = http_should_keep_alive(p) && !p->upgrade;
	http_parser_pause(p, 1);
	return 0;
}

static const http_parser_settings settings = {
	.on_headers_complete = on_headers,
	.on_body = on_body,
	.on_message_complete = on_complete,
};

/* parse: n == 0 is the end of the stream.  True when the call is over. */
static bool
parse(struct http_call *c, const char *p, size_t n)
{
	size_t used = http_parser_execute(&c->parser, &settings, p, n);

	if (c->is_complete) {
		if (used < n || n == 0)
			c->keeps = false;
		finish(c);
		return true;
	}
	if (c->code == ERR_TOO_LARGE) {
		char what[80];
		snprintf(what, sizeof what, "the answer is larger than %zu bytes", c->h->opts.max_body);
		fail(c, ERR_TOO_LARGE, what, 0);
		return true;
	}
	if (n == 0) {
		fail(c, ERR_CLOSED, "the connection was closed before the answer was complete", 0);
		return true;
	}
	enum http_errno no = HTTP_PARSER_ERRNO(&c->parser);
	if (no != HPE_OK || c->parser.upgrade) {
		char what[120];
		snprintf(what, sizeof what, "the answer is no HTTP: %s", http_errno_description(no));
		fail(c, ERR_CORRUPT, what, 0);
		return true;
	}
	return false;
}

/* --- the socket ------------------------------------------------------------------------ */

static void
write_out(struct http_call *c)
{
	while (c->sent < c->out.len) {
		ssize_t n = send(c->fd, c->out.p + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);
		if (n > 0) {
			c->sent += (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN) {
			loop_fd_want(c->lf, LOOP_READ | LOOP_WRITE);
			return;
		}
		/* Not one byte went out: nobody can have executed anything. */
		if (c->sent == 0 && c->is_reused) {
			hang_up(c);
			dial(c);
			return;
		}
		fail(c, c->sent == 0 ? ERR_UNAVAILABLE : ERR_CLOSED, "the connection broke while sending", errno);
		return;
	}
	loop_fd_want(c->lf, LOOP_READ);
}

static void
read_in(struct http_call *c)
{
	char buf[READ_BYTES];

	for (unsigned i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = recv(c->fd, buf, sizeof buf, 0);
		if (n == -1) {
			if (errno != EAGAIN && errno != EINTR)
				fail(c, ERR_CLOSED, "the connection broke before the answer was complete", errno);
			return;
		}
		if (n > 0)
			prove(c);
		if (parse(c, buf, (size_t)n) || (size_t)n < sizeof buf)
			return;
	}
}

static void
idle_ended(struct http_call *c)
{
	struct http_call **p = &c->h->idle;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	make_free(c);
}

static void
on_ready(void *arg, unsigned got)
{
	struct http_call *c = arg;
	int e;

	MAGIC_CHECK(c, LANE_MAGIC);
	switch (c->state) {
	case LANE_FREE:
		return;
	case LANE_IDLE:
		/* The neighbour closed it, or says something that nobody asked for. */
		idle_ended(c);
		return;
	case LANE_DIALLING:
		if ((e = dial_result(c->fd)) != 0) {
			fail(c, ERR_UNAVAILABLE, "no connection", e);
			return;
		}
		c->state = LANE_BUSY;
		write_out(c);
		return;
	case LANE_BUSY:
		/* Reading first: an early refusal explains why writing will fail. */
		if (got & LOOP_READ)
			read_in(c);
		if (c->state == LANE_BUSY && c->fd != -1 && (got & LOOP_WRITE) && c->sent < c->out.len)
			write_out(c);
		return;
	}
}

static void
dial_again(void *arg)
{
	dial(arg);
}

static void
dial(struct http_call *c)
{
	struct http *h = c->h;
	struct err err;
	int e;

	c->state = LANE_DIALLING;
	c->is_reused = false;
	if ((c->fd = dial_start(&h->opts.target, &e)) == -1) {
		if (e == EAGAIN)
			loop_timer_set(h->loop, &c->timer, mono_after(loop_now(h->loop), REDIAL_NS), dial_again, c);
		else
			fail(c, ERR_UNAVAILABLE, "no connection", e);
		return;
	}
	h->dialled++;
	c->is_last = false;
	/* Not the turn's time: the caller may have worked for long in it. */
	c->since = clock_mono(loop_clock(h->loop));
	c->is_unproven = true;
	if (h->unproven++ == 0)
		loop_timer_set(h->loop, &h->starving, mono_after(c->since, STARVING_NS), on_starving, h);
	if ((c->lf = loop_fd_add(h->loop, c->fd, LOOP_WRITE, on_ready, c, &err)) == NULL)
		fail(c, ERR_UNAVAILABLE, "no connection", EMFILE);
}

/* --- calls ----------------------------------------------------------------------------- */

/* is_open: an idle connection that its owner has closed meanwhile shows the end of file. */
static bool
is_open(const struct http_call *c)
{
	char b;

	return recv(c->fd, &b, 1, MSG_PEEK | MSG_DONTWAIT) == -1 && errno == EAGAIN;
}

static struct http_call *
lane_take(struct http *h)
{
	struct http_call *c;

	while ((c = h->idle) != NULL) {
		if (is_open(c)) {
			h->idle = c->next;
			c->state = LANE_BUSY;
			c->is_reused = true;
			return c;
		}
		idle_ended(c);
	}
	if ((c = h->free) != NULL) {
		h->free = c->next;
		return c;
	}
	if (h->nlanes >= h->opts.max_conns)
		return NULL;
	c = h->lanes[h->nlanes++] = mem_new(sizeof *c);
	c->magic = LANE_MAGIC;
	c->h = h;
	c->fd = -1;
	return c;
}

struct http_call *
http_send(struct http *h, struct str *bytes, void (*done)(void *arg, const struct http_answer *a), void *arg)
{
	struct http_call *c;
	struct str swap;

	MAGIC_CHECK(h, HTTP_MAGIC);
	if ((c = lane_take(h)) == NULL)
		return NULL;
	swap = c->out;
	c->out = *bytes;
	*bytes = swap;
	str_clear(bytes);
	c->sent = 0;
	c->done = done;
	c->arg = arg;
	c->is_complete = c->keeps = false;
	c->code = ERR_OK;
	c->why[0] = '\0';
	str_clear(&c->body);
	http_parser_init(&c->parser, HTTP_RESPONSE);
	c->parser.data = c;
	h->is_sending = true;
	if (c->state == LANE_BUSY)
		write_out(c);
	else
		dial(c);
	h->is_sending = false;
	return c;
}

void
http_cancel(struct http_call *c)
{
	MAGIC_CHECK(c, LANE_MAGIC);
	MUST(c->done != NULL);
	put_back(c, false);
}

bool
http_written(const struct http_call *c)
{
	return c->sent > 0;
}

/* --- life ------------------------------------------------------------------------------ */

struct http *
http_new(struct loop *loop, const struct http_opts *o)
{
	struct http *h = mem_new(sizeof *h);

	*h = (struct http){ .magic = HTTP_MAGIC, .loop = loop, .opts = *o };
	if (h->opts.max_conns == 0)
		h->opts.max_conns = 1;
	h->lanes = mem_array(h->opts.max_conns, sizeof(struct http_call *));
	return h;
}

void
http_limit(struct http *h, unsigned max_conns)
{
	h->opts.max_conns = max_conns > 0 ? max_conns : 1;
	h->lanes = mem_resize(h->lanes, h->opts.max_conns > h->nlanes ? h->opts.max_conns : h->nlanes, sizeof(struct http_call *));
}

void
http_reset(struct http *h)
{
	while (h->idle != NULL)
		idle_ended(h->idle);
}

void
http_yield(struct http *h)
{
	http_reset(h);
	/* Those that wait for a first answer are the ones to make room for. */
	for (size_t i = 0; i < h->nlanes; i++)
		if (h->lanes[i]->state == LANE_BUSY && !h->lanes[i]->is_unproven)
			h->lanes[i]->is_last = true;
}

void
http_free(struct http *h)
{
	if (h == NULL)
		return;
	MAGIC_CHECK(h, HTTP_MAGIC);
	for (size_t i = 0; i < h->nlanes; i++) {
		struct http_call *c = h->lanes[i];
		loop_timer_cancel(h->loop, &c->timer);
		hang_up(c);
		str_release(&c->out);
		str_release(&c->body);
		MAGIC_WIPE(c);
		mem_free(c);
	}
	loop_timer_cancel(h->loop, &h->sweep);
	loop_timer_cancel(h->loop, &h->starving);
	mem_free(h->lanes);
	MAGIC_WIPE(h);
	mem_free(h);
}

size_t
http_connections(const struct http *h)
{
	size_t n = 0;

	for (size_t i = 0; i < h->nlanes; i++)
		n += h->lanes[i]->fd != -1;
	return n;
}

uint64_t
http_dialled(const struct http *h)
{
	return h->dialled;
}
