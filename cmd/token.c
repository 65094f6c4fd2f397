/* token.c - `aegis token create`, `ls` and `revoke`: credentials of the management API.
 *
 * They speak to the store and not to the API, so that the first token can be made before there is any. */
#include <stdio.h>
#include <string.h>

#include "auth/record.h"
#include "auth/store.h"
#include "base/mem.h"
#include "base/wall.h"
#include "cmd.h"
#include "model/names.h"
#include "registry.h"
#include "sys/clock.h"
#include "trail.h"

#define LINK_TTL_NS AUTH_SESSION_NS	/* a login lasts no longer anyway */

static struct auth_store *
open_store(struct cmd *c, bool create, struct conn **conn, struct err *err)
{
	struct conn_opts co = cmd_conn_opts(c, NULL);

	if ((*conn = conn_new(&co, err)) == NULL)
		return NULL;
	return auth_store_new(*conn, create);
}

static void
close_store(struct auth_store *s, struct conn *conn)
{
	auth_store_free(s);
	conn_free(conn);
}

/* --- create ----------------------------------------------------------------------------- */

struct create_opts {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	int role;			/* enum auth_role less one */
	const char *name, *service, *link;
	int64_t ttl_ns;
};

static const char *const roles[] = { "metrics", "viewer", "operator", "admin", NULL };

static const struct opt create_rows[] = {
	OPT_CHOICE(struct create_opts, role, "role", 0, roles, "what the token allows"),
	OPT_TEXT(struct create_opts, name, "name", 0, "NAME", "what the token is called in lists and in the audit trail",
	    .def_text = "the role"),
	OPT_TEXT(struct create_opts, service, "service", 0, "SERVICE", "bind it to this service"),
	OPT_DURATION(struct create_opts, ttl_ns, "ttl", 0, "how long it is valid", .def_text = "until it is revoked",
	    .min = NS_PER_S, .max = INT64_C(36500) * 24 * 3600 * NS_PER_S),
	OPT_TEXT(struct create_opts, link, "link", 0, "URL", "print a one-time login link to the page at URL instead of a token"),
	OPTS_END
};

const struct cmd_form token_create_form = {
	sizeof(struct create_opts),
	{
		{ "Options", "token", create_rows, 0 },
		FORM_OUTPUT(struct create_opts),
		FORM_NATS(struct create_opts),
		FORM_CLIENT_LOG(struct create_opts),
		FORM_GENERAL(struct create_opts),
	},
};

static const char *
when(struct wall t, const char *never, char out[WALL_TEXT_MAX])
{
	if (t.ns == 0)
		return never;
	wall_rfc3339(t, out);
	return out;
}

static void
show_created(struct cmd *c, const struct auth_token *t, const char *key, const char *value)
{
	struct str json = STR_INIT;
	char expires[WALL_TEXT_MAX];

	auth_token_show(&json, t, key, value);
	out_object(c->out, (const char *const[]){ "id", "name", "role", "service", "expires", key },
	    (const struct out_cell[]){ { t->id, OUT_PLAIN }, { t->name, OUT_STRONG }, { auth_role_name(t->role), OUT_PLAIN },
		{ t->service[0] != '\0' ? t->service : "all", OUT_PLAIN }, { when(t->expires, "never", expires), OUT_PLAIN },
		{ value, OUT_GOOD } }, 6, str_text(&json));
	explicit_bzero(json.p, json.len);
	str_release(&json);
}

/* note: that it came or went; what it is never gets there. */
static void
note(struct cmd *c, struct conn *conn, const char *action, const struct auth_token *t)
{
	struct audit_entry e = { .action = action, .target = t->id, .service = t->service };
	bool made = strcmp(action, "token.create") == 0;
	struct str text = STR_INIT;

	auth_token_show(&text, t, NULL, NULL);
	*(made ? &e.after : &e.before) = cmd_json(str_text(&text));
	*(made ? &e.after_revision : &e.before_revision) = t->revision;
	cmd_trail(c, conn, e, true);
	str_release(&text);
}

/* link_of: the code stands behind the '#', which browsers send to nobody. */
static char *
link_of(const char *url, const char *code)
{
	size_t n = strlen(url);

	while (n > 0 && url[n - 1] == '/')
		n--;
	return mem_printf("%.*s/login#code=%s", (int)n, url, code);
}

