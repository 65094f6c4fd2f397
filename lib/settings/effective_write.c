/* effective_write.c - effective values as JSON for those who ask, without what they must not see. */
#include <string.h>
#include <strings.h>

#include "base/magic.h"
#include "codec/codec.h"
#include "settings/effective_inner.h"

const char *
effective_origin(enum opts_origin origin)
{
	switch (origin) {
	case OPTS_LINE:
		return "flag";
	case OPTS_ENV:
	case OPTS_INHERITED:
		return "env";
	case OPTS_SYSTEM_FILE:
	case OPTS_USER_FILE:
	case OPTS_CONTEXT:
	case OPTS_SELECTED:
		return "file";		/* a context is one, too */
	case OPTS_CENTRAL:
		return "central";
	case OPTS_DEFAULT:
		break;
	}
	return "default";
}

/* sounds_secret: a key of the program's own by whose name a person would not say its value aloud. */
static bool
sounds_secret(struct text key)
{
	static const char *const words[] = { "password", "passwd", "secret", "token", "credential", "private", "apikey", "api_key" };
	char name[72];

	if (key.n >= sizeof name)
		return true;
	memcpy(name, key.p, key.n);
	name[key.n] = '\0';
	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (strcasestr(name, words[i]) != NULL)
			return true;
	return false;
}

static void
put_list(struct pack *p, const struct opts_list *l)
{
	pack_array(p, (uint32_t)l->n);
	for (size_t i = 0; i < l->n; i++)
		pack_puts(p, l->v[i]);
}

/* put_value: of the i-th row; lists stand where the process was told them. */
static void
put_value(struct pack *p, const struct effective *e, const struct values *v, size_t i)
{
	const struct opts_mark *m = &e->base->marks[i];

	if (m->row->type == OPTS_LIST)
		put_list(p, (const struct opts_list *)(const void *)(e->base->target + m->table->base + m->row->at));
	else
		settings_pack(p, m->row, v->o.marks[i].text);
}

static void
put_row(struct pack *p, const struct effective *e, size_t i)
{
	const struct opts_mark *told = &e->base->marks[i], *m = told->row->central ? &e->running.o.marks[i] : told;
	bool secret = settings_is_secret(told), pending = effective_is_pending(e, i);
	char key[OPTS_NAME_MAX];

	opts_key_name(m->row, key);
	pack_map(p, 7 + pending);
	pack_key_puts(p, "key", key);
	pack_key(p, "value");
	if (secret)
		pack_null(p);
	else
		put_value(p, e, &e->running, i);
	if (pending) {
		pack_key(p, "wanted");
		put_value(p, e, &e->wanted, i);
	}
	pack_key_puts(p, "origin", effective_origin(m->origin));
	pack_key_some(p, "source", m->source);
	pack_key_bool(p, "pending", pending);
	pack_key_bool(p, "live", m->row->live);
	pack_key_bool(p, "secret", secret);
}

static void
put_own(struct pack *p, const struct value_pair *pair)
{
	bool secret = sounds_secret(pair->key);
	char key[96] = SETTINGS_WORKLOAD ".";
	size_t at = strlen(key), n = pair->key.n < sizeof key - at ? pair->key.n : sizeof key - at - 1;

	memcpy(key + at, pair->key.p, n);
	key[at + n] = '\0';
	pack_map(p, 7);
	pack_key_puts(p, "key", key);
	pack_key_value(p, "value", secret ? NULL : &pair->value);
	pack_key_puts(p, "origin", "central");
	pack_key_null(p, "source");
	pack_key_bool(p, "pending", false);
	pack_key_bool(p, "live", true);
	pack_key_bool(p, "secret", secret);
}

/* is_shown: what could be set otherwise than on this command line; the rest are words like --help. */
static bool
is_shown(const struct opts_mark *m)
{
	return m->row->env && !m->row->hidden;
}

static void
put_rows(struct pack *p, const struct effective *e, const struct value *own)
{
	uint32_t n = own->n;

	for (size_t i = 0; i < e->base->n; i++)
		n += is_shown(&e->base->marks[i]);
	pack_key_array(p, "settings", n);
	for (size_t i = 0; i < e->base->n; i++)
		if (is_shown(&e->base->marks[i]))
			put_row(p, e, i);
	for (uint32_t i = 0; i < own->n; i++)
		put_own(p, &own->u.pairs[i]);
}

static void
put_pending(struct pack *p, const struct effective *e)
{
	struct str names = STR_INIT;
	uint32_t n = (uint32_t)effective_pending(e, &names);
	char key[OPTS_NAME_MAX];

	pack_key_array(p, "pending", n);
	for (size_t i = 0; i < e->base->n; i++) {
		if (!effective_is_pending(e, i))
			continue;
		opts_key_name(e->base->marks[i].row, key);
		pack_puts(p, key);
	}
	str_release(&names);
}

void
effective_write(const struct effective *e, const char *service, const char *instance, bool secrets, struct str *out)
{
	struct codec *codec = codec_new();
	struct value own = { .type = VALUE_MAP };
	struct pack p;

	if (codec_parse(codec, (struct data){ DATA_JSON, e->workload, strlen(e->workload) }, &own, NULL) != ERR_OK ||
	    own.type != VALUE_MAP)
		own = (struct value){ .type = VALUE_MAP };
	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 7 + secrets);
	pack_key_puts(&p, "service", service);
	pack_key_puts(&p, "instance", instance);
	pack_key_nonzero(&p, "revision", e->revision);
	pack_key_nonzero(&p, "applied_revision", e->applied);
	pack_key_puts(&p, "refused", e->refused);
	put_pending(&p, e);
	put_rows(&p, e, &own);
	if (secrets)
		pack_key_value(&p, "workload", &own);
	if (pack_end(&p, NULL) != ERR_OK)
		str_puts(out, "null");	/* a text of the command line that is no UTF-8 */
	codec_free(codec);
}
