/* registry_write.c - `aegis registry put|rm`: the two that change something.
 *
 * Both write with the revision that somebody saw: the one given, the one in the file, or
 * the one that was just read and shown.  So what changes in between is never overwritten,
 * and the store's revision is the only lock. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/config.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/codec.h"
#include "codec/record.h"
#include "model/names.h"
#include "monitor/departed.h"
#include "registry.h"
#include "sys/clock.h"
#include "trail.h"

#define UNSET CMD_REGISTRY_UNSET

/* --- put -------------------------------------------------------------------------------- */

struct put_opts {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	bool create, dry_run, contract;
	const char *if_revision;
};

static const struct opt put_rows[] = {
	OPT_FLAG(struct put_opts, contract, "contract", 0, "the contract of a service instead of its definition"),
	OPT_FLAG(struct put_opts, create, "create", 0, "refuse when the definition exists already"),
	OPT_TEXT(struct put_opts, if_revision, "if-revision", 0, "N",
	    "write only when the stored revision is N; 0: when there is none"),
	OPT_FLAG(struct put_opts, dry_run, "dry-run", 'n', "show what would change, and change nothing"),
	OPTS_END
};

const struct cmd_form registry_put_form = {
	sizeof(struct put_opts),
	{
		{ "Options", NULL, put_rows, 0 },
		FORM_OUTPUT(struct put_opts),
		FORM_NATS(struct put_opts),
		FORM_CLIENT_LOG(struct put_opts),
		FORM_GENERAL(struct put_opts),
	},
};

enum err_code
cmd_registry_parse_revision(const char *text, uint64_t *out, struct err *err)
{
	*out = UNSET;
	if (text == NULL)
		return ERR_OK;
	if (!num_uint(text, out) || *out == UNSET)
		return err_set(err, ERR_USAGE, "--if-revision: '%s' is no revision; it is a number such as 42", text);
	return ERR_OK;
}

/* take_revision: removes "revision" from what a person wrote, which `get` put there. */
static enum err_code
take_revision(struct value *v, uint64_t *out, struct err *err)
{
	int64_t n;

	for (uint32_t i = 0; v->type == VALUE_MAP && i < v->n; i++) {
		if (!text_is(v->u.pairs[i].key, "revision"))
			continue;
		if (!value_int(&v->u.pairs[i].value, &n) || n < 0)
			return err_set(err, ERR_INVALID, "revision: must be a whole number");
		if (*out == UNSET)
			*out = (uint64_t)n;
		memmove(&v->u.pairs[i], &v->u.pairs[i + 1], (v->n - i - 1) * sizeof *v->u.pairs);
		v->n--;
		break;
	}
	return ERR_OK;
}

enum err_code
cmd_registry_read(const char *file, enum err_code (*use)(void *arg, const struct value *v, struct err *err), void *arg,
    uint64_t *expect, struct err *err)
{
	struct codec *codec = codec_new();
	struct str text = STR_INIT;
	struct value v;
	enum err_code code;

	if ((code = config_read(file, &text, err)) != ERR_OK)
		goto err0;
	if ((code = codec_parse_lenient(codec, str_text(&text), text.len, &v, err)) != ERR_OK ||
	    (code = take_revision(&v, expect, err)) != ERR_OK || (code = use(arg, &v, err)) != ERR_OK)
		err_prefix(err, "%s", strcmp(file, "-") == 0 ? "stdin" : file);
err0:
	codec_free(codec);
	str_release(&text);
	return code;
}

static enum err_code
use_definition(void *arg, const struct value *v, struct err *err)
{
	return definition_from_value(v, arg, err);
}

/* One field that differs. */
static void
change(struct str *text, struct str *json, const char *field, const char *from, const char *to)
{
	struct pack p;

	if (from != NULL && strcmp(from, to) == 0)
		return;
	if (from != NULL)
		str_printf(text, "- %s: %s\n", field, from);
	str_printf(text, "+ %s: %s\n", field, to);
	if (json->len > 0)
		str_putc(json, ',');
	pack_init(&p, json, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 3);
	pack_key_puts(&p, "field", field);
	pack_key_puts(&p, "from", from);
	pack_key_puts(&p, "to", to);
	pack_end(&p, NULL);
}

