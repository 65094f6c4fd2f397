/* kv.c - put, get and watch of one key, by our store layer and by nats.c's own.
 *
 * In a bucket of its own, made like the registry's and removed when the side is closed: whatever
 * is in the product's buckets is somebody's data. */
#include <pthread.h>
#include <stdio.h>

#include "base/magic.h"
#include "base/mem.h"
#include "bench/side.h"
#include "nats/kv.h"
#include "nats/raw_stream.h"
#include "nats/stream.h"
#include "nats/watch.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define KEY "bench"
#define HISTORY 10			/* as the registry's */
#define TOLD_NS (5 * NS_PER_S)

enum what { PUT, GET, WATCH };

struct kv_side {
	struct conn *conn;
	char bucket[SIDE_NAME_MAX + 8];
	struct kv kv;
	char *value;
	size_t n;
	struct watch *watch;
	struct raw_stream *raw;

	pthread_mutex_t lock;		/* leaf: what the watch told last */
	pthread_cond_t changed;
	uint64_t revision;
	struct mono at;
	bool synced;
};

/* --- what the watch tells ---------------------------------------------------------------- */

static void
tell(struct kv_side *s, uint64_t revision, bool synced)
{
	struct mono at = clock_mono(clock_system());

	pthread_mutex_lock(&s->lock);
	if (revision > s->revision) {
		s->revision = revision;
		s->at = at;
	}
	s->synced = s->synced || synced;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void
on_watch(void *arg, const struct watch_event *ev)
{
	if (ev->what == WATCH_ENTRY)
		tell(arg, ev->entry->revision, false);
	else if (ev->what == WATCH_SYNC_END)
		tell(arg, 0, true);
}

static void
on_raw_watch(void *arg, uint64_t revision)
{
	tell(arg, revision, true);
}

/* await: until that revision was told, or with 0 the first listing. */
static enum err_code
await(struct kv_side *s, uint64_t revision, struct mono *at, struct err *err)
{
	struct mono until = mono_after(clock_mono(clock_system()), TOLD_NS);
	bool in_time = true;

	pthread_mutex_lock(&s->lock);
	while ((!s->synced || s->revision < revision) && in_time)
		in_time = thread_cond_wait(&s->changed, &s->lock, until);
	*at = s->at;
	pthread_mutex_unlock(&s->lock);
	return in_time ? ERR_OK : err_set(err, ERR_TIMEOUT, "the watch did not tell the change within 5 s");
}

/* --- ours -------------------------------------------------------------------------------- */

static enum err_code
put_revision(struct kv_side *s, uint64_t *revision, struct err *err)
{
	return kv_put(&s->kv, &(struct kv_put){ .key = KEY, .value = s->value, .n = s->n, .expect = KV_ANY }, revision, err);
}

static enum err_code
put(void *arg, struct mono *ended, struct err *err)
{
	(void)ended;
	return put_revision(arg, &(uint64_t){ 0 }, err);
}

static enum err_code
get(void *arg, struct mono *ended, struct err *err)
{
	struct kv_side *s = arg;
	struct kv_entry e;
	enum err_code code = kv_get(&s->kv, KEY, &e, err);

	(void)ended;
	if (code == ERR_OK)
		kv_entry_release(&e);
	return code;
}

static enum err_code
put_and_hear(void *arg, struct mono *ended, struct err *err)
{
	uint64_t revision;
	enum err_code code = put_revision(arg, &revision, err);

	return code == ERR_OK ? await(arg, revision, ended, err) : code;
}

/* --- bare -------------------------------------------------------------------------------- */

static enum err_code
bare_put(void *arg, struct mono *ended, struct err *err)
{
	struct kv_side *s = arg;

	(void)ended;
	return raw_put(s->raw, KEY, s->value, s->n, NULL, err);
}

static enum err_code
bare_get(void *arg, struct mono *ended, struct err *err)
{
	(void)ended;
	return raw_get(((struct kv_side *)arg)->raw, KEY, err);
}

static enum err_code
bare_put_and_hear(void *arg, struct mono *ended, struct err *err)
{
	struct kv_side *s = arg;
	uint64_t revision;
	enum err_code code = raw_put(s->raw, KEY, s->value, s->n, &revision, err);

	return code == ERR_OK ? await(s, revision, ended, err) : code;
}

/* --- opening and closing ----------------------------------------------------------------- */

static void
close_side(void *arg)
{
	struct kv_side *s = arg;

	watch_free(s->watch);
	raw_stream_free(s->raw);
	if (s->conn != NULL)
		bucket_remove(s->conn, s->bucket, NULL);
	conn_free(s->conn);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	mem_free(s->value);
	mem_free(s);
}

static const struct bench_ops ops[][2] = {
	[PUT] = { [BENCH_OURS] = { .once = put, .close = close_side }, [BENCH_RAW] = { .once = bare_put, .close = close_side } },
	[GET] = { [BENCH_OURS] = { .once = get, .close = close_side }, [BENCH_RAW] = { .once = bare_get, .close = close_side } },
	[WATCH] = { [BENCH_OURS] = { .once = put_and_hear, .close = close_side },
	    [BENCH_RAW] = { .once = bare_put_and_hear, .close = close_side } },
};

static enum err_code
open_store(struct kv_side *s, const struct bench_env *env, enum bench_which which, enum what what, struct err *err)
{
	struct bucket_state state;
	enum err_code code;

	if ((s->conn = conn_new(env->conn, err)) == NULL)
		return err->code;
	s->kv = (struct kv){ s->conn, s->bucket };
	if ((code = bucket_ensure(s->conn, &(struct bucket_opts){ .name = s->bucket, .history = HISTORY }, &state, err)) !=
	    ERR_OK || (code = put(s, NULL, err)) != ERR_OK)
		return code;
	if (which == BENCH_RAW) {
		if ((s->raw = raw_stream_new(&(struct raw_stream_opts){ .access = env->conn }, err)) == NULL)
			return err->code;
		if ((code = raw_bucket(s->raw, s->bucket, err)) == ERR_OK && what == WATCH)
			code = raw_watch(s->raw, KEY, on_raw_watch, s, err);
	} else if (what == WATCH && (s->watch = watch_new(s->conn, s->bucket, on_watch, s, err)) == NULL) {
		code = err->code;
	}
	return code == ERR_OK && what == WATCH ? await(s, 1, &(struct mono){ 0 }, err) : code;
}

static enum err_code
open_side(const struct bench_env *env, enum bench_which which, enum what what, struct bench_side *out, struct err *err)
{
	struct kv_side *s = mem_new(sizeof *s);

	pthread_mutex_init(&s->lock, NULL);
	thread_cond_init(&s->changed);
	side_name(env, which, s->bucket);
	s->n = env->size;
	s->value = mem_new(s->n + 1);
	enum err_code code = open_store(s, env, which, what, err);
	if (code != ERR_OK)
		close_side(s);
	else
		*out = (struct bench_side){ &ops[what][which], s };
	return code;
}

enum err_code
put_side_open(const struct bench_env *env, enum bench_which which, struct bench_side *out, struct err *err)
{
	return open_side(env, which, PUT, out, err);
}

enum err_code
get_side_open(const struct bench_env *env, enum bench_which which, struct bench_side *out, struct err *err)
{
	return open_side(env, which, GET, out, err);
}

enum err_code
watch_side_open(const struct bench_env *env, enum bench_which which, struct bench_side *out, struct err *err)
{
	return open_side(env, which, WATCH, out, err);
}
