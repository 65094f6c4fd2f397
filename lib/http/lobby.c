/* lobby.c - one epoll set of listeners and of connections that have not said enough yet.
 *
 * What has come is looked at where it lies (MSG_PEEK), so that a connection can be handed on as if
 * nobody had touched it.  It is looked at again only when more comes (edge-triggered), not while it
 * lies there.  All wait equally long, so their list is in the order of their deadlines. */
#include "http/lobby.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/instant.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/map.h"
#include "base/mem.h"
#include "http/head.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define GUEST_MAGIC 0xae617004u
#define READY_MAX 64
#define RETRY_NS (10 * NS_PER_MS)	/* when nobody could take a connection over */
#define REST_NS (100 * NS_PER_MS)	/* when the system is out of descriptors */

/* How many connections an address has. */
struct peer {
	char address[INET6_ADDRSTRLEN];
	unsigned n;
};

enum place {
	WAITS_FOR_HEAD,
	WAITS_FOR_THREAD,
	IS_SERVED,
	PLACES
};

struct guest {
	unsigned magic;
	struct lobby *lobby;
	struct guest *prev, *next;	/* among those of its place; under the lock */
	enum place place;
	struct peer *peer;		/* NULL on a Unix socket */
	int fd;
	bool secure;
	struct mono deadline;
	unsigned flag;
};

struct list { struct guest *first, *last; unsigned n; };

struct lobby {
	struct lobby_opts o;
	int epoll, bell;
	pthread_t thread;
	bool runs, rests;		/* the thread; it takes no new ones until rest_over */
	struct mono rest_over;
	char *head;			/* o.max_head bytes to look into */

	pthread_mutex_t lock;		/* of all below */
	struct map peers;
	struct list list[PLACES];
	uint64_t crowded, late;
};

/* --- who is here ------------------------------------------------------------------------- */

static void
list_add(struct list *l, struct guest *g)
{
	g->prev = l->last;
	g->next = NULL;
	*(l->last != NULL ? &l->last->next : &l->first) = g;
	l->last = g;
	l->n++;
}

static void
list_remove(struct list *l, struct guest *g)
{
	*(g->prev != NULL ? &g->prev->next : &l->first) = g->next;
	*(g->next != NULL ? &g->next->prev : &l->last) = g->prev;
	l->n--;
}

/* list_push: in front of all others. */
static void
list_push(struct list *l, struct guest *g)
{
	g->prev = NULL;
	g->next = l->first;
	*(l->first != NULL ? &l->first->prev : &l->last) = g;
	l->first = g;
	l->n++;
}

static void
move_to(struct guest *g, enum place place, void (*put)(struct list *l, struct guest *g))
{
	struct lobby *l = g->lobby;

	pthread_mutex_lock(&l->lock);
	list_remove(&l->list[g->place], g);
	g->place = place;
	put(&l->list[place], g);
	pthread_mutex_unlock(&l->lock);
}

/* part: forgets a guest, whose descriptor is somebody else's matter. */
static void
part(struct guest *g)
{
	struct lobby *l = g->lobby;

	MAGIC_CHECK(g, GUEST_MAGIC);
	pthread_mutex_lock(&l->lock);
	list_remove(&l->list[g->place], g);
	if (g->peer != NULL && --g->peer->n == 0) {
		map_remove(&l->peers, g->peer->address);
		mem_free(g->peer);
	}
	pthread_mutex_unlock(&l->lock);
	MAGIC_WIPE(g);
	mem_free(g);
}

void
lobby_leave(struct guest *g)
{
	part(g);
}

unsigned *
guest_flag(struct guest *g)
{
	MAGIC_CHECK(g, GUEST_MAGIC);
	return &g->flag;
}

static void
send_away(struct guest *g)
{
	close(g->fd);		/* which takes it out of the epoll set, too */
	part(g);
}

