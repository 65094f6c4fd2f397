/* storer.c - one thread sends, the library's threads take the answers; one lock between them. */
#include "bench/storer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bench/drill.h"
#include "bench/history.h"
#include "bench/prober.h"
#include "bench/verify.h"
#include "nats/conn.h"
#include "nats/stream.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define PERIOD_NS (50 * NS_PER_MS)
#define GIVE_UP_NS (15 * NS_PER_S)	/* members try for 5 s; a stream without a leader takes as long */
#define LAST_NS (6 * NS_PER_S)
#define PLACES 1024			/* more than are under way in that time */
#define FIRST_REQ (UINT64_C(1) << 40)	/* the prober's are below it */
#define READ_TRIES 20
#define LOOK_NS (500 * NS_PER_MS)

struct storer {
	struct prober *prober;
	int history;
	struct conn *conn;
	struct sub *sub;
	char inbox[CONN_INBOX_MAX];
	atomic_bool stop;
	pthread_t thread;
	bool running;
	pthread_mutex_t lock;		/* all below */
	uint64_t sent, settled;		/* calls; every one up to the latter is over */
	uint64_t epoch;			/* newest that is known */
	struct { struct boot at; bool open; } place[PLACES];
};

static struct boot
now(void)
{
	return clock_boot(clock_system());
}

static void
note(const struct storer *s, enum history_event ev, uint64_t call, uint64_t epoch)
{
	struct history_line l = { .t = now(), .ev = ev, .src = "storer", .gid = DRILL_GROUP, .req = FIRST_REQ + call, .epoch = epoch };

	if (ev == HISTORY_invoke)
		snprintf(l.what, sizeof l.what, "%s", VERIFY_STORES);
	history_write(s->history, &l);
}

/* end_locked: what is to be written down of a call that ended so; HISTORY_EVENT_COUNT: nothing. */
static enum history_event
end_locked(struct storer *s, uint64_t call, uint64_t epoch, enum history_event ev)
{
	if (call <= s->settled || call > s->sent || !s->place[call % PLACES].open)
		return HISTORY_EVENT_COUNT;
	s->place[call % PLACES].open = false;
	if (ev == HISTORY_ok && epoch < s->epoch)
		return HISTORY_unknown;
	if (epoch > s->epoch)
		s->epoch = epoch;
	return ev;
}

static void
end(struct storer *s, uint64_t call, uint64_t epoch, enum history_event ev)
{
	pthread_mutex_lock(&s->lock);
	ev = end_locked(s, call, epoch, ev);
	/* Under the lock, so that answers stand in the history in the order in which they were judged. */
	if (ev != HISTORY_EVENT_COUNT)
		note(s, ev, call, epoch);
	pthread_mutex_unlock(&s->lock);
}

static void
on_answer(void *arg, struct msg *m)
{
	static const enum history_event events[] = {
		[DRILL_STORED] = HISTORY_ok, [DRILL_REFUSED] = HISTORY_fail, [DRILL_NOBODY_KNOWS] = HISTORY_unknown,
	};
	struct drill_stored a;
	const char *dot = strrchr(msg_subject(m), '.');

	if (msg_is_no_responders(m) && dot != NULL) {
		end(arg, strtoull(dot + 1, NULL, 10), 0, HISTORY_fail);
	} else if (msg_size(m) == sizeof a) {
		memcpy(&a, msg_data(m), sizeof a);
		if (a.req > FIRST_REQ && a.outcome <= DRILL_NOBODY_KNOWS)
			end(arg, a.req - FIRST_REQ, a.epoch, events[a.outcome]);
	}
	msg_free(m);
}

/* settle: gives up what is open for longer; true when nothing is. */
static bool
settle(struct storer *s, int64_t age_ns)
{
	pthread_mutex_lock(&s->lock);
	while (s->settled < s->sent) {
		uint64_t call = s->settled + 1;
		bool open = s->place[call % PLACES].open;
		if (open && now().ns - s->place[call % PLACES].at.ns < age_ns)
			break;
		if (open)
			note(s, HISTORY_unknown, call, 0);
		s->place[call % PLACES].open = false;
		s->settled = call;
	}
	bool all = s->settled == s->sent;
	pthread_mutex_unlock(&s->lock);
	return all;
}

static void
send_one(struct storer *s)
{
	struct prober_view v = prober_look(s->prober);
	char subject[96], reply[CONN_INBOX_MAX + 24];
	struct drill_call call;

	if (v.nonce[0] == '\0' || conn_state(s->conn) != CONN_UP)
		return;
	pthread_mutex_lock(&s->lock);
	bool room = s->sent - s->settled < PLACES - 1;
	uint64_t n = room ? ++s->sent : 0;
	if (room) {
		s->place[n % PLACES].at = now();
		s->place[n % PLACES].open = true;
		note(s, HISTORY_invoke, n, 0);
	}
	pthread_mutex_unlock(&s->lock);
	if (!room)
		return;
	call.req = FIRST_REQ + n;
	snprintf(subject, sizeof subject, DRILL_STORE ".%s", v.nonce);
	snprintf(reply, sizeof reply, "%s.%llu", s->inbox, (unsigned long long)n);
	conn_publish(s->conn, &(struct conn_msg){ .subject = subject, .reply = reply, .data = &call, .n = sizeof call, .urgent = true }, NULL);
}

