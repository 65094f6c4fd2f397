/* repair.c - first the streams, then a wait for stillness that outlasts every lease, then the empty registers by
 * compare-and-set on their emptiness. */
#include "election/repair.h"

#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/num.h"
#include "base/str.h"
#include "election/elector.h"
#include "election/observe.h"
#include "election/profile.h"
#include "election/site_inner.h"
#include "election/streams.h"
#include "model/names.h"
#include "nats/kv.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define WAIT_NS (5500 * NS_PER_MS)	/* R6: L of the slowest profile; longer when a register asks for it */
#define LOOK_NS (500 * NS_PER_MS)
#define PATIENCE_NS (30 * NS_PER_S)	/* within which a member has looked at its streams again, even on a busy machine */
#define G_NS (20 * NS_PER_MS)
#define HOLDER "repair"

struct repair {
	struct conn *conn;
	char gid[200];
	struct site_set site;
	struct register_reply before[LEASE_REGISTERS];
	struct repaired *out;
};

static unsigned
number_of(const struct repair *p, unsigned r)
{
	return p->site.set.n == 1 ? REGISTER_ALONE : r + 1;
}

/* mend_stream: gone, or not as it must be: made anew, which empties it; members see that as a lost disk. */
static enum err_code
mend_stream(struct repair *p, unsigned r, struct err *err)
{
	struct lease_stream s;
	char *note = p->out->note[r];
	enum err_code code = streams_look(p->conn, number_of(p, r), STREAMS_ASK_NS, &s, err);

	if (code == ERR_NOT_FOUND)
		snprintf(note, sizeof p->out->note[r], "its stream was gone and was made anew");
	else if (code != ERR_OK)
		return code;
	else if (s.drift[0] != '\0')
		snprintf(note, sizeof p->out->note[r], "its stream was made anew: %.120s", s.drift);
	else if (strcmp(s.set, p->site.set.uuid) != 0)
		snprintf(note, sizeof p->out->note[r], "its stream belonged to another set and was made anew");
	else
		return ERR_OK;
	if ((code = site_replace(p->conn, &p->site, r, err)) == ERR_OK)
		p->out->streams++;
	return code;
}

static enum err_code
read_all(struct repair *p, struct register_reply to[LEASE_REGISTERS], struct err *err)
{
	for (unsigned r = 0; r < p->site.set.n; r++) {
		enum err_code code = streams_read(p->conn, number_of(p, r), p->gid, &to[r], err);
		if (code != ERR_OK) {
			err_prefix(err, "all registers must answer, so that no epoch is overlooked");
			return code;
		}
	}
	return ERR_OK;
}

static int64_t
longest_wait(const struct repair *p)
{
	int64_t wait = WAIT_NS;

	for (unsigned r = 0; r < p->site.set.n; r++) {
		const struct lease_value *v = &p->before[r].record.value;
		if (p->before[r].reading != REGISTER_VALUE)
			continue;
		int64_t w = profile_wait(v->d_ms * NS_PER_MS, v->l_ms * NS_PER_MS, G_NS);
		wait = w > wait ? w : wait;
	}
	return wait;
}

static uint64_t
next_epoch(const struct repair *p)
{
	uint64_t epoch = (uint64_t)(clock_wall(clock_system()).ns / NS_PER_MS);

	for (unsigned r = 0; r < p->site.set.n; r++)
		if (p->before[r].reading == REGISTER_VALUE && p->before[r].record.value.epoch > epoch)
			epoch = p->before[r].record.value.epoch;
	return epoch;
}

/* moved: the first register that is not as it was before; n: none. */
static unsigned
moved(const struct repair *p, const struct register_reply now[LEASE_REGISTERS])
{
	unsigned r = 0;

	while (r < p->site.set.n && now[r].reading == p->before[r].reading && now[r].rev == p->before[r].rev)
		r++;
	return r;
}

/* settle: until nothing has moved for longer than any lease lasts.  Members whose streams went away campaign
 * on, on the register that is left, until they have seen what became of the others: they look every few seconds
 * (link.c), so the wait for stillness alone would hardly outlast them.  Who moves for longer is no such member. */
static enum err_code
settle(struct repair *p, struct err *err)
{
	struct mono begin = clock_mono(clock_system()), since = begin;
	struct register_reply now[LEASE_REGISTERS];
	enum err_code code = ERR_OK;

	while (code == ERR_OK && !mono_reached(clock_mono(clock_system()), mono_after(since, longest_wait(p)))) {
		thread_pause(LOOK_NS);
		if ((code = read_all(p, now, err)) != ERR_OK)
			break;
		unsigned r = moved(p, now);
		if (r == p->site.set.n)
			continue;
		memcpy(p->before, now, sizeof p->before);
		since = clock_mono(clock_system());
		if (mono_since(since, begin) > PATIENCE_NS)
			code = err_set(err, ERR_REVISION, "register %u was written meanwhile: somebody is at work in group %s",
			    number_of(p, r), p->gid);
	}
	return code;
}

static unsigned
blanks(const struct repair *p)
{
	unsigned n = 0;

	for (unsigned r = 0; r < p->site.set.n; r++)
		n += p->before[r].reading == REGISTER_BLANK;
	return n;
}

