/* elector_meta.c - the records of a group in AEGIS_META (election.md §3.2), never waited for.
 *
 * One job of a kind is under way at a time, on the site's workers; a job knows its elector only on
 * the loop, and loses it when the elector goes.  What fails is tried again: reading after 200 ms,
 * because nothing begins without it; writing after a pause that doubles to 30 s. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "election/elector_inner.h"
#include "election/streams.h"
#include "nats/kv.h"
#include "sys/clock.h"

#define READ_AGAIN_NS (200 * NS_PER_MS)
#define WRITE_AGAIN_NS (500 * NS_PER_MS)
#define DOUBLINGS 6		/* up to 32 s */
#define FLUSH_NS (2 * NS_PER_S)
#define TRIES 8			/* at a record that others write, too */

struct meta_job {
	struct pool_job job;
	enum meta_kind kind;
	struct elector *e;		/* the loop's; NULL: gone */
	struct conn *conn;
	char key[256], changes_key[256];
	bool make;			/* GROUP: there is none yet, make it as `record` says */
	bool found;
	struct boot sent;
	struct lease_group_record record;
	struct lease_change change;
	struct lease_changes changes;
	struct err err;
};

/* --- on a worker -------------------------------------------------------------------------- */

static enum err_code
load_group(struct meta_job *j, uint64_t *revision)
{
	struct kv kv = { j->conn, META_BUCKET };
	struct kv_entry e;
	enum err_code code = kv_get(&kv, j->key, &e, &j->err);

	*revision = 0;
	if (code != ERR_OK)
		return code;
	*revision = e.revision;
	code = lease_group_decode(e.value, e.n, &j->record, &j->err);
	kv_entry_release(&e);
	return code;
}

static enum err_code
save(struct meta_job *j, const char *key, const struct str *text, uint64_t expect)
{
	struct kv kv = { j->conn, META_BUCKET };
	struct kv_put put = { .key = key, .value = text->p, .n = text->len, .expect = expect };
	uint64_t revision;

	return kv_put(&kv, &put, &revision, &j->err);
}

static enum err_code
save_group(struct meta_job *j, uint64_t expect)
{
	struct str text = STR_INIT;

	lease_group_encode(&j->record, &text);
	enum err_code code = save(j, j->key, &text, expect);
	str_release(&text);
	return code;
}

static enum err_code
load_changes(struct meta_job *j, uint64_t *revision)
{
	struct kv kv = { j->conn, META_BUCKET };
	struct kv_entry e;
	enum err_code code = kv_get(&kv, j->changes_key, &e, &j->err);

	*revision = 0;
	memset(&j->changes, 0, sizeof j->changes);
	if (code != ERR_OK)
		return code;
	*revision = e.revision;
	/* What cannot be read is history; it gives way. */
	lease_changes_decode(e.value, e.n, &j->changes, NULL);
	kv_entry_release(&e);
	return ERR_OK;
}

/* read_group: the record, or making it; *found when there is one now. */
static enum err_code
read_group(struct meta_job *j)
{
	struct lease_group_record mine = j->record;
	uint64_t revision;
	enum err_code code;

	if (j->make && (code = save_group(j, KV_ABSENT)) != ERR_OK && code != ERR_EXISTS && code != ERR_REVISION)
		return code;
	code = load_group(j, &revision);
	j->found = code == ERR_OK;
	if (!j->found)
		j->record = mine;
	if (code != ERR_OK && code != ERR_NOT_FOUND)
		return code;
	code = load_changes(j, &revision);
	return code == ERR_NOT_FOUND ? ERR_OK : code;
}