static void *
run(void *arg)
{
	struct storer *s = arg;

	while (!atomic_load(&s->stop)) {
		send_one(s);
		settle(s, GIVE_UP_NS);
		thread_pause(PERIOD_NS);
	}
	return NULL;
}

struct storer *
storer_new(const char *servers, struct prober *prober, int history, struct err *err)
{
	struct storer *s = mem_new(sizeof *s);
	char all[CONN_INBOX_MAX + 4];

	s->prober = prober;
	s->history = history;
	pthread_mutex_init(&s->lock, NULL);
	s->conn = conn_new(&(struct conn_opts){ .servers = servers, .name = "storer", .timeout_ns = NS_PER_S }, err);
	if (s->conn != NULL) {
		conn_inbox(s->conn, s->inbox);
		snprintf(all, sizeof all, "%s.*", s->inbox);
		s->sub = sub_new(&(struct sub_opts){ .conn = s->conn, .subject = all, .handler = on_answer, .arg = s }, err);
	}
	if (s->sub != NULL && conn_flush(s->conn, NS_PER_S, err) == ERR_OK &&
	    thread_start(&s->thread, "storer", run, s, err) == ERR_OK) {
		s->running = true;
		return s;
	}
	storer_free(s);
	return NULL;
}

void
storer_free(struct storer *s)
{
	if (s == NULL)
		return;
	atomic_store(&s->stop, true);
	if (s->running)
		pthread_join(s->thread, NULL);
	while (!settle(s, LAST_NS))
		thread_pause(10 * NS_PER_MS);
	sub_free(s->sub);
	conn_free(s->conn);
	pthread_mutex_destroy(&s->lock);
	mem_free(s);
}

/* --- reading back ------------------------------------------------------------------------ */

struct reading {
	int history;
	uint64_t next;
};

static void
each(void *arg, const struct stored *one)
{
	struct reading *r = arg;
	struct history_line l = { .t = now(), .ev = HISTORY_effect, .src = "stream", .gid = DRILL_GROUP, .seq = one->seq };
	const char *epoch = msg_header(one->msg, "Aegis-Epoch"), *id = msg_header(one->msg, "Nats-Msg-Id");

	if (one->seq < r->next)
		return;
	r->next = one->seq + 1;
	if (strcmp(msg_subject(one->msg), "events." DRILL_DOMAIN "." DRILL_TYPE) != 0)
		return;			/* the fence itself */
	l.epoch = epoch != NULL ? strtoull(epoch, NULL, 10) : 0;
	l.req = id != NULL ? strtoull(id, NULL, 10) : 0;
	history_write(r->history, &l);
}

enum err_code
storer_read_back(struct conn *conn, uint64_t *from, int history, struct err *err)
{
	const char *name = stream_id_name(STREAM_EVENTS);
	struct reading r = { .history = history, .next = *from };
	struct stream_state st;
	enum err_code code = stream_look(conn, name, &st, err);

	/* A range may end early without a word; what the stream says it has must have come. */
	for (int i = 0; code == ERR_OK && r.next <= st.last_seq && i < READ_TRIES; i++) {
		if (i > 0)
			thread_pause(100 * NS_PER_MS);
		code = stream_range(&(struct stream_range){ .conn = conn, .stream = name, .filter = stream_id_subjects(STREAM_EVENTS),
		    .from = r.next, .to = st.last_seq, .each = each, .arg = &r }, err);
	}
	*from = r.next;
	if (code == ERR_OK && r.next <= st.last_seq)
		code = err_set(err, ERR_TIMEOUT, "of %llu messages of '%s' only %llu can be read", (unsigned long long)st.last_seq, name,
		    (unsigned long long)r.next - 1);
	return code;
}

/* look: what the server says of the stream, the caller's; NULL without an answer. */
static struct msg *
look(struct conn *conn)
{
	struct msg *reply;
	char subject[64];

	snprintf(subject, sizeof subject, "$JS.API.STREAM.INFO.%s", stream_id_name(STREAM_EVENTS));
	return conn_request(conn, &(struct conn_msg){ .subject = subject, .urgent = true }, LOOK_NS, &reply, NULL) == ERR_OK ? reply : NULL;
}

static const char *
behind(const struct msg *m, const char *from, const char *what)
{
	const char *p = memmem(from, msg_size(m) - (size_t)(from - (const char *)msg_data(m)), what, strlen(what));

	return p != NULL ? p + strlen(what) : NULL;
}

bool
storer_safe(struct conn *conn, unsigned nodes)
{
	struct msg *m = look(conn);
	unsigned n = 0;

	if (m == NULL)
		return false;
	bool led = nodes == 1 || behind(m, msg_data(m), "\"leader\":\"") != NULL;
	for (const char *p = msg_data(m); (p = behind(m, p, "\"current\":true")) != NULL;)
		n++;
	msg_free(m);
	return led && n == nodes - 1;
}

bool
storer_leader(struct conn *conn, unsigned *node)
{
	struct msg *m = look(conn);

	if (m == NULL)
		return false;
	const char *p = behind(m, msg_data(m), "\"leader\":\"n");
	/* Behind a name there is at least its quotation mark. */
	if (p != NULL)
		*node = (unsigned)(*p - '1');
	msg_free(m);
	return p != NULL;
}
