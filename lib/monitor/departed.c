/* departed.c - those that left, of the last 24 hours, as all replicas know them.
 *
 * Whoever sees somebody leave writes it into the stream under an id made of what left and its last revision,
 * so that it stands there once, however many saw it.  Everybody hears what is written as it is published,
 * and reads the stream when it begins or comes back; so the same is known everywhere, and a question
 * costs no round trip. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/wall.h"
#include "codec/codec.h"
#include "codec/record.h"
#include "codec/subject.h"
#include "monitor/departed.h"
#include "monitor/monitor_inner.h"
#include "nats/publisher.h"
#include "nats/stream.h"

#define KEPT 1000			/* the newest; the stream has all of a day */
#define KEPT_NS (24 * 3600 * NS_PER_S)
#define WRITE_NS (30 * NS_PER_S)
#define SUBJECTS "aegis.departed.>"
#define RETRY_NS (5 * NS_PER_S)
#define TELL_NS (1 * NS_PER_S)

struct one {
	struct wall at;
	char *id, *service, *json;
};

struct departed {
	struct monitor *m;
	struct publisher *publisher;
	struct sub *sub;
	struct one v[KEPT];		/* newest first */
	size_t n;
	bool read, reading;		/* the stream was read since the connection was last lost */
	uint64_t resyncs;		/* of discovery, when it was read */
	struct mono again;
};

struct one_mail {
	struct mail mail;
	struct departed *owner;
	struct one one;
};

struct reading {
	struct pool_job job;
	struct departed *owner;
	struct one v[KEPT];
	size_t n;
	bool done;
};

static void
one_release(struct one *o)
{
	mem_free(o->id);
	mem_free(o->service);
	mem_free(o->json);
}

/* one_read: of a message, however it came. */
static bool
one_read(const struct msg *msg, struct one *out)
{
	const char *id = msg_header(msg, "Nats-Msg-Id");
	struct value v;
	struct text at, service;

	if (id == NULL || codec_parse(codec_mine(), (struct data){ DATA_JSON, msg_data(msg), msg_size(msg) }, &v, NULL) != ERR_OK ||
	    !value_text(value_field(&v, "service"), &service) || !value_text(value_field(&v, "at"), &at) ||
	    !wall_parse(at.p, at.n, &out->at))
		return false;
	out->id = mem_text(id);
	out->service = mem_text_n(service.p, service.n);
	out->json = mem_text_n(msg_data(msg), msg_size(msg));
	return true;
}

/* add: takes o over; keeps the order, each once. */
static void
add(struct departed *d, struct one *o)
{
	size_t at = 0;

	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->v[i].id, o->id) == 0) {
			one_release(o);
			return;
		}
	while (at < d->n && d->v[at].at.ns > o->at.ns)
		at++;
	if (at == KEPT) {
		one_release(o);
		return;
	}
	if (d->n == KEPT)
		one_release(&d->v[--d->n]);
	memmove(d->v + at + 1, d->v + at, (d->n - at) * sizeof d->v[0]);
	d->v[at] = *o;
	d->n++;
}

static void
one_discard(struct mail *mail)
{
	struct one_mail *o = CONTAINER_OF(mail, struct one_mail, mail);

	one_release(&o->one);
	mem_free(o);
}

static void
one_deliver(struct mail *mail)
{
	struct one_mail *o = CONTAINER_OF(mail, struct one_mail, mail);

	add(o->owner, &o->one);
	mem_free(o);
}

static void
on_one(void *arg, struct msg *msg)
{
	struct departed *d = arg;
	struct one_mail *o = mem_new(sizeof *o);

	o->mail = (struct mail){ .deliver = one_deliver, .discard = one_discard };
	o->owner = d;
	if (!one_read(msg, &o->one) || loop_post(d->m->o.loop, &o->mail) != ERR_OK)
		one_discard(&o->mail);
	msg_free(msg);
}

/* --- reading the stream ------------------------------------------------------------------- */

static void
read_work(struct pool_job *job)
{
	struct reading *r = CONTAINER_OF(job, struct reading, job);
	struct conn *conn = r->owner->m->o.conn;
	struct stream_state s;
	struct stored one;
	enum err_code code = stream_ensure(conn, STREAM_DEPARTED, 0, &s, NULL);

	if (code != ERR_OK)
		return;
	uint64_t from = s.last_seq > KEPT ? s.last_seq - KEPT + 1 : 1;
	while (r->n < KEPT && (code = stream_next(conn, stream_id_name(STREAM_DEPARTED), SUBJECTS, from, &one, NULL)) == ERR_OK) {
		r->n += one_read(one.msg, &r->v[r->n]);
		from = one.seq + 1;
		msg_free(one.msg);
	}
	r->done = code == ERR_OK || code == ERR_NOT_FOUND;
}

static void
read_done(struct pool_job *job)
{
	struct reading *r = CONTAINER_OF(job, struct reading, job);
	struct departed *d = r->owner;

	for (size_t i = 0; i < r->n; i++)
		add(d, &r->v[i]);
	d->reading = false;
	d->read = r->done;
	mem_free(r);
}