static enum err_code
write_live(struct meta_job *j)
{
	struct lease_group_record mine = j->record;
	uint64_t revision;
	enum err_code code = ERR_OK;

	for (int i = 0; i < TRIES; i++) {
		code = load_group(j, &revision);
		if (code != ERR_OK && code != ERR_NOT_FOUND)
			return code;
		if (code == ERR_NOT_FOUND)
			j->record = mine;
		if (j->record.epoch > mine.epoch)
			return ERR_OK;		/* a later holder was faster */
		j->record.state = LEASE_GROUP_LIVE;
		j->record.epoch = mine.epoch;
		if ((code = save_group(j, revision)) != ERR_REVISION && code != ERR_EXISTS)
			break;
	}
	return code;
}

static bool
has_change(const struct lease_changes *c, uint64_t epoch)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->list[i].epoch == epoch)
			return true;
	return false;
}

static enum err_code
write_changes(struct meta_job *j)
{
	struct str text = STR_INIT;
	uint64_t revision;
	enum err_code code = ERR_OK;

	for (int i = 0; i < TRIES; i++) {
		code = load_changes(j, &revision);
		if (code != ERR_OK && code != ERR_NOT_FOUND)
			break;
		if (has_change(&j->changes, j->change.epoch)) {
			code = ERR_OK;		/* stored by an attempt whose answer was lost */
			break;
		}
		lease_changes_add(&j->changes, &j->change);
		str_clear(&text);
		lease_changes_encode(&j->changes, &text);
		if ((code = save(j, j->changes_key, &text, revision)) != ERR_REVISION && code != ERR_EXISTS)
			break;
	}
	str_release(&text);
	return code;
}

static void
work(struct pool_job *job)
{
	struct meta_job *j = CONTAINER_OF(job, struct meta_job, job);
	enum err_code code;

	switch (j->kind) {
	case META_GROUP:
		code = read_group(j);
		break;
	case META_LIVE:
		if ((code = write_live(j)) == ERR_OK)
			code = write_changes(j);
		break;
	default:
		code = conn_flush(j->conn, FLUSH_NS, &j->err);
		break;
	}
	if (code == ERR_OK)
		j->err.code = ERR_OK;
	else
		j->err.code = code;
}

/* --- on the loop -------------------------------------------------------------------------- */

static void start_group(struct elector *e, bool make);
static void start_live(struct elector *e);

static void
on_group_timer(void *arg)
{
	start_group(arg, false);
}

static void
on_live_timer(void *arg)
{
	start_live(arg);
}

/* pause_after: one more failure to write; how long until it is tried again. */
static int64_t
pause_after(unsigned *failures)
{
	int64_t wait = WRITE_AGAIN_NS << (*failures < DOUBLINGS ? *failures : DOUBLINGS);

	++*failures;
	return wait;
}

static void
complain(struct elector *e, const struct meta_job *j)
{
	atomic_fetch_add(&e->counters.meta_failures, 1);
	log_warning(EV_ELECTION_META, LOG_F(LOG_S("group", e->gid), LOG_S("err", j->err.text)), "%s",
	    j->kind == META_GROUP ? j->make ? "the record of the group cannot be made; trying again" :
	    "the record of the group cannot be read; trying again" :
	    j->kind == META_LIVE ? "the record of the group cannot be written; leading goes on, trying again" :
	    "the data connection does not answer; exclusive calls are refused until it does");
}

static void
mismatch(struct elector *e, const char *what, const char *theirs, const char *ours)
{
	bool bare = strcmp(e->service, ELECT_SERVICE) == 0;
	struct err err = { 0 };

	err_set(&err, ERR_CONFIG, "group %s uses %s '%s', not '%s'; all members must use the same: use it here, too, or stop them all and "
	    "type `aegis elect %s%s%s --repair --set-%s %s`", e->gid, what, theirs, ours, bare ? "" : e->service, bare ? "" : "/",
	    e->group, what, ours);
	elector_refuse(e, &err);
}

/* differs: the record says something else than the owner, who is told for good. */
static bool
differs(struct elector *e, const struct lease_group_record *record, const char *profile)
{
	if (e->profile != NULL && strcmp(record->profile, profile) != 0)
		mismatch(e, "profile", record->profile, profile);
	else if (e->fence != NULL && record->fence[0] != '\0' && strcmp(record->fence, e->fence) != 0)
		mismatch(e, "fence", record->fence, e->fence);
	else
		return false;
	return true;
}

