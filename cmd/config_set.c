/* config_set.c - `aegis config set|diff`: a document as it is, as it shall be, and what that changes.
 *
 * Nothing is overwritten that nobody saw: the write is against the revision that was just read, or the one of
 * --if-revision. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/config.h"
#include "base/magic.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "config.h"
#include "nats/kv.h"
#include "trail.h"

/* --- what differs ------------------------------------------------------------------------- */

static void
note(void *arg, const char *key, const char *from, const char *to)
{
	struct config_diff *d = arg;
	struct pack p;

	if (from != NULL)
		str_printf(&d->text, "- %s: %s\n", key, from);
	if (to != NULL)
		str_printf(&d->text, "+ %s: %s\n", key, to);
	str_puts(&d->json, d->n++ > 0 ? "," : "");
	pack_init(&p, &d->json, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 3);
	pack_key_puts(&p, "key", key);
	pack_key_data(&p, "from", (struct data){ DATA_JSON, from, from != NULL ? strlen(from) : 0 });
	pack_key_data(&p, "to", (struct data){ DATA_JSON, to, to != NULL ? strlen(to) : 0 });
	MUST(pack_end(&p, NULL) == ERR_OK);
}

enum err_code
config_compare(const char *was, const char *is, struct config_diff *d, struct err *err)
{
	*d = (struct config_diff){ .n = 0 };
	return settings_diff(was, is, note, d, err);
}

void
config_diff_release(struct config_diff *d)
{
	str_release(&d->text);
	str_release(&d->json);
}

enum err_code
config_file(const char *file, char **out, struct err *err)
{
	struct codec *codec = codec_new();
	struct str text = STR_INIT, json = STR_INIT;
	struct value v;
	struct pack p;
	enum err_code code = config_read(file, &text, err);

	if (code == ERR_OK && (code = codec_parse_lenient(codec, str_text(&text), text.len, &v, err)) == ERR_OK) {
		const struct value *settings = value_field(&v, "settings");
		if (settings == NULL)
			settings = &v;
		if ((code = settings_check(&run_service_rules, settings, NULL, err)) == ERR_OK) {
			pack_init(&p, &json, DATA_JSON, PACK_COMPACT);
			pack_value(&p, settings);
			code = pack_end(&p, err);
		}
	}
	if (code != ERR_OK)
		err_prefix(err, "%s", strcmp(file, "-") == 0 ? "stdin" : file);
	else
		*out = str_steal(&json);
	str_release(&json);
	str_release(&text);
	codec_free(codec);
	return code;
}

/* --- set ---------------------------------------------------------------------------------- */

struct set_cmd {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	const char *service, *if_revision, *file, *revert;
	bool dry_run;
};

static const struct opt set_rows[] = {
	OPT_TEXT(struct set_cmd, service, "service", 0, "SERVICE", "whose settings"),
	OPT_FILE(struct set_cmd, file, "file", 0, "FILE|-", "all settings as this file has them, instead of single ones"),
	OPT_TEXT(struct set_cmd, revert, "revert", 0, "N", "all settings as they were at revision N"),
	OPT_TEXT(struct set_cmd, if_revision, "if-revision", 0, "N", "write only when the stored revision is N; 0: when there are none"),
	OPT_FLAG(struct set_cmd, dry_run, "dry-run", 'n', "check, show what would change, and write nothing"),
	OPTS_END
};
const struct cmd_form config_set_form = {
	sizeof(struct set_cmd), { { "Options", "config", set_rows, 0 }, CONFIG_FORM(struct set_cmd) },
};

/* put_own: a value of the program's own: JSON if it is some, else text. */
static void
put_own(struct pack *p, const char *text)
{
	struct codec *codec = codec_new();
	struct value v;

	if (text[0] == '\0')
		pack_null(p);
	else if (codec_parse(codec, (struct data){ DATA_JSON, text, strlen(text) }, &v, NULL) == ERR_OK)
		pack_value(p, &v);
	else
		pack_puts(p, text);
	codec_free(codec);
}