static void
read_stream(struct departed *d, struct mono now)
{
	struct reading *r = mem_new(sizeof *r);

	r->job = (struct pool_job){ .work = read_work, .done = read_done };
	r->owner = d;
	d->again = mono_after(now, RETRY_NS);
	d->resyncs = discovery_state(d->m->o.discovery).resyncs;
	d->reading = pool_run(d->m->pool, &r->job) == ERR_OK;
	if (!d->reading)
		mem_free(r);
}

void
departed_tick(struct departed *d, struct mono now)
{
	struct wall oldest = { monitor_wall(d->m).ns - KEPT_NS };

	while (d->n > 0 && d->v[d->n - 1].at.ns < oldest.ns)
		one_release(&d->v[--d->n]);
	/* What was published while the connection was away was not heard. */
	if (!d->reading && d->m->synced && mono_reached(now, d->again) &&
	    (!d->read || d->resyncs != discovery_state(d->m->o.discovery).resyncs))
		read_stream(d, now);
}

/* --- writing ------------------------------------------------------------------------------ */

static void
on_stored(void *arg, const struct pub_ack *ack, const struct err *err)
{
	(void)arg;
	(void)ack;
	if (err != NULL)
		log_warning(EV_DEPARTED_LOST, LOG_F(LOG_S("err", err->text)),
		    "that an instance left could not be stored; it is not shown among those that left");
}

/* encode: the record of one who left; by NULL: nobody knows.  The id is the caller's (mem_free). */
static char *
encode(const struct departure *x, struct str *data)
{
	const struct instance *last = x->last;

	str_puts(data, "{\"service\":");
	json_text(data, last->service);
	str_puts(data, ",\"instance\":");
	json_text(data, last->id);
	str_puts(data, ",\"at\":");
	json_time(data, x->at);
	str_printf(data, ",\"cause\":\"%s\",\"by\":", x->cause);
	if (x->by != NULL)
		json_text(data, x->by);
	else
		str_puts(data, "null");
	str_puts(data, ",\"last\":");
	instance_encode(last, data);
	str_putc(data, '}');
	return mem_printf("%s/%s@%llu", last->service, last->id, (unsigned long long)x->revision);
}

void
departed_write(struct departed *d, const struct departure *x)
{
	struct str data = STR_INIT;
	char *id = encode(x, &data);
	struct err err;

	if (publisher_send(d->publisher, &(struct publication){
		.subject = subject_departed(x->last->service, x->last->id).s, .id = id, .data = data.p, .n = data.len,
		.timeout_ns = WRITE_NS,
	    }, on_stored, NULL, &err) != ERR_OK)
		on_stored(NULL, NULL, &err);
	str_release(&data);
	mem_free(id);
}

enum err_code
departed_tell(struct conn *conn, const struct departure *x, struct err *err)
{
	struct str data = STR_INIT;
	char *id = encode(x, &data);
	const struct conn_header headers[] = { { "Nats-Msg-Id", id }, { NULL, NULL } };
	struct pub_ack ack;
	struct msg *reply = NULL;
	enum err_code code = conn_request(conn, &(struct conn_msg){
		.subject = subject_departed(x->last->service, x->last->id).s, .headers = headers, .data = data.p, .n = data.len, .urgent = true,
	}, TELL_NS, &reply, err);

	if (code == ERR_NO_MEMBER)
		code = err_set(err, ERR_NOT_FOUND, "there is no stream %s", stream_id_name(STREAM_DEPARTED));
	else if (code == ERR_OK && pub_reply_parse(msg_data(reply), msg_size(reply), &ack, err) != PUB_STORED)
		code = ERR_STORE;
	msg_free(reply);
	str_release(&data);
	mem_free(id);
	return code;
}

void
departed_list(struct departed *d, const char *service, unsigned limit, uint64_t before, uint64_t *next, struct str *out)
{
	unsigned n = 0;
	struct wall last = { 0 };

	*next = 0;
	str_putc(out, '[');
	for (size_t i = 0; i < d->n; i++) {
		if ((before > 0 && (uint64_t)d->v[i].at.ns >= before) || (service[0] != '\0' && strcmp(service, d->v[i].service) != 0))
			continue;
		if (n == limit) {
			*next = (uint64_t)last.ns;
			break;
		}
		if (n++ > 0)
			str_putc(out, ',');
		str_puts(out, d->v[i].json);
		last = d->v[i].at;
	}
	str_putc(out, ']');
}

/* --- its life ----------------------------------------------------------------------------- */

struct departed *
departed_new(struct monitor *m, struct err *err)
{
	struct departed *d = mem_new(sizeof *d);

	d->m = m;
	if ((d->publisher = publisher_new(&(struct publisher_opts){ .conn = m->o.conn, .loop = m->o.loop }, err)) == NULL ||
	    (d->sub = sub_new(&(struct sub_opts){ .conn = m->o.conn, .subject = SUBJECTS, .handler = on_one, .arg = d }, err)) == NULL) {
		departed_free(d);
		return NULL;
	}
	return d;
}

void
departed_free(struct departed *d)
{
	if (d == NULL)
		return;
	sub_free(d->sub);
	loop_discard(d->m->o.loop, one_deliver);
	publisher_free(d->publisher);
	for (size_t i = 0; i < d->n; i++)
		one_release(&d->v[i]);
	mem_free(d);
}