/* begin: with the record's profile; the owner's word must agree with it (§3.3). */
static void
begin(struct elector *e, const struct meta_job *j)
{
	const char *name = j->found ? j->record.profile : e->profile != NULL ? e->profile : "default";
	struct timespec res = { 0 };
	struct profile p;
	struct err err = { 0 };

	clock_getres(CLOCK_BOOTTIME, &res);
	if (j->found && differs(e, &j->record, e->profile))
		return;
	if (profile_find(name, res.tv_sec * NS_PER_S + res.tv_nsec, &p, &err) != ERR_OK) {
		err.code = ERR_CONFIG;
		elector_refuse(e, &err);
		return;
	}
	e->group_missing = !j->found;
	elector_begin(e, &p);
}

/* decide: the record of a group that has none (§3.2): new if Q registers were read and all were blank, live
 * if any was not.  False while too few were read. */
static bool
decide(const struct elector *e, enum lease_group *out)
{
	const struct lease *l = &e->lease;
	unsigned known = 0, blank = 0;

	for (unsigned r = 0; r < l->opts.registers; r++) {
		known += l->reg[r].known;
		blank += l->reg[r].known && l->reg[r].value.mark == LEASE_MARK_BLANK;
	}
	*out = blank == known ? LEASE_GROUP_NEW : LEASE_GROUP_LIVE;
	return known >= l->opts.registers / 2 + 1;
}

static void
group_done(struct elector *e, struct meta_job *j)
{
	if (j->err.code != ERR_OK) {
		int64_t wait = j->make ? pause_after(&e->group_failures) : READ_AGAIN_NS;
		complain(e, j);
		loop_timer_set(e->loop, &e->group_timer, mono_after(loop_now(e->loop), wait), on_group_timer, e);
		return;
	}
	if (j->found)
		e->group_failures = 0;
	e->changes = j->changes;
	if (!e->begun) {
		if (!e->failed)
			begin(e, j);
		return;
	}
	e->group_missing = !j->found;
	if (j->found && differs(e, &j->record, e->settings.name))
		return;
	if (!j->found) {
		meta_viewed(e);
		return;
	}
	bool wanted = e->group_wanted;
	/* An answer to an earlier question says nothing about a later blank view: ask again. */
	if (wanted && j->sent.ns != e->group_sent.ns) {
		start_group(e, false);
		return;
	}
	e->group_wanted = false;
	if (wanted)
		elector_event(e, &(struct lease_event){ .kind = LEASE_EV_GROUP, .group = j->record.state, .epoch = j->record.epoch,
			.sent = j->sent });
}

static void
live_done(struct elector *e, struct meta_job *j)
{
	if (j->err.code == ERR_OK) {
		e->failures = 0;
		e->changes = j->changes;
		if (e->change.epoch == j->change.epoch)
			e->live_wanted = false;
		else
			start_live(e);
		status_publish(e);
		return;
	}
	complain(e, j);
	loop_timer_set(e->loop, &e->live_timer, mono_after(loop_now(e->loop), pause_after(&e->failures)), on_live_timer, e);
}

static void
flush_done(struct elector *e, struct meta_job *j)
{
	if (e->flush_again)
		meta_bar(e);
	else if (j->err.code == ERR_OK)
		gate_bar(&e->gate, GATE_BAR_JUMP, false);
	else
		complain(e, j);		/* the next beat tries again */
}

static void
done(struct pool_job *job)
{
	struct meta_job *j = CONTAINER_OF(job, struct meta_job, job);
	struct elector *e = j->e;

	if (e != NULL) {
		e->job[j->kind] = NULL;
		if (j->kind == META_GROUP)
			group_done(e, j);
		else if (j->kind == META_LIVE)
			live_done(e, j);
		else
			flush_done(e, j);
	}
	mem_free(j);
}

