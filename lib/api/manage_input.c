/* manage_input.c - queries and bodies of the management API, and what is wrong with them.
 *
 * A refusal names every field that is wrong, in two shapes at once: JSON Pointers for new clients,
 * dotted names and types for those that know the Python API (wire.md §11). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/manage_inner.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/near.h"
#include "base/num.h"
#include "base/utf8.h"

void
manage_fault(struct manage_faults *f, const char *field, const char *type, const char *fmt, ...)
{
	va_list ap;

	if (f->n == MANAGE_FAULTS)
		return;
	struct manage_fault *one = &f->v[f->n++];
	snprintf(one->field, sizeof one->field, "%s", field);
	one->type = type;
	va_start(ap, fmt);
	vsnprintf(one->message, sizeof one->message, fmt, ap);
	va_end(ap);
	/* What strangers send is quoted, and cut off where it is long. */
	utf8_clean(one->field);
	utf8_clean(one->message);
}

/* pointer_of: "body.owner" and "owner" are "/owner"; a query, a byte, or the body as a whole is "". */
static void
pointer_of(const char *field, char *out, size_t max)
{
	const char *name = strncmp(field, "body.", 5) == 0 ? field + 5 : field;
	bool member = strcmp(field, "body") != 0 && strncmp(field, "query.", 6) != 0 && name[strspn(name, "0123456789")] != '\0';

	snprintf(out, max, "%s%s", member ? "/" : "", member ? name : "");
}

static void
pack_faults(struct str *out, const struct manage_faults *f)
{
	struct pack k;

	pack_init(&k, out, DATA_JSON, PACK_COMPACT);
	pack_map(&k, 3);
	pack_key_puts(&k, "field", f->v[0].field);
	pack_key_puts(&k, "error_type", f->v[0].type);
	pack_key_array(&k, "errors", (uint32_t)f->n);
	for (size_t i = 0; i < f->n; i++) {
		pack_map(&k, 3);
		pack_key_puts(&k, "field", f->v[i].field);
		pack_key_puts(&k, "message", f->v[i].message);
		pack_key_puts(&k, "type", f->v[i].type);
	}
	MUST(pack_end(&k, NULL) == ERR_OK);
}

bool
manage_refused(struct web_request *r, const struct manage_faults *f)
{
	struct problem_error errors[MANAGE_FAULTS];
	char pointers[MANAGE_FAULTS][96], detail[sizeof f->v[0].field + sizeof f->v[0].message + 4];
	struct str details = STR_INIT;

	if (f->n == 0)
		return false;
	for (size_t i = 0; i < f->n; i++) {
		pointer_of(f->v[i].field, pointers[i], sizeof pointers[i]);
		errors[i] = (struct problem_error){ pointers[i], f->v[i].message };
	}
	snprintf(detail, sizeof detail, "%s: %s", f->v[0].field, f->v[0].message);
	pack_faults(&details, f);
	web_fail(r, &(struct problem){
		.code = ERR_INVALID, .detail = detail, .errors = errors, .nerrors = f->n,
		.details = { DATA_JSON, details.p, details.len },
	});
	str_release(&details);
	return true;
}

/* refuse_one: the request is answered; always false. */
static bool
refuse_one(struct web_request *r, const char *field, const char *type, const char *message)
{
	struct manage_faults f = { 0 };

	manage_fault(&f, field, type, "%s", message);
	manage_refused(r, &f);
	return false;
}

/* --- queries ----------------------------------------------------------------------------- */

bool
manage_word(struct web_request *r, const char *name, char *out, size_t max, bool *given)
{
	char field[80];
	struct err err;

	if (router_query(web_query_text(r), name, out, max, given, &err) == ERR_OK)
		return true;
	snprintf(field, sizeof field, "query.%s", name);
	return refuse_one(r, field, "string_type", err.text);
}

bool
manage_flag(struct web_request *r, const char *name, bool *out)
{
	char text[16], field[80];
	bool given;

	*out = false;
	if (!manage_word(r, name, text, sizeof text, &given))
		return false;
	if (!given || (text[0] != '\0' && num_bool(text, out)))
		return true;
	*out = text[0] == '\0';
	if (*out)
		return true;
	snprintf(field, sizeof field, "query.%s", name);
	return refuse_one(r, field, "bool_parsing", "write true or false");
}

bool
manage_number(struct web_request *r, const char *name, uint64_t min, uint64_t max, bool *given, uint64_t *out)
{
	char text[32], field[80], message[128];

	if (!manage_word(r, name, text, sizeof text, given))
		return false;
	if (!*given || (num_uint(text, out) && *out >= min && *out <= max))
		return true;
	snprintf(field, sizeof field, "query.%s", name);
	snprintf(message, sizeof message, "write a number from %llu to %llu", (unsigned long long)min, (unsigned long long)max);
	return refuse_one(r, field, "int_parsing", message);
}

/* Routes that Python programs know (wire.md §11): what they do not know in a query is ignored, as there. */
static const char *const inherited[] = {
	"listServices", "createService", "getService", "updateService", "removeService", "getServiceRevision", "listInstances",
	"getSummary", "listInstancesByStatus", "listInstancesOfService", "getInstance", "getStatus", "getHealthDetailed", NULL
};

