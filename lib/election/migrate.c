/* migrate.c - take every lease, close the old set, carry the epochs over, and only then name the new set.
 *
 * A lease is taken as by any other candidate, so a member that was forgotten cannot lead meanwhile, and what the
 * candidate then writes into its registers is `retired`: nobody may write there again.  A group that is born in the
 * old set behind our back is stopped by the seal: nothing is accepted there any more, so its lease runs out. */
#include "election/migrate.h"

#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/mem.h"
#include "election/elector.h"
#include "election/groups.h"
#include "election/profile.h"
#include "election/site_inner.h"
#include "election/streams.h"
#include "nats/conn.h"
#include "sys/clock.h"
#include "sys/loop.h"
#include "sys/thread.h"

#define MAILBOX 4096
#define AT_ONCE 16			/* candidates: each renews in every register until its turn has come */
#define TAKE_NS (30 * NS_PER_S)		/* for so many leases; the slowest profile waits 5.5 s */
#define PATIENCE_NS (15 * NS_PER_S)	/* until it is certain of every group that nobody leads it */
#define RETRIES 8			/* our own late renewals come in between, at most four in a register */
#define G_NS (20 * NS_PER_MS)
#define HOLDER "migrate"

struct group {
	char service[65], group[129];
	char gid[200];
};

struct migrate;

struct candidate {
	struct migrate *m;
	const struct group *group;
	struct elector *elector;
	bool led, gone;			/* its turn has come: it holds the lease, or the group is retired already */
};

struct migrate {
	struct conn *conn;
	const struct conn_opts *access;
	struct site_change site;
	struct group *v;
	size_t n, cap;
	struct loop *loop;
	struct site *registers;
	struct candidate *candidates;
	size_t under_way, count;
	struct loop_timer turn, end;
	struct err err;
};

static unsigned
number_of(const struct lease_set *set, unsigned r)
{
	return set->n == 1 ? REGISTER_ALONE : r + 1;
}

/* --- which groups ------------------------------------------------------------------------- */

static void
note_group(void *arg, const char *gid)
{
	struct migrate *m = arg;
	const char *two = strstr(gid, "__");

	if (two == NULL || two - gid > 64 || strlen(two + 2) > 128)
		return;
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->v[i].gid, gid) == 0)
			return;
	mem_grow(&m->v, &m->cap, m->n + 1, sizeof(struct group));
	struct group *g = &m->v[m->n++];
	snprintf(g->gid, sizeof g->gid, "%s", gid);
	snprintf(g->service, sizeof g->service, "%.*s", (int)(two - gid), gid);
	snprintf(g->group, sizeof g->group, "%s", two + 2);
}

/* list: every group of a register that answers; those that one of Q does not know have no grant of a quorum. */
static enum err_code
list(struct migrate *m, struct err *err)
{
	const struct lease_set *old = &m->site.old;
	struct err own;
	unsigned told = 0;

	for (unsigned r = 0; r < old->n; r++)
		told += streams_groups(m->conn, number_of(old, r), note_group, m, &own) == ERR_OK;
	if (told >= old->n / 2 + 1)
		return ERR_OK;
	return err_set(err, ERR_UNAVAILABLE, "too few of the present registers answer: %s", own.text);
}

/* nobody_leads: asked before anything is changed, because whoever is led would be stopped. */
static enum err_code
nobody_leads(struct migrate *m, struct err *err)
{
	const struct groups_list *all = groups_survey(m->conn, PATIENCE_NS, err);
	enum err_code code = ERR_OK;

	if (all == NULL)
		return err != NULL ? err->code : ERR_UNAVAILABLE;
	for (size_t i = 0; i < all->n && code == ERR_OK; i++) {
		const struct observed *s = &all->v[i];
		if (s->certain && s->led)
			code = err_set(err, ERR_REVISION, "instance '%s' leads group '%s' of %s: stop the members of every group first", s->instance,
			    s->group, strcmp(s->service, ELECT_SERVICE) == 0 ? "aegis elect" : s->service);
	}
	groups_drop(all);
	return code;
}

/* --- taking the leases -------------------------------------------------------------------- */

static bool
is_ours(const struct register_reply *reply, struct lease_nonce nonce)
{
	return reply->reading == REGISTER_VALUE && reply->record.value.mark != LEASE_MARK_RETIRED &&
	    lease_nonce_is(reply->record.value.nonce, nonce);
}

/* retire_one: true when the register is retired.  The value stays what it is but for its mark. */
static bool
retire_one(struct migrate *m, unsigned reg, const char *gid, struct lease_nonce nonce, struct err *err)
{
	for (int i = 0; i < RETRIES; i++) {
		struct register_reply reply;
		if (streams_read(m->conn, reg, gid, &reply, err) != ERR_OK)
			return false;
		if (reply.reading == REGISTER_VALUE && reply.record.value.mark == LEASE_MARK_RETIRED)
			return true;
		if (!is_ours(&reply, nonce)) {
			err_set(err, ERR_REVISION, "register %u was written by '%s' meanwhile", reg, reply.record.holder);
			return false;
		}
		reply.record.value.mark = LEASE_MARK_RETIRED;
		reply.record.conns = 0;
		enum err_code code = streams_write(m->conn, reg, gid, &reply.record, reply.rev, err);
		if (code == ERR_OK)
			return true;
		if (code != ERR_REVISION)
			return false;
	}
	return false;
}

