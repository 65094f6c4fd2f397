/* event_publish.c - an event from its parts to its place in the publisher's table. */
#include "messaging/events_inner.h"

#include "base/mem.h"
#include "codec/envelope.h"
#include "codec/subject.h"
#include "messaging/guard.h"
#include "messaging/trace.h"
#include "messaging/traffic.h"
#include "model/names.h"
#include "nats/publisher.h"
#include "sys/clock.h"

static enum err_code
check(const struct event_out *e, struct err *err)
{
	enum err_code code = name_check(NAME_DOMAIN, e->domain, err);

	if (code == ERR_OK)
		code = name_check(NAME_EVENT_TYPE, e->type, err);
	if (code == ERR_OK && e->version != NULL)
		code = name_check(NAME_VERSION_EVENT, e->version, err);
	/* It is Nats-Msg-Id, too, where control characters would become others, and another's id with them. */
	if (code == ERR_OK && e->message_id != NULL && !subject_token_ok(text_of(e->message_id)))
		return err_set(err, ERR_INVALID, "event id '%.64s': it must be one word without '.', '*', '>' and blanks",
		    e->message_id);
	return code == ERR_OK ? trace_parent_check(e->traceparent, err) : code;
}

enum err_code
event_encode(const struct event_out *o, char id[ID_UUID_MAX], struct str *out, struct err *err)
{
	struct envelope e;
	char trace[ID_UUID_MAX];
	enum err_code code = check(o, err);

	if (code != ERR_OK)
		return code;
	id_uuid4(id);
	envelope_init(&e, ENVELOPE_EVENT);
	e.message_id = text_of(o->message_id != NULL ? o->message_id : id);
	e.trace_id = text_of(trace_id_told(o->trace_id, o->traceparent, trace));
	e.correlation_id = text_of(o->correlation_id);
	e.source = text_of(o->source);
	e.domain = text_of(o->domain);
	e.type = text_of(o->type);
	if (o->version != NULL)
		e.version = text_of(o->version);
	if (o->payload.p != NULL)
		e.payload = (struct value){ .type = VALUE_RAW, .u.raw = o->payload };
	if ((code = guard_event(o->guard, o->domain, o->type, &e.payload, err)) != ERR_OK)
		return code;
	return envelope_encode(&e, o->format, clock_wall(clock_system()), out, err);
}

/* What a publication points into. */
struct parts {
	struct subject to;
	struct conn_header headers[2];
};

static struct publication
publication_of(const struct event_out *e, const char *id, const struct str *body, struct parts *parts)
{
	parts->to = subject_event(e->domain, e->type);
	parts->headers[0] = (struct conn_header){ "traceparent", e->traceparent };
	parts->headers[1] = (struct conn_header){ NULL, NULL };
	return (struct publication){
		.subject = parts->to.s, .id = e->message_id != NULL ? e->message_id : id,
		.headers = e->traceparent != NULL ? parts->headers : NULL, .data = body->p, .n = body->len,
		.timeout_ns = e->timeout_ns, .gate = e->gate, .pass = e->pass,
	};
}

/* --- one that is counted ----------------------------------------------------------------- */

struct counted {
	struct traffic *traffic;
	char *domain, *type;
	struct mono began;
	publisher_done *done;		/* NULL: nobody waits */
	void *arg;
};

static void
counted_free(struct counted *c)
{
	mem_free(c->domain);
	mem_free(c->type);
	mem_free(c);
}

static void
on_end(void *arg, const struct pub_ack *ack, const struct err *err)
{
	struct counted *c = arg;

	traffic_published(c->traffic, c->domain, c->type, ack != NULL, mono_since(clock_mono(clock_system()), c->began));
	if (c->done != NULL)
		c->done(c->arg, ack, err);
	counted_free(c);
}

static enum err_code
send_counted(struct publisher *p, const struct event_out *e, const struct publication *m, publisher_done *done,
    void *arg, struct err *err)
{
	struct counted *c = mem_new(sizeof *c);

	*c = (struct counted){ e->traffic, mem_text(e->domain), mem_text(e->type), clock_mono(clock_system()), done, arg };
	enum err_code code = publisher_send(p, m, on_end, c, err);
	if (code != ERR_OK) {
		traffic_published(e->traffic, e->domain, e->type, false, -1);
		counted_free(c);
	}
	return code;
}

/* --- both ways to publish ---------------------------------------------------------------- */

enum err_code
event_publish(struct publisher *p, const struct event_out *e, publisher_done *done, void *arg, struct err *err)
{
	struct str body = STR_INIT;
	char id[ID_UUID_MAX];
	enum err_code code = event_encode(e, id, &body, err);

	if (code == ERR_OK) {
		struct parts parts;
		struct publication m = publication_of(e, id, &body, &parts);
		code = e->traffic != NULL ? send_counted(p, e, &m, done, arg, err) : publisher_send(p, &m, done, arg, err);
	}
	str_release(&body);
	return code;
}

enum err_code
event_publish_wait(struct publisher *p, const struct event_out *e, struct pub_ack *ack, struct err *err)
{
	struct str body = STR_INIT;
	char id[ID_UUID_MAX];
	enum err_code code = event_encode(e, id, &body, err);

	if (code == ERR_OK) {
		struct mono began = clock_mono(clock_system());
		struct parts parts;
		struct publication m = publication_of(e, id, &body, &parts);
		code = publisher_send_wait(p, &m, ack, err);
		traffic_published(e->traffic, e->domain, e->type, code == ERR_OK,
		    mono_since(clock_mono(clock_system()), began));
	}
	str_release(&body);
	return code;
}
