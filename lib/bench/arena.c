/* arena.c - processes, proxies and questions; what is broken, and why, is failover.c's.
 *
 * The proxies run on a loop with a thread of its own, so that a cut takes effect at once,
 * whatever the conductor waits for.  Members are asked over the bus, through the path that the
 * conductor trusts at the moment: who is cut off does not answer, and that is known, too. */
#include "bench/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "bench/storer.h"
#include "nats/conn.h"
#include "nats/stream.h"
#include "sys/child.h"
#include "sys/clock.h"
#include "sys/dir.h"
#include "sys/loop.h"
#include "sys/thread.h"

#define PROBE_NS (2 * NS_PER_MS)
#define ANSWER_NS (200 * NS_PER_MS)
#define LOOK_NS (2 * NS_PER_MS)
#define END_NS (5 * NS_PER_S)
#define ORDER_NS (60 * NS_PER_S)	/* until a proxy does as it is told; it always does, on a machine that runs at all */
#define TRIES 30			/* a stream without a leader gets one within 10 s */
#define FRESH_NS (60 * NS_PER_MS)	/* so old may the prober's newest answer be, to count as served */

struct member {
	char id[16];
	pid_t pid;			/* 0: none */
	char nonce[33];			/* as it was told last */
	bool answered;			/* the last question, so: */
	struct drill_state state;
	bool has_said;			/* under the lock; the library's threads write it at any time */
	struct drill_state said;
};

struct arena {
	struct arena_opts o;
	char *dir, *history_path, *log_path;
	int history, log;
	struct nats_cluster *cluster;
	struct loop *loop;		/* of the proxies */
	pthread_t thread;
	bool running;
	struct mail stop;
	struct proxy *proxy[ARENA_MEMBERS][NATS_CLUSTER_MAX];
	struct prober *prober;
	struct storer *storer;
	uint64_t unread;		/* the stream's first message that is not read back */
	struct conn *ask[NATS_CLUSTER_MAX];
	struct sub *sub[NATS_CLUSTER_MAX];
	char inbox[NATS_CLUSTER_MAX][CONN_INBOX_MAX];
	pthread_mutex_t lock;		/* what members answer */
	struct member member[ARENA_MEMBERS];
};

static struct boot
now(void)
{
	return clock_boot(clock_system());
}

bool
arena_pause(struct arena *a, int64_t ns)
{
	struct boot end = boot_after(now(), ns);

	while (!boot_reached(now(), end)) {
		if (a->o.stop != NULL && atomic_load(a->o.stop))
			return false;
		int64_t left = end.ns - now().ns;
		thread_pause(left > 20 * NS_PER_MS ? 20 * NS_PER_MS : left > 0 ? left : 0);
	}
	return a->o.stop == NULL || !atomic_load(a->o.stop);
}

void
arena_note(struct arena *a, enum history_event ev, const char *what, int member)
{
	struct history_line l = { .t = now(), .ev = ev, .src = "conductor", .gid = DRILL_GROUP };

	snprintf(l.what, sizeof l.what, "%s", what);
	if (member >= 0)
		memcpy(l.nonce, a->member[member].nonce, sizeof l.nonce);
	history_write(a->history, &l);
}

/* --- members ----------------------------------------------------------------------------- */

/* servers_of: the nodes as this member reaches them. */
static void
servers_of(const struct arena *a, unsigned i, struct str *out)
{
	for (unsigned k = 0; k < a->o.nodes; k++)
		str_printf(out, "%snats://127.0.0.1:%u", k > 0 ? "," : "",
		    a->o.proxied ? proxy_port(a->proxy[i][k]) : nats_cluster_port(a->cluster, k));
}

/* environment: of that member; the caller's.  One's clock is too fast, the next one's too slow, the third's right. */
static char **
environment(const struct arena *a, unsigned i)
{
	const int64_t ppm[] = { a->o.rate_ppm, -a->o.rate_ppm, 0 };
	char **env = child_env_copy(NULL), text[24];

	snprintf(text, sizeof text, "%lld", (long long)ppm[i % COUNT_OF(ppm)]);
	child_env_set(&env, DRILL_CLOCK, a->o.rate_ppm != 0 ? text : NULL);
	return env;
}

