/* observe.c - leader reads over any connection, remembered from look to look. */
#include "election/observe.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "codec/beat.h"
#include "codec/subject.h"
#include "election/elector.h"
#include "election/observe_inner.h"
#include "election/site_inner.h"
#include "model/names.h"
#include "nats/kv.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define AGAIN_NS (20 * NS_PER_MS)
#define G_NS (20 * NS_PER_MS)
#define STREAM_NS (500 * NS_PER_MS)

struct observer {
	struct conn *conn;
	char service[65], group[129], gid[200];
	struct { bool seen, moved; uint64_t revision; struct mono since; } memory[LEASE_REGISTERS];
	struct mono began;
	struct lease_set set;		/* as known last; n 0: not yet */
};

static enum err_code
check(const char *service, const char *group, struct err *err)
{
	enum err_code code = strcmp(service, ELECT_SERVICE) != 0 ? name_check(NAME_SERVICE_CALLED, service, err) : ERR_OK;

	return code != ERR_OK ? code : name_check(NAME_GROUP, group, err);
}

struct observer *
observer_new(struct conn *c, const char *service, const char *group, struct err *err)
{
	if (check(service, group, err) != ERR_OK)
		return NULL;
	struct observer *o = mem_new(sizeof *o);
	o->conn = c;
	snprintf(o->service, sizeof o->service, "%s", service);
	snprintf(o->group, sizeof o->group, "%s", group);
	snprintf(o->gid, sizeof o->gid, "%s__%s", service, group);
	o->began = clock_mono(clock_system());
	return o;
}

void
observer_free(struct observer *o)
{
	mem_free(o);
}

/* --- reading ------------------------------------------------------------------------------ */

/* guess_set: as a register tells whose it is. */
static bool
guess_set(struct observer *o, struct lease_set *set)
{
	struct lease_stream s;

	*set = (struct lease_set){ .n = 0 };
	for (unsigned i = 0; i <= LEASE_REGISTERS && set->n == 0; i++) {
		unsigned number = (i + 1) % (LEASE_REGISTERS + 1);		/* the one that is alone at last */
		if (streams_look(o->conn, number, STREAM_NS, &s, NULL) != ERR_OK || (number == REGISTER_ALONE) != (s.n == 1) ||
		    s.n > LEASE_REGISTERS || s.sealed)
			continue;
		set->n = s.n;
		set->ready = true;
		snprintf(set->uuid, sizeof set->uuid, "%s", s.set);
	}
	return set->n != 0;
}

static enum err_code
read_set(struct observer *o, struct lease_set *set, struct err *err)
{
	struct kv kv = { o->conn, META_BUCKET };
	struct kv_entry e;
	enum err_code code = kv_get(&kv, "set", &e, err);

	if (code == ERR_NOT_FOUND)
		return err_set(err, ERR_NOT_FOUND, "no election was ever held here: there is no bucket %s with a set of registers",
		    META_BUCKET);
	if (code != ERR_OK)
		return code;
	code = lease_set_decode(e.value, e.n, set, err);
	kv_entry_release(&e);
	if (code == ERR_OK && !set->ready)
		return err_set(err, ERR_UNAVAILABLE, "the registers of this site are being made; try again");
	return code;
}

static enum err_code
read_group(struct observer *o, struct observed *out, struct err *err)
{
	struct kv kv = { o->conn, META_BUCKET };
	struct kv_entry e;
	char key[256];

	snprintf(key, sizeof key, "group__%s", o->gid);
	enum err_code code = kv_get(&kv, key, &e, err);
	if (code != ERR_OK && code != ERR_NOT_FOUND)
		return code;
	if (code == ERR_OK) {
		out->known = lease_group_decode(e.value, e.n, &out->record, NULL) == ERR_OK;
		kv_entry_release(&e);
	}
	snprintf(key, sizeof key, "changes__%s", o->gid);
	code = kv_get(&kv, key, &e, err);
	if (code != ERR_OK)
		return code == ERR_NOT_FOUND ? ERR_OK : code;
	lease_changes_decode(e.value, e.n, &out->changes, NULL);
	kv_entry_release(&e);
	return ERR_OK;
}

/* read_records: of the site and the group.  Whether somebody leads is written in the registers, so an
 * AEGIS_META that does not answer is no reason to say nothing. */
static enum err_code
read_records(struct observer *o, struct lease_set *set, struct observed *out, struct err *err)
{
	struct err own = { .code = ERR_OK };
	enum err_code code = read_set(o, set, &own);

	if (code == ERR_OK) {
		o->set = *set;
		code = read_group(o, out, &own);
	} else if (code != ERR_NOT_FOUND && o->set.n != 0) {
		*set = o->set;
	} else if (!guess_set(o, set)) {
		if (err != NULL)
			*err = own;
		return code;
	}
	if (code != ERR_OK)
		snprintf(out->no_records, sizeof out->no_records, "%.*s", (int)sizeof out->no_records - 1, own.text);
	return ERR_OK;
}