/* retire: the lease is ours and renewed no more, so others wait while this goes on.  A quorum is enough: nobody gets one
 * any more. */
static enum err_code
retire(struct migrate *m, struct candidate *k)
{
	struct lease_nonce nonce = elector_nonce(k->elector);
	const struct lease_set *old = &m->site.old;
	struct err own = { ERR_UNAVAILABLE, "no answer" };
	unsigned done = 0;

	elector_free(k->elector);
	k->elector = NULL;
	for (unsigned r = 0; r < old->n; r++)
		done += retire_one(m, number_of(old, r), k->group->gid, nonce, &own);
	if (done >= old->n / 2 + 1)
		return ERR_OK;
	return err_set(&m->err, own.code, "group '%s' of %s could not be retired: %s", k->group->group, k->group->service, own.text);
}

/* on_turn: outside of the electors' callbacks, which must not free them. */
static void
on_turn(void *arg)
{
	struct migrate *m = arg;

	for (size_t i = 0; i < m->count && m->err.code == ERR_OK; i++) {
		struct candidate *k = &m->candidates[i];
		if (k->elector == NULL || (!k->led && !k->gone))
			continue;
		if (k->led)
			retire(m, k);
		else {
			elector_free(k->elector);
			k->elector = NULL;
		}
		m->under_way--;
	}
	if (m->under_way == 0 || m->err.code != ERR_OK)
		loop_stop(m->loop);
}

static void
on_end(void *arg)
{
	struct migrate *m = arg;

	for (size_t i = 0; i < m->count; i++) {
		struct candidate *k = &m->candidates[i];
		if (k->elector == NULL)
			continue;
		const struct elector_status *s = elector_status(k->elector);
		if (s->holder.instance[0] != '\0')
			err_set(&m->err, ERR_REVISION, "group '%s' of %s is led by '%s': stop the members of every group first", k->group->group,
			    k->group->service, s->holder.instance);
		else
			err_set(&m->err, ERR_UNAVAILABLE, "the lease of group '%s' of %s could not be taken: %s", k->group->group,
			    k->group->service, lease_obstacle_name(s->obstacle));
		elector_status_drop(s);
		break;
	}
	loop_stop(m->loop);
}

static void
on_role(void *arg, const struct elector_role *role)
{
	struct candidate *k = arg;

	k->led |= role->state == LEASE_ACTIVE;
	k->gone |= role->state == LEASE_RETIRED;
	if (role->state == LEASE_DRAINING || role->state == LEASE_FENCED || role->state == LEASE_RETIRED)
		elector_idle(k->elector);
	if (k->led || k->gone)
		loop_timer_set(k->m->loop, &k->m->turn, loop_now(k->m->loop), on_turn, k->m);
}

static void
on_failed(void *arg, const struct err *why)
{
	struct candidate *k = arg;

	if (k->m->err.code == ERR_OK)
		err_set(&k->m->err, why->code, "group '%s' of %s: %s", k->group->group, k->group->service, why->text);
	loop_stop(k->m->loop);
}

/* take: the leases of some groups at once. */
static enum err_code
take(struct migrate *m, size_t first, size_t n)
{
	struct candidate k[AT_ONCE];

	memset(k, 0, sizeof k);
	m->candidates = k;
	m->count = m->under_way = 0;
	for (size_t i = 0; i < n && m->err.code == ERR_OK; i++) {
		k[i] = (struct candidate){ .m = m, .group = &m->v[first + i] };
		k[i].elector = elector_new(&(struct elector_opts){ .site = m->registers, .service = k[i].group->service,
			.group = k[i].group->group, .instance = HOLDER, .role = on_role, .failed = on_failed, .arg = &k[i] }, &m->err);
		if (k[i].elector == NULL)
			break;
		elector_eligible(k[i].elector, true, LEASE_BY_NONE);
		m->count++;
	}
	m->under_way = m->count;
	loop_timer_set(m->loop, &m->end, mono_after(clock_mono(clock_system()), TAKE_NS), on_end, m);
	if (m->err.code == ERR_OK)
		loop_run(m->loop);
	loop_timer_cancel(m->loop, &m->end);
	loop_timer_cancel(m->loop, &m->turn);
	for (size_t i = 0; i < n; i++)
		elector_free(k[i].elector);
	return m->err.code;
}

static enum err_code
take_all(struct migrate *m, struct err *err)
{
	if ((m->loop = loop_new(clock_system(), MAILBOX, err)) == NULL)
		return ERR_SYSTEM;
	m->registers = site_new(&(struct site_opts){ .loop = m->loop, .conn = m->conn, .access = m->access, .member = HOLDER }, &m->err);
	for (size_t i = 0; i < m->n && m->registers != NULL && m->err.code == ERR_OK; i += AT_ONCE)
		take(m, i, m->n - i < AT_ONCE ? m->n - i : AT_ONCE);
	site_free(m->registers);
	loop_free(m->loop);
	if (m->err.code != ERR_OK && err != NULL)
		*err = m->err;
	return m->err.code;
}

