/* config_show.c - `aegis config show|check|schema`: what a command would run with, whether a file is fine, and what
 * may stand in it. */
#include <string.h>

#include "app/config.h"
#include "base/magic.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "config.h"
#include "settings/effective.h"
#include "settings/follower.h"

/* --- show --------------------------------------------------------------------------------- */

struct show_cmd {
	struct cmd_general general;
	struct cmd_log log;
	bool origin, central;
};

static const struct opt show_rows[] = {
	OPT_FLAG(struct show_cmd, origin, "origin", 0, "and where each value comes from"),
	OPT_FLAG(struct show_cmd, central, "central", 0, "ask NATS for the settings of the service, too, as run-service would"),
	OPTS_END
};
const struct cmd_form config_show_form = {
	sizeof(struct show_cmd),
	{
		{ "Options", "config", show_rows, 0 },
		FORM_OUTPUT(struct show_cmd),
		FORM_CLIENT_LOG(struct show_cmd),
		FORM_GENERAL(struct show_cmd),
	},
};

static const struct out_column show_columns[] = {
	{ .name = "KEY" }, { .name = "VALUE", .shrinks = true }, { .name = "ORIGIN" }, { .name = "FROM" },
};

/* list_text: the items of a list row as one text; the caller's. */
static char *
list_text(const struct opts_list *l)
{
	struct str out = STR_INIT;

	for (size_t i = 0; i < l->n; i++)
		str_printf(&out, "%s%s", i > 0 ? ", " : "", l->v[i]);
	return str_steal(&out);
}

static void
row_json(const struct opts_mark *m, const char *key, const struct opts_list *list, struct str *out)
{
	bool secret = settings_is_secret(m);
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 8);
	pack_key_puts(&p, "area", m->table->area);
	pack_key_puts(&p, "key", key);
	pack_key_puts(&p, "option", m->row->name);
	pack_key(&p, "value");
	if (secret) {
		pack_null(&p);
	} else if (list != NULL) {
		pack_array(&p, (uint32_t)list->n);
		for (size_t i = 0; i < list->n; i++)
			pack_puts(&p, list->v[i]);
	} else {
		settings_pack(&p, m->row, m->text);
	}
	pack_key_puts(&p, "origin", effective_origin(m->origin));
	pack_key_some(&p, "source", m->source);
	pack_key_puts(&p, "applies", m->row->live ? "at once" : "at restart");
	pack_key_bool(&p, "secret", secret);
	if (pack_end(&p, NULL) != ERR_OK)
		str_puts(out, "null");	/* an argument that is no UTF-8 */
}

static void
show_row(const struct cmd *c, const struct opts *o, const struct opts_mark *m)
{
	const struct show_cmd *own = c->opts;
	const struct opts_list *list = m->row->type != OPTS_LIST ? NULL
	    : (const struct opts_list *)(const void *)(o->target + m->table->base + m->row->at);
	char key[OPTS_NAME_MAX], *items = list != NULL ? list_text(list) : NULL;
	const char *value = settings_is_secret(m) ? (m->origin == OPTS_DEFAULT ? NULL : "(hidden)")
	    : list != NULL ? (list->n > 0 ? items : NULL) : m->text;
	struct str json = STR_INIT;

	opts_key_name(m->row, key);
	row_json(m, key, list, &json);
	out_row(c->out, (const struct out_cell[]){ { key, OUT_STRONG }, { value, OUT_PLAIN },
	    { own->origin ? opts_origin_name(m->origin) : NULL, OUT_PLAIN },
	    { own->origin && m->source[0] != '\0' ? m->source : NULL, OUT_DIM } }, str_text(&json));
	str_release(&json);
	mem_free(items);
}

