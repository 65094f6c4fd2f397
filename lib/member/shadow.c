/* shadow.c - one round trip a second on the pool: look at the key, then write, purge or leave it. */
#include "member/shadow.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "member/shadow_value.h"
#include "messaging/traffic.h"
#include "nats/kv.h"
#include "nats/stream.h"
#include "sys/loop.h"
#include "sys/pool.h"

#define SHADOW_MAGIC 0x5ad00001u
#define EVERY_NS (1 * NS_PER_S)
#define TTL_S 10			/* only clears away what a dead leader left */

struct shadow {
	unsigned magic;
	struct shadow_opts o;
	struct str bucket, key;
	struct wall started;
	struct loop_timer timer;
	struct pool_job job;
	bool busy, again;		/* again: something changed while a job was under way */

	struct shadow_value value;	/* what we write; epoch 0: nothing */
	uint64_t let_go;		/* epoch whose value is to be purged; 0: none */
	char foreign[132];		/* who leads, as told last; "" nobody */
	bool looked;

	/* The job's; copies made when it began, and what it found. */
	struct shadow_value writing;
	uint64_t purging;
	bool ready, ttl, found, purged;	/* ready: the bucket was prepared */
	bool tried, wrote;		/* of the job: the key was to be written, and was */
	enum shadow_kind kind;
	char who[132];
};

/* --- on a worker ------------------------------------------------------------------------- */

static bool
prepare(struct shadow *s)
{
	struct bucket_state state;
	struct bucket_opts o = { .name = str_text(&s->bucket), .history = 1, .marker_ttl_ns = NS_PER_S };

	if (s->ready)
		return true;
	if (s->writing.epoch == 0) {
		/* A standby makes nothing; without a bucket nobody leads there. */
		enum err_code code = bucket_inspect(s->o.conn, o.name, &state, NULL);
		s->kind = SHADOW_NONE;
		s->found = code == ERR_NOT_FOUND;
		return code == ERR_OK;
	}
	if (bucket_ensure(s->o.conn, &o, &state, NULL) != ERR_OK)
		return false;
	/* One that Python made keeps values for ever, or drops them all; ours are only clearer with a TTL. */
	s->ttl = state.ttl || bucket_enable_ttl(s->o.conn, o.name, NULL) == ERR_OK;
	s->ready = true;
	return true;
}

static void
work(struct pool_job *job)
{
	struct shadow *s = CONTAINER_OF(job, struct shadow, job);
	struct kv kv = { s->o.conn, str_text(&s->bucket) };
	struct kv_entry e = { .revision = 0 };
	struct wall now = clock_wall(clock_system());

	s->found = s->purged = s->wrote = false;
	s->tried = s->writing.epoch != 0;
	if (!prepare(s))
		return;
	enum err_code code = kv_get(&kv, str_text(&s->key), &e, NULL);
	if (code != ERR_OK && code != ERR_NOT_FOUND) {
		s->ready = false;
		return;
	}
	s->found = true;
	uint64_t ours = s->writing.epoch != 0 ? s->writing.epoch : s->purging;
	s->kind = code == ERR_OK ? shadow_judge(e.value, e.n, ours, now, s->who) : SHADOW_NONE;
	if (s->writing.epoch != 0 && s->kind != SHADOW_FOREIGN && s->kind != SHADOW_NEWER) {
		struct str text = STR_INIT;
		uint64_t revision;
		shadow_encode(&s->writing, now, &text);
		code = kv_put(&kv, &(struct kv_put){ .key = str_text(&s->key), .value = text.p, .n = text.len,
		    .expect = e.revision, .ttl_s = s->ttl ? TTL_S : 0 }, &revision, NULL);
		s->wrote = code == ERR_OK;
		if (code == ERR_STORE)
			s->ready = false;
		str_release(&text);
	} else if (s->purging != 0) {
		code = s->kind != SHADOW_MINE ? ERR_OK
		    : kv_remove(&kv, str_text(&s->key), e.revision, false, s->ttl ? 1 : 0, NULL);
		/* Somebody else's revision is no business of ours any more. */
		s->purged = code == ERR_OK || code == ERR_REVISION;
	}
	s->tried = s->tried && s->kind != SHADOW_FOREIGN && s->kind != SHADOW_NEWER;	/* those are not written over */
	kv_entry_release(&e);
}

