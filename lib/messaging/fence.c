/* fence.c - lanes, each with the revision of the fence that the next publication expects.
 *
 * Who has a lane works without the lock and may block; all others wait for a free one.  The revision is never 0 when
 * something is published: a fence that is missing would let everybody pass. */
#include "messaging/fence.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/codec.h"
#include "codec/envelope.h"
#include "codec/subject.h"
#include "messaging/events_inner.h"
#include "messaging/traffic.h"
#include "nats/stream.h"
#include "sys/clock.h"
#include "sys/gate.h"
#include "sys/thread.h"

#define FENCE_MAGIC 0xfe4ce001u
#define TIMEOUT_NS (5 * NS_PER_S)
#define AGAIN_NS NS_PER_MS		/* while another write on the subject is under way (election.md §13) */
#define EPOCH_HEADER "Aegis-Epoch"

struct lane {
	bool busy;
	uint64_t epoch, rev;		/* as the fence shows them; rev 0: not known */
	struct mono raised;
};

struct fence {
	unsigned magic;
	struct fence_opts o;
	char *gid, *instance;
	pthread_mutex_t lock;		/* leaf: epoch, and which lanes are busy */
	pthread_cond_t changed;
	uint64_t epoch;			/* of the hold; 0: none */
	struct lane lane[FENCE_LANES];	/* the rest of one is that of whoever made it busy */
	_Atomic int64_t max_messages, max_age_ns;	/* of the stream; 0: no limit */
	atomic_bool has_stream;
	_Atomic uint64_t deposed, rejects;
	atomic_int refs;
	bool closed;			/* under the lock */
};

static struct mono
now(void)
{
	return clock_mono(clock_system());
}

static void
lane_type(const struct fence *f, unsigned k, char out[256])
{
	snprintf(out, 256, "%s.l%u", f->gid, k);
}

static struct subject
lane_subject(const struct fence *f, unsigned k)
{
	char type[256];

	lane_type(f, k, type);
	return subject_event("aegis_fence", type);
}

static enum err_code
not_active(const struct fence *f, struct err *err)
{
	return err_set(err, ERR_NOT_ACTIVE, "instance '%s' does not lead '%s'; the event was not stored", f->instance, f->gid);
}

/* holds: judged by the thread that wants to act, as everything behind the gate. */
static bool
holds(struct fence *f, uint64_t epoch)
{
	pthread_mutex_lock(&f->lock);
	/* Under the lock, because the gate goes after the close. */
	bool yes = epoch != 0 && f->epoch == epoch && gate_look(f->o.gate->word, f->o.gate->clock) != 0 &&
	    atomic_load(&f->o.gate->opening) == epoch;
	pthread_mutex_unlock(&f->lock);
	return yes;
}

/* --- a lane of one's own ------------------------------------------------------------------ */

static int
free_lane(const struct fence *f)
{
	for (unsigned k = 0; k < f->o.lanes; k++)
		if (!f->lane[k].busy)
			return (int)k;
	return -1;
}

static struct timespec
wake_at(struct mono end)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	int64_t ns = ts.tv_sec * NS_PER_S + ts.tv_nsec + mono_since(end, now());
	return (struct timespec){ ns / NS_PER_S, ns % NS_PER_S };
}

/* take: lane `which`, or any (-1).  -1: the hold is over, or the time. */
static int
take(struct fence *f, int which, uint64_t epoch, struct mono end)
{
	struct timespec at = wake_at(end);
	int k = -1;

	pthread_mutex_lock(&f->lock);
	while (f->epoch == epoch && epoch != 0) {
		k = which < 0 ? free_lane(f) : f->lane[which].busy ? -1 : which;
		if (k >= 0 || pthread_cond_timedwait(&f->changed, &f->lock, &at) != 0)
			break;
	}
	if (f->epoch != epoch)
		k = -1;
	if (k >= 0)
		f->lane[k].busy = true;
	pthread_mutex_unlock(&f->lock);
	return k;
}