static enum err_code
write_released(struct repair *p, unsigned r, struct err *err)
{
	struct lease_record rec = { .value = { .mark = LEASE_MARK_RELEASED, .epoch = p->out->epoch, .counter = 1, .d_ms = 240,
		.l_ms = 320, .nonce = { id_random(), id_random() } }, .holder = HOLDER };
	enum err_code code = streams_write(p->conn, number_of(p, r), p->gid, &rec, 0, err);

	if (code == ERR_OK) {
		p->out->registers++;
		size_t n = strlen(p->out->note[r]);
		snprintf(p->out->note[r] + n, sizeof p->out->note[r] - n, "%sit was empty and is released with epoch %llu",
		    n > 0 ? "; " : "", (unsigned long long)p->out->epoch);
	}
	return code;
}

static enum err_code
fill(struct repair *p, struct err *err)
{
	enum err_code code = read_all(p, p->before, err);

	if (code != ERR_OK || blanks(p) < 2 || (code = settle(p, err)) != ERR_OK || blanks(p) < 2)
		return code;
	p->out->epoch = next_epoch(p);
	for (unsigned r = 0; r < p->site.set.n && code == ERR_OK; r++)
		if (p->before[r].reading == REGISTER_BLANK)
			code = write_released(p, r, err);
	return code;
}

static enum err_code
check_names(const char *service, const char *group, struct err *err)
{
	enum err_code code = strcmp(service, ELECT_SERVICE) != 0 ? name_check(NAME_SERVICE_CALLED, service, err) : ERR_OK;

	return code != ERR_OK ? code : name_check(NAME_GROUP, group, err);
}

enum err_code
repair_group(struct conn *c, const char *service, const char *group, struct repaired *out, struct err *err)
{
	struct repair p = { .conn = c, .out = out };
	enum err_code code;

	memset(out, 0, sizeof *out);
	if ((code = check_names(service, group, err)) != ERR_OK || (code = site_load(c, &p.site, err)) != ERR_OK)
		return code;
	snprintf(p.gid, sizeof p.gid, "%s__%s", service, group);
	out->n = p.site.set.n;
	for (unsigned r = 0; r < out->n; r++)
		if ((code = mend_stream(&p, r, err)) != ERR_OK)
			return code;
	return fill(&p, err);
}

/* --- what all members use ------------------------------------------------------------------ */

static enum err_code
check_fence(const char *fence, struct err *err)
{
	uint64_t lanes;

	if (strcmp(fence, "gate") == 0 || strcmp(fence, "stream") == 0 ||
	    (strncmp(fence, "stream:", 7) == 0 && num_uint(fence + 7, &lanes) && lanes >= 2 && lanes <= LEASE_LANES))
		return ERR_OK;
	return err_set(err, ERR_INVALID, "fence '%.40s' is none of gate, stream, stream:2 to stream:%d", fence, LEASE_LANES);
}

/* check_still: nobody leads; who would lose its lead to another profile is to say so itself. */
static enum err_code
check_still(struct conn *c, const char *service, const char *group, struct err *err)
{
	struct observed s;
	enum err_code code = observe(c, service, group, &s, err);

	if (code != ERR_OK)
		return code;
	if (s.led)
		return err_set(err, ERR_REVISION, "'%s' leads group '%s' of %s; stop its members first", s.instance, group,
		    strcmp(service, ELECT_SERVICE) == 0 ? "aegis elect" : service);
	if (!s.certain)
		return err_set(err, ERR_UNAVAILABLE, "whether somebody leads group '%s' is not known: too few registers answer", group);
	return ERR_OK;
}

enum err_code
repair_terms(struct conn *c, const char *service, const char *group, const char *profile, const char *fence,
    struct lease_group_record *now, struct err *err)
{
	const struct kv kv = { c, META_BUCKET };
	struct profile p;
	struct kv_entry e;
	char key[256];
	uint64_t revision;
	enum err_code code;

	if ((code = check_names(service, group, err)) != ERR_OK ||
	    (profile != NULL && (code = profile_find(profile, NS_PER_MS, &p, err)) != ERR_OK) ||
	    (fence != NULL && (code = check_fence(fence, err)) != ERR_OK) || (code = check_still(c, service, group, err)) != ERR_OK)
		return code;
	snprintf(key, sizeof key, "group__%s__%s", service, group);
	if ((code = kv_get(&kv, key, &e, err)) != ERR_OK)
		return code == ERR_NOT_FOUND ? err_set(err, code, "group '%s' has no record; its first member says what it uses", group)
		    : code;
	code = lease_group_decode(e.value, e.n, now, err);
	revision = e.revision;
	kv_entry_release(&e);
	if (code != ERR_OK)
		return code;
	if (profile != NULL)
		snprintf(now->profile, sizeof now->profile, "%s", profile);
	if (fence != NULL)
		snprintf(now->fence, sizeof now->fence, "%s", fence);
	struct str text = STR_INIT;
	lease_group_encode(now, &text);
	code = kv_put(&kv, &(struct kv_put){ .key = key, .value = text.p, .n = text.len, .expect = revision }, &revision, err);
	str_release(&text);
	return code;
}
