/* streams.c - one table of fields; making a stream writes it, looking at one compares with it. */
#include "election/streams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/magic.h"
#include "base/str.h"
#include "codec/codec.h"
#include "codec/lease.h"
#include "nats/conn.h"
#include "nats/kv.h"
#include "sys/clock.h"


/* JetStream's error codes that mean something here. */
#define JS_STREAM_NOT_FOUND 10059
#define JS_NAME_IN_USE 10058
#define JS_NO_CLUSTER 10074
#define JS_NO_PEERS 10005

static enum err_code
code_of(int64_t js)
{
	switch (js) {
	case JS_STREAM_NOT_FOUND:
		return ERR_NOT_FOUND;
	case JS_NAME_IN_USE:
		return ERR_EXISTS;
	default:
		return ERR_STORE;
	}
}

static enum err_code
answer_of(struct msg *m, const char *verb, const char *stream, struct value *v, int64_t *js, struct err *err)
{
	struct text words = { "no reason", 9 };
	struct data d = { DATA_JSON, msg_data(m), msg_size(m) };
	enum err_code code;

	if (msg_size(m) == 0)
		return err_set(err, ERR_UNAVAILABLE, "stream '%s': JetStream does not answer", stream);
	if ((code = codec_parse(codec_mine(), d, v, err)) != ERR_OK)
		return err_prefix(err, "stream '%s': answer to %s", stream, verb), code;
	const struct value *e = value_field(v, "error");
	if (e == NULL)
		return ERR_OK;
	*js = 0;
	value_int(value_field(e, "err_code"), js);
	value_text(value_field(e, "description"), &words);
	return err_set(err, code_of(*js), "stream '%s': %s: %.*s (JetStream error %lld)", stream, verb,
	    (int)(words.n < 200 ? words.n : 200), words.p, (long long)*js);
}

static enum err_code
ask_for(struct conn *c, const char *verb, const char *stream, const char *body, int64_t timeout_ns, struct msg **reply,
    struct value *v, int64_t *js, struct err *err)
{
	char subject[256];
	struct value own;
	int64_t number = 0;

	snprintf(subject, sizeof subject, "%s.%s.%s", conn_js_prefix(c), verb, stream);
	struct conn_msg m = { .subject = subject, .data = body, .n = body != NULL ? strlen(body) : 0, .urgent = true };
	enum err_code code = conn_request(c, &m, timeout_ns, reply, err);
	if (code == ERR_NO_MEMBER)
		return err_set(err, ERR_UNAVAILABLE, "stream '%s': JetStream does not answer; it is off, or its leader is away",
		    stream);
	if (code != ERR_OK)
		return code;
	code = answer_of(*reply, verb, stream, v != NULL ? v : &own, js != NULL ? js : &number, err);
	if (code != ERR_OK) {
		msg_free(*reply);
		*reply = NULL;
	}
	return code;
}

static enum err_code
ask(struct conn *c, const char *verb, const char *stream, const char *body, struct msg **reply, struct value *v,
    int64_t *js, struct err *err)
{
	return ask_for(c, verb, stream, body, STREAMS_ASK_NS, reply, v, js, err);
}

/* --- the table ---------------------------------------------------------------------------- */

enum field_type { FIELD_INT, FIELD_BOOL, FIELD_TEXT };

struct field {
	const char *name;
	enum field_type type;
	int64_t number;			/* BOOL: 0 or 1 */
	const char *text;
};

/* §3.1.  What depends on the stream (subjects, republish, replicas, first_seq, placement, metadata) is
 * written and compared by itself. */
