/* event_publish.c - an event from its parts to its place in the publisher's table. */
#include "messaging/events.h"

#include "base/id.h"
#include "base/str.h"
#include "codec/envelope.h"
#include "codec/subject.h"
#include "model/names.h"
#include "sys/clock.h"

static enum err_code
check_names(const struct event_out *e, struct err *err)
{
	enum err_code code = name_check(NAME_DOMAIN, e->domain, err);

	if (code == ERR_OK)
		code = name_check(NAME_EVENT_TYPE, e->type, err);
	if (code == ERR_OK && e->version != NULL)
		code = name_check(NAME_VERSION_EVENT, e->version, err);
	return code;
}

/* encode: the event as bytes; *id is what deduplicates it. */
static enum err_code
encode(const struct event_out *o, char id[ID_UUID_MAX], struct str *out, struct err *err)
{
	struct envelope e;
	enum err_code code = check_names(o, err);

	if (code != ERR_OK)
		return code;
	id_uuid4(id);
	envelope_init(&e, ENVELOPE_EVENT);
	e.message_id = text_of(o->message_id != NULL ? o->message_id : id);
	e.trace_id = text_of(o->trace_id);
	e.correlation_id = text_of(o->correlation_id);
	e.source = text_of(o->source);
	e.domain = text_of(o->domain);
	e.type = text_of(o->type);
	if (o->version != NULL)
		e.version = text_of(o->version);
	if (o->payload.p != NULL)
		e.payload = (struct value){ .type = VALUE_RAW, .u.raw = o->payload };
	return envelope_encode(&e, o->format, clock_wall(clock_system()), out, err);
}

enum err_code
event_publish(struct publisher *p, const struct event_out *e, publisher_done *done, void *arg, struct err *err)
{
	struct str body = STR_INIT;
	char id[ID_UUID_MAX];
	enum err_code code = encode(e, id, &body, err);

	if (code == ERR_OK) {
		struct subject to = subject_event(e->domain, e->type);
		code = publisher_send(p, &(struct publication){
			.subject = to.s, .id = e->message_id != NULL ? e->message_id : id, .data = body.p, .n = body.len,
			.timeout_ns = e->timeout_ns,
		}, done, arg, err);
	}
	str_release(&body);
	return code;
}

enum err_code
event_publish_wait(struct publisher *p, const struct event_out *e, struct pub_ack *ack, struct err *err)
{
	struct str body = STR_INIT;
	char id[ID_UUID_MAX];
	enum err_code code = encode(e, id, &body, err);

	if (code == ERR_OK) {
		struct subject to = subject_event(e->domain, e->type);
		code = publisher_send_wait(p, &(struct publication){
			.subject = to.s, .id = e->message_id != NULL ? e->message_id : id, .data = body.p, .n = body.len,
			.timeout_ns = e->timeout_ns,
		}, ack, err);
	}
	str_release(&body);
	return code;
}