/* take_central: what the service's document says, under what the words, variables and files say. */
static enum err_code
take_central(struct cmd *shown, struct err *err)
{
	const struct opts_mark *name = opts_mark(shown->parsed, "name");
	struct conn_opts co = cmd_conn_opts(shown, NULL);
	struct codec *codec = codec_new();
	struct settings_content content;
	struct value root;
	char *text = NULL, *source = NULL;
	uint64_t revision = 0;
	size_t n = 0;
	struct conn *conn = NULL;
	enum err_code code = name->text == NULL ? err_set(err, ERR_USAGE, "--central needs to know whose settings; give --name") : ERR_OK;

	if (code == ERR_OK && (conn = conn_new(&co, err)) == NULL)
		code = err->code;
	if (code == ERR_OK && (code = follower_read(conn, name->text, co.timeout_ns, co.timeout_ns, &text, &n, &revision, err)) == ERR_OK && text != NULL) {
		source = mem_printf("settings of %s, revision %llu", name->text, (unsigned long long)revision);
		if ((code = settings_read(codec, text, n, &root, &content, err)) == ERR_OK)
			code = settings_apply(&run_service_rules, shown->parsed, content.settings, source, NULL, err);
		else
			err_prefix(err, "%s", source);
	}
	mem_free(source);
	mem_free(text);
	conn_free(conn);
	codec_free(codec);
	return code;
}

static enum err_code
find_shown(const struct cmd *c, const struct command **out, const char *const **args, struct err *err)
{
	static const char *const plain[] = { "run-service", NULL };
	const char *const *words = c->wrapped != NULL && c->wrapped[0] != NULL ? c->wrapped : plain;
	bool two = noun_has_verbs(words[0]);

	*out = command_find(words[0], two ? words[1] : NULL);
	if (*out == NULL)
		return err_set(err, ERR_USAGE, "'%s%s%s' is no command of aegis", words[0], two && words[1] != NULL ? " " : "",
		    two && words[1] != NULL ? words[1] : "");
	*args = words + 1 + two;
	return ERR_OK;
}

enum err_code
cmd_config_show_run(struct cmd *c, struct err *err)
{
	const struct show_cmd *o = c->opts;
	const struct command *command;
	const char *const *args = NULL;	/* set by find_shown, which gcc overlooks with SAN=thread */
	struct opts parsed;
	enum err_code code = find_shown(c, &command, &args, err);

	if (code != ERR_OK)
		return code;
	if (o->central && command->form->tables != run_service_rules.tables)
		return err_set(err, ERR_USAGE, "--central is about run-service; '%s' has no settings", command->noun);
	struct cmd shown = { .command = command, .opts = mem_new(command->form->size), .parsed = &parsed };
	opts_init(&parsed, command->form->tables, shown.opts);
	if ((code = cmd_read(&shown, args, true, err)) == ERR_OK && (!o->central || (code = take_central(&shown, err)) == ERR_OK)) {
		out_list(c->out, show_columns, o->origin ? COUNT_OF(show_columns) : 2);
		for (size_t i = 0; i < parsed.n; i++)
			if (parsed.marks[i].row->env && !parsed.marks[i].row->hidden)
				show_row(c, &parsed, &parsed.marks[i]);
	}
	opts_release(&parsed);
	mem_free(shown.opts);
	return code;
}

/* --- check -------------------------------------------------------------------------------- */

struct check_cmd {
	struct cmd_general general;
	struct cmd_log log;
	bool central;
};

static const struct opt check_rows[] = {
	OPT_FLAG(struct check_cmd, central, "central", 0, "FILE holds the settings of a service, not a configuration file"),
	OPTS_END
};
const struct cmd_form config_check_form = {
	sizeof(struct check_cmd),
	{
		{ "Options", "config", check_rows, 0 },
		FORM_OUTPUT(struct check_cmd),
		FORM_CLIENT_LOG(struct check_cmd),
		FORM_GENERAL(struct check_cmd),
	},
};

/* check_for: each command looks at the values of its own keys. */
static enum err_code
check_for(const struct command *k, const char *name, const struct str *text, struct err *err)
{
	void *target = mem_new(k->form->size);
	struct opts o;

	opts_init(&o, k->form->tables, target);
	enum err_code code = config_apply(&o, command_tables(), name, OPTS_USER_FILE, str_text(text), text->len, err);
	if (code == ERR_OK && k->form->tables == run_service_rules.tables && (code = run_service_rules.check(target, err)) != ERR_OK)
		err_prefix(err, "%s", name);
	opts_release(&o);
	mem_free(target);
	return code;
}

static enum err_code
check_file(const char *file, struct err *err)
{
	struct str text = STR_INIT;
	enum err_code code = config_read(file, &text, err);

	for (size_t i = 0; i < ncommands && code == ERR_OK; i++)
		code = check_for(&commands[i], strcmp(file, "-") == 0 ? "stdin" : file, &text, err);
	str_release(&text);
	return code;
}

