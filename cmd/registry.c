/* registry.c - `aegis registry ls|get|history`, and what all its verbs share.
 *
 * JSON answers are the stored records, byte for byte what other programs read from the
 * bucket, with our own members behind theirs. */
#include "registry.h"

#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/wall.h"
#include "codec/record.h"
#include "model/names.h"
#include "sys/clock.h"

struct registry *
cmd_registry_open(struct cmd *c, bool create, struct conn **conn, struct err *err)
{
	struct conn_opts co = cmd_conn_opts(c, NULL);
	struct registry_opts ro = { .create = create };
	struct registry *r;

	if ((*conn = conn_new(&co, err)) == NULL)
		return NULL;
	ro.conn = *conn;
	if ((r = registry_new(&ro, err)) == NULL) {
		conn_free(*conn);
		*conn = NULL;
	}
	return r;
}

void
cmd_registry_close(struct registry *r, struct conn *conn)
{
	registry_free(r);
	conn_free(conn);
}

/* extend: the object that was just written to the end of out, with rest inside. */
static void
extend(struct str *out, const char *rest)
{
	if (rest[0] == '\0')
		return;
	out->len--;		/* the closing brace */
	str_puts(out, rest);
	str_putc(out, '}');
}

void
cmd_registry_definition_json(const struct definition *d, const char *rest, struct str *out)
{
	definition_encode(d, out);
	extend(out, rest);
}

void
cmd_registry_instance_json(const struct instance *i, const char *rest, struct str *out)
{
	instance_encode(i, out);
	extend(out, rest);
}

void
cmd_registry_rest(uint64_t revision, const char *more, struct str *out)
{
	str_clear(out);
	str_printf(out, ",\"revision\":%llu%s", (unsigned long long)revision, more);
}

void
cmd_registry_age(struct wall since, struct wall now, char out[CMD_REGISTRY_AGE_MAX])
{
	long long s = (now.ns - since.ns) / NS_PER_S;

	if (s < 0)
		s = 0;
	if (s < 120)
		snprintf(out, CMD_REGISTRY_AGE_MAX, "%llds", s);
	else if (s < 7200)
		snprintf(out, CMD_REGISTRY_AGE_MAX, "%lldm", s / 60);
	else if (s < 172800)
		snprintf(out, CMD_REGISTRY_AGE_MAX, "%lldh", s / 3600);
	else
		snprintf(out, CMD_REGISTRY_AGE_MAX, "%lldd", s / 86400);
}

enum out_tone
cmd_registry_tone(enum instance_status s, bool fresh)
{
	if (!fresh)
		return OUT_DIM;
	return s == INSTANCE_ACTIVE ? OUT_GOOD : s == INSTANCE_UNHEALTHY ? OUT_BAD : OUT_PLAIN;
}

void
cmd_registry_split(const char *word, char **service, char **instance)
{
	size_t n = strcspn(word, "/");

	*service = mem_text_n(word, n);
	*instance = word[n] == '/' ? mem_text(word + n + 1) : NULL;
}

void
cmd_registry_show_definition(struct out *out, const struct definition *d, uint64_t revision)
{
	char created[WALL_TEXT_MAX], updated[WALL_TEXT_MAX], number[24];
	struct str rest = STR_INIT, json = STR_INIT;

	wall_rfc3339(d->created_at, created);
	wall_rfc3339(d->updated_at, updated);
	snprintf(number, sizeof number, "%llu", (unsigned long long)revision);
	cmd_registry_rest(revision, "", &rest);
	cmd_registry_definition_json(d, str_text(&rest), &json);
	out_object(out,
	    (const char *const[]){ "service", "owner", "description", "version", "created", "updated", "revision" },
	    (const struct out_cell[]){ { d->service, OUT_STRONG }, { d->owner, OUT_PLAIN },
		{ d->description, OUT_PLAIN }, { d->version, OUT_PLAIN }, { created, OUT_PLAIN },
		{ updated, OUT_PLAIN }, { number, OUT_PLAIN } },
	    7, str_text(&json));
	str_release(&rest);
	str_release(&json);
}

/* --- ls --------------------------------------------------------------------------------- */

struct ls_opts {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	bool definitions, instances, all;
	const char *service;
	int64_t stale_ns;
};

