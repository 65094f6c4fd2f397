/* rules.c - a document against the rows of the options: what it sets, and what is refused. */
#include "settings/rules.h"

#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/near.h"
#include "codec/codec.h"

#define NAMES_MAX 64			/* central rows; t_settings looks that they are fewer */
#define WORKLOAD_KEY_MAX 64

/* --- which rows --------------------------------------------------------------------------- */

static bool
is_key(const struct opt *row, const char *key)
{
	char name[OPTS_NAME_MAX];

	opts_key_name(row, name);
	return strcmp(name, key) == 0;
}

/* find: the row of a key, central or not. */
static const struct opt *
find(const struct settings_rules *rules, const char *key)
{
	for (const struct opts_table *t = rules->tables; t->title != NULL; t++)
		for (const struct opt *row = t->rows; row->name != NULL; row++)
			if (is_key(row, key))
				return row;
	return NULL;
}

const struct opt *
settings_row(const struct settings_rules *rules, const char *key)
{
	const struct opt *row = find(rules, key);

	return row != NULL && row->central ? row : NULL;
}

static enum err_code
no_setting(const struct settings_rules *rules, const char *key, const char *source, struct err *err)
{
	char names[NAMES_MAX][OPTS_NAME_MAX], variable[OPTS_NAME_MAX];
	const char *list[NAMES_MAX + 1], *near[1];
	const struct opt *row = find(rules, key);
	size_t n = 0;

	if (row != NULL && row->env) {
		opts_env_name(row, variable);
		return err_set(err, ERR_INVALID, "%s: '%s' belongs to one machine and is no central setting; give it there as --%s, %s or in "
		    "a configuration file", source, key, row->name, variable);
	}
	for (const struct opts_table *t = rules->tables; t->title != NULL; t++)
		for (row = t->rows; row->name != NULL && n < NAMES_MAX; row++)
			if (row->central) {
				opts_key_name(row, names[n]);
				list[n] = names[n];
				n++;
			}
	list[n++] = SETTINGS_WORKLOAD;
	if (near_pick(key, list, n, near, 1) == 1)
		return err_set(err, ERR_INVALID, "%s: unknown key '%s'; did you mean '%s'?", source, key, near[0]);
	return err_set(err, ERR_INVALID, "%s: unknown key '%s'; `aegis config schema --central` lists the settings, and keys of the "
	    "program's own stand below \"" SETTINGS_WORKLOAD "\"", source, key);
}

/* --- a document's values ------------------------------------------------------------------ */

static bool
workload_key_ok(struct text key)
{
	if (key.n == 0 || key.n > WORKLOAD_KEY_MAX)
		return false;
	for (size_t i = 0; i < key.n; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.", key.p[i]) == NULL || key.p[i] == '\0')
			return false;
	return true;
}

static enum err_code
check_workload(const struct value *v, const char *source, struct settings_culprit *culprit, struct err *err)
{
	if (v->type != VALUE_MAP)
		return err_set(err, ERR_INVALID, "%s: " SETTINGS_WORKLOAD ": must be an object { … } of the program's own keys, not %s",
		    source, value_type_name(v->type));
	for (uint32_t i = 0; i < v->n; i++) {
		struct text key = v->u.pairs[i].key;
		if (workload_key_ok(key))
			continue;
		if (culprit != NULL)
			snprintf(culprit->key, sizeof culprit->key, SETTINGS_WORKLOAD "/%.*s", (int)(key.n < 100 ? key.n : 100), key.p);
		return err_set(err, ERR_INVALID, "%s: " SETTINGS_WORKLOAD ": '%.*s' is no key; use 1 to %d of a-z, A-Z, 0-9, _, - and .", source,
		    (int)(key.n < 100 ? key.n : 100), key.p, WORKLOAD_KEY_MAX);
	}
	return ERR_OK;
}

static struct opts_mark *
mark_of(struct opts *o, const struct opt *row)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->marks[i].row == row)
			return &o->marks[i];
	MUST(!"a row of these options");
	return NULL;
}