static unsigned
count_here(const struct lobby *l)
{
	return l->list[WAITS_FOR_HEAD].n + l->list[WAITS_FOR_THREAD].n + l->list[IS_SERVED].n;
}

/* count: before the close, so that whoever sees it closed sees it counted. */
static void
count(struct lobby *l, uint64_t *what)
{
	pthread_mutex_lock(&l->lock);
	++*what;
	pthread_mutex_unlock(&l->lock);
}

/* --- who may come in --------------------------------------------------------------------- */

/* peer_enter: counts one more of that address; NULL when it has enough.  Under the lock. */
static struct peer *
peer_enter(struct lobby *l, const char *address)
{
	struct peer *p = map_get(&l->peers, address);

	if (p == NULL) {
		p = mem_new(sizeof *p);
		memcpy(p->address, address, strlen(address) + 1);
		map_set(&l->peers, address, p);
	}
	if (p->n >= l->o.max_per_peer)
		return NULL;
	p->n++;
	return p;
}

/* address_of: as text; false on a Unix socket.  Whoever has one IPv6 address has the 2^64 of its network,
 * too: they count as one. */
static bool
address_of(const struct sockaddr_storage *from, char out[INET6_ADDRSTRLEN])
{
	if (from->ss_family == AF_INET)
		return inet_ntop(AF_INET, &((const struct sockaddr_in *)from)->sin_addr, out, INET6_ADDRSTRLEN) != NULL;
	if (from->ss_family != AF_INET6)
		return false;
	struct in6_addr net = ((const struct sockaddr_in6 *)from)->sin6_addr;
	if (!IN6_IS_ADDR_V4MAPPED(&net))
		memset(net.s6_addr + 8, 0, 8);
	return inet_ntop(AF_INET6, &net, out, INET6_ADDRSTRLEN) != NULL;
}

/* make_room: whoever waits longest for its head goes; false when nobody does. */
static bool
make_room(struct lobby *l)
{
	struct guest *oldest = l->list[WAITS_FOR_HEAD].first;	/* only this thread takes from that list */

	if (oldest == NULL)
		return false;
	count(l, &l->crowded);
	send_away(oldest);
	return true;
}

static void
refuse(struct lobby *l, int fd, const char *address, const char *why)
{
	count(l, &l->crowded);
	close(fd);
	log_warning(EV_HTTP_CROWD, LOG_F(LOG_S("address", address)), "a connection was closed at once: %s", why);
}

/* admit: a guest for a new connection; NULL when it was closed instead. */
static struct guest *
admit(struct lobby *l, int fd, bool secure, const struct sockaddr_storage *from)
{
	char address[INET6_ADDRSTRLEN] = "";
	bool far = address_of(from, address);
	struct peer *peer = NULL;

	pthread_mutex_lock(&l->lock);
	bool full = count_here(l) >= l->o.max;
	pthread_mutex_unlock(&l->lock);
	if (full && !make_room(l)) {
		refuse(l, fd, address, "so many are open that there is no room for one more");
		return NULL;
	}
	pthread_mutex_lock(&l->lock);
	bool enough = far && (peer = peer_enter(l, address)) == NULL;
	pthread_mutex_unlock(&l->lock);
	if (enough) {
		refuse(l, fd, address, "its address has as many as one may have");
		return NULL;
	}
	struct guest *g = mem_new(sizeof *g);
	*g = (struct guest){ .magic = GUEST_MAGIC, .lobby = l, .place = WAITS_FOR_HEAD, .peer = peer, .fd = fd, .secure = secure,
	    .deadline = mono_after(clock_mono(clock_system()), l->o.patience_ns) };
	pthread_mutex_lock(&l->lock);
	list_add(&l->list[WAITS_FOR_HEAD], g);
	pthread_mutex_unlock(&l->lock);
	return g;
}

/* --- what they have said ----------------------------------------------------------------- */

enum said { TOO_LITTLE, ENOUGH, GONE };

