/* audit.c - one message per change into a stream, and from there backwards. */
#include "audit/audit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/wall.h"
#include "codec/codec.h"
#include "nats/conn.h"
#include "nats/jetack.h"
#include "nats/publisher.h"
#include "nats/stream.h"
#include "sys/clock.h"

#define PREFIX "aegis.audit."
#define NOBODY "_"			/* the last token of what concerns no service */
#define SUBJECT_MAX 256

struct audit {
	struct conn *conn;
	struct publisher *publisher;
	int64_t wait_ns;
	_Atomic uint64_t written, failed;
	atomic_bool failing;
};

struct audit *
audit_new(const struct audit_opts *o, struct err *err)
{
	struct audit *a = mem_new(sizeof *a);

	a->conn = o->conn;
	a->wait_ns = o->wait_ns > 0 ? o->wait_ns : AUDIT_WAIT_NS;
	a->publisher = publisher_new(&(struct publisher_opts){
		.conn = o->conn, .loop = o->loop, .max_pending = 256, .resend_ns = AUDIT_WAIT_NS / 4,
	}, err);
	if (a->publisher != NULL)
		return a;
	mem_free(a);
	return NULL;
}

enum err_code
audit_open(struct audit *a, struct err *err)
{
	return stream_ensure(a->conn, STREAM_AUDIT, 0, NULL, err);
}

void
audit_free(struct audit *a)
{
	if (a == NULL)
		return;
	publisher_free(a->publisher);
	mem_free(a);
}

struct audit_counters
audit_counters(const struct audit *a)
{
	return (struct audit_counters){ atomic_load(&a->written), atomic_load(&a->failed) };
}

bool
audit_failing(const struct audit *a)
{
	return atomic_load(&((struct audit *)(uintptr_t)a)->failing);
}

/* --- writing -------------------------------------------------------------------------------- */

static void
put_actor(struct pack *p, const struct audit_entry *e)
{
	pack_key_map(p, "actor", 3);
	pack_key_some(p, "id", e->actor_id);
	pack_key_some(p, "name", e->actor_name);
	pack_key_some(p, "role", e->actor_role);
}

static enum err_code
encode(const struct audit_entry *e, struct wall at, struct str *out, struct err *err)
{
	size_t bytes = (e->before.p != NULL ? e->before.n : 0) + (e->after.p != NULL ? e->after.n : 0);
	bool fits = bytes <= AUDIT_DOCUMENT_MAX;
	char when[WALL_TEXT_MAX];
	struct pack p;

	wall_rfc3339(at, when);
	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 10 + !fits);
	pack_key_some(&p, "at", when);
	put_actor(&p, e);
	pack_key_some(&p, "action", e->action);
	pack_key_some(&p, "target", e->target);
	pack_key_nonzero(&p, "before_revision", e->before_revision);
	pack_key_nonzero(&p, "after_revision", e->after_revision);
	pack_key_data(&p, "before", fits ? e->before : (struct data){ .p = NULL });
	pack_key_data(&p, "after", fits ? e->after : (struct data){ .p = NULL });
	pack_key_some(&p, "request_id", e->request_id);
	pack_key_some(&p, "peer", e->peer);
	if (!fits)
		pack_key_uint(&p, "left_out_bytes", bytes);
	return pack_end(&p, err);
}

/* store: with the stream made on the way when it is missing.  The id makes two sendings one record. */
static enum err_code
store(struct audit *a, const char *subject, const char *parent, const struct str *text, struct err *err)
{
	char id[ID_NONCE_MAX];
	const struct conn_header headers[] = { { "traceparent", parent }, { NULL, NULL } };
	struct publication m = { .subject = subject, .id = id, .headers = parent != NULL ? headers : NULL, .data = text->p, .n = text->len,
	    .timeout_ns = a->wait_ns };

	id_nonce(id);
	enum err_code code = publisher_send_wait(a->publisher, &m, NULL, err);
	if (code == ERR_NOT_FOUND && (code = stream_ensure(a->conn, STREAM_AUDIT, 0, NULL, err)) == ERR_OK)
		code = publisher_send_wait(a->publisher, &m, NULL, err);
	return code;
}