static const struct opt ls_rows[] = {
	OPT_FLAG(struct ls_opts, definitions, "definitions", 0, "list definitions only"),
	OPT_FLAG(struct ls_opts, instances, "instances", 0, "list instances only"),
	OPT_TEXT(struct ls_opts, service, "service", 0, "SERVICE", "list what belongs to this service only"),
	OPT_FLAG(struct ls_opts, all, "all", 'a', "list stale instances too"),
	STALE_ROW(struct ls_opts),
	OPTS_END
};

const struct cmd_form registry_ls_form = {
	sizeof(struct ls_opts),
	{
		{ "Options", "registry", ls_rows, 0 },
		FORM_OUTPUT(struct ls_opts),
		FORM_NATS(struct ls_opts),
		FORM_CLIENT_LOG(struct ls_opts),
		FORM_GENERAL(struct ls_opts),
	},
};

static const struct out_column ls_columns[] = {
	{ .name = "SERVICE" }, { .name = "INSTANCE" }, { .name = "STATUS" }, { .name = "VERSION" },
	{ .name = "AGE", .right = true }, { .name = "ABOUT", .shrinks = true },
};

static void
ls_definition(struct out *out, const struct registry_item *item, struct wall now,
    const struct cmd_contract_names *contracts)
{
	const struct definition *d = item->definition;
	struct cmd_contract_name *contract = cmd_contract_find(contracts, d->service);
	struct str rest = STR_INIT, json = STR_INIT;
	char age[CMD_REGISTRY_AGE_MAX];

	cmd_registry_age(d->updated_at, now, age);
	char *more = contract == NULL ? mem_text(",\"kind\":\"definition\",\"contract\":null")
	    : mem_printf(",\"kind\":\"definition\",\"contract\":%llu", (unsigned long long)contract->revision);
	if (contract != NULL)
		contract->listed = true;
	cmd_registry_rest(item->revision, more, &rest);
	cmd_registry_definition_json(d, str_text(&rest), &json);
	char *about = mem_printf("%s%s: %s", contract != NULL ? "contract, " : "", d->owner, d->description);
	out_row(out, (const struct out_cell[]){ { d->service, OUT_STRONG }, { NULL, OUT_DIM },
	    { "defined", OUT_PLAIN }, { d->version, OUT_PLAIN }, { age, OUT_PLAIN }, { about, OUT_PLAIN } },
	    str_text(&json));
	mem_free(about);
	mem_free(more);
	str_release(&rest);
	str_release(&json);
}

static void
ls_instance(struct out *out, const struct registry_item *item, struct wall now)
{
	const struct instance *i = item->instance;
	struct str rest = STR_INIT, json = STR_INIT;
	char age[CMD_REGISTRY_AGE_MAX];

	cmd_registry_age(i->last_heartbeat, now, age);
	cmd_registry_rest(item->revision, item->fresh ? ",\"kind\":\"instance\",\"fresh\":true"
	    : ",\"kind\":\"instance\",\"fresh\":false", &rest);
	cmd_registry_instance_json(i, str_text(&rest), &json);
	char *about = mem_printf("%s%s%s", item->fresh ? "" : "stale ", i->group != NULL ? "group " : "",
	    i->group != NULL ? i->group : "");
	enum out_tone tone = cmd_registry_tone(i->status, item->fresh);
	out_row(out, (const struct out_cell[]){ { i->service, item->fresh ? OUT_PLAIN : OUT_DIM },
	    { i->id, item->fresh ? OUT_PLAIN : OUT_DIM }, { instance_status_name(i->status), tone },
	    { i->version, OUT_PLAIN }, { age, OUT_PLAIN },
	    { about[0] != '\0' ? about : NULL, item->fresh ? OUT_PLAIN : OUT_WARN } }, str_text(&json));
	mem_free(about);
	str_release(&rest);
	str_release(&json);
}

/* ls_contract: one whose service has no definition. */
static void
ls_contract(struct out *out, const struct cmd_contract_name *contract)
{
	struct str json = STR_INIT;

	/* Keys of a bucket hold nothing that needs escaping. */
	str_printf(&json, "{\"service_name\":\"%s\",\"kind\":\"contract\",\"revision\":%llu}", contract->service,
	    (unsigned long long)contract->revision);
	out_row(out, (const struct out_cell[]){ { contract->service, OUT_STRONG }, { NULL, OUT_DIM },
	    { "contract", OUT_PLAIN }, { NULL, OUT_DIM }, { NULL, OUT_DIM }, { "of a service without a definition", OUT_PLAIN } },
	    str_text(&json));
	str_release(&json);
}