static enum said
listen_to(struct lobby *l, const struct guest *g)
{
	ssize_t n = recv(g->fd, l->head, l->o.max_head, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? TOO_LITTLE : GONE;
	if (n == 0)
		return GONE;
	/* What begins like no method is answered at once. */
	bool begins = (l->head[0] | 0x20) >= 'a' && (l->head[0] | 0x20) <= 'z';
	return g->secure || !begins || (size_t)n >= l->o.max_head || head_ends(l->head, (size_t)n) ? ENOUGH : TOO_LITTLE;
}

/* hand_on: to whoever serves; false when there is no thread for it now, and it stays the first in line. */
static bool
hand_on(struct guest *g)
{
	struct lobby *l = g->lobby;

	move_to(g, IS_SERVED, list_add);	/* it may leave before serve returns */
	if (l->o.serve(l->o.arg, g->fd, g->secure, g))
		return true;
	move_to(g, WAITS_FOR_THREAD, list_push);
	return false;
}

/* look_at: left, if its other end is closed: what is not complete then never will be. */
static void
look_at(struct guest *g, bool left)
{
	enum said said = listen_to(g->lobby, g);

	if (said == GONE || (said == TOO_LITTLE && left))
		send_away(g);
	if (said != ENOUGH)
		return;
	epoll_ctl(g->lobby->epoll, EPOLL_CTL_DEL, g->fd, NULL);
	move_to(g, WAITS_FOR_THREAD, list_add);
}

/* hand_on_all: in the order in which their heads came, as far as there are threads. */
static void
hand_on_all(struct lobby *l)
{
	struct guest *g;

	while ((g = l->list[WAITS_FOR_THREAD].first) != NULL && hand_on(g))
		;
}

static void
welcome(struct lobby *l, int fd, bool secure, const struct sockaddr_storage *from)
{
	struct guest *g = admit(l, fd, secure, from);
	int on = 1;

	if (g == NULL)
		return;
	if (from->ss_family != AF_UNIX) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	}
	struct epoll_event e = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = g };
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) != 0)
		send_away(g);
}

/* rest: no new ones for a while, because the system has no descriptor for them. */
static void
rest(struct lobby *l, bool on)
{
	l->rests = on;
	l->rest_over = mono_after(clock_mono(clock_system()), REST_NS);
	for (size_t i = 0; i < l->o.n; i++) {
		struct epoll_event e = { .events = on ? 0 : EPOLLIN, .data.ptr = &l->o.at[i] };
		epoll_ctl(l->epoll, EPOLL_CTL_MOD, l->o.at[i].fd, &e);
	}
}

static void
accept_all(struct lobby *l, struct listener *at)
{
	for (unsigned i = 0; i < READY_MAX; i++) {
		struct sockaddr_storage from = { .ss_family = AF_UNIX };
		socklen_t n = sizeof from;
		int fd = accept4(at->fd, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			welcome(l, fd, at->secure, &from);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			log_warning(EV_HTTP_CROWD, LOG_NONE, "a connection cannot be accepted: %s; others must go first", strerror(errno));
			if (!make_room(l)) {
				rest(l, true);
				return;
			}
		} else if (errno != ECONNABORTED && errno != EINTR) {
			return;
		}
	}
}

/* --- the thread -------------------------------------------------------------------------- */

/* end_of_patience: sends away whose time is over; how long until the next one's, at most. */
static int64_t
end_of_patience(struct lobby *l)
{
	struct mono now = clock_mono(clock_system());
	struct guest *g;

	/* Only this thread changes these two lists, so that it may read them without the lock. */
	for (enum place p = WAITS_FOR_HEAD; p <= WAITS_FOR_THREAD; p++)
		while ((g = l->list[p].first) != NULL && mono_reached(now, g->deadline)) {
			count(l, p == WAITS_FOR_HEAD ? &l->late : &l->crowded);
			send_away(g);
		}
	if (l->rests && mono_reached(now, l->rest_over))
		rest(l, false);
	int64_t wait = 60 * NS_PER_S;
	if (l->list[WAITS_FOR_HEAD].first != NULL)
		wait = mono_since(l->list[WAITS_FOR_HEAD].first->deadline, now);
	if (l->list[WAITS_FOR_THREAD].first != NULL && wait > RETRY_NS)
		wait = RETRY_NS;
	return l->rests && wait > REST_NS ? REST_NS : wait;
}

