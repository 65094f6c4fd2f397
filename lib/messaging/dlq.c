/* dlq.c - burying, finding, raising and forgetting dead letters.
 *
 * Everything is one or two round trips to a stream; nothing here keeps state. */
#include "messaging/dlq.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/utf8.h"
#include "codec/subject.h"
#include "nats/consumer.h"

#define ERROR_MAX 1024		/* of a header */

/* one_line: text as a header may carry it. */
static void
one_line(const char *text, char out[ERROR_MAX])
{
	snprintf(out, ERROR_MAX, "%s", text);
	out[utf8_valid(out, strlen(out))] = '\0';
	for (char *c = out; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7F)
			*c = ' ';
}

enum err_code
dlq_bury(struct publisher *p, const struct burial *b, publisher_done *done, void *arg, struct err *err)
{
	const struct delivery *d = b->delivery;
	char error[ERROR_MAX], deliveries[24], id[64];

	one_line(b->error, error);
	snprintf(deliveries, sizeof deliveries, "%" PRIu64, delivery_count(d));
	snprintf(id, sizeof id, "dead-%" PRIu64 "-%" PRId64, delivery_seq(d), delivery_stored(d).ns);
	struct conn_header headers[] = {
		{ "Aegis-Error", error }, { "Aegis-Deliveries", deliveries }, { "Aegis-Subject", delivery_subject(d) },
		{ "Aegis-Instance", b->instance != NULL ? b->instance : "" }, { NULL, NULL },
	};
	if (b->instance == NULL)
		headers[3].name = NULL;
	struct subject to = subject_dead(delivery_subject(d));
	return publisher_send(p, &(struct publication){
		.subject = to.s, .id = id, .headers = headers, .data = delivery_data(d), .n = delivery_size(d),
	}, done, arg, err);
}

static const char *
header_or(const struct msg *m, const char *name, const char *otherwise)
{
	const char *v = msg_header(m, name);

	return v != NULL ? v : otherwise;
}

static void
read_letter(struct letter *out)
{
	const struct msg *m = out->stored.msg;
	const char *subject = msg_subject(m);

	out->subject = header_or(m, "Aegis-Subject", strncmp(subject, "dlq.", 4) == 0 ? subject + 4 : subject);
	out->error = header_or(m, "Aegis-Error", "");
	out->instance = header_or(m, "Aegis-Instance", "");
	out->deliveries = 0;
	num_uint(header_or(m, "Aegis-Deliveries", ""), &out->deliveries);
}

/* no_stream: nobody answers a direct read of a stream that is not there. */
static enum err_code
no_stream(struct conn *c, enum stream_id id, struct err *err)
{
	struct stream_state s;
	enum err_code code = stream_look(c, stream_id_name(id), &s, err);

	if (code == ERR_OK)
		return err_set(err, ERR_STORE, "stream '%s' does not allow direct reads; set allow_direct on it",
		    stream_id_name(id));
	return code;
}

enum err_code
dlq_next(struct conn *c, enum stream_id id, const char *filter, uint64_t from, struct letter *out, struct err *err)
{
	struct subject all = filter != NULL ? subject_dead(filter) : subject_dead(
	    id == STREAM_EVENTS_DLQ ? "events.>" : "commands.>");
	enum err_code code = stream_next(c, stream_id_name(id), all.s, from, &out->stored, err);

	if (code == ERR_NO_MEMBER)
		return no_stream(c, id, err);
	if (code == ERR_OK)
		read_letter(out);
	return code;
}

enum err_code
dlq_get(struct conn *c, enum stream_id id, uint64_t seq, struct letter *out, struct err *err)
{
	enum err_code code = stream_get(c, stream_id_name(id), seq, &out->stored, err);

	if (code == ERR_OK)
		read_letter(out);
	return code;
}

enum err_code
dlq_retry(struct conn *c, struct publisher *p, enum stream_id id, uint64_t seq, struct pub_ack *ack, struct err *err)
{
	struct letter l;
	enum err_code code = dlq_get(c, id, seq, &l, err);

	if (code != ERR_OK)
		return code;
	code = publisher_send_wait(p, &(struct publication){
		.subject = l.subject, .data = msg_data(l.stored.msg), .n = msg_size(l.stored.msg),
	}, ack, err);
	msg_free(l.stored.msg);
	if (code != ERR_OK)
		return code;
	code = dlq_remove(c, id, seq, err);
	if (code != ERR_OK)
		err_prefix(err, "published again, but the dead letter is still there");
	return code;
}

enum err_code
dlq_remove(struct conn *c, enum stream_id id, uint64_t seq, struct err *err)
{
	return stream_delete(c, stream_id_name(id), seq, err);
}
