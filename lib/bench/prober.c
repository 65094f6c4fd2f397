/* prober.c - one thread sends on time, the library's threads take the answers; one lock between them.
 *
 * Each path has a connection and a reply subject of its own, so that calls can go through a node
 * that is not about to die: what is measured is the election, not this client's reconnecting. */
#include "bench/prober.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "bench/drill.h"
#include "bench/history.h"
#include "nats/conn.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define PLACES 4096			/* 8 s of calls; each is settled after one */
#define GIVE_UP_NS NS_PER_S

struct place {
	uint64_t req;
	struct boot sent;
	uint64_t floor;			/* the counter's largest value that was known before */
	bool open, excused;
	char nonce[33];			/* who answered */
};

struct path {
	struct prober *prober;
	struct conn *conn;
	struct sub *sub;
	char inbox[CONN_INBOX_MAX];
};

struct prober {
	struct path path[PROBER_PATHS];
	unsigned paths;
	int64_t period_ns;
	int history;
	atomic_uint through;
	atomic_bool stop;
	pthread_t thread;
	bool running;
	pthread_mutex_t lock;		/* all below, and the places */
	struct prober_view view;
	uint64_t count;			/* the counter's largest value */
	uint64_t newest;		/* epoch; served from … to …, and any older one until … (ns of BOOTTIME) */
	int64_t newest_from, newest_to, older_to;
	uint64_t settled;		/* every call up to this one is */
	bool excusing;
	struct place place[PLACES];
};

static struct place *
place_of(struct prober *p, uint64_t req)
{
	return &p->place[req % PLACES];
}

static void
note(struct prober *p, enum history_event ev, struct boot t, uint64_t req, const struct drill_answer *a)
{
	struct history_line l = { .t = t, .ev = ev, .src = "prober", .gid = DRILL_GROUP, .req = req };

	if (a != NULL) {
		l.epoch = a->epoch;
		l.count = a->count;
		memcpy(l.nonce, a->nonce, sizeof l.nonce);
	}
	history_write(p->history, &l);
}

/* --- answers ----------------------------------------------------------------------------- */

static void
overlap(struct prober *p, const struct drill_answer *a, const char *what)
{
	if (p->view.overlap++ == 0)
		snprintf(p->view.first, sizeof p->view.first, "call %llu %s (%.8s, epoch %llu)", (unsigned long long)a->req, what,
		    a->nonce, (unsigned long long)a->epoch);
}

/* in_order: whatever was served under an epoch was served before anything of a newer one.  All clocks are the
 * host's. */
static bool
in_order(struct prober *p, const struct drill_answer *a)
{
	if (a->epoch > p->newest) {
		p->older_to = p->newest_to > p->older_to ? p->newest_to : p->older_to;
		p->newest = a->epoch;
		p->newest_from = p->newest_to = a->at;
	} else if (a->epoch == p->newest) {
		p->newest_from = a->at < p->newest_from ? a->at : p->newest_from;
		p->newest_to = a->at > p->newest_to ? a->at : p->newest_to;
	} else {
		p->older_to = a->at > p->older_to ? a->at : p->older_to;
	}
	return p->newest_from > p->older_to;
}

/* judge: under the lock; what becomes of the call. */
static enum history_event
judge(struct prober *p, const struct drill_answer *a, struct boot t)
{
	struct place *k = place_of(p, a->req);

	if (k->req != a->req)
		return HISTORY_EVENT_COUNT;		/* far too late */
	if (!in_order(p, a))
		overlap(p, a, "was served although a newer epoch had been, or a newer one before an older one ended");
	if (k->nonce[0] != '\0') {
		if (strcmp(k->nonce, a->nonce) == 0)
			overlap(p, a, "was answered twice");
		return HISTORY_EVENT_COUNT;
	}
	if (!k->open)
		return HISTORY_EVENT_COUNT;
	k->open = false;
	memcpy(k->nonce, a->nonce, sizeof k->nonce);
	if (a->epoch < p->view.epoch)
		return HISTORY_unknown;			/* a newer one leads; the answer came late (§7) */
	if (a->count <= k->floor)
		overlap(p, a, "got a number that was there before");
	if (a->count > p->count)
		p->count = a->count;
	if (a->epoch > p->view.epoch) {
		p->view.epoch = a->epoch;
		memcpy(p->view.nonce, a->nonce, sizeof p->view.nonce);
	}
	if (p->view.last.ns > 0 && t.ns - p->view.last.ns > p->view.gap_ns)
		p->view.gap_ns = t.ns - p->view.last.ns;
	p->view.last = boot_max(p->view.last, t);
	p->view.ok++;
	return HISTORY_ok;
}

static void
on_answer(void *arg, struct msg *m)
{
	struct prober *p = ((struct path *)arg)->prober;
	struct boot t = clock_boot(clock_system());
	struct drill_answer a;

	if (msg_size(m) == sizeof a) {
		memcpy(&a, msg_data(m), sizeof a);
		pthread_mutex_lock(&p->lock);
		enum history_event ev = judge(p, &a, t);
		pthread_mutex_unlock(&p->lock);
		if (ev != HISTORY_EVENT_COUNT)
			note(p, ev, t, a.req, &a);
	}
	msg_free(m);
}

