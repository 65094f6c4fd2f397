/* lease.c - register values, the records of AEGIS_META, and answers to lease writes. */
#include "codec/lease.h"

#include <string.h>

#include "base/magic.h"
#include "codec/codec.h"
#include "codec/inner.h"

#define VERSION 1
#define NO_MESSAGE 10037	/* JSNoMessageFoundErr */

/* --- reading ------------------------------------------------------------------------------ */

static enum err_code
parse(const void *p, size_t n, enum value_type type, struct value *v, struct err *err)
{
	enum err_code code;

	if (n == 0)
		return err_set(err, ERR_SYNTAX, "is empty");
	if ((code = codec_parse(codec_mine(), (struct data){ DATA_JSON, p, n }, v, err)) != ERR_OK)
		return code;
	if (v->type != type)
		return err_set(err, ERR_SYNTAX, "must be %s, not %s", type == VALUE_MAP ? "a map" : "a list",
		    value_type_name(v->type));
	return ERR_OK;
}

/* take_number: a whole number from 0 to max. */
static enum err_code
take_number(const struct value *map, const char *key, uint64_t max, uint64_t *out, struct err *err)
{
	int64_t v;

	if (!value_int(value_field(map, key), &v) || v < 0)
		return err_set(err, ERR_INVALID, "%s: must be a whole number", key);
	if ((uint64_t)v > max)
		return err_set(err, ERR_INVALID, "%s: %lld is more than %llu", key, (long long)v, (unsigned long long)max);
	*out = (uint64_t)v;
	return ERR_OK;
}

static enum err_code
take_version(const struct value *map, struct err *err)
{
	uint64_t v;

	return take_number(map, "v", VERSION, &v, err);
}

/* take_text: into size bytes, terminator included. */
static enum err_code
take_text(const struct value *map, const char *key, char *out, size_t size, struct err *err)
{
	struct text t;

	if (!value_text(value_field(map, key), &t))
		return err_set(err, ERR_INVALID, "%s: must be text", key);
	if (t.n >= size || memchr(t.p, '\0', t.n) != NULL)
		return err_set(err, ERR_INVALID, "%s: '%.*s' is longer than %zu characters", key, shown(t), t.p, size - 1);
	memcpy(out, t.p, t.n);
	out[t.n] = '\0';
	return ERR_OK;
}

/* take_nonce: 32 hex digits, or empty for nobody where that is allowed. */
static enum err_code
take_nonce(const struct value *map, const char *key, bool needed, struct lease_nonce *out, struct err *err)
{
	struct text t = { "", 0 };

	value_text(value_field(map, key), &t);
	if (t.n == 0 && !needed)
		return ERR_OK;
	if (!lease_nonce_parse(t.p, t.n, out) || lease_nonce_nobody(*out))
		return err_set(err, ERR_INVALID, "%s: '%.*s' is no nonce of 32 hex digits", key, shown(t), t.p);
	return ERR_OK;
}

static enum err_code
take_mark(const struct value *map, enum lease_mark *out, struct err *err)
{
	struct text t = { "", 0 };

	value_text(value_field(map, "s"), &t);
	if (!lease_mark_parse(t.p, t.n, out))
		return err_set(err, ERR_INVALID, "s: '%.*s' is none of held, released, retired", shown(t), t.p);
	return ERR_OK;
}

/* take_conns: what can be read of them; they are a hint. */
static void
take_conns(const struct value *map, struct lease_record *r)
{
	const struct value *v = value_field(map, "conn");

	for (uint32_t i = 0; v != NULL && v->type == VALUE_ARRAY && i < v->n && r->conns < LEASE_CONNS; i++) {
		struct lease_conn *c = &r->conn[r->conns];
		if (take_text(&v->u.items[i], "sid", c->server, sizeof c->server, NULL) == ERR_OK &&
		    take_number(&v->u.items[i], "cid", INT64_MAX, &c->cid, NULL) == ERR_OK)
			r->conns++;
	}
}