/* split: the words of a list with blanks between, as a NULL-terminated array of at most max with that; text is cut up. */
static void
split(char *text, const char **out, size_t max)
{
	size_t n = 0;
	char *rest = text;

	for (char *word; n + 1 < max && (word = strtok_r(rest, " ", &rest)) != NULL;)
		out[n++] = word;
	out[n] = NULL;
}

bool
manage_query_known(struct web_request *r, const struct web_route *route)
{
	const char *names = manage_route_of(route)->query, *known[16], *query = web_query_text(r);
	char text[200], field[80];
	struct err err;

	/* Public ones are asked by browsers and scrapers, with additions of their own; probes look after themselves. */
	if (query == NULL || route->access < MANAGE_VIEWER)
		return true;
	for (size_t i = 0; inherited[i] != NULL; i++)
		if (strcmp(inherited[i], route->name) == 0)
			return true;
	MUST((size_t)snprintf(text, sizeof text, "%s", names != NULL ? names : "") < sizeof text);
	split(text, known, COUNT_OF(known));
	if (router_query_known(query, known, &err) == ERR_OK)
		return true;
	const char *quote = strchr(err.text, '\'');
	snprintf(field, sizeof field, "query.%.*s", quote != NULL ? (int)strcspn(quote + 1, "'") : 0, quote != NULL ? quote + 1 : "");
	return refuse_one(r, field, "extra_forbidden", err.text);
}

/* --- bodies ------------------------------------------------------------------------------ */

/* at_byte: the number in "byte 17: …", where the codec stopped reading. */
static unsigned long
at_byte(const char *sentence)
{
	const char *at = strstr(sentence, "byte ");

	return at != NULL ? strtoul(at + 5, NULL, 10) : 0;
}

bool
manage_body(struct web_request *r, struct value *out)
{
	struct text body = web_body(r);
	char field[80];
	struct err err;

	if (body.n == 0)
		return refuse_one(r, "body", "missing", "the body is missing; send a JSON object");
	if (codec_parse(codec_mine(), (struct data){ DATA_JSON, body.p, body.n }, out, &err) != ERR_OK) {
		snprintf(field, sizeof field, "body.%lu", at_byte(err.text));
		return refuse_one(r, field, "json_invalid", err.text);
	}
	if (out->type != VALUE_MAP)
		return refuse_one(r, "body", "model_attributes_type", "the body must be a JSON object");
	return true;
}

void
manage_members(const struct value *body, const char *const *known, struct manage_faults *f)
{
	size_t nknown = 0;

	while (known[nknown] != NULL)
		nknown++;
	for (uint32_t i = 0; i < body->n; i++) {
		struct text key = body->u.pairs[i].key;
		char field[80], word[65];
		const char *near = NULL;
		size_t k = 0;
		while (k < nknown && !text_is(key, known[k]))
			k++;
		if (k < nknown)
			continue;
		snprintf(word, sizeof word, "%.*s", (int)(key.n < 64 ? key.n : 64), key.p);
		snprintf(field, sizeof field, "body.%s", word);
		if (near_pick(word, known, nknown, &near, 1) > 0)
			manage_fault(f, field, "extra_forbidden", "there is no such member; did you mean '%s'?", near);
		else
			manage_fault(f, field, "extra_forbidden", "there is no such member");
	}
}

char *
manage_text(const struct value *body, const char *name, bool needed, struct manage_faults *f)
{
	const struct value *v = value_field(body, name);
	char field[80];
	struct text t;

	snprintf(field, sizeof field, "body.%s", name);
	if (v == NULL || (v->type == VALUE_NULL && !needed)) {
		if (needed)
			manage_fault(f, field, "missing", "is missing");
		return NULL;
	}
	if (!value_text(v, &t) || memchr(t.p, '\0', t.n) != NULL) {
		manage_fault(f, field, "string_type", "must be text");
		return NULL;
	}
	return mem_text_n(t.p, t.n);
}

bool
manage_target(struct web_request *r, uint64_t *revision)
{
	static const char *const known[] = { "revision", NULL };
	struct manage_faults f = { 0 };
	struct value body;
	int64_t n = 0;

	if (!manage_body(r, &body))
		return false;
	manage_members(&body, known, &f);
	if (value_field(&body, "revision") == NULL)
		manage_fault(&f, "body.revision", "missing", "is missing; name the revision to go back to");
	else if (!value_int(value_field(&body, "revision"), &n) || n < 1)
		manage_fault(&f, "body.revision", "int_type", "must be a whole number above 0");
	*revision = (uint64_t)n;
	return !manage_refused(r, &f);
}

enum err_code
manage_idempotency(struct web_request *r, char id[MANAGE_KEY_MAX], bool *given, struct err *err)
{
	const char *key = web_header(r, "Idempotency-Key");
	size_t n = key != NULL ? strlen(key) : 0;

	*given = key != NULL;
	if (key == NULL)
		return ERR_OK;
	for (size_t i = 0; i < n; i++)
		if (key[i] <= ' ' || key[i] > '~')
			n = 0;
	if (n == 0 || n > 128)
		return err_set(err, ERR_INVALID, "Idempotency-Key: use 1 to 128 printable characters without blanks");
	snprintf(id, MANAGE_KEY_MAX, "aegis:%s:%s", manage_caller(r), key);
	return ERR_OK;
}
