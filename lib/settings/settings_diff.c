/* settings_diff.c - two maps of settings: one merged into the other, and what differs.  Pure but for memory. */
#include <string.h>

#include "base/mem.h"
#include "codec/codec.h"
#include "settings/settings.h"

static const struct value *
member(const struct value *map, struct text key)
{
	if (map == NULL || map->type != VALUE_MAP)
		return NULL;
	for (uint32_t i = map->n; i > 0; i--)
		if (map->u.pairs[i - 1].key.n == key.n && memcmp(map->u.pairs[i - 1].key.p, key.p, key.n) == 0)
			return &map->u.pairs[i - 1].value;
	return NULL;
}

/* --- merging ------------------------------------------------------------------------------ */

/* kept: whether a member of `was` is in the result; added: one of `v` that was not there. */
static bool
kept(const struct value *v, const struct value_pair *was)
{
	const struct value *change = member(v, was->key);

	return change == NULL || change->type != VALUE_NULL;
}

static bool
added(const struct value *was, const struct value_pair *change)
{
	return change->value.type != VALUE_NULL && member(was, change->key) == NULL;
}

static void
merge(struct pack *p, const struct value *was, const struct value *v)
{
	uint32_t n = 0;

	if (v->type != VALUE_MAP) {
		pack_value(p, v);
		return;
	}
	if (was != NULL && was->type != VALUE_MAP)
		was = NULL;
	for (uint32_t i = 0; was != NULL && i < was->n; i++)
		n += kept(v, &was->u.pairs[i]);
	for (uint32_t i = 0; i < v->n; i++)
		n += added(was, &v->u.pairs[i]);
	pack_map(p, n);
	for (uint32_t i = 0; was != NULL && i < was->n && p->code == ERR_OK; i++) {
		const struct value_pair *pair = &was->u.pairs[i];
		const struct value *change = member(v, pair->key);
		if (!kept(v, pair))
			continue;
		pack_key_n(p, pair->key);
		if (change != NULL)
			merge(p, &pair->value, change);
		else
			pack_value(p, &pair->value);
	}
	for (uint32_t i = 0; i < v->n && p->code == ERR_OK; i++) {
		if (!added(was, &v->u.pairs[i]))
			continue;
		pack_key_n(p, v->u.pairs[i].key);
		merge(p, NULL, &v->u.pairs[i].value);
	}
}

enum err_code
settings_merge(const char *json, const struct value *v, struct str *out, struct err *err)
{
	struct codec *codec = codec_new();
	struct value was = { .type = VALUE_MAP };
	struct pack p;
	enum err_code code = ERR_OK;

	if (json != NULL)
		code = codec_parse(codec, (struct data){ DATA_JSON, json, strlen(json) }, &was, err);
	if (code == ERR_OK) {
		pack_init(&p, out, DATA_JSON, PACK_COMPACT);
		merge(&p, &was, v);
		code = pack_end(&p, err);
	}
	codec_free(codec);
	return code;
}

/* --- comparing ---------------------------------------------------------------------------- */

struct diff {
	settings_change *each;
	void *arg;
};

static void
put_json(const struct value *v, struct str *out)
{
	struct pack p;

	str_clear(out);
	if (v == NULL)
		return;
	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_value(&p, v);
	pack_end(&p, NULL);
}

static void
compare(const struct diff *d, const char *prefix, struct text key, const struct value *from, const struct value *to)
{
	struct str was = STR_INIT, is = STR_INIT;
	char *name = mem_printf("%s%.*s", prefix, (int)key.n, key.p);

	put_json(from, &was);
	put_json(to, &is);
	if (was.len != is.len || (was.len > 0 && memcmp(was.p, is.p, was.len) != 0))
		d->each(d->arg, name, from != NULL ? str_text(&was) : NULL, to != NULL ? str_text(&is) : NULL);
	mem_free(name);
	str_release(&was);
	str_release(&is);
}

static bool
opens(const char *prefix, const struct value_pair *pair)
{
	return prefix[0] == '\0' && text_is(pair->key, SETTINGS_WORKLOAD) && pair->value.type == VALUE_MAP;
}

static void
compare_maps(const struct diff *d, const char *prefix, const struct value *was, const struct value *is)
{
	for (uint32_t i = 0; was != NULL && i < was->n; i++) {
		const struct value_pair *pair = &was->u.pairs[i];
		const struct value *other = member(is, pair->key);
		if (opens(prefix, pair) && (other == NULL || other->type == VALUE_MAP))
			compare_maps(d, SETTINGS_WORKLOAD ".", &pair->value, other);
		else
			compare(d, prefix, pair->key, &pair->value, other);
	}
	for (uint32_t i = 0; is != NULL && i < is->n; i++) {
		const struct value_pair *pair = &is->u.pairs[i];
		if (member(was, pair->key) != NULL)
			continue;
		if (opens(prefix, pair))
			compare_maps(d, SETTINGS_WORKLOAD ".", NULL, &pair->value);
		else
			compare(d, prefix, pair->key, NULL, &pair->value);
	}
}

enum err_code
settings_diff(const char *was, const char *is, settings_change *each, void *arg, struct err *err)
{
	struct codec *one = codec_new(), *other = codec_new();
	struct value a = { .type = VALUE_MAP }, b = { .type = VALUE_MAP };
	enum err_code code = ERR_OK;

	if (was != NULL)
		code = codec_parse(one, (struct data){ DATA_JSON, was, strlen(was) }, &a, err);
	if (code == ERR_OK && is != NULL)
		code = codec_parse(other, (struct data){ DATA_JSON, is, strlen(is) }, &b, err);
	if (code == ERR_OK)
		compare_maps(&(struct diff){ each, arg }, "", a.type == VALUE_MAP ? &a : NULL, b.type == VALUE_MAP ? &b : NULL);
	codec_free(one);
	codec_free(other);
	return code;
}
