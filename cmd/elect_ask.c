/* elect_ask.c - `aegis elect` without a command: asks about a group, or its leader to step down. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "election/elector.h"
#include "election/migrate.h"
#include "election/repair.h"
#include "elect.h"
#include "model/names.h"

const struct opt elect_mode_rows[] = {
	OPT_FLAG(struct elect_cmd, observe, "observe", 0, "show who leads the group, its registers and last changes"),
	OPT_FLAG(struct elect_cmd, watch, "watch", 'w', "with --observe: go on, and tell every change"),
	OPT_FLAG(struct elect_cmd, step_down, "step-down", 0, "ask the leader of the group to give it up"),
	OPT_TEXT(struct elect_cmd, to, "to", 0, "ID", "with --step-down: in favour of this member", .def_text = "whoever is first"),
	OPT_FLAG(struct elect_cmd, repair, "repair", 0,
	    "make lost registers anew, and give an epoch to a group whose registers are empty"),
	OPT_TEXT(struct elect_cmd, set_profile, "set-profile", 0, "NAME",
	    "with --repair, and with the members stopped: the profile that all of them use from now on, and nothing else is repaired"),
	OPT_TEXT(struct elect_cmd, set_fence, "set-fence", 0, "gate|stream|stream:N", "the same for their fence"),
	OPT_FLAG(struct elect_cmd, migrate, "migrate", 0,
	    "without GROUP, and with the members of all groups stopped: from one register to three, or back"),
	OPT_UINT(struct elect_cmd, registers, "registers", 0, "N", "with --migrate: how many, 1 or 3",
	    .def_text = "three where there are three servers", .min = 0, .max = 3),
	OPT_FLAG(struct elect_cmd, yes, "yes", 'y', "with --repair, --migrate: do not ask for the group's name, or the word migrate"),
	OPTS_END
};

enum err_code
elect_group(const struct cmd *c, char **service, char **group, struct err *err)
{
	const char *word = c->words[0], *slash = strchr(word, '/');
	enum err_code code = ERR_OK;

	if (slash != NULL && service == NULL)
		return err_set(err, ERR_INVALID, "group '%s': a group of a service is led by its instances (run-service "
		    "--single-active); groups of `aegis elect` have no '/'", word);
	char *s = slash != NULL ? mem_text_n(word, (size_t)(slash - word)) : mem_text(ELECT_SERVICE);
	if (slash != NULL)
		code = name_check(NAME_SERVICE_CALLED, s, err);
	if (code == ERR_OK)
		code = name_check(NAME_GROUP, slash != NULL ? slash + 1 : word, err);
	if (code == ERR_OK && service != NULL)
		*service = s;
	else
		mem_free(s);
	if (code == ERR_OK)
		*group = mem_text(slash != NULL ? slash + 1 : word);
	return code;
}

static void
show_stepdown(struct cmd *c, const struct observed *s, struct str *json)
{
	char epoch[24];
	struct pack p;

	pack_init(&p, json, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 5);
	pack_key_puts(&p, "service", s->service);
	pack_key_puts(&p, "group", s->group);
	pack_key_puts(&p, "instance", s->instance);
	pack_key_uint(&p, "epoch", s->epoch);
	pack_key_puts(&p, "status", "accepted");
	MUST(pack_end(&p, NULL) == ERR_OK);
	snprintf(epoch, sizeof epoch, "%" PRIu64, s->epoch);
	out_object(c->out, (const char *const[]){ "group", "steps down", "epoch" }, (const struct out_cell[]){
		{ c->words[0], OUT_STRONG }, { s->instance, OUT_PLAIN }, { epoch, OUT_PLAIN } }, 3, str_text(json));
}

static enum err_code
step_down(struct cmd *c, struct conn *conn, const char *service, const char *group, struct err *err)
{
	const struct elect_cmd *o = c->opts;
	struct str json = STR_INIT;
	struct observed s;
	enum err_code code = observe(conn, service, group, &s, err);

	if (code == ERR_NOT_FOUND && err != NULL)
		code = err->code = ERR_NOT_ACTIVE;
	if (code != ERR_OK || (code = observe_step_down(conn, service, group, o->to, conn_timeout_ns(conn), err)) != ERR_OK)
		return code;
	show_stepdown(c, &s, &json);
	str_release(&json);
	return ERR_OK;
}

/* --- repair ------------------------------------------------------------------------------- */

/* consent: what is done while a member with an unknown lease lives may let two lead or stop one that leads, so a word is typed. */
static enum err_code
consent(const struct cmd *c, const char *what, const char *word, const char *refused, struct err *err)
{
	const struct elect_cmd *o = c->opts;
	char answer[256] = "", question[512];

	if (o->yes)
		return ERR_OK;
	snprintf(question, sizeof question, "%s Type %s to go on: ", what, word);
	if (cmd_ask(question, answer, sizeof answer) && strcmp(answer, word) == 0)
		return ERR_OK;
	return err_set(err, ERR_INVALID, "%s, because nobody typed '%s'; pass --yes", refused, word);
}

