/* site.c - users, mails, and the thread that prepares the set. */
#include "election/site.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "election/site_inner.h"
#include "election/streams.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define SITE_MAGIC 0x517e0001u
#define POOL_THREADS 2
#define POOL_JOBS 256
#define AGAIN_NS (500 * NS_PER_MS)	/* after a failed preparation */
#define SLICE_NS (20 * NS_PER_MS)	/* how late a stop is seen */

/* --- mails -------------------------------------------------------------------------------- */

static struct site_user *
find(const struct site *s, uint32_t number)
{
	for (struct site_user *u = s->users; u != NULL; u = u->next)
		if (u->number == number)
			return u;
	return NULL;
}

static void
deliver(struct mail *mail)
{
	struct site_mail *m = CONTAINER_OF(mail, struct site_mail, mail);
	struct site *s = m->site;
	struct site_user *u = m->user != 0 ? find(s, m->user) : NULL;

	atomic_fetch_sub(&s->mails, 1);
	if (m->user == 0 || u != NULL)
		m->act(s, u, m);
	mem_free(m);
}

static void
discard(struct mail *mail)
{
	mem_free(CONTAINER_OF(mail, struct site_mail, mail));
}

bool
site_post(struct site *s, struct site_mail *m, uint32_t user,
    void (*act)(struct site *s, struct site_user *u, struct site_mail *m), bool vital)
{
	m->mail = (struct mail){ .deliver = deliver, .discard = discard, .vital = vital };
	m->site = s;
	m->user = user;
	m->act = act;
	if (atomic_fetch_add(&s->mails, 1) < SITE_MAILS_MAX || vital) {
		if (loop_post(s->o.loop, &m->mail) == ERR_OK)
			return true;
	}
	atomic_fetch_sub(&s->mails, 1);
	atomic_fetch_add(&s->dropped, 1);
	mem_free(m);
	return false;
}

/* --- users -------------------------------------------------------------------------------- */

static void
tell_ready(struct site *s, struct site_user *u, struct site_mail *m)
{
	(void)s;
	(void)m;
	u->calls->ready(u);
}

void
site_join(struct site *s, struct site_user *u)
{
	memset(u->watch, 0, sizeof u->watch);
	u->number = ++s->last_user;
	u->next = s->users;
	s->users = u;
	if (s->facts.ready)
		site_post(s, mem_new(sizeof(struct site_mail)), u->number, tell_ready, true);
}

void
site_leave(struct site *s, struct site_user *u)
{
	struct site_user **at = &s->users;

	while (*at != NULL && *at != u)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = u->next;
	for (unsigned r = 0; r < LEASE_REGISTERS; r++)
		if (s->link[r] != NULL)
			link_forget(s->link[r], u);
	u->number = 0;
}

void
site_facts(const struct site *s, struct site_facts *out)
{
	*out = s->facts;
	out->dropped = atomic_load(&s->dropped);
}

/* --- the set is known --------------------------------------------------------------------- */

struct prepared {
	struct site_mail mail;
	struct site_set set;
	bool lonely;
	struct err why;
};

static void
warn(const struct site *s)
{
	if (s->facts.replicated)
		log_warning(EV_ELECTION_SITE, LOG_F(LOG_S("set", s->facts.uuid)),
		    "one replicated register: when the node leading its stream dies, nobody is active for 4 to 9 s; three "
		    "registers on three nodes fail over in a third of a second");
	else if (s->facts.lonely)
		log_warning(EV_ELECTION_SITE, LOG_F(LOG_S("set", s->facts.uuid)),
		    "one register in a cluster of three: nobody is active while its node is away; three registers keep the "
		    "leader");
	else
		log_info(EV_ELECTION_SITE, LOG_F(LOG_S("set", s->facts.uuid), LOG_N("registers", s->facts.n)),
		    "the election of this site uses %u register%s", s->facts.n, s->facts.n == 1 ? "" : "s");
}

