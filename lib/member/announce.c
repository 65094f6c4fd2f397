/* announce.c - a short queue of events, one at a time on the pool. */
#include "member/announce.h"

#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/wall.h"
#include "codec/codec.h"
#include "messaging/events.h"
#include "nats/publisher.h"
#include "nats/stream.h"
#include "sys/loop.h"
#include "sys/pool.h"

#define ANNOUNCE_MAGIC 0xa4400001u
#define WAITING_MAX 8
#define AGAIN_NS (2 * NS_PER_S)
#define TRIES 30
#define DOMAIN "sticky_active"

struct news {
	struct news *next;
	const char *type;
	char id[ID_UUID_MAX];		/* of all tries, so that it is stored once */
	struct str payload;
	unsigned tries;
};

struct announce {
	unsigned magic;
	struct announce_opts o;
	struct news *first;
	unsigned waiting;
	struct loop_timer again;
	struct pool_job job;
	bool busy;
	enum err_code code;		/* of the job */
	struct err err;
};

static void begin(struct announce *a);

static void
news_free(struct news *n)
{
	str_release(&n->payload);
	mem_free(n);
}

static void
drop_first(struct announce *a)
{
	struct news *n = a->first;

	a->first = n->next;
	a->waiting--;
	news_free(n);
}

static void
work(struct pool_job *job)
{
	struct announce *a = CONTAINER_OF(job, struct announce, job);
	const struct news *n = a->first;

	a->code = stream_ensure(a->o.conn, STREAM_EVENTS, 0, NULL, &a->err);
	if (a->code != ERR_OK)
		return;
	a->code = event_publish_wait(a->o.publisher, &(struct event_out){
		.domain = DOMAIN, .type = n->type, .message_id = n->id, .format = DATA_MSGPACK,
		.payload = { DATA_JSON, n->payload.p, n->payload.len },
	}, NULL, &a->err);
}

static void
on_again(void *arg)
{
	begin(arg);
}

static void
done(struct pool_job *job)
{
	struct announce *a = CONTAINER_OF(job, struct announce, job);

	MAGIC_CHECK(a, ANNOUNCE_MAGIC);
	a->busy = false;
	if (a->code == ERR_OK) {
		drop_first(a);
		begin(a);
		return;
	}
	if (++a->first->tries >= TRIES) {
		log_warning(EV_ELECTION_UNTOLD, LOG_F(LOG_S("type", a->first->type), LOG_S("err", a->err.text)),
		    "the event %s of group '%s' could not be published: %s", a->first->type, a->o.group, a->err.text);
		drop_first(a);
	}
	loop_timer_set(a->o.loop, &a->again, mono_after(loop_now(a->o.loop), AGAIN_NS), on_again, a);
}

static void
begin(struct announce *a)
{
	if (a->busy || a->first == NULL)
		return;
	a->busy = pool_run(a->o.pool, &a->job) == ERR_OK;
	if (!a->busy)
		loop_timer_set(a->o.loop, &a->again, mono_after(loop_now(a->o.loop), AGAIN_NS), on_again, a);
}

/* enqueue: the payload has its members already. */
static void
enqueue(struct announce *a, struct news *n)
{
	struct news **at = &a->first;

	if (a->waiting == WAITING_MAX) {
		/* The first may be with a worker; the one behind it is not. */
		struct news *old = a->first->next;
		log_warning(EV_ELECTION_UNTOLD, LOG_F(LOG_S("type", old->type)), "too many events wait; an old %s is dropped",
		    old->type);
		a->first->next = old->next;
		a->waiting--;
		news_free(old);
	}
	while (*at != NULL)
		at = &(*at)->next;
	*at = n;
	a->waiting++;
	begin(a);
}

/* compose: what both events say; two members are the event's own. */
static struct news *
compose(struct announce *a, const char *type, const char *instance, uint64_t epoch, const char *key, const char *text,
    const char *when, struct wall at)
{
	struct news *n = mem_new(sizeof *n);
	char utc[WALL_TEXT_MAX];
	struct pack p;

	n->type = type;
	id_uuid4(n->id);
	wall_rfc3339(at, utc);
	pack_init(&p, &n->payload, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 6);
	pack_key_map(&p, "metadata", 1);
	pack_key_uint(&p, "epoch", epoch);
	pack_key_puts(&p, "service_name", a->o.service);
	pack_key_puts(&p, "instance_id", instance);
	pack_key_puts(&p, "group_id", a->o.group);
	pack_key_puts(&p, key, text);
	pack_key_puts(&p, when, utc);
	MUST(pack_end(&p, NULL) == ERR_OK);
	return n;
}

void
announce_elected(struct announce *a, const char *instance, uint64_t epoch, const char *previous, struct wall at)
{
	enqueue(a, compose(a, "LeaderElected", instance, epoch, "previous_leader_id", previous, "elected_at", at));
}

void
announce_lost(struct announce *a, const char *instance, uint64_t epoch, const char *reason, struct wall at)
{
	enqueue(a, compose(a, "LeaderLost", instance, epoch, "reason", reason, "lost_at", at));
}

struct announce *
announce_new(const struct announce_opts *o)
{
	struct announce *a = mem_new(sizeof *a);

	a->magic = ANNOUNCE_MAGIC;
	a->o = *o;
	a->o.service = mem_text(o->service);
	a->o.group = mem_text(o->group);
	a->job = (struct pool_job){ .work = work, .done = done };
	return a;
}

void
announce_free(struct announce *a)
{
	if (a == NULL)
		return;
	MAGIC_CHECK(a, ANNOUNCE_MAGIC);
	MUST(!a->busy);			/* the pool was freed before */
	loop_timer_cancel(a->o.loop, &a->again);
	while (a->first != NULL)
		drop_first(a);
	mem_free((char *)(uintptr_t)a->o.service);
	mem_free((char *)(uintptr_t)a->o.group);
	MAGIC_WIPE(a);
	mem_free(a);
}