static void
remember(struct observer *o, unsigned r, struct observed_register *g)
{
	struct mono now = clock_mono(clock_system());

	if (!o->memory[r].seen || o->memory[r].revision != g->revision) {
		o->memory[r].moved = o->memory[r].seen;
		o->memory[r].seen = true;
		o->memory[r].revision = g->revision;
		o->memory[r].since = now;
	}
	g->moved = o->memory[r].moved;
	g->age_ns = mono_since(now, o->memory[r].since);
}

void
observe_site(struct conn *c, const struct lease_set *set, struct observed_site *out)
{
	memset(out, 0, sizeof *out);
	out->set = *set;
	for (unsigned r = 0; r < set->n; r++) {
		struct observed_stream *s = &out->reg[r];
		struct err err = { 0 };
		s->number = set->n == 1 ? REGISTER_ALONE : r + 1;
		/* Of three the others tell while one is away; the only one is worth waiting for. */
		s->code = streams_look(c, s->number, set->n == 1 ? STREAMS_ASK_NS : STREAM_NS, &s->stream, &err);
		if (s->code != ERR_OK)
			snprintf(s->why, sizeof s->why, "%.*s", (int)sizeof s->why - 1, err.text);
		else if (s->stream.drift[0] != '\0' || strcmp(s->stream.set, set->uuid) != 0)
			snprintf(s->why, sizeof s->why, "%.*s", (int)sizeof s->why - 1,
			    s->stream.drift[0] != '\0' ? s->stream.drift : "it belongs to another set");
	}
	out->lonely = set->n == 1 && out->reg[0].stream.replicas <= 1 && site_servers(c) >= 3;
}

static void
read_register(struct observer *o, unsigned r, const struct observed_site *site, struct observed *out)
{
	const struct observed_stream *s = &site->reg[r];
	struct observed_register *g = &out->reg[r];
	struct register_reply reply;
	struct err err = { 0 };

	g->number = s->number;
	snprintf(g->node, sizeof g->node, "%s", s->stream.leader[0] != '\0' ? s->stream.leader : site->set.node[r]);
	memcpy(g->why, s->why, sizeof g->why);
	if (s->code != ERR_OK)
		return;
	out->site.replicated |= s->stream.replicas > 1;
	if (streams_read(o->conn, g->number, o->gid, &reply, &err) != ERR_OK) {
		snprintf(g->why, sizeof g->why, "%.*s", (int)sizeof g->why - 1, err.text);
		return;
	}
	g->reached = true;
	g->reading = reply.reading;
	g->revision = reply.rev;
	g->record = reply.record;
	remember(o, r, g);
}

/* --- judging ------------------------------------------------------------------------------ */

static bool
holds(const struct observed_register *g, struct lease_nonce n)
{
	return observed_register_holds(g) && g->record.value.mark == LEASE_MARK_HELD &&
	    lease_nonce_is(g->record.value.nonce, n);
}

static int64_t
wait_of(const struct observed *s)
{
	int64_t longest = 0;

	for (unsigned r = 0; r < s->site.n; r++) {
		const struct lease_value *v = &s->reg[r].record.value;
		if (s->reg[r].reading != REGISTER_VALUE)
			continue;
		int64_t w = v->d_ms * NS_PER_MS + v->d_ms * NS_PER_MS / 50 + G_NS;
		w = w > v->l_ms * NS_PER_MS ? w : v->l_ms * NS_PER_MS;
		longest = w > longest ? w : longest;
	}
	return longest;
}

/* find_holder: who stands in a quorum as holder; the one of the highest epoch otherwise, as the last one. */
static const struct lease_record *
find_holder(const struct observed *s, bool *quorum)
{
	const struct lease_record *top = NULL;

	*quorum = false;
	for (unsigned r = 0; r < s->site.n && !*quorum; r++) {
		const struct observed_register *g = &s->reg[r];
		unsigned n = 0;
		if (!observed_register_holds(g))
			continue;
		for (unsigned i = 0; i < s->site.n; i++)
			n += holds(&s->reg[i], g->record.value.nonce);
		*quorum = n >= s->site.n / 2 + 1;
		if (top == NULL || *quorum || g->record.value.epoch > top->value.epoch)
			top = &g->record;
	}
	return top;
}

/* judge_age: of the registers that this holder has: does a quorum move, or has it stood still too long? */
static void
judge_age(struct observed *s, struct lease_nonce holder)
{
	int64_t wait = wait_of(s);
	unsigned moves = 0, still = 0, q = s->site.n / 2 + 1, mine = 0;

	for (unsigned r = 0; r < s->site.n; r++) {
		const struct observed_register *g = &s->reg[r];
		if (!holds(g, holder))
			continue;
		mine++;
		moves += g->moved && g->age_ns <= wait;
		still += g->age_ns > wait;
	}
	s->led = moves >= q;
	s->certain = s->led || mine - still < q;
}