static void
left_out(struct out *out, const struct registry_list *list)
{
	for (size_t i = 0; i < list->unreadable && i < REGISTRY_NAMED; i++)
		out_note(out, "aegis registry ls: left out, because it cannot be read: %s", list->named[i]);
	if (list->unreadable > REGISTRY_NAMED)
		out_note(out, "aegis registry ls: left out %zu more", list->unreadable - REGISTRY_NAMED);
}

enum err_code
cmd_registry_ls_run(struct cmd *c, struct err *err)
{
	const struct ls_opts *o = c->opts;
	bool both = o->definitions == o->instances;
	struct registry_query q = { .definitions = both || o->definitions, .instances = both || o->instances,
	    .service = o->service, .stale = o->all, .stale_ns = o->stale_ns };
	struct cmd_contract_names contracts = { .n = 0 };
	struct registry_list list = { .n = 0 };
	struct registry *r;
	struct conn *conn;
	enum err_code code = ERR_OK;

	if (o->service != NULL && (code = name_check(NAME_SERVICE_CALLED, o->service, err)) != ERR_OK)
		return code;
	if ((r = cmd_registry_open(c, false, &conn, err)) == NULL)
		return err->code;
	if (q.definitions)
		code = cmd_contract_names(conn, o->service, &contracts, err);
	if (code == ERR_OK && (code = registry_list(r, &q, &list, err)) == ERR_OK) {
		struct wall now = clock_wall(clock_system());
		out_list(c->out, ls_columns, sizeof ls_columns / sizeof *ls_columns);
		for (size_t i = 0; i < list.n; i++) {
			if (list.v[i].definition != NULL)
				ls_definition(c->out, &list.v[i], now, &contracts);
			else if (list.v[i].instance != NULL)
				ls_instance(c->out, &list.v[i], now);
		}
		for (size_t i = 0; i < contracts.n; i++)
			if (!contracts.v[i].listed)
				ls_contract(c->out, &contracts.v[i]);
		left_out(c->out, &list);
		registry_list_release(&list);
	}
	cmd_contract_names_free(&contracts);
	cmd_registry_close(r, conn);
	return code;
}

/* --- get -------------------------------------------------------------------------------- */

struct get_opts {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	bool contract;
};

static const struct opt get_rows[] = {
	OPT_FLAG(struct get_opts, contract, "contract", 0, "the contract of a service instead of its definition"),
	OPTS_END
};

const struct cmd_form registry_get_form = {
	sizeof(struct get_opts),
	{
		{ "Options", NULL, get_rows, 0 },
		FORM_OUTPUT(struct get_opts),
		FORM_NATS(struct get_opts),
		FORM_CLIENT_LOG(struct get_opts),
		FORM_GENERAL(struct get_opts),
	},
};

static void
show_instance(struct out *out, const struct instance *i, uint64_t revision)
{
	char beat[WALL_TEXT_MAX], number[24];
	struct str rest = STR_INIT, json = STR_INIT, metadata = STR_INIT;
	struct pack p;

	pack_init(&p, &metadata, DATA_JSON, PACK_COMPACT);
	instance_pack_metadata(&p, i);
	MUST(pack_end(&p, NULL) == ERR_OK);
	wall_rfc3339(i->last_heartbeat, beat);
	snprintf(number, sizeof number, "%llu", (unsigned long long)revision);
	cmd_registry_rest(revision, "", &rest);
	cmd_registry_instance_json(i, str_text(&rest), &json);
	out_object(out,
	    (const char *const[]){ "service", "instance", "status", "version", "heartbeat", "group", "metadata",
		"revision" },
	    (const struct out_cell[]){ { i->service, OUT_PLAIN }, { i->id, OUT_STRONG },
		{ instance_status_name(i->status), cmd_registry_tone(i->status, true) }, { i->version, OUT_PLAIN },
		{ beat, OUT_PLAIN }, { i->group, OUT_PLAIN }, { str_text(&metadata), OUT_PLAIN }, { number, OUT_PLAIN } },
	    8, str_text(&json));
	str_release(&metadata);
	str_release(&rest);
	str_release(&json);
}