/* put_word: KEY=VALUE as a map that is merged into the document; nothing behind the '=' removes the key. */
static enum err_code
put_word(const char *word, struct str *out, struct err *err)
{
	static const char own[] = SETTINGS_WORKLOAD ".";
	const char *eq = strchr(word, '=');
	struct pack p;

	if (eq == NULL || eq == word)
		return err_set(err, ERR_USAGE, "'%s' is no KEY=VALUE; `KEY=` removes a key", word);
	char *key = mem_text_n(word, (size_t)(eq - word));
	const struct opt *row = settings_row(&run_service_rules, key);
	bool is_own = strncmp(key, own, sizeof own - 1) == 0;
	str_clear(out);
	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 1);
	pack_key(&p, is_own ? SETTINGS_WORKLOAD : key);
	if (is_own) {
		pack_map(&p, 1);
		pack_key(&p, key + sizeof own - 1);
		put_own(&p, eq + 1);
	} else if (eq[1] == '\0') {
		pack_null(&p);
	} else if (row != NULL && row->type != OPTS_FLAG) {
		settings_pack(&p, row, eq + 1);
	} else {
		pack_puts(&p, eq + 1);		/* a flag's bad word, too, is refused in its own words */
	}
	enum err_code code = pack_end(&p, err);
	mem_free(key);
	return code;
}

/* known: a key that is removed must be one that there is, or a typo would look like success. */
static enum err_code
known(const char *was, const char *word, struct err *err)
{
	const char *eq = strchr(word, '=');
	struct config_diff d;
	bool found = false;

	if (eq[1] != '\0' || config_compare(was, NULL, &d, NULL) != ERR_OK)
		return ERR_OK;
	char *line = mem_printf("- %.*s: ", (int)(eq - word), word);
	for (const char *p = str_text(&d.text); *p != '\0' && !found; p += strcspn(p, "\n"), p += *p == '\n')
		found = strncmp(p, line, strlen(line)) == 0;
	mem_free(line);
	config_diff_release(&d);
	return found ? ERR_OK : err_set(err, ERR_NOT_FOUND, "the settings do not say '%.*s', so it cannot be removed", (int)(eq - word), word);
}

/* from_words: the document with every word merged in. */
static enum err_code
from_words(const struct cmd *c, const char *was, char **out, struct err *err)
{
	struct str word = STR_INIT;
	char *now = mem_text(was);
	enum err_code code = ERR_OK;

	for (size_t i = 0; i < c->nwords && code == ERR_OK; i++) {
		struct codec *codec = codec_new();
		struct str merged = STR_INIT;
		struct value v;
		if ((code = put_word(c->words[i], &word, err)) == ERR_OK && (code = known(now, c->words[i], err)) == ERR_OK &&
		    (code = codec_parse(codec, (struct data){ DATA_JSON, word.p, word.len }, &v, err)) == ERR_OK &&
		    (code = settings_merge(now, &v, &merged, err)) == ERR_OK) {
			mem_free(now);
			now = str_steal(&merged);
		}
		str_release(&merged);
		codec_free(codec);
	}
	str_release(&word);
	if (code == ERR_OK)
		*out = now;
	else
		mem_free(now);
	return code;
}

static enum err_code
from_revision(struct settings *all, const struct set_cmd *o, char **out, struct err *err)
{
	struct settings_document d;
	uint64_t revision = 0;
	enum err_code code = config_revision("--revert", o->revert, &revision, err);

	if (code != ERR_OK)
		return code;
	code = settings_at(all, o->service, revision, &d, err);
	if (code == ERR_OK && d.deleted)
		code = err_set(err, ERR_INVALID, "revision %llu is where the settings of '%s' were removed; `aegis config rm` does that again",
		    (unsigned long long)revision, o->service);
	if (code == ERR_OK)
		*out = mem_text(d.json);
	settings_document_release(&d);
	return code;
}