static void
differences(const struct definition *was, const struct definition *is, struct str *text, struct str *json)
{
	change(text, json, "owner", was->owner, is->owner);
	change(text, json, "description", was->description, is->description);
	change(text, json, "version", was->version, is->version);
}

/* show_plan: what --dry-run answers. */
static void
show_plan(struct cmd *c, const struct definition *d, const char *action, uint64_t revision,
    const struct str *text, const struct str *changes)
{
	struct str json = STR_INIT;

	if (out_is_table(c->out)) {
		str_printf(&json, "%s: would be %s%s\n%s", d->service, action,
		    text->len == 0 ? "; nothing changes" : "", str_text(text));
		out_text(c->out, str_text(&json));
	} else {
		/* The name was checked: nothing in it needs escaping. */
		str_printf(&json, "{\"service_name\":\"%s\",\"dry_run\":true,\"action\":\"%s\",\"revision\":%llu,"
		    "\"changes\":[%s]}", d->service, action, (unsigned long long)revision, str_text(changes));
		out_object(c->out, NULL, NULL, 0, str_text(&json));
	}
	str_release(&json);
}

static void
show_written(struct cmd *c, const struct definition *d, const char *action, uint64_t revision)
{
	struct str rest = STR_INIT, json = STR_INIT;
	char number[24];

	snprintf(number, sizeof number, "%llu", (unsigned long long)revision);
	char *more = mem_printf(",\"action\":\"%s\"", action);
	cmd_registry_rest(revision, more, &rest);
	cmd_registry_definition_json(d, str_text(&rest), &json);
	out_object(c->out, (const char *const[]){ "service", "action", "revision" },
	    (const struct out_cell[]){ { d->service, OUT_STRONG }, { action, OUT_GOOD }, { number, OUT_PLAIN } },
	    3, str_text(&json));
	mem_free(more);
	str_release(&rest);
	str_release(&json);
}

/* settle: compares d with what is stored, fills its times, and decides what may be written:
 * *expect becomes the revision to write against. */
static enum err_code
settle(const struct put_opts *o, struct definition *d, const struct definition *was, uint64_t revision,
    uint64_t *expect, struct err *err)
{
	struct wall now = clock_wall(clock_system());

	if (o->create && revision != 0)
		return err_set(err, ERR_EXISTS, "'%s' is defined already, at revision %llu; leave out --create to "
		    "replace it", d->service, (unsigned long long)revision);
	if (*expect != UNSET && *expect != revision) {
		if (revision == 0)
			return err_set(err, ERR_REVISION, "'%s' is not defined, so it is not at revision %llu",
			    d->service, (unsigned long long)*expect);
		return err_set(err, *expect == 0 ? ERR_EXISTS : ERR_REVISION, "'%s' is at revision %llu, not %llu; "
		    "look at it with `aegis registry get` and try again", d->service,
		    (unsigned long long)revision, (unsigned long long)*expect);
	}
	*expect = revision;
	if (revision != 0)
		d->created_at = was->created_at;
	else if (d->created_at.ns == 0 || d->created_at.ns > now.ns)
		d->created_at = now;
	d->updated_at = now.ns > d->created_at.ns ? now : d->created_at;
	return definition_check(d, err);
}

/* note: a definition as it was, NULL for not at all, and is; in the audit trail. */
static void
note(struct cmd *c, struct conn *conn, const struct definition *was, uint64_t before, const struct definition *is, uint64_t after)
{
	struct str text[2] = { STR_INIT, STR_INIT };

	if (was != NULL)
		cmd_registry_definition_json(was, "", &text[0]);
	cmd_registry_definition_json(is, "", &text[1]);
	cmd_trail(c, conn, (struct audit_entry){
		.action = was == NULL ? "definition.create" : "definition.update", .target = is->service, .service = is->service,
		.before = cmd_json(text[0].p), .before_revision = before, .after = cmd_json(text[1].p), .after_revision = after,
	}, false);
	str_release(&text[0]);
	str_release(&text[1]);
}