/* put_subject: where it is stored. */
static void
put_subject(const struct audit_entry *e, char out[SUBJECT_MAX])
{
	snprintf(out, SUBJECT_MAX, PREFIX "%s", e->service != NULL && e->service[0] != '\0' ? e->service : NOBODY);
}

enum err_code
audit_write(struct audit *a, const struct audit_entry *e, struct err *err)
{
	struct str text = STR_INIT;
	struct err own = { ERR_OK, "" };
	char subject[SUBJECT_MAX];

	put_subject(e, subject);
	enum err_code code = encode(e, clock_wall(clock_system()), &text, &own);
	if (code == ERR_OK)
		code = store(a, subject, e->traceparent, &text, &own);
	str_release(&text);
	if (code == ERR_OK) {
		atomic_fetch_add(&a->written, 1);
		atomic_store(&a->failing, false);
		return ERR_OK;
	}
	atomic_fetch_add(&a->failed, 1);
	atomic_store(&a->failing, true);
	log_error(EV_AUDIT_LOST, LOG_F(LOG_S("action", e->action), LOG_S("target", e->target), LOG_S("actor", e->actor_name),
	    LOG_S("request_id", e->request_id)), "'%s' did %s of '%s', and its audit record is not known to be stored: %s",
	    e->actor_name, e->action, e->target, own.text);
	if (err != NULL)
		*err = own;
	return code;
}

/* ask: one sending, and what the stream says. */
static enum err_code
ask(struct conn *conn, const char *subject, const struct str *text, struct err *err)
{
	char id[ID_NONCE_MAX];
	struct conn_header headers[] = { { "Nats-Msg-Id", id }, { NULL, NULL } };
	struct pub_ack ack;
	struct msg *reply;

	id_nonce(id);
	enum err_code code = conn_request(conn, &(struct conn_msg){
		.subject = subject, .headers = headers, .data = text->p, .n = text->len, .urgent = true,
	}, conn_timeout_ns(conn), &reply, err);
	if (code == ERR_NO_MEMBER)
		return err_set(err, ERR_NOT_FOUND, "there is no stream %s", stream_id_name(STREAM_AUDIT));
	if (code != ERR_OK)
		return code;
	switch (pub_reply_parse(msg_data(reply), msg_size(reply), &ack, err)) {
	case PUB_STORED:
		break;
	case PUB_FOREIGN:
		code = err_set(err, ERR_STORE, "the answer to '%s' is no acknowledgement", subject);
		break;
	default:
		code = ERR_STORE;
	}
	msg_free(reply);
	return code;
}

enum err_code
audit_once(struct conn *conn, const struct audit_entry *e, bool make, struct err *err)
{
	struct str text = STR_INIT;
	char subject[SUBJECT_MAX];

	put_subject(e, subject);
	enum err_code code = encode(e, clock_wall(clock_system()), &text, err);
	if (code == ERR_OK)
		code = ask(conn, subject, &text, err);
	if (code == ERR_NOT_FOUND && make && (code = stream_ensure(conn, STREAM_AUDIT, 0, NULL, err)) == ERR_OK)
		code = ask(conn, subject, &text, err);
	str_release(&text);
	return code;
}

/* --- reading -------------------------------------------------------------------------------- */

static bool
is_by(const struct value *record, const char *actor)
{
	const struct value *who = value_field(record, "actor");
	struct text t;

	return (value_text(value_field(who, "id"), &t) && text_is(t, actor)) ||
	    (value_text(value_field(who, "name"), &t) && text_is(t, actor));
}

/* is_record: what somebody else put there is not told as ours. */
static bool
is_record(const struct value *v)
{
	struct text t;

	return v->type == VALUE_MAP && value_text(value_field(v, "at"), &t) && value_text(value_field(v, "action"), &t) &&
	    value_field(v, "actor") != NULL;
}