/* --- on the loop ------------------------------------------------------------------------- */

static void
begin(struct shadow *s)
{
	if (s->busy) {
		s->again = true;
		return;
	}
	s->again = false;
	s->writing = s->value;
	s->purging = s->let_go;
	s->busy = pool_run(s->o.pool, &s->job) == ERR_OK;
}

static void
on_timer(void *arg)
{
	struct shadow *s = arg;

	loop_timer_set(s->o.loop, &s->timer, mono_after(loop_now(s->o.loop), EVERY_NS), on_timer, s);
	begin(s);
}

static void
tell_foreign(struct shadow *s)
{
	const char *who = s->kind == SHADOW_FOREIGN ? s->who : "";

	if (strcmp(who, s->foreign) == 0)
		return;
	snprintf(s->foreign, sizeof s->foreign, "%s", who);
	if (who[0] != '\0')
		log_error(EV_ELECTION_FOREIGN, LOG_F(LOG_S("group", s->o.group), LOG_S("instance", who)),
		    "'%s', which is no aegis member, leads group '%s'; mixed groups are not safe, so this member does not lead "
		    "while it does", who, s->o.group);
	else
		log_info(EV_ELECTION_FOREIGN, LOG_F(LOG_S("group", s->o.group)), "no foreign member leads group '%s' any more",
		    s->o.group);
	s->o.foreign(s->o.arg, who[0] != '\0' ? s->foreign : NULL);
}

static void
count(const struct shadow *s)
{
	if (s->tried) {
		traffic_mark_add(s->o.traffic, s->wrote ? TRAFFIC_UPDATED : TRAFFIC_UPDATE_FAILED);
		traffic_mark_add(s->o.traffic, s->wrote ? TRAFFIC_BEAT : TRAFFIC_BEAT_FAILED);
	} else if (s->purging != 0 && !s->purged) {
		traffic_mark_add(s->o.traffic, TRAFFIC_RELEASE_FAILED);
	}
}

static void
done(struct pool_job *job)
{
	struct shadow *s = CONTAINER_OF(job, struct shadow, job);

	MAGIC_CHECK(s, SHADOW_MAGIC);
	s->busy = false;
	count(s);
	if (s->purged && s->let_go == s->purging)
		s->let_go = 0;
	if (s->found) {
		tell_foreign(s);
		if (!s->looked) {
			s->looked = true;
			s->o.looked(s->o.arg);
		}
	}
	if (s->again)
		begin(s);
}

void
shadow_hold(struct shadow *s, uint64_t epoch, struct wall since, int64_t lease_ms)
{
	s->value = (struct shadow_value){ .instance = s->o.instance, .elected = since, .started = s->started,
	    .epoch = epoch, .lease_ms = lease_ms };
	s->let_go = 0;
	begin(s);
}

void
shadow_release(struct shadow *s)
{
	if (s->value.epoch == 0)
		return;
	s->let_go = s->value.epoch;
	s->value.epoch = 0;
	begin(s);
}

struct shadow *
shadow_new(const struct shadow_opts *o)
{
	struct shadow *s = mem_new(sizeof *s);

	s->magic = SHADOW_MAGIC;
	s->o = *o;
	s->o.service = NULL;
	s->o.group = mem_text(o->group);
	s->o.instance = mem_text(o->instance);
	s->started = clock_wall(clock_system());
	shadow_bucket(o->service, &s->bucket);
	shadow_key(o->service, o->group, &s->key);
	s->job = (struct pool_job){ .work = work, .done = done };
	on_timer(s);
	return s;
}

void
shadow_free(struct shadow *s)
{
	if (s == NULL)
		return;
	MAGIC_CHECK(s, SHADOW_MAGIC);
	loop_timer_cancel(s->o.loop, &s->timer);
	mem_free((char *)(uintptr_t)s->o.group);
	mem_free((char *)(uintptr_t)s->o.instance);
	str_release(&s->bucket);
	str_release(&s->key);
	MAGIC_WIPE(s);
	mem_free(s);
}
