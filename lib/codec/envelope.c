/* codec/envelope.c - the four messages as tables: decode, encode and check walk the same
 * rows, so that what is refused on reading can never be published.
 *
 * Decoding first notes which value belongs to which row and converts afterwards: of doubled
 * keys only the last one counts, also when an earlier one would have been refused. */
#include "codec/envelope.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/id.h"
#include "base/magic.h"
#include "base/utf8.h"
#include "base/wall.h"
#include "codec/inner.h"
#include "model/names.h"
#include "sys/clock.h"

enum field {
	ID,		/* any text; drawn when absent */
	TIME,		/* ISO 8601, kept verbatim; now when absent */
	OPTIONAL,	/* text or null */
	TEXT,		/* text of at least one character, needed */
	VERSION,	/* x.y or x.y.z */
	MAP,		/* params, payload */
	ANY,		/* result */
	SECONDS,	/* number above 0 */
	COUNT,		/* integer from 0 */
	BOOLEAN,
	LEVEL,		/* the four words of a priority */
};

struct row {
	struct text key;
	enum field field;
	size_t at;		/* where in struct envelope */
};

#define ROW(name, field, member) { { name, sizeof name - 1 }, field, offsetof(struct envelope, member) }
#define BASE \
	ROW("message_id", ID, message_id), \
	ROW("trace_id", ID, trace_id), \
	ROW("correlation_id", OPTIONAL, correlation_id), \
	ROW("timestamp", TIME, timestamp), \
	ROW("source", OPTIONAL, source), \
	ROW("target", OPTIONAL, target)

static const struct row request_rows[] = {
	BASE,
	ROW("method", TEXT, method),
	ROW("params", MAP, payload),
	ROW("timeout", SECONDS, timeout_s),
};

static const struct row response_rows[] = {
	BASE,
	ROW("success", BOOLEAN, success),
	ROW("result", ANY, payload),
	ROW("error", OPTIONAL, error),
};

static const struct row event_rows[] = {
	BASE,
	ROW("domain", TEXT, domain),
	ROW("event_type", TEXT, type),
	ROW("payload", MAP, payload),
	ROW("version", VERSION, version),
};

static const struct row command_rows[] = {
	BASE,
	ROW("command", TEXT, command),
	ROW("payload", MAP, payload),
	ROW("priority", LEVEL, priority),
	ROW("max_retries", COUNT, max_retries),
	ROW("timeout", SECONDS, timeout_s),
};

#define ROWS_MAX COUNT_OF(command_rows)

static const struct table {
	const struct row *rows;
	uint32_t n;
} tables[ENVELOPE_KINDS] = {
	[ENVELOPE_REQUEST] = { request_rows, COUNT_OF(request_rows) },
	[ENVELOPE_RESPONSE] = { response_rows, COUNT_OF(response_rows) },
	[ENVELOPE_EVENT] = { event_rows, COUNT_OF(event_rows) },
	[ENVELOPE_COMMAND] = { command_rows, COUNT_OF(command_rows) },
};

static void *
member(struct envelope *e, const struct row *row)
{
	return (char *)e + row->at;
}

static const void *
member_of(const struct envelope *e, const struct row *row)
{
	return (const char *)e + row->at;
}

/* --- blanks ------------------------------------------------------------------------------- */

/* is_blank: what Unicode calls white space, which is what Python's models cut off. */
static bool
is_blank(uint32_t c)
{
	static const struct { uint32_t first, last; } blanks[] = {
		{ 0x09, 0x0D }, { ' ', ' ' }, { 0x85, 0x85 }, { 0xA0, 0xA0 }, { 0x1680, 0x1680 },
		{ 0x2000, 0x200A }, { 0x2028, 0x2029 }, { 0x202F, 0x202F }, { 0x205F, 0x205F },
		{ 0x3000, 0x3000 },
	};

	for (size_t i = 0; i < COUNT_OF(blanks); i++) {
		if (c >= blanks[i].first && c <= blanks[i].last)
			return true;
	}
	return false;
}