/* tell: hands one stored message on, if it matches; service is its subject. */
static bool
tell(const struct audit_query *q, struct codec *c, const char *service, struct data d, uint64_t seq,
    void (*each)(void *arg, uint64_t seq, const struct value *record), void *arg)
{
	struct value v;

	if (strncmp(service, PREFIX, strlen(PREFIX)) != 0)
		return false;
	service += strlen(PREFIX);
	if (q->service != NULL && strcmp(service, q->service) != 0)
		return false;
	if (d.n == 0 || codec_parse(c, d, &v, NULL) != ERR_OK || !is_record(&v) || (q->actor != NULL && !is_by(&v, q->actor)))
		return false;
	each(arg, seq, &v);
	return true;
}

/* A piece of the stream, oldest first, as it came; it is told from its end. */
struct piece {
	struct { char *subject, *data; size_t n; uint64_t seq; } v[AUDIT_READ];
	size_t n;
};

static void
keep(void *arg, const struct stored *s)
{
	struct piece *p = arg;

	if (p->n == AUDIT_READ)
		return;
	p->v[p->n].subject = mem_text(msg_subject(s->msg));
	p->v[p->n].n = msg_size(s->msg);
	p->v[p->n].data = mem_text_n(msg_data(s->msg), msg_size(s->msg));
	p->v[p->n++].seq = s->seq;
}

static void
piece_clear(struct piece *p)
{
	for (size_t i = 0; i < p->n; i++) {
		mem_free(p->v[i].subject);
		mem_free(p->v[i].data);
	}
	p->n = 0;
}

/* tell_piece: newest first, as long as more is wanted; *seq is the last one that was looked at. */
static void
tell_piece(const struct audit_query *q, struct codec *c, const struct piece *p, size_t *told, uint64_t *seq,
    void (*each)(void *arg, uint64_t seq, const struct value *record), void *arg)
{
	for (size_t i = p->n; i > 0 && *told < q->limit; i--) {
		*told += tell(q, c, p->v[i - 1].subject, (struct data){ DATA_JSON, p->v[i - 1].data, p->v[i - 1].n }, p->v[i - 1].seq, each, arg);
		*seq = p->v[i - 1].seq;
	}
}

enum err_code
audit_read(struct audit *a, const struct audit_query *q,
    void (*each)(void *arg, uint64_t seq, const struct value *record), void *arg, uint64_t *next, struct err *err)
{
	struct stream_state state;
	struct piece *piece;
	size_t told = 0;

	*next = 0;
	enum err_code code = stream_look(a->conn, stream_id_name(STREAM_AUDIT), &state, err);
	if (code != ERR_OK || state.messages == 0)
		return code == ERR_NOT_FOUND ? ERR_OK : code;
	/* Sequences above `end` were looked at. */
	uint64_t end = q->before > 0 && q->before - 1 < state.last_seq ? q->before - 1 : state.last_seq;
	struct codec *c = codec_new();
	piece = mem_new(sizeof *piece);
	for (size_t looks = 0; code == ERR_OK && end >= state.first_seq && end > 0 && told < q->limit && looks < AUDIT_LOOKS; looks += AUDIT_READ) {
		uint64_t from = end >= AUDIT_READ ? end - AUDIT_READ + 1 : 1, last = from;
		code = stream_range(&(struct stream_range){
			.conn = a->conn, .stream = stream_id_name(STREAM_AUDIT), .filter = stream_id_subjects(STREAM_AUDIT),
			.from = from > state.first_seq ? from : state.first_seq, .to = end, .each = keep, .arg = piece,
		}, err);
		tell_piece(q, c, piece, &told, &last, each, arg);
		piece_clear(piece);
		end = (told < q->limit ? from : last) - 1;
	}
	if (code == ERR_OK && end >= state.first_seq && end > 0)
		*next = end + 1;
	mem_free(piece);
	codec_free(c);
	return code;
}
