/* settings.c - documents by compare-and-set; the revision is the only lock. */
#include "settings/settings.h"

#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "codec/codec.h"
#include "codec/subject.h"
#include "model/names.h"
#include "nats/kv.h"
#include "nats/stream.h"

#define HISTORY 10

struct settings {
	struct kv kv;
	struct settings_rules rules;
	atomic_bool missing;		/* there is no bucket yet */
	bool tells;
};

static const struct bucket_opts bucket = {
	.name = CONFIG_BUCKET, .history = HISTORY, .max_value_bytes = SETTINGS_MAX_BYTES, .republish = SUBJECT_CONFIGS,
};

enum err_code
settings_make(struct conn *conn, struct err *err)
{
	struct bucket_state state;

	return bucket_ensure(conn, &bucket, &state, err);
}

static enum err_code
look(struct settings *s, bool create, struct err *err)
{
	struct bucket_state state;
	enum err_code code = create ? bucket_ensure(s->kv.conn, &bucket, &state, err)
	    : bucket_inspect(s->kv.conn, CONFIG_BUCKET, &state, err);
	bool missing = code == ERR_NOT_FOUND && !create;

	atomic_store(&s->missing, missing);
	if (code != ERR_OK && !missing)
		return code;
	s->tells = missing || strcmp(state.republish, SUBJECT_CONFIGS) == 0;
	return ERR_OK;
}

struct settings *
settings_new(const struct settings_opts *o, struct err *err)
{
	struct settings *s = mem_new(sizeof *s);

	s->kv = (struct kv){ o->conn, CONFIG_BUCKET };
	s->rules = *o->rules;
	if (look(s, o->create, err) == ERR_OK)
		return s;
	err_prefix(err, "settings");
	mem_free(s);
	return NULL;
}

void
settings_free(struct settings *s)
{
	mem_free(s);
}

const struct settings_rules *
settings_rules(const struct settings *s)
{
	return &s->rules;
}

bool
settings_tells(const struct settings *s)
{
	return s->tells;
}

void
settings_document_release(struct settings_document *d)
{
	mem_free(d->service);
	mem_free(d->json);
	mem_free(d->by);
	mem_free(d->why);
	*d = (struct settings_document){ .service = NULL };
}

/* --- reading ------------------------------------------------------------------------------ */

static char *
compact(const struct value *v)
{
	struct str text = STR_INIT;
	struct pack p;

	pack_init(&p, &text, DATA_JSON, PACK_COMPACT);
	pack_value(&p, v);
	if (pack_end(&p, NULL) == ERR_OK)
		return str_steal(&text);
	str_release(&text);
	return NULL;
}

/* fill: what an entry holds; ERR_CORRUPT with the sentence in out->why, too. */
static enum err_code
fill(struct settings_document *out, const char *service, const struct kv_entry *e, struct err *err)
{
	struct codec *codec = codec_new();
	struct settings_content content;
	struct value root;
	struct err why = { ERR_OK, "" };
	enum err_code code = ERR_OK;

	*out = (struct settings_document){ .service = mem_text(service), .revision = e->revision, .at = e->created, .deleted = e->gone };
	if (!e->gone && (code = settings_read(codec, e->value, e->n, &root, &content, &why)) == ERR_OK) {
		out->json = compact(content.settings);
		if (content.by.p != NULL)
			out->by = mem_text_n(content.by.p, content.by.n);
	} else if (code != ERR_OK) {
		out->why = mem_text(why.text);
		err_set(err, code, "settings of '%s', revision %llu: %s", service, (unsigned long long)e->revision, why.text);
	}
	codec_free(codec);
	return code;
}

enum err_code
settings_get(struct settings *s, const char *service, struct settings_document *out, struct err *err)
{
	struct kv_entry e = { .revision = 0 };

	*out = (struct settings_document){ .service = NULL };
	enum err_code code = kv_get(&s->kv, service, &e, err);
	if (code == ERR_NOT_FOUND) {
		out->revision = e.revision;
		return err_set(err, code, "service '%s' has no settings; write some with `aegis config set --service %s KEY=VALUE`",
		    service, service);
	}
	if (code != ERR_OK) {
		err_prefix(err, "settings of '%s'", service);
		return code;
	}
	code = fill(out, service, &e, err);
	kv_entry_release(&e);
	return code;
}

struct walk {
	settings_each *each;
	void *arg;
	uint64_t wanted;		/* this revision alone, unless 0 */
	struct settings_document *found;
	size_t n;
	bool history;
};