static enum err_code
create_link(struct cmd *c, struct conn *conn, struct auth_store *s, const struct auth_wish *w, const char *url, struct err *err)
{
	struct auth_token t;
	char code[AUTH_TEXT_MAX];
	enum err_code rc;

	if ((rc = auth_store_create(s, w, NULL, &t, err)) != ERR_OK || (rc = auth_store_code(s, &t, code, err)) != ERR_OK)
		return rc;
	note(c, conn, "token.create", &t);
	char *link = link_of(url, code);
	show_created(c, &t, "link", link);
	out_note(c->out, "the link logs one browser in, once, within %lld minutes", (long long)(AUTH_CODE_NS / NS_PER_S / 60));
	mem_free(link);
	return ERR_OK;
}

static enum err_code
create_token(struct cmd *c, struct conn *conn, struct auth_store *s, const struct auth_wish *w, struct err *err)
{
	struct auth_token t;
	char secret[AUTH_TEXT_MAX];
	enum err_code code = auth_store_create(s, w, secret, &t, err);

	if (code != ERR_OK)
		return code;
	note(c, conn, "token.create", &t);
	show_created(c, &t, "token", secret);
	out_note(c->out, "the token is not shown again");
	explicit_bzero(secret, sizeof secret);
	return ERR_OK;
}

static enum err_code
check_link(const char *url, struct err *err)
{
	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return err_set(err, ERR_USAGE, "--link '%s' is no address; write one such as http://127.0.0.1:8100", url);
	return ERR_OK;
}

enum err_code
cmd_token_create_run(struct cmd *c, struct err *err)
{
	const struct create_opts *o = c->opts;
	struct auth_wish w = { .role = (enum auth_role)(o->role + 1), .service = o->service, .ttl_ns = o->ttl_ns, .by = "cli" };
	struct conn *conn;
	enum err_code code;

	if (opts_mark(c->parsed, "role")->origin == OPTS_DEFAULT)
		return err_set(err, ERR_USAGE, "--role is missing; it is one of metrics, viewer, operator, admin");
	if (o->link != NULL && (code = check_link(o->link, err)) != ERR_OK)
		return code;
	w.name = o->name != NULL ? o->name : auth_role_name(w.role);
	if (o->link != NULL && w.ttl_ns == 0)
		w.ttl_ns = LINK_TTL_NS;
	if ((code = auth_wish_check(&w, NULL, err)) != ERR_OK)
		return code;
	struct auth_store *s = open_store(c, true, &conn, err);
	if (s == NULL)
		return err->code;
	code = o->link != NULL ? create_link(c, conn, s, &w, o->link, err) : create_token(c, conn, s, &w, err);
	close_store(s, conn);
	return code;
}

/* --- ls --------------------------------------------------------------------------------- */

struct ls_opts {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
};

const struct cmd_form token_ls_form = {
	sizeof(struct ls_opts),
	{
		FORM_OUTPUT(struct ls_opts),
		FORM_NATS(struct ls_opts),
		FORM_CLIENT_LOG(struct ls_opts),
		FORM_GENERAL(struct ls_opts),
	},
};

static void
show_token(struct cmd *c, const struct auth_token *t, struct wall now)
{
	struct str json = STR_INIT;
	char created[CMD_REGISTRY_AGE_MAX], used[CMD_REGISTRY_AGE_MAX] = "never", expires[WALL_TEXT_MAX];
	bool over = auth_is_over(t->expires, now);

	cmd_registry_age(t->created, now, created);
	if (t->used.ns != 0)
		cmd_registry_age(t->used, now, used);
	auth_token_show(&json, t, NULL, NULL);
	out_row(c->out, (const struct out_cell[]){
		{ t->id, OUT_PLAIN }, { t->name, OUT_STRONG }, { auth_role_name(t->role), OUT_PLAIN },
		{ t->service[0] != '\0' ? t->service : "all", OUT_PLAIN },
		{ t->prefix[0] != '\0' ? t->prefix : "(link)", OUT_DIM }, { created, OUT_PLAIN }, { used, OUT_PLAIN },
		{ over ? "expired" : when(t->expires, "never", expires), over ? OUT_WARN : OUT_PLAIN },
	}, str_text(&json));
	str_release(&json);
}

enum err_code
cmd_token_ls_run(struct cmd *c, struct err *err)
{
	static const struct out_column columns[] = {
		{ .name = "ID" }, { .name = "NAME", .shrinks = true }, { .name = "ROLE" }, { .name = "SERVICE", .shrinks = true },
		{ .name = "TOKEN" }, { .name = "AGE", .right = true }, { .name = "USED", .right = true }, { .name = "EXPIRES" },
	};
	struct auth_tokens list;
	struct conn *conn;
	struct auth_store *s = open_store(c, false, &conn, err);

	if (s == NULL)
		return err->code;
	enum err_code code = auth_store_tokens(s, &list, err);
	close_store(s, conn);
	if (code != ERR_OK)
		return code;
	out_list(c->out, columns, sizeof columns / sizeof columns[0]);
	for (size_t i = 0; i < list.n; i++)
		show_token(c, &list.v[i], clock_wall(clock_system()));
	if (list.unreadable > 0)
		out_note(c->out, "%zu record%s cannot be read and let nobody in", list.unreadable, list.unreadable == 1 ? "" : "s");
	auth_tokens_release(&list);
	return ERR_OK;
}