enum err_code
cmd_config_check_run(struct cmd *c, struct err *err)
{
	const struct check_cmd *o = c->opts;
	const char *file = c->words[0];
	struct str json = STR_INIT;
	struct pack p;
	char *settings = NULL;
	enum err_code code = o->central ? config_file(file, &settings, err) : check_file(file, err);

	mem_free(settings);
	if (code != ERR_OK)
		return code;
	pack_init(&p, &json, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 2);
	pack_key_puts(&p, "file", file);
	pack_key_bool(&p, "ok", true);
	if ((code = pack_end(&p, err)) == ERR_OK)
		out_object(c->out, (const char *const[]){ "file", "is" }, (const struct out_cell[]){ { file, OUT_STRONG }, { "fine", OUT_GOOD } }, 2,
		    str_text(&json));
	str_release(&json);
	return code;
}

/* --- schema ------------------------------------------------------------------------------- */

struct schema_cmd {
	struct cmd_general general;
	struct cmd_log log;
	bool central;
};

static const struct opt schema_rows[] = {
	OPT_FLAG(struct schema_cmd, central, "central", 0, "of the settings of a service, not of configuration files"),
	OPTS_END
};
const struct cmd_form config_schema_form = {
	sizeof(struct schema_cmd),
	{ { "Options", "config", schema_rows, 0 }, FORM_CLIENT_LOG(struct schema_cmd), FORM_GENERAL(struct schema_cmd) },
};

/* The keys of one area, of all commands that have it; of one name the first row counts. */
#define AREA_MAX 160
#define AREAS_MAX 32

struct area {
	const char *name;
	const struct opt *rows[AREA_MAX];
	uint32_t n;
};

static void
add_row(struct area *a, const struct opt *row)
{
	for (uint32_t i = 0; i < a->n; i++)
		if (strcmp(a->rows[i]->name, row->name) == 0)
			return;
	MUST(a->n < AREA_MAX);
	a->rows[a->n++] = row;
}

static uint32_t
collect(struct area *areas)
{
	uint32_t n = 0, at;

	for (size_t i = 0; i < ncommands; i++) {
		for (const struct opts_table *t = commands[i].form->tables; t->title != NULL; t++) {
			for (const struct opt *row = t->rows; t->area != NULL && row->name != NULL; row++) {
				if (!row->env)
					continue;
				for (at = 0; at < n && strcmp(areas[at].name, t->area) != 0; at++)
					continue;
				MUST(at < AREAS_MAX);
				areas[at].name = t->area;
				n = at == n ? n + 1 : n;
				add_row(&areas[at], row);
			}
		}
	}
	return n;
}

static void
closed_object(struct pack *p, uint32_t extra)
{
	pack_map(p, 3 + extra);
	pack_key_puts(p, "type", "object");
	pack_key_bool(p, "additionalProperties", false);
}

static void
write_schema(struct str *out)
{
	struct area *areas = mem_array(AREAS_MAX, sizeof *areas);
	uint32_t n = collect(areas);
	char key[OPTS_NAME_MAX];
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	closed_object(&p, 2);
	pack_key_puts(&p, "$schema", "https://json-schema.org/draft/2020-12/schema");
	pack_key_puts(&p, "title", "configuration of aegis");
	pack_key_map(&p, "properties", n);
	for (uint32_t i = 0; i < n; i++) {
		pack_key(&p, areas[i].name);
		closed_object(&p, 0);
		pack_key_map(&p, "properties", areas[i].n);
		for (uint32_t k = 0; k < areas[i].n; k++) {
			opts_key_name(areas[i].rows[k], key);
			pack_key(&p, key);
			settings_property(&p, areas[i].rows[k]);
		}
	}
	MUST(pack_end(&p, NULL) == ERR_OK);
	mem_free(areas);
}

enum err_code
cmd_config_schema_run(struct cmd *c, struct err *err)
{
	const struct schema_cmd *o = c->opts;
	struct str out = STR_INIT;

	(void)err;
	if (o->central)
		settings_schema(&run_service_rules, &out);
	else
		write_schema(&out);
	out_value(c->out, str_text(&out));
	str_release(&out);
	return ERR_OK;
}