static enum err_code
put_one(struct cmd *c, struct conn *conn, struct registry *r, struct definition *d, uint64_t expect, struct err *err)
{
	const struct put_opts *o = c->opts;
	struct str text = STR_INIT, changes = STR_INIT;
	struct definition was;
	uint64_t revision = 0;

	definition_init(&was);
	enum err_code code = registry_get(r, d->service, &was, &revision, err);
	if (code == ERR_SERVICE_UNKNOWN) {
		revision = 0;
		code = ERR_OK;
	}
	if (code != ERR_OK || (code = settle(o, d, &was, revision, &expect, err)) != ERR_OK)
		goto err0;
	differences(&was, d, &text, &changes);
	const char *action = revision == 0 ? "created" : text.len == 0 ? "unchanged" : "replaced";
	if (o->dry_run) {
		show_plan(c, d, action, revision, &text, &changes);
	} else if (revision != 0 && text.len == 0) {
		show_written(c, &was, action, revision);
	} else if ((code = registry_put(r, d, expect, &revision, err)) == ERR_OK) {
		note(c, conn, expect == 0 ? NULL : &was, expect, d, revision);
		show_written(c, d, action, revision);
	}
err0:
	definition_release(&was);
	str_release(&text);
	str_release(&changes);
	return code;
}

enum err_code
cmd_registry_put_run(struct cmd *c, struct err *err)
{
	const struct put_opts *o = c->opts;
	struct definition d;
	struct registry *r;
	struct conn *conn;
	uint64_t expect;
	enum err_code code;

	if ((code = cmd_registry_parse_revision(o->if_revision, &expect, err)) != ERR_OK)
		return code;
	if (o->create && expect != UNSET && expect != 0)
		return err_set(err, ERR_USAGE, "--create and --if-revision %s contradict each other", o->if_revision);
	if (o->contract)
		return cmd_contract_put(c, expect, o->create, o->dry_run, err);
	if (c->words[1] != NULL)
		return err_set(err, ERR_USAGE, "'%s' is one word too many; SERVICE FILE goes with --contract", c->words[1]);
	definition_init(&d);
	if ((code = cmd_registry_read(c->words[0], use_definition, &d, &expect, err)) != ERR_OK)
		goto err0;
	if ((code = name_check(NAME_SERVICE, d.service, err)) != ERR_OK)
		goto err0;
	if ((r = cmd_registry_open(c, !o->dry_run, &conn, err)) == NULL) {
		code = err->code;
		goto err0;
	}
	code = put_one(c, conn, r, &d, expect, err);
	cmd_registry_close(r, conn);
err0:
	definition_release(&d);
	return code;
}

/* --- rm --------------------------------------------------------------------------------- */

struct rm_opts {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	const char *confirm, *if_revision;
	bool yes, no_input, dry_run, contract;
	int64_t stale_ns;
};

static const struct opt rm_rows[] = {
	OPT_FLAG(struct rm_opts, contract, "contract", 0, "the contract of the service and nothing else"),
	OPT_TEXT(struct rm_opts, confirm, "confirm", 0, "NAME",
	    "the name once more: removes it even while instances are alive"),
	OPT_FLAG(struct rm_opts, yes, "yes", 'y', "do not ask; what is alive still needs --confirm"),
	OPT_FLAG(struct rm_opts, no_input, "no-input", 0, "never ask: fail where a question would be"),
	OPT_TEXT(struct rm_opts, if_revision, "if-revision", 0, "N", "remove only when the stored revision is N"),
	OPT_FLAG(struct rm_opts, dry_run, "dry-run", 'n', "show what would be removed, and remove nothing"),
	STALE_ROW(struct rm_opts),
	OPTS_END
};

const struct cmd_form registry_rm_form = {
	sizeof(struct rm_opts),
	{
		{ "Options", "registry", rm_rows, 0 },
		FORM_OUTPUT(struct rm_opts),
		FORM_NATS(struct rm_opts),
		FORM_CLIENT_LOG(struct rm_opts),
		FORM_GENERAL(struct rm_opts),
	},
};

