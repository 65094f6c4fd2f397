/* elector_beat.c - fast beats (election.md §9): hints about who is there, and the control message to step
 * down.  Wrong knowledge of peers only costs time. */
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/subject.h"
#include "election/elector_inner.h"
#include "sys/clock.h"

#define BEATS_MAX 1024		/* waiting in the library */

struct beat_mail {
	struct site_mail mail;
	struct beat beat;
	char instance[129];
};

struct control_mail {
	struct site_mail mail;
	struct stepdown ask;
	char reply[CONN_INBOX_MAX * 2];
	struct err err;
};

/* --- what goes out ------------------------------------------------------------------------ */

void
beat_now(struct elector *e)
{
	struct beat b = { .hot = e->o.hot, .nonce = e->nonce, .before = e->before, .seq = ++e->beat_seq };
	struct str text = STR_INIT;

	if (conn_state(e->o.site->o.conn) != CONN_UP)
		return;			/* a beat that was kept for later would be a lie */
	snprintf(b.group, sizeof b.group, "%s", e->group);
	snprintf(b.state, sizeof b.state, "%s", lease_state_name(e->role.state));
	snprintf(b.how, sizeof b.how, "%s", e->how);
	if (e->role.state == LEASE_ACTIVE || e->role.state == LEASE_SUSPECT || e->role.state == LEASE_DRAINING)
		b.epoch = e->role.epoch;
	beat_encode(&b, &text);
	struct subject subject = subject_beat(e->service, e->instance);
	conn_publish(e->o.site->o.conn, &(struct conn_msg){ .subject = subject.s, .data = text.p, .n = text.len, .urgent = true },
	    NULL);
	str_release(&text);
}

/* --- who is there ------------------------------------------------------------------------- */

static void
feed(struct elector *e)
{
	for (unsigned i = 0; i < e->n_peers; i++)
		e->fed[i] = (struct lease_peer){ e->peer[i].nonce, e->peer[i].hot };
	if (e->begun)
		elector_event(e, &(struct lease_event){ .kind = LEASE_EV_PEERS, .peers = e->fed, .n_peers = e->n_peers });
}

static void
on_beat_timer(void *arg)
{
	struct elector *e = arg;
	struct mono now = loop_now(e->loop);
	unsigned kept = 0;

	for (unsigned i = 0; i < e->n_peers; i++)
		if (mono_since(now, e->peer[i].heard) < BEAT_SILENT_NS)
			e->peer[kept++] = e->peer[i];
	bool gone = kept != e->n_peers;
	e->n_peers = kept;
	loop_timer_set(e->loop, &e->beat_timer, mono_after(now, BEAT_EVERY_NS), on_beat_timer, e);
	if (gone)
		feed(e);
	if (atomic_load(&e->gate.barred) & GATE_BAR_JUMP)
		meta_flush(e);		/* the last attempt failed */
	beat_now(e);
	atomic_store(&e->counters.urgency[ELECTOR_LOOP], (int)urgent_judge(&e->urgent));
	atomic_store(&e->counters.urgency[ELECTOR_LINKS], atomic_load(&e->o.site->urgency));
	status_publish(e);
}

static struct elector_peer *
peer_of(const struct elector *e, struct lease_nonce nonce)
{
	for (unsigned i = 0; i < e->n_peers; i++)
		if (lease_nonce_is(e->peer[i].nonce, nonce))
			return (struct elector_peer *)(uintptr_t)&e->peer[i];
	return NULL;
}

const struct elector_peer *
beat_peer_of(const struct elector *e, struct lease_nonce nonce)
{
	return peer_of(e, nonce);
}

const struct elector_peer *
beat_peer(const struct elector *e, const char *instance)
{
	for (unsigned i = 0; i < e->n_peers; i++)
		if (strcmp(e->peer[i].instance, instance) == 0)
			return &e->peer[i];
	return NULL;
}

static void
on_beat_mail(struct site *s, struct site_user *u, struct site_mail *mail)
{
	struct elector *e = CONTAINER_OF(u, struct elector, user);
	struct beat_mail *m = CONTAINER_OF(mail, struct beat_mail, mail);
	struct elector_peer *p = peer_of(e, m->beat.nonce);

	(void)s;
	if (lease_nonce_is(m->beat.nonce, e->nonce))
		return;
	bool fresh = p == NULL || p->hot != m->beat.hot;
	if (p == NULL) {
		if (e->n_peers == LEASE_PEERS_MAX)
			return;		/* more do not count for the rank */
		p = &e->peer[e->n_peers++];
		p->nonce = m->beat.nonce;
	}
	p->hot = m->beat.hot;
	p->epoch = m->beat.epoch;
	p->heard = loop_now(e->loop);
	memcpy(p->instance, m->instance, sizeof p->instance);
	if (fresh)
		feed(e);
	status_holder(e);
}