static void
one(void *arg, const struct kv_entry *e)
{
	struct walk *w = arg;
	struct settings_document d;

	if (!name_ok(NAME_SERVICE_CALLED, e->key, strlen(e->key)) || (e->gone && !w->history) || (w->wanted != 0 && e->revision != w->wanted))
		return;
	w->n++;
	fill(&d, e->key, e, NULL);
	if (w->found != NULL) {
		*w->found = d;
		return;
	}
	w->each(w->arg, &d);
	settings_document_release(&d);
}

/* walk: over a bucket that perhaps does not exist, or not any more. */
static enum err_code
walk(struct settings *s, const char *filter, struct walk *w, struct err *err)
{
	enum err_code code = kv_list(&s->kv, filter, w->history, one, w, err);

	if (code == ERR_NOT_FOUND)
		return ERR_OK;
	if (code != ERR_OK)
		err_prefix(err, "settings");
	return code;
}

enum err_code
settings_list(struct settings *s, settings_each *each, void *arg, struct err *err)
{
	return walk(s, ">", &(struct walk){ .each = each, .arg = arg }, err);
}

enum err_code
settings_history(struct settings *s, const char *service, settings_each *each, void *arg, struct err *err)
{
	struct walk w = { .each = each, .arg = arg, .history = true };
	enum err_code code = walk(s, service, &w, err);

	if (code == ERR_OK && w.n == 0)
		return err_set(err, ERR_NOT_FOUND, "service '%s' never had settings", service);
	return code;
}

enum err_code
settings_at(struct settings *s, const char *service, uint64_t revision, struct settings_document *out, struct err *err)
{
	struct walk w = { .wanted = revision, .found = out, .history = true };

	*out = (struct settings_document){ .service = NULL };
	enum err_code code = walk(s, service, &w, err);
	if (code == ERR_OK && w.n == 0)
		return err_set(err, ERR_NOT_FOUND, "the settings of '%s' have no kept revision %llu; `aegis config history --service %s` "
		    "lists them", service, (unsigned long long)revision, service);
	if (code == ERR_OK && out->why != NULL)
		return err_set(err, ERR_CORRUPT, "settings of '%s', revision %llu: %s", service, (unsigned long long)revision, out->why);
	return code;
}

/* --- writing ------------------------------------------------------------------------------ */

static enum err_code
encode(const struct value *v, const char *by, struct str *out, struct err *err)
{
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 2);
	pack_key_value(&p, "settings", v);
	pack_key_puts(&p, "updated_by", by);
	enum err_code code = pack_end(&p, err);
	if (code == ERR_OK && out->len > SETTINGS_MAX_BYTES)
		code = err_set(err, ERR_TOO_LARGE, "%zu bytes are more than the %d that settings may have", out->len, SETTINGS_MAX_BYTES);
	return code;
}

static enum err_code
write_out(struct settings *s, const struct settings_wish *w, const struct str *text, uint64_t *rev, struct err *err)
{
	enum err_code code = atomic_load(&s->missing) ? look(s, true, err) : ERR_OK;

	return code != ERR_OK ? code : kv_put(&s->kv, &(struct kv_put){
		.key = w->service, .value = text->p, .n = text->len, .expect = w->expect, .id = w->id, .repeated = w->repeated,
	}, rev, err);
}

enum err_code
settings_put_once(struct settings *s, const struct settings_wish *w, uint64_t *rev, struct err *err)
{
	struct str text = STR_INIT;
	enum err_code code = settings_check(&s->rules, w->v, w->culprit, err);

	if (code == ERR_OK && (code = encode(w->v, w->by, &text, err)) == ERR_OK)
		code = write_out(s, w, &text, rev, err);
	str_release(&text);
	if (code == ERR_REVISION)
		return err_set(err, code, "settings of '%s': somebody else changed them since revision %llu; read them again", w->service,
		    (unsigned long long)w->expect);
	if (code == ERR_EXISTS)
		return err_set(err, code, "service '%s' has settings already", w->service);
	if (code != ERR_OK && code != ERR_INVALID)
		err_prefix(err, "settings of '%s'", w->service);
	return code;
}

enum err_code
settings_put(struct settings *s, const char *service, const struct value *v, const char *by, uint64_t expect,
    struct settings_culprit *culprit, uint64_t *rev, struct err *err)
{
	return settings_put_once(s, &(struct settings_wish){
		.service = service, .v = v, .by = by, .expect = expect, .culprit = culprit,
	}, rev, err);
}

enum err_code
settings_remove(struct settings *s, const char *service, uint64_t expect, struct err *err)
{
	enum err_code code = kv_remove(&s->kv, service, expect, true, 0, err);

	if (code == ERR_REVISION)
		return err_set(err, code, "settings of '%s': somebody else changed them since revision %llu; read them again", service,
		    (unsigned long long)expect);
	if (code != ERR_OK)
		err_prefix(err, "settings of '%s'", service);
	return code;
}