static const struct field lease_fields[] = {
	{ "storage", FIELD_TEXT, 0, "file" },
	{ "retention", FIELD_TEXT, 0, "limits" },
	{ "discard", FIELD_TEXT, 0, "new" },
	{ "compression", FIELD_TEXT, 0, "none" },
	{ "max_msgs_per_subject", FIELD_INT, 1, NULL },
	{ "max_msgs", FIELD_INT, -1, NULL },
	{ "max_bytes", FIELD_INT, -1, NULL },
	{ "max_age", FIELD_INT, 0, NULL },
	{ "max_msg_size", FIELD_INT, 1024, NULL },
	{ "duplicate_window", FIELD_INT, 2 * NS_PER_S, NULL },
	{ "deny_delete", FIELD_BOOL, 1, NULL },
	{ "deny_purge", FIELD_BOOL, 1, NULL },
	{ "allow_rollup_hdrs", FIELD_BOOL, 0, NULL },
	{ "allow_direct", FIELD_BOOL, 0, NULL },
	{ NULL, FIELD_INT, 0, NULL },
};

/* §3.2. */
static const struct field meta_fields[] = {
	{ "storage", FIELD_TEXT, 0, "file" },
	{ "retention", FIELD_TEXT, 0, "limits" },
	{ "discard", FIELD_TEXT, 0, "new" },
	{ "max_msgs_per_subject", FIELD_INT, 1, NULL },
	{ "max_msgs", FIELD_INT, -1, NULL },
	{ "max_bytes", FIELD_INT, -1, NULL },
	{ "max_age", FIELD_INT, 0, NULL },
	{ "deny_delete", FIELD_BOOL, 1, NULL },
	{ "allow_rollup_hdrs", FIELD_BOOL, 1, NULL },
	{ "allow_direct", FIELD_BOOL, 0, NULL },
	{ NULL, FIELD_INT, 0, NULL },
};

static uint32_t
fields_count(const struct field *f)
{
	uint32_t n = 0;

	while (f[n].name != NULL)
		n++;
	return n;
}

static void
put_fields(struct pack *p, const struct field *f)
{
	for (; f->name != NULL; f++) {
		pack_key(p, f->name);
		if (f->type == FIELD_TEXT)
			pack_puts(p, f->text);
		else if (f->type == FIELD_BOOL)
			pack_bool(p, f->number != 0);
		else
			pack_int(p, f->number);
	}
}

/* fits: an answer leaves out what is false, zero or "none". */
static bool
fits(const struct field *f, const struct value *config)
{
	const struct value *v = value_field(config, f->name);
	struct text t = { "none", 4 };
	bool on = false;
	int64_t n = 0;

	switch (f->type) {
	case FIELD_TEXT:
		value_text(v, &t);
		return text_is(t, f->text);
	case FIELD_BOOL:
		value_bool(v, &on);
		return on == (f->number != 0);
	default:
		value_int(v, &n);
		return n == f->number;
	}
}

/* --- lease streams ------------------------------------------------------------------------ */

static void
lease_name(unsigned reg, char out[32])
{
	snprintf(out, 32, "KV_AEGIS_L%u", reg);
}

static void
put_metadata(struct pack *p, const struct streams_make *o)
{
	char n[12], reg[12];

	snprintf(n, sizeof n, "%u", o->n);
	snprintf(reg, sizeof reg, "%u", o->reg);
	pack_key_map(p, "metadata", 3);
	pack_key_puts(p, "aegis.set", o->set);
	pack_key_puts(p, "aegis.n", n);
	pack_key_puts(p, "aegis.reg", reg);
}

static void
write_config(const struct streams_make *o, struct str *out)
{
	char name[32], subject[32], dest[32];
	struct pack p;

	lease_name(o->reg, name);
	snprintf(subject, sizeof subject, "$KV.AEGIS_L%u.>", o->reg);
	snprintf(dest, sizeof dest, "aegis.lease.%u.>", o->reg);
	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, fields_count(lease_fields) + 6 + (o->tag != NULL));
	pack_key_puts(&p, "name", name);
	pack_key_array(&p, "subjects", 1);
	pack_puts(&p, subject);
	pack_key_uint(&p, "num_replicas", o->replicas);
	put_fields(&p, lease_fields);
	pack_key_int(&p, "first_seq", o->first_seq);
	pack_key_map(&p, "republish", 2);
	pack_key_puts(&p, "src", subject);
	pack_key_puts(&p, "dest", dest);
	if (o->tag != NULL) {
		pack_key_map(&p, "placement", 1);
		pack_key_array(&p, "tags", 1);
		pack_puts(&p, o->tag);
	}
	put_metadata(&p, o);
	MUST(pack_end(&p, NULL) == ERR_OK);
}