/* --- calls ------------------------------------------------------------------------------- */

/* settle: what has been open for too long is given up, in order. */
static void
settle(struct prober *p, struct boot now, int64_t age_ns)
{
	for (;;) {
		pthread_mutex_lock(&p->lock);
		struct place *k = place_of(p, p->settled + 1);
		bool due = p->settled < p->view.sent && now.ns - k->sent.ns >= age_ns, open = due && k->open;
		if (due)
			p->settled++;
		if (open) {
			k->open = false;
			p->view.lost += !k->excused;
		}
		uint64_t req = p->settled;
		pthread_mutex_unlock(&p->lock);
		if (!due)
			return;
		if (open)
			note(p, HISTORY_unknown, now, req, NULL);
	}
}

static void
send_one(struct prober *p)
{
	struct path *path = &p->path[atomic_load(&p->through)];
	struct drill_call call;
	struct boot now = clock_boot(clock_system());

	pthread_mutex_lock(&p->lock);
	call.req = ++p->view.sent;
	*place_of(p, call.req) = (struct place){ .req = call.req, .sent = now, .floor = p->count, .open = true, .excused = p->excusing };
	pthread_mutex_unlock(&p->lock);
	note(p, HISTORY_invoke, now, call.req, NULL);
	conn_publish(path->conn, &(struct conn_msg){ .subject = DRILL_CALL, .reply = path->inbox, .data = &call, .n = sizeof call,
	    .urgent = true }, NULL);
}

static void *
run(void *arg)
{
	struct prober *p = arg;
	const struct clock *clock = clock_system();
	struct mono next = clock_mono(clock);

	while (!atomic_load(&p->stop)) {
		struct mono now = clock_mono(clock);
		if (!mono_reached(now, next)) {
			thread_pause(next.ns - now.ns);
			continue;
		}
		send_one(p);
		settle(p, clock_boot(clock), GIVE_UP_NS);
		next = mono_after(next, p->period_ns);
		if (now.ns - next.ns > 100 * p->period_ns)
			next = now;		/* after a pause it does not catch up */
	}
	return NULL;
}

/* --- opening, closing, asking ------------------------------------------------------------- */

static enum err_code
open_path(struct prober *p, const char *servers, struct err *err)
{
	struct path *path = &p->path[p->paths++];

	path->prober = p;
	path->conn = conn_new(&(struct conn_opts){ .servers = servers, .name = "prober", .timeout_ns = NS_PER_S }, err);
	if (path->conn == NULL)
		return err->code;
	conn_inbox(path->conn, path->inbox);
	path->sub = sub_new(&(struct sub_opts){ .conn = path->conn, .subject = path->inbox, .handler = on_answer, .arg = path }, err);
	return path->sub == NULL ? err->code : conn_flush(path->conn, NS_PER_S, err);
}

struct prober *
prober_new(const struct prober_opts *o, struct err *err)
{
	struct prober *p = mem_new(sizeof *p);

	p->period_ns = o->period_ns;
	p->history = o->history;
	p->excusing = true;		/* until the members lead for the first time */
	pthread_mutex_init(&p->lock, NULL);
	for (unsigned i = 0; i < o->paths; i++) {
		if (open_path(p, o->servers[i], err) != ERR_OK) {
			prober_free(p);
			return NULL;
		}
	}
	if (thread_start(&p->thread, "prober", run, p, err) != ERR_OK) {
		prober_free(p);
		return NULL;
	}
	p->running = true;
	return p;
}

void
prober_free(struct prober *p)
{
	if (p == NULL)
		return;
	atomic_store(&p->stop, true);
	if (p->running)
		pthread_join(p->thread, NULL);
	for (unsigned i = 0; i < p->paths; i++) {
		sub_free(p->path[i].sub);
		conn_free(p->path[i].conn);
	}
	settle(p, clock_boot(clock_system()), 0);
	pthread_mutex_destroy(&p->lock);
	mem_free(p);
}

void
prober_through(struct prober *p, unsigned i)
{
	atomic_store(&p->through, i);
}

bool
prober_connected(struct prober *p)
{
	for (unsigned i = 0; i < p->paths; i++)
		if (conn_state(p->path[i].conn) != CONN_UP)
			return false;
	return true;
}

void
prober_mark(struct prober *p)
{
	pthread_mutex_lock(&p->lock);
	p->view.gap_ns = 0;
	pthread_mutex_unlock(&p->lock);
}

void
prober_excuse(struct prober *p, bool on)
{
	pthread_mutex_lock(&p->lock);
	p->excusing = on;
	for (uint64_t req = p->settled + 1; on && req <= p->view.sent; req++)
		place_of(p, req)->excused = true;
	pthread_mutex_unlock(&p->lock);
}

struct prober_view
prober_look(struct prober *p)
{
	pthread_mutex_lock(&p->lock);
	struct prober_view v = p->view;
	pthread_mutex_unlock(&p->lock);
	return v;
}
