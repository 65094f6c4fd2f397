/* cluster.c - nodes as private servers with routes between them.
 *
 * The ports of the routes must be known before the first node starts, and a node that was killed comes back on its own:
 * both are bound here, without listening, for as long as the cluster lives, so that nobody else gets one; a server may
 * have it all the same, because both say SO_REUSEADDR.  "Ready" is asked the way it matters: by making a stream on all
 * nodes. */
#include "nats/cluster.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "nats/conn.h"
#include "nats/server.h"
#include "sys/clock.h"
#include "sys/dir.h"
#include "sys/procfs.h"
#include "sys/thread.h"

#define READY_NS (60 * NS_PER_S)
#define ASK_NS (2 * NS_PER_S)
#define AGAIN_NS (50 * NS_PER_MS)
#define END_NS (5 * NS_PER_S)
#define LOOK_NS (2 * NS_PER_MS)

/* The same on each: a node that seems to have more room gets every stream with one replica. */
#define STORE_BYTES (UINT64_C(8) << 30)

struct held_port {
	int fd;				/* 0: none */
	uint16_t number;
};

struct cluster_node {
	char name[8], *dir;
	struct held_port port, route;
	struct nats_server *server;	/* NULL: it has ended */
};

struct nats_cluster {
	char *path, *dir;
	unsigned n;
	struct cluster_node node[NATS_CLUSTER_MAX];
};

/* hold_port: one that nobody has, for us. */
static enum err_code
hold_port(struct held_port *p, struct err *err)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	/* Shared only once it is ours: the system gives a port that is shared to whoever shares, too. */
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &size) < 0) {
		int why = errno;
		if (fd >= 0)
			close(fd);
		return err_errno(err, ERR_SYSTEM, why, "no free port on the loopback interface");
	}
	*p = (struct held_port){ .fd = fd, .number = ntohs(at.sin_port) };
	return ERR_OK;
}

static void
drop_port(struct held_port *p)
{
	if (p->fd > 0)
		close(p->fd);
	p->fd = 0;
}

/* routes: the cluster's part of a node's configuration. */
static void
routes(const struct nats_cluster *c, unsigned self, struct str *out)
{
	unsigned n = 0;

	if (c->n == 1)
		return;
	str_printf(out, "cluster {\n\tname: aegis\n\tlisten: \"127.0.0.1:%u\"\n\tno_advertise: true\n\troutes: [", c->node[self].route.number);
	for (unsigned i = 0; i < c->n; i++)
		if (i != self)
			str_printf(out, "%s \"nats://127.0.0.1:%u\"", n++ > 0 ? "," : "", c->node[i].route.number);
	str_puts(out, " ]\n}\n");
}

enum err_code
nats_cluster_start(struct nats_cluster *c, unsigned i, struct err *err)
{
	struct cluster_node *k = &c->node[i];
	struct str more = STR_INIT;

	MUST(i < c->n && k->server == NULL);
	routes(c, i, &more);
	k->server = nats_server_new(&(struct nats_server_opts){
		.path = c->path, .dir = k->dir, .port = k->port.number, .name = k->name, .more = str_text(&more),
		.max_store = STORE_BYTES,
	}, err);
	str_release(&more);
	if (k->server == NULL) {
		err_prefix(err, "node %s", k->name);
		return err->code;
	}
	return ERR_OK;
}

/* make_stream: on all nodes, and away again.  One that is there already says nothing about the nodes as they are
 * now: it is an earlier attempt's, whose answer came too late. */
static enum err_code
make_stream(struct nats_cluster *c, struct conn *conn, struct err *err)
{
	static const char made[] = "\"did_create\":true", bad[] = "\"error\":", name[] = "AEGIS_READY";
	char *text = mem_printf("{\"name\":\"%s\",\"subjects\":[\"aegis.ready\"],\"storage\":\"memory\",\"num_replicas\":%u}",
	    name, c->n);
	struct msg *reply = NULL;
	enum err_code code = conn_request(conn, &(struct conn_msg){ .subject = "$JS.API.STREAM.CREATE.AEGIS_READY", .data = text,
	    .n = strlen(text) }, ASK_NS, &reply, err);

	bool is_there = code == ERR_OK && memmem(msg_data(reply), msg_size(reply), bad, sizeof bad - 1) == NULL;
	if (code == ERR_OK && memmem(msg_data(reply), msg_size(reply), made, sizeof made - 1) == NULL)
		code = err_set(err, ERR_UNAVAILABLE, "%.*s", (int)msg_size(reply), (const char *)msg_data(reply));
	msg_free(reply);
	reply = NULL;
	if (is_there) {
		struct err why;
		enum err_code gone = conn_request(conn, &(struct conn_msg){ .subject = "$JS.API.STREAM.DELETE.AEGIS_READY" }, ASK_NS,
		    &reply, &why);
		if (code == ERR_OK && gone != ERR_OK)
			code = err_set(err, gone, "%s", why.text);
	}
	msg_free(reply);
	mem_free(text);
	return code;
}

