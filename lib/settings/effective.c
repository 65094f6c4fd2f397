/* effective.c - two sets of values from the same rows, and how the one follows the other. */
#include "settings/effective_inner.h"

#include <string.h>

#include "base/mem.h"
#include "codec/codec.h"

static void
values_release(struct values *v)
{
	if (v->target == NULL)
		return;
	opts_release(&v->o);
	mem_free(v->target);
	*v = (struct values){ .target = NULL };
}

static void
values_init(const struct effective *e, struct values *v)
{
	v->target = mem_new(e->rules.size);
	opts_init(&v->o, e->rules.tables, v->target);
}

/* want: what the process was told, over settings (NULL: none). */
static enum err_code
want(const struct effective *e, const struct value *settings, const char *source, struct values *out, struct err *err)
{
	enum err_code code = ERR_OK;

	values_init(e, out);
	opts_overlay(&out->o, e->base, OPTS_CENTRAL);
	if (settings != NULL)
		code = settings_apply(&e->rules, &out->o, settings, source, NULL, err);
	if (code == ERR_OK && settings != NULL && e->rules.check != NULL && e->rules.check(out->target, err) != ERR_OK) {
		code = ERR_INVALID;
		err_prefix(err, "%s", source);
	}
	if (code != ERR_OK)
		values_release(out);
	return code;
}

static void
copy_row(struct values *to, const struct values *from, size_t i)
{
	const struct opts_mark *m = &from->o.marks[i];
	struct err err;

	/* It was taken before; a default stands there already. */
	if (m->origin != OPTS_DEFAULT && m->text != NULL)
		opts_set(&to->o, &to->o.marks[i], m->origin, m->source, m->text, &err);
}

/* follow: the next running set: live rows and those that do not differ as wanted, the others as they run. */
static void
follow(struct effective *e, const struct values *wanted)
{
	struct values next;

	values_init(e, &next);
	for (size_t i = 0; i < next.o.n; i++) {
		const struct opt *row = next.o.marks[i].row;
		bool differs = row->central && !opts_same(&e->running.o, &wanted->o, i);
		if (row->type == OPTS_LIST)
			continue;
		e->changed[i] = differs && row->live;
		copy_row(&next, differs && !row->live ? &e->running : wanted, i);
	}
	values_release(&e->running);
	e->running = next;
}

static void
set_workload(struct effective *e, const struct value *settings)
{
	const struct value *own = value_field(settings, SETTINGS_WORKLOAD);
	struct str text = STR_INIT;
	struct pack p;

	pack_init(&p, &text, DATA_JSON, PACK_COMPACT);
	if (own != NULL)
		pack_value(&p, own);
	else
		pack_map(&p, 0);
	if (pack_end(&p, NULL) != ERR_OK)
		str_puts(&text, "{}");
	e->workload_changed = strcmp(e->workload, str_text(&text)) != 0;
	mem_free(e->workload);
	e->workload = str_steal(&text);
}

static void
refuse(struct effective *e, const char *why)
{
	mem_free(e->refused);
	e->refused = mem_text(why);
	e->workload_changed = false;
	memset(e->changed, 0, e->base->n * sizeof *e->changed);
}

/* take: whether everything follows (at the start), or live rows alone. */
static enum err_code
take(struct effective *e, const char *text, size_t n, uint64_t revision, bool all, struct err *err)
{
	struct codec *codec = codec_new();
	struct settings_content content = { NULL, { NULL, 0 } };
	struct values wanted = { .target = NULL };
	struct value root;
	struct err why = { ERR_OK, "" };
	char *source = mem_printf("settings, revision %llu", (unsigned long long)revision);
	enum err_code code = ERR_OK;

	e->revision = revision;
	if (text != NULL && (code = settings_read(codec, text, n, &root, &content, &why)) != ERR_OK)
		err_prefix(&why, "%s", source);
	if (code == ERR_OK)
		code = want(e, content.settings, source, &wanted, &why);
	if (code == ERR_OK) {
		if (all) {
			values_release(&e->running);
			want(e, content.settings, source, &e->running, &why);
		} else {
			follow(e, &wanted);
		}
		values_release(&e->wanted);
		e->wanted = wanted;
		set_workload(e, content.settings);
		e->applied = revision;
		mem_free(e->refused);
		e->refused = NULL;
	} else {
		refuse(e, why.text);
		err_set(err, code, "%s", why.text);
	}
	mem_free(source);
	codec_free(codec);
	return code;
}

enum err_code
effective_start(struct effective *e, const char *text, size_t n, uint64_t revision, struct err *err)
{
	return take(e, text, n, revision, true, err);
}

enum err_code
effective_take(struct effective *e, const char *text, size_t n, uint64_t revision, struct err *err)
{
	return take(e, text, n, revision, false, err);
}

struct effective *
effective_new(const struct settings_rules *rules, const struct opts *base)
{
	struct effective *e = mem_new(sizeof *e);
	struct err err;

	e->rules = *rules;
	e->base = base;
	e->changed = mem_array(base->n + 1, sizeof *e->changed);
	e->workload = mem_text("{}");
	want(e, NULL, "", &e->running, &err);
	want(e, NULL, "", &e->wanted, &err);
	return e;
}

void
effective_free(struct effective *e)
{
	if (e == NULL)
		return;
	values_release(&e->running);
	values_release(&e->wanted);
	mem_free(e->changed);
	mem_free(e->workload);
	mem_free(e->refused);
	mem_free(e);
}

/* --- looking at it ------------------------------------------------------------------------ */

const void *
effective_running(const struct effective *e)
{
	return e->running.target;
}

uint64_t
effective_revision(const struct effective *e)
{
	return e->revision;
}

uint64_t
effective_applied(const struct effective *e)
{
	return e->applied;
}

const char *
effective_refused(const struct effective *e)
{
	return e->refused;
}

const char *
effective_workload(const struct effective *e)
{
	return e->workload;
}

bool
effective_workload_changed(const struct effective *e)
{
	return e->workload_changed;
}

bool
effective_is_pending(const struct effective *e, size_t i)
{
	return e->base->marks[i].row->central && !opts_same(&e->running.o, &e->wanted.o, i);
}

static void
name(struct str *out, const struct opt *row, size_t *n)
{
	char key[OPTS_NAME_MAX];

	opts_key_name(row, key);
	str_printf(out, "%s%s", *n > 0 ? ", " : "", key);
	++*n;
}

size_t
effective_changed(const struct effective *e, struct str *out)
{
	size_t n = 0;

	for (size_t i = 0; i < e->base->n; i++)
		if (e->changed[i])
			name(out, e->base->marks[i].row, &n);
	return n;
}

size_t
effective_pending(const struct effective *e, struct str *out)
{
	size_t n = 0;

	for (size_t i = 0; i < e->base->n; i++)
		if (effective_is_pending(e, i))
			name(out, e->base->marks[i].row, &n);
	return n;
}