/* What is to go. */
struct victim {
	const char *word;		/* as it was typed: NAME or NAME/INSTANCE */
	char *service, *id;		/* id NULL: the definition */
	uint64_t revision;
	bool contract;			/* of the service, and nothing else */
	size_t alive;			/* instances that are fresh */
	struct str was;			/* the definition as JSON; empty: none, or unreadable */
	struct instance last;		/* the record of the instance */
	bool has_last;			/* it can be read */
};

/* note_gone: in the audit trail. */
static void
note_gone(struct cmd *c, struct conn *conn, const struct victim *v)
{
	cmd_trail(c, conn, (struct audit_entry){
		.action = v->contract ? "contract.delete" : v->id != NULL ? "instance.delete" : "definition.delete", .target = v->word,
		.service = v->service, .before = cmd_json(v->was.p), .before_revision = v->revision,
	}, false);
}

/* tell_departed: who took it away, for whoever sees that it is gone. */
static void
tell_departed(struct cmd *c, struct conn *conn, const struct victim *v)
{
	char *author = cmd_author();
	struct err err;
	enum err_code code = departed_tell(conn, &(struct departure){
		.last = &v->last, .revision = v->revision, .cause = "purged", .by = author, .at = clock_wall(clock_system()),
	}, &err);

	if (code != ERR_OK && code != ERR_NOT_FOUND)
		out_note(c->out, "the record is removed, but those who ask will not read by whom: %s", err.text);
	mem_free(author);
}

static enum err_code
look_at(struct registry *r, const struct rm_opts *o, struct victim *v, struct err *err)
{
	struct registry_query q = { .instances = true, .service = v->service, .stale_ns = o->stale_ns };
	struct registry_list list = { .n = 0 };
	struct definition d;
	enum err_code code;

	if (v->id == NULL) {
		if ((code = registry_get(r, v->service, &d, &v->revision, err)) == ERR_OK) {
			cmd_registry_definition_json(&d, "", &v->was);
			definition_release(&d);
		}
	} else {
		code = registry_get_instance(r, v->service, v->id, &v->last, &v->revision, err);
		v->has_last = code == ERR_OK;
	}
	if (code != ERR_OK && code != ERR_CORRUPT)		/* what cannot be read may still be removed */
		return code;
	if ((code = registry_list(r, &q, &list, err)) != ERR_OK)
		return code;
	for (size_t k = 0; k < list.n; k++)
		v->alive += list.v[k].instance != NULL && (v->id == NULL || strcmp(list.v[k].instance->id, v->id) == 0);
	registry_list_release(&list);
	return ERR_OK;
}

static enum err_code
consent(const struct rm_opts *o, const struct victim *v, struct err *err)
{
	char answer[256] = "", question[512];
	bool may_ask = !o->no_input;

	if (o->confirm != NULL) {
		if (strcmp(o->confirm, v->word) == 0)
			return ERR_OK;
		return err_set(err, ERR_INVALID, "--confirm says '%s', but '%s' would be removed; nothing was done",
		    o->confirm, v->word);
	}
	if (v->alive > 0) {
		snprintf(question, sizeof question, "%s has %zu live instance%s; type its name to remove it: ",
		    v->word, v->alive, v->alive == 1 ? "" : "s");
		if (may_ask && cmd_ask(question, answer, sizeof answer) && strcmp(answer, v->word) == 0)
			return ERR_OK;
		return err_set(err, ERR_INVALID, "'%s' is alive (%zu instance%s) and was not removed; pass --confirm %s",
		    v->word, v->alive, v->alive == 1 ? "" : "s", v->word);
	}
	if (o->yes)
		return ERR_OK;
	snprintf(question, sizeof question, "remove %s? [y/N] ", v->word);
	if (may_ask && cmd_ask(question, answer, sizeof answer) && (answer[0] == 'y' || answer[0] == 'Y'))
		return ERR_OK;
	return err_set(err, ERR_INVALID, "'%s' was not removed, because nobody said yes; pass --yes", v->word);
}

