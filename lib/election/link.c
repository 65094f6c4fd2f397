/* link.c - a thread that connects, a loop that talks.
 *
 * One link is one connection: the thread hands it to the loop with UP, and takes it back with
 * DOWN before it closes it, so the loop never holds a connection that is being freed.  What was
 * received on it carries its generation; the loop drops every mail of an earlier one. */
#include "election/link.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "codec/subject.h"
#include "election/site_inner.h"
#include "election/streams.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define LINK_MAGIC 0x11c40001u
#define CONNECT_NS (200 * NS_PER_MS)	/* §13 */
#define WRITE_NS (30 * NS_PER_MS)	/* D/4 of the fastest profile */
#define AGAIN_NS (20 * NS_PER_MS)
#define CHECK_NS (5 * NS_PER_S)
#define QUIET_NS (500 * NS_PER_MS)	/* between two reasons in the log, doubled up to … */
#define QUIET_LONGEST_NS (32 * NS_PER_S)
#define LOOK_NS (500 * NS_PER_MS)
#define FORGET_AFTER 50			/* failures at the address that led to the node before all are tried */
#define PENDING_MAX 4096
#define URLS_MAX 64
#define PINGS 3

struct graves {
	struct sub **v;
	size_t n, cap;
};

struct link {
	unsigned magic;
	struct link_opts o;
	char node[NODE_MAX], set[37];	/* where the set says it lies */
	char inbox[CONN_INBOX_MAX + 24];
	pthread_t thread;
	bool runs;

	/* The loop's. */
	struct conn *conn;		/* NULL: not up */
	uint64_t gen;
	struct link_facts facts;

	/* The thread's. */
	uint64_t made;			/* generations */
	char url[256];			/* the one that led to the node; "" unknown */
	char want[NODE_MAX];
	unsigned failures;
	char told[200];			/* why there is no link; "" while there is one */
	char heard[200];		/* the reason that was logged last, in this outage */
	struct mono silent;		/* not before this is another one logged */
	int64_t quiet_ns;
	int64_t rtt_ns;

	pthread_mutex_t lock;		/* locks.def: link; guards what follows */
	pthread_cond_t wake;
	bool stop, broken, taken;	/* taken: the loop has let go of the connection */
	struct graves graves;		/* subscriptions that the loop has no use for any more */
};

/* --- from delivery threads to the loop ---------------------------------------------------- */

/* What the handlers of one connection know; lives as long as its subscriptions. */
struct ear {
	struct link *link;
	uint64_t gen;
};

struct link_mail {
	struct site_mail mail;
	struct link *link;
	uint64_t gen;
	bool is_view;
	struct link_view view;
	struct lease_record record;
	struct link_answer answer;
};

static void
on_link_mail(struct site *s, struct site_user *u, struct site_mail *mail)
{
	struct link_mail *m = CONTAINER_OF(mail, struct link_mail, mail);
	struct link *l = m->link;

	(void)s;
	if (l->conn == NULL || l->gen != m->gen)
		return;			/* nothing of an earlier link */
	if (!m->is_view) {
		u->calls->answer(u, l->o.reg, &m->answer);
		return;
	}
	m->view.record = &m->record;
	u->calls->view(u, l->o.reg, &m->view);
}

static struct link_mail *
mail_new(const struct ear *e)
{
	struct link_mail *m = mem_new(sizeof *m);

	m->link = e->link;
	m->gen = e->gen;
	return m;
}

static void
post(struct link_mail *m, uint32_t user)
{
	site_post(m->link->o.site, &m->mail, user, on_link_mail, false);
}