static enum err_code
get_one(struct cmd *c, struct registry *r, const char *service, const char *id, struct err *err)
{
	struct definition d;
	struct instance i;
	uint64_t revision;
	enum err_code code;

	if (id == NULL) {
		if ((code = registry_get(r, service, &d, &revision, err)) != ERR_OK)
			return code;
		cmd_registry_show_definition(c->out, &d, revision);
		definition_release(&d);
		return ERR_OK;
	}
	if ((code = registry_get_instance(r, service, id, &i, &revision, err)) != ERR_OK)
		return code;
	if ((code = registry_judge(r, &i, err)) == ERR_OK)
		show_instance(c->out, &i, revision);
	instance_release(&i);
	return code;
}

enum err_code
cmd_registry_get_run(struct cmd *c, struct err *err)
{
	const struct get_opts *o = c->opts;
	char *service, *id;
	struct registry *r;
	struct conn *conn;
	enum err_code code;

	cmd_registry_split(c->words[0], &service, &id);
	if ((code = name_check(NAME_SERVICE_CALLED, service, err)) != ERR_OK ||
	    (id != NULL && (code = name_check(NAME_INSTANCE_CALLED, id, err)) != ERR_OK))
		goto err0;
	if (o->contract) {
		code = id == NULL ? cmd_contract_get(c, service, err)
		    : err_set(err, ERR_USAGE, "'%s' is an instance; a contract belongs to a service", c->words[0]);
		goto err0;
	}
	if ((r = cmd_registry_open(c, false, &conn, err)) == NULL) {
		code = err->code;
		goto err0;
	}
	code = get_one(c, r, service, id, err);
	cmd_registry_close(r, conn);
err0:
	mem_free(service);
	mem_free(id);
	return code;
}

/* --- history ---------------------------------------------------------------------------- */

const struct cmd_form registry_history_form = {
	sizeof(struct get_opts),
	{
		FORM_OUTPUT(struct get_opts),
		FORM_NATS(struct get_opts),
		FORM_CLIENT_LOG(struct get_opts),
		FORM_GENERAL(struct get_opts),
	},
};

static const struct out_column history_columns[] = {
	{ .name = "REVISION", .right = true }, { .name = "AT" }, { .name = "WHAT" }, { .name = "VERSION" },
	{ .name = "OWNER" }, { .name = "DESCRIPTION", .shrinks = true },
};

static void
history_row(struct out *out, const char *name, const struct registry_item *item)
{
	const struct definition *d = item->definition;
	char at[WALL_TEXT_MAX], number[24];
	struct str rest = STR_INIT, json = STR_INIT;

	wall_rfc3339(item->at, at);
	snprintf(number, sizeof number, "%llu", (unsigned long long)item->revision);
	char *more = mem_printf(",\"at\":\"%s\",\"deleted\":%s", at, item->deleted ? "true" : "false");
	cmd_registry_rest(item->revision, more, &rest);
	if (d != NULL)
		cmd_registry_definition_json(d, str_text(&rest), &json);
	else		/* the name was checked: nothing in it needs escaping */
		str_printf(&json, "{\"service_name\":\"%s\"%s}", name, str_text(&rest));
	out_row(out, (const struct out_cell[]){ { number, OUT_PLAIN }, { at, OUT_PLAIN },
	    { item->deleted ? "removed" : d != NULL ? "written" : "unreadable", item->deleted ? OUT_BAD : OUT_PLAIN },
	    { d != NULL ? d->version : NULL, OUT_PLAIN }, { d != NULL ? d->owner : NULL, OUT_PLAIN },
	    { d != NULL ? d->description : NULL, OUT_PLAIN } }, str_text(&json));
	mem_free(more);
	str_release(&rest);
	str_release(&json);
}

enum err_code
cmd_registry_history_run(struct cmd *c, struct err *err)
{
	struct registry_list list = { .n = 0 };
	struct registry *r;
	struct conn *conn;
	enum err_code code;

	if ((code = name_check(NAME_SERVICE_CALLED, c->words[0], err)) != ERR_OK)
		return code;
	if ((r = cmd_registry_open(c, false, &conn, err)) == NULL)
		return err->code;
	code = registry_history(r, c->words[0], &list, err);
	if (code == ERR_OK && list.n == 0)
		code = err_set(err, ERR_SERVICE_UNKNOWN, "'%s' has no history: it was never defined", c->words[0]);
	if (code == ERR_OK) {
		out_list(c->out, history_columns, sizeof history_columns / sizeof *history_columns);
		for (size_t i = 0; i < list.n; i++)
			history_row(c->out, c->words[0], &list.v[i]);
	}
	registry_list_release(&list);
	cmd_registry_close(r, conn);
	return code;
}