static enum err_code
apply_one(struct opts *o, const struct opt *row, const struct value *v, const char *key, const char *source, struct err *err)
{
	char *where = mem_printf("%s: %s", source, key);
	struct str text = STR_INIT;
	enum err_code code;

	if (value_as_text(v, &text) && memchr(str_text(&text), '\0', text.len) == NULL)
		code = opts_set(o, mark_of(o, row), OPTS_CENTRAL, where, str_text(&text), err);
	else
		code = err_set(err, ERR_INVALID, "%s: type %s is wanted, not %s%s", where, opts_type_name(row->type),
		    value_type_name(v->type), v->type == VALUE_NULL ? "; leave the key out for what is valid without it" : "");
	str_release(&text);
	mem_free(where);
	if (code != ERR_OK && err != NULL)
		err->code = ERR_INVALID;
	return code != ERR_OK ? ERR_INVALID : ERR_OK;
}

/* blame: in a pointer's words; what is not printable was refused as unknown anyway. */
static void
blame(struct settings_culprit *culprit, const char *key)
{
	if (culprit != NULL)
		snprintf(culprit->key, sizeof culprit->key, "%.120s", key);
}

enum err_code
settings_apply(const struct settings_rules *rules, struct opts *o, const struct value *v, const char *source,
    struct settings_culprit *culprit, struct err *err)
{
	enum err_code code = ERR_OK;

	blame(culprit, "");
	if (v->type != VALUE_MAP)
		return err_set(err, ERR_INVALID, "%s: must be an object { … }, not %s", source, value_type_name(v->type));
	for (uint32_t i = 0; i < v->n && code == ERR_OK; i++) {
		char *key = mem_text_n(v->u.pairs[i].key.p, v->u.pairs[i].key.n);
		const struct opt *row = settings_row(rules, key);
		blame(culprit, key);
		if (strcmp(key, SETTINGS_WORKLOAD) == 0)
			code = check_workload(&v->u.pairs[i].value, source, culprit, err);
		else if (row != NULL)
			code = apply_one(o, row, &v->u.pairs[i].value, key, source, err);
		else
			code = no_setting(rules, key, source, err);
		mem_free(key);
	}
	if (code == ERR_OK)
		blame(culprit, "");
	return code;
}

enum err_code
settings_check(const struct settings_rules *rules, const struct value *v, struct settings_culprit *culprit, struct err *err)
{
	void *target = mem_new(rules->size);
	struct opts o;

	opts_init(&o, rules->tables, target);
	enum err_code code = settings_apply(rules, &o, v, "settings", culprit, err);
	if (code == ERR_OK && rules->check != NULL && rules->check(target, err) != ERR_OK) {
		code = ERR_INVALID;
		if (err != NULL)
			err->code = code;
		err_prefix(err, "settings");
	}
	opts_release(&o);
	mem_free(target);
	return code;
}

enum err_code
settings_read(struct codec *c, const char *text, size_t n, struct value *root, struct settings_content *out, struct err *err)
{
	struct data d = { DATA_JSON, text, n };

	*out = (struct settings_content){ NULL, { NULL, 0 } };
	if (n == 0 || n > SETTINGS_MAX_BYTES)
		return err_set(err, ERR_CORRUPT, "the document is %s", n == 0 ? "empty" : "larger than 64 KiB");
	if (codec_parse(c, d, root, err) != ERR_OK) {
		err_prefix(err, "the document cannot be read");
		if (err != NULL)
			err->code = ERR_CORRUPT;
		return ERR_CORRUPT;
	}
	out->settings = value_field(root, "settings");
	if (out->settings == NULL || out->settings->type != VALUE_MAP)
		return err_set(err, ERR_CORRUPT, "the document has no object \"settings\"");
	value_text(value_field(root, "updated_by"), &out->by);
	return ERR_OK;
}

bool
settings_is_secret(const struct opts_mark *m)
{
	if (m->row->type == OPTS_SECRET || m->row->type == OPTS_SECRET_FD)
		return true;
	if (m->row->value != NULL && strcmp(m->row->value, "SHELL") == 0)
		return m->text != NULL;
	const char *scheme = m->text != NULL ? strstr(m->text, "://") : NULL;
	return scheme != NULL && strchr(scheme, '@') != NULL;
}