static bool
is_listener(const struct lobby *l, const void *p)
{
	return (const struct listener *)p >= l->o.at && (const struct listener *)p < l->o.at + l->o.n;
}

static void *
run(void *arg)
{
	struct lobby *l = arg;
	struct epoll_event ready[READY_MAX];

	for (;;) {
		hand_on_all(l);
		int64_t wait = end_of_patience(l);
		int n = epoll_wait(l->epoll, ready, READY_MAX, (int)(wait / NS_PER_MS) + 1);
		struct listener *knocked[READY_MAX];
		size_t knocks = 0;
		for (int i = 0; i < n; i++) {
			if (ready[i].data.ptr == NULL)
				return NULL;
			if (is_listener(l, ready[i].data.ptr))
				knocked[knocks++] = ready[i].data.ptr;
			else
				look_at(ready[i].data.ptr, (ready[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
		}
		/* Last, because it may send others away, who must not be looked at after that. */
		for (size_t i = 0; i < knocks; i++)
			accept_all(l, knocked[i]);
	}
}

static enum err_code
watch(struct lobby *l, int fd, void *what, struct err *err)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = what };

	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) != 0)
		return err_errno(err, ERR_SYSTEM, errno, "http: epoll");
	return ERR_OK;
}

struct lobby *
lobby_new(const struct lobby_opts *o, struct err *err)
{
	struct lobby *l = mem_new(sizeof *l);

	l->o = *o;
	l->head = mem_new(o->max_head);
	pthread_mutex_init(&l->lock, NULL);
	map_init(&l->peers);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	enum err_code code = l->epoll < 0 || l->bell < 0 ? err_errno(err, ERR_SYSTEM, errno, "http: epoll") : watch(l, l->bell, NULL, err);
	for (size_t i = 0; code == ERR_OK && i < o->n; i++)
		code = watch(l, o->at[i].fd, &l->o.at[i], err);
	if (code == ERR_OK)
		code = thread_start(&l->thread, "http", run, l, err);
	l->runs = code == ERR_OK;
	if (l->runs)
		return l;
	lobby_free(l);
	return NULL;
}

void
lobby_close(struct lobby *l)
{
	if (l == NULL || !l->runs)
		return;
	MUST(write(l->bell, &(uint64_t){ 1 }, 8) == 8);
	pthread_join(l->thread, NULL);
	l->runs = false;
	for (enum place p = WAITS_FOR_HEAD; p <= WAITS_FOR_THREAD; p++)
		while (l->list[p].first != NULL)
			send_away(l->list[p].first);
}

void
lobby_free(struct lobby *l)
{
	if (l == NULL)
		return;
	lobby_close(l);
	/* Who was handed on, but never served: their server has closed them. */
	while (l->list[IS_SERVED].first != NULL)
		part(l->list[IS_SERVED].first);
	if (l->epoll >= 0)
		close(l->epoll);
	if (l->bell >= 0)
		close(l->bell);
	map_release(&l->peers);
	pthread_mutex_destroy(&l->lock);
	mem_free(l->head);
	mem_free(l);
}

struct lobby_counters
lobby_counters(struct lobby *l)
{
	struct lobby_counters c = { 0, 0, 0, 0 };

	if (l == NULL)
		return c;
	pthread_mutex_lock(&l->lock);
	c = (struct lobby_counters){ l->crowded, l->late, count_here(l), l->list[WAITS_FOR_HEAD].n + l->list[WAITS_FOR_THREAD].n };
	pthread_mutex_unlock(&l->lock);
	return c;
}
