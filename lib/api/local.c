/* local.c - the local API's life: where it listens, who may enter, how it ends. */
#include "api/local.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/local_inner.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/num.h"
#include "sys/clock.h"
#include "sys/dir.h"
#include "sys/thread.h"

static const struct web_route routes[] = {
#define ROUTE(method, path, kind, max_body, handler, words) { method, path, WEB_##kind, max_body, handler, .about = words },
#include "api/local_routes.def"
#undef ROUTE
};

/* --- who may enter ----------------------------------------------------------------------- */

/* same_secret: in a time that does not depend on where they differ. */
static bool
same_secret(const char *told, const char *secret)
{
	size_t n = strlen(secret);
	volatile unsigned char diff = strlen(told) != n;

	for (size_t i = 0, k = 0; i < n; i++) {
		diff |= (unsigned char)(told[k] ^ secret[i]);
		k += told[k] != '\0';
	}
	return diff == 0;
}

static enum err_code
admit(void *arg, struct web_request *r, const struct web_route *route, struct err *err)
{
	static const char bearer[] = "Bearer ";
	const struct local *l = arg;
	const char *told = web_header(r, "Authorization");

	(void)route;
	MAGIC_CHECK(l, LOCAL_MAGIC);
	if (told == NULL || strncmp(told, bearer, sizeof bearer - 1) != 0)
		return err_set(err, ERR_UNAUTHENTICATED, "there is no token; send the header Authorization: Bearer with what "
		    "AEGIS_API_TOKEN holds");
	if (!same_secret(told + sizeof bearer - 1, l->token))
		return err_set(err, ERR_UNAUTHENTICATED, "the token is not the one in AEGIS_API_TOKEN");
	return ERR_OK;
}

/* --- where it listens -------------------------------------------------------------------- */

#define SOCKET_NAME "api.sock"
#define DIRECTORY_NAME "aegis-api-"
#define LEFT_BEHIND_S 60	/* younger ones may belong to a wrapper that is about to listen */

/* listened: whether somebody accepts connections on that socket; so does any doubt. */
static bool
listened(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return true;
	bool fits = (size_t)snprintf(to.sun_path, sizeof to.sun_path, "%s", path) < sizeof to.sun_path;
	bool refused = fits && connect(fd, (struct sockaddr *)&to, sizeof to) != 0 && errno == ECONNREFUSED;
	close(fd);
	return !refused;
}

/* sweep: removes what killed wrappers of this user left below `below`: a directory of ours with a
 * socket that nobody listens on. */
static void
sweep(const char *below)
{
	DIR *d = opendir(below);
	int64_t now_s = clock_wall(clock_system()).ns / NS_PER_S;

	if (d == NULL)
		return;
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		struct stat st;
		if (strncmp(e->d_name, DIRECTORY_NAME, sizeof DIRECTORY_NAME - 1) != 0 ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode) ||
		    st.st_uid != geteuid() || now_s - st.st_mtim.tv_sec < LEFT_BEHIND_S)
			continue;
		char *path = mem_printf("%s/%s", below, e->d_name), *at = mem_printf("%s/" SOCKET_NAME, path);
		if (!listened(at)) {
			unlink(at);
			rmdir(path);
		}
		mem_free(at);
		mem_free(path);
	}
	closedir(d);
}

/* own_directory: a fresh one that this user alone can enter. */
static enum err_code
own_directory(struct local *l, const char *below, struct err *err)
{
	sweep(below);
	l->directory = mem_printf("%s/" DIRECTORY_NAME "XXXXXX", below);
	if (mkdtemp(l->directory) != NULL)
		return ERR_OK;
	int why = errno;
	err_errno(err, ERR_CONFIG, why, "the local API needs a directory '%s'; set XDG_RUNTIME_DIR or TMPDIR to one where "
	    "it may make it, or use --local-api http", l->directory);
	mem_free(l->directory);
	l->directory = NULL;
	return ERR_CONFIG;
}

/* clear_socket: what a killed process left at a path that somebody chose. */
static enum err_code
clear_socket(const char *path, struct err *err)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return ERR_OK;
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, ERR_CONFIG, "the local API cannot listen on '%s': that is no socket", path);
	if (listened(path))
		return err_set(err, ERR_CONFIG, "the local API cannot listen on '%s': somebody else does", path);
	unlink(path);
	return ERR_OK;
}

