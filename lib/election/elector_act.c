/* elector_act.c - between the lease and the links: what it asks for is sent, what comes back is told. */
#include <stdio.h>
#include <string.h>

#include "base/hist.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/str.h"
#include "election/elector_inner.h"
#include "election/streams.h"
#include "sys/clock.h"

static struct link *
link_of(const struct elector *e, unsigned reg)
{
	return e->o.site->link[reg];
}

/* --- actions ------------------------------------------------------------------------------ */

/* note_conns: which connections a successor may kick.  Asked for before each hold, as they change with
 * every reconnect. */
static void
note_conns(struct elector *e)
{
	e->n_conns = 0;
	for (unsigned i = 0; i < LEASE_CONNS && e->o.data[i] != NULL; i++) {
		struct lease_conn *c = &e->conns[e->n_conns];
		conn_server_id(e->o.data[i], c->server, sizeof c->server);
		c->cid = conn_client_id(e->o.data[i]);
		e->n_conns += c->server[0] != '\0' && c->cid != 0;
	}
}

static void
write_register(struct elector *e, const struct lease_action *a)
{
	struct lease_record r = { .value = a->value, .written = clock_wall(e->clock), .conns = e->n_conns };
	struct str text = STR_INIT;

	snprintf(r.holder, sizeof r.holder, "%s", e->instance);
	memcpy(r.conn, e->conns, sizeof r.conn);
	lease_encode(&r, &text);
	atomic_fetch_add(&e->counters.writes, 1);
	if (!link_write(link_of(e, a->reg), &e->user, a->id, a->rev, text.p, text.len))
		elector_event(e, &(struct lease_event){ .kind = LEASE_EV_LOST, .reg = a->reg, .id = a->id });
	str_release(&text);
}

static void
admit(struct elector *e, bool on)
{
	e->admits = on;
	gate_admit(&e->gate, on);
	if (e->o.admit != NULL)
		e->o.admit(e->o.arg, on);
}

/* kick: a frozen holder keeps its place in queue groups until its server notices (§6). */
static void
kick(struct elector *e, struct lease_nonce nonce)
{
	struct conn *c = e->o.site->o.kick;
	char subject[128], body[32];

	if (c == NULL || !e->has_former || !lease_nonce_is(e->former.value.nonce, nonce))
		return;
	/* Who released is alive and well; its last register may just be slower than the other two. */
	for (unsigned r = 0; r < e->lease.opts.registers; r++)
		if (e->has_record[r] && e->record[r].value.mark == LEASE_MARK_RELEASED &&
		    lease_nonce_is(e->record[r].value.nonce, nonce))
			return;
	for (unsigned i = 0; i < e->former.conns; i++) {
		snprintf(subject, sizeof subject, "$SYS.REQ.SERVER.%s.KICK", e->former.conn[i].server);
		int n = snprintf(body, sizeof body, "{\"cid\":%llu}", (unsigned long long)e->former.conn[i].cid);
		if (conn_publish(c, &(struct conn_msg){ .subject = subject, .data = body, .n = (size_t)n, .urgent = true }, NULL) ==
		    ERR_OK)
			atomic_fetch_add(&e->counters.kicks, 1);
	}
}

static void
alarm_of(struct elector *e, const struct lease_action *a)
{
	static const char *const text[LEASE_ALARM_COUNT] = {
		[LEASE_ALARM_UNREADABLE] = "a register holds a value that cannot be read; it is left alone",
		[LEASE_ALARM_REFUSED] = "a lease write was refused; trying again",
		[LEASE_ALARM_SLOW] = "the registers answer late; calls wait until a quorum has renewed the lease",
		[LEASE_ALARM_OVERTAKEN] = "a quorum shows another holder with a higher epoch",
		[LEASE_ALARM_BLANK] = "a register of a live group is empty; it is filled again when the others allow it",
		[LEASE_ALARM_EXPIRED] = "the lease ran out before a quorum renewed it",
	};

	/* Only some are about one register; the one that is alone has the number 0. */
	static const bool of_one[LEASE_ALARM_COUNT] = { [LEASE_ALARM_UNREADABLE] = true, [LEASE_ALARM_REFUSED] = true,
		[LEASE_ALARM_BLANK] = true };
	unsigned number = e->lease.opts.registers == 1 ? REGISTER_ALONE : a->reg + 1u;

	atomic_fetch_add(&e->counters.alarms[a->alarm], 1);
	if (of_one[a->alarm])
		log_warning(EV_ELECTION_ALARM, LOG_F(LOG_S("group", e->gid), LOG_S("alarm", lease_alarm_name(a->alarm)),
		    LOG_N("register", number), LOG_N("code", a->code)), "%s", text[a->alarm]);
	else
		log_warning(EV_ELECTION_ALARM, LOG_F(LOG_S("group", e->gid), LOG_S("alarm", lease_alarm_name(a->alarm))), "%s",
		    text[a->alarm]);
}

static void
act(struct elector *e, const struct lease_action *a)
{
	switch (a->kind) {
	case LEASE_DO_READ:
		link_read(link_of(e, a->reg), &e->user, a->sent);	/* not sent: read again a period later */
		break;
	case LEASE_DO_WRITE:
		write_register(e, a);
		break;
	case LEASE_DO_GATE:
		gate_set_epochs(&e->gate, e->lease.opening, e->lease.target);
		gate_set(&e->gate, a->until, a->hold);
		break;
	case LEASE_DO_ADMIT:
		admit(e, a->on);
		break;
	case LEASE_DO_ROLE:
		if (a->state == LEASE_CAMPAIGN)
			note_conns(e);
		status_role(e, a);
		break;
	case LEASE_DO_REAP:
		if (e->o.reap != NULL)
			e->o.reap(e->o.arg);
		break;
	case LEASE_DO_META:
		meta_live(e, a->epoch, e->lease.gained);
		break;
	case LEASE_DO_GROUP:
		meta_group(e, a->sent);
		break;
	case LEASE_DO_KICK:
		kick(e, a->nonce);
		break;
	default:
		alarm_of(e, a);
		break;
	}
}