/* --- closing the old set, filling the new one --------------------------------------------- */

static unsigned
sealed(struct migrate *m)
{
	const struct lease_set *old = &m->site.old;
	struct lease_stream s;
	unsigned n = 0;

	for (unsigned r = 0; r < old->n; r++)
		n += streams_look(m->conn, number_of(old, r), STREAMS_ASK_NS, &s, NULL) == ERR_OK && s.sealed;
	return n;
}

static enum err_code
seal(struct migrate *m, struct err *err)
{
	const struct lease_set *old = &m->site.old;
	struct err own = { ERR_UNAVAILABLE, "no answer" };

	for (unsigned r = 0; r < old->n; r++)
		streams_seal(m->conn, number_of(old, r), &own);
	return sealed(m) >= old->n / 2 + 1 ? ERR_OK : err_set(err, own.code, "too few of the old registers could be closed: %s", own.text);
}

/* last_value: the highest epoch that any register knows; *waits is how long its lease may last yet, unless a quorum is
 * retired. */
static enum err_code
last_value(struct migrate *m, const char *gid, struct lease_record *last, int64_t *waits, struct err *err)
{
	const struct lease_set *old = &m->site.old;
	struct register_reply reply;
	unsigned told = 0, retired = 0;
	int64_t longest = 0;

	memset(last, 0, sizeof *last);
	for (unsigned r = 0; r < old->n; r++) {
		if (streams_read(m->conn, number_of(old, r), gid, &reply, err) != ERR_OK)
			continue;
		told++;
		if (reply.reading != REGISTER_VALUE)
			continue;
		const struct lease_value *v = &reply.record.value;
		int64_t w = profile_wait(v->d_ms * NS_PER_MS, v->l_ms * NS_PER_MS, G_NS);
		longest = w > longest ? w : longest;
		retired += v->mark == LEASE_MARK_RETIRED;
		if (v->epoch >= last->value.epoch)
			*last = reply.record;
	}
	if (told < old->n / 2 + 1)
		return err_prefix(err, "group %s", gid), ERR_UNAVAILABLE;
	if (retired < old->n / 2 + 1 && longest > *waits)
		*waits = longest;
	return ERR_OK;
}

static enum err_code
seed(struct migrate *m, const char *gid, struct lease_record *rec, struct err *err)
{
	enum err_code code = ERR_OK;

	rec->value.mark = LEASE_MARK_RELEASED;
	rec->value.counter = 1;
	rec->value.nonce = (struct lease_nonce){ id_random(), id_random() };
	rec->value.to = (struct lease_nonce){ 0, 0 };
	rec->conns = 0;
	snprintf(rec->holder, sizeof rec->holder, "%s", HOLDER);
	for (unsigned r = 0; r < m->site.fresh.n && code == ERR_OK; r++)
		code = streams_write(m->conn, number_of(&m->site.fresh, r), gid, rec, 0, err);
	return code;
}

static enum err_code
carry_over(struct migrate *m, struct migrated *out, struct err *err)
{
	enum err_code code = list(m, err);
	int64_t waits = 0;

	for (size_t i = 0; i < m->n && code == ERR_OK; i++) {
		struct lease_record last;
		if ((code = last_value(m, m->v[i].gid, &last, &waits, err)) == ERR_OK && last.value.epoch > 0) {
			code = seed(m, m->v[i].gid, &last, err);
			out->groups++;
		}
	}
	if (code == ERR_OK && waits > 0)
		thread_pause(waits);		/* a lease that was granted before the seal, in a group that is not retired */
	return code;
}

static enum err_code
replace(struct migrate *m, struct migrated *out, struct err *err)
{
	enum err_code code;

	if ((code = nobody_leads(m, err)) != ERR_OK || (code = site_build(m->conn, out->to, &m->site, err)) != ERR_OK ||
	    (code = list(m, err)) != ERR_OK)
		return code;
	/* What an earlier attempt has closed can neither be taken nor be led. */
	if (sealed(m) < m->site.old.n / 2 + 1 && ((code = take_all(m, err)) != ERR_OK || (code = seal(m, err)) != ERR_OK))
		return code;
	if ((code = carry_over(m, out, err)) != ERR_OK)
		return code;
	return site_switch(m->conn, &m->site, err);
}

enum err_code
migrate_site(struct conn *c, const struct conn_opts *access, unsigned to, struct migrated *out, struct err *err)
{
	struct migrate m = { .conn = c, .access = access };
	struct site_set now;
	enum err_code code = site_load(c, &now, err);

	memset(out, 0, sizeof *out);
	if (code != ERR_OK)
		return code;
	out->from = now.set.n;
	out->to = to != 0 ? to : site_servers(c) >= 3 ? 3 : 1;
	if (out->from == out->to)
		return ERR_OK;
	m.site.old = now.set;
	code = replace(&m, out, err);
	mem_free(m.v);
	return code;
}