static void
show(struct cmd *c, const char *service, const char *action, bool dry_run, uint64_t revision, const struct config_diff *d)
{
	struct str out = STR_INIT;

	if (out_is_table(c->out)) {
		str_printf(&out, "settings of %s: %s%s", service, dry_run ? "would be " : "", action);
		if (!dry_run)
			str_printf(&out, ", revision %llu", (unsigned long long)revision);
		str_printf(&out, "\n%s", str_text(&d->text));
		out_text(c->out, str_text(&out));
	} else {
		str_printf(&out, "{\"service\":\"%s\",\"action\":\"%s\",\"dry_run\":%s,\"revision\":%llu,\"changes\":[%s]}", service, action,
		    dry_run ? "true" : "false", (unsigned long long)revision, str_text(&d->json));
		out_object(c->out, NULL, NULL, 0, str_text(&out));
	}
	str_release(&out);
}

/* write_it: json as the document, against the revision that was read; a dry run checks the same. */
static enum err_code
write_it(struct settings *all, const struct set_cmd *o, const char *json, uint64_t expect, uint64_t *revision, struct err *err)
{
	struct codec *codec = codec_new();
	char *by = cmd_author();
	struct value v;
	enum err_code code = codec_parse(codec, (struct data){ DATA_JSON, json, strlen(json) }, &v, err);

	if (code == ERR_OK)
		code = o->dry_run ? settings_check(&run_service_rules, &v, NULL, err)
		    : settings_put(all, o->service, &v, by, expect, NULL, revision, err);
	mem_free(by);
	codec_free(codec);
	return code;
}

static enum err_code
settle(struct cmd *c, const struct config_way *w, const struct settings_document *was, uint64_t expect, struct err *err)
{
	const struct set_cmd *o = c->opts;
	struct config_diff d = { .n = 0 };
	uint64_t revision = was->service != NULL ? was->revision : 0;
	bool exists = was->json != NULL || was->why != NULL;
	char *json = NULL;
	enum err_code code;

	if (expect != KV_ANY && expect != (exists ? revision : 0))
		return err_set(err, exists && expect == 0 ? ERR_EXISTS : ERR_REVISION, "the settings of '%s' are at revision %llu, not %llu; look at "
		    "them with `aegis config get` and try again", o->service, (unsigned long long)(exists ? revision : 0),
		    (unsigned long long)expect);
	code = o->file != NULL ? config_file(o->file, &json, err) : o->revert != NULL ? from_revision(w->all, o, &json, err)
	    : from_words(c, was->json, &json, err);
	if (code == ERR_OK && (code = config_compare(was->json, json, &d, err)) == ERR_OK) {
		bool same = d.n == 0 && was->json != NULL;
		if (!same)
			code = write_it(w->all, o, json, exists ? revision : KV_ABSENT, &revision, err);
		if (code == ERR_OK && !same && !o->dry_run)
			cmd_trail(c, w->conn, (struct audit_entry){
				.action = o->revert != NULL ? "config.revert" : exists ? "config.update" : "config.create", .target = o->service, .service = o->service,
				.before = cmd_json(was->json), .before_revision = exists ? was->revision : 0,
				.after = cmd_json(json), .after_revision = revision,
			}, false);
		if (code == ERR_OK)
			show(c, o->service, same ? "unchanged" : exists ? "changed" : "created", o->dry_run, revision, &d);
	}
	config_diff_release(&d);
	mem_free(json);
	return code;
}