enum err_code
arena_start(struct arena *a, unsigned i, struct err *err)
{
	struct member *m = &a->member[i];
	struct str servers = STR_INIT;
	const char *argv[2 + DRILL_WORDS + 1] = { a->o.program != NULL ? a->o.program : child_self(), DRILL_VERB };
	const struct child_fd fds[] = { { a->log, 1 }, { a->log, 2 } };

	servers_of(a, i, &servers);
	argv[2 + DRILL_ID] = m->id;
	argv[2 + DRILL_SERVERS] = str_text(&servers);
	argv[2 + DRILL_PROFILE] = a->o.profile;
	argv[2 + DRILL_HISTORY] = a->history_path;
	argv[2 + DRILL_CALLS] = a->o.calls ? "1" : "0";
	argv[2 + DRILL_WORK] = a->o.work ? "1" : "0";
	argv[2 + DRILL_STORES] = a->o.stores ? "1" : "0";
	m->answered = false;
	m->nonce[0] = '\0';
	char **env = environment(a, i);
	enum err_code code = child_spawn(&(struct child_opts){ .argv = argv, .env = env, .fds = fds, .nfds = COUNT_OF(fds), .own_group = true,
	    .dies_with_parent = true }, &m->pid, err);
	child_env_free(env);
	if (code != ERR_OK)
		m->pid = 0;
	str_release(&servers);
	return code;
}

void
arena_signal(struct arena *a, unsigned i, int signo)
{
	if (a->member[i].pid > 0)
		kill(a->member[i].pid, signo);
}