/* on_reply: {inbox}.{user}.w.{write id} or {inbox}.{user}.r.{sent}. */
static void
on_reply(void *arg, struct msg *msg)
{
	struct ear *e = arg;
	const char *rest = msg_subject(msg) + strlen(e->link->inbox);
	char *end, kind = '\0';
	unsigned long user = *rest == '.' ? strtoul(rest + 1, &end, 10) : 0;

	if (user != 0 && *end == '.')
		kind = end[1];
	if (kind == 'w' && end[2] == '.') {
		struct link_mail *m = mail_new(e);
		m->answer.id = strtoull(end + 3, NULL, 10);
		m->answer.what = lease_answer(msg_data(msg), msg_size(msg), &m->answer.number);
		post(m, (uint32_t)user);
	} else if (kind == 'r' && end[2] == '.') {
		struct link_mail *m = mail_new(e);
		struct register_reply r;
		register_reply_parse(msg_data(msg), msg_size(msg), &r);
		m->is_view = true;
		m->view = (struct link_view){ .reading = r.reading, .rev = r.rev, .sent = { strtoll(end + 3, NULL, 10) } };
		m->record = r.record;
		post(m, (uint32_t)user);
	}
	msg_free(msg);
}

/* A watch: an accepted write, republished with its sequence. */
struct watch {
	struct ear ear;
	uint32_t user;
};

static void
on_watched(void *arg, struct msg *msg)
{
	struct watch *w = arg;
	const char *seq = msg_header(msg, "Nats-Sequence");
	struct link_mail *m = mail_new(&w->ear);

	m->is_view = true;
	m->view = (struct link_view){ .reading = REGISTER_UNREADABLE, .rev = seq != NULL ? strtoull(seq, NULL, 10) : 0,
		.sent = BOOT_LONG_AGO };
	if (lease_decode(msg_data(msg), msg_size(msg), &m->record, NULL) == ERR_OK)
		m->view.reading = REGISTER_VALUE;
	msg_free(msg);
	if (m->view.rev > 0)
		post(m, w->user);
	else
		mem_free(m);		/* no republished message at all */
}

/* --- the thread: finding the node --------------------------------------------------------- */