/* trimmed: t, which is valid UTF-8, without blanks at its ends. */
static struct text
trimmed(struct text t)
{
	uint32_t c;
	size_t k;

	while (t.n > 0 && is_blank((k = utf8_next(t.p, t.n, &c), c))) {
		t.p += k;
		t.n -= k;
	}
	while (t.n > 0) {
		k = 1;
		while (k < t.n && ((unsigned char)t.p[t.n - k] & 0xC0) == 0x80)
			k++;
		utf8_next(t.p + t.n - k, k, &c);
		if (!is_blank(c))
			break;
		t.n -= k;
	}
	return t;
}

/* outer_blanks: may t have any?  Nearly none has, and then nothing more is to be done. */
static inline bool
outer_blanks(struct text t)
{
	unsigned char first, last;

	if (t.n == 0)
		return false;
	first = (unsigned char)t.p[0];
	last = (unsigned char)t.p[t.n - 1];
	return first <= ' ' || first >= 0x80 || last <= ' ' || last >= 0x80;
}

/* --- the check ---------------------------------------------------------------------------- */

/* is_map: also of what is still encoded, where the first byte tells. */
static bool
is_map(const struct value *v)
{
	if (v->type != VALUE_RAW)
		return v->type == VALUE_MAP;
	const struct data *d = &v->u.raw;
	if (d->p == NULL || d->n == 0)
		return false;
	if (d->format == DATA_JSON) {
		size_t i = 0;
		while (i < d->n && strchr(" \t\r\n", d->p[i]) != NULL && d->p[i] != '\0')
			i++;
		return i < d->n && d->p[i] == '{';
	}
	unsigned char c = (unsigned char)*d->p;
	return (c >= 0x80 && c <= 0x8F) || c == 0xDE || c == 0xDF;
}

static enum err_code
text_row_check(const struct row *row, struct text t, struct err *err)
{
	struct wall when;

	if (t.p == NULL && (row->field == TEXT || row->field == VERSION))
		return err_set(err, ERR_INVALID, "%s: is missing", row->key.p);
	if (t.p == NULL)
		return ERR_OK;
	if (outer_blanks(t) && utf8_valid(t.p, t.n) == t.n)
		t = trimmed(t);
	if (row->field == TEXT && t.n == 0)
		return err_set(err, ERR_INVALID, "%s: is empty; give at least one character", row->key.p);
	if (row->field == TIME && !wall_parse(t.p, t.n, &when))
		return err_set(err, ERR_INVALID, "%s: '%.*s' is no ISO 8601 time, as "
		    "2025-08-08T01:02:03.456789+00:00 is", row->key.p, shown(t), t.p);
	if (row->field == VERSION && !name_ok(NAME_VERSION_EVENT, t.p, t.n))
		return err_set(err, ERR_INVALID, "%s: '%.*s' is no version, as 1.0 or 1.0.0 is", row->key.p,
		    shown(t), t.p);
	return ERR_OK;
}

static enum err_code
row_check(const struct row *row, const struct envelope *e, struct err *err)
{
	const void *m = member_of(e, row);

	switch (row->field) {
	case MAP:
		if (!is_map(m))
			return err_set(err, ERR_INVALID, "%s: must be a map, not %s", row->key.p,
			    value_type_name(((const struct value *)m)->type));
		return ERR_OK;
	case SECONDS: {
		double s = *(const double *)m;
		if (!(s > 0) || isinf(s))
			return err_set(err, ERR_INVALID, "%s: %g is not allowed; use seconds above 0",
			    row->key.p, s);
		return ERR_OK;
	}
	case COUNT:
		if (*(const int64_t *)m < 0)
			return err_set(err, ERR_INVALID, "%s: %lld is not allowed; use 0 or more", row->key.p,
			    (long long)*(const int64_t *)m);
		return ERR_OK;
	case LEVEL:
	case BOOLEAN:
	case ANY:
		return ERR_OK;
	default:
		return text_row_check(row, *(const struct text *)m, err);
	}
}