static enum lease_obstacle
find_obstacle(const struct observed *s)
{
	unsigned q = s->site.n / 2 + 1, reached = 0, blank = 0, retired = 0;

	for (unsigned r = 0; r < s->site.n; r++) {
		const struct observed_register *g = &s->reg[r];
		reached += g->reached;
		blank += g->reached && g->reading == REGISTER_BLANK;
		retired += observed_register_holds(g) && g->record.value.mark == LEASE_MARK_RETIRED;
	}
	if (s->led)
		return LEASE_WHY_CLEAR;
	if (retired >= q)
		return LEASE_WHY_GONE;
	if (reached < q)
		return LEASE_WHY_UNPINNED;
	if (s->site.n == 3 && s->known && s->record.state == LEASE_GROUP_LIVE && reached - blank < q)
		return LEASE_WHY_EMPTY;
	return LEASE_WHY_NOT_ELIGIBLE;
}

static void
judge(struct observed *s)
{
	bool quorum;
	const struct lease_record *top = find_holder(s, &quorum);

	s->certain = true;
	if (quorum)
		judge_age(s, top->value.nonce);
	if (top != NULL) {
		snprintf(s->instance, sizeof s->instance, "%s", top->holder);
		s->epoch = top->value.epoch;
	}
	/* Outside, a hold shows the epoch that it opened with (R5). */
	if (s->led && s->changes.n > 0 && strcmp(s->changes.list[0].instance, s->instance) == 0 &&
	    s->changes.list[0].epoch <= s->epoch) {
		s->epoch = s->changes.list[0].epoch;
		s->since = s->changes.list[0].at;
	}
	s->obstacle = find_obstacle(s);
}

bool
observer_see(struct observer *o, const struct observed_site *site, struct observed *out)
{
	bool blank = true;

	memcpy(out->service, o->service, sizeof out->service);
	memcpy(out->group, o->group, sizeof out->group);
	out->site.ready = true;
	out->site.n = site->set.n;
	out->site.lonely = site->lonely;
	memcpy(out->site.uuid, site->set.uuid, sizeof out->site.uuid);
	for (unsigned r = 0; r < site->set.n; r++) {
		read_register(o, r, site, out);
		blank &= out->reg[r].reached && out->reg[r].reading == REGISTER_BLANK;
	}
	judge(out);
	return !blank;
}

enum err_code
observer_look(struct observer *o, struct observed *out, struct err *err)
{
	struct observed_site site;
	struct lease_set set;
	enum err_code code;

	memset(out, 0, sizeof *out);
	if ((code = read_records(o, &set, out, err)) != ERR_OK)
		return code;
	observe_site(o->conn, &set, &site);
	if (!observer_see(o, &site, out) && !out->known)
		return err_set(err, ERR_NOT_FOUND, "there is no group '%s' of %s: nobody ever took part in it", o->group, o->service);
	return ERR_OK;
}

enum err_code
observe(struct conn *c, const char *service, const char *group, struct observed *out, struct err *err)
{
	struct observer *o = observer_new(c, service, group, err);
	struct err own;

	if (o == NULL)
		return ERR_INVALID;
	enum err_code code = observer_look(o, out, err != NULL ? err : &own);
	while (code == ERR_OK && !out->certain) {
		thread_pause(AGAIN_NS);
		code = observer_look(o, out, err);
	}
	observer_free(o);
	return code;
}

/* --- stepping down ------------------------------------------------------------------------ */

enum err_code
observe_step_down(struct conn *c, const char *service, const char *group, const char *to, int64_t timeout_ns,
    struct err *err)
{
	struct observed s;
	struct stepdown ask = { 0 };
	struct str text = STR_INIT;
	struct msg *reply;
	enum err_code code = observe(c, service, group, &s, err);

	if (code != ERR_OK)
		return code;
	if (!s.led)
		return err_set(err, ERR_NO_MEMBER, "nobody leads group '%s' of %s", group, service);
	if (to != NULL && (code = name_check(NAME_INSTANCE_CALLED, to, err)) != ERR_OK)
		return code;
	snprintf(ask.group, sizeof ask.group, "%s", group);
	snprintf(ask.to, sizeof ask.to, "%s", to != NULL ? to : "");
	stepdown_encode(&ask, &text);
	struct subject subject = subject_control(service, s.instance, "stepdown");
	struct conn_msg m = { .subject = subject.s, .data = text.p, .n = text.len, .urgent = true };
	code = conn_request(c, &m, timeout_ns, &reply, err);
	str_release(&text);
	if (code != ERR_OK) {
		err_prefix(err, "ask %s to step down", s.instance);
		return code;
	}
	code = stepdown_answer_decode(msg_data(reply), msg_size(reply), err);
	msg_free(reply);
	return code;
}