enum err_code
lease_decode(const void *p, size_t n, struct lease_record *out, struct err *err)
{
	struct lease_record r = { 0 };
	uint64_t d, l, w = 0;
	struct value v;
	enum err_code code;

	if ((code = parse(p, n, VALUE_MAP, &v, err)) != ERR_OK || (code = take_version(&v, err)) != ERR_OK ||
	    (code = take_number(&v, "e", INT64_MAX - 1, &r.value.epoch, err)) != ERR_OK ||
	    (code = take_mark(&v, &r.value.mark, err)) != ERR_OK ||
	    (code = take_text(&v, "h", r.holder, sizeof r.holder, err)) != ERR_OK ||
	    (code = take_nonce(&v, "n", true, &r.value.nonce, err)) != ERR_OK ||
	    (code = take_number(&v, "c", INT64_MAX, &r.value.counter, err)) != ERR_OK ||
	    (code = take_number(&v, "D", LEASE_L_MAX_MS, &d, err)) != ERR_OK ||
	    (code = take_number(&v, "L", LEASE_L_MAX_MS, &l, err)) != ERR_OK ||
	    (code = take_nonce(&v, "to", false, &r.value.to, err)) != ERR_OK) {
		err_prefix(err, "lease value");
		return code;
	}
	r.value.d_ms = (uint32_t)d;
	r.value.l_ms = (uint32_t)l;
	if (take_number(&v, "w", INT64_MAX / (uint64_t)NS_PER_MS, &w, NULL) == ERR_OK)
		r.written.ns = (int64_t)w * NS_PER_MS;
	take_conns(&v, &r);
	*out = r;
	return ERR_OK;
}

/* --- writing ------------------------------------------------------------------------------ */

static void
put_nonce(struct pack *p, const char *key, struct lease_nonce n)
{
	char hex[LEASE_NONCE_MAX] = "";

	if (!lease_nonce_nobody(n))
		lease_nonce_format(n, hex);
	pack_key_puts(p, key, hex);
}

static void
write_lease(const struct lease_record *r, unsigned conns, struct str *out)
{
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 11);
	pack_key_uint(&p, "v", VERSION);
	pack_key_uint(&p, "e", r->value.epoch);
	pack_key_puts(&p, "s", lease_mark_name(r->value.mark));
	pack_key_puts(&p, "h", r->holder);
	put_nonce(&p, "n", r->value.nonce);
	pack_key_uint(&p, "c", r->value.counter);
	pack_key_uint(&p, "D", r->value.d_ms);
	pack_key_uint(&p, "L", r->value.l_ms);
	put_nonce(&p, "to", r->value.to);
	pack_key_array(&p, "conn", conns);
	for (unsigned i = 0; i < conns; i++) {
		pack_map(&p, 2);
		pack_key_puts(&p, "sid", r->conn[i].server);
		pack_key_uint(&p, "cid", r->conn[i].cid);
	}
	pack_key_uint(&p, "w", r->written.ns > 0 ? (uint64_t)(r->written.ns / NS_PER_MS) : 0);
	MUST(pack_end(&p, NULL) == ERR_OK);
}

void
lease_encode(const struct lease_record *r, struct str *out)
{
	size_t start = out->len;

	MUST(r->value.mark != LEASE_MARK_BLANK && r->conns <= LEASE_CONNS);
	for (unsigned conns = r->conns;; conns--) {
		write_lease(r, conns, out);
		if (out->len - start <= LEASE_VALUE_MAX)
			return;
		MUST(conns > 0);	/* names are short: without connections it fits */
		out->len = start;
		str_end(out);
	}
}

/* --- AEGIS_META --------------------------------------------------------------------------- */