#define LOOPBACK "http://127.0.0.1:"

enum err_code
local_check(const char *where, struct err *err)
{
	uint64_t port;

	if (strcmp(where, "unix") == 0 || strcmp(where, "http") == 0 || (strncmp(where, "unix:/", 6) == 0) ||
	    (strncmp(where, LOOPBACK, sizeof LOOPBACK - 1) == 0 && num_uint(where + sizeof LOOPBACK - 1, &port) &&
	    port > 0 && port < 65536))
		return ERR_OK;
	return err_set(err, ERR_CONFIG, "the local API cannot be at '%s'; write unix, http, unix:/PATH or " LOOPBACK "PORT",
	    where);
}

/* listen_at: what the server is to listen on; the caller's to free; NULL on failure. */
static char *
listen_at(struct local *l, const struct local_opts *o, struct err *err)
{
	if (local_check(o->where, err) != ERR_OK)
		return NULL;
	if (strcmp(o->where, "http") == 0)
		return mem_text("127.0.0.1:0");
	if (strncmp(o->where, "http://", 7) == 0)
		return mem_text(o->where + 7);
	if (strcmp(o->where, "unix") == 0)
		return own_directory(l, o->directory, err) == ERR_OK ? mem_printf("unix:%s/" SOCKET_NAME, l->directory) : NULL;
	return clear_socket(o->where + 5, err) == ERR_OK ? mem_text(o->where) : NULL;
}

/* --- its life ---------------------------------------------------------------------------- */

struct local *
local_new(const struct local_opts *o, struct err *err)
{
	struct local *l = mem_new(sizeof *l);

	l->magic = LOCAL_MAGIC;
	l->conn = o->conn;
	l->caller = o->caller;
	l->publisher = o->publisher;
	l->sender = o->sender;
	l->traffic = o->traffic;
	l->guard = o->guard;
	l->gate = o->gate;
	l->fence = o->fence;
	l->progress = o->progress;
	l->config = o->config;
	l->arg = o->arg;
	l->service = mem_text(o->service);
	l->instance = mem_text(o->instance);
	l->version = mem_text(o->version);
	l->state = (struct local_state){ .program = "starting", .phase = "starting" };
	l->version_told = 1;
	pthread_mutex_init(&l->lock, NULL);
	thread_cond_init(&l->changed);
	id_hex(l->token, LOCAL_TOKEN_MAX - 1);
	char *at = listen_at(l, o, err);
	if (at != NULL)
		l->server = web_server_new(&(struct web_server_opts){
			.listen = (const char *const[]){ at }, .nlisten = 1, .routes = routes, .nroutes = COUNT_OF(routes), .admit = admit, .arg = l,
			.max_waiting = o->max_waiting,
		}, err);
	mem_free(at);
	if (l->server != NULL)
		return l;
	local_free(l);
	return NULL;
}

const char *
local_address(const struct local *l)
{
	return web_server_address(l->server, 0);
}

const char *
local_token(const struct local *l)
{
	return l->token;
}

void
local_calls(struct local *l, int64_t timeout_ns, int retry)
{
	if (l == NULL)
		return;
	MAGIC_CHECK(l, LOCAL_MAGIC);
	atomic_store(&l->call_timeout_ns, timeout_ns);
	atomic_store(&l->call_retry, retry);
}

void
local_stop(struct local *l)
{
	if (l == NULL)
		return;
	MAGIC_CHECK(l, LOCAL_MAGIC);
	pthread_mutex_lock(&l->lock);
	l->stopping = true;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
	web_server_free(l->server);
	l->server = NULL;
	if (l->directory != NULL)
		dir_remove(l->directory, NULL);
	mem_free(l->directory);
	l->directory = NULL;
}

void
local_free(struct local *l)
{
	if (l == NULL)
		return;
	local_stop(l);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	mem_free(l->service);
	mem_free(l->instance);
	mem_free(l->version);
	memset(l->token, 0, sizeof l->token);
	MAGIC_WIPE(l);
	mem_free(l);
}
