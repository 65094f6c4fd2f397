/* local_status.c - how the instance is: once, or followed.
 *
 * The state is small and replaced as a whole, so that a watcher needs no queue: it sends the latest
 * when it is another than the one it sent last.  What changed and changed back in between is not
 * told (policy of states: coalesce). */
#include "api/local_inner.h"
#include "base/magic.h"
#include "codec/codec.h"
#include "sys/clock.h"
#include "sys/gate.h"
#include "sys/thread.h"

#define BEAT_NS (15 * NS_PER_S)		/* a comment line, so that nobody between cuts a silent stream */

static void
state_now(struct local *l, struct local_state *s, uint64_t *version)
{
	pthread_mutex_lock(&l->lock);
	*s = l->state;
	*version = l->version_told;
	pthread_mutex_unlock(&l->lock);
}

/* write_role: remaining_ms is looked up anew, since nothing happens while it runs down. */
static void
write_role(struct pack *p, const struct local *l, const struct local_state *s)
{
	uint64_t bits = l->gate != NULL ? gate_look(l->gate->word, l->gate->clock) : 0;
	int64_t left = bits != 0 ? gate_until(bits).ns - clock_boot(l->gate->clock).ns : 0;

	pack_key_puts(p, "role", s->role);
	pack_key_uint(p, "epoch", s->epoch);
	pack_key_int(p, "remaining_ms", left > 0 ? left / NS_PER_MS : 0);
}

enum err_code
local_gate(const struct local *l, uint64_t *pass, struct err *err)
{
	uint64_t bits = l->gate != NULL ? gate_look(l->gate->word, l->gate->clock) : 0;

	*pass = gate_hold(bits);
	if (l->gate == NULL || bits != 0)
		return ERR_OK;
	return err_set(err, ERR_NOT_ACTIVE, "this instance does not lead its group, so it does not act");
}

static void
write_state(struct str *out, const struct local *l, const struct local_state *s)
{
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, s->role != NULL ? 10 : 7);
	pack_key_puts(&p, "service", l->service);
	pack_key_puts(&p, "instance", l->instance);
	pack_key_puts(&p, "version", l->version);
	pack_key_puts(&p, "program", s->program);
	pack_key_puts(&p, "phase", s->phase);
	pack_key_bool(&p, "registered", s->registered);
	pack_key_bool(&p, "connected", s->connected);
	if (s->role != NULL)
		write_role(&p, l, s);
	MUST(pack_end(&p, NULL) == ERR_OK);
}

enum err_code
local_status(void *arg, struct web_request *r, struct err *err)
{
	struct local *l = arg;
	struct str out = STR_INIT;
	struct local_state s;
	uint64_t version;

	MAGIC_CHECK(l, LOCAL_MAGIC);
	(void)err;
	state_now(l, &s, &version);
	write_state(&out, l, &s);
	web_reply(r, 200, "application/json", (struct text){ out.p, out.len });
	str_release(&out);
	return ERR_OK;
}

enum err_code
local_config(void *arg, struct web_request *r, struct err *err)
{
	struct local *l = arg;
	struct str out = STR_INIT;

	MAGIC_CHECK(l, LOCAL_MAGIC);
	if (l->config == NULL)
		return err_set(err, ERR_NOT_FOUND, "there is no configuration to be told");
	l->config(l->arg, &out);
	web_reply(r, 200, "application/json", (struct text){ str_text(&out), out.len });
	str_release(&out);
	return ERR_OK;
}

static bool
same(const struct local_state *a, const struct local_state *b)
{
	return a->program == b->program && a->phase == b->phase && a->registered == b->registered &&
	    a->connected == b->connected && a->role == b->role && a->epoch == b->epoch;
}

void
local_tell(struct local *l, const struct local_state *s)
{
	if (l == NULL)
		return;
	MAGIC_CHECK(l, LOCAL_MAGIC);
	pthread_mutex_lock(&l->lock);
	if (!same(&l->state, s)) {
		l->state = *s;
		l->version_told++;
		pthread_cond_broadcast(&l->changed);
	}
	pthread_mutex_unlock(&l->lock);
}

/* next: waits for a state beyond *version, or until it is time for a beat; false when it is over. */
static bool
next(struct local *l, uint64_t *version, struct local_state *s, bool *other)
{
	struct mono until = mono_after(clock_mono(clock_system()), BEAT_NS);

	pthread_mutex_lock(&l->lock);
	while (!l->stopping && l->version_told == *version && thread_cond_wait(&l->changed, &l->lock, until))
		continue;
	*other = l->version_told != *version;
	*version = l->version_told;
	*s = l->state;
	bool goes_on = !l->stopping;
	pthread_mutex_unlock(&l->lock);
	return goes_on;
}

enum err_code
local_watch(void *arg, struct web_request *r, struct err *err)
{
	struct local *l = arg;
	struct str out = STR_INIT;
	struct local_state s;
	uint64_t version;
	bool other = true, there;

	MAGIC_CHECK(l, LOCAL_MAGIC);
	(void)err;
	web_stream_begin(r);
	state_now(l, &s, &version);
	str_puts(&out, "retry: 1000\n\n");
	do {
		if (other) {
			str_printf(&out, "id: %llu\nevent: status\ndata: ", (unsigned long long)version);
			write_state(&out, l, &s);
			str_puts(&out, "\n\n");
		} else {
			str_puts(&out, ":\n\n");
		}
		there = web_stream_write(r, (struct text){ out.p, out.len });
		str_clear(&out);
	} while (there && next(l, &version, &s, &other));
	str_release(&out);
	return ERR_OK;
}