void
elector_act(struct elector *e, const struct lease_actions *todo)
{
	const struct lease *l = &e->lease;

	for (unsigned i = 0; i < todo->n; i++)
		act(e, &todo->list[i]);
	/* A raise widens the range without touching the gate. */
	if (lease_owns(l, l->opening) && atomic_load(&e->gate.target) != l->target)
		gate_set_epochs(&e->gate, l->opening, l->target);
}

/* --- links -------------------------------------------------------------------------------- */

/* measure: once a quorum is reached its round trip must go with the profile. */
static void
measure(struct elector *e)
{
	int64_t rtt[LEASE_REGISTERS], t;
	unsigned n = e->lease.opts.registers, up = 0;
	struct err err = { 0 };

	for (unsigned r = 0; r < n; r++)
		if (e->up[r])
			rtt[up++] = link_facts(link_of(e, r))->rtt_ns;
	if (e->measured || up < n / 2 + 1)
		return;
	e->measured = true;
	for (unsigned i = 1; i < up; i++)
		for (unsigned j = i; j > 0 && rtt[j - 1] > rtt[j]; j--) {
			t = rtt[j];
			rtt[j] = rtt[j - 1];
			rtt[j - 1] = t;
		}
	if (profile_check(&e->settings, rtt[n / 2], e->lease.opts.replicated, &err) == ERR_OK)
		return;
	err.code = ERR_CONFIG;
	elector_refuse(e, &err);
}

void
elector_link(struct site_user *u, unsigned reg)
{
	struct elector *e = CONTAINER_OF(u, struct elector, user);
	const struct link_facts *f = link_facts(link_of(e, reg));

	if (!e->begun)
		return;
	if (f->up != e->up[reg]) {
		e->up[reg] = f->up;
		if (!f->up)
			e->has_record[reg] = false;
		elector_event(e, &(struct lease_event){ .kind = f->up ? LEASE_EV_LINK_UP : LEASE_EV_LINK_DOWN,
			.reg = (uint8_t)reg, .server = f->up ? lease_server(f->server) : 0 });
		measure(e);
	}
	status_publish(e);
}

void
elector_attach(struct elector *e)
{
	for (unsigned r = 0; r < e->lease.opts.registers; r++)
		if (link_of(e, r) != NULL) {
			link_watch(link_of(e, r), &e->user);
			elector_link(&e->user, r);
		}
}

/* --- views and answers -------------------------------------------------------------------- */

static void
keep_record(struct elector *e, unsigned reg, const struct lease_record *r)
{
	if (r->value.mark == LEASE_MARK_HELD && !lease_nonce_is(r->value.nonce, e->nonce)) {
		e->former = *r;
		e->has_former = true;
		e->former_seen = clock_boot(e->clock);
	}
	if (r->value.mark == LEASE_MARK_RELEASED && r->value.epoch > e->let_go)
		e->let_go = r->value.epoch;
	e->record[reg] = *r;
	e->has_record[reg] = true;
}

void
elector_view(struct site_user *u, unsigned reg, const struct link_view *v)
{
	struct elector *e = CONTAINER_OF(u, struct elector, user);
	struct lease_event ev = { .kind = LEASE_EV_VIEW, .reg = (uint8_t)reg, .rev = v->rev, .sent = v->sent };

	if (!e->begun || !e->up[reg])
		return;
	switch (v->reading) {
	case REGISTER_LOST:
		atomic_fetch_add(&e->counters.lost, 1);
		ev = (struct lease_event){ .kind = LEASE_EV_LOST, .reg = (uint8_t)reg };
		break;
	case REGISTER_BLANK:
		ev.rev = 0;
		break;
	case REGISTER_UNREADABLE:
		ev.unreadable = true;
		break;
	default:
		ev.value = v->record->value;
		if (v->rev >= e->lease.reg[reg].rev || !e->lease.reg[reg].known)
			keep_record(e, reg, v->record);
		break;
	}
	elector_event(e, &ev);
	meta_viewed(e);
}

/* note_rtt: from sending to the acknowledgement. */
static void
note_rtt(struct elector *e, unsigned reg, uint64_t id)
{
	const struct lease_register *g = &e->lease.reg[reg];

	for (unsigned i = 0; i < PROFILE_HEDGE; i++)
		if (g->flight[i].id == id)
			hist_record(e->counters.renew[reg], clock_boot(e->clock).ns - g->flight[i].sent.ns);
}

void
elector_answer(struct site_user *u, unsigned reg, const struct link_answer *a)
{
	static const enum lease_event_kind kinds[] = {
		[LEASE_ANSWER_ACK] = LEASE_EV_ACK, [LEASE_ANSWER_NACK] = LEASE_EV_NACK, [LEASE_ANSWER_LOST] = LEASE_EV_LOST,
	};
	struct elector *e = CONTAINER_OF(u, struct elector, user);
	struct lease_event ev = { .kind = kinds[a->what], .reg = (uint8_t)reg, .id = a->id };

	if (!e->begun || !e->up[reg])
		return;
	if (a->what == LEASE_ANSWER_ACK) {
		ev.rev = a->number;
		note_rtt(e, reg, a->id);
	} else {
		ev.code = (int)a->number;
		atomic_fetch_add(a->what == LEASE_ANSWER_NACK ? &e->counters.nacks : &e->counters.lost, 1);
	}
	elector_event(e, &ev);
}
