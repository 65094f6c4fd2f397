/* beat.c - beats and the request to step down, as bytes and back. */
#include "codec/beat.h"

#include <string.h>

#include "base/magic.h"
#include "codec/codec.h"

/* take: the text of key, cut to nothing when it is longer than it may be. */
static void
take(const struct value *map, const char *key, char *out, size_t size)
{
	struct text t = { "", 0 };

	value_text(value_field(map, key), &t);
	if (t.n >= size || memchr(t.p, '\0', t.n) != NULL)
		t.n = 0;
	memcpy(out, t.p, t.n);
	out[t.n] = '\0';
}

static uint64_t
take_uint(const struct value *map, const char *key)
{
	int64_t v = 0;

	value_int(value_field(map, key), &v);
	return v > 0 ? (uint64_t)v : 0;
}

static enum err_code
parse(const void *p, size_t n, struct value *v, struct err *err)
{
	enum err_code code;

	if (n == 0)
		return err_set(err, ERR_SYNTAX, "the message is empty");
	if ((code = codec_parse(codec_mine(), (struct data){ DATA_JSON, p, n }, v, err)) != ERR_OK)
		return code;
	return v->type == VALUE_MAP ? ERR_OK : err_set(err, ERR_SYNTAX, "the message must be a map");
}

void
beat_encode(const struct beat *b, struct str *out)
{
	char nonce[LEASE_NONCE_MAX];
	struct pack p;

	lease_nonce_format(b->nonce, nonce);
	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, b->before != 0 ? 7 : 6);
	pack_key_puts(&p, "g", b->group);
	pack_key_puts(&p, "st", b->state);
	pack_key_bool(&p, "hot", b->hot);
	pack_key_uint(&p, "e", b->epoch);
	pack_key_puts(&p, "n", nonce);
	if (b->before != 0) {
		pack_key_map(&p, "prev", 2);
		pack_key_uint(&p, "e", b->before);
		pack_key_puts(&p, "how", b->how);
	}
	pack_key_uint(&p, "seq", b->seq);
	MUST(pack_end(&p, NULL) == ERR_OK);
}

enum err_code
beat_decode(const void *p, size_t n, struct beat *out, struct err *err)
{
	struct beat b = { 0 };
	struct value v;
	struct text nonce = { "", 0 };
	enum err_code code;

	if ((code = parse(p, n, &v, err)) != ERR_OK)
		goto wrong;
	take(&v, "g", b.group, sizeof b.group);
	take(&v, "st", b.state, sizeof b.state);
	value_text(value_field(&v, "n"), &nonce);
	if (b.group[0] == '\0' || b.state[0] == '\0' || !lease_nonce_parse(nonce.p, nonce.n, &b.nonce)) {
		code = err_set(err, ERR_INVALID, "g, st or n is missing or wrong");
		goto wrong;
	}
	value_bool(value_field(&v, "hot"), &b.hot);
	b.epoch = take_uint(&v, "e");
	b.seq = take_uint(&v, "seq");
	b.before = take_uint(value_field(&v, "prev"), "e");
	take(value_field(&v, "prev"), "how", b.how, sizeof b.how);
	*out = b;
	return ERR_OK;
wrong:
	err_prefix(err, "beat");
	return code;
}

void
stepdown_encode(const struct stepdown *s, struct str *out)
{
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, (uint32_t)(s->group[0] != '\0') + (s->to[0] != '\0'));
	if (s->group[0] != '\0')
		pack_key_puts(&p, "group", s->group);
	if (s->to[0] != '\0')
		pack_key_puts(&p, "to", s->to);
	MUST(pack_end(&p, NULL) == ERR_OK);
}

enum err_code
stepdown_decode(const void *p, size_t n, struct stepdown *out, struct err *err)
{
	struct value v;
	enum err_code code;

	*out = (struct stepdown){ 0 };
	if (n == 0)
		return ERR_OK;
	if ((code = parse(p, n, &v, err)) != ERR_OK) {
		err_prefix(err, "request to step down");
		return code;
	}
	take(&v, "group", out->group, sizeof out->group);
	take(&v, "to", out->to, sizeof out->to);
	return ERR_OK;
}

void
stepdown_answer_encode(const char *error, struct str *out)
{
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 1);
	pack_key_puts(&p, error != NULL ? "error" : "status", error != NULL ? error : "accepted");
	MUST(pack_end(&p, NULL) == ERR_OK);
}

enum err_code
stepdown_answer_decode(const void *p, size_t n, struct err *err)
{
	struct value v;
	struct text t;
	enum err_code code;

	if ((code = parse(p, n, &v, err)) != ERR_OK)
		return code;
	if (value_text(value_field(&v, "error"), &t))
		return err_set(err, ERR_NOT_ACTIVE, "%.*s", (int)(t.n < 200 ? t.n : 200), t.p);
	return ERR_OK;
}