static void
take_text(const struct value *v, char *out, size_t size)
{
	struct text t = { "", 0 };

	value_text(v, &t);
	snprintf(out, size, "%.*s", (int)(t.n < size ? t.n : size - 1), t.p);
}

static unsigned
take_number(const struct value *v)
{
	char text[12];

	take_text(v, text, sizeof text);
	return (unsigned)strtoul(text, NULL, 10);
}

/* drift: the first field that is not as §3.1 says. */
static void
find_drift(const struct value *config, unsigned reg, char out[200])
{
	char want[32], have[64];

	for (const struct field *f = lease_fields; f->name != NULL; f++)
		if (!fits(f, config)) {
			snprintf(out, 200, "%s is not as it must be", f->name);
			return;
		}
	const struct value *subjects = value_field(config, "subjects");
	snprintf(want, sizeof want, "$KV.AEGIS_L%u.>", reg);
	take_text(subjects != NULL && subjects->type == VALUE_ARRAY && subjects->n == 1 ? &subjects->u.items[0] : NULL, have,
	    sizeof have);
	if (strcmp(want, have) != 0) {
		snprintf(out, 200, "its subjects are not just %s", want);
		return;
	}
	snprintf(want, sizeof want, "aegis.lease.%u.>", reg);
	take_text(value_field(value_field(config, "republish"), "dest"), have, sizeof have);
	if (strcmp(want, have) != 0)
		snprintf(out, 200, "it does not republish to %s", want);
	bool ttl = false;
	if (value_bool(value_field(config, "allow_msg_ttl"), &ttl) && ttl)
		snprintf(out, 200, "allow_msg_ttl is on, so a lease could vanish");
}

static void
take_stream(const struct value *v, unsigned reg, struct lease_stream *out)
{
	const struct value *config = value_field(v, "config"), *metadata = value_field(config, "metadata");
	int64_t replicas = 1;

	memset(out, 0, sizeof *out);
	take_text(value_field(value_field(v, "cluster"), "leader"), out->leader, sizeof out->leader);
	take_text(value_field(metadata, "aegis.set"), out->set, sizeof out->set);
	out->n = take_number(value_field(metadata, "aegis.n"));
	out->reg = take_number(value_field(metadata, "aegis.reg"));
	value_int(value_field(config, "num_replicas"), &replicas);
	out->replicas = (unsigned)replicas;
	value_bool(value_field(config, "sealed"), &out->sealed);
	const struct value *peers = value_field(value_field(v, "cluster"), "replicas");
	for (uint32_t i = 0; peers != NULL && peers->type == VALUE_ARRAY && i < peers->n && out->peers < STREAM_PEERS; i++)
		take_text(value_field(&peers->u.items[i], "name"), out->peer[out->peers++], NODE_MAX);
	find_drift(config, reg, out->drift);
}

enum err_code
streams_look(struct conn *c, unsigned reg, int64_t timeout_ns, struct lease_stream *out, struct err *err)
{
	char name[32];
	struct msg *reply;
	struct value v;

	lease_name(reg, name);
	enum err_code code = ask_for(c, "STREAM.INFO", name, NULL, timeout_ns, &reply, &v, NULL, err);
	if (code != ERR_OK)
		return code;
	take_stream(&v, reg, out);
	msg_free(reply);
	return ERR_OK;
}

