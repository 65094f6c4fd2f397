/* link.c - a thread that connects, a loop that talks.
 *
 * One link is one connection: the thread hands it to the loop with UP, and takes it back with
 * DOWN before it closes it, so the loop never holds a connection that is being freed.  What was
 * received on it carries its generation; the loop drops every mail of an earlier one. */
#include "election/link.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "codec/subject.h"
#include "election/pin.h"
#include "election/site_inner.h"
#include "sys/clock.h"
#include "sys/thread.h"
#include "sys/urgent.h"

#define LINK_MAGIC 0x11c40001u
#define AGAIN_NS (20 * NS_PER_MS)
#define CHECK_NS (5 * NS_PER_S)
#define PENDING_MAX 4096

struct graves {
	struct sub **v;
	size_t n, cap;
};

struct link {
	unsigned magic;
	struct link_opts o;
	char inbox[CONN_INBOX_MAX + 24];
	pthread_t thread;
	bool runs;

	/* The loop's. */
	struct conn *conn;		/* NULL: not up */
	uint64_t gen;
	struct link_facts facts;

	/* The thread's. */
	uint64_t made;			/* generations */
	struct pin pin;

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

/* --- the thread: up and down -------------------------------------------------------------- */

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

static bool
stopping(void *arg)
{
	struct link *l = arg;

	pthread_mutex_lock(&l->lock);
	bool stop = l->stop;
	pthread_mutex_unlock(&l->lock);
	return stop;
}

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
	m->facts.rtt_ns = l->pin.rtt_ns;
	memcpy(m->facts.why, l->pin.told, sizeof m->facts.why);
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
		sound = dig || pin_stands(&l->pin, c);
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
		pin_say(&l->pin, "%s", err.text[0] != '\0' ? err.text : "the connection broke at once");
	} else {
		pin_say(&l->pin, "%s", "");
		log_info(EV_ELECTION_REGISTER, LOG_F(LOG_N("register", l->o.number)), "register %u is reached", l->o.number);
		send_turn(l, c, true);
		hold(l, c);
		if (!stopping(l) && l->pin.told[0] == '\0')
			pin_say(&l->pin, "the connection to it broke");
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
	char told[sizeof l->pin.told] = "";

	/* The library's threads of this connection, which read and deliver, are made by this one. */
	atomic_store(&l->o.site->urgency, (int)urgent_ask(true));
	while (!stopping(l)) {
		struct conn *c = pin_find(&l->pin, stopping, l);
		if (c != NULL) {
			serve(l, c);
			memcpy(told, l->pin.told, sizeof told);
		} else if (strcmp(told, l->pin.told) != 0) {
			memcpy(told, l->pin.told, sizeof told);
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
	pin_init(&l->pin, &l->o);
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

/* publish: what cannot be written to is no link; its thread makes a new one. */
static bool
publish(struct link *l, const struct conn_msg *m)
{
	bool sent = conn_publish(l->conn, m, NULL) == ERR_OK;

	if (!sent)
		on_event(l, CONN_EVENT_DOWN);
	return sent;
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
	return publish(l, &(struct conn_msg){ .subject = subject, .reply = reply, .data = body, .n = (size_t)n, .urgent = true });
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
	return publish(l, &(struct conn_msg){ .subject = subject.s, .reply = reply, .headers = headers, .data = data, .n = n,
		.urgent = true });
}

const struct link_facts *
link_facts(const struct link *l)
{
	return &l->facts;
}