enum err_code
cmd_config_set_run(struct cmd *c, struct err *err)
{
	const struct set_cmd *o = c->opts;
	struct settings_document was = { .service = NULL };
	struct config_way w;
	uint64_t expect = KV_ANY;
	enum err_code code;

	if ((code = config_service(o->service, err)) != ERR_OK ||
	    (code = config_revision("--if-revision", o->if_revision, &expect, err)) != ERR_OK)
		return code;
	if ((c->nwords > 0) + (o->file != NULL) + (o->revert != NULL) != 1)
		return err_set(err, ERR_USAGE, "what to set is said by KEY=VALUE, by --file or by --revert; one of them");
	if ((code = config_open(c, &w, err)) != ERR_OK)
		return code;
	code = settings_get(w.all, o->service, &was, err);
	if (code == ERR_NOT_FOUND || (code == ERR_CORRUPT && c->nwords == 0))
		code = ERR_OK;
	else if (code == ERR_CORRUPT)
		err_set(err, code, "%s; write it anew with --file or --revert, or remove it with `aegis config rm`", was.why);
	if (code == ERR_OK)
		code = settle(c, &w, &was, expect, err);
	settings_document_release(&was);
	config_close(&w);
	return code;
}

/* --- diff --------------------------------------------------------------------------------- */

struct diff_cmd {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	const char *service, *revision;
};

static const struct opt diff_rows[] = {
	OPT_TEXT(struct diff_cmd, service, "service", 0, "SERVICE", "whose settings"),
	OPT_TEXT(struct diff_cmd, revision, "revision", 0, "N", "from this one to what is stored", .def_text = "the one before"),
	OPTS_END
};
const struct cmd_form config_diff_form = {
	sizeof(struct diff_cmd), { { "Options", "config", diff_rows, 0 }, CONFIG_FORM(struct diff_cmd) },
};

struct before {
	uint64_t now, revision;		/* the newest one older than now */
};

static void
find_before(void *arg, const struct settings_document *d)
{
	struct before *b = arg;

	if (d->revision < b->now)
		b->revision = d->revision;
}

/* other: what the stored settings are compared with, and on which side it stands. */
static enum err_code
other(struct cmd *c, struct settings *all, uint64_t now, char **json, struct err *err)
{
	const struct diff_cmd *o = c->opts;
	struct settings_document d = { .service = NULL };
	struct before b = { now, 0 };
	enum err_code code;

	if (c->nwords > 0)
		return config_file(c->words[0], json, err);
	if ((code = config_revision("--revision", o->revision, &b.revision, err)) != ERR_OK ||
	    (o->revision == NULL && (code = settings_history(all, o->service, find_before, &b, err)) != ERR_OK))
		return code;
	if (b.revision == 0)
		return ERR_OK;			/* the first: everything is new */
	code = settings_at(all, o->service, b.revision, &d, err);
	if (code == ERR_OK)
		*json = mem_text(d.json);
	settings_document_release(&d);
	return code;
}

enum err_code
cmd_config_diff_run(struct cmd *c, struct err *err)
{
	const struct diff_cmd *o = c->opts;
	struct settings_document now = { .service = NULL };
	struct config_diff d = { .n = 0 };
	struct config_way w;
	char *json = NULL;
	enum err_code code;

	if ((code = config_service(o->service, err)) != ERR_OK)
		return code;
	if (c->nwords > 0 && o->revision != NULL)
		return err_set(err, ERR_USAGE, "FILE and --revision exclude each other");
	if ((code = config_open(c, &w, err)) != ERR_OK)
		return code;
	code = settings_get(w.all, o->service, &now, err);
	if (code == ERR_NOT_FOUND && c->nwords > 0)
		code = ERR_OK;
	if (code == ERR_OK && (code = other(c, w.all, now.revision, &json, err)) == ERR_OK &&
	    (code = c->nwords > 0 ? config_compare(now.json, json, &d, err) : config_compare(json, now.json, &d, err)) == ERR_OK) {
		char *all = mem_printf("[%s]", str_text(&d.json));
		if (out_is_table(c->out))
			out_text(c->out, str_text(&d.text));
		else
			out_value(c->out, all);
		mem_free(all);
		c->exit_code = d.n > 0;
	}
	config_diff_release(&d);
	mem_free(json);
	settings_document_release(&now);
	config_close(&w);
	return code;
}