enum err_code
streams_make(struct conn *c, const struct streams_make *o, struct lease_stream *out, bool *refused, struct err *err)
{
	struct str body = STR_INIT;
	char name[32];
	struct msg *reply;
	struct value v;
	int64_t js = 0;

	lease_name(o->reg, name);
	write_config(o, &body);
	enum err_code code = ask(c, "STREAM.CREATE", name, str_text(&body), &reply, &v, &js, err);
	str_release(&body);
	*refused = js != 0 && js != JS_NAME_IN_USE;
	if (code != ERR_OK)
		return code;
	take_stream(&v, o->reg, out);
	msg_free(reply);
	return ERR_OK;
}

/* change: a request whose answer only says whether it was done. */
static enum err_code
change(struct conn *c, const char *verb, unsigned reg, const char *body, struct err *err)
{
	char name[32];
	struct msg *reply;

	lease_name(reg, name);
	enum err_code code = ask(c, verb, name, body, &reply, NULL, NULL, err);
	if (code == ERR_OK)
		msg_free(reply);
	return code;
}

enum err_code
streams_update(struct conn *c, const struct streams_make *o, struct err *err)
{
	struct str body = STR_INIT;

	write_config(o, &body);
	enum err_code code = change(c, "STREAM.UPDATE", o->reg, str_text(&body), err);
	str_release(&body);
	return code;
}

enum err_code
streams_move(struct conn *c, unsigned reg, const char *node, struct err *err)
{
	struct str body = STR_INIT;
	struct pack p;

	pack_init(&p, &body, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 1);
	pack_key_map(&p, "placement", 1);
	pack_key_puts(&p, "preferred", node);
	MUST(pack_end(&p, NULL) == ERR_OK);
	enum err_code code = change(c, "STREAM.LEADER.STEPDOWN", reg, str_text(&body), err);
	str_release(&body);
	return code;
}

enum err_code
streams_remove(struct conn *c, unsigned reg, struct err *err)
{
	return change(c, "STREAM.DELETE", reg, NULL, err);
}

/* write_sealed: the configuration as the server has it, whatever else stands there, and sealed. */
static void
write_sealed(const struct value *config, struct str *out)
{
	struct pack p;
	uint32_t n = 0;

	for (uint32_t i = 0; i < config->n; i++)
		n += !text_is(config->u.pairs[i].key, "sealed");
	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, n + 1);
	for (uint32_t i = 0; i < config->n; i++)
		if (!text_is(config->u.pairs[i].key, "sealed")) {
			pack_key_n(&p, config->u.pairs[i].key);
			pack_value(&p, &config->u.pairs[i].value);
		}
	pack_key_bool(&p, "sealed", true);
	MUST(pack_end(&p, NULL) == ERR_OK);
}

enum err_code
streams_seal(struct conn *c, unsigned reg, struct err *err)
{
	char name[32];
	struct str body = STR_INIT;
	struct msg *reply;
	struct value v;

	lease_name(reg, name);
	enum err_code code = ask(c, "STREAM.INFO", name, NULL, &reply, &v, NULL, err);
	if (code != ERR_OK)
		return code;
	const struct value *config = value_field(&v, "config");
	if (config != NULL && config->type == VALUE_MAP)
		write_sealed(config, &body);
	else
		code = err_set(err, ERR_STORE, "stream '%s': no configuration is told", name);
	msg_free(reply);
	if (code == ERR_OK)
		code = change(c, "STREAM.UPDATE", reg, str_text(&body), err);
	str_release(&body);
	return code;
}

/* --- AEGIS_META --------------------------------------------------------------------------- */

static void
write_meta(unsigned replicas, struct str *out)
{
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, fields_count(meta_fields) + 3);
	pack_key_puts(&p, "name", "KV_" META_BUCKET);
	pack_key_array(&p, "subjects", 1);
	pack_puts(&p, "$KV." META_BUCKET ".>");
	pack_key_uint(&p, "num_replicas", replicas);
	put_fields(&p, meta_fields);
	MUST(pack_end(&p, NULL) == ERR_OK);
}