/* start: false when one of the kind is under way, or the workers are full. */
static struct meta_job *
job_new(struct elector *e, enum meta_kind kind)
{
	struct meta_job *j = mem_new(sizeof *j);

	j->job.work = work;
	j->job.done = done;
	j->kind = kind;
	j->e = e;
	j->conn = e->o.site->o.conn;
	snprintf(j->key, sizeof j->key, "group__%s", e->gid);
	snprintf(j->changes_key, sizeof j->changes_key, "changes__%s", e->gid);
	snprintf(j->record.fence, sizeof j->record.fence, "%s", e->fence != NULL ? e->fence : "gate");
	snprintf(j->record.profile, sizeof j->record.profile, "%s", e->begun ? e->settings.name : "");
	return j;
}

static bool
run(struct elector *e, struct meta_job *j)
{
	if (e->job[j->kind] == NULL && pool_run(e->o.site->pool, &j->job) == ERR_OK) {
		e->job[j->kind] = j;
		return true;
	}
	mem_free(j);
	return false;
}

static void
start_group(struct elector *e, bool make)
{
	struct meta_job *j;

	if (e->job[META_GROUP] != NULL)
		return;			/* when it is done, what is wanted by then is looked at */
	j = job_new(e, META_GROUP);
	j->sent = e->group_sent;
	j->make = make && decide(e, &j->record.state);
	if (!run(e, j))
		loop_timer_set(e->loop, &e->group_timer, mono_after(loop_now(e->loop), READ_AGAIN_NS), on_group_timer, e);
}

static void
start_live(struct elector *e)
{
	struct meta_job *j;

	if (!e->live_wanted || e->job[META_LIVE] != NULL)
		return;
	j = job_new(e, META_LIVE);
	j->record.state = LEASE_GROUP_LIVE;
	j->record.epoch = e->change.epoch;
	j->change = e->change;
	if (!run(e, j))
		loop_timer_set(e->loop, &e->live_timer, mono_after(loop_now(e->loop), WRITE_AGAIN_NS), on_live_timer, e);
}

void
meta_start(struct elector *e)
{
	start_group(e, false);
}

void
meta_group(struct elector *e, struct boot sent)
{
	e->group_wanted = true;
	e->group_sent = sent;
	start_group(e, false);
}

void
meta_viewed(struct elector *e)
{
	enum lease_group state;

	/* Registers are seen many times a second; what failed a moment ago waits for its time. */
	if (e->group_missing && !loop_timer_pending(&e->group_timer) && decide(e, &state))
		start_group(e, true);
}

void
meta_live(struct elector *e, uint64_t epoch, enum lease_reason reason)
{
	e->live_wanted = true;
	e->failures = 0;
	e->change = (struct lease_change){ .epoch = epoch, .at = clock_wall(e->clock) };
	snprintf(e->change.instance, sizeof e->change.instance, "%s", e->instance);
	snprintf(e->change.reason, sizeof e->change.reason, "%s", lease_reason_name(reason));
	start_live(e);
}

void
meta_bar(struct elector *e)
{
	gate_bar(&e->gate, GATE_BAR_JUMP, true);
	/* One that is under way began before this. */
	e->flush_again = e->job[META_FLUSH] != NULL;
	meta_flush(e);
}

void
meta_flush(struct elector *e)
{
	struct meta_job *j;

	if (e->job[META_FLUSH] != NULL)
		return;
	j = job_new(e, META_FLUSH);
	run(e, j);
}

void
meta_end(struct elector *e)
{
	for (unsigned k = 0; k < META_KINDS; k++)
		if (e->job[k] != NULL)
			e->job[k]->e = NULL;
	loop_timer_cancel(e->loop, &e->group_timer);
	loop_timer_cancel(e->loop, &e->live_timer);
}
