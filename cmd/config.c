/* config.c - `aegis config ls|get|history|rm`, and the way in for all verbs that are about documents. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/wall.h"
#include "codec/codec.h"
#include "model/names.h"
#include "nats/kv.h"
#include "trail.h"

enum err_code
config_open(struct cmd *c, struct config_way *w, struct err *err)
{
	struct conn_opts co = cmd_conn_opts(c, NULL);

	*w = (struct config_way){ .conn = conn_new(&co, err) };
	if (w->conn != NULL &&
	    (w->all = settings_new(&(struct settings_opts){ .conn = w->conn, .rules = &run_service_rules }, err)) != NULL) {
		if (!settings_tells(w->all))
			out_note(c->out, "the bucket aegis_config does not tell its writes (aegis did not make it): running instances notice a change "
			    "within five minutes only");
		return ERR_OK;
	}
	conn_free(w->conn);
	*w = (struct config_way){ .conn = NULL };
	return err->code;
}

void
config_close(struct config_way *w)
{
	settings_free(w->all);
	conn_free(w->conn);
}

enum err_code
config_service(const char *service, struct err *err)
{
	if (service == NULL)
		return err_set(err, ERR_USAGE, "--service is missing; it says whose settings");
	return name_check(NAME_SERVICE_CALLED, service, err);
}

enum err_code
config_revision(const char *option, const char *text, uint64_t *out, struct err *err)
{
	if (text == NULL || num_uint(text, out))
		return ERR_OK;
	return err_set(err, ERR_USAGE, "%s: '%s' is no revision; write a number", option, text);
}

/* --- ls ----------------------------------------------------------------------------------- */

struct ls_cmd {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
};

const struct cmd_form config_ls_form = { sizeof(struct ls_cmd), { CONFIG_FORM(struct ls_cmd) } };

static const struct out_column ls_columns[] = {
	{ .name = "SERVICE" }, { .name = "REVISION", .right = true }, { .name = "UPDATED" }, { .name = "BY", .shrinks = true },
};

static void
ls_row(void *arg, const struct settings_document *d)
{
	struct str json = STR_INIT;
	char at[WALL_TEXT_MAX], revision[24];

	wall_rfc3339(d->at, at);
	snprintf(revision, sizeof revision, "%llu", (unsigned long long)d->revision);
	settings_write(d, false, &json);
	out_row(arg, (const struct out_cell[]){ { d->service, d->why != NULL ? OUT_BAD : OUT_STRONG }, { revision, OUT_PLAIN }, { at, OUT_PLAIN },
	    { d->why != NULL ? "not readable" : d->by, d->why != NULL ? OUT_BAD : OUT_PLAIN } }, str_text(&json));
	str_release(&json);
}

enum err_code
cmd_config_ls_run(struct cmd *c, struct err *err)
{
	struct config_way w;
	enum err_code code = config_open(c, &w, err);

	if (code != ERR_OK)
		return code;
	out_list(c->out, ls_columns, COUNT_OF(ls_columns));
	code = settings_list(w.all, ls_row, c->out, err);
	config_close(&w);
	return code;
}

/* --- get ---------------------------------------------------------------------------------- */

struct get_cmd {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	const char *service, *revision;
};

#define SERVICE_ROW(S) OPT_TEXT(S, service, "service", 0, "SERVICE", "whose settings")

static const struct opt get_rows[] = {
	SERVICE_ROW(struct get_cmd),
	OPT_TEXT(struct get_cmd, revision, "revision", 0, "N", "as they were then; `config history` lists what is kept"),
	OPTS_END
};
const struct cmd_form config_get_form = {
	sizeof(struct get_cmd), { { "Options", "config", get_rows, 0 }, CONFIG_FORM(struct get_cmd) },
};

/* Rows of a table whose number nobody knows before. */
struct lines {
	const char **names;
	struct out_cell *cells;
	char **texts;
	size_t n, cap;
};

static void
add_line(struct lines *l, const char *name, const char *text, enum out_tone tone)
{
	if (l->n == l->cap) {
		l->cap = l->cap * 2 + 16;
		l->names = mem_resize(l->names, l->cap, sizeof *l->names);
		l->cells = mem_resize(l->cells, l->cap, sizeof *l->cells);
		l->texts = mem_resize(l->texts, 2 * l->cap, sizeof *l->texts);
	}
	l->names[l->n] = l->texts[2 * l->n] = mem_text(name);
	l->cells[l->n] = (struct out_cell){ l->texts[2 * l->n + 1] = mem_text(text), tone };
	l->n++;
}