enum err_code
streams_meta(struct conn *c, unsigned replicas, unsigned *has, bool *few, struct err *err)
{
	struct str body = STR_INIT;
	struct msg *reply;
	struct value v;
	int64_t js = 0, n = 1;

	*few = false;
	enum err_code code = ask(c, "STREAM.INFO", "KV_" META_BUCKET, NULL, &reply, &v, &js, err);
	if (code == ERR_NOT_FOUND) {
		write_meta(replicas, &body);
		code = ask(c, "STREAM.CREATE", "KV_" META_BUCKET, str_text(&body), &reply, &v, &js, err);
		str_release(&body);
	}
	*few = js == JS_NO_CLUSTER || js == JS_NO_PEERS;
	if (code != ERR_OK)
		return code;
	value_int(value_field(value_field(&v, "config"), "num_replicas"), &n);
	*has = (unsigned)n;
	msg_free(reply);
	return ERR_OK;
}

/* --- reading ------------------------------------------------------------------------------ */

enum err_code
streams_read(struct conn *c, unsigned reg, const char *gid, struct register_reply *out, struct err *err)
{
	char subject[128], body[256];
	struct msg *reply;

	snprintf(subject, sizeof subject, "%s.STREAM.MSG.GET.KV_AEGIS_L%u", conn_js_prefix(c), reg);
	int n = snprintf(body, sizeof body, "{\"last_by_subj\":\"$KV.AEGIS_L%u.%s\"}", reg, gid);
	struct conn_msg m = { .subject = subject, .data = body, .n = (size_t)n, .urgent = true };
	enum err_code code = conn_request(c, &m, STREAMS_ASK_NS, &reply, err);
	if (code != ERR_OK)
		return code == ERR_NO_MEMBER ? err_set(err, ERR_UNAVAILABLE, "register %u does not answer", reg) : code;
	register_reply_parse(msg_data(reply), msg_size(reply), out);
	msg_free(reply);
	return out->reading != REGISTER_LOST ? ERR_OK : err_set(err, ERR_UNAVAILABLE, "register %u does not answer", reg);
}

enum err_code
streams_write(struct conn *c, unsigned reg, const char *gid, const struct lease_record *rec, uint64_t expect, struct err *err)
{
	struct lease_record dated = *rec;
	char bucket[16];
	struct str text = STR_INIT;
	uint64_t revision;

	snprintf(bucket, sizeof bucket, "AEGIS_L%u", reg);
	dated.written = clock_wall(clock_system());
	lease_encode(&dated, &text);
	enum err_code code = kv_put(&(struct kv){ c, bucket },
	    &(struct kv_put){ .key = gid, .value = text.p, .n = text.len, .expect = expect }, &revision, err);
	str_release(&text);
	return code == ERR_EXISTS || code == ERR_REVISION
	    ? err_set(err, ERR_REVISION, "register %u was written meanwhile", reg) : code;
}

enum err_code
streams_groups(struct conn *c, unsigned reg, void (*each)(void *arg, const char *gid), void *arg, struct err *err)
{
	char name[32], body[96], gid[256];
	struct msg *reply;
	struct value v;

	lease_name(reg, name);
	int prefix = snprintf(body, sizeof body, "$KV.AEGIS_L%u.", reg);
	snprintf(body, sizeof body, "{\"subjects_filter\":\"$KV.AEGIS_L%u.>\"}", reg);
	enum err_code code = ask(c, "STREAM.INFO", name, body, &reply, &v, NULL, err);
	if (code != ERR_OK)
		return code;
	const struct value *all = value_field(value_field(&v, "state"), "subjects");
	for (uint32_t i = 0; all != NULL && all->type == VALUE_MAP && i < all->n; i++) {
		struct text key = all->u.pairs[i].key;
		if (key.n <= (size_t)prefix || key.n - (size_t)prefix >= sizeof gid)
			continue;
		snprintf(gid, sizeof gid, "%.*s", (int)key.n - prefix, key.p + prefix);
		each(arg, gid);
	}
	msg_free(reply);
	return ERR_OK;
}
