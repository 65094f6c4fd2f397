/* proxy.c - two descriptors per connection, and a queue of chunks for each way.
 *
 * A chunk is what one read gave, with the time from which it may go on; an empty chunk is the
 * end of the stream.  Everything that goes wrong with a connection becomes such an end, in its
 * place in the queue, so that a frozen way hides it. */
#include "sys/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/loop.h"

#define CHUNK_BYTES 16384
#define QUEUE_BYTES (256 * 1024)
#define BACKLOG 64

struct chunk {
	struct chunk *next;
	struct mono due;
	size_t n, sent;			/* n == 0: the end */
	char data[];
};

struct way {
	struct link *link;
	struct chunk *first, **last;
	size_t queued;
	bool stuck;			/* the descriptor it leads to takes no more now */
	struct loop_timer timer;	/* the first chunk is due then */
};

struct end {
	struct link *link;
	int fd;
	struct loop_fd *watch;		/* NULL: nothing more comes from it, or can go to it */
};

/* way[i] leads from end[i] to end[1 - i]; 0 is the client. */
struct link {
	struct proxy *proxy;
	struct link *next, **at;
	struct end end[2];
	struct way way[2];
};

struct proxy {
	struct loop *loop;
	int fd;
	uint16_t port, target;
	struct loop_fd *watch;
	struct link *links;
	unsigned frozen;
	bool refusing;
	int64_t min_ns[2], max_ns[2];
	uint64_t seed;
	bool truncating[2];
	uint64_t left[2];		/* until it truncates */
	struct proxy_counters count;
};

static unsigned
index_of(const struct way *w)
{
	return w == &w->link->way[1];
}

/* --- the end of a connection ------------------------------------------------------------- */

static void
link_close(struct link *l, bool reset)
{
	struct proxy *p = l->proxy;

	for (int i = 0; i < 2; i++) {
		loop_timer_cancel(p->loop, &l->way[i].timer);
		loop_fd_del(l->end[i].watch);
		if (reset)
			setsockopt(l->end[i].fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
		close(l->end[i].fd);
		for (struct chunk *c = l->way[i].first, *next; c != NULL; c = next) {
			next = c->next;
			mem_free(c);
		}
	}
	*l->at = l->next;
	if (l->next != NULL)
		l->next->at = l->at;
	p->count.open--;
	p->count.resets += reset;
	mem_free(l);
}

/* --- what waits, and what goes on -------------------------------------------------------- */

/* wants: what each descriptor is asked for follows from the two queues. */
static void
wants(struct link *l)
{
	for (int i = 0; i < 2; i++)
		if (l->end[i].watch != NULL)
			loop_fd_want(l->end[i].watch, (l->way[i].queued < QUEUE_BYTES ? LOOP_READ : 0) |
			    (l->way[1 - i].stuck ? LOOP_WRITE : 0));
}

/* kept_ns: xorshift; a delay need not be better than that, only the same for the same seed. */
static int64_t
kept_ns(struct proxy *p, unsigned i)
{
	if (p->max_ns[i] <= p->min_ns[i])
		return p->min_ns[i];
	p->seed ^= p->seed << 13;
	p->seed ^= p->seed >> 7;
	p->seed ^= p->seed << 17;
	return p->min_ns[i] + (int64_t)(p->seed % (uint64_t)(p->max_ns[i] - p->min_ns[i]));
}

static void
enqueue(struct way *w, struct chunk *c)
{
	struct proxy *p = w->link->proxy;

	c->due = mono_after(clock_mono(loop_clock(p->loop)), kept_ns(p, index_of(w)));
	c->next = NULL;
	*w->last = c;
	w->last = &c->next;
	w->queued += c->n;
}

/* end_of: nothing more comes from this end; the other one learns it in its turn. */
static void
end_of(struct link *l, unsigned from)
{
	if (l->end[from].watch == NULL)
		return;
	loop_fd_del(l->end[from].watch);
	l->end[from].watch = NULL;
	enqueue(&l->way[from], mem_new(sizeof(struct chunk)));
}

/* allowed: how many bytes of the chunk may go, when the way is to be truncated. */
static size_t
allowed(const struct proxy *p, unsigned i, size_t n)
{
	return p->truncating[i] && p->left[i] < n ? (size_t)p->left[i] : n;
}

enum pumped { PUMP_WAIT, PUMP_CLOSE, PUMP_RESET };

static enum pumped
pump_chunk(struct way *w, struct chunk *c)
{
	struct link *l = w->link;
	struct proxy *p = l->proxy;
	unsigned i = index_of(w);
	const struct end *to = &l->end[1 - i];
	size_t n = allowed(p, i, c->n - c->sent);
	ssize_t sent = to->watch != NULL ? send(to->fd, c->data + c->sent, n, MSG_NOSIGNAL | MSG_DONTWAIT) : (ssize_t)n;

	if (sent < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN)) {
		w->stuck = true;
		return PUMP_WAIT;
	}
	if (sent < 0) {
		end_of(l, 1 - i);
		sent = (ssize_t)n;	/* nobody gets it */
	}
	c->sent += (size_t)sent;
	p->count.bytes[i] += (uint64_t)sent;
	if (!p->truncating[i])
		return PUMP_WAIT;
	p->left[i] -= (uint64_t)sent;
	if (p->left[i] > 0)
		return PUMP_WAIT;
	p->truncating[i] = false;
	return PUMP_RESET;
}

static void on_due(void *arg);