static void
show_removed(struct cmd *c, const struct victim *v, bool dry_run)
{
	struct str json = STR_INIT;
	char number[24];

	/* Both names were checked: nothing in them needs escaping. */
	str_printf(&json, "{\"name\":\"%s\",\"action\":\"%s\",\"dry_run\":%s,\"revision\":%llu,\"alive\":%zu}", v->word,
	    "removed", dry_run ? "true" : "false", (unsigned long long)v->revision, v->alive);
	snprintf(number, sizeof number, "%llu", (unsigned long long)v->revision);
	out_object(c->out, (const char *const[]){ "name", "action", "revision" },
	    (const struct out_cell[]){ { v->word, OUT_STRONG }, { dry_run ? "would be removed" : "removed", OUT_PLAIN },
		{ number, OUT_PLAIN } }, 3, str_text(&json));
	str_release(&json);
}

/* expected: nothing is removed that looks otherwise than somebody said. */
static enum err_code
expected(const struct victim *v, uint64_t expect, struct err *err)
{
	if (expect != UNSET && expect != v->revision)
		return err_set(err, ERR_REVISION, "'%s' is at revision %llu, not %llu; nothing was removed", v->word,
		    (unsigned long long)v->revision, (unsigned long long)expect);
	return ERR_OK;
}

static enum err_code
rm_one(struct cmd *c, struct conn *conn, struct registry *r, struct victim *v, uint64_t expect, struct err *err)
{
	const struct rm_opts *o = c->opts;
	enum err_code code;

	if ((code = look_at(r, o, v, err)) != ERR_OK || (code = expected(v, expect, err)) != ERR_OK)
		return code;
	if (!o->dry_run) {
		if ((code = consent(o, v, err)) != ERR_OK)
			return code;
		code = v->id == NULL ? registry_remove(r, v->service, v->revision, err)
		    : registry_remove_instance(r, v->service, v->id, v->revision, err);
		if (code != ERR_OK)
			return code;
		if (v->has_last)
			tell_departed(c, conn, v);
		note_gone(c, conn, v);
	}
	show_removed(c, v, o->dry_run);
	return ERR_OK;
}

/* rm_contract: nobody dies of it, so that living instances do not matter. */
static enum err_code
rm_contract(struct cmd *c, struct victim *v, uint64_t expect, struct err *err)
{
	const struct rm_opts *o = c->opts;
	struct contracts *all;
	struct conn *conn;
	char *json;
	size_t n;

	if (v->id != NULL)
		return err_set(err, ERR_USAGE, "'%s' is an instance; a contract belongs to a service", v->word);
	if ((all = cmd_contract_open(c, false, &conn, err)) == NULL)
		return err->code;
	enum err_code code = contracts_get(all, v->service, &json, &n, &v->revision, err);
	if (code == ERR_OK) {
		mem_free(json);
		if ((code = expected(v, expect, err)) == ERR_OK && !o->dry_run && (code = consent(o, v, err)) == ERR_OK)
			code = contracts_remove(all, v->service, v->revision, err);
		v->contract = true;
		if (code == ERR_OK && !o->dry_run)
			note_gone(c, conn, v);
		if (code == ERR_OK)
			show_removed(c, v, o->dry_run);
	}
	cmd_contract_close(all, conn);
	return code;
}

enum err_code
cmd_registry_rm_run(struct cmd *c, struct err *err)
{
	const struct rm_opts *o = c->opts;
	struct victim v = { .word = c->words[0] };
	struct registry *r;
	struct conn *conn;
	uint64_t expect;
	enum err_code code;

	if ((code = cmd_registry_parse_revision(o->if_revision, &expect, err)) != ERR_OK)
		return code;
	cmd_registry_split(v.word, &v.service, &v.id);
	if ((code = name_check(NAME_SERVICE_CALLED, v.service, err)) != ERR_OK ||
	    (v.id != NULL && (code = name_check(NAME_INSTANCE_CALLED, v.id, err)) != ERR_OK))
		goto err0;
	if (o->contract) {
		code = rm_contract(c, &v, expect, err);
		goto err0;
	}
	if ((r = cmd_registry_open(c, false, &conn, err)) == NULL) {
		code = err->code;
		goto err0;
	}
	code = rm_one(c, conn, r, &v, expect, err);
	cmd_registry_close(r, conn);
err0:
	if (v.has_last)
		instance_release(&v.last);
	str_release(&v.was);
	mem_free(v.service);
	mem_free(v.id);
	return code;
}