enum err_code
nats_cluster_wait(struct nats_cluster *c, struct err *err)
{
	const struct clock *clock = clock_system();
	struct mono end = mono_after(clock_mono(clock), READY_NS);
	struct str urls = STR_INIT;
	enum err_code code;

	nats_cluster_urls(c, &urls);
	struct conn *conn = conn_new(&(struct conn_opts){ .servers = str_text(&urls), .name = "aegis: is it ready" }, err);
	code = conn == NULL ? err->code : ERR_OK;
	while (conn != NULL && (code = make_stream(c, conn, err)) != ERR_OK && !mono_reached(clock_mono(clock), end))
		thread_pause(AGAIN_NS);
	if (code != ERR_OK)
		err_prefix(err, "the private cluster of %u is not ready", c->n);
	conn_free(conn);
	str_release(&urls);
	return code;
}

struct nats_cluster *
nats_cluster_new(const struct nats_cluster_opts *o, struct err *err)
{
	struct nats_cluster *c = mem_new(sizeof *c);
	enum err_code code;

	MUST(o->nodes > 0 && o->nodes <= NATS_CLUSTER_MAX);
	c->n = o->nodes;
	c->path = o->path != NULL ? mem_text(o->path) : nats_server_find(err);
	c->dir = mem_text(o->dir);
	code = c->path == NULL ? err->code : ERR_OK;
	for (unsigned i = 0; i < c->n; i++) {
		struct cluster_node *k = &c->node[i];
		k->name[0] = 'n';
		k->name[1] = (char)('1' + i);
		k->dir = mem_printf("%s/%s", c->dir, k->name);
		if (code == ERR_OK)
			code = hold_port(&k->port, err);
		if (code == ERR_OK)
			code = hold_port(&k->route, err);
	}
	for (unsigned i = 0; i < c->n && code == ERR_OK; i++)
		code = nats_cluster_start(c, i, err);
	if (code == ERR_OK)
		code = nats_cluster_wait(c, err);
	if (code == ERR_OK)
		return c;
	nats_cluster_free(c);
	return NULL;
}

void
nats_cluster_free(struct nats_cluster *c)
{
	if (c == NULL)
		return;
	/* A cluster's nodes wait for each other when they end in an orderly way; nothing of it is kept. */
	for (unsigned i = 0; i < c->n; i++)
		nats_cluster_end(c, i, SIGKILL);
	for (unsigned i = 0; i < c->n; i++) {
		drop_port(&c->node[i].port);
		drop_port(&c->node[i].route);
		mem_free(c->node[i].dir);
	}
	mem_free(c->path);
	mem_free(c->dir);
	mem_free(c);
}

unsigned
nats_cluster_size(const struct nats_cluster *c)
{
	return c->n;
}

const char *
nats_cluster_name(const struct nats_cluster *c, unsigned i)
{
	return c->node[i].name;
}

const char *
nats_cluster_dir(const struct nats_cluster *c, unsigned i)
{
	return c->node[i].dir;
}

uint16_t
nats_cluster_port(const struct nats_cluster *c, unsigned i)
{
	return c->node[i].port.number;
}

pid_t
nats_cluster_pid(const struct nats_cluster *c, unsigned i)
{
	return c->node[i].server != NULL ? nats_server_pid(c->node[i].server) : 0;
}

void
nats_cluster_urls(const struct nats_cluster *c, struct str *out)
{
	for (unsigned i = 0; i < c->n; i++)
		str_printf(out, "%snats://127.0.0.1:%u", i > 0 ? "," : "", c->node[i].port.number);
}

void
nats_cluster_end(struct nats_cluster *c, unsigned i, int signo)
{
	struct cluster_node *k = &c->node[i];
	struct mono end = mono_after(clock_mono(clock_system()), END_NS);

	if (k->server == NULL)
		return;
	if (nats_server_alive(k->server)) {
		kill(nats_server_pid(k->server), signo);
		kill(nats_server_pid(k->server), SIGCONT);	/* a frozen one hears nothing but KILL */
	}
	while (nats_server_alive(k->server) && !mono_reached(clock_mono(clock_system()), end))
		thread_pause(LOOK_NS);
	if (nats_server_alive(k->server))
		kill(nats_server_pid(k->server), SIGKILL);
	nats_server_free(k->server);
	k->server = NULL;
}

void
nats_cluster_freeze(struct nats_cluster *c, unsigned i, bool on)
{
	struct mono end = mono_after(clock_mono(clock_system()), END_NS);

	if (c->node[i].server == NULL || !nats_server_alive(c->node[i].server))
		return;
	pid_t pid = nats_server_pid(c->node[i].server);
	kill(pid, on ? SIGSTOP : SIGCONT);
	while (on && !procfs_stands_still(pid) && !mono_reached(clock_mono(clock_system()), end))
		thread_pause(LOOK_NS);
}

enum err_code
nats_cluster_wipe(struct nats_cluster *c, unsigned i, struct err *err)
{
	MUST(c->node[i].server == NULL);
	return dir_remove(c->node[i].dir, err);
}