static void
free_lines(struct lines *l)
{
	for (size_t i = 0; i < 2 * l->n; i++)
		mem_free(l->texts[i]);
	mem_free(l->names);
	mem_free(l->cells);
	mem_free(l->texts);
}

static void
add_setting(void *arg, const char *key, const char *from, const char *to)
{
	(void)from;
	add_line(arg, key, to, OUT_PLAIN);
}

static enum err_code
show(struct out *out, const struct settings_document *d, struct err *err)
{
	struct lines l = { .n = 0 };
	struct str json = STR_INIT;
	char at[WALL_TEXT_MAX], revision[24];

	wall_rfc3339(d->at, at);
	snprintf(revision, sizeof revision, "%llu", (unsigned long long)d->revision);
	add_line(&l, "service", d->service, OUT_STRONG);
	add_line(&l, "revision", revision, OUT_PLAIN);
	add_line(&l, "updated", at, OUT_PLAIN);
	add_line(&l, "by", d->by, OUT_PLAIN);
	enum err_code code = settings_diff(NULL, d->json, add_setting, &l, err);
	settings_write(d, true, &json);
	if (code == ERR_OK)
		out_object(out, l.names, l.cells, l.n, str_text(&json));
	str_release(&json);
	free_lines(&l);
	return code;
}

struct pick { const char *key; char *found; };

static void
pick(void *arg, const char *key, const char *from, const char *to)
{
	struct pick *p = arg;

	(void)from;
	if (p->found == NULL && strcmp(p->key, key) == 0)
		p->found = mem_text(to);
}

static enum err_code
show_one(struct out *out, const struct settings_document *d, const char *key, struct err *err)
{
	struct pick p = { key, NULL };
	enum err_code code = settings_diff(NULL, d->json, pick, &p, err);

	if (code == ERR_OK && p.found == NULL)
		code = err_set(err, ERR_NOT_FOUND, "the settings of '%s' do not say '%s'", d->service, key);
	if (code == ERR_OK)
		out_value(out, p.found);
	mem_free(p.found);
	return code;
}

enum err_code
cmd_config_get_run(struct cmd *c, struct err *err)
{
	const struct get_cmd *o = c->opts;
	struct settings_document d = { .service = NULL };
	struct config_way w;
	uint64_t revision = 0;
	enum err_code code;

	if ((code = config_service(o->service, err)) != ERR_OK ||
	    (code = config_revision("--revision", o->revision, &revision, err)) != ERR_OK || (code = config_open(c, &w, err)) != ERR_OK)
		return code;
	code = o->revision != NULL ? settings_at(w.all, o->service, revision, &d, err) : settings_get(w.all, o->service, &d, err);
	if (code == ERR_OK && d.deleted)
		code = err_set(err, ERR_NOT_FOUND, "revision %llu is where the settings of '%s' were removed", (unsigned long long)revision,
		    o->service);
	if (code == ERR_OK)
		code = c->nwords > 0 ? show_one(c->out, &d, c->words[0], err) : show(c->out, &d, err);
	settings_document_release(&d);
	config_close(&w);
	return code;
}

/* --- history ------------------------------------------------------------------------------ */

static const struct opt history_rows[] = { SERVICE_ROW(struct get_cmd), OPTS_END };
const struct cmd_form config_history_form = {
	sizeof(struct get_cmd), { { "Options", "config", history_rows, 0 }, CONFIG_FORM(struct get_cmd) },
};

static const struct out_column history_columns[] = {
	{ .name = "REVISION", .right = true }, { .name = "UPDATED" }, { .name = "BY" }, { .name = "SETTINGS", .shrinks = true },
};

static void
history_row(void *arg, const struct settings_document *d)
{
	struct str json = STR_INIT;
	char at[WALL_TEXT_MAX], revision[24];

	wall_rfc3339(d->at, at);
	snprintf(revision, sizeof revision, "%llu", (unsigned long long)d->revision);
	settings_write(d, true, &json);
	out_row(arg, (const struct out_cell[]){ { revision, OUT_PLAIN }, { at, OUT_PLAIN }, { d->by, OUT_PLAIN },
	    { d->deleted ? "removed" : d->why != NULL ? d->why : d->json, d->why != NULL ? OUT_BAD : OUT_PLAIN } }, str_text(&json));
	str_release(&json);
}