static void
give_back(struct fence *f, unsigned k)
{
	pthread_mutex_lock(&f->lock);
	f->lane[k].busy = false;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

static uint64_t
epoch_now(struct fence *f)
{
	pthread_mutex_lock(&f->lock);
	uint64_t epoch = f->epoch;
	pthread_mutex_unlock(&f->lock);
	return epoch;
}

/* --- what the fence says ------------------------------------------------------------------ */

/* look: the fence of lane k as the stream's leader has it; *rev 0 when there is none. */
static enum err_code
look(struct fence *f, unsigned k, int64_t timeout_ns, uint64_t *rev, uint64_t *epoch, struct err *err)
{
	struct subject subject = lane_subject(f, k);
	struct stored last;

	*rev = *epoch = 0;
	enum err_code code = stream_last(f->o.conn, stream_id_name(STREAM_EVENTS), subject.s, timeout_ns, &last, err);
	if (code == ERR_NOT_FOUND)
		return ERR_OK;
	if (code != ERR_OK)
		return code;
	const char *text = msg_header(last.msg, EPOCH_HEADER);
	*rev = last.seq;
	if (text == NULL || !num_uint(text, epoch))
		code = err_set(err, ERR_CORRUPT, "the fence '%s' tells no epoch; remove that message", subject.s);
	msg_free(last.msg);
	return code;
}

static void
encode_fence(const struct fence *f, unsigned k, uint64_t epoch, struct str *out)
{
	char type[256], id[ID_UUID_MAX], trace[ID_UUID_MAX];
	struct str payload = STR_INIT;
	struct envelope e;
	struct pack p;

	pack_init(&p, &payload, DATA_MSGPACK, PACK_COMPACT);
	pack_map(&p, 2);
	pack_key_uint(&p, "epoch", epoch);
	pack_key_puts(&p, "instance_id", f->instance);
	MUST(pack_end(&p, NULL) == ERR_OK);
	lane_type(f, k, type);
	id_uuid4(id);
	id_uuid4(trace);
	envelope_init(&e, ENVELOPE_EVENT);
	e.message_id = text_of(id);
	e.trace_id = text_of(trace);
	e.source = text_of(f->instance);
	e.domain = text_of("aegis_fence");
	e.type = text_of(type);
	e.payload = (struct value){ .type = VALUE_RAW, .u.raw = { DATA_MSGPACK, payload.p, payload.len } };
	MUST(envelope_encode(&e, DATA_MSGPACK, clock_wall(clock_system()), out, NULL) == ERR_OK);
	str_release(&payload);
}

/* write: the fence with this epoch, expecting it to be at rev (0: missing). */
static enum err_code
write(struct fence *f, unsigned k, uint64_t epoch, uint64_t expect, int64_t timeout_ns, struct pub_ack *ack, struct err *err)
{
	struct subject subject = lane_subject(f, k);
	char number[24], rev[24];
	struct str body = STR_INIT;

	snprintf(number, sizeof number, "%" PRIu64, epoch);
	snprintf(rev, sizeof rev, "%" PRIu64, expect);
	const struct conn_header headers[] = {
		{ EPOCH_HEADER, number }, { "Nats-Expected-Last-Subject-Sequence", rev }, { NULL, NULL },
	};
	encode_fence(f, k, epoch, &body);
	enum err_code code = publisher_send_wait(f->o.publisher, &(struct publication){
		.subject = subject.s, .headers = headers, .data = body.p, .n = body.len, .timeout_ns = timeout_ns,
	}, ack, err);
	str_release(&body);
	return code;
}

static enum err_code
raise_lane(struct fence *f, unsigned k, uint64_t epoch, struct mono end, struct err *err)
{
	struct lane *l = &f->lane[k];
	enum err_code code = ERR_BUSY;

	while (code == ERR_BUSY || code == ERR_REVISION) {
		int64_t left = mono_since(end, now());
		uint64_t rev, shown;
		struct pub_ack ack;
		if (left <= 0)
			return err_set(err, ERR_TIMEOUT, "lane %u of '%s' could not be raised in time", k, f->gid);
		if ((code = look(f, k, left, &rev, &shown, err)) != ERR_OK)
			return code;
		if (shown > epoch) {
			atomic_store(&f->deposed, shown);
			return not_active(f, err);
		}
		if (!holds(f, epoch))
			return not_active(f, err);
		if (shown == epoch && l->rev != rev) {
			*l = (struct lane){ true, epoch, rev, now() };		/* ours: its answer was lost */
			return ERR_OK;
		}
		if ((code = write(f, k, epoch, rev, left, &ack, err)) == ERR_OK)
			*l = (struct lane){ true, epoch, ack.seq, now() };
		else if (code == ERR_BUSY)
			thread_pause(AGAIN_NS);
	}
	return code;
}

/* is_fading: half of what the stream keeps has come after the fence; it must not be discarded. */
static bool
is_fading(const struct fence *f, const struct lane *l, uint64_t seq)
{
	int64_t messages = atomic_load(&f->max_messages), age = atomic_load(&f->max_age_ns);

	return (messages > 0 && seq > l->rev + (uint64_t)messages / 2) || (age > 0 && mono_since(now(), l->raised) > age / 2);
}

static enum err_code
need_stream(struct fence *f, struct err *err)
{
	struct stream_state s;

	if (atomic_load(&f->has_stream))
		return ERR_OK;
	enum err_code code = stream_ensure(f->o.conn, STREAM_EVENTS, 0, &s, err);
	if (code != ERR_OK)
		return code;
	atomic_store(&f->max_messages, s.max_messages > 0 ? s.max_messages : 0);
	atomic_store(&f->max_age_ns, s.max_age_ns);
	atomic_store(&f->has_stream, true);
	return ERR_OK;
}

enum err_code
fence_raise(struct fence *f, int64_t timeout_ns, struct err *err)
{
	struct mono end = mono_after(now(), timeout_ns);
	uint64_t epoch = epoch_now(f);
	enum err_code code = ERR_OK;

	MAGIC_CHECK(f, FENCE_MAGIC);
	if (epoch == 0)
		return not_active(f, err);
	if ((code = need_stream(f, err)) != ERR_OK)
		return code;
	for (unsigned k = 0; k < f->o.lanes && code == ERR_OK; k++) {
		if (take(f, (int)k, epoch, end) < 0)
			return epoch_now(f) != epoch ? not_active(f, err)
			    : err_set(err, ERR_TIMEOUT, "lane %u of '%s' is in use for too long", k, f->gid);
		if (f->lane[k].epoch != epoch || f->lane[k].rev == 0)
			code = raise_lane(f, k, epoch, end, err);
		give_back(f, k);
	}
	return code;
}

/* --- publishing --------------------------------------------------------------------------- */

/* send: once, expecting the fence that is known. */
static enum err_code
send(struct fence *f, unsigned k, const struct event_out *e, const char *id, const struct str *body, int64_t timeout_ns,
    struct pub_ack *ack, struct err *err)
{
	struct subject fence = lane_subject(f, k), to = subject_event(e->domain, e->type);
	char epoch[24], rev[24];

	snprintf(epoch, sizeof epoch, "%" PRIu64, f->lane[k].epoch);
	snprintf(rev, sizeof rev, "%" PRIu64, f->lane[k].rev);
	const struct conn_header headers[] = {
		{ EPOCH_HEADER, epoch }, { "Nats-Expected-Last-Subject-Sequence", rev },
		{ "Nats-Expected-Last-Subject-Sequence-Subject", fence.s }, { e->traceparent != NULL ? "traceparent" : NULL, e->traceparent },
		{ NULL, NULL },
	};
	return publisher_send_wait(f->o.publisher, &(struct publication){
		.subject = to.s, .id = e->message_id != NULL ? e->message_id : id, .headers = headers, .data = body->p, .n = body->len,
		.timeout_ns = timeout_ns,
	}, ack, err);
}

/* through: the event through lane k, whose fence is raised as often as it must be. */
static enum err_code
through(struct fence *f, unsigned k, uint64_t epoch, const struct event_out *e, const char *id, const struct str *body,
    struct mono end, struct pub_ack *ack, struct err *err)
{
	struct lane *l = &f->lane[k];
	enum err_code code;

	if ((code = need_stream(f, err)) != ERR_OK)
		return code;
	for (;;) {
		if (!holds(f, epoch))
			return not_active(f, err);
		if ((l->epoch != epoch || l->rev == 0) && (code = raise_lane(f, k, epoch, end, err)) != ERR_OK)
			return code;
		int64_t left = mono_since(end, now());
		if (left <= 0)
			return err_set(err, ERR_TIMEOUT, "the event could not be published in time; it was not stored");
		code = send(f, k, e, id, body, left, ack, err);
		if (code == ERR_BUSY)
			thread_pause(AGAIN_NS);
		else if (code == ERR_REVISION)
			l->rev = 0;		/* whose fence it is now, raise_lane finds out */
		else
			break;
	}
	/* Not failing because of it: the event is stored. */
	if (code == ERR_OK && is_fading(f, l, ack->seq) && raise_lane(f, k, epoch, end, NULL) != ERR_OK)
		l->rev = 0;
	return code;
}

/* epoch_of: the hold that e is published under; 0: none, or it came under another one than there is now. */
static uint64_t
epoch_of(struct fence *f, const struct event_out *e)
{
	uint64_t epoch = epoch_now(f);

	/* The epoch first: if e's own hold is seen open after it, no later one can have had that epoch. */
	return e->gate == NULL || gate_still(e->gate, e->pass) ? epoch : 0;
}

enum err_code
fence_publish(struct fence *f, const struct event_out *e, struct pub_ack *ack, struct err *err)
{
	struct mono began = now(), end = mono_after(began, e->timeout_ns > 0 ? e->timeout_ns : TIMEOUT_NS);
	struct str body = STR_INIT;
	char id[ID_UUID_MAX];
	struct pub_ack own;
	uint64_t epoch = epoch_of(f, e);

	MAGIC_CHECK(f, FENCE_MAGIC);
	enum err_code code = event_encode(e, id, &body, err);
	if (code == ERR_OK) {
		int k = take(f, -1, epoch, end);
		if (k >= 0) {
			code = through(f, (unsigned)k, epoch, e, id, &body, end, ack != NULL ? ack : &own, err);
			give_back(f, (unsigned)k);
		} else
			code = epoch == 0 || epoch_now(f) != epoch ? not_active(f, err)
			    : err_set(err, ERR_TIMEOUT, "no lane of '%s' became free; the event was not stored", f->gid);
		if (code == ERR_NOT_ACTIVE)
			atomic_fetch_add(&f->rejects, 1);
		traffic_published(e->traffic, e->domain, e->type, code == ERR_OK, mono_since(now(), began));
	}
	str_release(&body);
	return code;
}

/* --- its life ----------------------------------------------------------------------------- */

void
fence_hold(struct fence *f, uint64_t epoch)
{
	pthread_mutex_lock(&f->lock);
	f->epoch = f->closed ? 0 : epoch;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

struct fence *
fence_new(const struct fence_opts *o)
{
	struct fence *f = mem_new(sizeof *f);
	pthread_condattr_t attr;

	MUST(o->lanes >= 1 && o->lanes <= FENCE_LANES);
	f->magic = FENCE_MAGIC;
	atomic_init(&f->refs, 1);
	f->o = *o;
	f->gid = mem_text(o->gid);
	f->instance = mem_text(o->instance);
	pthread_mutex_init(&f->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->changed, &attr);
	pthread_condattr_destroy(&attr);
	return f;
}

void
fence_close(struct fence *f)
{
	if (f == NULL)
		return;
	pthread_mutex_lock(&f->lock);
	f->closed = true;
	pthread_mutex_unlock(&f->lock);
	fence_hold(f, 0);
}

struct fence *
fence_ref(struct fence *f)
{
	atomic_fetch_add(&f->refs, 1);
	return f;
}

void
fence_unref(struct fence *f)
{
	if (f == NULL || atomic_fetch_sub(&f->refs, 1) > 1)
		return;
	MAGIC_CHECK(f, FENCE_MAGIC);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	mem_free(f->gid);
	mem_free(f->instance);
	MAGIC_WIPE(f);
	mem_free(f);
}

uint64_t
fence_deposed(const struct fence *f)
{
	return atomic_load(&f->deposed);
}

uint64_t
fence_rejects(const struct fence *f)
{
	return atomic_load(&f->rejects);
}