void
lease_set_encode(const struct lease_set *s, struct str *out)
{
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 5);
	pack_key_uint(&p, "v", VERSION);
	pack_key_puts(&p, "set", s->uuid);
	pack_key_uint(&p, "n", s->n);
	pack_key_puts(&p, "state", s->ready ? "ready" : "creating");
	pack_key_array(&p, "nodes", s->n);
	for (unsigned i = 0; i < s->n; i++)
		pack_puts(&p, s->node[i]);
	MUST(pack_end(&p, NULL) == ERR_OK);
}

/* one_of: the text of key is a (false) or b (true). */
static enum err_code
one_of(const struct value *map, const char *key, const char *a, const char *b, bool *is_b, struct err *err)
{
	struct text t = { "", 0 };

	value_text(value_field(map, key), &t);
	if (!text_is(t, a) && !text_is(t, b))
		return err_set(err, ERR_INVALID, "%s: '%.*s' is neither %s nor %s", key, shown(t), t.p, a, b);
	*is_b = text_is(t, b);
	return ERR_OK;
}

enum err_code
lease_set_decode(const void *p, size_t n, struct lease_set *out, struct err *err)
{
	struct lease_set s = { 0 };
	uint64_t count = 0;
	struct value v;
	enum err_code code;

	if ((code = parse(p, n, VALUE_MAP, &v, err)) != ERR_OK || (code = take_version(&v, err)) != ERR_OK ||
	    (code = take_text(&v, "set", s.uuid, sizeof s.uuid, err)) != ERR_OK ||
	    (code = take_number(&v, "n", LEASE_REGISTERS, &count, err)) != ERR_OK ||
	    (code = one_of(&v, "state", "creating", "ready", &s.ready, err)) != ERR_OK)
		goto wrong;
	if (count != 1 && count != 3) {
		code = err_set(err, ERR_INVALID, "n: a set has 1 or 3 registers, not %u", (unsigned)count);
		goto wrong;
	}
	s.n = (unsigned)count;
	const struct value *nodes = value_field(&v, "nodes");
	for (unsigned i = 0; nodes != NULL && nodes->type == VALUE_ARRAY && i < nodes->n && i < s.n; i++) {
		struct text t;
		if (value_text(&nodes->u.items[i], &t) && t.n < sizeof s.node[i])
			memcpy(s.node[i], t.p, t.n);
	}
	*out = s;
	return ERR_OK;
wrong:
	err_prefix(err, "register set");
	return code;
}

void
lease_group_encode(const struct lease_group_record *g, struct str *out)
{
	struct pack p;

	MUST(g->state != LEASE_GROUP_UNKNOWN);
	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 5);
	pack_key_uint(&p, "v", VERSION);
	pack_key_puts(&p, "state", g->state == LEASE_GROUP_LIVE ? "live" : "new");
	pack_key_puts(&p, "profile", g->profile);
	pack_key_puts(&p, "fence", g->fence);
	pack_key_uint(&p, "epoch", g->epoch);
	MUST(pack_end(&p, NULL) == ERR_OK);
}

enum err_code
lease_group_decode(const void *p, size_t n, struct lease_group_record *out, struct err *err)
{
	struct lease_group_record g = { .state = LEASE_GROUP_NEW };
	bool live = false;
	struct value v;
	enum err_code code;

	if ((code = parse(p, n, VALUE_MAP, &v, err)) != ERR_OK || (code = take_version(&v, err)) != ERR_OK ||
	    (code = one_of(&v, "state", "new", "live", &live, err)) != ERR_OK ||
	    (code = take_text(&v, "profile", g.profile, sizeof g.profile, err)) != ERR_OK ||
	    (code = take_text(&v, "fence", g.fence, sizeof g.fence, err)) != ERR_OK ||
	    (code = take_number(&v, "epoch", INT64_MAX - 1, &g.epoch, err)) != ERR_OK) {
		err_prefix(err, "group record");
		return code;
	}
	if (live)
		g.state = LEASE_GROUP_LIVE;
	*out = g;
	return ERR_OK;
}