enum err_code
cmd_config_history_run(struct cmd *c, struct err *err)
{
	const struct get_cmd *o = c->opts;
	struct config_way w;
	enum err_code code;

	if ((code = config_service(o->service, err)) != ERR_OK || (code = config_open(c, &w, err)) != ERR_OK)
		return code;
	out_list(c->out, history_columns, COUNT_OF(history_columns));
	code = settings_history(w.all, o->service, history_row, c->out, err);
	config_close(&w);
	return code;
}

/* --- rm ----------------------------------------------------------------------------------- */

struct rm_cmd {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	const char *service, *if_revision;
	bool yes, no_input, dry_run;
};

static const struct opt rm_rows[] = {
	SERVICE_ROW(struct rm_cmd),
	OPT_FLAG(struct rm_cmd, yes, "yes", 'y', "do not ask"),
	OPT_FLAG(struct rm_cmd, no_input, "no-input", 0, "never ask: fail where a question would be"),
	OPT_TEXT(struct rm_cmd, if_revision, "if-revision", 0, "N", "remove only when the stored revision is N"),
	OPT_FLAG(struct rm_cmd, dry_run, "dry-run", 'n', "show what would be removed, and remove nothing"),
	OPTS_END
};
const struct cmd_form config_rm_form = {
	sizeof(struct rm_cmd), { { "Options", "config", rm_rows, 0 }, CONFIG_FORM(struct rm_cmd) },
};

static enum err_code
consent(const struct rm_cmd *o, struct err *err)
{
	char answer[8] = "", *question;
	bool yes;

	if (o->yes || o->dry_run)
		return ERR_OK;
	question = mem_printf("running instances of %s go back to what they were told otherwise; remove its settings? [y/N] ", o->service);
	yes = !o->no_input && cmd_ask(question, answer, sizeof answer) && (answer[0] == 'y' || answer[0] == 'Y');
	mem_free(question);
	return yes ? ERR_OK : err_set(err, ERR_INVALID, "the settings of '%s' were not removed; pass --yes", o->service);
}

enum err_code
cmd_config_rm_run(struct cmd *c, struct err *err)
{
	const struct rm_cmd *o = c->opts;
	struct settings_document d = { .service = NULL };
	struct config_way w;
	uint64_t expect = KV_ANY;
	enum err_code code;

	if ((code = config_service(o->service, err)) != ERR_OK ||
	    (code = config_revision("--if-revision", o->if_revision, &expect, err)) != ERR_OK || (code = config_open(c, &w, err)) != ERR_OK)
		return code;
	code = settings_get(w.all, o->service, &d, err);
	if (code == ERR_CORRUPT)
		code = ERR_OK;			/* what cannot be read may still be removed */
	if (code == ERR_OK && expect != KV_ANY && expect != d.revision)
		code = err_set(err, ERR_REVISION, "the settings of '%s' are at revision %llu, not %llu; look at them with `aegis config get` and "
		    "try again", o->service, (unsigned long long)d.revision, (unsigned long long)expect);
	if (code == ERR_OK && (code = consent(o, err)) == ERR_OK && !o->dry_run)
		code = settings_remove(w.all, o->service, d.revision, err);
	if (code == ERR_OK && !o->dry_run)
		cmd_trail(c, w.conn, (struct audit_entry){ .action = "config.remove", .target = o->service, .service = o->service,
		    .before = cmd_json(d.json), .before_revision = d.revision }, false);
	if (code == ERR_OK) {
		char *json = mem_printf("{\"service\":\"%s\",\"action\":\"removed\",\"dry_run\":%s,\"revision\":%llu}", o->service,
		    o->dry_run ? "true" : "false", (unsigned long long)d.revision);
		out_object(c->out, (const char *const[]){ "settings of", "action" }, (const struct out_cell[]){ { o->service, OUT_STRONG },
		    { o->dry_run ? "would be removed" : "removed", OUT_GOOD } }, 2, json);
		mem_free(json);
	}
	settings_document_release(&d);
	config_close(&w);
	return code;
}