static void
on_prepared(struct site *s, struct site_user *u, struct site_mail *m)
{
	struct prepared *p = CONTAINER_OF(m, struct prepared, mail);
	const struct lease_set *set = &p->set.set;

	(void)u;
	s->facts.ready = true;
	s->facts.n = set->n;
	s->facts.replicated = p->set.replicated;
	s->facts.lonely = p->lonely;
	s->facts.why = (struct err){ 0 };
	memcpy(s->facts.uuid, set->uuid, sizeof s->facts.uuid);
	warn(s);
	for (unsigned r = 0; r < set->n; r++) {
		struct link_opts o = { .site = s, .reg = r, .number = set->n == 1 ? REGISTER_ALONE : r + 1, .n = set->n,
			.replicated = p->set.replicated, .node = set->node[r], .set = set->uuid };
		s->link[r] = link_new(&o, &s->facts.why);
	}
	for (struct site_user *next, *one = s->users; one != NULL; one = next) {
		next = one->next;
		one->calls->ready(one);
	}
}

static void
on_unprepared(struct site *s, struct site_user *u, struct site_mail *m)
{
	struct prepared *p = CONTAINER_OF(m, struct prepared, mail);

	(void)u;
	if (strcmp(s->facts.why.text, p->why.text) != 0)
		log_warning(EV_ELECTION_SITE, LOG_F(LOG_S("err", p->why.text)),
		    "the registers of the election cannot be had yet, trying until they can");
	s->facts.why = p->why;
}

/* prepare: the thread; ends when the set is known. */
static void *
prepare(void *arg)
{
	struct site *s = arg;

	for (bool done = false; !done && !atomic_load(&s->stop);) {
		struct prepared *p = mem_new(sizeof *p);
		done = site_prepare(s->o.conn, &s->o, &s->stop, &p->set, &p->why) == ERR_OK;
		p->lonely = done && p->set.set.n == 1 && !p->set.replicated && site_servers(s->o.conn) >= 3;
		site_post(s, &p->mail, 0, done ? on_prepared : on_unprepared, true);
		for (int64_t ns = 0; !done && ns < AGAIN_NS && !atomic_load(&s->stop); ns += SLICE_NS)
			thread_pause(SLICE_NS);
	}
	if (pool_thread_end != NULL)
		pool_thread_end();
	return NULL;
}

/* --- life --------------------------------------------------------------------------------- */

struct site *
site_new(const struct site_opts *o, struct err *err)
{
	struct site *s = mem_new(sizeof *s);

	s->magic = SITE_MAGIC;
	s->o = *o;
	s->access = *o->access;
	conn_opts_keep(&s->access);
	s->o.access = &s->access;
	s->o.member = mem_text(o->member);
	for (unsigned r = 0; r < LEASE_REGISTERS; r++)
		s->o.tag[r] = mem_text(o->tag[r]);
	if ((s->pool = pool_new(o->loop, POOL_THREADS, POOL_JOBS, err)) == NULL ||
	    thread_start(&s->preparer, "election", prepare, s, err) != ERR_OK) {
		site_free(s);
		return NULL;
	}
	s->prepares = true;
	return s;
}

void
site_free(struct site *s)
{
	if (s == NULL)
		return;
	MAGIC_CHECK(s, SITE_MAGIC);
	MUST(s->users == NULL);
	atomic_store(&s->stop, true);
	for (unsigned r = 0; r < LEASE_REGISTERS; r++)
		if (s->link[r] != NULL)
			link_stop(s->link[r]);
	for (unsigned r = 0; r < LEASE_REGISTERS; r++)
		link_free(s->link[r]);
	if (s->prepares)
		pthread_join(s->preparer, NULL);
	pool_free(s->pool);
	/* Nobody posts any more; what is on its way belongs to this site, the loop's only one. */
	loop_discard(s->o.loop, deliver);
	conn_opts_drop(&s->access);
	mem_free((void *)(uintptr_t)s->o.member);
	for (unsigned r = 0; r < LEASE_REGISTERS; r++)
		mem_free((void *)(uintptr_t)s->o.tag[r]);
	MAGIC_WIPE(s);
	mem_free(s);
}
