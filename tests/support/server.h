/* server.h - a server on a free loopback port, with a thread for each connection; how it answers is the
 * test's: it defines server_serve. */
#ifndef SUPPORT_SERVER_H
#define SUPPORT_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "net/dial.h"

#define SERVER_REQUEST_MAX 70000

struct server {
	pthread_t thread;
	int fd;				/* listening */
	uint16_t port;
	struct dial_target target;	/* for the client: that port, unless the test listens elsewhere */
	const char *answer;		/* for server_serve, as the next three */
	bool closes;			/* after each answer, without having said so */
	bool serial;			/* one connection at a time, until its peer closes it */
	size_t cut;			/* closes after so many bytes of the answer; 0: whole */
	atomic_uint accepted, requests, closed;
	atomic_bool stop;
	pthread_mutex_t lock;
	char last[SERVER_REQUEST_MAX];	/* the last request */
};

/* server_serve(s, fd): a connection from its first request to its last; the server closes fd. */
static void server_serve(struct server *s, int fd);

struct session {
	struct server *s;
	int fd;
};

static inline void *
server_session(void *arg)
{
	struct session *c = arg;

	server_serve(c->s, c->fd);
	close(c->fd);
	atomic_fetch_add(&c->s->closed, 1);
	mem_free(c);
	return NULL;
}

static inline void *
server_listen(void *arg)
{
	struct server *s = arg;
	pthread_t threads[200];
	unsigned n = 0;
	int fd, on = 1;

	while ((fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC)) != -1 && !s->stop) {
		struct session *c = mem_new(sizeof *c);
		*c = (struct session){ s, fd };
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		atomic_fetch_add(&s->accepted, 1);
		if (s->serial)
			server_session(c);
		else
			MUST(n < COUNT_OF(threads) && pthread_create(&threads[n++], NULL, server_session, c) == 0);
	}
	if (fd != -1)
		close(fd);
	while (n > 0)
		pthread_join(threads[--n], NULL);
	return NULL;
}

/* server_heard(s, request): keeps it for server_last. */
static inline void
server_heard(struct server *s, const char *request)
{
	pthread_mutex_lock(&s->lock);
	snprintf(s->last, sizeof s->last, "%s", request);
	pthread_mutex_unlock(&s->lock);
}

/* server_last(s): the last request, until the next call. */
static inline const char *
server_last(struct server *s)
{
	static char copy[SERVER_REQUEST_MAX];

	pthread_mutex_lock(&s->lock);
	memcpy(copy, s->last, sizeof copy);
	pthread_mutex_unlock(&s->lock);
	return copy;
}

/* server_new: listens, so that connecting works; nobody accepts before server_start. */
static inline struct server *
server_new(const char *answer)
{
	struct server *s = mem_new(sizeof *s);
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof in;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->answer = answer;
	pthread_mutex_init(&s->lock, NULL);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(bind(s->fd, (struct sockaddr *)&in, sizeof in) == 0 && listen(s->fd, 64) == 0 &&
	    getsockname(s->fd, (struct sockaddr *)&in, &len) == 0);
	s->port = ntohs(in.sin_port);
	dial_port(s->port, &s->target);
	return s;
}

static inline void
server_start(struct server *s)
{
	MUST(pthread_create(&s->thread, NULL, server_listen, s) == 0);
}

/* server_free(s): its client is freed before, so that no session waits for it. */
static inline void
server_free(struct server *s)
{
	s->stop = true;
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	mem_free(s);
}

#endif