void
arena_reap(struct arena *a, unsigned i)
{
	struct boot end = boot_after(now(), END_NS);
	pid_t pid = a->member[i].pid, got = 0;

	if (pid <= 0)
		return;
	while ((got = waitpid(pid, NULL, WNOHANG)) == 0 && !boot_reached(now(), end))
		thread_pause(LOOK_NS);
	if (got == 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	a->member[i].pid = 0;
}

/* --- asking ------------------------------------------------------------------------------ */

static void
on_state(void *arg, struct msg *m)
{
	struct arena *a = arg;
	struct drill_state s;

	if (msg_size(m) == sizeof s) {
		memcpy(&s, msg_data(m), sizeof s);
		pthread_mutex_lock(&a->lock);
		for (unsigned i = 0; i < a->o.members; i++) {
			if (strcmp(a->member[i].id, s.id) != 0)
				continue;
			a->member[i].said = s;
			a->member[i].has_said = true;
		}
		pthread_mutex_unlock(&a->lock);
	}
	msg_free(m);
}

/* take_answers: what those who live have said; a predecessor's words do not count.  True when all have. */
static bool
take_answers(struct arena *a)
{
	bool all = true;

	pthread_mutex_lock(&a->lock);
	for (unsigned i = 0; i < a->o.members; i++) {
		struct member *m = &a->member[i];
		m->answered = m->pid > 0 && m->has_said && m->said.pid == m->pid;
		if (m->answered) {
			m->state = m->said;
			memcpy(m->nonce, m->said.nonce, sizeof m->nonce);
		}
		all = all && (m->pid == 0 || m->answered);
	}
	pthread_mutex_unlock(&a->lock);
	return all;
}

void
arena_ask(struct arena *a)
{
	struct boot end = boot_after(now(), ANSWER_NS);

	pthread_mutex_lock(&a->lock);
	for (unsigned i = 0; i < a->o.members; i++)
		a->member[i].has_said = false;
	pthread_mutex_unlock(&a->lock);
	/* Through every node: which of them work is not for this to know. */
	for (unsigned k = 0; k < a->o.nodes; k++)
		if (a->ask[k] != NULL && conn_state(a->ask[k]) == CONN_UP)
			conn_publish(a->ask[k], &(struct conn_msg){ .subject = DRILL_STATE, .reply = a->inbox[k], .urgent = true }, NULL);
	while (!take_answers(a) && !boot_reached(now(), end))
		thread_pause(LOOK_NS);
}

const struct drill_state *
arena_state(const struct arena *a, unsigned i)
{
	return a->member[i].pid > 0 && a->member[i].answered ? &a->member[i].state : NULL;
}

int
arena_leader(const struct arena *a)
{
	for (unsigned i = 0; i < a->o.members; i++) {
		const struct drill_state *s = arena_state(a, i);
		if (s != NULL && s->active)
			return (int)i;
	}
	return -1;
}

/* unready: who is not, and why; false when everything is as it should be. */
static bool
unready(struct arena *a, char *why, size_t n)
{
	int leader = arena_leader(a);
	struct prober_view v = prober_look(a->prober);

	for (unsigned i = 0; i < a->o.members; i++) {
		const struct drill_state *s = arena_state(a, i);
		if (s == NULL) {
			snprintf(why, n, "%s does not answer", a->member[i].id);
			return true;
		}
		/* A tenth more than L: everybody's wait after a new server is over, on any clock. */
		if (s->registers == 0 || s->known < s->registers || s->age_ns < s->wait_ns + s->wait_ns / 10 ||
		    (!s->active && !s->standby)) {
			snprintf(why, n, "%s knows %u of %u registers for %lld ms%s%s", s->id, s->known, s->registers,
			    (long long)(s->age_ns / NS_PER_MS), s->why[0] != '\0' ? ": " : "", s->why);
			return true;
		}
	}
	if (a->o.work && leader >= 0 && arena_state(a, (unsigned)leader)->work <= 0) {
		snprintf(why, n, "the leader's program does not run yet");
		return true;
	}
	if (!prober_connected(a->prober)) {
		snprintf(why, n, "the prober has no connection to one of the nodes");
		return true;
	}
	snprintf(why, n, leader < 0 ? "nobody leads" : "no calls are answered");
	if (leader < 0 || now().ns - v.last.ns > FRESH_NS || strcmp(v.nonce, a->member[leader].nonce) != 0)
		return true;
	/* The stream bears the loss of one node's data at a time, as the registers do. */
	snprintf(why, n, "the stream of events is not on all nodes");
	return a->o.stores && !storer_safe(a->ask[0], a->o.nodes);
}

enum err_code
arena_settle(struct arena *a, int64_t timeout_ns, struct err *err)
{
	struct boot end = boot_after(now(), timeout_ns);
	char why[256] = "nobody was asked";

	for (;;) {
		arena_ask(a);
		if (!unready(a, why, sizeof why))
			return ERR_OK;
		if (boot_reached(now(), end))
			return err_set(err, ERR_TIMEOUT, "the members were not ready within %lld s: %s", (long long)(timeout_ns / NS_PER_S),
			    why);
		if (!arena_pause(a, 20 * NS_PER_MS))
			return err_set(err, ERR_CANCELLED, "ended early");
	}
}

/* --- proxies ----------------------------------------------------------------------------- */

static void *
run_loop(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void
on_stop(struct mail *m)
{
	loop_stop(CONTAINER_OF(m, struct arena, stop)->loop);
}

static enum err_code
make_proxies(struct arena *a, struct err *err)
{
	if (!a->o.proxied)
		return ERR_OK;
	if ((a->loop = loop_new(clock_system(), 64, err)) == NULL)
		return err->code;
	for (unsigned i = 0; i < a->o.members; i++)
		for (unsigned k = 0; k < a->o.nodes; k++)
			if ((a->proxy[i][k] = proxy_new(a->loop, nats_cluster_port(a->cluster, k), a->o.seed + i * 16 + k, err)) == NULL)
				return err->code;
	enum err_code code = thread_start(&a->thread, "proxies", run_loop, a->loop, err);
	a->running = code == ERR_OK;
	return code;
}

struct proxy_order {
	struct arena *arena;
	int member, node;
	void (*fn)(struct proxy *p, void *arg);
	void *arg;
};

static void
carry_out(void *arg)
{
	struct proxy_order *o = arg;

	for (int i = 0; i < (int)o->arena->o.members; i++)
		for (int k = 0; k < (int)o->arena->o.nodes; k++)
			if ((o->member < 0 || o->member == i) && (o->node < 0 || o->node == k))
				o->fn(o->arena->proxy[i][k], o->arg);
}

void
arena_proxy(struct arena *a, int member, int node, void (*fn)(struct proxy *p, void *arg), void *arg)
{
	struct proxy_order o = { a, member, node, fn, arg };

	MUST(a->running);
	MUST(loop_call(a->loop, carry_out, &o, ORDER_NS, NULL) == ERR_OK);
}

/* --- opening and closing ------------------------------------------------------------------ */

static enum err_code
open_files(struct arena *a, struct err *err)
{
	a->history_path = mem_printf("%s/history.jsonl", a->dir);
	a->log_path = mem_printf("%s/members.log", a->dir);
	if (dir_make(a->dir, err) != ERR_OK || (a->history = history_create(a->history_path, err)) < 0)
		return err->code;
	a->log = open(a->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return a->log >= 0 ? ERR_OK : err_errno(err, ERR_SYSTEM, errno, "'%s' cannot be opened", a->log_path);
}

static enum err_code
open_paths(struct arena *a, struct err *err)
{
	char *urls[NATS_CLUSTER_MAX];
	enum err_code code = ERR_OK;

	for (unsigned k = 0; k < a->o.nodes; k++)
		urls[k] = mem_printf("nats://127.0.0.1:%u", nats_cluster_port(a->cluster, k));
	for (unsigned k = 0; k < a->o.nodes && code == ERR_OK; k++) {
		a->ask[k] = conn_new(&(struct conn_opts){ .servers = urls[k], .name = "conductor", .timeout_ns = NS_PER_S }, err);
		if (a->ask[k] == NULL) {
			code = err->code;
			break;
		}
		conn_inbox(a->ask[k], a->inbox[k]);
		a->sub[k] = sub_new(&(struct sub_opts){ .conn = a->ask[k], .subject = a->inbox[k], .handler = on_state, .arg = a }, err);
		code = a->sub[k] == NULL ? err->code : ERR_OK;
	}
	if (code == ERR_OK) {
		a->prober = prober_new(&(struct prober_opts){ .servers = urls, .paths = a->o.nodes, .period_ns = PROBE_NS,
		    .history = a->o.calls ? a->history : -1 }, err);
		code = a->prober == NULL ? err->code : ERR_OK;
	}
	for (unsigned k = 0; k < a->o.nodes; k++)
		mem_free(urls[k]);
	return code;
}

/* --- what is stored ---------------------------------------------------------------------- */

static enum err_code
open_stores(struct arena *a, struct err *err)
{
	struct str urls = STR_INIT;
	enum err_code code = ERR_UNAVAILABLE;

	if (!a->o.stores)
		return ERR_OK;
	a->unread = 1;
	/* All members begin now, too, and each asks for streams of its own. */
	for (unsigned i = 0; i < TRIES && code != ERR_OK; i++)
		code = stream_ensure(a->ask[i % a->o.nodes], STREAM_EVENTS, 0, NULL, err);
	if (code != ERR_OK)
		return code;
	nats_cluster_urls(a->cluster, &urls);
	a->storer = storer_new(str_text(&urls), a->prober, a->history, err);
	str_release(&urls);
	return a->storer != NULL ? ERR_OK : err->code;
}

/* arena_read_back: through whichever node answers. */
enum err_code
arena_read_back(struct arena *a, struct err *err)
{
	enum err_code code = a->o.stores ? ERR_UNAVAILABLE : ERR_OK;

	for (unsigned i = 0; i < TRIES && code != ERR_OK; i++) {
		if (i >= a->o.nodes)
			thread_pause(NS_PER_S);
		code = storer_read_back(a->ask[i % a->o.nodes], &a->unread, a->history, err);
	}
	return code;
}

enum err_code
arena_end_stores(struct arena *a, struct err *err)
{
	storer_free(a->storer);
	a->storer = NULL;
	return arena_read_back(a, err);
}

struct arena *
arena_new(const struct arena_opts *o, struct err *err)
{
	struct arena *a = mem_new(sizeof *a);
	enum err_code code;

	MUST(o->members > 0 && o->members <= ARENA_MEMBERS && o->nodes <= PROBER_PATHS);
	a->o = *o;
	a->dir = mem_text(o->dir);
	a->history = a->log = -1;
	pthread_mutex_init(&a->lock, NULL);
	if ((code = open_files(a, err)) == ERR_OK) {
		a->cluster = nats_cluster_new(&(struct nats_cluster_opts){ .path = o->server, .dir = a->dir, .nodes = o->nodes }, err);
		code = a->cluster == NULL ? err->code : make_proxies(a, err);
	}
	for (unsigned i = 0; i < o->members; i++)
		snprintf(a->member[i].id, sizeof a->member[i].id, "m%u", i + 1);
	for (unsigned i = 0; i < o->members && code == ERR_OK; i++)
		code = arena_start(a, i, err);
	if (code == ERR_OK)
		code = open_paths(a, err);
	if (code == ERR_OK)
		code = open_stores(a, err);
	if (code == ERR_OK)
		return a;
	arena_free(a);
	return NULL;
}

void
arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	storer_free(a->storer);
	prober_free(a->prober);
	for (unsigned i = 0; i < a->o.members; i++)
		arena_signal(a, i, SIGKILL);
	for (unsigned i = 0; i < a->o.members; i++)
		arena_reap(a, i);
	for (unsigned k = 0; k < NATS_CLUSTER_MAX; k++) {
		sub_free(a->sub[k]);
		conn_free(a->ask[k]);
	}
	if (a->running) {
		a->stop = (struct mail){ .deliver = on_stop, .vital = true };
		loop_post(a->loop, &a->stop);
		pthread_join(a->thread, NULL);
	}
	for (unsigned i = 0; i < ARENA_MEMBERS; i++)
		for (unsigned k = 0; k < NATS_CLUSTER_MAX; k++)
			proxy_free(a->proxy[i][k]);
	if (a->loop != NULL)
		loop_free(a->loop);
	nats_cluster_free(a->cluster);
	if (a->history >= 0)
		close(a->history);
	if (a->log >= 0)
		close(a->log);
	pthread_mutex_destroy(&a->lock);
	mem_free(a->history_path);
	mem_free(a->log_path);
	mem_free(a->dir);
	mem_free(a);
}

struct nats_cluster *
arena_cluster(struct arena *a)
{
	return a->cluster;
}

struct prober *
arena_prober(struct arena *a)
{
	return a->prober;
}

const char *
arena_history(const struct arena *a)
{
	return a->history_path;
}

unsigned
arena_members(const struct arena *a)
{
	return a->o.members;
}

struct conn *
arena_conn(struct arena *a)
{
	return a->ask[0];
}