/* on_beat: any delivery thread.  Of other groups of the service nobody here wants to know. */
static void
on_beat(void *arg, struct msg *msg)
{
	struct elector *e = arg;
	const char *instance = strrchr(msg_subject(msg), '.');
	struct beat b;

	if (instance != NULL && strlen(instance + 1) < sizeof e->peer[0].instance &&
	    beat_decode(msg_data(msg), msg_size(msg), &b, NULL) == ERR_OK && strcmp(b.group, e->group) == 0) {
		struct beat_mail *m = mem_new(sizeof *m);
		m->beat = b;
		snprintf(m->instance, sizeof m->instance, "%s", instance + 1);
		site_post(e->o.site, &m->mail, e->user.number, on_beat_mail, false);
	}
	msg_free(msg);
}

/* --- control ------------------------------------------------------------------------------ */

static enum err_code
step_down(struct elector *e, struct control_mail *m, struct err *err)
{
	const char *to = m->ask.to[0] != '\0' ? m->ask.to : NULL;

	if (m->err.code != ERR_OK)
		return *err = m->err, err->code;
	if (!e->begun || !lease_owns(&e->lease, e->lease.opening))
		return err_set(err, ERR_NOT_ACTIVE, "%s does not lead %s", e->instance, e->gid);
	if (to != NULL && beat_peer(e, to) == NULL)
		return err_set(err, ERR_NOT_FOUND, "no live member '%s' in group %s", to, e->gid);
	if (e->o.stepdown != NULL)
		e->o.stepdown(e->o.arg, to);
	return elector_resign(e, to, false, err);
}

static void
on_control_mail(struct site *s, struct site_user *u, struct site_mail *mail)
{
	struct elector *e = CONTAINER_OF(u, struct elector, user);
	struct control_mail *m = CONTAINER_OF(mail, struct control_mail, mail);
	struct str text = STR_INIT;
	struct err err = { 0 };

	(void)s;
	enum err_code code = step_down(e, m, &err);
	stepdown_answer_encode(code != ERR_OK ? err.text : NULL, &text);
	if (m->reply[0] != '\0')
		conn_publish(e->o.site->o.conn, &(struct conn_msg){ .subject = m->reply, .data = text.p, .n = text.len,
			.urgent = true }, NULL);
	str_release(&text);
}

static void
on_control(void *arg, struct msg *msg)
{
	struct elector *e = arg;
	struct control_mail *m = mem_new(sizeof *m);
	const char *reply = msg_reply(msg);

	stepdown_decode(msg_data(msg), msg_size(msg), &m->ask, &m->err);
	/* Of another group of this instance: its own elector answers. */
	bool ours = m->ask.group[0] == '\0' || strcmp(m->ask.group, e->group) == 0;
	if (reply != NULL && strlen(reply) < sizeof m->reply)
		snprintf(m->reply, sizeof m->reply, "%s", reply);
	msg_free(msg);
	if (ours)
		site_post(e->o.site, &m->mail, e->user.number, on_control_mail, false);
	else
		mem_free(m);
}

/* --- life --------------------------------------------------------------------------------- */

enum err_code
beat_start(struct elector *e, struct err *err)
{
	struct conn *c = e->o.site->o.conn;
	struct subject beats = subject_beat(e->service, NULL);
	struct subject control = subject_control(e->service, e->instance, "stepdown");

	e->beats = sub_new(&(struct sub_opts){ .conn = c, .subject = beats.s, .handler = on_beat, .arg = e,
		.max_pending = BEATS_MAX }, err);
	if (e->beats == NULL)
		return ERR_UNAVAILABLE;
	e->control = sub_new(&(struct sub_opts){ .conn = c, .subject = control.s, .handler = on_control, .arg = e,
		.max_pending = BEATS_MAX }, err);
	if (e->control == NULL)
		return ERR_UNAVAILABLE;
	loop_timer_set(e->loop, &e->beat_timer, loop_now(e->loop), on_beat_timer, e);
	return ERR_OK;
}

void
beat_end(struct elector *e)
{
	sub_free(e->beats);
	sub_free(e->control);
	e->beats = e->control = NULL;
	loop_timer_cancel(e->loop, &e->beat_timer);
}