/* --- revoke ----------------------------------------------------------------------------- */

struct revoke_opts {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	const char *confirm;
	bool yes, no_input;
};

static const struct opt revoke_rows[] = {
	OPT_TEXT(struct revoke_opts, confirm, "confirm", 0, "NAME", "the id or name once more, instead of an answer"),
	OPT_FLAG(struct revoke_opts, yes, "yes", 'y', "do not ask"),
	OPT_FLAG(struct revoke_opts, no_input, "no-input", 0, "never ask: fail where a question would be"),
	OPTS_END
};

const struct cmd_form token_revoke_form = {
	sizeof(struct revoke_opts),
	{
		{ "Options", "token", revoke_rows, 0 },
		FORM_OUTPUT(struct revoke_opts),
		FORM_NATS(struct revoke_opts),
		FORM_CLIENT_LOG(struct revoke_opts),
		FORM_GENERAL(struct revoke_opts),
	},
};

/* find: the token that the word means: an id, or a name that one of them has. */
static enum err_code
find(struct auth_store *s, const char *word, struct auth_token *t, struct err *err)
{
	struct auth_tokens list;
	const struct auth_token *found = NULL;
	enum err_code code;

	if (auth_id_ok(word)) {
		if ((code = auth_store_token(s, word, false, t, err)) != ERR_CORRUPT)
			return code;
		/* What cannot be read can still be removed. */
		*t = (struct auth_token){ .name = "unreadable" };
		memcpy(t->id, word, sizeof t->id);
		return ERR_OK;
	}
	if ((code = auth_store_tokens(s, &list, err)) != ERR_OK)
		return code;
	for (size_t i = 0; i < list.n && code == ERR_OK; i++) {
		if (strcmp(list.v[i].name, word) != 0)
			continue;
		if (found != NULL)
			code = err_set(err, ERR_INVALID, "several tokens are called '%s', %s and %s for example; name the id", word,
			    found->id, list.v[i].id);
		found = &list.v[i];
	}
	if (found != NULL)
		*t = *found;
	else
		code = err_set(err, ERR_NOT_FOUND, "there is no token '%s'; `aegis token ls` shows those that there are", word);
	auth_tokens_release(&list);
	return code;
}

static enum err_code
consent(const struct revoke_opts *o, const char *word, const struct auth_token *t, struct err *err)
{
	char answer[16] = "", question[256];

	if (o->confirm != NULL)
		return strcmp(o->confirm, word) == 0 ? ERR_OK
		    : err_set(err, ERR_INVALID, "--confirm says '%s', but '%s' would be revoked; nothing was done", o->confirm, word);
	if (o->yes)
		return ERR_OK;
	snprintf(question, sizeof question, "revoke the token '%s' (%s, %s)? [y/N] ", t->name, auth_role_name(t->role), t->id);
	if (!o->no_input && cmd_ask(question, answer, sizeof answer) && (answer[0] == 'y' || answer[0] == 'Y'))
		return ERR_OK;
	return err_set(err, ERR_INVALID, "'%s' was not revoked, because nobody said yes; pass --yes", word);
}

enum err_code
cmd_token_revoke_run(struct cmd *c, struct err *err)
{
	const struct revoke_opts *o = c->opts;
	const char *word = c->words[0];
	struct str json = STR_INIT;
	struct auth_token t;
	struct conn *conn;
	struct auth_store *s = open_store(c, false, &conn, err);
	enum err_code code;

	if (s == NULL)
		return err->code;
	if ((code = find(s, word, &t, err)) == ERR_OK && (code = consent(o, word, &t, err)) == ERR_OK &&
	    (code = auth_store_revoke(s, t.id, 0, NULL, err)) == ERR_OK) {
		note(c, conn, "token.revoke", &t);
		auth_token_show(&json, &t, "action", "revoked");
		out_object(c->out, (const char *const[]){ "id", "name", "action" },
		    (const struct out_cell[]){ { t.id, OUT_PLAIN }, { t.name, OUT_STRONG }, { "revoked", OUT_PLAIN } }, 3,
		    str_text(&json));
		str_release(&json);
	}
	close_store(s, conn);
	return code;
}