static void
show_repaired(struct cmd *c, const struct repaired *r, struct str *json)
{
	struct out_cell cells[3 + LEASE_REGISTERS];
	const char *names[3 + LEASE_REGISTERS] = { "streams made anew", "registers written", "epoch" };
	char streams[16], registers[16], epoch[24];
	struct pack p;
	size_t n = 3;

	snprintf(streams, sizeof streams, "%u", r->streams);
	snprintf(registers, sizeof registers, "%u", r->registers);
	snprintf(epoch, sizeof epoch, "%" PRIu64, r->epoch);
	cells[0] = (struct out_cell){ streams, OUT_PLAIN };
	cells[1] = (struct out_cell){ registers, OUT_PLAIN };
	cells[2] = (struct out_cell){ r->registers > 0 ? epoch : NULL, OUT_PLAIN };
	pack_init(&p, json, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 4);
	pack_key_uint(&p, "streams", r->streams);
	pack_key_uint(&p, "registers", r->registers);
	pack_key_uint(&p, "epoch", r->epoch);
	pack_key_array(&p, "notes", r->n);
	for (unsigned i = 0; i < r->n; i++) {
		pack_puts(&p, r->note[i]);
		names[n] = "register";
		cells[n++] = (struct out_cell){ r->note[i][0] != '\0' ? r->note[i] : "is well", OUT_PLAIN };
	}
	MUST(pack_end(&p, NULL) == ERR_OK);
	out_object(c->out, names, cells, n, str_text(json));
}

static enum err_code
set_terms(struct cmd *c, struct conn *conn, const char *service, const char *group, struct err *err)
{
	const struct elect_cmd *o = c->opts;
	struct str json = STR_INIT;
	struct lease_group_record now;
	struct pack p;
	enum err_code code = consent(c, "What all members of the group use is changed; they must be stopped.", c->words[0],
	    "nothing was changed", err);

	if (code != ERR_OK || (code = repair_terms(conn, service, group, o->set_profile, o->set_fence, &now, err)) != ERR_OK)
		return code;
	pack_init(&p, &json, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 3);
	pack_key_puts(&p, "group", c->words[0]);
	pack_key_puts(&p, "profile", now.profile);
	pack_key_puts(&p, "fence", now.fence);
	MUST(pack_end(&p, NULL) == ERR_OK);
	out_object(c->out, (const char *const[]){ "group", "profile", "fence" }, (const struct out_cell[]){
		{ c->words[0], OUT_STRONG }, { now.profile, OUT_PLAIN }, { now.fence, OUT_PLAIN } }, 3, str_text(&json));
	str_release(&json);
	return ERR_OK;
}

static enum err_code
repair(struct cmd *c, struct conn *conn, const char *service, const char *group, struct err *err)
{
	struct str json = STR_INIT;
	struct repaired r = { 0 };
	enum err_code code = consent(c, "Registers of the group that are lost or empty get new values.", c->words[0],
	    "the group was not repaired", err);

	if (code != ERR_OK || (code = repair_group(conn, service, group, &r, err)) != ERR_OK)
		return code;
	show_repaired(c, &r, &json);
	str_release(&json);
	return ERR_OK;
}

/* --- another number of registers --------------------------------------------------------------- */

static void
show_migrated(struct cmd *c, const struct migrated *m, struct str *json)
{
	char from[16], to[16], groups[16];
	struct pack p;

	snprintf(from, sizeof from, "%u", m->from);
	snprintf(to, sizeof to, "%u", m->to);
	snprintf(groups, sizeof groups, "%u", m->groups);
	pack_init(&p, json, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 3);
	pack_key_uint(&p, "from", m->from);
	pack_key_uint(&p, "to", m->to);
	pack_key_uint(&p, "groups", m->groups);
	MUST(pack_end(&p, NULL) == ERR_OK);
	out_object(c->out, (const char *const[]){ "registers before", "registers now", "groups carried over" },
	    (const struct out_cell[]){ { from, OUT_PLAIN }, { to, OUT_STRONG }, { groups, OUT_PLAIN } }, 3, str_text(json));
}

enum err_code
elect_migrate(struct cmd *c, struct err *err)
{
	const struct elect_cmd *o = c->opts;
	struct str json = STR_INIT;
	struct migrated m;
	enum err_code code = consent(c, "The registers of all groups are replaced; their members must be stopped.", "migrate",
	    "nothing was replaced", err);

	if (code != ERR_OK)
		return code;
	struct conn_opts opts = cmd_conn_opts(c, NULL);
	struct conn *conn = conn_new(&opts, err);
	if (conn == NULL)
		return err != NULL ? err->code : ERR_UNAVAILABLE;
	if ((code = migrate_site(conn, &opts, (unsigned)o->registers, &m, err)) == ERR_OK)
		show_migrated(c, &m, &json);
	str_release(&json);
	conn_free(conn);
	return code;
}

enum err_code
elect_ask(struct cmd *c, struct err *err)
{
	const struct elect_cmd *o = c->opts;
	char *service = NULL, *group = NULL;
	struct conn *conn = NULL;
	enum err_code code;

	if (o->to != NULL && (code = name_check(NAME_INSTANCE_CALLED, o->to, err)) != ERR_OK)
		return code;
	if ((code = elect_group(c, &service, &group, err)) != ERR_OK)
		return code;
	struct conn_opts opts = cmd_conn_opts(c, NULL);
	if ((conn = conn_new(&opts, err)) == NULL)
		code = err != NULL ? err->code : ERR_UNAVAILABLE;
	else if (o->observe)
		code = elect_observe(c, conn, service, group, err);
	else if (o->step_down)
		code = step_down(c, conn, service, group, err);
	else if (o->set_profile != NULL || o->set_fence != NULL)
		code = set_terms(c, conn, service, group, err);
	else
		code = repair(c, conn, service, group, err);
	conn_free(conn);
	mem_free(service);
	mem_free(group);
	return code;
}
