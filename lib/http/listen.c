/* listen.c - opening the sockets that connections arrive on. */
#include "http/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"

#define BACKLOG 1024		/* as far as the system allows */

static enum err_code
cannot(const char *where, int errnum, struct err *err)
{
	bool full = errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM || errnum == ENOBUFS;

	return err_errno(err, full ? ERR_SYSTEM : ERR_CONFIG, errnum, "http: cannot listen on %s", where);
}

static enum err_code
open_at(const char *where, const struct sockaddr *at, socklen_t n, struct listener *out, struct err *err)
{
	int on = 1;

	out->fd = socket(at->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (out->fd < 0)
		return cannot(where, errno, err);
	if (at->sa_family != AF_UNIX)
		setsockopt(out->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (at->sa_family == AF_INET6)
		setsockopt(out->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(out->fd, at, n) == 0 && listen(out->fd, BACKLOG) == 0)
		return ERR_OK;
	int errnum = errno;
	close(out->fd);
	out->fd = -1;
	return cannot(where, errnum, err);
}

static enum err_code
open_local(const char *where, struct listener *out, struct err *err)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const char *path = where + strlen("unix:");
	enum err_code code;

	if (path[0] == '\0' || strlen(path) >= sizeof at.sun_path)
		return err_set(err, ERR_CONFIG, "http: the path '%s' is empty, or too long for a socket", path);
	memcpy(at.sun_path, path, strlen(path) + 1);
	if ((code = open_at(where, (const struct sockaddr *)&at, sizeof at, out, err)) != ERR_OK)
		return code;
	out->path = mem_text(path);
	out->address = mem_text(where);
	return ERR_OK;
}

/* set_address: with the port that it has in truth. */
static enum err_code
set_address(const char *where, const char *host, size_t nhost, struct listener *out, struct err *err)
{
	struct sockaddr_in6 at;		/* the port stands at the same place in both families */
	socklen_t n = sizeof at;

	if (getsockname(out->fd, (struct sockaddr *)&at, &n) != 0)
		return cannot(where, errno, err);
	out->address = mem_printf("%s://%.*s:%d", out->secure ? "https" : "http", (int)nhost, host, ntohs(at.sin6_port));
	return ERR_OK;
}

enum err_code
listen_open(const char *where, struct listener *out, struct err *err)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	enum err_code code;
	uint64_t port;

	*out = (struct listener){ .fd = -1 };
	if (strncmp(where, "unix:", 5) == 0)
		return open_local(where, out, err);
	out->secure = strncmp(where, "https://", 8) == 0;
	const char *host = where + (out->secure ? 8 : strncmp(where, "http://", 7) == 0 ? 7 : 0), *colon = strrchr(host, ':');
	if (colon == NULL || !num_uint(colon + 1, &port) || port > 65535 || strpbrk(host, "/ ,") != NULL)
		return err_set(err, ERR_CONFIG, "http: '%s' is no address to listen on; write one such as http://127.0.0.1:8100", where);
	size_t n = (size_t)(colon - host);
	bool six = n >= 2 && host[0] == '[' && host[n - 1] == ']', all = n == 0 || (n == 1 && host[0] == '*');
	char *name = six ? mem_text_n(host + 1, n - 2) : mem_text_n(all ? "0.0.0.0" : host, all ? 7 : n);
	hints.ai_family = six ? AF_INET6 : AF_INET;
	int wrong = getaddrinfo(name, colon + 1, &hints, &found);
	hints.ai_family = AF_UNSPEC;
	if (wrong != 0 && !six)
		wrong = getaddrinfo(name, colon + 1, &hints, &found);
	if (wrong != 0)
		code = err_set(err, ERR_CONFIG, "http: cannot listen on %s: %s", where, gai_strerror(wrong));
	else
		code = open_at(where, found->ai_addr, found->ai_addrlen, out, err);
	if (code == ERR_OK)
		code = set_address(where, host, n, out, err);
	if (found != NULL)
		freeaddrinfo(found);
	mem_free(name);
	if (code != ERR_OK)
		listen_close(out);
	return code;
}

void
listen_close(struct listener *l)
{
	if (l->fd >= 0)
		close(l->fd);
	if (l->path != NULL)
		unlink(l->path);
	mem_free(l->path);
	mem_free(l->address);
	*l = (struct listener){ .fd = -1 };
}