/* pump: delivers what may go; may free the link, so it is the last thing that is done with it. */
static enum pumped
pump(struct way *w)
{
	struct proxy *p = w->link->proxy;
	struct mono now = clock_mono(loop_clock(p->loop));
	struct chunk *c;

	w->stuck = false;
	while ((c = w->first) != NULL && (p->frozen & (1u << index_of(w))) == 0 && !w->stuck) {
		if (!mono_reached(now, c->due)) {
			loop_timer_set(p->loop, &w->timer, c->due, on_due, w);
			break;
		}
		if (c->n == 0)
			return PUMP_CLOSE;
		if (pump_chunk(w, c) == PUMP_RESET)
			return PUMP_RESET;
		if (c->sent < c->n)
			continue;
		if ((w->first = c->next) == NULL)
			w->last = &w->first;
		w->queued -= c->n;
		mem_free(c);
	}
	return PUMP_WAIT;
}

static void
link_pump(struct link *l)
{
	for (int i = 0; i < 2; i++) {
		enum pumped did = pump(&l->way[i]);
		if (did != PUMP_WAIT) {
			link_close(l, did == PUMP_RESET);
			return;
		}
	}
	wants(l);
}

static void
on_due(void *arg)
{
	link_pump(((struct way *)arg)->link);
}

static void
on_ready(void *arg, unsigned got)
{
	struct end *e = arg;
	struct link *l = e->link;
	unsigned i = e == &l->end[1];
	struct way *w = &l->way[i];

	if ((got & (LOOP_READ | LOOP_HANGUP)) != 0 && w->queued < QUEUE_BYTES) {
		struct chunk *c = mem_new(sizeof *c + CHUNK_BYTES);
		ssize_t n = recv(e->fd, c->data, CHUNK_BYTES, MSG_DONTWAIT);
		if (n > 0) {
			c->n = (size_t)n;
			enqueue(w, c);
		} else {
			bool again = n < 0 && (errno == EAGAIN || errno == EINTR);
			mem_free(c);
			if (!again)
				end_of(l, i);
		}
	} else if ((got & LOOP_HANGUP) != 0) {
		end_of(l, i);		/* the queue is full: what it still had to say is lost */
	}
	link_pump(l);
}

/* --- new connections --------------------------------------------------------------------- */

static struct sockaddr_in
loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static void
reject(struct proxy *p, int client, int server)
{
	p->count.refused++;
	setsockopt(client, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
	close(client);
	if (server >= 0)
		close(server);
}

static void
on_client(void *arg, unsigned got)
{
	struct proxy *p = arg;
	struct sockaddr_in to = loopback(p->target);
	struct err err;

	(void)got;
	int client = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (client < 0)
		return;
	int server = p->refusing ? -1 : socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server < 0 || (connect(server, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)) {
		reject(p, client, server);
		return;
	}
	struct link *l = mem_new(sizeof *l);
	l->proxy = p;
	for (int i = 0; i < 2; i++) {
		l->end[i] = (struct end){ .link = l, .fd = i == 0 ? client : server };
		l->way[i] = (struct way){ .link = l, .last = &l->way[i].first };
		setsockopt(l->end[i].fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
		l->end[i].watch = loop_fd_add(p->loop, l->end[i].fd, LOOP_READ, on_ready, &l->end[i], &err);
	}
	if ((l->next = p->links) != NULL)
		l->next->at = &l->next;
	l->at = &p->links;
	p->links = l;
	p->count.accepted++;
	p->count.open++;
	if (l->end[0].watch == NULL || l->end[1].watch == NULL)
		link_close(l, true);
}

struct proxy *
proxy_new(struct loop *loop, uint16_t target, uint64_t seed, struct err *err)
{
	struct proxy *p = mem_new(sizeof *p);
	struct sockaddr_in at = loopback(0);
	socklen_t n = sizeof at;

	p->loop = loop;
	p->target = target;
	p->seed = seed | 1;		/* xorshift stays at 0 for ever */
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd < 0 || bind(p->fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(p->fd, BACKLOG) < 0 ||
	    getsockname(p->fd, (struct sockaddr *)&at, &n) < 0) {
		err_errno(err, ERR_SYSTEM, errno, "a proxy cannot listen on the loopback interface");
		proxy_free(p);
		return NULL;
	}
	p->port = ntohs(at.sin_port);
	if ((p->watch = loop_fd_add(loop, p->fd, LOOP_READ, on_client, p, err)) == NULL) {
		proxy_free(p);
		return NULL;
	}
	return p;
}

void
proxy_free(struct proxy *p)
{
	if (p == NULL)
		return;
	loop_fd_del(p->watch);
	if (p->fd >= 0)
		close(p->fd);
	proxy_reset(p);
	mem_free(p);
}

/* --- misbehaving ------------------------------------------------------------------------- */

uint16_t
proxy_port(const struct proxy *p)
{
	return p->port;
}

void
proxy_freeze(struct proxy *p, unsigned ways)
{
	p->frozen = ways;
	for (struct link *l = p->links, *next; l != NULL; l = next) {
		next = l->next;
		link_pump(l);
	}
}

void
proxy_delay(struct proxy *p, unsigned ways, int64_t min_ns, int64_t max_ns)
{
	for (unsigned i = 0; i < 2; i++) {
		if ((ways & (1u << i)) == 0)
			continue;
		p->min_ns[i] = min_ns;
		p->max_ns[i] = max_ns;
	}
}

void
proxy_truncate(struct proxy *p, unsigned way, uint64_t bytes)
{
	unsigned i = way == PROXY_DOWN;

	p->truncating[i] = bytes > 0;
	p->left[i] = bytes;
}

void
proxy_reset(struct proxy *p)
{
	while (p->links != NULL)
		link_close(p->links, true);
}

void
proxy_refuse(struct proxy *p, bool on)
{
	p->refusing = on;
}

struct proxy_counters
proxy_counters(const struct proxy *p)
{
	return p->count;
}