enum err_code
envelope_check(const struct envelope *e, struct err *err)
{
	const struct table *t = &tables[e->kind];
	enum err_code code;

	for (uint32_t i = 0; i < t->n; i++) {
		if ((code = row_check(&t->rows[i], e, err)) != ERR_OK)
			return code;
	}
	if (e->kind == ENVELOPE_RESPONSE && e->success != (e->error.p == NULL))
		return err_set(err, ERR_INVALID, e->success ? "error: must be null where success is true" :
		    "error: is missing where success is false");
	return ERR_OK;
}

/* --- decode ------------------------------------------------------------------------------- */

static enum err_code
mismatch(const struct row *row, const char *want, const struct value *v, struct err *err)
{
	return err_set(err, ERR_INVALID, "%s: must be %s, not %s", row->key.p, want,
	    value_type_name(v->type));
}

static enum err_code
read_level(const struct row *row, const struct value *v, enum priority *out, struct err *err)
{
	if (v->type != VALUE_TEXT)
		return mismatch(row, "text", v, err);
	if (priority_parse(v->u.text, out))
		return ERR_OK;
	return err_set(err, ERR_INVALID, "%s: '%.*s' is none of low, normal, high, critical", row->key.p,
	    shown(v->u.text), v->u.text.p);
}

/* read_row: the value into its member, by type alone; row_check judges it afterwards. */
static enum err_code
read_row(const struct row *row, const struct value *v, struct envelope *e, struct err *err)
{
	void *m = member(e, row);
	struct text *t = m;

	switch (row->field) {
	case MAP:
	case ANY:
		*(struct value *)m = *v;
		return ERR_OK;
	case SECONDS:
		return value_real(v, m) ? ERR_OK : mismatch(row, "a number above 0", v, err);
	case COUNT:
		/* Not value_int: 3.0 is refused here. */
		if (v->type != VALUE_INT)
			return mismatch(row, v->type == VALUE_UINT ? "an integer below 2^63" : "an integer", v,
			    err);
		*(int64_t *)m = v->u.integer;
		return ERR_OK;
	case BOOLEAN:
		return value_bool(v, m) ? ERR_OK : mismatch(row, "true or false", v, err);
	case LEVEL:
		return read_level(row, v, m, err);
	default:
		if (v->type == VALUE_NULL && row->field == OPTIONAL) {
			*t = (struct text){ NULL, 0 };
			return ERR_OK;
		}
		if (v->type != VALUE_TEXT)
			return mismatch(row, row->field == OPTIONAL ? "text or null" : "text", v, err);
		*t = outer_blanks(v->u.text) ? trimmed(v->u.text) : v->u.text;
		return ERR_OK;
	}
}

/* row_of: the row of a key, n if there is none.  Writers keep the order of the table, so
 * the row after the last one found is tried first. */
static uint32_t
row_of(const struct table *t, struct text key, uint32_t guess)
{
	for (uint32_t i = 0, k = guess; i < t->n; i++, k = k + 1 < t->n ? k + 1 : 0) {
		const struct text *name = &t->rows[k].key;
		if (name->n == key.n && memcmp(name->p, key.p, key.n) == 0)
			return k;
	}
	return t->n;
}

static enum err_code
read_rows(const struct table *t, const struct value *map, struct envelope *e, struct err *err)
{
	const struct value *found[ROWS_MAX] = { NULL };
	enum err_code code;

	for (uint32_t i = 0, guess = 0; i < map->n; i++) {
		uint32_t k = row_of(t, map->u.pairs[i].key, guess);
		if (k == t->n) {
			e->unknown_keys++;
			continue;
		}
		found[k] = &map->u.pairs[i].value;
		guess = k + 1 < t->n ? k + 1 : 0;
	}
	for (uint32_t k = 0; k < t->n; k++) {
		if (found[k] != NULL && (code = read_row(&t->rows[k], found[k], e, err)) != ERR_OK)
			return code;
	}
	return ERR_OK;
}