static void
on_event(void *arg, enum conn_event ev)
{
	struct link *l = arg;

	if (ev == CONN_EVENT_UP)
		return;
	pthread_mutex_lock(&l->lock);
	l->broken = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

struct urls {
	char *v[URLS_MAX];
	size_t n;
	const char *model;		/* the first configured one: scheme and user of those that are told of */
};

static void
add_url(struct urls *u, const char *url, size_t n)
{
	if (u->n == URLS_MAX || n == 0)
		return;
	for (size_t i = 0; i < u->n; i++)
		if (strlen(u->v[i]) == n && memcmp(u->v[i], url, n) == 0)
			return;
	u->v[u->n++] = mem_text_n(url, n);
}

/* add_told: an advertised server has neither our scheme nor our user in front. */
static void
add_told(void *arg, const char *url)
{
	struct urls *u = arg;
	const char *host = strstr(url, "://"), *scheme = strstr(u->model, "://");
	const char *at = strrchr(u->model, '@');

	host = host != NULL ? host + 3 : url;
	size_t prefix = at != NULL ? (size_t)(at + 1 - u->model) : scheme != NULL ? (size_t)(scheme + 3 - u->model) : 0;
	for (size_t i = 0; i < u->n; i++) {
		size_t have = strlen(u->v[i]), want = strlen(host);
		if (have >= want && strcmp(u->v[i] + have - want, host) == 0)
			return;
	}
	char *full = mem_printf("%.*s%s", (int)prefix, u->model, host);
	add_url(u, full, strlen(full));
	mem_free(full);
}

static void
list_urls(struct link *l, struct urls *u)
{
	const char *p = l->o.site->access.servers;
	char *model = mem_text_n(p, strcspn(p, ","));

	u->n = 0;
	for (; *p != '\0'; p += strspn(p, ", "))  {
		size_t n = strcspn(p, ", ");
		add_url(u, p, n);
		p += n;
	}
	u->model = model;
	conn_servers_each(l->o.site->o.conn, add_told, u);
	mem_free(model);
}

static void
free_urls(struct urls *u)
{
	for (size_t i = 0; i < u->n; i++)
		mem_free(u->v[i]);
}

/* say: why there is no link, for the status and the log.  Reasons may alternate with every address that is
 * tried, so each that is logged doubles the silence after it; the one that stays is heard in any case. */
static void __attribute__((format(printf, 2, 3)))
say(struct link *l, const char *fmt, ...)
{
	va_list ap;
	char why[sizeof l->told];

	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	memcpy(l->told, why, sizeof why);
	if (why[0] == '\0') {
		l->heard[0] = '\0';
		return;
	}
	struct mono now = clock_mono(clock_system());
	if (strcmp(why, l->heard) == 0 || !mono_reached(now, l->silent))
		return;
	/* Only a long peace makes the next outage a new one: a link may come and go. */
	bool fresh = l->quiet_ns == 0 || mono_reached(now, mono_after(l->silent, QUIET_LONGEST_NS));
	l->quiet_ns = fresh ? QUIET_NS : 2 * l->quiet_ns;
	if (l->quiet_ns > QUIET_LONGEST_NS)
		l->quiet_ns = QUIET_LONGEST_NS;
	l->silent = mono_after(now, l->quiet_ns);
	memcpy(l->heard, why, sizeof why);
	log_warning(EV_ELECTION_REGISTER, LOG_F(LOG_N("register", l->o.number), LOG_S("err", why)),
	    "register %u cannot be used: %s; trying every 20 ms", l->o.number, why);
}

static struct conn *
connect_to(struct link *l, const char *url)
{
	struct conn_opts o = l->o.site->access;
	char name[192];
	struct err err = { 0 };

	snprintf(name, sizeof name, "aegis lease %u %s", l->o.number, l->o.site->o.member != NULL ? l->o.site->o.member : "");
	o.servers = url;
	o.name = name;
	o.pinned = true;
	o.wait = false;
	o.timeout_ns = CONNECT_NS;
	o.write_deadline_ns = WRITE_NS;
	struct conn *c = conn_new(&o, &err);
	if (c == NULL)
		say(l, "%s", err.text);
	return c;
}

/* is_node: this connection leads where it should. */
static bool
is_node(struct link *l, struct conn *c)
{
	char name[NODE_MAX];

	if (l->want[0] == '\0')
		return true;		/* alone, or any will do */
	conn_server_name(c, name, sizeof name);
	return strcmp(name, l->want) == 0;
}

/* is_sound: §3.4, 3: this server leads, configuration and set are right.  stands: looked at again. */
static bool
is_sound(struct link *l, struct conn *c, bool stands)
{
	struct lease_stream s;
	struct err err = { 0 };
	char name[NODE_MAX];

	enum err_code code = streams_look(c, l->o.number, LOOK_NS, &s, &err);
	if (code != ERR_OK && code != ERR_NOT_FOUND && stands)
		return true;		/* silence is no mismatch; the lease's own writes judge it */
	if (code != ERR_OK) {
		say(l, "%s%s", err.text, code != ERR_NOT_FOUND ? "" : "; `aegis elect --repair` makes it anew, or, when the server "
		    "has lost all its data, a new start of every member");
		return false;
	}
	conn_server_name(c, name, sizeof name);
	if (s.drift[0] != '\0')
		say(l, "the configuration of KV_AEGIS_L%u is wrong: %s; `aegis elect --repair` puts it right", l->o.number, s.drift);
	else if (strcmp(s.set, l->set) != 0 || s.n != l->o.n || s.reg != l->o.number)
		say(l, "KV_AEGIS_L%u belongs to set '%s' of %u, not to '%s' of %u: start this member anew",
		    l->o.number, s.set, s.n, l->set, l->o.n);
	else if (!l->o.replicated && s.leader[0] != '\0' && strcmp(s.leader, name) != 0)
		say(l, "KV_AEGIS_L%u is led by %s, not by %s", l->o.number, s.leader, name);
	else
		return true;
	return false;
}

/* learn_node: any node may be asked; while the right one is down nobody answers, and the set's record has
 * to do. */
static void
learn_node(struct link *l)
{
	struct lease_stream s;

	if (l->o.replicated) {
		l->want[0] = '\0';
		return;
	}
	if (conn_state(l->o.site->o.conn) == CONN_UP &&
	    streams_look(l->o.site->o.conn, l->o.number, LOOK_NS, &s, NULL) == ERR_OK)
		memcpy(l->want, s.leader, sizeof l->want);
	else
		memcpy(l->want, l->node, sizeof l->want);
}

static void
measure(struct link *l, struct conn *c)
{
	l->rtt_ns = 0;
	for (int i = 0; i < PINGS; i++) {
		int64_t ns = conn_rtt_ns(c);
		if (ns > 0 && (l->rtt_ns == 0 || ns < l->rtt_ns))
			l->rtt_ns = ns;
	}
}

static struct conn *
try_url(struct link *l, const char *url)
{
	struct conn *c = connect_to(l, url);

	if (c == NULL)
		return NULL;
	if (!is_node(l, c)) {
		conn_free(c);
		return NULL;
	}
	if (is_sound(l, c, false)) {
		measure(l, c);
		snprintf(l->url, sizeof l->url, "%s", url);
		return c;
	}
	conn_free(c);
	return NULL;
}

static bool
stopping(struct link *l)
{
	pthread_mutex_lock(&l->lock);
	bool stop = l->stop;
	pthread_mutex_unlock(&l->lock);
	return stop;
}

/* find: one attempt.  After a loss the address of before comes first, alone for a while: it is the
 * right one when the node was only restarted. */
static struct conn *
find(struct link *l)
{
	struct conn *c = l->url[0] != '\0' ? try_url(l, l->url) : NULL;
	struct urls u;

	if (c != NULL || (l->url[0] != '\0' && ++l->failures % FORGET_AFTER != 0))
		return c;
	learn_node(l);
	list_urls(l, &u);
	for (size_t i = 0; i < u.n && c == NULL && !stopping(l); i++)
		c = try_url(l, u.v[i]);
	if (c == NULL && l->told[0] == '\0')
		say(l, "no known address leads to node '%s'", l->want);
	free_urls(&u);
	return c;
}

/* --- the thread: up and down -------------------------------------------------------------- */

struct turn_mail {
	struct site_mail mail;
	struct link *link;
	struct conn *conn;		/* UP */
	uint64_t gen;
	struct link_facts facts;
};

static void
tell_users(struct link *l)
{
	struct site_user *next;

	for (struct site_user *u = l->o.site->users; u != NULL; u = next) {
		next = u->next;
		u->calls->link(u, l->o.reg);
	}
}

static void watch_now(struct link *l, struct site_user *u);

static void
on_up(struct site *s, struct site_user *none, struct site_mail *mail)
{
	struct turn_mail *m = CONTAINER_OF(mail, struct turn_mail, mail);
	struct link *l = m->link;

	(void)none;
	l->conn = m->conn;
	l->gen = m->gen;
	l->facts = m->facts;
	for (struct site_user *u = s->users; u != NULL; u = u->next)
		watch_now(l, u);
	tell_users(l);
}

/* let_go: the loop's hands off the connection; its subscriptions end with it, on the thread. */
static void
let_go(struct link *l)
{
	l->conn = NULL;
	l->facts.up = false;
	for (struct site_user *u = l->o.site->users; u != NULL; u = u->next)
		link_forget(l, u);
	pthread_mutex_lock(&l->lock);
	l->taken = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

static void
on_down(struct site *s, struct site_user *none, struct site_mail *mail)
{
	struct turn_mail *m = CONTAINER_OF(mail, struct turn_mail, mail);
	struct link *l = m->link;

	(void)s;
	(void)none;
	if (l->conn == NULL)
		return;
	let_go(l);
	snprintf(l->facts.why, sizeof l->facts.why, "%s", m->facts.why);
	tell_users(l);
}

static void
on_trouble(struct site *s, struct site_user *none, struct site_mail *mail)
{
	struct turn_mail *m = CONTAINER_OF(mail, struct turn_mail, mail);

	(void)s;
	(void)none;
	if (m->link->conn == NULL)
		snprintf(m->link->facts.why, sizeof m->link->facts.why, "%s", m->facts.why);
	tell_users(m->link);
}

static void
send_turn(struct link *l, struct conn *c, bool up)
{
	struct turn_mail *m = mem_new(sizeof *m);

	m->link = l;
	m->conn = c;
	m->gen = l->made;
	m->facts.up = up;
	m->facts.rtt_ns = l->rtt_ns;
	memcpy(m->facts.why, l->told, sizeof m->facts.why);
	if (up) {
		conn_server_name(c, m->facts.node, sizeof m->facts.node);
		conn_server_id(c, m->facts.server, sizeof m->facts.server);
	}
	site_post(l->o.site, &m->mail, 0, up ? on_up : c != NULL ? on_down : on_trouble, true);
}

static void
bury(struct link *l)
{
	for (;;) {
		pthread_mutex_lock(&l->lock);
		struct sub *s = l->graves.n > 0 ? l->graves.v[--l->graves.n] : NULL;
		pthread_mutex_unlock(&l->lock);
		if (s == NULL)
			return;
		struct watch *w = sub_arg(s);
		sub_free(s);
		mem_free(w);
	}
}

/* hold: while the link stands. */
static void
hold(struct link *l, struct conn *c)
{
	for (bool sound = true; sound;) {
		struct mono next = mono_after(clock_mono(clock_system()), CHECK_NS);
		pthread_mutex_lock(&l->lock);
		while (!l->broken && !l->stop && l->graves.n == 0 && thread_cond_wait(&l->wake, &l->lock, next))
			continue;
		bool over = l->broken || l->stop, dig = l->graves.n > 0;
		pthread_mutex_unlock(&l->lock);
		if (over)
			return;
		bury(l);
		sound = dig || is_sound(l, c, true);
	}
}

static void
await_let_go(struct link *l)
{
	pthread_mutex_lock(&l->lock);
	while (!l->taken && !l->stop)
		pthread_cond_wait(&l->wake, &l->lock);
	pthread_mutex_unlock(&l->lock);
}

/* serve: one link from its first to its last moment. */
static void
serve(struct link *l, struct conn *c)
{
	char pattern[sizeof l->inbox + 3];
	struct ear ear = { l, ++l->made };
	struct err err = { 0 };

	pthread_mutex_lock(&l->lock);
	l->broken = l->taken = false;
	pthread_mutex_unlock(&l->lock);
	conn_listen(c, on_event, l);
	snprintf(pattern, sizeof pattern, "%s.>", l->inbox);
	struct sub *inbox = sub_new(&(struct sub_opts){ .conn = c, .subject = pattern, .handler = on_reply, .arg = &ear,
		.max_pending = PENDING_MAX }, &err);
	if (inbox == NULL || conn_state(c) != CONN_UP) {
		say(l, "%s", err.text[0] != '\0' ? err.text : "the connection broke at once");
	} else {
		say(l, "%s", "");
		log_info(EV_ELECTION_REGISTER, LOG_F(LOG_N("register", l->o.number)), "register %u is reached", l->o.number);
		send_turn(l, c, true);
		hold(l, c);
		if (!stopping(l) && l->told[0] == '\0')
			say(l, "the connection to it broke");
		send_turn(l, c, false);
		await_let_go(l);
	}
	bury(l);
	sub_free(inbox);
	conn_unlisten(c, on_event, l);
	conn_free(c);
}

static void
rest(struct link *l)
{
	struct mono until = mono_after(clock_mono(clock_system()), AGAIN_NS);

	pthread_mutex_lock(&l->lock);
	while (!l->stop && thread_cond_wait(&l->wake, &l->lock, until))
		continue;
	pthread_mutex_unlock(&l->lock);
}

static void *
run(void *arg)
{
	struct link *l = arg;
	char told[sizeof l->told] = "";

	while (!stopping(l)) {
		struct conn *c = find(l);
		if (c != NULL) {
			l->failures = 0;
			serve(l, c);
			memcpy(told, l->told, sizeof told);
		} else if (strcmp(told, l->told) != 0) {
			memcpy(told, l->told, sizeof told);
			send_turn(l, NULL, false);
		}
		bury(l);
		if (!stopping(l))
			rest(l);
	}
	if (pool_thread_end != NULL)
		pool_thread_end();
	return NULL;
}

/* --- the loop ----------------------------------------------------------------------------- */

struct link *
link_new(const struct link_opts *o, struct err *err)
{
	struct link *l = mem_new(sizeof *l);
	char hex[23];

	l->magic = LINK_MAGIC;
	l->o = *o;
	snprintf(l->node, sizeof l->node, "%s", o->node);
	snprintf(l->set, sizeof l->set, "%s", o->set);
	id_hex(hex, sizeof hex - 1);
	snprintf(l->inbox, sizeof l->inbox, "%s.%s", o->site->access.inbox_prefix != NULL ? o->site->access.inbox_prefix
													   : "_INBOX", hex);
	pthread_mutex_init(&l->lock, NULL);
	thread_cond_init(&l->wake);
	if (thread_start(&l->thread, "lease link", run, l, err) == ERR_OK) {
		l->runs = true;
		return l;
	}
	link_free(l);
	return NULL;
}

void
link_stop(struct link *l)
{
	/* An UP that was not delivered yet will not be: nobody holds the connection then either. */
	let_go(l);
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

void
link_free(struct link *l)
{
	if (l == NULL)
		return;
	MAGIC_CHECK(l, LINK_MAGIC);
	if (l->runs)
		pthread_join(l->thread, NULL);
	mem_free(l->graves.v);
	MUST(l->graves.n == 0);
	pthread_mutex_destroy(&l->lock);
	pthread_cond_destroy(&l->wake);
	MAGIC_WIPE(l);
	mem_free(l);
}

static void
watch_now(struct link *l, struct site_user *u)
{
	struct subject subject = subject_lease_watch(l->o.number, u->gid);
	struct watch *w;

	if (l->conn == NULL || u->watch[l->o.reg] != NULL)
		return;
	w = mem_new(sizeof *w);
	w->ear = (struct ear){ l, l->gen };
	w->user = u->number;
	u->watch[l->o.reg] = sub_new(&(struct sub_opts){ .conn = l->conn, .subject = subject.s, .handler = on_watched, .arg = w,
		.max_pending = PENDING_MAX }, NULL);
	if (u->watch[l->o.reg] == NULL) {
		mem_free(w);
		on_event(l, CONN_EVENT_DOWN);	/* without its watch a link is none */
	}
}

void
link_watch(struct link *l, struct site_user *u)
{
	watch_now(l, u);
}

void
link_forget(struct link *l, struct site_user *u)
{
	struct sub *s = u->watch[l->o.reg];

	if (s == NULL)
		return;
	u->watch[l->o.reg] = NULL;
	pthread_mutex_lock(&l->lock);
	mem_grow(&l->graves.v, &l->graves.cap, l->graves.n + 1, sizeof *l->graves.v);
	l->graves.v[l->graves.n++] = s;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

bool
link_read(struct link *l, const struct site_user *u, struct boot sent)
{
	char subject[128], body[SUBJECT_MAX + 32], reply[sizeof l->inbox + 48];

	if (l->conn == NULL)
		return false;
	snprintf(subject, sizeof subject, "%s.STREAM.MSG.GET.KV_AEGIS_L%u", conn_js_prefix(l->conn), l->o.number);
	int n = snprintf(body, sizeof body, "{\"last_by_subj\":\"%s\"}", subject_lease(l->o.number, u->gid).s);
	snprintf(reply, sizeof reply, "%s.%u.r.%lld", l->inbox, u->number, (long long)sent.ns);
	return conn_publish(l->conn, &(struct conn_msg){ .subject = subject, .reply = reply, .data = body, .n = (size_t)n,
		.urgent = true }, NULL) == ERR_OK;
}

bool
link_write(struct link *l, const struct site_user *u, uint64_t id, uint64_t rev, const char *data, size_t n)
{
	char reply[sizeof l->inbox + 48], expect[24];
	struct subject subject = subject_lease(l->o.number, u->gid);

	if (l->conn == NULL)
		return false;
	snprintf(reply, sizeof reply, "%s.%u.w.%llu", l->inbox, u->number, (unsigned long long)id);
	snprintf(expect, sizeof expect, "%llu", (unsigned long long)rev);
	struct conn_header headers[] = { { "Nats-Expected-Last-Subject-Sequence", expect }, { NULL, NULL } };

#ifdef AEGIS_MUTANTS
	if (rev == UINT64_MAX)		/* of mutant 1: a plain put */
		headers[0] = headers[1];
#endif
	return conn_publish(l->conn, &(struct conn_msg){ .subject = subject.s, .reply = reply, .headers = headers, .data = data,
		.n = n, .urgent = true }, NULL) == ERR_OK;
}

const struct link_facts *
link_facts(const struct link *l)
{
	return &l->facts;
}