void
lease_changes_add(struct lease_changes *c, const struct lease_change *one)
{
	unsigned keep = c->n < LEASE_CHANGES ? c->n : LEASE_CHANGES - 1, at = 0;

	while (at < c->n && c->list[at].epoch > one->epoch)
		at++;
	if (at == LEASE_CHANGES)
		return;
	memmove(&c->list[at + 1], &c->list[at], (keep - at) * sizeof c->list[0]);
	c->list[at] = *one;
	c->n = keep + 1;
}

void
lease_changes_encode(const struct lease_changes *c, struct str *out)
{
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_array(&p, c->n);
	for (unsigned i = 0; i < c->n; i++) {
		const struct lease_change *one = &c->list[i];
		pack_map(&p, 4);
		pack_key_uint(&p, "epoch", one->epoch);
		pack_key_puts(&p, "instance", one->instance);
		pack_key_uint(&p, "at", one->at.ns > 0 ? (uint64_t)(one->at.ns / NS_PER_MS) : 0);
		pack_key_puts(&p, "reason", one->reason);
	}
	MUST(pack_end(&p, NULL) == ERR_OK);
}

enum err_code
lease_changes_decode(const void *p, size_t n, struct lease_changes *out, struct err *err)
{
	struct lease_changes c = { 0 };
	struct value v;
	enum err_code code;

	if ((code = parse(p, n, VALUE_ARRAY, &v, err)) != ERR_OK)
		goto wrong;
	for (; c.n < v.n && c.n < LEASE_CHANGES; c.n++) {
		const struct value *map = &v.u.items[c.n];
		struct lease_change *one = &c.list[c.n];
		uint64_t at;
		if ((code = take_number(map, "epoch", INT64_MAX - 1, &one->epoch, err)) != ERR_OK ||
		    (code = take_text(map, "instance", one->instance, sizeof one->instance, err)) != ERR_OK ||
		    (code = take_number(map, "at", INT64_MAX / (uint64_t)NS_PER_MS, &at, err)) != ERR_OK ||
		    (code = take_text(map, "reason", one->reason, sizeof one->reason, err)) != ERR_OK)
			goto wrong;
		one->at.ns = (int64_t)at * NS_PER_MS;
	}
	*out = c;
	return ERR_OK;
wrong:
	err_prefix(err, "changes of a group");
	return code;
}

/* --- answers ------------------------------------------------------------------------------ */

/* error_of: the code and err_code of a JetStream error; false when it is none. */
static bool
error_of(const struct value *v, int64_t *code, int64_t *err_code)
{
	const struct value *e = value_field(v, "error");

	if (e == NULL || e->type != VALUE_MAP || !value_int(value_field(e, "code"), code))
		return false;
	*err_code = 0;
	value_int(value_field(e, "err_code"), err_code);
	return true;
}

enum lease_answer
lease_answer(const void *p, size_t n, uint64_t *number)
{
	int64_t code, err_code, seq;
	struct value v;

	if (parse(p, n, VALUE_MAP, &v, NULL) != ERR_OK)
		return LEASE_ANSWER_LOST;
	if (error_of(&v, &code, &err_code)) {
		if (err_code <= 0)		/* a bare 503: nobody was there */
			return LEASE_ANSWER_LOST;
		*number = (uint64_t)err_code;
		return LEASE_ANSWER_NACK;
	}
	if (!value_int(value_field(&v, "seq"), &seq) || seq <= 0)
		return LEASE_ANSWER_LOST;
	*number = (uint64_t)seq;
	return LEASE_ANSWER_ACK;
}

bool
lease_read_missing(const void *p, size_t n)
{
	int64_t code, err_code;
	struct value v;

	return parse(p, n, VALUE_MAP, &v, NULL) == ERR_OK && error_of(&v, &code, &err_code) && err_code == NO_MESSAGE;
}