/* fill: what a message may leave out but every reader wants to have. */
static void
fill(struct arena *a, struct envelope *e)
{
	struct text *const ids[] = { &e->message_id, &e->trace_id };

	for (size_t i = 0; i < COUNT_OF(ids); i++) {
		if (ids[i]->p == NULL) {
			char *id = arena_alloc(a, ID_UUID_MAX);
			id_uuid4(id);
			*ids[i] = text_of(id);
		}
	}
	if (e->timestamp.p == NULL) {
		char *now = arena_alloc(a, WALL_TEXT_MAX);
		wall_utc(clock_wall(clock_system()), now);
		e->timestamp = text_of(now);
	}
}

enum err_code
envelope_decode(struct codec *c, enum envelope_kind kind, const void *data, size_t n,
    struct envelope *e, enum data_format *format, struct err *err)
{
	struct value v;
	enum err_code code;

	/* An empty body has no format; a reply to it goes out in the usual one. */
	*format = n > 0 ? codec_detect(data, n) : DATA_MSGPACK;
	envelope_init(e, kind);
	if ((code = codec_parse(c, (struct data){ *format, data, n }, &v, err)) != ERR_OK)
		return code;
	if (v.type != VALUE_MAP)
		return err_set(err, ERR_SYNTAX, "a message must be a map, not %s", value_type_name(v.type));
	if ((code = read_rows(&tables[kind], &v, e, err)) != ERR_OK ||
	    (code = envelope_check(e, err)) != ERR_OK)
		return code;
	fill(codec_arena(c), e);
	return ERR_OK;
}

/* --- encode ------------------------------------------------------------------------------- */

static void
write_fresh(struct pack *p, enum field field, struct wall now)
{
	char text[WALL_TEXT_MAX];

	if (field == ID)
		id_uuid4(text);
	else
		wall_utc(now, text);
	pack_puts(p, text);
}

static void
write_row(struct pack *p, const struct row *row, const struct envelope *e, struct wall now)
{
	const void *m = member_of(e, row);
	const struct text *t = m;

	switch (row->field) {
	case MAP:
	case ANY:
		pack_value(p, m);
		break;
	case SECONDS:
		pack_real(p, *(const double *)m);
		break;
	case COUNT:
		pack_int(p, *(const int64_t *)m);
		break;
	case BOOLEAN:
		pack_bool(p, *(const bool *)m);
		break;
	case LEVEL:
		pack_puts(p, priority_name(*(const enum priority *)m));
		break;
	default:
		if (t->p == NULL && (row->field == ID || row->field == TIME))
			write_fresh(p, row->field, now);
		else
			pack_text(p, *t);
		break;
	}
}

enum err_code
envelope_encode(const struct envelope *e, enum data_format format, struct wall now,
    struct str *out, struct err *err)
{
	const struct table *t = &tables[e->kind];
	/* pack_init sets what counts; a tenth of the time went into clearing the rest. */
	__attribute__((uninitialized)) struct pack p;
	enum err_code code;

	if ((code = envelope_check(e, err)) != ERR_OK)
		return code;
	pack_init(&p, out, format, PACK_COMPACT);
	pack_map(&p, t->n);
	uint32_t i = 0;
	for (; i < t->n && p.code == ERR_OK; i++) {
		pack_key_known(&p, t->rows[i].key);
		write_row(&p, &t->rows[i], e, now);
	}
	if ((code = pack_end(&p, err)) != ERR_OK)
		err_prefix(err, "%s", t->rows[i - 1].key.p);
	return code;
}
